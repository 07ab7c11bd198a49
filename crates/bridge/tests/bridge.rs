//! What local clients see of the world above, and what it sees of them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use bridge::Limits;
use common::{Q0, Q1, Q2, Site};
use dialect::model::{self, Model};
use driver::Driver;
use mqtt::{Connect, Packet, Will};
use std::time::Duration;
use world::{Bench, Room};

fn on(model: &str, limits: Limits, test: impl Fn(&mut Site<'_>)) {
    let mut room = Room::default();
    let model = Model::by_name(model).unwrap();
    let mut site = Site::new(model, &mut room, limits);
    site.connect();
    assert_eq!(std::mem::take(&mut site.news), ["connected"]);
    test(&mut site);
}

#[test]
fn messages_pass_both_ways_on_each_model() {
    for model in model::ALL {
        println!("{}", model.name);
        on(model.name, Limits::default(), |site| {
            site.client("ann");
            site.client("bob");
            site.subscribe("bob", &[("up/+", Q2)]);
            assert!(site.until(60, |site| !site.clients["bob"].answers.is_empty()));
            assert_eq!(site.answers("bob"), ["SUBACK [2]"]);
            // A report of the NT35E ends with its line.
            let payload: &[u8] = match model.name {
                "nt35e" => b"a;\"\\\xff",
                _ => b"a\r\nOK\r\n\"\\\x00\xff",
            };
            site.publish("ann", "up/0", b"one", Q0, 0);
            site.publish("ann", "up/1", payload, Q1, 1);
            site.publish("ann", "up/2", b"three", Q2, 2);
            assert_eq!(site.answers("ann"), [""; 0]);
            assert!(site.until(60, |site| site.clients["ann"].answers.len() == 2));
            assert_eq!(site.answers("ann"), ["1", "2"]);
            site.wait(5);
            let shown = payload.escape_ascii();
            let all = ["up/0 one", &format!("up/1 {shown}"), "up/2 three"];
            assert_eq!(site.published(), all);
            // Through the broker above, and nothing else: once.
            let heard = all.map(|line| line.replacen(' ', " q2 ", 1));
            assert_eq!(site.messages("bob"), heard);
            assert_eq!(site.news, [""; 0]);
        });
    }
}

#[test]
fn the_module_subscribes_to_what_no_other_filter_covers() {
    on("ec20", Limits::default(), |site| {
        site.client("ann");
        site.client("bob");
        site.subscribe("ann", &[("a/b", Q2), ("a/+", Q0), ("c", Q1)]);
        site.wait(10);
        assert_eq!(site.answers("ann"), ["SUBACK [2, 0, 1]"]);
        // The one that covers gets the QoS of the one that it covers.
        assert_eq!(site.above(), ["a/+ q2", "c q1"]);
        site.subscribe("bob", &[("a/#", Q1)]);
        site.wait(10);
        assert_eq!(site.above(), ["a/# q2", "c q1"]);
        site.pair.bench.publish("a/b", b"x", Q2, false);
        site.wait(2);
        // One copy for each client, with the QoS of its own.
        assert_eq!(site.messages("ann"), ["a/b q2 x"]);
        assert_eq!(site.messages("bob"), ["a/b q1 x"]);
        // What was covered comes back before the cover goes.
        site.unsubscribe("bob", "a/#");
        site.wait(10);
        assert_eq!(site.above(), ["a/+ q2", "c q1"]);
        site.cut("ann");
        site.wait(10);
        assert_eq!(site.above(), [""; 0]);
        assert_eq!(site.news, [""; 0]);
    });
}

#[test]
fn each_subscribe_brings_what_is_retained() {
    on("air780ep", Limits::default(), |site| {
        site.pair.bench.publish("a/b", b"kept", Q1, true);
        site.pair.bench.publish("a/c", b"other", Q1, true);
        site.client("ann");
        site.client("bob");
        site.subscribe("ann", &[("a/#", Q1)]);
        site.wait(10);
        assert_eq!(site.messages("ann"), ["a/b q1 kept", "a/c q1 other"]);
        // The same filter: it is subscribed to once more, and who has it sees that. A covered one: no more than that one.
        site.subscribe("bob", &[("a/b", Q0)]);
        site.wait(10);
        assert_eq!(site.messages("bob"), ["a/b q0 kept"]);
        assert_eq!(site.messages("ann"), ["a/b q1 kept"]);
        assert_eq!(site.above(), ["a/# q1"]);
        site.subscribe("bob", &[("a/#", Q0)]);
        site.wait(10);
        assert_eq!(site.messages("bob"), ["a/b q0 kept", "a/c q0 other"]);
        // RETAIN goes up.
        site.publish_as("bob", "a/b", b"new", Q1, 1, true);
        site.wait(10);
        site.client("carl");
        site.subscribe("carl", &[("a/b", Q0)]);
        site.wait(10);
        assert_eq!(site.messages("carl"), ["a/b q0 new"]);
    });
}

#[test]
fn a_refusal_above_is_a_refusal_here() {
    for model in ["air780ep", "nt35e", "bc26", "esp32c3"] {
        let mut room = Room::default();
        let model = Model::by_name(model).unwrap();
        let config = broker::Config {
            refused_filters: vec!["no".into()],
            ..broker::Config::default()
        };
        let bench = Bench::with_broker(model, module::Config::default(), config);
        let mut site = Site::at(
            bench,
            Driver::new(model, room.memory(), 1),
            Limits::default(),
        );
        site.connect();
        site.client("ann");
        site.subscribe("ann", &[("yes", Q1), ("no", Q1)]);
        let answered = site.until(300, |site| !site.clients["ann"].answers.is_empty());
        assert!(answered, "{}: {:?}", model.name, site.news);
        // It does not tell its host of a refusal.
        if model.name == "nt35e" {
            assert_eq!(site.answers("ann"), ["SUBACK [1, 1]"]);
            continue;
        }
        assert_eq!(site.answers("ann"), ["SUBACK [1, 128]"], "{}", model.name);
        let told = site.news.last().unwrap();
        assert!(told.starts_with("no: not subscribed: "), "{told}");
        site.wait(30);
        assert_eq!(site.above(), ["yes q1"]);
    }
}

#[test]
fn without_a_connection_clients_wait() {
    let mut room = Room::default();
    let model = Model::by_name("bg95").unwrap();
    let limits = Limits {
        lossy: 2,
        ..Limits::default()
    };
    let mut site = Site::new(model, &mut room, limits);
    site.client("ann");
    site.subscribe("ann", &[("down", Q1)]);
    for (number, payload) in ["a", "b", "c", "d"].iter().enumerate() {
        let payload = payload.as_bytes();
        site.publish("ann", "lossy", payload, Q0, 0);
        site.publish("ann", "up", payload, Q1, number as u16 + 1);
    }
    site.wait(3600);
    assert_eq!(site.answers("ann"), [""; 0]);
    assert_eq!(
        site.news,
        ["no connection: messages with QoS 0 are dropped from now on"]
    );
    site.begin();
    assert!(site.until(120, |site| site.clients["ann"].answers.len() == 5));
    assert_eq!(site.answers("ann"), ["SUBACK [1]", "1", "2", "3", "4"]);
    assert_eq!(
        site.published(),
        ["lossy a", "up a", "lossy b", "up b", "up c", "up d"]
    );
    assert_eq!(
        site.news[1..],
        [
            "connected",
            "messages with QoS 0 that were dropped meanwhile: 2"
        ]
    );
}

#[test]
fn who_publishes_more_than_there_is_room_for_is_not_read_from() {
    let limits = Limits {
        messages: 2,
        lossy: 2,
        ..Limits::default()
    };
    for qos in [Q0, Q1] {
        on("ec20", limits, |site| {
            site.client("ann");
            site.client("bob");
            for number in 1..=9 {
                let payload = number.to_string();
                site.publish("ann", "up", payload.as_bytes(), qos, number);
            }
            assert!(!site.takes_data("ann"));
            // Whoever publishes nothing is served.
            site.subscribe("bob", &[("down", Q0)]);
            assert!(site.until(60, |site| !site.clients["bob"].answers.is_empty()));
            assert!(site.until(60, |site| site.takes_data("ann")));
            site.wait(30);
            let all: Vec<_> = (1..=9).map(|number| format!("up {number}")).collect();
            assert_eq!(site.published(), all);
            assert_eq!(site.news, [""; 0]);
        });
    }
}

#[test]
fn what_the_model_cannot_carry_is_acknowledged_and_told() {
    on("air780ep", Limits::default(), |site| {
        let longest = Model::by_name("air780ep").unwrap().limits.publish_data;
        site.client("ann");
        site.publish("ann", "up", &vec![b'x'; longest + 1], Q1, 1);
        site.publish("ann", "say \"hi\"", b"x", Q2, 2);
        site.publish("ann", "up", b"fits", Q1, 3);
        assert!(site.until(60, |site| site.clients["ann"].answers.len() == 3));
        assert_eq!(site.published(), ["up fits"]);
        assert_eq!(
            site.news,
            [
                format!(
                    "up: a message of {} bytes is discarded: the model takes messages of up to {longest} bytes",
                    longest + 1
                ),
                "say \"hi\": a message of 1 bytes is discarded: the model cannot write this topic"
                    .into()
            ]
        );
    });
}

/// Brokers close the connection of a client that publishes what it may not. Without a limit that would go on for ever, and nothing
/// behind the message would ever be published.
#[test]
fn a_message_that_always_ends_the_connection_is_given_up() {
    let mut room = Room::default();
    let model = Model::by_name("ec20").unwrap();
    let config = broker::Config {
        max_packet: 200,
        ..broker::Config::default()
    };
    let bench = Bench::with_broker(model, module::Config::default(), config);
    let limits = Limits {
        attempts: 3,
        ..Limits::default()
    };
    let mut site = Site::at(bench, Driver::new(model, room.memory(), 1), limits);
    site.connect();
    site.client("ann");
    site.publish("ann", "up", &[b'x'; 300], Q1, 1);
    site.publish("ann", "up", b"next", Q1, 2);
    assert!(site.until(900, |site| site.clients["ann"].answers.len() == 2));
    assert_eq!(site.published(), ["up next"]);
    let told = "up: a message of 300 bytes is discarded: 3 attempts ended with the connection";
    assert!(site.news.iter().any(|news| news == told), "{:?}", site.news);
    let reopens = site.news.iter().filter(|news| *news == "connected again");
    assert_eq!(reopens.count(), 3);
}

#[test]
fn what_was_not_acknowledged_survives_the_loss_of_the_connection() {
    for model in model::ALL {
        println!("{}", model.name);
        on(model.name, Limits::default(), |site| {
            site.client("ann");
            site.client("bob");
            site.subscribe("bob", &[("down/#", Q1)]);
            site.wait(10);
            for number in 1..=5 {
                let payload = number.to_string();
                site.publish("ann", "up", payload.as_bytes(), Q1, number);
            }
            site.fault("tcp-drop");
            assert!(site.until(600, |site| site.clients["ann"].answers.len() == 5));
            assert_eq!(site.answers("ann"), ["1", "2", "3", "4", "5"]);
            let mut published = site.published();
            published.dedup();
            assert_eq!(published, ["up 1", "up 2", "up 3", "up 4", "up 5"]);
            assert!(site.news.iter().any(|news| news == "connected again"));
            site.pair.bench.publish("down/x", b"x", Q1, false);
            site.wait(5);
            assert_eq!(site.messages("bob"), ["down/x q1 x"]);
        });
    }
}

#[test]
fn wills_and_kept_sessions() {
    on("bc26", Limits::default(), |site| {
        let will = Will {
            topic: "gone",
            payload: b"ann",
            qos: Q1,
            retain: true,
        };
        let ann = Connect {
            client_id: "ann",
            will: Some(will),
            ..Connect::default()
        };
        site.login(&ann);
        site.subscribe("ann", &[("down", Q1)]);
        site.wait(10);
        assert_eq!(site.answers("ann"), ["SUBACK [1]"]);
        site.cut("ann");
        site.wait(10);
        assert_eq!(site.published(), ["gone ann"]);
        assert_eq!(site.pair.bench.broker().stats().retained, 1);
        // Its session stays, and what comes meanwhile waits for it.
        assert_eq!(site.above(), ["down q1"]);
        site.pair.bench.publish("down", b"x", Q1, false);
        site.wait(10);
        site.login(&ann);
        site.wait(1);
        assert_eq!(site.messages("ann"), ["down q1 x"]);
        site.send("ann", &Packet::Disconnect);
        site.client("ann");
        site.wait(10);
        assert_eq!(site.above(), [""; 0]);
        assert_eq!(site.published(), [""; 0]);
    });
}

/// More filters than the driver has memory for, and than a bridge takes.
#[test]
fn filters_have_their_limits() {
    let limits = Limits {
        filters: 3,
        ..Limits::default()
    };
    on("ec20", limits, |site| {
        site.client("ann");
        let long = "x".repeat(250);
        let filters = [
            format!("{long}1"),
            format!("{long}2"),
            "a".into(),
            "b".into(),
        ];
        let filters: Vec<_> = filters.iter().map(|it| (it.as_str(), Q0)).collect();
        site.subscribe("ann", &filters);
        assert!(site.until(60, |site| !site.clients["ann"].answers.is_empty()));
        assert_eq!(site.answers("ann"), ["SUBACK [0, 128, 0, 128]"]);
        let words = [
            "there are as many filters as may be",
            "there is no room for another topic",
        ];
        for (news, words) in site.news.iter().zip(words) {
            assert!(news.ends_with(words), "{news}");
        }
        // What was refused takes no place.
        site.subscribe("ann", &[("b", Q0)]);
        site.wait(10);
        assert_eq!(site.answers("ann"), ["SUBACK [0]"]);
    });
}

/// A filter that the module had refused once, and that its client then left, was forgotten here and not by the driver, which
/// subscribed to it whenever it connected: messages came for nobody.
#[test]
fn a_filter_that_was_refused_for_the_moment_is_left_too() {
    on("ec20", Limits::default(), |site| {
        site.client("ann");
        site.fault("cme-error 3 1");
        site.subscribe("ann", &[("a", Q0)]);
        site.wait(1);
        assert_eq!(site.answers("ann"), [""; 0]);
        site.unsubscribe("ann", "a");
        site.wait(10);
        site.fault("tcp-drop");
        site.wait(30);
        assert_eq!(site.above(), [""; 0]);
        assert!(site.news.iter().any(|news| news == "connected again"));
        // Refused for the moment only.
        site.fault("cme-error 3 1");
        site.subscribe("ann", &[("b", Q0)]);
        site.wait(10);
        assert_eq!(site.answers("ann"), ["SUBACK [0]", "SUBACK [0]"]);
    });
}

/// A module whose link has just gone refuses what is typed: that is no reason to lose a message.
#[test]
fn a_refusal_for_the_moment_loses_no_message() {
    on("bg95", Limits::default(), |site| {
        site.client("ann");
        site.fault("cme-error 3 2");
        for (qos, id) in [(Q0, 0), (Q1, 1)] {
            site.publish("ann", "up", b"x", qos, id);
        }
        site.wait(30);
        assert_eq!(site.published(), ["up x", "up x"]);
        site.fault("cme-error 3 3");
        site.publish("ann", "up", b"never", Q1, 2);
        site.publish("ann", "up", b"next", Q1, 3);
        site.wait(30);
        assert_eq!(site.published(), ["up next"]);
        let told = "up: a message of 5 bytes is discarded: the module answered +CME ERROR: 3";
        assert_eq!(site.news, [told]);
        assert_eq!(site.answers("ann"), ["1", "2", "3"]);
    });
}

#[test]
fn a_message_whose_end_may_be_missing_is_told() {
    on("ec20", Limits::default(), |site| {
        let longest = Model::by_name("ec20").unwrap().limits.report;
        site.client("ann");
        site.subscribe("ann", &[("down", Q0)]);
        site.wait(10);
        let whole = vec![b'x'; longest - 1];
        site.pair.bench.publish("down", &whole, Q0, false);
        site.wait(10);
        assert_eq!(site.news, [""; 0]);
        site.pair
            .bench
            .publish("down", &vec![b'x'; longest], Q0, false);
        site.wait(10);
        let told = format!(
            "down: a message of {longest} bytes is as long as the module reports: its end may be missing"
        );
        assert_eq!(site.news, [told]);
        let lengths: Vec<_> = site.messages("ann").iter().map(String::len).collect();
        let header = "down q0 ".len();
        assert_eq!(lengths, [header + longest - 1, header + longest]);
        let stats = site.broker.with_policy(|bridge| bridge.stats()).unwrap();
        assert_eq!((stats.received, stats.not_passed_on), (2, 0));
    });
}

/// A driver subscribes before it publishes, so that a client that subscribes whenever it is answered kept every message waiting.
#[test]
fn who_subscribes_without_end_does_not_keep_messages_waiting() {
    on("bg95", Limits::default(), |site| {
        site.client("ann");
        site.client("bob");
        for id in 1..=5 {
            site.publish("bob", "up", b"x", Q1, id);
        }
        let mut subscribed = 0;
        let end = site.now() + Duration::from_secs(10);
        while site.clients["bob"].answers.len() < 5 {
            site.subscribe("ann", &[("a", Q0)]);
            while site.answers("ann").is_empty() {
                assert!(site.now() < end, "subscribed {subscribed} times");
                site.step(end);
            }
            subscribed += 1;
        }
        assert!(subscribed < 10, "{subscribed}");
    });
}
