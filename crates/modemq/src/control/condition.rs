//! What can be waited for: `connected`, `subscribed t`, `message on t`.

use super::journal::{Entry, Event};
use module::{Phase, Power, State};
use mqtt::{topic_filter_is_valid, topic_matches};
use std::fmt;
use std::str::FromStr;

/// Something that is so, or that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The module listens to its serial line.
    Booted,
    /// It has no power.
    PowerOff,
    /// It has service.
    Registered,
    /// It has none.
    Unregistered,
    /// A PDP context is up.
    PdpUp,
    /// None is.
    PdpDown,
    /// A client is logged in: this one, or any.
    Connected(Option<String>),
    /// It is not.
    Disconnected(Option<String>),
    /// There is a subscription to this filter, or to one that covers this topic.
    Subscribed(String),
    /// Such a subscription ends.
    Unsubscribed(String),
    /// A message on a topic of this filter.
    Message(String),
    /// A line of the trace that holds this text.
    Trace(String),
}

/// The forms, for documents and errors.
pub const FORMS: &str = "booted, power-off, registered, unregistered, pdp-up, pdp-down, connected [CLIENT], disconnected [CLIENT], \
     subscribed FILTER, unsubscribed FILTER, message on FILTER, trace TEXT";

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let client = || (!rest.is_empty()).then(|| rest.to_string());
        let filter = |filter: &str| {
            if topic_filter_is_valid(filter) {
                Ok(filter.to_string())
            } else {
                Err(format!("{filter:?} is no topic filter"))
            }
        };
        let found = match word {
            "connected" => Self::Connected(client()),
            "disconnected" => Self::Disconnected(client()),
            "subscribed" => Self::Subscribed(filter(rest)?),
            "unsubscribed" => Self::Unsubscribed(filter(rest)?),
            "message" => match rest.strip_prefix("on ") {
                Some(rest) => Self::Message(filter(rest)?),
                None => return Err("a message is awaited as \"message on FILTER\"".into()),
            },
            "trace" if rest.is_empty() => return Err("trace wants a text behind it".into()),
            "trace" => Self::Trace(rest.into()),
            _ => match text {
                "booted" => Self::Booted,
                "power-off" => Self::PowerOff,
                "registered" => Self::Registered,
                "unregistered" => Self::Unregistered,
                "pdp-up" => Self::PdpUp,
                "pdp-down" => Self::PdpDown,
                _ => return Err(format!("{text:?} is none of {FORMS}")),
            },
        };
        Ok(found)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with_client = |f: &mut fmt::Formatter<'_>, word, client: &Option<String>| match client {
            Some(client) => write!(f, "{word} {client}"),
            None => f.write_str(word),
        };
        match self {
            Self::Booted => f.write_str("booted"),
            Self::PowerOff => f.write_str("power-off"),
            Self::Registered => f.write_str("registered"),
            Self::Unregistered => f.write_str("unregistered"),
            Self::PdpUp => f.write_str("pdp-up"),
            Self::PdpDown => f.write_str("pdp-down"),
            Self::Connected(client) => with_client(f, "connected", client),
            Self::Disconnected(client) => with_client(f, "disconnected", client),
            Self::Subscribed(filter) => write!(f, "subscribed {filter}"),
            Self::Unsubscribed(filter) => write!(f, "unsubscribed {filter}"),
            Self::Message(filter) => write!(f, "message on {filter}"),
            Self::Trace(text) => write!(f, "trace {text}"),
        }
    }
}

impl Condition {
    /// Whether it is something that may be so now, rather than something that happens.
    pub fn is_state(&self) -> bool {
        !matches!(
            self,
            Self::Unsubscribed(_) | Self::Message(_) | Self::Trace(_)
        )
    }

    /// Whether a broker can meet it.
    pub fn is_of_brokers(&self) -> bool {
        matches!(
            self,
            Self::Connected(_)
                | Self::Disconnected(_)
                | Self::Subscribed(_)
                | Self::Unsubscribed(_)
                | Self::Message(_)
                | Self::Trace(_)
        )
    }

    /// Whether it is so with a module.
    pub fn holds(&self, state: &State) -> bool {
        let sessions = || {
            let up = state.links.iter().filter(|link| link.phase == Phase::Up);
            up.filter_map(|link| link.session.as_ref())
        };
        let logged_in = |wanted: &Option<String>| {
            sessions().any(|session| is_wanted(wanted.as_deref(), &session.client_id))
        };
        match self {
            Self::Booted => state.power == Power::On,
            Self::PowerOff => state.power == Power::Off,
            Self::Registered => state.registration.has_service(),
            Self::Unregistered => !state.registration.has_service(),
            Self::PdpUp => state.pdp.iter().any(|pdp| pdp.address.is_some()),
            Self::PdpDown => state.pdp.iter().all(|pdp| pdp.address.is_none()),
            Self::Connected(wanted) => logged_in(wanted),
            Self::Disconnected(wanted) => !logged_in(wanted),
            Self::Subscribed(wanted) => sessions().any(|session| {
                let mut filters = session.subscriptions.iter();
                filters.any(|(filter, _)| covers(filter, wanted))
            }),
            Self::Unsubscribed(_) | Self::Message(_) | Self::Trace(_) => false,
        }
    }

    /// Whether it is so at a broker with these clients.
    pub fn holds_at_broker<'a>(
        &self,
        mut clients: impl Iterator<Item = broker::Client<'a>>,
    ) -> bool {
        let mut logged_in = |wanted: &Option<String>| {
            clients.any(|client| client.online && is_wanted(wanted.as_deref(), client.client_id))
        };
        match self {
            Self::Connected(wanted) => logged_in(wanted),
            Self::Disconnected(wanted) => !logged_in(wanted),
            Self::Subscribed(wanted) => clients.any(|client| {
                let mut filters = client.subscriptions.iter();
                filters.any(|(filter, _)| covers(filter, wanted))
            }),
            _ => false,
        }
    }

    /// Whether this makes it so, or is it.
    pub fn met_by(&self, entry: &Entry) -> bool {
        if let Self::Trace(text) = self {
            return entry.kind != "event" && entry.text.contains(text);
        }
        match (self, &entry.event) {
            (Self::Booted, Some(Event::Booted))
            | (Self::PowerOff, Some(Event::PowerOff))
            | (Self::Registered, Some(Event::Registered))
            | (Self::Unregistered, Some(Event::Unregistered))
            | (Self::PdpUp, Some(Event::PdpUp { .. }))
            | (Self::PdpDown, Some(Event::PdpDown { .. })) => true,
            (Self::Connected(wanted), Some(Event::Connected { client_id }))
            | (Self::Disconnected(wanted), Some(Event::Disconnected { client_id })) => {
                is_wanted(wanted.as_deref(), client_id)
            }
            (Self::Subscribed(wanted), Some(Event::Subscribed { filter, .. }))
            | (Self::Unsubscribed(wanted), Some(Event::Unsubscribed { filter, .. })) => {
                covers(filter, wanted)
            }
            (Self::Message(wanted), Some(Event::Message(message))) => {
                topic_matches(wanted, &message.topic)
            }
            _ => false,
        }
    }
}

fn is_wanted(wanted: Option<&str>, client_id: &str) -> bool {
    wanted.is_none_or(|wanted| wanted == client_id)
}

/// Whether a subscription to `filter` is one to `wanted`.
fn covers(filter: &str, wanted: &str) -> bool {
    filter == wanted || mqtt::topic_name_is_valid(wanted) && topic_matches(filter, wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_written_as_they_are_read() {
        for text in [
            "booted",
            "power-off",
            "registered",
            "unregistered",
            "pdp-up",
            "pdp-down",
            "connected",
            "connected dev 1",
            "disconnected",
            "subscribed a/+",
            "unsubscribed a/#",
            "message on a/#",
            "trace  CONNACK OK",
        ] {
            assert_eq!(text.parse::<Condition>().unwrap().to_string(), text);
        }
        for (text, why) in [
            ("", "is none of"),
            ("connectedd", "is none of"),
            ("registered now", "is none of"),
            ("subscribed", "is no topic filter"),
            ("subscribed a/#/b", "is no topic filter"),
            ("message a", "\"message on FILTER\""),
            ("trace", "wants a text"),
        ] {
            let error = text.parse::<Condition>().unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn a_filter_that_covers_a_topic_is_a_subscription_to_it() {
        assert!(covers("a/+", "a/b"));
        assert!(covers("a/+", "a/+"));
        assert!(!covers("a/b", "a/+"));
        assert!(!covers("a/+", "a/b/c"));
    }
}
