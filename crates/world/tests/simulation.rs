//! The driver against everything that can break, from seeds, and whether that would find a driver that is wrong.
//!
//! A run is a host that publishes, subscribes and asks questions of one model for a quarter of an hour of virtual time while faults
//! strike, and some minutes after the world has healed. At each step:
//!
//! - no answer is credited to another command: a question that only the SIM or the module can answer has its answer, and a
//!   command that no firmware has is never told as done;
//! - what was told as delivered is at the broker, and what the broker has was published by the host: at most as often as its outcomes
//!   allow, with QoS 2 once;
//! - what is received was published, with QoS 2 at most once;
//! - each message gets one outcome, within the documented time;
//! - something will happen: no deadlock.
//!
//! In a run without faults nothing is lost, unknown or late, and the end of a connection is told at once.
//!
//! Once the world has healed the driver is connected and subscribed within [`BOUND`], and messages pass both ways.
//!
//!     cargo test --release -p modemq-world --test simulation                         # 2,000 runs
//!     MODEMQ_RUNS=100000 cargo test --release -p modemq-world --test simulation -- --nocapture
//!     MODEMQ_SEED=17 cargo test -p modemq-world --test simulation -- --nocapture     # one run, with what happens in it

// clippy.toml allows unwrap in test functions; these helpers are called by nothing else.
#![allow(clippy::unwrap_used)]

use dialect::model::{self, Bearer, Model};
use driver::{
    CommandFailure, Driver, Event, Lack, Mutant, Options, Outcome, Patience, QoS, Query, Token,
    Why, Wifi,
};
use instant::Instant;
use module::{Config, Pace};
use std::collections::HashMap;
use std::time::Duration;
use world::{Bench, Dice, Pair, Room, Told};

/// From the world's health to a connected driver: the longest wait, the search for a module that was silent, a module's own
/// patience with data that does not come, its start, its network and its login.
const BOUND: Duration = Duration::from_secs(600);
/// From a message to its outcome: the module's time for data and its repetitions; before that, finding out several times what a
/// module hears whose answers are lost every other second.
const OUTCOME: Duration = Duration::from_secs(600);

const PATIENCE: Patience = Patience {
    first_wait: Duration::from_secs(1),
    longest_wait: Duration::from_secs(60),
    check: Duration::from_secs(60),
    gap: Duration::from_millis(20),
};

/// Faults that strike by themselves; `{s}` is some seconds, `{m}` some milliseconds, `{t}` few of them, `{n}` a small number.
const FAULTS: &[&str] = &[
    "tcp-drop every {s}",
    "reset_peer every {s}",
    "half-open at {s}",
    "refuse at {s} for {s}",
    "close-on-connect at {s} for {s}",
    "broker-silent at {s} for {s}",
    "dns-fail at {s} for {s}",
    "dns-slow {s} at {s} for {s}",
    "latency {m} {m} on link",
    "bandwidth 20kbit on link for {s}",
    "slicer {n} {m} on link",
    "stall on link at {s} for {s}",
    "limit_data 2000 every {s} for {s}",
    "pdp-deact every {s}",
    "ip-change every {s}",
    "signal 99 at {s} for {s}",
    "registration denied at {s} for {s}",
    "sim busy at {s} for {s}",
    "reboot every {s}",
    "power-cut at {s}",
    "brown-out {n} at {s}",
    "stuck at {s} for {s}",
    "cme-error 3 {n} every {s}",
    "late-reply {n}s 1 every {s}",
    "late-reply {n}0s when PUB",
    "late-reply {n}0s at {s}",
    "lost-reply 1 every {s}",
    "lost-reply 1 when SUB",
    "lost-reply 1 when ?",
    "urc \"+CREG: 2\" now every {s}",
    "urc \"+CEREG: 5\" before-reply every {s}",
    "urc \"+CEREG: 2\" inside-reply every {s}",
    "urc \"+X: 1\" inside-reply every {s}",
    "urc \"+CSQ: 99,99\" glued every {s}",
    "urc \"+QMTPUB: 0,1,0\" glued every {n}s",
    "urc \"+QMTPUBEX: 0,1,0\" glued every {n}s",
    "urc \"+ECMTPUB: 0,1,0\" glued every {n}s",
    "slicer 1 {t} on serial",
    "slicer {n} 1ms on serial/downstream for {s}",
    "latency {m} {m} on serial",
    "stall on serial at {s} for {n}0s",
];

/// Faults that change bytes of the serial line, where nothing has a checksum: what a message holds cannot be promised then.
const NOISE: &[&str] = &[
    "loss 1% on serial every {s} for {s}",
    "corrupt 1% on serial/downstream every {s} for {s}",
    "duplicate 5% on serial every {s} for {s}",
    "overrun 40 at {s} for {s}",
    "wrong-baud 9600 at {s} for {s}",
];

fn fault(template: &str, dice: &mut Dice) -> String {
    let mut line = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        line.push_str(&rest[..at]);
        let value = match &rest[at..at + 3] {
            "{s}" => format!("{}s", 1 + dice.below(180)),
            "{t}" => format!("{}ms", 1 + dice.below(8)),
            "{m}" => format!("{}ms", 1 + dice.below(800)),
            _ => format!("{}", 1 + dice.below(3)),
        };
        line.push_str(&value);
        rest = &rest[at + 3..];
    }
    line.push_str(rest);
    line
}

/// A message of the host.
struct Sent {
    qos: QoS,
    at: Instant,
    /// Attempts of which nobody knows what became.
    unknown: usize,
    delivered: bool,
    handed_over: bool,
    refused: bool,
}

struct Run<'a> {
    seed: u64,
    dice: Dice,
    pair: Pair<'a>,
    noisy: bool,
    /// Nothing breaks.
    calm: bool,
    /// Messages hold no line ends: what is lost of a reply, or put between two lines of it, would be lost of a message, or put
    /// into it.
    tame: bool,
    speaks: bool,
    sent: Vec<Sent>,
    /// Which message a token is about, until its outcome.
    tokens: HashMap<u16, usize>,
    last: Option<usize>,
    at_broker: Vec<usize>,
    published: usize,
    received: Vec<usize>,
    lost: Option<Why>,
    asked: Option<Query>,
    typed: Option<&'static str>,
}

const NO_SUCH: &str = "AT+NOSUCHCOMMAND";

impl Run<'_> {
    fn fail(&self, what: &str) -> String {
        format!(
            "{what}\n  model {}, at {}: {:?}\n  again: MODEMQ_SEED={} cargo test -p modemq-world --test simulation one_seed -- --nocapture",
            self.pair.driver.model().name,
            self.pair.now(),
            self.pair.driver,
            self.seed
        )
    }

    /// Looks at what has happened.
    fn look(&mut self) -> Result<(), String> {
        for (topic, payload) in self.pair.bench.take_published() {
            if topic != "up" {
                continue;
            }
            match number(&payload).filter(|number| payload == self.payload(*number)) {
                Some(number) if number < self.sent.len() => {
                    self.at_broker.resize(self.sent.len(), 0);
                    self.at_broker[number] += 1;
                }
                _ if self.noisy => {}
                _ => {
                    let shown = payload.escape_ascii().to_string();
                    return Err(
                        self.fail(&format!("the broker got what nobody published: {shown}"))
                    );
                }
            }
        }
        if self.speaks {
            for trace in self.pair.bench.take_trace() {
                println!("    {} {:?}", trace.at, trace.kind);
            }
        }
        for told in self.pair.take_told() {
            if self.speaks {
                println!("{} {told:?}", self.pair.now());
            }
            self.hear(told)?;
        }
        for (number, sent) in self.sent.iter().enumerate() {
            let open = self.tokens.values().any(|own| *own == number);
            if open && self.pair.now() - sent.at > OUTCOME {
                return Err(self.fail(&format!("message {number} has no outcome")));
            }
        }
        Ok(())
    }

    fn hear(&mut self, told: Told) -> Result<(), String> {
        match told {
            Told::Event(Event::Published(Token(token), outcome)) => {
                let Some(number) = self.tokens.remove(&token) else {
                    return Err(self.fail("a second outcome of a message"));
                };
                self.at_broker.resize(self.sent.len(), 0);
                let there = self.at_broker[number];
                let sent = &mut self.sent[number];
                match outcome {
                    Outcome::Delivered => sent.delivered = true,
                    Outcome::Sent => {
                        sent.handed_over = true;
                        sent.unknown += 1;
                    }
                    Outcome::Unknown => sent.unknown += 1,
                    Outcome::Refused(_) => sent.refused = true,
                }
                if outcome == Outcome::Delivered && there == 0 && !self.noisy {
                    return Err(self.fail(&format!(
                        "message {number} was delivered, and the broker has it not"
                    )));
                }
                if outcome == Outcome::Sent && sent.qos != QoS::AtMostOnce {
                    return Err(self.fail("QoS 1 or 2 is more than sent"));
                }
            }
            Told::Event(Event::Done(result)) => {
                let typed = self.typed.take();
                let wrong = match typed {
                    Some(NO_SUCH) => result.is_ok(),
                    Some(_) => matches!(result, Err(CommandFailure::Refused(None))),
                    None => true,
                };
                if wrong && !self.noisy {
                    return Err(self.fail(&format!("{typed:?} came to {result:?}")));
                }
            }
            Told::Answer(query, answer) => {
                let wanted = match query {
                    Query::Imei if self.pair.driver.model().bearer == Bearer::WiFi => {
                        "5c:cf:7f:80:aa:01"
                    }
                    Query::Imei => "864040060365518",
                    Query::Iccid => "89860621260002571487",
                    _ => "",
                };
                let is_ours = self.asked.take() == Some(query);
                if (!is_ours || !answer.contains(wanted)) && !self.noisy {
                    return Err(self.fail(&format!("{query:?} was answered {answer}")));
                }
            }
            Told::Event(Event::Unanswered(_)) => self.asked = None,
            Told::Event(Event::Lost(why)) => self.lost = Some(why),
            Told::Message(topic, payload, lack) => {
                let number = number(&payload)
                    .filter(|number| payload == self.payload(*number) && topic == "down")
                    .filter(|number| *number < self.published);
                let Some(number) = number.filter(|_| lack == Lack::Nothing) else {
                    if self.noisy {
                        return Ok(());
                    }
                    let shown = payload.escape_ascii().to_string();
                    return Err(
                        self.fail(&format!("received what nobody published: {topic} {shown}"))
                    );
                };
                self.received.resize(self.published, 0);
                self.received[number] += 1;
                if self.received[number] > 1 && !self.noisy {
                    return Err(self.fail(&format!("message {number} of QoS 2 was received twice")));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// At most as often as the outcomes allow.
    fn count(&self) -> Result<(), String> {
        if self.noisy {
            return Ok(());
        }
        for (number, sent) in self.sent.iter().enumerate() {
            let there = self.at_broker.get(number).copied().unwrap_or(0);
            // QoS 1: the module may repeat what was not acknowledged.
            let most = sent.unknown + usize::from(sent.delivered);
            if sent.qos == QoS::ExactlyOnce && there > most {
                return Err(self.fail(&format!("message {number} of QoS 2 is at the broker {there} times, and {most} are accounted for")));
            }
            if there > 0 && sent.refused && most == 0 {
                return Err(self.fail(&format!(
                    "message {number} was refused, and the broker has it"
                )));
            }
        }
        Ok(())
    }

    /// Nothing was lost, and the end of the connection is told.
    fn check_calm(&mut self) -> Result<(), String> {
        self.run_until(Duration::from_secs(10), |_| false)?;
        self.received.resize(self.published, 0);
        if self.received.contains(&0) || self.lost.is_some() {
            return Err(self.fail(&format!("lost in a calm world: {:?}", self.lost)));
        }
        if let Some(number) = self
            .sent
            .iter()
            .position(|sent| !sent.delivered && !sent.handed_over)
        {
            return Err(self.fail(&format!(
                "message {number} was not delivered in a calm world"
            )));
        }
        self.pair.bench.inject("tcp-drop".parse().unwrap()).unwrap();
        self.run_until(Duration::from_secs(5), |run| run.lost.is_some())?;
        if self.lost != Some(Why::Closed) {
            return Err(self.fail(&format!(
                "the end of the connection came to {:?}",
                self.lost
            )));
        }
        Ok(())
    }

    /// A payload that says which it is, and that a language might trip over.
    fn payload(&self, number: usize) -> Vec<u8> {
        let raw = self.pair.driver.model().name == "nt35e" || self.tame;
        let tail: &[u8] = match number % 5 {
            1 => b"{\"a\":1,\"b\":\"x;y\"}",
            2 if !raw => b"\r\nOK\r\n\r\nERROR\r\n",
            3 if !raw => b"> \r\n+QMTPUB: 0,1,0\r\nPUBACK\r\nAT+CFUN=0\r",
            4 => b"\\\",+CREG: 1",
            _ => b"",
        };
        let mut payload = format!("{number}:").into_bytes();
        payload.extend_from_slice(tail);
        payload
    }

    /// The host does something.
    fn act(&mut self) {
        let now = self.pair.now();
        match self.dice.below(8) {
            0..=2 => {
                let number = self.sent.len();
                let payload = self.payload(number);
                let qos = QoS::from_level(self.dice.below(3) as u8).unwrap();
                if let Ok(token) = self.pair.driver.publish(now, "up", &payload, qos, false) {
                    self.sent.push(Sent {
                        qos,
                        at: now,
                        unknown: 0,
                        delivered: false,
                        handed_over: false,
                        refused: false,
                    });
                    self.tokens.insert(token.0, number);
                    self.last = Some(number);
                }
            }
            3 => {
                if let Ok(token) = self.pair.driver.republish(now) {
                    let number = self.last.unwrap();
                    self.sent[number].at = now;
                    self.tokens.insert(token.0, number);
                }
            }
            4 | 5 => {
                let payload = self.payload(self.published);
                self.published += 1;
                self.pair
                    .bench
                    .publish("down", &payload, mqtt::QoS::ExactlyOnce, false);
            }
            6 => {
                let queries = [Query::Imei, Query::Iccid, Query::Signal];
                let query = queries[self.dice.below(3) as usize];
                if self.asked.is_none() && self.pair.driver.query(now, query).is_ok() {
                    self.asked = Some(query);
                }
            }
            _ => {
                let line = [NO_SUCH, "AT"][self.dice.below(2) as usize];
                let patience = Duration::from_secs(1 + u64::from(self.dice.below(5)));
                if self.pair.driver.command(now, line, patience).is_ok() {
                    self.typed = Some(line);
                }
            }
        }
        self.pair.exchange();
    }

    fn step(&mut self, end: Instant) -> Result<(), String> {
        match self.pair.next_event() {
            Some(at) if at <= end => {
                self.pair.step();
            }
            Some(_) => self.pair.run_for(end - self.pair.now()),
            None => return Err(self.fail("nothing will ever happen")),
        }
        self.look()
    }

    fn run_until(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) -> Result<bool, String> {
        let end = self.pair.now() + limit;
        let mut steps = 0;
        while !done(self) {
            if self.pair.now() >= end {
                return Ok(false);
            }
            self.step(end)?;
            steps += 1;
            if steps > 3_000_000 {
                return Err(self.fail("time does not pass"));
            }
        }
        Ok(true)
    }
}

fn number(payload: &[u8]) -> Option<usize> {
    let digits = payload.split(|byte| *byte == b':').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// One run; the virtual time that it took, or what was wrong.
fn run(seed: u64, mutant: Option<Mutant>, speaks: bool) -> Result<Duration, String> {
    let mut dice = Dice::new(seed, "simulation");
    let model: &'static Model = &model::ALL[dice.below(model::ALL.len() as u32) as usize];
    let config = Config {
        pace: [Pace::Fast, Pace::Real][dice.below(2) as usize],
        trace: speaks,
        ..Config::default()
    };
    let mut room = Room::default();
    let mut driver = Driver::new(model, room.memory(), seed);
    if let Some(mutant) = mutant {
        driver = driver.with_mutant(mutant);
    }
    let mut pair = Pair::new(Bench::new(model, config), driver);
    pair.slice = [usize::MAX, 1, 3, 64][dice.below(4) as usize];
    let kind = dice.below(10);
    let mut run = Run {
        seed,
        pair,
        noisy: kind < 2,
        calm: kind == 2,
        tame: false,
        dice,
        speaks,
        sent: Vec::new(),
        tokens: HashMap::new(),
        last: None,
        at_broker: Vec::new(),
        published: 0,
        received: Vec::new(),
        lost: None,
        asked: None,
        typed: None,
    };
    let options = Options {
        host: "broker.test",
        client_id: "robot",
        keep_alive: 30,
        wifi: Some(Wifi {
            ssid: "home",
            password: "password",
        }),
        reset_pin: true,
        patience: PATIENCE,
        ..Options::default()
    };
    let now = run.pair.now();
    run.pair
        .driver
        .subscribe(now, "down", QoS::ExactlyOnce)
        .unwrap();
    run.pair.driver.connect(now, options).unwrap();
    run.pair.exchange();
    if !run.run_until(BOUND, |run| run.pair.driver.is_connected())? {
        return Err(run.fail("it never connects"));
    }
    let count = if run.calm { 0 } else { 1 + run.dice.below(4) };
    for _ in 0..count {
        let from = if run.noisy { NOISE } else { FAULTS };
        let template = from[run.dice.below(from.len() as u32) as usize];
        let line = fault(template, &mut run.dice);
        // A message of the NT35E has no length: a report that is put into it cuts it.
        run.noisy |= model.name == "nt35e" && line.starts_with("urc");
        run.tame |= ["urc", "late", "lost"]
            .iter()
            .any(|word| line.starts_with(word));
        // Some models cannot have some of them.
        let injected = run.pair.bench.inject(line.parse().unwrap()).is_ok();
        if speaks {
            println!("{} {line} {injected}", run.pair.now());
        }
    }
    let end = run.pair.now() + Duration::from_secs(900);
    while run.pair.now() < end {
        run.act();
        let pause = Duration::from_millis(u64::from(run.dice.below(20_000)));
        run.run_until(pause, |_| false)?;
    }
    if run.calm {
        run.check_calm()?;
    }
    run.pair.bench.clear_all();
    if speaks {
        println!("{} healed", run.pair.now());
    }
    if run.noisy {
        // What became of a topic on its way nobody can know.
        let now = run.pair.now();
        let _ = run.pair.driver.subscribe(now, "down", QoS::ExactlyOnce);
        run.pair.exchange();
    }
    // Messages pass again, both ways.
    let healed = run.pair.now();
    let mut passes = [false; 2];
    while passes != [true; 2] {
        if run.pair.now() - healed > BOUND {
            let which = if passes[0] { "down" } else { "up" };
            return Err(run.fail(&format!(
                "nothing passes {which} after the world has healed"
            )));
        }
        run.run_until(Duration::from_secs(60), |run| run.pair.driver.can_publish())?;
        let now = run.pair.now();
        let number = run.sent.len();
        let payload = run.payload(number);
        let qos = QoS::ExactlyOnce;
        if let Ok(token) = run.pair.driver.publish(now, "up", &payload, qos, false) {
            run.sent.push(Sent {
                qos,
                at: now,
                unknown: 0,
                delivered: false,
                handed_over: false,
                refused: false,
            });
            run.tokens.insert(token.0, number);
            run.last = Some(number);
        }
        let down = run.published;
        let payload = run.payload(down);
        run.published += 1;
        run.pair
            .bench
            .publish("down", &payload, mqtt::QoS::ExactlyOnce, false);
        run.pair.exchange();
        run.run_until(Duration::from_secs(20), |_| false)?;
        passes[0] |= run.sent.get(number).is_some_and(|sent| sent.delivered);
        passes[1] |= run.received.get(down).is_some_and(|times| *times > 0);
    }
    run.run_until(Duration::from_secs(60), |_| false)?;
    run.count()?;
    Ok(run.pair.now() - Instant::ZERO)
}

fn number_of(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn one_seed() {
    if let Some(seed) = number_of("MODEMQ_SEED") {
        run(seed, None, true).unwrap_or_else(|wrong| panic!("{wrong}"));
    }
}

#[test]
fn nothing_breaks_the_driver() {
    if number_of("MODEMQ_SEED").is_some() {
        return;
    }
    let runs = number_of("MODEMQ_RUNS").unwrap_or(2_000);
    let from = number_of("MODEMQ_FROM").unwrap_or(0);
    let start = std::time::Instant::now();
    let results = each_seed(from..from + runs, |seed| run(seed, None, false));
    let total: Duration = results.iter().flatten().sum();
    let wrong: Vec<_> = results
        .iter()
        .filter_map(|result| result.as_ref().err())
        .collect();
    let years = total.as_secs_f64() / (365.25 * 86_400.0);
    let minutes = start.elapsed().as_secs_f64() / 60.0;
    println!(
        "{runs} runs, {years:.2} device-years, {:.1} a minute",
        years / minutes
    );
    for what in wrong.iter().take(10) {
        println!("{what}");
    }
    assert!(
        wrong.is_empty(),
        "{} of {runs} runs went wrong",
        wrong.len()
    );
}

/// A simulation that finds nothing proves nothing: each of these defects is found, and the seed that finds it is named.
#[test]
fn each_mutant_is_found() {
    if number_of("MODEMQ_SEED").is_some() {
        return;
    }
    let found = each_seed(0..Mutant::ALL.len() as u64, |which| {
        let mutant = Mutant::ALL[which as usize];
        let wrong = |seed| Some((seed, run(seed, Some(mutant), false).err()?));
        (0..10_000).find_map(wrong)
    });
    for (mutant, found) in Mutant::ALL.iter().zip(&found) {
        match found {
            Some((seed, what)) => {
                let what = what.lines().next().unwrap_or_default();
                println!("{mutant:?}, by seed {seed}: {what}");
            }
            None => println!("{mutant:?} is not found"),
        }
    }
    assert!(found.iter().all(Option::is_some));
}

/// Does it for each of them, on as many threads as there are processors; the results in their order.
fn each_seed<T: Send>(seeds: std::ops::Range<u64>, work: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let next = std::sync::atomic::AtomicU64::new(seeds.start);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut results: Vec<(u64, T)> = std::thread::scope(|scope| {
        let one = || {
            let mut own = Vec::new();
            loop {
                let seed = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                if seed >= seeds.end {
                    return own;
                }
                own.push((seed, work(seed)));
            }
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    results.sort_by_key(|(seed, _)| *seed);
    results.into_iter().map(|(_, result)| result).collect()
}
