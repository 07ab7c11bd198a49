//! Huawei Cloud IoTDA on loopback: credentials, logins of each model, and the application's side.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Broker, Folder, modemq, run, start, temporary};
use credentials::{Credentials, Secret, SignType};
use dialect::{Model, Syntax};
use instant::Instant;
use iotda::{Config, Device, Platform, broker_config};
use modemq::commands::iotda::login_lines;
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode, SslVersion};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::process::{Output, Stdio};
use std::time::Duration;
use world::Bench;

const SECRET: &str = "12345678";
/// Source: Huawei, "Device Connection Authentication".
const PASSWORD: &str = "c75150e6cb841417396819e4d2ee4358a416344a03a083e3a8567074ddec820a";
/// 2025-04-14 01:30:00 UTC.
const UNIX: u64 = 1_744_594_200;

/// A module that has booted, in reach of a platform that knows one device.
fn bench(model: &'static Model, device: &str) -> Bench {
    let platform = Platform::new(
        Instant::ZERO,
        Config {
            devices: vec![Device {
                id: device.into(),
                secret: SECRET.into(),
                product: None,
                frozen: false,
            }],
            unix_ms: UNIX * 1000,
            news: true,
            ..Config::default()
        },
    );
    let config = module::Config {
        unix_time: Some(UNIX),
        ..module::Config::default()
    };
    let broker = broker_config(broker::Config::default());
    let mut bench = Bench::with_platform(model, config, broker, Some(platform.unwrap()));
    bench.run_for(Duration::from_secs(10));
    if model.syntax == Syntax::EspAt {
        for line in ["AT+CWMODE=1", "AT+CWJAP=\"ssid\",\"password\""] {
            say(&mut bench, model, line);
        }
    } else {
        // A BC26 finds the host's rate first.
        say(&mut bench, model, "AT");
    }
    bench
}

fn say(bench: &mut Bench, model: &Model, line: &str) -> String {
    bench.take_serial();
    bench.type_bytes(line.as_bytes());
    bench.type_bytes(model.syntax.line_end().as_bytes());
    bench.run_for(Duration::from_secs(10));
    String::from_utf8(bench.take_serial()).unwrap()
}

fn news(bench: &mut Bench) -> Vec<String> {
    let news = bench.take_news();
    news.iter().map(ToString::to_string).collect()
}

#[test]
fn the_lines_to_paste_log_each_model_in() {
    let long = "d".repeat(80);
    for model in dialect::model::ALL {
        for device in ["64000697352830580e48df07_dev1", long.as_str()] {
            let mut bench = bench(model, device);
            let login = Credentials::new(
                device,
                &Secret::from(SECRET),
                SignType::Checked,
                "2025041401".parse().unwrap(),
            );
            let steps = match login_lines(model, "broker.test", 1883, &login.unwrap()) {
                Ok(steps) => steps,
                Err(error) => {
                    // Its texts have 64 bytes at most.
                    assert_eq!(model.name, "nt35e", "{error}");
                    assert!(
                        device == long && error.contains("does not take a text of"),
                        "{error}"
                    );
                    continue;
                }
            };
            for step in steps {
                let mut answer = say(&mut bench, model, &step.line);
                if let Some(data) = &step.data {
                    bench.type_bytes(&data.bytes);
                    bench.run_for(Duration::from_secs(1));
                    answer += &String::from_utf8(bench.take_serial()).unwrap();
                }
                let lost = answer.contains("ERROR") || answer.contains("FAIL");
                assert!(!lost, "{} {}: {answer:?}", model.title, step.line);
                let report = step.report.unwrap_or_default();
                assert!(answer.contains(&report), "{report}: {answer:?}");
            }
            assert_eq!(
                news(&mut bench),
                [format!("{device}: online")],
                "{}",
                model.title
            );
            let down = format!("$oc/devices/{device}/sys/messages/down");
            let subscribed = bench
                .broker()
                .clients()
                .any(|client| client.subscriptions.iter().any(|(own, _)| **own == *down));
            assert!(subscribed, "{}", model.title);
            bench.with_iotda(|now, platform| {
                let request = format!("message {device} hello").parse().unwrap();
                platform.request(now, request).unwrap()
            });
            bench.run_for(Duration::from_secs(5));
            let received = String::from_utf8(bench.take_serial()).unwrap();
            assert!(received.contains(&down), "{}: {received:?}", model.title);
        }
    }
}

#[test]
fn an_ec20_logs_in_by_itself() {
    let model = Model::by_name("ec20").unwrap();
    let mut bench = bench(model, "dev1");
    for (line, wanted) in [
        ("AT+QMTCFG=\"version\",0,4", "OK"),
        ("AT+QMTCFG=\"hwauth\",0,\"dev1\",\"12345678\"", "OK"),
        ("AT+QMTOPEN=0,\"broker.test\",1883", "+QMTOPEN: 0,0"),
        ("AT+QMTCONN=0,\"whatever\"", "+QMTCONN: 0,0,0"),
    ] {
        let answer = say(&mut bench, model, line);
        assert!(answer.contains(wanted), "{line}: {answer:?}");
    }
    assert_eq!(news(&mut bench), ["dev1: online"]);
    let answer = say(&mut bench, model, "AT+QMTDISC=0");
    assert!(answer.contains("+QMTDISC: 0,0"), "{answer:?}");
    for line in [
        "AT+QMTCFG=\"hwauth\",0,\"dev1\",\"87654321\"",
        "AT+QMTOPEN=0,\"broker.test\",1883",
    ] {
        say(&mut bench, model, line);
    }
    let answer = say(&mut bench, model, "AT+QMTCONN=0,\"whatever\"");
    assert!(answer.contains("+QMTCONN: 0,0,4"), "{answer:?}");
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn the_published_vector_is_printed_from_each_source_of_the_secret() {
    let file = temporary("secret");
    fs::write(&file, "12345678\n").unwrap();
    let at = ["--device-id", "dev1", "--time", "2025041401"];
    let credentials = |args: &[&str]| modemq(&[&["iotda", "credentials"], &at[..], args].concat());
    let wanted =
        format!("client id  dev1_0_0_2025041401\nuser name  dev1\npassword   {PASSWORD}\n");
    let option = credentials(&["--secret", SECRET]).output().unwrap();
    let from_file = credentials(&["--secret-file", file.to_str().unwrap()]);
    let mut from_environment = credentials(&[]);
    from_environment.env("MODEMQ_IOTDA_SECRET", SECRET);
    for mut command in [from_file, from_environment] {
        assert_eq!(text(&command.output().unwrap()), wanted);
    }
    assert_eq!(text(&option), wanted);
    let checked = credentials(&["--secret", SECRET, "--check-time", "--model", "bc26"])
        .output()
        .unwrap();
    let line = format!("AT+QMTCONN=0,\"dev1_0_1_2025041401\",\"dev1\",\"{PASSWORD}\"");
    assert!(text(&checked).contains(&line), "{checked:?}");
    let nowhere = credentials(&[]).output().unwrap();
    let error = String::from_utf8(nowhere.stderr).unwrap();
    assert!(
        !nowhere.status.success() && error.contains("where is the secret?"),
        "{error}"
    );
}

#[test]
fn a_second_process_sees_what_a_device_reports() {
    let registry = temporary("devices.toml");
    fs::write(
        &registry,
        "[[device]]\nid = \"dev1\"\nsecret = \"12345678\"\n",
    )
    .unwrap();
    let mut broker = modemq(&[
        "broker",
        "--listen",
        "127.0.0.1:0",
        "--trace",
        "--iotda",
        registry.to_str().unwrap(),
    ])
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn()
    .unwrap();
    let mut first = String::new();
    BufReader::new(broker.stdout.take().unwrap())
        .read_line(&mut first)
        .unwrap();
    let port = first.trim().rsplit(':').next().unwrap();
    let publish = |password: &str, topic: &str, message: &str| {
        run(
            &[
                "pub",
                "-h",
                "127.0.0.1",
                "-p",
                port,
                "-i",
                "dev1_0_0_2025041401",
                "-u",
                "dev1",
                "-P",
                password,
                "-q",
                "1",
                "-t",
                topic,
                "-m",
                message,
            ],
            b"",
        )
    };
    let report = "$oc/devices/dev1/sys/properties/report";
    let good = r#"{"services":[{"service_id":"stm32","properties":{"DHT11_T":18}}]}"#;
    assert!(publish(PASSWORD, report, good).status.success());
    assert!(publish(PASSWORD, report, "{DHT11_T:18}").status.success());
    assert_eq!(publish(SECRET, report, good).status.code(), Some(4));

    let shadow = text(&run(&["iotda", "shadow", "dev1", "--port", port], b""));
    let shadow: serde_json::Value = serde_json::from_str(&shadow).unwrap();
    assert_eq!(shadow["shadow"][0]["reported"]["properties"]["DHT11_T"], 18);
    let offline = run(
        &["iotda", "command", "dev1", "stm32", "light", "-p", port],
        b"",
    );
    let error = String::from_utf8(offline.stderr).unwrap();
    assert_eq!(error, "modemq: IOTDA.014016: The device is not online.\n");
    assert!(!offline.status.success());

    broker.kill().unwrap();
    broker.wait().unwrap();
    let mut trace = String::new();
    broker
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut trace)
        .unwrap();
    for wanted in [
        "dev1: reported stm32",
        "rejected: no JSON: key must be a string",
        "dev1_0_0_2025041401: refused with CONNACK 4: the password is not",
    ] {
        assert!(trace.contains(wanted), "{wanted}: {trace}");
    }
    for secret in [SECRET, PASSWORD] {
        assert!(!trace.contains(secret), "{trace}");
    }
}

#[test]
fn a_registry_that_is_wrong_is_refused_without_showing_a_secret() {
    let registry = temporary("wrong.toml");
    for (text, why) in [
        ("", "there is no [[device]]"),
        (
            "[[device]]\nid = \"d\"\n",
            "one of secret, secret_file and secret_env is wanted",
        ),
        ("[[device]]\nid = \"d\"\nsecret = hushhush\n", "line 3: "),
        (
            "[[device]]\nid = \"d\"\nsecrets = \"hushhush\"\n",
            "line 3: unknown field `secrets`",
        ),
        (
            "[[device]]\nid = \"d\"\nsecret = \"hushhush\"\nproduct = \"p\"\n",
            "the device d is of a product p that is not there",
        ),
        (
            "[[device]]\nid = \"d\"\nsecret_file = \"/nowhere\"\n",
            "/nowhere: No such file",
        ),
    ] {
        fs::write(&registry, text).unwrap();
        let output = run(
            &[
                "broker",
                "--listen",
                "127.0.0.1:0",
                "--iotda",
                registry.to_str().unwrap(),
            ],
            b"",
        );
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains(why), "{error}");
        assert!(!error.contains("hushhush"), "{error}");
    }
}

#[test]
fn a_broker_without_devices_is_no_platform() {
    let mut broker = start(&["broker", "--listen", "127.0.0.1:0"]);
    let port = broker.line().rsplit(':').next().unwrap().to_owned();
    let output = run(&["iotda", "devices", "-p", &port], b"");
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("no modemq broker --iotda runs on port"),
        "{error}"
    );
}

#[test]
fn the_demo_plays_the_tutorial_with_its_cloud() {
    for model in ["esp8266", "bc26", "ec20"] {
        for as_written in [&[][..], &["--as-written"]] {
            let args = [
                "demo", "--pace", "fast", "--cloud", "huawei", "--model", model,
            ];
            let shown = text(&run(&[&args[..], as_written].concat(), b""));
            for wanted in [
                "Huawei Cloud IoTDA on 127.0.0.1:",
                "reported stm32 at ",
                "asks for message 64000697352830580e48df07_dev1 data",
                "Verified: ",
            ] {
                assert!(shown.contains(wanted), "{wanted}: {shown}");
            }
        }
    }
    let other = run(&["demo", "--cloud", "huawei", "--model", "nt35e"], b"");
    let error = String::from_utf8(other.stderr).unwrap();
    assert!(
        error.contains("there is for bc26, ec20, esp8266"),
        "{error}"
    );
}

#[test]
fn its_tls_takes_the_suites_that_huawei_has() {
    let folder = Folder::new("iotda-tls");
    let registry = folder.0.join("devices.toml");
    fs::write(
        &registry,
        "[[device]]\nid = \"dev1\"\nsecret = \"12345678\"\n",
    )
    .unwrap();
    let certificates = folder.0.join("certificates");
    let (_broker, [tls, _]) =
        Broker::ours_with_tls(&certificates, &["--iotda", registry.to_str().unwrap()]);
    for (suite, taken) in [
        ("ECDHE-RSA-AES128-GCM-SHA256", true),
        ("ECDHE-RSA-AES256-SHA", true),
        // What an EC20 has by default, and no ECDHE.
        ("AES256-SHA", false),
        ("AES128-GCM-SHA256", false),
    ] {
        let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
        connector.set_verify(SslVerifyMode::NONE);
        connector.set_cipher_list(suite).unwrap();
        connector
            .set_max_proto_version(Some(SslVersion::TLS1_2))
            .unwrap();
        let stream = TcpStream::connect(tls).unwrap();
        let connected = connector.build().connect("localhost", stream);
        assert_eq!(connected.is_ok(), taken, "{suite}");
    }
}
