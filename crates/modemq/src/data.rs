//! Commands that take data after a prompt: how much, and what ends it. Who does not give it leaves the module waiting, and the
//! next command becomes part of a message.

use dialect::command::{Form, parse};
use dialect::{Model, Statement, model};

/// What a command waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// So many bytes.
    Bytes(usize),
    /// Any bytes up to Ctrl-Z (0x1A).
    CtrlZ,
    /// Any bytes, until none has come for a while, or a time is over.
    Pause,
    /// Everything that is typed from now on.
    Stream,
}

/// What a command line waits for after its prompt, as a model understands it, or any of them. Sources: the commands' items.
pub fn wanted(line: &str, model: Option<&'static Model>) -> Option<Wanted> {
    let all = model::ALL.iter();
    let models = all.filter(|own| model.is_none_or(|model| model.name == own.name));
    models.into_iter().find_map(|model| wanted_by(line, model))
}

fn wanted_by(line: &str, model: &Model) -> Option<Wanted> {
    let mut bytes = line.as_bytes().get(2..)?.to_vec();
    let (statement, _) = parse(model.syntax, model.commands, &mut bytes).ok()?;
    let values = &statement.values;
    let length = |at: usize| {
        let len = values.int(at).and_then(|len| usize::try_from(len).ok());
        len.map(Wanted::Bytes)
    };
    match (statement.command.name, statement.form) {
        ("+CIPSEND", Form::Execute) => Some(Wanted::Stream),
        (_, Form::Execute | Form::Read | Form::Test) => None,
        ("+CIPSEND", _) => length(values.len() - 1),
        ("+MPUBEX", _) => length(3).or(Some(Wanted::CtrlZ)),
        ("+FSWRITE", _) => length(2),
        ("+ECMTPUB", _) if values.len() == 5 => Some(Wanted::CtrlZ),
        ("+QMTPUB" | "+QMTPUBEX", _) => published(&statement),
        ("+QMTCFG=\"willex\"", _) => length(5).filter(|len| *len != Wanted::Bytes(0)),
        ("+QFUPL", _) => length(1).or(Some(Wanted::Pause)),
        ("+QSSLCFG", _) => typed_in(&statement),
        ("+MQTTPUBRAW", _) => length(2),
        ("+MQTTLONGCLIENTID" | "+MQTTLONGUSERNAME" | "+MQTTLONGPASSWORD", _) => length(1),
        // Operation 2, and types 7 and 8: a string, bytes.
        ("+SYSMFG", _) if values.int(0) == Some(2) && values.int(3) >= Some(7) => length(4),
        _ => None,
    }
}

/// The message stands in the line, its length does, or neither.
fn published(statement: &Statement<'_>) -> Option<Wanted> {
    if statement.values.len() == 5 {
        return Some(Wanted::CtrlZ);
    }
    let len = statement.values.at(5).int()?;
    usize::try_from(len).ok().map(Wanted::Bytes)
}

/// A certificate or key of a BC26.
fn typed_in(statement: &Statement<'_>) -> Option<Wanted> {
    if !matches!(
        statement.values.text(2),
        b"cacert" | b"clientcert" | b"clientkey"
    ) {
        return None;
    }
    let len = statement
        .values
        .int(3)
        .and_then(|len| usize::try_from(len).ok());
    Some(len.map_or(Wanted::CtrlZ, Wanted::Bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_data_is_known() {
        for (line, expected) in [
            ("AT+MPUBEX=\"t\",0,0,5", Some(Wanted::Bytes(5))),
            ("AT+MPUBEX=\"t\",0,0", Some(Wanted::CtrlZ)),
            ("AT+MPUBEX=?", None),
            ("AT+FSWRITE=\"f\",0,9,10", Some(Wanted::Bytes(9))),
            ("AT+ECMTPUB=0,1,1,0,\"t\"", Some(Wanted::CtrlZ)),
            ("AT+QMTPUB=0,1,1,0,\"t\"", Some(Wanted::CtrlZ)),
            ("AT+QMTPUB=0,1,1,0,\"t\",5", Some(Wanted::Bytes(5))),
            ("AT+QMTPUBEX=0,1,1,0,\"t\",5", Some(Wanted::Bytes(5))),
            ("AT+QMTPUBEX=0,1,1,0,\"t\",\"hello\"", None),
            ("AT+QFUPL=\"UFS:ca\",12,60", Some(Wanted::Bytes(12))),
            ("AT+QFUPL=\"UFS:ca\"", Some(Wanted::Pause)),
            ("AT+QSSLCFG=1,5,\"cacert\"", Some(Wanted::CtrlZ)),
            ("AT+QSSLCFG=1,5,\"seclevel\",2", None),
            ("AT+MQTTPUBRAW=0,\"t\",5,0,0", Some(Wanted::Bytes(5))),
            ("AT+CIPSEND=5", Some(Wanted::Bytes(5))),
            ("AT+CIPSEND=0,5", Some(Wanted::Bytes(5))),
            ("AT+CIPSEND", Some(Wanted::Stream)),
            ("AT+CSQ", None),
            ("ATI", None),
        ] {
            assert_eq!(wanted(line, None), expected, "{line}");
        }
        // One model's message is another one's length.
        let bc26 = Model::by_name("bc26");
        assert_eq!(wanted("AT+QMTPUB=0,1,1,0,\"t\",5", bc26), None);
        assert_eq!(wanted("AT+MPUBEX=\"t\",0,0,5", bc26), None);
    }
}
