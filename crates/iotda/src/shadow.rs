//! The shadow of a device: what it last reported, and what is desired of it.
// Source: Huawei, "Device Shadow" (usermanual-iothub/iot_01_0049) and "Device Obtaining the Shadow" (api-iothub/iot_06_v5_3014).

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Services of a product, and properties of a service. Source: productdesc-iothub/iot_04_0010.
const MAX: usize = 500;

/// By service.
#[derive(Debug, Default)]
pub(crate) struct Shadow(BTreeMap<String, Service>);

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
        let entry = self.service(service)?;
        let mut wrong = Vec::new();
        let section = &mut entry.reported;
        properties.retain(|name, value| {
            let result = section.set(name, value);
            wrong.extend(result.as_ref().err().cloned());
            result.is_ok()
        });
        if !properties.is_empty() {
            section.event_time = Some(time.into());
            entry.version += 1;
            // Source: iot_01_0049: what is as desired is desired no longer.
            let reported = &entry.reported.properties;
            entry
                .desired
                .properties
                .retain(|name, value| reported.get(name) != Some(value));
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
        let entry = self.service(service)?;
        if properties.is_empty() {
            entry.desired.properties.clear();
        }
        for (name, value) in properties {
            if value.is_null() {
                entry.desired.properties.shift_remove(&name);
            } else {
                entry.desired.set(&name, &value)?;
            }
        }
        entry.desired.event_time = Some(time.into());
        entry.version += 1;
        Ok(())
    }

    /// Where what was reported is not what is desired, by service.
    pub(crate) fn differences(&self) -> impl Iterator<Item = (&str, Map<String, Value>)> {
        self.0.iter().map(|(id, service)| {
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
        self.0
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

    fn service(&mut self, id: &str) -> Result<&mut Service, String> {
        if self.0.len() >= MAX && !self.0.contains_key(id) {
            return Err(format!("more than {MAX} services"));
        }
        Ok(self.0.entry(id.into()).or_default())
    }
}

impl Section {
    fn set(&mut self, name: &str, value: &Value) -> Result<(), String> {
        if name.contains(['.', '$', '\0']) {
            return Err(format!(
                "{name:?} cannot be a property of a shadow: it has a period, a dollar sign or a NUL"
            ));
        }
        if self.properties.len() >= MAX && !self.properties.contains_key(name) {
            return Err(format!("{name}: more than {MAX} properties"));
        }
        self.properties.insert(name.into(), value.clone());
        Ok(())
    }
}
