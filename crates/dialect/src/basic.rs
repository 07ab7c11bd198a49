//! V.250: the command line itself, and identification.

use crate::command::{Command, Param};
use crate::reply::{Line, Piece::*};

/// `OK`
pub const OK: Line = Line::new("OK", &[Lit("OK")], "The command was taken.");
/// `ERROR`
pub const ERROR: Line = Line::new("ERROR", &[Lit("ERROR")], "The command was refused.");
/// `+CME ERROR: <n>`
pub const CME_ERROR: Line = Line::new(
    "+CME ERROR",
    &[Lit("+CME ERROR: "), Int("err")],
    "The command was refused; 3GPP TS 27.007 §9.2.",
);
/// `+CME ERROR: <words>`
pub const CME_ERROR_WORDS: Line = Line::new(
    "+CME ERROR (verbose)",
    &[Lit("+CME ERROR: "), Bare("err")],
    "The command was refused, in words: after AT+CMEE=2.",
);
/// `<number>`, the answer to `ATS3?`
pub const REGISTER: Line = Line::new("S-register", &[Int("n")], "The value of an S-register.");
/// `+CMEE: <n>`
pub const CMEE_READ: Line = Line::new(
    "+CMEE",
    &[Lit("+CMEE: "), Int("n")],
    "How errors are reported.",
);
/// `+IPR: <rate>`
pub const IPR_READ: Line = Line::new(
    "+IPR",
    &[Lit("+IPR: "), Int("rate")],
    "Bits per second; 0: found by itself.",
);

/// The rates that every model here can be set to, in bits per second; 0 is autobauding.
pub const RATES: &[i64] = &[
    0, 600, 1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 921_600,
];

/// The V.250 commands of every cellular model.
pub const COMMANDS: &[&Command] = &[
    &Command::new("E", "Echo of commands", "V.250 §6.2.4").execute().set(&[Param::one_of("value", &[0, 1])]),
    &Command::new("Q", "Suppression of result codes", "V.250 §6.2.5").execute().set(&[Param::one_of("n", &[0, 1])]),
    &Command::new("V", "Form of result codes", "V.250 §6.2.6").execute().set(&[Param::one_of("value", &[0, 1])]),
    &Command::new("X", "Selection of result codes", "V.250 §6.2.7; accepted").execute().set(&[Param::int("value", 0, 4)]),
    &Command::new("Z", "Back to the saved profile", "V.250 §6.1.1").execute().set(&[Param::one_of("value", &[0])]),
    &Command::new("&F", "Back to factory settings", "V.250 §6.1.2").execute().set(&[Param::one_of("value", &[0])]),
    &Command::new("&W", "Save the profile", "Luat AT manual, Configuration/AT&W").execute().set(&[Param::one_of("value", &[0, 1])]),
    &Command::new("&C", "Behaviour of DCD", "V.250 §6.2.8; seen by hosts with RFC 2217").execute().set(&[Param::one_of("value", &[0, 1])]),
    &Command::new("&D", "Behaviour of DTR", "V.250 §6.2.9; accepted").execute().set(&[Param::int("value", 0, 2)]),
    &Command::new("S3", "Command line termination character", "V.250 §6.2.1; only 13").read().set(&[Param::one_of("value", &[13])]).replies(&[&REGISTER]),
    &Command::new("S4", "Response formatting character", "V.250 §6.2.2; only 10").read().set(&[Param::one_of("value", &[10])]).replies(&[&REGISTER]),
    &Command::new("S5", "Command line editing character", "V.250 §6.2.3; only 8").read().set(&[Param::one_of("value", &[8])]).replies(&[&REGISTER]),
    &Command::new("+CMEE", "Error reporting", "3GPP TS 27.007 §9.1")
        .set(&[Param::int("n", 0, 2)])
        .read()
        .test(&["+CMEE: (0-2)"])
        .replies(&[&CMEE_READ]),
    &Command::new("+IPR", "Rate of the serial line", "V.250 §6.2.10")
        .set(&[Param::one_of("rate", RATES)])
        .read()
        .test(&["+IPR: (600,1200,2400,4800,9600,19200,38400,57600,115200,230400),(0,600,1200,2400,4800,9600,19200,38400,57600,115200,230400,460800,921600)"])
        .replies(&[&IPR_READ]),
];
