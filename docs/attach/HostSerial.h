// A Stream on a PTY or serial device, for sketches that are built for a PC.
#pragma once
#include <Arduino.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

class HostSerial : public Stream {
  public:
    explicit HostSerial(const char *path) : path(path) {}

    void begin(unsigned long) {
      fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK);
      if (fd < 0) { perror(path); exit(1); }
    }

    int peek() override {
      unsigned char byte;
      if (next < 0 && ::read(fd, &byte, 1) == 1) next = byte;
      return next;
    }

    int read() override { int byte = peek(); next = -1; return byte; }
    int available() override { return peek() >= 0; }
    void flush() override {}
    using Print::write;
    size_t write(uint8_t byte) override { return ::write(fd, &byte, 1) == 1; }

  private:
    const char *path;
    int fd = -1, next = -1;
};
