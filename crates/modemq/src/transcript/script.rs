//! The text of a transcript.

use crate::certificates::Flaw;
use crate::tls;
use module::TlsVersion;
use mqtt::QoS;
use std::fmt;
use std::time::Duration;
use world::Fault;
use world::fault::parse_time;

/// A conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// Where it was read from, for messages.
    pub name: String,
    /// The models that it is for; empty: every model of its family.
    pub models: Vec<String>,
    /// What the module is told before power-on: `sim absent`, `signal 99` …
    pub module: Vec<(String, String)>,
    /// The broker with TLS that it wants; `None`: one without will do.
    pub tls: Option<TlsBroker>,
    /// The devices of Huawei Cloud IoTDA, which the broker is then; none: it is a plain one.
    pub iotda: Vec<iotda::Device>,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// A broker behind TLS, as a conversation wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsBroker {
    /// Clients must show a certificate of the CA.
    pub mutual: bool,
    /// The only cipher suites that it takes, by IANA's numbers; none: all that the library has.
    pub suites: Vec<u16>,
    /// The lowest and the highest version.
    pub versions: (TlsVersion, TlsVersion),
    /// What is wrong with its certificate.
    pub flaw: Option<Flaw>,
}

impl Default for TlsBroker {
    fn default() -> Self {
        Self {
            mutual: false,
            suites: Vec::new(),
            versions: (TlsVersion::Tls10, TlsVersion::Tls12),
            flaw: None,
        }
    }
}

/// One thing that happens, and the line that says so, counted from 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The number of its (first) line.
    pub number: usize,
    /// What.
    pub line: Line,
}

/// What a line or a block of lines says.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// A command: it is sent, with a CR.
    Command(String),
    /// A frame that the module prints: its lines.
    Frame(Vec<String>),
    /// The prompt `>`, alone.
    Prompt,
    /// Bytes that are sent as they are.
    Data(Vec<u8>),
    /// A file whose content is sent as it is.
    File(String),
    /// Anything else that happens.
    Directive(Directive),
}

/// What is neither said by the host nor by the module.
#[derive(Clone, Debug, PartialEq)]
pub enum Directive {
    /// The PC's tool publishes.
    Publish {
        /// Where.
        topic: String,
        /// What.
        payload: Vec<u8>,
        /// With which QoS.
        qos: QoS,
        /// Whether the broker keeps it.
        retain: bool,
    },
    /// The PC's tool receives this.
    ExpectPublish {
        /// Where.
        topic: String,
        /// What.
        payload: Vec<u8>,
    },
    /// Exactly these bytes are expected next, frame or not.
    Expect(Vec<u8>),
    /// So much time passes. What the module says meanwhile is compared afterwards.
    Wait(Duration),
    /// So much time passes, and the module says nothing.
    Silence(Duration),
    /// What follows is expected within this time.
    Within(Duration),
    /// The module echoes what it is sent, or not.
    Echo(bool),
    /// Something breaks.
    Fault(Fault),
    /// Whatever is broken is whole again.
    Heal,
    /// Another client logs in with this identifier.
    Rival(String),
    /// The application asks the platform behind the broker for something.
    Iotda(iotda::Request),
    /// This happens at the platform, sooner or later.
    ExpectIotda(String),
    /// The module is powered on anew, and what it says is compared.
    PowerOn,
    /// This command is sent until this frame, when it is not empty, and `OK` answer it.
    Poll(String, String),
    /// This command is sent, and may succeed or fail.
    Try(String),
}

/// A line that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The transcript.
    pub name: String,
    /// The line, counted from 1.
    pub number: usize,
    /// Its text.
    pub text: String,
    /// What would be right.
    pub wanted: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}: {}\n    {}",
            self.name, self.number, self.wanted, self.text
        )
    }
}

impl std::error::Error for ParseError {}

impl Script {
    /// Reads a transcript.
    ///
    /// # Errors
    /// The first line that is none, and what would be right.
    pub fn parse(name: &str, text: &str) -> Result<Self, ParseError> {
        let mut script = Self {
            name: name.into(),
            models: Vec::new(),
            module: Vec::new(),
            tls: None,
            iotda: Vec::new(),
            steps: Vec::new(),
        };
        // Whether the line before belongs to the frame that this one may belong to.
        let mut in_frame = false;
        for (index, raw) in text.lines().enumerate() {
            let number = index + 1;
            let line = without_comment(raw);
            let error = |wanted: String| ParseError {
                name: name.into(),
                number,
                text: raw.into(),
                wanted,
            };
            if line.is_empty() {
                // A comment alone on its line does not end a frame.
                in_frame &= !raw.trim().is_empty();
                continue;
            }
            let mut frame = false;
            if let Some(directive) = line.strip_prefix('@') {
                script.directive(number, directive).map_err(error)?;
            } else if line
                .get(..2)
                .is_some_and(|start| start.eq_ignore_ascii_case("AT"))
            {
                script.push(number, Line::Command(line.into()));
            } else if line == ">" {
                script.push(number, Line::Prompt);
            } else {
                unescape(line).map_err(error)?;
                frame = true;
                match script.steps.last_mut() {
                    Some(Step {
                        line: Line::Frame(lines),
                        ..
                    }) if in_frame => lines.push(line.into()),
                    _ => script.push(number, Line::Frame(vec![line.into()])),
                }
            }
            in_frame = frame;
        }
        Ok(script)
    }

    /// What the PC's tool subscribes to, to see everything: a wildcard leaves out what begins with `$`.
    pub fn filters(&self) -> Vec<&str> {
        let mut filters = vec!["#"];
        for step in &self.steps {
            if let Line::Directive(
                Directive::Publish { topic, .. } | Directive::ExpectPublish { topic, .. },
            ) = &step.line
                && topic.starts_with('$')
                && !filters.contains(&topic.as_str())
            {
                filters.push(topic);
            }
        }
        filters
    }

    /// What decides everything that faults leave to chance.
    ///
    /// # Errors
    /// `@module seed` names no number.
    pub fn seed(&self) -> Result<u64, String> {
        let found = self.module.iter().rfind(|(key, _)| key == "seed");
        found.map_or(Ok(0), |(_, seed)| {
            let wrong = |_| format!("@module seed {seed}: a seed is a number");
            seed.parse().map_err(wrong)
        })
    }

    fn push(&mut self, number: usize, line: Line) {
        self.steps.push(Step { number, line });
    }

    fn directive(&mut self, number: usize, text: &str) -> Result<(), String> {
        let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        let directive = match name {
            "model" => {
                self.models
                    .extend(rest.split_whitespace().map(str::to_string));
                return Ok(());
            }
            "module" => {
                let (key, value) = rest
                    .split_once(' ')
                    .ok_or("@module wants a name and a value: @module sim absent")?;
                self.module.push((key.into(), value.trim().into()));
                return Ok(());
            }
            "broker" => {
                if let Some(device) = rest.strip_prefix("iotda ") {
                    self.iotda.push(iotda_device(device)?);
                } else {
                    broker(self.tls.get_or_insert_default(), rest)?;
                }
                return Ok(());
            }
            "data" => {
                self.push(number, Line::Data(unescape(rest)?));
                return Ok(());
            }
            "file" if !rest.is_empty() => {
                self.push(number, Line::File(rest.into()));
                return Ok(());
            }
            "repeat" => {
                let (count, what) = rest
                    .split_once(' ')
                    .ok_or("@repeat wants a number and what is sent so often")?;
                let count: usize = count.parse().map_err(|_| "@repeat wants a number first")?;
                self.push(number, Line::Data(unescape(what.trim())?.repeat(count)));
                return Ok(());
            }
            "publish" => publish(rest)?,
            "expect" => Directive::Expect(unescape(rest)?),
            "expect-publish" => {
                let (topic, payload) = rest.split_once(' ').unwrap_or((rest, ""));
                Directive::ExpectPublish {
                    topic: topic.into(),
                    payload: unescape(payload)?,
                }
            }
            "wait" => Directive::Wait(duration(rest)?),
            "silence" => Directive::Silence(duration(rest)?),
            "within" => Directive::Within(duration(rest)?),
            "echo" => match rest {
                "on" => Directive::Echo(true),
                "off" => Directive::Echo(false),
                _ => return Err("@echo wants on or off".into()),
            },
            "fault" => Directive::Fault(rest.parse().map_err(|error| format!("@fault: {error}"))?),
            "heal" if rest.is_empty() => Directive::Heal,
            "rival" if !rest.is_empty() => Directive::Rival(rest.into()),
            "iotda" => Directive::Iotda(rest.parse()?),
            "expect-iotda" => Directive::ExpectIotda(rest.into()),
            "power-on" => Directive::PowerOn,
            "poll" => {
                let (command, frame) = rest.split_once(" -> ").unwrap_or((rest, ""));
                if command.trim().is_empty() {
                    return Err(
                        "@poll wants a command and its answer: @poll AT+CGATT? -> +CGATT: 1".into(),
                    );
                }
                Directive::Poll(command.trim().into(), frame.trim().into())
            }
            "try" if !rest.is_empty() => Directive::Try(rest.into()),
            _ => {
                return Err(format!(
                    "there is no @{name}; there are @model @module @broker @data @file @repeat @publish @expect @expect-publish @wait \
                     @silence @within @echo @fault @heal @rival @iotda @expect-iotda @power-on \
                     @poll @try"
                ));
            }
        };
        self.push(number, Line::Directive(directive));
        Ok(())
    }
}

/// `\r`, `\n`, `\\` and `\xHH` as the bytes that they stand for.
///
/// # Errors
/// A backslash before anything else.
pub(super) fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let hex = after.strip_prefix('x').and_then(|after| after.get(..2));
        let (byte, used) = match (after.chars().next(), hex) {
            (Some('r'), _) => (b'\r', 1),
            (Some('n'), _) => (b'\n', 1),
            (Some('\\'), _) => (b'\\', 1),
            (_, Some(digits)) => (u8::from_str_radix(digits, 16).map_err(|_| ESCAPES)?, 3),
            _ => return Err(ESCAPES.into()),
        };
        bytes.push(byte);
        rest = &after[used..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

const ESCAPES: &str = "a backslash is written \\\\, and else begins \\r, \\n or \\xHH";

/// The line without the comment behind it and the white space around it.
fn without_comment(line: &str) -> &str {
    let mut at = 0;
    while let Some(found) = line[at..].find("//").map(|found| at + found) {
        if found == 0 || line[..found].ends_with([' ', '\t']) {
            return line[..found].trim();
        }
        at = found + 2;
    }
    line.trim()
}

/// `tls one-way`, `suites 0X0035,0X002F` …
fn broker(wanted: &mut TlsBroker, text: &str) -> Result<(), String> {
    let (key, value) = text.split_once(' ').unwrap_or((text, ""));
    match (key, value.trim()) {
        ("tls", "one-way") => wanted.mutual = false,
        ("tls", "mutual") => wanted.mutual = true,
        ("suites", suites) => {
            let numbers = suites
                .split(',')
                .map(|suite| tls::parse_suite(suite.trim()));
            wanted.suites = numbers.collect::<Result<_, _>>()?;
        }
        ("versions", versions) => wanted.versions = tls::parse_versions(versions)?,
        ("certificate", "expired") => wanted.flaw = Some(Flaw::Expired),
        ("certificate", "of-another-host") => wanted.flaw = Some(Flaw::OfAnotherHost),
        _ => {
            return Err(
                "@broker wants `tls one-way`, `tls mutual`, `suites 0X0035,0X002F`, `versions 1.0-1.2`, \
                 `certificate expired`, `certificate of-another-host` or `iotda DEVICE:SECRET`"
                    .into(),
            );
        }
    }
    Ok(())
}

/// `DEVICE:SECRET`
fn iotda_device(text: &str) -> Result<iotda::Device, String> {
    let (id, secret) = text
        .trim()
        .split_once(':')
        .ok_or("@broker iotda wants a device and its secret: @broker iotda dev1:12345678")?;
    Ok(iotda::Device {
        id: id.into(),
        secret: secret.into(),
        product: None,
        frozen: false,
    })
}

/// `[q0|q1|q2] [retain] TOPIC PAYLOAD`
fn publish(text: &str) -> Result<Directive, String> {
    let (mut qos, mut retain, mut rest) = (QoS::AtMostOnce, false, text);
    loop {
        let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
        match word {
            "q0" => qos = QoS::AtMostOnce,
            "q1" => qos = QoS::AtLeastOnce,
            "q2" => qos = QoS::ExactlyOnce,
            "retain" => retain = true,
            "" => return Err("@publish wants a topic: @publish q1 retain mqtt/pub hello".into()),
            topic => {
                return Ok(Directive::Publish {
                    topic: topic.into(),
                    payload: unescape(after)?,
                    qos,
                    retain,
                });
            }
        }
        rest = after.trim_start();
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_time(text).ok_or_else(|| format!("{text:?} is no time: 500ms, 5s, 2m"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_end_frames() {
        let text = "AT+X   // why\n\n+X: 0,\"a//b\"\n+X: 1\n\nOK\n@wait 5s\n>\n@data a\\x1a\n";
        let script = Script::parse("t", text).unwrap();
        let lines: Vec<_> = script
            .steps
            .into_iter()
            .map(|step| (step.number, step.line))
            .collect();
        assert_eq!(
            lines,
            [
                (1, Line::Command("AT+X".into())),
                (
                    3,
                    Line::Frame(vec!["+X: 0,\"a//b\"".into(), "+X: 1".into()])
                ),
                (6, Line::Frame(vec!["OK".into()])),
                (7, Line::Directive(Directive::Wait(Duration::from_secs(5)))),
                (8, Line::Prompt),
                (9, Line::Data(b"a\x1a".to_vec())),
            ]
        );
    }

    #[test]
    fn errors_name_the_line() {
        for (text, wanted) in [
            (
                "AT\n@wait 5",
                "t:2: \"5\" is no time: 500ms, 5s, 2m\n    @wait 5",
            ),
            (
                "@fault tcp-dropp",
                "t:1: @fault: column 1: there is no fault \"tcp-dropp\"; did you mean \"tcp-drop\"?",
            ),
            ("@x", "t:1: there is no @x"),
            ("@broker tls both", "t:1: @broker wants `tls one-way`"),
            ("@broker suites 0X1301", "t:1: there are 0X0004 RC4-MD5"),
            ("@broker versions 1.3", "t:1: there are 1.0, 1.1, 1.2"),
            ("a\\q", "t:1: a backslash is written"),
        ] {
            let error = Script::parse("t", text).unwrap_err().to_string();
            assert!(error.starts_with(wanted), "{error}");
        }
    }
}
