//! NT35E and kin: the ECMT commands of EigenComm's firmware.
//!
//! Sources: **firmware** is the AT source of the EC616S (`tangjcc/EC616S_OPEN_SDK`, `PLAT/middleware/eigencomm/at`), the program that
//! prints these lines; **manual** is the command set of the EC616 modules; **tutorial** is the NT35E's page; **field** is
//! code and logs in public repositories. That the NT35E prints what the EC616S prints is inferred: the same commands and codes.

use crate::command::{Command, Param};
use crate::reply::{Line, Meaning, Piece::*};
use crate::wire::Escapes;

/// `+ECMTOPEN: <id>,<result>`
pub const OPEN: Line = Line::new(
    "+ECMTOPEN",
    &[
        Lit("+ECMTOPEN: "),
        Int("tcpconnectID"),
        Lit(","),
        Int("result"),
    ],
    "0 open, -1 failed: then the context is gone.",
);
/// `+ECMTOPEN:<id>,"<host>",<port>`
pub const OPEN_READ: Line = Line::new(
    "+ECMTOPEN (read)",
    &[
        Lit("+ECMTOPEN:"),
        Int("tcpconnectID"),
        Lit(","),
        Quoted("host_name"),
        Lit(","),
        Int("port"),
    ],
    "What is open. No space after the colon.",
);
/// `+ECMTCLOSE: <id>,<result>`
pub const CLOSE: Line = Line::new(
    "+ECMTCLOSE",
    &[
        Lit("+ECMTCLOSE: "),
        Int("tcpconnectID"),
        Lit(","),
        Int("result"),
    ],
    "0 closed, -1 failed.",
);
/// `+ECMTCONN: <id>,<result>,<ret_code>`
pub const CONN: Line = Line::new(
    "+ECMTCONN",
    &[
        Lit("+ECMTCONN: "),
        Int("tcpconnectID"),
        Lit(","),
        Int("result"),
        Lit(","),
        Int("ret_code"),
    ],
    "result 0: CONNACK came, and ret_code is its code, 0 accepted to 5 not authorized; result 2: CONNECT could not be sent. The tutorial's \"2 is normal\" is wrong.",
);
/// `+ECMTCONN:<id>,<state>`
pub const CONN_READ: Line = Line::new(
    "+ECMTCONN (read)",
    &[
        Lit("+ECMTCONN:"),
        Int("tcpconnectID"),
        Lit(","),
        Int("state"),
    ],
    "1 initialising, 2 connecting, 3 connected, 4 disconnected.",
);
/// `+ECMTDISC: <id>,<result>`
pub const DISC: Line = Line::new(
    "+ECMTDISC",
    &[
        Lit("+ECMTDISC: "),
        Int("tcpconnectID"),
        Lit(","),
        Int("result"),
    ],
    "0 disconnected, and TCP is closed; -1 failed.",
);
/// `+ECMTSUB: <id>,<msgid>,<result>,<value>`
pub const SUB: Line = Line::new(
    "+ECMTSUB",
    &[
        Lit("+ECMTSUB: "),
        Int("tcpconnectID"),
        Lit(","),
        Int("msgID"),
        Lit(","),
        Int("result"),
        Lit(","),
        Int("value"),
    ],
    "result 0 acknowledged, 1 not acknowledged, 2 not sent. value is the number of topics, 1, whatever the manual says of QoS, and also when the server refused.",
);
/// `+ECMTUNS: <id>,<msgid>,<result>`
pub const UNS: Line = Line::new(
    "+ECMTUNS",
    &[
        Lit("+ECMTUNS: "),
        Int("tcpconnectID"),
        Lit(","),
        Int("msgID"),
        Lit(","),
        Int("result"),
    ],
    "0 acknowledged, 1 not acknowledged, 2 not sent.",
);
/// `+ECMTPUB: <id>,<msgid>,<result>`
pub const PUB: Line = Line::new(
    "+ECMTPUB",
    &[
        Lit("+ECMTPUB: "),
        Int("tcpconnectID"),
        Lit(","),
        Int("msgID"),
        Lit(","),
        Int("result"),
    ],
    "0 sent and acknowledged, 1 not acknowledged, 2 not sent.",
);
/// `+ECMTSTAT: <id>,<err_code>`
pub const STAT: Line = Line::new(
    "+ECMTSTAT",
    &[
        Lit("+ECMTSTAT: "),
        Int("tcpconnectID"),
        Lit(","),
        Int("err_code"),
    ],
    "1: the peer closed or reset the connection. The module connects again by itself.",
);
/// `+ECMTRECV: <id>,<msgid>,"<topic>",<payload>`
pub const RECV: Line = Line::new(
    "+ECMTRECV",
    &[
        Lit("+ECMTRECV: "),
        Int("tcpconnectID"),
        Lit(","),
        Int("msgID"),
        Lit(","),
        Quoted("topic"),
        Lit(","),
        Bare("payload"),
    ],
    "A message: raw, without quotes, up to its first NUL. It may hold line ends, and has no length.",
);
/// `+ECDNS: <ip>`
pub const ECDNS: Line = Line::new(
    "+ECDNS",
    &[Lit("+ECDNS: "), Bare("ip")],
    "The address of a name.",
);
/// `+CSCON: <n>,<mode>`
pub const CSCON: Line = Line::new(
    "+CSCON",
    &[Lit("+CSCON: "), Int("n"), Lit(","), Int("mode")],
    "mode: 0 idle, 1 connected.",
);
/// `+ECICCID: <digits>`
pub const ECICCID: Line = Line::new(
    "+ECICCID",
    &[Lit("+ECICCID: "), Bare("iccid")],
    "The SIM's number.",
);
/// `+CGSN: "<imei>"`
pub const CGSN: Line = Line::new("+CGSN", &[Lit("+CGSN: "), Quoted("sn")], "The IMEI.");
/// `+CGMI:"<manufacturer>"`
pub const CGMI: Line = Line::new(
    "+CGMI",
    &[Lit("+CGMI:"), Quoted("manufacturer")],
    "Who made it.",
);
/// `+CGMR:<revision>`
pub const CGMR: Line = Line::new("+CGMR", &[Lit("+CGMR:"), Bare("revision")], "The firmware.");
/// `+ECPING: SUCC, dest: <host>, RTT: <ms> ms`
pub const PING_OK: Line = Line::new(
    "+ECPING (answer)",
    &[
        Lit("+ECPING: SUCC, dest: "),
        Bare("dest"),
        Lit(", RTT: "),
        Int("RTT"),
        Lit(" ms"),
    ],
    "An answer.",
);
/// `+ECPING: FAIL, dest: <host>, time out: <ms> ms`
pub const PING_FAIL: Line = Line::new(
    "+ECPING (none)",
    &[
        Lit("+ECPING: FAIL, dest: "),
        Bare("dest"),
        Lit(", time out: "),
        Int("time_out"),
        Lit(" ms"),
    ],
    "No answer in time.",
);
/// `+ECPING: DONE`
pub const PING_DONE: Line = Line::new(
    "+ECPING (end)",
    &[Lit("+ECPING: DONE")],
    "That was all; a summary follows.",
);
/// `REBOOTING`
pub const REBOOTING: Line = Line::new(
    "REBOOTING",
    &[Lit("REBOOTING")],
    "The module starts anew; stands where OK would.",
);
/// `REBOOT_CAUSE_APPLICATION_POWER_ON_RESET`
pub const BOOT_POWER: Line = Line::new(
    "REBOOT_CAUSE (power)",
    &[Lit("REBOOT_CAUSE_APPLICATION_POWER_ON_RESET")],
    "Power came.",
);
/// `REBOOT_CAUSE_APPLICATION_SWRESET`
pub const BOOT_SOFTWARE: Line = Line::new(
    "REBOOT_CAUSE (software)",
    &[Lit("REBOOT_CAUSE_APPLICATION_SWRESET")],
    "A command restarted it.",
);
/// `+CGEV: NW PDN DEACT <cid>`
pub const CGEV_NW_DEACT: Line = Line::new(
    "+CGEV (network deactivated)",
    &[Lit("+CGEV: NW PDN DEACT "), Int("cid")],
    "The network took a PDN away; after AT+CGEREP=1.",
);
/// `+CGEV: ME PDN ACT <cid>`
pub const CGEV_ACT: Line = Line::new(
    "+CGEV (active)",
    &[Lit("+CGEV: ME PDN ACT "), Int("cid")],
    "A PDN is up; after AT+CGEREP=1.",
);

/// There is one context; the tutorial's "0 to 4" stands in one row and "the value is 0" in all others.
const ID: Param = Param::int("tcpconnectID", 0, 0);
/// Of the dynamic registration, which is not played.
const ALI: Param = Param::text("ali", 64).optional();
const MSG_ID: Param = Param::int("msgID", 1, 65_535);
const TOPIC: Param = Param::text("topic", 255);
const QOS: Param = Param::int("qos", 0, 2);

/// The commands of the family. Found before the standard ones of the same name.
pub const COMMANDS: &[&Command] = &[
    &Command::new("+ECMTCFG", "Configure the context", "firmware, atec_mqtt.c; the comma after keepalive is really there")
        .test(&[
            "+ECMTCFG:\"keepalive\",(0),(0-3600),",
            "+ECMTCFG:\"session\",(0),(0,1)",
            "+ECMTCFG:\"timeout\",(0),(1-60),(1-10),(0,1)",
            "+ECMTCFG:\"will\",(0),(0,1),(0-2),(0,1),\"will_topic\",\"will_msg\"",
            "+ECMTCFG:\"version\",(0),(3,4)",
            "+ECMTCFG:\"aliauth\",(0),\"productkey\",\"devicename\",\"devicesecret\"",
            "+ECMTCFG:\"cloud\",(0-255),(0-255)",
        ]),
    &Command::new("+ECMTCFG=\"keepalive\"", "Keep alive in seconds; 0 is off", "firmware, atec_mqtt.c; 120 when it was not set, and a query shows 0 then")
        .set(&[ID, Param::int("sec", 0, 3600).optional()]),
    &Command::new("+ECMTCFG=\"session\"", "Clean session", "firmware, atec_mqtt.c; 1 when it was not set")
        .set(&[ID, Param::one_of("clean", &[0, 1]).optional()]),
    &Command::new("+ECMTCFG=\"timeout\"", "Time limit of a packet, repetitions, notice", "firmware, atec_mqtt.c; the last two are stored and not used")
        .set(&[
            ID,
            Param::int("pkt_timeout", 1, 60).optional(),
            Param::int("retry_times", 1, 10).optional(),
            Param::one_of("timeout_notice", &[0, 1]).optional(),
        ]),
    &Command::new("+ECMTCFG=\"will\"", "Last will", "firmware, atec_mqtt.c")
        .set(&[
            ID,
            Param::one_of("will_fg", &[0, 1]).optional(),
            Param::int("will_qos", 0, 2).optional(),
            Param::one_of("will_retain", &[0, 1]).optional(),
            Param::text("will_topic", 255).optional(),
            Param::text("will_msg", 255).optional(),
        ]),
    &Command::new("+ECMTCFG=\"version\"", "3 is MQTT 3.1, 4 is 3.1.1", "firmware, atec_mqtt.c; 4 when it was not set")
        .set(&[ID, Param::one_of("vsn", &[3, 4]).optional()]),
    &Command::new("+ECMTCFG=\"aliauth\"", "Aliyun's device names", "firmware, atec_mqtt.c; stored: the credentials are not computed")
        .set(&[
            ID,
            Param::text("productkey", 32).optional(),
            Param::text("devicename", 32).optional(),
            Param::text("devicesecret", 64).optional(),
            ALI,
            ALI,
            ALI,
            ALI,
            ALI,
            ALI,
            ALI,
            ALI,
        ]),
    &Command::new("+ECMTCFG=\"cloud\"", "Cloud and data type", "firmware, atec_mqtt.c; stored, unused")
        .set(&[ID, Param::int("cloudtype", 0, 255).optional(), Param::int("datatype", 0, 255).with_previous()]),
    &Command::new("+ECMTCFG=\"ssl\"", "TLS: a CA certificate, as Base64 without the lines around it, or a pre-shared key", "firmware, atec_mqtt.c: \"ca\",<certificate>[,<hostname>], \"psk\",<key>,<identity>, \"ecc\",<key>; no tcpconnectID. Any of them makes the connection TLS, and with a certificate the server is checked against it and its name. MQTTTls.c: TLS 1.2; +ECMTOPEN: 0,0 also when the handshake fails. No certificate of its own: there is no command for one")
        .set(&[Param::text("ssl_type", 8), Param::text("key", 4000).optional(), Param::text("name", 255).optional()]),
    &Command::new("+ECMTCFG=\"echomode\"", "Echo in data mode", "firmware, atec_mqtt.c; stored, unused")
        .set(&[ID, Param::one_of("mode", &[0, 1]).optional()]),
    &Command::new("+ECMTCFG=\"dataformat\"", "Text or hexadecimal", "firmware, atec_mqtt.c; stored, unused")
        .set(&[ID, Param::one_of("tx", &[0, 1]).optional(), Param::one_of("rx", &[0, 1]).optional()]),
    &Command::new("+ECMTOPEN", "Open the TCP connection", "firmware; OK and no report when it is open already. The tutorial's 1 for failure is -1 in the firmware")
        .set(&[ID, Param::text("host_name", 127), Param::int("port", 1, 65_535).optional()])
        .read().test(&["+ECMTOPEN: (0),<host_name>,<port>"]).replies(&[&OPEN, &OPEN_READ]),
    &Command::new("+ECMTCLOSE", "Close the TCP connection", "firmware; the context is gone afterwards")
        .set(&[ID]).test(&["+ECMTCLOSE: (0)"]).replies(&[&CLOSE]),
    &Command::new("+ECMTCONN", "Log in", "firmware; manual: lengths. Inferred: user and password are optional; the EC616S ignores all three unless all are given")
        .set(&[
            ID,
            Param::text("clientID", 48).optional(),
            Param::text("username", 48).optional(),
            Param::text("password", 128).optional(),
        ])
        .read().test(&["+ECMTCONN: (0),\"<clientID>\"[,\"<username>\"[,,\"<password>\"]]"]).replies(&[&CONN, &CONN_READ, &STAT]),
    &Command::new("+ECMTDISC", "Log out and close", "firmware: also closes TCP and forgets the context")
        .set(&[ID]).test(&["+ECMTDISC: (0)"]).replies(&[&DISC]),
    &Command::new("+ECMTSUB", "Subscribe", "firmware; one topic a command")
        .set(&[ID, MSG_ID, TOPIC, QOS]).test(&["+ECMTSUB: (0),<msgID>,\"<topic>\",<qos>"]).replies(&[&SUB, &RECV]),
    &Command::new("+ECMTUNS", "Unsubscribe", "firmware")
        .set(&[ID, MSG_ID, TOPIC]).test(&["+ECMTUNS: (0),<msgID>,\"<topic>\""]).replies(&[&UNS]),
    &Command::new("+ECMTPUB", "Publish",
        "firmware: the payload is the raw rest of the line, JSON needs no escapes; without it there is a prompt, and the data ends at Ctrl-Z or is given up at ESC. Tens of retain are release assistance")
        .set(&[
            ID,
            Param::int("msgID", 0, 65_535),
            QOS,
            Param::one_of("retain", &[0, 1, 10, 11, 20, 21, 30, 31]),
            TOPIC,
            Param::rest("payload", 1024).optional(),
        ])
        .test(&["+ECMTPUB: (0),<msgID>,<qos>,<retain>,\"<topic>\"[,\"<payload>\"]"]).replies(&[&PUB]),
    &Command::new("+ECDNS", "Resolve a name", "field: OK, and then the report. Inferred: CME 3 when there is no PDN, a report with no address when the name is unknown")
        .set(&[Param::text("name", 128)]).replies(&[&ECDNS]),
    &Command::new("+CSCON", "Signalling connection", "firmware; 3GPP TS 27.007 §7.30; stored. Inferred: connected while a link is open")
        .set(&[Param::one_of("n", &[0, 1])]).read().test(&["+CSCON: (0,1)"]).replies(&[&CSCON]),
    &Command::new("+ECICCID", "The SIM's number", "field").execute().replies(&[&ECICCID]),
    &Command::new("+CGSN", "IMEI", "firmware; 3GPP TS 27.007 §5.4").execute().set(&[Param::one_of("snt", &[1])]).replies(&[&CGSN, &crate::network::DIGITS]),
    &Command::new("+NRB", "Reboot", "firmware: REBOOTING and no OK; one client waits for OK").execute().replies(&[&REBOOTING, &BOOT_SOFTWARE]),
    &Command::new("+ECPING", "Reach a host", "firmware, atec_tcpip.c; a TCP connection to port 7 stands for each echo request. Inferred: four of them")
        .set(&[Param::quoted("host", 255, Escapes::None), Param::int("count", 1, 255).optional(), Param::int("payload_size", 1, 1500).optional(), Param::int("time_out", 1000, 600_000).optional(), Param::one_of("rai_flag", &[0, 1]).optional()])
        .test(&["+ECPING: (\"IP ADDR\\URL\",0),(1-255),(1-1500),(1000-600000),(0,1)"])
        .replies(&[&PING_OK, &PING_FAIL, &PING_DONE]),
    &Command::new("+CGMI", "Manufacturer", "firmware, atec_cust_dev.c; inferred: the name").execute().test(&["+CGMI:<manufacturer_ID>"]).replies(&[&CGMI]),
    &Command::new("+CGMM", "Model", "firmware, atec_cust_dev.c; inferred: the name").execute().test(&["+CGMM:<list of supported technologies>,<model>"]).replies(&[&crate::network::DIGITS]),
    &Command::new("+CGMR", "Firmware", "firmware, atec_cust_dev.c; inferred: the name").execute().test(&[]).replies(&[&CGMR]),
    &Command::new("I", "Firmware", "inferred").execute().replies(&[&crate::network::DIGITS]),
];

/// What `AT+CMEE=2` says for each code. Source: 3GPP TS 27.007 §9.2.1.
pub const CME: &[Meaning] = &[
    m(3, "operation not allowed"),
    m(4, "operation not supported"),
    m(10, "SIM not inserted"),
    m(11, "SIM PIN required"),
    m(14, "SIM busy"),
    m(16, "incorrect password"),
    m(30, "no network service"),
    m(50, "incorrect parameters"),
    m(148, "unspecified GPRS error"),
];

const fn m(code: u16, words: &'static str) -> Meaning {
    Meaning { code, words }
}
