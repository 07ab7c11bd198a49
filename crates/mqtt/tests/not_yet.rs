//! What a caller may expect and does not get yet. A test that is ignored says what it costs meanwhile.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::*;
use core::time::Duration;
use mqtt::{Connect, QoS, SessionConfig, State, Version};

#[test]
#[ignore = "a message is acknowledged and never delivered: its identifier is known from the last link"]
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
#[ignore = "the link is given up after the keep alive, however long the ping time-out was set"]
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
#[ignore = "one large read counts as a server that does not read, before anything could be sent to it"]
fn one_large_read_of_small_messages_is_no_breach() {
    let mut client = Client::connected(SessionConfig::default());
    let bytes = message(QoS::AtLeastOnce, 7, b"").repeat(17_000);
    assert_eq!(client.receive(&bytes).len(), 17_000);
    assert_eq!(client.session.state(), State::Connected);
}
