//! A policy that answers later: acknowledgements, subscriptions, and messages that it has no room for.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use broker::{CloseReason, Config, ConnId, Decision, Grant, Policy, Ticket, Verdict};
use common::{
    ACCEPTED, Bench, PRESENT, Q0, Q1, Q2, bytes, clean, id, kept, publish, subscribe, unsubscribe,
    will,
};
use instant::Instant;
use mqtt::{Connect, Packet, PacketId, Publish, QoS};
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Answers when the test says so.
struct Later {
    /// What it was told, in words; a ticket is the place in it.
    told: Vec<String>,
    decisions: VecDeque<Decision>,
    room: usize,
}

impl Later {
    fn ticket(&mut self, told: String) -> Ticket {
        self.told.push(told);
        Ticket(self.told.len() as u64 - 1)
    }
}

impl Policy for Later {
    fn has_room(&self, _: QoS) -> bool {
        self.room > 0
    }

    fn publish(&mut self, _: Instant, client: &str, message: &Publish<'_>) -> Verdict {
        self.room -= 1;
        let text = String::from_utf8_lossy(message.payload);
        Verdict::Later(self.ticket(format!("{client}: {text}")))
    }

    fn subscribe(&mut self, _: Instant, client: &str, filter: &str, qos: QoS) -> Grant {
        match filter {
            "at/once" => Grant::Granted(qos),
            "never" => Grant::Refused,
            _ => Grant::Later(self.ticket(format!("{client} wants {filter}"))),
        }
    }

    fn unsubscribed(&mut self, client: &str, filter: &str) {
        self.told.push(format!("{client} leaves {filter}"));
    }

    fn will(&mut self, client: &str, message: &Publish<'_>) -> Verdict {
        self.told
            .push(format!("{client}'s will: {}", message.topic));
        Verdict::Take
    }

    fn poll_decision(&mut self) -> Option<Decision> {
        self.decisions.pop_front()
    }
}

fn bench() -> Bench<Later> {
    let policy = Later {
        told: Vec::new(),
        decisions: VecDeque::new(),
        room: 1000,
    };
    Bench::under(Config::default(), Some(policy))
}

trait Decides {
    fn decide(&mut self, decision: Decision);
    fn make_room(&mut self, room: usize);
    fn told(&mut self) -> Vec<String>;
}

impl Decides for Bench<Later> {
    fn decide(&mut self, decision: Decision) {
        self.broker
            .with_policy(|policy| policy.decisions.push_back(decision));
        self.settle();
    }

    fn make_room(&mut self, room: usize) {
        self.broker.with_policy(|policy| policy.room = room);
        self.settle();
    }

    fn told(&mut self) -> Vec<String> {
        self.broker
            .with_policy(|policy| policy.told.clone())
            .unwrap()
    }
}

fn acknowledged(ticket: u64) -> Decision {
    Decision::Acknowledged(Ticket(ticket))
}

fn again(payload: &str, qos: QoS, number: u16) -> Packet<'_> {
    Packet::Publish(Publish {
        dup: true,
        qos,
        retain: false,
        topic: "t",
        id: PacketId::new(number),
        payload: payload.as_bytes(),
    })
}

#[test]
fn acknowledgements_wait_for_the_decision() {
    let mut bench = bench();
    let ann = bench.client("ann");
    bench.publish(ann, "t", "one", Q1, 1);
    bench.publish(ann, "t", "two", Q2, 2);
    bench.send(ann, &Packet::Pingreq);
    assert_eq!(bench.take(ann), bytes(&Packet::Pingresp));
    bench.decide(acknowledged(0));
    assert_eq!(bench.take(ann), bytes(&Packet::Puback(id(1))));
    bench.decide(acknowledged(1));
    assert_eq!(bench.take(ann), bytes(&Packet::Pubrec(id(2))));
    bench.send(ann, &Packet::Pubrel(id(2)));
    assert_eq!(bench.take(ann), bytes(&Packet::Pubcomp(id(2))));
    // An answer that was given, or that nobody asked for, is nobody's.
    bench.decide(acknowledged(0));
    bench.decide(acknowledged(77));
    assert_eq!(bench.take(ann), b"");
}

#[test]
fn what_is_sent_again_before_its_acknowledgement_is_the_same_message() {
    let mut bench = bench();
    let ann = bench.connect(&kept("ann"), ACCEPTED);
    bench.publish(ann, "t", "one", Q1, 1);
    bench.publish(ann, "t", "two", Q2, 2);
    bench.cut(ann);
    let ann = bench.connect(&kept("ann"), PRESENT);
    bench.send(ann, &again("one", Q1, 1));
    bench.send(ann, &again("two", Q2, 2));
    assert_eq!(bench.take(ann), b"");
    assert_eq!(bench.told(), ["ann: one", "ann: two"]);
    bench.decide(acknowledged(0));
    bench.decide(acknowledged(1));
    let both = [Packet::Puback(id(1)), Packet::Pubrec(id(2))].map(|packet| bytes(&packet));
    assert_eq!(bench.take(ann), both.concat());
}

/// A client that was sent PUBACK while its second copy is on the way would take the answer to that for the acknowledgement of its
/// next message with the same identifier.
#[test]
fn an_acknowledgement_does_not_go_out_on_another_connection_than_its_message() {
    let mut bench = bench();
    let ann = bench.connect(&kept("ann"), ACCEPTED);
    bench.publish(ann, "t", "one", Q1, 1);
    bench.publish(ann, "t", "two", Q2, 2);
    bench.cut(ann);
    let ann = bench.connect(&kept("ann"), PRESENT);
    bench.decide(acknowledged(0));
    bench.decide(acknowledged(1));
    assert_eq!(bench.take(ann), b"");
    // QoS 2 is remembered, QoS 1 is at least once.
    bench.send(ann, &again("two", Q2, 2));
    assert_eq!(bench.take(ann), bytes(&Packet::Pubrec(id(2))));
    bench.send(ann, &again("one", Q1, 1));
    assert_eq!(bench.told(), ["ann: one", "ann: two", "ann: one"]);
    bench.decide(acknowledged(2));
    assert_eq!(bench.take(ann), bytes(&Packet::Puback(id(1))));
}

/// A client that has lost its memory begins with the same identifiers.
#[test]
fn an_identifier_that_is_used_anew_is_another_message() {
    let mut bench = bench();
    let ann = bench.connect(&kept("ann"), ACCEPTED);
    bench.publish(ann, "t", "old", Q1, 1);
    bench.cut(ann);
    let ann = bench.connect(&kept("ann"), PRESENT);
    bench.publish(ann, "t", "new", Q1, 1);
    bench.decide(acknowledged(0));
    assert_eq!(bench.take(ann), b"");
    bench.decide(acknowledged(1));
    assert_eq!(bench.take(ann), bytes(&Packet::Puback(id(1))));
    // The same with a clean session, whose client is another one.
    let bob = bench.client("bob");
    bench.publish(bob, "t", "old", Q1, 1);
    bench.cut(bob);
    let bob = bench.client("bob");
    bench.publish(bob, "t", "new", Q1, 1);
    bench.decide(acknowledged(2));
    assert_eq!(bench.take(bob), b"");
    bench.decide(acknowledged(3));
    assert_eq!(bench.take(bob), bytes(&Packet::Puback(id(1))));
}

#[test]
fn suback_waits_until_each_filter_is_answered() {
    let mut bench = bench();
    let ann = bench.client("ann");
    bench.send(
        ann,
        &subscribe(&[("a", Q1), ("at/once", Q2), ("never", Q0), ("b", Q2)]),
    );
    assert_eq!(bench.take(ann), b"");
    bench.decide(Decision::Subscribed(Ticket(1), None));
    assert_eq!(bench.take(ann), b"");
    // It counts from the beginning: MQTT lets messages come before SUBACK.
    bench.broker.publish("a", b"x", Q2, false);
    bench.settle();
    assert_eq!(bench.packets(ann).len(), 1);
    bench.decide(Decision::Subscribed(Ticket(0), Some(Q1)));
    assert_eq!(bench.take(ann), b"\x90\x06\x00\x01\x01\x02\x80\x80");
    assert_eq!(bench.told(), ["ann wants a", "ann wants b", "ann leaves b"]);
    bench.broker.publish("b", b"x", Q0, false);
    bench.settle();
    assert_eq!(bench.take(ann), b"");
}

#[test]
fn who_has_left_is_not_subscribed_by_a_late_answer() {
    let mut bench = bench();
    let ann = bench.client("ann");
    bench.send(ann, &subscribe(&[("a", Q0)]));
    bench.send(ann, &unsubscribe(&["a"]));
    assert_eq!(bench.take(ann), b"\xb0\x02\x00\x01");
    bench.decide(Decision::Subscribed(Ticket(0), Some(Q0)));
    assert_eq!(bench.take(ann), b"\x90\x03\x00\x01\x00");
    bench.broker.publish("a", b"x", Q0, false);
    bench.settle();
    assert_eq!(bench.take(ann), b"");
    // And one that is gone is not there.
    let bob = bench.client("bob");
    bench.send(bob, &subscribe(&[("a", Q0)]));
    bench.cut(bob);
    let carl = bench.client("carl");
    bench.decide(Decision::Subscribed(Ticket(2), Some(Q0)));
    assert_eq!(bench.take(carl), b"");
    assert_eq!(
        bench.told(),
        ["ann wants a", "ann leaves a", "bob wants a", "bob leaves a"]
    );
}

#[test]
fn a_kept_session_keeps_its_subscription_and_loses_one_that_is_refused() {
    let mut bench = bench();
    let ann = bench.connect(&kept("ann"), ACCEPTED);
    bench.send(ann, &subscribe(&[("a", Q1), ("b", Q1)]));
    bench.cut(ann);
    bench.decide(Decision::Subscribed(Ticket(0), Some(Q1)));
    bench.decide(Decision::Subscribed(Ticket(1), None));
    bench.broker.publish("a", b"x", Q2, false);
    bench.broker.publish("b", b"x", Q2, false);
    let ann = bench.connect(&kept("ann"), PRESENT);
    assert_eq!(bench.packets(ann).len(), 1);
    // A clean session ends the rest.
    bench.cut(ann);
    bench.connect(&clean("ann"), ACCEPTED);
    let told = bench.told();
    assert_eq!(told[2..], ["ann leaves b", "ann leaves a"]);
}

#[test]
fn a_client_cannot_have_more_answers_outstanding_than_subscriptions() {
    let config = Config {
        max_subscriptions: 3,
        ..Config::default()
    };
    let policy = bench().broker.with_policy(|policy| Later {
        told: std::mem::take(&mut policy.told),
        decisions: VecDeque::new(),
        room: 1,
    });
    let mut bench = Bench::under(config, policy);
    let ann = bench.client("ann");
    for _ in 0..3 {
        bench.send(ann, &subscribe(&[("a", Q0)]));
    }
    assert_eq!(bench.take(ann), b"");
    bench.send(ann, &subscribe(&[("a", Q0)]));
    assert_eq!(bench.take(ann), b"\x90\x03\x00\x01\x80");
}

/// A PUBLISH and a PINGREQ in one piece, and no room for the message.
fn held(bench: &mut Bench<Later>, name: &str, payload: &str) -> ConnId {
    let connect = Connect {
        keep_alive: 10,
        ..clean(name)
    };
    let conn = bench.connect(&connect, ACCEPTED);
    let packets = [publish("t", payload.as_bytes(), Q1, 1), Packet::Pingreq];
    let packets = packets.map(|packet| bytes(&packet));
    bench.send_bytes(conn, &packets.concat());
    conn
}

#[test]
fn who_publishes_waits_for_room() {
    let mut bench = bench();
    bench.make_room(0);
    let ann = held(&mut bench, "ann", "one");
    let bob = held(&mut bench, "bob", "two");
    assert!(!bench.broker.takes_data(ann) && !bench.broker.takes_data(bob));
    assert_eq!((bench.take(ann), bench.told().len()), (Vec::new(), 0));
    // Nobody hears them, so they cannot be late; and whoever does not publish is served.
    bench.wait(Duration::from_secs(3600));
    assert_eq!((bench.closed(ann), bench.closed(bob)), (None, None));
    let carl = bench.client("carl");
    bench.send(carl, &Packet::Pingreq);
    assert_eq!(bench.take(carl), bytes(&Packet::Pingresp));
    // Each in its turn.
    bench.make_room(1);
    assert_eq!(bench.told(), ["ann: one"]);
    assert!(bench.broker.takes_data(ann) && !bench.broker.takes_data(bob));
    assert_eq!(bench.read_again, [ann]);
    assert_eq!(bench.take(ann), bytes(&Packet::Pingresp));
    bench.make_room(1);
    assert_eq!(bench.told(), ["ann: one", "bob: two"]);
    assert_eq!(bench.read_again, [ann, bob]);
    // From now on the keep alive counts again.
    bench.wait(Duration::from_secs(16));
    assert_eq!(bench.closed(ann), Some(CloseReason::KeepAlive));
}

#[test]
fn who_waits_for_room_may_go() {
    let mut bench = bench();
    bench.make_room(0);
    let ann = held(&mut bench, "ann", "one");
    let bob = held(&mut bench, "bob", "two");
    bench.cut(ann);
    // More of it does not change anything.
    bench.send(bob, &Packet::Pingreq);
    bench.make_room(5);
    assert_eq!(bench.told(), ["bob: two"]);
    let twice = bytes(&Packet::Pingresp).repeat(2);
    assert_eq!(bench.take(bob), twice);
}

#[test]
fn the_policy_has_the_wills() {
    let mut bench = bench();
    let watcher = bench.client("watcher");
    bench.send(watcher, &subscribe(&[("at/once", Q0)]));
    bench.take(watcher);
    let connect = Connect {
        will: will("at/once", "gone"),
        ..clean("ann")
    };
    let ann = bench.connect(&connect, ACCEPTED);
    bench.cut(ann);
    assert_eq!(bench.told(), ["ann's will: at/once"]);
    assert_eq!(bench.take(watcher), b"");
}

/// Two clients without an identifier took over from each other: the policy that has no names of its own named both of them "".
#[test]
fn who_has_no_name_is_named_by_the_broker_under_a_policy_too() {
    let mut bench = bench();
    let one = bench.client("");
    let two = bench.client("");
    assert_eq!((bench.closed(one), bench.closed(two)), (None, None));
    bench.publish(two, "t", "x", Q1, 1);
    assert_eq!(bench.told(), ["auto-2: x"]);
}

/// What may happen, with small numbers so that things meet.
#[derive(Clone, Debug)]
enum Act {
    Connect(u8, bool),
    Publish(u8, QoS, u16, bool),
    Subscribe(u8, u8),
    Unsubscribe(u8, u8),
    Pubrel(u8, u16),
    Disconnect(u8),
    Cut(u8),
    Decide(u8, Option<QoS>),
    Room(usize),
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let qos = || prop_oneof![Just(Q0), Just(Q1), Just(Q2)];
    let decision = prop_oneof![Just(None), qos().prop_map(Some)];
    prop_oneof![
        (0..3_u8, any::<bool>()).prop_map(|(who, clean)| Act::Connect(who, clean)),
        (0..3_u8, qos(), 1..4_u16, any::<bool>())
            .prop_map(|(who, qos, id, dup)| Act::Publish(who, qos, id, dup)),
        (0..3_u8, 0..3_u8).prop_map(|(who, filter)| Act::Subscribe(who, filter)),
        (0..3_u8, 0..3_u8).prop_map(|(who, filter)| Act::Unsubscribe(who, filter)),
        (0..3_u8, 1..4_u16).prop_map(|(who, id)| Act::Pubrel(who, id)),
        (0..3_u8).prop_map(Act::Disconnect),
        (0..3_u8).prop_map(Act::Cut),
        (0..40_u8, decision).prop_map(|(ticket, grant)| Act::Decide(ticket, grant)),
        (0..3_usize).prop_map(Act::Room),
        (0..20_000_u64).prop_map(Act::Wait),
    ]
}

fn play(acts: Vec<Act>) {
    let mut bench = bench();
    let mut conns: [Option<ConnId>; 3] = [None; 3];
    let names = ["a", "b", "c"];
    let mut subscribes = BTreeMap::new();
    for act in acts {
        let who = match act {
            Act::Publish(who, ..)
            | Act::Subscribe(who, _)
            | Act::Unsubscribe(who, _)
            | Act::Pubrel(who, _)
            | Act::Disconnect(who)
            | Act::Cut(who) => who,
            _ => 0,
        };
        let conn = conns[usize::from(who)].filter(|conn| bench.closed(*conn).is_none());
        match (act, conn) {
            (Act::Connect(who, clean_session), _) => {
                let conn = bench.accept();
                let client_id = names[usize::from(who)];
                let connect = Connect {
                    client_id,
                    clean_session,
                    keep_alive: 10,
                    ..Connect::default()
                };
                bench.send(conn, &Packet::Connect(connect));
                conns[usize::from(who)] = Some(conn);
            }
            (Act::Publish(_, qos, number, dup), Some(conn)) => {
                let id = PacketId::new(number).filter(|_| qos != Q0);
                let dup = dup && qos != Q0;
                let publish = Publish {
                    dup,
                    qos,
                    retain: false,
                    topic: "t",
                    id,
                    payload: b"x",
                };
                bench.send(conn, &Packet::Publish(publish));
            }
            (Act::Subscribe(_, filter), Some(conn)) => {
                let filters = [(names[usize::from(filter)], Q1), ("at/once", Q0), ("d", Q2)];
                bench.send(conn, &subscribe(&filters));
                *subscribes.entry(conn).or_insert(0) += 1;
            }
            (Act::Unsubscribe(_, filter), Some(conn)) => {
                bench.send(conn, &unsubscribe(&[names[usize::from(filter)]]));
            }
            (Act::Pubrel(_, number), Some(conn)) => bench.send(conn, &Packet::Pubrel(id(number))),
            (Act::Disconnect(_), Some(conn)) => bench.send(conn, &Packet::Disconnect),
            (Act::Cut(_), Some(conn)) => {
                bench.cut(conn);
                conns[usize::from(who)] = None;
            }
            (Act::Decide(ticket, grant), _) => {
                // A policy knows what it was asked.
                let told = bench.told();
                let ticket = Ticket(ticket.into());
                match told.get(ticket.0 as usize) {
                    Some(told) if told.contains(" wants ") => {
                        bench.decide(Decision::Subscribed(ticket, grant));
                    }
                    _ => bench.decide(Decision::Acknowledged(ticket)),
                }
            }
            (Act::Room(room), _) => bench.make_room(room),
            (Act::Wait(millis), _) => bench.wait(Duration::from_millis(millis)),
            _ => {}
        }
    }
    bench.make_room(1000);
    let told = bench.told();
    for (ticket, told) in told.iter().enumerate() {
        let ticket = Ticket(ticket as u64);
        let decision = if told.contains(" wants ") {
            Decision::Subscribed(ticket, None)
        } else {
            Decision::Acknowledged(ticket)
        };
        bench.decide(decision);
    }
    for conn in conns.into_iter().flatten() {
        if bench.closed(conn).is_some() {
            continue;
        }
        assert!(bench.broker.takes_data(conn));
        let packets = bench.packets(conn);
        let subacks = packets.iter().filter(|line| line.starts_with("SUBACK"));
        let expected = subscribes.get(&conn).copied().unwrap_or(0);
        assert_eq!(subacks.count(), expected, "{packets:?}");
    }
    // What is left is what was granted at once, or decided before; a clean session ends it.
    let mut left = Vec::new();
    let mut names = Vec::new();
    for client in bench.broker.clients() {
        names.push(client.client_id.to_string());
        for (filter, _) in client.subscriptions {
            left.push(format!("{} leaves {filter}", client.client_id));
        }
    }
    for name in names {
        bench.connect(&clean(&name), ACCEPTED);
    }
    let told = bench.told();
    for line in left {
        assert!(told.contains(&line), "{line}: {told:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// However clients and decisions meet: once there is room everybody is read from, once all is decided everybody is answered, and
    /// the policy has been told of each subscription that has ended.
    #[test]
    fn everybody_is_answered_in_the_end(acts in prop::collection::vec(act(), 0..60)) {
        play(acts);
    }
}
