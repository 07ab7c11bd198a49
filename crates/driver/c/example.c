/* A gateway: publishes what it is given through a module at a serial port, and prints what comes for it.
 *
 *     cc -o example example.c ../../../target/c/release/libmodemq.a
 *     ./example ec20 /dev/ttyUSB2 broker.example 1883 up hello
 *
 * On a microcontroller the port is a UART, the clock a timer, and the loop around them is this one. */

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "modemq.h"

static uint8_t line[4096], command[512], outbox[1024], topics[256];
static _Alignas(16) uint8_t place[2048];

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

static int open_port(const char *path) {
    int port = open(path, O_RDWR | O_NOCTTY);
    struct termios settings;
    if (port >= 0 && tcgetattr(port, &settings) == 0) {
        cfmakeraw(&settings);
        cfsetspeed(&settings, B115200);
        tcsetattr(port, TCSANOW, &settings);
    }
    return port;
}

static void transmit(modemq *modem, int port) {
    const uint8_t *bytes;
    size_t len;
    while ((bytes = modemq_poll_transmit(modem, &len)) != NULL) {
        ssize_t written = write(port, bytes, len);
        if (written < 0) {
            perror("write");
            exit(1);
        }
        modemq_transmitted(modem, now(), (size_t)written);
    }
}

int main(int count, char **words) {
    if (count != 7) {
        fprintf(stderr, "usage: %s MODEL PORT HOST TCP-PORT TOPIC MESSAGE\n", words[0]);
        return 2;
    }
    const char *topic = words[5], *message = words[6];
    modemq_memory memory = {line, sizeof line, command, sizeof command, outbox, sizeof outbox, topics, sizeof topics};
    if (modemq_size() > sizeof place) {
        fprintf(stderr, "a driver takes %zu bytes\n", modemq_size());
        return 1;
    }
    modemq *modem = modemq_init(place, words[1], &memory, (uint64_t)getpid());
    int port = open_port(words[2]);
    if (modem == NULL || port < 0) {
        fprintf(stderr, "no such model, or no such port\n");
        return 1;
    }
    modemq_options options = {0};
    options.host = words[3];
    options.port = (uint16_t)atoi(words[4]);
    options.client_id = "c-example";
    options.keep_alive = 60;
    options.clean_session = true;
    modemq_subscribe(modem, now(), topic, 1, NULL);
    if (modemq_connect(modem, now(), &options) != MODEMQ_STATUS_OK) {
        fprintf(stderr, "the options do not fit the model\n");
        return 1;
    }

    uint8_t input[256];
    size_t held = 0;
    bool delivered = false, received = false;
    for (;;) {
        modemq_event event;
        while (modemq_poll_event(modem, &event)) {
            switch (event.kind) {
            case MODEMQ_EVENT_KIND_CONNECTED:
            case MODEMQ_EVENT_KIND_RECOVERED:
                modemq_publish(modem, now(), topic, (const uint8_t *)message, strlen(message), 1, false, NULL);
                break;
            case MODEMQ_EVENT_KIND_PUBLISHED:
                if (event.outcome == MODEMQ_OUTCOME_UNKNOWN) {
                    modemq_republish(modem, now(), NULL);
                } else {
                    delivered = event.outcome == MODEMQ_OUTCOME_DELIVERED;
                    fprintf(stderr, delivered ? "delivered\n" : "refused, code %u\n", event.code);
                }
                break;
            case MODEMQ_EVENT_KIND_MESSAGE:
                printf("%.*s: %.*s\n", (int)event.topic_len, event.topic, (int)event.payload_len, event.payload);
                received = true;
                break;
            case MODEMQ_EVENT_KIND_RECOVERING:
                fprintf(stderr, "recovering on rung %d, because of %d\n", event.rung, event.why);
                break;
            case MODEMQ_EVENT_KIND_DISCONNECTED:
                return 0;
            default:
                break;
            }
        }
        if (delivered && received) {
            modemq_disconnect(modem, now());
        }
        transmit(modem, port);
        if (held == 0) {
            uint64_t due = modemq_next_deadline(modem), time = now();
            int wait = due == UINT64_MAX ? -1 : due <= time ? 0 : (int)((due - time) / 1000 + 1);
            struct pollfd ready = {port, POLLIN, 0};
            if (poll(&ready, 1, wait) == 1) {
                ssize_t got = read(port, input, sizeof input);
                if (got <= 0) {
                    fprintf(stderr, "the port has ended\n");
                    return 1;
                }
                held = (size_t)got;
            } else {
                modemq_advance(modem, now());
            }
        }
        size_t taken = modemq_receive(modem, now(), input, held);
        memmove(input, input + taken, held - taken);
        held -= taken;
    }
}
