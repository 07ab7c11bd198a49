//! 3GPP TS 27.007: SIM, signal, registration, attach, PDP context, clock.
//!
//! The answers have the punctuation of the Luat manual, which is the standard's; a family that prints one of them
//! differently has its own item, which is found first.

use crate::command::{Command, Param};
use crate::reply::{Line, Piece::*};

/// `+CPIN: <code>`
pub const CPIN: Line = Line::new(
    "+CPIN",
    &[Lit("+CPIN: "), Bare("code")],
    "What the SIM wants: READY, SIM PIN …",
);
/// `+CSQ: <rssi>,<ber>`
pub const CSQ: Line = Line::new(
    "+CSQ",
    &[Lit("+CSQ: "), Int("rssi"), Lit(","), Int("ber")],
    "Signal: 0 to 31 is -113 to -51 dBm in steps of 2, 99 unknown; bit error rate class 0 to 7, 99 unknown.",
);
/// `+CESQ: …`
pub const CESQ: Line = Line::new(
    "+CESQ",
    &[
        Lit("+CESQ: "),
        Int("rxlev"),
        Lit(","),
        Int("ber"),
        Lit(","),
        Int("rscp"),
        Lit(","),
        Int("ecno"),
        Lit(","),
        Int("rsrq"),
        Lit(","),
        Int("rsrp"),
    ],
    "Extended signal quality; what does not apply is 99 or 255.",
);
/// `+CFUN: <fun>`
pub const CFUN: Line = Line::new(
    "+CFUN",
    &[Lit("+CFUN: "), Int("fun")],
    "0 minimum, 1 full, 4 flight mode.",
);
/// The four lines of a registration command. An answer has `<n>` before `<stat>` and a report has not: their number of
/// numbers tells them apart.
macro_rules! registration {
    ($name:literal: $read:ident, $read_at:ident, $report:ident, $report_at:ident) => {
        #[doc = concat!("`", $name, ": <n>,<stat>`")]
        pub const $read: Line = Line::new(
            concat!($name, " (read)"),
            &[Lit(concat!($name, ": ")), Int("n"), Lit(","), Int("stat")],
            "The answer: 1 registered, 5 roaming, 0 not, 2 searching, 3 denied.",
        );
        #[doc = concat!("`", $name, ": <n>,<stat>,<place>`")]
        pub const $read_at: Line = Line::new(
            concat!($name, " (read, with the cell)"),
            &[
                Lit(concat!($name, ": ")),
                Int("n"),
                Lit(","),
                Int("stat"),
                Lit(","),
                Bare("place"),
            ],
            "The same, with area, cell and access technology.",
        );
        #[doc = concat!("`", $name, ": <stat>`")]
        pub const $report: Line = Line::new(
            $name,
            &[Lit(concat!($name, ": ")), Int("stat")],
            "The registration changed; after n 1.",
        );
        #[doc = concat!("`", $name, ": <stat>,\"<place>`")]
        pub const $report_at: Line = Line::new(
            concat!($name, " (with the cell)"),
            &[
                Lit(concat!($name, ": ")),
                Int("stat"),
                Lit(",\""),
                Bare("place"),
            ],
            "The registration or the cell changed; after n 2 and more.",
        );
    };
}
registration!("+CREG": CREG_READ, CREG_READ_AT, CREG, CREG_AT);
registration!("+CGREG": CGREG_READ, CGREG_READ_AT, CGREG, CGREG_AT);
registration!("+CEREG": CEREG_READ, CEREG_READ_AT, CEREG, CEREG_AT);

/// `+CGATT: <state>`
pub const CGATT: Line = Line::new(
    "+CGATT",
    &[Lit("+CGATT: "), Int("state")],
    "1 attached to packet service, 0 not.",
);
/// `+CGACT: <cid>,<state>`
pub const CGACT: Line = Line::new(
    "+CGACT",
    &[Lit("+CGACT: "), Int("cid"), Lit(","), Int("state")],
    "Whether a PDP context is active.",
);
/// `+CGPADDR: <cid>,"<address>"`
pub const CGPADDR: Line = Line::new(
    "+CGPADDR",
    &[Lit("+CGPADDR: "), Int("cid"), Lit(","), Quoted("address")],
    "The address of a PDP context.",
);
/// `+COPS: <mode>,<format>,"<oper>",<AcT>`
pub const COPS: Line = Line::new(
    "+COPS",
    &[
        Lit("+COPS: "),
        Int("mode"),
        Lit(","),
        Int("format"),
        Lit(","),
        Quoted("oper"),
        Lit(","),
        Int("AcT"),
    ],
    "The operator; 7 is E-UTRAN.",
);
/// `+COPS: <mode>`
pub const COPS_NONE: Line = Line::new(
    "+COPS (no operator)",
    &[Lit("+COPS: "), Int("mode")],
    "Not registered.",
);
/// `+CCLK: "<time>"`
pub const CCLK: Line = Line::new(
    "+CCLK",
    &[Lit("+CCLK: "), Quoted("time")],
    "yy/MM/dd,hh:mm:ss±zz, zz in quarters of an hour.",
);
/// `<digits>`
pub const DIGITS: Line = Line::new(
    "digits",
    &[Bare("digits")],
    "A number of identity, alone on its line.",
);

const N_0_5: &[Param] = &[Param::int("n", 0, 5).optional()];
const CID: Param = Param::int("cid", 1, 15);

/// The 27.007 commands of every cellular model.
pub const COMMANDS: &[&Command] = &[
    &Command::new("+CPIN", "SIM and its PIN", "3GPP TS 27.007 §8.3")
        .set(&[Param::text("pin", 8), Param::text("newpin", 8).optional()])
        .read()
        .test(&[])
        .replies(&[&CPIN]),
    &Command::new("+CSQ", "Signal quality", "3GPP TS 27.007 §8.5").execute().test(&["+CSQ: (0-31,99),(0-7,99)"]).replies(&[&CSQ]),
    &Command::new("+CESQ", "Extended signal quality", "3GPP TS 27.007 §8.69")
        .execute()
        .test(&["+CESQ: (0-63,99),(0-7,99),(0-96,255),(0-49,255),(0-34,255),(0-97,255)"])
        .replies(&[&CESQ]),
    &Command::new("+CREG", "Registration, circuit domain", "3GPP TS 27.007 §7.2; Luat AT manual, Network_service/CREG")
        .set(&[Param::int("n", 0, 3).optional()])
        .read()
        .test(&["+CREG:(0,1,2,3)"])
        .replies(&[&CREG_READ, &CREG_READ_AT, &CREG, &CREG_AT]),
    &Command::new("+CGREG", "Registration, GPRS", "3GPP TS 27.007 §10.1.20; Luat AT manual, GPRS/CGREG")
        .set(N_0_5)
        .read()
        .test(&["+CGREG:(0,1,2,3,4,5)"])
        .replies(&[&CGREG_READ, &CGREG_READ_AT, &CGREG, &CGREG_AT]),
    &Command::new("+CEREG", "Registration, EPS", "3GPP TS 27.007 §10.1.22; Luat AT manual, Network_service/CEREG")
        .set(N_0_5)
        .read()
        .test(&["+CEREG: (0,1,2,3,4,5)"])
        .replies(&[&CEREG_READ, &CEREG_READ_AT, &CEREG, &CEREG_AT]),
    &Command::new("+CGATT", "Attach to packet service", "3GPP TS 27.007 §10.1.9; Luat AT manual, GPRS/CGATT")
        .set(&[Param::one_of("state", &[0, 1])])
        .read()
        .test(&["+CGATT: (0-1)"])
        .replies(&[&CGATT]),
    &Command::new("+CGDCONT", "Definition of a PDP context", "3GPP TS 27.007 §10.1.1; Luat AT manual, GPRS/CGDCONT")
        .set(&[
            CID,
            Param::text("PDP_type", 8).optional(),
            Param::text("APN", 100).optional(),
            Param::text("PDP_addr", 64).optional(),
            Param::int("d_comp", 0, 2).optional(),
            Param::int("h_comp", 0, 2).optional(),
        ])
        .read()
        .test(&[
            "+CGDCONT: (1-15),\"IP\",,,,,(0),(0,2),(0),(0),(0,1),(0),(0,1),(0)",
            "+CGDCONT: (1-15),\"IPV6\",,,,,(0),(0,2),(0),(0),(0,1),(0),(0),(0)",
            "+CGDCONT: (1-15),\"IPV4V6\",,,,,(0),(0,2),(0),(0),(0,1),(0),(0,1),(0)",
            "+CGDCONT: (1-15),\"Non-IP\",,,,,(0),(0,2),(0),(0),(0,1),(0),(0),(0),(0,1)",
        ]),
    &Command::new("+CGACT", "Activation of a PDP context", "3GPP TS 27.007 §10.1.10; Luat AT manual, GPRS/CGACT")
        .set(&[Param::one_of("state", &[0, 1]), CID.optional()])
        .read()
        .test(&["+CGACT: (0,1)"])
        .replies(&[&CGACT]),
    &Command::new("+CGPADDR", "Address of a PDP context", "3GPP TS 27.007 §10.1.14; Luat AT manual, GPRS/CGPADDR")
        .execute()
        .set(&[CID])
        .test(&["+CGPADDR: (1)"])
        .replies(&[&CGPADDR]),
    &Command::new("+CGCONTRDP", "Parameters of an active PDP context", "3GPP TS 27.007 §10.1.23; Luat AT manual, Network_service/CGCONTRDP")
        .execute()
        .set(&[CID])
        .test(&["+CGCONTRDP: (1)"]),
    &Command::new("+CGAUTH", "Authentication of a PDP context", "3GPP TS 27.007 §10.1.31; Luat AT manual, GPRS/CGAUTH")
        .set(&[
            CID,
            Param::int("auth_prot", 0, 2).optional(),
            Param::text("userid", 64).optional(),
            Param::text("password", 64).optional(),
        ])
        .read()
        .test(&["+CGAUTH: (1-15),(0-2),64,64"]),
    &Command::new("+CGEREP", "Reports of packet domain events", "3GPP TS 27.007 §10.1.19; Luat AT manual, GPRS/CGEREP. Inferred: on from power-on, since the tutorials' +CGEV reports come without it")
        .set(&[Param::one_of("mode", &[0, 1]), Param::one_of("bfr", &[0, 1]).optional()])
        .read()
        .test(&["+CGEREP: (0,1),(0,1)"]),
    &Command::new("+COPS", "Operator", "3GPP TS 27.007 §7.3; Luat AT manual, Network_service/COPS")
        .set(&[
            Param::int("mode", 0, 4),
            Param::int("format", 0, 2).optional(),
            Param::text("oper", 32).optional(),
            Param::int("AcT", 0, 8).optional(),
        ])
        .read()
        .test(&[])
        .replies(&[&COPS, &COPS_NONE]),
    &Command::new("+CFUN", "Functionality", "3GPP TS 27.007 §8.2; Luat AT manual, Device_control/CFUN")
        .set(&[Param::one_of("fun", &[0, 1, 4]), Param::one_of("rst", &[0, 1]).optional()])
        .read()
        .test(&["+CFUN: (0,1,4),(0,1)"])
        .replies(&[&CFUN]),
    &Command::new("+CCLK", "Clock", "3GPP TS 27.007 §8.15; Luat AT manual, Configuration/CCLK")
        .set(&[Param::text("time", 20)])
        .read()
        .test(&[])
        .replies(&[&CCLK]),
    &Command::new("+CIMI", "IMSI", "3GPP TS 27.007 §5.6").execute().test(&[]).replies(&[&DIGITS]),
    &Command::new("+CGSN", "IMEI", "3GPP TS 27.007 §5.4").execute().test(&[]).replies(&[&DIGITS]),
    &Command::new("+GSN", "IMEI", "V.250 §6.1.7").execute().test(&[]).replies(&[&DIGITS]),
];
