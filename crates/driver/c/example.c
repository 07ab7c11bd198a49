/* A gateway: publishes what it is given through a module at a serial port, and prints what comes for it.
 *
 *     cc -o example example.c ../../../target/c/release/libmodemq.a
 *     ./example ec20 /dev/ttyUSB2 broker.example 1883 up hello
 *     ./example -c ca.pem -C client.pem -k client.key -a internet ec20 /dev/ttyUSB2 broker.example 8883 up hello
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

static uint8_t line[4096], command[4096], outbox[1024], topics[256];
static uint64_t place[MODEMQ_PLACE_SIZE / 8];

static const char usage[] =
    "usage: %s [options] MODEL PORT HOST TCP-PORT TOPIC MESSAGE\n"
    "  -u USER  -P PASSWORD             login\n"
    "  -p PIN  -a APN                   of the SIM and of the mobile network\n"
    "  -w SSID  -W PASSWORD             of the Wi-Fi\n"
    "  -t                               TLS that checks nobody\n"
    "  -c CA.pem                        TLS that checks the server\n"
    "  -C CERTIFICATE.pem  -k KEY.pem   the client's own\n";

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

/* A whole file, as a string. The driver reads it for as long as there is a connection: it is never freed. */
static const char *read_file(const char *path) {
    FILE *file = fopen(path, "rb");
    char *text = calloc(1, 16384);
    if (file == NULL || text == NULL || fread(text, 1, 16383, file) == 0) {
        perror(path);
        exit(1);
    }
    fclose(file);
    return text;
}

static void check(const char *what, modemq_status status) {
    if (status != MODEMQ_STATUS_OK) {
        fprintf(stderr, "%s: %s\n", what, modemq_status_words((int)status));
        exit(1);
    }
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
    modemq_options options = {0};
    for (int option; (option = getopt(count, words, "u:P:p:a:w:W:tc:C:k:")) != -1;) {
        switch (option) {
        case 'u': options.username = optarg; break;
        case 'P': options.password = optarg; break;
        case 'p': options.pin = optarg; break;
        case 'a': options.apn = optarg; break;
        case 'w': options.wifi_ssid = optarg; break;
        case 'W': options.wifi_password = optarg; break;
        case 't': options.tls = 1; break;
        case 'c': options.tls = 1; options.ca = read_file(optarg); break;
        case 'C': options.tls = 1; options.certificate = read_file(optarg); break;
        case 'k': options.tls = 1; options.key = read_file(optarg); break;
        default: count = 0; break;
        }
    }
    if (count - optind != 6) {
        fprintf(stderr, usage, words[0]);
        return 2;
    }
    words += optind;
    const char *topic = words[4], *message = words[5];
    options.host = words[2];
    options.port = (uint16_t)atoi(words[3]);
    options.client_id = "c-example";
    options.clean_session = 1;

    modemq_memory memory = {line, sizeof line, command, sizeof command, outbox, sizeof outbox, topics, sizeof topics};
    modemq *modem = NULL;
    check(words[0], modemq_init(place, sizeof place, words[0], &memory, (uint64_t)getpid(), &modem));
    int port = open_port(words[1]);
    if (port < 0) {
        perror(words[1]);
        return 1;
    }
    check(topic, modemq_subscribe(modem, now(), topic, 1, NULL));
    check("connect", modemq_connect(modem, now(), &options));

    uint8_t input[256];
    size_t held = 0;
    bool delivered = false, received = false;
    for (;;) {
        modemq_event event;
        while (modemq_poll_event(modem, &event)) {
            switch (event.kind) {
            case MODEMQ_EVENT_KIND_CONNECTED:
                modemq_query(modem, now(), MODEMQ_QUERY_KIND_SIGNAL);
                /* fall through */
            case MODEMQ_EVENT_KIND_RECOVERED:
                /* What is on its way keeps its own outcome, and what is unknown is published again. */
                if (!delivered && modemq_republish(modem, now(), NULL) == MODEMQ_STATUS_NOTHING) {
                    check("publish", modemq_publish(modem, now(), topic, (const uint8_t *)message, strlen(message), 1, false, NULL));
                }
                break;
            case MODEMQ_EVENT_KIND_PUBLISHED:
                fprintf(stderr, "%s\n", modemq_outcome_words((int)event.outcome));
                if (event.outcome == MODEMQ_OUTCOME_DELIVERED) {
                    delivered = true;
                } else if (event.outcome == MODEMQ_OUTCOME_REFUSED && event.refuser != MODEMQ_REFUSER_LINK) {
                    fprintf(stderr, "%s: %u\n", modemq_refusal_words((int)event.refuser, event.code), event.code);
                    return 1;
                }
                break;
            case MODEMQ_EVENT_KIND_SUBSCRIBED:
                if (event.outcome == MODEMQ_OUTCOME_REFUSED) {
                    fprintf(stderr, "%s: %u\n", modemq_refusal_words((int)event.refuser, event.code), event.code);
                    return 1;
                }
                break;
            case MODEMQ_EVENT_KIND_MESSAGE:
                printf("%.*s: %.*s\n", (int)event.topic_len, (const char *)event.topic, (int)event.payload_len, (const char *)event.payload);
                received = true;
                break;
            case MODEMQ_EVENT_KIND_ANSWER:
                fprintf(stderr, "signal %d\n", event.number);
                break;
            case MODEMQ_EVENT_KIND_RECOVERING:
                fprintf(stderr, "%s (%u): %s, in %u ms\n", modemq_why_words((int)event.why), event.code,
                        modemq_rung_words((int)event.rung), (unsigned)event.wait_ms);
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
