//! What a bench sees of a module, on a model of each family: its state, and what it can wait for.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use dialect::Model;
use module::{
    Config, Event, NetworkEvent, Pace, Phase, Power, Protocol, Registration, State, TraceKind,
};
use std::time::Duration;
use world::Bench;

/// A model, and the lines by which its host logs in, subscribes to `a/+` and publishes `up`.
const FAMILIES: [(&str, &[&str]); 4] = [
    (
        "air780ep",
        &[
            "AT+MCONFIG=\"dev1\"\r",
            "AT+MIPSTART=\"broker.test\",1883\r",
            "AT+MCONNECT=1,60\r",
            "AT+MSUB=\"a/+\",1\r",
            "AT+MPUB=\"up\",1,0,\"data\"\r",
        ],
    ),
    (
        "ec20",
        &[
            "AT+QMTCFG=\"keepalive\",0,60\r",
            "AT+QMTOPEN=0,\"broker.test\",1883\r",
            "AT+QMTCONN=0,\"dev1\"\r",
            "AT+QMTSUB=0,1,\"a/+\",1\r",
            "AT+QMTPUBEX=0,1,1,0,\"up\",4\r",
            "data",
        ],
    ),
    (
        "nt35e",
        &[
            "AT+ECMTCFG=\"keepalive\",0,60\r",
            "AT+ECMTOPEN=0,\"broker.test\",1883\r",
            "AT+ECMTCONN=0,\"dev1\"\r",
            "AT+ECMTSUB=0,1,\"a/+\",1\r",
            "AT+ECMTPUB=0,1,1,0,\"up\",\"data\"\r",
        ],
    ),
    (
        "esp32c3",
        &[
            "AT+CWMODE=1\r\n",
            "AT+CWJAP=\"ap\",\"password\"\r\n",
            "AT+MQTTUSERCFG=0,1,\"dev1\",\"\",\"\",0,0,\"\"\r\n",
            "AT+MQTTCONNCFG=0,60,0,\"\",\"\",0,0\r\n",
            "AT+MQTTCONN=0,\"broker.test\",1883,0\r\n",
            "AT+MQTTSUB=0,\"a/+\",1\r\n",
            "AT+MQTTPUB=0,\"up\",\"data\",1,0\r\n",
        ],
    ),
];

fn bench(model: &str) -> Bench {
    let config = Config {
        pace: Pace::Fast,
        trace: true,
        ..Config::default()
    };
    let mut bench = Bench::new(Model::by_name(model).unwrap(), config);
    bench.run_for(Duration::from_secs(1));
    bench
}

fn state(bench: &Bench) -> State {
    bench.rig().module().state(bench.now())
}

fn events(bench: &mut Bench) -> Vec<Event> {
    let trace = bench.take_trace().into_iter();
    let events = trace.filter_map(|trace| match trace.kind {
        TraceKind::Event(event) => Some(event),
        _ => None,
    });
    events.collect()
}

/// In short, so that a list of them can be read.
fn short(event: &Event) -> String {
    match event {
        Event::Booted => "booted".into(),
        Event::PowerOff => "power-off".into(),
        Event::Registered => "registered".into(),
        Event::Unregistered => "unregistered".into(),
        Event::PdpUp(cid) => format!("pdp-up {cid}"),
        Event::PdpDown(cid) => format!("pdp-down {cid}"),
        Event::Connected(client) => format!("connected {client}"),
        Event::Disconnected(client) => format!("disconnected {client}"),
        Event::Subscribed(filter, qos) => format!("subscribed {filter} {}", qos.level()),
        Event::Unsubscribed(filter) => format!("unsubscribed {filter}"),
        Event::Sent(message) => format!(
            "sent {} {:?}",
            message.topic,
            message.payload.escape_ascii().to_string()
        ),
        Event::Received(message) => {
            format!(
                "received {} {:?}",
                message.topic,
                message.payload.escape_ascii().to_string()
            )
        }
    }
}

fn told(bench: &mut Bench) -> Vec<String> {
    events(bench).iter().map(short).collect()
}

#[test]
fn each_family_shows_its_session_and_tells_what_becomes_of_it() {
    for (model, lines) in FAMILIES {
        let mut bench = bench(model);
        let cellular = model != "esp32c3";
        let boot = told(&mut bench);
        let expected: &[&str] = if cellular {
            &["booted", "registered", "pdp-up 1"]
        } else {
            &["booted"]
        };
        assert_eq!(boot, expected, "{model}");
        for line in lines {
            bench.type_bytes(line.as_bytes());
            bench.run_for(Duration::from_secs(5));
        }
        bench.publish("a/b", b"down", mqtt::QoS::AtLeastOnce, false);
        bench.run_for(Duration::from_secs(1));
        let mut expected = vec![
            "connected dev1",
            "subscribed a/+ 1",
            "sent up \"data\"",
            "received a/b \"down\"",
        ];
        if !cellular {
            expected.insert(0, "registered");
        }
        assert_eq!(told(&mut bench), expected, "{model}");

        let now = state(&bench);
        assert_eq!(
            (now.power, now.registration),
            (Power::On, Registration::Home),
            "{model}"
        );
        assert_eq!(
            now.pdp.iter().any(|pdp| pdp.address.is_some()),
            cellular,
            "{model}"
        );
        assert_eq!(now.wifi.is_some(), !cellular, "{model}");
        let [link] = &now.links[..] else {
            panic!("{model}: {:?}", now.links);
        };
        assert_eq!(
            (link.protocol, link.phase, link.tls),
            (Protocol::Mqtt, Phase::Up, false),
            "{model}"
        );
        assert_eq!(
            (link.host.as_str(), link.port),
            ("broker.test", 1883),
            "{model}"
        );
        let session = link.session.as_ref().unwrap();
        assert_eq!(
            (session.client_id.as_str(), session.keep_alive),
            ("dev1", 60),
            "{model}"
        );
        assert_eq!(
            session.subscriptions,
            [("a/+".to_string(), mqtt::QoS::AtLeastOnce)],
            "{model}"
        );
        let typed: usize = lines.iter().map(|line| line.len()).sum();
        assert_eq!(now.serial.from_host, typed as u64, "{model}");

        // The network is gone, and comes back.
        let gone = if cellular {
            NetworkEvent::Registration(Registration::NotRegistered)
        } else {
            NetworkEvent::Signal { rssi: 99 }
        };
        bench.network(gone);
        bench.run_for(Duration::from_secs(1));
        let told = told(&mut bench);
        for wanted in ["disconnected dev1", "unregistered"] {
            assert_eq!(
                told.iter().filter(|one| *one == wanted).count(),
                1,
                "{model}: {told:?}"
            );
        }
        assert!(!state(&bench).registration.has_service(), "{model}");
        assert!(
            state(&bench)
                .links
                .iter()
                .all(|link| link.phase != Phase::Up),
            "{model}"
        );
    }
}

#[test]
fn power_is_told_once_each_way() {
    for (model, _) in FAMILIES {
        let mut bench = bench(model);
        bench.take_trace();
        bench.network(NetworkEvent::PowerCut);
        bench.run_for(Duration::from_secs(1));
        assert_eq!(state(&bench).power, Power::Off, "{model}");
        assert!(state(&bench).links.is_empty(), "{model}");
        let off = told(&mut bench);
        assert_eq!(
            off.iter().filter(|one| *one == "power-off").count(),
            1,
            "{model}: {off:?}"
        );
        bench.network(NetworkEvent::PowerCycle);
        bench.run_for(Duration::from_secs(1));
        let on = told(&mut bench);
        assert_eq!(
            on.iter().filter(|one| *one == "booted").count(),
            1,
            "{model}: {on:?}"
        );
        assert_eq!(state(&bench).power, Power::On, "{model}");
    }
}

#[test]
fn the_clock_shows_what_it_is_set_to() {
    let mut bench = bench("air780ep");
    bench.network(NetworkEvent::ClockSet(1_700_000_000));
    bench.run_for(Duration::from_secs(10));
    assert_eq!(state(&bench).unix_time, 1_700_000_010);
    bench.take_serial();
    bench.type_bytes(b"ATE0+CCLK?\r");
    bench.run_for(Duration::from_secs(1));
    let shown = String::from_utf8(bench.take_serial()).unwrap();
    assert!(shown.contains("+CCLK: \"23/11/14,22:13:30+00\""), "{shown}");
}
