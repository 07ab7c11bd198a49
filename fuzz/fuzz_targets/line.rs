//! Command lines and replies: no bytes panic, and what is understood can be written and understood again.
#![no_main]

use dialect::command;
use dialect::model::ALL;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for model in ALL {
        let mut bytes = data.to_vec();
        let mut line = &mut bytes[..];
        while let Ok((statement, rest)) = command::parse(model.syntax, model.commands, line) {
            let values = statement.values.as_slice();
            let mut written = Vec::new();
            let fits = statement.command.write(statement.form, values, &mut |part| written.extend_from_slice(part));
            if fits.is_ok() {
                let (again, _) = command::parse(model.syntax, model.commands, &mut written[2..]).expect("what was written is read");
                assert_eq!(again.command.name, statement.command.name);
                for (one, other) in again.values.as_slice().iter().zip(values) {
                    assert_eq!((one.int(), one.text()), (other.int(), other.text()));
                }
            }
            if rest.is_empty() {
                break;
            }
            line = rest;
        }
        for command in model.commands.iter().flat_map(|table| table.iter()) {
            for reply in command.replies {
                if let Some(values) = reply.parse(data) {
                    let mut written = Vec::new();
                    reply.write(values.as_slice(), &mut |part| written.extend_from_slice(part));
                    let again = reply.parse(&written);
                    assert_eq!(again.as_ref(), Some(&values));
                }
            }
        }
    }
});
