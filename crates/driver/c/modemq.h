/* The host's end of MQTT over AT commands. Printed by cbindgen from crates/driver/c/src/lib.rs; do not edit. */

#ifndef MODEMQ_H
#define MODEMQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What became of a call.
typedef enum modemq_status {
  MODEMQ_STATUS_OK = 0,
  // A pointer is NULL, a string is not UTF-8, or a number is out of range.
  MODEMQ_STATUS_INVALID,
  // Something else runs.
  MODEMQ_STATUS_BUSY,
  // There is no connection.
  MODEMQ_STATUS_NOT_CONNECTED,
  // The model takes no message of that length.
  MODEMQ_STATUS_TOO_LONG,
  // The model cannot carry these bytes.
  MODEMQ_STATUS_BYTES,
  // The model cannot write this topic.
  MODEMQ_STATUS_TOPIC,
  // The memory is too small.
  MODEMQ_STATUS_MEMORY,
  // The model cannot write these options.
  MODEMQ_STATUS_OPTIONS,
  // There is nothing like that.
  MODEMQ_STATUS_NOTHING,
} modemq_status;

// What has happened.
typedef enum modemq_event_kind {
  // A message: topic, payload, missing.
  MODEMQ_EVENT_KIND_MESSAGE = 0,
  MODEMQ_EVENT_KIND_CONNECTED,
  MODEMQ_EVENT_KIND_DISCONNECTED,
  // The connection is lost: why. The driver recovers by itself.
  MODEMQ_EVENT_KIND_LOST,
  // The driver is about to do something: rung, attempt, why, wait_ms.
  MODEMQ_EVENT_KIND_RECOVERING,
  MODEMQ_EVENT_KIND_RECOVERED,
  // What became of a message: token, outcome.
  MODEMQ_EVENT_KIND_PUBLISHED,
  // What became of a subscription: token, outcome (DELIVERED or REFUSED).
  MODEMQ_EVENT_KIND_SUBSCRIBED,
  // A subscription has ended: token.
  MODEMQ_EVENT_KIND_UNSUBSCRIBED,
  // Pull the reset pin now.
  MODEMQ_EVENT_KIND_RESET,
  // Something on the serial line was not to be understood.
  MODEMQ_EVENT_KIND_DAMAGED,
  // Something else.
  MODEMQ_EVENT_KIND_OTHER,
} modemq_event_kind;

// What became of a message.
typedef enum modemq_outcome {
  // The broker has acknowledged it.
  MODEMQ_OUTCOME_DELIVERED = 0,
  // QoS 0: handed over to the network.
  MODEMQ_OUTCOME_SENT,
  // The broker does not have it: code.
  MODEMQ_OUTCOME_REFUSED,
  // Nobody knows. With QoS 1 and 2 `modemq_republish` sends it again.
  MODEMQ_OUTCOME_UNKNOWN,
} modemq_outcome;

// Why there is no connection.
typedef enum modemq_why {
  MODEMQ_WHY_SILENT = 0,
  MODEMQ_WHY_REBOOTED,
  MODEMQ_WHY_SIM,
  MODEMQ_WHY_SIM_LOCKED,
  MODEMQ_WHY_NOT_REGISTERED,
  MODEMQ_WHY_NO_BEARER,
  MODEMQ_WHY_BEARER_LOST,
  MODEMQ_WHY_NOT_OPENED,
  MODEMQ_WHY_CLOSED,
  MODEMQ_WHY_NOT_LOGGED_IN,
  // By the broker: code.
  MODEMQ_WHY_REFUSED,
  MODEMQ_WHY_UNANSWERED,
  MODEMQ_WHY_NOT_CONNECTED,
  MODEMQ_WHY_CONFIGURATION,
} modemq_why;

// What the driver does to recover.
typedef enum modemq_rung {
  MODEMQ_RUNG_RESUBSCRIBE = 0,
  MODEMQ_RUNG_RECONNECT,
  MODEMQ_RUNG_REOPEN,
  MODEMQ_RUNG_REACTIVATE,
  MODEMQ_RUNG_RADIO,
  MODEMQ_RUNG_RESET,
} modemq_rung;

// A driver. Its memory is the caller's.
typedef struct modemq modemq;

// What a driver works in. All of it must stay where it is as long as the driver is used.
typedef struct modemq_memory {
  // The line that is being received: the longest message, its topic and 32 bytes more.
  uint8_t *line;
  size_t line_size;
  // The command line that is being sent.
  uint8_t *command;
  size_t command_size;
  // The message that is being published, with its topic.
  uint8_t *outbox;
  size_t outbox_size;
  // The topics that are subscribed to, each with 6 bytes more.
  uint8_t *topics;
  size_t topics_size;
} modemq_memory;

// Where to connect, and as whom. Strings end with NUL and must stay where they are; those that may be left out may be NULL.
typedef struct modemq_options {
  const char *host;
  uint16_t port;
  const char *client_id;
  // May be NULL.
  const char *username;
  // May be NULL.
  const char *password;
  // In seconds.
  uint16_t keep_alive;
  bool clean_session;
  // The PIN of the SIM; may be NULL.
  const char *pin;
  // May be NULL: what the operator gives.
  const char *apn;
  // May be NULL: what the module joins by itself.
  const char *wifi_ssid;
  const char *wifi_password;
  // MODEMQ_EVENT_KIND_RESET is answered.
  bool reset_pin;
} modemq_options;

// What has happened. Which fields count stands at each kind; pointers are good until the next call.
typedef struct modemq_event {
  enum modemq_event_kind kind;
  uint16_t token;
  enum modemq_outcome outcome;
  enum modemq_why why;
  enum modemq_rung rung;
  uint8_t attempt;
  // The code of a refusal: of CONNACK, of +CME ERROR, 128 of SUBACK; 0: none.
  uint16_t code;
  uint32_t wait_ms;
  const uint8_t *topic;
  size_t topic_len;
  const uint8_t *payload;
  size_t payload_len;
  // Bytes of the payload for which there was no room.
  size_t missing;
} modemq_event;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// How many bytes a driver itself takes.
size_t modemq_size(void);

// How they must be aligned.
size_t modemq_align(void);

// Makes a driver of a model (`ec20`) in `place`, which has `modemq_size()` bytes, aligned. NULL: no such model, or a pointer is NULL.
//
// # Safety
// The pointers are NULL or point to what they say, which nobody else uses as long as the driver is used.
struct modemq *modemq_init(uint8_t *place,
                           const char *model,
                           const struct modemq_memory *memory,
                           uint64_t seed);

// Connects, and keeps the connection.
//
// # Safety
// `modem` is of `modemq_init`; `options` and its strings are what they say, and the strings stay.
enum modemq_status modemq_connect(struct modemq *modem,
                                  uint64_t now,
                                  const struct modemq_options *options);

// Logs out.
//
// # Safety
// `modem` is of `modemq_init`.
void modemq_disconnect(struct modemq *modem, uint64_t now);

// Subscribes, now or once connected, and again after each loss.
//
// # Safety
// `modem` is of `modemq_init`, `topic` a string, `token` NULL or a place for one.
enum modemq_status modemq_subscribe(struct modemq *modem,
                                    uint64_t now,
                                    const char *topic,
                                    uint8_t qos,
                                    uint16_t *token);

// Ends a subscription.
//
// # Safety
// `modem` is of `modemq_init`, `topic` a string.
enum modemq_status modemq_unsubscribe(struct modemq *modem, uint64_t now, const char *topic);

// Publishes `len` bytes, any of them. One message is on its way at a time.
//
// # Safety
// `modem` is of `modemq_init`, `topic` a string, `payload` has `len` bytes, `token` is NULL or a place for one.
enum modemq_status modemq_publish(struct modemq *modem,
                                  uint64_t now,
                                  const char *topic,
                                  const uint8_t *payload,
                                  size_t len,
                                  uint8_t qos,
                                  bool retain,
                                  uint16_t *token);

// Publishes once more the message whose outcome is unknown.
//
// # Safety
// `modem` is of `modemq_init`, `token` is NULL or a place for one.
enum modemq_status modemq_republish(struct modemq *modem, uint64_t now, uint16_t *token);

// Bytes of the serial port, up to the first event; returns how many were taken. Read the events, and give it the rest.
//
// # Safety
// `modem` is of `modemq_init`, `input` has `len` bytes.
size_t modemq_receive(struct modemq *modem,
                      uint64_t now,
                      const uint8_t *input,
                      size_t len);

// Time has come.
//
// # Safety
// `modem` is of `modemq_init`.
void modemq_advance(struct modemq *modem, uint64_t now);

// When `modemq_advance` is due; UINT64_MAX: only after other calls.
//
// # Safety
// `modem` is of `modemq_init`.
uint64_t modemq_next_deadline(const struct modemq *modem);

// What is to be written to the serial port: `len` bytes; NULL: nothing. Good until the next call.
//
// # Safety
// `modem` is of `modemq_init`, `len` a place for a length.
const uint8_t *modemq_poll_transmit(const struct modemq *modem, size_t *len);

// So many bytes of them were written.
//
// # Safety
// `modem` is of `modemq_init`.
void modemq_transmitted(struct modemq *modem, uint64_t now, size_t len);

// What has happened; false when nothing has.
//
// # Safety
// `modem` is of `modemq_init`, `event` a place for one.
bool modemq_poll_event(struct modemq *modem, struct modemq_event *event);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* MODEMQ_H */
