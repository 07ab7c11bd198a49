//! How each family answers.

mod eigencomm;
mod espressif;
mod luat;
mod ping;
mod quectel;

use crate::api::{LinkEvent, LinkId, NetError, QueryId};
use crate::core::{Core, Outcome};
use crate::radio::Change;
use crate::state::{LinkState, WifiState};
use crate::terminal::DataEnd;
use dialect::{Family as Name, Form, Model, ParseError, Statement, Value, wire};
use instant::Instant;
use std::net::IpAddr;

/// What a family does that the others do not.
pub(crate) trait Family: Send {
    /// Runs a command; `None` when it is not the family's own.
    fn execute(&mut self, core: &mut Core, statement: &Statement<'_>) -> Option<Outcome>;

    /// Runs a line that a tutorial prints and the firmware refuses.
    fn as_written(&mut self, _core: &mut Core, _statement: &Statement<'_>) -> Outcome {
        Outcome::Error
    }

    /// A line that does not begin with AT: true when the family has answered it.
    fn other_line(&mut self, _core: &mut Core, _line: &[u8]) -> bool {
        false
    }

    /// The refusal of a known command that is not well formed.
    fn refuse(&mut self, core: &mut Core, error: &ParseError) -> Outcome;

    /// What was typed while a command runs: true when the family has thrown it away, and said so.
    fn busy(&mut self, _core: &mut Core, _bytes: &[u8]) -> bool {
        false
    }

    /// What was typed in [`Outcome::Stream`].
    fn stream(&mut self, _core: &mut Core, _bytes: &[u8]) {}

    /// The data that a command waited for.
    fn data(&mut self, core: &mut Core, data: &[u8], end: DataEnd) -> Outcome;

    /// What became of a link.
    fn link(&mut self, core: &mut Core, link: LinkId, event: LinkEvent<'_>);

    /// Whether there is room for data of a link.
    fn takes_data(&self, _core: &Core, _link: LinkId) -> bool {
        true
    }

    /// What became of a look-up.
    fn resolved(&mut self, core: &mut Core, query: QueryId, answer: Result<&[IpAddr], NetError>);

    /// A change of SIM, registration or PDP context.
    fn network(&mut self, core: &mut Core, change: &Change);

    /// Time has come.
    fn advance(&mut self, core: &mut Core);

    /// When time comes next.
    fn next_deadline(&self) -> Option<Instant>;

    /// Connections that there are, for [`crate::Module::state`].
    fn links(&self) -> Vec<LinkState>;

    /// The access point of a Wi-Fi station.
    fn wifi(&self) -> Option<WifiState> {
        None
    }

    /// Power goes: links are cut.
    fn power_off(&mut self, core: &mut Core);
}

/// The family of a model, as after power-on.
pub(crate) fn new(model: &'static Model) -> Box<dyn Family> {
    match model.family {
        Name::Luat => Box::new(luat::Luat::new(model)),
        Name::Quectel => Box::new(quectel::Quectel::new(model)),
        Name::EigenComm => Box::new(eigencomm::EigenComm::new()),
        Name::Espressif => Box::new(espressif::Espressif::new(model)),
    }
}

/// The QoS that a parameter names; its range was checked when it was read.
fn qos(level: Option<i64>) -> mqtt::QoS {
    level
        .and_then(|level| mqtt::QoS::try_from(u8::try_from(level).ok()?).ok())
        .unwrap_or_default()
}

/// Settings that are accepted and read back, and change nothing here.
#[derive(Default)]
pub(crate) struct Accepted {
    values: Vec<(&'static str, String)>,
}

impl Accepted {
    /// What was set, when it was.
    fn value(&self, name: &str) -> Option<&str> {
        let found = self.values.iter().find(|(own, _)| *own == name);
        found.map(|(_, value)| value.as_str())
    }

    fn execute(
        &mut self,
        core: &mut Core,
        name: &'static str,
        statement: &Statement<'_>,
        default: &str,
    ) {
        self.execute_as(core, name, statement, default, (": ", ""));
    }

    /// [`Accepted::execute`] with what stands between name and value, and around a text.
    fn execute_as(
        &mut self,
        core: &mut Core,
        name: &'static str,
        statement: &Statement<'_>,
        default: &str,
        (sign, quote): (&str, &str),
    ) {
        if statement.form == Form::Read {
            let value = self
                .values
                .iter()
                .find(|(own, _)| *own == name)
                .map_or_else(|| default.to_string(), |(_, value)| value.clone());
            core.info_text(&format!("{name}{sign}{value}"));
            return;
        }
        let mut text = Vec::new();
        for (index, value) in statement.values.as_slice().iter().enumerate() {
            if index > 0 {
                text.push(b',');
            }
            match value {
                Value::Int(number) => {
                    wire::write_int(*number, &mut |part| text.extend_from_slice(part));
                }
                Value::Omitted => {}
                Value::Text(value) => {
                    for part in [quote.as_bytes(), value, quote.as_bytes()] {
                        text.extend_from_slice(part);
                    }
                }
            }
        }
        self.values.retain(|(own, _)| *own != name);
        self.values
            .push((name, String::from_utf8_lossy(&text).into_owned()));
    }
}

fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let (pairs, []) = text.as_chunks::<2>() else {
        return None;
    };
    pairs
        .iter()
        .map(|[high, low]| Some(wire::hex_digit(*high)? << 4 | wire::hex_digit(*low)?))
        .collect()
}

fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}
