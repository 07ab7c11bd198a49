/* The host's end of MQTT over AT commands. Printed by cbindgen from crates/driver/c/src; do not edit.
 *
 * **After each call write what `modemq_poll_transmit` gives, read `modemq_poll_event` until it is false, and call `modemq_advance`
 * when `modemq_next_deadline` has come.** The library opens no port, reads no clock and allocates nothing: it works in memory that
 * you give it. example.c has the loop.
 *
 * Times (`now`, deadlines) are microseconds from any epoch, and never run backwards. Lengths are bytes. Texts and payloads come as
 * pointer and length, without NUL, and are good until the next call with the same driver. Misuse is MODEMQ_STATUS_INVALID as far
 * as C lets it be seen: a pointer that is not NULL must point to what it says. */

#ifndef MODEMQ_H
#define MODEMQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What a driver itself takes at most, in bytes: `static uint64_t place[MODEMQ_PLACE_SIZE / 8];`
#define MODEMQ_PLACE_SIZE 1280

// What became of a call. What is not MODEMQ_STATUS_OK has done nothing. `modemq_status_words` has words for each.
typedef enum modemq_status {
  MODEMQ_STATUS_OK = 0,
  // A pointer is NULL, a place misaligned, a string not UTF-8, or a number out of range.
  MODEMQ_STATUS_INVALID,
  // No model is called so, or its family is not in this build of the library.
  MODEMQ_STATUS_NO_SUCH_MODEL,
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
  // Memory, of `place` or of `modemq_memory`, is too small.
  MODEMQ_STATUS_MEMORY,
  // The model cannot write these options.
  MODEMQ_STATUS_OPTIONS,
  // There is no message whose outcome is unknown, or no such subscription.
  MODEMQ_STATUS_NOTHING,
  // The model has nothing that answers this.
  MODEMQ_STATUS_NOT_ON_THIS_MODEL,
  // The line is too long, or holds a line end.
  MODEMQ_STATUS_LINE,
  // The model has no TLS.
  MODEMQ_STATUS_TLS_NOT_ON_THIS_MODEL,
  // The model has no place for a certificate of the client's.
  MODEMQ_STATUS_TLS_NO_IDENTITY,
  // A certificate or a key is not PEM.
  MODEMQ_STATUS_TLS_NOT_PEM,
  // `ca` holds more than one certificate, and the model takes one.
  MODEMQ_STATUS_TLS_ONE_AUTHORITY,
  // The certificate is longer than the model takes.
  MODEMQ_STATUS_TLS_TOO_LONG,
} modemq_status;

// What has happened, and which fields of the event count.
typedef enum modemq_event_kind {
  // A message: topic, payload, missing, may_be_cut.
  MODEMQ_EVENT_KIND_MESSAGE = 0,
  // Logged in, and subscribed to everything.
  MODEMQ_EVENT_KIND_CONNECTED,
  // Logged out, as asked.
  MODEMQ_EVENT_KIND_DISCONNECTED,
  // The connection is lost: why, code. The driver recovers by itself.
  MODEMQ_EVENT_KIND_LOST,
  // The driver is about to do something: rung, attempt, why, code, wait_ms.
  MODEMQ_EVENT_KIND_RECOVERING,
  // Logged in and subscribed again.
  MODEMQ_EVENT_KIND_RECOVERED,
  // What became of a message: token, outcome; when refused refuser, code.
  MODEMQ_EVENT_KIND_PUBLISHED,
  // What became of a subscription: token, outcome (DELIVERED or REFUSED); when refused refuser, code.
  MODEMQ_EVENT_KIND_SUBSCRIBED,
  // A subscription has ended, or could not be ended and goes on: token, outcome (DELIVERED or REFUSED); when refused refuser, code.
  MODEMQ_EVENT_KIND_UNSUBSCRIBED,
  // The answer to a query: query, and number or text.
  MODEMQ_EVENT_KIND_ANSWER,
  // A query has no answer: query.
  MODEMQ_EVENT_KIND_UNANSWERED,
  // A line that a raw command printed: text.
  MODEMQ_EVENT_KIND_LINE,
  // A line that the driver knows nothing of: what follows a raw command, and what the firmware says besides: text.
  MODEMQ_EVENT_KIND_UNSOLICITED,
  // A raw command has ended: failure, and when refused code.
  MODEMQ_EVENT_KIND_DONE,
  // Pull the module's reset pin now, as long as its manual says.
  MODEMQ_EVENT_KIND_RESET,
  // Bytes of the serial line were not to be understood: missing.
  MODEMQ_EVENT_KIND_DAMAGED,
} modemq_event_kind;

// What became of a message.
typedef enum modemq_outcome {
  // The broker has acknowledged it.
  MODEMQ_OUTCOME_DELIVERED = 0,
  // QoS 0: the module has handed it over to the network.
  MODEMQ_OUTCOME_SENT,
  // The broker does not have it: refuser, code.
  MODEMQ_OUTCOME_REFUSED,
  // Nobody knows: the answer or the link was lost meanwhile. With QoS 1 and 2 `modemq_republish` sends it again.
  MODEMQ_OUTCOME_UNKNOWN,
} modemq_outcome;

// Who refused.
typedef enum modemq_refuser {
  // The module; code is that of `+CME ERROR`, 0 when it was `ERROR`.
  MODEMQ_REFUSER_MODULE = 0,
  // The broker; code is that of its CONNACK, or 128 of its SUBACK.
  MODEMQ_REFUSER_BROKER,
  // Nobody: the link was lost before the request was typed.
  MODEMQ_REFUSER_LINK,
} modemq_refuser;

// Why there is no connection.
typedef enum modemq_why {
  // The module answers nothing, or nothing that can be understood.
  MODEMQ_WHY_SILENT = 0,
  // The module started anew.
  MODEMQ_WHY_REBOOTED,
  // No SIM, or a SIM that is broken.
  MODEMQ_WHY_SIM,
  // The SIM wants its PIN, which was not given or was wrong, or its PUK. No rung mends that.
  MODEMQ_WHY_SIM_LOCKED,
  // Not registered with the network.
  MODEMQ_WHY_NOT_REGISTERED,
  // No packet service, PDP context or Wi-Fi.
  MODEMQ_WHY_NO_BEARER,
  // The network took the PDP context or the Wi-Fi away.
  MODEMQ_WHY_BEARER_LOST,
  // The TCP or TLS connection was not made.
  MODEMQ_WHY_NOT_OPENED,
  // The TCP connection was closed or broke.
  MODEMQ_WHY_CLOSED,
  // The broker did not answer the login, or the module says no more.
  MODEMQ_WHY_NOT_LOGGED_IN,
  // The broker refused the login: code, that of CONNACK.
  MODEMQ_WHY_REFUSED,
  // A subscription or a message was not acknowledged in time.
  MODEMQ_WHY_UNANSWERED,
  // The module says, being asked, that it is not logged in.
  MODEMQ_WHY_NOT_CONNECTED,
  // The module refused to be configured so.
  MODEMQ_WHY_CONFIGURATION,
  // It answers, and not the driver's question as this model does: it is another one.
  MODEMQ_WHY_NOT_UNDERSTOOD,
} modemq_why;

// What the driver does to recover, from the cheapest to the dearest.
typedef enum modemq_rung {
  // Subscribe again.
  MODEMQ_RUNG_RESUBSCRIBE = 0,
  // Log in again on the open TCP connection.
  MODEMQ_RUNG_RECONNECT,
  // Close and open the TCP connection, and log in.
  MODEMQ_RUNG_REOPEN,
  // Deactivate and activate the PDP context; leave and join the access point.
  MODEMQ_RUNG_REACTIVATE,
  // Radio off and on.
  MODEMQ_RUNG_RADIO,
  // Reset by the pin, or by a command.
  MODEMQ_RUNG_RESET,
} modemq_rung;

// What can be asked, and what answers it.
typedef enum modemq_query_kind {
  // number: 0 to 31 as in `+CSQ` (-113 to -51 dBm in steps of 2), 99 unknown; with Wi-Fi in dBm, below 0.
  MODEMQ_QUERY_KIND_SIGNAL = 0,
  // number: `<stat>` of 3GPP TS 27.007: 1 home, 5 roaming, 0 not, 2 searching, 3 denied.
  MODEMQ_QUERY_KIND_REGISTRATION,
  // text: the SIM's number.
  MODEMQ_QUERY_KIND_ICCID,
  // text: the module's number; with Wi-Fi its MAC address.
  MODEMQ_QUERY_KIND_IMEI,
  // text.
  MODEMQ_QUERY_KIND_FIRMWARE,
  // text.
  MODEMQ_QUERY_KIND_MODEL,
  // text: the network's time, as the module writes it.
  MODEMQ_QUERY_KIND_TIME,
} modemq_query_kind;

// How a raw command ended.
typedef enum modemq_failure {
  // With OK.
  MODEMQ_FAILURE_NONE = 0,
  // With `ERROR`, or with code of `+CME ERROR`.
  MODEMQ_FAILURE_REFUSED,
  // No final result in time.
  MODEMQ_FAILURE_TIMED_OUT,
  // The module started anew meanwhile.
  MODEMQ_FAILURE_REBOOTED,
  // The module wants data, and a raw command has none. Nothing is typed until the module must have given up.
  MODEMQ_FAILURE_PROMPTED,
} modemq_failure;

// A driver. It lives in the caller's memory, and needs no end: when it is not used any more, so may its memory be.
//
// One thread at a time may use it. Other drivers are not concerned.
typedef struct modemq modemq;

// What a driver works in: four places that do not overlap. They are the driver's, and stay where they are, as long as it is used;
// this structure itself need not.
typedef struct modemq_memory {
  // The line that is being received: the longest message, its topic and 32 bytes more (twice the message on a BC26). What is
  // longer is cut, and `missing` of its event says so.
  uint8_t *line;
  size_t line_size;
  // The command line that is being sent: 256 bytes, or client id, user name and password together and 32 more; on an NT35E the
  // Base64 of `ca` and 32 more.
  uint8_t *command;
  size_t command_size;
  // The message that is being published, with its topic (twice the message on a BC26).
  uint8_t *outbox;
  size_t outbox_size;
  // The topics that are subscribed to, each with 6 bytes more.
  uint8_t *topics;
  size_t topics_size;
} modemq_memory;

// Where to connect, and as whom: begin with `{0}`. Strings are UTF-8, end with NUL, and **stay where they are, unchanged, until
// MODEMQ_EVENT_KIND_DISCONNECTED**; this structure itself need not. A string that may be NULL is then not there.
typedef struct modemq_options {
  // Name or address.
  const char *host;
  // 0: 1883, with TLS 8883.
  uint16_t port;
  const char *client_id;
  // May be NULL.
  const char *username;
  // May be NULL.
  const char *password;
  // In seconds, 1 to 3600; 0: 60.
  uint16_t keep_alive;
  // 1: the broker forgets the client when the connection ends. 0: it keeps subscriptions and messages.
  uint8_t clean_session;
  // Last will; NULL: none.
  const char *will_topic;
  // Its message; NULL: empty.
  const char *will_payload;
  // 0 to 2.
  uint8_t will_qos;
  // 0 or 1.
  uint8_t will_retain;
  // The PIN of the SIM, typed when it asks for one; one that the SIM has not taken is not typed again before the next connect.
  // May be NULL.
  const char *pin;
  // The access point of the mobile network; NULL: what the operator gives.
  const char *apn;
  // May be NULL.
  const char *apn_username;
  // May be NULL.
  const char *apn_password;
  // The Wi-Fi access point; NULL: what the module joins by itself.
  const char *wifi_ssid;
  // NULL or empty: an open one.
  const char *wifi_password;
  // 1: TLS. What a model lacks of it is MODEMQ_STATUS_TLS_….
  uint8_t tls;
  // The authority that the server's certificate must be of, PEM; NULL: the server is not checked.
  const char *ca;
  // The client's certificate, PEM, with its key; both or none.
  const char *certificate;
  const char *key;
  // 1: certificates that are not valid by the module's clock are taken all the same, where the model can be told so.
  uint8_t any_date;
  // 1: MODEMQ_EVENT_KIND_RESET is answered by a pulse on the module's reset pin.
  uint8_t reset_pin;
  // How long to wait before the second attempt to recover, in milliseconds; 0: 1000. Each further wait is twice as long.
  uint32_t first_wait_ms;
  // The longest wait between two attempts; 0: 60,000.
  uint32_t longest_wait_ms;
  // How often an idle module is asked whether it is still logged in; 0: 60,000.
  uint32_t check_ms;
  // Nothing is typed so long after a final result; 0: 20.
  uint32_t gap_ms;
} modemq_options;

// What was seen on the serial line that belongs to nothing. Counted, never credited.
typedef struct modemq_counters {
  // Final results when no command ran.
  uint32_t stray_results;
  // Lines that are neither an answer nor a known report.
  uint32_t unknown_lines;
  // Bytes that were not to be understood.
  uint32_t damaged_bytes;
  // Commands whose final result did not come in time.
  uint32_t timeouts;
  // Questions that were typed to find out what the module hears.
  uint32_t resyncs;
} modemq_counters;

// What has happened. Which fields count stands at each kind, the others are 0. Texts do not end with NUL; pointers are good until
// the next call with this driver.
typedef struct modemq_event {
  enum modemq_event_kind kind;
  // Of the request that it is about.
  uint16_t token;
  enum modemq_outcome outcome;
  enum modemq_refuser refuser;
  uint16_t code;
  enum modemq_why why;
  enum modemq_rung rung;
  // Which attempt on this rung, from 1.
  uint8_t attempt;
  // How long it waits before, in milliseconds.
  uint32_t wait_ms;
  const uint8_t *topic;
  size_t topic_len;
  // Any bytes.
  const uint8_t *payload;
  size_t payload_len;
  // Bytes of the payload for which `line` of the memory had no room; of the serial line, those that were lost.
  size_t missing;
  // The message is as long as the model's longest report: perhaps it was longer.
  bool may_be_cut;
  enum modemq_query_kind query;
  int16_t number;
  const uint8_t *text;
  size_t text_len;
  enum modemq_failure failure;
} modemq_event;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// How many bytes a driver itself takes here: MODEMQ_PLACE_SIZE at most.
size_t modemq_size(void);

// Makes a driver of a model (`"ec20"`) in `place`, which has `size` bytes, aligned for `uint64_t`. Nothing is typed before the first
// request. `seed` makes its waits differ from those of another driver: a serial number will do.
//
// # Safety
// The pointers are NULL or point to what they say. `place`, and what `memory` names, are the driver's alone as long as it is used.
enum modemq_status modemq_init(void *place,
                               size_t size,
                               const char *model,
                               const struct modemq_memory *memory,
                               uint64_t seed,
                               struct modemq **modem);

// Connects, and keeps the connection until `modemq_disconnect`: MODEMQ_EVENT_KIND_CONNECTED follows, or
// MODEMQ_EVENT_KIND_RECOVERING until it does. `now` is in microseconds from any epoch, here and everywhere.
//
// # Safety
// `modem` is NULL or of `modemq_init`; `options` and its strings are NULL or what they say, and the strings stay.
enum modemq_status modemq_connect(struct modemq *modem,
                                  uint64_t now,
                                  const struct modemq_options *options);

// Logs out: MODEMQ_EVENT_KIND_DISCONNECTED follows. NULL does nothing.
//
// # Safety
// `modem` is NULL or of `modemq_init`.
void modemq_disconnect(struct modemq *modem, uint64_t now);

// Logged in, and subscribed to everything?
//
// # Safety
// `modem` is NULL or of `modemq_init`.
bool modemq_is_connected(const struct modemq *modem);

// May a message be published now? One is on its way at a time.
//
// # Safety
// `modem` is NULL or of `modemq_init`.
bool modemq_can_publish(const struct modemq *modem);

// Subscribes, now or once connected, and again after each loss: MODEMQ_EVENT_KIND_SUBSCRIBED with this token tells of the first
// time, and of a broker that refuses it later. `topic` is copied. `qos` is 0 to 2; `token` may be NULL.
//
// # Safety
// `modem` is NULL or of `modemq_init`, `topic` NULL or a string, `token` NULL or a place for one.
enum modemq_status modemq_subscribe(struct modemq *modem,
                                    uint64_t now,
                                    const char *topic,
                                    uint8_t qos,
                                    uint16_t *token);

// Ends a subscription: MODEMQ_EVENT_KIND_UNSUBSCRIBED with this token follows. `token` may be NULL.
//
// # Safety
// `modem` is NULL or of `modemq_init`, `topic` NULL or a string, `token` NULL or a place for one.
enum modemq_status modemq_unsubscribe(struct modemq *modem,
                                      uint64_t now,
                                      const char *topic,
                                      uint16_t *token);

// Publishes `len` bytes, any of them: MODEMQ_EVENT_KIND_PUBLISHED with this token tells what became of them. Topic and payload are
// copied. `qos` is 0 to 2; `token` may be NULL; `payload` may be NULL when `len` is 0.
//
// # Safety
// `modem` is NULL or of `modemq_init`, `topic` NULL or a string, `payload` has `len` bytes, `token` is NULL or a place for one.
enum modemq_status modemq_publish(struct modemq *modem,
                                  uint64_t now,
                                  const char *topic,
                                  const uint8_t *payload,
                                  size_t len,
                                  uint8_t qos,
                                  bool retain,
                                  uint16_t *token);

// Publishes once more the message whose outcome is MODEMQ_OUTCOME_UNKNOWN. The broker may then have it twice.
//
// # Safety
// `modem` is NULL or of `modemq_init`, `token` is NULL or a place for one.
enum modemq_status modemq_republish(struct modemq *modem,
                                    uint64_t now,
                                    uint16_t *token);

// Asks the module a MODEMQ_QUERY_…: MODEMQ_EVENT_KIND_ANSWER or MODEMQ_EVENT_KIND_UNANSWERED follows.
//
// # Safety
// `modem` is NULL or of `modemq_init`.
enum modemq_status modemq_query(struct modemq *modem,
                                uint64_t now,
                                int query);

// Types a command line of the caller's, without its end: MODEMQ_EVENT_KIND_LINE for each line of its answer, and
// MODEMQ_EVENT_KIND_DONE at its end, or after `patience_ms` milliseconds. What it changes in the module is the caller's business.
//
// # Safety
// `modem` is NULL or of `modemq_init`, `line` NULL or a string.
enum modemq_status modemq_command(struct modemq *modem,
                                  uint64_t now,
                                  const char *line,
                                  uint32_t patience_ms);

// What was seen that belongs to nothing.
//
// # Safety
// `modem` is NULL or of `modemq_init`, `counters` NULL or a place for them.
enum modemq_status modemq_stats(const struct modemq *modem, struct modemq_counters *counters);

// Bytes of the serial port, up to the first event; returns how many were taken. **Read the events, and give it the rest.** NULL is
// no bytes.
//
// # Safety
// `modem` is NULL or of `modemq_init`, `input` has `len` bytes.
size_t modemq_receive(struct modemq *modem,
                      uint64_t now,
                      const uint8_t *input,
                      size_t len);

// Time has come. It may be called at any other time as well.
//
// # Safety
// `modem` is NULL or of `modemq_init`.
void modemq_advance(struct modemq *modem, uint64_t now);

// When `modemq_advance` is due, in microseconds; UINT64_MAX: only after other calls.
//
// # Safety
// `modem` is NULL or of `modemq_init`.
uint64_t modemq_next_deadline(const struct modemq *modem);

// What is to be written to the serial port: `*len` bytes; NULL: nothing. Good until the next call with this driver.
//
// # Safety
// `modem` is NULL or of `modemq_init`, `len` NULL or a place for a length.
const uint8_t *modemq_poll_transmit(const struct modemq *modem,
                                    size_t *len);

// So many bytes of what `modemq_poll_transmit` gave were written.
//
// # Safety
// `modem` is NULL or of `modemq_init`.
void modemq_transmitted(struct modemq *modem, uint64_t now, size_t len);

// What has happened; false when nothing has. With `event` NULL it is passed over.
//
// # Safety
// `modem` is NULL or of `modemq_init`, `event` NULL or a place for one.
bool modemq_poll_event(struct modemq *modem, struct modemq_event *event);

// Words for a MODEMQ_STATUS_…. Never NULL, and never freed.
const char *modemq_status_words(int status);

// Words for a MODEMQ_OUTCOME_…. Of a refusal `modemq_refusal_words` says more.
const char *modemq_outcome_words(int outcome);

// Words for a refusal: a MODEMQ_REFUSER_… and its code.
const char *modemq_refusal_words(int refuser, uint16_t code);

// Words for a MODEMQ_WHY_…. Of MODEMQ_WHY_REFUSED `modemq_refusal_words(MODEMQ_REFUSER_BROKER, code)` says more.
const char *modemq_why_words(int why);

// Words for a MODEMQ_RUNG_….
const char *modemq_rung_words(int rung);

// Words for a MODEMQ_FAILURE_….
const char *modemq_failure_words(int failure);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* MODEMQ_H */
