//! Through a module: `pub --via`, `sub --via`, `at`, `identify`, with the programs as they are built and real sockets.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Broker, Folder, Running, publish, run, start};
use dialect::model::{self, Bearer, Model};

/// A module on a TCP port, and its name there.
fn module(model: &Model) -> (Running, String) {
    let mut module = start(&[
        "module",
        model.name,
        "--tcp",
        "127.0.0.1:0",
        "--pace",
        "fast",
    ]);
    let line = module.line();
    let words = line.split_whitespace();
    let port = words.into_iter().find(|word| word.starts_with("tcp:"));
    let port = port.unwrap().to_string();
    (module, port)
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

fn through(model: &Model, broker: &Broker) {
    let (_module, port) = module(model);
    let via = format!("{}:{port}", model.name);
    let (host, to) = (
        broker.address.ip().to_string(),
        broker.address.port().to_string(),
    );
    let mut place = vec!["--via", &via, "-h", &host, "-p", &to];
    if model.bearer == Bearer::WiFi {
        place.extend(["--wifi", "home:password"]);
    }
    let topic = format!("up/{}", model.name);
    let own = [
        "sub", "-h", &host, "-p", &to, "-t", &topic, "-C", "1", "-W", "60",
    ];
    let listener = common::modemq(&own)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // The listener may be late: a retained message waits for it.
    let publishes = ["pub", "-q", "2", "-r", "-t", &topic, "-m", "a\r\nOK\r\nb"];
    let output = run(&[&publishes[..], &place[..]].concat(), b"");
    assert!(
        output.status.success(),
        "{}: {}",
        model.name,
        text(output.stderr)
    );
    let heard = listener.wait_with_output().unwrap();
    assert_eq!(text(heard.stdout), "a\r\nOK\r\nb\n", "{}", model.name);

    let topic = format!("down/{}", model.name);
    publish(broker, &["-r", "-t", &topic, "-m", "kept"]);
    let subscribes = ["sub", "-q", "1", "-v", "-C", "1", "-W", "60", "-t", &topic];
    let output = run(&[&subscribes[..], &place[..]].concat(), b"");
    assert_eq!(
        text(output.stdout),
        format!("{topic} kept\n"),
        "{}",
        text(output.stderr)
    );
    assert!(output.status.success());
}

#[test]
fn messages_pass_through_each_model() {
    let broker = Broker::mosquitto();
    std::thread::scope(|scope| {
        for model in model::ALL {
            let broker = &broker;
            scope.spawn(move || through(model, broker));
        }
    });
}

/// Certificates are typed into the module, and used; a second time they are there.
#[test]
fn certificates_are_provisioned() {
    let folder = Folder::new("via");
    let (_broker, [one_way, mutual]) = Broker::ours_with_tls(&folder.0, &[]);
    let file = |name: &str| folder.0.join(name).to_str().unwrap().to_string();
    let [ca, cert, key] = [file("ca.crt"), file("client.crt"), file("client.key")];
    let to = mutual.port().to_string();
    for name in ["air780ep", "ec20", "bg95", "bc26", "esp32c3"] {
        let (_module, port) = module(Model::by_name(name).unwrap());
        let via = format!("{name}:{port}");
        let mut args = vec![
            "pub",
            "--via",
            &via,
            "-h",
            "localhost",
            "-p",
            &to,
            "--tls",
            "--cafile",
            &ca,
            "--cert",
            &cert,
            "--key",
            &key,
            "-q",
            "1",
            "-t",
            "t",
            "-m",
            "x",
        ];
        if name == "esp32c3" {
            args.extend(["--wifi", "home:password"]);
        }
        for _ in 0..2 {
            let output = run(&args, b"");
            assert!(output.status.success(), "{name}: {}", text(output.stderr));
        }
    }
    // An NT35E checks the server, and has no certificate of its own.
    let (_module, port) = module(Model::by_name("nt35e").unwrap());
    let via = format!("nt35e:{port}");
    let to = one_way.port().to_string();
    let args = [
        "pub",
        "--via",
        &via,
        "-h",
        "localhost",
        "-p",
        &to,
        "--tls",
        "--cafile",
        &ca,
        "-q",
        "1",
        "-t",
        "t",
        "-m",
        "x",
    ];
    let output = run(&args, b"");
    assert!(output.status.success(), "{}", text(output.stderr));
    let output = run(
        &[&args[..], &["--cert", &cert, "--key", &key]].concat(),
        b"",
    );
    assert_eq!(
        text(output.stderr),
        "modemq pub: the model has no place for a client's certificate: it can check the server, and no more\n"
    );
}

#[test]
fn a_refused_login_is_told_with_its_code() {
    let broker = Broker::ours(&["--user", "robot:right"]);
    let (_module, port) = module(Model::by_name("ec20").unwrap());
    let to = broker.address.port().to_string();
    let args = [
        "pub",
        "--via",
        &format!("ec20:{port}"),
        "-h",
        "127.0.0.1",
        "-p",
        &to,
        "-u",
        "robot",
        "-P",
        "wrong",
        "-t",
        "t",
        "-m",
        "x",
    ];
    let output = run(&args, b"");
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(
        text(output.stderr),
        "modemq pub: the broker refused user name or password\n"
    );
}

#[test]
fn what_cannot_be_carried_is_said() {
    let broker = Broker::ours(&[]);
    let (_module, port) = module(Model::by_name("bc26").unwrap());
    let to = broker.address.port().to_string();
    let args = [
        "pub",
        "--via",
        &format!("bc26:{port}"),
        "-h",
        "127.0.0.1",
        "-p",
        &to,
        "-t",
        "t",
        "-s",
    ];
    let output = run(&args, &[b'x'; 1025]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(output.stderr),
        "modemq pub: the model takes messages of up to 1024 bytes\n"
    );
}
