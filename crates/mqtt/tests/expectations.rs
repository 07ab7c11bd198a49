//! What else a caller may expect.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::*;
use core::time::Duration;
use mqtt::{Connect, Packet, Publish, QoS, Session, SessionConfig, State, Version, Will};

#[test]
fn answers_to_a_server_that_does_not_read_are_bounded() {
    let mut client = Client::connected(SessionConfig::default());
    let flood = message(QoS::AtLeastOnce, 7, b"").repeat(10_000);
    for _ in 0..20 {
        client.receive(&flood);
    }
    assert!(client.session.outgoing().len() < 128 * 1024);
}

#[test]
fn mqtt_3_1_delivers_qos_2_once_across_links() {
    let old = Connect {
        version: Version::V31,
        ..CONNECT
    };
    let mut client = Client::new(SessionConfig::default());
    client.connect(&old, false);
    let mut bytes = message(QoS::ExactlyOnce, 7, b"two");
    assert_eq!(client.receive(&bytes).len(), 1);
    client.session.link_lost();
    client.connect(&old, false);
    bytes[0] |= 8;
    assert!(client.receive(&bytes).is_empty());
}

#[test]
fn what_decode_refuses_is_not_encoded() {
    let publish = Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: "t",
        id: None,
        payload: b"payload",
    };
    let qos = QoS::AtLeastOnce;
    for wrong in [
        Publish { qos, ..publish },
        Publish {
            id: Some(id(1)),
            ..publish
        },
        Publish {
            dup: true,
            ..publish
        },
        Publish {
            topic: "a/#",
            ..publish
        },
        Publish {
            topic: "",
            ..publish
        },
    ] {
        let mut out = Vec::new();
        let written = Packet::Publish(wrong).append_to(&mut out);
        assert!(written.is_err(), "{wrong:?} as {:?}", Packet::decode(&out));
    }
}

#[test]
fn a_connect_that_no_server_takes_is_refused_at_once() {
    let will = Will {
        topic: "a/#",
        payload: b"",
        qos: QoS::AtMostOnce,
        retain: false,
    };
    for wrong in [
        Connect {
            will: Some(will),
            ..CONNECT
        },
        Connect {
            client_id: "a\0b",
            ..CONNECT
        },
        Connect {
            username: Some("\0"),
            ..CONNECT
        },
        Connect {
            password: Some(b"x"),
            ..CONNECT
        },
    ] {
        let mut session = Session::new(SessionConfig::default());
        assert!(
            session.connect(instant::Instant::ZERO, &wrong).is_err(),
            "{wrong:?}"
        );
    }
}

#[test]
fn mqtt_3_1_may_set_dup_on_a_repeated_request_and_leave_out_an_announced_user_name() {
    // MQTT 3.1 §3.8: DUP of SUBSCRIBE; §3.1: the remaining length takes precedence over the user name flag.
    assert!(Packet::decode_as(Version::V31, b"\x8a\x06\x00\x01\x00\x01a\x00").is_ok());
    assert!(Packet::decode(b"\x10\x0f\x00\x06MQIsdp\x03\x82\x00\x0a\x00\x01x").is_ok());
}

#[test]
fn a_suback_has_a_code_for_each_filter() {
    // [MQTT-3.8.4-5]
    let mut client = Client::connected(SessionConfig::default());
    let filters = [("a", QoS::AtMostOnce), ("b", QoS::AtMostOnce)];
    client
        .session
        .subscribe(client.now, None, &filters)
        .unwrap();
    client.sent();
    assert!(client.receive(&suback(1, &[0]))[0].starts_with("failed"));
}

#[test]
fn silence_is_never_longer_than_the_keep_alive() {
    // §3.1.2.10. With the default ping time-out of 20 s a server gives up after 15 s.
    let config = SessionConfig {
        ping_attempts: 3,
        ..SessionConfig::default()
    };
    let mut client = Client::new(config);
    let short = Connect {
        keep_alive: 10,
        ..CONNECT
    };
    client.connect(&short, false);
    assert_eq!(client.wait(10), ["ping sent"]);
    client.sent();
    assert_eq!(client.wait(10), ["ping sent"]);
}

#[test]
fn a_new_link_has_its_own_attempts() {
    let config = SessionConfig {
        retry: Some(Duration::from_secs(10)),
        attempts: 2,
        ..SessionConfig::default()
    };
    let mut client = Client::connected(config);
    client.publish(b"x", QoS::AtLeastOnce);
    client.session.link_lost();
    client.connect(&CONNECT, true);
    assert_eq!(client.wait(10), ["retransmitted 1 x2"]);
}

#[test]
fn disconnect_of_nothing_does_nothing() {
    let mut session = Session::new(SessionConfig::default());
    session.disconnect(instant::Instant::ZERO);
    assert_eq!(session.state(), State::Idle);
}

#[test]
fn mqtt_3_1_delivers_a_new_qos_2_message_of_a_server_that_forgot_the_session() {
    let old = Connect {
        version: Version::V31,
        ..CONNECT
    };
    let mut client = Client::new(SessionConfig::default());
    client.connect(&old, false);
    client.receive(&message(QoS::ExactlyOnce, 7, b"two"));
    client.session.link_lost();
    client.connect(&old, false);
    // Without DUP it is no repetition; with DUP it would be one.
    let new = message(QoS::ExactlyOnce, 7, b"new");
    assert_eq!(client.receive(&new), ["message q2 id 7 t 0..3/3 new"]);
}

#[test]
fn the_last_pingreq_has_the_whole_ping_timeout() {
    let config = SessionConfig {
        ping_timeout: Duration::from_secs(20),
        ping_attempts: 1,
        ..SessionConfig::default()
    };
    let mut client = Client::new(config);
    let short = Connect {
        keep_alive: 5,
        ..CONNECT
    };
    client.connect(&short, false);
    assert_eq!(client.wait(5), ["ping sent"]);
    client.sent();
    assert!(client.wait(19).is_empty());
    assert_eq!(client.wait(1), ["ping lost"]);
}

#[test]
fn one_large_read_of_small_messages_is_no_breach() {
    let mut client = Client::connected(SessionConfig::default());
    let bytes = message(QoS::AtLeastOnce, 7, b"").repeat(17_000);
    assert_eq!(client.receive(&bytes).len(), 17_000);
    assert_eq!(client.session.state(), State::Connected);
}
