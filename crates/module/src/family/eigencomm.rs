//! EigenComm: NT35E.
//!
//! The sources of each behaviour stand in the command's item in `dialect::eigencomm`.

use super::ping::{Pinged, Pinger};
use super::{Accepted, Family, qos};
use crate::Reboot;
use crate::api::{LinkEvent, LinkId, NetError, Output, QueryId, Transport};
use crate::core::{Core, Outcome};
use crate::link::{Link, News, Phase};
use crate::network::sim_error;
use crate::radio::{Change, DEFAULT_CID};
use crate::state::LinkState;
use crate::terminal::{DataEnd, DataMode};
use crate::tls::{MBEDTLS_INTERMEDIATES, Psk, Tls, TlsVersion};
use dialect::{Form, Line, ParseError, Problem, Statement, eigencomm as ec};
use instant::Instant;
use mqtt::{Connect, Event, PacketId, QoS, SessionConfig, SessionError, Version, Will};
use std::net::IpAddr;
use std::time::Duration;

/// The one error of the MQTT commands: a range or the state. Source: firmware, `CME_OPERATION_NOT_ALLOW`.
const NOT_ALLOWED: Outcome = Outcome::Cme(3);
/// TX and RX buffers. Source: firmware, `4+128+1024`.
const BUFFER: usize = 1156;
/// After more refusals the module gives up connecting again. Source: firmware, `MQTT_RECONN_MAX`.
const REFUSALS_MAX: u8 = 3;
/// Between attempts to connect again.
// Inferred: the firmware's task waits some seconds.
const RETRY: Duration = Duration::from_secs(5);
/// How long the TCP handshake and CONNACK may take.
// Inferred: the firmware's constants for its select loops differ by command.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long the handshake may wait for the server.
// Source: firmware, MQTTTls.c: the time limit in milliseconds is taken for seconds, and cut to MQTT_MAX_TIMEOUT.
const TLS_PATIENCE: Duration = Duration::from_secs(600);
/// The suites of a pre-shared key. Source: firmware, as in the model's entry; there those with (EC)DHE stand before plain RSA.
const PSK_SUITES: [u16; 34] = [
    0x00ab, 0xc0a7, 0xc038, 0x00b3, 0xc036, 0x0091, 0xc0ab, 0x00aa, 0xc0a6, 0xc037, 0x00b2, 0xc035,
    0x0090, 0xc0aa, 0xc034, 0x008f, 0x00ad, 0x00b7, 0x0095, 0x00ac, 0x00b6, 0x0094, 0x0093, 0x00a9,
    0xc0a5, 0x00af, 0x008d, 0xc0a9, 0x00a8, 0xc0a4, 0x00ae, 0x008c, 0xc0a8, 0x008b,
];
/// The longest key that the command takes. Source: firmware, MQTTCFG_2_PSK_MAX_LEN.
const PSK_ARGUMENT_MAX: usize = 128;
/// A longer one is not offered. Source: mbedTLS 2.6, MBEDTLS_PSK_MAX_LEN.
const PSK_MAX: usize = 32;
/// Source: firmware, MQTTCFG_3_NAME_MAX_LEN.
const HOST_NAME_MAX: usize = 64;

pub(crate) struct EigenComm {
    link: Link,
    context: Option<Context>,
    give_up: Option<Instant>,
    /// When the module tries again to connect by itself.
    retry_at: Option<Instant>,
    publish: Option<Publish>,
    query: Option<QueryId>,
    pinger: Option<Pinger>,
    accepted: Accepted,
}

/// What AT+ECMTCFG, AT+ECMTOPEN and AT+ECMTCONN have set; gone with the connection.
#[derive(Default)]
struct Context {
    keep_alive: u16,
    /// Queried as it is: 0 until it was set.
    session: u8,
    clean: bool,
    timeout: [u8; 3],
    will: Option<LastWill>,
    version: u8,
    stored: Vec<(&'static str, String)>,
    host: String,
    port: u16,
    client: Option<[Vec<u8>; 3]>,
    /// AT+ECMTCFG="ssl"
    tls: Option<Security>,
    /// TLS did not come up, and the module does not know.
    broken: bool,
    /// It did, and is gone for good: the module tries in vain.
    lost: bool,
    /// The module connects by itself.
    again: bool,
    refusals: u8,
    /// Packets under way: their identifiers, the host's, and how they are answered.
    pending: Vec<(PacketId, u16, &'static Line)>,
}

/// What AT+ECMTCFG="ssl" has set, one kind after the other.
#[derive(Default)]
struct Security {
    /// In PEM.
    authority: Option<Vec<u8>>,
    /// In place of the host's name.
    name: Option<String>,
    psk: Option<Psk>,
}

struct LastWill {
    qos: u8,
    retain: bool,
    topic: Vec<u8>,
    message: Vec<u8>,
}

struct Publish {
    id: u16,
    qos: QoS,
    retain: bool,
    topic: String,
}

impl EigenComm {
    pub(crate) fn new() -> Self {
        Self {
            link: Link::new(SessionConfig {
                max_packet: BUFFER as u32,
                // Source: firmware, KEEPALIVE_RETRY_MAX.
                ping_attempts: 3,
                retry: Some(Duration::from_secs(10)),
                attempts: 1,
                ..SessionConfig::default()
            }),
            context: None,
            give_up: None,
            retry_at: None,
            publish: None,
            query: None,
            pinger: None,
            accepted: Accepted::default(),
        }
    }
}

impl Family for EigenComm {
    fn execute(&mut self, core: &mut Core, statement: &Statement<'_>) -> Option<Outcome> {
        let values = &statement.values;
        let read = statement.form == Form::Read;
        Some(match statement.command.name {
            "+ECMTOPEN" if read => {
                if let Some(context) = self
                    .context
                    .as_ref()
                    .filter(|context| !context.host.is_empty())
                {
                    core.info(
                        &ec::OPEN_READ,
                        &[
                            0.into(),
                            context.host.as_str().into(),
                            i64::from(context.port).into(),
                        ],
                    );
                }
                Outcome::Ok
            }
            "+ECMTOPEN" => self.open(core, values.text(1), values.int(2)),
            "+ECMTCLOSE" => self.close(core),
            "+ECMTCONN" if read => {
                if self.context.is_some() {
                    let state: u8 = match self.link.phase {
                        Phase::LoggingIn | Phase::Up => 3,
                        Phase::Opening => 2,
                        _ if self.reconnects() => 2,
                        // Source: firmware: whatever has no number of its own.
                        Phase::Open | Phase::Closed | Phase::Dead => 1,
                        Phase::LoggedOut => 4,
                    };
                    core.info(&ec::CONN_READ, &[0.into(), state.into()]);
                }
                Outcome::Ok
            }
            "+CSCON" if read => {
                let n = self.accepted.value("+CSCON").unwrap_or("0").to_string();
                let mode = u8::from(self.link.phase != Phase::Closed);
                core.info_text(&format!("+CSCON: {n},{mode}"));
                Outcome::Ok
            }
            "+CSCON" => {
                self.accepted.execute(core, "+CSCON", statement, "0");
                Outcome::Ok
            }
            "+ECMTCONN" => self.log_in(core, [values.text(1), values.text(2), values.text(3)]),
            "+ECMTDISC" => self.log_out(core),
            "+ECMTSUB" => {
                let filter = str::from_utf8(values.text(2)).unwrap_or_default();
                let id = values.int(1).unwrap_or(1) as u16;
                let qos = qos(values.int(3));
                self.request(core, id, &ec::SUB, |link, now, packet| {
                    link.session
                        .subscribe(now, packet, &[(filter, qos)])
                        .map(Some)
                })
                .unwrap_or_else(|| {
                    failed(
                        core,
                        &ec::SUB,
                        &[0.into(), i64::from(id).into(), 2.into(), 0.into()],
                    )
                })
            }
            "+ECMTUNS" => {
                let filter = str::from_utf8(values.text(2)).unwrap_or_default();
                let id = values.int(1).unwrap_or(1) as u16;
                self.request(core, id, &ec::UNS, |link, now, packet| {
                    link.session.unsubscribe(now, packet, &[filter]).map(Some)
                })
                .unwrap_or_else(|| {
                    failed(core, &ec::UNS, &[0.into(), i64::from(id).into(), 2.into()])
                })
            }
            "+ECMTPUB" => self.publish(core, statement),
            "+ECDNS" => self.resolve(core, values.text(0)),
            "+ECPING" => {
                let host = String::from_utf8_lossy(values.text(0)).into_owned();
                let count = values.int(1).unwrap_or(4) as u32;
                let timeout = Duration::from_millis(values.int(3).unwrap_or(20_000) as u64);
                if self.pinger.is_some() || !core.radio.is_active(DEFAULT_CID) {
                    return Some(NOT_ALLOWED);
                }
                self.pinger = Some(Pinger::start(core, &host, count, timeout));
                Outcome::Ok
            }
            "+ECICCID" => {
                if let Some(error) = sim_error(core) {
                    return Some(error);
                }
                let iccid = core.config.identity.iccid.clone();
                core.info(&ec::ECICCID, &[iccid.as_str().into()]);
                Outcome::Ok
            }
            "+CGSN" if statement.form == Form::Set => {
                let imei = core.config.identity.imei.clone();
                core.info(&ec::CGSN, &[imei.as_str().into()]);
                Outcome::Ok
            }
            "+NRB" => {
                core.reboot(Reboot::Command);
                Outcome::Line(&ec::REBOOTING)
            }
            "+CGMI" => {
                core.info(&ec::CGMI, &[core.model.vendor.into()]);
                Outcome::Ok
            }
            "+CGMM" => {
                core.info_text(core.model.title);
                Outcome::Ok
            }
            "+CGMR" => {
                core.info(&ec::CGMR, &[core.model.firmware.into()]);
                Outcome::Ok
            }
            "I" => {
                core.info_text(core.model.firmware);
                Outcome::Ok
            }
            name if name.starts_with("+ECMTCFG=") => self.configure(core, statement),
            _ => return None,
        })
    }

    fn other_line(&mut self, core: &mut Core, line: &[u8]) -> bool {
        // Source: firmware, atc_decoder.h: the handshake of a host that wakes the module.
        let is_handshake = line == b"HDSK";
        if is_handshake {
            core.stream(b"KSDH\r\n");
        }
        is_handshake
    }

    fn refuse(&mut self, _core: &mut Core, error: &ParseError) -> Outcome {
        // Source: firmware, atec_mqtt.c: a range is CME 3, a mistake of syntax is ERROR; AT+ECMTCFG? is CME 3.
        let name = error.command.map_or("", |known| known.0.name);
        let of_mqtt = name.starts_with("+ECMT");
        match error.problem {
            Problem::OutOfRange
            | Problem::TooLong
            | Problem::NoSuchForm
            | Problem::UnknownOption
                if of_mqtt =>
            {
                NOT_ALLOWED
            }
            Problem::OutOfRange | Problem::TooLong => Outcome::Cme(50),
            _ => Outcome::Error,
        }
    }

    fn data(&mut self, core: &mut Core, data: &[u8], end: DataEnd) -> Outcome {
        let Some(publish) = self.publish.take() else {
            return Outcome::Error;
        };
        match end {
            // ESC gives the data up, and the answer is OK.
            DataEnd::Cancelled => Outcome::Ok,
            DataEnd::CtrlZ => self.send(core, &publish, data),
            DataEnd::Overflow(lost) => {
                core.note(|| format!("{lost} bytes more than the buffer holds"));
                NOT_ALLOWED
            }
            DataEnd::Idle | DataEnd::Length => Outcome::Error,
        }
    }

    fn link(&mut self, core: &mut Core, link: LinkId, event: LinkEvent<'_>) {
        if let Some(pinger) = &mut self.pinger {
            let pinged = pinger.link(core, link, &event);
            self.tell_pings(core, &pinged);
        }
        let Self {
            link: own,
            context,
            give_up,
            ..
        } = self;
        let mut next = Next::Nothing;
        own.event(core, link, event, &mut |core, news| {
            tell(core, context, give_up, &news, &mut next);
        });
        self.proceed(core, next);
    }

    fn resolved(&mut self, core: &mut Core, query: QueryId, answer: Result<&[IpAddr], NetError>) {
        if self.query.take_if(|own| *own == query).is_some() {
            let address = answer
                .ok()
                .and_then(|found| found.iter().find(|address| address.is_ipv4()).copied());
            let text = address
                .map(|address| address.to_string())
                .unwrap_or_default();
            core.report(&ec::ECDNS, &[text.as_str().into()]);
        }
    }

    fn network(&mut self, core: &mut Core, change: &Change) {
        match change {
            Change::Booted => {
                let line = if core.boot_reason == 0 {
                    &ec::BOOT_POWER
                } else {
                    &ec::BOOT_SOFTWARE
                };
                core.report(line, &[]);
            }
            Change::PdpUp(cid) => {
                core.state(|| format!("PDN {cid} up"));
                core.clock.set_from_network(core.now);
                if core.radio.event_reporting > 0 {
                    core.report(&ec::CGEV_ACT, &[(*cid).into()]);
                }
            }
            Change::PdpDown { cid, by_network } => {
                core.state(|| format!("PDN {cid} down"));
                if *by_network && core.radio.event_reporting > 0 {
                    core.report(&ec::CGEV_NW_DEACT, &[(*cid).into()]);
                }
                if *cid == DEFAULT_CID {
                    let was_up = matches!(self.link.phase, Phase::Up | Phase::LoggingIn);
                    self.link.cut(core);
                    self.give_up = None;
                    self.link.phase = Phase::Closed;
                    if was_up {
                        // Inferred: the sockets fail, and the module says so as it does for any lost connection.
                        core.report(&ec::STAT, &[0.into(), 1.into()]);
                    }
                    self.context = None;
                }
            }
            Change::Sim
            | Change::Registration
            | Change::Service
            | Change::NoService
            | Change::Detached
            | Change::Address
            | Change::AccessPoints { .. } => {}
        }
    }

    fn advance(&mut self, core: &mut Core) {
        if let Some(pinger) = &mut self.pinger {
            let pinged = pinger.advance(core);
            self.tell_pings(core, &pinged);
        }
        if self.retry_at.is_some_and(|at| at <= core.now) {
            self.retry_at = None;
            self.proceed(core, Next::Reconnect);
        }
        if self.give_up.is_some_and(|at| at <= core.now) {
            self.give_up = None;
            let opening = self.link.phase == Phase::Opening;
            self.link.close(core);
            let mut next = Next::Nothing;
            let news = if opening {
                News::OpenFailed(NetError::Timeout)
            } else {
                News::Closed(Phase::LoggingIn)
            };
            tell(core, &mut self.context, &mut None, &news, &mut next);
            self.proceed(core, next);
        }
        let Self {
            link,
            context,
            give_up,
            ..
        } = self;
        let mut next = Next::Nothing;
        link.advance(core, &mut |core, news| {
            tell(core, context, give_up, &news, &mut next);
        });
        self.proceed(core, next);
    }

    fn next_deadline(&self) -> Option<Instant> {
        let pinger = self.pinger.as_ref().and_then(Pinger::next_deadline);
        [
            self.give_up,
            self.retry_at,
            pinger,
            self.link.next_deadline(),
        ]
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

impl EigenComm {
    // Source: firmware, atec_tcpip_cnf_ind.c, its misspelling and its lone CR included; netmgr.h for the causes.
    fn tell_pings(&mut self, core: &mut Core, pinged: &[Pinged]) {
        let Some(pinger) = &self.pinger else {
            return;
        };
        let (host, timeout) = (pinger.host.clone(), pinger.timeout.as_millis());
        for one in pinged {
            let text = match one {
                Pinged::Reply(millis) => {
                    format!("+ECPING: SUCC, dest: {host}, RTT: {millis} ms")
                }
                Pinged::Lost => format!("+ECPING: FAIL, dest: {host}, time out: {timeout} ms"),
                Pinged::NoName => "+ECPING: ERROR, cause: 5".into(),
                Pinged::Done(summary) if summary.received == 0 => "+ECPING: ERROR, cause: 7".into(),
                Pinged::Done(summary) => {
                    core.report_text(b"+ECPING: DONE");
                    let [least, mean, greatest] = summary.times;
                    let (sent, received) = (summary.sent, summary.received);
                    let loss = (sent - received) * 100 / sent.max(1);
                    format!(
                        "+ECPING: dest: {host}, {sent} packets transmittted, {received} received, {loss} % packet loss\r \
                         rtt min/avg/max = {least} / {mean} / {greatest} ms"
                    )
                }
            };
            core.report_text(text.as_bytes());
            if matches!(one, Pinged::NoName | Pinged::Done(_)) {
                self.pinger = None;
                return;
            }
        }
    }
}

/// What follows from what the link said, once it can be touched again.
#[derive(Clone, Copy)]
enum Next {
    Nothing,
    /// The transport is open again: log in.
    LogIn,
    /// The connection is lost: connect again.
    Reconnect,
    /// Connecting again has failed: try later.
    Retry,
    /// The context is gone.
    Forget,
}

impl EigenComm {
    /// AT+ECMTCFG="ssl". Whatever was set, the connection will be TLS.
    // Source: firmware, atec_mqtt.c and at_mqtt_task.c.
    fn secure(&mut self, core: &mut Core, statement: &Statement<'_>) -> Outcome {
        let values = &statement.values;
        let (kind, first, second) = (values.text(0), values.text(1), values.text(2));
        let is_known = match kind {
            b"psk" => (1..=PSK_ARGUMENT_MAX).contains(&first.len()) && !second.is_empty(),
            b"ecc" | b"ca" => !first.is_empty(),
            _ => false,
        };
        if !is_known {
            core.note(|| {
                format!("\"psk\",<key of up to {PSK_ARGUMENT_MAX} bytes>,<identity>, \"ecc\",<key> or \"ca\",<certificate>[,<name>]")
            });
            return NOT_ALLOWED;
        }
        let context = self.context.get_or_insert_default();
        let security = context.tls.get_or_insert_default();
        match kind {
            b"psk" => {
                let fits = first.len() <= PSK_MAX;
                if !fits {
                    core.note(|| format!("a key of more than {PSK_MAX} bytes is not offered"));
                }
                security.psk = fits.then(|| Psk {
                    identity: second.to_vec(),
                    key: first.to_vec(),
                });
            }
            b"ca" => {
                let fits = second.len() <= HOST_NAME_MAX;
                if !fits {
                    core.note(|| format!("a name of more than {HOST_NAME_MAX} bytes is left out"));
                }
                security.authority = Some(to_pem(first));
                security.name = (fits && !second.is_empty())
                    .then(|| String::from_utf8_lossy(second).into_owned());
            }
            _ => core.note(|| "the key is stored, and the firmware never uses it".into()),
        }
        Outcome::Ok
    }

    fn configure(&mut self, core: &mut Core, statement: &Statement<'_>) -> Outcome {
        let values = &statement.values;
        let option = statement.command.name.split('"').nth(1).unwrap_or_default();
        if option == "ssl" {
            return self.secure(core, statement);
        }
        if values.len() == 1 {
            let Some(context) = &self.context else {
                return NOT_ALLOWED;
            };
            let text = context.query(option);
            core.info_text(&format!("+ECMTCFG: \"{option}\",{text}"));
            return Outcome::Ok;
        }
        // Inferred: too late for the connection that is open, as with the other families.
        let context = self.context.get_or_insert_default();
        let number = |index: usize| values.int(index).unwrap_or(0);
        match option {
            "keepalive" => context.keep_alive = number(1) as u16,
            "session" => {
                context.session = number(1) as u8;
                context.clean = number(1) == 1;
                context.stored.push(("session", String::new()));
            }
            "timeout" => {
                for index in 1..values.len() {
                    context.timeout[index - 1] = number(index) as u8;
                }
            }
            "will" if number(1) == 1 => {
                context.will = Some(LastWill {
                    qos: number(2) as u8,
                    retain: number(3) == 1,
                    topic: values.text(4).to_vec(),
                    message: values.text(5).to_vec(),
                });
            }
            "will" => context.will = None,
            "version" => context.version = number(1) as u8,
            other => {
                let text: Vec<String> = values.as_slice()[1..]
                    .iter()
                    .map(|value| {
                        value.int().map_or_else(
                            || String::from_utf8_lossy(value.text()).into_owned(),
                            |n| n.to_string(),
                        )
                    })
                    .collect();
                let text = match text.as_slice() {
                    // Source: firmware, atec_mqtt.c: shown in another order.
                    [product, device, secret, ..] if other == "aliauth" => {
                        format!("{device},{secret},{product}")
                    }
                    text => text.join(","),
                };
                context.stored.retain(|(name, _)| *name != other);
                context.stored.push((other_name(other), text));
            }
        }
        Outcome::Ok
    }

    fn open(&mut self, core: &mut Core, host: &[u8], port: Option<i64>) -> Outcome {
        if self.reconnects()
            || self.seems_open()
            || !matches!(self.link.phase, Phase::Closed | Phase::Dead)
        {
            core.note(|| {
                "a connection is open or being opened: OK, and no report (firmware)".into()
            });
            return Outcome::Ok;
        }
        let Some(host) = str::from_utf8(host).ok().filter(|host| !host.is_empty()) else {
            return NOT_ALLOWED;
        };
        if !core.radio.is_active(DEFAULT_CID) && !core.radio.activate(DEFAULT_CID) {
            core.note(|| "no PDN, and the network gives none: registration, APN?".into());
            return NOT_ALLOWED;
        }
        let port = port.map_or(1883, |port| port as u16);
        let context = self.context.get_or_insert_default();
        context.host = host.into();
        context.port = port;
        let tls = context
            .tls
            .as_ref()
            .map(|security| security.tls(core, host));
        let patience = if tls.is_some() {
            TLS_PATIENCE
        } else {
            PATIENCE
        };
        let transport = Transport {
            tls: tls.map(Box::new),
            ..Transport::default()
        };
        self.link.open(core, host, port, transport);
        self.give_up = Some(core.now + patience);
        Outcome::Ok
    }

    fn close(&mut self, core: &mut Core) -> Outcome {
        if !self.has_session() && !self.seems_open() {
            return NOT_ALLOWED;
        }
        self.end(core);
        core.report(&ec::CLOSE, &[0.into(), 0.into()]);
        Outcome::Ok
    }

    fn log_out(&mut self, core: &mut Core) -> Outcome {
        let result: i64 = if self.has_session() {
            self.end(core);
            0
        } else if self.seems_open() {
            -1
        } else {
            return NOT_ALLOWED;
        };
        core.report(&ec::DISC, &[0.into(), result.into()]);
        Outcome::Ok
    }

    /// It has lost its session, and waits before it tries again.
    fn reconnects(&self) -> bool {
        let lost = self.context.as_ref().is_some_and(|context| context.lost);
        self.retry_at.is_some() || lost
    }

    /// As far as the firmware knows there is a connection without a session.
    fn seems_open(&self) -> bool {
        let broken = self.context.as_ref().is_some_and(|context| context.broken);
        self.link.phase == Phase::Open || broken
    }

    /// There is a session, or the module is getting back the one that it has lost.
    fn has_session(&self) -> bool {
        let again = self.context.as_ref().is_some_and(|context| context.again);
        self.reconnects()
            || again && self.link.phase == Phase::Opening
            || matches!(self.link.phase, Phase::LoggingIn | Phase::Up)
    }

    /// DISCONNECT when there is a session, the end of TCP, and of the context.
    fn end(&mut self, core: &mut Core) {
        if matches!(self.link.phase, Phase::LoggingIn | Phase::Up) {
            self.link.log_out(core);
        }
        self.link.close(core);
        self.give_up = None;
        self.retry_at = None;
        self.context = None;
    }

    fn log_in(&mut self, core: &mut Core, client: [&[u8]; 3]) -> Outcome {
        match self.link.phase {
            Phase::Open => {}
            Phase::LoggingIn | Phase::Up => return Outcome::Ok,
            _ if self.seems_open() => {
                core.report(&ec::CONN, &[0.into(), 2.into(), 2.into()]);
                return Outcome::Ok;
            }
            _ => return NOT_ALLOWED,
        }
        if let Some(context) = &mut self.context {
            context.client = Some(client.map(<[u8]>::to_vec));
            context.refusals = 0;
        }
        self.send_connect(core);
        Outcome::Ok
    }

    fn send_connect(&mut self, core: &mut Core) {
        let Some(context) = &self.context else { return };
        let empty = Default::default();
        let [id, username, password] = context.client.as_ref().unwrap_or(&empty);
        let text = |bytes: &'_ [u8]| str::from_utf8(bytes).unwrap_or_default().to_string();
        let (id, username) = (text(id), text(username));
        let was_set = context.stored.iter().any(|(name, _)| *name == "session");
        let topic = context
            .will
            .as_ref()
            .map(|will| text(&will.topic))
            .unwrap_or_default();
        let connect = Connect {
            version: if context.version == 3 {
                Version::V31
            } else {
                Version::V311
            },
            // An empty client id is taken by servers with a clean session only.
            clean_session: !was_set || context.clean || id.is_empty(),
            keep_alive: if context.keep_alive == 0 {
                120
            } else {
                context.keep_alive
            },
            client_id: &id,
            will: context
                .will
                .as_ref()
                .filter(|_| mqtt::topic_name_is_valid(&topic))
                .map(|will| Will {
                    topic: &topic,
                    payload: &will.message,
                    qos: qos(Some(will.qos.into())),
                    retain: will.retain,
                }),
            username: (!username.is_empty()).then_some(&username),
            password: (!username.is_empty() && !password.is_empty()).then_some(password),
        };
        if self.link.log_in(core, &connect) {
            self.give_up = Some(core.now + PATIENCE);
        } else {
            core.report(&ec::CONN, &[0.into(), 2.into(), 2.into()]);
        }
    }

    /// Sends a packet under the host's identifier; `None` when it cannot be sent.
    fn request(
        &mut self,
        core: &mut Core,
        id: u16,
        line: &'static Line,
        send: impl FnOnce(
            &mut Link,
            Instant,
            Option<PacketId>,
        ) -> Result<Option<PacketId>, SessionError>,
    ) -> Option<Outcome> {
        if self.link.phase != Phase::Up {
            return Some(NOT_ALLOWED);
        }
        match send(&mut self.link, core.now, PacketId::new(id)) {
            Ok(packet) => {
                if let (Some(packet), Some(context)) = (packet, &mut self.context) {
                    context.pending.push((packet, id, line));
                }
                self.link.flush(core);
                Some(Outcome::Ok)
            }
            Err(error) => {
                core.note(|| error.to_string());
                None
            }
        }
    }

    fn publish(&mut self, core: &mut Core, statement: &Statement<'_>) -> Outcome {
        let values = &statement.values;
        if self.link.phase != Phase::Up {
            return NOT_ALLOWED;
        }
        let publish = Publish {
            id: values.int(1).unwrap_or(0) as u16,
            qos: qos(values.int(2)),
            retain: values.int(3).unwrap_or(0) % 10 == 1,
            topic: String::from_utf8_lossy(values.text(4)).into_owned(),
        };
        if values.len() > 5 {
            return self.send(core, &publish, values.text(5));
        }
        self.publish = Some(publish);
        Outcome::Data(DataMode {
            prompt: b"\r\n> ",
            until_ctrl_z: true,
            cancel: true,
            max: 1024,
            // Source: firmware, 4 * AT_DEFAULT_TIMEOUT_SEC.
            idle: Some(Duration::from_secs(20)),
            echo: true,
            ..DataMode::default()
        })
    }

    fn send(&mut self, core: &mut Core, publish: &Publish, payload: &[u8]) -> Outcome {
        let Publish {
            id,
            qos,
            retain,
            topic,
        } = publish;
        let outcome = self.request(core, *id, &ec::PUB, |link, now, packet| {
            let packet = packet.filter(|_| *qos != QoS::AtMostOnce);
            link.session
                .publish_with_id(now, packet, topic, payload, *qos, *retain)
        });
        let report = |result: i64| [0.into(), i64::from(*id).into(), result.into()];
        match outcome {
            Some(Outcome::Ok) if *qos == QoS::AtMostOnce => {
                core.report(&ec::PUB, &report(0));
                Outcome::Ok
            }
            Some(outcome) => outcome,
            None => failed(core, &ec::PUB, &report(2)),
        }
    }

    fn resolve(&mut self, core: &mut Core, name: &[u8]) -> Outcome {
        let Some(host) = str::from_utf8(name).ok().filter(|name| !name.is_empty()) else {
            return Outcome::Error;
        };
        if !core.radio.is_active(DEFAULT_CID) {
            return NOT_ALLOWED;
        }
        let (query, host) = (core.new_query(), host.to_string());
        core.out.push_back(Output::Resolve { query, host });
        self.query = Some(query);
        Outcome::Ok
    }

    fn proceed(&mut self, core: &mut Core, next: Next) {
        match next {
            Next::Nothing => {}
            Next::Forget => {
                self.context = None;
                self.give_up = None;
            }
            Next::LogIn => self.send_connect(core),
            Next::Retry => {
                self.give_up = None;
                self.retry_at = Some(core.now + RETRY);
            }
            Next::Reconnect => {
                let Some(context) = &mut self.context else {
                    return;
                };
                context.again = true;
                if context.tls.is_some() {
                    // Source: firmware, mqttReconnect: it opens plain TCP and writes to the TLS that is gone.
                    core.note(|| {
                        "the firmware does not get TLS back: AT+ECMTDISC=0, and set it up anew"
                            .into()
                    });
                    context.lost = true;
                    return;
                }
                let (host, port) = (context.host.clone(), context.port);
                if core.radio.is_active(DEFAULT_CID) {
                    self.link.open(core, &host, port, Transport::default());
                    self.give_up = Some(core.now + PATIENCE);
                } else {
                    self.retry_at = Some(core.now + RETRY);
                }
            }
        }
    }
}

impl Security {
    /// What the handshake will be.
    // Source: firmware, MQTTTls.c and config_ec_ssl_mqtt.h: TLS 1.2 alone; dates are not checked.
    fn tls(&self, core: &Core, host: &str) -> Tls {
        let name = self.name.clone().unwrap_or_else(|| host.into());
        let of_psk: &[u16] = if self.psk.is_some() { &PSK_SUITES } else { &[] };
        Tls {
            versions: (TlsVersion::Tls12, TlsVersion::Tls12),
            suites: [core.model.suites, of_psk].concat(),
            expected_name: self.authority.is_some().then(|| name.clone()),
            server_name: Some(name),
            checks_addresses: false,
            intermediates: MBEDTLS_INTERMEDIATES,
            authorities: self.authority.clone(),
            psk: self.psk.clone(),
            timeout: TLS_PATIENCE,
            ..Tls::default()
        }
    }
}

/// The body of a certificate with the lines that the firmware puts around it, 64 characters each.
fn to_pem(body: &[u8]) -> Vec<u8> {
    let mut pem = b"-----BEGIN CERTIFICATE-----\r\n".to_vec();
    for line in body.chunks(64) {
        pem.extend_from_slice(line);
        pem.extend_from_slice(b"\r\n");
    }
    pem.extend_from_slice(b"-----END CERTIFICATE-----\r\n");
    pem
}

impl Context {
    /// The raw fields, 0 until they were set. Source: firmware.
    fn query(&self, option: &str) -> String {
        match option {
            "keepalive" => self.keep_alive.to_string(),
            "session" => self.session.to_string(),
            "timeout" => self.timeout.map(|field| field.to_string()).join(","),
            "version" => self.version.to_string(),
            "will" => match &self.will {
                Some(will) => format!(
                    "1,{},{},{},{}",
                    will.qos,
                    u8::from(will.retain),
                    String::from_utf8_lossy(&will.topic),
                    String::from_utf8_lossy(&will.message)
                ),
                None => "0,0,0,,".into(),
            },
            other => self
                .stored
                .iter()
                .find(|(name, _)| *name == other)
                .map_or_else(
                    || {
                        // Source: firmware, atec_mqtt.c.
                        match other {
                            "aliauth" => ",,".into(),
                            "echomode" => "0".into(),
                            _ => "0,0".into(),
                        }
                    },
                    |(_, value)| value.clone(),
                ),
        }
    }

    /// The host's identifier of a packet, and how it is answered.
    fn take_pending(&mut self, packet: PacketId) -> (i64, &'static Line) {
        match self.pending.iter().position(|(own, ..)| *own == packet) {
            Some(index) => {
                let (_, id, line) = self.pending.remove(index);
                (id.into(), line)
            }
            None => (packet.get().into(), &ec::PUB),
        }
    }
}

fn failed(core: &mut Core, line: &'static Line, values: &[dialect::Value<'_>]) -> Outcome {
    core.report(line, values);
    Outcome::Ok
}

fn other_name(option: &str) -> &'static str {
    match option {
        "aliauth" => "aliauth",
        "cloud" => "cloud",
        "echomode" => "echomode",
        _ => "dataformat",
    }
}

fn tell(
    core: &mut Core,
    context: &mut Option<Context>,
    give_up: &mut Option<Instant>,
    news: &News<'_>,
    next: &mut Next,
) {
    match news {
        News::Opened => {
            *give_up = None;
            match context {
                // Source: firmware: after so many refusals it is open again, and that is all.
                Some(context) if context.again && context.refusals > REFUSALS_MAX => {
                    context.again = false;
                }
                Some(context) if context.again => *next = Next::LogIn,
                _ => core.report(&ec::OPEN, &[0.into(), 0.into()]),
            }
        }
        // Source: firmware, at_mqtt_task.c: nothing is said, and the module goes on trying.
        News::OpenFailed(_) if context.as_ref().is_some_and(|context| context.again) => {
            *next = Next::Retry;
        }
        // Source: firmware, mqttOpenClient: what came of the handshake is thrown away. Source of what AT+ECMTCONN says then:
        // mqttConnectClient.
        News::OpenFailed(_)
            if context
                .as_ref()
                .is_some_and(|context| context.tls.is_some()) =>
        {
            core.note(|| "there is no connection, and the firmware reports 0 all the same: AT+ECMTCONN will fail".into());
            *give_up = None;
            if let Some(context) = context {
                context.broken = true;
            }
            core.report(&ec::OPEN, &[0.into(), 0.into()]);
        }
        News::OpenFailed(_) => {
            *next = Next::Forget;
            core.report(&ec::OPEN, &[0.into(), (-1).into()]);
        }
        News::Closed(Phase::LoggingIn | Phase::Up) => {
            *give_up = None;
            core.report(&ec::STAT, &[0.into(), 1.into()]);
            *next = Next::Reconnect;
        }
        News::Closed(Phase::Open) => {
            core.report(&ec::STAT, &[0.into(), 1.into()]);
            *next = Next::Forget;
        }
        News::Closed(_) => *next = Next::Forget,
        News::Mqtt(event) => tell_mqtt(core, context, give_up, event),
    }
}

fn tell_mqtt(
    core: &mut Core,
    context: &mut Option<Context>,
    give_up: &mut Option<Instant>,
    event: &Event<'_>,
) {
    let Some(context) = context else { return };
    match event {
        Event::Connected { .. } => {
            *give_up = None;
            context.refusals = 0;
            context.again = false;
            core.report(&ec::CONN, &[0.into(), 0.into(), 0.into()]);
        }
        Event::Refused(code) => {
            *give_up = None;
            context.refusals += 1;
            core.report(&ec::CONN, &[0.into(), 0.into(), code.code().into()]);
        }
        Event::Published { id, .. } => {
            let (id, _) = context.take_pending(*id);
            core.report(&ec::PUB, &[0.into(), id.into(), 0.into()]);
        }
        Event::Subscribed { id, .. } => {
            let (id, _) = context.take_pending(*id);
            core.report(&ec::SUB, &[0.into(), id.into(), 0.into(), 1.into()]);
        }
        Event::Unsubscribed { id } => {
            let (id, _) = context.take_pending(*id);
            core.report(&ec::UNS, &[0.into(), id.into(), 0.into()]);
        }
        Event::TimedOut { id } => {
            let (id, line) = context.take_pending(*id);
            core.note(|| format!("packet {id} was not acknowledged"));
            let values = [0.into(), id.into(), 1.into(), 1.into()];
            // Only a subscription has a value behind its result.
            let count = if line.name == ec::SUB.name { 4 } else { 3 };
            core.report(line, &values[..count]);
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
                core.note(|| format!("a message of {total} bytes does not fit the buffer of {BUFFER}: not reported"));
                return;
            }
            // Source: firmware: NULs before the payload are dropped, and it ends at the next one.
            let start = payload
                .iter()
                .position(|byte| *byte != 0)
                .unwrap_or(payload.len());
            let text = payload[start..]
                .split(|byte| *byte == 0)
                .next()
                .unwrap_or_default();
            let id = id.map_or(0, |id| i64::from(id.get()));
            core.report(
                &ec::RECV,
                &[0.into(), id.into(), (*topic).into(), text.into()],
            );
        }
        _ => {}
    }
}
