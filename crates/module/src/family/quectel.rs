//! Quectel: BC26, EC20.
//!
//! The sources of each behaviour stand in the command's item in `dialect::quectel`.

mod device;
mod typed;

use super::{Family, from_hex, qos, to_hex};
use crate::api::{LinkEvent, LinkId, NetError, QueryId, Transport};
use crate::core::{Core, Outcome};
use crate::link::{Link, News, Phase};
use crate::network::sim_code;
use crate::radio::{Change, DEFAULT_CID};
use crate::state::LinkState;
use crate::terminal::{DataEnd, DataMode};
use credentials::{ClientId, Secret, SignType};
use device::{BROM, Device};
use dialect::model::Bearer;
use dialect::{Form, Line, Model, ParseError, Problem, Statement, Value, network, quectel as q};
use instant::Instant;
use mqtt::{Connect, Event, PacketId, QoS, SessionConfig, SessionError, Version, Will};
use std::net::IpAddr;
use std::time::Duration;

/// The identifiers of connections: 0 to 5.
const CLIENTS: usize = 6;
/// Messages that wait in buffer mode. Source: BG95 AN §3.2.10.
const SLOTS: usize = 5;
/// How long QMTOPEN may take. Source: BC26 AN §3.2.2: 75 s.
const OPEN_TIMEOUT: Duration = Duration::from_secs(75);
/// The prompt. Clients wait for `>`, `> ` or CR LF `>`: this satisfies them all. Source: field.
const PROMPT: &[u8] = b"\r\n> ";
/// Data that stops coming is given up after so long.
// Inferred from the BC660K, which leaves data mode after 60 s.
const DATA_IDLE: Duration = Duration::from_secs(60);

pub(crate) struct Quectel {
    model: &'static Model,
    clients: [Client; CLIENTS],
    pending: Option<Pending>,
    device: Device,
    protocol_check: i64,
    /// It has the report +QMTPING.
    tells_pings: bool,
}

/// What a command waits for.
enum Pending {
    Publish(Publish),
    /// The message of AT+QMTCFG="willex".
    Will(usize, LastWill),
}

/// One connection, and what is configured for it.
struct Client {
    link: Link,
    config: Config,
    host: String,
    port: u16,
    give_up: Option<Instant>,
    /// Packets under way: their identifiers, the host's, and how they are answered.
    sent: Vec<(PacketId, u16, &'static Line)>,
    kept: [Option<Kept>; SLOTS],
    /// The link ends because PINGREQ went unanswered.
    ping_lost: bool,
}

struct Kept {
    id: u16,
    topic: String,
    payload: Vec<u8>,
}

/// AT+QMTCFG. It stays when the connection is closed, and goes with the power.
#[derive(Clone)]
struct Config {
    keep_alive: u16,
    clean: bool,
    /// Seconds, repetitions, notice.
    timeout: [u8; 3],
    will: Option<LastWill>,
    version: u8,
    /// Send and receive in hexadecimal digits.
    hex: [bool; 2],
    /// Keep messages; show their length.
    recv: [bool; 2],
    /// The context of AT+QSSLCFG; on the BC26 with its connection.
    tls: Option<typed::Place>,
    huawei: Option<(String, String)>,
    /// What is read back as it was written, and has no effect here.
    stored: Vec<(&'static str, String)>,
}

#[derive(Clone)]
struct LastWill {
    qos: QoS,
    retain: bool,
    topic: String,
    message: Vec<u8>,
}

/// A publish that waits for its data.
struct Publish {
    client: usize,
    id: u16,
    qos: QoS,
    retain: bool,
    topic: String,
    /// How it is answered.
    line: &'static Line,
    /// In the tutorial's form, whose data ends with a pause.
    as_written: bool,
}

impl Quectel {
    pub(crate) fn new(model: &'static Model) -> Self {
        let nb = is_nb(model);
        let config = Config {
            keep_alive: 120,
            clean: true,
            timeout: [if nb { 10 } else { 5 }, 3, 0],
            will: None,
            version: 3,
            hex: [false; 2],
            recv: [false; 2],
            tls: None,
            huawei: None,
            stored: Vec::new(),
        };
        Self {
            model,
            clients: std::array::from_fn(|_| Client {
                link: Link::new(session_config(model, &config)),
                config: config.clone(),
                host: String::new(),
                port: 0,
                give_up: None,
                sent: Vec::new(),
                kept: Default::default(),
                ping_lost: false,
            }),
            pending: None,
            device: Device::default(),
            protocol_check: 0,
            tells_pings: dialect::command::find(model.commands, b"+QMTOPEN")
                .is_some_and(|open| open.replies.iter().any(|line| line.name == q::PING.name)),
        }
    }
}

fn is_nb(model: &Model) -> bool {
    model.bearer == Bearer::NbIot
}

/// The options that are stored, with what they are at first.
// Inferred: the defaults.
const STORED: [(&str, &str); 5] = [
    ("aliauth", ""),
    ("echomode", "0"),
    ("hwprodid", ""),
    ("pdpcid", "1"),
    ("qmtping", ""),
];

fn session_config(model: &Model, config: &Config) -> SessionConfig {
    SessionConfig {
        max_packet: (model.limits.report + 512) as u32,
        // Source: BC26 FW, BG95 AN: five messages in flight.
        max_in_flight: 5,
        retry: Some(Duration::from_secs(config.timeout[0].into())),
        attempts: config.timeout[1] + 1,
        // Inferred: the limits of a packet are those of PINGREQ too.
        ping_timeout: Duration::from_secs(config.timeout[0].into()),
        ping_attempts: config.timeout[1] + 1,
    }
}

impl Family for Quectel {
    fn execute(&mut self, core: &mut Core, statement: &Statement<'_>) -> Option<Outcome> {
        self.device.stir(core);
        let values = &statement.values;
        let read = statement.form == Form::Read;
        let index = values.int(0).unwrap_or(0) as usize;
        Some(match statement.command.name {
            "+QMTOPEN" if read => {
                for (index, client) in self
                    .clients
                    .iter()
                    .enumerate()
                    .filter(|(_, client)| client.is_open())
                {
                    core.info(
                        &q::OPEN_READ,
                        &[
                            (index as i64).into(),
                            client.host.as_str().into(),
                            i64::from(client.port).into(),
                        ],
                    );
                }
                Outcome::Ok
            }
            "+QMTOPEN" => self.open(core, index, values.text(1), values.int(2)),
            "+QMTCLOSE" => self.close(core, index),
            "+QMTCONN" if read => {
                for (index, client) in self
                    .clients
                    .iter()
                    .enumerate()
                    .filter(|(_, client)| client.is_open())
                {
                    let state: u8 = match client.link.phase {
                        Phase::LoggingIn => 2,
                        Phase::Up => 3,
                        _ => 1,
                    };
                    core.info(&q::CONN_READ, &[(index as i64).into(), state.into()]);
                }
                Outcome::Ok
            }
            "+QMTCONN" => self.log_in(
                core,
                index,
                [values.text(1), values.text(2), values.text(3)],
            ),
            "+QMTDISC" => self.log_out(core, index),
            "+QMTSUB" => self.subscribe(core, index, statement),
            "+QMTUNS" => self.unsubscribe(core, index, statement),
            "+QMTPUB" | "+QMTPUBEX" => self.publish(core, index, statement),
            "+QMTRECV" => self.receive(core, index, statement),
            name if name.starts_with("+QMTCFG=") => self.configure(core, index, statement),
            _ => {
                let open = self.clients.iter().any(Client::is_open);
                return self.device.execute(core, statement, open);
            }
        })
    }

    fn as_written(&mut self, core: &mut Core, statement: &Statement<'_>) -> Outcome {
        let values = &statement.values;
        let index = values.int(0).unwrap_or(0) as usize;
        let nb = is_nb(self.model);
        match statement.command.name {
            "+QMTOPEN" => self.open(core, index, values.text(2), values.int(3)),
            "+QMTCONN" if nb => {
                let config = &mut self.clients[index].config;
                config.keep_alive = values.int(2).unwrap_or(120) as u16;
                config.clean = values.int(3) == Some(1);
                self.log_in(
                    core,
                    index,
                    [values.text(1), values.text(6), values.text(7)],
                )
            }
            // The tutorial gives no client id: the user name stands for it.
            "+QMTCONN" => self.log_in(
                core,
                index,
                [values.text(1), values.text(1), values.text(2)],
            ),
            "+QMTSUB" => {
                let (id, topic, level) = if nb {
                    (values.int(1), values.text(2), None)
                } else {
                    (Some(1), values.text(1), values.int(2))
                };
                let filters = [(str::from_utf8(topic).unwrap_or_default(), qos(level))];
                let id = id.unwrap_or(1).max(1) as u16;
                self.request(core, index, id, &q::SUB, |link, now, packet| {
                    link.session.subscribe(now, packet, &filters).map(Some)
                })
            }
            "+QMTPUB" => {
                let (topic, first) = if nb { (2, 3) } else { (1, 2) };
                let publish = Publish {
                    client: index,
                    id: if nb {
                        values.int(1).unwrap_or(1) as u16
                    } else {
                        1
                    },
                    qos: qos(values.int(first)),
                    retain: values.int(first + 1) == Some(1),
                    topic: String::from_utf8_lossy(values.text(topic)).into_owned(),
                    line: &q::PUB,
                    as_written: true,
                };
                if !nb {
                    return self.send(core, &publish, values.text(4));
                }
                self.pending = Some(Pending::Publish(publish));
                Outcome::Data(DataMode {
                    prompt: PROMPT,
                    until_ctrl_z: true,
                    cancel: true,
                    max: values.int(6).unwrap_or(512) as usize,
                    // The tutorial names a length that is not the text's, and no end: a pause is one.
                    idle: Some(Duration::from_secs(2)),
                    ..DataMode::default()
                })
            }
            "+QMTCLS" => self.close(core, index),
            "+QMTSTAT" => {
                let up = self.clients[index].link.phase == Phase::Up;
                core.info(&q::STAT, &[(index as i64).into(), u8::from(!up).into()]);
                Outcome::Ok
            }
            "+CGACT" => {
                core.radio.deactivate(DEFAULT_CID, false);
                Outcome::Ok
            }
            _ => Outcome::Ok,
        }
    }

    fn refuse(&mut self, _core: &mut Core, error: &ParseError) -> Outcome {
        // Source: BC26 AN V1.1, BG95 AN and every EC2x log: plain ERROR.
        let of_mqtt = error
            .command
            .is_none_or(|known| known.0.name.starts_with("+Q"));
        match error.problem {
            Problem::OutOfRange | Problem::TooLong if !of_mqtt => Outcome::Cme(50),
            _ => Outcome::Error,
        }
    }

    fn data(&mut self, core: &mut Core, data: &[u8], end: DataEnd) -> Outcome {
        if let Some(outcome) = self.device.data(core, data, end) {
            return outcome;
        }
        let publish = match self.pending.take() {
            Some(Pending::Publish(publish)) => publish,
            Some(Pending::Will(index, will)) if end == DataEnd::Length => {
                self.clients[index].config.will = Some(LastWill {
                    message: data.into(),
                    ..will
                });
                return Outcome::Ok;
            }
            _ => return Outcome::Error,
        };
        match end {
            DataEnd::Idle if publish.as_written && !data.is_empty() => {
                self.send(core, &publish, data)
            }
            DataEnd::Length | DataEnd::CtrlZ => self.send(core, &publish, data),
            DataEnd::Cancelled => Outcome::Ok,
            DataEnd::Overflow(lost) => {
                core.note(|| format!("{lost} bytes more than the module holds: nothing published"));
                Outcome::Error
            }
            DataEnd::Idle => Outcome::Error,
        }
    }

    fn link(&mut self, core: &mut Core, link: LinkId, event: LinkEvent<'_>) {
        self.device.link(core, link, &event);
        self.device.stir(core);
        for index in 0..CLIENTS {
            self.with_link(core, index, |link_of, core, on| {
                link_of.event(core, link, event, on);
            });
        }
    }

    fn resolved(&mut self, core: &mut Core, query: QueryId, answer: Result<&[IpAddr], NetError>) {
        self.device.resolved(core, query, answer);
    }

    fn network(&mut self, core: &mut Core, change: &Change) {
        let nb = is_nb(self.model);
        match change {
            Change::Booted => {
                if nb {
                    core.stream(BROM);
                }
                Device::boot(core);
                for line in self.model.boot {
                    core.report(line, &[]);
                }
            }
            // Inferred: one that is starting says nothing yet.
            Change::Sim if core.radio.world.sim == crate::Sim::Busy => {}
            Change::Sim => {
                match sim_code(&core.radio.world.sim) {
                    Some(code) => core.report(&network::CPIN, &[code.into()]),
                    None => core.report_text(b"+CPIN: NOT INSERTED"),
                }
                if core.radio.world.sim == crate::Sim::Ready {
                    for line in self.model.sim_ready {
                        core.report(line, &[1.into()]);
                    }
                }
            }
            Change::PdpUp(cid) => {
                core.state(|| format!("PDP context {cid} up"));
                core.clock.set_from_network(core.now);
                if nb && *cid == DEFAULT_CID {
                    let address = core.radio.address(DEFAULT_CID).to_string();
                    core.report(&q::IP, &[address.as_str().into()]);
                }
            }
            Change::PdpDown { cid, by_network } => {
                core.state(|| format!("PDP context {cid} down"));
                if *cid == DEFAULT_CID {
                    let was_active = std::mem::take(&mut self.device.active);
                    if *by_network && was_active {
                        core.report(&q::PDPDEACT, &[(*cid).into()]);
                    }
                    for (index, client) in self.clients.iter_mut().enumerate() {
                        if client.is_open() {
                            client.link.cut(core);
                            client.reset();
                            core.report(&q::STAT, &[(index as i64).into(), 1.into()]);
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn advance(&mut self, core: &mut Core) {
        self.device.advance(core);
        for index in 0..CLIENTS {
            let client = &mut self.clients[index];
            if client.give_up.is_some_and(|at| at <= core.now) {
                let opening = client.link.phase == Phase::Opening;
                client.link.close(core);
                client.reset();
                let id = index as i64;
                if opening {
                    core.report(&q::OPEN, &[id.into(), 5.into()]);
                } else {
                    core.report(&q::STAT, &[id.into(), 4.into()]);
                }
            }
            self.with_link(core, index, Link::advance);
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let clients = self.clients.iter();
        clients
            .flat_map(|client| [client.give_up, client.link.next_deadline()])
            .chain([self.device.next_deadline()])
            .flatten()
            .min()
    }

    fn links(&self) -> Vec<LinkState> {
        let clients = self.clients.iter().enumerate();
        clients
            .filter_map(|(index, client)| client.link.state(index))
            .collect()
    }

    fn power_off(&mut self, core: &mut Core) {
        for client in &mut self.clients {
            client.link.cut(core);
        }
    }
}

impl Client {
    /// The identifier is taken.
    fn is_open(&self) -> bool {
        !matches!(self.link.phase, Phase::Closed | Phase::Dead)
    }

    fn reset(&mut self) {
        self.link.phase = Phase::Closed;
        self.give_up = None;
        self.sent.clear();
        self.kept = Default::default();
        self.ping_lost = false;
    }
}

impl Quectel {
    fn with_link(
        &mut self,
        core: &mut Core,
        index: usize,
        act: impl FnOnce(&mut Link, &mut Core, &mut dyn FnMut(&mut Core, News<'_>)),
    ) {
        let tells_pings = self.tells_pings;
        let Client {
            link,
            config,
            give_up,
            sent,
            kept,
            ping_lost,
            ..
        } = &mut self.clients[index];
        let mut over = false;
        act(link, core, &mut |core, news| {
            let mut teller = Teller {
                index: index as i64,
                tells_pings,
                ping_lost,
                config,
                give_up,
                sent,
                kept,
            };
            over |= teller.tell(core, &news);
        });
        if over {
            let client = &mut self.clients[index];
            client.link.close(core);
            client.reset();
        }
    }

    fn configure(&mut self, core: &mut Core, index: usize, statement: &Statement<'_>) -> Outcome {
        let values = &statement.values;
        let option = statement.command.name.split('"').nth(1).unwrap_or_default();
        if option == "protocol/check" {
            // The one option that is of no client.
            if let Some(value) = values.int(0) {
                self.protocol_check = value;
            } else {
                let value = self.protocol_check;
                core.info_text(&format!("+QMTCFG: \"protocol/check\",{value}"));
            }
            return Outcome::Ok;
        }
        let model = self.model;
        let config = &mut self.clients[index].config;
        if values.len() == 1 {
            let text = config.query(option, is_nb(model));
            let sign = if text.is_empty() { "" } else { "," };
            core.info_text(&format!("+QMTCFG: \"{option}\"{sign}{text}"));
            return Outcome::Ok;
        }
        let number = |index: usize| values.int(index);
        let text = |index: usize| String::from_utf8_lossy(values.text(index)).into_owned();
        match option {
            "keepalive" => config.keep_alive = number(1).unwrap_or(120) as u16,
            "session" => config.clean = number(1) == Some(1),
            "timeout" => {
                for place in 1..values.len() {
                    if let Some(value) = number(place) {
                        config.timeout[place - 1] = value as u8;
                    }
                }
            }
            "will" if number(1) == Some(1) => {
                if values.len() != 6 || !mqtt::topic_name_is_valid(&text(4)) {
                    core.note(|| {
                        "a will that is on needs its QoS, retain flag, topic and message".into()
                    });
                    return Outcome::Error;
                }
                config.will = Some(LastWill {
                    qos: qos(number(2)),
                    retain: number(3) == Some(1),
                    topic: text(4),
                    message: values.text(5).to_vec(),
                });
            }
            "willex" if number(1) == Some(1) => {
                if values.len() != 6 || !mqtt::topic_name_is_valid(&text(4)) {
                    return Outcome::Error;
                }
                let will = LastWill {
                    qos: qos(number(2)),
                    retain: number(3) == Some(1),
                    topic: text(4),
                    message: Vec::new(),
                };
                let len = number(5).unwrap_or(0) as usize;
                if len == 0 {
                    config.will = Some(will);
                    return Outcome::Ok;
                }
                self.pending = Some(Pending::Will(index, will));
                return Outcome::Data(DataMode {
                    prompt: PROMPT,
                    len: Some(len),
                    max: len,
                    idle: Some(DATA_IDLE),
                    ..DataMode::default()
                });
            }
            "will" | "willex" => config.will = None,
            "version" => config.version = number(1).unwrap_or(3) as u8,
            "dataformat" => config.hex = [1, 2].map(|place| number(place) == Some(1)),
            "send/mode" => config.hex[0] = number(1) == Some(1),
            "recv/mode" => config.recv = [1, 2].map(|place| number(place) == Some(1)),
            "ssl" if number(1) == Some(1) && number(2).is_none() => {
                core.note(|| "with 1 the context of AT+QSSLCFG must follow".into());
                return Outcome::Error;
            }
            "ssl" => {
                let place = (number(2).unwrap_or(0), number(3).unwrap_or(0));
                config.tls = (number(1) == Some(1)).then_some(place);
            }
            "hwauth" => config.huawei = Some((text(1), text(2))),
            other => {
                let shown: Vec<String> = values.as_slice()[1..]
                    .iter()
                    .map(|value| match value {
                        Value::Int(number) => number.to_string(),
                        value => format!("\"{}\"", String::from_utf8_lossy(value.text())),
                    })
                    .collect();
                let name = STORED.iter().find(|(name, _)| *name == other);
                config.stored.retain(|(name, _)| *name != other);
                config
                    .stored
                    .extend(name.map(|(name, _)| (*name, shown.join(","))));
            }
        }
        Outcome::Ok
    }

    fn open(&mut self, core: &mut Core, index: usize, host: &[u8], port: Option<i64>) -> Outcome {
        let id = index as i64;
        let Some(host) = str::from_utf8(host).ok().filter(|host| !host.is_empty()) else {
            return Outcome::Error;
        };
        let port = port.unwrap_or(1883) as u16;
        let model = self.model;
        let client = &mut self.clients[index];
        if client.is_open() {
            core.report(&q::OPEN, &[id.into(), 2.into()]);
        } else if !core.radio.is_active(DEFAULT_CID) && !core.radio.activate(DEFAULT_CID) {
            core.report(&q::OPEN, &[id.into(), 3.into()]);
        } else {
            let tls = client
                .config
                .tls
                .map(|place| self.device.handshake(core, place, host));
            let tls = match tls.transpose() {
                Ok(tls) => tls,
                Err(missing) => {
                    // Inferred: told when the connection is made, not when the file is named.
                    core.note(|| missing);
                    core.report(&q::OPEN, &[id.into(), (-1).into()]);
                    return Outcome::Ok;
                }
            };
            let transport = Transport {
                tls: tls.map(Box::new),
                ..Transport::default()
            };
            client.link = Link::new(session_config(model, &client.config));
            client.host = host.into();
            client.port = port;
            client.link.open(core, host, port, transport);
            client.give_up = Some(core.now + OPEN_TIMEOUT);
        }
        Outcome::Ok
    }

    fn close(&mut self, core: &mut Core, index: usize) -> Outcome {
        let client = &mut self.clients[index];
        if !client.is_open() {
            return Outcome::Error;
        }
        if client.link.phase == Phase::Up {
            client.link.log_out(core);
        }
        client.link.close(core);
        client.reset();
        core.report(&q::CLOSE, &[(index as i64).into(), 0.into()]);
        Outcome::Ok
    }

    fn log_out(&mut self, core: &mut Core, index: usize) -> Outcome {
        let client = &mut self.clients[index];
        if client.link.phase != Phase::Up {
            return Outcome::Error;
        }
        client.link.log_out(core);
        client.link.close(core);
        client.reset();
        core.report(&q::DISC, &[(index as i64).into(), 0.into()]);
        Outcome::Ok
    }

    fn log_in(&mut self, core: &mut Core, index: usize, texts: [&[u8]; 3]) -> Outcome {
        let time = core.clock.hour(core.now);
        let client = &mut self.clients[index];
        if client.link.phase != Phase::Open {
            core.note(|| "QMTCONN needs the connection of QMTOPEN: wait for its report".into());
            return Outcome::Error;
        }
        let [id, username, password] = texts;
        let text = |bytes: &[u8]| str::from_utf8(bytes).unwrap_or_default().to_string();
        let (mut id, mut username, mut password) = (text(id), text(username), password.to_vec());
        let config = &client.config;
        if let Some((device, secret)) = &config.huawei {
            // The firmware takes any text for a device, so the identifier is not checked here.
            let own = ClientId {
                device_id: device.clone(),
                sign_type: SignType::Unchecked,
                timestamp: time,
            };
            id = own.to_string();
            username = own.device_id;
            password = Secret::from(secret.as_str()).password(time).into_bytes();
        }
        let connect = Connect {
            version: if config.version == 4 {
                Version::V311
            } else {
                Version::V31
            },
            clean_session: config.clean,
            keep_alive: config.keep_alive,
            client_id: &id,
            will: config.will.as_ref().map(|will| Will {
                topic: &will.topic,
                payload: &will.message,
                qos: will.qos,
                retain: will.retain,
            }),
            username: (!username.is_empty()).then_some(&username),
            password: (!username.is_empty() && !password.is_empty()).then_some(&password),
        };
        let patience = Duration::from_secs(config.timeout[0].into());
        if client.link.log_in(core, &connect) {
            client.give_up = Some(core.now + patience);
        } else {
            core.report(&q::CONN_FAILED, &[(index as i64).into(), 2.into()]);
        }
        Outcome::Ok
    }

    fn subscribe(&mut self, core: &mut Core, index: usize, statement: &Statement<'_>) -> Outcome {
        let values = &statement.values;
        let pairs: Vec<(&str, QoS)> = (2..values.len())
            .step_by(2)
            .map(|place| {
                (
                    str::from_utf8(values.text(place)).unwrap_or_default(),
                    qos(values.int(place + 1)),
                )
            })
            .collect();
        let id = values.int(1).unwrap_or(1) as u16;
        self.request(core, index, id, &q::SUB, |link, now, packet| {
            link.session.subscribe(now, packet, &pairs).map(Some)
        })
    }

    fn unsubscribe(&mut self, core: &mut Core, index: usize, statement: &Statement<'_>) -> Outcome {
        let values = &statement.values;
        let filters: Vec<&str> = (2..values.len())
            .map(|place| str::from_utf8(values.text(place)).unwrap_or_default())
            .collect();
        let id = values.int(1).unwrap_or(1) as u16;
        self.request(core, index, id, &q::UNS, |link, now, packet| {
            link.session.unsubscribe(now, packet, &filters).map(Some)
        })
    }

    fn publish(&mut self, core: &mut Core, index: usize, statement: &Statement<'_>) -> Outcome {
        let values = &statement.values;
        let publish = Publish {
            client: index,
            id: values.int(1).unwrap_or(0) as u16,
            qos: qos(values.int(2)),
            retain: values.int(3) == Some(1),
            topic: String::from_utf8_lossy(values.text(4)).into_owned(),
            line: statement.command.replies.first().unwrap_or(&&q::PUB),
            as_written: false,
        };
        if publish.id == 0 && publish.qos != QoS::AtMostOnce {
            if is_nb(self.model) {
                core.note(|| "msgID may be 0 with QoS 0 only".into());
                return Outcome::Error;
            }
            core.note(|| "the manual wants a msgID above 0 with QoS 1 and 2".into());
        }
        if self.clients[index].link.phase != Phase::Up {
            core.note(|| "no MQTT session: wait for +QMTCONN".into());
            return Outcome::Error;
        }
        // What stands behind the topic says how the message comes: a length, the message itself, or nothing.
        let len = match values.at(5) {
            Value::Text(message) => return self.send(core, &publish, message),
            value => value.int().and_then(|len| usize::try_from(len).ok()),
        };
        let echoes = self.clients[publish.client].config.query("echomode", true) == "1";
        self.pending = Some(Pending::Publish(publish));
        Outcome::Data(DataMode {
            prompt: PROMPT,
            len,
            until_ctrl_z: true,
            cancel: len.is_none(),
            max: core.model.limits.publish_data,
            idle: Some(DATA_IDLE),
            // Source: BG770A log; BC26 AN §3.2.1, echomode.
            echo: !is_nb(self.model) || echoes,
            ..DataMode::default()
        })
    }

    fn send(&mut self, core: &mut Core, publish: &Publish, data: &[u8]) -> Outcome {
        let Publish {
            client: index,
            id,
            qos,
            retain,
            topic,
            line,
            ..
        } = publish;
        let decoded;
        let mut data = data;
        if self.clients[*index].config.hex[0] {
            let Some(bytes) = from_hex(data) else {
                core.note(|| "the data must be pairs of hexadecimal digits".into());
                return Outcome::Error;
            };
            decoded = bytes;
            data = &decoded;
        }
        let outcome = self.request(core, *index, *id, line, |link, now, packet| {
            let packet = packet.filter(|_| *qos != QoS::AtMostOnce);
            link.session
                .publish_with_id(now, packet, topic, data, *qos, *retain)
        });
        if outcome == Outcome::Ok && *qos == QoS::AtMostOnce {
            let shown = if is_nb(self.model) { 0 } else { *id };
            core.report(
                line,
                &[(*index as i64).into(), i64::from(shown).into(), 0.into()],
            );
        }
        outcome
    }

    /// Sends a packet under the host's identifier.
    fn request(
        &mut self,
        core: &mut Core,
        index: usize,
        id: u16,
        line: &'static Line,
        send: impl FnOnce(
            &mut Link,
            Instant,
            Option<PacketId>,
        ) -> Result<Option<PacketId>, SessionError>,
    ) -> Outcome {
        let client = &mut self.clients[index];
        if client.link.phase != Phase::Up {
            core.note(|| "no MQTT session: wait for +QMTCONN".into());
            return Outcome::Error;
        }
        match send(&mut client.link, core.now, PacketId::new(id)) {
            Ok(packet) => {
                client.sent.extend(packet.map(|packet| (packet, id, line)));
                client.link.flush(core);
                Outcome::Ok
            }
            Err(error) => {
                core.note(|| error.to_string());
                Outcome::Error
            }
        }
    }

    /// AT+QMTRECV: what is kept, and reading it.
    fn receive(&mut self, core: &mut Core, index: usize, statement: &Statement<'_>) -> Outcome {
        if statement.form == Form::Read {
            for (index, client) in self
                .clients
                .iter()
                .enumerate()
                .filter(|(_, client)| client.is_open())
            {
                let slots: Vec<_> = client
                    .kept
                    .iter()
                    .map(|slot| u8::from(slot.is_some()).to_string())
                    .collect();
                core.info_text(&format!("+QMTRECV: {index},{}", slots.join(",")));
            }
            return Outcome::Ok;
        }
        let client = &mut self.clients[index];
        if !client.is_open() {
            return Outcome::Error;
        }
        let wanted = statement.values.int(1);
        let show_len = client.config.recv[1];
        for slot in 0..SLOTS {
            if wanted.is_none_or(|wanted| wanted == slot as i64)
                && let Some(message) = client.kept[slot].take()
            {
                let (line, values) = message_line(index as i64, &message, show_len);
                core.info(line, &values);
            }
        }
        Outcome::Ok
    }
}

impl Config {
    fn query(&self, option: &str, is_nb: bool) -> String {
        match option {
            "keepalive" => self.keep_alive.to_string(),
            "session" => u8::from(self.clean).to_string(),
            "timeout" => self.timeout.map(|field| field.to_string()).join(","),
            "version" => self.version.to_string(),
            "willex" => match &self.will {
                Some(will) => format!(
                    "1,{},{},\"{}\",{}",
                    will.qos.level(),
                    u8::from(will.retain),
                    will.topic,
                    will.message.len()
                ),
                None => "0".into(),
            },
            "will" => match &self.will {
                Some(will) => format!(
                    "1,{},{},\"{}\",\"{}\"",
                    will.qos.level(),
                    u8::from(will.retain),
                    will.topic,
                    String::from_utf8_lossy(&will.message)
                ),
                None => "0".into(),
            },
            "dataformat" => self.hex.map(|on| u8::from(on).to_string()).join(","),
            "send/mode" => u8::from(self.hex[0]).to_string(),
            "recv/mode" => self.recv.map(|on| u8::from(on).to_string()).join(","),
            "ssl" => match self.tls {
                Some((context, connection)) if is_nb => format!("1,{context},{connection}"),
                Some((context, _)) => format!("1,{context}"),
                None => "0".into(),
            },
            "hwauth" => self
                .huawei
                .as_ref()
                .map(|(device, secret)| format!("\"{device}\",\"{secret}\""))
                .unwrap_or_default(),
            other => {
                let set = self.stored.iter().find(|(name, _)| *name == other);
                let default = STORED.iter().find(|(name, _)| *name == other);
                let found = set.map(|(_, value)| value.clone());
                found
                    .or(default.map(|(_, value)| (*value).to_string()))
                    .unwrap_or_default()
            }
        }
    }
}

/// Tells the host of one connection.
struct Teller<'a> {
    index: i64,
    /// It has the report +QMTPING.
    tells_pings: bool,
    ping_lost: &'a mut bool,
    config: &'a Config,
    give_up: &'a mut Option<Instant>,
    sent: &'a mut Vec<(PacketId, u16, &'static Line)>,
    kept: &'a mut [Option<Kept>; SLOTS],
}

impl Teller<'_> {
    /// True when the connection is over.
    fn tell(&mut self, core: &mut Core, news: &News<'_>) -> bool {
        let index = self.index;
        match news {
            News::Opened => {
                *self.give_up = None;
                core.report(&q::OPEN, &[index.into(), 0.into()]);
                false
            }
            News::OpenFailed(error) => {
                // Source: forums.quectel.com 3562 for the handshake.
                let code = match error {
                    NetError::Dns => 4,
                    NetError::Tls => -1,
                    _ => 5,
                };
                core.report(&q::OPEN, &[index.into(), code.into()]);
                true
            }
            News::Closed(_) => {
                // Source: BG95 AN, QMTSTAT: 2 is a PINGREQ that failed.
                let why = if *self.ping_lost { 2 } else { 1 };
                core.report(&q::STAT, &[index.into(), why.into()]);
                true
            }
            News::Mqtt(event) => {
                self.tell_mqtt(core, event);
                false
            }
        }
    }

    fn tell_mqtt(&mut self, core: &mut Core, event: &Event<'_>) {
        let index = self.index;
        match event {
            Event::Connected { .. } => {
                *self.give_up = None;
                core.report(&q::CONN, &[index.into(), 0.into(), 0.into()]);
            }
            Event::Refused(code) => {
                *self.give_up = None;
                core.report(&q::CONN, &[index.into(), 0.into(), code.code().into()]);
            }
            Event::Published { id, .. } => {
                let (id, line) = self.take(*id);
                core.report(line, &[index.into(), id.into(), 0.into()]);
            }
            Event::Subscribed { id, codes } => {
                let (id, _) = self.take(*id);
                let codes: Vec<_> = codes.iter().map(ToString::to_string).collect();
                core.report(
                    &q::SUB,
                    &[
                        index.into(),
                        id.into(),
                        0.into(),
                        codes.join(",").as_str().into(),
                    ],
                );
            }
            Event::Unsubscribed { id } => {
                let (id, _) = self.take(*id);
                core.report(&q::UNS, &[index.into(), id.into(), 0.into()]);
            }
            Event::TimedOut { id } => {
                let (id, line) = self.take(*id);
                // A subscription that nobody answered has no value behind its result.
                let text = format!("{}: {index},{id},2", line.name);
                core.report_text(text.as_bytes());
            }
            Event::Retransmitted { id, attempt } if self.config.timeout[2] == 1 => {
                let found = self.sent.iter().find(|(packet, ..)| packet == id);
                let (_, own, line) = found.copied().unwrap_or((*id, id.get(), &q::PUB));
                let text = format!("{}: {index},{own},1,{}", line.name, attempt - 1);
                core.report_text(text.as_bytes());
            }
            Event::PingLost => {
                *self.ping_lost = true;
                // Source: EC2x clients; the BG95's manual has no such report.
                if self.tells_pings {
                    core.report(&q::PING, &[index.into(), 1.into()]);
                }
            }
            Event::Message {
                topic,
                payload,
                offset: 0,
                total,
                id,
                ..
            } => {
                if payload.len() < *total {
                    core.note(|| format!("a message of {total} bytes cut to {}", payload.len()));
                }
                let payload = if self.config.hex[1] {
                    to_hex(payload).into_bytes()
                } else {
                    payload.to_vec()
                };
                let message = Kept {
                    id: id.map_or(0, PacketId::get),
                    topic: (*topic).into(),
                    payload,
                };
                self.message(core, message);
            }
            _ => {}
        }
    }

    fn message(&mut self, core: &mut Core, message: Kept) {
        let [keep, show_len] = self.config.recv;
        if !keep {
            let (line, values) = message_line(self.index, &message, show_len);
            core.report(line, &values);
            return;
        }
        match self.kept.iter().position(Option::is_none) {
            Some(slot) => {
                self.kept[slot] = Some(message);
                core.report(&q::RECV_KEPT, &[self.index.into(), (slot as i64).into()]);
            }
            // Inferred: the manuals do not say what becomes of a sixth message.
            None => core.note(|| "all five slots are full: the message is dropped".into()),
        }
    }

    /// The host's identifier of a packet, and how it is answered.
    fn take(&mut self, packet: PacketId) -> (i64, &'static Line) {
        match self.sent.iter().position(|(own, ..)| *own == packet) {
            Some(at) => {
                let (_, id, line) = self.sent.remove(at);
                (id.into(), line)
            }
            None => (packet.get().into(), &q::PUB),
        }
    }
}

fn message_line(index: i64, message: &Kept, show_len: bool) -> (&'static Line, Vec<Value<'_>>) {
    let mut values: Vec<Value<'_>> = vec![
        index.into(),
        i64::from(message.id).into(),
        message.topic.as_str().into(),
    ];
    if show_len {
        values.push((message.payload.len() as i64).into());
    }
    values.push(message.payload.as_slice().into());
    (if show_len { &q::RECV_LEN } else { &q::RECV }, values)
}
