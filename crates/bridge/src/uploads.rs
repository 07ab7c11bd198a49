//! The messages that go up: one after another, each until its outcome is known.

use crate::api::{Discarded, Limits, News, Stats};
use crate::level;
use broker::{Decision, Ticket};
use driver::{Driver, Outcome, PublishError, Refusal, Token};
use instant::Instant;
use mqtt::{Publish, QoS};
use std::collections::VecDeque;
use std::time::Duration;

/// How often a module may refuse a message. It refuses for reasons of its own as well: a command runs, the link is just gone.
const REFUSALS: u32 = 3;
/// After the first refusal; four times as long after each further one.
const AFTER_REFUSAL: Duration = Duration::from_secs(1);

/// A message on its way up.
struct Upload {
    /// Who waits for its acknowledgement; nobody with QoS 0, and nobody for a will.
    ticket: Option<Ticket>,
    topic: Box<str>,
    payload: Box<[u8]>,
    qos: QoS,
    retain: bool,
    /// Attempts that ended with the connection.
    attempts: u32,
    refusals: u32,
}

impl Upload {
    fn size(&self) -> usize {
        self.topic.len() + self.payload.len()
    }
}

/// The queue. Its first message is the driver's.
pub(crate) struct Uploads {
    limits: Limits,
    queue: VecDeque<Upload>,
    bytes: usize,
    /// Messages of QoS 0 in the queue.
    lossy: usize,
    /// The first message is on its way.
    sent: Option<Token>,
    /// The first message may be at the broker; the driver has kept it.
    doubtful: bool,
    /// The first message is not tried before.
    not_before: Option<Instant>,
    /// Messages of QoS 0 dropped since the connection was lost.
    dropped: u64,
    is_online: bool,
}

impl Uploads {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            queue: VecDeque::new(),
            bytes: 0,
            lossy: 0,
            sent: None,
            doubtful: false,
            not_before: None,
            dropped: 0,
            is_online: false,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Is a message on its way?
    pub(crate) fn is_under_way(&self) -> bool {
        self.sent.is_some()
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.not_before
    }

    /// Is a message of this QoS taken now? Without a connection QoS 0 always is: it is dropped when there is no room.
    pub(crate) fn takes(&self, qos: QoS) -> bool {
        self.has_room(qos, 1) || qos == QoS::AtMostOnce && !self.is_online
    }

    fn has_room(&self, qos: QoS, times: usize) -> bool {
        let (number, most) = match qos {
            QoS::AtMostOnce => (self.lossy, self.limits.lossy),
            _ => (self.queue.len() - self.lossy, self.limits.messages),
        };
        number < times * most && self.bytes < times * self.limits.bytes
    }

    /// Takes a message.
    pub(crate) fn push(
        &mut self,
        message: &Publish<'_>,
        ticket: Option<Ticket>,
        told: &mut Told<'_>,
    ) {
        if message.qos == QoS::AtMostOnce && !self.has_room(message.qos, 1) {
            if self.dropped == 0 {
                told.news.push_back(News::Dropping);
            }
            self.dropped += 1;
            told.stats.lost += 1;
            return;
        }
        let upload = Upload {
            ticket,
            topic: message.topic.into(),
            payload: message.payload.into(),
            qos: message.qos,
            retain: message.retain,
            attempts: 0,
            refusals: 0,
        };
        self.bytes += upload.size();
        self.lossy += usize::from(upload.qos == QoS::AtMostOnce);
        self.queue.push_back(upload);
    }

    /// Takes a will. Its client cannot be made to wait, so there is twice as much room for it.
    pub(crate) fn push_will(&mut self, message: &Publish<'_>, told: &mut Told<'_>) {
        let times = if message.qos == QoS::AtMostOnce { 1 } else { 2 };
        if self.has_room(message.qos, times) {
            self.push(message, None, told);
        } else {
            told.stats.lost += 1;
            told.news.push_back(News::WillDropped(message.topic.into()));
        }
    }

    /// Requests of the driver what is to be requested.
    pub(crate) fn request(&mut self, now: Instant, driver: &mut Driver<'_>, told: &mut Told<'_>) {
        while self.sent.is_none()
            && self.not_before.is_none_or(|at| at <= now)
            && let Some(first) = self.queue.front()
        {
            self.not_before = None;
            let again = if self.doubtful {
                driver.republish(now)
            } else {
                Err(PublishError::Nothing)
            };
            let taken = match again {
                Err(PublishError::Nothing) => driver.publish(
                    now,
                    &first.topic,
                    &first.payload,
                    level(first.qos),
                    first.retain,
                ),
                taken => taken,
            };
            match taken {
                Ok(token) => {
                    told.stats.repeated += u64::from(self.doubtful);
                    self.sent = Some(token);
                }
                Err(PublishError::NotConnected | PublishError::Busy) => return,
                Err(error) => self.discard(Discarded::Cannot(error), told),
            }
        }
    }

    /// What became of a message.
    pub(crate) fn published(
        &mut self,
        now: Instant,
        token: Token,
        outcome: Outcome,
        told: &mut Told<'_>,
    ) {
        if self.sent != Some(token) {
            return;
        }
        self.sent = None;
        let Some(first) = self.queue.front_mut() else {
            return;
        };
        match outcome {
            Outcome::Delivered | Outcome::Sent => {
                told.stats.published += 1;
                self.pop(told);
            }
            Outcome::Refused(Refusal::NotConnected) => {}
            Outcome::Refused(refusal) => {
                first.refusals += 1;
                if first.refusals >= REFUSALS {
                    self.discard(Discarded::Refused(refusal), told);
                } else {
                    self.not_before = Some(now + AFTER_REFUSAL * 4_u32.pow(first.refusals - 1));
                }
            }
            Outcome::Unknown if first.qos == QoS::AtMostOnce => {
                told.stats.lost += 1;
                told.news.push_back(News::Lost(first.topic.clone()));
                self.pop(told);
            }
            Outcome::Unknown => {
                first.attempts += 1;
                self.doubtful = true;
                self.give_up(told);
            }
        }
    }

    /// There is a connection (again).
    pub(crate) fn arrived(&mut self, told: &mut Told<'_>) {
        self.is_online = true;
        match std::mem::take(&mut self.dropped) {
            0 => {}
            dropped => told.news.push_back(News::Dropped(dropped)),
        }
    }

    /// There is no connection any more. What a module has refused meanwhile it has refused because of that.
    pub(crate) fn lost(&mut self, told: &mut Told<'_>) {
        self.is_online = false;
        self.not_before = None;
        if let Some(first) = self.queue.front_mut()
            && std::mem::take(&mut first.refusals) > 0
        {
            first.attempts += 1;
            self.give_up(told);
        }
    }

    /// Discards the first message when it was tried often enough.
    fn give_up(&mut self, told: &mut Told<'_>) {
        let most = self.limits.attempts;
        if let Some(first) = self.queue.front()
            && most > 0
            && first.attempts >= most
        {
            self.discard(Discarded::GivenUp(most), told);
        }
    }

    fn discard(&mut self, why: Discarded, told: &mut Told<'_>) {
        if let Some(first) = self.queue.front() {
            told.stats.discarded += 1;
            told.news.push_back(News::Discarded {
                topic: first.topic.clone(),
                bytes: first.payload.len(),
                why,
            });
        }
        self.pop(told);
    }

    /// The first message has been dealt with.
    fn pop(&mut self, told: &mut Told<'_>) {
        self.doubtful = false;
        self.not_before = None;
        let Some(first) = self.queue.pop_front() else {
            return;
        };
        self.bytes -= first.size();
        self.lossy -= usize::from(first.qos == QoS::AtMostOnce);
        if let Some(ticket) = first.ticket {
            told.decisions.push_back(Decision::Acknowledged(ticket));
        }
    }
}

/// Where is told what has happened.
pub(crate) struct Told<'b> {
    pub(crate) decisions: &'b mut VecDeque<Decision>,
    pub(crate) news: &'b mut VecDeque<News>,
    pub(crate) stats: &'b mut Stats,
}
