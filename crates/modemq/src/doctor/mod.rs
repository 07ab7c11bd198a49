//! Why a module does not reach a broker: what was looked at, what was found, and what to do about it.
//!
//! [`server`] looks at the broker from this machine, and [`security`] at its TLS with what the model offers; [`trial`] then lets a module do it, a
//! virtual one or one on a port, with the lines of [`lines`]; [`radio`] looks at what is before all that: SIM, signal,
//! registration, PDP context, clock.

pub mod handshake;
pub mod iotda;
pub mod lines;
pub mod radio;
pub mod security;
pub mod server;
pub mod trial;

use crate::tls;
use dialect::Model;
use mqtt::QoS;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// What is asked of the doctor.
#[derive(Clone, Debug)]
pub struct Question {
    /// With whose eyes.
    pub model: &'static Model,
    /// Where to.
    pub target: Target,
    /// As whom.
    pub login: Login,
    /// Certificates.
    pub credentials: Credentials,
    /// Where it may publish and subscribe.
    pub topic: String,
    /// The highest QoS that is tried; servers of clouds often have no QoS 2.
    pub max_qos: QoS,
    /// How long the server is watched, and given time to end a connection that says nothing.
    pub patience: Duration,
    /// What the firmware lets pass between the connection and CONNECT.
    pub connect_delay: Duration,
    /// The module compares the dates of certificates with its clock.
    pub check_dates: bool,
    /// The APN that the module is to use.
    pub apn: Option<String>,
    /// The access point of a Wi-Fi module that is not in one yet: name and password.
    pub wifi: Option<(String, String)>,
}

/// Where a broker is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// `mqtts`, `wss`.
    pub tls: bool,
    /// The path of a WebSocket.
    pub websocket: Option<String>,
}

/// What CONNECT says.
#[derive(Clone)]
pub struct Login {
    /// Client id.
    pub client_id: String,
    /// The user gave the id: another device may have it.
    pub is_given: bool,
    /// User name.
    pub username: Option<String>,
    /// Password.
    pub password: Option<String>,
    /// In seconds.
    pub keep_alive: u16,
}

/// Certificates and key as they stand in the user's files.
#[derive(Clone, Default)]
pub struct Credentials {
    /// Whose signature the server's certificate must bear.
    pub authorities: Option<Vec<u8>>,
    /// The client's certificate, and its private key.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
}

/// Never the password.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("client_id", &self.client_id)
            .field("username", &self.username)
            .field("password", &self.password.is_some())
            .field("keep_alive", &self.keep_alive)
            .finish_non_exhaustive()
    }
}

/// Never the key.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("authorities", &self.authorities.as_ref().map(Vec::len))
            .field("identity", &self.identity.is_some())
            .finish()
    }
}

impl Question {
    /// The module compares dates of certificates: it is told to, and checks certificates at all.
    pub fn heeds_dates(&self) -> bool {
        self.target.tls && self.check_dates && self.credentials.authorities.is_some()
    }
}

impl Credentials {
    /// Reads the files.
    ///
    /// # Errors
    /// One that cannot be read, or holds something else, or a key that does not belong to its certificate.
    pub fn read(
        authorities: Option<&PathBuf>,
        certificate: Option<&PathBuf>,
        key: Option<&PathBuf>,
    ) -> Result<Self, String> {
        let read = |path: &PathBuf| {
            std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
        };
        let authorities = match authorities {
            Some(path) => {
                let bytes = read(path)?;
                if tls::certificates(&bytes).is_empty() {
                    return Err(format!("{}: holds no certificate", path.display()));
                }
                Some(bytes)
            }
            None => None,
        };
        let identity = match (certificate, key) {
            (Some(certificate), Some(key)) => {
                let identity = (read(certificate)?, read(key)?);
                tls::check_identity(&identity.0, &identity.1).map_err(|why| {
                    format!("{}, {}: {why}", certificate.display(), key.display())
                })?;
                Some(identity)
            }
            (None, None) => None,
            _ => return Err("--cert and --key go together".into()),
        };
        Ok(Self {
            authorities,
            identity,
        })
    }
}

impl std::str::FromStr for Target {
    type Err = String;

    /// `mqtt://HOST[:PORT]`, `mqtts://`, `ws://`, `wss://`; without a scheme it is `mqtt`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is not mqtt://HOST[:PORT], mqtts://HOST[:PORT], ws://HOST[:PORT]/PATH or wss://HOST[:PORT]/PATH"
            )
        };
        let (scheme, rest) = text.split_once("://").unwrap_or(("mqtt", text));
        let (tls, websocket, default) = match scheme.to_ascii_lowercase().as_str() {
            "mqtt" | "tcp" => (false, false, 1883),
            "mqtts" | "ssl" | "tls" => (true, false, 8883),
            "ws" => (false, true, 80),
            "wss" => (true, true, 443),
            _ => return Err(wrong()),
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        if authority.contains('@') {
            return Err("user name and password go with -u and -P".into());
        }
        if !websocket && !matches!(path, "" | "/") {
            return Err(wrong());
        }
        let bracketed = authority
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'));
        let (host, port) = match (bracketed, authority.rsplit_once(':')) {
            (Some((host, "")), _) => (host, None),
            (Some((host, port)), _) => (host, Some(port.strip_prefix(':').ok_or_else(wrong)?)),
            (None, Some((host, port))) => (host, Some(port)),
            (None, None) => (authority, None),
        };
        let port = match port {
            Some(port) => port
                .parse()
                .ok()
                .filter(|port| *port != 0)
                .ok_or_else(wrong)?,
            None => default,
        };
        let is_host = !host.is_empty()
            && host
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'"')
            && (bracketed.is_some() || !host.contains(':'));
        if !is_host {
            return Err(wrong());
        }
        Ok(Self {
            host: host.into(),
            port,
            tls,
            websocket: websocket.then(|| {
                if path.is_empty() {
                    "/".into()
                } else {
                    path.into()
                }
            }),
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match (self.tls, self.websocket.is_some()) {
            (false, false) => "mqtt",
            (true, false) => "mqtts",
            (false, true) => "ws",
            (true, true) => "wss",
        };
        let path = self.websocket.as_deref().unwrap_or_default();
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}{path}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}{path}", self.host, self.port)
        }
    }
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It works, and there is something to know.
    Remark,
    /// This keeps the module from working.
    Bad,
    /// Not looked at, and why.
    Skipped,
}

impl Verdict {
    /// As JSON has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Remark => "remark",
            Self::Bad => "bad",
            Self::Skipped => "skipped",
        }
    }
}

/// What one step found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at: a word or two.
    pub step: &'static str,
    /// What it came to.
    pub verdict: Verdict,
    /// What was seen.
    pub says: String,
    /// What it comes from, when that has a name.
    pub cause: Option<Cause>,
}

/// Collects what is found, and hands each finding on as it comes.
pub struct Report<'a> {
    findings: Vec<Finding>,
    tell: &'a mut dyn FnMut(&Finding),
}

impl fmt::Debug for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.findings.fmt(f)
    }
}

impl<'a> Report<'a> {
    /// An empty one; `tell` hears each finding.
    pub fn new(tell: &'a mut dyn FnMut(&Finding)) -> Self {
        Self {
            findings: Vec::new(),
            tell,
        }
    }

    /// As it should be.
    pub fn good(&mut self, step: &'static str, says: impl Into<String>) {
        self.add(step, Verdict::Good, says.into(), None);
    }

    /// It works, and there is something to know.
    pub fn remark(
        &mut self,
        step: &'static str,
        cause: impl Into<Option<Cause>>,
        says: impl Into<String>,
    ) {
        self.add(step, Verdict::Remark, says.into(), cause.into());
    }

    /// It does not work.
    pub fn bad(
        &mut self,
        step: &'static str,
        cause: impl Into<Option<Cause>>,
        says: impl Into<String>,
    ) {
        self.add(step, Verdict::Bad, says.into(), cause.into());
    }

    /// It was not looked at.
    pub fn skipped(&mut self, step: &'static str, says: impl Into<String>) {
        self.add(step, Verdict::Skipped, says.into(), None);
    }

    /// What was found so far.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Nothing keeps the module from working.
    pub fn is_good(&self) -> bool {
        self.findings
            .iter()
            .all(|finding| finding.verdict != Verdict::Bad)
    }

    fn add(&mut self, step: &'static str, verdict: Verdict, says: String, cause: Option<Cause>) {
        let finding = Finding {
            step,
            verdict,
            says,
            cause,
        };
        (self.tell)(&finding);
        self.findings.push(finding);
    }
}

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident $text:literal $advice:literal;)*) => {
        /// What keeps a module from its broker. Source: the FAQ of the Air700EAQ and Air780EP tutorials, for those that they name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Cause {
            $($(#[$doc])* $name,)*
        }

        impl Cause {
            /// As JSON has it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// What to do about it.
            pub const fn advice(self) -> &'static str {
                match self {
                    $(Self::$name => $advice,)*
                }
            }
        }
    };
}

causes! {
    /// No module answers on the port.
    NoAnswer "no-answer" "Is it powered on and is its rate that of --baud? Are RX and TX crossed? Does another program hold the port?";
    /// There is no SIM.
    SimAbsent "sim-absent" "Put the SIM in the right way round, and switch the module off and on.";
    /// The SIM wants a PIN or PUK.
    SimLocked "sim-locked" "Give the PIN with AT+CPIN=\"1234\", or take it off the SIM in a telephone.";
    /// Nothing is received.
    NoSignal "no-signal" "Look at the antenna and its plug, and at the place: garages, cellars, lifts and valleys have none.";
    /// Little is received.
    WeakSignal "weak-signal" "A better antenna or place; connections that break often come from here.";
    /// The network refuses the SIM.
    Arrears "sim-in-arrears" "The network refuses the SIM: ask the operator whether it is paid for, activated, and allowed in this device. A SIM in arrears is refused by 4G, and 2G may still take it.";
    /// No network was found.
    NotRegistered "not-registered" "Does the operator have a network here that this model's bands can use? Is AT+CFUN 1? Wait some minutes after the first power-on.";
    /// No address on the network.
    Apn "apn" "A SIM of a private network works with its own APN only: ask who sold it for APN, user and password, set them before anything else, and run the doctor with --apn.";
    /// The clock was never set.
    ClockNotSet "clock-not-set" "Let the network set it (AT+CTZU=1, NITZ), take it by NTP, or set it with AT+CCLK before the first connection; or do not check dates.";
    /// Not in an access point.
    NotAssociated "no-access-point" "Join one: AT+CWMODE=1, then AT+CWJAP=\"ssid\",\"password\"; or run the doctor with --wifi.";
    /// The name has no address.
    Dns "dns" "Is the name spelt right? When this machine resolves it and the module does not, give the module another name server.";
    /// The name has no IPv4 address.
    NoIpv4 "no-ipv4" "The module's bearer is IPv4: the server needs an A record.";
    /// Nobody listens there.
    PortClosed "port-closed" "Nobody listens on that port: is the broker running, on this port, and on an address that is not loopback only?";
    /// Nobody answers there.
    Unreachable "unreachable" "Packets are lost on the way: firewalls and security groups must let the port through.";
    /// This machine reaches it and the module does not.
    WhiteList "white-list" "This machine reaches the server and the module does not: a SIM with a white list of addresses wants this name and its addresses on it; ask who sold the SIM. So does a private network.";
    /// The module reaches the server, and its TLS fails where this machine's works.
    ModulesTls "tls-on-the-module" "The server takes what this model offers, and this module fails: are the files on it whole and the right ones, is its clock right when it checks dates, and is the name in the certificate the one that it connects to? Some know names only, and no addresses.";
    /// The model has no TLS.
    NoTls "no-tls" "This model connects without TLS here: use the server's plain port.";
    /// The model has no such transport.
    NoWebSocket "no-websocket" "Only ESP-AT speaks WebSocket: use mqtt:// or mqtts://.";
    /// No version of TLS that both speak.
    NoCommonVersion "no-common-version" "Let the server take TLS 1.2.";
    /// No cipher suite that both speak.
    NoCommonSuite "no-common-suite" "Let the server take one of the model's suites, which are above; many servers leave those without ECDHE out unless they are told.";
    /// What answers there is no TLS.
    NotTls "not-tls" "What listens there does not speak TLS: mqtts:// wants the broker's TLS port, often 8883.";
    /// The handshake ends without a word that tells why.
    HandshakeFailed "handshake-failed" "The server's log may tell why.";
    /// The certificate is not by that authority.
    CaNotMatching "ca-not-matching" "Give the module the certificate of the authority that signed the server's, as above: the root, or the nearest one.";
    /// The certificate is out of date.
    CertificateExpired "certificate-expired" "Renew the server's certificate; until then only a module that ignores dates connects.";
    /// The certificate is not valid yet.
    CertificateNotYetValid "certificate-not-yet-valid" "Is the clock right, of the server that made it and of this machine?";
    /// The certificate is for another name.
    WrongHostname "wrong-hostname" "A module that checks the name refuses it: use a name that stands in the certificate.";
    /// It is not made for servers.
    WrongPurpose "wrong-purpose" "The certificate is not one for a server: its extended key usage must have serverAuth.";
    /// Keys and chains that small libraries may not take.
    UnusualCertificate "unusual-certificate" "RSA with 2048 bits and one or two certificates are what every module takes.";
    /// The suites of the model want another kind of certificate.
    CertificateKind "certificate-kind" "The server's certificate has an EC key, and the model's suites want RSA: give the server an RSA certificate, beside its own if it can.";
    /// The server wants the name in the ClientHello.
    NameWanted "sni-wanted" "The server tells its names apart by SNI: set the module's host name for TLS (Luat: AT+SSLCFG=\"hostname\",88,\"NAME\").";
    /// A kind of key or signature that the model cannot verify.
    UnknownSignature "unknown-signature" "Sign with RSA (PKCS #1 v1.5) or ECDSA, and SHA-256: the libraries in the modules know no other.";
    /// The server wants a client's certificate.
    ClientCertificateMissing "client-certificate-missing" "The server wants to see a client's certificate: give --cert and --key, and the module seclevel 2 with both.";
    /// The server does not take the client's certificate.
    ClientCertificateRefused "client-certificate-refused" "The server does not take this client certificate: is it by the authority that the server trusts, and in date? Do key and certificate belong together?";
    /// What listens there does not speak MQTT.
    NotMqtt "not-mqtt" "What listens there does not speak MQTT on this port; with TLS it is mqtts://, with WebSocket ws://.";
    /// There is no WebSocket at that path.
    WebSocketRefused "websocket-refused" "The server does not open a WebSocket there: is the path right (often /mqtt), and does it have the subprotocol mqtt?";
    /// CONNACK 1.
    ProtocolVersion "protocol-version" "The modules speak MQTT 3.1.1 and 3.1: the server must take one of them.";
    /// CONNACK 2.
    ClientIdRefused "client-id-refused" "Some clouds prescribe the form of the client id: -i with the one that it gave you.";
    /// CONNACK 3.
    ServerUnavailable "server-unavailable" "The server is not ready, or full.";
    /// CONNACK 4 or 5.
    Credentials "wrong-credentials" "Client id, user name and password must be those that the server has; some clouds compute the password, and make it expire.";
    /// The server ends the connection at CONNECT without CONNACK.
    ClosedAtConnect "closed-at-connect" "Servers that close without CONNACK dislike something in CONNECT: client id, credentials, or keep alive. Their log tells.";
    /// The server says nothing to CONNECT.
    SilentServer "silent-server" "It takes connections and does not answer: overloaded, or no MQTT server.";
    /// CONNECT comes later than the server waits for it.
    ConnectTooLate "connect-too-late" "Send the login at once after the report that the connection is up: who waits longer than the server is thrown out.";
    /// No keep alive.
    NoKeepAlive "no-keep-alive" "Without one nobody notices a connection that has died: between 60 and 240 s, 120 s is best.";
    /// Keep alive under one minute.
    KeepAliveTooShort "keep-alive-too-short" "Between 60 and 240 s, 120 s is best: shorter ones break when the network is slow.";
    /// Keep alive over four minutes.
    KeepAliveTooLong "keep-alive-too-long" "Between 60 and 240 s, 120 s is best: base stations forget connections that are silent for longer.";
    /// The server does not take this keep alive.
    KeepAliveRefused "keep-alive-refused" "The server takes another keep alive, and not this one.";
    /// Another device has the same client id.
    ClientIdInUse "client-id-in-use" "Another device logs in with the same client id, and the two throw each other out: every device needs an id of its own.";
    /// SUBACK 0x80, or closed.
    SubscribeRefused "subscribe-refused" "The server does not let this client subscribe there: --topic with one that it may use.";
    /// The server closes at PUBLISH.
    PublishRefused "publish-refused" "The server does not let this client publish there, or not with this QoS: --topic with one that it may use.";
    /// The server closes at a PUBLISH of QoS 2.
    QosRefused "qos-refused" "The server does not take this QoS: use 0 or 1.";
    /// A message that does not come back.
    NoRoundTrip "no-round-trip" "The message was published and not delivered to its own sender, though it has subscribed: some clouds do not do that; try --topic.";
    /// The server takes smaller messages than the model can send.
    PayloadTooLarge "payload-too-large" "Keep messages under what the server takes, as above.";
    /// Huawei Cloud IoTDA would not take what CONNECT says.
    IotdaLogin "iotda-login" "`modemq iotda credentials` computes client id, user name and password from the device's id and secret, for the hour that it is in UTC.";
    /// Huawei Cloud IoTDA does not let a device use the topic.
    IotdaTopic "iotda-topic" "A device publishes to its own $oc/devices/{id}/sys/… up topics and its product's, and listens to the down topics; the platform acknowledges what it drops.";
    /// Huawei Cloud IoTDA does not take the message.
    IotdaMessage "iotda-message" "The platform acknowledges a message that it rejects, so the device does not learn of it: the form is {\"services\":[{\"service_id\":\"…\",\"properties\":{…}}]}.";
    /// A value does not fit the model's command.
    TooLongForModel "does-not-fit" "The module's command does not take this value: see `modemq reference` for its limits.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_urls() {
        let parse = |text: &str| text.parse::<Target>().map(|target| target.to_string());
        for (text, wanted) in [
            ("broker.example", "mqtt://broker.example:1883"),
            ("broker.example:1884", "mqtt://broker.example:1884"),
            ("mqtts://a.example/", "mqtts://a.example:8883"),
            ("SSL://1.2.3.4:99", "mqtts://1.2.3.4:99"),
            ("mqtt://[::1]:7", "mqtt://[::1]:7"),
            ("mqtt://[::1]", "mqtt://[::1]:1883"),
            ("ws://h:8083/mqtt", "ws://h:8083/mqtt"),
            ("wss://h", "wss://h:443/"),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(wanted), "{text}");
        }
        for bad in [
            "",
            "http://h",
            "h:0",
            "h:x",
            "h:70000",
            "::1",
            "mqtt://u:p@h",
            "mqtt://h/x",
            "a b",
            "mqtt://[::1]x",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn nothing_secret_is_printed() {
        let login = Login {
            client_id: "id".into(),
            is_given: true,
            username: Some("user".into()),
            password: Some("hunter2".into()),
            keep_alive: 60,
        };
        let credentials = Credentials {
            authorities: None,
            identity: Some((b"cert".to_vec(), b"PRIVATE".to_vec())),
        };
        let text = format!("{login:?} {credentials:?}");
        assert!(
            !text.contains("hunter2") && !text.contains("80, 82"),
            "{text}"
        );
    }
}
