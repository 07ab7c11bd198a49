//! The broker as it looks from this machine: name, TCP, and what it does with MQTT.

use super::{Cause, Login, Question, Report, security};
use crate::client::{self, Client, Message, News};
use crate::net::{Resolver, connect_to};
use crate::stream::Stream;
use crate::tls;
use crate::websocket;
use dialect::model::Family;
use module::NetError;
use mqtt::{Connect, ConnectCode, QoS};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// How long a server may take for an answer; modules wait longer, and nobody wants to.
const ANSWER: Duration = Duration::from_secs(10);
/// Who was thrown out mostly comes back within this.
const COMES_BACK: Duration = Duration::from_secs(3);

/// What a server gives.
#[derive(Clone, Debug)]
pub struct Served {
    /// Where it is.
    pub address: SocketAddr,
    /// The QoS with which it takes messages.
    pub qos: Vec<QoS>,
    /// It sends a client what the client itself has published.
    pub echoes: bool,
}

/// Looks at the server step by step; `None` when a module would not get as far as publishing.
pub async fn examine(
    question: &Question,
    resolver: &Resolver,
    report: &mut Report<'_>,
) -> Option<Served> {
    let address = reach(question, resolver, report).await?;
    if question.target.tls && !security::examine(question, address, report).await {
        return None;
    }
    let examination = Examination { question, address };
    let served = examination.talk(report).await?;
    // One that allows few connections would have counted this one.
    examination.silence(report).await.then_some(served)
}

/// Whether the model has what the address wants.
pub fn transport(question: &Question, report: &mut Report<'_>) -> bool {
    let (target, title) = (&question.target, question.model.title);
    if target.websocket.is_some() && question.model.family != Family::Espressif {
        let says = format!("the {title} does not speak WebSocket");
        report.bad("transport", Cause::NoWebSocket, says);
        return false;
    }
    if target.tls && question.model.suites.is_empty() {
        report.bad(
            "transport",
            Cause::NoTls,
            format!("the {title} has no TLS here"),
        );
        return false;
    }
    true
}

/// DNS and TCP.
async fn reach(
    question: &Question,
    resolver: &Resolver,
    report: &mut Report<'_>,
) -> Option<SocketAddr> {
    let target = &question.target;
    let host = &target.host;
    let Ok(mut addresses) = resolver.resolve(host, target.port).await else {
        report.bad("DNS", Cause::Dns, format!("{host} has no address"));
        return None;
    };
    addresses.sort_by_key(SocketAddr::is_ipv6);
    addresses.dedup();
    let all: Vec<_> = addresses
        .iter()
        .map(|address| address.ip().to_string())
        .collect();
    let all = all.join(", ");
    addresses.retain(SocketAddr::is_ipv4);
    let is_address = host.parse::<IpAddr>().is_ok();
    match addresses.first() {
        None if is_address => {
            report.bad("DNS", Cause::NoIpv4, format!("{host} is an IPv6 address"));
        }
        None => report.bad(
            "DNS",
            Cause::NoIpv4,
            format!("{host} is {all}: no IPv4 address"),
        ),
        Some(_) if is_address => {
            report.good("DNS", format!("{host} is an address: nothing to look up"));
        }
        Some(first) => {
            let says = format!("{host} is {all}; the module takes {}", first.ip());
            report.good("DNS", says);
        }
    }
    let mut last = None;
    for address in addresses {
        let start = Instant::now();
        let error = match timeout(ANSWER, connect_to(address)).await {
            Ok(Ok(_)) => {
                report.good(
                    "TCP",
                    format!("{address} answers after {:.1?}", start.elapsed()),
                );
                return Some(address);
            }
            Ok(Err(error)) => error,
            Err(_) => NetError::Timeout,
        };
        last = Some((error, address));
    }
    let (error, address) = last?;
    let cause = match error {
        NetError::Refused => Cause::PortClosed,
        _ => Cause::Unreachable,
    };
    report.bad("TCP", cause, format!("{address}: {error}"));
    None
}

struct Examination<'a> {
    question: &'a Question,
    address: SocketAddr,
}

impl Examination<'_> {
    /// Everything up to MQTT.
    async fn open(&self) -> Result<Stream, client::Error> {
        let open = async {
            let target = &self.question.target;
            let failed = |error| client::Error::Connect(target.to_string(), error);
            let stream = connect_to(self.address).await.map_err(failed)?;
            let (host, port) = (target.host.as_str(), target.port);
            if !target.tls {
                return Ok(match &target.websocket {
                    None => Stream::Tcp(stream),
                    Some(path) => websocket::connect(stream, host, port, path).await?,
                });
            }
            let stream = tls::connect(stream, &security::offer(self.question)).await;
            let stream = stream.map_err(client::Error::Tls)?;
            Ok(match &target.websocket {
                None => tls::unwrap(stream)?,
                Some(path) => websocket::connect(stream, host, port, path).await?,
            })
        };
        timeout(ANSWER, open)
            .await
            .unwrap_or(Err(client::Error::Timeout))
    }

    async fn log_in(&self, login: &Login) -> Result<Client, client::Error> {
        self.log_in_on(self.open().await?, login).await
    }

    async fn log_in_on(&self, stream: Stream, login: &Login) -> Result<Client, client::Error> {
        let connect = Connect {
            clean_session: true,
            keep_alive: login.keep_alive,
            client_id: &login.client_id,
            username: login.username.as_deref(),
            password: login.password.as_deref().map(str::as_bytes),
            ..Connect::default()
        };
        let login = Client::log_in(stream, &connect);
        timeout(ANSWER, login)
            .await
            .unwrap_or(Err(client::Error::Timeout))
    }

    /// CONNECT and what comes after it.
    async fn talk(&self, report: &mut Report<'_>) -> Option<Served> {
        let login = &self.question.login;
        let start = Instant::now();
        let stream = match self.open().await {
            Ok(stream) => stream,
            Err(error) => {
                let cause = match error {
                    client::Error::Tls(_) => Cause::HandshakeFailed,
                    _ if self.question.target.websocket.is_some() => Cause::WebSocketRefused,
                    _ => Cause::Unreachable,
                };
                report.bad("connection", cause, error.to_string());
                return None;
            }
        };
        let client = match self.log_in_on(stream, login).await {
            Ok(client) => client,
            Err(error) => {
                self.refused(&error, report).await;
                return None;
            }
        };
        let after = start.elapsed();
        report.good("CONNECT", format!("CONNACK 0, accepted, after {after:.1?}"));
        tell_keep_alive(login.keep_alive, report);
        let mut talk = Talk {
            examination: self,
            client,
        };
        match talk.run(report).await {
            Ok(served) => served,
            Err(error) => {
                self.tell_loss("connection", &error, report).await;
                None
            }
        }
    }

    /// Why a login was refused.
    async fn refused(&self, error: &client::Error, report: &mut Report<'_>) {
        let (cause, says) = match error {
            client::Error::Refused(code) => {
                let cause = match code {
                    ConnectCode::UnacceptableProtocolVersion => Cause::ProtocolVersion,
                    ConnectCode::IdentifierRejected => Cause::ClientIdRefused,
                    ConnectCode::ServerUnavailable => Cause::ServerUnavailable,
                    ConnectCode::BadCredentials | ConnectCode::NotAuthorized => Cause::Credentials,
                    // MQTT 3.1.1 has no others.
                    _ => Cause::NotMqtt,
                };
                (cause, format!("CONNACK {}: {code}", code.code()))
            }
            client::Error::Protocol(_) => (Cause::NotMqtt, error.to_string()),
            client::Error::Timeout => (Cause::SilentServer, error.to_string()),
            _ => (Cause::ClosedAtConnect, error.to_string()),
        };
        if !matches!(cause, Cause::NotMqtt | Cause::SilentServer)
            && let Some(other) = self.takes_another_keep_alive().await
        {
            let own = self.question.login.keep_alive;
            let says = format!("{says} with a keep alive of {own} s, and accepted with {other} s");
            return report.bad("CONNECT", Cause::KeepAliveRefused, says);
        }
        report.bad("CONNECT", cause, says);
    }

    /// A keep alive that the server takes, while it does not take the one in question.
    async fn takes_another_keep_alive(&self) -> Option<u16> {
        let own = &self.question.login;
        for keep_alive in [120, 60, 300] {
            let login = Login {
                keep_alive,
                ..own.clone()
            };
            if keep_alive != own.keep_alive && self.log_in(&login).await.is_ok() {
                // It may have been luck the first time.
                return self.log_in(own).await.is_err().then_some(keep_alive);
            }
        }
        None
    }

    /// A connection that ended, or went wrong, while nothing was wrong with what it was asked.
    async fn tell_loss(&self, step: &'static str, error: &client::Error, report: &mut Report<'_>) {
        let login = &self.question.login;
        let cause = match error {
            client::Error::Timeout => Cause::SilentServer,
            client::Error::Protocol(_) => Cause::NotMqtt,
            client::Error::Closed | client::Error::Io(_) if login.is_given => {
                if self.another_id_lasts().await {
                    let id = &login.client_id;
                    let says = format!(
                        "{id}: thrown out after the login ({error}), as by another device with the same id"
                    );
                    return report.bad(step, Cause::ClientIdInUse, says);
                }
                Cause::ClosedAtConnect
            }
            _ => Cause::ClosedAtConnect,
        };
        report.bad(step, cause, format!("after the login: {error}"));
    }

    /// With an id that nobody has, does the connection last?
    async fn another_id_lasts(&self) -> bool {
        let own = &self.question.login;
        let other = Login {
            client_id: format!("{}-other", own.client_id),
            ..own.clone()
        };
        match self.log_in(&other).await {
            Ok(client) => {
                let mut talk = Talk {
                    examination: self,
                    client,
                };
                talk.quiet(COMES_BACK).await.is_ok()
            }
            // Another id is not let in here, so nobody can tell; devices with the same id are the likeliest.
            Err(client::Error::Refused(_)) => true,
            Err(_) => false,
        }
    }

    /// How long the server waits for CONNECT. False when the firmware takes longer.
    async fn silence(&self, report: &mut Report<'_>) -> bool {
        let step = "patience";
        let delay = self.question.connect_delay;
        let watched = self.question.patience.max(delay);
        if watched.is_zero() {
            report.skipped(step, "not watched, with --patience 0");
            return true;
        }
        let stream = match self.open().await {
            Ok(stream) => stream,
            Err(error) => {
                report.skipped(step, format!("no connection for it: {error}"));
                return true;
            }
        };
        let start = Instant::now();
        let closed = timeout(watched, until_closed(&stream)).await.is_ok();
        let waited = start.elapsed();
        let words = format!("{:.1} s", waited.as_secs_f64());
        match closed {
            true if waited <= delay => {
                let says = format!(
                    "the server waits {words} for CONNECT, and the firmware sends it after {} s",
                    delay.as_secs()
                );
                report.bad(step, Cause::ConnectTooLate, says);
                return false;
            }
            // What people and slow firmware take.
            true if waited < Duration::from_secs(5) => report.remark(
                step,
                Cause::ConnectTooLate,
                format!("the server waits only {words} for CONNECT"),
            ),
            true => report.good(step, format!("the server waits {words} for CONNECT")),
            false => report.good(
                step,
                format!("the server waits more than {words} for CONNECT"),
            ),
        }
        true
    }
}

/// Waits until the peer has closed.
async fn until_closed(stream: &Stream) {
    let mut buffer = [0; 64];
    while stream.readable().await.is_ok() {
        match stream.try_read(&mut buffer) {
            Ok(1..) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => return,
        }
    }
}

fn tell_keep_alive(seconds: u16, report: &mut Report<'_>) {
    // Source: tutorial §8.2 Q3.7: one to four minutes, two are best.
    let step = "keep alive";
    match seconds {
        0 => report.remark(step, Cause::NoKeepAlive, "0 was accepted"),
        1..60 => report.remark(
            step,
            Cause::KeepAliveTooShort,
            format!("{seconds} s was accepted, and is under one minute"),
        ),
        60..=240 => report.good(step, format!("{seconds} s was accepted")),
        _ => report.remark(
            step,
            Cause::KeepAliveTooLong,
            format!("{seconds} s was accepted, and is over four minutes"),
        ),
    }
}

/// A client that is logged in, at work.
struct Talk<'a> {
    examination: &'a Examination<'a>,
    client: Client,
}

/// What a publish came to.
enum Published {
    /// It came back after so long.
    Back(Duration),
    /// It was published, and did not come back.
    Gone,
    /// The server closed the connection.
    Closed,
}

impl Talk<'_> {
    async fn run(&mut self, report: &mut Report<'_>) -> Result<Option<Served>, client::Error> {
        let question = self.examination.question;
        let login = &question.login;
        if login.is_given && !login.client_id.is_empty() {
            // A rival that was thrown out by this login comes back about now.
            if let Err(error) = self.quiet(COMES_BACK).await {
                self.examination
                    .tell_loss("client id", &error, report)
                    .await;
                return Ok(None);
            }
            let id = &login.client_id;
            let seconds = COMES_BACK.as_secs();
            report.good(
                "client id",
                format!("{id}: nobody came back to it within {seconds} s"),
            );
        }
        if !self.subscribe(report).await? {
            return Ok(None);
        }
        let mut served = Served {
            address: self.examination.address,
            qos: Vec::new(),
            echoes: true,
        };
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            if qos > question.max_qos {
                break;
            }
            let level = qos.level();
            let payload = format!("modemq doctor, QoS {level}");
            match self.publish(payload.as_bytes(), qos, served.echoes).await? {
                Published::Back(after) => {
                    report.good(
                        "publish",
                        format!("QoS {level}: there and back in {after:.1?}"),
                    );
                }
                Published::Gone if !served.echoes => {
                    report.good("publish", format!("QoS {level}: taken"));
                }
                Published::Gone => {
                    served.echoes = false;
                    let says = format!("QoS {level}: taken, and it does not come back");
                    report.remark("publish", Cause::NoRoundTrip, says);
                }
                Published::Closed => {
                    let says = format!("QoS {level}: the server closes the connection");
                    self.come_back().await?;
                    // Clouds without QoS 2 work all the same.
                    if qos == QoS::ExactlyOnce {
                        report.remark("publish", Cause::QosRefused, says);
                        continue;
                    }
                    report.bad("publish", Cause::PublishRefused, says);
                    return Ok(None);
                }
            }
            served.qos.push(qos);
        }
        self.payload(served.echoes, report).await?;
        self.take_over(report).await?;
        Ok(Some(served))
    }

    /// Nothing happens for so long.
    async fn quiet(&mut self, limit: Duration) -> Result<(), client::Error> {
        let end = tokio::time::Instant::now() + limit;
        loop {
            match tokio::time::timeout_at(end, self.client.next()).await {
                Err(_) => return Ok(()),
                Ok(news) => drop(news?),
            }
        }
    }

    async fn subscribe(&mut self, report: &mut Report<'_>) -> Result<bool, client::Error> {
        let step = "subscribe";
        let question = self.examination.question;
        let topic = question.topic.as_str();
        let answer = async {
            self.client.subscribe(&[(topic, question.max_qos)]).await?;
            loop {
                if let News::Subscribed(_, codes) = self.client.next().await? {
                    return Ok(codes.first().copied());
                }
            }
        };
        let says = match timeout(ANSWER, answer).await {
            Ok(Ok(Some(granted @ 0..=2))) => {
                report.good(step, format!("{topic}: SUBACK, up to QoS {granted}"));
                return Ok(true);
            }
            Ok(Ok(_)) => format!("{topic}: SUBACK 0x80"),
            Ok(Err(error @ (client::Error::Closed | client::Error::Io(_)))) => {
                format!("{topic}: {error}")
            }
            Ok(Err(error)) => return Err(error),
            Err(_) => format!("{topic}: no SUBACK within {} s", ANSWER.as_secs()),
        };
        report.bad(step, Cause::SubscribeRefused, says);
        Ok(false)
    }

    /// Logs in again after the server has closed the connection.
    async fn come_back(&mut self) -> Result<(), client::Error> {
        let question = self.examination.question;
        self.client = self.examination.log_in(&question.login).await?;
        let filter = (question.topic.as_str(), question.max_qos);
        self.client.subscribe(&[filter]).await?;
        Ok(())
    }

    async fn publish(
        &mut self,
        payload: &[u8],
        qos: QoS,
        comes_back: bool,
    ) -> Result<Published, client::Error> {
        let topic = self.examination.question.topic.as_str();
        let start = Instant::now();
        let result = async {
            self.client.publish(topic, payload, qos, false).await?;
            let mut back = None;
            while self.client.in_flight() > 0 || (comes_back && back.is_none()) {
                if let News::Message(message) = self.client.next().await?
                    && is_own(&message, topic, payload)
                {
                    back = Some(start.elapsed());
                }
            }
            Ok::<_, client::Error>(back)
        };
        match timeout(ANSWER, result).await {
            Ok(Ok(Some(after))) => Ok(Published::Back(after)),
            Ok(Ok(None)) => Ok(Published::Gone),
            Ok(Err(client::Error::Closed | client::Error::Io(_))) => Ok(Published::Closed),
            Ok(Err(error)) => Err(error),
            Err(_) if self.client.in_flight() == 0 => Ok(Published::Gone),
            Err(_) => Err(client::Error::Timeout),
        }
    }

    /// The largest message that the server takes, up to the most that the model can send.
    async fn payload(
        &mut self,
        comes_back: bool,
        report: &mut Report<'_>,
    ) -> Result<(), client::Error> {
        let limits = &self.examination.question.model.limits;
        let most = limits.publish.max(limits.publish_data);
        // What was taken, and what was not.
        let (mut taken, mut refused) = (0, None);
        let mut size = most;
        while refused.is_none_or(|refused| refused > taken + 1) {
            let payload = vec![b'x'; size];
            let result = self.publish(&payload, QoS::AtLeastOnce, comes_back).await?;
            if matches!(result, Published::Closed) {
                self.come_back().await?;
                refused = Some(size);
            } else {
                taken = size;
                if refused.is_none() {
                    break;
                }
            }
            size = taken + (refused.unwrap_or(most) - taken) / 2;
        }
        let limit = limits.report.max(limits.cached);
        let cut = if limit < most {
            format!("; messages to the module are cut at {limit} bytes")
        } else {
            String::new()
        };
        match refused {
            None => {
                let says = format!("{most} bytes, the most that the model sends, were taken{cut}");
                report.good("payload", says);
            }
            Some(refused) => {
                let says = format!("the server takes {taken} bytes and not {refused}{cut}");
                report.remark("payload", Cause::PayloadTooLarge, says);
            }
        }
        Ok(())
    }

    /// What becomes of a device when another one comes with its id.
    async fn take_over(&mut self, report: &mut Report<'_>) -> Result<(), client::Error> {
        let step = "take-over";
        let login = &self.examination.question.login;
        if login.client_id.is_empty() {
            report.skipped(step, "an empty id is another one each time");
            return Ok(());
        }
        match self.examination.log_in(login).await {
            Ok(second) => {
                let thrown_out = self.quiet(COMES_BACK).await.is_err();
                self.client = second;
                if thrown_out {
                    let says =
                        "a second login with the same id throws the first out, as MQTT has it";
                    report.good(step, says);
                } else {
                    let says =
                        "two connections with the same id live side by side: that is not MQTT";
                    report.remark(step, None, says);
                }
            }
            Err(error) => {
                let says = format!(
                    "a second login with the same id is refused while the first lives: {error}"
                );
                report.remark(step, None, says);
            }
        }
        Ok(())
    }
}

fn is_own(message: &Message, topic: &str, payload: &[u8]) -> bool {
    message.topic == topic && message.payload == payload
}
