//! A session under test: what the server sends, as bytes, and what comes of it, as lines.

#![allow(dead_code, reason = "each test file uses its own part")]

use core::time::Duration;
use instant::Instant;
use mqtt::{
    Connack, Connect, ConnectCode, Event, Packet, PacketId, Publish, QoS, Session, SessionConfig,
    Suback,
};

pub(crate) const CONNECT: Connect<'static> = Connect {
    version: mqtt::Version::V311,
    clean_session: false,
    keep_alive: 60,
    client_id: "dev",
    will: None,
    username: None,
    password: None,
};

pub(crate) struct Client {
    pub(crate) session: Session,
    pub(crate) now: Instant,
}

impl Client {
    /// On an open link, before CONNECT.
    pub(crate) fn new(config: SessionConfig) -> Self {
        Self {
            session: Session::new(config),
            now: Instant::ZERO,
        }
    }

    /// Connected as [`CONNECT`] says, with everything sent.
    pub(crate) fn connected(config: SessionConfig) -> Self {
        let mut client = Self::new(config);
        client.connect(&CONNECT, false);
        client
    }

    /// Sends CONNECT and lets the server accept. Returns what the client sends then.
    pub(crate) fn connect(&mut self, connect: &Connect<'_>, session_present: bool) -> Vec<String> {
        self.session.connect(self.now, connect).unwrap();
        assert_eq!(self.sent(), [Packet::Connect(*connect).to_string()]);
        let events = self.receive(&connack(session_present, ConnectCode::Accepted));
        assert_eq!(
            events,
            [format!("connected, session present {session_present}")]
        );
        self.sent()
    }

    pub(crate) fn receive(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        let on = &mut |event: Event<'_>| lines.push(line(&event));
        self.session.receive(self.now, bytes, on);
        lines
    }

    /// `seconds` later.
    pub(crate) fn wait(&mut self, seconds: u64) -> Vec<String> {
        self.now += Duration::from_secs(seconds);
        let mut lines = Vec::new();
        let on = &mut |event: Event<'_>| lines.push(line(&event));
        self.session.advance(self.now, on);
        lines
    }

    pub(crate) fn publish(&mut self, payload: &[u8], qos: QoS) -> Option<PacketId> {
        self.session
            .publish(self.now, "t", payload, qos, false)
            .unwrap()
    }

    /// The packets that wait to be sent, which are then sent.
    pub(crate) fn sent(&mut self) -> Vec<String> {
        let bytes = self.session.outgoing().to_vec();
        self.session.sent(bytes.len());
        assert!(self.session.outgoing().is_empty());
        packets(&bytes)
    }
}

/// The packets of a byte stream, a line each.
pub(crate) fn packets(mut bytes: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some(length) = mqtt::frame_length(bytes).unwrap() {
        let (frame, rest) = bytes.split_at(length.total());
        lines.push(Packet::decode(frame).unwrap().to_string());
        bytes = rest;
    }
    assert_eq!(bytes, b"");
    lines
}

/// An event as a line.
pub(crate) fn line(event: &Event<'_>) -> String {
    match event {
        Event::Connected { session_present } => {
            format!("connected, session present {session_present}")
        }
        Event::Refused(code) => format!("refused: {code}"),
        Event::Message {
            topic,
            payload,
            offset,
            total,
            qos,
            retain,
            dup,
            id,
        } => {
            let id = id.map_or(0, PacketId::get);
            let end = offset + payload.len();
            let dup = if *dup { " dup" } else { "" };
            let retain = if *retain { " retain" } else { "" };
            let text = String::from_utf8_lossy(payload);
            format!(
                "message q{} id {id}{dup}{retain} {topic} {offset}..{end}/{total} {text}",
                qos.level()
            )
        }
        Event::Received { id } => format!("received {}", id.get()),
        Event::Published { id, qos } => format!("published {} q{}", id.get(), qos.level()),
        Event::Subscribed { id, codes } => format!("subscribed {} {codes:?}", id.get()),
        Event::Unsubscribed { id } => format!("unsubscribed {}", id.get()),
        Event::Retransmitted { id, attempt } => format!("retransmitted {} x{attempt}", id.get()),
        Event::TimedOut { id } => format!("timed out {}", id.get()),
        Event::PingSent => "ping sent".into(),
        Event::PingAnswered => "ping answered".into(),
        Event::PingLost => "ping lost".into(),
        Event::Ignored { packet, id } => format!("ignored {packet} {}", id.get()),
        Event::Failed(error) => format!("failed: {error}"),
    }
}

pub(crate) fn id(number: u16) -> PacketId {
    PacketId::new(number).unwrap()
}

pub(crate) fn bytes(packet: &Packet<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    packet.append_to(&mut out).unwrap();
    out
}

pub(crate) fn connack(session_present: bool, code: ConnectCode) -> Vec<u8> {
    bytes(&Packet::Connack(Connack {
        session_present,
        code,
    }))
}

pub(crate) fn suback(number: u16, codes: &[u8]) -> Vec<u8> {
    let id = id(number);
    bytes(&Packet::Suback(Suback { id, codes }))
}

/// PUBLISH on topic `t`; `number` 0 for none.
pub(crate) fn message(qos: QoS, number: u16, payload: &[u8]) -> Vec<u8> {
    bytes(&Packet::Publish(Publish {
        dup: false,
        qos,
        retain: false,
        topic: "t",
        id: PacketId::new(number),
        payload,
    }))
}
