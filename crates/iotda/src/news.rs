//! What happens at the platform, for people and programs.

use serde::Serialize;
use serde_json::{Map, Value};
use std::fmt;

/// Something has happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "news", rename_all = "snake_case")]
pub enum News {
    /// A client was not let in.
    Refused {
        /// As it gave it.
        client_id: String,
        /// What CONNACK said.
        code: u8,
        /// Why.
        why: String,
    },
    /// A device was let in.
    Online {
        /// Which.
        device: String,
    },
    /// A device has gone.
    Offline {
        /// Which.
        device: String,
    },
    /// The platform does something else than it was asked for.
    Remark {
        /// Of which device.
        device: String,
        /// What, and why.
        text: String,
    },
    /// The platform does not take what a device published.
    Rejected {
        /// Which.
        device: String,
        /// Where.
        topic: String,
        /// Why.
        why: String,
    },
    /// A subscription was refused.
    NotSubscribed {
        /// Of which device.
        device: String,
        /// To what.
        filter: String,
        /// Why.
        why: String,
    },
    /// A device reported properties.
    Reported {
        /// Which.
        device: String,
        /// Of which service.
        service: String,
        /// What.
        properties: Map<String, Value>,
        /// When, `YYYYMMDDTHHMMSSZ`.
        event_time: String,
    },
    /// A device sent a message that the platform does not look into.
    Message {
        /// Which.
        device: String,
        /// Where.
        topic: String,
        /// As text.
        content: String,
    },
    /// A device reported an event.
    Event {
        /// Which.
        device: String,
        /// Of which service.
        service: String,
        /// What happened.
        kind: String,
    },
    /// The platform publishes to a device.
    Sent {
        /// Which.
        device: String,
        /// Where.
        topic: String,
        /// What, as text.
        payload: String,
    },
    /// A message waits for a device that is away.
    Kept {
        /// Which.
        device: String,
        /// How many wait now.
        waiting: usize,
    },
    /// A device answered.
    Answered {
        /// Which.
        device: String,
        /// What it was asked with.
        request_id: String,
        /// What it says.
        answer: Value,
    },
    /// A device did not answer in time.
    Unanswered {
        /// Which.
        device: String,
        /// What it was asked with.
        request_id: String,
    },
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused {
                client_id,
                code,
                why,
            } => write!(f, "{client_id}: refused with CONNACK {code}: {why}"),
            Self::Online { device } => write!(f, "{device}: online"),
            Self::Offline { device } => write!(f, "{device}: offline"),
            Self::Remark { device, text } => write!(f, "{device}: {text}"),
            Self::Rejected { device, topic, why } => write!(f, "{device}: {topic} rejected: {why}"),
            Self::NotSubscribed {
                device,
                filter,
                why,
            } => {
                write!(f, "{device}: subscription to {filter} refused: {why}")
            }
            Self::Reported {
                device,
                service,
                properties,
                event_time,
            } => write!(
                f,
                "{device}: reported {service} at {event_time}: {}",
                Value::Object(properties.clone())
            ),
            Self::Message {
                device,
                topic,
                content,
            } => write!(f, "{device}: message on {topic}: {content}"),
            Self::Event {
                device,
                service,
                kind,
            } => write!(f, "{device}: event {kind} of {service}"),
            Self::Sent {
                device,
                topic,
                payload,
            } => write!(f, "{device}: sent {topic}: {payload}"),
            Self::Kept { device, waiting } => {
                write!(f, "{device}: is away; {waiting} messages wait for it")
            }
            Self::Answered {
                device,
                request_id,
                answer,
            } => write!(f, "{device}: answered {request_id}: {answer}"),
            Self::Unanswered { device, request_id } => {
                write!(f, "{device}: did not answer {request_id} in time")
            }
        }
    }
}
