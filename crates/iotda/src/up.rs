//! What devices publish to the platform.
// Source: Huawei, "Topics" (api-iothub/iot_06_v5_3004), and the pages of each topic.

use crate::topics::{self, Up};
use crate::{Kind, News, Platform, event_time};
use broker::{Delivery, Verdict};
use instant::Instant;
use mqtt::{Publish, QoS};
use serde_json::{Value, json};
use std::time::Duration;

/// Messages of a device in a second, and bytes in them. Source: productdesc-iothub/iot_04_0010.
const RATE: (u32, usize) = (50, 1 << 20);

impl Platform {
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
    pub(crate) fn take(
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

    /// Counts a message; why it is one too many, when it is.
    pub(crate) fn count(&mut self, now: Instant, device: &str, bytes: usize) -> Result<(), String> {
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
