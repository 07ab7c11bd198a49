//! What has happened, as C reads it.

use core::time::Duration;
use driver::{
    Answer, CommandFailure, Event, Lack, Outcome, Query, Recovery, Refusal, Rung, Token, Why,
};

/// What has happened, and which fields of the event count.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum modemq_event_kind {
    /// A message: topic, payload, missing, may_be_cut.
    Message = 0,
    /// Logged in, and subscribed to everything.
    Connected,
    /// Logged out, as asked.
    Disconnected,
    /// The connection is lost: why, code. The driver recovers by itself.
    Lost,
    /// The driver is about to do something: rung, attempt, why, code, wait_ms.
    Recovering,
    /// Logged in and subscribed again.
    Recovered,
    /// What became of a message: token, outcome; when refused refuser, code.
    Published,
    /// What became of a subscription: token, outcome (DELIVERED or REFUSED); when refused refuser, code.
    Subscribed,
    /// A subscription has ended, or could not be ended and goes on: token, outcome (DELIVERED or REFUSED); when refused refuser, code.
    Unsubscribed,
    /// The answer to a query: query, and number or text.
    Answer,
    /// A query has no answer: query.
    Unanswered,
    /// A line that a raw command printed: text.
    Line,
    /// A line that the driver knows nothing of: what follows a raw command, and what the firmware says besides: text.
    Unsolicited,
    /// A raw command has ended: failure, and when refused code.
    Done,
    /// Pull the module's reset pin now, as long as its manual says.
    Reset,
    /// Bytes of the serial line were not to be understood: missing.
    Damaged,
}

/// What became of a message.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum modemq_outcome {
    /// The broker has acknowledged it.
    Delivered = 0,
    /// QoS 0: the module has handed it over to the network.
    Sent,
    /// The broker does not have it: refuser, code.
    Refused,
    /// Nobody knows: the answer or the link was lost meanwhile. With QoS 1 and 2 `modemq_republish` sends it again.
    Unknown,
}

/// Who refused.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum modemq_refuser {
    /// The module; code is that of `+CME ERROR`, 0 when it was `ERROR`.
    Module = 0,
    /// The broker; code is that of its CONNACK, or 128 of its SUBACK.
    Broker,
    /// Nobody: the link was lost before the request was typed.
    Link,
}

/// Why there is no connection.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum modemq_why {
    /// The module answers nothing, or nothing that can be understood.
    Silent = 0,
    /// The module started anew.
    Rebooted,
    /// No SIM, or a SIM that is broken.
    Sim,
    /// The SIM wants its PIN, which was not given or was wrong, or its PUK. No rung mends that.
    SimLocked,
    /// Not registered with the network.
    NotRegistered,
    /// No packet service, PDP context or Wi-Fi.
    NoBearer,
    /// The network took the PDP context or the Wi-Fi away.
    BearerLost,
    /// The TCP or TLS connection was not made.
    NotOpened,
    /// The TCP connection was closed or broke.
    Closed,
    /// The broker did not answer the login, or the module says no more.
    NotLoggedIn,
    /// The broker refused the login: code, that of CONNACK.
    Refused,
    /// A subscription or a message was not acknowledged in time.
    Unanswered,
    /// The module says, being asked, that it is not logged in.
    NotConnected,
    /// The module refused to be configured so.
    Configuration,
    /// It answers, and not the driver's question as this model does: it is another one.
    NotUnderstood,
}

/// What the driver does to recover, from the cheapest to the dearest.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum modemq_rung {
    /// Subscribe again.
    Resubscribe = 0,
    /// Log in again on the open TCP connection.
    Reconnect,
    /// Close and open the TCP connection, and log in.
    Reopen,
    /// Deactivate and activate the PDP context; leave and join the access point.
    Reactivate,
    /// Radio off and on.
    Radio,
    /// Reset by the pin, or by a command.
    Reset,
}

/// What can be asked, and what answers it.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum modemq_query_kind {
    /// number: 0 to 31 as in `+CSQ` (-113 to -51 dBm in steps of 2), 99 unknown; with Wi-Fi in dBm, below 0.
    Signal = 0,
    /// number: `<stat>` of 3GPP TS 27.007: 1 home, 5 roaming, 0 not, 2 searching, 3 denied.
    Registration,
    /// text: the SIM's number.
    Iccid,
    /// text: the module's number; with Wi-Fi its MAC address.
    Imei,
    /// text.
    Firmware,
    /// text.
    Model,
    /// text: the network's time, as the module writes it.
    Time,
}

/// How a raw command ended.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum modemq_failure {
    /// With OK.
    None = 0,
    /// With `ERROR`, or with code of `+CME ERROR`.
    Refused,
    /// No final result in time.
    TimedOut,
    /// The module started anew meanwhile.
    Rebooted,
    /// The module wants data, and a raw command has none. Nothing is typed until the module must have given up.
    Prompted,
}

/// What has happened. Which fields count stands at each kind, the others are 0. Texts do not end with NUL; pointers are good until
/// the next call with this driver.
#[repr(C)]
pub struct modemq_event {
    pub kind: modemq_event_kind,
    /// Of the request that it is about.
    pub token: u16,
    pub outcome: modemq_outcome,
    pub refuser: modemq_refuser,
    pub code: u16,
    pub why: modemq_why,
    pub rung: modemq_rung,
    /// Which attempt on this rung, from 1.
    pub attempt: u8,
    /// How long it waits before, in milliseconds.
    pub wait_ms: u32,
    pub topic: *const u8,
    pub topic_len: usize,
    /// Any bytes.
    pub payload: *const u8,
    pub payload_len: usize,
    /// Bytes of the payload for which `line` of the memory had no room; of the serial line, those that were lost.
    pub missing: usize,
    /// The message is as long as the model's longest report: perhaps it was longer.
    pub may_be_cut: bool,
    pub query: modemq_query_kind,
    pub number: i16,
    pub text: *const u8,
    pub text_len: usize,
    pub failure: modemq_failure,
}

impl modemq_event {
    fn new(kind: modemq_event_kind) -> Self {
        Self {
            kind,
            token: 0,
            outcome: modemq_outcome::Delivered,
            refuser: modemq_refuser::Module,
            code: 0,
            why: modemq_why::Silent,
            rung: modemq_rung::Resubscribe,
            attempt: 0,
            wait_ms: 0,
            topic: core::ptr::null(),
            topic_len: 0,
            payload: core::ptr::null(),
            payload_len: 0,
            missing: 0,
            may_be_cut: false,
            query: modemq_query_kind::Signal,
            number: 0,
            text: core::ptr::null(),
            text_len: 0,
            failure: modemq_failure::None,
        }
    }

    fn token(mut self, token: Token) -> Self {
        self.token = token.0;
        self
    }

    fn why(mut self, why: Why) -> Self {
        self.why = match why {
            Why::Silent => modemq_why::Silent,
            Why::NotUnderstood => modemq_why::NotUnderstood,
            Why::Rebooted => modemq_why::Rebooted,
            Why::Sim => modemq_why::Sim,
            Why::SimLocked => modemq_why::SimLocked,
            Why::NotRegistered => modemq_why::NotRegistered,
            Why::NoBearer => modemq_why::NoBearer,
            Why::BearerLost => modemq_why::BearerLost,
            Why::NotOpened => modemq_why::NotOpened,
            Why::Closed => modemq_why::Closed,
            Why::NotLoggedIn => modemq_why::NotLoggedIn,
            Why::Refused(code) => {
                self.code = code.into();
                modemq_why::Refused
            }
            Why::Unanswered => modemq_why::Unanswered,
            Why::NotConnected => modemq_why::NotConnected,
            Why::Configuration => modemq_why::Configuration,
        };
        self
    }

    fn recovery(mut self, recovery: Recovery) -> Self {
        self.rung = match recovery.rung {
            Rung::Resubscribe => modemq_rung::Resubscribe,
            Rung::Reconnect => modemq_rung::Reconnect,
            Rung::Reopen => modemq_rung::Reopen,
            Rung::Reactivate => modemq_rung::Reactivate,
            Rung::Radio => modemq_rung::Radio,
            Rung::Reset => modemq_rung::Reset,
        };
        self.attempt = recovery.attempt;
        self.wait_ms = millis(recovery.wait);
        self.why(recovery.why)
    }

    fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = match outcome {
            Outcome::Delivered => modemq_outcome::Delivered,
            Outcome::Sent => modemq_outcome::Sent,
            Outcome::Refused(refusal) => {
                (self.refuser, self.code) = match refusal {
                    Refusal::Module(code) => (modemq_refuser::Module, code.unwrap_or(0)),
                    Refusal::Broker(code) => (modemq_refuser::Broker, code.into()),
                    Refusal::NotConnected => (modemq_refuser::Link, 0),
                };
                modemq_outcome::Refused
            }
            Outcome::Unknown => modemq_outcome::Unknown,
        };
        self
    }

    fn query(mut self, query: Query) -> Self {
        self.query = match query {
            Query::Signal => modemq_query_kind::Signal,
            Query::Registration => modemq_query_kind::Registration,
            Query::Iccid => modemq_query_kind::Iccid,
            Query::Imei => modemq_query_kind::Imei,
            Query::Firmware => modemq_query_kind::Firmware,
            Query::Model => modemq_query_kind::Model,
            Query::Time => modemq_query_kind::Time,
        };
        self
    }

    fn answer(mut self, answer: Answer<'_>) -> Self {
        match answer {
            Answer::Signal(number) => self.number = number,
            Answer::Registration(number) => self.number = number.into(),
            Answer::Text(text) => return self.text(text.as_bytes()),
        }
        self
    }

    fn text(mut self, text: &[u8]) -> Self {
        (self.text, self.text_len) = (text.as_ptr(), text.len());
        self
    }

    fn done(mut self, result: Result<(), CommandFailure>) -> Self {
        self.failure = match result {
            Ok(()) => modemq_failure::None,
            Err(CommandFailure::Refused(code)) => {
                self.code = code.unwrap_or(0);
                modemq_failure::Refused
            }
            Err(CommandFailure::TimedOut) => modemq_failure::TimedOut,
            Err(CommandFailure::Rebooted) => modemq_failure::Rebooted,
            Err(CommandFailure::Prompted) => modemq_failure::Prompted,
        };
        self
    }
}

impl From<Event<'_>> for modemq_event {
    fn from(happened: Event<'_>) -> Self {
        use modemq_event_kind as Kind;
        match happened {
            Event::Message(message) => Self {
                topic: message.topic.as_ptr(),
                topic_len: message.topic.len(),
                payload: message.payload.as_ptr(),
                payload_len: message.payload.len(),
                missing: match message.lack {
                    Lack::Bytes(missing) => missing,
                    Lack::Nothing | Lack::Perhaps => 0,
                },
                may_be_cut: message.lack == Lack::Perhaps,
                ..Self::new(Kind::Message)
            },
            Event::Connected => Self::new(Kind::Connected),
            Event::Disconnected => Self::new(Kind::Disconnected),
            Event::Lost(why) => Self::new(Kind::Lost).why(why),
            Event::Recovering(recovery) => Self::new(Kind::Recovering).recovery(recovery),
            Event::Recovered => Self::new(Kind::Recovered),
            Event::Published(token, outcome) => {
                Self::new(Kind::Published).token(token).outcome(outcome)
            }
            Event::Subscribed(token, result) => {
                let outcome = result.map_or_else(Outcome::Refused, |()| Outcome::Delivered);
                Self::new(Kind::Subscribed).token(token).outcome(outcome)
            }
            Event::Unsubscribed(token, result) => {
                let outcome = result.map_or_else(Outcome::Refused, |()| Outcome::Delivered);
                Self::new(Kind::Unsubscribed).token(token).outcome(outcome)
            }
            Event::Answer(query, answer) => Self::new(Kind::Answer).query(query).answer(answer),
            Event::Unanswered(query) => Self::new(Kind::Unanswered).query(query),
            Event::Line(line) => Self::new(Kind::Line).text(line),
            Event::Unsolicited(line) => Self::new(Kind::Unsolicited).text(line),
            Event::Done(result) => Self::new(Kind::Done).done(result),
            Event::Reset => Self::new(Kind::Reset),
            Event::Damaged(bytes) => Self {
                missing: bytes,
                ..Self::new(Kind::Damaged)
            },
        }
    }
}

fn millis(span: Duration) -> u32 {
    u32::try_from(span.as_millis()).unwrap_or(u32::MAX)
}
