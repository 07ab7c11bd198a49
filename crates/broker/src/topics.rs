//! Who subscribed to what, and which messages are retained.

use crate::session::Message;
use mqtt::{QoS, topic_matches};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::str::Split;
use std::sync::Arc;

/// The deepest filter that is taken, as Mosquitto's `TOPIC_HIERARCHY_LIMIT`.
pub(crate) const MAX_LEVELS: usize = 200;

/// A tree of topic filters by level.
#[derive(Default)]
pub(crate) struct Subscriptions {
    root: Node,
}

#[derive(Default)]
struct Node {
    children: BTreeMap<Box<str>, Node>,
    /// Sessions whose filter ends here.
    sessions: Vec<(usize, QoS)>,
}

impl Subscriptions {
    /// Adds a subscription, or changes the QoS of the one that is there.
    pub(crate) fn insert(&mut self, filter: &str, session: usize, qos: QoS) {
        let mut node = &mut self.root;
        for level in filter.split('/') {
            if !node.children.contains_key(level) {
                node.children.insert(level.into(), Node::default());
            }
            let Some(child) = node.children.get_mut(level) else {
                return;
            };
            node = child;
        }
        match node
            .sessions
            .iter_mut()
            .find(|(other, _)| *other == session)
        {
            Some((_, old)) => *old = qos,
            None => node.sessions.push((session, qos)),
        }
    }

    pub(crate) fn remove(&mut self, filter: &str, session: usize) {
        remove(&mut self.root, filter.split('/'), session);
    }

    /// Appends every session that the topic reaches, once for each filter that covers it.
    pub(crate) fn matches(&self, topic: &str, found: &mut Vec<(usize, QoS)>) {
        // The stack holds what is left to compare, so that no topic however deep overflows the program's own.
        let mut stack = vec![(&self.root, Some(topic))];
        while let Some((node, rest)) = stack.pop() {
            let wildcards = !topic.starts_with('$') || rest != Some(topic);
            if wildcards && let Some(child) = node.children.get("#") {
                found.extend_from_slice(&child.sessions);
            }
            let Some(rest) = rest else {
                found.extend_from_slice(&node.sessions);
                continue;
            };
            let (level, rest) = match rest.split_once('/') {
                Some((level, rest)) => (level, Some(rest)),
                None => (rest, None),
            };
            if wildcards && let Some(child) = node.children.get("+") {
                stack.push((child, rest));
            }
            if level != "+"
                && level != "#"
                && let Some(child) = node.children.get(level)
            {
                stack.push((child, rest));
            }
        }
    }
}

/// Removes the session's filter below `node`, with the nodes that are no use without it; true when `node` is one of them. No filter
/// in the tree is deeper than [`MAX_LEVELS`], so this does not go deeper either.
fn remove(node: &mut Node, mut levels: Split<'_, char>, session: usize) -> bool {
    match levels.next() {
        None => node.sessions.retain(|(other, _)| *other != session),
        Some(level) => {
            if let Some(child) = node.children.get_mut(level)
                && remove(child, levels, session)
            {
                node.children.remove(level);
            }
        }
    }
    node.sessions.is_empty() && node.children.is_empty()
}

/// Retained messages by topic.
#[derive(Default)]
pub(crate) struct Retained {
    messages: BTreeMap<Arc<str>, Message>,
    /// Bytes in them.
    bytes: usize,
}

impl Retained {
    /// Keeps a message in place of the last one of its topic; an empty payload clears it: §3.3.1.3. False when there is no room
    /// for it: the last one is gone all the same, since it is no longer true.
    pub(crate) fn set(&mut self, message: &Message, max: usize, max_bytes: usize) -> bool {
        if let Some(last) = self.messages.remove(&message.topic) {
            self.bytes -= last.size();
        }
        if message.payload.is_empty() {
            return true;
        }
        let bytes = self.bytes + message.size();
        let fits = self.messages.len() < max && bytes <= max_bytes;
        if fits {
            self.bytes = bytes;
            self.messages.insert(message.topic.clone(), message.clone());
        }
        fits
    }

    /// The messages whose topic a filter covers, in the order of their topics.
    pub(crate) fn matching(&self, filter: &str) -> Vec<Message> {
        // Topics are sorted, so only those that share what stands before the first wildcard are looked at.
        let prefix = filter.split(['+', '#']).next().unwrap_or_default();
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        self.messages
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(|(topic, _)| topic.starts_with(prefix))
            .filter(|(topic, _)| topic_matches(filter, topic))
            .map(|(_, message)| message.clone())
            .collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }
}
