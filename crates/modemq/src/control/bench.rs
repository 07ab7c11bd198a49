//! The broker beside the modules: what happens at it.

use super::journal::{Event, Journal, Message, Way};
use crate::broker_server::{BrokerServer, Happening};
use crate::clock::Clock;
use crate::commands::broker::describe;
use std::sync::Arc;
use tokio::sync::mpsc;

/// A broker, and its journal.
#[derive(Debug)]
pub struct Bench {
    /// The broker.
    pub server: BrokerServer,
    /// What happens at it.
    pub journal: Arc<Journal>,
}

/// Writes down what happens, until the broker is gone.
pub async fn keep(
    journal: Arc<Journal>,
    clock: Clock,
    mut happenings: mpsc::UnboundedReceiver<Happening>,
) {
    while let Some(happening) = happenings.recv().await {
        let us = clock.now().as_micros();
        match happening {
            Happening::Platform(news) => journal.push(us, "platform", news.to_string(), None),
            Happening::Broker(event) => {
                journal.push(us, "broker", describe(&event), None);
                if let Some(event) = event_of(event) {
                    journal.push(us, "event", event.words(), Some(event));
                }
            }
        }
    }
    journal.close();
}

fn event_of(event: broker::Event) -> Option<Event> {
    use broker::Event as Broker;
    let message = |client_id, message| {
        Some(Event::Message(Message {
            client_id: Some(client_id),
            ..message
        }))
    };
    match event {
        Broker::Connected { client_id, .. } => Some(Event::Connected { client_id }),
        Broker::Gone { client_id, .. } => Some(Event::Disconnected { client_id }),
        Broker::Subscribed {
            client_id, filter, ..
        } => Some(Event::Subscribed {
            filter,
            client_id: Some(client_id),
        }),
        Broker::Unsubscribed { client_id, filter } => Some(Event::Unsubscribed {
            filter,
            client_id: Some(client_id),
        }),
        Broker::Published {
            client_id,
            topic,
            payload,
            qos,
            retain,
        } => message(
            client_id,
            Message::new(Way::Published, topic, &payload, qos, retain),
        ),
        Broker::Will {
            client_id,
            topic,
            payload,
        } => message(
            client_id,
            Message::new(Way::Will, topic, &payload, mqtt::QoS::AtMostOnce, false),
        ),
        Broker::Refused { .. } | Broker::Closed { .. } | Broker::Dropped { .. } => None,
    }
}
