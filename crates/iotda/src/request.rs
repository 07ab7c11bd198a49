//! What an application asks the platform for.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;
use std::str::FromStr;

/// What an application asks for. As JSON it is an object whose `request` names it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Every device, and whether it is online.
    Devices,
    /// What a device has reported, and what is desired of it.
    Shadow {
        /// Which.
        device: String,
    },
    /// A message that the platform does not look into. It waits for a device that is away.
    Message {
        /// For which.
        device: String,
        /// What: text, or any JSON.
        content: Value,
        /// Its name.
        #[serde(default)]
        name: Option<String>,
        /// A topic of the product's own, or one that does not begin with `$oc`; the content comes as it is there.
        #[serde(default)]
        topic: Option<String>,
    },
    /// An event.
    Event {
        /// For which.
        device: String,
        /// Of which service, such as `$ota`.
        service: String,
        /// What has happened, such as `version_query`.
        event_type: String,
        /// Its parameters.
        #[serde(default)]
        paras: Map<String, Value>,
    },
    /// A command, which the device answers.
    Command {
        /// For which.
        device: String,
        /// Of which service.
        service: String,
        /// Which.
        name: String,
        /// Its parameters.
        #[serde(default)]
        paras: Map<String, Value>,
        /// How long the answer may take, in milliseconds; 20,000 when it does not say.
        #[serde(default)]
        timeout_ms: Option<u64>,
    },
    /// Properties are set, and the device answers.
    Set {
        /// Of which.
        device: String,
        /// Of which service.
        service: String,
        /// To what.
        properties: Map<String, Value>,
    },
    /// Properties are asked for, and the device answers.
    Get {
        /// Of which.
        device: String,
        /// Of which service; all of them when it does not say.
        #[serde(default)]
        service: Option<String>,
    },
    /// Properties are desired: the device is told when it differs and is there. A property of `null` is desired no longer.
    Desire {
        /// Of which.
        device: String,
        /// Of which service.
        service: String,
        /// What.
        properties: Map<String, Value>,
    },
}

impl Request {
    /// Which device it is for.
    pub fn device(&self) -> Option<&str> {
        match self {
            Self::Devices => None,
            Self::Shadow { device }
            | Self::Message { device, .. }
            | Self::Event { device, .. }
            | Self::Command { device, .. }
            | Self::Set { device, .. }
            | Self::Get { device, .. }
            | Self::Desire { device, .. } => Some(device),
        }
    }
}

/// As it is read.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = |map: &Map<String, Value>| Value::Object(map.clone());
        match self {
            Self::Devices => f.write_str("devices"),
            Self::Shadow { device } => write!(f, "shadow {device}"),
            Self::Message {
                device, content, ..
            } => match content {
                Value::String(text) => write!(f, "message {device} {text}"),
                content => write!(f, "message {device} {content}"),
            },
            Self::Event {
                device,
                service,
                event_type,
                paras,
            } => write!(f, "event {device} {service} {event_type} {}", json(paras)),
            Self::Command {
                device,
                service,
                name,
                paras,
                ..
            } => write!(f, "command {device} {service} {name} {}", json(paras)),
            Self::Set {
                device,
                service,
                properties,
            } => write!(f, "set {device} {service} {}", json(properties)),
            Self::Get { device, service } => {
                write!(f, "get {device} {}", service.as_deref().unwrap_or_default())
            }
            Self::Desire {
                device,
                service,
                properties,
            } => write!(f, "desire {device} {service} {}", json(properties)),
        }
    }
}

/// As the command line and transcripts have it: `command DEVICE SERVICE NAME {JSON}` …
impl FromStr for Request {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, rest) = word(text);
        let (device, rest) = word(rest);
        let wrong = |form: &str| format!("{kind} is written {kind} {form}");
        let object = |text: &str, form: &str| match text {
            "" => Err(wrong(form)),
            text => object(text).map_err(|why| format!("{kind}: {why}")),
        };
        if device.is_empty() && kind != "devices" {
            return Err(format!(
                "{text:?} is none of devices, shadow, message, event, command, set, get and desire, with a device behind it"
            ));
        }
        let device = device.to_string();
        match kind {
            "devices" => Ok(Self::Devices),
            "shadow" => Ok(Self::Shadow { device }),
            "message" => Ok(Self::Message {
                device,
                content: content(rest),
                name: None,
                topic: None,
            }),
            "command" | "event" => {
                let form = "DEVICE SERVICE NAME {\"parameter\":value}";
                let (service, rest) = word(rest);
                let (name, rest) = word(rest);
                if name.is_empty() {
                    return Err(wrong(form));
                }
                let paras = match rest {
                    "" => Map::new(),
                    rest => object(rest, form)?,
                };
                let (service, name) = (service.into(), name.into());
                Ok(if kind == "event" {
                    Self::Event {
                        device,
                        service,
                        event_type: name,
                        paras,
                    }
                } else {
                    Self::Command {
                        device,
                        service,
                        name,
                        paras,
                        timeout_ms: None,
                    }
                })
            }
            "set" | "desire" => {
                let form = "DEVICE SERVICE {\"property\":value}";
                let (service, rest) = word(rest);
                let (service, properties) = (service.into(), object(rest, form)?);
                Ok(if kind == "set" {
                    Self::Set {
                        device,
                        service,
                        properties,
                    }
                } else {
                    Self::Desire {
                        device,
                        service,
                        properties,
                    }
                })
            }
            "get" => Ok(Self::Get {
                device,
                service: (!rest.is_empty()).then(|| rest.into()),
            }),
            _ => Err(format!("there is no request {kind:?}")),
        }
    }
}

/// The content of a message: JSON when it is an object or an array, and else text.
pub fn content(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Object(_) | Value::Array(_))) => value,
        _ => Value::String(text.into()),
    }
}

/// A JSON object.
///
/// # Errors
/// Why it is none.
pub fn object(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("{text} is no JSON object: {error}"))
}

fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim())
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is done: the answer.
    Done(Value),
    /// A device was asked: [`crate::Platform::poll_answer`] has the answer under this identifier later.
    Asked(String),
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The platform's code, when it has one.
    #[serde(
        rename = "error_code",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub code: Option<String>,
    /// In a sentence.
    #[serde(rename = "error_msg")]
    pub text: String,
}

impl Failure {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self {
            code: None,
            text: text.into(),
        }
    }

    // Source of the codes: Huawei, "Error Codes" (api-iothub/ErrorCode), and "Querying a Message".
    pub(crate) fn offline() -> Self {
        Self {
            code: Some("IOTDA.014016".into()),
            text: "The device is not online.".into(),
        }
    }

    pub(crate) fn timeout() -> Self {
        Self {
            code: Some("IOTDA.014111".into()),
            text: "Command request timed out: the device did not respond within the time.".into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "{code}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_from_lines() {
        for (line, json) in [
            ("devices", r#"{"request":"devices"}"#),
            ("shadow d", r#"{"request":"shadow","device":"d"}"#),
            (
                "message d hello  world",
                r#"{"request":"message","device":"d","content":"hello  world","name":null,"topic":null}"#,
            ),
            (
                r#"command d stm32 light {"on": 1}"#,
                r#"{"request":"command","device":"d","service":"stm32","name":"light","paras":{"on":1},"timeout_ms":null}"#,
            ),
            (
                "event d $ota version_query",
                r#"{"request":"event","device":"d","service":"$ota","event_type":"version_query","paras":{}}"#,
            ),
            (
                r#"set d stm32 {"LED1":1}"#,
                r#"{"request":"set","device":"d","service":"stm32","properties":{"LED1":1}}"#,
            ),
            ("get d", r#"{"request":"get","device":"d","service":null}"#),
        ] {
            let request: Request = line.parse().unwrap();
            assert_eq!(serde_json::to_value(&request).unwrap().to_string(), json);
            assert_eq!(serde_json::from_str::<Request>(json).unwrap(), request);
            assert_eq!(request.to_string().parse(), Ok(request));
        }
        for (line, why) in [
            ("", "none of devices"),
            ("set d stm32", "set is written set DEVICE SERVICE"),
            ("set d stm32 {LED1:1}", "is no JSON object: key must be"),
            ("command d stm32", "command is written"),
            ("dance d", "there is no request"),
        ] {
            let error = line.parse::<Request>().unwrap_err();
            assert!(error.contains(why), "{line}: {error}");
        }
    }
}
