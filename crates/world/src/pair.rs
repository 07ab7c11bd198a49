//! A driver, a module and a broker joined in virtual time: what quinn-proto's `Pair` is to client and server.

use crate::Bench;
use driver::{Driver, Event, Lack, Memory, Query};
use instant::Instant;
use module::NetworkEvent;
use std::time::Duration;

/// What a driver works in, of the sizes that tests want.
#[derive(Debug)]
pub struct Room {
    line: Vec<u8>,
    command: Vec<u8>,
    outbox: Vec<u8>,
    topics: Vec<u8>,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            line: vec![0; 9 * 1024],
            command: vec![0; 1024],
            outbox: vec![0; 8 * 1024],
            topics: vec![0; 512],
        }
    }
}

impl Room {
    /// As a driver takes it.
    pub fn memory(&mut self) -> Memory<'_> {
        Memory {
            line: &mut self.line,
            command: &mut self.command,
            outbox: &mut self.outbox,
            topics: &mut self.topics,
        }
    }
}

/// What a driver told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A message: its topic, its payload, and what it lacks.
    Message(String, Vec<u8>, Lack),
    /// The answer to a query, in words.
    Answer(Query, String),
    /// A line of a raw command.
    Line(Vec<u8>),
    /// A line that the driver knows nothing of.
    Unsolicited(Vec<u8>),
    /// An event without text.
    Event(Event<'static>),
}

impl From<Event<'_>> for Told {
    fn from(event: Event<'_>) -> Self {
        Self::Event(match event {
            Event::Message(message) => {
                let topic = String::from_utf8_lossy(message.topic).into_owned();
                return Self::Message(topic, message.payload.to_vec(), message.lack);
            }
            Event::Answer(query, answer) => return Self::Answer(query, format!("{answer:?}")),
            Event::Line(line) => return Self::Line(line.to_vec()),
            Event::Unsolicited(line) => return Self::Unsolicited(line.to_vec()),
            Event::Connected => Event::Connected,
            Event::Disconnected => Event::Disconnected,
            Event::Lost(why) => Event::Lost(why),
            Event::Recovering(recovery) => Event::Recovering(recovery),
            Event::Recovered => Event::Recovered,
            Event::Published(token, outcome) => Event::Published(token, outcome),
            Event::Subscribed(token, result) => Event::Subscribed(token, result),
            Event::Unsubscribed(token, result) => Event::Unsubscribed(token, result),
            Event::Unanswered(query) => Event::Unanswered(query),
            Event::Done(result) => Event::Done(result),
            Event::Reset => Event::Reset,
            Event::Damaged(bytes) => Event::Damaged(bytes),
        })
    }
}

/// A driver at the serial port of a bench's module.
#[derive(Debug)]
pub struct Pair<'a> {
    /// The module and its broker.
    pub bench: Bench,
    /// The host.
    pub driver: Driver<'a>,
    /// The host reads at most so many bytes at a time.
    pub slice: usize,
    told: Vec<Told>,
}

impl<'a> Pair<'a> {
    /// The two of them, at the same line.
    pub fn new(bench: Bench, driver: Driver<'a>) -> Self {
        Self {
            bench,
            driver,
            slice: usize::MAX,
            told: Vec::new(),
        }
    }

    /// Virtual time.
    pub fn now(&self) -> Instant {
        self.bench.now()
    }

    /// What the driver has told since the last call.
    pub fn take_told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }

    /// What the driver has told.
    pub fn told(&self) -> &[Told] {
        &self.told
    }

    /// Carries bytes both ways until there are none. Call it after each request to the driver.
    pub fn exchange(&mut self) {
        loop {
            let now = self.now();
            let mut idle = true;
            while let Some(bytes) = self.driver.poll_transmit() {
                idle = false;
                let bytes = bytes.to_vec();
                self.bench.type_bytes(&bytes);
                self.driver.transmitted(now, bytes.len());
            }
            let bytes = self.bench.take_serial();
            for mut chunk in bytes.chunks(self.slice) {
                idle = false;
                while !chunk.is_empty() {
                    let taken = self.driver.receive(now, chunk);
                    chunk = &chunk[taken..];
                    self.drain();
                }
            }
            self.drain();
            if idle {
                return;
            }
        }
    }

    /// When something happens next by itself.
    pub fn next_event(&self) -> Option<Instant> {
        let events = [self.bench.next_event(), self.driver.next_deadline()];
        events.into_iter().flatten().min()
    }

    /// Goes to the next thing that happens; false when nothing will.
    pub fn step(&mut self) -> bool {
        self.exchange();
        let Some(at) = self.next_event() else {
            return false;
        };
        self.bench.run_for(at - self.now());
        self.driver.advance(self.now());
        self.exchange();
        true
    }

    /// Lets so much time pass.
    pub fn run_for(&mut self, span: Duration) {
        let end = self.now() + span;
        self.exchange();
        while self.next_event().is_some_and(|at| at <= end) {
            self.step();
        }
        self.bench.run_for(end - self.now());
    }

    /// Runs until `done`, at most for `limit`; false when it was not to be.
    pub fn run_until(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now() + limit;
        self.exchange();
        while !done(self) {
            if self.next_event().is_none_or(|at| at > end) {
                self.bench.run_for(end - self.now());
                return false;
            }
            self.step();
        }
        true
    }

    fn drain(&mut self) {
        while let Some(event) = self.driver.poll_event() {
            let told = Told::from(event);
            if told == Told::Event(Event::Reset) {
                self.bench.network(NetworkEvent::PowerCycle);
            }
            self.told.push(told);
        }
    }
}
