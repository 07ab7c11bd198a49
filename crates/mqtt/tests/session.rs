//! What a caller sees of a session: requests in, bytes and events out, in virtual time.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::*;
use core::time::Duration;
use mqtt::{
    ConnectCode, Packet, PacketId, QoS, Session, SessionConfig, SessionError, State, Version,
};

const DEFAULT: fn() -> SessionConfig = SessionConfig::default;

#[test]
fn connect_waits_for_connack_and_then_publishes() {
    let mut client = Client::new(DEFAULT());
    assert_eq!(client.session.state(), State::Idle);
    let early = client
        .session
        .publish(client.now, "t", b"", QoS::AtMostOnce, false);
    assert_eq!(early, Err(SessionError::NotConnected));
    client.session.connect(client.now, &CONNECT).unwrap();
    assert_eq!(client.session.state(), State::Connecting);
    assert_eq!(
        client.session.outgoing(),
        b"\x10\x0f\x00\x04MQTT\x04\x00\x00\x3c\x00\x03dev"
    );
    assert_eq!(
        client.session.connect(client.now, &CONNECT),
        Err(SessionError::AlreadyConnecting)
    );
    client.sent();
    let accepted = connack(false, ConnectCode::Accepted);
    assert_eq!(
        client.receive(&accepted),
        ["connected, session present false"]
    );
    assert_eq!(client.publish(b"hi", QoS::AtMostOnce), None);
    assert_eq!(client.session.outgoing(), b"\x30\x05\x00\x01thi");
    assert_eq!(client.session.in_flight(), 0);
}

#[test]
fn a_refusal_says_why_and_ends_the_session() {
    let mut client = Client::new(DEFAULT());
    client.session.connect(client.now, &CONNECT).unwrap();
    let mut answer = connack(false, ConnectCode::BadCredentials);
    answer.extend(message(QoS::AtMostOnce, 0, b"late"));
    assert_eq!(
        client.receive(&answer),
        ["refused: bad user name or password"]
    );
    assert_eq!(client.session.state(), State::Closed);
    assert_eq!(client.session.next_deadline(), None);
}

#[test]
fn qos_1_out_is_published_when_puback_comes() {
    let mut client = Client::connected(DEFAULT());
    assert_eq!(client.publish(b"hi", QoS::AtLeastOnce), Some(id(1)));
    assert_eq!(client.session.outgoing(), b"\x32\x07\x00\x01t\x00\x01hi");
    client.sent();
    assert_eq!(client.session.in_flight(), 1);
    assert_eq!(client.receive(b"\x40\x02\x00\x01"), ["published 1 q1"]);
    assert_eq!(client.session.in_flight(), 0);
}

#[test]
fn qos_2_out_takes_its_four_steps() {
    let mut client = Client::connected(DEFAULT());
    client.publish(b"hi", QoS::ExactlyOnce);
    assert_eq!(client.sent(), ["PUBLISH q2 id 1 \"t\" 2 bytes"]);
    assert_eq!(client.receive(b"\x50\x02\x00\x01"), ["received 1"]);
    assert_eq!(client.session.outgoing(), b"\x62\x02\x00\x01");
    client.sent();
    // PUBREC once more: PUBREL once more, and no second event.
    assert!(client.receive(b"\x50\x02\x00\x01").is_empty());
    assert_eq!(client.sent(), ["PUBREL id 1"]);
    assert_eq!(client.receive(b"\x70\x02\x00\x01"), ["published 1 q2"]);
    assert_eq!(client.session.in_flight(), 0);
}

#[test]
fn qos_0_and_1_in_are_delivered_and_qos_1_is_acknowledged() {
    let mut client = Client::connected(DEFAULT());
    let mut bytes = message(QoS::AtMostOnce, 0, b"zero");
    bytes.extend(message(QoS::AtLeastOnce, 7, b"one"));
    assert_eq!(
        client.receive(&bytes),
        [
            "message q0 id 0 t 0..4/4 zero",
            "message q1 id 7 t 0..3/3 one"
        ]
    );
    assert_eq!(client.session.outgoing(), b"\x40\x02\x00\x07");
}

#[test]
fn qos_2_in_is_delivered_once_until_it_is_released() {
    let mut client = Client::connected(DEFAULT());
    let first = message(QoS::ExactlyOnce, 7, b"two");
    let mut again = first.clone();
    again[0] |= 8;
    assert_eq!(client.receive(&first), ["message q2 id 7 t 0..3/3 two"]);
    assert_eq!(client.sent(), ["PUBREC id 7"]);
    assert!(client.receive(&again).is_empty());
    assert_eq!(client.sent(), ["PUBREC id 7"]);
    assert!(client.receive(b"\x62\x02\x00\x07").is_empty());
    assert_eq!(client.sent(), ["PUBCOMP id 7"]);
    // Released: the same identifier is a new message now.
    assert_eq!(client.receive(&first), ["message q2 id 7 t 0..3/3 two"]);
}

#[test]
fn a_release_of_an_unknown_identifier_is_completed_all_the_same() {
    let mut client = Client::connected(DEFAULT());
    client.receive(b"\x62\x02\x00\x09");
    assert_eq!(client.sent(), ["PUBCOMP id 9"]);
}

#[test]
fn subscribe_and_unsubscribe_return_what_the_server_said() {
    let mut client = Client::connected(DEFAULT());
    let filters = [("a/+", QoS::AtLeastOnce), ("b", QoS::ExactlyOnce)];
    let subscribed = client.session.subscribe(client.now, None, &filters);
    assert_eq!(subscribed, Ok(id(1)));
    assert_eq!(client.sent(), ["SUBSCRIBE id 1 \"a/+\" q1 \"b\" q2"]);
    assert_eq!(
        client.receive(&suback(1, &[1, 0x80])),
        ["subscribed 1 [1, 128]"]
    );
    let gone = client.session.unsubscribe(client.now, None, &["b"]);
    assert_eq!(gone, Ok(id(2)));
    assert_eq!(client.sent(), ["UNSUBSCRIBE id 2 \"b\""]);
    assert_eq!(client.receive(b"\xb0\x02\x00\x02"), ["unsubscribed 2"]);
    assert_eq!(client.session.in_flight(), 0);
}

#[test]
fn bad_topics_are_refused_and_nothing_is_queued() {
    let mut client = Client::connected(DEFAULT());
    let now = client.now;
    let session = &mut client.session;
    let wrong = Err(SessionError::Topic);
    assert_eq!(
        session.publish(now, "a/+", b"", QoS::AtMostOnce, false),
        wrong
    );
    assert_eq!(
        session.publish(now, "", b"", QoS::AtLeastOnce, false),
        wrong
    );
    let wrong = Err(SessionError::Topic);
    assert_eq!(session.subscribe(now, None, &[]), wrong);
    assert_eq!(
        session.subscribe(now, None, &[("a#", QoS::AtMostOnce)]),
        wrong
    );
    assert_eq!(session.unsubscribe(now, None, &[]), wrong);
    assert!(session.outgoing().is_empty());
    assert_eq!(session.in_flight(), 0);
}

#[test]
fn acknowledgements_of_nothing_are_reported_and_do_no_harm() {
    let mut client = Client::connected(DEFAULT());
    client.publish(b"", QoS::AtLeastOnce);
    client.sent();
    let mut bytes = b"\x40\x02\x00\x05\x70\x02\x00\x01\xb0\x02\x00\x01\x50\x02\x00\x06".to_vec();
    bytes.extend(suback(1, &[0]));
    assert_eq!(
        client.receive(&bytes),
        [
            "ignored PUBACK 5",
            "ignored PUBCOMP 1",
            "ignored UNSUBACK 1",
            "ignored PUBREC 6",
            "ignored SUBACK 1"
        ]
    );
    assert_eq!(client.sent(), ["PUBREL id 6"]);
    assert_eq!(client.receive(b"\x40\x02\x00\x01"), ["published 1 q1"]);
}

#[test]
fn what_was_in_flight_goes_out_again_in_order_on_the_next_link() {
    let mut client = Client::connected(DEFAULT());
    client.publish(b"one", QoS::AtLeastOnce);
    client.publish(b"two", QoS::ExactlyOnce);
    client.publish(b"three", QoS::ExactlyOnce);
    client.sent();
    client.receive(b"\x50\x02\x00\x02");
    client.session.link_lost();
    assert_eq!(client.session.state(), State::Idle);
    assert_eq!(client.session.in_flight(), 3);
    assert_eq!(
        client.connect(&CONNECT, true),
        [
            "PUBLISH q1 id 1 dup \"t\" 3 bytes",
            "PUBREL id 2",
            "PUBLISH q2 id 3 dup \"t\" 5 bytes"
        ]
    );
    assert_eq!(
        client.receive(b"\x40\x02\x00\x01\x70\x02\x00\x02\x50\x02\x00\x03\x70\x02\x00\x03"),
        [
            "published 1 q1",
            "published 2 q2",
            "received 3",
            "published 3 q2"
        ]
    );
}

#[test]
fn a_resumed_session_still_knows_the_qos_2_messages_that_it_delivered() {
    let mut client = Client::connected(DEFAULT());
    let mut bytes = message(QoS::ExactlyOnce, 7, b"two");
    client.receive(&bytes);
    client.session.link_lost();
    client.connect(&CONNECT, true);
    bytes[0] |= 8;
    assert!(client.receive(&bytes).is_empty());
    assert_eq!(client.sent(), ["PUBREC id 7"]);
}

#[test]
fn a_server_that_forgot_the_session_may_reuse_its_identifiers() {
    let mut client = Client::connected(DEFAULT());
    let bytes = message(QoS::ExactlyOnce, 7, b"two");
    client.receive(&bytes);
    client.session.link_lost();
    client.connect(&CONNECT, false);
    assert_eq!(client.receive(&bytes), ["message q2 id 7 t 0..3/3 two"]);
}

#[test]
fn a_clean_session_forgets_what_was_in_flight() {
    let mut client = Client::new(DEFAULT());
    let clean = mqtt::Connect {
        clean_session: true,
        ..CONNECT
    };
    client.connect(&clean, false);
    client.publish(b"one", QoS::AtLeastOnce);
    client.session.link_lost();
    assert_eq!(client.session.in_flight(), 0);
    assert!(client.connect(&clean, false).is_empty());
}

#[test]
fn a_clean_connect_forgets_the_session_before_it() {
    let mut client = Client::connected(DEFAULT());
    client.publish(b"one", QoS::AtLeastOnce);
    client.session.link_lost();
    let clean = mqtt::Connect {
        clean_session: true,
        ..CONNECT
    };
    assert!(client.connect(&clean, false).is_empty());
    assert_eq!(client.session.in_flight(), 0);
}

#[test]
fn reset_forgets_everything() {
    let mut client = Client::connected(DEFAULT());
    client.publish(b"one", QoS::AtLeastOnce);
    client.session.reset();
    assert_eq!(client.session.state(), State::Idle);
    assert!(client.session.outgoing().is_empty());
    assert!(client.connect(&CONNECT, false).is_empty());
    assert_eq!(client.publish(b"", QoS::AtLeastOnce), Some(id(1)));
}

#[test]
fn half_a_packet_dies_with_its_link() {
    let mut client = Client::connected(DEFAULT());
    client.receive(b"\x30\x05\x00");
    client.session.link_lost();
    client.connect(&CONNECT, true);
    let bytes = message(QoS::AtMostOnce, 0, b"x");
    assert_eq!(client.receive(&bytes), ["message q0 id 0 t 0..1/1 x"]);
}

#[test]
fn pingreq_goes_out_when_nothing_was_sent_for_the_keep_alive() {
    let mut client = Client::connected(DEFAULT());
    assert!(client.wait(59).is_empty());
    assert!(client.session.outgoing().is_empty());
    assert_eq!(client.wait(1), ["ping sent"]);
    assert_eq!(client.session.outgoing(), b"\xc0\x00");
    client.sent();
    assert_eq!(client.receive(b"\xd0\x00"), ["ping answered"]);
    // Sending anything else puts the next one off; receiving does not.
    assert!(client.wait(50).is_empty());
    client.publish(b"", QoS::AtMostOnce);
    client.receive(&message(QoS::AtMostOnce, 0, b""));
    assert!(client.wait(59).is_empty());
    assert_eq!(client.wait(1), ["ping sent"]);
}

#[test]
fn a_server_that_answers_no_ping_is_lost() {
    let config = SessionConfig {
        ping_timeout: Duration::from_secs(5),
        ping_attempts: 2,
        ..DEFAULT()
    };
    let mut client = Client::connected(config);
    assert_eq!(client.wait(60), ["ping sent"]);
    assert!(client.wait(4).is_empty());
    assert_eq!(client.wait(1), ["ping sent"]);
    assert_eq!(client.wait(5), ["ping lost"]);
    assert_eq!(client.session.state(), State::Closed);
    assert!(client.wait(1_000).is_empty());
}

#[test]
fn no_keep_alive_means_no_deadline() {
    let mut client = Client::new(DEFAULT());
    let off = mqtt::Connect {
        keep_alive: 0,
        ..CONNECT
    };
    client.connect(&off, false);
    assert_eq!(client.session.next_deadline(), None);
    assert!(client.wait(1_000_000).is_empty());
}

#[test]
fn the_deadline_is_exactly_when_something_happens() {
    let config = SessionConfig {
        retry: Some(Duration::from_secs(7)),
        attempts: 3,
        ..DEFAULT()
    };
    let mut client = Client::connected(config);
    client.publish(b"x", QoS::AtLeastOnce);
    let mut happened = Vec::new();
    while client.session.state() == State::Connected {
        let deadline = client.session.next_deadline().unwrap();
        assert!(deadline > client.now, "a deadline in the past would spin");
        client.now = deadline;
        let events = client.wait(0);
        assert!(!events.is_empty(), "woken for nothing at {deadline}");
        happened.extend(events);
        client.sent();
    }
    assert_eq!(
        happened,
        [
            "retransmitted 1 x2",
            "retransmitted 1 x3",
            "timed out 1",
            "ping sent",
            "ping lost"
        ]
    );
}

#[test]
fn repetitions_carry_dup_and_stop_when_acknowledged() {
    let config = SessionConfig {
        retry: Some(Duration::from_secs(10)),
        attempts: 3,
        ..DEFAULT()
    };
    let mut client = Client::connected(config);
    client.publish(b"x", QoS::ExactlyOnce);
    client
        .session
        .subscribe(client.now, None, &[("f", QoS::AtMostOnce)])
        .unwrap();
    client.sent();
    assert_eq!(
        client.wait(10),
        ["retransmitted 1 x2", "retransmitted 2 x2"]
    );
    assert_eq!(
        client.sent(),
        [
            "PUBLISH q2 id 1 dup \"t\" 1 bytes",
            "SUBSCRIBE id 2 \"f\" q0"
        ]
    );
    client.receive(b"\x50\x02\x00\x01");
    client.receive(&suback(2, &[0]));
    assert_eq!(client.sent(), ["PUBREL id 1"]);
    assert_eq!(client.wait(10), ["retransmitted 1 x2"]);
    assert_eq!(client.sent(), ["PUBREL id 1"]);
    client.receive(b"\x70\x02\x00\x01");
    assert!(client.wait(10).is_empty());
}

#[test]
fn packet_identifiers_are_reused_in_turn_and_never_while_in_flight() {
    let config = SessionConfig {
        max_in_flight: 3,
        ..DEFAULT()
    };
    let mut client = Client::connected(config);
    let now = client.now;
    let last = PacketId::new(65_535);
    let taken = client
        .session
        .publish_with_id(now, last, "t", b"", QoS::AtLeastOnce, false);
    assert_eq!(taken, Ok(last));
    let again = client
        .session
        .publish_with_id(now, last, "t", b"", QoS::AtLeastOnce, false);
    assert_eq!(again, Err(SessionError::PacketIdInUse));
    let again = client
        .session
        .subscribe(now, last, &[("f", QoS::AtMostOnce)]);
    assert_eq!(again, Err(SessionError::PacketIdInUse));
    assert_eq!(client.publish(b"", QoS::AtLeastOnce), Some(id(1)));
    assert_eq!(client.publish(b"", QoS::AtLeastOnce), Some(id(2)));
    let full = client
        .session
        .publish(now, "t", b"", QoS::AtLeastOnce, false);
    assert_eq!(full, Err(SessionError::InFlightFull));
    client.receive(b"\x40\x02\x00\x01");
    assert_eq!(client.publish(b"", QoS::AtLeastOnce), Some(id(3)));
}

#[test]
fn thousands_can_be_in_flight_and_then_no_more() {
    let config = SessionConfig {
        max_in_flight: 2_000,
        ..DEFAULT()
    };
    let mut client = Client::connected(config);
    for number in 1..=2_000 {
        assert_eq!(client.publish(b"", QoS::AtLeastOnce), PacketId::new(number));
    }
    let full = client
        .session
        .publish(client.now, "t", b"", QoS::AtLeastOnce, false);
    assert_eq!(full, Err(SessionError::InFlightFull));
    client.receive(b"\x40\x02\x04\x00");
    assert_eq!(client.publish(b"", QoS::AtLeastOnce), PacketId::new(2_001));
    assert_eq!(client.session.in_flight(), 2_000);
}

#[test]
fn a_large_message_arrives_in_parts_of_one_size() {
    let config = SessionConfig {
        max_packet: 64,
        ..DEFAULT()
    };
    let mut client = Client::connected(config);
    let payload: Vec<u8> = (b'a'..=b'z').cycle().take(150).collect();
    let bytes = message(QoS::AtLeastOnce, 7, &payload);
    let text = |range: core::ops::Range<usize>| String::from_utf8(payload[range].to_vec()).unwrap();
    let parts = [
        format!("message q1 id 7 t 0..64/150 {}", text(0..64)),
        format!("message q1 id 7 t 64..128/150 {}", text(64..128)),
        format!("message q1 id 7 t 128..150/150 {}", text(128..150)),
    ];
    assert_eq!(client.receive(&bytes), parts);
    assert_eq!(client.sent(), ["PUBACK id 7"]);
    let mut events = Vec::new();
    for byte in &bytes {
        assert!(
            client.session.outgoing().is_empty(),
            "acknowledged too early"
        );
        events.extend(client.receive(core::slice::from_ref(byte)));
    }
    assert_eq!(events, parts);
    assert_eq!(client.sent(), ["PUBACK id 7"]);
}

#[test]
fn a_large_qos_2_message_is_delivered_once() {
    let config = SessionConfig {
        max_packet: 64,
        ..DEFAULT()
    };
    let mut client = Client::connected(config);
    let mut bytes = message(QoS::ExactlyOnce, 7, &[b'x'; 100]);
    assert_eq!(client.receive(&bytes).len(), 2);
    bytes[0] |= 8;
    assert!(client.receive(&bytes).is_empty());
    assert_eq!(client.sent(), ["PUBREC id 7", "PUBREC id 7"]);
}

#[test]
fn a_large_message_cut_off_by_the_link_comes_again_from_its_start() {
    let config = SessionConfig {
        max_packet: 64,
        ..DEFAULT()
    };
    let mut client = Client::connected(config);
    let bytes = message(QoS::ExactlyOnce, 7, &[b'x'; 100]);
    assert_eq!(client.receive(&bytes[..90]).len(), 1);
    client.session.link_lost();
    client.connect(&CONNECT, true);
    assert_eq!(client.receive(&bytes).len(), 2);
    assert_eq!(client.sent(), ["PUBREC id 7"]);
}

#[test]
fn a_large_packet_that_is_no_message_is_refused_from_its_header() {
    let config = SessionConfig {
        max_packet: 64,
        ..DEFAULT()
    };
    let mut client = Client::connected(config);
    assert_eq!(
        client.receive(b"\x90\xff\xff\xff\x7f"),
        ["failed: packet too large"]
    );
    let mut client = Client::connected(config);
    assert_eq!(
        client.receive(b"\x30\xff\xff\xff\x7f\xff\xff"),
        ["failed: packet too large"]
    );
}

#[test]
fn a_breach_of_protocol_is_told_once_and_nothing_follows() {
    for (bytes, why) in [
        (
            &b"\x32\x06\x00\x01a\x00\x00y"[..],
            "malformed packet: packet identifier 0",
        ),
        (
            b"\x30\xff\xff\xff\xff\x01",
            "malformed packet: remaining length does not end",
        ),
        (
            b"\x00\x00",
            "malformed packet: packet type 0 does not exist",
        ),
        (b"\x20\x02\x00\x00", "unexpected CONNACK"),
        (b"\xc0\x00", "unexpected PINGREQ"),
        (b"\xe0\x00", "unexpected DISCONNECT"),
        (
            b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\x00\x00",
            "unexpected CONNECT",
        ),
    ] {
        let mut client = Client::connected(DEFAULT());
        let mut stream = bytes.to_vec();
        stream.extend(message(QoS::AtLeastOnce, 7, b"late"));
        assert_eq!(client.receive(&stream), [format!("failed: {why}")]);
        assert_eq!(client.session.state(), State::Closed);
        assert!(client.receive(&stream).is_empty());
        assert!(client.session.outgoing().is_empty());
        assert_eq!(client.session.next_deadline(), None);
        client.session.link_lost();
        client.connect(&CONNECT, false);
    }
}

#[test]
fn a_server_that_speaks_before_connack_breaks_the_protocol() {
    let mut client = Client::new(DEFAULT());
    client.session.connect(client.now, &CONNECT).unwrap();
    let bytes = message(QoS::AtMostOnce, 0, b"");
    assert_eq!(client.receive(&bytes), ["failed: unexpected PUBLISH"]);
}

#[test]
fn disconnect_is_the_last_thing_sent() {
    let mut client = Client::connected(DEFAULT());
    client.session.disconnect(client.now);
    assert_eq!(client.session.outgoing(), b"\xe0\x00");
    client.sent();
    assert!(
        client
            .receive(&message(QoS::AtLeastOnce, 7, b""))
            .is_empty()
    );
    let late = client
        .session
        .publish(client.now, "t", b"", QoS::AtMostOnce, false);
    assert_eq!(late, Err(SessionError::NotConnected));
    assert!(client.session.outgoing().is_empty());
}

#[test]
fn bytes_may_go_out_in_any_portions() {
    let mut client = Client::connected(DEFAULT());
    client.publish(b"one", QoS::AtMostOnce);
    let mut wire = Vec::new();
    for round in 0..3 {
        let first = client.session.outgoing()[0];
        wire.push(first);
        client.session.sent(1);
        client.publish(&[b'0' + round], QoS::AtMostOnce);
    }
    wire.extend(client.session.outgoing());
    client.session.sent(usize::MAX);
    assert!(client.session.outgoing().is_empty());
    assert_eq!(packets(&wire).len(), 4);
}

#[test]
fn mqtt_3_1_is_named_in_connect() {
    let mut session = Session::new(DEFAULT());
    let old = mqtt::Connect {
        version: Version::V31,
        ..CONNECT
    };
    session.connect(instant::Instant::ZERO, &old).unwrap();
    assert_eq!(
        session.outgoing(),
        b"\x10\x11\x00\x06MQIsdp\x03\x00\x00\x3c\x00\x03dev"
    );
    assert!(Packet::decode(session.outgoing()).is_ok());
}
