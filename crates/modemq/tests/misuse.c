/* Calls that are wrong: each is told by its status. What is printed is what was not. */

#include <stdio.h>
#include <string.h>

#include "modemq.h"

static uint64_t place[MODEMQ_PLACE_SIZE / 8];
static uint8_t line[256], command[256], outbox[256], topics[64];

#define EXPECT(call, wanted)                                                              \
    do {                                                                                  \
        int got = (int)(call);                                                            \
        if (got != (int)(wanted)) {                                                       \
            printf("%s: %d, %s\n", #call, got, modemq_status_words(got));                 \
        }                                                                                 \
    } while (0)

int main(void) {
    modemq_memory memory = {line, sizeof line, command, sizeof command, outbox, sizeof outbox, topics, sizeof topics};
    modemq_memory no_line = memory;
    no_line.line = NULL;
    modemq *modem = NULL;
    modemq_event event;
    size_t len = 0;
    uint16_t token = 0;
    const uint8_t bytes[] = {1, 2, 3};
    static char long_topic[400];
    memset(long_topic, 't', sizeof long_topic - 1);

    EXPECT(modemq_size() <= sizeof place, 1);
    EXPECT(modemq_init(NULL, sizeof place, "ec20", &memory, 1, &modem), MODEMQ_STATUS_INVALID);
    EXPECT(modemq_init((char *)place + 1, sizeof place - 1, "ec20", &memory, 1, &modem), MODEMQ_STATUS_INVALID);
    EXPECT(modemq_init(place, modemq_size() - 1, "ec20", &memory, 1, &modem), MODEMQ_STATUS_MEMORY);
    EXPECT(modemq_init(place, sizeof place, "ec21", &memory, 1, &modem), MODEMQ_STATUS_NO_SUCH_MODEL);
    EXPECT(modemq_init(place, sizeof place, NULL, &memory, 1, &modem), MODEMQ_STATUS_INVALID);
    EXPECT(modemq_init(place, sizeof place, "ec20", NULL, 1, &modem), MODEMQ_STATUS_INVALID);
    EXPECT(modemq_init(place, sizeof place, "ec20", &no_line, 1, &modem), MODEMQ_STATUS_INVALID);
    EXPECT(modemq_init(place, sizeof place, "ec20", &memory, 1, NULL), MODEMQ_STATUS_INVALID);
    EXPECT(modem == NULL, 1);

    /* Without a driver. */
    EXPECT(modemq_connect(NULL, 0, NULL), MODEMQ_STATUS_INVALID);
    EXPECT(modemq_subscribe(NULL, 0, "t", 0, NULL), MODEMQ_STATUS_INVALID);
    EXPECT(modemq_unsubscribe(NULL, 0, "t", NULL), MODEMQ_STATUS_INVALID);
    EXPECT(modemq_publish(NULL, 0, "t", NULL, 0, 0, false, NULL), MODEMQ_STATUS_INVALID);
    EXPECT(modemq_republish(NULL, 0, NULL), MODEMQ_STATUS_INVALID);
    EXPECT(modemq_query(NULL, 0, MODEMQ_QUERY_KIND_SIGNAL), MODEMQ_STATUS_INVALID);
    EXPECT(modemq_command(NULL, 0, "AT", 1000), MODEMQ_STATUS_INVALID);
    EXPECT(modemq_stats(NULL, NULL), MODEMQ_STATUS_INVALID);
    EXPECT(modemq_poll_event(NULL, &event), 0);
    EXPECT(modemq_is_connected(NULL), 0);
    EXPECT(modemq_can_publish(NULL), 0);
    EXPECT(modemq_receive(NULL, 0, bytes, sizeof bytes), 0);
    EXPECT(modemq_next_deadline(NULL) == UINT64_MAX, 1);
    EXPECT(modemq_poll_transmit(NULL, &len) == NULL, 1);
    modemq_advance(NULL, 0);
    modemq_transmitted(NULL, 0, 1);
    modemq_disconnect(NULL, 0);

    EXPECT(modemq_init(place, sizeof place, "ec20", &memory, 1, &modem), MODEMQ_STATUS_OK);
    EXPECT(modemq_receive(modem, 0, NULL, 4), 0);
    EXPECT(modemq_stats(modem, NULL), MODEMQ_STATUS_INVALID);
    EXPECT(modemq_query(modem, 0, -1), MODEMQ_STATUS_INVALID);
    EXPECT(modemq_query(modem, 0, 7), MODEMQ_STATUS_INVALID);
    EXPECT(modemq_command(modem, 0, NULL, 1000), MODEMQ_STATUS_INVALID);
    EXPECT(modemq_command(modem, 0, "AT\rAT", 1000), MODEMQ_STATUS_LINE);
    EXPECT(modemq_subscribe(modem, 0, NULL, 0, NULL), MODEMQ_STATUS_INVALID);
    EXPECT(modemq_subscribe(modem, 0, "\xff", 0, NULL), MODEMQ_STATUS_INVALID);
    EXPECT(modemq_subscribe(modem, 0, "t", 3, NULL), MODEMQ_STATUS_INVALID);
    EXPECT(modemq_subscribe(modem, 0, "", 0, NULL), MODEMQ_STATUS_TOPIC);
    EXPECT(modemq_subscribe(modem, 0, "a-topic-that-the-memory-for-topics-has-no-room-for-whatever-is-done", 0, NULL),
           MODEMQ_STATUS_MEMORY);
    EXPECT(modemq_unsubscribe(modem, 0, "t", NULL), MODEMQ_STATUS_NOTHING);
    EXPECT(modemq_subscribe(modem, 0, "t", 2, &token), MODEMQ_STATUS_OK);
    EXPECT(token != 0, 1);
    EXPECT(modemq_publish(modem, 0, "t", NULL, 3, 0, false, NULL), MODEMQ_STATUS_INVALID);
    EXPECT(modemq_publish(modem, 0, "t", bytes, SIZE_MAX, 0, false, NULL), MODEMQ_STATUS_INVALID);
    EXPECT(modemq_publish(modem, 0, "t", bytes, 3, 0, false, NULL), MODEMQ_STATUS_NOT_CONNECTED);
    EXPECT(modemq_republish(modem, 0, NULL), MODEMQ_STATUS_NOTHING);

    modemq_options options = {0};
    EXPECT(modemq_connect(modem, 0, NULL), MODEMQ_STATUS_INVALID);
    EXPECT(modemq_connect(modem, 0, &options), MODEMQ_STATUS_INVALID);
    options.host = "broker.example";
    options.client_id = "id";
    modemq_options wrong = options;
    wrong.username = "\xff";
    EXPECT(modemq_connect(modem, 0, &wrong), MODEMQ_STATUS_INVALID);
    wrong = options;
    wrong.clean_session = 2;
    EXPECT(modemq_connect(modem, 0, &wrong), MODEMQ_STATUS_INVALID);
    wrong = options;
    wrong.will_topic = "will";
    wrong.will_qos = 3;
    EXPECT(modemq_connect(modem, 0, &wrong), MODEMQ_STATUS_INVALID);
    wrong = options;
    wrong.client_id = long_topic;
    EXPECT(modemq_connect(modem, 0, &wrong), MODEMQ_STATUS_OPTIONS);
    wrong = options;
    wrong.tls = 1;
    wrong.certificate = "a certificate without its key";
    EXPECT(modemq_connect(modem, 0, &wrong), MODEMQ_STATUS_INVALID);
    wrong.certificate = NULL;
    wrong.ca = "/etc/ssl/ca.pem";
    EXPECT(modemq_connect(modem, 0, &wrong), MODEMQ_STATUS_TLS_NOT_PEM);
    EXPECT(modemq_poll_transmit(modem, &len) == NULL, 1);
    EXPECT(modemq_poll_event(modem, NULL), 0);
    EXPECT(modemq_connect(modem, 0, &options), MODEMQ_STATUS_OK);
    EXPECT(modemq_connect(modem, 0, &options), MODEMQ_STATUS_BUSY);
    EXPECT(modemq_poll_transmit(modem, NULL) == NULL, 1);
    EXPECT(modemq_poll_transmit(modem, &len) != NULL, 1);
    EXPECT(len, strlen("AT+IPR?\r"));
    modemq_transmitted(modem, 0, SIZE_MAX);
    EXPECT(modemq_poll_transmit(modem, &len) == NULL, 1);
    return 0;
}
