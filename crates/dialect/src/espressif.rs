//! ESP8266 and ESP32-C3: the ESP-AT firmware of Espressif.
//!
//! Sources: **2.2** is the documentation of release 2.2.0.0 for the ESP8266, **3.3** that of release 3.3.0.0 for the ESP32-C3 (both in
//! espressif/esp-at, `docs/en/AT_Command_Set`); **core** is `esp_at_core.h` there; **MAME** is the esp8266_at device of the MAME project, which
//! copies firmware 2.2.0.0 down to its defects; **lib** are strings in the closed AT library; **field** is code and logs that run on real modules.
//!
//! This firmware prints no CR LF before an information line or a report, only before final results: [`has_lead`].

use crate::command::{Command, Param, ParseError, Problem};
use crate::reply::{Line, Meaning, Piece::*};
use crate::wire::Escapes::Backslash;

/// Does CR LF stand before this line as well as behind it?
// Source: MAME; field.
pub fn has_lead(text: &[u8]) -> bool {
    matches!(
        text,
        b"OK"
            | b"ERROR"
            | b"SEND OK"
            | b"SEND FAIL"
            | b"SEND Canceled"
            | b"busy p..."
            | b"ready"
            | b"+QUITT"
            | b"Will force to restart!!!"
    ) || text.starts_with(b"Recv ")
        || text.starts_with(b"+IPD,")
}

/// `ready`
pub const READY: Line = Line::new("ready", &[Lit("ready")], "The module has booted.");
/// `Bin version:<version>`
pub const VERSION: Line = Line::new(
    "Bin version",
    &[Lit("Bin version:"), Bare("version")],
    "The firmware, in the answer to AT+GMR.",
);
/// `busy p...`
pub const BUSY: Line = Line::new(
    "busy p...",
    &[Lit("busy p...")],
    "A command runs: what was typed is thrown away.",
);
/// `ERR CODE:0x<code>`
pub const ERR_CODE: Line = Line::new(
    "ERR CODE",
    &[Lit("ERR CODE:0x"), Bare("code")],
    "Why ERROR follows; only after AT+SYSLOG=1. 01, kind (03 no AT, 04 length, 06 count, 07 value, 08 not readable, 09 no such command, 0a failed, 0b busy), which parameter or the MQTT error.",
);
/// `+MQTTCONNECTED:0,<scheme>,"<host>","<port>","<path>",<reconnect>`
pub const CONNECTED: Line = Line::new(
    "+MQTTCONNECTED",
    &[
        Lit("+MQTTCONNECTED:0,"),
        Int("scheme"),
        Lit(","),
        Quoted("host"),
        Lit(","),
        Quoted("port"),
        Lit(","),
        Quoted("path"),
        Lit(","),
        Int("reconnect"),
    ],
    "Logged in; also when the module has connected again by itself. Subscriptions of a clean session are gone then.",
);
/// `+MQTTDISCONNECTED:0`
pub const DISCONNECTED: Line = Line::new(
    "+MQTTDISCONNECTED",
    &[Lit("+MQTTDISCONNECTED:0")],
    "The connection is over, or was never made. CONNACK's code is never shown.",
);
/// `+MQTTCONN:0,<state>,<scheme>,"<host>","<port>","<path>",<reconnect>`
pub const CONN_READ: Line = Line::new(
    "+MQTTCONN",
    &[
        Lit("+MQTTCONN:0,"),
        Int("state"),
        Lit(","),
        Int("scheme"),
        Lit(","),
        Quoted("host"),
        Lit(","),
        Quoted("port"),
        Lit(","),
        Quoted("path"),
        Lit(","),
        Int("reconnect"),
    ],
    "state: 0 nothing set, 1 MQTTUSERCFG, 2 MQTTCONNCFG, 3 disconnected, 4 connected, 5 connected without subscription, 6 with subscriptions.",
);
/// `+MQTTSUB:0,<state>,"<topic>",<qos>`
pub const SUB_READ: Line = Line::new(
    "+MQTTSUB",
    &[
        Lit("+MQTTSUB:0,"),
        Int("state"),
        Lit(","),
        Quoted("topic"),
        Lit(","),
        Int("qos"),
    ],
    "A subscription.",
);
/// `+MQTTSUBRECV:0,"<topic>",<len>,<data>`
pub const SUBRECV: Line = Line::new(
    "+MQTTSUBRECV",
    &[
        Lit("+MQTTSUBRECV:0,"),
        Quoted("topic"),
        Lit(","),
        Int("data_length"),
        Lit(","),
        Sized("data"),
    ],
    "A message, or a part of one that is larger than the buffer. The data is raw.",
);
/// `+MQTTPUB:OK`
pub const PUB_OK: Line = Line::new(
    "+MQTTPUB:OK",
    &[Lit("+MQTTPUB:OK")],
    "MQTTPUBRAW: sent, and acknowledged with QoS 1 and 2.",
);
/// `+MQTTPUB:FAIL`
pub const PUB_FAIL: Line = Line::new(
    "+MQTTPUB:FAIL",
    &[Lit("+MQTTPUB:FAIL")],
    "MQTTPUBRAW: not sent or not acknowledged.",
);
/// `ALREADY SUBSCRIBE`
pub const ALREADY_SUBSCRIBE: Line = Line::new(
    "ALREADY SUBSCRIBE",
    &[Lit("ALREADY SUBSCRIBE")],
    "The topic has been subscribed to; OK follows.",
);
/// `ALREADY FULL SUBSCRIBE`
pub const FULL: Line = Line::new(
    "ALREADY FULL SUBSCRIBE",
    &[Lit("ALREADY FULL SUBSCRIBE")],
    "There are ten subscriptions already; ERROR follows.",
);
/// `NO UNSUBSCRIBE`
pub const NO_UNSUBSCRIBE: Line = Line::new(
    "NO UNSUBSCRIBE",
    &[Lit("NO UNSUBSCRIBE")],
    "The topic was not subscribed to; OK follows.",
);
/// `WIFI CONNECTED`
pub const WIFI_CONNECTED: Line = Line::new(
    "WIFI CONNECTED",
    &[Lit("WIFI CONNECTED")],
    "Associated with the access point.",
);
/// `WIFI GOT IP`
pub const WIFI_GOT_IP: Line = Line::new("WIFI GOT IP", &[Lit("WIFI GOT IP")], "DHCP has answered.");
/// `WIFI DISCONNECT`
pub const WIFI_DISCONNECT: Line = Line::new(
    "WIFI DISCONNECT",
    &[Lit("WIFI DISCONNECT")],
    "The association is over.",
);
/// `+CWJAP:"<ssid>","<bssid>",<channel>,<rssi>,…`
pub const CWJAP: Line = Line::new(
    "+CWJAP",
    &[
        Lit("+CWJAP:"),
        Quoted("ssid"),
        Lit(","),
        Quoted("bssid"),
        Lit(","),
        Int("channel"),
        Lit(","),
        Int("rssi"),
        Lit(","),
        Int("pci_en"),
        Lit(","),
        Int("reconn_interval"),
        Lit(","),
        Int("listen_interval"),
        Lit(","),
        Int("scan_mode"),
        Lit(","),
        Int("pmf"),
    ],
    "The access point.",
);
/// `+CWJAP:"<ssid>","<bssid>",<channel>,<rssi>,…`, as firmware before 2.2 has it
pub const CWJAP_OLDER: Line = Line::new(
    "+CWJAP (older)",
    &[
        Lit("+CWJAP:"),
        Quoted("ssid"),
        Lit(","),
        Quoted("bssid"),
        Lit(","),
        Int("channel"),
        Lit(","),
        Int("rssi"),
        Lit(","),
        Bare("more"),
    ],
    "The same with fewer values behind the signal.",
);
/// `+CWJAP:<error code>`
pub const CWJAP_FAILED: Line = Line::new(
    "+CWJAP (failed)",
    &[Lit("+CWJAP:"), Int("error code")],
    "1 time-out, 2 wrong password, 3 no such access point, 4 failed; ERROR follows.",
);
/// `No AP`
pub const NO_AP: Line = Line::new("No AP", &[Lit("No AP")], "Not associated.");
/// `+CWSTATE:<state>,"<ssid>"`
pub const CWSTATE: Line = Line::new(
    "+CWSTATE",
    &[Lit("+CWSTATE:"), Int("state"), Lit(","), Quoted("ssid")],
    "0 never tried, 1 no address yet, 2 address, 3 connecting, 4 disconnected.",
);
/// `CONNECT`
pub const CONNECT: Line = Line::new("CONNECT", &[Lit("CONNECT")], "The link is open.");
/// `<id>,CONNECT`
pub const CONNECT_ID: Line = Line::new(
    "CONNECT (several)",
    &[Int("link ID"), Lit(",CONNECT")],
    "The link is open; after AT+CIPMUX=1.",
);
/// `CLOSED`
pub const CLOSED: Line = Line::new("CLOSED", &[Lit("CLOSED")], "The link is closed.");
/// `<id>,CLOSED`
pub const CLOSED_ID: Line = Line::new(
    "CLOSED (several)",
    &[Int("link ID"), Lit(",CLOSED")],
    "The link is closed; after AT+CIPMUX=1.",
);
/// `+IPD,<len>:<data>`
pub const IPD: Line = Line::new(
    "+IPD",
    &[Lit("+IPD,"), Int("len"), Lit(":"), Sized("data")],
    "Data of the peer, raw.",
);
/// `+IPD,<id>,<len>:<data>`
pub const IPD_ID: Line = Line::new(
    "+IPD (several)",
    &[
        Lit("+IPD,"),
        Int("link ID"),
        Lit(","),
        Int("len"),
        Lit(":"),
        Sized("data"),
    ],
    "Data of the peer, raw; after AT+CIPMUX=1.",
);
/// `Recv <n> bytes`
pub const RECV: Line = Line::new(
    "Recv",
    &[Lit("Recv "), Int("len"), Lit(" bytes")],
    "All data has come from the host.",
);
/// `SEND OK`
pub const SEND_OK: Line = Line::new("SEND OK", &[Lit("SEND OK")], "Given to the network.");
/// `+CIPSTAMAC:"<mac>"`
pub const CIPSTAMAC: Line = Line::new("+CIPSTAMAC", &[Lit("+CIPSTAMAC:"), Quoted("mac")], "");
/// `SEND FAIL`
pub const SEND_FAIL: Line = Line::new("SEND FAIL", &[Lit("SEND FAIL")], "Not sent.");
/// `+CIPSTATUS:<id>,"<type>","<ip>",<port>,<local>,<tetype>`
pub const CIPSTATUS: Line = Line::new(
    "+CIPSTATUS",
    &[
        Lit("+CIPSTATUS:"),
        Int("link ID"),
        Lit(","),
        Quoted("type"),
        Lit(","),
        Quoted("remote IP"),
        Lit(","),
        Int("remote port"),
        Lit(","),
        Int("local port"),
        Lit(","),
        Int("tetype"),
    ],
    "A link that is open.",
);
/// `+CIPSTATE:<id>,"<type>","<ip>",<port>,<local>,<tetype>`
pub const CIPSTATE: Line = Line::new(
    "+CIPSTATE",
    &[
        Lit("+CIPSTATE:"),
        Int("link ID"),
        Lit(","),
        Quoted("type"),
        Lit(","),
        Quoted("remote IP"),
        Lit(","),
        Int("remote port"),
        Lit(","),
        Int("local port"),
        Lit(","),
        Int("tetype"),
    ],
    "A link that is open.",
);
/// `STATUS:<stat>`
pub const STATUS: Line = Line::new(
    "STATUS",
    &[Lit("STATUS:"), Int("stat")],
    "2 address, 3 links open, 4 all links closed, 5 no access point.",
);
/// `+CIPDOMAIN:"<ip>"`
pub const CIPDOMAIN: Line = Line::new(
    "+CIPDOMAIN",
    &[Lit("+CIPDOMAIN:"), Quoted("IP address")],
    "The address of a name.",
);
/// `+PING:<ms>`
pub const PING: Line = Line::new("+PING", &[Lit("+PING:"), Int("time")], "In milliseconds.");
/// `+PING:TIMEOUT`
pub const PING_TIMEOUT: Line = Line::new(
    "+PING:TIMEOUT",
    &[Lit("+PING:TIMEOUT")],
    "No answer, or no such name; ERROR follows.",
);
/// `+TIME_UPDATED`
pub const TIME_UPDATED: Line = Line::new(
    "+TIME_UPDATED",
    &[Lit("+TIME_UPDATED")],
    "SNTP has set the clock.",
);
/// `+CIPSNTPTIME:<asctime>`
pub const SNTPTIME: Line = Line::new(
    "+CIPSNTPTIME",
    &[Lit("+CIPSNTPTIME:"), Bare("time")],
    "Local time as asctime has it; 1970 until it was set.",
);

/// `+SYSMFG:"<namespace>","<key>",<type>,<length>,<value>`
pub const SYSMFG: Line = Line::new(
    "+SYSMFG",
    &[
        Lit("+SYSMFG:"),
        Quoted("namespace"),
        Lit(","),
        Quoted("key"),
        Lit(","),
        Int("type"),
        Lit(","),
        Int("length"),
        Lit(","),
        Sized("value"),
    ],
    "A value, as many bytes as its length says; a list has the namespace alone, or namespace, key and type.",
);
/// `+SYSFLASH:"<partition>",<type>,<subtype>,<addr>,<size>`
pub const SYSFLASH: Line = Line::new(
    "+SYSFLASH",
    &[
        Lit("+SYSFLASH:"),
        Quoted("partition"),
        Lit(","),
        Int("type"),
        Lit(","),
        Int("subtype"),
        Lit(","),
        Bare("addr and size"),
    ],
    "A partition; address and size in hexadecimal.",
);

const LINK: Param = Param::one_of("LinkID", &[0]);
const TOPIC: Param = Param::quoted("topic", 128, Backslash);
const QOS: Param = Param::int("qos", 0, 2);
const RETAIN: Param = Param::one_of("retain", &[0, 1]);
const TIMEOUT: Param = Param::int("timeout_ms", 3000, 60_000).optional();
const PATH: Param = Param::quoted("path", 32, Backslash);
const CERT: Param = Param::one_of("cert_key_ID", &[0]);
const CA: Param = Param::one_of("CA_ID", &[0]);
const CLIENT_ID: Param = Param::quoted("client_id", 256, Backslash);
const USERNAME: Param = Param::quoted("username", 64, Backslash);
const PASSWORD: Param = Param::quoted("password", 64, Backslash);
const KEEPALIVE: Param = Param::int("keepalive", 0, 7200);
const DISABLE_CLEAN: Param = Param::one_of("disable_clean_session", &[0, 1]);
const LWT_TOPIC: Param = Param::quoted("lwt_topic", 128, Backslash);
const LWT_QOS: Param = Param::int("lwt_qos", 0, 2);
const LWT_RETAIN: Param = Param::one_of("lwt_retain", &[0, 1]);
const HOST: Param = Param::quoted("host", 128, Backslash);
const PORT: Param = Param::int("port", 1, 65_535);
const RECONNECT: Param = Param::one_of("reconnect", &[0, 1]);
const DATA: Param = Param::quoted("data", 256, Backslash);
const LENGTH: Param = Param::int("length", 1, 1024);
const ON_OFF: Param = Param::one_of("enable", &[0, 1]);
const ID: Param = Param::int("link ID", 0, 4);
const TYPE: Param = Param::quoted("type", 6, Backslash);
const REMOTE: Param = Param::quoted("remote host", 64, Backslash);
const REMOTE_PORT: Param = Param::int("remote port", 1, 65_535);
const KEEP: Param = Param::int("keep alive", 0, 7200).optional();
const LOCAL: Param = Param::quoted("local IP", 39, Backslash).optional();
const SEND: Param = Param::int("length", 1, 2048);

const USERCFG: &str =
    "2.2, 3.3; field: configured twice is 0x6002. Inferred: an empty client_id is taken";
const CONNCFG: &str = "2.2, 3.3: keepalive 0 is 120 s";
const CONN: &str = "2.2, 3.3: a connection that was made and lost needs MQTTCLEAN first when reconnect is 0; field: +MQTTDISCONNECTED:0 and ERROR when it fails. Inferred: after a failure MQTTCONN may be tried again; with reconnect the module tries every 10 s, as esp-mqtt does";
const PUB: &str = "2.2, 3.3: OK when it is acknowledged; field: the data's commas and quotes need a backslash, or ERR CODE:0x01080002";
const PUBRAW: &str = "2.2, 3.3; esp-at issue 1027: no time limit for the data, and +++ does not end it; field: no OK after the data";
const SUB: &str = "2.2, 3.3: ten topics, ALREADY SUBSCRIBE. Inferred: ERROR for the eleventh; a subscription that the server refuses is ERROR";
const UNSUB: &str = "2.2, 3.3";
const SUB_REPLIES: &[&Line] = &[&ALREADY_SUBSCRIBE, &FULL, &SUBRECV, &SUB_READ];
const CONN_REPLIES: &[&Line] = &[&CONNECTED, &DISCONNECTED, &CONN_READ];

/// What the ESP8266 has of its own.
pub const ESP8266: &[&Command] = &[
    &Command::new("+MQTTUSERCFG", "MQTT user: 1 TCP, 6 WebSocket", USERCFG).set(&[
        LINK,
        Param::one_of("scheme", &[1, 6]),
        CLIENT_ID,
        USERNAME,
        PASSWORD,
        CERT,
        CA,
        PATH,
    ]),
    &Command::new(
        "+MQTTCONNCFG",
        "Keep alive, clean session, last will",
        CONNCFG,
    )
    .set(&[
        LINK,
        KEEPALIVE,
        DISABLE_CLEAN,
        LWT_TOPIC,
        Param::quoted("lwt_msg", 64, Backslash),
        LWT_QOS,
        LWT_RETAIN,
    ]),
    &Command::new("+MQTTCONN", "Connect and log in", CONN)
        .set(&[LINK, HOST, PORT, RECONNECT])
        .read()
        .replies(CONN_REPLIES),
    &Command::new("+MQTTPUB", "Publish", PUB).set(&[LINK, TOPIC, DATA, QOS, RETAIN]),
    &Command::new(
        "+MQTTPUBRAW",
        "Publish so many bytes after the prompt",
        PUBRAW,
    )
    .set(&[LINK, TOPIC, Param::int("length", 1, 512), QOS, RETAIN])
    .replies(&[&PUB_OK, &PUB_FAIL]),
    &Command::new("+MQTTSUB", "Subscribe", SUB)
        .set(&[LINK, TOPIC, QOS])
        .read()
        .replies(SUB_REPLIES),
    &Command::new("+MQTTUNSUB", "Unsubscribe", UNSUB)
        .set(&[LINK, TOPIC])
        .replies(&[&NO_UNSUBSCRIBE]),
];

/// What the ESP32-C3 has of its own.
pub const ESP32C3: &[&Command] = &[
    &Command::new("+SYSMFG", "Values that a factory writes: certificates in mqtt_ca, mqtt_cert, mqtt_key, client_ca, client_cert, client_key", "3.3: operation 0 erase, 1 read, 2 write; type 1 to 6 u8, i8, u16, i16, u32, i32, 7 string, 8 binary; of strings and binaries the value is the length, and as many bytes follow after the prompt. lib: the key of a namespace with one certificate is its name")
        .set(&[
            Param::int("operation", 0, 2),
            Param::quoted("namespace", 15, Backslash).optional(),
            Param::quoted("key", 15, Backslash).optional(),
            Param::int("type or offset", 0, 0x7fff_ffff).optional(),
            Param::int("value or length", -0x8000_0000, 0xffff_ffff).optional(),
        ])
        .read().replies(&[&SYSMFG]),
    &Command::new("+SYSFLASH", "Partitions", "3.3; lib: the list. Erasing all of mfg_nvs works; inferred: nothing else does here")
        .set(&[Param::int("operation", 0, 2), Param::quoted("partition", 16, Backslash), Param::int("offset", 0, 0x7fff_ffff).optional(), Param::int("length", 0, 0x7fff_ffff).optional()])
        .read().replies(&[&SYSFLASH]),
    &Command::new("+CIPSNTPINTV", "Interval of SNTP", "3.3; stored")
        .set(&[Param::int("interval second", 15, 4_294_967)])
        .read()
        .replies(&[&Line::new(
            "+CIPSNTPINTV",
            &[Lit("+CIPSNTPINTV:"), Int("interval second")],
            "In seconds.",
        )]),
    &Command::new(
        "+MQTTUSERCFG",
        "MQTT user: 1 TCP, 2 to 5 TLS, 6 WebSocket, 7 to 10 with TLS",
        "3.3: 3 and 5 check the server against mqtt_ca and its dates against the clock, 4 and 5 show mqtt_cert with mqtt_key; 7 to 10 as 2 to 5. lib: they are read by MQTTCONN. Inferred: the error when one is missing, 0x6021, 0x6023 or 0x6025",
    )
    .set(&[
        LINK,
        Param::int("scheme", 1, 10),
        CLIENT_ID,
        USERNAME,
        PASSWORD,
        CERT,
        CA,
        PATH,
    ]),
    &Command::new(
        "+MQTTCONNCFG",
        "Keep alive, clean session, last will",
        CONNCFG,
    )
    .set(&[
        LINK,
        KEEPALIVE,
        DISABLE_CLEAN,
        LWT_TOPIC,
        Param::quoted("lwt_msg", 128, Backslash),
        LWT_QOS,
        LWT_RETAIN,
    ]),
    &Command::new("+MQTTCONN", "Connect and log in", CONN)
        .set(&[LINK, HOST, PORT, RECONNECT, TIMEOUT])
        .read()
        .replies(CONN_REPLIES),
    &Command::new("+MQTTPUB", "Publish", PUB).set(&[LINK, TOPIC, DATA, QOS, RETAIN, TIMEOUT]),
    &Command::new(
        "+MQTTPUBRAW",
        "Publish so many bytes after the prompt",
        PUBRAW,
    )
    .set(&[
        LINK,
        TOPIC,
        Param::int("length", 1, 65_535),
        QOS,
        RETAIN,
        TIMEOUT,
    ])
    .replies(&[&PUB_OK, &PUB_FAIL]),
    &Command::new("+MQTTSUB", "Subscribe", SUB)
        .set(&[LINK, TOPIC, QOS, TIMEOUT])
        .read()
        .replies(SUB_REPLIES),
    &Command::new("+MQTTUNSUB", "Unsubscribe", UNSUB)
        .set(&[LINK, TOPIC, TIMEOUT])
        .replies(&[&NO_UNSUBSCRIBE]),
    &Command::new("+MQTTALPN", "Names for TLS's ALPN", "3.3").set(&[
        LINK,
        Param::int("alpn_counts", 0, 5),
        ALPN,
        ALPN,
        ALPN,
        ALPN,
        ALPN,
    ]),
    &Command::new("+MQTTSNI", "Name for TLS's SNI", "3.3. Inferred: the certificate must bear it when it is checked, as with esp-tls; without it no name is sent or checked")
        .set(&[LINK, Param::quoted("sni", 128, Backslash)]),
];

const ALPN: Param = Param::quoted("alpn", 64, Backslash).optional();

/// What both models have.
pub const COMMON: &[&Command] = &[
    &Command::new("+MQTTCLIENTID", "MQTT client ID", "lib: no longer documented; field: most clients of Aliyun, Huawei and OneNET use it").set(&[LINK, CLIENT_ID]),
    &Command::new("+MQTTUSERNAME", "MQTT user name", "lib; field. Inferred: as long as a line holds").set(&[LINK, Param::quoted("username", 256, Backslash)]),
    &Command::new("+MQTTPASSWORD", "MQTT password", "lib; field. Inferred: as long as a line holds").set(&[LINK, Param::quoted("password", 256, Backslash)]),
    &Command::new("+MQTTLONGCLIENTID", "MQTT client ID after the prompt", "2.2, 3.3").set(&[LINK, LENGTH]),
    &Command::new("+MQTTLONGUSERNAME", "MQTT user name after the prompt", "2.2, 3.3").set(&[LINK, LENGTH]),
    &Command::new("+MQTTLONGPASSWORD", "MQTT password after the prompt", "2.2, 3.3").set(&[LINK, LENGTH]),
    &Command::new("+MQTTCLEAN", "Log out, close, forget the settings", "2.2, 3.3; field: ERROR when nothing is set. Inferred: +MQTTDISCONNECTED:0 before OK").set(&[LINK]).replies(&[&DISCONNECTED]),
    &Command::new("E", "Echo of commands", "2.2").set(&[Param::one_of("echo", &[0, 1])]),
    &Command::new("+RST", "Restart", "2.2: OK, ready; MAME: also while a command runs. The boot loader's output, at 74880 bit/s, is left out").execute().replies(&[&READY]),
    &Command::new("+RESTORE", "Forget what is saved, and restart", "2.2").execute().replies(&[&READY]),
    &Command::new("+GMR", "Versions", "field: a log of the last release for the ESP8266").execute().replies(&[&VERSION]),
    &Command::new("+CMD", "Every command with its forms", "2.2").read().replies(&[&Line::new("+CMD", &[Lit("+CMD:"), Int("index"), Lit(","), Quoted("AT command name"), Lit(","), Int("test"), Lit(","), Int("query"), Lit(","), Int("set"), Lit(","), Int("execute")], "1 where the form exists.")]),
    &Command::new("+UART", "Rate of the serial line, kept", "MAME: as UART_DEF").set(UART).read().replies(&[&Line::new("+UART", &[Lit("+UART:"), Bare("settings")], "Rate, data bits, stop bits, parity, flow control.")]),
    &Command::new("+UART_CUR", "Rate of the serial line", "2.2").set(UART).read().replies(&[&Line::new("+UART_CUR", &[Lit("+UART_CUR:"), Bare("settings")], "Rate, data bits, stop bits, parity, flow control.")]),
    &Command::new("+UART_DEF", "Rate of the serial line, kept", "2.2").set(UART).read().replies(&[&Line::new("+UART_DEF", &[Lit("+UART_DEF:"), Bare("settings")], "Rate, data bits, stop bits, parity, flow control.")]),
    &Command::new("+SLEEP", "Sleep mode", "2.2; accepted: this module never sleeps").set(&[Param::int("sleep mode", 0, 3)]).read().replies(&[&Line::new("+SLEEP", &[Lit("+SLEEP:"), Int("sleep mode")], "")]),
    &Command::new("+SYSRAM", "Free memory", "MAME: no line end before OK; its numbers").read().replies(&[&Line::new("+SYSRAM", &[Lit("+SYSRAM:"), Int("now"), Lit(","), Int("least")], "In bytes.")]),
    &Command::new("+SYSMSG", "Which messages are printed: bit 0 +QUITT, bit 1 +LINK_CONN", "2.2; MAME: no line end before OK").set(&[Param::int("state", 0, 7)]).read().replies(&[&Line::new("+SYSMSG", &[Lit("+SYSMSG:"), Int("state")], "")]),
    &Command::new("+SYSLOG", "ERR CODE before ERROR", "2.2").set(&[ON_OFF]).read().replies(&[&Line::new("+SYSLOG", &[Lit("+SYSLOG:"), Int("status")], ""), &ERR_CODE]),
    &Command::new("+SYSSTORE", "Whether settings are kept over a restart", "2.2: 1 at first; MAME: itself not kept").set(&[ON_OFF]).read().replies(&[&Line::new("+SYSSTORE", &[Lit("+SYSSTORE:"), Int("store_mode")], "")]),
    &Command::new("+SYSTIMESTAMP", "Seconds since 1970", "2.2; MAME: no line end before OK").set(&[Param::int("Unix_timestamp", 0, 0x7fff_ffff)]).read().replies(&[&Line::new("+SYSTIMESTAMP", &[Lit("+SYSTIMESTAMP:"), Int("Unix_timestamp")], "")]),
    &Command::new("+CWMODE", "0 off, 1 station, 2 access point, 3 both", "2.2. Inferred: 1 at first. As an access point the module lets nobody in").set(&[Param::int("mode", 0, 3), Param::one_of("auto_connect", &[0, 1]).optional()]).read().replies(&[&Line::new("+CWMODE", &[Lit("+CWMODE:"), Int("mode")], "")]),
    &Command::new("+CWSTATE", "State of the station", "2.2; MAME").read().replies(&[&CWSTATE]),
    &Command::new("+CWJAP", "Join an access point", "2.2; MAME: ERROR outside station mode. Inferred: how long each failure takes; No AP (lib of version 5; MAME prints nothing)")
        .execute()
        .set(&[
            Param::quoted("ssid", 32, Backslash).optional(),
            Param::quoted("pwd", 64, Backslash).optional(),
            Param::quoted("bssid", 17, Backslash).optional(),
            Param::one_of("pci_en", &[0, 1]).optional(),
            Param::int("reconn_interval", 0, 7200).optional(),
            Param::int("listen_interval", 1, 100).optional(),
            Param::one_of("scan_mode", &[0, 1]).optional(),
            Param::int("jap_timeout", 3, 600).optional(),
            Param::int("pmf", 0, 3).optional(),
        ])
        .read()
        .replies(&[&WIFI_CONNECTED, &WIFI_GOT_IP, &WIFI_DISCONNECT, &CWJAP, &CWJAP_FAILED, &NO_AP]),
    &Command::new("+CWRECONNCFG", "How the station joins again", "2.2").set(&[Param::int("interval_second", 0, 7200), Param::int("repeat_count", 0, 1000)]).read().replies(&[&Line::new("+CWRECONNCFG", &[Lit("+CWRECONNCFG:"), Int("interval_second"), Lit(","), Int("repeat_count")], "")]),
    &Command::new("+CWLAPOPT", "What AT+CWLAP prints", "2.2; accepted").set(&[Param::int("reserved", 0, 1), Param::int("print mask", 0, 0x7ff), Param::int("rssi filter", -100, 40).optional(), Param::int("authmode mask", 0, 0xffff).optional()]),
    &Command::new("+CWLAP", "List access points", "2.2; MAME: 2 s")
        .execute()
        .set(&[
            Param::quoted("ssid", 32, Backslash).optional(),
            Param::quoted("mac", 17, Backslash).optional(),
            Param::int("channel", 0, 13).optional(),
            Param::one_of("scan_type", &[0, 1]).optional(),
            Param::int("scan_time_min", 0, 1500).optional(),
            Param::int("scan_time_max", 0, 1500).optional(),
        ])
        .replies(&[&Line::new("+CWLAP", &[Lit("+CWLAP:("), Int("ecn"), Lit(","), Quoted("ssid"), Lit(","), Int("rssi"), Lit(","), Quoted("mac"), Lit(","), Int("channel"), Lit(",-1,-1,4,4,7,0)")], "An access point: ecn 0 open, 3 WPA2.")]),
    &Command::new("+CWQAP", "Leave the access point", "2.2; MAME: OK, WIFI DISCONNECT").execute().replies(&[&WIFI_DISCONNECT]),
    &Command::new("+CWDHCP", "DHCP", "2.2; MAME: no line end before OK. Inferred: without it the station keeps the address that it has").set(&[Param::one_of("operate", &[0, 1]), Param::int("mode", 1, 3)]).read().replies(&[&Line::new("+CWDHCP", &[Lit("+CWDHCP:"), Int("state")], "")]),
    &Command::new("+CWAUTOCONN", "Join by itself at power-on", "2.2").set(&[ON_OFF]).read().replies(&[&Line::new("+CWAUTOCONN", &[Lit("+CWAUTOCONN:"), Int("enable")], "")]),
    &Command::new("+CWHOSTNAME", "Host name for DHCP", "2.2; stored").set(&[Param::quoted("hostname", 32, Backslash)]).read().replies(&[&Line::new("+CWHOSTNAME", &[Lit("+CWHOSTNAME:"), Bare("hostname")], "")]),
    &Command::new("+CWCOUNTRY", "Country", "2.2; stored. Inferred: the quotes of the answer").set(&[Param::one_of("country_policy", &[0, 1]), Param::quoted("country_code", 3, Backslash), Param::int("start_channel", 1, 14), Param::int("total_channel_count", 1, 14)]).read()
        .replies(&[&Line::new("+CWCOUNTRY", &[Lit("+CWCOUNTRY:"), Int("country_policy"), Lit(","), Quoted("country_code"), Lit(","), Int("start_channel"), Lit(","), Int("total_channel_count")], "")]),
    &Command::new("+CWSTAPROTO", "802.11 b, g and n of the station", "2.2; stored").set(&[Param::int("protocol", 1, 15)]).read().replies(&[&Line::new("+CWSTAPROTO", &[Lit("+CWSTAPROTO:"), Int("protocol")], "Bit 0 b, 1 g, 2 n.")]),
    &Command::new("+RFPOWER", "Transmission power", "2.2; stored").set(&[Param::int("wifi_power", 40, 84)]).read().replies(&[&Line::new("+RFPOWER", &[Lit("+RFPOWER:"), Int("wifi_power")], "In 0.25 dBm.")]),
    &Command::new("+CIPSTAMAC", "MAC address", "2.2").set(&[Param::quoted("mac", 17, Backslash)]).read().replies(&[&CIPSTAMAC]),
    &Command::new("+CIPSTA", "IP address of the station", "2.2").set(&[Param::quoted("ip", 15, Backslash), Param::quoted("gateway", 15, Backslash).optional(), Param::quoted("netmask", 15, Backslash).with_previous()]).read()
        .replies(&[&Line::new("+CIPSTA", &[Lit("+CIPSTA:"), Bare("which"), Lit(":"), Quoted("ip")], "which: ip, gateway, netmask.")]),
    &Command::new("+CIFSR", "IP and MAC address", "2.2; MAME").execute().replies(&[&Line::new("+CIFSR", &[Lit("+CIFSR:"), Bare("which"), Lit(","), Quoted("address")], "which: STAIP, STAMAC.")]),
    &Command::new("+CIPMUX", "0 one link, 1 several", "2.2; MAME: ERROR while a link is open").set(&[Param::one_of("mode", &[0, 1])]).read().replies(&[&Line::new("+CIPMUX", &[Lit("+CIPMUX:"), Int("mode")], "")]),
    &Command::new("+CIPMODE", "0 normal, 1 passthrough", "2.2; MAME: ERROR after AT+CIPMUX=1").set(&[Param::one_of("mode", &[0, 1])]).read().replies(&[&Line::new("+CIPMODE", &[Lit("+CIPMODE:"), Int("mode")], "")]),
    &Command::new("+CIPDINFO", "The peer in +IPD", "2.2; MAME: true or false, no line end before OK").set(&[ON_OFF]).read().replies(&[&Line::new("+CIPDINFO", &[Lit("+CIPDINFO:"), Bare("mode")], "")]),
    &Command::new("+CIPSTART", "Open a link", "2.2; MAME: ERROR without Wi-Fi, and when it does not open; field: ALREADY CONNECTED. TCP and SSL; UDP is not supported")
        .set(&[TYPE, REMOTE, REMOTE_PORT, KEEP, LOCAL])
        .or_set(&[ID, TYPE, REMOTE, REMOTE_PORT, KEEP, LOCAL])
        .replies(&[&CONNECT, &CONNECT_ID, &CLOSED, &CLOSED_ID, &IPD, &IPD_ID]),
    &Command::new("+CIPSTARTEX", "Open a link; the module numbers it", "2.2: as CIPSTART, without the number after AT+CIPMUX=1. Inferred: the lowest free one")
        .set(&[TYPE, REMOTE, REMOTE_PORT, KEEP, LOCAL])
        .replies(&[&CONNECT, &CONNECT_ID]),
    &Command::new("+CIPSSLCCONF", "Certificates of a TLS link", "2.2; lib: what of it is missing is said, and refused. Stored on the ESP8266")
        .set(&[Param::int("auth_mode or link ID", 0, 5), Param::int("pki_number or auth_mode", 0, 3).optional(), Param::int("ca_number or pki_number", 0, 3).optional(), Param::int("ca_number", 0, 3).optional()]).read()
        .replies(&[&Line::new("+CIPSSLCCONF", &[Lit("+CIPSSLCCONF:"), Int("link ID"), Lit(","), Int("auth_mode"), Lit(","), Int("pki_number"), Lit(","), Int("ca_number")], "auth_mode: 0 none, 1 the client's, 2 the server's, 3 both.")]),
    &Command::new("+CIPSEND", "Send so many bytes after the prompt; without a length: passthrough", "2.2; MAME: +++ alone gives it up")
        .execute().set(&[SEND]).or_set(&[ID, SEND]).replies(&[&RECV, &SEND_OK, &SEND_FAIL]),
    &Command::new("+CIPCLOSE", "Close a link; 5 all of them", "2.2; MAME: CLOSED before OK").execute().set(&[Param::int("link ID", 0, 5)]).replies(&[&CLOSED, &CLOSED_ID]),
    &Command::new("+CIPSTATUS", "State of the links", "2.2; MAME").execute().replies(&[&STATUS, &CIPSTATUS]),
    &Command::new("+CIPSTATE", "The links", "2.2").read().replies(&[&CIPSTATE]),
    &Command::new("+CIPRECVMODE", "0 data is reported, 1 the host asks for it", "2.2; MAME").set(&[Param::one_of("mode", &[0, 1])]).read().replies(&[&Line::new("+CIPRECVMODE", &[Lit("+CIPRECVMODE:"), Int("mode")], "")]),
    &Command::new("+CIPRECVDATA", "Ask for data", "2.2; MAME: ERROR when there is none")
        .set(&[Param::int("len", 1, 0x7fff_ffff)]).or_set(&[ID, Param::int("len", 1, 0x7fff_ffff)])
        .replies(&[&Line::new("+CIPRECVDATA", &[Lit("+CIPRECVDATA:"), Int("actual_len"), Lit(","), Sized("data")], "")]),
    &Command::new("+CIPRECVLEN", "How much data waits", "2.2; MAME: -1 where no link is open").read().replies(&[&Line::new("+CIPRECVLEN", &[Lit("+CIPRECVLEN:"), Bare("lengths")], "")]),
    &Command::new("+CIPDNS", "Name servers", "2.2; accepted: names are looked up by the machine that the module runs on")
        .set(&[ON_OFF, DNS, DNS, DNS]).read().replies(&[&Line::new("+CIPDNS", &[Lit("+CIPDNS:"), Int("enable"), Lit(","), Bare("addresses")], "")]),
    &Command::new("+CIPRECONNINTV", "Interval of passthrough's new attempts, in 100 ms", "2.2").set(&[Param::int("interval", 1, 36_000)]).read().replies(&[&Line::new("+CIPRECONNINTV", &[Lit("+CIPRECONNINTV:"), Int("interval")], "")]),
    &Command::new("+CIPDOMAIN", "Look a name up", "2.2: the address in quotes").set(&[Param::quoted("domain name", 64, Backslash), Param::int("ip network", 1, 3).optional()]).replies(&[&CIPDOMAIN]),
    &Command::new("+PING", "Reach a host", "2.2; MAME. Without the right to send ICMP the module opens a TCP connection to port 7: refused counts as reached").set(&[Param::quoted("host", 64, Backslash)]).replies(&[&PING, &PING_TIMEOUT]),
    &Command::new("+CIPSNTPCFG", "Time zone and SNTP servers", "2.2; 3.3: +TIME_UPDATED. The time is that of the machine that the module runs on")
        .set(&[ON_OFF, Param::int("timezone", -1200, 1400).optional(), SNTP, SNTP, SNTP]).read()
        .replies(&[&Line::new("+CIPSNTPCFG", &[Lit("+CIPSNTPCFG:"), Int("enable"), Lit(","), Bare("timezone and servers")], ""), &TIME_UPDATED]),
    &Command::new("+CIPSNTPTIME", "Local time", "2.2; 3.3: no line end before OK").read().replies(&[&SNTPTIME]),
];

const DNS: Param = Param::quoted("DNS IP", 39, Backslash).optional();
const SNTP: Param = Param::quoted("SNTP server", 64, Backslash).optional();
const UART: &[Param] = &[
    Param::int("baudrate", 80, 4_500_000),
    Param::int("databits", 5, 8),
    Param::int("stopbits", 1, 3),
    Param::int("parity", 0, 2),
    Param::int("flow control", 0, 3),
];

/// The set that the fourth tutorial prints for the ESP8266, and no firmware has. The title is what works.
pub const AS_WRITTEN: &[&Command] = &[
    &Command::new("+CIPRXGET", "nothing: +IPD reports come by themselves", WRITTEN).set(&[Param::int("mode", 0, 4), Param::int("length", 0, 65_535)]),
    &Command::new("+CIPMQTTCFG", "AT+MQTTUSERCFG=0,1,\"clientID\",\"username\",\"password\",0,0,\"\", and the address in AT+MQTTCONN", WRITTEN)
        .set(&[
            HOST,
            PORT,
            CLIENT_ID,
            Param::quoted("username", 256, Backslash),
            Param::quoted("empty", 256, Backslash),
            Param::quoted("password", 256, Backslash),
            Param::int("first", 0, 1),
            Param::int("second", 0, 1),
            KEEPALIVE,
        ]),
    &Command::new("+CIPMQTTC", "AT+MQTTCONN=0,\"host\",1883,0", WRITTEN).set(&[Param::one_of("connect", &[1])]).replies(CONN_REPLIES),
    &Command::new("+CIPMQTTSUB", "AT+MQTTSUB=0,\"topic\",1", WRITTEN).set(&[LINK, TOPIC, QOS]).replies(&[&SUBRECV]),
    &Command::new("+CIPMQTTPUB", "AT+MQTTPUB=0,\"topic\",\"{\\\"a\\\":1\\,\\\"b\\\":2}\",1,0 with a backslash before each quote and comma of the data, or AT+MQTTPUBRAW", WRITTEN)
        .set(&[LINK, TOPIC, QOS, RETAIN, Param::one_of("dup", &[0, 1]), Param::rest("payload", 512)]),
    &Command::new("+CIPMQTTDISC", "AT+MQTTCLEAN=0", WRITTEN).set(&[LINK]),
];

const WRITTEN: &str = "the fourth tutorial, as it stands there; no Espressif firmware has it";

/// The errors of the MQTT commands, as they stand behind `0x010A`. Source: 2.2, MQTT AT Error Codes; field for the `0x010A`.
pub const MQTT_ERRORS: &[Meaning] = &[
    m(0x6001, "AT_MQTT_NO_CONFIGURED"),
    m(0x6002, "AT_MQTT_NOT_IN_CONFIGURED_STATE"),
    m(0x6003, "AT_MQTT_UNINITIATED_OR_ALREADY_CLEAN"),
    m(0x6004, "AT_MQTT_ALREADY_CONNECTED"),
    m(0x6005, "AT_MQTT_MALLOC_FAILED"),
    m(0x6006, "AT_MQTT_NULL_LINK"),
    m(0x6007, "AT_MQTT_NULL_PARAMTER"),
    m(0x6008, "AT_MQTT_PARAMETER_COUNTS_IS_WRONG"),
    m(0x6009, "AT_MQTT_TLS_CONFIG_ERROR"),
    m(0x600a, "AT_MQTT_PARAM_PREPARE_ERROR"),
    m(0x600b, "AT_MQTT_CLIENT_START_FAILED"),
    m(0x600c, "AT_MQTT_CLIENT_PUBLISH_FAILED"),
    m(0x600d, "AT_MQTT_CLIENT_SUBSCRIBE_FAILED"),
    m(0x600e, "AT_MQTT_CLIENT_UNSUBSCRIBE_FAILED"),
    m(0x600f, "AT_MQTT_CLIENT_DISCONNECT_FAILED"),
    m(0x6010, "AT_MQTT_LINK_ID_READ_FAILED"),
    m(0x6011, "AT_MQTT_LINK_ID_VALUE_IS_WRONG"),
    m(0x6012, "AT_MQTT_SCHEME_READ_FAILED"),
    m(0x6013, "AT_MQTT_SCHEME_VALUE_IS_WRONG"),
    m(0x6014, "AT_MQTT_CLIENT_ID_READ_FAILED"),
    m(0x6015, "AT_MQTT_CLIENT_ID_IS_NULL"),
    m(0x6016, "AT_MQTT_CLIENT_ID_IS_OVERLENGTH"),
    m(0x6017, "AT_MQTT_USERNAME_READ_FAILED"),
    m(0x6018, "AT_MQTT_USERNAME_IS_NULL"),
    m(0x6019, "AT_MQTT_USERNAME_IS_OVERLENGTH"),
    m(0x601a, "AT_MQTT_PASSWORD_READ_FAILED"),
    m(0x601b, "AT_MQTT_PASSWORD_IS_NULL"),
    m(0x601c, "AT_MQTT_PASSWORD_IS_OVERLENGTH"),
    m(0x601d, "AT_MQTT_CERT_KEY_ID_READ_FAILED"),
    m(0x601e, "AT_MQTT_CERT_KEY_ID_VALUE_IS_WRONG"),
    m(0x601f, "AT_MQTT_CA_ID_READ_FAILED"),
    m(0x6020, "AT_MQTT_CA_ID_VALUE_IS_WRONG"),
    m(0x6021, "AT_MQTT_CA_LENGTH_ERROR"),
    m(0x6022, "AT_MQTT_CA_READ_FAILED"),
    m(0x6023, "AT_MQTT_CERT_LENGTH_ERROR"),
    m(0x6024, "AT_MQTT_CERT_READ_FAILED"),
    m(0x6025, "AT_MQTT_KEY_LENGTH_ERROR"),
    m(0x6026, "AT_MQTT_KEY_READ_FAILED"),
    m(0x6027, "AT_MQTT_PATH_READ_FAILED"),
    m(0x6028, "AT_MQTT_PATH_IS_NULL"),
    m(0x6029, "AT_MQTT_PATH_IS_OVERLENGTH"),
    m(0x602a, "AT_MQTT_VERSION_READ_FAILED"),
    m(0x602b, "AT_MQTT_KEEPALIVE_READ_FAILED"),
    m(0x602c, "AT_MQTT_KEEPALIVE_IS_NULL"),
    m(0x602d, "AT_MQTT_KEEPALIVE_VALUE_IS_WRONG"),
    m(0x602e, "AT_MQTT_DISABLE_CLEAN_SESSION_READ_FAILED"),
    m(0x602f, "AT_MQTT_DISABLE_CLEAN_SESSION_VALUE_IS_WRONG"),
    m(0x6030, "AT_MQTT_LWT_TOPIC_READ_FAILED"),
    m(0x6031, "AT_MQTT_LWT_TOPIC_IS_NULL"),
    m(0x6032, "AT_MQTT_LWT_TOPIC_IS_OVERLENGTH"),
    m(0x6033, "AT_MQTT_LWT_MSG_READ_FAILED"),
    m(0x6034, "AT_MQTT_LWT_MSG_IS_NULL"),
    m(0x6035, "AT_MQTT_LWT_MSG_IS_OVERLENGTH"),
    m(0x6036, "AT_MQTT_LWT_QOS_READ_FAILED"),
    m(0x6037, "AT_MQTT_LWT_QOS_VALUE_IS_WRONG"),
    m(0x6038, "AT_MQTT_LWT_RETAIN_READ_FAILED"),
    m(0x6039, "AT_MQTT_LWT_RETAIN_VALUE_IS_WRONG"),
    m(0x603a, "AT_MQTT_HOST_READ_FAILED"),
    m(0x603b, "AT_MQTT_HOST_IS_NULL"),
    m(0x603c, "AT_MQTT_HOST_IS_OVERLENGTH"),
    m(0x603d, "AT_MQTT_PORT_READ_FAILED"),
    m(0x603e, "AT_MQTT_PORT_VALUE_IS_WRONG"),
    m(0x603f, "AT_MQTT_RECONNECT_READ_FAILED"),
    m(0x6040, "AT_MQTT_RECONNECT_VALUE_IS_WRONG"),
    m(0x6041, "AT_MQTT_TOPIC_READ_FAILED"),
    m(0x6042, "AT_MQTT_TOPIC_IS_NULL"),
    m(0x6043, "AT_MQTT_TOPIC_IS_OVERLENGTH"),
    m(0x6044, "AT_MQTT_DATA_READ_FAILED"),
    m(0x6045, "AT_MQTT_DATA_IS_NULL"),
    m(0x6046, "AT_MQTT_DATA_IS_OVERLENGTH"),
    m(0x6047, "AT_MQTT_QOS_READ_FAILED"),
    m(0x6048, "AT_MQTT_QOS_VALUE_IS_WRONG"),
    m(0x6049, "AT_MQTT_RETAIN_READ_FAILED"),
    m(0x604a, "AT_MQTT_RETAIN_VALUE_IS_WRONG"),
    m(0x604b, "AT_MQTT_PUBLISH_LENGTH_READ_FAILED"),
    m(0x604c, "AT_MQTT_PUBLISH_LENGTH_VALUE_IS_WRONG"),
    m(0x604d, "AT_MQTT_RECV_LENGTH_IS_WRONG"),
    m(0x604e, "AT_MQTT_CREATE_SEMA_FAILED"),
    m(0x604f, "AT_MQTT_CREATE_EVENT_GROUP_FAILED"),
    m(0x6050, "AT_MQTT_URI_PARSE_FAILED"),
    m(0x6051, "AT_MQTT_IN_DISCONNECTED_STATE"),
    m(0x6052, "AT_MQTT_HOSTNAME_VERIFY_FAILED"),
];

const fn m(code: u16, words: &'static str) -> Meaning {
    Meaning { code, words }
}

/// The errors of one parameter of the MQTT commands: not readable, empty, wrong or too long.
const PARAM_ERRORS: &[(&str, [u16; 3])] = &[
    ("LinkID", [0x6010, 0x6010, 0x6011]),
    ("scheme", [0x6012, 0x6012, 0x6013]),
    ("client_id", [0x6014, 0x6015, 0x6016]),
    ("username", [0x6017, 0x6018, 0x6019]),
    ("password", [0x601a, 0x601b, 0x601c]),
    ("cert_key_ID", [0x601d, 0x601d, 0x601e]),
    ("CA_ID", [0x601f, 0x601f, 0x6020]),
    ("path", [0x6027, 0x6028, 0x6029]),
    ("keepalive", [0x602b, 0x602c, 0x602d]),
    ("disable_clean_session", [0x602e, 0x602e, 0x602f]),
    ("lwt_topic", [0x6030, 0x6031, 0x6032]),
    ("lwt_msg", [0x6033, 0x6034, 0x6035]),
    ("lwt_qos", [0x6036, 0x6036, 0x6037]),
    ("lwt_retain", [0x6038, 0x6038, 0x6039]),
    ("host", [0x603a, 0x603b, 0x603c]),
    ("port", [0x603d, 0x603d, 0x603e]),
    ("reconnect", [0x603f, 0x603f, 0x6040]),
    ("topic", [0x6041, 0x6042, 0x6043]),
    ("data", [0x6044, 0x6045, 0x6046]),
    ("qos", [0x6047, 0x6047, 0x6048]),
    ("retain", [0x6049, 0x6049, 0x604a]),
    ("length", [0x604b, 0x604b, 0x604c]),
];

/// The code of an MQTT error in `ERR CODE`.
pub const fn mqtt_error(code: u16) -> u32 {
    0x010a_0000 | code as u32
}

/// `ERR CODE:0x010b0000`: a command runs.
pub const BUSY_CODE: u32 = 0x010b_0000;

/// What the second byte of an `ERR CODE` means.
// Source: core, "code layout".
pub const fn error_category(code: u32) -> Option<&'static str> {
    if code >> 24 != 1 {
        return None;
    }
    Some(match code >> 16 & 0xff {
        0x00 => "no error",
        0x01 => "an error of no category",
        0x02 => "the line has no end",
        0x03 => "the line does not begin with AT",
        0x04 => "a parameter has a wrong length",
        0x05 => "a parameter has a wrong type",
        0x06 => "a wrong number of parameters",
        0x07 => "a parameter is not valid",
        0x08 => "a parameter cannot be read",
        0x09 => "no such command",
        0x0a => "the command failed",
        0x0b => "another command runs",
        0x0c => "the command has no such form",
        _ => return None,
    })
}

/// What `ERR CODE` says of a line that is not well formed: none, one or two codes, since the reader of parameters and the
/// command that asked for them both speak.
// Source: core; MAME; esp-at issue 647 for the two lines. Inferred: 07 counts parameters from 1, as MAME has it for CWMODE.
pub fn error_codes(error: &ParseError) -> [Option<u32>; 2] {
    let Some(known) = error.command else {
        return match error.problem {
            Problem::NotACommand | Problem::TooLong => [Some(0x0103_0000), None],
            _ => [Some(0x0109_0000), None],
        };
    };
    let params = error.params();
    let of_mqtt = known.0.name.starts_with("+MQTT");
    let index = match error.problem {
        Problem::TooFew => error.given,
        _ => error.param.unwrap_or(0),
    };
    let name = params.get(index).map_or("", |param| param.name);
    let of_param = |which: usize| {
        let found = PARAM_ERRORS.iter().find(|(own, _)| of_mqtt && *own == name);
        found.map(|(_, codes)| mqtt_error(codes[which]))
    };
    let index = index as u32;
    match error.problem {
        Problem::NoSuchForm | Problem::UnknownOption => [None, None],
        Problem::Count if of_mqtt => [Some(mqtt_error(0x6008)), None],
        Problem::Count => [
            Some(0x0106_0000 | (params.len() as u32) << 8 | error.given as u32),
            None,
        ],
        Problem::Missing => [of_param(1).or(Some(0x0108_0000 | index)), None],
        Problem::OutOfRange => [of_param(2).or(Some(0x0107_0001 + index)), None],
        Problem::TooLong => [of_param(2).or(Some(0x0104_0001 + index)), None],
        _ => [Some(0x0108_0000 | index), of_param(0)],
    }
}
