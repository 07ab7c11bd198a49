//! What the broker keeps of one client.

use crate::api::ConnId;
use mqtt::{Packet, PacketId, Publish, QoS};
use std::collections::VecDeque;
use std::sync::Arc;

/// A message on its way. Topic and payload are shared between all who receive it.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) topic: Arc<str>,
    pub(crate) payload: Arc<[u8]>,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
}

impl Message {
    pub(crate) fn packet(&self, id: Option<PacketId>, dup: bool) -> Packet<'_> {
        Packet::Publish(Publish {
            dup,
            qos: self.qos,
            retain: self.retain,
            topic: &self.topic,
            id,
            payload: &self.payload,
        })
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
    /// Messages that were sent and not acknowledged, oldest first.
    in_flight: VecDeque<InFlight>,
    /// QoS 2 identifiers that the client has not released, sorted.
    received: Vec<PacketId>,
}

struct InFlight {
    id: PacketId,
    /// `None` once PUBREC has come.
    message: Option<Message>,
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

    /// Messages that were not sent yet.
    pub(crate) fn queued(&self) -> usize {
        self.traffic
            .as_ref()
            .map_or(0, |traffic| traffic.queue.len())
    }

    /// Queues a message; false when `max` wait already.
    pub(crate) fn queue(&mut self, message: Message, max: usize) -> bool {
        let traffic = self.traffic.get_or_insert_default();
        let fits = traffic.queue.len() < max;
        if fits {
            traffic.queue.push_back(message);
        }
        fits
    }

    /// Takes the next message that may be sent and notes that it awaits its acknowledgement.
    pub(crate) fn next_to_send(&mut self, window: usize) -> Option<(PacketId, Message)> {
        let traffic = self.traffic.as_mut()?;
        if traffic.in_flight.len() >= window {
            return None;
        }
        let message = traffic.queue.pop_front()?;
        // The window is far smaller than the number of identifiers, so this ends.
        let mut id = self.next_id;
        while traffic.in_flight.iter().any(|entry| entry.id == id) {
            id = id.next();
        }
        self.next_id = id.next();
        traffic.in_flight.push_back(InFlight {
            id,
            message: Some(message.clone()),
        });
        Some((id, message))
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
        if let Some(traffic) = &mut self.traffic
            && let Ok(index) = traffic.received.binary_search(&id)
        {
            traffic.received.remove(index);
        }
        self.tidy();
    }

    /// What goes out again on a new connection: a message, or PUBREL where there is none.
    pub(crate) fn unacknowledged(&self) -> impl Iterator<Item = (PacketId, Option<Message>)> + '_ {
        self.traffic.iter().flat_map(|traffic| {
            traffic
                .in_flight
                .iter()
                .map(|entry| (entry.id, entry.message.clone()))
        })
    }

    fn tidy(&mut self) {
        let idle = self.traffic.as_ref().is_some_and(|traffic| {
            traffic.queue.is_empty() && traffic.in_flight.is_empty() && traffic.received.is_empty()
        });
        if idle {
            self.traffic = None;
        }
    }
}
