//! A day of each weather in virtual time, and hours of it on a model of each family, with a host that comes back as the tutorials say.

// clippy.toml allows unwrap in test functions; these helpers are called by nothing else.
#![allow(clippy::unwrap_used)]

use dialect::{Family, Model};
use module::{Config, TraceKind};
use std::time::Duration;
use world::weather::BUILT_IN;
use world::{Bench, Weather};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

const MODELS: [&str; 4] = ["air780ep", "nt35e", "ec20", "esp8266"];

/// What a host does every minute: it logs in anew, and says that it is there.
fn lines(model: &Model) -> &'static [&'static str] {
    match model.family {
        Family::Luat => &[
            "AT+MIPCLOSE",
            "AT+MCONFIG=\"d\",\"\",\"\"",
            "AT+MIPSTART=\"broker.test\",1883",
            "AT+MCONNECT=1,60",
            "AT+MPUB=\"here\",1,0,\"x\"",
        ],
        Family::EigenComm => &[
            "AT+ECMTDISC=0",
            "AT+ECMTOPEN=0,\"broker.test\",1883",
            "AT+ECMTCONN=0,\"d\"",
            "AT+ECMTPUB=0,1,1,0,\"here\",\"x\"",
        ],
        Family::Quectel => &[
            "AT+QMTDISC=0",
            "AT+QMTOPEN=0,\"broker.test\",1883",
            "AT+QMTCONN=0,\"d\"",
            "AT+QMTPUBEX=0,1,1,0,\"here\",1\rx",
        ],
        Family::Espressif => &[
            "AT+CWJAP=\"home\",\"\"",
            "AT+MQTTCLEAN=0",
            "AT+MQTTUSERCFG=0,1,\"d\",\"\",\"\",0,0,\"\"",
            "AT+MQTTCONN=0,\"broker.test\",1883,0",
            "AT+MQTTPUB=0,\"here\",\"x\",1,0",
        ],
    }
}

/// How often it strikes and how many messages come through in so much time; and everything the host has read, summed up.
fn play(model: &'static Model, text: &str, seed: u64, span: Duration) -> (usize, usize, u64) {
    let config = Config {
        trace: true,
        unix_time: Some(1_728_632_315),
        ..Config::default()
    };
    let mut bench = Bench::new(model, config).with_seed(seed);
    for fault in Weather::parse(text).unwrap().faults {
        if fault.check(model).is_ok() {
            bench.inject(fault).unwrap();
        }
    }
    let end = bench.now() + span;
    let (mut strikes, mut messages, mut sum) = (0, 0, 0_u64);
    while bench.now() < end {
        for line in lines(model) {
            bench.type_bytes(format!("{line}{}", model.syntax.line_end()).as_bytes());
            bench.run_for(Duration::from_secs(8));
            assert!(bench.rig().held() < 1 << 20);
        }
        bench.run_for(Duration::from_secs(20));
        let notes = bench.take_trace();
        strikes += notes
            .iter()
            .filter(
                |trace| matches!(&trace.kind, TraceKind::Note(note) if note.contains(" strikes: ")),
            )
            .count();
        messages += bench.take_published().len();
        bench.take_events();
        for byte in bench.take_serial() {
            sum = (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    (strikes, messages, sum ^ bench.now().as_micros())
}

#[test]
fn a_day_of_each_weather_passes_in_seconds_and_messages_come_through() {
    // A day on one model, since every model sees some hours of it below.
    for ((name, text), model) in BUILT_IN.iter().zip(MODELS.iter().cycle()) {
        let model = Model::by_name(model).unwrap();
        let (strikes, messages, _) = play(model, text, 7, DAY);
        let what = format!(
            "{name} on {}: {strikes} strikes, {messages} messages",
            model.title
        );
        assert!(strikes >= 10 && messages >= 200, "{what}");
    }
}

#[test]
fn the_same_seed_is_the_same_day() {
    let hours = Duration::from_secs(2 * 60 * 60);
    for (name, text) in BUILT_IN {
        for model in MODELS {
            let model = Model::by_name(model).unwrap();
            let day = play(model, text, 7, hours);
            assert_eq!(play(model, text, 7, hours), day, "{name}");
            assert_ne!(play(model, text, 8, hours).2, day.2, "{name}");
        }
    }
}
