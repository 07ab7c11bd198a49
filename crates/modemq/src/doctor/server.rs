//! The broker as it looks from this machine, to who offers what the model offers.

use super::handshake::{Shown, alert_words, show};
use super::{Cause, Login, Question, Report};
use crate::client::{self, Client, Message, News};
use crate::net::{Resolver, connect_to};
use crate::stream::Stream;
use crate::tls::{self, suite_name};
use crate::websocket;
use module::{NetError, Tls, TlsVersion};
use mqtt::{Connect, ConnectCode, QoS};
use openssl::asn1::Asn1Time;
use openssl::nid::Nid;
use openssl::pkey::Id;
use openssl::x509::{X509, X509NameRef};
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::time::timeout;

/// How long a server may take for an answer; modules wait longer, and nobody wants to.
const ANSWER: Duration = Duration::from_secs(10);
/// Who was thrown out mostly comes back within this.
const COMES_BACK: Duration = Duration::from_secs(3);

/// Looks at the server step by step; its address, when a module would get as far as publishing.
pub async fn examine(
    question: &Question,
    resolver: &Resolver,
    report: &mut Report<'_>,
) -> Option<SocketAddr> {
    let address = reach(question, resolver, report).await?;
    let examination = Examination { question, address };
    if question.target.tls && !examination.tls(report).await {
        return None;
    }
    // What waits for CONNECT does so while the rest is looked at.
    let silence = examination.silence();
    let talk = examination.talk(report);
    let (silence, works) = tokio::join!(silence, talk);
    examination.tell_silence(silence, report);
    works.then_some(address)
}

/// The model's eyes: what it offers in a handshake, and checks nothing.
pub fn offer(question: &Question) -> Tls {
    Tls {
        suites: question.model.suites.to_vec(),
        identity: question.credentials.identity.clone(),
        timeout: ANSWER,
        ..Tls::default()
    }
}

/// DNS and TCP.
async fn reach(
    question: &Question,
    resolver: &Resolver,
    report: &mut Report<'_>,
) -> Option<SocketAddr> {
    let target = &question.target;
    if target.websocket.is_some() && question.model.family != dialect::model::Family::Espressif {
        report.bad(
            "transport",
            Cause::NoWebSocket,
            format!("the {} does not speak WebSocket", question.model.title),
        );
        return None;
    }
    if target.tls && question.model.suites.is_empty() {
        report.bad(
            "transport",
            Cause::NoTls,
            format!("the {} has no TLS here", question.model.title),
        );
        return None;
    }
    let Ok(mut addresses) = resolver.resolve(&target.host, target.port).await else {
        report.bad("DNS", Cause::Dns, format!("{} has no address", target.host));
        return None;
    };
    addresses.dedup();
    let all: Vec<_> = addresses
        .iter()
        .map(|address| address.ip().to_string())
        .collect();
    let all = all.join(", ");
    addresses.retain(SocketAddr::is_ipv4);
    let Some(first) = addresses.first() else {
        report.bad(
            "DNS",
            Cause::NoIpv4,
            format!("{} is {all}: no IPv4 address", target.host),
        );
        return None;
    };
    if target.host.parse::<std::net::IpAddr>().is_ok() {
        report.good(
            "DNS",
            format!("{} is an address: nothing to look up", target.host),
        );
    } else {
        report.good(
            "DNS",
            format!("{} is {all}; the module takes {}", target.host, first.ip()),
        );
    }
    let mut last = (NetError::Other, *first);
    for address in &addresses {
        let start = Instant::now();
        match timeout(ANSWER, connect_to(*address)).await {
            Ok(Ok(_)) => {
                report.good(
                    "TCP",
                    format!("{address} answers after {}", milliseconds(start)),
                );
                return Some(*address);
            }
            Ok(Err(error)) => last = (error, *address),
            Err(_) => last = (NetError::Timeout, *address),
        }
    }
    let (error, address) = last;
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
    async fn tls(&self, report: &mut Report<'_>) -> bool {
        let offer = offer(self.question);
        let Some(shown) = self.suites(&offer, report).await else {
            return false;
        };
        self.versions(&offer, report).await;
        let trusted = self.certificate(&offer, &shown, report).await;
        self.client_certificate(&shown, report) && trusted
    }

    async fn handshake(&self, tls: &Tls) -> Shown {
        match connect_to(self.address).await {
            Ok(stream) => show(stream, tls).await,
            Err(error) => Shown {
                failure: Some(error.to_string()),
                ..Shown::default()
            },
        }
    }

    /// The choice from all suites, and each alone. Without a common one there is nothing further to see.
    async fn suites(&self, offer: &Tls, report: &mut Report<'_>) -> Option<Shown> {
        let title = self.question.model.title;
        let shown = self.handshake(offer).await;
        let Some((version, suite)) = shown.choice else {
            self.no_choice(offer, &shown, report).await;
            return None;
        };
        let mut taken = Vec::new();
        for suite in &offer.suites {
            let alone = Tls {
                suites: vec![*suite],
                ..offer.clone()
            };
            if self.handshake(&alone).await.choice.is_some() {
                taken.push(suite_words(*suite));
            }
        }
        let untried = offer
            .suites
            .iter()
            .filter(|suite| suite_name(**suite).is_none())
            .count();
        let untried = match untried {
            0 => String::new(),
            n => format!(" ({n} are not tried: this program lacks them)"),
        };
        report.good(
            "cipher suite",
            format!(
                "{} with {}; of the {} suites of the {title}{untried} the server takes {}: {}",
                version_words(version),
                suite_words(suite),
                offer.suites.len(),
                taken.len(),
                taken.join(", ")
            ),
        );
        Some(shown)
    }

    /// Nothing came of the offer: who has what the other lacks?
    async fn no_choice(&self, offer: &Tls, shown: &Shown, report: &mut Report<'_>) {
        let step = "TLS";
        let title = self.question.model.title;
        let why = ended(shown, shown.failure.as_deref().unwrap_or_default());
        if shown.is_not_tls {
            return report.bad(step, Cause::NotTls, "what the server says is no TLS");
        }
        // RFC 5246, 7.2: 70 is protocol_version.
        if shown.alert == Some(70) {
            let says = format!("the {title} offers TLS 1.0 to 1.2, and the server ends with {why}");
            return report.bad(step, Cause::NoCommonVersion, says);
        }
        let everything = Tls {
            suites: tls::all_suites().collect(),
            ..offer.clone()
        };
        if let Some((_, suite)) = self.handshake(&everything).await.choice {
            let offered: Vec<_> = offer.suites.iter().copied().map(suite_words).collect();
            let says = format!(
                "the {title} offers {}; the server would take {}, and ends with {why}",
                offered.join(", "),
                suite_words(suite)
            );
            report.bad(step, Cause::NoCommonSuite, says);
        } else {
            let says = format!("no answer to any ClientHello up to TLS 1.2: {why}");
            report.bad(step, Cause::HandshakeFailed, says);
        }
    }

    async fn versions(&self, offer: &Tls, report: &mut Report<'_>) {
        let mut words = Vec::new();
        for (version, number) in [
            (TlsVersion::Tls10, 0x0301),
            (TlsVersion::Tls11, 0x0302),
            (TlsVersion::Tls12, 0x0303),
        ] {
            let only = Tls {
                versions: (version, version),
                ..offer.clone()
            };
            // A server that has lower ones only answers with one of them.
            let choice = self.handshake(&only).await.choice;
            let taken = choice.is_some_and(|(chosen, _)| chosen == number);
            words.push(format!("{version} {}", if taken { "yes" } else { "no" }));
        }
        report.good("TLS version", words.join(", "));
    }

    /// What the server shows, and whether the model would believe it.
    async fn certificate(&self, offer: &Tls, shown: &Shown, report: &mut Report<'_>) -> bool {
        let Some(own) = shown.chain.first() else {
            report.bad(
                "certificate",
                Cause::HandshakeFailed,
                "the server shows no certificate",
            );
            return false;
        };
        report.good("certificate", describe(own, shown.chain.len()));
        let mut works = true;
        for certificate in &shown.chain {
            if let Some(kind) = unknown_signature(certificate) {
                report.bad(
                    "signature",
                    Cause::UnknownSignature,
                    format!("{}: {kind}", name(certificate.subject_name())),
                );
                works = false;
            }
        }
        works &= self.dates(&shown.chain, report);
        let Some(authorities) = &self.question.credentials.authorities else {
            report.skipped("CA", "not checked, as the module does with seclevel 0; --cafile gives what it should trust");
            return works;
        };
        let check = Tls {
            authorities: Some(authorities.clone()),
            ..offer.clone()
        };
        match refusal(&self.handshake(&check).await) {
            None => report.good("CA", "the certificate is by an authority in --cafile"),
            Some(why) => {
                let issuer = shown
                    .chain
                    .last()
                    .map(|last| name(last.issuer_name()))
                    .unwrap_or_default();
                report.bad(
                    "CA",
                    Cause::CaNotMatching,
                    format!("{why}; the server's chain ends at one by {issuer}"),
                );
                return false;
            }
        }
        let named = Tls {
            expected_name: Some(self.question.target.host.clone()),
            ..check
        };
        if refusal(&self.handshake(&named).await).is_some() {
            report.remark(
                "host name",
                Cause::WrongHostname,
                format!(
                    "{} does not stand in the certificate",
                    self.question.target.host
                ),
            );
        } else {
            report.good(
                "host name",
                format!("{} stands in the certificate", self.question.target.host),
            );
        }
        works
    }

    fn dates(&self, chain: &[X509], report: &mut Report<'_>) -> bool {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let Some(now) = i64::try_from(now)
            .ok()
            .and_then(|now| Asn1Time::from_unix(now).ok())
        else {
            return true;
        };
        let heeds = self.question.check_dates;
        for certificate in chain {
            let found = if certificate.not_after() < now {
                (
                    Cause::CertificateExpired,
                    format!("expired on {}", certificate.not_after()),
                )
            } else if certificate.not_before() > now {
                (
                    Cause::CertificateNotYetValid,
                    format!("valid from {} only", certificate.not_before()),
                )
            } else {
                continue;
            };
            let says = format!("{}: {}", name(certificate.subject_name()), found.1);
            if heeds {
                report.bad("dates", found.0, says);
                return false;
            }
            report.remark(
                "dates",
                found.0,
                format!(
                    "{says}; a module with ignorelocaltime 1, its default, connects all the same"
                ),
            );
            return true;
        }
        report.good("dates", "every certificate of the chain is in date");
        true
    }

    /// Whether the server wants to see one. [`Question::credentials`] was shown when it holds one.
    fn client_certificate(&self, shown: &Shown, report: &mut Report<'_>) -> bool {
        let step = "client certificate";
        let shows = self.question.credentials.identity.is_some();
        // A server that wants one and got none, or dislikes what it got, gives up after its own flight.
        match (shown.asks_for_certificate, &shown.failure, shows) {
            (false, None, true) => {
                report.remark(step, None, "given, and the server does not ask for it");
            }
            (false, None, false) => report.good(step, "the server does not ask for one"),
            (true, None, true) => report.good(step, "the server asks for one and takes it"),
            (true, None, false) => {
                report.remark(step, None, "the server asks for one, and does without");
            }
            (true, Some(why), false) => {
                report.bad(
                    step,
                    Cause::ClientCertificateMissing,
                    format!("the server insists on one: {}", ended(shown, why)),
                );
                return false;
            }
            (true, Some(why), true) => {
                report.bad(step, Cause::ClientCertificateRefused, ended(shown, why));
                return false;
            }
            (false, Some(why), _) => {
                report.bad("TLS", Cause::HandshakeFailed, ended(shown, why));
                return false;
            }
        }
        true
    }

    /// Everything up to MQTT.
    async fn open(&self) -> Result<Stream, client::Error> {
        let target = &self.question.target;
        let failed = |error| client::Error::Connect(target.to_string(), error);
        let stream = connect_to(self.address).await.map_err(failed)?;
        if !target.tls {
            return match &target.websocket {
                None => Ok(Stream::Tcp(stream)),
                Some(path) => {
                    Ok(websocket::connect(stream, &target.host, target.port, path).await?)
                }
            };
        }
        let stream = tls::connect(stream, &offer(self.question)).await;
        let stream = stream.map_err(|_| failed(NetError::Tls))?;
        match &target.websocket {
            None => Ok(tls::unwrap(stream)?),
            Some(path) => Ok(websocket::connect(stream, &target.host, target.port, path).await?),
        }
    }

    async fn log_in(&self, login: &Login) -> Result<Client, client::Error> {
        let connect = Connect {
            clean_session: true,
            keep_alive: login.keep_alive,
            client_id: &login.client_id,
            username: login.username.as_deref(),
            password: login.password.as_deref().map(str::as_bytes),
            ..Connect::default()
        };
        let login = async { Client::log_in(self.open().await?, &connect).await };
        timeout(ANSWER, login)
            .await
            .unwrap_or(Err(client::Error::Timeout))
    }

    /// CONNECT and what comes after it.
    async fn talk(&self, report: &mut Report<'_>) -> bool {
        let login = &self.question.login;
        let start = Instant::now();
        let client = match self.log_in(login).await {
            Ok(client) => client,
            Err(error) => {
                self.refused(&error, report).await;
                return false;
            }
        };
        report.good(
            "CONNECT",
            format!("CONNACK 0, accepted, after {}", milliseconds(start)),
        );
        tell_keep_alive(login.keep_alive, report);
        let mut talk = Talk {
            examination: self,
            client,
        };
        match talk.run(report).await {
            Ok(works) => works,
            Err(error) => {
                self.tell_loss("connection", &error, report).await;
                false
            }
        }
    }

    /// Why a login was refused.
    async fn refused(&self, error: &client::Error, report: &mut Report<'_>) {
        let login = &self.question.login;
        let says = error.to_string();
        let cause = match error {
            client::Error::Refused(code) => {
                let cause = match code {
                    ConnectCode::UnacceptableProtocolVersion => Cause::ProtocolVersion,
                    ConnectCode::IdentifierRejected => Cause::ClientIdRefused,
                    ConnectCode::ServerUnavailable => Cause::ServerUnavailable,
                    _ => Cause::Credentials,
                };
                let says = format!("CONNACK {}: {code}", code.code());
                if self.takes_another_keep_alive().await {
                    return report.bad(
                        "CONNECT",
                        Cause::KeepAliveRefused,
                        format!(
                            "{says} with a keep alive of {} s, and accepted with {USUAL} s",
                            login.keep_alive
                        ),
                    );
                }
                return report.bad("CONNECT", cause, says);
            }
            client::Error::Protocol(_) => Cause::NotMqtt,
            client::Error::Timeout => Cause::SilentServer,
            _ if self.takes_another_keep_alive().await => {
                return report.bad(
                    "CONNECT",
                    Cause::KeepAliveRefused,
                    format!(
                        "closed with a keep alive of {} s, and accepted with {USUAL} s",
                        login.keep_alive
                    ),
                );
            }
            _ => Cause::ClosedAtConnect,
        };
        report.bad("CONNECT", cause, says);
    }

    async fn takes_another_keep_alive(&self) -> bool {
        let login = Login {
            keep_alive: USUAL,
            ..self.question.login.clone()
        };
        login.keep_alive != self.question.login.keep_alive && self.log_in(&login).await.is_ok()
    }

    /// A connection that ended while nothing was asked of it.
    async fn tell_loss(&self, step: &'static str, error: &client::Error, report: &mut Report<'_>) {
        let question = self.question;
        let other = Login {
            client_id: format!("{}-other", question.login.client_id),
            ..question.login.clone()
        };
        // With an id that nobody has, does the connection last?
        let lasts = match self.log_in(&other).await {
            Ok(client) => {
                let mut talk = Talk {
                    examination: self,
                    client,
                };
                talk.quiet(COMES_BACK).await.is_ok()
            }
            Err(client::Error::Refused(_)) => true,
            Err(_) => false,
        };
        if lasts {
            report.bad(step, Cause::ClientIdInUse, format!("{}: thrown out after the login ({error}), as by another device with the same id", question.login.client_id));
        } else {
            report.bad(
                step,
                Cause::ClosedAtConnect,
                format!("after the login, with any id: {error}"),
            );
        }
    }

    /// How long the server waits for CONNECT; `None`: longer than it was watched.
    async fn silence(&self) -> Option<Duration> {
        let stream = self.open().await.ok()?;
        let start = Instant::now();
        let closed = async {
            let mut buffer = [0; 64];
            loop {
                if stream.readable().await.is_err() {
                    return;
                }
                match stream.try_read(&mut buffer) {
                    Ok(1..) => {}
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    _ => return,
                }
            }
        };
        let watched = self.question.patience.max(self.question.connect_delay);
        timeout(watched, closed).await.ok()?;
        Some(start.elapsed())
    }

    fn tell_silence(&self, waited: Option<Duration>, report: &mut Report<'_>) {
        let step = "patience";
        let delay = self.question.connect_delay;
        match waited {
            Some(waited) if waited <= delay => report.bad(
                step,
                Cause::ConnectTooLate,
                format!(
                    "the server waits {:.1} s for CONNECT, and the firmware sends it after {:.1} s",
                    waited.as_secs_f64(),
                    delay.as_secs_f64()
                ),
            ),
            // What people and slow firmware take.
            Some(waited) if waited < Duration::from_secs(5) => report.remark(
                step,
                Cause::ConnectTooLate,
                format!(
                    "the server waits only {:.1} s for CONNECT",
                    waited.as_secs_f64()
                ),
            ),
            Some(waited) => report.good(
                step,
                format!("the server waits {:.1} s for CONNECT", waited.as_secs_f64()),
            ),
            None => report.good(
                step,
                format!(
                    "the server waits more than {:.0} s for CONNECT",
                    self.question.patience.as_secs_f64()
                ),
            ),
        }
    }
}

/// A keep alive that servers take.
const USUAL: u16 = 120;

fn tell_keep_alive(seconds: u16, report: &mut Report<'_>) {
    // Source: tutorial §8.2 Q3.7: one to four minutes, two are best.
    let step = "keep alive";
    match seconds {
        0 => report.remark(
            step,
            Cause::KeepAliveTooLong,
            "0: nobody notices a connection that has died",
        ),
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
    async fn run(&mut self, report: &mut Report<'_>) -> Result<bool, client::Error> {
        let question = self.examination.question;
        let topic = question.topic.as_str();
        if question.login.is_given {
            // A rival that was thrown out by this login comes back about now.
            if let Err(error) = self.quiet(COMES_BACK).await {
                self.examination
                    .tell_loss("client id", &error, report)
                    .await;
                return Ok(false);
            }
            report.good(
                "client id",
                format!(
                    "{}: nobody came back to it within {} s",
                    question.login.client_id,
                    COMES_BACK.as_secs()
                ),
            );
        }
        let subscribed = self.subscribe(topic, report).await?;
        let mut works = subscribed;
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let payload = format!("modemq doctor, QoS {}", qos.level());
            match self.publish(payload.as_bytes(), qos, subscribed).await? {
                Published::Back(after) => report.good(
                    "publish",
                    format!("QoS {}: there and back in {}", qos.level(), words(after)),
                ),
                Published::Gone if !subscribed => {
                    report.good("publish", format!("QoS {}: taken", qos.level()));
                }
                Published::Gone => {
                    report.remark(
                        "publish",
                        Cause::NoRoundTrip,
                        format!("QoS {}: taken, and it does not come back", qos.level()),
                    );
                }
                Published::Closed => {
                    let verdict = format!("QoS {}: the server closes the connection", qos.level());
                    // Clouds without QoS 2 work all the same.
                    if qos == QoS::ExactlyOnce {
                        report.remark("publish", Cause::PublishRefused, verdict);
                    } else {
                        report.bad("publish", Cause::PublishRefused, verdict);
                        works = false;
                    }
                    self.come_back(subscribed).await?;
                }
            }
        }
        if works {
            self.payload(subscribed, report).await?;
            self.take_over(report).await?;
        }
        Ok(works)
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

    async fn subscribe(
        &mut self,
        topic: &str,
        report: &mut Report<'_>,
    ) -> Result<bool, client::Error> {
        let wanted = QoS::ExactlyOnce;
        let result = async {
            self.client.subscribe(&[(topic, wanted)]).await?;
            loop {
                if let News::Subscribed(_, codes) = self.client.next().await? {
                    return Ok(codes.first().copied());
                }
            }
        };
        let step = "subscribe";
        match timeout(ANSWER, result)
            .await
            .unwrap_or(Err(client::Error::Timeout))
        {
            Ok(Some(granted @ 0..=2)) => {
                report.good(step, format!("{topic}: SUBACK, up to QoS {granted}"));
                Ok(true)
            }
            Ok(_) => {
                report.bad(
                    step,
                    Cause::SubscribeRefused,
                    format!("{topic}: SUBACK 0x80"),
                );
                Ok(false)
            }
            Err(error @ (client::Error::Closed | client::Error::Io(_))) => {
                report.bad(step, Cause::SubscribeRefused, format!("{topic}: {error}"));
                self.come_back(false).await?;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Logs in again after the server has closed the connection.
    async fn come_back(&mut self, subscribed: bool) -> Result<(), client::Error> {
        self.client = self
            .examination
            .log_in(&self.examination.question.login)
            .await?;
        if subscribed {
            let topic = self.examination.question.topic.as_str();
            self.client.subscribe(&[(topic, QoS::ExactlyOnce)]).await?;
        }
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
                if let News::Message(Message {
                    payload: came,
                    topic: at,
                    ..
                }) = self.client.next().await?
                    && at == topic
                    && came == payload
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

    /// Up to the most that the model can send.
    async fn payload(
        &mut self,
        comes_back: bool,
        report: &mut Report<'_>,
    ) -> Result<(), client::Error> {
        let limits = &self.examination.question.model.limits;
        let most = limits.publish.max(limits.publish_data);
        let mut size = most;
        while size > 0 {
            let payload = vec![b'x'; size];
            if !matches!(
                self.publish(&payload, QoS::AtLeastOnce, comes_back).await?,
                Published::Closed
            ) {
                break;
            }
            self.come_back(comes_back).await?;
            size /= 2;
        }
        let report_limit = limits.report.max(limits.cached);
        let back = if report_limit < most {
            format!("; messages to the module are cut at {report_limit} bytes")
        } else {
            String::new()
        };
        if size == most {
            report.good(
                "payload",
                format!("{most} bytes, the most that the model sends, were taken{back}"),
            );
        } else {
            report.remark(
                "payload",
                Cause::PayloadTooLarge,
                format!(
                    "the server takes {size} bytes and not {}{back}",
                    (size * 2).min(most)
                ),
            );
        }
        Ok(())
    }

    /// What becomes of a device when another one comes with its id.
    async fn take_over(&mut self, report: &mut Report<'_>) -> Result<(), client::Error> {
        let step = "take-over";
        match self
            .examination
            .log_in(&self.examination.question.login)
            .await
        {
            Ok(second) => {
                let thrown_out = self.quiet(COMES_BACK).await.is_err();
                self.client = second;
                if thrown_out {
                    report.good(
                        step,
                        "a second login with the same id throws the first out, as MQTT has it",
                    );
                } else {
                    report.remark(
                        step,
                        None,
                        "two connections with the same id live side by side: that is not MQTT",
                    );
                }
            }
            Err(error) => report.remark(
                step,
                None,
                format!(
                    "a second login with the same id is refused while the first lives: {error}"
                ),
            ),
        }
        Ok(())
    }
}

/// Why a certificate was refused, when it was for that.
fn refusal(shown: &Shown) -> Option<&str> {
    shown
        .failure
        .as_deref()
        .filter(|why| why.starts_with("certificate:") || why.contains("CA file"))
}

fn ended(shown: &Shown, why: &str) -> String {
    match shown.alert {
        Some(alert) => alert_words(alert),
        None => why.into(),
    }
}

fn describe(certificate: &X509, length: usize) -> String {
    let key = match certificate.public_key() {
        Ok(key) => match key.id() {
            Id::RSA => format!("RSA {}", key.bits()),
            Id::EC => format!("EC {}", key.bits()),
            other => format!("{other:?}"),
        },
        Err(_) => "a key of an unknown kind".into(),
    };
    let algorithm = certificate.signature_algorithm().object().nid();
    format!(
        "{} by {}, {key} bits, {}, until {}; {length} in the chain",
        name(certificate.subject_name()),
        name(certificate.issuer_name()),
        algorithm.long_name().unwrap_or("unknown signature"),
        certificate.not_after(),
    )
}

/// Inferred: no embedded library of a module's time verifies RSA-PSS or EdDSA in certificates.
fn unknown_signature(certificate: &X509) -> Option<&'static str> {
    let algorithm = certificate.signature_algorithm().object().nid();
    match algorithm {
        Nid::RSASSAPSS => Some("signed with RSA-PSS"),
        _ => match algorithm.short_name() {
            Ok("ED25519") => Some("signed with Ed25519"),
            Ok("ED448") => Some("signed with Ed448"),
            _ => None,
        },
    }
}

/// The common name, or the whole.
fn name(name: &X509NameRef) -> String {
    let common = name.entries_by_nid(Nid::COMMONNAME).next();
    match common.and_then(|entry| entry.data().to_string().ok()) {
        Some(common) => format!("{:?}", &*common),
        None => format!("{name:?}"),
    }
}

fn suite_words(suite: u16) -> String {
    match suite_name(suite) {
        Some(name) => format!("0X{suite:04X} {name}"),
        None => format!("0X{suite:04X}"),
    }
}

fn version_words(version: u16) -> &'static str {
    match version {
        0x0301 => "TLS 1.0",
        0x0302 => "TLS 1.1",
        0x0303 => "TLS 1.2",
        _ => "another version of TLS",
    }
}

fn milliseconds(start: Instant) -> String {
    words(start.elapsed())
}

fn words(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}
