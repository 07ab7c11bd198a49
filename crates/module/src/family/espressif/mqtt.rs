//! MQTTUSERCFG, MQTTCONN and the rest: one client.

use super::PROMPT;
use super::manufacturing::certificate;
use crate::api::{LinkEvent, LinkId, Transport};
use crate::core::{Core, Outcome};
use crate::family::qos;
use crate::link::{Link, News, Phase};
use crate::state::LinkState;
use crate::terminal::{DataEnd, DataMode};
use crate::tls::Tls;
use dialect::{Form, Model, Statement, Value, espressif as esp};
use instant::Instant;
use mqtt::{Connect, Event, PacketId, QoS, SessionConfig, Will};
use std::time::Duration;

/// What a command comes to, or the number of its error.
pub(super) type Result<T = Outcome> = std::result::Result<T, u16>;

/// The errors of the documentation's list that are given here.
mod error {
    pub(super) const NO_CONFIGURED: u16 = 0x6001;
    pub(super) const NOT_IN_CONFIGURED_STATE: u16 = 0x6002;
    pub(super) const ALREADY_CLEAN: u16 = 0x6003;
    pub(super) const ALREADY_CONNECTED: u16 = 0x6004;
    pub(super) const PARAMETER_COUNT: u16 = 0x6008;
    pub(super) const CLIENT_START_FAILED: u16 = 0x600b;
    pub(super) const CA_LENGTH: u16 = 0x6021;
    pub(super) const CERT_LENGTH: u16 = 0x6023;
    pub(super) const KEY_LENGTH: u16 = 0x6025;
    pub(super) const PUBLISH_FAILED: u16 = 0x600c;
    pub(super) const SUBSCRIBE_FAILED: u16 = 0x600d;
    pub(super) const UNSUBSCRIBE_FAILED: u16 = 0x600e;
    pub(super) const HOST_IS_NULL: u16 = 0x603b;
    pub(super) const TOPIC_IS_NULL: u16 = 0x6042;
    pub(super) const DISCONNECTED: u16 = 0x6051;
}

/// Source: 2.2 documentation, MQTT AT Notes.
const PATIENCE: Duration = Duration::from_secs(10);
/// The default of the parameter that later releases have. Source: 3.3 documentation.
const LATE_PATIENCE: Duration = Duration::from_secs(15);
/// How long MQTTCONN may take where it has no such parameter.
// Inferred: the documentation says no more than that it may take longer than 10 s.
const CONNECT_PATIENCE: Duration = Duration::from_secs(20);
/// Between attempts to connect again. Source: esp-mqtt, MQTT_RECON_DEFAULT_MS.
const RECONNECT: Duration = Duration::from_secs(10);
/// Subscriptions. Source: 2.2 documentation.
const TOPICS: usize = 10;

pub(super) struct Mqtt {
    link: Link,
    /// The buffer of a message, header included.
    buffer: usize,
    settings: Option<Settings>,
    /// What MQTTCONN has read of the certificates.
    tls: Option<Box<Tls>>,
    /// MQTTCONNCFG was given.
    conn_set: bool,
    /// A connection was made since MQTTCLEAN, and is lost.
    lost: bool,
    topics: Vec<(String, QoS)>,
    /// There was a subscription on this connection.
    subscribed: bool,
    task: Option<Task>,
    retry_at: Option<Instant>,
    /// How long the connection that the module makes by itself may take.
    retry_until: Option<Instant>,
    /// A message that comes in parts: what is not yet reported.
    partial: Vec<u8>,
}

/// What is set; gone with AT+MQTTCLEAN.
#[derive(Clone, Default)]
struct Settings {
    scheme: u8,
    client_id: Vec<u8>,
    username: Vec<u8>,
    password: Vec<u8>,
    path: String,
    keep_alive: u16,
    keep_session: bool,
    will: Option<LastWill>,
    server_name: Option<String>,
    protocols: Vec<String>,
    host: String,
    port: u16,
    reconnect: bool,
}

#[derive(Clone)]
struct LastWill {
    topic: String,
    message: Vec<u8>,
    qos: QoS,
    retain: bool,
}

/// The command that runs, and until when.
struct Task {
    kind: Kind,
    until: Instant,
}

enum Kind {
    Connect,
    Publish {
        packet: PacketId,
        raw: bool,
    },
    Subscribe {
        packet: PacketId,
        topic: String,
        qos: QoS,
    },
    Unsubscribe {
        packet: PacketId,
        topic: String,
    },
    /// The data of MQTTPUBRAW is awaited.
    Raw {
        topic: String,
        qos: QoS,
        retain: bool,
        patience: Duration,
    },
    /// The data of a LONG command is awaited.
    Long(Field),
}

#[derive(Clone, Copy)]
enum Field {
    ClientId,
    Username,
    Password,
}

impl Field {
    /// The one that a command is about.
    fn of(name: &str) -> Option<Self> {
        Some(
            match name.trim_start_matches("+MQTT").trim_start_matches("LONG") {
                "CLIENTID" => Self::ClientId,
                "USERNAME" => Self::Username,
                "PASSWORD" => Self::Password,
                _ => return None,
            },
        )
    }
}

impl Mqtt {
    pub(super) fn new(model: &Model) -> Self {
        let buffer = model.limits.report;
        Self {
            link: Link::new(SessionConfig {
                max_packet: buffer as u32,
                ..SessionConfig::default()
            }),
            buffer,
            settings: None,
            tls: None,
            conn_set: false,
            lost: false,
            topics: Vec::new(),
            subscribed: false,
            task: None,
            retry_at: None,
            retry_until: None,
            partial: Vec::new(),
        }
    }

    pub(super) fn execute(
        &mut self,
        core: &mut Core,
        statement: &Statement<'_>,
        online: bool,
    ) -> Result {
        let values = &statement.values;
        let name = statement.command.name;
        match name {
            "+MQTTUSERCFG" => self.user(statement),
            "+MQTTCONNCFG" => self.connection(statement),
            "+MQTTCONN" if statement.form == Form::Read => {
                self.show(core);
                Ok(Outcome::Ok)
            }
            "+MQTTCONN" => {
                let host = String::from_utf8_lossy(values.text(1)).into_owned();
                let port = values.int(2).unwrap_or(1883) as u16;
                let reconnect = values.int(3) == Some(1);
                let patience = patience(statement, 4, CONNECT_PATIENCE);
                self.connect(core, (host, port), reconnect, patience, online)
            }
            "+MQTTPUB" => {
                let (topic, qos) = (topic(statement, 1)?, qos(values.int(3)));
                let retain = values.int(4) == Some(1);
                let patience = patience(statement, 5, PATIENCE);
                self.publish(core, (&topic, qos, retain), values.text(2), patience, false)
            }
            "+MQTTPUBRAW" => self.publish_raw(core, statement),
            "+MQTTSUB" if statement.form == Form::Read => {
                let state = self.state();
                if self.topics.is_empty() {
                    core.info(&esp::SUB_READ, &[state.into(), "".into(), 0.into()]);
                }
                for (topic, qos) in &self.topics {
                    let values = [state.into(), topic.as_str().into(), qos.level().into()];
                    core.info(&esp::SUB_READ, &values);
                }
                Ok(Outcome::Ok)
            }
            "+MQTTSUB" => {
                let (topic, qos) = (topic(statement, 1)?, qos(values.int(2)));
                self.subscribe(core, topic, qos, patience(statement, 3, PATIENCE))
            }
            "+MQTTUNSUB" => {
                let topic = topic(statement, 1)?;
                self.unsubscribe(core, topic, patience(statement, 2, PATIENCE))
            }
            "+MQTTCLEAN" => self.clean(core),
            "+MQTTSNI" => {
                let name = String::from_utf8_lossy(values.text(1)).into_owned();
                self.changeable()?.server_name = Some(name).filter(|name| !name.is_empty());
                Ok(Outcome::Ok)
            }
            "+MQTTALPN" => {
                let settings = self.changeable()?;
                let count = values.int(1).unwrap_or(0) as usize;
                if values.len() != 2 + count {
                    return Err(error::PARAMETER_COUNT);
                }
                let names =
                    (2..values.len()).map(|index| String::from_utf8_lossy(values.text(index)));
                settings.protocols = names.map(std::borrow::Cow::into_owned).collect();
                Ok(Outcome::Ok)
            }
            _ => {
                let Some(field) = Field::of(name) else {
                    return Err(error::NO_CONFIGURED);
                };
                let settings = self.changeable()?;
                if let Some(len) = values.int(1) {
                    self.task = Some(Task {
                        kind: Kind::Long(field),
                        until: core.now,
                    });
                    return Ok(raw_data(len as usize));
                }
                settings.set(field, values.text(1));
                Ok(Outcome::Ok)
            }
        }
    }

    pub(super) fn as_written(
        &mut self,
        core: &mut Core,
        statement: &Statement<'_>,
        online: bool,
    ) -> Result {
        let values = &statement.values;
        match statement.command.name {
            "+CIPMQTTCFG" => {
                if self.link.phase != Phase::Closed {
                    return Err(error::NOT_IN_CONFIGURED_STATE);
                }
                self.settings = Some(Settings {
                    scheme: 1,
                    client_id: values.text(2).to_vec(),
                    username: values.text(3).to_vec(),
                    password: values.text(5).to_vec(),
                    keep_alive: values.int(8).unwrap_or(60) as u16,
                    host: String::from_utf8_lossy(values.text(0)).into_owned(),
                    port: values.int(1).unwrap_or(1883) as u16,
                    ..Settings::default()
                });
                self.conn_set = true;
                self.lost = false;
                Ok(Outcome::Ok)
            }
            "+CIPMQTTC" => {
                let settings = self.settings.as_ref().ok_or(error::NO_CONFIGURED)?;
                let address = (settings.host.clone(), settings.port);
                self.connect(core, address, false, CONNECT_PATIENCE, online)
            }
            "+CIPMQTTSUB" => {
                let (topic, qos) = (topic(statement, 1)?, qos(values.int(2)));
                self.subscribe(core, topic, qos, PATIENCE)
            }
            "+CIPMQTTPUB" => {
                let (topic, qos) = (topic(statement, 1)?, qos(values.int(2)));
                let retain = values.int(3) == Some(1);
                self.publish(core, (&topic, qos, retain), values.text(5), PATIENCE, false)
            }
            _ => self.clean(core),
        }
    }

    fn user(&mut self, statement: &Statement<'_>) -> Result {
        if self.settings.is_some() {
            return Err(error::NOT_IN_CONFIGURED_STATE);
        }
        let values = &statement.values;
        self.settings = Some(Settings {
            scheme: values.int(1).unwrap_or(1) as u8,
            client_id: values.text(2).to_vec(),
            username: values.text(3).to_vec(),
            password: values.text(4).to_vec(),
            path: String::from_utf8_lossy(values.text(7)).into_owned(),
            keep_alive: 120,
            ..Settings::default()
        });
        Ok(Outcome::Ok)
    }

    fn connection(&mut self, statement: &Statement<'_>) -> Result {
        let values = &statement.values;
        let settings = self.changeable()?;
        settings.keep_alive = match values.int(1) {
            None | Some(0) => 120,
            Some(seconds) => seconds as u16,
        };
        settings.keep_session = values.int(2) == Some(1);
        let topic = String::from_utf8_lossy(values.text(3)).into_owned();
        settings.will = mqtt::topic_name_is_valid(&topic).then(|| LastWill {
            topic,
            message: values.text(4).to_vec(),
            qos: qos(values.int(5)),
            retain: values.int(6) == Some(1),
        });
        self.conn_set = true;
        Ok(Outcome::Ok)
    }

    /// The settings, when they may be changed: after MQTTUSERCFG and before MQTTCONN.
    fn changeable(&mut self) -> Result<&mut Settings> {
        if self.link.phase != Phase::Closed || self.lost {
            return Err(error::NOT_IN_CONFIGURED_STATE);
        }
        self.settings.as_mut().ok_or(error::NO_CONFIGURED)
    }

    /// As AT+MQTTCONN? counts. Source: 2.2 documentation. Inferred: 4 before the first subscription, 5 after the last.
    fn state(&self) -> u8 {
        match (&self.settings, self.link.phase) {
            (None, _) => 0,
            (_, Phase::Up) if !self.topics.is_empty() => 6,
            (_, Phase::Up) if self.subscribed => 5,
            (_, Phase::Up) => 4,
            _ if self.lost => 3,
            _ if self.conn_set => 2,
            _ => 1,
        }
    }

    fn show(&self, core: &mut Core) {
        let settings = self.settings.clone().unwrap_or_default();
        let port = match settings.port {
            0 => String::new(),
            port => port.to_string(),
        };
        let values: [Value<'_>; 6] = [
            self.state().into(),
            settings.scheme.into(),
            settings.host.as_str().into(),
            port.as_str().into(),
            settings.path.as_str().into(),
            u8::from(settings.reconnect).into(),
        ];
        core.info(&esp::CONN_READ, &values);
    }

    fn connect(
        &mut self,
        core: &mut Core,
        (host, port): (String, u16),
        reconnect: bool,
        patience: Duration,
        online: bool,
    ) -> Result {
        let settings = self.settings.as_mut().ok_or(error::NO_CONFIGURED)?;
        if host.is_empty() {
            return Err(error::HOST_IS_NULL);
        }
        if self.link.phase != Phase::Closed || self.retry_at.is_some() {
            return Err(error::ALREADY_CONNECTED);
        }
        if self.lost {
            core.note(|| {
                "the connection was lost: AT+MQTTCLEAN=0, and set it up anew (or reconnect 1)"
                    .into()
            });
            return Err(error::NOT_IN_CONFIGURED_STATE);
        }
        settings.host = host;
        settings.port = port;
        settings.reconnect = reconnect;
        if !online {
            core.note(|| "no Wi-Fi: wait for WIFI GOT IP".into());
            core.info(&esp::DISCONNECTED, &[]);
            return Err(error::CLIENT_START_FAILED);
        }
        self.tls = settings.tls(core)?;
        self.open(core);
        self.task = Some(Task {
            kind: Kind::Connect,
            until: core.now + patience,
        });
        Ok(Outcome::Later)
    }

    fn open(&mut self, core: &mut Core) {
        let Some(settings) = &self.settings else {
            return;
        };
        let mut tls = self.tls.clone();
        if let Some(tls) = &mut tls
            && tls.time.is_some()
        {
            let now = core.clock.unix(core.now);
            tls.time = Some(now);
            if now == 0 {
                core.note(|| "the clock was never set, and no certificate is valid in 1970: AT+CIPSNTPCFG first".into());
            }
        }
        let transport = Transport {
            tls,
            websocket: (settings.scheme >= 6).then(|| match settings.path.strip_prefix('/') {
                Some(_) => settings.path.clone(),
                None => format!("/{}", settings.path),
            }),
        };
        let (host, port) = (settings.host.clone(), settings.port);
        self.partial = Vec::new();
        self.link.open(core, &host, port, transport);
    }

    fn log_in(&mut self, core: &mut Core) {
        let Some(settings) = self.settings.clone() else {
            return;
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (client_id, username) = (text(&settings.client_id), text(&settings.username));
        let connect = Connect {
            clean_session: !settings.keep_session,
            keep_alive: settings.keep_alive,
            client_id: &client_id,
            will: settings.will.as_ref().map(|will| Will {
                topic: &will.topic,
                payload: &will.message,
                qos: will.qos,
                retain: will.retain,
            }),
            username: (!username.is_empty()).then_some(&username),
            password: (!username.is_empty() && !settings.password.is_empty())
                .then_some(&settings.password),
            ..Connect::default()
        };
        // Inferred: with a clean session the server has forgotten the subscriptions, and the module does not renew them.
        if !settings.keep_session {
            self.topics.clear();
            self.subscribed = false;
        }
        if !self.link.log_in(core, &connect) {
            self.link.close(core);
        }
    }

    fn publish_raw(&mut self, core: &mut Core, statement: &Statement<'_>) -> Result {
        let values = &statement.values;
        self.up()?;
        self.task = Some(Task {
            kind: Kind::Raw {
                topic: topic(statement, 1)?,
                qos: qos(values.int(3)),
                retain: values.int(4) == Some(1),
                patience: patience(statement, 5, PATIENCE),
            },
            until: core.now,
        });
        Ok(raw_data(values.int(2).unwrap_or(0) as usize))
    }

    /// There is a session.
    fn up(&self) -> Result<()> {
        match (&self.settings, self.link.phase) {
            (None, _) => Err(error::NO_CONFIGURED),
            (_, Phase::Up) => Ok(()),
            _ => Err(error::DISCONNECTED),
        }
    }

    fn publish(
        &mut self,
        core: &mut Core,
        (topic, qos, retain): (&str, QoS, bool),
        data: &[u8],
        patience: Duration,
        raw: bool,
    ) -> Result {
        self.up()?;
        // Source: 2.2 documentation, MQTTPUBRAW: the longest message and its header share the buffer.
        let has_id = qos != QoS::AtMostOnce;
        let room = first_part(core.model.limits.publish_data, topic, data.len(), has_id);
        let fits = !raw || data.len() <= room;
        if !fits {
            core.note(|| "the message with its header is larger than the module's buffer".into());
            return Err(error::PUBLISH_FAILED);
        }
        let sent = self
            .link
            .session
            .publish(core.now, topic, data, qos, retain)
            .map_err(|error| {
                core.note(|| error.to_string());
                error::PUBLISH_FAILED
            })?;
        self.link.flush(core);
        let Some(packet) = sent else {
            return Ok(published(core, raw));
        };
        self.task = Some(Task {
            kind: Kind::Publish { packet, raw },
            until: core.now + patience,
        });
        Ok(Outcome::Later)
    }

    fn subscribe(
        &mut self,
        core: &mut Core,
        topic: String,
        qos: QoS,
        patience: Duration,
    ) -> Result {
        self.up()?;
        if self.topics.iter().any(|(own, _)| *own == topic) {
            core.info(&esp::ALREADY_SUBSCRIBE, &[]);
            return Ok(Outcome::Ok);
        }
        if self.topics.len() == TOPICS {
            core.info(&esp::FULL, &[]);
            return Err(error::SUBSCRIBE_FAILED);
        }
        let packet = self
            .link
            .session
            .subscribe(core.now, None, &[(&topic, qos)])
            .map_err(|_| error::SUBSCRIBE_FAILED)?;
        self.link.flush(core);
        self.task = Some(Task {
            kind: Kind::Subscribe { packet, topic, qos },
            until: core.now + patience,
        });
        Ok(Outcome::Later)
    }

    fn unsubscribe(&mut self, core: &mut Core, topic: String, patience: Duration) -> Result {
        self.up()?;
        if !self.topics.iter().any(|(own, _)| *own == topic) {
            core.info(&esp::NO_UNSUBSCRIBE, &[]);
            return Ok(Outcome::Ok);
        }
        let packet = self
            .link
            .session
            .unsubscribe(core.now, None, &[&topic])
            .map_err(|_| error::UNSUBSCRIBE_FAILED)?;
        self.link.flush(core);
        self.task = Some(Task {
            kind: Kind::Unsubscribe { packet, topic },
            until: core.now + patience,
        });
        Ok(Outcome::Later)
    }

    fn clean(&mut self, core: &mut Core) -> Result {
        if self.settings.is_none() {
            return Err(error::ALREADY_CLEAN);
        }
        if self.link.phase == Phase::Up {
            self.link.log_out(core);
            core.info(&esp::DISCONNECTED, &[]);
        }
        self.link.close(core);
        self.forget();
        Ok(Outcome::Ok)
    }

    fn forget(&mut self) {
        self.settings = None;
        self.conn_set = false;
        self.lost = false;
        self.topics = Vec::new();
        self.subscribed = false;
        self.retry_at = None;
        self.retry_until = None;
        self.partial = Vec::new();
        self.task = None;
    }

    /// The data that MQTTPUBRAW or a LONG command waited for.
    pub(super) fn data(&mut self, core: &mut Core, data: &[u8], end: DataEnd) -> Result {
        let Some(Task { kind, .. }) = self.task.take() else {
            return Err(error::NO_CONFIGURED);
        };
        match kind {
            Kind::Long(field) if end == DataEnd::Length => {
                self.changeable()?.set(field, data);
                Ok(Outcome::Ok)
            }
            Kind::Raw {
                topic,
                qos,
                retain,
                patience,
            } if end == DataEnd::Length => {
                let result = self.publish(core, (&topic, qos, retain), data, patience, true);
                Ok(result.unwrap_or_else(|_| {
                    core.info(&esp::PUB_FAIL, &[]);
                    Outcome::Silent
                }))
            }
            _ => Err(error::PUBLISH_FAILED),
        }
    }

    /// What became of the link; the end of the command that runs, when it is one.
    pub(super) fn link(
        &mut self,
        core: &mut Core,
        link: LinkId,
        event: LinkEvent<'_>,
    ) -> Option<Result> {
        self.with_link(core, |link_of, core, on| {
            link_of.event(core, link, event, on);
        })
    }

    pub(super) fn advance(&mut self, core: &mut Core, online: bool) -> Option<Result> {
        if self.retry_at.is_some_and(|at| at <= core.now) {
            self.retry_at = None;
            if online {
                self.open(core);
                self.retry_until = Some(core.now + CONNECT_PATIENCE);
            } else {
                self.retry_at = Some(core.now + RECONNECT);
            }
        }
        if self.retry_until.is_some_and(|at| at <= core.now) {
            core.note(|| "no answer of the server in time".into());
            let phase = self.link.phase;
            self.link.close(core);
            self.closed(core, phase, &mut None);
        }
        let result = self.with_link(core, Link::advance);
        if result.is_some() {
            return result;
        }
        let late = self.task.as_ref().is_some_and(|task| {
            let waits = !matches!(task.kind, Kind::Raw { .. } | Kind::Long(_));
            waits && task.until <= core.now
        });
        if !late {
            return None;
        }
        let task = self.task.take()?;
        core.note(|| "no answer of the server in time".into());
        if matches!(task.kind, Kind::Connect) {
            self.link.close(core);
        }
        Some(Self::fail(core, &task.kind))
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let task = self.task.as_ref().and_then(|task| {
            let waits = !matches!(task.kind, Kind::Raw { .. } | Kind::Long(_));
            waits.then_some(task.until)
        });
        [
            task,
            self.retry_at,
            self.retry_until,
            self.link.next_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The network below is gone.
    pub(super) fn link_state(&self) -> Option<LinkState> {
        self.link.state(0)
    }

    pub(super) fn cut(&mut self, core: &mut Core) {
        let before = self.link.phase;
        self.link.cut(core);
        self.link.phase = Phase::Closed;
        if before == Phase::Closed {
            return;
        }
        let mut ended = None;
        self.closed(core, before, &mut ended);
        if let Some(result) = ended {
            // The command that ran was of this client: its end is ERROR, whatever its number.
            core.completed = Some(result.unwrap_or(Outcome::Error));
        }
    }

    fn with_link(
        &mut self,
        core: &mut Core,
        act: impl FnOnce(&mut Link, &mut Core, &mut dyn FnMut(&mut Core, News<'_>)),
    ) -> Option<Result> {
        // The session lends what it has received: what follows from it is done afterwards, messages at once.
        let mut happened: Vec<Happened> = Vec::new();
        let (partial, buffer) = (&mut self.partial, self.buffer);
        act(&mut self.link, core, &mut |core, news| match news {
            News::Opened => happened.push(Happened::Opened),
            News::OpenFailed(_) => happened.push(Happened::OpenFailed),
            News::Closed(phase) => happened.push(Happened::Closed(phase)),
            News::Mqtt(event) => match event {
                Event::Message {
                    topic,
                    payload,
                    offset,
                    total,
                    id,
                    ..
                } => {
                    let first = first_part(buffer, topic, total, id.is_some());
                    message(
                        core,
                        partial,
                        (topic, first, buffer),
                        payload,
                        offset,
                        total,
                    );
                }
                Event::Connected { .. } => happened.push(Happened::LoggedIn),
                Event::Refused(_) => happened.push(Happened::Refused),
                Event::Published { id, .. } => happened.push(Happened::Acknowledged(id, true)),
                Event::Subscribed { id, codes } => {
                    happened.push(Happened::Acknowledged(id, !codes.contains(&0x80)));
                }
                Event::Unsubscribed { id } => happened.push(Happened::Acknowledged(id, true)),
                _ => {}
            },
        });
        let mut ended = None;
        for what in happened {
            self.happened(core, &what, &mut ended);
        }
        ended
    }

    fn happened(&mut self, core: &mut Core, what: &Happened, ended: &mut Option<Result>) {
        match *what {
            Happened::Opened => self.log_in(core),
            Happened::LoggedIn => {
                let settings = self.settings.clone().unwrap_or_default();
                let port = settings.port.to_string();
                let values: [Value<'_>; 5] = [
                    settings.scheme.into(),
                    settings.host.as_str().into(),
                    port.as_str().into(),
                    settings.path.as_str().into(),
                    u8::from(settings.reconnect).into(),
                ];
                if self.takes(|kind| matches!(kind, Kind::Connect)).is_some() {
                    core.info(&esp::CONNECTED, &values);
                    *ended = Some(Ok(Outcome::Ok));
                } else {
                    core.report(&esp::CONNECTED, &values);
                }
                self.lost = false;
                self.retry_until = None;
            }
            // Source: esp-mqtt: the client closes, and the code goes to the log port only.
            Happened::Refused => {
                let phase = self.link.phase;
                self.link.close(core);
                self.closed(core, phase, ended);
            }
            Happened::OpenFailed => self.closed(core, Phase::Opening, ended),
            Happened::Closed(phase) => self.closed(core, phase, ended),
            Happened::Acknowledged(id, good) => {
                let Some(kind) = self.takes(|kind| match kind {
                    Kind::Publish { packet, .. }
                    | Kind::Subscribe { packet, .. }
                    | Kind::Unsubscribe { packet, .. } => *packet == id,
                    _ => false,
                }) else {
                    return;
                };
                *ended = Some(match kind {
                    Kind::Publish { raw, .. } => Ok(published(core, raw)),
                    Kind::Subscribe { topic, qos, .. } if good => {
                        self.topics.push((topic, qos));
                        self.subscribed = true;
                        Ok(Outcome::Ok)
                    }
                    Kind::Unsubscribe { topic, .. } => {
                        self.topics.retain(|(own, _)| *own != topic);
                        Ok(Outcome::Ok)
                    }
                    kind => Self::fail(core, &kind),
                });
            }
        }
    }

    /// The task that runs, when it is this one; it is over then.
    fn takes(&mut self, is: impl Fn(&Kind) -> bool) -> Option<Kind> {
        if self.task.as_ref().is_some_and(|task| is(&task.kind)) {
            return self.task.take().map(|task| task.kind);
        }
        None
    }

    /// The link is gone that was in this phase.
    fn closed(&mut self, core: &mut Core, phase: Phase, ended: &mut Option<Result>) {
        self.partial = Vec::new();
        self.retry_until = None;
        let waits = self.takes(|kind| !matches!(kind, Kind::Raw { .. } | Kind::Long(_)));
        let connecting = matches!(waits, Some(Kind::Connect));
        if let Some(kind) = waits {
            *ended = Some(Self::fail(core, &kind));
        }
        if connecting {
            return;
        }
        if phase == Phase::Up || self.lost {
            core.report(&esp::DISCONNECTED, &[]);
            self.lost = true;
        }
        let again = self
            .settings
            .as_ref()
            .is_some_and(|settings| settings.reconnect);
        if again && self.lost {
            self.retry_at = Some(core.now + RECONNECT);
        }
    }

    /// What a command prints that came to nothing.
    fn fail(core: &mut Core, kind: &Kind) -> Result {
        match kind {
            Kind::Connect => {
                core.info(&esp::DISCONNECTED, &[]);
                Err(error::CLIENT_START_FAILED)
            }
            Kind::Publish { raw: true, .. } => {
                core.info(&esp::PUB_FAIL, &[]);
                Ok(Outcome::Silent)
            }
            Kind::Publish { .. } | Kind::Raw { .. } | Kind::Long(_) => Err(error::PUBLISH_FAILED),
            Kind::Subscribe { .. } => Err(error::SUBSCRIBE_FAILED),
            Kind::Unsubscribe { .. } => Err(error::UNSUBSCRIBE_FAILED),
        }
    }
}

/// What a link has said, without what it lent.
enum Happened {
    Opened,
    OpenFailed,
    Closed(Phase),
    LoggedIn,
    Refused,
    Acknowledged(PacketId, bool),
}

impl Settings {
    /// The handshake of this scheme, with the certificates that are there now.
    fn tls(&self, core: &mut Core) -> Result<Option<Box<Tls>>> {
        let (checks, shows) = match self.scheme {
            2 | 7 => (false, false),
            3 | 8 => (true, false),
            4 | 9 => (false, true),
            5 | 10 => (true, true),
            _ => return Ok(None),
        };
        // Source: at_mqtt_tls_config: in this order.
        let mut read = |namespace: &str, missing: u16, wanted: bool| {
            let found = wanted.then(|| certificate(core, namespace, 0).map(<[u8]>::to_vec));
            match found {
                Some(None) => {
                    core.note(|| format!("there is no {namespace}: AT+SYSMFG=2,\"{namespace}\",\"{namespace}\",8,<length>"));
                    Err(missing)
                }
                found => Ok(found.flatten()),
            }
        };
        let authorities = read("mqtt_ca", error::CA_LENGTH, checks)?;
        let own = read("mqtt_cert", error::CERT_LENGTH, shows)?;
        let key = read("mqtt_key", error::KEY_LENGTH, shows)?;
        let checked = self.server_name.clone().filter(|_| authorities.is_some());
        Ok(Some(Box::new(Tls {
            server_name: self.server_name.clone(),
            expected_name: checked,
            protocols: self.protocols.clone(),
            ..super::tls(core, authorities, own.zip(key))
        })))
    }

    fn set(&mut self, field: Field, value: &[u8]) {
        let own = match field {
            Field::ClientId => &mut self.client_id,
            Field::Username => &mut self.username,
            Field::Password => &mut self.password,
        };
        *own = value.to_vec();
    }
}

/// So many raw bytes after the prompt, however long they take. Source: esp-at issue 1027.
fn raw_data(len: usize) -> Outcome {
    Outcome::Data(DataMode {
        prompt: PROMPT,
        len: Some(len),
        max: len,
        ..DataMode::default()
    })
}

fn published(core: &mut Core, raw: bool) -> Outcome {
    if raw {
        core.info(&esp::PUB_OK, &[]);
        Outcome::Silent
    } else {
        Outcome::Ok
    }
}

fn topic(statement: &Statement<'_>, index: usize) -> Result<String> {
    match String::from_utf8_lossy(statement.values.text(index)).into_owned() {
        topic if topic.is_empty() => Err(error::TOPIC_IS_NULL),
        topic => Ok(topic),
    }
}

/// How long a command may take: as it says, or as its release has it.
fn patience(statement: &Statement<'_>, index: usize, early: Duration) -> Duration {
    let is_late = statement.params.len() > index;
    match statement.values.int(index) {
        Some(millis) => Duration::from_millis(millis as u64),
        None if is_late => LATE_PATIENCE,
        None => early,
    }
}

/// How much of a message stands in the buffer beside its header.
fn first_part(buffer: usize, topic: &str, total: usize, has_id: bool) -> usize {
    let variable = 2 + topic.len() + if has_id { 2 } else { 0 };
    let fixed = 2
        + (7..28)
            .step_by(7)
            .filter(|bits| (variable + total) >> bits > 0)
            .count();
    buffer.saturating_sub(fixed + variable).max(1)
}

/// Reports a message, in parts as large as the buffer when it is larger.
// Source: esp-at issue 686; 2.2 documentation, MQTTSUB; esp-mqtt, deliver_publish.
fn message(
    core: &mut Core,
    partial: &mut Vec<u8>,
    (topic, first, buffer): (&str, usize, usize),
    payload: &[u8],
    offset: usize,
    total: usize,
) {
    if offset == 0 {
        partial.clear();
    }
    partial.extend_from_slice(payload);
    let end = offset + payload.len();
    let mut done = end - partial.len();
    loop {
        let size = if done == 0 { first } else { buffer };
        let size = size.min(total - done);
        if partial.len() < size || (size == 0 && total > 0) {
            break;
        }
        let part: Vec<u8> = partial.drain(..size).collect();
        let values = [topic.into(), (size as i64).into(), part.as_slice().into()];
        core.report(&esp::SUBRECV, &values);
        done += size;
        if done >= total {
            *partial = Vec::new();
            break;
        }
    }
}
