//! The driver with each model: connect, subscribe, publish at each QoS, receive any bytes, lose the link and recover.

// clippy.toml allows unwrap in test functions; these helpers are called by nothing else.
#![allow(clippy::unwrap_used)]

use dialect::model::{self, Bearer, Model};
use driver::{
    Apn, Driver, Event, Lack, Options, Outcome, PublishError, QoS, Query, Rung, Token, Why, Wifi,
};
use module::{Config, NetworkEvent, Pace, Radio, TraceKind};
use std::time::Duration;
use world::{Bench, Pair, Room, Told};

const OPTIONS: Options<'static> = Options {
    host: "broker.test",
    port: 1883,
    client_id: "dev1",
    username: Some("user"),
    password: Some("secret"),
    keep_alive: 30,
    clean_session: true,
    will: None,
    pin: None,
    apn: None,
    wifi: Some(Wifi {
        ssid: "home",
        password: "password",
    }),
    tls: None,
    reset_pin: true,
    patience: driver::Patience {
        first_wait: Duration::from_secs(1),
        longest_wait: Duration::from_secs(60),
        check: Duration::from_secs(60),
        gap: Duration::from_millis(20),
    },
};

fn pair<'a>(model: &'static Model, room: &'a mut Room, pace: Pace) -> Pair<'a> {
    let config = Config {
        pace,
        ..Config::default()
    };
    let driver = Driver::new(model, room.memory(), 1);
    Pair::new(Bench::new(model, config), driver)
}

fn connect(pair: &mut Pair<'_>) {
    let now = pair.now();
    pair.driver.connect(now, OPTIONS).unwrap();
    let connected = pair.run_until(Duration::from_secs(60), |pair| pair.driver.is_connected());
    assert!(connected, "{:?}: {:?}", pair.driver, pair.told());
}

fn on_each_model(test: impl Fn(&mut Pair<'_>)) {
    for model in model::ALL {
        for pace in [Pace::Fast, Pace::Real] {
            println!("{} {pace:?}", model.name);
            let mut room = Room::default();
            let mut pair = pair(model, &mut room, pace);
            connect(&mut pair);
            assert_eq!(
                pair.take_told().last(),
                Some(&Told::Event(Event::Connected))
            );
            test(&mut pair);
        }
    }
}

fn publish(pair: &mut Pair<'_>, payload: &[u8], qos: QoS) -> Outcome {
    let now = pair.now();
    let token = pair.driver.publish(now, "up", payload, qos, false).unwrap();
    outcome(pair, token)
}

fn outcome(pair: &mut Pair<'_>, token: Token) -> Outcome {
    let of = |told: &Told| match told {
        Told::Event(Event::Published(own, outcome)) if *own == token => Some(*outcome),
        _ => None,
    };
    pair.run_until(Duration::from_secs(200), |pair| {
        pair.told().iter().any(|told| of(told).is_some())
    });
    let told = pair.take_told();
    told.iter().find_map(of).unwrap()
}

/// Payloads that a language might trip over.
fn payloads() -> Vec<Vec<u8>> {
    let all: Vec<u8> = (0..=255).collect();
    vec![
        b"hello".to_vec(),
        b"".to_vec(),
        b"{\"a\":1,\"b\":\"x;y\"}".to_vec(),
        b"\r\nOK\r\n\r\nERROR\r\n> ".to_vec(),
        b"\x1a\x1b\\\",".to_vec(),
        all,
    ]
}

#[test]
fn any_bytes_are_delivered_at_each_qos() {
    on_each_model(|pair| {
        for payload in payloads() {
            for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
                let now = pair.now();
                let token = match pair.driver.publish(now, "up", &payload, qos, false) {
                    Ok(token) => token,
                    Err(PublishError::Bytes) if pair.driver.model().name == "nt35e" => continue,
                    Err(error) => panic!("{error}"),
                };
                let expected = match qos {
                    QoS::AtMostOnce => Outcome::Sent,
                    _ => Outcome::Delivered,
                };
                assert_eq!(
                    outcome(pair, token),
                    expected,
                    "{:?}",
                    payload.escape_ascii().to_string()
                );
                pair.run_for(Duration::from_secs(1));
                assert_eq!(
                    pair.bench.take_published(),
                    [("up".to_string(), payload.clone())]
                );
            }
        }
    });
}

#[test]
fn what_a_model_cannot_carry_is_refused_before_it_is_typed() {
    on_each_model(|pair| {
        let now = pair.now();
        let limits = &pair.driver.model().limits;
        let max = if pair.driver.model().bearer == Bearer::WiFi {
            // ESP-AT's buffer holds the packet's header and its topic as well.
            limits.publish_data.min(limits.report - 7 - "up".len())
        } else {
            limits.publish_data
        };
        let long = vec![b'x'; max + 1];
        let error = pair
            .driver
            .publish(now, "up", &long, QoS::AtMostOnce, false);
        assert_eq!(error, Err(PublishError::TooLong(max)));
        let topic = "t".repeat(300);
        let error = pair
            .driver
            .publish(now, &topic, b"", QoS::AtMostOnce, false);
        assert_eq!(error, Err(PublishError::Topic));
        assert_eq!(pair.driver.poll_transmit(), None);
    });
}

#[test]
fn any_bytes_are_received_however_they_are_sliced() {
    on_each_model(|pair| {
        let now = pair.now();
        pair.driver
            .subscribe(now, "down/#", QoS::ExactlyOnce)
            .unwrap();
        pair.run_for(Duration::from_secs(5));
        assert!(matches!(
            pair.take_told()[..],
            [Told::Event(Event::Subscribed(_, Ok(())))]
        ));
        for slice in [usize::MAX, 1, 7] {
            pair.slice = slice;
            for payload in payloads() {
                let raw = pair.driver.model().name == "nt35e";
                if raw && payload.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')) {
                    // Its report has no length.
                    continue;
                }
                pair.bench
                    .publish("down/a", &payload, mqtt::QoS::AtLeastOnce, false);
                pair.run_for(Duration::from_secs(5));
                assert_eq!(
                    pair.take_told(),
                    [Told::Message("down/a".into(), payload, Lack::Nothing)]
                );
            }
        }
    });
}

#[test]
fn a_subscription_ends() {
    on_each_model(|pair| {
        let now = pair.now();
        pair.driver.subscribe(now, "t", QoS::AtMostOnce).unwrap();
        pair.run_for(Duration::from_secs(5));
        let now = pair.now();
        let token = pair.driver.unsubscribe(now, "t").unwrap();
        pair.run_for(Duration::from_secs(5));
        assert!(
            pair.take_told()
                .contains(&Told::Event(Event::Unsubscribed(token, Ok(()))))
        );
        pair.bench.publish("t", b"x", mqtt::QoS::AtMostOnce, false);
        pair.run_for(Duration::from_secs(5));
        assert_eq!(pair.take_told(), []);
    });
}

#[test]
fn it_logs_out_and_in_again() {
    on_each_model(|pair| {
        let now = pair.now();
        pair.driver.disconnect(now);
        pair.run_for(Duration::from_secs(30));
        assert_eq!(pair.take_told(), [Told::Event(Event::Disconnected)]);
        assert_eq!(pair.bench.broker().stats().connections, 0);
        connect(pair);
        assert_eq!(
            publish(pair, b"again", QoS::AtLeastOnce),
            Outcome::Delivered
        );
    });
}

fn inject(pair: &mut Pair<'_>, fault: &str) {
    pair.bench.inject(fault.parse().unwrap()).unwrap();
}

fn is_back(pair: &Pair<'_>) -> bool {
    pair.told().contains(&Told::Event(Event::Recovered))
}

/// The rungs that were climbed, and why, in short.
fn rungs(pair: &mut Pair<'_>) -> Vec<(Rung, Why)> {
    let rung = |told: Told| match told {
        Told::Event(Event::Recovering(recovery)) => Some((recovery.rung, recovery.why)),
        _ => None,
    };
    pair.take_told().into_iter().filter_map(rung).collect()
}

fn check_that_it_works(pair: &mut Pair<'_>) {
    pair.bench.take_published();
    pair.bench
        .publish("down", b"after", mqtt::QoS::AtLeastOnce, false);
    pair.run_for(Duration::from_secs(5));
    let message = Told::Message("down".into(), b"after".to_vec(), Lack::Nothing);
    assert_eq!(pair.take_told(), [message]);
    assert_eq!(publish(pair, b"back", QoS::ExactlyOnce), Outcome::Delivered);
}

/// Breaks something, mends it after 100 s, and wants the driver back within `limit` seconds; `climbs` sees the rungs.
fn lose(
    break_it: impl Fn(&mut Pair<'_>),
    mend_it: impl Fn(&mut Pair<'_>),
    limit: u64,
    climbs: impl Fn(&Model, &[(Rung, Why)]),
) {
    on_each_model(|pair| {
        let now = pair.now();
        pair.driver
            .subscribe(now, "down", QoS::AtLeastOnce)
            .unwrap();
        pair.run_for(Duration::from_secs(5));
        pair.take_told();
        break_it(pair);
        pair.run_for(Duration::from_secs(100));
        mend_it(pair);
        let back = pair.run_until(Duration::from_secs(limit), is_back);
        assert!(back, "{:?} {:?}", pair.driver, pair.told());
        let rungs = rungs(pair);
        climbs(pair.driver.model(), &rungs);
        pair.run_for(Duration::from_secs(5));
        pair.take_told();
        check_that_it_works(pair);
    });
}

#[test]
fn a_closed_connection_is_opened_again() {
    lose(
        |pair| inject(pair, "tcp-drop"),
        |_| (),
        0,
        |_, rungs| assert_eq!(rungs, [(Rung::Reopen, Why::Closed)]),
    );
}

#[test]
fn a_lost_bearer_is_activated_again() {
    lose(
        |pair| {
            let event = if pair.driver.model().bearer == Bearer::WiFi {
                NetworkEvent::Signal { rssi: 99 }
            } else {
                NetworkEvent::PdpDeactivated
            };
            pair.bench.network(event);
        },
        |pair| pair.bench.network(NetworkEvent::Signal { rssi: 20 }),
        300,
        |model, rungs| {
            // The NB-IoT module and the NT35E do not tell of it: they find their links dead, or are asked.
            let told = !matches!(model.name, "bc26" | "nt35e");
            let expected = if told { Rung::Reactivate } else { Rung::Reopen };
            assert_eq!(rungs[0].0, expected);
        },
    );
}

#[test]
fn a_power_cut_is_survived() {
    lose(
        |pair| pair.bench.network(NetworkEvent::PowerCycle),
        |_| (),
        0,
        |_, rungs| assert_eq!(rungs, [(Rung::Reopen, Why::Rebooted)]),
    );
}

#[test]
fn a_broker_that_was_down_is_found_again() {
    lose(
        |pair| {
            inject(pair, "refuse");
            inject(pair, "tcp-drop");
        },
        |pair| pair.bench.clear_all(),
        200,
        |_, rungs| {
            assert_eq!(rungs[0], (Rung::Reopen, Why::Closed));
            // Five attempts before anything dearer, and never a reset within 100 s.
            assert_eq!(
                rungs
                    .iter()
                    .filter(|(rung, _)| *rung == Rung::Reopen)
                    .count(),
                5
            );
            assert!(rungs.iter().all(|(rung, _)| *rung < Rung::Reset));
        },
    );
}

#[test]
fn a_broker_that_was_silent_is_found_again() {
    lose(
        |pair| {
            inject(pair, "broker-silent");
            let now = pair.now();
            let _ = pair
                .driver
                .publish(now, "up", b"x", QoS::AtLeastOnce, false);
        },
        |pair| pair.bench.clear_all(),
        400,
        |_, rungs| assert_eq!(rungs[0].0, Rung::Reopen),
    );
}

#[test]
fn a_lost_signal_is_waited_for() {
    lose(
        |pair| pair.bench.network(NetworkEvent::Signal { rssi: 99 }),
        |pair| pair.bench.network(NetworkEvent::Signal { rssi: 20 }),
        400,
        |_, rungs| assert!(!rungs.is_empty()),
    );
}

#[test]
fn the_module_is_asked_who_it_is() {
    on_each_model(|pair| {
        let wifi = pair.driver.model().bearer == Bearer::WiFi;
        for query in [
            Query::Signal,
            Query::Registration,
            Query::Iccid,
            Query::Imei,
            Query::Firmware,
            Query::Model,
            Query::Time,
        ] {
            let now = pair.now();
            let asked = pair.driver.query(now, query);
            if wifi && matches!(query, Query::Registration | Query::Iccid | Query::Model) {
                assert_eq!(asked, Err(driver::CommandError::NotOnThisModel));
                continue;
            }
            asked.unwrap();
            pair.run_for(Duration::from_secs(1));
            let mut told = pair.take_told();
            // An ESP-AT says more of itself than its version.
            told.retain(|told| !matches!(told, Told::Unsolicited(_)));
            assert!(
                matches!(&told[..], [Told::Answer(own, _)] if *own == query),
                "{query:?} {told:?}"
            );
        }
    });
}

/// A context that was active kept the access point that it had, and the driver said that it was connected.
#[test]
fn an_access_point_holds_before_it_is_connected_and_is_typed_once() {
    for (name, expected) in [
        ("air780ep", &["AT+CPNETAPN=2"][..]),
        ("ec20", &["AT+QICSGP=1,1", "AT+CFUN=0", "AT+CFUN=1"]),
        ("bg95", &["AT+QICSGP=1,1", "AT+CFUN=0", "AT+CFUN=1"]),
        ("nt35e", &["AT+CGDCONT=1", "AT+CFUN=0", "AT+CFUN=1"]),
        ("bc26", &["AT+QCGDEFCONT=", "AT+QRST"]),
    ] {
        let model = Model::by_name(name).unwrap();
        let config = Config {
            trace: true,
            radio: Radio {
                allowed_apns: vec!["iot.example".into()],
                ..Radio::default()
            },
            ..Config::default()
        };
        let mut room = Room::default();
        let driver = Driver::new(model, room.memory(), 1);
        let mut pair = Pair::new(Bench::new(model, config), driver);
        let options = Options {
            apn: Some(Apn {
                name: "iot.example",
                username: "",
                password: "",
            }),
            ..OPTIONS
        };
        for expected in [expected, &[]] {
            pair.bench.take_trace();
            let now = pair.now();
            pair.driver.connect(now, options).unwrap();
            let limit = Duration::from_secs(120);
            assert!(
                pair.run_until(limit, |pair| pair.driver.is_connected()),
                "{name}"
            );
            let trace = pair.bench.take_trace().into_iter();
            let typed = trace.filter_map(|trace| match trace.kind {
                TraceKind::FromHost(line) => Some(String::from_utf8(line).unwrap()),
                _ => None,
            });
            let about = [
                "CPNETAPN=",
                "QICSGP=1,",
                "CGDCONT=",
                "QCGDEFCONT=",
                "CFUN=",
                "QRST",
                "NRB",
            ];
            let typed: Vec<_> = typed
                .filter(|line| about.iter().any(|name| line.contains(name)))
                .collect();
            assert_eq!(typed.len(), expected.len(), "{name}: {typed:?}");
            assert!(
                typed
                    .iter()
                    .zip(expected)
                    .all(|(typed, own)| typed.starts_with(own)),
                "{typed:?}"
            );
            let now = pair.now();
            pair.driver.disconnect(now);
            pair.run_until(limit, |pair| {
                pair.told().contains(&Told::Event(Event::Disconnected))
            });
            pair.take_told();
        }
    }
}
