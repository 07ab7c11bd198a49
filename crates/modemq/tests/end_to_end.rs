//! Modules on real TCP against real brokers: ours and Debian's Mosquitto.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use rustix::process::Signal;

use common::{Broker, Host, Tool, address_of, publish, run, start};
use std::io::{Read, Write};
use std::net::TcpListener;

const FAST: &[&str] = &["--pace", "fast"];

#[test]
fn the_tutorial_plays_on_both_models_and_both_brokers() {
    for broker in Broker::each() {
        for (model, pace) in [("air780ep", "fast"), ("air700eaq", "real")] {
            let (_module, mut host) = Host::with_module(model, &["--pace", pace]);
            if pace == "real" {
                host.boot();
            }
            host.synchronise();
            let mut tool = Tool::subscribe(&broker, "mqtt/sub", "0");
            host.command("AT+MCONFIG=868488076771714,root,luat123456", &["OK"]);
            host.open(&broker);
            host.command("AT+MCONNECT=1,60", &["OK", "CONNACK OK"]);
            host.command("AT+MSUB=\"mqtt/pub\",0", &["OK", "SUBACK"]);
            host.command("AT+MPUB=\"mqtt/sub\",0,0,\"data from 4G module\"", &["OK"]);
            assert_eq!(
                tool.next(),
                "mqtt/sub data from 4G module",
                "{}",
                broker.name
            );
            publish(&broker, &["-t", "mqtt/pub", "-m", "data from tcp server"]);
            host.expect("\r\n+MSUB: \"mqtt/pub\",20 byte,data from tcp server\r\n");
            host.command("AT+MDISCONNECT", &["OK"]);
            host.command("AT+MIPCLOSE", &["OK"]);
        }
    }
}

#[test]
fn each_qos_goes_both_ways() {
    for broker in Broker::each() {
        let (_module, mut host) = Host::with_module("air780ep", FAST);
        host.synchronise();
        host.log_in(&broker, "qos", true);
        host.command("AT+MSUB=\"down\",2", &["OK", "SUBACK"]);
        let mut tool = Tool::subscribe(&broker, "up", "2");
        for (qos, frames) in [
            ("0", &["OK"][..]),
            ("1", &["OK", "PUBACK"]),
            ("2", &["OK", "PUBREC", "PUBCOMP"]),
        ] {
            host.command(&format!("AT+MPUB=\"up\",{qos},0,\"q{qos}\""), frames);
            assert_eq!(tool.next(), format!("up q{qos}"), "{}", broker.name);
            publish(&broker, &["-t", "down", "-q", qos, "-m", qos]);
            host.expect(&format!("\r\n+MSUB: \"down\",1 byte,{qos}\r\n"));
        }
    }
}

#[test]
fn retained_messages_come_with_the_subscription() {
    for broker in Broker::each() {
        let (_module, mut host) = Host::with_module("air780ep", FAST);
        host.synchronise();
        host.log_in(&broker, "retained", true);
        host.command("AT+MPUB=\"kept\",1,1,\"so\"", &["OK", "PUBACK"]);
        host.command(
            "AT+MSUB=\"kept\",0",
            &["OK", "SUBACK", "+MSUB: \"kept\",2 byte,so"],
        );
        publish(&broker, &["-t", "kept", "-r", "-n"]);
    }
}

#[test]
fn the_will_is_published_when_the_module_is_killed() {
    for broker in Broker::each() {
        let (module, mut host) = Host::with_module("air780ep", FAST);
        host.synchronise();
        let mut tool = Tool::subscribe(&broker, "will", "1");
        host.command(
            "AT+MCONFIG=\"mortal\",\"\",\"\",1,0,\"will\",\"gone\"",
            &["OK"],
        );
        host.open(&broker);
        host.command("AT+MCONNECT=1,60", &["OK", "CONNACK OK"]);
        module.signal(Signal::KILL);
        assert_eq!(tool.next(), "will gone", "{}", broker.name);
    }
}

#[test]
fn a_second_client_with_the_same_id_throws_the_first_out() {
    for broker in Broker::each() {
        let (_first, mut one) = Host::with_module("air780ep", FAST);
        let (_second, mut other) = Host::with_module("air700eaq", FAST);
        one.synchronise();
        other.synchronise();
        one.log_in(&broker, "same", true);
        other.log_in(&broker, "same", true);
        one.expect("\r\nCLOSED\r\n");
        one.command("AT+MQTTSTATU", &["+MQTTSTATU :0", "OK"]);
        other.command("AT+MQTTSTATU", &["+MQTTSTATU :1", "OK"]);
    }
}

#[test]
fn a_kept_session_delivers_what_came_meanwhile() {
    for broker in Broker::each() {
        let (_module, mut host) = Host::with_module("air780ep", FAST);
        host.synchronise();
        host.log_in(&broker, "keeper", false);
        host.command("AT+MSUB=\"mail\",1", &["OK", "SUBACK"]);
        host.command("AT+MDISCONNECT", &["OK"]);
        host.command("AT+MIPCLOSE", &["OK"]);
        publish(
            &broker,
            &["-t", "mail", "-q", "1", "-m", "while you were away"],
        );
        host.open(&broker);
        host.command("AT+MCONNECT=0,60", &["OK", "CONNACK OK"]);
        host.expect("\r\n+MSUB: \"mail\",19 byte,while you were away\r\n");
    }
}

#[test]
fn a_refused_subscription_is_told() {
    let broker = Broker::ours(&["--refuse-filter", "secret/#"]);
    let (_module, mut host) = Host::with_module("air780ep", FAST);
    host.synchronise();
    host.log_in(&broker, "curious", true);
    host.command("AT+MSUB=\"secret/#\",1", &["OK", "ERROR"]);
    host.command("AT+MSUB=\"open\",1", &["OK", "SUBACK"]);
}

#[test]
fn transcripts_play_on_a_port() {
    let transcripts = concat!(env!("CARGO_MANIFEST_DIR"), "/../../transcripts");
    let own = Broker::mosquitto();
    let broker = format!("127.0.0.1:{}", own.port());
    for extra in [&[][..], &["--broker", &broker]] {
        for (model, name) in [
            ("air780ep", "luat/6.2-plain-login"),
            ("air780ep", "luat/wrong-form"),
            ("air780ep", "luat/escapes"),
            ("nt35e", "eigencomm/tutorial"),
            ("nt35e", "eigencomm/publish"),
            ("bc26", "quectel/bc26-session"),
            ("ec20", "quectel/ec20-session"),
        ] {
            let mut module = start(&["module", model, "--tcp", "127.0.0.1:0", "--pace", "fast"]);
            let port = format!("tcp:{}", address_of(&module.line()));
            let file = format!("{transcripts}/{name}.at");
            let output = run(&[&["replay", &file, "--port", &port], extra].concat(), b"");
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{model} {extra:?}: {said}");
        }
    }
}

#[test]
fn a_made_up_host_leads_to_the_local_broker() {
    let broker = Broker::ours(&[]);
    let resolve = format!("mqtt.cloud.invalid:8000=127.0.0.1:{}", broker.port());
    let (_module, mut host) =
        Host::with_module("air780ep", &["--pace", "fast", "--resolve", &resolve]);
    host.synchronise();
    host.command(
        "AT+MIPSTART=\"mqtt.cloud.invalid\",8000",
        &["OK", "CONNECT OK"],
    );
}

#[test]
fn a_port_that_nobody_listens_on_fails() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let (_module, mut host) = Host::with_module("air780ep", FAST);
    host.synchronise();
    let start = format!("AT+MIPSTART=\"127.0.0.1\",{free}");
    host.command(&start, &["OK", "STATE:TCP CLOSED", "CONNECT FAIL"]);
}

#[test]
fn a_hostile_server_costs_the_link_and_nothing_else() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let (_module, mut host) = Host::with_module("air780ep", FAST);
    host.synchronise();
    let answers: [(&str, &[u8]); 5] = [
        ("noise", b"\xff\xff\xff\xff\xff\xff"),
        ("another protocol", b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        ("SUBACK first", b"\x90\x03\x00\x01\x00"),
        (
            "packet identifier 0",
            b"\x20\x02\x00\x00\x32\x06\x00\x01a\x00\x00y",
        ),
        (
            "a length without end",
            b"\x20\x02\x00\x00\x30\xff\xff\xff\xff\xff",
        ),
    ];
    for (name, answer) in answers {
        host.command(
            &format!("AT+MIPSTART=\"127.0.0.1\",{port}"),
            &["OK", "CONNECT OK"],
        );
        let (mut link, _) = server.accept().unwrap();
        host.command("AT+MCONNECT=1,60", &["OK"]);
        // Its IMEI is its client id.
        let mut connect = [0; 29];
        link.read_exact(&mut connect).unwrap();
        link.write_all(answer).unwrap();
        if answer.starts_with(b"\x20\x02\x00\x00") {
            host.expect("\r\nCONNACK OK\r\n");
        }
        host.expect("\r\nCLOSED\r\n");
        host.command("AT", &["OK"]);
        // The module has closed its end too.
        let mut rest = Vec::new();
        assert!(
            link.read_to_end(&mut rest).is_ok() && rest.is_empty(),
            "{name}: {rest:?}"
        );
    }
}

#[test]
fn a_host_that_comes_back_finds_the_module_as_it_left_it() {
    let broker = Broker::ours(&[]);
    let mut module = start(&[
        "module",
        "air780ep",
        "--tcp",
        "127.0.0.1:0",
        "--pace",
        "fast",
    ]);
    let address = address_of(&module.line());
    let mut host = Host::connect(address);
    host.synchronise();
    host.log_in(&broker, "patient", true);
    // Gone in the middle of a command.
    host.send(b"AT+MPUBEX=\"t\",0,0,10\r");
    host.expect("AT+MPUBEX=\"t\",0,0,10\r>");
    drop(host);
    let mut host = Host::connect(address);
    host.send(b"0123456789");
    host.expect("\r\nOK\r\n");
    host.command("AT+MQTTSTATU", &["+MQTTSTATU :1", "OK"]);
    // A new host takes the place of the one before it.
    let mut other = Host::connect(address);
    other.send(b"AT\r");
    other.expect("AT\r\r\nOK\r\n");
}

#[test]
fn several_modules_have_ports_and_numbers_of_their_own() {
    let mut modules = start(&[
        "module",
        "air780ep",
        "--tcp",
        "127.0.0.1:0",
        "--count",
        "3",
        "--pace",
        "fast",
    ]);
    for imei in ["864040060365518", "864040060365519", "864040060365520"] {
        let mut host = Host::connect(address_of(&modules.line()));
        host.synchronise();
        host.command("AT+CGSN", &[imei, "OK"]);
    }
}

#[test]
fn noise_on_the_line_does_no_harm() {
    let (_module, mut host) = Host::with_module("air780ep", FAST);
    host.synchronise();
    host.command("ATE0", &["OK"]);
    host.send(&vec![b'A'; 100_000]);
    host.send(b"T\r");
    host.send(b"\x00\xff\x1a\x1b\x08\x7f\r");
    host.send(b"AT\rAT\rAT+CGATT?\r");
    // The first line holds `AT` only behind what was lost.
    host.expect("\r\nOK\r\n\r\nOK\r\n\r\n+CGATT: 1\r\n\r\nOK\r\n");
}
