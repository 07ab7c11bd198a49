//! `modemq bridge`: local clients, a module, and a broker above, with the programs as they are built and real sockets.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Broker, GUARD, Running, Tool, address_of, modemq, publish, run, start};
use dialect::model::{self, Bearer, Model};
use modemq::client::{Client, News};
use mqtt::{Connect, QoS, Suback, Will};
use rustix::process::Signal;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{ChildStderr, Stdio};

/// A module on a TCP port.
fn module(model: &str, args: &[&str]) -> (Running, SocketAddr) {
    module_at(model, "127.0.0.1:0", args)
}

fn module_at(model: &str, address: &str, args: &[&str]) -> (Running, SocketAddr) {
    let all = [&["module", model, "--tcp", address, "--pace", "fast"], args];
    let mut module = start(&all.concat());
    let address = address_of(&module.line());
    (module, address)
}

/// A bridge, whose clients talk to it as to a broker.
struct Bridge {
    broker: Broker,
    told: BufReader<ChildStderr>,
}

impl Bridge {
    fn start(model: &str, module: SocketAddr, above: &Broker, args: &[&str]) -> Self {
        let via = format!("{model}:tcp:{module}");
        let to = above.port();
        let listen = ["bridge", "--listen", "127.0.0.1:0", "--via", &via];
        let id = format!("gateway-{model}");
        let above = ["-h", "127.0.0.1", "-p", &to, "-i", &id];
        let wifi: &[&str] = match Model::by_name(model).unwrap().bearer {
            Bearer::WiFi => &["--wifi", "home:password"],
            _ => &[],
        };
        let mut command = modemq(&[&listen[..], &above, wifi, args].concat());
        let mut program = common::running(command.stderr(Stdio::piped()));
        let address = program.line();
        let address = address.strip_prefix("bridge on ").unwrap();
        Self {
            told: BufReader::new(program.trace()),
            broker: Broker {
                address: address.parse().unwrap(),
                program,
                name: "bridge",
            },
        }
    }

    /// Reads what it tells, up to a line that begins so; returns the rest of that.
    fn tells(&mut self, beginning: &str) -> String {
        let mut all = String::new();
        loop {
            let before = all.len();
            let n = self.told.read_line(&mut all).unwrap();
            assert!(n > 0, "{beginning:?} was expected: {all}");
            if let Some(rest) = all[before..].trim_end().strip_prefix(beginning) {
                return rest.into();
            }
        }
    }

    /// Stops it: all that it had still to tell.
    fn end(mut self, signal: Signal) -> String {
        self.broker.program.signal(signal);
        assert!(self.broker.program.wait().success());
        let mut rest = String::new();
        self.told.read_to_string(&mut rest).unwrap();
        rest
    }

    async fn client(&self, connect: &Connect<'_>) -> Client {
        client_of(&self.broker, connect).await
    }
}

async fn client_of(broker: &Broker, connect: &Connect<'_>) -> Client {
    let port = broker.address.port();
    let client = Client::connect("127.0.0.1", port, None, connect);
    client.await.unwrap()
}

fn clean(client_id: &str) -> Connect<'_> {
    Connect {
        clean_session: true,
        client_id,
        ..Connect::default()
    }
}

/// What happens next, at most after a while.
async fn next(client: &mut Client) -> News {
    let next = tokio::time::timeout(GUARD, client.next());
    next.await.expect("nothing happens").unwrap()
}

async fn subscribe(client: &mut Client, filters: &[(&str, QoS)]) -> Vec<u8> {
    client.subscribe(filters).await.unwrap();
    match next(client).await {
        News::Subscribed(_, codes) => codes,
        news => panic!("{news:?}"),
    }
}

/// The next message, as topic and payload.
async fn message(client: &mut Client) -> (String, Vec<u8>) {
    loop {
        if let News::Message(message) = next(client).await {
            return (message.topic, message.payload);
        }
    }
}

async fn through(model: &Model, above: &Broker) {
    let (_module, port) = module(model.name, &[]);
    let bridge = Bridge::start(model.name, port, above, &[]);
    let filter = format!("up/{}/#", model.name);
    let mut listener = client_of(above, &clean(model.name)).await;
    let mut ann = bridge.client(&clean("ann")).await;
    for client in [&mut listener, &mut ann] {
        subscribe(client, &[(&filter, QoS::ExactlyOnce)]).await;
    }
    let payload: &[u8] = if model.name == "nt35e" {
        b"a;\"\\b"
    } else {
        b"a\x1a\x00\xff\"\\b"
    };
    for qos in ["0", "1", "2"] {
        let topic = format!("up/{}/{qos}", model.name);
        let to = bridge.broker.port();
        let args = ["pub", "-p", &to, "-t", &topic, "-q", qos, "-s"];
        assert!(run(&args, payload).status.success());
        for client in [&mut listener, &mut ann] {
            assert_eq!(message(client).await, (topic.clone(), payload.to_vec()));
        }
    }
}

/// Tests each of them on a thread of its own.
fn on_each<F>(models: &[&str], test: impl Fn(&'static Model) -> F + Sync)
where
    F: Future<Output = ()>,
{
    std::thread::scope(|scope| {
        for name in models {
            let test = &test;
            scope.spawn(move || {
                let mut runtime = tokio::runtime::Builder::new_current_thread();
                let runtime = runtime.enable_all().build().unwrap();
                runtime.block_on(test(Model::by_name(name).unwrap()));
            });
        }
    });
}

#[test]
fn messages_pass_through_each_model() {
    let above = Broker::mosquitto();
    let names: Vec<_> = model::ALL.iter().map(|model| model.name).collect();
    on_each(&names, |model| through(model, &above));
}

#[tokio::test]
async fn clients_have_what_they_subscribed_to_once() {
    let above = Broker::mosquitto();
    let (_module, port) = module("ec20", &[]);
    let bridge = Bridge::start("ec20", port, &above, &[]);
    let mut ann = bridge.client(&clean("ann")).await;
    let mut bob = bridge.client(&clean("bob")).await;
    let filters = [("a/#", QoS::AtLeastOnce), ("a/b", QoS::ExactlyOnce)];
    assert_eq!(subscribe(&mut ann, &filters).await, [1, 2]);
    assert_eq!(subscribe(&mut bob, &[("a/+", QoS::AtMostOnce)]).await, [0]);
    publish(&above, &["-t", "a/b", "-m", "one", "-q", "2", "-r"]);
    publish(&above, &["-t", "a/b", "-m", "two", "-q", "2"]);
    for client in [&mut ann, &mut bob] {
        for payload in ["one", "two"] {
            let expected = ("a/b".to_string(), payload.as_bytes().to_vec());
            assert_eq!(message(client).await, expected);
        }
    }
    // What is retained comes to whoever subscribes, also to what is there already.
    let mut carl = bridge.client(&clean("carl")).await;
    carl.subscribe(&[("a/b", QoS::AtMostOnce)]).await.unwrap();
    assert_eq!(message(&mut carl).await, ("a/b".into(), b"one".to_vec()));
    // A will goes up, and comes down to the others.
    let will = Will {
        topic: "a/will",
        payload: b"gone",
        qos: QoS::AtLeastOnce,
        retain: false,
    };
    let dora = Connect {
        will: Some(will),
        ..clean("dora")
    };
    let mut above_hears = Tool::subscribe(&above, "a/will", "1");
    drop(bridge.client(&dora).await);
    assert_eq!(above_hears.next(), "a/will gone");
    loop {
        // The others may see again what is retained.
        let (topic, payload) = message(&mut ann).await;
        if topic == "a/will" {
            assert_eq!(payload, b"gone");
            break;
        }
        assert_eq!(payload, b"one");
    }
}

#[tokio::test]
async fn refusals_are_passed_on_and_told() {
    let above = Broker::ours(&["--refuse-filter", "no"]);
    let (_module, port) = module("bc26", &[]);
    let users = ["--user", "local:secret"];
    let mut bridge = Bridge::start("bc26", port, &above, &users);
    let to = bridge.broker.port();
    let hello = ["pub", "-p", &to, "-t", "t", "-m", "x", "-q", "1"];
    let wrong = run(&[&hello[..], &["-u", "local", "-P", "wrong"]].concat(), b"");
    assert_eq!(wrong.status.code(), Some(4));
    assert!(
        bridge
            .tells("modemq bridge: modemq-")
            .ends_with(": refused: bad user name or password")
    );
    let right = run(
        &[&hello[..], &["-u", "local", "-P", "secret"]].concat(),
        b"",
    );
    assert!(right.status.success());
    let connect = Connect {
        username: Some("local"),
        password: Some(b"secret"),
        ..clean("ann")
    };
    let mut ann = bridge.client(&connect).await;
    let codes = subscribe(&mut ann, &[("no", QoS::AtLeastOnce)]).await;
    assert_eq!(codes, [Suback::FAILURE]);
    assert_eq!(
        bridge.tells("modemq bridge: no: "),
        "not subscribed: the broker refused the subscription"
    );
    // What the model cannot carry does not stop what comes after it.
    let long = vec![b'x'; 1025];
    ann.publish("up", &long, QoS::AtLeastOnce, false)
        .await
        .unwrap();
    ann.publish("up", b"x", QoS::AtLeastOnce, false)
        .await
        .unwrap();
    while ann.in_flight() > 0 {
        next(&mut ann).await;
    }
    assert_eq!(
        bridge.tells("modemq bridge: up: "),
        "a message of 1025 bytes is discarded: the model takes messages of up to 1024 bytes"
    );
}

async fn through_losses(model: &Model) {
    const COUNT: usize = 30;
    let above = Broker::mosquitto();
    let mut listener = client_of(&above, &clean("listener")).await;
    subscribe(&mut listener, &[("up", QoS::AtLeastOnce)]).await;
    let (_module, port) = module(model.name, &["--fault", "limit_data 200"]);
    let bridge = Bridge::start(model.name, port, &above, &[]);
    let mut ann = bridge.client(&clean("ann")).await;
    for number in 0..COUNT {
        let payload = number.to_string();
        let sent = ann.publish("up", payload.as_bytes(), QoS::AtLeastOnce, false);
        sent.await.unwrap();
    }
    while ann.in_flight() > 0 {
        next(&mut ann).await;
    }
    publish(&above, &["-t", "up", "-m", "end", "-q", "1"]);
    let mut heard = Vec::new();
    while heard.last().is_none_or(|last| last != b"end") {
        let (_, payload) = message(&mut listener).await;
        // At least once.
        if heard.last() != Some(&payload) {
            heard.push(payload);
        }
    }
    let all: Vec<_> = (0..COUNT).map(|number| number.to_string()).collect();
    let heard: Vec<_> = heard.iter().map(|it| String::from_utf8_lossy(it)).collect();
    assert_eq!(heard[..COUNT], all, "{}", model.name);
    let told = bridge.end(Signal::TERM);
    let losses = told.matches("modemq bridge: connected again\n").count();
    assert!(losses > 1, "{told}");
}

/// What was acknowledged is at the broker, in its order, though each connection ends after 200 bytes.
#[test]
fn what_is_acknowledged_is_at_the_broker_though_the_connection_is_lost() {
    on_each(&["air780ep", "nt35e", "bg95", "esp8266"], through_losses);
}

#[tokio::test]
async fn clients_wait_for_a_broker_that_is_not_there_yet() {
    let above = Broker::ours(&[]);
    let address = above.address.to_string();
    let (_module, port) = module("air700eaq", &[]);
    let mut bridge = Bridge::start("air700eaq", port, &above, &[]);
    bridge.tells("modemq bridge: connected");
    drop(above);
    bridge.tells("modemq bridge: the connection was closed; open the connection again");
    let mut ann = bridge.client(&clean("ann")).await;
    ann.subscribe(&[("up", QoS::AtLeastOnce)]).await.unwrap();
    ann.publish("up", b"x", QoS::ExactlyOnce, false)
        .await
        .unwrap();
    let above = Broker::ours_at(&address);
    bridge.tells("modemq bridge: connected again");
    assert_eq!(message(&mut ann).await, ("up".into(), b"x".to_vec()));
    while ann.in_flight() > 0 {
        next(&mut ann).await;
    }
    drop(above);
}

#[tokio::test]
async fn a_module_that_goes_and_comes_back_is_opened_again() {
    let above = Broker::ours(&[]);
    let (module, port) = module("ec20", &[]);
    let mut bridge = Bridge::start("ec20", port, &above, &[]);
    bridge.tells("modemq bridge: connected");
    drop(module);
    bridge.tells("modemq bridge: the serial port has ended; opening the port again");
    let mut ann = bridge.client(&clean("ann")).await;
    ann.publish("up", b"x", QoS::AtLeastOnce, false)
        .await
        .unwrap();
    let (_module, _) = module_at("ec20", &port.to_string(), &[]);
    bridge.tells("modemq bridge: the port is open again");
    while ann.in_flight() > 0 {
        next(&mut ann).await;
    }
}

#[test]
fn it_says_goodbye() {
    let mut above = modemq(&["broker", "--listen", "127.0.0.1:0", "--trace"]);
    let mut program = common::running(above.stderr(Stdio::piped()));
    let address = program.line();
    let mut trace = BufReader::new(program.trace());
    let above = Broker {
        address: address.rsplit(' ').next().unwrap().parse().unwrap(),
        program,
        name: "modemq broker",
    };
    for signal in [Signal::TERM, Signal::INT] {
        let (_module, port) = module("esp32c3", &[]);
        let mut bridge = Bridge::start("esp32c3", port, &above, &[]);
        bridge.tells("modemq bridge: connected");
        let mut local = TcpStream::connect(bridge.broker.address).unwrap();
        // It tells nothing else.
        assert_eq!(bridge.end(signal), "");
        let mut line = String::new();
        while !line.ends_with(" gateway-esp32c3: disconnected\n") {
            line.clear();
            assert!(trace.read_line(&mut line).unwrap() > 0);
            assert!(!line.contains("closed by the client"), "{line}");
        }
        // Its clients are not left alone with a connection.
        local.set_read_timeout(Some(GUARD)).unwrap();
        assert!(matches!(local.read(&mut [0; 16]), Ok(0) | Err(_)));
    }
}

#[tokio::test]
async fn clients_are_served_while_the_module_says_nothing() {
    let above = Broker::ours(&[]);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap();
    let mut bridge = Bridge::start("ec20", port, &above, &[]);
    let told = bridge.tells("modemq bridge: the module at ");
    assert!(told.contains(" does not answer"), "{told}");
    let ann = bridge.client(&clean("ann")).await;
    assert_eq!(bridge.end(Signal::TERM), "");
    drop((ann, silent));
}

#[tokio::test]
async fn nobody_disturbs_the_others() {
    let above = Broker::ours(&[]);
    let (_module, port) = module("air780e", &[]);
    let mut bridge = Bridge::start("air780e", port, &above, &[]);
    let mut ann = bridge.client(&clean("ann")).await;
    subscribe(&mut ann, &[("up", QoS::AtLeastOnce)]).await;
    // Garbage, a packet that ends in its middle, and a client that goes in the middle of a message.
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"\x10\xff\xff\xff\xff",
        b"\x10\x0c\0\x04MQTT\x04\x02\0\0\0\0\x32\x0a\0\x02up",
    ] {
        let mut client = TcpStream::connect(bridge.broker.address).unwrap();
        client.write_all(bytes).unwrap();
    }
    let mut reasons = [(); 2].map(|()| bridge.tells("modemq bridge: a connection: "));
    reasons.sort();
    assert_eq!(
        reasons,
        [
            "does not begin with CONNECT",
            "malformed packet: remaining length does not end"
        ]
    );
    // Two of one name: the later one has it.
    let mut first = bridge.client(&clean("twin")).await;
    let mut second = bridge.client(&clean("twin")).await;
    let gone = tokio::time::timeout(GUARD, first.next()).await.unwrap();
    assert!(gone.is_err());
    assert_eq!(
        bridge.tells("modemq bridge: twin: "),
        "taken over: another client has the same id"
    );
    // A client that has gone before it was answered has been heard.
    second
        .publish("up", b"1", QoS::AtLeastOnce, false)
        .await
        .unwrap();
    drop(second);
    let mut third = bridge.client(&clean("twin")).await;
    third
        .publish("up", b"2", QoS::AtLeastOnce, false)
        .await
        .unwrap();
    while third.in_flight() > 0 {
        next(&mut third).await;
    }
    let heard = [message(&mut ann).await, message(&mut ann).await];
    assert_eq!(heard.map(|(_, payload)| payload), [b"1", b"2"]);
}

#[test]
fn options_that_cannot_be_are_told_at_once() {
    let without = run(&["bridge"], b"");
    assert_eq!(without.status.code(), Some(2));
    let missing = run(
        &["bridge", "--via", "ec20:/dev/not-there", "--listen", "0"],
        b"",
    );
    assert_eq!(missing.status.code(), Some(1));
    let told = String::from_utf8(missing.stderr).unwrap();
    assert!(
        told.starts_with("modemq bridge: /dev/not-there: "),
        "{told}"
    );
    let (_module, port) = module("esp8266", &[]);
    let via = format!("ec20:tcp:{port}");
    let other = run(&["bridge", "--via", &via, "--listen", "0"], b"");
    assert_eq!(other.status.code(), Some(1));
    let via = format!("esp8266:tcp:{port}");
    let tls = run(&["bridge", "--via", &via, "--tls", "--listen", "0"], b"");
    assert_eq!(tls.stderr, b"modemq bridge: no TLS on this model\n");
}
