//! What the broker keeps of one client.

use crate::api::ConnId;
use crate::policy::Ticket;
use mqtt::{Packet, PacketId, Publish, QoS};
use std::collections::VecDeque;
use std::sync::Arc;

/// One identifier stays free, so that the next one can be found.
const MOST_IN_FLIGHT: usize = 65_534;

/// A message on its way. Topic and payload are shared between all who receive it.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) topic: Arc<str>,
    pub(crate) payload: Arc<[u8]>,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
}

impl Message {
    /// Bytes of topic and payload.
    pub(crate) fn size(&self) -> usize {
        self.topic.len() + self.payload.len()
    }

    pub(crate) fn packet(&self, id: Option<PacketId>, dup: bool) -> Packet<'_> {
        Packet::Publish(self.publish(id, dup))
    }

    pub(crate) fn publish(&self, id: Option<PacketId>, dup: bool) -> Publish<'_> {
        Publish {
            dup,
            qos: self.qos,
            retain: self.retain,
            topic: &self.topic,
            id,
            payload: &self.payload,
        }
    }
}

pub(crate) struct Session {
    pub(crate) client_id: Arc<str>,
    pub(crate) conn: Option<ConnId>,
    pub(crate) clean: bool,
    pub(crate) subscriptions: Vec<(Box<str>, QoS)>,
    pub(crate) will: Option<Box<Message>>,
    next_id: PacketId,
    /// There only while something is under way.
    traffic: Option<Box<Traffic>>,
}

#[derive(Default)]
struct Traffic {
    /// Messages that were not sent yet.
    queue: VecDeque<Message>,
    /// Bytes in them.
    queued_bytes: usize,
    /// Messages that were sent and not acknowledged, oldest first.
    in_flight: VecDeque<InFlight>,
    /// QoS 2 identifiers that the client has not released, sorted.
    received: Vec<PacketId>,
    /// Messages of the client that are acknowledged later, in their order.
    deferred: VecDeque<Deferred>,
}

/// A message that the client has published and that is not acknowledged yet.
struct Deferred {
    ticket: Ticket,
    id: PacketId,
    qos: QoS,
    /// On which connection it came last. Not acknowledged on another one: the client could have sent it there meanwhile, and take
    /// the second acknowledgement for that of its next message with this identifier.
    conn: ConnId,
}

struct InFlight {
    id: PacketId,
    /// `None` once PUBREC has come.
    message: Option<Message>,
    /// To be sent again, since the connection is a new one.
    again: bool,
}

/// What goes to a client next.
pub(crate) enum Next {
    /// PUBLISH, with DUP when it was sent before.
    Message(PacketId, Message, bool),
    /// PUBREL once more.
    Release(PacketId),
}

impl Session {
    pub(crate) fn new(client_id: Arc<str>) -> Self {
        Self {
            client_id,
            conn: None,
            clean: true,
            subscriptions: Vec::new(),
            will: None,
            next_id: PacketId::FIRST,
            traffic: None,
        }
    }

    pub(crate) fn has_subscribed(&self, filter: &str) -> bool {
        self.subscriptions.iter().any(|(own, _)| &**own == filter)
    }

    /// Messages that were not sent yet.
    pub(crate) fn queued(&self) -> usize {
        self.traffic
            .as_ref()
            .map_or(0, |traffic| traffic.queue.len())
    }

    /// Queues a message; false when `max` wait already, or so many that it would be more than `max_bytes`.
    pub(crate) fn queue(&mut self, message: Message, max: usize, max_bytes: usize) -> bool {
        let traffic = self.traffic.get_or_insert_default();
        let bytes = traffic.queued_bytes + message.size();
        let fits = traffic.queue.len() < max && bytes <= max_bytes;
        if fits {
            traffic.queued_bytes = bytes;
            traffic.queue.push_back(message);
        }
        self.tidy();
        fits
    }

    /// The connection is a new one: what was not acknowledged on the last goes out again, in its order (§4.4).
    pub(crate) fn send_again(&mut self) {
        if let Some(traffic) = &mut self.traffic {
            for entry in &mut traffic.in_flight {
                entry.again = true;
            }
        }
    }

    /// Takes what may be sent next; a new message awaits its acknowledgement from then on.
    pub(crate) fn next_to_send(&mut self, window: usize) -> Option<Next> {
        let traffic = self.traffic.as_mut()?;
        if let Some(entry) = traffic.in_flight.iter_mut().find(|entry| entry.again) {
            entry.again = false;
            return Some(match &entry.message {
                Some(message) => Next::Message(entry.id, message.clone(), true),
                None => Next::Release(entry.id),
            });
        }
        if traffic.in_flight.len() >= window.min(MOST_IN_FLIGHT) {
            return None;
        }
        let message = traffic.queue.pop_front()?;
        traffic.queued_bytes -= message.size();
        // The window is smaller than the number of identifiers, so this ends.
        let mut id = self.next_id;
        while traffic.in_flight.iter().any(|entry| entry.id == id) {
            id = id.next();
        }
        self.next_id = id.next();
        traffic.in_flight.push_back(InFlight {
            id,
            message: Some(message.clone()),
            again: false,
        });
        Some(Next::Message(id, message, false))
    }

    /// PUBACK, or PUBCOMP when `complete`. One that fits nothing is ignored.
    pub(crate) fn acknowledged(&mut self, id: PacketId, complete: bool) {
        let Some(traffic) = &mut self.traffic else {
            return;
        };
        let wanted = if complete {
            None
        } else {
            Some(QoS::AtLeastOnce)
        };
        let found = traffic.in_flight.iter().position(|entry| {
            entry.id == id && entry.message.as_ref().map(|message| message.qos) == wanted
        });
        if let Some(index) = found {
            traffic.in_flight.remove(index);
        }
        self.tidy();
    }

    /// PUBREC.
    pub(crate) fn received(&mut self, id: PacketId) {
        let in_flight = self
            .traffic
            .iter_mut()
            .flat_map(|traffic| &mut traffic.in_flight);
        for entry in in_flight.filter(|entry| entry.id == id) {
            if entry
                .message
                .as_ref()
                .is_some_and(|message| message.qos == QoS::ExactlyOnce)
            {
                entry.message = None;
                entry.again = false;
            }
        }
    }

    /// A QoS 2 PUBLISH from the client; false when it was received before.
    pub(crate) fn receives(&mut self, id: PacketId) -> bool {
        let received = &mut self.traffic.get_or_insert_default().received;
        match received.binary_search(&id) {
            Ok(_) => false,
            Err(index) => {
                received.insert(index, id);
                true
            }
        }
    }

    /// PUBREL.
    pub(crate) fn released(&mut self, id: PacketId) {
        if let Some(traffic) = &mut self.traffic {
            if let Ok(index) = traffic.received.binary_search(&id) {
                traffic.received.remove(index);
            }
            traffic.deferred.retain(|message| message.id != id);
        }
        self.tidy();
    }

    /// A message that came on this connection is acknowledged later.
    pub(crate) fn defer(&mut self, ticket: Ticket, id: PacketId, qos: QoS, conn: ConnId) {
        let deferred = &mut self.traffic.get_or_insert_default().deferred;
        // A client that uses an identifier anew has forgotten what it was used for.
        deferred.retain(|message| message.id != id);
        deferred.push_back(Deferred {
            ticket,
            id,
            qos,
            conn,
        });
    }

    /// Is a message with this identifier acknowledged later? It has come again, on this connection.
    pub(crate) fn awaits(&mut self, id: PacketId, conn: ConnId) -> bool {
        let deferred = self.traffic.iter_mut().flat_map(|it| &mut it.deferred);
        match deferred.into_iter().find(|message| message.id == id) {
            Some(message) => {
                message.conn = conn;
                true
            }
            None => false,
        }
    }

    /// A message can be acknowledged: with which identifier and QoS, when its client waits for it.
    pub(crate) fn settle(&mut self, ticket: Ticket) -> Option<(PacketId, QoS)> {
        let deferred = &mut self.traffic.as_mut()?.deferred;
        let index = deferred.iter().position(|it| it.ticket == ticket)?;
        let message = deferred.remove(index)?;
        self.tidy();
        (self.conn == Some(message.conn)).then_some((message.id, message.qos))
    }

    fn tidy(&mut self) {
        let idle = self.traffic.as_ref().is_some_and(|traffic| {
            traffic.queue.is_empty()
                && traffic.in_flight.is_empty()
                && traffic.received.is_empty()
                && traffic.deferred.is_empty()
        });
        if idle {
            self.traffic = None;
        }
    }
}
