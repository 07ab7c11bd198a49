//! Product models: which services, properties and commands a device has.
//!
//! The format is that of the platform's own interface, so a model that was read from it can be used as it is.
// Source: Huawei, "Creating a Product" (api-iothub/iot_06_v5_0050).

use serde::Deserialize;
use serde_json::{Map, Value};

/// A product: what its devices can do.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Product {
    /// Its identifier.
    pub product_id: String,
    /// Its services; `None` when there is no model, and everything is taken.
    pub service_capabilities: Option<Vec<Service>>,
    /// Topics of its own, `$oc/devices/{device_id}/user/…`; `None`: any.
    // Source: Huawei, "Message Delivery" (usermanual-iothub/iot_01_0331): the platform rejects those that the product does not define.
    pub custom_topics: Option<Vec<String>>,
    /// Patterns of topics that do not begin with `$oc`; `None`: any, as the platform's `system_default_policy` has it.
    pub allowed_topics: Option<Vec<String>>,
}

/// A service.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Service {
    /// Its name.
    pub service_id: String,
    /// What can be read and set.
    #[serde(default)]
    pub properties: Vec<Property>,
    /// What can be done.
    #[serde(default)]
    pub commands: Vec<Command>,
}

/// A property, or a parameter of a command.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Property {
    /// Its name.
    #[serde(alias = "para_name")]
    pub property_name: String,
    /// `int`, `long`, `decimal`, `string`, `DateTime`, `jsonObject`, `enum`, `boolean` or `string list`.
    pub data_type: String,
    /// The only values, when there are any.
    #[serde(default)]
    pub enum_list: Option<Vec<String>>,
    /// The smallest number.
    #[serde(default)]
    pub min: Option<Value>,
    /// The largest number.
    #[serde(default)]
    pub max: Option<Value>,
    /// The longest string, in characters; 0: any.
    #[serde(default)]
    pub max_length: Option<usize>,
    /// `R`: read, `W`: set, `E`: reported when it changes.
    #[serde(default)]
    pub method: Option<String>,
}

/// A command.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Command {
    /// Its name.
    pub command_name: String,
    /// Its parameters.
    #[serde(default)]
    pub paras: Option<Vec<Property>>,
}

impl Product {
    /// A service; everything that can be said of one that there is no model of is `Ok(None)`.
    pub(crate) fn service(&self, id: &str) -> Result<Option<&Service>, String> {
        let Some(services) = &self.service_capabilities else {
            return Ok(None);
        };
        let found = services.iter().find(|service| service.service_id == id);
        found.map(Some).ok_or_else(|| {
            let names = services.iter().map(|service| service.service_id.as_str());
            format!(
                "the product {} has no service {id:?}; it has {}",
                self.product_id,
                list(names)
            )
        })
    }
}

impl Service {
    /// What is wrong with properties, one sentence each. Those that are wrong are taken out.
    pub(crate) fn keep_known(&self, properties: &mut Map<String, Value>) -> Vec<String> {
        let mut wrong = Vec::new();
        properties.retain(|name, value| match self.property(name) {
            Ok(property) => match property.fault(value) {
                None => true,
                Some(why) => {
                    wrong.push(format!("{name}: {why}"));
                    false
                }
            },
            Err(why) => {
                wrong.push(why);
                false
            }
        });
        wrong
    }

    /// Why properties may not be set, when one may not.
    pub(crate) fn refuses(&self, properties: &Map<String, Value>) -> Option<String> {
        properties.iter().find_map(|(name, value)| {
            let property = match self.property(name) {
                Ok(property) => property,
                Err(why) => return Some(why),
            };
            if property.is_writable() {
                property.fault(value).map(|why| format!("{name}: {why}"))
            } else {
                Some(format!("{name} cannot be set: its method has no W"))
            }
        })
    }

    /// Whether a property may be set.
    pub(crate) fn is_writable(&self, name: &str) -> bool {
        self.property(name).is_ok_and(Property::is_writable)
    }

    /// Why a command is none of the service's, when it is not.
    pub(crate) fn refuses_command(&self, name: &str, paras: &Map<String, Value>) -> Option<String> {
        let found = self.commands.iter().find(|own| own.command_name == name);
        let Some(command) = found else {
            let names = self.commands.iter().map(|own| own.command_name.as_str());
            return Some(format!(
                "the service {} has no command {name:?}; it has {}",
                self.service_id,
                list(names)
            ));
        };
        let known = command.paras.as_deref().unwrap_or_default();
        paras.iter().find_map(|(name, value)| {
            let found = known.iter().find(|para| para.property_name == *name);
            let Some(para) = found else {
                let names = known.iter().map(|para| para.property_name.as_str());
                return Some(format!(
                    "the command {} has no parameter {name:?}; it has {}",
                    command.command_name,
                    list(names)
                ));
            };
            para.fault(value).map(|why| format!("{name}: {why}"))
        })
    }

    fn property(&self, name: &str) -> Result<&Property, String> {
        let found = self.properties.iter().find(|own| own.property_name == name);
        found.ok_or_else(|| {
            let names = self.properties.iter().map(|own| own.property_name.as_str());
            format!(
                "the service {} has no property {name:?}; it has {}",
                self.service_id,
                list(names)
            )
        })
    }
}

impl Property {
    fn is_writable(&self) -> bool {
        self.method
            .as_deref()
            .is_none_or(|method| method.contains(['W', 'w']))
    }

    /// Why a value is none of this property's, when it is not.
    fn fault(&self, value: &Value) -> Option<String> {
        let kind = self.data_type.to_ascii_lowercase();
        let wrong = || Some(format!("{value} is no {}", self.data_type));
        let fits = match kind.as_str() {
            "int" => value.as_i64().is_some_and(|n| i32::try_from(n).is_ok()),
            "long" => value.is_i64(),
            "decimal" => value.is_number(),
            "boolean" => value.is_boolean(),
            "jsonobject" => value.is_object() || value.is_array(),
            "string list" => value
                .as_array()
                .is_some_and(|list| list.iter().all(Value::is_string)),
            "string" | "datetime" | "enum" => value.is_string(),
            // A type that is not known here is not judged.
            _ => true,
        };
        if !fits {
            return wrong();
        }
        let bound = |bound: &Option<Value>| match bound {
            Some(Value::String(text)) => text.parse::<f64>().ok(),
            Some(bound) => bound.as_f64(),
            None => None,
        };
        if let Some(number) = value.as_f64() {
            let (min, max) = (bound(&self.min), bound(&self.max));
            // Huawei's console writes 0 to 0 for a range that nobody has set.
            let set = min != max;
            if set && (min.is_some_and(|min| number < min) || max.is_some_and(|max| number > max)) {
                let shown =
                    |bound: Option<f64>| bound.map_or("…".into(), |bound| bound.to_string());
                return Some(format!("{value} is not {} to {}", shown(min), shown(max)));
            }
        }
        if let Some(text) = value.as_str() {
            let len = text.chars().count();
            if let Some(max) = self.max_length.filter(|&max| max > 0 && len > max) {
                return Some(format!("{len} characters are more than {max}"));
            }
            let list_of = self.enum_list.as_deref().unwrap_or_default();
            if !list_of.is_empty() && !list_of.iter().any(|own| own == text) {
                return Some(format!(
                    "{value} is none of {}",
                    list(list_of.iter().map(String::as_str))
                ));
            }
        }
        None
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.collect();
    if names.is_empty() {
        "none".into()
    } else {
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn service() -> Service {
        serde_json::from_value(json!({
            "service_id": "stm32",
            "properties": [
                {"property_name": "t", "data_type": "int", "min": "-40", "max": "85", "method": "R"},
                {"property_name": "name", "data_type": "string", "max_length": 3, "method": "RW"},
                {"property_name": "mode", "data_type": "enum", "enum_list": ["on", "off"], "method": "W"},
                {"property_name": "v", "data_type": "decimal", "min": "0", "max": "0"},
            ],
            "commands": [{"command_name": "light", "paras": [{"para_name": "on", "data_type": "int"}]}],
        }))
        .unwrap()
    }

    #[test]
    fn properties_that_the_model_has_not_are_taken_out_and_named() {
        let mut properties = json!({"t": 90, "name": "long", "mode": "dim", "v": 3.5, "x": 1});
        let wrong = service().keep_known(properties.as_object_mut().unwrap());
        assert_eq!(
            wrong,
            [
                "t: 90 is not -40 to 85",
                "name: 4 characters are more than 3",
                "mode: \"dim\" is none of on, off",
                "the service stm32 has no property \"x\"; it has t, name, mode, v",
            ]
        );
        assert_eq!(properties, json!({"v": 3.5}));
    }

    #[test]
    fn what_is_sent_to_a_device_must_be_in_the_model() {
        let service = service();
        let properties = |value: Value| value.as_object().unwrap().clone();
        assert_eq!(service.refuses(&properties(json!({"mode": "on"}))), None);
        assert_eq!(
            service.refuses(&properties(json!({"t": 1}))).unwrap(),
            "t cannot be set: its method has no W"
        );
        assert_eq!(
            service.refuses_command("light", &properties(json!({"on": 1}))),
            None
        );
        assert_eq!(
            service
                .refuses_command("light", &properties(json!({"on": "1"})))
                .unwrap(),
            "on: \"1\" is no int"
        );
        assert_eq!(
            service.refuses_command("dim", &Map::new()).unwrap(),
            "the service stm32 has no command \"dim\"; it has light"
        );
    }
}
