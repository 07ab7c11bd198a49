//! BC26 and EC20: the QMT commands of Quectel.
//!
//! Sources: **BC26 AN** is the BC26 MQTT Application Note V1.1, **BC26 AT** its AT Commands Manual V1.1, **BC26 FW** strings of its firmware;
//! **BG95 AN** the BG95 MQTT Application Note V1.1; **EC2x AT** the EC2x AT Commands Manual V2.0; **field** is code and logs that run
//! on real modules. The body of the EC20's own application note was not to be had: what it prints is inferred from its successors.

use crate::command::{Command, Param};
use crate::reply::{Line, Meaning, Piece::*};
use crate::wire::Escapes;

/// `+QMTOPEN: <id>,<result>`
pub const OPEN: Line = Line::new(
    "+QMTOPEN",
    &[
        Lit("+QMTOPEN: "),
        Int("tcpconnectID"),
        Lit(","),
        Int("result"),
    ],
    "0 open, -1 failed, 1 wrong parameter, 2 identifier occupied, 3 PDP not activated, 4 name not resolved, 5 connection error.",
);
/// `+QMTOPEN: <id>,"<host>",<port>`
pub const OPEN_READ: Line = Line::new(
    "+QMTOPEN (read)",
    &[
        Lit("+QMTOPEN: "),
        Int("tcpconnectID"),
        Lit(","),
        Quoted("host_name"),
        Lit(","),
        Int("port"),
    ],
    "What is open.",
);
/// `+QMTCLOSE: <id>,<result>`
pub const CLOSE: Line = Line::new(
    "+QMTCLOSE",
    &[
        Lit("+QMTCLOSE: "),
        Int("tcpconnectID"),
        Lit(","),
        Int("result"),
    ],
    "0 closed, -1 failed.",
);
/// `+QMTCONN: <id>,<result>,<ret_code>`
pub const CONN: Line = Line::new(
    "+QMTCONN",
    &[
        Lit("+QMTCONN: "),
        Int("tcpconnectID"),
        Lit(","),
        Int("result"),
        Lit(","),
        Int("ret_code"),
    ],
    "result 0: CONNACK came, and ret_code is its code: a refused login is 0,0,4.",
);
/// `+QMTCONN: <id>,<result>`
pub const CONN_FAILED: Line = Line::new(
    "+QMTCONN (failed)",
    &[
        Lit("+QMTCONN: "),
        Int("tcpconnectID"),
        Lit(","),
        Int("result"),
    ],
    "1 sent again, 2 not sent.",
);
/// `+QMTCONN: <id>,<state>`
pub const CONN_READ: Line = Line::new(
    "+QMTCONN (read)",
    &[
        Lit("+QMTCONN: "),
        Int("tcpconnectID"),
        Lit(","),
        Int("state"),
    ],
    "1 open, 2 connecting, 3 connected, 4 disconnecting.",
);
/// `+QMTDISC: <id>,<result>`
pub const DISC: Line = Line::new(
    "+QMTDISC",
    &[
        Lit("+QMTDISC: "),
        Int("tcpconnectID"),
        Lit(","),
        Int("result"),
    ],
    "0 disconnected, -1 failed.",
);
/// `+QMTSUB: <id>,<msgid>,<result>,<value>…`
pub const SUB: Line = Line::new(
    "+QMTSUB",
    &[
        Lit("+QMTSUB: "),
        Int("tcpconnectID"),
        Lit(","),
        Int("msgID"),
        Lit(","),
        Int("result"),
        Lit(","),
        Bare("value"),
    ],
    "result 0: value is the QoS granted to each topic, 128 refused.",
);
/// `+QMTUNS: <id>,<msgid>,<result>`
pub const UNS: Line = Line::new(
    "+QMTUNS",
    &[
        Lit("+QMTUNS: "),
        Int("tcpconnectID"),
        Lit(","),
        Int("msgID"),
        Lit(","),
        Int("result"),
    ],
    "0 acknowledged, 1 sent again, 2 failed.",
);
/// `+QMTPUB: <id>,<msgid>,<result>`
pub const PUB: Line = Line::new(
    "+QMTPUB",
    &[
        Lit("+QMTPUB: "),
        Int("tcpconnectID"),
        Lit(","),
        Int("msgID"),
        Lit(","),
        Int("result"),
    ],
    "0 sent, and acknowledged with QoS 1 and 2; 2 failed.",
);
/// `+QMTPUBEX: <id>,<msgid>,<result>`
pub const PUBEX: Line = Line::new(
    "+QMTPUBEX",
    &[
        Lit("+QMTPUBEX: "),
        Int("client_idx"),
        Lit(","),
        Int("msgID"),
        Lit(","),
        Int("result"),
    ],
    "0 sent, and acknowledged with QoS 1 and 2; 2 failed.",
);
/// `+QMTRECV: <id>,<msgid>,"<topic>","<payload>"`
pub const RECV: Line = Line::new(
    "+QMTRECV",
    &[
        Lit("+QMTRECV: "),
        Int("tcpconnectID"),
        Lit(","),
        Int("msgID"),
        Lit(","),
        Quoted("topic"),
        Lit(","),
        Quoted("payload"),
    ],
    "A message: raw between quotes. msgID is 0 with QoS 0.",
);
/// `+QMTRECV: <id>,<msgid>,"<topic>",<len>,"<payload>"`
pub const RECV_LEN: Line = Line::new(
    "+QMTRECV (length)",
    &[
        Lit("+QMTRECV: "),
        Int("client_idx"),
        Lit(","),
        Int("msgID"),
        Lit(","),
        Quoted("topic"),
        Lit(","),
        Int("payload_len"),
        Lit(",\""),
        Sized("payload"),
        Lit("\""),
    ],
    "The same after \"recv/mode\",<id>,0,1.",
);
/// `+QMTRECV: <id>,<recv_id>`
pub const RECV_KEPT: Line = Line::new(
    "+QMTRECV (kept)",
    &[
        Lit("+QMTRECV: "),
        Int("client_idx"),
        Lit(","),
        Int("recv_id"),
    ],
    "A message waits in this slot, 0 to 4.",
);
/// `+QMTSTAT: <id>,<err_code>`
pub const STAT: Line = Line::new(
    "+QMTSTAT",
    &[
        Lit("+QMTSTAT: "),
        Int("tcpconnectID"),
        Lit(","),
        Int("err_code"),
    ],
    "1 closed or reset by the peer, 2 PINGREQ failed, 3 CONNECT failed, 4 no CONNACK, 5 the server closed after DISCONNECT, 6 and 7 link dead. The identifier is free afterwards.",
);
/// `+QMTPING: <id>,<result>`
pub const PING: Line = Line::new(
    "+QMTPING",
    &[
        Lit("+QMTPING: "),
        Int("client_idx"),
        Lit(","),
        Int("result"),
    ],
    "1: no PINGRESP in time.",
);
/// `+QNWINFO: …`
pub const QNWINFO: Line = Line::new(
    "+QNWINFO",
    &[
        Lit("+QNWINFO: "),
        Quoted("Act"),
        Lit(","),
        Quoted("oper"),
        Lit(","),
        Quoted("band"),
        Lit(","),
        Int("channel"),
    ],
    "Access technology, operator, band, channel.",
);
/// `+QICSGP: <type>,"<apn>","<user>","<password>",<auth>`
pub const QICSGP: Line = Line::new(
    "+QICSGP",
    &[
        Lit("+QICSGP: "),
        Int("context_type"),
        Lit(","),
        Quoted("APN"),
        Lit(","),
        Quoted("username"),
        Lit(","),
        Quoted("password"),
        Lit(","),
        Int("authentication"),
    ],
    "The APN of a context.",
);
/// `+QIACT: <cid>,<state>,<type>,"<ip>"`
pub const QIACT: Line = Line::new(
    "+QIACT",
    &[
        Lit("+QIACT: "),
        Int("contextID"),
        Lit(","),
        Int("state"),
        Lit(","),
        Int("type"),
        Lit(","),
        Quoted("IP"),
    ],
    "A context that is active.",
);
/// `+QIURC: "pdpdeact",<cid>`
pub const PDPDEACT: Line = Line::new(
    "+QIURC",
    &[Lit("+QIURC: \"pdpdeact\","), Int("contextID")],
    "The network took a context away.",
);
/// `POWERED DOWN`
pub const POWERED_DOWN: Line =
    Line::new("POWERED DOWN", &[Lit("POWERED DOWN")], "The module is off.");
/// `+IP: <address>`
pub const IP: Line = Line::new(
    "+IP",
    &[Lit("+IP: "), Bare("address")],
    "Attached, with this address.",
);
/// `RDY`
pub const RDY: Line = Line::new("RDY", &[Lit("RDY")], "The module has booted.");
/// `+QUSIM: 1`
pub const QUSIM: Line = Line::new("+QUSIM", &[Lit("+QUSIM: "), Int("type")], "The SIM's type.");
/// `+QIND: SMS DONE`
pub const SMS_DONE: Line = Line::new(
    "+QIND (SMS)",
    &[Lit("+QIND: SMS DONE")],
    "Messages are ready.",
);
/// `+QIND: PB DONE`
pub const PB_DONE: Line = Line::new(
    "+QIND (PB)",
    &[Lit("+QIND: PB DONE")],
    "The phone book is ready.",
);
/// `+CGPADDR: <cid>,<address>`
pub const CGPADDR: Line = Line::new(
    "+CGPADDR",
    &[Lit("+CGPADDR: "), Int("cid"), Lit(","), Bare("address")],
    "The address of a PDP context, without quotes.",
);

const ID: Param = Param::int("tcpconnectID", 0, 5);
const MSG_ID: Param = Param::int("msgID", 0, 65_535);
const TOPIC: Param = Param::quoted("topic", 255, Escapes::None);
const QOS: Param = Param::int("qos", 0, 2);
const RETAIN: Param = Param::one_of("retain", &[0, 1]);
const MORE_TOPIC: Param = Param::quoted("topic", 255, Escapes::None).optional();
const MORE_QOS: Param = Param::int("qos", 0, 2).with_previous();
const SUB_PARAMS: &[Param] = &[
    ID,
    Param::int("msgID", 1, 65_535),
    TOPIC,
    QOS,
    MORE_TOPIC,
    MORE_QOS,
    MORE_TOPIC,
    MORE_QOS,
    MORE_TOPIC,
    MORE_QOS,
    MORE_TOPIC,
    MORE_QOS,
];
const UNS_PARAMS: &[Param] = &[
    ID,
    Param::int("msgID", 1, 65_535),
    TOPIC,
    MORE_TOPIC,
    MORE_TOPIC,
    MORE_TOPIC,
    MORE_TOPIC,
];

/// What both models have.
pub const COMMON: &[&Command] = &[
    &Command::new(
        "+QMTCFG=\"keepalive\"",
        "Keep alive in seconds; 0 is off",
        "BC26 AN §3.2.1, BG95 AN; default 120",
    )
    .set(&[ID, Param::int("keep_alive_time", 0, 3600).optional()]),
    &Command::new(
        "+QMTCFG=\"session\"",
        "1 clean session, 0 kept",
        "BC26 AN §3.2.1, BG95 AN; inferred: default 1",
    )
    .set(&[ID, Param::one_of("clean_session", &[0, 1]).optional()]),
    &Command::new(
        "+QMTCFG=\"timeout\"",
        "Time limit of a packet, repetitions, notice",
        "BC26 AN §3.2.1: default 10, 3; BG95 AN: 5, 3; inferred: notice 0",
    )
    .set(&[
        ID,
        Param::int("pkt_timeout", 1, 60).optional(),
        Param::int("retry_times", 0, 10).optional(),
        Param::one_of("timeout_notice", &[0, 1]).optional(),
    ]),
    &Command::new("+QMTCFG=\"will\"", "Last will", "BC26 AN §3.2.1, BG95 AN").set(&[
        ID,
        Param::one_of("will_fg", &[0, 1]).optional(),
        Param::int("will_qos", 0, 2).optional(),
        Param::one_of("will_retain", &[0, 1]).with_previous(),
        Param::text("will_topic", 255).with_previous(),
        Param::text("will_msg", 255).with_previous(),
    ]),
    &Command::new(
        "+QMTCFG=\"version\"",
        "3 is MQTT 3.1, 4 is 3.1.1",
        "BC26 AN §3.2.1; field: the BC26 has 3 until it is set; inferred: so has the EC20",
    )
    .set(&[ID, Param::one_of("vsn", &[3, 4]).optional()]),
    &Command::new(
        "+QMTCFG=\"aliauth\"",
        "Aliyun's device names",
        "BC26 AN §3.2.1; stored: the credentials are not computed",
    )
    .set(&[
        ID,
        Param::text("product_key", 64).optional(),
        Param::text("device_name", 64).with_previous(),
        Param::text("device_secret", 64).with_previous(),
    ]),
    &Command::new(
        "+QMTCLOSE",
        "Close the connection",
        "BC26 AN §3.2.3; BC26 FW: ERROR when it is not open",
    )
    .set(&[ID])
    .test(&["+QMTCLOSE: (0-5)"])
    .replies(&[&CLOSE]),
    &Command::new(
        "+QMTDISC",
        "Log out",
        "BC26 AN §3.2.5: the identifier is free afterwards",
    )
    .set(&[ID])
    .test(&["+QMTDISC: (0-5)"])
    .replies(&[&DISC]),
    &Command::new(
        "+CGPADDR",
        "Address of a PDP context",
        "BC26 AT: without quotes",
    )
    .execute()
    .set(&[Param::int("cid", 1, 15)])
    .test(&["+CGPADDR: (1)"])
    .replies(&[&CGPADDR]),
    &Command::new("+CGATT", "Attach to packet service", "BC26 AT, EC2x AT")
        .set(&[Param::one_of("state", &[0, 1])])
        .read()
        .test(&["+CGATT: (0,1)"])
        .replies(&[&crate::network::CGATT]),
    &Command::new("I", "Identification", "EC2x AT").execute(),
    &Command::new("+CGMI", "Manufacturer", "3GPP TS 27.007 §5.1")
        .execute()
        .test(&[])
        .replies(&[&crate::network::DIGITS]),
    &Command::new("+CGMM", "Model", "3GPP TS 27.007 §5.2")
        .execute()
        .test(&[])
        .replies(&[&crate::network::DIGITS]),
    &Command::new("+CGMR", "Firmware", "3GPP TS 27.007 §5.3")
        .execute()
        .test(&[])
        .replies(&[&crate::network::DIGITS]),
];

/// What the BC26 has.
pub const BC26: &[&Command] = &[
    &Command::new("+QMTCFG", "Configure", "BC26 AN §3.2.1").test(&[
        "+QMTCFG: \"echomode\",(0-5),(0,1)",
        "+QMTCFG: \"dataformat\",(0-5),(0,1),(0,1)",
        "+QMTCFG: \"keepalive\",(0-5),(0-3600)",
        "+QMTCFG: \"session\",(0-5),(0,1)",
        "+QMTCFG: \"timeout\",(0-5),(1-60),(1-10),(0,1)",
        "+QMTCFG: \"will\",(0-5),(0,1),(0-2),(0,1),\"will_topic\",\"will_msg\"",
        "+QMTCFG: \"version\",(0-5),(3,4)",
        "+QMTCFG: \"aliauth\",(0-5),\"productkey\",\"devicename\",\"devicesecret\"",
    ]),
    &Command::new("+QMTCFG=\"echomode\"", "Echo in data mode", "BC26 AN §3.2.1; stored").set(&[ID, Param::one_of("echo_mode", &[0, 1]).optional()]),
    &Command::new("+QMTCFG=\"dataformat\"", "0 text, 1 hexadecimal, each way", "BC26 AN §3.2.1").set(&[ID, Param::one_of("send_data_format", &[0, 1]).optional(), Param::one_of("recv_data_format", &[0, 1]).optional()]),
    &Command::new("+QMTOPEN", "Open the connection", "BC26 AN §3.2.2; inferred: which error is 4 and which 5")
        .set(&[ID, Param::text("host_name", 100), Param::int("port", 1, 65_535)]).read().test(&["+QMTOPEN: (0-5),\"<host_name>\",<port>"]).replies(&[&OPEN, &OPEN_READ, &STAT]),
    &Command::new("+QMTCONN", "Log in", "BC26 AN §3.2.4")
        .set(&[ID, Param::text("clientID", 128), Param::text("username", 256).optional(), Param::text("password", 256).optional()])
        .read().test(&["+QMTCONN: (0-5),\"<clientID>\"[,\"<username>\"[,\"<password>\"]]"]).replies(&[&CONN, &CONN_FAILED, &CONN_READ]),
    &Command::new("+QMTSUB", "Subscribe", "BC26 AN §3.2.6").set(SUB_PARAMS).test(&["+QMTSUB: (0-5),<msgID>,\"<topic>\",<qos>[,\"<topic>\",<qos>...]"]).replies(&[&SUB, &RECV]),
    &Command::new("+QMTUNS", "Unsubscribe", "BC26 AN §3.2.7").set(UNS_PARAMS).test(&["+QMTUNS: (0-5),<msgID>,\"<topic>\"[,\"<topic>\"...]"]).replies(&[&UNS]),
    &Command::new("+QMTPUB", "Publish", "BC26 AN §3.2.8: inline up to 700 bytes, or after the prompt up to Ctrl-Z, 1024 bytes, ESC gives it up; BC26 FW: QoS 0 is reported with msgID 0. Inferred: OK after ESC; a message with inner quotes is taken raw")
        .set(&[ID, MSG_ID, QOS, RETAIN, TOPIC, Param::rest("msg", 700).optional()])
        .test(&["+QMTPUB: (0-5),<msgID>,<qos>,<retain>,\"<topic>\",\"<msg>\""]).replies(&[&PUB]),
    &Command::new("+QCGDEFCONT", "APN for the next start", "BC26 AT §4.7; stored").set(&[Param::text("PDP_type", 8), Param::text("APN", 100).optional()]).read(),
    &Command::new("+QSCLK", "Sleep", "BC26 AT; accepted: this module never sleeps").set(&[Param::int("n", 0, 2)]).read().test(&["+QSCLK: (0-2)"]),
    &Command::new("+CPSMS", "Power saving mode", "BC26 AT; accepted")
        .set(&[Param::int("mode", 0, 2), Param::text("RAU", 8).optional(), Param::text("GPRS-READY", 8).optional(), Param::text("TAU", 8).optional(), Param::text("Active-Time", 8).optional()])
        .read().test(&["+CPSMS: (0-2),,,( \"00000000\"-\"11111111\"), (\"00000000\"-\"11111111\")"]),
    &Command::new("+CEDRXS", "eDRX", "BC26 AT; accepted").set(&[Param::int("mode", 0, 3), Param::one_of("AcT-type", &[5]).optional(), Param::text("value", 4).optional()]).read().test(&["+CEDRXS: (0-3),(5),(\"0000\"-\"1111\")"]),
    &Command::new("+QNBIOTEVENT", "Reports of PSM", "BC26 AT; accepted").set(&[Param::one_of("enable", &[0, 1]), Param::one_of("event", &[1]).optional()]).read(),
    &Command::new("+QRST", "Reboot at once", "BC26 AT").set(&[Param::one_of("mode", &[1])]),
    &Command::new("+QPOWD", "Switch off", "BC26 AT: only 0").set(&[Param::one_of("mode", &[0])]).test(&["+QPOWD: (0)"]),
];

/// What the EC20 has.
pub const EC20: &[&Command] = &[
    &Command::new("+QMTCFG", "Configure", "field: a real EC600's output, with the options that an EC25 lists. Inferred for the EC20").test(&[
        "+QMTCFG: \"version\",(0-5),(3,4)",
        "+QMTCFG: \"pdpcid\",(0-5),(1-16)",
        "+QMTCFG: \"ssl\",(0-5),(0,1),(0-5)",
        "+QMTCFG: \"keepalive\",(0-5),(0-3600)",
        "+QMTCFG: \"session\",(0-5),(0,1)",
        "+QMTCFG: \"timeout\",(0-5),(1-60),(0-10),(0,1)",
        "+QMTCFG: \"will\",(0-5),(0,1),(0-2),(0,1),\"willtopic\",\"willmessage\"",
        "+QMTCFG: \"recv/mode\",(0-5),(0,1),(0,1)",
        "+QMTCFG: \"send/mode\",(0-5),(0,1)",
        "+QMTCFG: \"aliauth\",(0-5),\"product key\",\"device name\",\"device secret\"",
        "+QMTCFG: \"hwauth\",(0-5),\"device id\",\"device secret\"",
        "+QMTCFG: \"qmtping\",(0-5),(5-60)",
    ]),
    &Command::new("+QMTCFG=\"pdpcid\"", "PDP context", "BG95 AN; stored").set(&[ID, Param::int("cid", 1, 16).optional()]),
    &Command::new("+QMTCFG=\"ssl\"", "TLS", "BG95 AN. Not supported yet: with 1 QMTOPEN ends in -1").set(&[ID, Param::one_of("SSL_enable", &[0, 1]).optional(), Param::int("SSL_ctx_id", 0, 5).optional()]),
    &Command::new("+QMTCFG=\"recv/mode\"", "0 report messages, 1 keep them; and whether the length is shown", "BG95 AN").set(&[ID, Param::one_of("msg_recv_mode", &[0, 1]).optional(), Param::one_of("msg_len_enable", &[0, 1]).optional()]),
    &Command::new("+QMTCFG=\"send/mode\"", "0 text, 1 hexadecimal", "field").set(&[ID, Param::one_of("send_mode", &[0, 1]).optional()]),
    &Command::new("+QMTCFG=\"hwauth\"", "Huawei's device id and secret: the module logs in by itself", "field; Huawei's rules for the credentials. Inferred: how the module does it, with its own clock in UTC and no check of the time")
        .set(&[ID, Param::text("device id", 256).optional(), Param::text("device secret", 256).with_previous()]),
    &Command::new("+QMTCFG=\"qmtping\"", "Interval of pings", "field; stored").set(&[ID, Param::int("interval", 5, 60).optional()]),
    &Command::new("+QMTOPEN", "Open the connection", "BG95 AN; field; inferred: which error is 4 and which 5")
        .set(&[ID, Param::text("host_name", 100), Param::int("port", 1, 65_535)]).read().test(&["+QMTOPEN: (0-5),\"hostname\",(1-65535)"]).replies(&[&OPEN, &OPEN_READ, &STAT, &PING]),
    &Command::new("+QMTCONN", "Log in", "BG95 AN §3.2.4; field")
        .set(&[ID, Param::text("clientID", 256), Param::text("username", 256).optional(), Param::text("password", 256).optional()])
        .read().test(&["+QMTCONN: (0-5),\"clientid\",\"username\",\"password\""]).replies(&[&CONN, &CONN_FAILED, &CONN_READ]),
    &Command::new("+QMTSUB", "Subscribe", "BG95 AN; field").set(SUB_PARAMS).test(&["+QMTSUB: (0-5),<msgID>,list of [\"topic\",qos]"]).replies(&[&SUB, &RECV, &RECV_LEN, &RECV_KEPT]),
    &Command::new("+QMTUNS", "Unsubscribe", "BG95 AN; field").set(UNS_PARAMS).test(&["+QMTUNS: (0-5),<msgID>,list of [\"topic\"]"]).replies(&[&UNS]),
    &Command::new("+QMTPUBEX", "Publish so many bytes after the prompt", "field: prompt, so many bytes, OK, report. Inferred: 1548 bytes, from the BG96")
        .set(&[ID, MSG_ID, QOS, RETAIN, TOPIC, Param::int("length", 1, 1548)])
        .test(&["+QMTPUBEX: (0-5),<msgid>,(0-2),(0,1),\"topic\",\"length\""]).replies(&[&PUBEX]),
    &Command::new("+QMTPUB", "Publish up to Ctrl-Z after the prompt", "inferred: not in the EC2x manuals, and clients in the field use it")
        .set(&[ID, MSG_ID, QOS, RETAIN, TOPIC]).test(&["+QMTPUB: (0-5),<msgid>,(0-2),(0,1),\"topic\""]).replies(&[&PUB]),
    &Command::new("+QMTRECV", "Read kept messages", "BG95 AN §3.2.10")
        .set(&[ID, Param::int("recv_id", 0, 4).optional()]).read().test(&[]).replies(&[&RECV, &RECV_LEN]),
    &Command::new("+QNWINFO", "Network", "EC2x AT; field: the operator in quotes").execute().test(&[]).replies(&[&QNWINFO]),
    &Command::new("+QCFG=\"nwscanmode\"", "Search mode: 0 automatic", "field; EC2x AT; stored").set(&[Param::int("mode", 0, 8).optional(), Param::one_of("effect", &[0, 1]).optional()]),
    &Command::new("+QICSGP", "APN of a context", "field: the query")
        .set(&[
            Param::int("contextID", 1, 16),
            Param::int("context_type", 1, 3).optional(),
            Param::text("APN", 127).optional(),
            Param::text("username", 127).optional(),
            Param::text("password", 127).optional(),
            Param::int("authentication", 0, 3).optional(),
        ])
        .test(&["+QICSGP: (1-16),(1-3),<APN>,<username>,<password>,(0-3)"]).replies(&[&QICSGP]),
    &Command::new("+QIACT", "Activate a context", "field: ERROR when it is active").set(&[Param::int("contextID", 1, 16)]).read().test(&["+QIACT: (1-16)"]).replies(&[&QIACT, &PDPDEACT]),
    &Command::new("+QIDEACT", "Deactivate a context", "field").set(&[Param::int("contextID", 1, 16)]).test(&["+QIDEACT: (1-16)"]),
    &Command::new("+QPOWD", "Switch off", "EC2x AT: OK, and then POWERED DOWN").execute().set(&[Param::one_of("mode", &[0, 1])]).test(&["+QPOWD: (0,1)"]).replies(&[&POWERED_DOWN]),
    &Command::new("+QCCID", "The SIM's number", "EC2x AT").execute().test(&[]),
];

/// Forms of the fourth tutorial that the BC26 refuses. The title is the form that works.
pub const BC26_AS_WRITTEN: &[&Command] = &[
    &Command::new("+CNOPS", "AT+COPS=0", AS_WRITTEN).set(&[Param::one_of("mode", &[0])]),
    &Command::new("+CGACT", "AT+CGACT=0,1", AS_WRITTEN).set(&[Param::one_of("state", &[1]), Param::one_of("cid", &[0])]),
    &Command::new("+QMTOPEN", "AT+QMTOPEN=0,\"host\",1883", AS_WRITTEN).set(&[ID, Param::text("tcp", 3), Param::text("host_name", 100), Param::int("port", 1, 65_535)]),
    &Command::new("+QMTCONN", "AT+QMTCFG=\"keepalive\",0,60 before QMTOPEN, then AT+QMTCONN=0,\"clientID\",\"username\",\"password\"", AS_WRITTEN)
        .set(&[
            ID,
            Param::text("clientID", 128),
            Param::int("keepalive", 0, 3600),
            Param::int("clean_session", 0, 1),
            Param::int("will", 0, 1),
            Param::int("will_qos", 0, 2),
            Param::text("username", 256),
            Param::text("password", 256),
        ]),
    &Command::new("+QMTSUB", "AT+QMTSUB=0,1,\"topic\",0", AS_WRITTEN).set(&[ID, Param::int("number", 0, 65_535), TOPIC]),
    &Command::new("+QMTPUB", "AT+QMTPUB=0,1,1,0,\"topic\", and the data up to Ctrl-Z", AS_WRITTEN)
        .set(&[ID, MSG_ID, TOPIC, QOS, RETAIN, Param::int("dup", 0, 1), Param::int("length", 1, 1024)]),
    &Command::new("+QMTCLS", "AT+QMTCLOSE=0", AS_WRITTEN).set(&[ID]),
];

/// Forms of the fourth tutorial that the EC20 refuses. The title is the form that works.
pub const EC20_AS_WRITTEN: &[&Command] = &[
    &Command::new(
        "+QMTCONN",
        "AT+QMTCONN=0,\"clientID\",\"username\",\"password\"",
        AS_WRITTEN,
    )
    .set(&[
        ID,
        Param::text("username", 256),
        Param::text("password", 256),
        Param::int("first", 0, 1),
        Param::int("second", 0, 1),
    ]),
    &Command::new("+QMTSUB", "AT+QMTSUB=0,1,\"topic\",1", AS_WRITTEN).set(&[ID, TOPIC, QOS]),
    &Command::new(
        "+QMTPUB",
        "AT+QMTPUBEX=0,0,0,0,\"topic\",<length>, and the data after the prompt",
        AS_WRITTEN,
    )
    .set(&[ID, TOPIC, QOS, RETAIN, Param::rest("payload", 1548)]),
    &Command::new("+QMTSTAT", "AT+QMTCONN?", AS_WRITTEN).set(&[ID]),
];

const AS_WRITTEN: &str = "the fourth tutorial, as it stands there";

/// What `AT+CMEE=2` says for each code. Source: BC26 AT §6, EC2x AT table 22.
pub const CME: &[Meaning] = &[
    m(3, "Operation not allowed"),
    m(4, "Operation not supported"),
    m(10, "SIM not inserted"),
    m(11, "SIM PIN required"),
    m(13, "SIM failure"),
    m(14, "SIM busy"),
    m(16, "Incorrect password"),
    m(30, "No network service"),
    m(50, "Incorrect parameters"),
    m(148, "Unspecified GPRS error"),
];

const fn m(code: u16, words: &'static str) -> Meaning {
    Meaning { code, words }
}
