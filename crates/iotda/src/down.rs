//! What applications ask the platform for, and what it sends to devices for them.

use crate::{
    Failure, Kind, News, Outcome, Pending, Platform, Request, Twin, check_filter, event_time,
    topics,
};
use broker::Delivery;
use instant::Instant;
use mqtt::QoS;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Bytes of a message for a device. Source: usermanual-iothub/iot_01_0332.
const MAX_DOWN: usize = 256 << 10;
/// Messages that wait for a device that is away; the newest takes the oldest's place. Source: usermanual-iothub/iot_01_0332.
const MAX_WAITING: usize = 20;
/// How long a device may take to answer. Source: api-iothub/iot_06_v5_0038: the platform's time-out is 20 s.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How long a device that does not answer is left alone with what is desired of it. Source: usermanual-iothub/iot_01_0049.
const LEFT_ALONE: Duration = Duration::from_secs(5 * 60);
/// Requests that devices have not answered.
const MAX_PENDING: usize = 10_000;

/// A message for a device, under its identifier.
struct Message {
    id: String,
    delivery: Delivery,
}

impl Platform {
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
    pub(crate) fn tell_what_is_desired(&mut self, now: Instant, device: &str) {
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
}

fn set_payload(device: &str, service: &str, properties: &Map<String, Value>) -> Value {
    json!({
        "object_device_id": device,
        "services": [{"service_id": service, "properties": properties}],
    })
}
