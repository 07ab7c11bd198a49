//! Huawei Cloud IoTDA's side of MQTT: who is let in, which topics there are, and what the platform does with them.
//!
//! A [`Platform`] is a [`broker::Policy`]: put it behind a broker with [`broker::Broker::make`], and reach it with
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

pub mod model;
mod news;
mod request;
mod shadow;
mod topics;

pub use model::Product;
pub use news::News;
pub use request::{Failure, Outcome, Request, content, object};
pub use topics::TopicError;

use crate::shadow::Shadow;
use crate::topics::Up;
use broker::{Delivery, Policy, Verdict};
use credentials::{ClientId, MAX_LEN, Secret, SignType};
use instant::Instant;
use mqtt::{Connect, ConnectCode, Publish, QoS};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::RangeInclusive;
use std::time::Duration;
use time::OffsetDateTime;

/// In seconds. Source: productdesc-iothub/iot_04_0010: a connection with another one is refused.
const KEEP_ALIVE: RangeInclusive<u16> = 30..=1200;
/// Payload of a message from a device, in bytes. Source: the same.
const MAX_PAYLOAD: usize = 1 << 20;
/// Source: usermanual-iothub/iot_01_0128; productdesc-iothub/iot_04_0010 has 50 in its international edition.
const MAX_SUBSCRIPTIONS: usize = 100;
/// Messages of a device in a second, and bytes in them. Source: productdesc-iothub/iot_04_0010.
const RATE: (u32, usize) = (50, 1 << 20);
/// Bytes of a message for a device. Source: usermanual-iothub/iot_01_0332.
const MAX_DOWN: usize = 256 << 10;
/// Messages that wait for a device that is away; the newest takes the oldest's place. Source: usermanual-iothub/iot_01_0332.
const MAX_WAITING: usize = 20;
/// How long they wait. Source: the same.
const WAITING: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a device may take to answer. Source: api-iothub/iot_06_v5_0038: the platform's time-out is 20 s.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How far a checked timestamp may be from the platform's clock.
// Source: usermanual-iothub/iot_01_0215, whose example is the platform's own rule: refused when the timestamp and an hour are less than
// the platform's time. Inferred: as far in the other direction.
const WINDOW_SECONDS: i64 = 3600;
/// How long a device that does not answer is left alone with what is desired of it. Source: usermanual-iothub/iot_01_0049.
const LEFT_ALONE: Duration = Duration::from_secs(5 * 60);
/// Requests that devices have not answered.
const MAX_PENDING: usize = 10_000;

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

/// A message for a device, under its identifier.
struct Message {
    id: String,
    delivery: Delivery,
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

    /// What an application asks for.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub fn request(&mut self, now: Instant, request: Request) -> Result<Outcome, Failure> {
        match request {
            Request::Devices => {
                let devices = self.devices.iter().map(|(id, twin)| {
                    let status = match twin {
                        Twin { frozen: true, .. } => "FROZEN",
                        Twin { online: true, .. } => "ONLINE",
                        _ => "OFFLINE",
                    };
                    json!({"device_id": id, "product_id": twin.product, "status": status})
                });
                Ok(Outcome::Done(
                    json!({"devices": devices.collect::<Vec<_>>()}),
                ))
            }
            Request::Shadow { device } => {
                let twin = self.twin(&device)?;
                let shadow = twin.shadow.to_json(None);
                Ok(Outcome::Done(
                    json!({"device_id": device, "shadow": shadow}),
                ))
            }
            Request::Message {
                device,
                content,
                name,
                topic,
            } => {
                let delivery = self.message(&device, &content, name.as_deref(), topic)?;
                self.send_message(now, delivery)
            }
            Request::Event {
                device,
                service,
                event_type,
                paras,
            } => {
                if !self.twin(&device)?.online {
                    return Err(Failure::offline());
                }
                let event = json!({
                    "service_id": service,
                    "event_type": event_type,
                    "event_time": event_time(self.unix_ms(now)),
                    "paras": paras,
                });
                self.send_event(&device, &event);
                Ok(Outcome::Done(json!({"status": "DELIVERED"})))
            }
            Request::Command {
                device,
                service,
                name,
                paras,
                timeout_ms,
            } => {
                if let Some(model) = self.model(&device, &service)?
                    && let Some(why) = model.refuses_command(&name, &paras)
                {
                    return Err(Failure::new(why));
                }
                let payload = json!({
                    "object_device_id": device,
                    "command_name": name,
                    "service_id": service,
                    "paras": paras,
                });
                let timeout = timeout_ms.map_or(TIMEOUT, Duration::from_millis);
                self.ask(now, &device, Kind::Command, &payload, timeout)
            }
            Request::Set {
                device,
                service,
                properties,
            } => {
                self.check_settable(&device, &service, &properties)?;
                let payload = set_payload(&device, &service, &properties);
                self.ask(now, &device, Kind::Set, &payload, TIMEOUT)
            }
            Request::Get { device, service } => {
                if let Some(service) = &service {
                    self.model(&device, service)?;
                }
                let mut payload = json!({"object_device_id": device});
                if let Some(service) = service {
                    payload["service_id"] = service.into();
                }
                self.ask(now, &device, Kind::Get, &payload, TIMEOUT)
            }
            Request::Desire {
                device,
                service,
                properties,
            } => {
                self.check_settable(&device, &service, &properties)?;
                let time = event_time(self.unix_ms(now));
                let twin = self.twin_mut(&device)?;
                twin.shadow
                    .desire(&service, properties, &time)
                    .map_err(Failure::new)?;
                twin.left_alone = None;
                let shadow = twin.shadow.to_json(Some(&service));
                self.tell_what_is_desired(now, &device);
                Ok(Outcome::Done(
                    json!({"device_id": device, "shadow": shadow}),
                ))
            }
        }
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

    fn check_settable(
        &self,
        device: &str,
        service: &str,
        properties: &Map<String, Value>,
    ) -> Result<(), Failure> {
        let present: Map<String, Value> = properties
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        match self.model(device, service)? {
            Some(model) => model
                .refuses(&present)
                .map_or(Ok(()), |why| Err(Failure::new(why))),
            None => Ok(()),
        }
    }

    /// A message for a device, on the platform's topic or on one of its product's.
    fn message(
        &mut self,
        device: &str,
        content: &Value,
        name: Option<&str>,
        topic: Option<String>,
    ) -> Result<Message, Failure> {
        let id = self.next_id();
        let (topic, payload) = if let Some(topic) = topic {
            self.twin(device)?;
            self.check_down(device, &topic).map_err(Failure::new)?;
            // Inferred: what stands in the message is all.
            let text = content.as_str().map(str::to_owned);
            (topic, text.unwrap_or_else(|| content.to_string()))
        } else {
            let mut payload = json!({"object_device_id": device});
            if let Some(name) = name {
                payload["name"] = name.into();
            }
            payload["id"] = id.as_str().into();
            payload["content"] = content.clone();
            let topic = format!("$oc/devices/{device}/sys/messages/down");
            (topic, payload.to_string())
        };
        if payload.len() > MAX_DOWN {
            return Err(Failure::new(format!(
                "the message has {} bytes, and {MAX_DOWN} are the most",
                payload.len()
            )));
        }
        let delivery = Delivery {
            client: device.into(),
            topic,
            payload: payload.into(),
            qos: QoS::AtLeastOnce,
        };
        Ok(Message { id, delivery })
    }

    fn send_message(&mut self, now: Instant, message: Message) -> Result<Outcome, Failure> {
        let Message { id, delivery } = message;
        let device = delivery.client.clone();
        let twin = self.twin_mut(&device)?;
        let status = if twin.online {
            self.deliver(delivery);
            "DELIVERED"
        } else {
            if twin.waiting.len() == MAX_WAITING {
                twin.waiting.pop_front();
            }
            twin.waiting.push_back((now, delivery));
            let waiting = twin.waiting.len();
            self.tell(|| News::Kept { device, waiting });
            "PENDING"
        };
        Ok(Outcome::Done(json!({"message_id": id, "status": status})))
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

    /// Asks a device for something that it answers.
    fn ask(
        &mut self,
        now: Instant,
        device: &str,
        kind: Kind,
        payload: &Value,
        timeout: Duration,
    ) -> Result<Outcome, Failure> {
        if !self.twin(device)?.online {
            return Err(Failure::offline());
        }
        if self.pending.len() >= MAX_PENDING {
            return Err(Failure::new(format!(
                "{MAX_PENDING} requests wait for an answer already"
            )));
        }
        let id = self.next_id();
        let what = match kind {
            Kind::Command => "commands",
            Kind::Set | Kind::Desired => "properties/set",
            Kind::Get => "properties/get",
        };
        let deadline = now + timeout;
        self.deadlines.insert((deadline, id.clone()));
        self.pending.insert(
            id.clone(),
            Pending {
                device: device.into(),
                kind,
                deadline,
            },
        );
        self.deliver(Delivery {
            client: device.into(),
            topic: format!("$oc/devices/{device}/sys/{what}/request_id={id}"),
            payload: payload.to_string().into(),
            qos: QoS::AtLeastOnce,
        });
        Ok(Outcome::Asked(id))
    }

    /// Tells a device that is there where it is not as desired.
    // Source: usermanual-iothub/iot_01_0049: when it is configured, when the device comes, and whenever it reports.
    fn tell_what_is_desired(&mut self, now: Instant, device: &str) {
        let Some(twin) = self.devices.get(device) else {
            return;
        };
        if !twin.online || twin.left_alone.is_some_and(|until| now < until) {
            return;
        }
        let services: Vec<Value> = twin
            .shadow
            .differences()
            .filter_map(|(service, mut properties)| {
                if let Some(product) = self.product_of(twin) {
                    let model = product.service(service).ok()?;
                    properties.retain(|name, _| model.is_none_or(|model| model.is_writable(name)));
                }
                (!properties.is_empty())
                    .then(|| json!({"service_id": service, "properties": properties}))
            })
            .collect();
        if services.is_empty() {
            return;
        }
        let payload = json!({"object_device_id": device, "services": services});
        if self
            .ask(now, device, Kind::Desired, &payload, TIMEOUT)
            .is_ok()
            && let Some(twin) = self.devices.get_mut(device)
        {
            twin.left_alone = Some(now + LEFT_ALONE);
        }
    }

    /// A device answers a request.
    fn answered(
        &mut self,
        now: Instant,
        device: &str,
        id: &str,
        kinds: &[Kind],
        payload: &[u8],
    ) -> Result<(), String> {
        let waited = self
            .pending
            .get(id)
            .is_some_and(|pending| pending.device == device && kinds.contains(&pending.kind));
        if !waited {
            return Err(format!(
                "nobody waits for an answer to {id}: it is none, or it is late"
            ));
        }
        let answer = parse(payload)?;
        if kinds == [Kind::Get] {
            // Source: api-iothub/iot_06_v5_3011: an answer has the services of a report. Inferred: it is one for the shadow too.
            self.report(now, device, device, &answer, false)?;
        } else if answer.get("result_code").is_some_and(|code| !code.is_i64()) {
            return Err(format!(
                "result_code is {}, and no integer",
                answer["result_code"]
            ));
        }
        if let Some(pending) = self.pending.remove(id) {
            self.deadlines.remove(&(pending.deadline, id.into()));
            if pending.kind == Kind::Desired {
                if let Some(twin) = self.devices.get_mut(device) {
                    twin.left_alone = None;
                }
            } else {
                self.answers.push_back((id.into(), Ok(answer.clone())));
            }
        }
        self.tell(|| News::Answered {
            device: device.into(),
            request_id: id.into(),
            answer,
        });
        Ok(())
    }

    /// Properties of a device, which it or its gateway reports.
    fn report(
        &mut self,
        now: Instant,
        from: &str,
        device: &str,
        report: &Value,
        desire: bool,
    ) -> Result<(), String> {
        let services = report
            .get("services")
            .ok_or(r#"there is no "services"; wanted is {"services":[{"service_id":"…","properties":{…}}]}"#)?
            .as_array()
            .ok_or("\"services\" is no array")?;
        let platform_time = event_time(self.unix_ms(now));
        let mut wrong = Vec::new();
        for (index, service) in services.iter().enumerate() {
            match self.report_service(device, service, &platform_time) {
                Ok(faults) => wrong.extend(faults),
                Err(why) => wrong.push(format!("services[{index}]: {why}")),
            }
        }
        if desire && from == device {
            self.tell_what_is_desired(now, device);
        }
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(wrong.join("; "))
        }
    }

    /// Properties of one service; what is wrong with some of them.
    fn report_service(
        &mut self,
        device: &str,
        service: &Value,
        platform_time: &str,
    ) -> Result<Vec<String>, String> {
        let id = service
            .get("service_id")
            .and_then(Value::as_str)
            .ok_or("there is no \"service_id\", or it is no string")?;
        let mut properties = service
            .get("properties")
            .and_then(Value::as_object)
            .ok_or("there is no \"properties\", or it is no object")?
            .clone();
        let time = match service.get("event_time").and_then(Value::as_str) {
            Some(time) if is_event_time(time) => time,
            // Source: api-iothub/iot_06_v5_3010: without one, or with another format, it is the platform's.
            _ => platform_time,
        };
        let model = self.model(device, id).map_err(|failure| failure.text)?;
        let mut wrong = model.map_or_else(Vec::new, |model| model.keep_known(&mut properties));
        if !properties.is_empty()
            && let Ok(twin) = self.twin_mut(device)
        {
            wrong.extend(twin.shadow.report(id, &mut properties, time)?);
        }
        if !properties.is_empty() {
            self.tell(|| News::Reported {
                device: device.into(),
                service: id.into(),
                properties,
                event_time: time.into(),
            });
        }
        Ok(wrong)
    }

    /// Properties of devices behind a gateway.
    fn report_for_others(
        &mut self,
        now: Instant,
        gateway: &str,
        report: &Value,
    ) -> Result<(), String> {
        let devices = report
            .get("devices")
            .and_then(Value::as_array)
            .ok_or(r#"there is no "devices", or it is no array; wanted is {"devices":[{"device_id":"…","services":[…]}]}"#)?;
        let mut wrong = Vec::new();
        for device in devices {
            let id = device.get("device_id").and_then(Value::as_str);
            let result = match id {
                Some(id) if self.devices.contains_key(id) => {
                    self.report(now, gateway, id, device, true)
                }
                Some(id) => Err(format!("there is no device {id}")),
                None => Err("a device has no \"device_id\"".into()),
            };
            wrong.extend(result.err());
        }
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(wrong.join("; "))
        }
    }

    /// Events of a device: time synchronisation is answered, and the others are noted.
    fn events(&mut self, now: Instant, device: &str, events: &Value) -> Result<(), String> {
        let services = events
            .get("services")
            .and_then(Value::as_array)
            .ok_or("there is no \"services\", or it is no array")?;
        let mut wrong = Vec::new();
        for event in services {
            let text = |name: &str| event.get(name).and_then(Value::as_str);
            let (Some(service), Some(kind)) = (text("service_id"), text("event_type")) else {
                wrong.push("an event has no \"service_id\" or no \"event_type\"".into());
                continue;
            };
            self.tell(|| News::Event {
                device: device.into(),
                service: service.into(),
                kind: kind.into(),
            });
            if service == "$time_sync" && kind == "time_sync_request" {
                wrong.extend(self.synchronise(now, device, event).err());
            }
        }
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(wrong.join("; "))
        }
    }

    // Source: api-iothub, "Device Time Synchronization"; timesync/time_sync_service.py of the SDK.
    fn synchronise(&mut self, now: Instant, device: &str, event: &Value) -> Result<(), String> {
        let sent = event
            .pointer("/paras/device_send_time")
            .ok_or("the time_sync_request has no \"device_send_time\" in its \"paras\"")?;
        let time = self.unix_ms(now);
        let event = json!({
            "service_id": "$time_sync",
            "event_type": "time_sync_response",
            "event_time": event_time(time),
            "paras": {
                "device_send_time": sent,
                "server_recv_time": time,
                "server_send_time": time,
            },
        });
        self.send_event(device, &event);
        Ok(())
    }

    /// A device asks for a shadow: its own, or that of a device behind it.
    fn shadow_asked(&mut self, device: &str, id: &str, payload: &[u8]) -> Result<(), String> {
        let asked = parse(payload)?;
        let text = |name: &str| asked.get(name).and_then(Value::as_str);
        let object = text("object_device_id").unwrap_or(device);
        let twin = self.twin(object).map_err(|failure| failure.text)?;
        let answer = json!({
            "object_device_id": object,
            "shadow": twin.shadow.to_json(text("service_id")),
        });
        self.deliver(Delivery {
            client: device.into(),
            topic: format!("$oc/devices/{device}/sys/shadow/get/response/request_id={id}"),
            payload: answer.to_string().into(),
            qos: QoS::AtLeastOnce,
        });
        Ok(())
    }

    /// A message on a topic of the platform's.
    fn take(
        &mut self,
        now: Instant,
        device: &str,
        message: &Publish<'_>,
    ) -> Result<Verdict, String> {
        let up = topics::published(device, message.topic).map_err(|error| error.to_string())?;
        if matches!(up, Up::User | Up::Custom) && message.topic.len() > topics::MAX_CUSTOM {
            return Err(format!(
                "the topic has {} bytes, and {} are the most",
                message.topic.len(),
                topics::MAX_CUSTOM
            ));
        }
        let payload = message.payload;
        match up {
            Up::Message | Up::User | Up::Custom => {
                self.check_custom(device, message.topic)?;
                self.tell(|| News::Message {
                    device: device.into(),
                    topic: message.topic.into(),
                    content: String::from_utf8_lossy(payload).into_owned(),
                });
            }
            Up::Properties => self.report(now, device, device, &parse(payload)?, true)?,
            Up::SubDevices => self.report_for_others(now, device, &parse(payload)?)?,
            Up::CommandResponse(id) => self.answered(now, device, id, &[Kind::Command], payload)?,
            Up::SetResponse(id) => {
                self.answered(now, device, id, &[Kind::Set, Kind::Desired], payload)?;
            }
            Up::GetResponse(id) => self.answered(now, device, id, &[Kind::Get], payload)?,
            Up::ShadowGet(id) => self.shadow_asked(device, id, payload)?,
            Up::Events => self.events(now, device, &parse(payload)?)?,
            Up::NotPlayed => return Err("this part of the platform is not played here".into()),
        }
        Ok(if up == Up::Custom {
            Verdict::Route
        } else {
            Verdict::Take
        })
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

    /// Whether an application may publish a message to a device there.
    // Source: usermanual-iothub/iot_01_0331: below the device's user/, or without $oc.
    fn check_down(&self, device: &str, topic: &str) -> Result<(), String> {
        if !mqtt::topic_name_is_valid(topic) {
            return Err(format!("{topic:?} is no topic"));
        }
        check_filter(device, topic).map_err(|error| error.to_string())?;
        let user = format!("$oc/devices/{device}/user/");
        if topics::is_system(topic) && !topic.starts_with(&user) {
            return Err(format!(
                "{topic} is the platform's own: messages go below {user}, and to topics that do not begin with $oc"
            ));
        }
        self.check_custom(device, topic)
    }

    /// Counts a message; why it is one too many, when it is.
    fn count(&mut self, now: Instant, device: &str, bytes: usize) -> Result<(), String> {
        let Ok(twin) = self.twin_mut(device) else {
            return Ok(());
        };
        let (since, messages, sum) = &mut twin.second;
        if now - *since >= Duration::from_secs(1) {
            (*since, *messages, *sum) = (now, 0, 0);
        }
        *messages += 1;
        *sum += bytes;
        if *messages > RATE.0 {
            Err(format!("more than {} messages in a second", RATE.0))
        } else if *sum > RATE.1 && *messages > 1 {
            Err(format!("more than {} bytes in a second", RATE.1))
        } else {
            Ok(())
        }
    }

    fn check_login(
        &self,
        now: Instant,
        connect: &Connect<'_>,
    ) -> Result<String, (ConnectCode, String)> {
        let id = |why: String| (ConnectCode::IdentifierRejected, why);
        let credentials = |why: String| (ConnectCode::BadCredentials, why);
        if connect.client_id.chars().count() > MAX_LEN {
            return Err(id(format!(
                "the client id is longer than {MAX_LEN} characters"
            )));
        }
        let client: ClientId = connect
            .client_id
            .parse()
            .map_err(|error: credentials::ClientIdError| id(error.to_string()))?;
        if !KEEP_ALIVE.contains(&connect.keep_alive) {
            return Err(id(format!(
                "the keep alive is {} s, and {} to {} s are taken",
                connect.keep_alive,
                KEEP_ALIVE.start(),
                KEEP_ALIVE.end()
            )));
        }
        let username = connect
            .username
            .ok_or_else(|| credentials("there is no user name: it is the device id".into()))?;
        if username != client.device_id {
            return Err(credentials(format!(
                "the user name {username} is not the device id of the client id, {}",
                client.device_id
            )));
        }
        // Inferred: which code an unknown device gets.
        let twin = self
            .devices
            .get(username)
            .ok_or_else(|| credentials(format!("there is no device {username}")))?;
        let password = connect
            .password
            .ok_or_else(|| credentials("there is no password".into()))?;
        if client.sign_type == SignType::Checked {
            self.check_timestamp(now, &client).map_err(credentials)?;
        }
        if !twin.secret.verifies(password, client.timestamp) {
            return Err(credentials(format!(
                "the password is not the HMAC-SHA256 of the device's secret, in lower-case hexadecimal digits, with {} as the key",
                client.timestamp
            )));
        }
        if twin.frozen {
            // Inferred: the code. Source: api-iothub, "Freezing a Device": it cannot log in.
            return Err((ConnectCode::NotAuthorized, "the device is frozen".into()));
        }
        Ok(client.device_id)
    }

    fn check_timestamp(&self, now: Instant, client: &ClientId) -> Result<(), String> {
        let clock = (self.unix_ms(now) / 1000).cast_signed();
        let shown = event_time(self.unix_ms(now));
        let hour = client
            .timestamp
            .unix()
            .ok_or_else(|| format!("the timestamp {} is no hour", client.timestamp))?;
        if hour + WINDOW_SECONDS < clock {
            Err(format!(
                "the timestamp {} is more than an hour behind the platform's clock, {shown}: it is UTC",
                client.timestamp
            ))
        } else if hour - WINDOW_SECONDS > clock {
            Err(format!(
                "the timestamp {} is more than an hour ahead of the platform's clock, {shown}: it is UTC",
                client.timestamp
            ))
        } else {
            Ok(())
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

    fn subscribe(&mut self, _: Instant, device: &str, filter: &str, qos: QoS) -> Option<QoS> {
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
            return None;
        }
        if qos == QoS::ExactlyOnce {
            // Inferred: that it gets the most there is.
            self.remark(
                device,
                "the platform has QoS 0 and 1: the subscription gets 1",
            );
        }
        Some(qos.min(QoS::AtLeastOnce))
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

fn set_payload(device: &str, service: &str, properties: &Map<String, Value>) -> Value {
    json!({
        "object_device_id": device,
        "services": [{"service_id": service, "properties": properties}],
    })
}

/// The JSON object that a payload is.
fn parse(payload: &[u8]) -> Result<Value, String> {
    let value: Value =
        serde_json::from_slice(payload).map_err(|error| format!("no JSON: {error}"))?;
    if value.is_object() {
        Ok(value)
    } else {
        Err("no JSON object".into())
    }
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

/// Source: api-iothub/iot_06_v5_3010 has the first form, and api-iothub/iot_06_v5_7010 the second.
fn is_event_time(text: &str) -> bool {
    ["00000000T000000Z", "0000-00-00T00:00:00.000Z"]
        .iter()
        .any(|form| {
            text.len() == form.len()
                && form.bytes().zip(text.bytes()).all(|pair| match pair {
                    (b'0', byte) => byte.is_ascii_digit(),
                    (wanted, byte) => byte == wanted,
                })
        })
}
