//! Which topics there are, and which of them a device may use.
// Source: Huawei, "Topics" (api-iothub/iot_06_v5_3004).

use std::fmt;

/// The longest custom topic, in bytes. Source: Huawei, "Limitations" (productdesc-iothub/iot_04_0010).
pub(crate) const MAX_CUSTOM: usize = 128;

/// What begins with this is the platform's own.
const SYSTEM: &str = "$oc";

/// What a device publishes to the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Up<'a> {
    /// A message that the platform does not look into.
    Message,
    Properties,
    /// Properties of devices behind a gateway.
    SubDevices,
    CommandResponse(&'a str),
    SetResponse(&'a str),
    GetResponse(&'a str),
    ShadowGet(&'a str),
    Events,
    /// A topic of the product's own, below `user/`.
    User,
    /// There is such a topic, and nobody plays it here.
    NotPlayed,
    /// Not the platform's: for other devices.
    Custom,
}

/// Why a device may not use a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicError {
    /// It is not the device's, which this is.
    Foreign(String),
    /// The platform has no such topic.
    Unknown,
    /// The platform publishes there.
    Downward,
    /// The identifier at its end is missing.
    NoRequestId,
}

impl fmt::Display for TopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign(device) => write!(f, "a device reaches only $oc/devices/{device}/…"),
            Self::Unknown => f.write_str("there is no such topic of the platform"),
            Self::Downward => f.write_str("the platform publishes there, and devices listen"),
            Self::NoRequestId => f.write_str("/request_id=… is missing at its end"),
        }
    }
}

impl std::error::Error for TopicError {}

/// What a topic that a device publishes to is for.
///
/// # Errors
/// Why it may not.
pub(crate) fn published<'a>(device: &str, topic: &'a str) -> Result<Up<'a>, TopicError> {
    if !is_system(topic) {
        return Ok(Up::Custom);
    }
    let own = own(device, topic)?;
    if own.starts_with("user/") {
        return Ok(Up::User);
    }
    let Some(rest) = own.strip_prefix("sys/") else {
        return Err(TopicError::Unknown);
    };
    if let Some((head, id)) = rest.split_once("/request_id=") {
        let up = match head {
            _ if id.is_empty() || id.contains('/') => None,
            "commands/response" => Some(Up::CommandResponse(id)),
            "properties/set/response" => Some(Up::SetResponse(id)),
            "properties/get/response" => Some(Up::GetResponse(id)),
            "shadow/get" => Some(Up::ShadowGet(id)),
            "commands" | "properties/set" | "properties/get" | "shadow/get/response" => {
                return Err(TopicError::Downward);
            }
            _ => None,
        };
        return up.ok_or(TopicError::Unknown);
    }
    // Source: api-iothub/iot_06_v5_3010: an identifier of the report may follow.
    let rest = rest
        .split_once("?request_id=")
        .map_or(rest, |(report, _)| report);
    match rest {
        "messages/up" => Ok(Up::Message),
        "properties/report" => Ok(Up::Properties),
        "gateway/sub_devices/properties/report" => Ok(Up::SubDevices),
        "events/up" => Ok(Up::Events),
        "bootstrap/up" | "sub_device_manage/messages/up" => Ok(Up::NotPlayed),
        "messages/down" | "events/down" | "bootstrap/down" => Err(TopicError::Downward),
        "commands/response"
        | "properties/set/response"
        | "properties/get/response"
        | "shadow/get" => Err(TopicError::NoRequestId),
        _ => Err(TopicError::Unknown),
    }
}

/// Whether a device may subscribe to a filter.
///
/// # Errors
/// Why it may not.
pub(crate) fn subscribed(device: &str, filter: &str) -> Result<(), TopicError> {
    // Broadcasts are for every device that subscribes to them. Source: Huawei, "Broadcast Communication".
    if !is_system(filter) || filter.starts_with("$oc/broadcast/") {
        return Ok(());
    }
    own(device, filter).map(drop)
}

pub(crate) fn is_system(topic: &str) -> bool {
    topic.split('/').next() == Some(SYSTEM)
}

/// What stands behind the device's own `$oc/devices/{id}/`.
fn own<'a>(device: &str, topic: &'a str) -> Result<&'a str, TopicError> {
    let (owner, rest) = topic
        .strip_prefix("$oc/devices/")
        .and_then(|rest| rest.split_once('/'))
        .ok_or_else(|| TopicError::Foreign(device.into()))?;
    if owner == device {
        Ok(rest)
    } else {
        Err(TopicError::Foreign(device.into()))
    }
}

/// Whether a topic or filter is one of a pattern, in which `*` is any text and `?` any character; `+` and `#` are themselves.
// Source: Huawei, "Device Topic Policies: Requirements" (usermanual-iothub/iot_01_1114).
pub(crate) fn fits(pattern: &str, topic: &str) -> bool {
    let (pattern, topic) = (pattern.as_bytes(), topic.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where the last `*` stands, and how far the topic was when it was met: it takes one more when what follows does not fit.
    let mut star: Option<(usize, usize)> = None;
    while t < topic.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(b'?') => (p, t) = (p + 1, t + 1),
            Some(byte) if *byte == topic[t] => (p, t) = (p + 1, t + 1),
            _ => match &mut star {
                Some((at, taken)) => {
                    *taken += 1;
                    (p, t) = (*at + 1, *taken);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_publishes_to_its_own_topics() {
        for (topic, wanted) in [
            ("$oc/devices/d/sys/messages/up", Ok(Up::Message)),
            ("$oc/devices/d/sys/properties/report", Ok(Up::Properties)),
            (
                "$oc/devices/d/sys/properties/report?request_id=7",
                Ok(Up::Properties),
            ),
            (
                "$oc/devices/d/sys/commands/response/request_id=1",
                Ok(Up::CommandResponse("1")),
            ),
            (
                "$oc/devices/d/sys/shadow/get/request_id=a-b",
                Ok(Up::ShadowGet("a-b")),
            ),
            ("$oc/devices/d/user/x", Ok(Up::User)),
            ("mqtt/pub", Ok(Up::Custom)),
            ("$ocean", Ok(Up::Custom)),
            (
                "$oc/devices/e/sys/messages/up",
                Err(TopicError::Foreign("d".into())),
            ),
            (
                "$oc/devices/dd/sys/messages/up",
                Err(TopicError::Foreign("d".into())),
            ),
            ("$oc/devices/d/sys/messages/down", Err(TopicError::Downward)),
            (
                "$oc/devices/d/sys/propertys/report",
                Err(TopicError::Unknown),
            ),
            (
                "$oc/devices/d/sys/commands/response",
                Err(TopicError::NoRequestId),
            ),
            (
                "$oc/devices/d/sys/commands/response/request_id=",
                Err(TopicError::Unknown),
            ),
        ] {
            assert_eq!(published("d", topic), wanted, "{topic}");
        }
    }

    #[test]
    fn patterns_have_wildcards_of_their_own() {
        for (pattern, topic, wanted) in [
            ("test/*", "test/a/b", true),
            ("test/*/some", "test/a/b/some", true),
            ("test/*/some", "test/a/b", false),
            ("test/topic?/some", "test/topic1/some", true),
            ("test/topic?/some", "test/topic/some", false),
            ("test/+", "test/a", false),
            ("test/+", "test/+", true),
            ("*", "", true),
            ("**a", "bca", true),
            ("a", "", false),
        ] {
            assert_eq!(fits(pattern, topic), wanted, "{pattern} {topic}");
        }
    }
}
