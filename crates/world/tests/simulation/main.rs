//! The driver against everything that can break, from seeds, and whether that would find a driver that is wrong.
//!
//! A run is a host that does whatever the API has with one model, for a quarter of an hour of virtual time, while faults strike, and
//! some minutes after the world has healed. At each step:
//!
//! - no answer is credited to another command: a query, and a raw command whose answer says which command it is, have the answer
//!   that they had before anything broke; a command that no firmware has is never told as done; a report is no line of it;
//! - what was told as delivered is at the broker, and what the broker has was published by the host: at most as often as its outcomes
//!   allow, with QoS 2 once; nothing that was typed became part of a message;
//! - what is received was published, on a topic that is subscribed to, whole or said to lack something, with QoS 2 at most once;
//! - each request has one outcome, within the documented time;
//! - the ladder is climbed as documented: rung, attempt and wait;
//! - something will happen: no deadlock; and memory is bounded.
//!
//! In a run without faults nothing is lost, unknown or late, and the end of a connection is told at once.
//!
//! Once the world has healed the driver is connected and the broker has its subscriptions within [`BOUND`], messages pass both ways
//! on every topic, no request is open, and no memory has been kept.
//!
//!     cargo test --release -p modemq-world --test simulation                         # 2,000 runs
//!     MODEMQ_RUNS=100000 cargo test --release -p modemq-world --test simulation -- --nocapture
//!     MODEMQ_SEED=17 cargo test -p modemq-world --test simulation -- --nocapture     # one run, with what happens in it

// clippy.toml allows unwrap in test functions; these helpers are called by nothing else.
#![allow(clippy::unwrap_used)]

mod faults;
mod host;
mod memory;

use dialect::Family;
use dialect::model::{self, Bearer, Model};
use driver::{Apn, ConnectError, Driver, Mutant, Options, Patience, QoS, Tls, Wifi, Will};
use faults::{FAULTS, NOISE, fault};
use host::Run;
use instant::Instant;
use module::{Config, Pace, Sim};
use std::time::Duration;
use world::{Bench, Dice, Pair, Room};

/// From the world's health to a connected driver: the longest wait, the search for a module that was silent, a module's own
/// patience with data that does not come, its start, its network and its login.
const BOUND: Duration = Duration::from_secs(600);
/// From a request to its outcome, of a host that asks for more meanwhile: the module's time for data and its repetitions, and before
/// that, for each request, finding out what a module hears whose answers are all half a minute late.
const OUTCOME: Duration = Duration::from_secs(1_200);
/// What a module, a broker, all that faults hold back and the host's list of messages may take, in bytes.
const MEMORY: isize = 1 << 20;
/// What of it may be left when everything is quiet again: the list of messages, and tables that have grown and stay.
const KEPT: isize = 256 << 10;

const PATIENCE: Patience = Patience {
    first_wait: Duration::from_secs(1),
    longest_wait: Duration::from_secs(60),
    check: Duration::from_secs(60),
    gap: Duration::from_millis(20),
};

const TLS: Tls<'static> = Tls {
    ca: Some("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"),
    identity: Some(("certificate\r\nOK\r\n", "key\nof it")),
    dates: true,
};

/// What the device is configured to be.
fn options(dice: &mut Dice, model: &Model, pin: Option<&'static str>) -> Options<'static> {
    let mut one_in = |sides: u32| dice.below(sides) == 0;
    let has_login = one_in(2);
    let apn = one_in(4).then_some(Apn {
        name: "iot.example",
        username: "",
        password: "",
    });
    Options {
        host: "broker.test",
        client_id: "robot",
        username: has_login.then_some("user"),
        password: has_login.then_some("secret"),
        keep_alive: if one_in(4) { 120 } else { 30 },
        clean_session: !one_in(3),
        will: one_in(4).then_some(Will {
            topic: "will",
            payload: "gone",
            qos: QoS::AtLeastOnce,
            retain: false,
        }),
        pin,
        apn: apn.filter(|_| model.bearer != Bearer::WiFi),
        wifi: Some(Wifi {
            ssid: "home",
            password: "password",
        }),
        tls: one_in(4).then_some(TLS),
        // Nothing but the pin gets an ESP-AT module out of data whose prompt was lost.
        reset_pin: model.family == Family::Espressif || !one_in(4),
        patience: PATIENCE,
        ..Options::default()
    }
}

/// One run; the virtual time that it took, or what was wrong.
fn run(seed: u64, mutant: Option<Mutant>, speaks: bool) -> Result<Duration, String> {
    let before = memory::live();
    let mut dice = Dice::new(seed, "simulation");
    let model: &'static Model = &model::ALL[dice.below(model::ALL.len() as u32) as usize];
    let mut config = Config {
        pace: [Pace::Fast, Pace::Real][dice.below(2) as usize],
        trace: speaks,
        ..Config::default()
    };
    let pin = (dice.below(4) == 0).then_some("1234");
    if let Some(pin) = pin {
        config.radio.sim = Sim::Pin(pin.into());
    }
    let mut room = Room::default();
    let mut driver = Driver::new(model, room.memory(), seed);
    if let Some(mutant) = mutant {
        driver = driver.with_mutant(mutant);
    }
    let mut pair = Pair::new(Bench::new(model, config).with_seed(seed), driver);
    pair.slice = [usize::MAX, 1, 3, 64][dice.below(4) as usize];
    let mut options = options(&mut dice, model, pin);
    let kind = dice.below(10);
    let mut run = Run::new(seed, pair, dice, speaks);
    run.calm = kind == 2;

    run.subscribe(0, QoS::ExactlyOnce);
    let now = run.pair.now();
    if let Err(ConnectError::Tls(_)) = run.pair.driver.connect(now, options) {
        options.tls = None;
        run.pair.driver.connect(now, options).unwrap();
    }
    run.options = options;
    run.pair.exchange();
    if !run.run_until(BOUND, |run| run.pair.driver.is_connected())? {
        return Err(run.fail("it never connects"));
    }
    run.learn()?;
    run.noisy = kind < 2;
    run.is_punctual = kind > 2;
    let connected = memory::live();

    let count = if run.calm { 0 } else { 1 + run.dice.below(4) };
    for strikes in 0..count {
        let from = if run.noisy && (strikes == 0 || run.dice.below(2) == 0) {
            NOISE
        } else {
            FAULTS
        };
        let template = from[run.dice.below(from.len() as u32) as usize];
        // Second copies of results by themselves: nobody could tell one from a result that was lost.
        let is_copy = template.contains("OK");
        if is_copy && strikes > 0 {
            continue;
        }
        let line = fault(template, &mut run.dice);
        // A message of the NT35E has no length: a report that is put into it cuts it.
        run.noisy |= model.name == "nt35e" && line.starts_with("urc");
        // Without the pin nothing gets a module out of data that it hung in: it takes what is typed next.
        run.noisy |= line.starts_with("stuck") && !options.reset_pin;
        let slows = ["stuck", "late", "lost", "latency", "slicer", "stall"];
        run.is_punctual &= !slows.iter().any(|word| line.starts_with(word));
        let cuts: &[&str] = match model.name {
            // The same for a restart: it stands where the rest of the message should.
            "nt35e" => &["urc", "late", "lost", "reboot", "power", "brown"],
            _ => &["urc", "late", "lost"],
        };
        run.tame |= cuts.iter().any(|word| line.starts_with(word));
        // Some models cannot have some of them.
        let injected = run.pair.bench.inject(line.parse().unwrap()).is_ok();
        if speaks {
            println!("{} {line} {injected}", run.pair.now());
        }
        if is_copy {
            break;
        }
    }
    let end = run.pair.now() + Duration::from_secs(900);
    while run.pair.now() < end {
        run.act()?;
        let pause = Duration::from_millis(u64::from(run.dice.below(20_000)));
        run.run_until(pause, |_| false)?;
        let held = memory::live() - before;
        if held > MEMORY {
            return Err(run.fail(&format!("{held} bytes are held")));
        }
    }
    if run.calm {
        run.check_calm()?;
    }
    run.pair.bench.clear_all();
    if speaks {
        println!("{} healed", run.pair.now());
    }
    run.passes_again()?;
    run.check_end()?;
    let took = run.pair.now() - Instant::ZERO;
    let kept = memory::live() - connected - run.own_memory();
    if kept > KEPT {
        return Err(run.fail(&format!("{kept} bytes are kept")));
    }
    Ok(took)
}

fn number_of(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// A month of ordinary work, in which everything breaks twice a day, holds no more than a day of it.
#[test]
fn nothing_grows() {
    if number_of("MODEMQ_SEED").is_some() {
        return;
    }
    let grown = each_seed(0..model::ALL.len() as u64, |which| {
        let model = &model::ALL[which as usize];
        let mut room = Room::default();
        let driver = Driver::new(model, room.memory(), which);
        let dice = Dice::new(which, "month");
        let pair = Pair::new(
            Bench::new(model, Config::default()).with_seed(which),
            driver,
        );
        let mut run = Run::new(which, pair, dice, false);
        run.options = options(&mut Dice::new(which, "options"), model, None);
        run.options.tls = None;
        run.subscribe(0, QoS::ExactlyOnce);
        let (now, options) = (run.pair.now(), run.options);
        run.pair.driver.connect(now, options).unwrap();
        run.pair.exchange();
        for fault in [
            "tcp-drop",
            "pdp-deact",
            "power-cut",
            "signal 99",
            "half-open",
        ] {
            let line = format!("{fault} every 12h for 2m");
            let line = if matches!(fault, "signal 99" | "power-cut") {
                line
            } else {
                format!("{fault} every 12h")
            };
            let _ = run.pair.bench.inject(line.parse().unwrap());
        }
        let mut held = [0; 2];
        for (held, days) in held.iter_mut().zip([1, 29]) {
            for _ in 0..days * 24 {
                run.act()?;
                run.run_until(Duration::from_secs(3_600), |_| false)?;
            }
            *held = memory::live() - run.own_memory();
        }
        Ok::<_, String>((model.name, held[1] - held[0]))
    });
    for grown in grown {
        let (model, bytes) = grown.unwrap();
        assert!(bytes < 16 << 10, "{model} has grown by {bytes} bytes");
    }
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

/// Each mutant is found within so many seeds.
const MUTANT_SEEDS: u64 = 20_000;

/// A simulation that finds nothing proves nothing: each of these defects is found, and the seed that finds it is named.
#[test]
fn each_mutant_is_found() {
    if number_of("MODEMQ_SEED").is_some() {
        return;
    }
    let found = each_seed(0..Mutant::ALL.len() as u64, |which| {
        let mutant = Mutant::ALL[which as usize];
        let wrong = |seed| Some((seed, run(seed, Some(mutant), false).err()?));
        (0..MUTANT_SEEDS).find_map(wrong)
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
