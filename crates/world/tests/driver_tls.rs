//! The driver sets each model up for TLS: what is typed when, what is refused before that, and what a wrong certificate comes to.

// clippy.toml allows unwrap in test functions; these helpers are called by nothing else.
#![allow(clippy::unwrap_used)]

use dialect::model::{self, Model};
use driver::{
    ConnectError, Driver, Event, Options, Outcome, QoS, Recovery, Tls, TlsError, Why, Wifi,
};
use module::{Config, Pace, TraceKind};
use std::time::Duration;
use world::{Bench, Pair, Room, TlsServer, Told};

fn pem(what: &str, body: &str) -> String {
    let lines: Vec<_> = body
        .as_bytes()
        .chunks(64)
        .map(String::from_utf8_lossy)
        .collect();
    format!(
        "-----BEGIN {what}-----\n{}\n-----END {what}-----\n",
        lines.join("\n")
    )
}

fn certificate(letter: &str) -> String {
    pem("CERTIFICATE", &letter.repeat(200))
}

fn options<'a>(ca: Option<&'a str>, identity: Option<(&'a str, &'a str)>) -> Options<'a> {
    Options {
        host: "broker.test",
        port: 8883,
        client_id: "dev1",
        wifi: Some(Wifi {
            ssid: "home",
            password: "password",
        }),
        tls: Some(Tls {
            ca,
            identity,
            dates: true,
        }),
        reset_pin: true,
        ..Options::default()
    }
}

fn pair<'a>(model: &'static Model, room: &'a mut Room) -> Pair<'a> {
    let config = Config {
        pace: Pace::Fast,
        trace: true,
        ..Config::default()
    };
    let driver = Driver::new(model, room.memory(), 1);
    Pair::new(Bench::new(model, config), driver)
}

fn asks_for(pair: &mut Pair<'_>, client: Option<(&str, &str)>) {
    pair.bench.set_tls(TlsServer {
        authority: certificate("A"),
        client: client.map(|(certificate, key)| (certificate.into(), key.into())),
    });
}

fn is_connected(pair: &mut Pair<'_>, options: &Options<'static>) -> bool {
    let now = pair.now();
    pair.driver.connect(now, *options).unwrap();
    pair.run_until(Duration::from_secs(90), |pair| pair.driver.is_connected())
}

fn log_out(pair: &mut Pair<'_>) {
    let now = pair.now();
    pair.driver.disconnect(now);
    pair.run_for(Duration::from_secs(30));
    pair.take_told();
}

/// How many lines with this in them were typed.
fn typed(pair: &mut Pair<'_>, part: &str) -> usize {
    let trace = pair.bench.take_trace();
    let lines = trace.iter().filter(|trace| match &trace.kind {
        TraceKind::FromHost(line) => String::from_utf8_lossy(line).contains(part),
        _ => false,
    });
    lines.count()
}

fn models_with_tls() -> impl Iterator<Item = &'static Model> {
    model::ALL.iter().filter(|model| !model.suites.is_empty())
}

#[test]
fn a_server_is_checked_and_a_message_delivered() {
    let ca = certificate("A").leak();
    for model in models_with_tls() {
        let mut room = Room::default();
        let mut pair = pair(model, &mut room);
        asks_for(&mut pair, None);
        for ca in [Some(&*ca), None] {
            assert!(
                is_connected(&mut pair, &options(ca, None)),
                "{}: {:?}",
                model.name,
                pair.told()
            );
            let now = pair.now();
            let token = pair
                .driver
                .publish(now, "up", b"hello", QoS::AtLeastOnce, false)
                .unwrap();
            pair.run_for(Duration::from_secs(5));
            let delivered = Told::Event(Event::Published(token, Outcome::Delivered));
            assert!(
                pair.told().contains(&delivered),
                "{}: {:?}",
                model.name,
                pair.told()
            );
            assert_eq!(
                pair.bench.take_published(),
                [("up".into(), b"hello".to_vec())]
            );
            log_out(&mut pair);
        }
    }
}

#[test]
fn a_server_of_another_authority_is_not_talked_to() {
    let other = certificate("B").leak();
    for model in models_with_tls() {
        let mut room = Room::default();
        let mut pair = pair(model, &mut room);
        asks_for(&mut pair, None);
        assert!(
            !is_connected(&mut pair, &options(Some(other), None)),
            "{}",
            model.name
        );
        // An NT35E's connection is open, it says; and an ESP-AT's login is its connection.
        let expected = match model.family {
            dialect::Family::EigenComm | dialect::Family::Espressif => Why::NotLoggedIn,
            _ => Why::NotOpened,
        };
        let whys: Vec<_> = pair
            .take_told()
            .into_iter()
            .filter_map(|told| match told {
                Told::Event(Event::Recovering(Recovery { why, .. })) => Some(why),
                _ => None,
            })
            .collect();
        assert!(
            whys.len() > 2 && whys.iter().all(|why| *why == expected),
            "{}: {whys:?}",
            model.name
        );
    }
}

#[test]
fn a_client_shows_its_certificate_where_the_model_has_a_place_for_it() {
    let ca = certificate("A").leak();
    let own = certificate("C").leak();
    let key = pem("PRIVATE KEY", "D").leak();
    for model in models_with_tls() {
        let mut room = Room::default();
        let mut pair = pair(model, &mut room);
        asks_for(&mut pair, Some((own, key)));
        if model.family == dialect::Family::EigenComm {
            let now = pair.now();
            let refused = pair
                .driver
                .connect(now, options(Some(ca), Some((own, key))));
            assert_eq!(refused, Err(ConnectError::Tls(TlsError::NoIdentity)));
            assert_eq!(
                refused.unwrap_err().to_string(),
                "the model has no place for a client's certificate: it can check the server, and no more"
            );
            assert_eq!(pair.driver.poll_transmit(), None);
            continue;
        }
        assert!(
            !is_connected(&mut pair, &options(Some(ca), None)),
            "{}",
            model.name
        );
        log_out(&mut pair);
        let both = options(Some(ca), Some((own, key)));
        assert!(
            is_connected(&mut pair, &both),
            "{}: {:?}",
            model.name,
            pair.told()
        );
    }
}

#[test]
fn certificates_that_are_there_are_not_typed_again() {
    let ca = certificate("A").leak();
    let own = certificate("C").leak();
    let keys = ["D", "E"].map(|letter| &*pem("PRIVATE KEY", letter).leak());
    for (name, writes) in [
        ("air780ep", "+FSWRITE"),
        ("ec20", "+QFUPL"),
        ("bg95", "+QFUPL"),
        ("esp32c3", "+SYSMFG=2"),
    ] {
        let mut room = Room::default();
        let mut pair = pair(Model::by_name(name).unwrap(), &mut room);
        for (key, files) in [(keys[0], 3), (keys[0], 0), (keys[1], 1), (keys[1], 0)] {
            let both = options(Some(ca), Some((own, key)));
            assert!(is_connected(&mut pair, &both), "{name}: {:?}", pair.told());
            assert_eq!(typed(&mut pair, writes), files, "{name}");
            log_out(&mut pair);
        }
    }
}

/// What the module reads back does not fit into the driver's memory: it is written each time, and nothing is lost by that.
#[test]
fn a_certificate_is_longer_than_the_memory_for_lines() {
    let ca = certificate("A").leak();
    let [mut line, mut command, mut outbox, mut topics] = [[0; 128], [0; 128], [0; 128], [0; 128]];
    let memory = driver::Memory {
        line: &mut line,
        command: &mut command,
        outbox: &mut outbox,
        topics: &mut topics,
    };
    let model = Model::by_name("esp32c3").unwrap();
    let config = Config {
        pace: Pace::Fast,
        trace: true,
        ..Config::default()
    };
    let mut pair = Pair::new(Bench::new(model, config), Driver::new(model, memory, 1));
    asks_for(&mut pair, None);
    for _ in 0..2 {
        assert!(
            is_connected(&mut pair, &options(Some(ca), None)),
            "{:?}",
            pair.told()
        );
        assert_eq!(typed(&mut pair, "+SYSMFG=2"), 1);
        log_out(&mut pair);
    }
}

/// The firmware connects again in plain text once TLS is lost; the driver sets it up anew, certificate and all.
#[test]
fn an_nt35e_gets_its_tls_back() {
    let ca = certificate("A").leak();
    let mut room = Room::default();
    let mut pair = pair(Model::by_name("nt35e").unwrap(), &mut room);
    asks_for(&mut pair, None);
    assert!(is_connected(&mut pair, &options(Some(ca), None)));
    assert_eq!(typed(&mut pair, "\"ssl\",\"ca\""), 1);
    pair.bench.inject("tcp-drop".parse().unwrap()).unwrap();
    assert!(pair.run_until(Duration::from_secs(60), |pair| !pair.driver.is_connected()));
    assert!(
        pair.run_until(Duration::from_secs(120), |pair| pair.driver.is_connected()),
        "{:?}",
        pair.told()
    );
    assert_eq!(typed(&mut pair, "\"ssl\",\"ca\""), 1);
}

#[test]
fn what_a_model_cannot_do_is_refused_before_it_is_typed() {
    let ca = certificate("A");
    let two = certificate("A") + &certificate("B");
    let longest = pem("CERTIFICATE", &"A".repeat(4000));
    let longer = pem("CERTIFICATE", &"A".repeat(4001));
    let with_comments = format!(
        "subject=CN = CA\n{}",
        certificate("A").replace('\n', "\r\n")
    );
    let key = pem("PRIVATE KEY", "D");
    let pick = |name: &str| Model::by_name(name).unwrap();
    for (model, ca, expected) in [
        (pick("esp8266"), &*ca, Err(TlsError::NotOnThisModel)),
        (pick("nt35e"), &two, Err(TlsError::OneAuthority)),
        (pick("nt35e"), &longer, Err(TlsError::TooLong(4000))),
        (pick("nt35e"), &longest, Ok(())),
        (pick("nt35e"), &with_comments, Ok(())),
        (pick("nt35e"), &key, Err(TlsError::NotPem)),
        (pick("nt35e"), "ca.pem", Err(TlsError::NotPem)),
        (pick("ec20"), "ca.pem", Err(TlsError::NotPem)),
        (pick("ec20"), "", Err(TlsError::NotPem)),
        (pick("ec20"), &two, Ok(())),
    ] {
        let mut memory = vec![0; 8 * 1024];
        let (line, rest) = memory.split_at_mut(1024);
        let (command, rest) = rest.split_at_mut(5 * 1024);
        let (outbox, topics) = rest.split_at_mut(512);
        let memory = driver::Memory {
            line,
            command,
            outbox,
            topics,
        };
        let mut driver = Driver::new(model, memory, 1);
        let result = driver.connect(instant::Instant::ZERO, options(Some(ca), None));
        assert_eq!(
            result,
            expected.map_err(ConnectError::Tls),
            "{}: {ca}",
            model.name
        );
        assert_eq!(driver.poll_transmit().is_some(), result.is_ok());
    }
    // And what the memory cannot hold.
    let mut room = Room::default();
    let mut driver = Driver::new(pick("nt35e"), room.memory(), 1);
    let result = driver.connect(instant::Instant::ZERO, options(Some(&longest), None));
    assert_eq!(result, Err(ConnectError::Memory));
}
