//! Through a module: `pub --via`, `sub --via`, with the programs as they are built, PTYs and real sockets.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Broker, Folder, Running, modemq, publish, run, start, temporary};
use dialect::model::{self, Bearer, Model};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

/// A module on a TCP port, and its name there.
fn module(model: &Model) -> (Running, String) {
    module_with(model.name, &[])
}

/// The same with further options.
fn module_with(name: &str, options: &[&str]) -> (Running, String) {
    let own = ["module", name, "--tcp", "127.0.0.1:0", "--pace", "fast"];
    let mut module = start(&[&own, options].concat());
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
    let listener = modemq(&own).stdout(Stdio::piped()).spawn().unwrap();
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

/// `pub --via` with further options, to a broker.
fn publish_via(via: &str, broker: &Broker, options: &[&str]) -> Output {
    let to = broker.port();
    let own = ["pub", "--via", via, "-h", "127.0.0.1", "-p", &to, "-t", "t"];
    run(&[&own, options].concat(), b"")
}

fn words(output: &Output) -> &str {
    str::from_utf8(&output.stderr).unwrap()
}

/// It tried for minutes in a language that the module does not understand.
#[test]
fn another_module_is_told_at_once() {
    let broker = Broker::ours(&[]);
    let (_module, port) = module_with("ec20", &[]);
    let start = Instant::now();
    for (model, article) in [
        ("nt35e", "an NT35E"),
        ("esp8266", "an ESP8266"),
        ("air780e", "an Air780E"),
    ] {
        let output = publish_via(&format!("{model}:{port}"), &broker, &["-m", "x"]);
        assert_eq!(output.status.code(), Some(1));
        let wanted = format!(
            "modemq pub: the module says that it is an EC20, not {article}: --via ec20:…\n"
        );
        assert_eq!(words(&output), wanted);
    }
    assert!(start.elapsed() < Duration::from_secs(20));
    // One that speaks the same language is used.
    let output = publish_via(&format!("bg95:{port}"), &broker, &["-n", "-W", "60"]);
    let wanted =
        "modemq pub: the module says that it is an EC20; used as a BG95, as --via has it\n";
    assert!(words(&output).starts_with(wanted), "{}", words(&output));
}

#[test]
fn a_port_that_never_answers_is_told_at_once_and_given_up_in_time() {
    let broker = Broker::ours(&[]);
    // A module that hangs from its start.
    let (_module, port) = module_with("ec20", &["--fault", "stuck at 0s"]);
    let via = format!("ec20:{port}");
    let to = broker.port();
    let told = format!(
        "the module at {port} does not answer; trying on. Is it powered, is this its AT port, is its rate right? `modemq identify {port}` tries others\n"
    );
    for (who, message) in [("pub", &["-m", "x"][..]), ("sub", &[])] {
        let own = [
            who,
            "--via",
            &via,
            "-h",
            "127.0.0.1",
            "-p",
            &to,
            "-t",
            "t",
            "-W",
            "4",
        ];
        let output = run(&[&own, message].concat(), b"");
        assert_eq!(output.status.code(), Some(27));
        let wanted =
            format!("modemq {who}: {told}modemq {who}: timed out: the module does not answer\n");
        assert_eq!(words(&output), wanted);
    }
    let output = run(&["at", &port, "AT", "-t", "1"], b"");
    assert_eq!(output.status.code(), Some(27));
    assert!(words(&output).starts_with("modemq at: nothing was heard. Is it powered"));
}

#[test]
fn what_it_waits_for_is_told() {
    let broker = Broker::ours(&[]);
    for (options, why, end) in [
        (
            &["--sim", "absent"][..],
            "the module has no SIM that is usable; asking again",
            "the SIM is not usable",
        ),
        (
            &["--registration", "denied"],
            "waiting for registration with the network",
            "not registered with the network",
        ),
    ] {
        let (_module, port) = module_with("ec20", options);
        let output = publish_via(&format!("ec20:{port}"), &broker, &["-m", "x", "-W", "5"]);
        assert_eq!(output.status.code(), Some(27));
        let wanted = format!("modemq pub: {why}\nmodemq pub: timed out: {end}\n");
        assert_eq!(words(&output), wanted);
    }
}

#[test]
fn the_pin_is_typed() {
    let broker = Broker::ours(&[]);
    let (_module, port) = module_with("ec20", &["--sim", "pin:4321"]);
    let output = publish_via(
        &format!("ec20:{port}"),
        &broker,
        &["-n", "--pin", "4321", "-W", "60"],
    );
    assert!(output.status.success(), "{}", words(&output));
}

/// A message was given up that the driver would have sent again.
#[test]
fn what_nobody_knows_of_is_sent_again() {
    let broker = Broker::ours(&[]);
    for (model, command) in [
        ("air780ep", "MPUB"),
        ("nt35e", "ECMTPUB"),
        ("bc26", "QMTPUB"),
        ("ec20", "QMTPUB"),
        ("esp32c3", "MQTTPUB"),
    ] {
        let fault = format!("reboot when AT+{command} times 1");
        let (_module, port) = module_with(model, &["--fault", &fault]);
        let via = format!("{model}:{port}");
        let mut options = vec!["-m", model, "-q", "1", "-r", "-W", "90"];
        if model == "esp32c3" {
            options.extend(["--wifi", "home:password"]);
        }
        let output = publish_via(&via, &broker, &options);
        let told = words(&output);
        assert!(output.status.success(), "{model}: {told}");
        let doubt = "modemq pub: nobody knows whether the broker has the message; it is sent again, and may arrive twice\n";
        assert_eq!(told.matches(doubt).count(), 1, "{model}: {told}");
        assert!(told.ends_with("modemq pub: connected again\n"), "{told}");
        let to = broker.port();
        let own = [
            "sub",
            "-h",
            "127.0.0.1",
            "-p",
            &to,
            "-t",
            "t",
            "-C",
            "1",
            "-W",
            "30",
        ];
        assert_eq!(text(run(&own, b"").stdout), format!("{model}\n"));
    }
    // One that is never answered, and one that may not come twice.
    let (_module, port) = module_with("ec20", &["--fault", "reboot when AT+QMTPUB"]);
    let via = format!("ec20:{port}");
    let output = publish_via(&via, &broker, &["-m", "x", "-q", "1", "-W", "8"]);
    assert_eq!(output.status.code(), Some(27));
    let end = "modemq pub: timed out: nobody knows whether the message arrived\n";
    assert!(words(&output).ends_with(end), "{}", words(&output));
    let output = publish_via(&via, &broker, &["-m", "x", "-q", "2", "-W", "60"]);
    assert_eq!(output.status.code(), Some(1));
    let end = "modemq pub: nobody knows whether the message arrived\n";
    assert!(words(&output).ends_with(end), "{}", words(&output));
}

/// While `pub -l` waited for standard input, nobody read the module.
#[test]
fn the_connection_is_kept_while_standard_input_is_silent() {
    let broker = Broker::ours(&[]);
    let to = broker.port();
    let (_module, port) = module_with(
        "ec20",
        &["--fault", "tcp-drop when AT+QMTPUB after 500ms times 1"],
    );
    let via = format!("ec20:{port}");
    let mut own = modemq(&[
        "pub",
        "--via",
        &via,
        "-h",
        "127.0.0.1",
        "-p",
        &to,
        "-t",
        "t",
        "-q",
        "1",
        "-l",
        "-r",
    ])
    .stdin(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn()
    .unwrap();
    let mut input = own.stdin.take().unwrap();
    let mut told = BufReader::new(own.stderr.take().unwrap()).lines();
    input.write_all(b"one\n").unwrap();
    // It says so by itself: nothing more comes from standard input.
    let again = "modemq pub: connected again";
    assert!(told.any(|line| line.unwrap() == again));
    input.write_all(b"two\n").unwrap();
    drop(input);
    assert!(own.wait().unwrap().success());
    let own = [
        "sub",
        "-h",
        "127.0.0.1",
        "-p",
        &to,
        "-t",
        "t",
        "-C",
        "1",
        "-W",
        "30",
    ];
    assert_eq!(text(run(&own, b"").stdout), "two\n");
}

#[test]
fn a_listener_whose_reader_goes_away_logs_out_and_says_nothing() {
    let broker = Broker::ours(&[]);
    let to = broker.port();
    let (_module, port) = module_with("ec20", &[]);
    let via = format!("ec20:{port}");
    publish(&broker, &["-r", "-t", "t", "-m", "kept"]);
    for place in [&["--via", &via][..], &[]] {
        let own = ["sub", "-h", "127.0.0.1", "-p", &to, "-t", "t", "-W", "60"];
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = modemq(&[&own, place].concat())
            .stdout(writer)
            .output()
            .unwrap();
        assert_eq!(words(&output), "");
        assert_eq!(output.status.code(), Some(0));
    }
}

/// A retained message that came in one piece with SUBACK was thrown away.
#[test]
fn what_comes_with_the_subscription_is_printed() {
    let broker = Broker::ours(&[]);
    let to = broker.port();
    let (_module, port) = module_with("ec20", &[]);
    publish(&broker, &["-r", "-t", "t", "-m", "kept"]);
    let via = format!("ec20:{port}");
    let own = [
        "sub",
        "--via",
        &via,
        "-h",
        "127.0.0.1",
        "-p",
        &to,
        "-t",
        "t",
        "-C",
        "1",
        "-W",
        "30",
    ];
    let output = run(&own, b"");
    assert_eq!(
        (text(output.stdout).as_str(), output.status.code()),
        ("kept\n", Some(0))
    );
}

#[test]
fn what_passes_is_shown_on_a_pty_too() {
    let broker = Broker::ours(&["--user", "robot:hunter2"]);
    let link = temporary("via");
    let own = link.to_str().unwrap();
    let mut module = start(&["module", "bc26", "--pty", own, "--pace", "fast"]);
    module.line();
    let login = [
        "-u", "robot", "-P", "hunter2", "-m", "hello", "-d", "-W", "60",
    ];
    let output = publish_via(&format!("bc26:{own}"), &broker, &login);
    let told = words(&output);
    assert!(output.status.success(), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
    let mut lines = told.lines().map(|line| line.get(10..).unwrap_or_default());
    for wanted in [
        "> AT+CGMM",
        "< Quectel_BC26",
        "> AT+QMTCONN=0,",
        "> hello",
        "< OK",
    ] {
        assert!(
            lines.any(|line| line.starts_with(wanted)),
            "{wanted}: {told}"
        );
    }
}

/// Ctrl-C did nothing while standard input was read.
#[test]
fn who_waits_for_standard_input_can_be_stopped() {
    let broker = Broker::ours(&[]);
    let to = broker.port();
    let mut own = modemq(&[
        "pub",
        "-h",
        "127.0.0.1",
        "-p",
        &to,
        "-t",
        "t",
        "-l",
        "-q",
        "1",
        "-r",
    ]);
    let mut own = own
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = own.stdin.take().unwrap();
    input.write_all(b"one\n").unwrap();
    let read = [
        "sub",
        "-h",
        "127.0.0.1",
        "-p",
        &to,
        "-t",
        "t",
        "-C",
        "1",
        "-W",
        "30",
    ];
    assert_eq!(text(run(&read, b"").stdout), "one\n");
    let id = rustix::process::Pid::from_child(&own);
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    let mut rest = String::new();
    own.stderr
        .take()
        .unwrap()
        .read_to_string(&mut rest)
        .unwrap();
    assert_eq!((own.wait().unwrap().code(), rest.as_str()), (Some(130), ""));
    drop(input);
}

/// The module stayed logged in and subscribed.
#[test]
fn a_listener_that_is_stopped_logs_out() {
    let broker = Broker::ours(&[]);
    let to = broker.port();
    let (_module, port) = module_with("ec20", &[]);
    publish(&broker, &["-r", "-t", "t", "-m", "kept"]);
    let via = format!("ec20:{port}");
    let own = [
        "sub",
        "--via",
        &via,
        "-h",
        "127.0.0.1",
        "-p",
        &to,
        "-t",
        "t",
        "-d",
        "-W",
        "60",
    ];
    let mut own = modemq(&own);
    let own = own.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut own = own.unwrap();
    let mut first = [0; 5];
    own.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    let id = rustix::process::Pid::from_child(&own);
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    let output = own.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let told = words(&output);
    assert!(told.contains("> AT+QMTDISC=0\n"), "{told}");
}
