//! What Huawei Cloud IoTDA would say to a login, a topic and a message: a platform of the doctor's own is asked, so its rules are
//! those of `modemq broker --iotda`.

use super::{Cause, Login, Question, Report};
use broker::Policy;
use credentials::{ClientId, Secret};
use instant::Instant;
use iotda::{Config, Device, News, Platform, TopicError, check_filter, check_topic};
use mqtt::{Connect, Publish, QoS};

/// What is known of the device.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Its secret; without it a password of the right form is taken for right.
    pub secret: Option<Secret>,
    /// A topic of the platform's that the firmware uses.
    pub topic: Option<String>,
    /// What it publishes there.
    pub message: Option<String>,
}

const STEP: &str = "IoTDA";

/// Says what the platform would; true when it takes everything.
pub fn examine(question: &Question, known: &Known, unix_ms: u64, report: &mut Report<'_>) -> bool {
    let login = &question.login;
    let client: Result<ClientId, _> = login.client_id.parse();
    let device = match (&client, &login.username) {
        (Ok(client), _) => client.device_id.clone(),
        (Err(_), Some(name)) if credentials::device_id_is_valid(name) => name.clone(),
        _ => "device".into(),
    };
    // Somebody's: a password of the right form is replaced by its own.
    let secret = known.secret.clone().unwrap_or_else(|| Secret::from(""));
    let password = match (&client, &known.secret, &login.password) {
        (Ok(client), None, Some(password)) if is_mac(password) => {
            Some(secret.password(client.timestamp))
        }
        _ => login.password.clone(),
    };
    let config = Config {
        devices: vec![Device {
            id: device.clone(),
            secret,
            product: None,
            frozen: false,
        }],
        unix_ms,
        news: true,
        ..Config::default()
    };
    let mut platform = match Platform::new(Instant::ZERO, config) {
        Ok(platform) => platform,
        Err(why) => {
            report.bad(STEP, Cause::IotdaLogin, why);
            return false;
        }
    };
    let good = log_in(&mut platform, login, password.as_deref(), known, report);
    platform.arrived(Instant::ZERO, &device);
    good & use_topic(&mut platform, &device, known, report)
}

fn log_in(
    platform: &mut Platform,
    login: &Login,
    password: Option<&str>,
    known: &Known,
    report: &mut Report<'_>,
) -> bool {
    let connect = Connect {
        client_id: &login.client_id,
        username: login.username.as_deref(),
        password: password.map(str::as_bytes),
        keep_alive: login.keep_alive,
        ..Connect::default()
    };
    if platform.admit(Instant::ZERO, &connect).is_ok() {
        let rest = match known.secret {
            Some(_) => "password",
            None => "the password's form (--secret-file compares it)",
        };
        report.good(
            STEP,
            format!("client id, user name, keep alive, {rest}: the platform takes them"),
        );
        return true;
    }
    while let Some(news) = platform.poll_news() {
        if let News::Refused { code, why, .. } = news {
            report.bad(STEP, Cause::IotdaLogin, format!("CONNACK {code}: {why}"));
        }
    }
    false
}

fn use_topic(
    platform: &mut Platform,
    device: &str,
    known: &Known,
    report: &mut Report<'_>,
) -> bool {
    let Some(topic) = &known.topic else {
        return true;
    };
    if let Err(error) = check_topic(device, topic) {
        let listens = error == TopicError::Downward
            || topic.contains(['+', '#']) && check_filter(device, topic).is_ok();
        if listens && known.message.is_none() {
            report.good(STEP, format!("{topic}: the device may listen there"));
            return true;
        }
        report.bad(STEP, Cause::IotdaTopic, format!("{topic}: {error}"));
        return false;
    }
    let Some(message) = &known.message else {
        report.good(STEP, format!("{topic}: the device may publish there"));
        return true;
    };
    while platform.poll_news().is_some() {}
    let publish = Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic,
        id: None,
        payload: message.as_bytes(),
    };
    platform.publish(Instant::ZERO, device, &publish);
    while let Some(news) = platform.poll_news() {
        if let News::Rejected { why, .. } = news {
            report.bad(STEP, Cause::IotdaMessage, format!("{topic}: {why}"));
            return false;
        }
    }
    report.good(STEP, format!("{topic}: the platform takes the message"));
    true
}

/// Whether a text has the form of a password: 64 lower-case hexadecimal digits.
fn is_mac(text: &str) -> bool {
    text.len() == 64
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
