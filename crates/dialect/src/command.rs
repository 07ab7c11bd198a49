//! What a command is: its name, forms, parameters, ranges, replies and source.
//!
//! **A command is described once.** The module parses with the item, the driver writes with it, and the test form
//! (`AT+X=?`), completion, the reference pages and the property tests come out of it.

use crate::reply::Line;
use crate::value::{Value, Values};
use crate::wire::{self, Escapes};
use crate::{with_words, words};
use core::fmt;

/// One AT command of one dialect.
#[derive(Debug)]
pub struct Command {
    /// What stands after `AT`: `+MPUB`, `E`, `&W`; and with the option where each option has parameters of its own:
    /// `+ECMTCFG="keepalive"`.
    pub name: &'static str,
    /// One line for people.
    pub title: &'static str,
    /// `AT+X`: exists, and means to do it.
    pub execute: bool,
    /// `AT+X=…`: its parameters, when the form exists.
    pub set: Option<&'static [Param]>,
    /// A second list of parameters that the form may have in place of [`Command::set`].
    pub or_set: Option<&'static [Param]>,
    /// `AT+X?`: exists.
    pub read: bool,
    /// `AT+X=?`: the lines before `OK`, when the form exists.
    pub test: Option<&'static [&'static str]>,
    /// The information responses, final results of its own and reports that it leads to, in their order.
    pub replies: &'static [&'static Line],
    /// Where the behaviour comes from, and what of it is inferred.
    pub source: &'static str,
}

impl Command {
    /// A command with no form yet.
    pub const fn new(name: &'static str, title: &'static str, source: &'static str) -> Self {
        Self {
            name,
            title: words(title),
            execute: false,
            set: None,
            or_set: None,
            read: false,
            test: None,
            replies: &[],
            source: words(source),
        }
    }

    /// It has the form `AT+X`.
    #[must_use]
    pub const fn execute(mut self) -> Self {
        self.execute = true;
        self
    }

    /// It has the form `AT+X=…`.
    #[must_use]
    pub const fn set(mut self, params: &'static [Param]) -> Self {
        self.set = Some(params);
        self
    }

    /// Its form `AT+X=…` may have these parameters as well. The two lists differ in their number of parameters, or in
    /// whether the first one is a string.
    #[must_use]
    pub const fn or_set(mut self, params: &'static [Param]) -> Self {
        self.or_set = Some(params);
        self
    }

    /// It has the form `AT+X?`.
    #[must_use]
    pub const fn read(mut self) -> Self {
        self.read = true;
        self
    }

    /// It has the form `AT+X=?`, which answers these lines and `OK`.
    #[must_use]
    pub const fn test(mut self, lines: &'static [&'static str]) -> Self {
        self.test = Some(with_words(lines));
        self
    }

    /// What it answers.
    #[must_use]
    pub const fn replies(mut self, replies: &'static [&'static Line]) -> Self {
        self.replies = with_words(replies);
        self
    }

    /// Is it an extended command (`+X`, `*X`, `^X` …), ended by `;`, `=`, `?` or the line's end? The others are V.250's
    /// basic commands: a letter, perhaps after `&`, and a number.
    pub const fn is_extended(&self) -> bool {
        !matches!(self.name.as_bytes(), [b'A'..=b'Z' | b'&', ..])
    }

    /// The name without the option, and the option: `+ECMTCFG` and `keepalive`.
    fn option(&self) -> Option<(&'static str, &'static str)> {
        let at = wire::find(self.name.as_bytes(), b"=\"")?;
        let option = self.name.get(at + 2..)?.strip_suffix('"')?;
        Some((&self.name[..at], option))
    }

    /// Does the command have this form?
    pub const fn has(&self, form: Form) -> bool {
        match form {
            Form::Execute => self.execute,
            Form::Set => self.set.is_some(),
            Form::Read => self.read,
            Form::Test => self.test.is_some(),
        }
    }

    /// The list of parameters that so many values belong to.
    fn params(&self, count: usize, first_is_text: bool) -> &'static [Param] {
        let set = self.set.unwrap_or(&[]);
        let Some(or_set) = self.or_set else {
            return set;
        };
        let fits = |params: &&'static [Param]| {
            let text = params.first().is_some_and(|first| first.kind.is_text());
            check_count(params, count).is_ok() && text == first_is_text
        };
        [set, or_set].into_iter().find(fits).unwrap_or(set)
    }

    /// Writes the command line, without its end.
    ///
    /// # Errors
    /// [`WriteError`] when the command has no such form or a value does not fit its parameter. Part of the line may
    /// have gone to `sink` by then.
    pub fn write(
        &self,
        form: Form,
        values: &[Value<'_>],
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(), WriteError> {
        if !self.has(form) {
            return Err(WriteError::NoSuchForm);
        }
        sink(b"AT");
        sink(self.name.as_bytes());
        match form {
            Form::Execute => return Ok(()),
            Form::Read => {
                sink(b"?");
                return Ok(());
            }
            Form::Test => {
                sink(b"=?");
                return Ok(());
            }
            Form::Set => {}
        }
        let has_option = self.option().is_some();
        if (self.is_extended() || self.name.starts_with('S')) && !has_option {
            sink(b"=");
        }
        let first_is_text = matches!(values.first(), Some(Value::Text(_)));
        let params = self.params(values.len(), first_is_text);
        check_count(params, values.len()).map_err(|_| WriteError::Count)?;
        for (index, (param, value)) in params.iter().zip(values).enumerate() {
            if index > 0 || has_option {
                sink(b",");
            }
            param
                .write(*value, sink)
                .map_err(|()| WriteError::Value(index))?;
        }
        Ok(())
    }
}

/// How the command lines of a module are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Syntax {
    /// V.250: a line ends with CR and may hold several commands, with `;` between them. A comma between quotes is part of
    /// the string.
    V250,
    /// ESP-AT: a line ends with CR LF and holds one command. Every comma separates unless a backslash stands before it,
    /// strings need their quotes, and numbers have none.
    // Source: ESP-AT 2.2 documentation, AT_Command_Set/index; the MAME project's esp8266_at, which copies firmware 2.2.0.0.
    EspAt,
}

impl Syntax {
    /// What ends a command line.
    pub const fn line_end(self) -> &'static str {
        match self {
            Self::V250 => "\r",
            Self::EspAt => "\r\n",
        }
    }
}

/// How a command is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// `AT+X`
    Execute,
    /// `AT+X=…`
    Set,
    /// `AT+X?`
    Read,
    /// `AT+X=?`
    Test,
}

/// One parameter of the set form.
#[derive(Debug)]
pub struct Param {
    /// As the manual names it: `keepalive`.
    pub name: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// Whether it may be left out.
    pub presence: Presence,
}

/// What a parameter may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number of this range, both ends included. Some firmware takes it between quotes as well.
    Int(i64, i64),
    /// One of these numbers.
    OneOf(&'static [i64]),
    /// A string of at most so many bytes, with or without quotes.
    Text(usize),
    /// A string of at most so many bytes that must stand between quotes, with escapes.
    Quoted(usize, Escapes),
    /// The raw rest of the line, of at most so many bytes; one quote before it and one behind it are taken away, and
    /// everything between them is kept: quotes, commas, semicolons.
    Rest(usize),
}

impl Kind {
    const fn is_text(self) -> bool {
        !matches!(self, Self::Int(..) | Self::OneOf(_))
    }
}

/// Whether a parameter may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Never.
    Required,
    /// It and all after it may.
    Optional,
    /// It stands when, and only when, the one before it stands: `[,<user>,<password>]`.
    WithPrevious,
}

impl Param {
    /// A number of the range `min` to `max`.
    pub const fn int(name: &'static str, min: i64, max: i64) -> Self {
        Self::new(name, Kind::Int(min, max))
    }

    /// One of these numbers.
    pub const fn one_of(name: &'static str, numbers: &'static [i64]) -> Self {
        Self::new(name, Kind::OneOf(numbers))
    }

    /// A string of at most `max` bytes, quoted or not.
    pub const fn text(name: &'static str, max: usize) -> Self {
        Self::new(name, Kind::Text(max))
    }

    /// A string of at most `max` bytes after unescaping, which must be quoted.
    pub const fn quoted(name: &'static str, max: usize, escapes: Escapes) -> Self {
        Self::new(name, Kind::Quoted(max, escapes))
    }

    /// The raw rest of the line, at most `max` bytes.
    pub const fn rest(name: &'static str, max: usize) -> Self {
        Self::new(name, Kind::Rest(max))
    }

    const fn new(name: &'static str, kind: Kind) -> Self {
        Self {
            name: words(name),
            kind,
            presence: Presence::Required,
        }
    }

    /// May be left out, with all that follow.
    #[must_use]
    pub const fn optional(mut self) -> Self {
        self.presence = Presence::Optional;
        self
    }

    /// Goes with the one before it.
    #[must_use]
    pub const fn with_previous(mut self) -> Self {
        self.presence = Presence::WithPrevious;
        self
    }

    fn write(&self, value: Value<'_>, sink: &mut dyn FnMut(&[u8])) -> Result<(), ()> {
        match (self.kind, value) {
            (_, Value::Omitted) if self.presence != Presence::Required => Ok(()),
            (Kind::Int(min, max), Value::Int(number)) if (min..=max).contains(&number) => {
                wire::write_int(number, sink);
                Ok(())
            }
            (Kind::OneOf(numbers), Value::Int(number)) if numbers.contains(&number) => {
                wire::write_int(number, sink);
                Ok(())
            }
            (Kind::Text(max), Value::Text(text)) if text.len() <= max => {
                write_quoted(text, Escapes::None, sink)
            }
            (Kind::Quoted(max, escapes), Value::Text(text)) if text.len() <= max => {
                write_quoted(text, escapes, sink)
            }
            (Kind::Rest(max), Value::Text(text))
                if text.len() <= max
                    && !text
                        .iter()
                        .any(|byte| matches!(byte, b'\r' | b'\n' | 0x08 | 0x7f)) =>
            {
                sink(b"\"");
                sink(text);
                sink(b"\"");
                Ok(())
            }
            _ => Err(()),
        }
    }

    /// Reads the parameter from `text`, which holds it and nothing else.
    fn read<'a>(&self, syntax: Syntax, text: &'a mut [u8]) -> Result<Value<'a>, Problem> {
        if let Kind::Rest(max) = self.kind {
            let text = text.trim_ascii();
            let inner = text.strip_prefix(b"\"").unwrap_or(text);
            let inner = inner.strip_suffix(b"\"").unwrap_or(inner);
            return if inner.len() > max {
                Err(Problem::TooLong)
            } else {
                Ok(Value::Text(inner))
            };
        }
        let is_esp = syntax == Syntax::EspAt;
        let (start, end) = if is_esp {
            (0, text.len())
        } else {
            let start = text.len() - text.trim_ascii_start().len();
            (start, start + text[start..].trim_ascii().len())
        };
        let text = &mut text[start..end];
        if text.is_empty() {
            return match (self.presence, self.kind) {
                (Presence::Required, Kind::Int(..) | Kind::OneOf(_) | Kind::Quoted(..)) => {
                    Err(Problem::Missing)
                }
                _ => Ok(Value::Omitted),
            };
        }
        let quoted = text[0] == b'"';
        let escapes = escapes_of(Some(self));
        if is_esp && quoted && !self.kind.is_text() {
            return Err(Problem::NotANumber);
        }
        let inner = if quoted {
            let close = wire::closing_quote(&text[1..], escapes).ok_or(Problem::UnclosedQuote)?;
            if close + 2 != text.len() {
                return Err(Problem::AfterQuote);
            }
            &mut text[1..=close]
        } else {
            text
        };
        let parse_int = if is_esp {
            wire::parse_int_or_hex
        } else {
            wire::parse_int
        };
        match self.kind {
            Kind::Int(min, max) => match parse_int(inner) {
                Some(number) if (min..=max).contains(&number) => Ok(Value::Int(number)),
                Some(_) => Err(Problem::OutOfRange),
                None => Err(Problem::NotANumber),
            },
            Kind::OneOf(numbers) => match parse_int(inner) {
                Some(number) if numbers.contains(&number) => Ok(Value::Int(number)),
                Some(_) => Err(Problem::OutOfRange),
                None => Err(Problem::NotANumber),
            },
            Kind::Text(max) if inner.len() > max => Err(Problem::TooLong),
            Kind::Text(_) => Ok(Value::Text(inner)),
            Kind::Quoted(..) if !quoted => Err(Problem::NotQuoted),
            Kind::Quoted(max, escapes) => {
                let len = wire::unescape(inner, escapes);
                if len > max {
                    return Err(Problem::TooLong);
                }
                Ok(Value::Text(&inner[..len]))
            }
            // Read above.
            Kind::Rest(_) => Ok(Value::Omitted),
        }
    }
}

/// `name (0-2)`, as error messages and reference pages print a parameter.
impl fmt::Display for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Int(min, max) => write!(f, "{} ({min}-{max})", self.name),
            Kind::OneOf(numbers) => {
                write!(f, "{} (", self.name)?;
                for (index, number) in numbers.iter().enumerate() {
                    write!(f, "{}{number}", if index > 0 { "," } else { "" })?;
                }
                f.write_str(")")
            }
            Kind::Text(_) => f.write_str(self.name),
            Kind::Quoted(..) | Kind::Rest(_) => write!(f, "\"{}\"", self.name),
        }
    }
}

/// A command that was understood, with its parameters.
#[derive(Debug, Clone, Copy)]
pub struct Statement<'a> {
    /// Which.
    pub command: &'static Command,
    /// How it was written.
    pub form: Form,
    /// What the values are; of two lists the one that they fit.
    pub params: &'static [Param],
    /// The parameters of the set form, each within its range.
    pub values: Values<'a>,
}

/// Why a command line was not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseError {
    /// The command, when its name was known.
    pub command: Option<Known>,
    /// What is wrong.
    pub problem: Problem,
    /// Which parameter, counted from 0, when it is one.
    pub param: Option<usize>,
    /// Whether it is one of [`Command::or_set`].
    pub second: bool,
    /// How many parameters stood there.
    pub given: usize,
}

impl ParseError {
    /// The parameters that the command wants.
    pub fn params(&self) -> &'static [Param] {
        let params = self.command.and_then(|Known(command)| {
            if self.second {
                command.or_set
            } else {
                command.set
            }
        });
        params.unwrap_or(&[])
    }
}

/// A command by reference, compared by name.
#[derive(Debug, Clone, Copy)]
pub struct Known(pub &'static Command);

impl PartialEq for Known {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for Known {}

/// What is wrong with a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// The line does not begin with `AT`.
    NotACommand,
    /// The model has no command of that name.
    UnknownCommand,
    /// The command has no such form.
    NoSuchForm,
    /// The command has options, and none of that name.
    UnknownOption,
    /// A required parameter is empty or not there.
    Missing,
    /// More parameters than it takes, or a number of them that it never takes.
    Count,
    /// A number of parameters below the least.
    TooFew,
    /// Not a whole number.
    NotANumber,
    /// Outside the range.
    OutOfRange,
    /// Longer than the firmware holds.
    TooLong,
    /// A quote is never closed.
    UnclosedQuote,
    /// Something stands between a closing quote and the comma.
    AfterQuote,
    /// The string needs its quotes.
    NotQuoted,
}

/// A sentence: what was wrong, where, and what would be right.
impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Known(command)) = self.command else {
            return f.write_str(match self.problem {
                Problem::NotACommand => "the line does not begin with AT",
                Problem::TooLong => "the line is longer than the module holds",
                _ => "this model has no such command",
            });
        };
        write!(f, "AT{} ", command.name)?;
        let params = self.params();
        let param = self.param.and_then(|index| params.get(index));
        match (self.problem, param) {
            (Problem::UnknownCommand | Problem::NotACommand, _) => {
                f.write_str("is not a command of this model")
            }
            (Problem::UnknownOption, _) => {
                f.write_str("has no option of that name")?;
                match command.test {
                    Some(_) => write!(f, "; AT{}=? lists those it has", command.name),
                    None => Ok(()),
                }
            }
            (Problem::NoSuchForm, _) => {
                f.write_str("has only the forms")?;
                let forms = [
                    (command.execute, "", ""),
                    (command.set.is_some(), "=", "…"),
                    (command.read, "?", ""),
                    (command.test.is_some(), "=?", ""),
                ];
                let mut first = true;
                for (_, sign, rest) in forms.iter().filter(|form| form.0) {
                    write!(
                        f,
                        "{} AT{}{sign}{rest}",
                        if first { "" } else { "," },
                        command.name
                    )?;
                    first = false;
                }
                Ok(())
            }
            (Problem::Count | Problem::TooFew, _) => {
                write_counts(f, params)?;
                f.write_str(" (")?;
                for (index, param) in params.iter().enumerate() {
                    write!(f, "{}{param}", if index > 0 { ", " } else { "" })?;
                }
                write!(f, "); got {}", self.given)
            }
            (problem, Some(param)) => {
                let at = self.param.unwrap_or(0) + 1;
                write!(f, "parameter {at}, {param}, ")?;
                match problem {
                    Problem::Missing => f.write_str("is empty"),
                    Problem::NotANumber => f.write_str("is not a whole number"),
                    Problem::OutOfRange => f.write_str("is out of range"),
                    Problem::TooLong => match param.kind {
                        Kind::Text(max) | Kind::Quoted(max, _) | Kind::Rest(max) => {
                            write!(f, "is longer than {max} bytes")
                        }
                        _ => f.write_str("is too long"),
                    },
                    Problem::UnclosedQuote => f.write_str("has a quote that is never closed"),
                    Problem::AfterQuote => f.write_str("has something after its closing quote"),
                    _ => f.write_str("needs its quotes"),
                }
            }
            (_, None) => f.write_str("is not well formed"),
        }
    }
}

impl core::error::Error for ParseError {}

/// Why a command could not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteError {
    /// The command has no such form.
    NoSuchForm,
    /// The command never takes that many parameters.
    Count,
    /// The value at this place, counted from 0, does not fit its parameter.
    Value(usize),
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchForm => f.write_str("the command has no such form"),
            Self::Count => f.write_str("the command never takes that many parameters"),
            Self::Value(index) => write!(f, "parameter {} does not fit", index + 1),
        }
    }
}

impl core::error::Error for WriteError {}

/// The commands of a model, in the order of look-up: what stands in an earlier table hides its namesake in a later one.
pub type Tables = &'static [&'static [&'static Command]];

/// Reads the first command of `line`, which begins after `AT` or after a `;`, and returns it with what follows.
///
/// Strings are unescaped in place, so the line cannot be read a second time.
///
/// # Errors
/// [`ParseError`] says what is wrong. The rest of the line is lost then, as V.250 §5.6 asks.
pub fn parse(
    syntax: Syntax,
    tables: Tables,
    line: &mut [u8],
) -> Result<(Statement<'_>, &mut [u8]), ParseError> {
    let unknown = ParseError {
        command: None,
        problem: Problem::UnknownCommand,
        param: None,
        second: false,
        given: 0,
    };
    let start = match syntax {
        Syntax::V250 => line.len() - line.trim_ascii_start().len(),
        Syntax::EspAt => 0,
    };
    let line = &mut line[start..];
    let mut name_len = name_length(line);
    let mut command = find(tables, &line[..name_len]);
    let mut no_such_option = false;
    if let Some((option, len)) = option_behind(&line[name_len..]) {
        if let Some(found) = find_option(tables, &line[..name_len], |own| {
            own.as_bytes().eq_ignore_ascii_case(option)
        }) {
            name_len += len;
            command = Some(found);
        } else {
            no_such_option = command.is_some_and(|command| command.set.is_none())
                && find_option(tables, &line[..name_len], |_| true).is_some();
        }
    }
    let command = command.ok_or(unknown)?;
    let error = |problem| ParseError {
        command: Some(Known(command)),
        problem,
        ..unknown
    };
    if no_such_option {
        return Err(error(Problem::UnknownOption));
    }
    let (_, after) = line.split_at_mut(name_len);
    if !command.is_extended() {
        return parse_basic(command, after);
    }
    let end = match syntax {
        Syntax::V250 => statement_end(command, after),
        Syntax::EspAt => after.len(),
    };
    let (own, rest) = after.split_at_mut(end);
    let rest = match rest {
        [b';', rest @ ..] => rest,
        rest => rest,
    };
    let has_option = command.option().is_some();
    let form = match own.trim_ascii() {
        [] | [b',', ..] if has_option => Form::Set,
        [] => Form::Execute,
        [b'?'] => Form::Read,
        [b'=', b'?'] => Form::Test,
        [b'=', ..] => Form::Set,
        _ => return Err(unknown),
    };
    if !command.has(form) {
        return Err(error(Problem::NoSuchForm));
    }
    let (params, values) = if form == Form::Set {
        let sign = if has_option { b',' } else { b'=' };
        let at = own.iter().position(|&byte| byte == sign);
        if let Some(at) = at {
            parse_params(syntax, command, &mut own[at + 1..])?
        } else {
            let params = command.set.unwrap_or(&[]);
            check_count(params, 0).map_err(error)?;
            (params, Values::new())
        }
    } else {
        (&[][..], Values::new())
    };
    Ok((
        Statement {
            command,
            form,
            params,
            values,
        },
        rest,
    ))
}

/// The item of such an option of a command, its name in any letter case.
fn find_option(
    tables: Tables,
    name: &[u8],
    fits: impl Fn(&str) -> bool,
) -> Option<&'static Command> {
    let all = tables.iter().flat_map(|table| table.iter());
    all.copied().find(|command| {
        command
            .option()
            .is_some_and(|(base, own)| base.as_bytes().eq_ignore_ascii_case(name) && fits(own))
    })
}

/// `="option"` at the beginning of `text`: the option, and how long it is with what stands around it.
fn option_behind(text: &[u8]) -> Option<(&[u8], usize)> {
    let quoted = text
        .strip_prefix(b"=")?
        .trim_ascii_start()
        .strip_prefix(b"\"")?;
    let len = memchr::memchr(b'"', quoted)?;
    Some((&quoted[..len], text.len() - quoted.len() + len + 1))
}

/// The command called `name`, in any letter case.
pub fn find(tables: Tables, name: &[u8]) -> Option<&'static Command> {
    tables
        .iter()
        .flat_map(|table| table.iter())
        .find(|command| command.name.as_bytes().eq_ignore_ascii_case(name))
        .copied()
}

fn parse_basic<'a>(
    command: &'static Command,
    after: &'a mut [u8],
) -> Result<(Statement<'a>, &'a mut [u8]), ParseError> {
    let error = |problem| ParseError {
        command: Some(Known(command)),
        problem,
        param: Some(0),
        second: false,
        given: 1,
    };
    let mut values = Values::new();
    let (form, used) = match &after[..] {
        [b'?', ..] => (Form::Read, 1),
        [b'=', b'?', ..] => (Form::Test, 2),
        text => {
            let sign = usize::from(text.first() == Some(&b'='));
            let digits = text[sign..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            if sign + digits == 0 {
                (Form::Execute, 0)
            } else {
                let number = wire::parse_int(&text[sign..sign + digits])
                    .ok_or(error(Problem::NotANumber))?;
                values.push(Value::Int(number));
                (Form::Set, sign + digits)
            }
        }
    };
    // `ATE` alone means `ATE0` by V.250 §5.3.1; the item of such a command has the execute form.
    if !command.has(form) {
        return Err(ParseError {
            param: None,
            ..error(Problem::NoSuchForm)
        });
    }
    if let (Form::Set, Some([param, ..]), Some(number)) = (form, command.set, values.int(0)) {
        let fits = match param.kind {
            Kind::Int(min, max) => (min..=max).contains(&number),
            Kind::OneOf(numbers) => numbers.contains(&number),
            _ => false,
        };
        if !fits {
            return Err(error(Problem::OutOfRange));
        }
    }
    let rest = &mut after[used..];
    let rest = match rest {
        [b';', rest @ ..] => rest,
        rest => rest,
    };
    Ok((
        Statement {
            command,
            form,
            params: command.set.unwrap_or(&[]),
            values,
        },
        rest,
    ))
}

fn parse_params<'a>(
    syntax: Syntax,
    command: &'static Command,
    mut text: &'a mut [u8],
) -> Result<(&'static [Param], Values<'a>), ParseError> {
    let count = count_params(syntax, command.set.unwrap_or(&[]), text);
    let first_is_text = text.trim_ascii_start().first() == Some(&b'"');
    let params = command.params(count, first_is_text);
    let given = count_params(syntax, params, text);
    let error = |problem, param| ParseError {
        command: Some(Known(command)),
        problem,
        param,
        second: command
            .or_set
            .is_some_and(|second| core::ptr::eq(second, params)),
        given,
    };
    // Too many is said first: it is mostly the cause of what looks like a wrong value. ESP-AT reads one after the other.
    if given > params.len() && syntax == Syntax::V250 {
        return Err(error(Problem::Count, None));
    }
    let mut values = Values::new();
    for (index, param) in params.iter().enumerate() {
        let escapes = escapes_of(Some(param));
        let end = match param.kind {
            Kind::Rest(_) => Ok(text.len()),
            _ => param_end(syntax, text, escapes),
        };
        let comma = match end {
            Ok(end) => end,
            Err(problem) => return Err(error(problem, Some(index))),
        };
        let last = comma == text.len();
        let (own, rest) = text.split_at_mut(comma);
        let value = param
            .read(syntax, own)
            .map_err(|problem| error(problem, Some(index)))?;
        values.push(value);
        if last {
            return match check_count(params, values.len()) {
                Ok(()) => Ok((params, values)),
                Err(problem) => Err(error(problem, None)),
            };
        }
        text = &mut rest[1..];
    }
    Err(error(Problem::Count, None))
}

/// Where the parameter that `text` begins with ends: at a comma outside quotes, or at the end.
fn param_end(syntax: Syntax, text: &[u8], escapes: Escapes) -> Result<usize, Problem> {
    if syntax == Syntax::EspAt {
        let mut at = 0;
        while at < text.len() && text[at] != b',' {
            at += if text[at] == b'\\' { 2 } else { 1 };
        }
        return Ok(at.min(text.len()));
    }
    let lead = text.len() - text.trim_ascii_start().len();
    let from = if text.get(lead) == Some(&b'"') {
        let open = lead + 1;
        open + wire::closing_quote(&text[open..], escapes).ok_or(Problem::UnclosedQuote)? + 1
    } else {
        0
    };
    Ok(memchr::memchr(b',', &text[from..]).map_or(text.len(), |at| from + at))
}

fn count_params(syntax: Syntax, params: &[Param], mut text: &[u8]) -> usize {
    let mut count = 0;
    loop {
        let escapes = match params.get(count).map(|param| param.kind) {
            Some(Kind::Rest(_)) => return count + 1,
            Some(Kind::Quoted(_, escapes)) => escapes,
            _ => Escapes::None,
        };
        count += 1;
        match param_end(syntax, text, escapes) {
            Ok(end) if end < text.len() => text = &text[end + 1..],
            _ => return count,
        }
    }
}

fn check_count(params: &[Param], given: usize) -> Result<(), Problem> {
    let least = params
        .iter()
        .take_while(|param| param.presence == Presence::Required)
        .count();
    if given < least {
        return Err(Problem::TooFew);
    }
    let splits_a_group = params
        .get(given)
        .is_some_and(|next| next.presence == Presence::WithPrevious);
    if given > params.len() || splits_a_group {
        return Err(Problem::Count);
    }
    Ok(())
}

fn write_counts(f: &mut fmt::Formatter<'_>, params: &[Param]) -> fmt::Result {
    f.write_str("takes ")?;
    let mut first = true;
    for count in 0..=params.len() {
        if check_count(params, count).is_ok() {
            write!(f, "{}{count}", if first { "" } else { " or " })?;
            first = false;
        }
    }
    f.write_str(if params.len() == 1 {
        " parameter"
    } else {
        " parameters"
    })
}

fn write_quoted(text: &[u8], escapes: Escapes, sink: &mut dyn FnMut(&[u8])) -> Result<(), ()> {
    sink(b"\"");
    if !wire::escape(text, escapes, sink) {
        return Err(());
    }
    sink(b"\"");
    Ok(())
}

fn name_length(line: &[u8]) -> usize {
    match line {
        [b'&', letter, ..] if letter.is_ascii_alphabetic() => 2,
        // S-registers are named with their number: `S3`.
        [b's' | b'S', rest @ ..] => {
            1 + rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
        }
        [letter, ..] if letter.is_ascii_alphabetic() => 1,
        [sign, rest @ ..] if !sign.is_ascii_digit() => {
            1 + rest
                .iter()
                .take_while(|byte| {
                    byte.is_ascii_alphanumeric()
                        || matches!(byte, b'_' | b'-' | b'/' | b':' | b'!' | b'%')
                })
                .count()
        }
        _ => 0,
    }
}

fn escapes_of(param: Option<&Param>) -> Escapes {
    match param.map(|param| param.kind) {
        Some(Kind::Quoted(_, escapes)) => escapes,
        _ => Escapes::None,
    }
}

/// Where an extended command ends: at a `;` outside quotes, or at the end of the line.
fn statement_end(command: &Command, text: &[u8]) -> usize {
    let params = command.set.unwrap_or(&[]);
    // A parameter that is the rest of the line leaves nothing behind it.
    if params
        .last()
        .is_some_and(|param| matches!(param.kind, Kind::Rest(_)))
    {
        return text.len();
    }
    let mut params = params.iter();
    let mut escapes = escapes_of(params.next());
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b';' => return at,
            b'"' => match wire::closing_quote(&text[at + 1..], escapes) {
                Some(close) => at += close + 2,
                None => return text.len(),
            },
            b',' => {
                escapes = escapes_of(params.next());
                at += 1;
            }
            _ => at += 1,
        }
    }
    text.len()
}
