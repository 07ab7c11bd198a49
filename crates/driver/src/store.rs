//! What outlives a command: the message that is being published, and the topics that are subscribed to.

use crate::api::{QoS, Token};
use crate::family::Way;
use core::ops::Range;

/// One message: its topic and its payload, in the caller's memory.
pub(crate) struct Outbox<'a> {
    buffer: &'a mut [u8],
    topic: usize,
    payload: usize,
    pub(crate) state: Sending,
    pub(crate) token: Token,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) way: Way,
    /// The packet identifier that it is typed with.
    pub(crate) id: u16,
    /// It has been typed before, with that identifier.
    pub(crate) repeats: bool,
}

/// How far a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    /// There is none.
    Nothing,
    /// Nothing of it has been typed.
    Queued,
    /// Its command has been typed.
    Typed,
    /// Its outcome is unknown: it is kept.
    Doubtful,
}

impl<'a> Outbox<'a> {
    pub(crate) fn new(buffer: &'a mut [u8]) -> Self {
        Self {
            buffer,
            topic: 0,
            payload: 0,
            state: Sending::Nothing,
            token: Token(0),
            qos: QoS::AtMostOnce,
            retain: false,
            way: Way::Inline,
            id: 0,
            repeats: false,
        }
    }

    /// Keeps a message; false when there is no room.
    pub(crate) fn put(&mut self, topic: &[u8], payload: &[u8], way: Way) -> bool {
        let len = match way {
            Way::Hex => 2 * payload.len(),
            _ => payload.len(),
        };
        let Some(room) = self.buffer.get_mut(..topic.len() + len) else {
            return false;
        };
        let (head, body) = room.split_at_mut(topic.len());
        head.copy_from_slice(topic);
        if way == Way::Hex {
            const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
            for (pair, byte) in body.chunks_exact_mut(2).zip(payload) {
                pair[0] = DIGITS[usize::from(byte >> 4)];
                pair[1] = DIGITS[usize::from(byte & 15)];
            }
        } else {
            body.copy_from_slice(payload);
        }
        self.topic = topic.len();
        self.payload = len;
        self.way = way;
        true
    }

    pub(crate) fn topic(&self) -> &[u8] {
        &self.buffer[..self.topic]
    }

    /// The payload as it is typed.
    pub(crate) fn payload(&self) -> &[u8] {
        &self.buffer[self.topic..self.topic + self.payload]
    }

    /// Is it on its way, or about to be?
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self.state, Sending::Queued | Sending::Typed)
    }
}

/// May it be published to? MQTT 3.1.1 §4.7.3, without control characters and quotes, which no model can write.
pub(crate) fn is_topic_name(topic: &str) -> bool {
    is_topic_filter(topic) && !has_wildcard(topic.as_bytes())
}

/// May it be subscribed to? MQTT 3.1.1 §4.7.1.
pub(crate) fn is_topic_filter(topic: &str) -> bool {
    let mut levels = topic.as_bytes().split(|byte| *byte == b'/').peekable();
    let well_formed = core::iter::from_fn(|| Some((levels.next()?, levels.peek().is_none())));
    !topic.is_empty()
        && !topic
            .bytes()
            .any(|byte| byte < 0x20 || matches!(byte, b'"' | 0x7f))
        && well_formed.into_iter().all(|(level, is_last)| match level {
            b"+" => true,
            b"#" => is_last,
            level => !has_wildcard(level),
        })
}

fn has_wildcard(topic: &[u8]) -> bool {
    memchr::memchr2(b'+', b'#', topic).is_some()
}

/// The topics, one after another: state, quality and its flags, token, length, text.
pub(crate) struct Topics<'a> {
    buffer: &'a mut [u8],
    used: usize,
}

/// What is to become of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interest {
    /// It is to be subscribed to.
    Wanted = 0,
    /// It is subscribed to.
    Held = 1,
    /// The broker or the module refused it.
    Refused = 2,
    /// It is to be unsubscribed from.
    Leaving = 3,
    /// Unsubscribe, then subscribe again: the module ignores another quality for a topic that it has.
    Replacing = 4,
    /// Subscribe, then unsubscribe: the broker may hold the topic, and a module that has forgotten it refuses to unsubscribe.
    Reviving = 5,
}

const HEAD: usize = 6;
/// It has been granted once.
const GRANTED: u8 = 0x80;
/// It has been typed in this session.
const TYPED: u8 = 0x40;
const FLAGS: u8 = GRANTED | TYPED;

impl<'a> Topics<'a> {
    pub(crate) fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, used: 0 }
    }

    /// Keeps a topic, in place of itself when it is there already; false when there is no room. A module that keeps the first
    /// quality must be told to forget it.
    pub(crate) fn put(&mut self, topic: &[u8], qos: QoS, token: Token, keeps_first: bool) -> bool {
        let mut interest = Interest::Wanted;
        let mut flags = 0;
        let at = match self.find(topic) {
            Some(at) => {
                flags = self.buffer[at + 1] & TYPED;
                let is_other = self.qos(at) != qos || self.interest(at) == Interest::Replacing;
                if keeps_first && flags != 0 && is_other {
                    interest = Interest::Replacing;
                }
                at
            }
            None if self.used + HEAD + topic.len() <= self.buffer.len() => {
                let at = self.used;
                self.used += HEAD + topic.len();
                self.buffer[at + 4..at + HEAD].copy_from_slice(&(topic.len() as u16).to_le_bytes());
                self.buffer[at + HEAD..self.used].copy_from_slice(topic);
                at
            }
            None => return false,
        };
        self.buffer[at] = interest as u8;
        self.buffer[at + 1] = qos.level() | flags;
        self.set_token(at, token);
        true
    }

    /// Where a topic stands.
    pub(crate) fn find(&self, topic: &[u8]) -> Option<usize> {
        self.places().find(|&at| self.topic(at) == topic)
    }

    /// The first topic that something is to be done for.
    pub(crate) fn next(&self) -> Option<usize> {
        self.places()
            .find(|&at| !matches!(self.interest(at), Interest::Held | Interest::Refused))
    }

    pub(crate) fn interest(&self, at: usize) -> Interest {
        match self.buffer[at] {
            0 => Interest::Wanted,
            1 => Interest::Held,
            2 => Interest::Refused,
            3 => Interest::Leaving,
            4 => Interest::Replacing,
            _ => Interest::Reviving,
        }
    }

    pub(crate) fn set(&mut self, at: usize, interest: Interest) {
        self.buffer[at] = interest as u8;
    }

    pub(crate) fn qos(&self, at: usize) -> QoS {
        QoS::from_level(self.buffer[at + 1] & !FLAGS).unwrap_or_default()
    }

    /// Has it been granted once?
    pub(crate) fn was_granted(&self, at: usize) -> bool {
        self.buffer[at + 1] & GRANTED != 0
    }

    /// May the broker have it?
    pub(crate) fn may_be_held(&self, at: usize) -> bool {
        self.buffer[at + 1] & TYPED != 0
    }

    /// It has been typed: the broker may have it.
    pub(crate) fn typed(&mut self, at: usize) {
        self.buffer[at + 1] |= TYPED;
    }

    pub(crate) fn grant(&mut self, at: usize) {
        self.set(at, Interest::Held);
        self.buffer[at + 1] |= GRANTED;
    }

    pub(crate) fn token(&self, at: usize) -> Token {
        Token(u16::from_le_bytes([
            self.buffer[at + 2],
            self.buffer[at + 3],
        ]))
    }

    pub(crate) fn set_token(&mut self, at: usize, token: Token) {
        self.buffer[at + 2..at + 4].copy_from_slice(&token.0.to_le_bytes());
    }

    pub(crate) fn topic(&self, at: usize) -> &[u8] {
        &self.buffer[self.text(at)]
    }

    pub(crate) fn remove(&mut self, at: usize) {
        let end = self.text(at).end;
        self.buffer.copy_within(end..self.used, at);
        self.used -= end - at;
    }

    /// A new login: what was subscribed to, or refused, is to be subscribed to again. In a clean session the broker has none of it.
    pub(crate) fn renew(&mut self, is_clean: bool) {
        let mut at = 0;
        while at < self.used {
            if matches!(self.interest(at), Interest::Leaving | Interest::Reviving) {
                self.set(at, Interest::Leaving);
            } else {
                self.set(at, Interest::Wanted);
            }
            if is_clean {
                self.buffer[at + 1] &= !TYPED;
            }
            at = self.text(at).end;
        }
    }

    /// A session that may be a new one: what is subscribed to is to be subscribed to again.
    pub(crate) fn renew_held(&mut self) {
        let mut at = 0;
        while at < self.used {
            if self.interest(at) == Interest::Held {
                self.set(at, Interest::Wanted);
            }
            at = self.text(at).end;
        }
    }

    fn places(&self) -> impl Iterator<Item = usize> {
        let mut at = 0;
        core::iter::from_fn(move || {
            let here = at;
            (here < self.used).then(|| {
                at = self.text(here).end;
                here
            })
        })
    }

    fn text(&self, at: usize) -> Range<usize> {
        let len = u16::from_le_bytes([self.buffer[at + 4], self.buffer[at + 5]]);
        at + HEAD..at + HEAD + usize::from(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_come_and_go() {
        let mut memory = [0; 40];
        let mut topics = Topics::new(&mut memory);
        assert!(topics.put(b"a/b", QoS::AtLeastOnce, Token(1), false));
        assert!(topics.put(b"c", QoS::ExactlyOnce, Token(2), false));
        assert!(topics.put(b"a/b", QoS::AtMostOnce, Token(3), false));
        let first = topics.next().unwrap();
        assert_eq!(
            (topics.topic(first), topics.token(first)),
            (&b"a/b"[..], Token(3))
        );
        topics.set(first, Interest::Held);
        let second = topics.next().unwrap();
        assert_eq!(
            (topics.topic(second), topics.qos(second)),
            (&b"c"[..], QoS::ExactlyOnce)
        );
        topics.remove(first);
        assert_eq!(topics.find(b"a/b"), None);
        assert_eq!(topics.topic(0), b"c");
        assert!(!topics.put(&[b'x'; 30], QoS::AtMostOnce, Token(4), false));
        assert!(topics.put(&[b'x'; 20], QoS::AtMostOnce, Token(4), false));
        topics.set(0, Interest::Leaving);
        topics.renew(true);
        assert_eq!(topics.interest(0), Interest::Leaving);
    }

    #[test]
    fn hexadecimal_digits_are_kept_as_they_are_typed() {
        let mut memory = [0; 8];
        let mut outbox = Outbox::new(&mut memory);
        assert!(outbox.put(b"t", b"\x1a\xffz", Way::Hex));
        assert_eq!(outbox.payload(), b"1AFF7A");
        assert!(!outbox.put(b"t", b"1234", Way::Hex));
        assert!(outbox.put(b"t", b"1234567", Way::Length));
    }
}
