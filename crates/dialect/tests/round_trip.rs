//! What is written is read back, for every command and reply of every model; and nothing that is read panics.

// These helpers are called by tests alone.
#![allow(clippy::unwrap_used)]

use dialect::command::{self, Command, Form, Kind, Param, Presence, Statement};
use dialect::model::ALL;
use dialect::value::Value;
use dialect::{Line, Model, Piece};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// A value that owns its bytes.
#[derive(Clone, Debug)]
enum Owned {
    Int(i64),
    Text(Vec<u8>),
}

impl Owned {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Int(number) => Value::Int(*number),
            Self::Text(text) => Value::Text(text),
        }
    }
}

fn commands(model: &Model) -> impl Iterator<Item = &'static Command> {
    model
        .commands
        .iter()
        .flat_map(|table| table.iter().copied())
}

fn value_of(param: &Param) -> BoxedStrategy<Owned> {
    match param.kind {
        Kind::Int(min, max) => (min..=max).prop_map(Owned::Int).boxed(),
        Kind::OneOf(numbers) => prop::sample::select(numbers).prop_map(Owned::Int).boxed(),
        // Without escapes a string cannot hold quotes, line ends or what edits the line.
        Kind::Text(max) => prop::collection::vec(b' '..=b'~', 1..=max.min(40))
            .prop_map(|text| Owned::Text(text.into_iter().filter(|byte| *byte != b'"').collect()))
            .boxed(),
        Kind::Quoted(max, dialect::wire::Escapes::None) => {
            prop::collection::vec(b'#'..=b'~', 1..=max.min(40))
                .prop_map(Owned::Text)
                .boxed()
        }
        Kind::Rest(max) => prop::collection::vec(b' '..=b'~', 1..=max.min(40))
            .prop_map(Owned::Text)
            .boxed(),
        Kind::Quoted(max, dialect::wire::Escapes::Backslash) => {
            let byte = any::<u8>().prop_filter("no line end", |byte| !matches!(byte, 0 | b'\n'));
            prop::collection::vec(byte, 1..=max.min(40))
                .prop_map(Owned::Text)
                .boxed()
        }
        Kind::Quoted(max, _) => prop::collection::vec(any::<u8>(), 1..=max.min(40))
            .prop_map(Owned::Text)
            .boxed(),
    }
}

/// A number of parameters that the command takes.
fn counts(params: &[Param]) -> Vec<usize> {
    (0..=params.len())
        .filter(|&count| {
            let required = params
                .iter()
                .take_while(|param| param.presence == Presence::Required)
                .count();
            let splits = params
                .get(count)
                .is_some_and(|next| next.presence == Presence::WithPrevious);
            count >= required && count > 0 && !splits
        })
        .collect()
}

#[test]
fn every_command_is_read_as_it_was_written() {
    for model in ALL {
        for command in commands(model) {
            // A namesake in an earlier table hides this one.
            if !std::ptr::eq(
                command::find(model.commands, command.name.as_bytes()).unwrap(),
                command,
            ) {
                continue;
            }
            for form in [Form::Execute, Form::Read, Form::Test] {
                if command.has(form) {
                    check(model, command, form, &[]);
                }
            }
            let lists = [command.set, command.or_set].into_iter().flatten();
            for (params, count) in
                lists.flat_map(|params| counts(params).into_iter().map(move |n| (params, n)))
            {
                let values: Vec<_> = params[..count].iter().map(value_of).collect();
                let mut runner = TestRunner::new(Config::with_cases(32));
                runner
                    .run(&values, |values| {
                        check(model, command, Form::Set, &values);
                        Ok(())
                    })
                    .unwrap();
            }
        }
    }
}

fn check(model: &Model, command: &'static Command, form: Form, values: &[Owned]) {
    let values: Vec<_> = values.iter().map(Owned::value).collect();
    let mut line = Vec::new();
    command
        .write(form, &values, &mut |part| line.extend_from_slice(part))
        .unwrap();
    let shown = String::from_utf8_lossy(&line).into_owned();
    let (statement, rest) = command::parse(model.syntax, model.commands, &mut line[2..])
        .unwrap_or_else(|error| panic!("{shown}: {error}"));
    let Statement {
        command: read,
        form: read_form,
        values: read_values,
        ..
    } = statement;
    assert_eq!((read.name, read_form), (command.name, form), "{shown}");
    // An empty string is the same as one that is left out.
    let given = |values: &[Value<'_>]| -> Vec<(Option<i64>, Vec<u8>)> {
        values
            .iter()
            .map(|value| (value.int(), value.text().to_vec()))
            .collect()
    };
    assert_eq!(given(read_values.as_slice()), given(&values), "{shown}");
    assert!(rest.is_empty(), "{shown}");
}

#[test]
fn every_line_is_read_as_it_was_written() {
    for model in ALL {
        for line in commands(model).flat_map(|command| command.replies) {
            let values: Vec<_> = line.pieces.iter().filter_map(field_of).collect();
            let mut runner = TestRunner::new(Config::with_cases(64));
            runner
                .run(&values, |mut values| {
                    lengths_fit(line, &mut values);
                    let values: Vec<_> = values.iter().map(Owned::value).collect();
                    let mut text = Vec::new();
                    line.write(&values, &mut |part| text.extend_from_slice(part));
                    let read = line.parse(&text);
                    prop_assert_eq!(
                        read.as_ref().map(dialect::Values::as_slice),
                        Some(&values[..]),
                        "{}",
                        line.name
                    );
                    Ok(())
                })
                .unwrap();
        }
    }
}

fn field_of(piece: &Piece) -> Option<BoxedStrategy<Owned>> {
    match piece {
        Piece::Lit(_) => None,
        Piece::Int(_) => Some((0..100_000_i64).prop_map(Owned::Int).boxed()),
        Piece::Quoted(_) => Some(
            "[a-z/{}:.]{0,20}"
                .prop_map(|text| Owned::Text(text.into()))
                .boxed(),
        ),
        Piece::Bare(_) => Some(
            "[a-zA-Z0-9./]{1,20}"
                .prop_map(|text| Owned::Text(text.into()))
                .boxed(),
        ),
        Piece::Sized(_) => Some(
            prop::collection::vec(any::<u8>(), 0..60)
                .prop_map(Owned::Text)
                .boxed(),
        ),
    }
}

/// The number before a sized field is its length.
fn lengths_fit(line: &Line, values: &mut [Owned]) {
    let fields: Vec<_> = line
        .pieces
        .iter()
        .filter(|piece| !matches!(piece, Piece::Lit(_)))
        .collect();
    for index in 1..fields.len() {
        if matches!(fields[index], Piece::Sized(_))
            && let Owned::Text(text) = &values[index]
        {
            values[index - 1] = Owned::Int(i64::try_from(text.len()).unwrap());
        }
    }
}

proptest! {
    #[test]
    fn no_command_line_panics(line in prop::collection::vec(any::<u8>(), 0..200), start in "(\\+M[A-Z]{2,9}[=?\",0-9]{0,9})?") {
        for model in ALL {
            let mut bytes = start.clone().into_bytes();
            bytes.extend_from_slice(&line);
            let mut rest = &mut bytes[..];
            while let Ok((_, after)) = command::parse(model.syntax, model.commands, rest) {
                if after.is_empty() {
                    break;
                }
                rest = after;
            }
            for line in commands(model).flat_map(|command| command.replies) {
                let _ = line.parse(start.as_bytes());
            }
        }
    }
}

/// What ESP-AT reads, and the codes that it prints when it cannot.
#[test]
fn esp_at_splits_at_every_comma_without_a_backslash() {
    let model = Model::by_name("esp8266").unwrap();
    let mut line = br#"+MQTTPUB=0,"t","{\"a\":1\,\"b\":\\2}",0x1,0"#.to_vec();
    let (statement, _) = command::parse(model.syntax, model.commands, &mut line).unwrap();
    assert_eq!(statement.values.text(2), br#"{"a":1,"b":\2}"#);
    assert_eq!(statement.values.int(3), Some(1));
    for (line, codes) in [
        (
            r#"+MQTTPUB=0,"t","{\"a\":1,\"b\":2}",1,0"#,
            [Some(0x0108_0002), Some(0x010a_6044)],
        ),
        (
            r#"+MQTTPUB=0,"t","{"a":1}",1,0"#,
            [Some(0x0108_0002), Some(0x010a_6044)],
        ),
        (
            r#"+MQTTPUB=0,t,"a",1,0"#,
            [Some(0x0108_0001), Some(0x010a_6041)],
        ),
        (r#"+MQTTPUB=0,"t","a",3,0"#, [Some(0x010a_6048), None]),
        (r#"+MQTTPUB=0,"t","a",1,0,5"#, [Some(0x010a_6008), None]),
        (
            r#"+MQTTPUB=0,"t","a",1"#,
            [Some(0x0108_0004), Some(0x010a_6049)],
        ),
        (
            r#"+MQTTUSERCFG=0,2,"","","",0,0,"""#,
            [Some(0x010a_6013), None],
        ),
        (r#"+MQTTCONN=0,"h",0,0"#, [Some(0x010a_603e), None]),
        ("+CWMODE=9", [Some(0x0107_0001), None]),
        ("+CWMODE=\"1\"", [Some(0x0108_0000), None]),
        ("+CWMODE= 1", [Some(0x0108_0000), None]),
        ("+CWMODE=1,1,1", [Some(0x0106_0203), None]),
        ("+CWMODE", [None, None]),
        ("+CWMODE=1;+CWMODE?", [Some(0x0108_0000), None]),
        ("+CIPMQTTC=1", [Some(0x0109_0000), None]),
    ] {
        let mut bytes = line.as_bytes().to_vec();
        let error = command::parse(model.syntax, model.commands, &mut bytes)
            .map(|_| ())
            .unwrap_err();
        assert_eq!(
            dialect::espressif::error_codes(&error),
            codes,
            "{line}: {error}"
        );
    }
}

/// One command, two lists of parameters.
#[test]
fn the_list_is_chosen_by_its_length_and_its_first_value() {
    let model = Model::by_name("esp8266").unwrap();
    for (line, names) in [
        (r#"+CIPSTART="TCP","h",80"#, "type,remote host,remote port"),
        (
            r#"+CIPSTART=3,"TCP","h",80"#,
            "link ID,type,remote host,remote port",
        ),
        ("+CIPSEND=5", "length"),
        ("+CIPSEND=1,5", "link ID,length"),
    ] {
        let mut bytes = line.as_bytes().to_vec();
        let (statement, _) = command::parse(model.syntax, model.commands, &mut bytes).unwrap();
        let given = statement.values.len();
        let read: Vec<_> = statement.params[..given]
            .iter()
            .map(|param| param.name)
            .collect();
        assert_eq!(read.join(","), names);
    }
}

#[test]
fn errors_say_what_was_wrong_and_what_would_be_right() {
    let model = Model::by_name("air780ep").unwrap();
    for (line, wanted) in [
        (
            "+MCONNECT=1",
            "AT+MCONNECT takes 2 or 3 parameters (clean_session (0,1), keepalive (1-65535), mode (0,1)); got 1",
        ),
        (
            "+MCONFIG=a,b",
            "AT+MCONFIG takes 1 or 3 or 7 parameters (clientid, username, password, will_qos (0-2), will_retain (0,1), \"will_topic\", \"will_message\"); got 2",
        ),
        (
            "+MSUB=\"a\",3",
            "AT+MSUB parameter 2, qos (0-2), is out of range",
        ),
        (
            "+MPUB=a,0,0,x",
            "AT+MPUB parameter 4, \"message\", needs its quotes",
        ),
        (
            "+MSUB=\"a,0",
            "AT+MSUB parameter 1, topic, has a quote that is never closed",
        ),
        ("+MSUB?", "AT+MSUB has only the forms AT+MSUB=…, AT+MSUB=?"),
        ("+QMTOPEN=0", "this model has no such command"),
    ] {
        let mut bytes = line.as_bytes().to_vec();
        let error = command::parse(model.syntax, model.commands, &mut bytes)
            .map(|_| ())
            .unwrap_err();
        assert_eq!(error.to_string(), wanted);
    }
}

/// The end of a command was looked for with one parameter's escapes for all of them: a topic that ends with a backslash cut
/// the message at its first semicolon.
#[test]
fn a_semicolon_in_a_string_ends_no_command() {
    let model = Model::by_name("air780ep").unwrap();
    let mut bytes = b"+MPUB=\"a\\\",0,0,\"b;c\";+CSQ".to_vec();
    let (statement, rest) = command::parse(model.syntax, model.commands, &mut bytes).unwrap();
    assert_eq!(statement.values.text(0), b"a\\");
    assert_eq!(statement.values.text(3), b"b;c");
    assert_eq!(rest, b"+CSQ");
}
