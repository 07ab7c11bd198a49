//! What is said to each family, and what must come of it: connect, log in, subscribe, publish at each QoS, leave.
//!
//! Values go through the model's own command items, so what does not fit the firmware is found before it is sent.

use super::{Question, Target};
use crate::tls;
use dialect::command::{Form, WriteError, find};
use dialect::model::{Bearer, Family};
use dialect::{Model, Value};
use std::net::IpAddr;

/// What a step is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Settings, and certificates.
    Prepare,
    /// TCP, and TLS on it.
    Connect,
    /// CONNECT. ESP-AT does it together with the connection.
    LogIn,
    /// SUBSCRIBE.
    Subscribe,
    /// PUBLISH, until the message has come back.
    Publish,
    /// DISCONNECT.
    Leave,
}

/// One line for the module, and what must come of it.
#[derive(Clone)]
pub struct Step {
    /// What it is for.
    pub stage: Stage,
    /// Without its end.
    pub line: String,
    /// What is typed after the prompt.
    pub data: Option<Data>,
    /// The report with which it has worked begins so; without one, `OK` is all.
    pub report: Option<String>,
    /// Reports with which it has failed begin so.
    pub failures: Vec<String>,
    /// A report with this beginning brings the message back; the text is in it.
    pub back: Option<(&'static str, String)>,
    /// What must not be shown to others stands in the line: a password.
    pub secret: Option<String>,
    /// It may fail: what it makes or takes away may be there or not.
    pub may_fail: bool,
}

/// What is typed after a prompt.
#[derive(Clone)]
pub struct Data {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// What stands in their place when they are shown: a file's name, or the text.
    pub shown: String,
}

impl Step {
    /// As people paste it.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.line.clone()];
        if let Some(data) = &self.data {
            let is_file = self.stage == Stage::Prepare && data.shown.as_bytes() != data.bytes;
            lines.push(if is_file {
                format!("    > the {} bytes of {}", data.bytes.len(), data.shown)
            } else {
                format!("    > {}", data.shown)
            });
        }
        if let Some(report) = &self.report {
            lines.push(format!("    … until {report}"));
        }
        lines
    }

    fn new(stage: Stage, line: impl Into<String>) -> Self {
        Self {
            stage,
            line: line.into(),
            data: None,
            report: None,
            failures: Vec::new(),
            back: None,
            secret: None,
            may_fail: false,
        }
    }

    fn report(mut self, good: impl Into<String>, failures: &[&str]) -> Self {
        self.report = Some(good.into());
        self.failures = failures.iter().map(ToString::to_string).collect();
        self
    }

    fn data(mut self, bytes: &[u8], shown: &str) -> Self {
        self.data = Some(Data {
            bytes: bytes.into(),
            shown: shown.into(),
        });
        self
    }

    fn back(mut self, back: Option<(&'static str, String)>) -> Self {
        self.back = back;
        self
    }

    fn secret(mut self, secret: Option<&str>) -> Self {
        self.secret = secret.filter(|secret| !secret.is_empty()).map(Into::into);
        self
    }

    /// The line as it may be shown to others.
    pub fn shown(&self) -> String {
        match &self.secret {
            Some(secret) => self.line.replace(&format!("\"{secret}\""), "\"…\""),
            None => self.line.clone(),
        }
    }

    const fn may_fail(mut self) -> Self {
        self.may_fail = true;
        self
    }
}

/// What the server was found to do with messages.
#[derive(Clone, Debug)]
pub struct Abilities {
    /// The QoS with which it takes them.
    pub qos: Vec<u8>,
    /// It sends a client what the client itself has published.
    pub echoes: bool,
}

impl Abilities {
    /// What is hoped for.
    pub fn hoped(question: &Question) -> Self {
        Self {
            qos: (0..=question.max_qos.level()).collect(),
            echoes: true,
        }
    }
}

/// Whether the module says the server's name in its ClientHello (SNI), with the lines of [`conversation`].
pub fn sends_name(question: &Question) -> bool {
    let model = question.model;
    let can = match model.family {
        // Source: Luat AT manual, SSLCFG: hostname would also be compared with the certificate.
        Family::Luat => false,
        Family::Quectel => model.bearer != Bearer::NbIot,
        Family::EigenComm => true,
        Family::Espressif => model.bearer == Bearer::WiFi,
    };
    can && question.target.tls && question.target.host.parse::<IpAddr>().is_err()
}

/// Whether a name that is sent must also stand in a certificate that is checked.
// Source: firmware of the EC616, mbedtls_ssl_set_hostname; inferred for ESP-AT, as with esp-tls.
pub fn checks_name(model: &Model) -> bool {
    matches!(model.family, Family::EigenComm | Family::Espressif)
}

/// What brings a module back to where nothing is connected. Each line may fail.
pub fn hang_up(model: &'static Model) -> Vec<Step> {
    let lines: &[&str] = match model.family {
        Family::Luat => &["AT+MDISCONNECT", "AT+MIPCLOSE"],
        Family::Quectel => &["AT+QMTDISC=0", "AT+QMTCLOSE=0"],
        Family::EigenComm => &["AT+ECMTDISC=0", "AT+ECMTCLOSE=0"],
        Family::Espressif => &["AT+MQTTCLEAN=0"],
    };
    let step = |line: &&str| Step::new(Stage::Leave, *line).may_fail();
    lines.iter().map(step).collect()
}

/// The whole conversation. The error says which value the model does not take.
///
/// # Errors
/// A value that does not fit its parameter.
pub fn conversation(question: &Question, abilities: &Abilities) -> Result<Vec<Step>, String> {
    let writer = Writer {
        question,
        abilities,
    };
    match question.model.family {
        Family::Luat => writer.luat(),
        Family::Quectel => writer.quectel(),
        Family::EigenComm => writer.eigencomm(),
        Family::Espressif => writer.espressif(),
    }
}

/// The line that opens TCP alone, and the one that closes it again.
///
/// # Errors
/// The name does not fit.
pub fn touch(model: &'static Model, host: &str, port: u16) -> Result<[Step; 2], String> {
    let (name, first, report, failure, close) = match model.family {
        Family::Luat => (
            "+MIPSTART",
            None,
            "CONNECT OK",
            "CONNECT FAIL",
            "AT+MIPCLOSE",
        ),
        // The sixth connection is plain, whatever the first is set up for.
        Family::Quectel => (
            "+QMTOPEN",
            Some(5.into()),
            "+QMTOPEN: 5,0",
            "+QMTOPEN: 5,",
            "AT+QMTCLOSE=5",
        ),
        Family::EigenComm => (
            "+ECMTOPEN",
            Some(0.into()),
            "+ECMTOPEN: 0,0",
            "+ECMTOPEN: 0,",
            "AT+ECMTCLOSE=0",
        ),
        Family::Espressif => (
            "+CIPSTART",
            Some("TCP".into()),
            "CONNECT",
            "CLOSED",
            "AT+CIPCLOSE",
        ),
    };
    let values: Vec<Value<'_>> = first
        .into_iter()
        .chain([host.into(), Value::Int(port.into())])
        .collect();
    let open = Step::new(Stage::Connect, written(model, name, &values)?);
    Ok([
        open.report(report, &[failure]),
        Step::new(Stage::Leave, close).may_fail(),
    ])
}

/// The lines that set the APN of the first context, and have the network give it.
///
/// # Errors
/// It does not fit.
pub fn set_apn(model: &'static Model, apn: &str) -> Result<Vec<String>, String> {
    let apn = Value::from(apn);
    let (name, values): (_, &[Value<'_>]) = match (model.family, model.name) {
        (Family::Luat, _) => (
            "+CPNETAPN",
            &[2.into(), apn, "".into(), "".into(), 0.into()],
        ),
        (_, "bc26") => ("+QCGDEFCONT", &["IP".into(), apn]),
        (Family::Quectel, _) => ("+QICSGP", &[1.into(), 1.into(), apn]),
        _ => ("+CGDCONT", &[1.into(), "IP".into(), apn]),
    };
    let mut lines = vec![written(model, name, values)?];
    match (model.family, model.name) {
        // Source: Luat AT manual, CPNETAPN: the module starts again by itself.
        (Family::Luat, _) => {}
        // Source: BC26 AT manual 5.1: QCGDEFCONT counts from the next start.
        (_, "bc26") => lines.push("AT+QRST=1".into()),
        _ => lines.extend(["AT+CGATT=0".into(), "AT+CGATT=1".into()]),
    }
    Ok(lines)
}

/// The line with which a Wi-Fi module joins an access point.
///
/// # Errors
/// Name or password does not fit.
pub fn join(model: &'static Model, name: &str, password: &str) -> Result<Step, String> {
    let line = written(model, "+CWJAP", &[name.into(), password.into()])?;
    Ok(Step::new(Stage::Prepare, line).secret(Some(password)))
}

/// The names of the files on the module.
const CA: &str = "ca.crt";
const CERTIFICATE: &str = "client.crt";
const KEY: &str = "client.key";

/// A command in its model's own spelling.
fn written(model: &'static Model, name: &str, values: &[Value<'_>]) -> Result<String, String> {
    let command = find(model.commands, name.as_bytes())
        .ok_or_else(|| format!("the {} has no AT{name}", model.title))?;
    let mut line = Vec::new();
    let result = command.write(Form::Set, values, &mut |bytes| {
        line.extend_from_slice(bytes);
    });
    result.map_err(|error| match error {
        WriteError::Value(index) => {
            let value = match values.get(index) {
                Some(Value::Int(number)) => number.to_string(),
                Some(Value::Text(text)) if text.len() <= 40 => {
                    format!("{:?}", String::from_utf8_lossy(text))
                }
                Some(Value::Text(text)) => format!("a text of {} bytes", text.len()),
                _ => "what is left out".into(),
            };
            // Each of these commands is found with values that are all given.
            let param = command
                .set
                .and_then(|params| params.get(index))
                .map(ToString::to_string);
            let param = param.unwrap_or_default();
            format!(
                "AT{name} does not take {value} as its parameter {}, {param}",
                index + 1
            )
        }
        _ => format!("AT{name}: {error}"),
    })?;
    String::from_utf8(line).map_err(|_| format!("AT{name}: not UTF-8"))
}

struct Writer<'a> {
    question: &'a Question,
    abilities: &'a Abilities,
}

impl Writer<'_> {
    fn written(&self, name: &str, values: &[Value<'_>]) -> Result<String, String> {
        written(self.question.model, name, values)
    }

    fn target(&self) -> &Target {
        &self.question.target
    }

    fn host(&self) -> Value<'_> {
        self.target().host.as_str().into()
    }

    fn port(&self) -> Value<'static> {
        i64::from(self.target().port).into()
    }

    fn topic(&self) -> &str {
        &self.question.topic
    }

    fn max_qos(&self) -> Value<'static> {
        let most = self.abilities.qos.iter().max();
        most.copied().unwrap_or_default().into()
    }

    fn keep_alive(&self) -> u16 {
        self.question.login.keep_alive
    }

    /// What brings a message back, when the server does that.
    fn echo(&self, prefix: &'static str, text: &str) -> Option<(&'static str, String)> {
        self.abilities.echoes.then(|| (prefix, text.to_string()))
    }

    fn password(&self) -> Option<&str> {
        self.question.login.password.as_deref()
    }

    /// 0 no check, 1 the server's certificate, 2 the client's as well.
    ///
    /// # Errors
    /// There is no such level.
    fn security_level(&self) -> Result<u8, String> {
        let credentials = &self.question.credentials;
        match (&credentials.authorities, &credentials.identity) {
            (Some(_), Some(_)) => Ok(2),
            (Some(_), None) => Ok(1),
            (None, None) => Ok(0),
            (None, Some(_)) => {
                let title = self.question.model.title;
                Err(format!(
                    "the {title} shows its own certificate only when it checks the server's: --cafile"
                ))
            }
        }
    }

    /// The files that the module needs: name on the module, setting, content.
    fn files(&self) -> Vec<(&'static str, &'static str, &[u8])> {
        let credentials = &self.question.credentials;
        let mut files = Vec::new();
        if let Some(authorities) = &credentials.authorities {
            files.push((CA, "cacert", authorities.as_slice()));
        }
        if let Some((certificate, key)) = &credentials.identity {
            files.push((CERTIFICATE, "clientcert", certificate.as_slice()));
            files.push((KEY, "clientkey", key.as_slice()));
        }
        files
    }

    /// Client id, and what of user name and password there is.
    fn names(&self) -> Vec<Value<'_>> {
        let login = &self.question.login;
        let mut values = vec![Value::from(login.client_id.as_str())];
        if let Some(username) = &login.username {
            values.push(username.as_str().into());
            values.push(login.password.as_deref().unwrap_or_default().into());
        }
        values
    }

    fn luat(&self) -> Result<Vec<Step>, String> {
        let mut steps = Vec::new();
        if self.target().tls {
            for (name, _, content) in self.files() {
                let create = self.written("+FSCREATE", &[name.into()])?;
                steps.push(Step::new(Stage::Prepare, create).may_fail());
                // Source: Luat AT manual, FSWRITE: at most 10240 bytes at a time.
                for (index, part) in content.chunks(10_240).enumerate() {
                    let mode = i64::from(index > 0);
                    let size = part.len().try_into().unwrap_or(i64::MAX);
                    let write = self.written(
                        "+FSWRITE",
                        &[name.into(), mode.into(), Value::Int(size), 15.into()],
                    )?;
                    steps.push(Step::new(Stage::Prepare, write).data(part, name));
                }
            }
            let dates = u8::from(!self.question.check_dates);
            let level = self.security_level()?;
            let mut settings = vec![
                ("sslversion", "4".to_string()),
                ("ciphersuite", "0XFFFF".into()),
                ("seclevel", level.to_string()),
                ("ignorelocaltime", dates.to_string()),
            ];
            settings.extend(
                self.files()
                    .into_iter()
                    .map(|(name, setting, _)| (setting, format!("\"{name}\""))),
            );
            for (setting, value) in settings {
                steps.push(Step::new(
                    Stage::Prepare,
                    format!("AT+SSLCFG=\"{setting}\",88,{value}"),
                ));
            }
        }
        steps.push(
            Step::new(Stage::Prepare, self.written("+MCONFIG", &self.names())?)
                .secret(self.password()),
        );
        let open = if self.target().tls {
            "+SSLMIPSTART"
        } else {
            "+MIPSTART"
        };
        let open = self.written(open, &[self.host(), self.port()])?;
        steps.push(Step::new(Stage::Connect, open).report("CONNECT OK", &["CONNECT FAIL"]));
        let log_in = self.written(
            "+MCONNECT",
            &[1.into(), i64::from(self.keep_alive()).into()],
        )?;
        steps.push(Step::new(Stage::LogIn, log_in).report("CONNACK OK", &["CLOSED"]));
        let subscribe = self.written("+MSUB", &[self.topic().into(), self.max_qos()])?;
        steps.push(Step::new(Stage::Subscribe, subscribe).report("SUBACK", &["CLOSED"]));
        for &qos in &self.abilities.qos {
            let text = text(qos);
            let publish = self.written(
                "+MPUB",
                &[
                    self.topic().into(),
                    qos.into(),
                    0.into(),
                    text.as_str().into(),
                ],
            )?;
            let mut step = Step::new(Stage::Publish, publish).back(self.echo("+MSUB:", &text));
            step.failures = vec!["CLOSED".into()];
            step.report = [None, Some("PUBACK"), Some("PUBCOMP")][usize::from(qos)].map(Into::into);
            steps.push(step);
        }
        steps.push(Step::new(Stage::Leave, "AT+MDISCONNECT"));
        steps.push(Step::new(Stage::Leave, "AT+MIPCLOSE"));
        Ok(steps)
    }

    fn quectel(&self) -> Result<Vec<Step>, String> {
        let mut steps = Vec::new();
        let prepare = |line: String| Step::new(Stage::Prepare, line);
        steps.push(prepare("AT+QMTCFG=\"version\",0,4".into()));
        steps.push(prepare(format!(
            "AT+QMTCFG=\"keepalive\",0,{}",
            self.keep_alive()
        )));
        if self.target().tls {
            steps.extend(match self.question.model.bearer {
                Bearer::NbIot => self.typed_certificates()?,
                _ => self.uploaded_certificates()?,
            });
        } else if !self.question.model.suites.is_empty() {
            // It may be set from before.
            steps.push(prepare("AT+QMTCFG=\"ssl\",0,0".into()));
        }
        steps.extend(self.session("+QMT")?);
        for &qos in &self.abilities.qos {
            let text = text(qos);
            // A message of QoS 0 has no packet id.
            let id = if qos == 0 { 0 } else { qos + 1 };
            let (name, size) = match self.question.model.name {
                "bc26" => ("+QMTPUB", None),
                "bg95" => ("+QMTPUB", Some(text.len())),
                _ => ("+QMTPUBEX", Some(text.len())),
            };
            let mut values = vec![
                0.into(),
                id.into(),
                qos.into(),
                0.into(),
                self.topic().into(),
            ];
            values.extend(
                size.and_then(|size| i64::try_from(size).ok())
                    .map(Value::Int),
            );
            let line = self.written(name, &values)?;
            let end: &[u8] = if size.is_none() { b"\x1a" } else { b"" };
            let shown = if size.is_none() {
                format!("{text}<Ctrl-Z>")
            } else {
                text.clone()
            };
            let report = format!("{name}: 0,{id},0");
            let other = format!("{name}: 0,{id},");
            steps.push(
                Step::new(Stage::Publish, line)
                    .data(&[text.as_bytes(), end].concat(), &shown)
                    .report(report, &[other.as_str(), "+QMTSTAT: 0,"])
                    .back(self.echo("+QMTRECV:", &text)),
            );
        }
        steps.push(Step::new(Stage::Leave, "AT+QMTDISC=0").report("+QMTDISC: 0,0", &[]));
        Ok(steps)
    }

    /// Connection, login and subscription, which Quectel's and EigenComm's commands have alike.
    fn session(&self, prefix: &str) -> Result<Vec<Step>, String> {
        let command =
            |name: &str, values: &[Value<'_>]| self.written(&format!("{prefix}{name}"), values);
        let lost = format!("{prefix}STAT: 0,");
        let open = command("OPEN", &[0.into(), self.host(), self.port()])?;
        let opened = format!("{prefix}OPEN: 0,");
        let mut names = vec![Value::from(0)];
        names.extend(self.names());
        let log_in = command("CONN", &names)?;
        let logged_in = format!("{prefix}CONN: 0,");
        let filter = [0.into(), 1.into(), self.topic().into(), self.max_qos()];
        let subscribe = command("SUB", &filter)?;
        let subscribed = format!("{prefix}SUB: 0,1,");
        Ok(vec![
            Step::new(Stage::Connect, open).report(format!("{opened}0"), &[&opened]),
            Step::new(Stage::LogIn, log_in)
                .secret(self.password())
                .report(format!("{logged_in}0,0"), &[&logged_in, &lost]),
            Step::new(Stage::Subscribe, subscribe).report(
                format!("{subscribed}0,"),
                // 128 is SUBACK's refusal.
                &[&format!("{subscribed}0,128"), &subscribed, &lost],
            ),
        ])
    }

    /// Files, and a context that names them.
    fn uploaded_certificates(&self) -> Result<Vec<Step>, String> {
        let mut steps = Vec::new();
        let prepare = |line: String| Step::new(Stage::Prepare, line);
        for (name, _, content) in self.files() {
            steps.push(prepare(format!("AT+QFDEL=\"{name}\"")).may_fail());
            let size = content.len();
            steps.push(prepare(format!("AT+QFUPL=\"{name}\",{size},15")).data(content, name));
        }
        let dates = u8::from(!self.question.check_dates);
        let mut settings = vec![
            ("sslversion", "4".to_string()),
            ("ciphersuite", "0XFFFF".into()),
            ("seclevel", self.security_level()?.to_string()),
            ("ignorelocaltime", dates.to_string()),
        ];
        settings.extend(
            self.files()
                .into_iter()
                .map(|(name, setting, _)| (setting, format!("\"{name}\""))),
        );
        for (setting, value) in settings {
            steps.push(prepare(format!("AT+QSSLCFG=\"{setting}\",2,{value}")));
        }
        steps.push(prepare("AT+QMTCFG=\"ssl\",0,1,2".into()));
        if sends_name(self.question) {
            steps.push(prepare("AT+QSSLCFG=\"sni\",2,1".into()));
        }
        Ok(steps)
    }

    /// Typed after the prompt, up to Ctrl-Z. Such a module checks no dates.
    fn typed_certificates(&self) -> Result<Vec<Step>, String> {
        let prepare = |line: String| Step::new(Stage::Prepare, line);
        let level = self.security_level()?;
        let mut steps = vec![
            prepare("AT+QSSLCFG=1,5,\"sslversion\",4".into()),
            prepare(format!("AT+QSSLCFG=1,5,\"seclevel\",{level}")),
        ];
        for (name, setting, content) in self.files() {
            let typed = [content, b"\x1a"].concat();
            let shown = format!("{name}, and Ctrl-Z");
            steps.push(prepare(format!("AT+QSSLCFG=1,5,\"{setting}\"")).data(&typed, &shown));
        }
        steps.push(prepare("AT+QMTCFG=\"ssl\",0,1,1,5".into()));
        Ok(steps)
    }

    fn eigencomm(&self) -> Result<Vec<Step>, String> {
        let mut steps = Vec::new();
        steps.push(Step::new(
            Stage::Prepare,
            format!("AT+ECMTCFG=\"keepalive\",0,{}", self.keep_alive()),
        ));
        if self.target().tls {
            steps.push(Step::new(Stage::Prepare, self.base64_certificate()?));
        }
        steps.extend(self.session("+ECMT")?);
        for &qos in &self.abilities.qos {
            let text = text(qos);
            let id = if qos == 0 { 0 } else { qos + 1 };
            let line = self.written(
                "+ECMTPUB",
                &[
                    0.into(),
                    id.into(),
                    qos.into(),
                    0.into(),
                    self.topic().into(),
                    text.as_str().into(),
                ],
            )?;
            let other = format!("+ECMTPUB: 0,{id},");
            steps.push(
                Step::new(Stage::Publish, line)
                    .report(format!("{other}0"), &[other.as_str(), "+ECMTSTAT: 0,"])
                    .back(self.echo("+ECMTRECV:", &text)),
            );
        }
        steps.push(Step::new(Stage::Leave, "AT+ECMTDISC=0").report("+ECMTDISC: 0,0", &[]));
        Ok(steps)
    }

    /// The authority on the command line; without one, TLS without a check.
    fn base64_certificate(&self) -> Result<String, String> {
        let credentials = &self.question.credentials;
        let title = self.question.model.title;
        if credentials.identity.is_some() {
            return Err(format!("the {title} shows no certificate of its own"));
        }
        let Some(authorities) = &credentials.authorities else {
            // Source: firmware, atec_mqtt.c: the key is not used.
            return Ok("AT+ECMTCFG=\"ssl\",\"ecc\",\"0\"".into());
        };
        let wrong = || "the CA file holds no certificate that can be read".to_string();
        let certificate = tls::certificates(authorities).into_iter().next();
        let der = certificate.and_then(|found| found.to_der().ok());
        let text = openssl::base64::encode_block(&der.ok_or_else(wrong)?);
        self.written("+ECMTCFG=\"ssl\"", &["ca".into(), text.as_str().into()])
    }

    fn espressif(&self) -> Result<Vec<Step>, String> {
        let mut steps = Vec::new();
        let target = self.target();
        if let Some((name, password)) = &self.question.wifi {
            steps.push(Step::new(Stage::Prepare, "AT+CWMODE=1"));
            steps.push(join(self.question.model, name, password)?);
        }
        if target.tls {
            for (_, setting, content) in self.files() {
                // Source: ESP-AT user guide, SYSMFG and MQTTUSERCFG.
                let name = match setting {
                    "cacert" => "mqtt_ca",
                    "clientcert" => "mqtt_cert",
                    _ => "mqtt_key",
                };
                let size = Value::Int(i64::try_from(content.len()).unwrap_or(i64::MAX));
                let values = [2.into(), name.into(), name.into(), 8.into(), size];
                let line = self.written("+SYSMFG", &values)?;
                steps.push(Step::new(Stage::Prepare, line).data(content, name));
            }
        }
        // Source: ESP-AT MQTT commands, MQTTUSERCFG: 1 TCP, 2 TLS without a check, 3 with one, 4 and 5 with the client's
        // certificate, 6 to 10 the same on WebSocket.
        let credentials = &self.question.credentials;
        let tls = match (&credentials.authorities, &credentials.identity) {
            _ if !target.tls => 0,
            (None, None) => 1,
            (Some(_), None) => 2,
            (None, Some(_)) => 3,
            (Some(_), Some(_)) => 4,
        };
        let scheme = 1 + tls + if target.websocket.is_some() { 5 } else { 0 };
        if tls >= 2 {
            // Source: ESP-AT user guide, MQTTUSERCFG: a certificate is compared with the clock, which SNTP sets.
            let clock = Step::new(Stage::Prepare, "AT+CIPSNTPCFG=1,0,\"pool.ntp.org\"");
            steps.push(clock.report("+TIME_UPDATED", &[]));
        }
        let login = &self.question.login;
        let texts = [
            ("+MQTTLONGCLIENTID", login.client_id.as_str()),
            (
                "+MQTTLONGUSERNAME",
                login.username.as_deref().unwrap_or_default(),
            ),
            ("+MQTTLONGPASSWORD", self.password().unwrap_or_default()),
        ];
        // Source: ESP-AT MQTT commands, MQTTUSERCFG: 256, 64 and 64 bytes.
        let is_long = texts[1..].iter().any(|(_, text)| text.len() > 64);
        let short = |index: usize| Value::from(if is_long { "" } else { texts[index].1 });
        let values = [
            0.into(),
            scheme.into(),
            short(0),
            short(1),
            short(2),
            0.into(),
            0.into(),
            target.websocket.as_deref().unwrap_or_default().into(),
        ];
        let line = self.written("+MQTTUSERCFG", &values)?;
        steps.push(Step::new(Stage::Prepare, line).secret(self.password()));
        for (name, text) in texts.iter().filter(|(_, text)| is_long && !text.is_empty()) {
            let size = Value::Int(i64::try_from(text.len()).unwrap_or(i64::MAX));
            let line = self.written(name, &[0.into(), size])?;
            steps.push(Step::new(Stage::Prepare, line).data(text.as_bytes(), text));
        }
        steps.push(Step::new(
            Stage::Prepare,
            format!("AT+MQTTCONNCFG=0,{},0,\"\",\"\",0,0", self.keep_alive()),
        ));
        if sends_name(self.question) {
            let line = self.written("+MQTTSNI", &[0.into(), self.host()])?;
            steps.push(Step::new(Stage::Prepare, line));
        }
        let open = self.written("+MQTTCONN", &[0.into(), self.host(), self.port(), 0.into()])?;
        steps.push(
            Step::new(Stage::Connect, open).report("+MQTTCONNECTED:0,", &["+MQTTDISCONNECTED:0"]),
        );
        steps.push(Step::new(
            Stage::Subscribe,
            self.written("+MQTTSUB", &[0.into(), self.topic().into(), self.max_qos()])?,
        ));
        for &qos in &self.abilities.qos {
            let text = text(qos);
            let line = self.written(
                "+MQTTPUB",
                &[
                    0.into(),
                    self.topic().into(),
                    text.as_str().into(),
                    qos.into(),
                    0.into(),
                ],
            )?;
            steps.push(Step::new(Stage::Publish, line).back(self.echo("+MQTTSUBRECV:", &text)));
        }
        steps.push(Step::new(Stage::Leave, "AT+MQTTCLEAN=0"));
        Ok(steps)
    }
}

/// A message that every family can carry as it stands.
fn text(qos: u8) -> String {
    format!("modemq doctor QoS {qos}")
}
