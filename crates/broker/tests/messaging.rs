//! Messages: who gets which, with which QoS, when, and what is kept for whom.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use broker::{CloseReason, Config, Event};
use common::*;
use mqtt::{Connect, Packet};
use proptest::prelude::*;

#[test]
fn a_message_goes_to_who_subscribed_with_the_lesser_qos() {
    let mut bench = Bench::default();
    let sender = bench.client("sender");
    let receivers: Vec<_> = [Q0, Q1, Q2]
        .into_iter()
        .map(|qos| bench.subscriber(&format!("r{}", qos.level()), "a/+", qos))
        .collect();
    let elsewhere = bench.subscriber("elsewhere", "a", Q2);
    for (sent, [zero, one, two]) in [
        (Q0, ["q0", "q0", "q0"]),
        (Q1, ["q0", "q1", "q1"]),
        (Q2, ["q0", "q1", "q2"]),
    ] {
        bench.publish(sender, "a/b", "x", sent, 7);
        if sent == Q2 {
            assert_eq!(bench.take(sender), b"\x50\x02\x00\x07", "PUBREC");
            bench.send(sender, &Packet::Pubrel(id(7)));
            assert_eq!(bench.take(sender), b"\x70\x02\x00\x07", "PUBCOMP");
        } else if sent == Q1 {
            assert_eq!(bench.take(sender), b"\x40\x02\x00\x07", "PUBACK");
        }
        for (conn, wanted) in receivers.iter().zip([zero, one, two]) {
            let lines = bench.packets(*conn);
            assert_eq!(lines.len(), 1, "{lines:?}");
            assert!(
                lines[0].contains(wanted) && lines[0].ends_with(" x"),
                "{lines:?}"
            );
        }
    }
    assert_eq!(bench.take(elsewhere), b"");
}

#[test]
fn a_qos_2_message_that_is_repeated_is_delivered_once() {
    let mut bench = Bench::default();
    let sender = bench.client("sender");
    let receiver = bench.subscriber("receiver", "t", Q0);
    bench.send_bytes(sender, b"\x34\x06\x00\x01t\x00\x09x");
    bench.send_bytes(sender, b"\x3c\x06\x00\x01t\x00\x09x");
    assert_eq!(bench.take(sender), b"\x50\x02\x00\x09\x50\x02\x00\x09");
    bench.send(sender, &Packet::Pubrel(id(9)));
    bench.send(sender, &Packet::Pubrel(id(9)));
    assert_eq!(bench.take(sender), b"\x70\x02\x00\x09\x70\x02\x00\x09");
    assert_eq!(bench.packets(receiver), ["PUBLISH q0 \"t\" x"]);
    // The identifier is free again.
    bench.send_bytes(sender, b"\x34\x06\x00\x01t\x00\x09y");
    assert_eq!(bench.packets(receiver), ["PUBLISH q0 \"t\" y"]);
}

#[test]
fn overlapping_subscriptions_deliver_once_with_the_greatest_qos() {
    let mut bench = Bench::default();
    let sender = bench.client("sender");
    let receiver = bench.subscriber("receiver", "a/#", Q0);
    bench.subscribe(receiver, "a/b", Q1);
    bench.publish(sender, "a/b", "x", Q1, 1);
    assert_eq!(bench.take(receiver), b"\x32\x08\x00\x03a/b\x00\x01x");
}

#[test]
fn what_is_retained_is_sent_to_who_comes_later_until_it_is_cleared() {
    let mut bench = Bench::default();
    let sender = bench.client("sender");
    bench.send(sender, &retained("a/b", b"old", Q0, 0));
    bench.send(sender, &retained("a/b", b"new", Q1, 3));
    let live = bench.subscriber("live", "a/#", Q1);
    assert_eq!(bench.take(live), b"\x33\x0a\x00\x03a/b\x00\x01new");
    bench.send(live, &Packet::Puback(id(1)));
    // Who has subscribed already is sent it as any other message.
    bench.send(sender, &retained("a/b", b"now", Q0, 0));
    assert_eq!(bench.take(live), b"\x30\x08\x00\x03a/bnow");
    bench.send(sender, &retained("a/b", b"", Q0, 0));
    assert_eq!(bench.take(live), b"\x30\x05\x00\x03a/b");
    let late = bench.subscriber("late", "#", Q0);
    assert_eq!(bench.take(late), b"");
    assert_eq!(bench.broker.stats().retained, 0);
}

#[test]
fn a_wildcard_at_the_front_does_not_match_what_begins_with_a_dollar() {
    let mut bench = Bench::default();
    let sender = bench.client("sender");
    let all = bench.subscriber("all", "#", Q0);
    let own = bench.subscriber("own", "$oc/+/x", Q0);
    bench.publish(sender, "$oc/d/x", "1", Q0, 0);
    assert_eq!(bench.take(all), b"");
    assert_eq!(bench.packets(own), ["PUBLISH q0 \"$oc/d/x\" 1"]);
}

#[test]
fn a_kept_session_gets_what_came_while_it_was_away_in_order() {
    let mut bench = Bench::default();
    let sender = bench.client("sender");
    let away = bench.connect(&kept("away"), ACCEPTED);
    bench.subscribe(away, "t", Q2);
    bench.cut(away);
    bench.publish(sender, "t", "0", Q0, 0);
    bench.publish(sender, "t", "1", Q1, 1);
    bench.publish(sender, "t", "2", Q2, 2);
    let back = bench.connect(&kept("away"), PRESENT);
    assert_eq!(
        bench.packets(back),
        ["PUBLISH q1 id 1 \"t\" 1", "PUBLISH q2 id 2 \"t\" 2"],
        "QoS 0 does not wait"
    );
    // What was not acknowledged comes again, marked.
    bench.cut(back);
    let back = bench.connect(&kept("away"), PRESENT);
    let bytes = bench.take(back);
    assert_eq!(bytes[0], 0x3a, "PUBLISH, DUP, QoS 1");
    assert_eq!(&bytes[..8], b"\x3a\x06\x00\x01t\x00\x011");
    assert_eq!(&bytes[8..], b"\x3c\x06\x00\x01t\x00\x022");
    bench.send(back, &Packet::Puback(id(1)));
    bench.send(back, &Packet::Pubrec(id(2)));
    assert_eq!(bench.take(back), b"\x62\x02\x00\x02");
    bench.cut(back);
    let back = bench.connect(&kept("away"), PRESENT);
    assert_eq!(bench.take(back), b"\x62\x02\x00\x02", "PUBREL again");
    bench.send(back, &Packet::Pubcomp(id(2)));
    bench.cut(back);
    let back = bench.connect(&kept("away"), PRESENT);
    assert_eq!(bench.take(back), b"");
}

#[test]
fn no_more_are_in_flight_than_may_be() {
    let mut bench = Bench::new(Config {
        max_in_flight: 2,
        ..Config::default()
    });
    let sender = bench.client("sender");
    let receiver = bench.subscriber("receiver", "t", Q1);
    for n in 1..=4 {
        bench.publish(sender, "t", &n.to_string(), Q1, n);
    }
    assert_eq!(bench.packets(receiver).len(), 2);
    bench.send(receiver, &Packet::Puback(id(1)));
    assert_eq!(bench.packets(receiver), ["PUBLISH q1 id 3 \"t\" 3"]);
}

#[test]
fn a_queue_is_bounded_in_messages_and_in_bytes_and_keeps_the_oldest() {
    for config in [
        Config {
            max_queued: 2,
            ..Config::default()
        },
        Config {
            max_queued_bytes: 2 * 2,
            ..Config::default()
        },
    ] {
        let mut bench = Bench::new(config);
        let sender = bench.client("sender");
        let away = bench.connect(&kept("away"), ACCEPTED);
        bench.subscribe(away, "t", Q1);
        bench.cut(away);
        for n in 1..=4 {
            bench.publish(sender, "t", &n.to_string(), Q1, n);
        }
        assert_eq!(bench.broker.stats().dropped, 2);
        let dropped = Event::Dropped {
            client_id: "away".into(),
            topic: "t".into(),
        };
        assert_eq!(
            bench
                .events
                .iter()
                .filter(|event| **event == dropped)
                .count(),
            2
        );
        let back = bench.connect(&kept("away"), PRESENT);
        let lines = bench.packets(back);
        assert_eq!(lines.len(), 2);
        assert!(
            lines[0].ends_with(" 1") && lines[1].ends_with(" 2"),
            "{lines:?}"
        );
    }
}

#[test]
fn who_does_not_read_loses_qos_0_and_keeps_the_rest() {
    let mut bench = Bench::new(Config {
        max_outgoing: 1_000,
        ..Config::default()
    });
    let sender = bench.client("sender");
    let slow = bench.subscriber("slow", "t", Q1);
    bench.deafen(slow);
    let payload = "x".repeat(100);
    for n in 1..=20 {
        bench.publish(sender, "t", &payload, Q0, 0);
        bench.publish(sender, "t", &payload, Q1, n);
    }
    assert!(bench.broker.stats().dropped > 0);
    assert_eq!(bench.closed(slow), None);
    assert!(bench.broker.outgoing(slow).len() < 2_000);
    bench.hear(slow);
    let mut acknowledged = 0;
    loop {
        let ids: Vec<u16> = bench
            .packets(slow)
            .iter()
            .filter_map(|line| {
                Some(
                    line.split_once(" id ")?
                        .1
                        .split(' ')
                        .next()?
                        .parse()
                        .unwrap(),
                )
            })
            .collect();
        if ids.is_empty() {
            break;
        }
        for own in ids {
            acknowledged += 1;
            bench.send(slow, &Packet::Puback(id(own)));
        }
    }
    assert_eq!(acknowledged, 20, "every message of QoS 1 has come");
}

#[test]
fn who_asks_and_does_not_read_is_thrown_out() {
    let mut bench = Bench::new(Config {
        max_outgoing: 100,
        max_packet: 100,
        ..Config::default()
    });
    let conn = bench.client("a");
    bench.deafen(conn);
    for _ in 0..1_000 {
        bench.send(conn, &Packet::Pingreq);
    }
    assert_eq!(bench.closed(conn), Some(CloseReason::NotReading));
}

#[test]
fn a_will_is_published_with_its_qos_and_kept_when_it_says_so() {
    let mut bench = Bench::default();
    let watcher = bench.subscriber("watcher", "w", Q1);
    let connect = Connect {
        will: will("w", "gone").map(|will| mqtt::Will {
            qos: Q1,
            retain: true,
            ..will
        }),
        ..clean("a")
    };
    let conn = bench.connect(&connect, ACCEPTED);
    bench.cut(conn);
    assert_eq!(bench.take(watcher), b"\x32\x09\x00\x01w\x00\x01gone");
    let late = bench.subscriber("late", "w", Q0);
    assert_eq!(bench.take(late), b"\x31\x07\x00\x01wgone");
    // DISCONNECT takes it back.
    let conn = bench.connect(&connect, ACCEPTED);
    bench.send(conn, &Packet::Disconnect);
    assert_eq!(bench.take(watcher), b"");
}

#[test]
fn who_unsubscribes_gets_nothing_more() {
    let mut bench = Bench::default();
    let conn = bench.subscriber("a", "t", Q0);
    bench.send(conn, &unsubscribe(&["t", "never"]));
    assert_eq!(bench.take(conn), b"\xb0\x02\x00\x01");
    bench.publish(conn, "t", "x", Q0, 0);
    assert_eq!(bench.take(conn), b"");
}

#[test]
fn a_filter_that_is_refused_is_answered_with_0x80_and_the_others_stand() {
    let mut bench = Bench::new(Config {
        refused_filters: vec!["secret".into()],
        max_subscriptions: 2,
        ..Config::default()
    });
    let conn = bench.client("a");
    bench.send(conn, &subscribe(&[("secret", Q1), ("t", Q1)]));
    assert_eq!(bench.take(conn), b"\x90\x04\x00\x01\x80\x01");
    bench.send(conn, &subscribe(&[("u", Q0)]));
    bench.send(conn, &subscribe(&[("v", Q0)]));
    assert_eq!(
        bench.take(conn),
        b"\x90\x03\x00\x01\x00\x90\x03\x00\x01\x80"
    );
}

fn packet() -> impl Strategy<Value = Vec<u8>> {
    let topic = || prop::sample::select(vec!["t", "a/b", "$x", "a", "long/er/topic"]);
    let filter = prop::sample::select(vec!["t", "#", "+/b", "a/#", "$x", "+"]);
    let qos = || prop::sample::select(vec![Q0, Q1, Q2]);
    let number = || 1_u16..5;
    prop_oneof![
        (topic(), qos(), number(), any::<bool>(), "[a-z]{0,20}").prop_map(
            |(topic, qos, number, keep, text)| bytes(&if keep {
                retained(topic, text.as_bytes(), qos, number)
            } else {
                publish(topic, text.as_bytes(), qos, number)
            })
        ),
        (filter, qos()).prop_map(|(filter, qos)| bytes(&subscribe(&[(filter, qos)]))),
        number().prop_map(|number| bytes(&Packet::Puback(id(number)))),
        number().prop_map(|number| bytes(&Packet::Pubrec(id(number)))),
        number().prop_map(|number| bytes(&Packet::Pubrel(id(number)))),
        number().prop_map(|number| bytes(&Packet::Pubcomp(id(number)))),
        Just(bytes(&Packet::Pingreq)),
        prop::sample::select(vec!["a", "b", ""])
            .prop_map(|name| bytes(&Packet::Connect(kept(name)))),
        prop::collection::vec(any::<u8>(), 1..12),
    ]
}

proptest! {
    /// Clients that say anything at all break neither the broker nor a client that behaves.
    #[test]
    fn a_client_that_behaves_is_served_among_any_others(
        packets in prop::collection::vec((0..4_usize, packet()), 1..80)
    ) {
        let mut bench = Bench::new(Config {
            max_queued: 10,
            max_outgoing: 500,
            max_retained: 3,
            ..Config::default()
        });
        let good = bench.subscriber("good", "only/good", Q1);
        let mut conns: Vec<_> = (0..4).map(|_| bench.accept()).collect();
        for (index, (who, bytes)) in packets.iter().enumerate() {
            if bench.closed(conns[*who]).is_some() {
                conns[*who] = bench.accept();
            }
            bench.send_bytes(conns[*who], bytes);
            if index % 10 == 9 {
                bench.publish(good, "only/good", "x", Q1, 1);
                let got = bench.packets(good);
                prop_assert_eq!(got.len(), 2, "{:?}", got);
                let own: u16 = got
                    .iter()
                    .find_map(|line| line.split_once("PUBLISH q1 id ")?.1.split(' ').next()?.parse().ok())
                    .unwrap();
                bench.send(good, &Packet::Puback(id(own)));
            }
        }
        prop_assert_eq!(bench.closed(good), None);
        let stats = bench.broker.stats();
        prop_assert!(stats.retained <= 3);
        prop_assert!(stats.connections <= 5);
        prop_assert!(bench.broker.clients().all(|client| client.queued <= 10));
    }
}
