//! Huawei Cloud IoTDA's side of MQTT: who is let in, which topics there are, and what the platform does with them.
//!
//! A [`Platform`] is a [`broker::Policy`]: put it behind a broker with [`broker::Broker::under`], and reach it with
//! [`broker::Broker::with_policy`]. **After any input, take [`Platform::poll_answer`] and [`Platform::poll_news`] until they are
//! empty.**
//!
//! It plays the platform towards devices that have a secret: messages, properties, shadows, commands, events with time
//! synchronisation, and topics between devices. It does not play certificates of devices, bootstrapping, updates over the air, files,
//! logs or the topology of gateways.
// Sources, all of support.huaweicloud.com unless they say otherwise; each stands where it is used:
// - api-iothub/iot_06_v5_3009, Device Connection Authentication
// - api-iothub/iot_06_v5_3004, Topics, and 3005 to 3014, their payloads
// - usermanual-iothub/iot_01_0128, MQTT(S) Access, and productdesc-iothub/iot_04_0010, Limitations
// - the official SDK for Python, github.com/huaweicloud/huaweicloud-iot-device-sdk-python

#![forbid(unsafe_code)]

mod down;
mod login;
pub mod model;
mod news;
mod request;
mod shadow;
mod topics;
mod up;

pub use model::Product;
pub use news::News;
pub use request::{Failure, Outcome, Request, content, object};
pub use topics::TopicError;

use crate::shadow::Shadow;
use broker::{Delivery, Grant, Policy, Verdict};
use credentials::Secret;
use instant::Instant;
use mqtt::{Connect, ConnectCode, Publish, QoS};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use time::OffsetDateTime;

/// Payload of a message from a device, in bytes. Source: productdesc-iothub/iot_04_0010.
const MAX_PAYLOAD: usize = 1 << 20;
/// Source: usermanual-iothub/iot_01_0128; productdesc-iothub/iot_04_0010 has 50 in its international edition.
const MAX_SUBSCRIPTIONS: usize = 100;
/// How long messages wait for a device that is away. Source: usermanual-iothub/iot_01_0332.
const WAITING: Duration = Duration::from_secs(24 * 60 * 60);

/// A device as it was registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its identifier: up to 128 letters, digits, `_` and `-`.
    pub id: String,
    /// What its password is made of.
    pub secret: Secret,
    /// Which product it is one of.
    pub product: Option<String>,
    /// It may not log in.
    pub frozen: bool,
}

/// How a platform is made.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Who may log in.
    pub devices: Vec<Device>,
    /// What they are.
    pub products: Vec<Product>,
    /// The platform's clock at its beginning, in milliseconds since 1970.
    pub unix_ms: u64,
    /// Whether [`Platform::poll_news`] is wanted.
    pub news: bool,
}

/// The platform.
#[derive(Debug)]
pub struct Platform {
    started: Instant,
    unix_ms: u64,
    devices: BTreeMap<String, Twin>,
    products: BTreeMap<String, Product>,
    /// By request identifier.
    pending: BTreeMap<String, Pending>,
    deadlines: BTreeSet<(Instant, String)>,
    requests: u64,
    out: VecDeque<Delivery>,
    answers: VecDeque<(String, Result<Value, Failure>)>,
    news: Option<VecDeque<News>>,
}

/// What the platform knows of a device.
#[derive(Debug)]
struct Twin {
    secret: Secret,
    product: Option<String>,
    frozen: bool,
    online: bool,
    shadow: Shadow,
    waiting: VecDeque<(Instant, Delivery)>,
    /// When the second began that is counted, and messages and bytes in it.
    second: (Instant, u32, usize),
    /// Until then it is not told what is desired.
    left_alone: Option<Instant>,
}

/// A request that a device has not answered.
#[derive(Debug)]
struct Pending {
    device: String,
    kind: Kind,
    deadline: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Command,
    Set,
    Get,
    /// The platform's own: what the shadow desires.
    Desired,
}

/// The cipher suites that the platform's TLS takes, as IANA numbers them.
// Source: usermanual-iothub/iot_06_v5_3001: TLS_ECDHE_{ECDSA,RSA}_WITH_AES_{128_GCM_SHA256,256_GCM_SHA384,128_CBC_SHA,256_CBC_SHA}.
pub const CIPHER_SUITES: [u16; 8] = [
    0xc02b, 0xc02f, 0xc02c, 0xc030, 0xc009, 0xc013, 0xc00a, 0xc014,
];

/// A broker's configuration with the platform's limits.
pub fn broker_config(config: broker::Config) -> broker::Config {
    broker::Config {
        // A message of the largest size, with its topic and header.
        max_packet: MAX_PAYLOAD + (1 << 10),
        max_subscriptions: MAX_SUBSCRIPTIONS,
        ..config
    }
}

impl Platform {
    /// A platform that nobody is connected to.
    ///
    /// # Errors
    /// A device that can be none, that is there twice, or whose product is not there.
    pub fn new(now: Instant, config: Config) -> Result<Self, String> {
        let mut products = BTreeMap::new();
        for product in config.products {
            let id = product.product_id.clone();
            if products.insert(id.clone(), product).is_some() {
                return Err(format!("the product {id} is there twice"));
            }
        }
        let mut devices = BTreeMap::new();
        for device in config.devices {
            let Device {
                id,
                secret,
                product,
                frozen,
            } = device;
            if !credentials::device_id_is_valid(&id) {
                return Err(credentials::ClientIdError::DeviceId(id).to_string());
            }
            if let Some(product) = product.as_ref().filter(|id| !products.contains_key(*id)) {
                return Err(format!(
                    "the device {id} is of a product {product} that is not there"
                ));
            }
            let twin = Twin {
                secret,
                product,
                frozen,
                online: false,
                shadow: Shadow::default(),
                waiting: VecDeque::new(),
                second: (now, 0, 0),
                left_alone: None,
            };
            if devices.insert(id.clone(), twin).is_some() {
                return Err(format!("the device {id} is there twice"));
            }
        }
        Ok(Self {
            started: now,
            unix_ms: config.unix_ms,
            devices,
            products,
            pending: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            requests: 0,
            out: VecDeque::new(),
            answers: VecDeque::new(),
            news: config.news.then(VecDeque::new),
        })
    }

    /// What a device has answered to [`Outcome::Asked`], or that it did not.
    pub fn poll_answer(&mut self) -> Option<(String, Result<Value, Failure>)> {
        self.answers.pop_front()
    }

    /// What has happened, in order; nothing without [`Config::news`].
    pub fn poll_news(&mut self) -> Option<News> {
        self.news.as_mut()?.pop_front()
    }

    fn twin(&self, device: &str) -> Result<&Twin, Failure> {
        self.devices.get(device).ok_or_else(|| no_device(device))
    }

    fn twin_mut(&mut self, device: &str) -> Result<&mut Twin, Failure> {
        self.devices
            .get_mut(device)
            .ok_or_else(|| no_device(device))
    }

    /// The model of a device's service, when its product has a model.
    fn model(&self, device: &str, service: &str) -> Result<Option<&model::Service>, Failure> {
        match self.product_of(self.twin(device)?) {
            Some(product) => product.service(service).map_err(Failure::new),
            None => Ok(None),
        }
    }

    fn product_of(&self, twin: &Twin) -> Option<&Product> {
        self.products.get(twin.product.as_deref()?)
    }

    fn send_event(&mut self, device: &str, event: &Value) {
        let payload = json!({"object_device_id": device, "services": [event]});
        self.deliver(Delivery {
            client: device.into(),
            topic: format!("$oc/devices/{device}/sys/events/down"),
            payload: payload.to_string().into(),
            qos: QoS::AtLeastOnce,
        });
    }

    /// Whether a device may use a topic that is not one of the platform's own, or a filter.
    fn check_custom(&self, device: &str, topic: &str) -> Result<(), String> {
        let product = self
            .devices
            .get(device)
            .and_then(|twin| self.product_of(twin));
        let Some(product) = product else {
            return Ok(());
        };
        let pattern = |pattern: &str| pattern.replace("{device_id}", device);
        let user = format!("$oc/devices/{device}/user/");
        if topic.starts_with(&user) {
            let defined = product.custom_topics.as_ref();
            return match defined {
                Some(own) if !own.iter().any(|own| pattern(own) == topic) => Err(format!(
                    "the product {} does not define this topic",
                    product.product_id
                )),
                _ => Ok(()),
            };
        }
        match &product.allowed_topics {
            Some(allowed)
                if !topics::is_system(topic)
                    && !allowed
                        .iter()
                        .any(|allowed| topics::fits(&pattern(allowed), topic)) =>
            {
                Err(format!(
                    "the product {} does not allow this topic",
                    product.product_id
                ))
            }
            _ => Ok(()),
        }
    }

    fn unix_ms(&self, now: Instant) -> u64 {
        let since = u64::try_from((now - self.started).as_millis()).unwrap_or(u64::MAX);
        self.unix_ms.saturating_add(since)
    }

    /// An identifier as the platform's are: 36 characters. It is a number, since the platform rolls no dice.
    fn next_id(&mut self) -> String {
        self.requests += 1;
        format!("00000000-0000-4000-8000-{:012x}", self.requests)
    }

    fn deliver(&mut self, delivery: Delivery) {
        self.tell(|| News::Sent {
            device: delivery.client.clone(),
            topic: delivery.topic.clone(),
            payload: String::from_utf8_lossy(&delivery.payload).into_owned(),
        });
        self.out.push_back(delivery);
    }

    fn tell(&mut self, news: impl FnOnce() -> News) {
        if let Some(queue) = &mut self.news {
            queue.push_back(news());
        }
    }

    fn remark(&mut self, device: &str, text: &str) {
        self.tell(|| News::Remark {
            device: device.into(),
            text: text.into(),
        });
    }
}

impl Policy for Platform {
    fn admit(&mut self, now: Instant, connect: &Connect<'_>) -> Result<String, ConnectCode> {
        match self.check_login(now, connect) {
            Ok(device) => {
                if connect.will.is_some() {
                    // Inferred: that the connection is taken all the same.
                    self.remark(
                        &device,
                        "the platform knows no wills: it is never published",
                    );
                }
                Ok(device)
            }
            Err((code, why)) => {
                self.tell(|| News::Refused {
                    client_id: connect.client_id.into(),
                    code: code.code(),
                    why,
                });
                Err(code)
            }
        }
    }

    fn arrived(&mut self, now: Instant, device: &str) {
        let Some(twin) = self.devices.get_mut(device) else {
            return;
        };
        twin.online = true;
        let waiting = std::mem::take(&mut twin.waiting);
        self.tell(|| News::Online {
            device: device.into(),
        });
        for (since, delivery) in waiting {
            if now - since <= WAITING {
                self.deliver(delivery);
            }
        }
        self.tell_what_is_desired(now, device);
    }

    fn gone(&mut self, device: &str) {
        if let Some(twin) = self.devices.get_mut(device) {
            twin.online = false;
            self.tell(|| News::Offline {
                device: device.into(),
            });
        }
    }

    fn publish(&mut self, now: Instant, device: &str, message: &Publish<'_>) -> Verdict {
        let reject = |platform: &mut Self, why: String| {
            platform.tell(|| News::Rejected {
                device: device.into(),
                topic: message.topic.into(),
                why,
            });
        };
        if message.qos == QoS::ExactlyOnce {
            // Source: productdesc-iothub/iot_04_0010: QoS 2 is not supported. Inferred: that the connection is closed.
            reject(
                self,
                "the platform takes QoS 0 and 1: it closes the connection".into(),
            );
            return Verdict::Close;
        }
        if message.payload.len() > MAX_PAYLOAD {
            reject(
                self,
                format!(
                    "the message has {} bytes, and {MAX_PAYLOAD} are the most",
                    message.payload.len()
                ),
            );
            return Verdict::Take;
        }
        // Inferred: that what is too much is dropped.
        if let Err(why) = self.count(now, device, message.payload.len()) {
            reject(self, why);
            return Verdict::Take;
        }
        if message.retain {
            self.remark(
                device,
                "the platform retains no messages: the flag is ignored",
            );
        }
        match self.take(now, device, message) {
            Ok(verdict) => verdict,
            Err(why) => {
                reject(self, why);
                Verdict::Take
            }
        }
    }

    fn subscribe(&mut self, _: Instant, device: &str, filter: &str, qos: QoS) -> Grant {
        let checked = topics::subscribed(device, filter)
            .map_err(|error| error.to_string())
            .and_then(|()| self.check_custom(device, filter))
            .and_then(|()| {
                if !topics::is_system(filter) && filter.len() > topics::MAX_CUSTOM {
                    Err(format!("more than {} bytes", topics::MAX_CUSTOM))
                } else {
                    Ok(())
                }
            });
        // Source: usermanual-iothub/iot_01_1112: who may not subscribe gets a failure in its acknowledgement.
        if let Err(why) = checked {
            self.tell(|| News::NotSubscribed {
                device: device.into(),
                filter: filter.into(),
                why,
            });
            return Grant::Refused;
        }
        if qos == QoS::ExactlyOnce {
            // Inferred: that it gets the most there is.
            self.remark(
                device,
                "the platform has QoS 0 and 1: the subscription gets 1",
            );
        }
        Grant::Granted(qos.min(QoS::AtLeastOnce))
    }

    fn takes_wills(&self) -> bool {
        false
    }

    fn retains(&self) -> bool {
        false
    }

    fn advance(&mut self, now: Instant) {
        while let Some((deadline, _)) = self.deadlines.first()
            && *deadline <= now
        {
            let Some((_, id)) = self.deadlines.pop_first() else {
                return;
            };
            let Some(pending) = self.pending.remove(&id) else {
                continue;
            };
            if pending.kind != Kind::Desired {
                self.answers
                    .push_back((id.clone(), Err(Failure::timeout())));
            }
            self.tell(|| News::Unanswered {
                device: pending.device,
                request_id: id,
            });
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    fn poll_delivery(&mut self) -> Option<Delivery> {
        self.out.pop_front()
    }
}

/// Whether a device may publish to a topic.
///
/// # Errors
/// Why it may not.
pub fn check_topic(device: &str, topic: &str) -> Result<(), TopicError> {
    topics::published(device, topic).map(drop)
}

/// Whether a device may subscribe to a filter.
///
/// # Errors
/// Why it may not.
pub fn check_filter(device: &str, filter: &str) -> Result<(), TopicError> {
    topics::subscribed(device, filter)
}

fn no_device(device: &str) -> Failure {
    Failure::new(format!("there is no device {device:?}"))
}

/// `YYYYMMDDTHHMMSSZ`.
fn event_time(unix_ms: u64) -> String {
    let seconds = i64::try_from(unix_ms / 1000).unwrap_or(i64::MAX);
    let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        time.year(),
        u8::from(time.month()),
        time.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}
