//! AT+QSSLCFG of the BC26: certificates and keys are typed in after a prompt, and stay without power.

use super::{DATA_IDLE, PROMPT};
use crate::core::{Core, Outcome};
use crate::terminal::{DataEnd, DataMode};
use crate::tls::{self, Tls};
use dialect::{Statement, quectel as q};
use std::collections::BTreeMap;

/// A context and one of its connections.
pub(super) type Place = (i64, i64);

/// A setting of numbers: its name, its default, and the least and the most that each may be.
type Numbers = (&'static str, &'static str, &'static [(i64, i64)]);

// Source: BC660K SSL §2.3.1. Inferred for the BC26, and the defaults but that of the time limit.
const NUMBERS: [Numbers; 5] = [
    ("seclevel", "0", &[(0, 2)]),
    ("sslversion", "4", &[(1, 4)]),
    ("dataformat", "0,0", &[(0, 1), (0, 1)]),
    ("timeout", "90", &[(10, 300)]),
    ("debug", "0", &[(0, 4)]),
];
const CERTIFICATES: [&str; 3] = ["cacert", "clientcert", "clientkey"];
/// The most that is taken of each.
// Inferred: two certificates of the usual size, or the largest key.
const CERTIFICATE_MAX: usize = 4096;

/// What AT+QSSLCFG has set, until power goes.
#[derive(Default)]
pub(super) struct Typed {
    numbers: BTreeMap<(Place, &'static str), String>,
    /// Whose data is awaited.
    waits: Option<(Place, &'static str)>,
}

impl Typed {
    pub(super) fn execute(&mut self, core: &mut Core, statement: &Statement<'_>) -> Outcome {
        let values = &statement.values;
        let place = (values.int(0).unwrap_or(0), values.int(1).unwrap_or(0));
        let option = values.text(2).to_ascii_lowercase();
        let number = |(name, ..): &&Numbers| name.as_bytes() == option;
        if option.is_empty() {
            for (name, ..) in NUMBERS {
                self.show(core, place, name);
            }
            for name in CERTIFICATES {
                show_certificate(core, place, name);
            }
            return Outcome::Ok;
        }
        if let Some(name) = CERTIFICATES.iter().find(|name| name.as_bytes() == option) {
            return self.ask(core, place, name, values.int(3));
        }
        let Some((name, _, ranges)) = NUMBERS.iter().find(number) else {
            core.note(|| "AT+QSSLCFG has no option of that name".into());
            return Outcome::Error;
        };
        if values.len() == 3 {
            self.show(core, place, name);
            return Outcome::Ok;
        }
        let given: Vec<_> = (3..values.len()).map(|at| values.int(at)).collect();
        let fits = given.len() == ranges.len()
            && given.iter().zip(*ranges).all(|(value, (min, max))| {
                value.is_some_and(|value| (*min..=*max).contains(&value))
            });
        if !fits {
            core.note(|| format!("{name} takes {ranges:?}"));
            return Outcome::Error;
        }
        let text: Vec<_> = given.iter().flatten().map(ToString::to_string).collect();
        self.numbers.insert((place, name), text.join(","));
        Outcome::Ok
    }

    fn number(&self, place: Place, name: &str) -> &str {
        let mut set = self.numbers.iter();
        let found = set.find(|((own, option), _)| *own == place && *option == name);
        let mut defaults = NUMBERS.iter().filter(|(own, ..)| *own == name);
        let default = defaults.next().map(|(_, default, _)| *default);
        found.map_or(default.unwrap_or_default(), |(_, value)| value)
    }

    fn show(&self, core: &mut Core, place: Place, name: &str) {
        let (context, connection) = place;
        let value = self.number(place, name);
        core.info_text(&format!(
            "+QSSLCFG: {context},{connection},\"{name}\",{value}"
        ));
    }

    /// The prompt. Source: BC660K SSL §2.3.1: up to Ctrl-Z, ESC gives it up; forums.quectel.com 10914: or so many bytes.
    fn ask(
        &mut self,
        core: &mut Core,
        place: Place,
        name: &'static str,
        len: Option<i64>,
    ) -> Outcome {
        let len = len.and_then(|len| usize::try_from(len).ok());
        if len.is_some_and(|len| len > CERTIFICATE_MAX) {
            core.note(|| format!("a {name} of more than {CERTIFICATE_MAX} bytes"));
            return Outcome::Error;
        }
        self.waits = Some((place, name));
        Outcome::Data(DataMode {
            prompt: PROMPT,
            len,
            until_ctrl_z: true,
            cancel: len.is_none(),
            max: CERTIFICATE_MAX,
            idle: Some(DATA_IDLE),
            secret: true,
            // Source: BC660K MQTT §6.2: "will be displayed".
            echo: true,
            ..DataMode::default()
        })
    }

    /// What was typed in; `None` when it was another command that waited.
    pub(super) fn data(&mut self, core: &mut Core, data: &[u8], end: DataEnd) -> Option<Outcome> {
        let (place, name) = self.waits.take()?;
        Some(match end {
            DataEnd::Length | DataEnd::CtrlZ => {
                let key = key(place, name);
                if data.is_empty() {
                    core.certificates.remove(&key);
                } else {
                    core.certificates.insert(&key, data);
                }
                // Source: forums.quectel.com 20709: nothing at all is OK, with 0.
                show_certificate(core, place, name);
                Outcome::Ok
            }
            // Inferred, as after QMTPUB.
            DataEnd::Cancelled => Outcome::Ok,
            DataEnd::Overflow(lost) => {
                core.note(|| {
                    format!("{lost} bytes more than the {CERTIFICATE_MAX} that a {name} may have: it stays as it was")
                });
                Outcome::Error
            }
            DataEnd::Idle => {
                core.note(|| format!("no Ctrl-Z came: the {name} stays as it was"));
                Outcome::Error
            }
        })
    }

    /// What the handshake of a connection will be.
    // Inferred from the BC66, whose "sni" is ERROR (forums.quectel.com 20709): no name is sent, none is checked, nor are dates.
    pub(super) fn handshake(&self, core: &Core, place: Place, host: &str) -> Result<Tls, String> {
        let setting = |name: &str| match name {
            "sslversion" | "seclevel" => Some(self.number(place, name).to_string()),
            "negotiatetime" => Some(self.number(place, "timeout").to_string()),
            _ => None,
        };
        tls::handshake(core, host, setting, |name| {
            Ok(core.certificates.get(&key(place, name)).map(<[u8]>::to_vec))
        })
    }
}

/// The name in the flash.
fn key((context, connection): Place, name: &str) -> String {
    format!("qsslcfg/{context}/{connection}/{name}")
}

fn show_certificate(core: &mut Core, place: Place, name: &str) {
    let len = core
        .certificates
        .get(&key(place, name))
        .map_or(0, <[u8]>::len);
    let (context, connection) = place;
    core.info(
        &q::QSSLCFG_CERTIFICATE,
        &[
            context.into(),
            connection.into(),
            name.into(),
            (len as i64).into(),
        ],
    );
}
