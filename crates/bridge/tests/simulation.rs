//! Clients, bridge, driver, module and broker above, from seeds, while connections break.
//!
//! Several clients publish with each QoS, come and go in the middle of it, subscribe and unsubscribe, for some minutes of virtual time
//! while faults strike; then the world heals. In each run:
//!
//! - what was acknowledged to a client is at the broker above, and nothing else that it was not given;
//! - messages of a client with QoS 1 and 2 arrive above in their order, and with QoS 2 once when nothing was repeated;
//! - when nothing breaks, nothing is lost, and a client gets each message once, however many of its filters match;
//! - in the end every client is answered, and the module is subscribed to what the clients want, and to nothing that another
//!   filter covers.
//!
//! More of them, and one of them again:
//!
//!     MODEMQ_RUNS=10000 cargo test --release -p modemq-bridge --test simulation
//!     MODEMQ_SEED=17 cargo test -p modemq-bridge --test simulation -- --nocapture

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use bridge::Limits;
use common::{Q0, Q1, Q2, Site};
use dialect::model;
use driver::Driver;
use mqtt::{Connect, Packet, PacketId, Publish, QoS, topic_covers};
use std::collections::BTreeMap;
use world::{Bench, Dice, Room};

const FAULTS: &[&str] = &[
    "tcp-drop every 20s jitter 50%",
    "reset_peer every 30s jitter 50%",
    "limit_data 400",
    "refuse at 20s for 60s",
    "pdp-deact every 40s",
    "broker-silent at 20s for 60s",
    "reboot every 70s",
    "stall on link at 20s for 30s",
    "slicer 3 20ms on link",
    "latency 300ms 100ms on link",
];

const FILTERS: &[&str] = &["a/b", "a/+", "a/#", "+/b", "#", "c"];

/// What one client does, and has to remember.
#[derive(Default)]
struct Own {
    /// Messages that were given to the bridge and are not acknowledged: by identifier, with number and QoS.
    open: BTreeMap<u16, (usize, QoS)>,
    acknowledged: Vec<usize>,
    next_id: u16,
}

struct Run<'a> {
    site: Site<'a>,
    dice: Dice,
    clients: BTreeMap<&'static str, Own>,
    /// Each message that was published: by whom, with which QoS.
    sent: Vec<(&'static str, QoS)>,
    above: Vec<usize>,
    downs: usize,
}

const NAMES: [&str; 3] = ["ann", "bob", "carl"];

impl Run<'_> {
    fn login(&mut self, name: &'static str) {
        self.site.login(&Connect {
            client_id: name,
            keep_alive: 0,
            ..Connect::default()
        });
        // What was not acknowledged is sent again.
        for (id, (number, qos)) in &self.clients[name].open {
            let payload = number.to_string();
            let publish = Publish {
                dup: true,
                qos: *qos,
                retain: false,
                topic: "up",
                id: PacketId::new(*id),
                payload: payload.as_bytes(),
            };
            self.site.send(name, &Packet::Publish(publish));
        }
        self.look();
    }

    /// Takes what has been acknowledged, and what has arrived above.
    fn look(&mut self) {
        for (topic, payload) in self.site.pair.bench.take_published() {
            if topic == "up" {
                let number: usize = String::from_utf8(payload).unwrap().parse().unwrap();
                assert!(number < self.sent.len(), "nobody published {number}");
                self.above.push(number);
            }
        }
        for (name, own) in &mut self.clients {
            for answer in self.site.answers(name) {
                let Ok(id) = answer.parse::<u16>() else {
                    continue;
                };
                if let Some((number, _)) = own.open.remove(&id) {
                    assert!(
                        self.above.contains(&number),
                        "{name} was told that {number} is published"
                    );
                    own.acknowledged.push(number);
                }
            }
        }
    }

    fn act(&mut self) {
        let name = NAMES[self.dice.below(3) as usize];
        match self.dice.below(12) {
            0..=7 => {
                let qos = [Q0, Q1, Q2][self.dice.below(3) as usize];
                let number = self.sent.len();
                self.sent.push((name, qos));
                let own = self.clients.get_mut(name).unwrap();
                own.next_id = own.next_id % 60_000 + 1;
                let id = own.next_id;
                if qos != Q0 {
                    own.open.insert(id, (number, qos));
                }
                let payload = number.to_string();
                self.site.publish(name, "up", payload.as_bytes(), qos, id);
            }
            8 => {
                let filter = FILTERS[self.dice.below(6) as usize];
                let qos = [Q0, Q1, Q2][self.dice.below(3) as usize];
                self.site.subscribe(name, &[(filter, qos)]);
            }
            9 => {
                let filter = FILTERS[self.dice.below(6) as usize];
                self.site.unsubscribe(name, filter);
            }
            10 => {
                self.site.cut(name);
                self.login(name);
            }
            _ => {
                let payload = format!("down {}", self.downs);
                self.downs += 1;
                let bench = &mut self.site.pair.bench;
                bench.publish("a/b", payload.as_bytes(), Q2, false);
            }
        }
        self.look();
    }
}

fn run(seed: u64) {
    let mut dice = Dice::new(seed, "bridge");
    let model = &model::ALL[dice.below(model::ALL.len() as u32) as usize];
    let mut room = Room::default();
    let bench = Bench::new(model, module::Config::default()).with_seed(seed);
    let limits = Limits {
        messages: 1 + dice.below(20) as usize,
        lossy: 1 + dice.below(20) as usize,
        attempts: 0,
        ..Limits::default()
    };
    let driver = Driver::new(model, room.memory(), seed);
    let mut run = Run {
        site: Site::at(bench, driver, limits),
        dice,
        clients: NAMES.map(|name| (name, Own::default())).into(),
        sent: Vec::new(),
        above: Vec::new(),
        downs: 0,
    };
    let is_calm = run.dice.below(4) == 0;
    if is_calm || run.dice.below(2) == 0 {
        run.site.connect();
    } else {
        run.site.begin();
    }
    for name in NAMES {
        run.login(name);
    }
    for _ in 0..if is_calm { 0 } else { 1 + run.dice.below(2) } {
        let line = FAULTS[run.dice.below(FAULTS.len() as u32) as usize];
        // Some models cannot have some of them.
        let _ = run.site.pair.bench.inject(line.parse().unwrap());
    }
    for _ in 0..60 {
        run.act();
        let pause = u64::from(run.dice.below(6));
        run.site.wait(pause);
        run.look();
    }
    run.site.pair.bench.clear_all();
    let is_well = |site: &Site<'_>| {
        site.pair.driver.is_connected() && NAMES.iter().all(|name| site.takes_data(name))
    };
    for _ in 0..90 {
        run.site.wait(20);
        run.look();
        if run.clients.values().all(|own| own.open.is_empty()) && is_well(&run.site) {
            break;
        }
    }
    run.site.wait(60);
    run.look();
    let stats = run
        .site
        .broker
        .with_policy(|bridge| bridge.stats())
        .unwrap();
    for (name, own) in &run.clients {
        assert!(
            own.open.is_empty(),
            "{name} waits for {:?}; {:?}; {:?}",
            own.open,
            run.site.pair.driver,
            run.site.news
        );
        // In their order, but for what was sent again after a later one: each first arrival counts.
        let mut firsts: Vec<usize> = Vec::new();
        for number in &run.above {
            let (who, qos) = run.sent[*number];
            if who == *name && qos != Q0 && !firsts.contains(number) {
                firsts.push(*number);
            }
        }
        assert!(firsts.is_sorted(), "{name}: {firsts:?}");
        // PUBREL may wait behind a message that there is no room for, so that PUBCOMP comes late.
        let mut acknowledged = own.acknowledged.clone();
        acknowledged.sort_unstable();
        assert_eq!(firsts, acknowledged, "{name}");
    }
    assert_eq!(stats.discarded, 0, "{:?}", run.site.news);
    let mut all = run.above.clone();
    all.sort_unstable();
    let twice: Vec<_> = all
        .windows(2)
        .filter(|pair| pair[0] == pair[1] && run.sent[pair[0]].1 == Q2)
        .collect();
    assert!(stats.repeated as usize >= twice.len(), "{twice:?}");
    if is_calm {
        assert_eq!((stats.repeated, stats.lost), (0, 0));
        for name in NAMES {
            let mut heard = run.site.messages(name);
            heard.retain(|line| line.starts_with("a/b "));
            heard.sort();
            let copies = heard.windows(2).filter(|pair| pair[0] == pair[1]);
            assert_eq!(copies.count(), 0, "{name}: {heard:?}");
        }
        all.dedup();
        assert_eq!(all, (0..run.sent.len()).collect::<Vec<_>>());
    }
    // What the clients want, and no filter that another one covers.
    let mut wanted: Vec<String> = run
        .site
        .broker
        .clients()
        .flat_map(|client| client.subscriptions)
        .map(|(filter, _)| filter.to_string())
        .collect();
    wanted.sort();
    wanted.dedup();
    let wide = wanted.clone();
    wanted.retain(|own| {
        !wide
            .iter()
            .any(|other| other != own && topic_covers(other, own))
    });
    let above: Vec<_> = run.site.above();
    let above: Vec<_> = above
        .iter()
        .map(|line| line.rsplit_once(' ').unwrap().0)
        .collect();
    assert_eq!(
        above, wanted,
        "{:?}; {:?}",
        run.site.pair.driver, run.site.news
    );
}

fn number_of(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn nothing_that_is_acknowledged_is_lost() {
    let seeds = match number_of("MODEMQ_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number_of("MODEMQ_RUNS").unwrap_or(200),
    };
    for seed in seeds {
        let result = std::panic::catch_unwind(|| run(seed));
        assert!(result.is_ok(), "again: MODEMQ_SEED={seed}");
    }
}
