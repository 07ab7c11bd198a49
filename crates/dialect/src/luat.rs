//! Air780EP, Air700EAQ and kin: the AT firmware of Luat (AirM2M).
//!
//! Sources: **manual** is Luat's AT manual (`openLuat/luatos-doc-pool`, `AT_Command_Manual/docs/Command_List`, named by
//! folder and page); **guide** is the vendor's MQTT guide of the Air780EP; **tutorial** is that of the Air700EAQ; **field**
//! is code that talks to the real module in public repositories.

use crate::command::{Command, Param};
use crate::reply::{Line, Meaning, Piece::*};
use crate::wire::Escapes;

/// `CONNECT OK`
pub const CONNECT_OK: Line = Line::new(
    "CONNECT OK",
    &[Lit("CONNECT OK")],
    "The TCP connection is there; MCONNECT must follow at once.",
);
/// `7,CONNECT OK`
pub const CONNECT_OK_MUX: Line = Line::new(
    "7,CONNECT OK",
    &[Lit("7,CONNECT OK")],
    "The same after AT+CIPMUX=1.",
);
/// `ALREADY CONNECT`
pub const ALREADY_CONNECT: Line = Line::new(
    "ALREADY CONNECT",
    &[Lit("ALREADY CONNECT")],
    "There was a TCP connection already.",
);
/// `STATE:<state>`
pub const STATE: Line = Line::new(
    "STATE",
    &[Lit("STATE:"), Bare("state")],
    "Stands before CONNECT FAIL.",
);
/// `CONNECT FAIL`
pub const CONNECT_FAIL: Line = Line::new(
    "CONNECT FAIL",
    &[Lit("CONNECT FAIL")],
    "There is no TCP connection.",
);
/// `7,CONNECT FAIL`
pub const CONNECT_FAIL_MUX: Line = Line::new(
    "7,CONNECT FAIL",
    &[Lit("7,CONNECT FAIL")],
    "The same after AT+CIPMUX=1.",
);
/// `CONNACK OK`
pub const CONNACK_OK: Line = Line::new(
    "CONNACK OK",
    &[Lit("CONNACK OK")],
    "The server accepted the MQTT session.",
);
/// `SUBACK`
pub const SUBACK: Line = Line::new(
    "SUBACK",
    &[Lit("SUBACK")],
    "The server took the subscription.",
);
/// `UNSUBACK`
pub const UNSUBACK: Line = Line::new(
    "UNSUBACK",
    &[Lit("UNSUBACK")],
    "The server ended the subscription.",
);
/// `PUBACK`
pub const PUBACK: Line = Line::new(
    "PUBACK",
    &[Lit("PUBACK")],
    "The server has the QoS 1 message.",
);
/// `PUBREC`
pub const PUBREC: Line = Line::new(
    "PUBREC",
    &[Lit("PUBREC")],
    "The server has the QoS 2 message; not yet complete.",
);
/// `PUBCOMP`
pub const PUBCOMP: Line = Line::new(
    "PUBCOMP",
    &[Lit("PUBCOMP")],
    "The QoS 2 message is complete.",
);
/// `CLOSED`
pub const CLOSED: Line = Line::new(
    "CLOSED",
    &[Lit("CLOSED")],
    "The peer closed the TCP connection, or it broke.",
);
/// `+MSUB: "<topic>",<len> byte,<message>`
pub const MSUB_DIRECT: Line = Line::new(
    "+MSUB (direct)",
    &[
        Lit("+MSUB: "),
        Quoted("topic"),
        Lit(","),
        Int("len"),
        Lit(" byte,"),
        Sized("message"),
    ],
    "A message came. It is raw: it may hold line ends and quotes.",
);
/// `+MSUB: "<topic>",<len> byte,<message>` after AT+MQTTMODE=1
pub const MSUB_HEX: Line = Line::new(
    "+MSUB (HEX)",
    &[
        Lit("+MSUB: "),
        Quoted("topic"),
        Lit(","),
        Int("len"),
        Lit(" byte,"),
        Bare("message"),
    ],
    "The same after AT+MQTTMODE=1: len bytes as twice as many hexadecimal digits. Inferred from a client that decodes it so.",
);
/// `+MSUB: <store_addr>`
pub const MSUB_CACHED: Line = Line::new(
    "+MSUB (cached)",
    &[Lit("+MSUB: "), Int("store_addr")],
    "A message came and waits in this slot, 0 to 3.",
);
/// `+MQTTSTATU :<state>`
pub const MQTTSTATU: Line = Line::new(
    "+MQTTSTATU",
    &[Lit("+MQTTSTATU :"), Int("state")],
    "0 offline, 1 logged in, 2 TCP is up and MCONNECT is needed. The space stands before the colon.",
);
/// `+MQTTMODE: <mode>`
pub const MQTTMODE: Line = Line::new(
    "+MQTTMODE",
    &[Lit("+MQTTMODE: "), Int("mode")],
    "0 ASCII, 1 HEX.",
);
/// `+MQTTMSGSET:<mode>`
pub const MQTTMSGSET: Line = Line::new(
    "+MQTTMSGSET",
    &[Lit("+MQTTMSGSET:"), Int("mode")],
    "0 direct, 1 cached. No space after the colon.",
);
/// `+MQTTMSGGET: <slot>,<status>`
pub const MQTTMSGGET: Line = Line::new(
    "+MQTTMSGGET",
    &[Lit("+MQTTMSGGET: "), Int("slot"), Lit(","), Bare("status")],
    "VALID or INVALID.",
);
/// `+CDNSGIP: 1,<name>,<ip>`
pub const CDNSGIP_OK: Line = Line::new(
    "+CDNSGIP (found)",
    &[Lit("+CDNSGIP: 1,"), Quoted("name"), Lit(","), Quoted("ip")],
    "The address of a name.",
);
/// `+CDNSGIP:0,<code>`
pub const CDNSGIP_FAIL: Line = Line::new(
    "+CDNSGIP (not found)",
    &[Lit("+CDNSGIP:0,"), Int("code")],
    "10 general, 11 retries, 12 no server, 13 memory, 14 invalid name, 15 invalid response.",
);
/// `PrimaryDns: <ip>`
pub const PRIMARY_DNS: Line = Line::new(
    "PrimaryDns",
    &[Lit("PrimaryDns: "), Bare("ip")],
    "The first name server.",
);
/// `SecondaryDns: <ip>`
pub const SECONDARY_DNS: Line = Line::new(
    "SecondaryDns",
    &[Lit("SecondaryDns: "), Bare("ip")],
    "The second name server.",
);
/// `SHUT OK`
pub const SHUT_OK: Line = Line::new(
    "SHUT OK",
    &[Lit("SHUT OK")],
    "The scene is shut; stands where OK would.",
);
/// `STATE: <state>`
pub const CIPSTATUS: Line = Line::new(
    "STATE (CIPSTATUS)",
    &[Lit("STATE: "), Bare("state")],
    "IP INITIAL, IP START, IP CONFIG, IP GPRSACT, IP STATUS, CONNECT OK, TCP CLOSED, PDP DEACT …; after OK.",
);
/// `NORMAL POWER DOWN`
pub const POWER_DOWN: Line = Line::new(
    "NORMAL POWER DOWN",
    &[Lit("NORMAL POWER DOWN")],
    "The module switches itself off; stands where OK would.",
);
/// `+CIPMUX: <n>`
pub const CIPMUX: Line = Line::new(
    "+CIPMUX",
    &[Lit("+CIPMUX: "), Int("n")],
    "0 one connection, 1 several.",
);
/// `+CSTT: "<apn>","<user>","<password>"`
pub const CSTT: Line = Line::new(
    "+CSTT",
    &[
        Lit("+CSTT: "),
        Quoted("apn"),
        Lit(","),
        Quoted("user name"),
        Lit(","),
        Quoted("password"),
    ],
    "The APN of the TCP/IP scene.",
);
/// `+SAPBR: <cid>,<status>,<ip>`
pub const SAPBR: Line = Line::new(
    "+SAPBR",
    &[
        Lit("+SAPBR: "),
        Int("cid"),
        Lit(","),
        Int("status"),
        Lit(","),
        Bare("ip"),
    ],
    "A bearer: 1 connected, 3 closed; the address has three digits in each place.",
);
/// `+SAPBR:<tag>,<value>`
pub const SAPBR_PARAM: Line = Line::new(
    "+SAPBR (parameter)",
    &[Lit("+SAPBR:"), Bare("tag"), Lit(","), Bare("value")],
    "A parameter of a bearer.",
);
/// `+ICCID: <digits>`
pub const ICCID: Line = Line::new(
    "+ICCID",
    &[Lit("+ICCID: "), Bare("iccid")],
    "The SIM's number.",
);
/// A quoted answer to an identification command.
pub const CGMI: Line = Line::new(
    "+CGMI",
    &[Lit("+CGMI: "), Quoted("manufacturer")],
    "The manufacturer.",
);
/// `+CGMM: "<model>"`
pub const CGMM: Line = Line::new("+CGMM", &[Lit("+CGMM: "), Quoted("model")], "The model.");
/// `+CGMR: "<revision>"`
pub const CGMR: Line = Line::new(
    "+CGMR",
    &[Lit("+CGMR: "), Quoted("revision")],
    "The firmware.",
);
/// The firmware's name, alone on its line.
pub const VERSION: Line = Line::new("version", &[Bare("firmware")], "The firmware.");
/// `+CBC: <mV>`
pub const CBC: Line = Line::new(
    "+CBC",
    &[Lit("+CBC: "), Int("volt")],
    "Supply voltage in millivolts.",
);
/// `RDY`
pub const RDY: Line = Line::new("RDY", &[Lit("RDY")], "The module has booted.");
/// `^MODE: 17,17`
pub const MODE_LTE: Line = Line::new(
    "^MODE",
    &[Lit("^MODE: "), Int("SysMainMode"), Lit(","), Int("SysMode")],
    "The system's mode changed: 17,17 is LTE, 0,0 no service.",
);
/// `+E_UTRAN Service`
pub const E_UTRAN: Line = Line::new(
    "+E_UTRAN Service",
    &[Lit("+E_UTRAN Service")],
    "4G service.",
);
/// `+CGEV: ME PDN ACT <cid>,<reason>`
pub const CGEV_ACT: Line = Line::new(
    "+CGEV (active)",
    &[
        Lit("+CGEV: ME PDN ACT "),
        Int("cid"),
        Lit(","),
        Int("reason"),
    ],
    "A PDP context is up; reason 0: IPv4 only.",
);
/// `+CGEV: ME PDN DEACT <cid>`
pub const CGEV_ME_DEACT: Line = Line::new(
    "+CGEV (module deactivated)",
    &[Lit("+CGEV: ME PDN DEACT "), Int("cid")],
    "The module gave a PDP context up.",
);
/// `+CGEV: NW PDN DEACT <cid>`
pub const CGEV_NW_DEACT: Line = Line::new(
    "+CGEV (network deactivated)",
    &[Lit("+CGEV: NW PDN DEACT "), Int("cid")],
    "The network took a PDP context away.",
);
/// `+CGEV: ME DETACH`
pub const CGEV_DETACH: Line = Line::new(
    "+CGEV (detached)",
    &[Lit("+CGEV: ME DETACH")],
    "The module left the network.",
);
/// `+NITZ: <time>,<ds>`
pub const NITZ: Line = Line::new(
    "+NITZ",
    &[Lit("+NITZ: "), Bare("time"), Lit(","), Int("ds")],
    "The network told the time.",
);
/// `TimeOut`
pub const TIME_OUT: Line = Line::new(
    "TimeOut",
    &[Lit("TimeOut")],
    "The data did not come in time; stands where OK would.",
);
/// `+FSFLSIZE: <size>`
pub const FSFLSIZE: Line = Line::new(
    "+FSFLSIZE",
    &[Lit("+FSFLSIZE: "), Int("size")],
    "Bytes of a file.",
);
/// `+FSMEM: <size> bytes`
pub const FSMEM: Line = Line::new(
    "+FSMEM",
    &[Lit("+FSMEM: "), Int("size"), Lit(" bytes")],
    "Bytes that are free.",
);
/// `+FSDRIVE: <drive>`
pub const FSDRIVE: Line = Line::new(
    "+FSDRIVE",
    &[Lit("+FSDRIVE: "), Bare("drive")],
    "The letter of a drive.",
);
/// `+FSREADHEAD: <mode>`
pub const FSREADHEAD: Line = Line::new(
    "+FSREADHEAD",
    &[Lit("+FSREADHEAD: "), Int("mode")],
    "Whether AT+FSREAD answers with a head.",
);
/// `+SSLCFG: "<name>",<n>,<value>`
pub const SSLCFG: Line = Line::new(
    "+SSLCFG",
    &[
        Lit("+SSLCFG: "),
        Quoted("name"),
        Lit(","),
        Int("n"),
        Lit(","),
        Bare("value"),
    ],
    "A TLS setting.",
);
/// `*EXINFO: <reason>`
pub const EXINFO: Line = Line::new(
    "*EXINFO",
    &[Lit("*EXINFO: "), Int("reason")],
    "Why it booted: 0 power, 3 software.",
);

/// A client id, user name or password; with or without quotes.
const CREDENTIAL: usize = 256;
/// A topic.
const TOPIC: Param = Param::text("topic", 256);
const QOS: Param = Param::int("qos", 0, 2);
const RETAIN: Param = Param::one_of("retain", &[0, 1]);
/// A file's or folder's name.
const FILE: Param = Param::text("filename", 64);
/// The longest message that any model takes; each model's own limit is in its entry.
const MESSAGE: usize = 4100;

/// The commands of the family. Found before the standard ones of the same name.
pub const COMMANDS: &[&Command] = &[
    &Command::new("+MCONFIG", "Client id, user, password and will",
        "manual, MQTT/MCONFIG; guide: \"\" for no user. Field: MIPSTART and MCONNECT work without it, with a client id of the module's own; inferred: the IMEI")
        .set(&[
            Param::text("clientid", CREDENTIAL),
            Param::text("username", CREDENTIAL).optional(),
            Param::text("password", CREDENTIAL).with_previous(),
            Param::int("will_qos", 0, 2).optional(),
            Param::one_of("will_retain", &[0, 1]).with_previous(),
            Param::quoted("will_topic", 256, Escapes::None).with_previous(),
            Param::quoted("will_message", 1360, Escapes::Luat).with_previous(),
        ])
        .test(&["+MCONFIG: <clientid>[,<username>,<password>[,(0-2),(0,1),<will_topic>,<will_message>]]"]),
    &Command::new("+MIPSTART", "Open the TCP connection",
        "manual, MQTT/MIPSTART; tutorial §8.1: OK means started. Inferred: CME 3 while one is being opened; the state after STATE:")
        .set(&[Param::text("svraddr", 255), Param::int("port", 1, 65_535)])
        .test(&["+MIPSTART:\"(0,255).(0,255).(0,255).(0,255)\",(1-65535)", "+MIPSTART:\"DOMAIN NAME\",(1-65535)"])
        .replies(&[&CONNECT_OK, &CONNECT_OK_MUX, &ALREADY_CONNECT, &STATE, &CONNECT_FAIL, &CONNECT_FAIL_MUX]),
    &Command::new("+SSLMIPSTART", "Open the TCP connection, with TLS inside",
        "manual, MQTT/MIPSTART; the tutorials' three flows. Inferred: a certificate that is missing is told as CONNECT FAIL")
        .set(&[Param::text("svraddr", 255), Param::int("port", 1, 65_535)])
        .test(&["+SSLMIPSTART:\"(0,255).(0,255).(0,255).(0,255)\",(1-65535)", "+SSLMIPSTART:\"DOMAIN NAME\",(1-65535)"])
        .replies(&[&CONNECT_OK, &CONNECT_OK_MUX, &ALREADY_CONNECT, &STATE, &CONNECT_FAIL, &CONNECT_FAIL_MUX]),
    &Command::new("+MCONNECT", "Log in",
        "manual, MQTT/MCONNECT; ERROR as a report when the server refuses. Field: CME 3 without a TCP connection. A third parameter, mode, is in later manuals")
        .set(&[
            Param::one_of("clean_session", &[0, 1]),
            Param::int("keepalive", 1, 65_535),
            Param::one_of("mode", &[0, 1]).optional(),
        ])
        .test(&["+MCONNECT:(0-1),(1-65535)"])
        .replies(&[&CONNACK_OK, &crate::basic::ERROR]),
    &Command::new("+MSUB", "Subscribe", "manual, MQTT/MSUB. Inferred: a refusal by the server is reported as ERROR")
        .set(&[TOPIC, QOS])
        .test(&["+MSUB:<topic>,(0-2)"])
        .replies(&[&SUBACK, &crate::basic::ERROR, &MSUB_DIRECT, &MSUB_HEX, &MSUB_CACHED]),
    &Command::new("+MUNSUB", "Unsubscribe", "manual, MQTT/MUNSUB")
        .set(&[TOPIC])
        .test(&["+MUNSUB:<topic>"])
        .replies(&[&UNSUBACK]),
    &Command::new("+MPUB", "Publish",
        "manual, MQTT/MPUB: the message must be quoted, and field: without quotes it is ERROR. Length by model: guide 4100, tutorial §8.2 Q15 2384")
        .set(&[TOPIC, QOS, RETAIN, Param::quoted("message", 2 * MESSAGE, Escapes::Luat)])
        .test(&["+MPUB:<topic>,(0-2),(0-1),<message>"])
        .replies(&[&PUBACK, &PUBREC, &PUBCOMP]),
    &Command::new("+MPUBEX", "Publish what follows the prompt",
        "manual, MQTT/MPUBEX: > and then len bytes, or up to 0x1A, or until 5 s pass without a byte. Field: the prompt has no line end. Inferred: in HEX mode len counts raw bytes")
        .set(&[TOPIC, QOS, RETAIN, Param::int("len", 1, 4100).optional()])
        .test(&["+MPUBEX:<topic>,(0-2),(0-1),<len>"])
        .replies(&[&PUBACK, &PUBREC, &PUBCOMP]),
    &Command::new("+MDISCONNECT", "Log out", "manual, MQTT/MDISCONNECT. Field: CME 767 when there is no session")
        .execute().test(&[]),
    &Command::new("+MIPCLOSE", "Close the TCP connection", "manual, MQTT/MIPCLOSE; guide: CME 767 after CLOSED")
        .execute().test(&[]),
    &Command::new("+MQTTSTATU", "State of the connection", "manual, MQTT/MQTTSTATU")
        .execute().test(&[]).replies(&[&MQTTSTATU]),
    &Command::new("+MQTTMODE", "ASCII or HEX", "manual, MQTT/MQTTMODE")
        .set(&[Param::one_of("mode", &[0, 1])]).read().test(&["+MQTTMODE: (0,1)"]).replies(&[&MQTTMODE]),
    &Command::new("+MQTTMSGSET", "Report messages or keep them", "manual, MQTT/MQTTMSGSET; the default is direct: guide (it shows both), tutorial §6.2")
        .set(&[Param::one_of("mode", &[0, 1])]).read().test(&["+MQTTMSGSET:(0,1)"]).replies(&[&MQTTMSGSET]),
    &Command::new("+MQTTMSGGET", "Read the kept messages", "manual, MQTT/MQTTMSGGET; guide: four slots, the oldest is overwritten")
        .execute().read().test(&[]).replies(&[&MSUB_DIRECT, &MQTTMSGGET]),
    &Command::new("+CPNETAPN", "APN of a private network's SIM", "manual, TCPIP/CPNETAPN")
        .set(&[
            Param::one_of("mode", &[2, 3]),
            Param::text("apn", 128).optional(),
            Param::text("user", 32).optional(),
            Param::text("pwd", 32).optional(),
            Param::int("authmode", 0, 2).optional(),
        ])
        .read()
        .test(&["+CPNETAPN:setmode=[2,3],\"apn\",\"Username\",\"Password\",authtype=[0,1,2]"]),
    &Command::new("+CDNSGIP", "Resolve a name", "manual, TCPIP/CDNSGIP; tutorial §8.2: only after CSTT, CIICR, CIFSR. Inferred: CME 3 before, the quotes of the report")
        .set(&[Param::text("domain name", 128)]).test(&[]).replies(&[&CDNSGIP_OK, &CDNSGIP_FAIL]),
    &Command::new("+CDNSCFG", "Name servers", "manual, TCPIP/CDNSCFG. Inferred: ERROR before the bearer is up")
        .set(&[Param::text("pri_dns", 45), Param::text("sec_dns", 45).optional(), Param::int("cid", 1, 3).optional()])
        .read().test(&["+CDNSCFG: (\"Primary DNS\"),(\"Secondary DNS\")"]).replies(&[&PRIMARY_DNS, &SECONDARY_DNS]),
    &Command::new("+CSTT", "Start the TCP/IP scene", "manual, TCPIP/CSTT: only in IP INITIAL")
        .execute()
        .set(&[Param::text("apn", 128).optional(), Param::text("user name", 32).optional(), Param::text("password", 32).optional()])
        .read().test(&["+CSTT: \"APN\",\"USER\",\"PWD\""]).replies(&[&CSTT]),
    &Command::new("+CIICR", "Bring the scene up", "manual, TCPIP/CIICR: only in IP START").execute().test(&[]),
    &Command::new("+CIFSR", "Own address", "manual, TCPIP/CIFSR: the address, and no OK").execute().test(&[]),
    &Command::new("+CIPSHUT", "Shut the scene", "manual, TCPIP/CIPSHUT").execute().test(&[]).replies(&[&SHUT_OK]),
    &Command::new("+CIPSTATUS", "State of the scene", "manual, TCPIP/CIPSTATUS").execute().test(&[]).replies(&[&CIPSTATUS]),
    &Command::new("+CIPMUX", "One connection or several", "manual, TCPIP/CIPMUX: only in IP INITIAL")
        .set(&[Param::one_of("n", &[0, 1])]).read().test(&["+CIPMUX: (0,1)"]).replies(&[&CIPMUX]),
    &Command::new("+SAPBR", "Bearer", "manual, IP/SAPBR. Field: CME 3 when closing one that is closed")
        .set(&[
            Param::int("cmd_type", 0, 4),
            Param::int("cid", 1, 3),
            Param::text("ConParamTag", 16).optional(),
            Param::text("ConParamValue", 50).optional(),
        ])
        .test(&["+SAPBR: (0-4),(1-3),\"ConParamTag\",\"ConParamValue\""]).replies(&[&SAPBR, &SAPBR_PARAM]),
    &Command::new("+SSLCFG", "TLS settings",
        "manual, TCPIP/SSLCFG: without a value it is a query, with a comma and no value the setting is erased; n is 88 for MQTT. Kept over a reboot: tutorial §8.2 Q8. Inferred: the defaults")
        .set(&[Param::text("name", 20), Param::one_of("n", &[0, 1, 2, 3, 4, 5, 34, 88, 153]), Param::text("value", 128).optional()])
        .test(&[]).replies(&[&SSLCFG]),
    &Command::new("+FSCREATE", "Create a file", "manual, FS/FSCREATE. Inferred: ERROR when it exists")
        .set(&[FILE]).test(&[]),
    &Command::new("+FSWRITE", "Write a file",
        "manual, FS/FSWRITE: > and then so many bytes, in so many seconds. Inferred: mode 0 replaces what was there; the file must exist")
        .set(&[FILE, Param::one_of("mode", &[0, 1]), Param::int("filesize", 1, 10_240), Param::int("inputtime", 1, 4_294_967_295)])
        .test(&[]).replies(&[&TIME_OUT]),
    &Command::new("+FSREAD", "Read a file", "manual, FS/FSREAD")
        .set(&[FILE, Param::one_of("mode", &[0, 1]), Param::int("filesize", 1, 10_240), Param::int("position", 0, 4_294_967_295).optional()])
        .test(&[]),
    &Command::new("+FSREADHEAD", "Head of AT+FSREAD", "manual, FS/FSREADHEAD. Inferred: what the head looks like")
        .set(&[Param::one_of("mode", &[0, 1])]).read().replies(&[&FSREADHEAD]),
    &Command::new("+FSFLSIZE", "Size of a file", "manual, FS/FSFLSIZE").set(&[FILE]).test(&[]).replies(&[&FSFLSIZE]),
    &Command::new("+FSMEM", "Free bytes", "manual, FS: the example has \" bytes\" where FSMEM's own page has not")
        .execute().test(&[]).replies(&[&FSMEM]),
    &Command::new("+FSDEL", "Delete a file", "manual, FS/FSDEL").set(&[FILE]).test(&[]),
    &Command::new("+FSLS", "List a folder", "manual, FS/FSLS: a folder ends in a backslash").set(&[FILE]).test(&[]),
    &Command::new("+FSMKDIR", "Make a folder", "manual, FS/FSMKDIR").set(&[FILE]).test(&[]),
    &Command::new("+FSRMDIR", "Remove a folder", "manual, FS/FSRMDIR. Inferred: ERROR when it holds something").set(&[FILE]).test(&[]),
    &Command::new("+FSDRIVE", "Letter of a drive", "manual, FS/FSDRIVE").set(&[Param::one_of("n", &[0])]).test(&[]).replies(&[&FSDRIVE]),
    &Command::new("I", "Firmware", "manual, Base/ATI").execute().replies(&[&VERSION]),
    &Command::new("+VER", "Firmware", "manual, Base/VER").execute().test(&[]).replies(&[&VERSION]),
    &Command::new("+CGMI", "Manufacturer", "manual, Base/CGMI").execute().test(&[]).replies(&[&CGMI]),
    &Command::new("+CGMM", "Model", "manual, Base/CGMM").execute().test(&[]).replies(&[&CGMM]),
    &Command::new("+CGMR", "Firmware", "manual, Base/CGMR").execute().test(&[]).replies(&[&CGMR]),
    &Command::new("*I", "Everything about the module", "manual, Base/ATXI").execute(),
    &Command::new("*EXINFO", "Why it booted", "manual, Base/EXINFO").read().replies(&[&EXINFO]),
    &Command::new("+CCID", "The SIM's number", "manual, Base/ICCID").execute().test(&[]).replies(&[&crate::network::DIGITS]),
    &Command::new("+ICCID", "The SIM's number", "manual, Base/ICCID").execute().test(&[]).replies(&[&ICCID]),
    &Command::new("+RESET", "Reboot", "manual, Base/RESET").execute().replies(&[&RDY]),
    &Command::new("+RSTSET", "Factory settings and reboot", "manual, Base/RSTSET").execute().replies(&[&RDY]),
    &Command::new("+CPOWD", "Switch off", "manual, Device_control/CPOWD: 0 says nothing")
        .set(&[Param::one_of("n", &[0, 1])]).replies(&[&POWER_DOWN]),
    &Command::new("+CBC", "Supply voltage", "manual, Device_control/CBC; inferred: 3800 mV").execute().test(&[]).replies(&[&CBC]),
    &Command::new("+CTZR", "Reports of the network's time", "manual, Network_service/CTZR: read only, on")
        .read().test(&["+CTZR: (0,1)"]),
    &Command::new("+CTZU", "Clock follows the network", "manual, Network_service/CTZU")
        .set(&[Param::one_of("fun", &[0, 1])]).read().test(&["+CTZU: (0,1)"]),
    &Command::new("+CNETLIGHT", "Network light", "manual, Device_control/CNETLIGHT; accepted")
        .set(&[Param::one_of("n", &[0, 1])]).read(),
    &Command::new("+CSCLK", "Sleep", "manual, Device_control/CSCLK; accepted: this module never sleeps")
        .set(&[Param::int("n", 0, 3)]).read().test(&["+CSCLK: (0-3)"]),
    &Command::new("+CFGRI", "Ring indicator", "manual, Device_control/CFGRI; accepted: there is no such pin")
        .set(&[
            Param::one_of("status", &[0, 1]),
            Param::int("h_time", 1, 65_535).optional(),
            Param::int("l_time", 1, 65_535).optional(),
            Param::int("count", 1, 65_535).optional(),
        ])
        .read(),
    &Command::new("+POWERMODE", "Low power", "manual, Device_control/POWERMODE; accepted: this module never sleeps")
        .set(&[Param::text("mode", 5), Param::int("para", 0, 86_400).optional(), Param::int("para2", 0, 1).optional()]).read(),
    &Command::new("^WAKEUPHEX", "Report that wakes the host", "manual, Device_control/WAKEUPHEX; accepted")
        .set(&[Param::text("str", 256)]).read().test(&["^WAKEUPHEX=\"str\""]),
    &Command::new("+IFC", "Flow control", "manual, Device_control/IFC; accepted")
        .set(&[Param::int("dce_by_dte", 0, 2), Param::int("dte_by_dce", 0, 2).optional()]).read().test(&["+IFC: (0-2),(0-2)"]),
    &Command::new("+ICF", "Framing of characters", "manual, Device_control/ICF; accepted")
        .set(&[Param::int("format", 0, 6), Param::one_of("parity", &[0, 1]).optional()]).read().test(&["+ICF: (1-6),(0-1)"]),
];

/// What `AT+CMEE=2` says for each code.
///
/// Source: manual, Configuration/CME_ERROR, the codes of a module that does MQTT.
pub const CME: &[Meaning] = &[
    m(0, "phone failure"),
    m(3, "operation not allowed"),
    m(4, "operation not supported"),
    m(10, "SIM not inserted"),
    m(11, "SIM PIN required"),
    m(12, "SIM PUK required"),
    m(13, "SIM failure"),
    m(14, "SIM busy"),
    m(16, "incorrect password"),
    m(30, "no network service"),
    m(31, "network timeout"),
    m(50, "EXE_FAIL"),
    m(53, "parameters are invalid"),
    m(58, "INVALID_COMMAND_LINE"),
    m(100, "unknown"),
    m(148, "unspecified GPRS error"),
    m(149, "PDP authentication failure"),
    m(151, "AT command timeout"),
    m(765, "Invalid input value"),
    m(766, "Unsupported mode"),
    m(767, "Operation failed"),
    m(791, "Param count not enough"),
    m(792, "Param count beyond"),
    m(793, "Param value range beyond"),
    m(794, "Param type not match"),
    m(795, "Param format invalid"),
    m(796, "Get a null param"),
    m(797, "CFUN state is 0 or 4"),
    m(811, "Unrecognized Command"),
    m(901, "PDP_NO_ACTIVE"),
];

const fn m(code: u16, words: &'static str) -> Meaning {
    Meaning { code, words }
}
