//! The reference page of a family, printed from its command items: there is no second table.

use dialect::{Command, Family, Form, Kind, Line, Model, Param, Piece, Presence};
use std::fmt::Write;

/// The page of a family, in Markdown.
pub fn page(family: Family) -> String {
    let mut page = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut page, family);
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
    table
}

fn write(page: &mut String, family: Family) -> std::fmt::Result {
    let models: Vec<&Model> = dialect::model::ALL
        .iter()
        .filter(|model| model.family == family)
        .collect();
    let Some(first) = models.first() else {
        return Ok(());
    };
    let titles: Vec<_> = models.iter().map(|model| model.title).collect();
    writeln!(page, "# {}\n", titles.join(", "))?;
    writeln!(
        page,
        "Printed by `modemq reference {}` from the command items in `crates/dialect`; a test compares it.\n",
        family.name()
    )?;
    limits(page, &models)?;
    let mut printed: Vec<*const &Command> = Vec::new();
    for table in models.iter().flat_map(|model| model.commands) {
        if printed.contains(&table.as_ptr()) {
            continue;
        }
        printed.push(table.as_ptr());
        let owners: Vec<_> = models
            .iter()
            .filter(|model| {
                model
                    .commands
                    .iter()
                    .any(|own| own.as_ptr() == table.as_ptr())
            })
            .map(|model| model.title)
            .collect();
        let standard = match table.first().map(|command| command.name) {
            Some("E") => "V.250: ",
            Some("+CPIN") => "3GPP TS 27.007: ",
            _ => "",
        };
        writeln!(page, "\n## {standard}{}\n", owners.join(", "))?;
        for command in *table {
            write_command(page, command)?;
        }
    }
    writeln!(
        page,
        "\n## Error codes\n\n| Code | `AT+CMEE=2` |\n|---|---|"
    )?;
    for meaning in first.cme {
        writeln!(page, "| {} | {} |", meaning.code, meaning.words)?;
    }
    Ok(())
}

fn limits(page: &mut String, models: &[&Model]) -> std::fmt::Result {
    let row = |page: &mut String, name: &str, value: &dyn Fn(&Model) -> String| {
        let values: Vec<_> = models.iter().map(|model| value(model)).collect();
        writeln!(page, "| {name} | {} |", values.join(" | "))
    };
    row(page, "", &|model| model.title.into())?;
    writeln!(page, "|---|{}", "---|".repeat(models.len()))?;
    row(page, "Firmware", &|model| format!("`{}`", model.firmware))?;
    row(page, "Command line, bytes", &|model| {
        model.limits.line.to_string()
    })?;
    row(page, "Message of an inline publish, bytes", &|model| {
        model.limits.publish.to_string()
    })?;
    row(page, "Message after a prompt, bytes", &|model| {
        model.limits.publish_data.to_string()
    })?;
    row(page, "Message in a report, bytes", &|model| {
        model.limits.report.to_string()
    })?;
    row(page, "Kept message, bytes", &|model| {
        model.limits.cached.to_string()
    })?;
    row(page, "Kept messages", &|model| {
        model.limits.slots.to_string()
    })?;
    row(page, "File system, bytes", &|model| {
        model.limits.flash.to_string()
    })?;
    row(page, "UART, bit/s", &|model| {
        model.defaults.baud.to_string()
    })?;
    row(page, "Echo", &|model| {
        if model.defaults.echo { "on" } else { "off" }.into()
    })?;
    row(page, "`AT+CMEE`", &|model| model.defaults.cmee.to_string())
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
