//! Software ESP modules on real TCP against real brokers, on WebSockets too.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Broker, Host, Tool, publish, start};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

/// A module that has joined the access point, without echo.
fn joined(model: &str) -> (common::Running, Host) {
    let (module, mut host) = Host::with_module(model, &["--pace", "fast"]);
    host.send(b"ATE0\r\n");
    host.wait_for("ATE0\r\n\r\nOK\r\n");
    host.send(b"AT+CWMODE=1\r\n");
    host.expect("\r\nOK\r\n");
    host.send(b"AT+CWJAP=\"any\",\"password\"\r\n");
    host.expect("WIFI CONNECTED\r\nWIFI GOT IP\r\n\r\nOK\r\n");
    (module, host)
}

fn connect(host: &mut Host, scheme: u8, path: &str, port: u16) {
    host.send(
        format!("AT+MQTTUSERCFG=0,{scheme},\"id\",\"user\",\"word\",0,0,\"{path}\"\r\n").as_bytes(),
    );
    host.expect("\r\nOK\r\n");
    host.send(format!("AT+MQTTCONN=0,\"127.0.0.1\",{port},0\r\n").as_bytes());
}

/// Both ways at each QoS.
fn converse(host: &mut Host, broker: &Broker) {
    let mut tool = Tool::subscribe(broker, "up", "2");
    host.send(b"AT+MQTTSUB=0,\"down\",2\r\n");
    host.expect("\r\nOK\r\n");
    for qos in ["0", "1", "2"] {
        host.send(format!("AT+MQTTPUB=0,\"up\",\"q{qos}\\,\",{qos},0\r\n").as_bytes());
        host.expect("\r\nOK\r\n");
        assert_eq!(tool.next(), format!("up q{qos},"), "{}", broker.name);
        publish(broker, &["-t", "down", "-q", qos, "-m", "{\"a\":1}"]);
        host.expect("+MQTTSUBRECV:0,\"down\",7,{\"a\":1}\r\n");
    }
    // More than the module's line.
    let long = "0123456789".repeat(40);
    host.send(b"AT+MQTTPUBRAW=0,\"up\",400,1,0\r\n");
    host.expect("\r\nOK\r\n\r\n>");
    host.send(long.as_bytes());
    host.expect("+MQTTPUB:OK\r\n");
    assert_eq!(tool.next(), format!("up {long}"), "{}", broker.name);
}

#[test]
fn both_models_talk_to_both_brokers() {
    for broker in Broker::each() {
        for model in ["esp8266", "esp32c3"] {
            let (_module, mut host) = joined(model);
            let port = broker.address.port();
            connect(&mut host, 1, "", port);
            host.expect(&format!(
                "+MQTTCONNECTED:0,1,\"127.0.0.1\",\"{port}\",\"\",0\r\n\r\nOK\r\n"
            ));
            converse(&mut host, &broker);
            host.send(b"AT+MQTTCLEAN=0\r\n");
            host.expect("+MQTTDISCONNECTED:0\r\n\r\nOK\r\n");
        }
    }
}

#[test]
fn mqtt_runs_over_websockets() {
    for (broker, address) in [
        Broker::ours_with_websockets(),
        Broker::mosquitto_with_websockets(),
    ] {
        let (_module, mut host) = joined("esp8266");
        let port = address.port();
        connect(&mut host, 6, "mqtt", port);
        host.expect(&format!(
            "+MQTTCONNECTED:0,6,\"127.0.0.1\",\"{port}\",\"mqtt\",0\r\n\r\nOK\r\n"
        ));
        converse(&mut host, &broker);
        host.send(b"AT+MQTTCLEAN=0\r\n");
        host.expect("+MQTTDISCONNECTED:0\r\n\r\nOK\r\n");
    }
}

#[test]
fn a_server_without_websockets_fails_the_connection() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let (_module, mut host) = joined("esp8266");
    connect(&mut host, 6, "/mqtt", address.port());
    let (mut link, _) = server.accept().unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        link.read_exact(&mut byte).unwrap();
        request.push(byte[0]);
    }
    let request = String::from_utf8(request).unwrap().to_lowercase();
    assert!(request.starts_with("get /mqtt http/1.1\r\n"), "{request}");
    assert!(request.contains("\r\nupgrade: websocket\r\n"), "{request}");
    assert!(
        request.contains("\r\nsec-websocket-protocol: mqtt\r\n"),
        "{request}"
    );
    link.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
        .unwrap();
    host.expect("+MQTTDISCONNECTED:0\r\n\r\nERROR\r\n");
    host.send(b"AT\r\n");
    host.expect("\r\nOK\r\n");
}

#[test]
fn the_module_comes_back_to_a_broker_that_was_away() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let (_module, mut host) = joined("esp8266");
    host.send(b"AT+MQTTUSERCFG=0,1,\"id\",\"\",\"\",0,0,\"\"\r\n");
    host.expect("\r\nOK\r\n");
    host.send(format!("AT+MQTTCONN=0,\"127.0.0.1\",{port},1\r\n").as_bytes());
    let log_in = |host: &mut Host| {
        let (mut link, _) = server.accept().unwrap();
        let mut connect = [0; 16];
        link.read_exact(&mut connect).unwrap();
        assert_eq!(connect[..2], [0x10, 14]);
        link.write_all(b"\x20\x02\x00\x00").unwrap();
        host.expect(&format!(
            "+MQTTCONNECTED:0,1,\"127.0.0.1\",\"{port}\",\"\",1\r\n"
        ));
        link
    };
    let link = log_in(&mut host);
    host.expect("\r\nOK\r\n");
    drop(link);
    host.expect("+MQTTDISCONNECTED:0\r\n");
    let _link = log_in(&mut host);
}

#[test]
fn a_client_of_its_own_runs_over_tcp() {
    let broker = Broker::mosquitto();
    let port = broker.address.port();
    let (_module, mut host) = joined("esp8266");
    host.send(format!("AT+CIPSTART=\"TCP\",\"127.0.0.1\",{port}\r\n").as_bytes());
    host.expect("CONNECT\r\n\r\nOK\r\n");
    host.send(b"AT+CIPSEND=14\r\n");
    host.expect("\r\nOK\r\n\r\n>");
    host.send(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00");
    host.expect("\r\nRecv 14 bytes\r\n\r\nSEND OK\r\n\r\n+IPD,4:\x20\x02\x00\x00\r\n");
    host.send(b"AT+CIPCLOSE\r\n");
    host.expect("CLOSED\r\n\r\nOK\r\n");
}

#[test]
fn a_broker_says_where_its_websockets_are() {
    let mut broker = start(&[
        "broker",
        "--listen",
        "127.0.0.1:0",
        "--websocket",
        "127.0.0.1:0",
    ]);
    let plain = broker.line();
    let plain: SocketAddr = plain.strip_prefix("broker on ").unwrap().parse().unwrap();
    let websocket = broker.line();
    let websocket = websocket.strip_prefix("broker on ws://").unwrap();
    assert_ne!(plain, websocket.parse().unwrap());
}
