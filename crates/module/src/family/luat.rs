//! Luat (AirM2M): Air780EP, Air700EAQ.
//!
//! The sources of each behaviour stand in the command's item in `dialect::luat`.

use super::{Accepted, Family, from_hex, qos, to_hex};
use crate::Reboot;
use crate::api::{LinkEvent, LinkId, NetError, Output, QueryId, Transport};
use crate::core::{Core, Outcome};
use crate::files::FileError;
use crate::link::{Link, News, Phase};
use crate::network::{sim_code, sim_error};
use crate::radio::{Change, DEFAULT_CID, SavedApn};
use crate::state::LinkState;
use crate::terminal::{DataEnd, DataMode};
use crate::tls::{self, Tls};
use dialect::{Form, Model, ParseError, Problem, Statement, Value, basic, luat, network};
use instant::Instant;
use mqtt::{Connect, Event, QoS, SessionConfig, Suback, Version, Will};
use std::net::IpAddr;
use std::time::Duration;

/// CME errors of the family's table.
mod cme {
    pub(super) const NOT_ALLOWED: u16 = 3;
    pub(super) const OPERATION_FAILED: u16 = 767;
    pub(super) const TOO_FEW: u16 = 791;
    pub(super) const TOO_MANY: u16 = 792;
    pub(super) const OUT_OF_RANGE: u16 = 793;
    pub(super) const WRONG_TYPE: u16 = 794;
    pub(super) const FORMAT: u16 = 795;
    pub(super) const NULL: u16 = 796;
}

/// What the prompt of MPUBEX waits for between two bytes before it sends what came. Source: manual, MQTT/MPUBEX.
const DATA_GAP: Duration = Duration::from_secs(5);
/// The same when a length was given and the bytes stop short of it; the command then fails.
// Inferred: the manual names no end but the length.
const DATA_GAP_WITH_LENGTH: Duration = Duration::from_secs(60);
/// A TCP connection that nobody answers for so long is given up.
// Inferred: field clients wait up to 30 s for CONNECT OK.
const OPEN_TIMEOUT: Duration = Duration::from_secs(60);
/// How long CONNACK may take.
// Inferred: field clients wait 15 s.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);
/// Bringing a PDP context up takes about so long.
// Inferred.
const ACTIVATION: Duration = Duration::from_millis(600);

/// The state of one module of the family.
pub(crate) struct Luat {
    link: Link,
    /// When opening or logging in is given up.
    give_up: Option<Instant>,
    client: Client,
    hex: bool,
    inbox: Inbox,
    /// The command that waits for its data.
    pending: Option<Pending>,
    /// Whether AT+FSREAD answers with a head.
    read_head: bool,
    scene: Scene,
    bearers: [Bearer; 3],
    /// Look-ups of AT+CDNSGIP: which, and the name.
    query: Option<(QueryId, String)>,
    /// The name servers that the host set.
    dns: Option<(String, String)>,
    /// When AT+CIICR is done.
    activation: Option<Instant>,
    accepted: Accepted,
}

/// What AT+MCONFIG set.
#[derive(Default)]
struct Client {
    id: String,
    username: Vec<u8>,
    password: Vec<u8>,
    will: Option<LastWill>,
}

struct LastWill {
    qos: QoS,
    retain: bool,
    topic: String,
    message: Vec<u8>,
}

/// A command that waits for its data.
enum Pending {
    Publish(Publish),
    Write { path: Vec<u8>, append: bool },
}

/// An MPUBEX.
struct Publish {
    topic: String,
    qos: QoS,
    retain: bool,
    /// Bytes that it waits for, when it says.
    len: Option<usize>,
}

/// The TCP/IP scene of CSTT, CIICR, CIFSR, CIPSHUT.
struct Scene {
    state: &'static str,
    apn: [String; 3],
    mux: bool,
}

/// A bearer of AT+SAPBR.
#[derive(Default, Clone)]
struct Bearer {
    open: bool,
    params: Vec<(String, String)>,
}

impl Luat {
    pub(crate) fn new(model: &'static Model) -> Self {
        Self {
            link: Link::new(SessionConfig {
                max_packet: (model.limits.report.max(model.limits.cached) + 1024) as u32,
                ..SessionConfig::default()
            }),
            give_up: None,
            client: Client::default(),
            hex: false,
            inbox: Inbox::new(model.limits.slots),
            pending: None,
            read_head: false,
            scene: Scene {
                state: "IP INITIAL",
                apn: Default::default(),
                mux: false,
            },
            bearers: Default::default(),
            query: None,
            dns: None,
            activation: None,
            accepted: Accepted::default(),
        }
    }
}

impl Family for Luat {
    fn execute(&mut self, core: &mut Core, statement: &Statement<'_>) -> Option<Outcome> {
        let values = &statement.values;
        let read = statement.form == Form::Read;
        Some(match statement.command.name {
            "+MCONFIG" => self.configure(core, statement),
            "+MIPSTART" => self.open(core, statement, false),
            "+SSLMIPSTART" => self.open(core, statement, true),
            "+MCONNECT" => self.log_in(core, statement),
            "+MSUB" => self.subscribe(core, statement),
            "+MUNSUB" => self.unsubscribe(core, statement),
            "+MPUB" => self.publish_inline(core, statement),
            "+MPUBEX" => self.publish_data(core, statement),
            "+MDISCONNECT" => self.log_out(core),
            "+MIPCLOSE" => self.close(core),
            "+MQTTSTATU" => {
                let state: u8 = match self.link.phase {
                    Phase::Up => 1,
                    Phase::Open | Phase::LoggingIn | Phase::LoggedOut => 2,
                    Phase::Closed | Phase::Opening | Phase::Dead => 0,
                };
                core.info(&luat::MQTTSTATU, &[state.into()]);
                Outcome::Ok
            }
            "+MQTTMODE" if read => {
                core.info(&luat::MQTTMODE, &[u8::from(self.hex).into()]);
                Outcome::Ok
            }
            "+MQTTMODE" => {
                self.hex = values.int(0) == Some(1);
                Outcome::Ok
            }
            "+MQTTMSGSET" if read => {
                core.info(&luat::MQTTMSGSET, &[u8::from(self.inbox.enabled).into()]);
                Outcome::Ok
            }
            "+MQTTMSGSET" => {
                self.inbox.enabled = values.int(0) == Some(1);
                Outcome::Ok
            }
            "+MQTTMSGGET" if read => {
                for (slot, message) in self.inbox.slots.iter().enumerate() {
                    let status = if message.is_some() {
                        "VALID"
                    } else {
                        "INVALID"
                    };
                    core.info(&luat::MQTTMSGGET, &[(slot as i64).into(), status.into()]);
                }
                Outcome::Ok
            }
            "+MQTTMSGGET" => {
                for message in self.inbox.take() {
                    print_message(core, self.hex, true, &message);
                }
                Outcome::Ok
            }
            "+CPNETAPN" if read => read_apn(core),
            "+CPNETAPN" => set_apn(core, statement),
            "+CDNSGIP" => self.resolve(core, values.text(0)),
            "+CDNSCFG" => self.name_servers(core, statement),
            "+CSTT" => self.start_scene(core, statement),
            "+CIICR" => self.bring_scene_up(core),
            "+CIFSR" => self.own_address(core),
            "+CIPSHUT" => {
                self.shut_scene(core);
                Outcome::Line(&luat::SHUT_OK)
            }
            "+CIPSTATUS" => {
                core.report(&luat::CIPSTATUS, &[self.scene.state.into()]);
                Outcome::Ok
            }
            "+CIPMUX" if read => {
                core.info(&luat::CIPMUX, &[u8::from(self.scene.mux).into()]);
                Outcome::Ok
            }
            "+CIPMUX" => {
                if self.scene.state != "IP INITIAL" {
                    return Some(Outcome::Cme(cme::NOT_ALLOWED));
                }
                self.scene.mux = values.int(0) == Some(1);
                Outcome::Ok
            }
            "+SAPBR" => self.bearer(core, statement),
            "+SSLCFG" => configure_tls(core, statement),
            name if name.starts_with("+FS") => self.file(core, statement),
            "I" | "+VER" => {
                core.info(&luat::VERSION, &[core.model.firmware.into()]);
                Outcome::Ok
            }
            "+CGMI" => {
                core.info(&luat::CGMI, &[core.model.vendor.into()]);
                Outcome::Ok
            }
            "+CGMM" => {
                core.info(&luat::CGMM, &[core.model.title.into()]);
                Outcome::Ok
            }
            "+CGMR" => {
                core.info(&luat::CGMR, &[core.model.firmware.into()]);
                Outcome::Ok
            }
            "*I" => {
                let identity = core.config.identity.clone();
                let model = core.model;
                // Source: manual, Base/ATXI; hardware version and build time are its example's.
                for line in [
                    format!("Manufacturer: {}", model.vendor),
                    format!("Model: {}", model.title),
                    format!("Revision: {}", model.firmware),
                    "HWver: A12".into(),
                    "Buildtime: Mar 6 2023 20:04:22".into(),
                    format!("IMEI: {}", identity.imei),
                    format!("ICCID: {}", identity.iccid),
                    format!("IMSI: {}", identity.imsi),
                ] {
                    core.info_text(&line);
                }
                Outcome::Ok
            }
            "*EXINFO" => {
                core.info(&luat::EXINFO, &[core.boot_reason.into()]);
                Outcome::Ok
            }
            name @ ("+CCID" | "+ICCID") => {
                if let Some(error) = sim_error(core) {
                    return Some(error);
                }
                let iccid = core.config.identity.iccid.clone();
                let line = if name == "+CCID" {
                    &network::DIGITS
                } else {
                    &luat::ICCID
                };
                core.info(line, &[iccid.as_str().into()]);
                Outcome::Ok
            }
            "+RESET" => {
                core.reboot(Reboot::Command);
                Outcome::Ok
            }
            "+RSTSET" => {
                core.reboot(Reboot::Factory);
                Outcome::Ok
            }
            "+CPOWD" => {
                core.reboot(Reboot::Off);
                if values.int(0) == Some(1) {
                    Outcome::Line(&luat::POWER_DOWN)
                } else {
                    Outcome::Silent
                }
            }
            "+CBC" => {
                core.info(&luat::CBC, &[3800.into()]);
                Outcome::Ok
            }
            "+CTZR" => {
                core.info_text("+CTZR: 1");
                Outcome::Ok
            }
            name @ ("+CTZU" | "+CNETLIGHT" | "+CSCLK" | "+CFGRI" | "+POWERMODE" | "^WAKEUPHEX"
            | "+IFC" | "+ICF") => {
                self.accepted
                    .execute(core, name, statement, default_of(name));
                Outcome::Ok
            }
            _ => return None,
        })
    }

    fn refuse(&mut self, _core: &mut Core, error: &ParseError) -> Outcome {
        let plain = error.command.is_none_or(|known| {
            ["+M", "+SSL", "+FS"]
                .iter()
                .any(|start| known.0.name.starts_with(start))
        });
        // Source: manual, MQTT, FS and SSLCFG: "ERROR: the input's form is wrong".
        if plain {
            return Outcome::Error;
        }
        // Inferred: which code of the manual's table stands for which mistake follows its words.
        Outcome::Cme(match error.problem {
            Problem::NotACommand
            | Problem::UnknownCommand
            | Problem::NoSuchForm
            | Problem::UnknownOption => {
                return Outcome::Error;
            }
            Problem::TooFew => cme::TOO_FEW,
            Problem::Count => cme::TOO_MANY,
            Problem::OutOfRange | Problem::TooLong => cme::OUT_OF_RANGE,
            Problem::NotANumber => cme::WRONG_TYPE,
            Problem::Missing => cme::NULL,
            Problem::UnclosedQuote | Problem::AfterQuote | Problem::NotQuoted => cme::FORMAT,
        })
    }

    fn data(&mut self, core: &mut Core, data: &[u8], end: DataEnd) -> Outcome {
        let publish = match self.pending.take() {
            Some(Pending::Publish(publish)) => publish,
            Some(Pending::Write { path, append }) => {
                return write_file(core, &path, append, data, end);
            }
            None => return Outcome::Error,
        };
        match end {
            DataEnd::Idle if publish.len.is_some() => {
                core.note(|| {
                    format!(
                        "{} bytes came of those announced: nothing published",
                        data.len()
                    )
                });
                Outcome::Error
            }
            DataEnd::Overflow(lost) => {
                core.note(|| format!("{lost} bytes more than the module holds: nothing published"));
                Outcome::Error
            }
            _ if data.is_empty() => {
                core.note(|| "no data: nothing published".into());
                Outcome::Error
            }
            _ => self.send(core, &publish, data),
        }
    }

    fn link(&mut self, core: &mut Core, link: LinkId, event: LinkEvent<'_>) {
        let Self {
            link: own,
            inbox,
            hex,
            scene,
            give_up,
            ..
        } = self;
        let (hex, mux) = (*hex, scene.mux);
        own.event(core, link, event, &mut |core, news| {
            if matches!(news, News::Opened | News::OpenFailed(_) | News::Closed(_))
                || matches!(
                    news,
                    News::Mqtt(Event::Connected { .. } | Event::Refused(_))
                )
            {
                *give_up = None;
            }
            tell(core, inbox, hex, mux, &news);
        });
    }

    fn resolved(&mut self, core: &mut Core, query: QueryId, answer: Result<&[IpAddr], NetError>) {
        let Some((_, name)) = self.query.take_if(|(own, _)| *own == query) else {
            return;
        };
        match answer {
            // A module of this family has an IPv4 bearer.
            Ok(addresses) if addresses.iter().any(IpAddr::is_ipv4) => {
                let address = addresses
                    .iter()
                    .find(|address| address.is_ipv4())
                    .map(IpAddr::to_string);
                core.report(
                    &luat::CDNSGIP_OK,
                    &[
                        name.as_str().into(),
                        address.unwrap_or_default().as_str().into(),
                    ],
                );
            }
            _ => {
                // 14, invalid name, when the servers were asked and knew none. Inferred.
                let code: u8 = if core.radio.is_active(DEFAULT_CID) {
                    14
                } else {
                    12
                };
                core.report(&luat::CDNSGIP_FAIL, &[code.into()]);
            }
        }
    }

    fn network(&mut self, core: &mut Core, change: &Change) {
        match change {
            Change::Booted => {
                for line in core.model.boot {
                    core.report(line, &[]);
                }
            }
            // Inferred: one that is starting says nothing yet.
            Change::Sim if core.radio.world.sim == crate::Sim::Busy => {}
            Change::Sim => {
                // Inferred: where the report stands. An absent SIM says what its manual page names.
                let code = sim_code(&core.radio.world.sim).unwrap_or("SIM REMOVED");
                core.report(&network::CPIN, &[code.into()]);
            }
            Change::Registration | Change::NoService => {}
            Change::Service => {
                core.report(&luat::MODE_LTE, &[17.into(), 17.into()]);
                core.report(&luat::E_UTRAN, &[]);
            }
            Change::PdpUp(cid) => {
                core.state(|| format!("PDP context {cid} up"));
                Self::report_event(core, &luat::CGEV_ACT, &[(*cid).into(), 0.into()]);
                if *cid == DEFAULT_CID && core.clock.set_from_network(core.now) {
                    let time = core.clock.nitz(core.now);
                    core.report(&luat::NITZ, &[time.as_str().into(), 0.into()]);
                }
            }
            Change::PdpDown { cid, by_network } => {
                core.state(|| format!("PDP context {cid} down"));
                let line = if *by_network {
                    &luat::CGEV_NW_DEACT
                } else {
                    &luat::CGEV_ME_DEACT
                };
                Self::report_event(core, line, &[(*cid).into()]);
                if *cid == DEFAULT_CID {
                    self.lose_bearer(core);
                }
            }
            Change::Detached => Self::report_event(core, &luat::CGEV_DETACH, &[]),
            Change::Address | Change::AccessPoints { .. } => {}
        }
    }

    fn advance(&mut self, core: &mut Core) {
        if self.give_up.is_some_and(|at| at <= core.now) {
            self.give_up = None;
            let opening = self.link.phase == Phase::Opening;
            self.link.close(core);
            let mux = self.scene.mux;
            if opening {
                tell(
                    core,
                    &mut self.inbox,
                    self.hex,
                    mux,
                    &News::OpenFailed(NetError::Timeout),
                );
            } else {
                core.note(|| "no CONNACK in time".into());
                core.report(&basic::ERROR, &[]);
                core.report(&luat::CLOSED, &[]);
            }
        }
        if self.activation.is_some_and(|at| at <= core.now) {
            self.activation = None;
            let up = core.radio.activate(DEFAULT_CID);
            self.scene.state = if up { "IP GPRSACT" } else { "PDP DEACT" };
            core.completed = Some(if up { Outcome::Ok } else { Outcome::Error });
        }
        let Self {
            link,
            inbox,
            hex,
            scene,
            ..
        } = self;
        let (hex, mux) = (*hex, scene.mux);
        link.advance(core, &mut |core, news| tell(core, inbox, hex, mux, &news));
    }

    fn next_deadline(&self) -> Option<Instant> {
        [self.give_up, self.activation, self.link.next_deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    fn links(&self) -> Vec<LinkState> {
        self.link.state(0).into_iter().collect()
    }

    fn power_off(&mut self, core: &mut Core) {
        self.link.cut(core);
    }
}

impl Luat {
    fn configure(&mut self, core: &mut Core, statement: &Statement<'_>) -> Outcome {
        let values = &statement.values;
        let utf8 = |index| String::from_utf8(values.text(index).to_vec()).ok();
        let (Some(id), Some(_)) = (utf8(0), utf8(1)) else {
            core.note(|| {
                "the client id and the user name must be UTF-8 (MQTT 3.1.1 §1.5.3)".into()
            });
            return Outcome::Error;
        };
        let will = match utf8(5) {
            Some(topic) if values.has(5) && mqtt::topic_name_is_valid(&topic) => Some(LastWill {
                qos: qos(values.int(3)),
                retain: values.int(4) == Some(1),
                topic,
                message: values.text(6).to_vec(),
            }),
            // The manual has will_retain 0 with an empty topic for no will.
            Some(topic) if topic.is_empty() => None,
            _ => return Outcome::Error,
        };
        self.client = Client {
            id,
            username: values.text(1).to_vec(),
            password: values.text(2).to_vec(),
            will,
        };
        Outcome::Ok
    }

    fn open(&mut self, core: &mut Core, statement: &Statement<'_>, tls: bool) -> Outcome {
        let Ok(host) = str::from_utf8(statement.values.text(0)) else {
            return Outcome::Error;
        };
        let port = statement
            .values
            .int(1)
            .and_then(|port| u16::try_from(port).ok());
        let (Some(port), false) = (port, host.is_empty()) else {
            return Outcome::Error;
        };
        match self.link.phase {
            Phase::Opening => return Outcome::Cme(cme::NOT_ALLOWED),
            Phase::Open | Phase::LoggingIn | Phase::Up | Phase::LoggedOut => {
                core.report(&luat::ALREADY_CONNECT, &[]);
                return Outcome::Ok;
            }
            Phase::Closed | Phase::Dead => {}
        }
        let mux = self.scene.mux;
        let tls = match tls.then(|| handshake(core, host)).transpose() {
            Ok(tls) => tls,
            Err(missing) => {
                // Inferred: told when the connection is made, not when the file is named.
                core.note(|| missing);
                tell(
                    core,
                    &mut self.inbox,
                    self.hex,
                    mux,
                    &News::OpenFailed(NetError::Tls),
                );
                return Outcome::Ok;
            }
        };
        if core.radio.is_active(DEFAULT_CID) || core.radio.activate(DEFAULT_CID) {
            let transport = Transport {
                tls: tls.map(Box::new),
                ..Transport::default()
            };
            self.link.open(core, host, port, transport);
            self.give_up = Some(core.now + OPEN_TIMEOUT);
        } else {
            core.note(|| "no PDP context, and the network gives none: registration, APN?".into());
            tell(
                core,
                &mut self.inbox,
                self.hex,
                mux,
                &News::OpenFailed(NetError::Unreachable),
            );
        }
        Outcome::Ok
    }

    fn log_in(&mut self, core: &mut Core, statement: &Statement<'_>) -> Outcome {
        if self.link.phase != Phase::Open {
            core.note(|| {
                "MCONNECT needs the TCP connection of MIPSTART: wait for CONNECT OK".into()
            });
            return Outcome::Cme(cme::NOT_ALLOWED);
        }
        let client = &self.client;
        // Inferred: a module that was not configured logs in as its IMEI; field clients show that it does log in.
        let id = if client.id.is_empty() {
            core.config.identity.imei.clone()
        } else {
            client.id.clone()
        };
        let username = str::from_utf8(&client.username).unwrap_or_default();
        let connect = Connect {
            version: Version::V311,
            clean_session: statement.values.int(0) == Some(1),
            keep_alive: statement.values.int(1).unwrap_or(60) as u16,
            client_id: &id,
            will: client.will.as_ref().map(|will| Will {
                topic: &will.topic,
                payload: &will.message,
                qos: will.qos,
                retain: will.retain,
            }),
            username: (!username.is_empty()).then_some(username),
            password: (!client.password.is_empty() && !username.is_empty())
                .then_some(&client.password[..]),
        };
        if self.link.log_in(core, &connect) {
            self.give_up = Some(core.now + LOGIN_TIMEOUT);
            Outcome::Ok
        } else {
            Outcome::Error
        }
    }

    fn subscribe(&mut self, core: &mut Core, statement: &Statement<'_>) -> Outcome {
        let filter = str::from_utf8(statement.values.text(0)).unwrap_or_default();
        let qos = qos(statement.values.int(1));
        if self.link.phase != Phase::Up {
            return not_logged_in(core);
        }
        let result = self
            .link
            .session
            .subscribe(core.now, None, &[(filter, qos)]);
        self.sent(core, result.map(|_| ()))
    }

    fn unsubscribe(&mut self, core: &mut Core, statement: &Statement<'_>) -> Outcome {
        let filter = str::from_utf8(statement.values.text(0)).unwrap_or_default();
        if self.link.phase != Phase::Up {
            return not_logged_in(core);
        }
        let result = self.link.session.unsubscribe(core.now, None, &[filter]);
        self.sent(core, result.map(|_| ()))
    }

    fn publish_inline(&mut self, core: &mut Core, statement: &Statement<'_>) -> Outcome {
        let message = statement.values.text(3);
        let decoded;
        let message = if self.hex {
            if let Some(bytes) = from_hex(message) {
                decoded = bytes;
                &decoded[..]
            } else {
                core.note(|| {
                    "AT+MQTTMODE=1: the message must be pairs of hexadecimal digits".into()
                });
                return Outcome::Error;
            }
        } else {
            message
        };
        let limit = core.model.limits.publish;
        if message.len() > limit {
            core.note(|| {
                format!(
                    "the message has {} bytes; this model publishes up to {limit}",
                    message.len()
                )
            });
            return Outcome::Error;
        }
        match Publish::new(statement) {
            Some(publish) => self.send(core, &publish, message),
            None => Outcome::Error,
        }
    }

    fn publish_data(&mut self, core: &mut Core, statement: &Statement<'_>) -> Outcome {
        if self.link.phase != Phase::Up {
            return not_logged_in(core);
        }
        let Some(publish) = Publish::new(statement) else {
            return Outcome::Error;
        };
        let len = publish.len;
        self.pending = Some(Pending::Publish(publish));
        Outcome::Data(DataMode {
            prompt: b">",
            len,
            until_ctrl_z: true,
            max: core.model.limits.publish_data,
            idle: Some(if len.is_some() {
                DATA_GAP_WITH_LENGTH
            } else {
                DATA_GAP
            }),
            ..DataMode::default()
        })
    }

    fn send(&mut self, core: &mut Core, publish: &Publish, message: &[u8]) -> Outcome {
        if self.link.phase != Phase::Up {
            return not_logged_in(core);
        }
        let Publish {
            topic, qos, retain, ..
        } = publish;
        let result = self
            .link
            .session
            .publish(core.now, topic, message, *qos, *retain);
        self.sent(core, result.map(|_| ()))
    }

    fn sent(&mut self, core: &mut Core, result: Result<(), mqtt::SessionError>) -> Outcome {
        match result {
            Ok(()) => {
                self.link.flush(core);
                Outcome::Ok
            }
            Err(error) => {
                core.note(|| error.to_string());
                Outcome::Error
            }
        }
    }

    fn log_out(&mut self, core: &mut Core) -> Outcome {
        if !matches!(self.link.phase, Phase::Up | Phase::LoggingIn) {
            return Outcome::Cme(cme::OPERATION_FAILED);
        }
        self.give_up = None;
        self.link.log_out(core);
        Outcome::Ok
    }

    fn close(&mut self, core: &mut Core) -> Outcome {
        if self.link.phase == Phase::Closed {
            return Outcome::Cme(cme::OPERATION_FAILED);
        }
        self.give_up = None;
        self.link.close(core);
        Outcome::Ok
    }

    fn resolve(&mut self, core: &mut Core, name: &[u8]) -> Outcome {
        if self.scene.state != "IP STATUS" {
            core.note(|| "AT+CDNSGIP works only after AT+CSTT, AT+CIICR, AT+CIFSR".into());
            return Outcome::Cme(cme::NOT_ALLOWED);
        }
        let Ok(host) = String::from_utf8(name.to_vec()) else {
            return Outcome::Error;
        };
        if host.is_empty() {
            return Outcome::Error;
        }
        let query = core.new_query();
        core.out.push_back(Output::Resolve {
            query,
            host: host.clone(),
        });
        self.query = Some((query, host));
        Outcome::Ok
    }

    fn name_servers(&mut self, core: &mut Core, statement: &Statement<'_>) -> Outcome {
        let up = matches!(self.scene.state, "IP GPRSACT" | "IP STATUS")
            || self.bearers.iter().any(|bearer| bearer.open);
        if !up {
            return Outcome::Error;
        }
        if statement.form == Form::Read {
            let given = core.radio.world.dns.map(|address| address.to_string());
            let (primary, secondary) = self
                .dns
                .clone()
                .unwrap_or_else(|| (given[0].clone(), given[1].clone()));
            core.info(&luat::PRIMARY_DNS, &[primary.as_str().into()]);
            core.info(&luat::SECONDARY_DNS, &[secondary.as_str().into()]);
            return Outcome::Ok;
        }
        let address = |index| {
            let text = str::from_utf8(statement.values.text(index)).ok()?;
            text.parse::<IpAddr>().ok().map(|_| text.to_string())
        };
        let (Some(primary), secondary) = (address(0), address(1)) else {
            return Outcome::BAD_VALUE;
        };
        if statement.values.has(1) && secondary.is_none() {
            return Outcome::BAD_VALUE;
        }
        let kept = self
            .dns
            .take()
            .map_or_else(|| core.radio.world.dns[1].to_string(), |(_, second)| second);
        self.dns = Some((primary, secondary.unwrap_or(kept)));
        Outcome::Ok
    }

    fn start_scene(&mut self, core: &mut Core, statement: &Statement<'_>) -> Outcome {
        if statement.form == Form::Read {
            let [apn, user, password] = &self.scene.apn;
            core.info(
                &luat::CSTT,
                &[
                    apn.as_str().into(),
                    user.as_str().into(),
                    password.as_str().into(),
                ],
            );
            return Outcome::Ok;
        }
        if self.scene.state != "IP INITIAL" {
            return Outcome::Cme(cme::NOT_ALLOWED);
        }
        self.scene.apn = [0, 1, 2]
            .map(|index| String::from_utf8_lossy(statement.values.text(index)).into_owned());
        if self.scene.apn[0].is_empty() {
            self.scene.apn[0] = core.radio.apn_of(DEFAULT_CID);
        }
        self.scene.state = "IP START";
        Outcome::Ok
    }

    fn bring_scene_up(&mut self, core: &mut Core) -> Outcome {
        if self.scene.state != "IP START" {
            return Outcome::Error;
        }
        self.scene.state = "IP CONFIG";
        let delay = if core.radio.is_active(DEFAULT_CID) {
            Duration::ZERO
        } else {
            core.span(ACTIVATION)
        };
        if delay.is_zero() {
            let up = core.radio.activate(DEFAULT_CID);
            self.scene.state = if up { "IP GPRSACT" } else { "PDP DEACT" };
            return if up { Outcome::Ok } else { Outcome::Error };
        }
        self.activation = Some(core.now + delay);
        Outcome::Later
    }

    fn own_address(&mut self, core: &mut Core) -> Outcome {
        if !matches!(self.scene.state, "IP GPRSACT" | "IP STATUS") {
            return Outcome::Error;
        }
        self.scene.state = "IP STATUS";
        let address = core.radio.address(DEFAULT_CID).to_string();
        core.info_text(&address);
        Outcome::Silent
    }

    fn shut_scene(&mut self, core: &mut Core) {
        self.scene.state = "IP INITIAL";
        self.dns = None;
        // Inferred: MQTT runs over the same bearer, but shutting the TCP/IP scene leaves its link alone.
        core.state(|| "TCP/IP scene shut".into());
    }

    fn bearer(&mut self, core: &mut Core, statement: &Statement<'_>) -> Outcome {
        let values = &statement.values;
        let cid = values.int(1).unwrap_or(1);
        let Some(bearer) = usize::try_from(cid - 1)
            .ok()
            .and_then(|index| self.bearers.get_mut(index))
        else {
            return Outcome::BAD_VALUE;
        };
        let text = |index| String::from_utf8_lossy(values.text(index)).into_owned();
        match values.int(0) {
            Some(0) if !bearer.open => return Outcome::Cme(cme::NOT_ALLOWED),
            Some(0) => bearer.open = false,
            Some(1) => {
                if bearer.open
                    || !(core.radio.is_active(DEFAULT_CID) || core.radio.activate(DEFAULT_CID))
                {
                    return Outcome::Cme(cme::NOT_ALLOWED);
                }
                bearer.open = true;
            }
            Some(2) => {
                let octets = core.radio.address(DEFAULT_CID).octets();
                let (status, [a, b, c, d]) = if bearer.open {
                    (1_u8, octets)
                } else {
                    (3, [0; 4])
                };
                let address = format!("{a:03}.{b:03}.{c:03}.{d:03}");
                core.info(
                    &luat::SAPBR,
                    &[cid.into(), status.into(), address.as_str().into()],
                );
            }
            Some(3) => {
                let tag = text(2).to_ascii_uppercase();
                if !matches!(
                    tag.as_str(),
                    "CONTYPE" | "APN" | "USER" | "PWD" | "PHONENUM" | "RATE"
                ) {
                    return Outcome::BAD_VALUE;
                }
                bearer.params.retain(|(own, _)| *own != tag);
                bearer.params.push((tag, text(3)));
            }
            _ => {
                for (tag, value) in bearer.params.clone() {
                    core.info(
                        &luat::SAPBR_PARAM,
                        &[tag.as_str().into(), value.as_str().into()],
                    );
                }
            }
        }
        Outcome::Ok
    }

    /// The file commands.
    fn file(&mut self, core: &mut Core, statement: &Statement<'_>) -> Outcome {
        let values = &statement.values;
        let path = values.text(0);
        let done = match statement.command.name {
            "+FSCREATE" => core.files.create(path),
            "+FSDEL" => core.files.delete(path),
            "+FSMKDIR" => core.files.make_folder(path),
            "+FSRMDIR" => core.files.remove_folder(path),
            "+FSREADHEAD" if statement.form == Form::Read => {
                core.info(&luat::FSREADHEAD, &[u8::from(self.read_head).into()]);
                Ok(())
            }
            "+FSREADHEAD" => {
                self.read_head = values.int(0) == Some(1);
                Ok(())
            }
            "+FSDRIVE" => {
                core.info(&luat::FSDRIVE, &["C".into()]);
                Ok(())
            }
            "+FSMEM" => {
                let free = core.files.free() as i64;
                core.info(&luat::FSMEM, &[free.into()]);
                Ok(())
            }
            "+FSFLSIZE" => core.files.read(path).map(<[u8]>::len).map(|size| {
                core.info(&luat::FSFLSIZE, &[(size as i64).into()]);
            }),
            "+FSLS" => core
                .files
                .list(path)
                .map(|list| {
                    list.iter()
                        .map(|(name, folder)| format!("{name}{}", if *folder { "\\" } else { "" }))
                        .collect::<Vec<_>>()
                })
                .map(|lines| lines.iter().for_each(|line| core.info_text(line))),
            "+FSREAD" => core.files.read(path).map(<[u8]>::to_vec).map(|file| {
                let from = match values.int(1) {
                    Some(1) => (values.int(3).unwrap_or(0) as usize).min(file.len()),
                    _ => 0,
                };
                let len = (values.int(2).unwrap_or(0) as usize).min(file.len() - from);
                let head: &[u8] = if self.read_head { b"+FSREAD: " } else { b"" };
                core.info_secret(&[head, &file[from..from + len]].concat());
            }),
            "+FSWRITE" => match core.files.read(path) {
                Ok(_) => {
                    let len = values.int(2).and_then(|len| usize::try_from(len).ok());
                    self.pending = Some(Pending::Write {
                        path: path.to_vec(),
                        append: values.int(1) == Some(1),
                    });
                    return Outcome::Data(DataMode {
                        prompt: b">",
                        len,
                        max: len.unwrap_or(0),
                        secret: true,
                        idle: Some(Duration::from_secs(values.int(3).unwrap_or(1) as u64)),
                        in_all: true,
                        ..DataMode::default()
                    });
                }
                Err(error) => Err(error),
            },
            _ => return Outcome::Error,
        };
        done.map_or_else(|error| file_error(core, error), |()| Outcome::Ok)
    }

    fn report_event(core: &mut Core, line: &'static dialect::Line, values: &[Value<'_>]) {
        if core.radio.event_reporting > 0 {
            core.report(line, values);
        }
    }

    /// The default PDP context is gone, and all that ran over it.
    fn lose_bearer(&mut self, core: &mut Core) {
        let phase = self.link.phase;
        self.give_up = None;
        self.link.cut(core);
        if phase == Phase::Opening {
            self.link.phase = Phase::Closed;
            tell(
                core,
                &mut self.inbox,
                self.hex,
                self.scene.mux,
                &News::OpenFailed(NetError::Unreachable),
            );
        }
        if self.scene.state != "IP INITIAL" {
            self.scene.state = "PDP DEACT";
        }
        for (index, bearer) in self.bearers.iter_mut().enumerate() {
            if std::mem::take(&mut bearer.open) {
                // Source: manual, IP/SAPBR: `+SAPBR <cid>: DEACT`.
                core.report_text(format!("+SAPBR {}: DEACT", index + 1).as_bytes());
            }
        }
    }
}

impl Publish {
    fn new(statement: &Statement<'_>) -> Option<Self> {
        let topic = String::from_utf8(statement.values.text(0).to_vec()).ok()?;
        Some(Self {
            topic,
            qos: qos(statement.values.int(1)),
            retain: statement.values.int(2) == Some(1),
            len: statement
                .values
                .int(3)
                .and_then(|len| usize::try_from(len).ok()),
        })
    }
}

/// Messages that wait for the host: a new one takes a free slot, or that of the oldest.
struct Inbox {
    enabled: bool,
    slots: Vec<Option<Message>>,
    next_age: u64,
}

struct Message {
    age: u64,
    topic: String,
    payload: Vec<u8>,
}

impl Inbox {
    fn new(slots: usize) -> Self {
        Self {
            enabled: false,
            slots: (0..slots).map(|_| None).collect(),
            next_age: 0,
        }
    }

    /// Keeps a message; returns its slot and whether another was overwritten.
    fn keep(&mut self, topic: &str, payload: &[u8]) -> (usize, bool) {
        let age_of = |slot: &Option<Message>| slot.as_ref().map_or(0, |message| message.age + 1);
        let slot = (0..self.slots.len())
            .min_by_key(|&slot| age_of(&self.slots[slot]))
            .unwrap_or(0);
        let overwritten = self.slots[slot].is_some();
        self.slots[slot] = Some(Message {
            age: self.next_age,
            topic: topic.into(),
            payload: payload.into(),
        });
        self.next_age += 1;
        (slot, overwritten)
    }

    /// Takes all messages out, the oldest first.
    // Inferred: the order; with free slots taken from 0 on it is also that of the slots, until one is overwritten.
    fn take(&mut self) -> Vec<Message> {
        let mut messages: Vec<Message> = self.slots.iter_mut().filter_map(Option::take).collect();
        messages.sort_by_key(|message| message.age);
        messages
    }
}

/// Tells the host what became of the link.
fn tell(core: &mut Core, inbox: &mut Inbox, hex: bool, mux: bool, news: &News<'_>) {
    match news {
        News::Opened => core.report(
            if mux {
                &luat::CONNECT_OK_MUX
            } else {
                &luat::CONNECT_OK
            },
            &[],
        ),
        News::OpenFailed(_) if mux => core.report(&luat::CONNECT_FAIL_MUX, &[]),
        News::OpenFailed(error) => {
            // Inferred: which of the states of AT+CIPSTATUS stands here.
            let state = if *error == NetError::Unreachable {
                "PDP DEACT"
            } else {
                "TCP CLOSED"
            };
            core.report(&luat::STATE, &[state.into()]);
            core.report(&luat::CONNECT_FAIL, &[]);
        }
        // After MDISCONNECT the server closes: the tutorial shows no report of that, and MIPCLOSE answers OK.
        News::Closed(Phase::LoggedOut | Phase::Closed | Phase::Dead) => {}
        News::Closed(_) => core.report(&luat::CLOSED, &[]),
        News::Mqtt(event) => tell_mqtt(core, inbox, hex, event),
    }
}

fn tell_mqtt(core: &mut Core, inbox: &mut Inbox, hex: bool, event: &Event<'_>) {
    match event {
        Event::Connected { .. } => core.report(&luat::CONNACK_OK, &[]),
        Event::Refused(_) => core.report(&basic::ERROR, &[]),
        Event::Received { .. } => core.report(&luat::PUBREC, &[]),
        Event::Published { qos, .. } => {
            core.report(
                if *qos == QoS::AtLeastOnce {
                    &luat::PUBACK
                } else {
                    &luat::PUBCOMP
                },
                &[],
            );
        }
        Event::Subscribed { codes, .. } => {
            if codes.contains(&Suback::FAILURE) {
                core.note(|| "the server refused the subscription".into());
                core.report(&basic::ERROR, &[]);
            } else {
                core.report(&luat::SUBACK, &[]);
            }
        }
        Event::Unsubscribed { .. } => core.report(&luat::UNSUBACK, &[]),
        Event::Message {
            topic,
            payload,
            offset: 0,
            total,
            ..
        } => message(core, inbox, hex, topic, payload, *total),
        // The rest of a message that is longer than the module holds.
        Event::Message { .. } => {}
        Event::Ignored { packet, id } => {
            core.note(|| format!("{packet} {} acknowledges nothing", id.get()));
        }
        Event::TimedOut { .. }
        | Event::Retransmitted { .. }
        | Event::PingSent
        | Event::PingAnswered
        | Event::PingLost
        | Event::Failed(_) => {}
    }
}

fn message(
    core: &mut Core,
    inbox: &mut Inbox,
    hex: bool,
    topic: &str,
    payload: &[u8],
    total: usize,
) {
    let limits = &core.model.limits;
    let limit = if inbox.enabled {
        limits.cached
    } else {
        limits.report
    };
    let shown = &payload[..payload.len().min(limit)];
    if shown.len() < total {
        // Inferred: the documents give the limit, not what becomes of a longer message.
        core.note(|| format!("a message of {total} bytes cut to {limit}"));
    }
    if inbox.enabled {
        let (slot, overwritten) = inbox.keep(topic, shown);
        if overwritten {
            core.note(|| {
                format!("all slots are full: the oldest message, in slot {slot}, is overwritten")
            });
        }
        core.report(&luat::MSUB_CACHED, &[(slot as i64).into()]);
    } else {
        let message = Message {
            age: 0,
            topic: topic.into(),
            payload: shown.into(),
        };
        print_message(core, hex, false, &message);
    }
}

/// Prints a message as a report, or as part of the answer to AT+MQTTMSGGET.
fn print_message(core: &mut Core, hex: bool, answer: bool, message: &Message) {
    let len = message.payload.len() as i64;
    let digits;
    let (line, payload) = if hex {
        digits = to_hex(&message.payload);
        (&luat::MSUB_HEX, digits.as_bytes())
    } else {
        (&luat::MSUB_DIRECT, &message.payload[..])
    };
    let values = [message.topic.as_str().into(), len.into(), payload.into()];
    if answer {
        core.info(line, &values);
    } else {
        core.report(line, &values);
    }
}

fn file_error(core: &mut Core, error: FileError) -> Outcome {
    core.note(|| error.to_string());
    Outcome::Error
}

fn write_file(core: &mut Core, path: &[u8], append: bool, data: &[u8], end: DataEnd) -> Outcome {
    if end != DataEnd::Length {
        core.note(|| format!("{} bytes came in time: nothing written", data.len()));
        return Outcome::Line(&luat::TIME_OUT);
    }
    let written = core.files.write(path, append, data);
    written.map_or_else(|error| file_error(core, error), |()| Outcome::Ok)
}

/// AT+SSLCFG: a query without a value, an erasure with an empty one.
fn configure_tls(core: &mut Core, statement: &Statement<'_>) -> Outcome {
    let values = &statement.values;
    let name = String::from_utf8_lossy(values.text(0)).to_ascii_lowercase();
    let Some((_, default)) = TLS_SETTINGS.iter().find(|(known, _)| *known == name) else {
        core.note(|| format!("there is no TLS setting {name}"));
        return Outcome::Error;
    };
    let context = values.int(1).unwrap_or(0);
    let key = format!("sslcfg/{context}/{name}");
    if values.len() == 2 {
        let value = core.kept.text(&key).unwrap_or(default).to_string();
        core.info(
            &luat::SSLCFG,
            &[name.as_str().into(), context.into(), value.as_str().into()],
        );
        return Outcome::Ok;
    }
    let value = String::from_utf8_lossy(values.text(2)).into_owned();
    if value.is_empty() {
        core.kept.remove(&key);
        return Outcome::Ok;
    }
    let number = value.parse::<u32>().ok();
    let fits = match name.as_str() {
        "sslversion" => number.is_some_and(|number| number <= 4),
        "seclevel" => number.is_some_and(|number| number <= 2),
        "ignorelocaltime" | "verifymode" => number.is_some_and(|number| number <= 1),
        "negotiatetimeout" => number.is_some_and(|number| (10..=300).contains(&number)),
        "ciphersuite" => CIPHER_SUITES
            .iter()
            .any(|suite| suite.eq_ignore_ascii_case(&value)),
        _ => true,
    };
    if !fits {
        core.note(|| format!("{value} is no value of {name}"));
        return Outcome::Error;
    }
    core.kept.insert(&key, value);
    Outcome::Ok
}

/// What the handshake of AT+SSLMIPSTART will be.
fn handshake(core: &Core, host: &str) -> Result<Tls, String> {
    let setting = |name: &str| {
        let key = format!("sslcfg/{MQTT_CONTEXT}/{name}");
        core.kept.text(&key).map(str::to_string)
    };
    tls::handshake(core, host, setting, |name| {
        tls::file(core, name, &setting(name).unwrap_or_default())
    })
}

/// The context of AT+SSLCFG that MQTT uses. Source: tutorial; manual.
const MQTT_CONTEXT: u8 = 88;

/// The settings of AT+SSLCFG with their defaults.
// Inferred: the defaults; the manual names none.
const TLS_SETTINGS: [(&str, &str); 11] = [
    ("sslversion", "4"),
    ("ciphersuite", "0XFFFF"),
    ("cacert", ""),
    ("clientcert", ""),
    ("clientkey", ""),
    ("seclevel", "0"),
    ("hostname", ""),
    ("ignorelocaltime", "1"),
    ("negotiatetimeout", "300"),
    ("clientrandom", ""),
    ("verifymode", "0"),
];

/// Source: tutorial §8.2 Q7; 0XFFFF is all of them.
const CIPHER_SUITES: [&str; 7] = [
    "0X0035", "0X002F", "0X0005", "0X0004", "0X000A", "0X003D", "0XFFFF",
];

fn not_logged_in(core: &mut Core) -> Outcome {
    core.note(|| "no MQTT session: wait for CONNACK OK".into());
    Outcome::Cme(cme::NOT_ALLOWED)
}

fn read_apn(core: &mut Core) -> Outcome {
    // Inferred: what stands there when nothing was saved.
    let saved = core.radio.saved_apn.clone();
    let (mode, saved) = match saved {
        Some(saved) => ("2", saved),
        None => (
            "3",
            SavedApn {
                apn: String::new(),
                user: String::new(),
                password: String::new(),
                auth: 0,
            },
        ),
    };
    for line in [
        format!("MODE:{mode}"),
        format!("APN:{}", saved.apn),
        format!("USR:{}", saved.user),
        format!("PWD:{}", saved.password),
        format!("AUTHMODE:{}", saved.auth),
    ] {
        core.info_text(&line);
    }
    Outcome::Ok
}

fn set_apn(core: &mut Core, statement: &Statement<'_>) -> Outcome {
    let values = &statement.values;
    let text = |index| String::from_utf8_lossy(values.text(index)).into_owned();
    let saved = match values.int(0) {
        // The manual: the APN must not be empty.
        Some(2) if values.text(1).is_empty() => return Outcome::BAD_VALUE,
        Some(2) => Some(SavedApn {
            apn: text(1),
            user: text(2),
            password: text(3),
            auth: values.int(4).unwrap_or(0) as u8,
        }),
        _ => None,
    };
    core.save_apn(saved);
    // The stack restarts by itself.
    core.radio.deactivate(DEFAULT_CID, false);
    let (now, timing, pace) = (core.now, &core.model.timing, core.config.pace);
    core.radio.attached = false;
    core.radio.search(now, timing, pace);
    Outcome::Ok
}

fn default_of(name: &str) -> &'static str {
    match name {
        "+CTZU" | "+CNETLIGHT" => "1",
        "+POWERMODE" => "CLOSE",
        "^WAKEUPHEX" => "",
        "+IFC" => "0,0",
        "+ICF" => "3,0",
        _ => "0",
    }
}
