//! Between the clients of a local broker and a module: any MQTT program reaches the world through it.
//!
//! A [`Bridge`] is the [`Policy`] of a [`Broker`]: what a client publishes goes up through a [`Driver`], and what it subscribes to the
//! driver subscribes to. It does no I/O and reads no clock. **After any input of the broker or of the driver call [`request`], and give
//! [`receive`] every event of the driver.**
//!
//! ```
//! # fn run(broker: &mut broker::Broker<bridge::Bridge>, driver: &mut driver::Driver<'_>, now: instant::Instant) {
//! while let Some(event) = driver.poll_event() {
//!     bridge::receive(broker, now, &event);
//! }
//! bridge::request(broker, now, driver);
//! # }
//! ```
//!
//! # Up
//!
//! One message is on its way at a time, in the order in which they came. QoS 1 and 2 are acknowledged to the client (PUBACK, PUBREC) when
//! the broker above has acknowledged them. A message whose outcome is unknown is sent again: the broker above may then have it twice,
//! with QoS 2 as well, since no module lets its host choose the packet identifier. MQTT 3.1.1 has no way to refuse a message, so that
//! what cannot be carried is acknowledged, discarded and told: a client whose connection is closed for it would send it again, for ever.
//!
//! # Down
//!
//! The subscriptions of the clients are those of the module, but for what another one covers. SUBACK waits for the answer. Each SUBSCRIBE
//! of a client is one of the module, since that is what makes the broker above send what is retained; whoever has the same filter gets
//! that once more. What one client publishes reaches another through the broker above alone. No module says with which QoS a message came
//! or whether it was retained: a client gets it with the QoS of its subscription, and never with RETAIN.

#![forbid(unsafe_code)]

mod api;
mod filters;
mod uploads;

pub use api::*;

use crate::filters::Filters;
use crate::uploads::{Told, Uploads};
use broker::{Broker, Decision, Grant, Policy, Ticket, Verdict};
use driver::{Driver, Event, Lack, Message};
use instant::Instant;
use mqtt::{Publish, QoS};
use std::collections::VecDeque;

/// The policy of a broker whose clients reach the world through a driver.
pub struct Bridge {
    limits: Limits,
    uploads: Uploads,
    filters: Filters,
    tickets: u64,
    /// A client has done something since the last [`request`].
    is_touched: bool,
    decisions: VecDeque<Decision>,
    news: VecDeque<News>,
    stats: Stats,
}

/// Requests of the driver what is to be requested.
pub fn request(broker: &mut Broker<Bridge>, now: Instant, driver: &mut Driver<'_>) {
    broker.with_policy(|bridge| {
        bridge.is_touched = false;
        let (uploads, filters, mut told) = bridge.parts();
        if !(filters.had_turn() && uploads.is_under_way()) {
            filters.request(now, driver, &mut told);
        }
        uploads.request(now, driver, &mut told);
    });
}

/// Takes an event of the driver.
pub fn receive(broker: &mut Broker<Bridge>, now: Instant, event: &Event<'_>) {
    if let Event::Message(message) = event {
        let taken = broker.with_policy(|bridge| bridge.message(message));
        if let Some(Some(topic)) = taken
            && !broker.publish(topic, message.payload, QoS::ExactlyOnce, false)
        {
            broker.with_policy(|bridge| bridge.not_passed_on(message, NotPassedOn::Packet));
        }
    } else {
        broker.with_policy(|bridge| bridge.event(now, event));
    }
}

impl Bridge {
    /// A bridge whose driver is not connected yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            uploads: Uploads::new(limits),
            filters: Filters::default(),
            tickets: 0,
            is_touched: false,
            decisions: VecDeque::new(),
            news: VecDeque::new(),
            stats: Stats::default(),
        }
    }

    /// What people are to be told.
    pub fn poll_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// Has a client done something that [`request`] is to be called for?
    pub fn is_touched(&self) -> bool {
        self.is_touched
    }

    /// When [`request`] is to be called next, by the driver's clock.
    pub fn next_request(&self) -> Option<Instant> {
        let deadlines = [self.uploads.next_deadline(), self.filters.next_deadline()];
        deadlines.into_iter().flatten().min()
    }

    /// Messages that wait to be published.
    pub fn waiting(&self) -> usize {
        self.uploads.len()
    }

    /// Numbers since the start.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    fn event(&mut self, now: Instant, event: &Event<'_>) {
        let (uploads, filters, mut told) = self.parts();
        match *event {
            Event::Connected => {
                told.news.push_back(News::Connected);
                uploads.arrived(&mut told);
            }
            Event::Recovered => {
                told.news.push_back(News::Recovered);
                uploads.arrived(&mut told);
            }
            Event::Lost(_) | Event::Disconnected => uploads.lost(&mut told),
            Event::Recovering(recovery) => told.news.push_back(News::Recovering(recovery)),
            Event::Published(token, outcome) => {
                filters.take_turn();
                uploads.published(now, token, outcome, &mut told);
            }
            Event::Subscribed(token, result) => filters.answered(now, token, result, &mut told),
            // One that could not be ended has nobody who listens any more.
            Event::Unsubscribed(token, _) => filters.ended(token),
            Event::Damaged(bytes) => told.news.push_back(News::Damaged(bytes)),
            _ => {}
        }
    }

    /// A message has come: its topic, when it can be passed on.
    fn message<'m>(&mut self, message: &Message<'m>) -> Option<&'m str> {
        self.stats.received += 1;
        match (message.lack, std::str::from_utf8(message.topic)) {
            (Lack::Bytes(missing), _) => self.not_passed_on(message, NotPassedOn::Cut(missing)),
            (_, Err(_)) => self.not_passed_on(message, NotPassedOn::Packet),
            (lack, Ok(topic)) => {
                if lack == Lack::Perhaps {
                    self.news.push_back(News::PerhapsCut {
                        topic: topic.into(),
                        bytes: message.payload.len(),
                    });
                }
                return Some(topic);
            }
        }
        None
    }

    fn not_passed_on(&mut self, message: &Message<'_>, why: NotPassedOn) {
        self.stats.not_passed_on += 1;
        let topic = message.topic.escape_ascii().to_string();
        self.news.push_back(News::NotPassedOn { topic, why });
    }

    fn parts(&mut self) -> (&mut Uploads, &mut Filters, Told<'_>) {
        let told = Told {
            decisions: &mut self.decisions,
            news: &mut self.news,
            stats: &mut self.stats,
        };
        (&mut self.uploads, &mut self.filters, told)
    }

    fn next_ticket(&mut self) -> Ticket {
        self.tickets += 1;
        self.is_touched = true;
        Ticket(self.tickets)
    }
}

impl Policy for Bridge {
    fn has_room(&self, qos: QoS) -> bool {
        self.uploads.takes(qos)
    }

    fn publish(&mut self, _: Instant, _: &str, message: &Publish<'_>) -> Verdict {
        let ticket = self.next_ticket();
        let is_acknowledged = message.qos != QoS::AtMostOnce;
        let (uploads, _, mut told) = self.parts();
        uploads.push(message, is_acknowledged.then_some(ticket), &mut told);
        if is_acknowledged {
            Verdict::Later(ticket)
        } else {
            Verdict::Take
        }
    }

    fn subscribe(&mut self, _: Instant, client: &str, filter: &str, qos: QoS) -> Grant {
        let ticket = self.next_ticket();
        let max = self.limits.filters;
        if self.filters.subscribe(client, filter, qos, ticket, max) {
            return Grant::Later(ticket);
        }
        self.news.push_back(News::NotSubscribed {
            filter: filter.into(),
            why: NotSubscribed::TooMany,
        });
        Grant::Refused
    }

    fn unsubscribed(&mut self, client: &str, filter: &str) {
        self.is_touched = true;
        self.filters.unsubscribed(client, filter);
    }

    fn will(&mut self, _: &str, message: &Publish<'_>) -> Verdict {
        self.is_touched = true;
        let (uploads, _, mut told) = self.parts();
        uploads.push_will(message, &mut told);
        Verdict::Take
    }

    fn poll_decision(&mut self) -> Option<Decision> {
        self.decisions.pop_front()
    }
}

impl std::fmt::Debug for Bridge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bridge")
            .field("waiting", &self.waiting())
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

/// The driver has a type of its own, since it knows no MQTT.
fn level(qos: QoS) -> driver::QoS {
    driver::QoS::from_level(qos.level()).unwrap_or_default()
}
