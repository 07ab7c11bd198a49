//! Each cause that the doctor knows is planted, and found.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Broker, Folder, Running, modemq, run, start};
use openssl::asn1::Asn1Time;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;

/// What the doctor says.
struct Diagnosis {
    json: Value,
    works: bool,
}

impl Diagnosis {
    /// The verdict and the cause of the first finding of a step.
    fn finding(&self, step: &str) -> (&str, &str, &str) {
        let found = self.json["findings"]
            .as_array()
            .unwrap()
            .iter()
            .find(|finding| finding["step"] == step)
            .unwrap_or_else(|| panic!("no {step} in {:#}", self.json));
        let text = |key: &str| found[key].as_str().unwrap_or_default();
        (text("verdict"), text("cause"), text("says"))
    }

    /// What keeps it from working, by name.
    fn causes(&self) -> Vec<&str> {
        self.all("bad")
    }

    fn all(&self, verdict: &str) -> Vec<&str> {
        let findings = self.json["findings"].as_array().unwrap().iter();
        findings
            .filter(|finding| finding["verdict"] == verdict)
            .filter_map(|finding| finding["cause"].as_str())
            .collect()
    }

    fn assert_works(&self) {
        assert!(self.works, "{:#}", self.json);
    }

    fn assert_fails_for(&self, causes: &[&str]) {
        assert!(!self.works, "{:#}", self.json);
        assert_eq!(self.causes(), causes, "{:#}", self.json);
    }
}

fn doctor(url: &str, model: &str, args: &[&str]) -> Diagnosis {
    let mut all = vec!["doctor", url, "--model", model, "--json"];
    all.extend(args);
    // Unless a test has its own.
    if !args.contains(&"--patience") {
        all.extend(["--patience", "1"]);
    }
    let output = run(&all, b"");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{words}");
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let works = output.status.success();
    assert_eq!(json["works"], works);
    Diagnosis { json, works }
}

fn url(broker: &Broker) -> String {
    format!("mqtt://{}", broker.address)
}

#[test]
fn every_model_works_with_the_lines_that_are_printed() {
    for broker in Broker::each() {
        for model in dialect::model::ALL {
            let found = doctor(&url(&broker), model.name, &[]);
            found.assert_works();
            assert_eq!(found.all("bad"), Vec::<&str>::new());
            // They work when somebody else types them.
            let lines = found.json["lines"].as_array().unwrap();
            let opening = format!("\"127.0.0.1\",{}", broker.port());
            assert!(
                lines
                    .iter()
                    .any(|line| line.as_str().unwrap().contains(&opening)),
                "{lines:?}"
            );
        }
    }
}

#[test]
fn names_and_ports() {
    let found = doctor("mqtt://no-such-host.invalid", "air780ep", &[]);
    found.assert_fails_for(&["dns"]);
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    doctor(&format!("mqtt://{closed}"), "ec20", &[]).assert_fails_for(&["port-closed"]);
    let v6 = ["--resolve", "v6.example=::1"];
    doctor("mqtt://v6.example", "ec20", &v6).assert_fails_for(&["no-ipv4"]);
    let broker = Broker::ours(&[]);
    let to = format!("*={}", broker.address);
    doctor("mqtt://any.example:1", "ec20", &["--resolve", &to]).assert_works();
    doctor("ws://127.0.0.1", "ec20", &[]).assert_fails_for(&["no-websocket"]);
    doctor("mqtts://127.0.0.1", "esp8266", &[]).assert_fails_for(&["no-tls"]);
}

#[test]
fn websockets_of_an_esp() {
    let (_broker, address) = Broker::ours_with_websockets();
    doctor(&format!("ws://{address}/mqtt"), "esp8266", &[]).assert_works();
}

#[test]
fn credentials_and_what_the_server_says_to_them() {
    let broker = Broker::ours(&["--user", "user:right"]);
    let login = |password| ["-u", "user", "-P", password];
    let found = doctor(&url(&broker), "air780ep", &login("wrong"));
    found.assert_fails_for(&["wrong-credentials"]);
    let (_, _, says) = found.finding("CONNECT");
    assert_eq!(says, "CONNACK 4: bad user name or password");
    assert!(!found.json["findings"].to_string().contains("wrong\""));
    doctor(&url(&broker), "air780ep", &login("right")).assert_works();
    doctor(&url(&broker), "nt35e", &[]).assert_fails_for(&["wrong-credentials"]);
}

#[test]
fn an_id_that_another_device_uses() {
    let broker = Broker::ours(&[]);
    let port = broker.port();
    // It comes back as often as it is thrown out.
    let args = [
        "sub",
        "-h",
        "127.0.0.1",
        "-p",
        &port,
        "-i",
        "dev1",
        "-t",
        "x",
    ];
    let mut rival = modemq(&args);
    let mut rival = rival.stderr(Stdio::null()).spawn().unwrap();
    let mut seen = common::Tool::subscribe(&broker, "seen", "0");
    common::publish(&broker, &["-t", "seen", "-m", "1"]);
    assert_eq!(seen.next(), "seen 1");
    let found = doctor(&url(&broker), "ec20", &["-i", "dev1"]);
    rival.kill().unwrap();
    rival.wait().unwrap();
    found.assert_fails_for(&["client-id-in-use"]);
    doctor(&url(&broker), "ec20", &["-i", "dev1"]).assert_works();
}

#[test]
fn keep_alive_between_one_and_four_minutes() {
    let broker = Broker::ours(&[]);
    for (seconds, cause) in [
        ("30", "keep-alive-too-short"),
        ("59", "keep-alive-too-short"),
        ("60", ""),
        ("240", ""),
        ("241", "keep-alive-too-long"),
    ] {
        let found = doctor(&url(&broker), "air700eaq", &["-k", seconds]);
        found.assert_works();
        assert_eq!(found.finding("keep alive").1, cause, "{seconds}");
    }
}

#[test]
fn a_login_that_comes_too_late() {
    let broker = Broker::ours(&["--connect-timeout", "1"]);
    let found = doctor(&url(&broker), "air780ep", &["--patience", "3"]);
    found.assert_works();
    let (verdict, cause, says) = found.finding("patience");
    assert_eq!((verdict, cause), ("remark", "connect-too-late"));
    assert!(says.starts_with("the server waits only 1."), "{says}");
    let late = doctor(&url(&broker), "air780ep", &["--connect-delay", "2"]);
    late.assert_fails_for(&["connect-too-late"]);
}

#[test]
fn what_listens_there_is_something_else() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    doctor(&format!("mqtt://{address}"), "ec20", &[]).assert_fails_for(&["not-mqtt"]);
    doctor(&format!("mqtts://{address}"), "ec20", &[]).assert_fails_for(&["not-tls"]);
}

fn file(folder: &Folder, name: &str) -> String {
    folder.0.join(name).to_str().unwrap().into()
}

fn secure(address: SocketAddr) -> String {
    format!("mqtts://{address}")
}

#[test]
fn tls_that_works() {
    let folder = Folder::with_certificates();
    let (ca, cert, key) = (
        file(&folder, "ca.crt"),
        file(&folder, "client.crt"),
        file(&folder, "client.key"),
    );
    let ours = Broker::ours_with_tls(&folder.0, &[]);
    let mosquitto = Broker::mosquitto_with_tls(&folder.0);
    let secure = |address: SocketAddr| format!("mqtts://localhost:{}", address.port());
    for (_broker, [tls, mutual]) in [ours, mosquitto] {
        // It compares the name with those in the certificate, and knows no addresses.
        let by_address = doctor(&format!("mqtts://{tls}"), "nt35e", &["--cafile", &ca]);
        by_address.assert_fails_for(&["tls-on-the-module"]);
        for model in ["air700eaq", "nt35e", "ec20", "bc26", "bg95", "esp32c3"] {
            doctor(&secure(tls), model, &[]).assert_works();
            let found = doctor(&secure(tls), model, &["--cafile", &ca]);
            found.assert_works();
            assert_eq!(found.finding("CA").0, "good");
            assert_eq!(found.finding("host name").0, "good");
            assert_eq!(
                found.finding("client certificate").2,
                "the server does not ask for one"
            );
            let both = ["--cafile", &ca, "--cert", &cert, "--key", &key];
            let found = doctor(&secure(mutual), model, &both);
            if model == "nt35e" {
                found.assert_fails_for(&["does-not-fit"]);
                continue;
            }
            found.assert_works();
            // The key is nowhere in what is printed.
            let printed = found.json.to_string();
            assert!(!printed.contains("MII") && !printed.contains("PRIVATE"));
        }
    }
}

#[test]
fn no_suite_in_common() {
    let folder = Folder::with_certificates();
    let (_broker, [tls, _]) = Broker::ours_with_tls(&folder.0, &["--tls-suites", "0XC02F"]);
    let found = doctor(&secure(tls), "air700eaq", &[]);
    found.assert_fails_for(&["no-common-suite"]);
    assert!(found.finding("TLS").2.contains("the server would take 0XC02F ECDHE-RSA-AES128-GCM-SHA256, and ends with alert 40, handshake_failure"));
    let found = doctor(&secure(tls), "ec20", &[]);
    found.assert_works();
    assert!(
        found
            .finding("cipher suite")
            .2
            .ends_with("the server takes C02F")
    );
    let (_broker, [tls, _]) = Broker::ours_with_tls(&folder.0, &["--tls-versions", "1.1"]);
    let found = doctor(&secure(tls), "air700eaq", &[]);
    found.assert_works();
    assert_eq!(
        found.finding("TLS version").2,
        "TLS 1.0 no, TLS 1.1 yes, TLS 1.2 no"
    );
}

#[test]
fn certificates_that_do_not_fit() {
    let (folder, other) = (Folder::with_certificates(), Folder::with_certificates());
    let (_broker, [tls, mutual]) = Broker::ours_with_tls(&folder.0, &[]);
    let foreign = file(&other, "ca.crt");
    let found = doctor(&secure(tls), "air780ep", &["--cafile", &foreign]);
    found.assert_fails_for(&["ca-not-matching"]);
    doctor(&secure(mutual), "air780ep", &[]).assert_fails_for(&["client-certificate-missing"]);
    let (cert, key) = (file(&other, "client.crt"), file(&other, "client.key"));
    let ca = file(&folder, "ca.crt");
    let args = ["--cafile", &ca, "--cert", &cert, "--key", &key];
    let found = doctor(&secure(mutual), "ec20", &args);
    found.assert_fails_for(&["client-certificate-refused"]);
    assert_eq!(
        found.finding("client certificate").2,
        "alert 51, decrypt_error"
    );
}

/// Replaces the server's certificate by one with other dates.
fn with_dates(folder: &Folder, from: i64, until: i64) {
    let read = |name: &str| std::fs::read(folder.0.join(name)).unwrap();
    let old = openssl::x509::X509::from_pem(&read("server.crt")).unwrap();
    let key = openssl::pkey::PKey::private_key_from_pem(&read("server.key")).unwrap();
    let mut builder = openssl::x509::X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(old.serial_number()).unwrap();
    builder.set_subject_name(old.subject_name()).unwrap();
    builder.set_issuer_name(old.subject_name()).unwrap();
    builder.set_pubkey(&key).unwrap();
    let time = |at| Asn1Time::from_unix(at).unwrap();
    builder.set_not_before(&time(from)).unwrap();
    builder.set_not_after(&time(until)).unwrap();
    builder
        .sign(&key, openssl::hash::MessageDigest::sha256())
        .unwrap();
    std::fs::write(
        folder.0.join("server.crt"),
        builder.build().to_pem().unwrap(),
    )
    .unwrap();
}

#[test]
fn certificates_out_of_date() {
    let year = 365 * 86_400;
    let now = 1_790_000_000;
    for (from, until, cause) in [
        (0, year, "certificate-expired"),
        (
            now + 20 * year,
            now + 21 * year,
            "certificate-not-yet-valid",
        ),
    ] {
        let folder = Folder::with_certificates();
        with_dates(&folder, from, until);
        let (_broker, [tls, _]) = Broker::ours_with_tls(&folder.0, &[]);
        // A module that ignores dates connects, and so it is a remark.
        let found = doctor(&secure(tls), "air780ep", &[]);
        found.assert_works();
        assert_eq!(found.finding("dates").1, cause);
        let own = file(&folder, "server.crt");
        let args = ["--check-dates", "--cafile", &own];
        doctor(&secure(tls), "air780ep", &args).assert_fails_for(&[cause]);
    }
}

/// A module on a TCP port, and what `--port` says to reach it.
fn module(model: &str, args: &[&str]) -> (Running, String) {
    let all = [
        &["module", model, "--tcp", "127.0.0.1:0", "--pace", "fast"],
        args,
    ];
    let mut module = start(&all.concat());
    let address = common::address_of(&module.line());
    (module, format!("tcp:{address}"))
}

#[test]
fn through_a_module_on_a_port() {
    let broker = Broker::ours(&[]);
    for model in dialect::model::ALL {
        let (_module, port) = module(model.name, &[]);
        let mut args = vec!["--port", &port];
        if model.bearer == dialect::model::Bearer::WiFi {
            args.extend(["--wifi", "ssid:password"]);
        }
        let found = doctor(&url(&broker), model.name, &args);
        found.assert_works();
        assert_eq!(found.finding("module").0, "good", "{:#}", found.json);
    }
}

#[test]
fn what_keeps_a_module_from_its_network() {
    let broker = Broker::ours(&[]);
    // A doctor gives a network time to come: those who wait do so together.
    std::thread::scope(|scope| {
        for model in ["air700eaq", "nt35e", "ec20", "bc26"] {
            for (args, step, cause) in [
                (["--sim", "absent"], "SIM", "sim-absent"),
                (["--sim", "pin:1234"], "SIM", "sim-locked"),
                (["--signal", "99"], "signal", "no-signal"),
                (
                    ["--registration", "denied"],
                    "registration",
                    "sim-in-arrears",
                ),
                (["--apn-allow", "private"], "PDP context", "apn"),
            ] {
                let broker = &broker;
                scope.spawn(move || {
                    let (_module, port) = module(model, &args);
                    let found = doctor(&url(broker), model, &["--port", &port]);
                    found.assert_fails_for(&[cause]);
                    assert_eq!(found.finding(step).1, cause, "{model}");
                });
            }
            let (_module, port) = module(model, &["--apn-allow", "private"]);
            let args = ["--port", &port, "--apn", "private"];
            doctor(&url(&broker), model, &args).assert_works();
        }
    });
    let (_module, port) = module("esp8266", &["--wifi", "home:secret"]);
    doctor(&url(&broker), "esp8266", &["--port", &port]).assert_fails_for(&["no-access-point"]);
}

/// Tutorial §8.2 Q2.2: 4G refuses a SIM in arrears, and 2G takes it. No model here has 2G, so a script plays one.
#[test]
fn a_sim_in_arrears_that_2g_still_takes() {
    let line = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = format!("tcp:{}", line.local_addr().unwrap());
    std::thread::spawn(move || {
        let (stream, _) = line.accept().unwrap();
        let mut answers = stream.try_clone().unwrap();
        for command in BufReader::new(stream).split(b'\r') {
            let information = match command.unwrap().as_slice() {
                b"ATI" => "\r\nEC20\r\n",
                b"AT+CPIN?" => "\r\n+CPIN: READY\r\n",
                b"AT+CSQ" => "\r\n+CSQ: 20,0\r\n",
                b"AT+CREG?" => "\r\n+CREG: 0,1\r\n",
                b"AT+CGREG?" => "\r\n+CGREG: 0,2\r\n",
                b"AT+CEREG?" => "\r\n+CEREG: 0,0\r\n",
                _ => "",
            };
            let answer = format!("{information}\r\nOK\r\n");
            answers.write_all(answer.as_bytes()).unwrap();
        }
    });
    let broker = Broker::ours(&[]);
    let found = doctor(&url(&broker), "ec20", &["--port", &port]);
    found.assert_fails_for(&["sim-in-arrears"]);
    let says = "+CREG: 1 home, +CGREG: 2 searching, +CEREG: 0 not searching";
    assert_eq!(found.finding("registration").2, says);
}

#[test]
fn what_keeps_a_module_from_a_server_that_this_machine_reaches() {
    let broker = Broker::ours(&[]);
    for model in ["air700eaq", "nt35e", "ec20", "bc26"] {
        let (_module, port) = module(model, &["--white-list", "iot.example"]);
        let found = doctor(&url(&broker), model, &["--port", &port]);
        found.assert_fails_for(&["white-list"]);
        assert_eq!(found.finding("CONNECT").0, "good");
        // This machine knows the name, and the module's name server does not.
        let (_module, port) = module(model, &[]);
        let port = ["--port", &port, "--resolve", "broker.invalid=127.0.0.1"];
        let unknown = format!("mqtt://broker.invalid:{}", broker.port());
        doctor(&unknown, model, &port).assert_fails_for(&["dns"]);
    }
}

#[test]
fn a_clock_that_was_never_set() {
    let folder = Folder::with_certificates();
    let ca = file(&folder, "ca.crt");
    let (_broker, [tls, _]) = Broker::ours_with_tls(&folder.0, &[]);
    for model in ["air780ep", "ec20"] {
        let (_module, port) = module(model, &["--clock", "unset"]);
        let args = ["--port", &port, "--cafile", &ca];
        let found = doctor(&secure(tls), model, &args);
        found.assert_works();
        assert_eq!(found.finding("clock").1, "clock-not-set");
        let found = doctor(
            &secure(tls),
            model,
            &[&args[..], &["--check-dates"]].concat(),
        );
        assert!(!found.works);
        assert_eq!(found.causes()[0], "clock-not-set");
    }
}

#[test]
fn nobody_answers_on_the_port() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = format!("tcp:{}", silent.local_addr().unwrap());
    let broker = Broker::ours(&[]);
    let found = doctor(&url(&broker), "air780ep", &["--port", &port]);
    found.assert_fails_for(&["no-answer"]);
    let output = run(
        &[
            "doctor",
            &url(&broker),
            "-m",
            "ec20",
            "--port",
            "/dev/nowhere",
        ],
        b"",
    );
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/dev/nowhere: "));
    // The line breaks in the middle.
    let port = format!("tcp:{}", silent.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in silent.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 64]);
            let _ = stream.write_all(b"\r\nOK\r\n");
        }
    });
    let output = run(
        &["doctor", &url(&broker), "-m", "ec20", "--port", &port],
        b"",
    );
    assert_eq!(output.status.code(), Some(2));
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        words.ends_with("the other end has closed the line\n"),
        "{words}"
    );
}

/// One run leaves nothing behind that the next would stumble over: neither TLS nor a connection.
#[test]
fn a_module_may_be_asked_again() {
    let folder = Folder::with_certificates();
    let (plain, [tls, _]) =
        Broker::ours_with_tls(&folder.0, &["--refuse-filter", "secret", "--user", "u:p"]);
    let login = ["-u", "u", "-P", "p"];
    for model in ["air700eaq", "ec20", "bc26", "nt35e"] {
        let (_module, port) = module(model, &[]);
        let args = [&["--port", &port][..], &login].concat();
        let secure = format!("mqtts://localhost:{}", tls.port());
        doctor(&secure, model, &args).assert_works();
        if model == "nt35e" {
            // Its firmware has no way back from TLS but a restart.
            continue;
        }
        doctor(&url(&plain), model, &args).assert_works();
        let refused = doctor(
            &url(&plain),
            model,
            &[&args[..], &["-t", "secret"]].concat(),
        );
        assert_eq!(refused.causes(), ["subscribe-refused", "subscribe-refused"]);
        doctor(&url(&plain), model, &args).assert_works();
    }
}

#[test]
fn a_server_that_says_nothing_costs_no_more_than_its_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    for (scheme, model, cause) in [
        ("mqtt", "ec20", "silent-server"),
        ("ws", "esp8266", "websocket-refused"),
        ("mqtts", "ec20", "handshake-failed"),
    ] {
        let found = doctor(&format!("{scheme}://{address}"), model, &[]);
        found.assert_fails_for(&[cause]);
    }
}

#[test]
fn files_that_cannot_be_what_they_are_given_for() {
    let (folder, other) = (Folder::with_certificates(), Folder::with_certificates());
    let (ca, cert) = (file(&folder, "ca.crt"), file(&folder, "client.crt"));
    let (key, foreign) = (file(&folder, "client.key"), file(&other, "client.key"));
    for (args, why) in [
        (
            ["--cafile", &ca, "--cert", &cert, "--key", &foreign],
            "the client's key does not belong to its certificate",
        ),
        (
            ["--cafile", &key, "--cert", &cert, "--key", &key],
            "holds no certificate",
        ),
    ] {
        let all = [&["doctor", "mqtts://127.0.0.1", "-m", "ec20"][..], &args].concat();
        let output = run(&all, b"");
        assert_eq!(output.status.code(), Some(2));
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(words.contains(why), "{words}");
    }
}

/// What people send to others does not hold the password, but for the lines that want it.
#[test]
fn a_password_is_in_no_finding() {
    let broker = Broker::ours(&["--user", "u:hunter2"]);
    // The module's own login is what fails: its white list lets it through to nobody.
    for model in ["air700eaq", "ec20", "bc26", "nt35e"] {
        let (_module, port) = module(model, &["--white-list", "iot.example"]);
        let args = ["--port", &port, "-u", "u", "-P", "hunter2"];
        let found = doctor(&url(&broker), model, &args);
        assert!(!found.json["findings"].to_string().contains("hunter2"));
        assert!(found.json["lines"].to_string().contains("hunter2"));
    }
}

/// Text for people, as a terminal shows it.
#[test]
fn people_read_the_verdict_and_the_lines() {
    let broker = Broker::ours(&[]);
    let output = run(
        &[
            "doctor",
            &url(&broker),
            "-m",
            "air780ep",
            "--patience",
            "0",
            "-i",
            "dev1",
        ],
        b"",
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let port = broker.port();
    for part in [
        format!("mqtt://127.0.0.1:{port} with the eyes of the Air780EP\n"),
        "✓ CONNECT             CONNACK 0, accepted, after ".into(),
        "It works. The lines for the Air780EP, each after the answer to the one before:\n\nAT+MCONFIG=\"dev1\"\n".into(),
        format!("AT+MIPSTART=\"127.0.0.1\",{port}\n    … until CONNECT OK\n"),
    ] {
        assert!(text.contains(&part), "{part:?} in {text}");
    }
}

/// Source: Huawei, "Device Connection Authentication": of the secret 12345678 at 2025041401.
const IOTDA_PASSWORD: &str = "c75150e6cb841417396819e4d2ee4358a416344a03a083e3a8567074ddec820a";

#[test]
fn what_huaweis_cloud_has_against_a_device() {
    let folder = Folder::new("iotda");
    let registry = folder.0.join("devices.toml");
    let secret = folder.0.join("secret");
    std::fs::write(&secret, "12345678\n").unwrap();
    std::fs::write(
        &registry,
        "[[device]]\nid = \"dev1\"\nsecret = \"12345678\"\n",
    )
    .unwrap();
    let broker = Broker::ours(&["--iotda", registry.to_str().unwrap()]);
    let at = |url: &str, id: &str, password: &str, more: &[&str]| {
        let login = ["--cloud", "huawei", "-i", id, "-u", "dev1", "-P", password];
        let secret = ["--secret-file", secret.to_str().unwrap()];
        doctor(url, "bc26", &[&login[..], &secret, more].concat())
    };
    let examine = |id: &str, password: &str, more: &[&str]| at(&url(&broker), id, password, more);
    let good = "dev1_0_0_2025041401";
    let report = "$oc/devices/dev1/sys/properties/report";
    let message = r#"{"services":[{"service_id":"stm32","properties":{"LED1":1}}]}"#;
    let found = examine(good, IOTDA_PASSWORD, &["-t", report, "--message", message]);
    found.assert_works();
    // It has no QoS 2, and the doctor has not tried.
    assert!(found.all("remark").is_empty(), "{:#}", found.json);
    assert!(
        !found.json.to_string().contains("12345678"),
        "{:#}",
        found.json
    );

    for (id, password, keep_alive, says) in [
        (
            "dev1",
            IOTDA_PASSWORD,
            "120",
            "CONNACK 2: a client id has four parts",
        ),
        (
            "dev2_0_0_2025041401",
            IOTDA_PASSWORD,
            "120",
            "CONNACK 4: the user name dev1 is not the device id",
        ),
        (
            good,
            "12345678",
            "120",
            "CONNACK 4: the password is not the HMAC-SHA256",
        ),
        (
            "dev1_0_1_2025041401",
            IOTDA_PASSWORD,
            "120",
            "CONNACK 4: the timestamp 2025041401 is more than an hour behind",
        ),
        (
            good,
            IOTDA_PASSWORD,
            "20",
            "CONNACK 2: the keep alive is 20 s, and 30 to 1200 s are taken",
        ),
    ] {
        let found = examine(id, password, &["-k", keep_alive]);
        let (verdict, cause, why) = found.finding("IoTDA");
        assert_eq!((verdict, cause), ("bad", "iotda-login"), "{why}");
        assert!(why.starts_with(says), "{why}");
        // The server on loopback says the same.
        let (_, _, connack) = found.finding("CONNECT");
        assert_eq!(connack.get(..9), why.get(..9), "{connack}");
    }
    for (topic, message, cause, says) in [
        (
            "$oc/devices/dev2/sys/properties/report",
            message,
            "iotda-topic",
            "a device reaches only",
        ),
        (
            "$oc/devices/dev1/sys/property/report",
            message,
            "iotda-topic",
            "there is no such topic",
        ),
        (
            "$oc/devices/dev1/sys/messages/down",
            message,
            "iotda-topic",
            "the platform publishes there",
        ),
        (
            report,
            "{LED1:1}",
            "iotda-message",
            "no JSON: key must be a string",
        ),
        (report, "{}", "iotda-message", "there is no \"services\""),
    ] {
        // Nobody need be there for that.
        let closed = "mqtt://127.0.0.1:9";
        let message = ["-t", topic, "--message", message];
        let found = at(closed, good, IOTDA_PASSWORD, &message);
        found.assert_fails_for(&[cause, "port-closed"]);
        let findings = found.json["findings"].as_array().unwrap();
        let words = findings[1]["says"].as_str().unwrap();
        assert!(words.starts_with(topic) && words.contains(says), "{words}");
    }
}

#[test]
fn a_server_without_qos_2_works_all_the_same() {
    let folder = Folder::new("iotda");
    let registry = folder.0.join("devices.toml");
    std::fs::write(
        &registry,
        "[[device]]\nid = \"dev1\"\nsecret = \"12345678\"\n",
    )
    .unwrap();
    let broker = Broker::ours(&["--iotda", registry.to_str().unwrap()]);
    let login = [
        "-i",
        "dev1_0_0_2025041401",
        "-u",
        "dev1",
        "-P",
        IOTDA_PASSWORD,
    ];
    let found = doctor(&url(&broker), "ec20", &login);
    found.assert_works();
    let (verdict, _, says) = found.finding("by the module");
    assert!(
        verdict == "good" && says.contains("with QoS 0, 1 and the lines below"),
        "{says}"
    );
}
