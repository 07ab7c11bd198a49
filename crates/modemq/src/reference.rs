//! The reference page of a model, printed from its command items: there is no second table.

use dialect::model::Bearer;
use dialect::{Command, Form, Kind, Line, Model, Param, Piece, Presence, Syntax};
use std::fmt::Write;
use std::time::Duration;

/// The page of a model, in Markdown.
pub fn page(model: &Model) -> String {
    let mut page = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut page, model);
    page
}

/// Every model in a table: language, limits and defaults.
pub fn models() -> String {
    let mut table = format!(
        "{:<10} {:<10} {:<10} {:>9} {:>9} {:>9} {:>8} {:>5} {:>5}\n",
        "model", "name", "family", "publish", "data", "report", "bit/s", "echo", "CMEE"
    );
    for model in dialect::model::ALL {
        table.push_str(&format!(
            "{:<10} {:<10} {:<10} {:>9} {:>9} {:>9} {:>8} {:>5} {:>5}\n",
            model.name,
            model.title,
            model.family.name(),
            model.limits.publish,
            model.limits.publish_data,
            model.limits.report,
            model.defaults.baud,
            if model.defaults.echo { "on" } else { "off" },
            model.defaults.cmee
        ));
    }
    table.push_str(
        "\nIn bytes: publish, the message of an inline publish (0: the model has none); data, of one after the prompt; report, of a report.\n",
    );
    table
}

fn write(page: &mut String, model: &Model) -> std::fmt::Result {
    writeln!(page, "# {}\n", model.title)?;
    writeln!(
        page,
        "Printed by `modemq reference {}` from the command items in `crates/dialect`; a test compares it.\n",
        model.name
    )?;
    limits(page, model)?;
    let mut before = "";
    for table in model.commands {
        let title = match table.first().map(|command| command.name) {
            Some("E") if model.bearer != Bearer::WiFi => "V.250",
            Some("+CPIN") => "3GPP TS 27.007",
            _ => "The vendor's",
        };
        if title != before {
            writeln!(page, "## {title}\n")?;
        }
        before = title;
        for command in *table {
            write_command(page, command)?;
        }
    }
    if !model.as_written.is_empty() {
        writeln!(
            page,
            "## Lines of the fourth tutorial that the firmware refuses\n"
        )?;
        writeln!(page, "`--as-written` carries them out.\n")?;
        writeln!(page, "| Line | The form that works |\n|---|---|")?;
        for command in model.as_written.iter().flat_map(|table| table.iter()) {
            writeln!(page, "| `{}` | {} |", set_form(command), command.title)?;
        }
        writeln!(page)?;
    }
    let words = match model.syntax {
        Syntax::V250 => "`AT+CMEE=2`",
        Syntax::EspAt => "After `0x010A` in `ERR CODE`",
    };
    writeln!(page, "## Error codes\n\n| Code | {words} |\n|---|---|")?;
    for meaning in model.cme {
        match model.syntax {
            Syntax::V250 => writeln!(page, "| {} | {} |", meaning.code, meaning.words)?,
            Syntax::EspAt => writeln!(page, "| 0x{:04X} | {} |", meaning.code, meaning.words)?,
        }
    }
    writeln!(page, "\n## What is inferred\n")?;
    writeln!(
        page,
        "The sources are silent or disagree; this is what most clients tolerate.\n"
    )?;
    let commands = || model.commands.iter().flat_map(|table| table.iter());
    for command in commands() {
        if let Some(what) = inferred(command.source) {
            writeln!(page, "- `AT{}`: {what}", command.name)?;
        }
    }
    writeln!(page, "\n## What is not supported\n")?;
    for gap in model.gaps {
        writeln!(page, "- {gap}")?;
    }
    let stored: Vec<_> = commands()
        .filter(|command| {
            has_word(command.source, "stored") || has_word(command.source, "accepted")
        })
        .map(|command| format!("`AT{}`", command.name))
        .collect();
    if !stored.is_empty() {
        writeln!(
            page,
            "- Accepted and read back, without effect here: {}",
            stored.join(", ")
        )?;
    }
    Ok(())
}

/// What a source says to be inferred.
fn inferred(source: &str) -> Option<&str> {
    let at = source.to_ascii_lowercase().find("inferred")?;
    let rest = &source[at + "inferred".len()..];
    Some(match rest.trim_start_matches([':', ' ']) {
        // The whole of it.
        "" => source[..at].trim_end_matches([' ', ',', ';', ':', '.']),
        rest => rest,
    })
    .filter(|what| !what.is_empty())
    .or(Some("all of it"))
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|letter: char| !letter.is_alphabetic())
        .any(|own| own == word)
}

fn limits(page: &mut String, model: &Model) -> std::fmt::Result {
    let limits = &model.limits;
    let bytes = |count: usize| match count {
        0 => "none".into(),
        count => format!("{count} bytes"),
    };
    let rows = [
        ("Family", model.family.name().to_string()),
        ("Firmware", format!("`{}`", model.firmware)),
        ("Command line", bytes(limits.line)),
        ("Message of an inline publish", bytes(limits.publish)),
        ("Message after a prompt", bytes(limits.publish_data)),
        ("Message in a report", bytes(limits.report)),
        ("Kept messages", limits.slots.to_string()),
        ("Kept message", bytes(limits.cached)),
        ("File system", bytes(limits.flash)),
        ("UART", format!("{} bit/s", model.defaults.baud)),
        (
            "Echo",
            if model.defaults.echo { "on" } else { "off" }.into(),
        ),
        ("`AT+CMEE`", model.defaults.cmee.to_string()),
        (
            "From power-on to the first report",
            millis(model.timing.boot),
        ),
        ("From a command to its reply", millis(model.timing.reply)),
        (
            "Of the network, for a connection",
            millis(model.timing.connect),
        ),
        (
            "Of the network, for an answer",
            millis(model.timing.round_trip),
        ),
    ];
    writeln!(page, "| | |\n|---|---|")?;
    for (name, value) in rows {
        writeln!(page, "| {name} | {value} |")?;
    }
    writeln!(page)
}

fn millis(span: Duration) -> String {
    format!("{} ms", span.as_secs_f64() * 1000.0)
}

fn write_command(page: &mut String, command: &Command) -> std::fmt::Result {
    writeln!(page, "### `AT{}`: {}\n", command.name, command.title)?;
    for form in [Form::Execute, Form::Set, Form::Read, Form::Test] {
        if !command.has(form) {
            continue;
        }
        match form {
            Form::Execute => writeln!(page, "- `AT{}`", command.name)?,
            Form::Set => writeln!(page, "- `{}`", set_form(command))?,
            Form::Read => writeln!(page, "- `AT{}?`", command.name)?,
            Form::Test => {
                writeln!(page, "- `AT{}=?`", command.name)?;
                for line in command.test.unwrap_or(&[]) {
                    writeln!(page, "  - `{line}`")?;
                }
            }
        }
    }
    let params = command.set.unwrap_or(&[]);
    if !params.is_empty() {
        writeln!(page, "\n| Parameter | What it may be |\n|---|---|")?;
        for param in params {
            writeln!(page, "| {} | {} |", param.name, kind(param))?;
        }
    }
    if !command.replies.is_empty() {
        writeln!(page, "\n| Answers and reports | |\n|---|---|")?;
        for line in command.replies {
            writeln!(page, "| `{}` | {} |", pattern(line), line.about)?;
        }
    }
    writeln!(
        page,
        "\nSource: {}.\n",
        command.source.trim_end_matches('.')
    )
}

fn set_form(command: &Command) -> String {
    let mut form = format!("AT{}", command.name);
    let has_option = command.name.contains('"');
    if (command.is_extended() || command.name.starts_with('S')) && !has_option {
        form.push('=');
    }
    let mut open = 0;
    for (index, param) in command.set.unwrap_or(&[]).iter().enumerate() {
        if param.presence == Presence::Optional {
            form.push('[');
            open += 1;
        }
        if index > 0 || has_option {
            form.push(',');
        }
        form.push_str(&format!("<{}>", param.name));
    }
    form + &"]".repeat(open)
}

fn kind(param: &Param) -> String {
    match param.kind {
        Kind::Int(min, max) => format!("{min} to {max}"),
        Kind::OneOf(numbers) => numbers
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", "),
        Kind::Text(max) => format!("text, up to {max} bytes, with or without quotes"),
        Kind::Quoted(max, _) => format!("text between quotes, up to {max} bytes"),
        Kind::Rest(max) => format!(
            "the raw rest of the line, up to {max} bytes; one quote on each side is taken away"
        ),
    }
}

/// A line with its fields in angle brackets.
pub(crate) fn pattern(line: &Line) -> String {
    line.pieces
        .iter()
        .map(|piece| match piece {
            Piece::Lit(text) => (*text).to_string(),
            Piece::Int(name) | Piece::Bare(name) | Piece::Sized(name) => format!("<{name}>"),
            Piece::Quoted(name) => format!("\"<{name}>\""),
        })
        .collect()
}
