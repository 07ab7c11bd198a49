//! The shadow of a device: what it last reported, and what is desired of it.
// Source: Huawei, "Device Shadow" (usermanual-iothub/iot_01_0049) and "Device Obtaining the Shadow" (api-iothub/iot_06_v5_3014).

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Services of a product, and properties of a service. Source: productdesc-iothub/iot_04_0010.
const MAX: usize = 500;
/// Bytes of the properties of a shadow, so that a device can be told all of it in one message. Inferred: no page has a limit.
const MAX_BYTES: usize = 256 << 10;

#[derive(Debug, Default)]
pub(crate) struct Shadow {
    /// By name.
    services: BTreeMap<String, Service>,
    /// Of their names and properties.
    bytes: usize,
}

#[derive(Debug, Default)]
struct Service {
    desired: Section,
    reported: Section,
    version: u64,
}

#[derive(Debug, Default)]
struct Section {
    properties: Map<String, Value>,
    event_time: Option<String>,
}

impl Section {
    fn to_json(&self) -> Value {
        json!({"properties": self.properties, "event_time": self.event_time})
    }
}

impl Shadow {
    /// Takes what a device reports. What cannot be kept is taken out of it and named.
    ///
    /// # Errors
    /// There are too many services.
    pub(crate) fn report(
        &mut self,
        service: &str,
        properties: &mut Map<String, Value>,
        time: &str,
    ) -> Result<Vec<String>, String> {
        let (entry, bytes) = self.service(service)?;
        let mut wrong = Vec::new();
        let section = &mut entry.reported;
        properties.retain(|name, value| {
            let result = section.set(name, value, bytes);
            wrong.extend(result.as_ref().err().cloned());
            result.is_ok()
        });
        if !properties.is_empty() {
            section.event_time = Some(time.into());
            entry.version += 1;
            // Source: iot_01_0049: what is as desired is desired no longer.
            let reported = &entry.reported.properties;
            entry.desired.properties.retain(|name, value| {
                let open = reported.get(name) != Some(value);
                if !open {
                    *bytes -= size(name, value);
                }
                open
            });
        }
        Ok(wrong)
    }

    /// Takes what is desired; `null` takes a property back, and no properties take all of them back.
    ///
    /// # Errors
    /// There are too many services, or a name cannot be kept.
    pub(crate) fn desire(
        &mut self,
        service: &str,
        properties: Map<String, Value>,
        time: &str,
    ) -> Result<(), String> {
        let (entry, bytes) = self.service(service)?;
        let section = &mut entry.desired;
        if properties.is_empty() {
            for (name, value) in std::mem::take(&mut section.properties) {
                *bytes -= size(&name, &value);
            }
        }
        for (name, value) in properties {
            if !value.is_null() {
                section.set(&name, &value, bytes)?;
            } else if let Some(old) = section.properties.shift_remove(&name) {
                *bytes -= size(&name, &old);
            }
        }
        section.event_time = Some(time.into());
        entry.version += 1;
        Ok(())
    }

    /// Where what was reported is not what is desired, by service.
    pub(crate) fn differences(&self) -> impl Iterator<Item = (&str, Map<String, Value>)> {
        self.services.iter().map(|(id, service)| {
            let different = service
                .desired
                .properties
                .iter()
                .filter(|(name, value)| service.reported.properties.get(*name) != Some(value))
                .map(|(name, value)| (name.clone(), value.clone()));
            (id.as_str(), different.collect())
        })
    }

    /// Of one service, or of all.
    pub(crate) fn to_json(&self, only: Option<&str>) -> Value {
        self.services
            .iter()
            .filter(|(id, _)| only.is_none_or(|only| only == *id))
            .map(|(id, service)| {
                json!({
                    "service_id": id,
                    "desired": service.desired.to_json(),
                    "reported": service.reported.to_json(),
                    "version": service.version,
                })
            })
            .collect()
    }

    fn service(&mut self, id: &str) -> Result<(&mut Service, &mut usize), String> {
        if !self.services.contains_key(id) {
            if self.services.len() >= MAX {
                return Err(format!("more than {MAX} services"));
            }
            take_room(&mut self.bytes, id.len(), 0)?;
        }
        let service = self.services.entry(id.into()).or_default();
        Ok((service, &mut self.bytes))
    }
}

impl Section {
    fn set(&mut self, name: &str, value: &Value, bytes: &mut usize) -> Result<(), String> {
        if name.contains(['.', '$', '\0']) {
            return Err(format!(
                "{name:?} cannot be a property of a shadow: it has a period, a dollar sign or a NUL"
            ));
        }
        let old = self.properties.get(name);
        if self.properties.len() >= MAX && old.is_none() {
            return Err(format!("{name}: more than {MAX} properties"));
        }
        let gone = old.map_or(0, |old| size(name, old));
        take_room(bytes, size(name, value), gone).map_err(|why| format!("{name}: {why}"))?;
        self.properties.insert(name.into(), value.clone());
        Ok(())
    }
}

/// Bytes of a property.
fn size(name: &str, value: &Value) -> usize {
    name.len() + value.to_string().len()
}

fn take_room(bytes: &mut usize, more: usize, less: usize) -> Result<(), String> {
    let after = *bytes + more - less;
    if after > MAX_BYTES && more > less {
        return Err(format!(
            "a shadow has no room for more than {MAX_BYTES} bytes"
        ));
    }
    *bytes = after;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_shadow_is_bounded() {
        let mut shadow = Shadow::default();
        let half = "x".repeat(MAX_BYTES / 2);
        for (service, name, kept) in [
            ("s", "a", true),
            ("s", "b", false),
            ("s", "a", true),
            ("t", "c", false),
        ] {
            let mut report = properties(&json!({ name: half }));
            let wrong = shadow.report(service, &mut report, "now").unwrap();
            assert_eq!(
                (report.len(), wrong.len()),
                (usize::from(kept), usize::from(!kept)),
                "{name}"
            );
        }
        // What is gone makes room.
        shadow
            .report("s", &mut properties(&json!({"a": 1})), "now")
            .unwrap();
        let mut report = properties(&json!({ "b": half }));
        assert_eq!(shadow.report("s", &mut report, "now"), Ok(vec![]));
    }

    #[test]
    fn what_is_taken_back_leaves_nothing_behind() {
        let mut shadow = Shadow::default();
        shadow
            .desire("s", properties(&json!({"a": 1, "b": 2, "c": 3})), "now")
            .unwrap();
        shadow
            .desire("s", properties(&json!({"a": null})), "now")
            .unwrap();
        shadow
            .report("s", &mut properties(&json!({"b": 2})), "now")
            .unwrap();
        let (_, open) = shadow.differences().next().unwrap();
        assert_eq!(Value::Object(open), json!({"c": 3}));
        shadow.desire("s", Map::new(), "now").unwrap();
        let reported = size("b", &json!(2));
        assert_eq!(shadow.bytes, "s".len() + reported);
    }

    #[test]
    fn names_that_the_platform_cannot_keep_are_named() {
        let mut report = properties(&json!({"a.b": 1, "$c": 2, "d": 3}));
        let wrong = Shadow::default().report("s", &mut report, "now").unwrap();
        assert_eq!(wrong.len(), 2);
        assert_eq!(Value::Object(report), json!({"d": 3}));
    }
}
