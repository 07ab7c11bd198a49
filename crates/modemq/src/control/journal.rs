//! What happened, numbered and kept for a while, so that nobody who asks a moment late has missed it.

use super::condition::Condition;
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Entries that are kept, and bytes of text and payload in them.
const ENTRIES_MAX: usize = 4_000;
const BYTES_MAX: usize = 1 << 20;
/// Bytes of a payload that are kept.
const PAYLOAD_MAX: usize = 64 * 1024;

/// Something that has happened.
#[derive(Debug, Serialize)]
pub struct Entry {
    /// Its number, from 1.
    pub id: u64,
    /// When, in microseconds since the start of the program.
    pub us: u64,
    /// As in the trace: `host ->`, `host <-`, `mqtt ->`, `mqtt <-`, `state`, `note`; `event` for what has [`Entry::event`]; and of
    /// a broker `broker` and `platform`.
    pub kind: &'static str,
    /// In words.
    pub text: String,
    /// What can be waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<Event>,
}

/// What can be waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum Event {
    /// A module listens to its serial line.
    Booted,
    /// It has no power.
    PowerOff,
    /// It has service.
    Registered,
    /// It has none any more.
    Unregistered,
    /// A PDP context is up.
    PdpUp {
        /// Its number.
        cid: u8,
    },
    /// A PDP context is down.
    PdpDown {
        /// Its number.
        cid: u8,
    },
    /// A client is logged in.
    Connected {
        /// Who.
        client_id: String,
    },
    /// It is not any more.
    Disconnected {
        /// Who.
        client_id: String,
    },
    /// A subscription was granted.
    Subscribed {
        /// To what.
        filter: String,
        /// Whose; a module's own when it does not say.
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id: Option<String>,
    },
    /// It is no more.
    Unsubscribed {
        /// To what.
        filter: String,
        /// Whose; a module's own when it does not say.
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id: Option<String>,
    },
    /// A message was published, or came.
    Message(Message),
}

/// A message on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Which.
    pub way: Way,
    /// Where it was published.
    pub topic: String,
    /// As text; null when it is none.
    pub payload: Option<String>,
    /// As it is, its first 65,536 bytes.
    pub payload_base64: String,
    /// Bytes of the whole payload.
    pub bytes: usize,
    /// 0 to 2.
    pub qos: u8,
    /// The flag.
    pub retain: bool,
    /// Who published it, at a broker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
}

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// From a module to its server.
    Sent,
    /// From the server to a module.
    Received,
    /// A client published it on the broker.
    Published,
    /// The broker published it for a client that has gone.
    Will,
}

impl Message {
    /// A message with the flags of a PUBLISH.
    pub fn new(way: Way, topic: String, payload: &[u8], qos: mqtt::QoS, retain: bool) -> Self {
        let kept = &payload[..payload.len().min(PAYLOAD_MAX)];
        Self {
            way,
            topic,
            payload: std::str::from_utf8(kept).ok().map(Into::into),
            payload_base64: openssl::base64::encode_block(kept),
            bytes: payload.len(),
            qos: qos.level(),
            retain,
            client_id: None,
        }
    }

    fn len(&self) -> usize {
        let text = self.payload.as_ref().map_or(0, String::len);
        self.topic.len() + text + self.payload_base64.len()
    }
}

impl Event {
    /// In the words in which it is waited for.
    pub fn words(&self) -> String {
        match self {
            Self::Booted => "booted".into(),
            Self::PowerOff => "power-off".into(),
            Self::Registered => "registered".into(),
            Self::Unregistered => "unregistered".into(),
            Self::PdpUp { cid } => format!("pdp-up {cid}"),
            Self::PdpDown { cid } => format!("pdp-down {cid}"),
            Self::Connected { client_id } => format!("connected {client_id}"),
            Self::Disconnected { client_id } => format!("disconnected {client_id}"),
            Self::Subscribed { filter, .. } => format!("subscribed {filter}"),
            Self::Unsubscribed { filter, .. } => format!("unsubscribed {filter}"),
            Self::Message(message) => format!("message on {}", message.topic),
        }
    }

    /// What a module tells.
    pub fn of_module(event: &module::Event) -> Self {
        let message = |way, message: &module::Message| {
            let topic = message.topic.clone();
            Self::Message(Message::new(
                way,
                topic,
                &message.payload,
                message.qos,
                message.retain,
            ))
        };
        match event {
            module::Event::Booted => Self::Booted,
            module::Event::PowerOff => Self::PowerOff,
            module::Event::Registered => Self::Registered,
            module::Event::Unregistered => Self::Unregistered,
            module::Event::PdpUp(cid) => Self::PdpUp { cid: *cid },
            module::Event::PdpDown(cid) => Self::PdpDown { cid: *cid },
            module::Event::Connected(client_id) => Self::Connected {
                client_id: client_id.clone(),
            },
            module::Event::Disconnected(client_id) => Self::Disconnected {
                client_id: client_id.clone(),
            },
            module::Event::Subscribed(filter, _) => Self::Subscribed {
                filter: filter.clone(),
                client_id: None,
            },
            module::Event::Unsubscribed(filter) => Self::Unsubscribed {
                filter: filter.clone(),
                client_id: None,
            },
            module::Event::Sent(sent) => message(Way::Sent, sent),
            module::Event::Received(received) => message(Way::Received, received),
        }
    }
}

/// What happened to a module or at a broker.
#[derive(Debug)]
pub struct Journal {
    inner: Mutex<Inner>,
    /// The number of the last entry; [`OVER`] when there will be no more.
    last: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
    last: u64,
}

/// There will be no more entries.
const OVER: u64 = u64::MAX;

/// A part of a journal.
#[derive(Debug, Serialize)]
pub struct Part {
    /// In the order in which they happened.
    pub entries: Vec<Arc<Entry>>,
    /// Where to go on: `since` of the next request.
    pub cursor: u64,
    /// Entries after the cursor that was given which are no longer kept.
    pub lost: u64,
}

impl Journal {
    /// Nothing has happened yet.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::default(),
            last: watch::Sender::new(0),
        })
    }

    /// Something has happened.
    pub fn push(&self, us: u64, kind: &'static str, text: String, event: Option<Event>) {
        let mut inner = self.lock();
        inner.last += 1;
        let id = inner.last;
        let entry = Entry {
            id,
            us,
            kind,
            text,
            event,
        };
        inner.bytes += entry.len();
        inner.entries.push_back(Arc::new(entry));
        while inner.entries.len() > ENTRIES_MAX || inner.bytes > BYTES_MAX {
            let Some(gone) = inner.entries.pop_front() else {
                break;
            };
            inner.bytes -= gone.len();
        }
        self.last
            .send_if_modified(|last| *last != OVER && std::mem::replace(last, id) != id);
    }

    /// Nothing will happen any more: who waits is told.
    pub fn close(&self) {
        self.last.send_replace(OVER);
    }

    /// The number of the last entry; 0 when there is none.
    pub fn last(&self) -> u64 {
        self.lock().last
    }

    /// What happened after a cursor, the first `limit` entries of it; without one the last of all.
    pub fn part(&self, since: Option<u64>, limit: usize) -> Part {
        let inner = self.lock();
        let kept = inner.last - inner.entries.len() as u64;
        let (from, lost) = match since {
            Some(since) => (since.max(kept), kept.saturating_sub(since)),
            None => (inner.last.saturating_sub(limit as u64).max(kept), 0),
        };
        let skip = usize::try_from(from - kept).unwrap_or(usize::MAX);
        let entries: Vec<_> = inner
            .entries
            .iter()
            .skip(skip)
            .take(limit)
            .cloned()
            .collect();
        let end = since.unwrap_or(inner.last).min(inner.last);
        Part {
            cursor: entries.last().map_or(end, |entry| entry.id),
            entries,
            lost,
        }
    }

    /// Waits for more than `cursor`; false when there will be nothing.
    pub async fn more(&self, cursor: u64) -> bool {
        let mut last = self.last.subscribe();
        // The sender is this journal's, so it is there.
        let found = last.wait_for(|last| *last > cursor).await;
        found.is_ok_and(|last| *last != OVER)
    }

    /// The first entry after `cursor` that meets a condition.
    pub fn find(&self, cursor: u64, condition: &Condition) -> Option<Arc<Entry>> {
        let mut entries = self.part(Some(cursor), ENTRIES_MAX).entries.into_iter();
        entries.find(|entry| condition.met_by(entry))
    }

    /// Waits for the first entry after `cursor` that meets a condition; `None` when there will be none.
    pub async fn wait(&self, mut cursor: u64, condition: &Condition) -> Option<Arc<Entry>> {
        loop {
            let last = self.last();
            if let Some(entry) = self.find(cursor, condition) {
                return Some(entry);
            }
            cursor = last.max(cursor);
            if !self.more(cursor).await {
                return None;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn len(&self) -> usize {
        let message = match &self.event {
            Some(Event::Message(message)) => message.len(),
            _ => 0,
        };
        // What it takes besides its text.
        size_of::<Self>() + self.text.len() + message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(entries: u64) -> Arc<Journal> {
        let journal = Journal::new();
        for us in 1..=entries {
            journal.push(us, "note", format!("entry {us}"), None);
        }
        journal
    }

    fn ids(part: &Part) -> Vec<u64> {
        part.entries.iter().map(|entry| entry.id).collect()
    }

    #[test]
    fn a_cursor_goes_on_where_it_was() {
        let journal = with(5);
        let part = journal.part(Some(0), 2);
        assert_eq!((ids(&part), part.cursor, part.lost), (vec![1, 2], 2, 0));
        let part = journal.part(Some(part.cursor), 100);
        assert_eq!((ids(&part), part.cursor, part.lost), (vec![3, 4, 5], 5, 0));
        let part = journal.part(Some(5), 100);
        assert_eq!((ids(&part), part.cursor, part.lost), (vec![], 5, 0));
        let part = journal.part(None, 2);
        assert_eq!((ids(&part), part.cursor, part.lost), (vec![4, 5], 5, 0));
        let part = journal.part(Some(99), 2);
        assert_eq!((ids(&part), part.cursor, part.lost), (vec![], 5, 0));
    }

    #[test]
    fn what_is_no_longer_kept_is_counted() {
        let journal = with(ENTRIES_MAX as u64 + 10);
        let part = journal.part(Some(4), 1);
        assert_eq!((ids(&part), part.lost), (vec![11], 6));
        let large = "x".repeat(BYTES_MAX / 4);
        for us in 0..100 {
            journal.push(us, "note", large.clone(), None);
        }
        assert!(journal.lock().bytes <= BYTES_MAX);
        assert_eq!(journal.part(None, 100).entries.len(), 3);
    }

    #[tokio::test]
    async fn a_wait_finds_what_came_before_it_and_ends_with_the_journal() {
        let journal = with(3);
        let wanted = "trace entry 2".parse().unwrap();
        let found = journal.wait(0, &wanted).await;
        assert_eq!(found.unwrap().id, 2);
        let waiting = journal.wait(2, &wanted);
        journal.close();
        assert!(waiting.await.is_none());
    }
}
