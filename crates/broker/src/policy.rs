//! What a cloud's server decides beyond MQTT: the seam between the broker and whoever plays such a server.

use instant::Instant;
use mqtt::{Connect, ConnectCode, Publish, QoS};

/// Decides what clients may do, and has messages of its own for them. Each default is what MQTT says.
///
/// Like the broker it does no I/O. Its messages are taken by [`Policy::poll_delivery`] after each of the broker's inputs, and after
/// [`crate::Broker::with_policy`].
pub trait Policy {
    /// A client that has passed [`crate::Config::users`] asks to be let in. The answer names it from now on, here and in
    /// [`crate::Event`]s: who logs in under the name of another takes over from it. Whom it gives an empty name, since it has no
    /// client identifier, the broker names.
    ///
    /// # Errors
    /// What CONNACK says.
    fn admit(&mut self, _now: Instant, connect: &Connect<'_>) -> Result<String, ConnectCode> {
        Ok(connect.client_id.into())
    }

    /// A client was let in; the one that it took over from is gone.
    fn arrived(&mut self, _now: Instant, _client: &str) {}

    /// A client has lost its connection.
    fn gone(&mut self, _client: &str) {}

    /// Is there room for another message of this QoS? While there is none, whoever publishes one is not read from, and does not run
    /// into its keep alive.
    fn has_room(&self, _qos: QoS) -> bool {
        true
    }

    /// A client publishes.
    fn publish(&mut self, _now: Instant, _client: &str, _message: &Publish<'_>) -> Verdict {
        Verdict::Route
    }

    /// A client subscribes.
    fn subscribe(&mut self, _now: Instant, _client: &str, _filter: &str, qos: QoS) -> Grant {
        Grant::Granted(qos)
    }

    /// A client has a subscription no more: it has unsubscribed, its session has ended, or the subscription was refused later.
    fn unsubscribed(&mut self, _client: &str, _filter: &str) {}

    /// Whether wills are published.
    fn takes_wills(&self) -> bool {
        true
    }

    /// A client is gone, and this is its will. It is never acknowledged.
    fn will(&mut self, _client: &str, _message: &Publish<'_>) -> Verdict {
        Verdict::Route
    }

    /// Whether messages are retained.
    fn retains(&self) -> bool {
        true
    }

    /// Time has come.
    fn advance(&mut self, _now: Instant) {}

    /// When [`Policy::advance`] is to be called next.
    fn next_deadline(&self) -> Option<Instant> {
        None
    }

    /// The next message for a client.
    fn poll_delivery(&mut self) -> Option<Delivery> {
        None
    }

    /// What has become of something that was to be answered later. Taken when messages are.
    fn poll_decision(&mut self) -> Option<Decision> {
        None
    }
}

/// No policy.
impl Policy for () {}

/// What becomes of a message. There is no more to choose from: a server that does not take a message acknowledges it or closes the
/// connection, [MQTT-3.3.5-2].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Whoever has subscribed gets it.
    Route,
    /// It was for the server, or is dropped: it is acknowledged, and nobody gets it.
    Take,
    /// The same, and it is acknowledged by [`Decision::Acknowledged`]. Until then it is the same message when the client sends it
    /// again. What a client publishes is to be acknowledged in its order: [MQTT-4.6.0-2].
    Later(Ticket),
    /// The client is thrown out.
    Close,
}

/// What becomes of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// The client has it, with this QoS.
    Granted(QoS),
    /// SUBACK 0x80.
    Refused,
    /// The client has it, with the QoS that it asked for, and SUBACK waits for [`Decision::Subscribed`].
    Later(Ticket),
}

/// The name of what is answered later. A policy uses each once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What is answered. Who asked may be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// PUBACK or PUBREC.
    Acknowledged(Ticket),
    /// SUBACK: the QoS that was granted, or `None` for 0x80, which ends the subscription.
    Subscribed(Ticket, Option<QoS>),
}

/// A message of the policy's own, for one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// For whom, by the name of [`Policy::admit`].
    pub client: String,
    /// Where it is published. The client need not have subscribed: it gets it with QoS 0 then, and else with the QoS of its
    /// subscription at most.
    pub topic: String,
    /// What.
    pub payload: Vec<u8>,
    /// With which QoS at most.
    pub qos: QoS,
}
