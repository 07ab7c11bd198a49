//! CONNECT, its answers and its limits; what ends a connection.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use broker::{CloseReason, Config, Event};
use common::*;
use mqtt::{Connect, ConnectCode, Packet, Version};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn both_versions_are_let_in() {
    let mut bench = Bench::default();
    for (packet, version) in [
        (
            b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a".as_slice(),
            Version::V311,
        ),
        (
            b"\x10\x0f\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x01b",
            Version::V31,
        ),
    ] {
        let conn = bench.accept();
        bench.send_bytes(conn, packet);
        assert_eq!(bench.take(conn), ACCEPTED);
        let connected = bench.events.pop().unwrap();
        assert!(
            matches!(connected, Event::Connected { version: named, keep_alive: 60, clean_session: true, .. } if named == version)
        );
    }
}

#[test]
fn a_packet_may_come_in_any_slices() {
    let mut bench = Bench::default();
    let conn = bench.accept();
    for byte in b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01a\xc0\x00\xc0\x00" {
        bench.send_bytes(conn, &[*byte]);
    }
    assert_eq!(bench.take(conn), b"\x20\x02\x00\x00\xd0\x00\xd0\x00");
}

#[test]
fn a_version_that_is_not_spoken_here_is_answered_and_closed() {
    let mut bench = Bench::default();
    for packet in [
        // MQTT 5, with its properties.
        b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x01a".as_slice(),
        // Mosquitto's bridge.
        b"\x10\x0f\x00\x06MQIsdp\x83\x02\x00\x3c\x00\x01b",
    ] {
        let conn = bench.accept();
        bench.send_bytes(conn, packet);
        assert_eq!(bench.take(conn), b"\x20\x02\x00\x01");
        assert_eq!(bench.closed(conn), Some(CloseReason::Refused));
    }
}

#[test]
fn another_protocol_is_closed_without_an_answer() {
    let mut bench = Bench::default();
    for bytes in [
        b"\x10\x0d\x00\x04MQTX\x04\x02\x00\x3c\x00\x01a".as_slice(),
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"AT+CGATT?\r",
    ] {
        let conn = bench.accept();
        bench.send_bytes(conn, bytes);
        assert_eq!(bench.take(conn), b"", "{}", bytes.escape_ascii());
        assert!(bench.closed(conn).is_some(), "{}", bytes.escape_ascii());
    }
}

/// A connection could hold [`Config::max_packet`] bytes of anything at all, before it had said who it was.
#[test]
fn what_does_not_begin_with_connect_is_closed_at_its_first_byte() {
    let mut bench = Bench::default();
    let conn = bench.accept();
    bench.send_bytes(conn, b"\x30");
    assert_eq!(bench.closed(conn), Some(CloseReason::NotConnect));
}

#[test]
fn a_second_connect_closes_the_connection_and_publishes_the_will() {
    let mut bench = Bench::default();
    let watcher = bench.subscriber("watcher", "gone", Q0);
    let connect = Connect {
        will: will("gone", "a"),
        ..clean("a")
    };
    let conn = bench.connect(&connect, ACCEPTED);
    bench.send(conn, &Packet::Connect(connect));
    assert_eq!(bench.closed(conn), Some(CloseReason::Unexpected("CONNECT")));
    assert_eq!(bench.take(conn), b"");
    assert_eq!(bench.take(watcher), b"\x30\x07\x00\x04gonea");
}

#[test]
fn a_client_without_a_name_gets_one_for_a_clean_session_only() {
    let mut bench = Bench::default();
    let first = bench.client("");
    let second = bench.client("");
    assert_eq!(bench.closed(first), None, "each has a name of its own");
    assert_eq!(bench.closed(second), None);
    for connect in [
        kept(""),
        Connect {
            version: Version::V31,
            ..clean("")
        },
    ] {
        let conn = bench.connect(&connect, b"\x20\x02\x00\x02");
        assert_eq!(bench.closed(conn), Some(CloseReason::Refused));
    }
}

/// Assigned names were counted up without a look at who was there: a client that had chosen `auto-2` lost its link, or its kept
/// session, to a stranger without a name.
#[test]
fn an_assigned_name_is_nobody_elses() {
    let mut bench = Bench::default();
    let anonymous = bench.client("");
    let name = bench.broker.clients().next().unwrap().client_id.to_string();
    bench.cut(anonymous);
    let stem = name.trim_end_matches(|digit: char| digit.is_ascii_digit());
    let taken: Vec<_> = (0..50)
        .map(|number| bench.client(&format!("{stem}{number}")))
        .collect();
    for _ in 0..20 {
        bench.client("");
    }
    for conn in taken {
        assert_eq!(bench.closed(conn), None);
    }
}

#[test]
fn who_is_not_known_is_refused_as_the_configuration_says() {
    let users = [("dev".to_string(), "secret".to_string())];
    for anonymous in [false, true] {
        let mut bench = Bench::new(Config {
            users: users.clone().into(),
            anonymous,
            ..Config::default()
        });
        let without = if anonymous {
            ACCEPTED
        } else {
            b"\x20\x02\x00\x05"
        };
        for (username, password, answer) in [
            (None, None, without),
            (Some("dev"), Some("secret"), ACCEPTED),
            (Some("dev"), Some("secret2"), b"\x20\x02\x00\x04"),
            (Some("dev"), Some(""), b"\x20\x02\x00\x04"),
            (Some("dev"), None, b"\x20\x02\x00\x04"),
            (Some("root"), Some("secret"), b"\x20\x02\x00\x04"),
            (Some(""), Some(""), b"\x20\x02\x00\x04"),
        ] {
            let connect = Connect {
                username,
                password: password.map(str::as_bytes),
                ..clean("a")
            };
            let conn = bench.connect(&connect, answer);
            assert_eq!(bench.closed(conn).is_some(), answer != ACCEPTED);
            bench.cut(conn);
        }
    }
}

#[test]
fn who_is_refused_throws_nobody_out() {
    let mut bench = Bench::new(Config {
        users: [("dev".to_string(), "secret".to_string())].into(),
        ..Config::default()
    });
    let good = Connect {
        username: Some("dev"),
        password: Some(b"secret"),
        ..clean("a")
    };
    let conn = bench.connect(&good, ACCEPTED);
    bench.connect(&clean("a"), b"\x20\x02\x00\x05");
    assert_eq!(bench.closed(conn), None);
    let refused = Event::Refused {
        client_id: "a".into(),
        code: ConnectCode::NotAuthorized,
    };
    assert!(bench.events.contains(&refused));
    assert_eq!(bench.broker.stats().refused, 1);
}

#[test]
fn a_connection_without_connect_is_closed_in_time_however_it_drips() {
    let mut bench = Bench::default();
    let silent = bench.accept();
    let dripping = bench.accept();
    for byte in b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x02" {
        bench.wait(SECOND);
        bench.send_bytes(dripping, &[*byte]);
    }
    bench.wait(Duration::from_micros(999_999));
    assert_eq!(bench.closed(silent), None);
    assert_eq!(bench.closed(dripping), None);
    bench.wait(Duration::from_micros(1));
    assert_eq!(bench.closed(silent), Some(CloseReason::NoConnect));
    assert_eq!(bench.closed(dripping), Some(CloseReason::NoConnect));
    assert_eq!(bench.broker.stats().timeouts, 2);
    assert_eq!(bench.broker.stats().connections, 0);
    assert_eq!(bench.broker.next_deadline(), None);
}

#[test]
fn a_client_may_be_silent_for_one_and_a_half_times_its_keep_alive() {
    let mut bench = Bench::default();
    let connect = Connect {
        keep_alive: 5,
        ..clean("a")
    };
    let conn = bench.connect(&connect, ACCEPTED);
    for packet in [Packet::Pingreq, publish("t", b"", Q0, 0)] {
        bench.wait(Duration::from_micros(7_499_999));
        bench.send(conn, &packet);
    }
    bench.wait(Duration::from_micros(7_499_999));
    assert_eq!(bench.closed(conn), None);
    bench.wait(Duration::from_micros(1));
    assert_eq!(bench.closed(conn), Some(CloseReason::KeepAlive));
    assert_eq!(bench.broker.next_deadline(), None);
}

#[test]
fn what_the_broker_sends_does_not_keep_a_client_alive() {
    let mut bench = Bench::default();
    let connect = Connect {
        keep_alive: 1,
        ..clean("a")
    };
    let conn = bench.connect(&connect, ACCEPTED);
    bench.subscribe(conn, "t", Q0);
    bench.wait(SECOND);
    bench.broker.publish("t", b"x", Q0, false);
    bench.settle();
    bench.wait(SECOND / 2);
    assert_eq!(bench.closed(conn), Some(CloseReason::KeepAlive));
}

#[test]
fn a_client_without_keep_alive_may_be_silent_for_ever() {
    let mut bench = Bench::default();
    let conn = bench.client("a");
    bench.wait(SECOND * 1_000_000);
    assert_eq!(bench.closed(conn), None);
    assert_eq!(bench.broker.next_deadline(), None, "nothing is to be done");
}

#[test]
fn the_second_client_of_a_name_throws_the_first_out() {
    let mut bench = Bench::default();
    let watcher = bench.subscriber("watcher", "gone", Q0);
    let connect = Connect {
        will: will("gone", "first"),
        ..clean("a")
    };
    let first = bench.connect(&connect, ACCEPTED);
    let second = bench.client("a");
    assert_eq!(bench.closed(first), Some(CloseReason::TakenOver));
    assert_eq!(bench.closed(second), None);
    assert_eq!(bench.packets(watcher), ["PUBLISH q0 \"gone\" first"]);
    assert_eq!(bench.broker.stats().sessions, 2);
}

#[test]
fn there_is_a_limit_to_connections_and_a_place_becomes_free() {
    let mut bench = Bench::new(Config {
        max_connections: 2,
        ..Config::default()
    });
    let first = bench.client("a");
    bench.client("b");
    let third = bench.accept();
    assert_eq!(bench.closed(third), Some(CloseReason::TooManyConnections));
    bench.cut(first);
    bench.client("c");
}

#[test]
fn a_connection_that_ends_before_anybody_is_let_in_shows_in_the_trace() {
    let mut bench = Bench::default();
    bench.accept();
    let garbled = bench.accept();
    bench.send_bytes(garbled, b"\x10\x02\x00\x00");
    bench.wait(SECOND * 15);
    let ended: Vec<_> = bench
        .events
        .iter()
        .map(|event| match event {
            Event::Closed { reason } => reason.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        ended,
        [
            "malformed packet: protocol name is neither MQTT nor MQIsdp",
            "no CONNECT in time"
        ]
    );
}

#[test]
fn a_session_is_said_to_be_present_only_where_it_is() {
    let mut bench = Bench::default();
    let conn = bench.connect(&kept("a"), ACCEPTED);
    bench.send(conn, &Packet::Disconnect);
    let conn = bench.connect(&kept("a"), PRESENT);
    bench.send(conn, &Packet::Disconnect);
    // The new session was said to be the old one, since it had its place in the table.
    let conn = bench.connect(&clean("a"), ACCEPTED);
    bench.send(conn, &Packet::Disconnect);
    bench.connect(&kept("a"), ACCEPTED);
    // Also while the other one is online, and over a clean session that is.
    bench.connect(&kept("a"), PRESENT);
    bench.connect(&clean("a"), ACCEPTED);
    bench.connect(&kept("a"), ACCEPTED);
}

#[test]
fn mqtt_3_1_has_no_session_present() {
    let mut bench = Bench::default();
    let connect = Connect {
        version: Version::V31,
        ..kept("a")
    };
    bench.connect(&connect, ACCEPTED);
    bench.connect(&connect, ACCEPTED);
}

#[test]
fn who_breaks_the_protocol_is_thrown_out() {
    for (bytes, why) in [
        (b"\x00\x00".as_slice(), "packet type 0"),
        (b"\xf0\x00", "packet type 15"),
        (b"\x20\x02\x00\x00", "CONNACK from a client"),
        (b"\x90\x03\x00\x01\x00", "SUBACK from a client"),
        (b"\xb0\x02\x00\x01", "UNSUBACK from a client"),
        (b"\xd0\x00", "PINGRESP from a client"),
        (b"\xc1\x00", "PINGREQ with flags"),
        (b"\xc0\x01\x00", "PINGREQ with a body"),
        (b"\xe1\x00", "DISCONNECT with flags"),
        (b"\x60\x02\x00\x01", "PUBREL without its flags"),
        (b"\x40\x02\x00\x00", "PUBACK of identifier 0"),
        (
            b"\x80\x06\x00\x01\x00\x01a\x00",
            "SUBSCRIBE without its flags",
        ),
        (b"\x82\x02\x00\x01", "SUBSCRIBE of nothing"),
        (
            b"\x82\x06\x00\x00\x00\x01a\x00",
            "SUBSCRIBE of identifier 0",
        ),
        (b"\x82\x06\x00\x01\x00\x01a\x03", "SUBSCRIBE with QoS 3"),
        (
            b"\x82\x05\x00\x01\x00\x00\x00",
            "SUBSCRIBE of no characters",
        ),
        (b"\x82\x07\x00\x01\x00\x02a#\x00", "SUBSCRIBE of a#"),
        (b"\x82\x07\x00\x01\x00\x02+a\x00", "SUBSCRIBE of +a"),
        (b"\x82\x08\x00\x01\x00\x03#/a\x00", "SUBSCRIBE of #/a"),
        (b"\xa2\x02\x00\x01", "UNSUBSCRIBE of nothing"),
        (b"\x30\x02\x00\x00", "PUBLISH to no topic"),
        (b"\x30\x03\x00\x01#", "PUBLISH to #"),
        (b"\x30\x05\x00\x03a/+", "PUBLISH to a/+"),
        (b"\x30\x05\x00\x03a\0b", "PUBLISH to a topic with U+0000"),
        (b"\x30\x04\x00\x02\xc3\x28", "PUBLISH to what is not UTF-8"),
        (b"\x36\x05\x00\x01a\x00\x01", "PUBLISH with QoS 3"),
        (b"\x38\x03\x00\x01a", "PUBLISH with DUP and QoS 0"),
        (b"\x32\x05\x00\x01a\x00\x00", "PUBLISH with identifier 0"),
        (b"\x30\x02\x00\x05", "PUBLISH that ends in its topic"),
        (b"\x30\xff\xff\xff\xff", "a length that does not end"),
        (b"\x30\xff\xff\xff\x7f", "a packet of 256 MB"),
    ] {
        let mut bench = Bench::default();
        let watcher = bench.subscriber("watcher", "gone", Q0);
        let connect = Connect {
            will: will("gone", "x"),
            ..clean("a")
        };
        let conn = bench.connect(&connect, ACCEPTED);
        bench.send_bytes(conn, bytes);
        assert!(bench.closed(conn).is_some(), "{why}");
        assert_eq!(bench.take(conn), b"", "{why}");
        assert_eq!(bench.take(watcher), b"\x30\x07\x00\x04gonex", "{why}");
        assert_eq!(bench.broker.stats().violations, 1, "{why}");
        assert_eq!(bench.broker.stats().connections, 1, "{why}");
    }
}

#[test]
fn what_stands_behind_the_breach_is_not_looked_at() {
    let mut bench = Bench::default();
    let watcher = bench.subscriber("watcher", "#", Q0);
    let conn = bench.client("a");
    bench.send_bytes(conn, b"\xf0\x00\x30\x04\x00\x01tx");
    bench.send_bytes(conn, b"\x30\x04\x00\x01tx");
    assert_eq!(bench.take(watcher), b"");
    // Nor what stands behind DISCONNECT.
    let conn = bench.client("a");
    bench.send_bytes(conn, b"\xe0\x00\x30\x04\x00\x01tx");
    assert_eq!(bench.closed(conn), Some(CloseReason::Disconnect));
    assert_eq!(bench.take(watcher), b"");
}

#[test]
fn a_packet_that_is_too_large_ends_the_connection_before_it_has_come() {
    let mut bench = Bench::new(Config {
        max_packet: 100,
        ..Config::default()
    });
    let watcher = bench.subscriber("watcher", "t", Q0);
    let conn = bench.client("a");
    let payload = "x".repeat(95);
    bench.publish(conn, "t", &payload, Q0, 0);
    assert_eq!(bench.take(watcher).len(), 100);
    bench.send_bytes(conn, b"\x30\x63");
    assert_eq!(bench.closed(conn), Some(CloseReason::TooLarge));
}

#[test]
fn a_connection_that_is_over_is_not_mixed_up_with_the_next() {
    let mut bench = Bench::default();
    let old = bench.client("a");
    bench.cut(old);
    let new = bench.accept();
    bench.send_bytes(old, &bytes(&Packet::Connect(clean("b"))));
    bench.cut(old);
    assert_eq!(bench.broker.outgoing(old), b"");
    bench.send(new, &Packet::Connect(clean("c")));
    assert_eq!(bench.take(new), ACCEPTED);
}

#[test]
fn the_bench_throws_clients_out() {
    let mut bench = Bench::default();
    let first = bench.client("a");
    let second = bench.connect(&kept("b"), ACCEPTED);
    assert!(!bench.broker.drop_client("nobody"));
    assert!(bench.broker.drop_client("a"));
    bench.settle();
    assert_eq!(bench.closed(first), Some(CloseReason::Dropped));
    bench.broker.drop_all();
    bench.settle();
    assert_eq!(bench.closed(second), Some(CloseReason::Dropped));
    assert!(!bench.broker.drop_client("b"), "it is offline");
    bench.connect(&kept("b"), PRESENT);
}
