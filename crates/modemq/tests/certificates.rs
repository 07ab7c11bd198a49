//! Certificates as the BC26, the NT35E and the ESP32-C3 take them, and what their handshakes make of them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Broker, Folder, Host, Running, Tool, publish};
use openssl::ssl::{AlpnError, NameType, Ssl, SslContext, SslMethod, SslStream};
use openssl::x509::X509;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::thread::JoinHandle;

fn read(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).unwrap()
}

fn say(host: &mut Host, line: &str, wanted: &str) {
    host.send(format!("{line}\r\n").as_bytes());
    host.expect(wanted);
}

const OK: &str = "\r\nOK\r\n";

fn bc26(args: &[&str]) -> (Running, Host) {
    let (module, mut host) = Host::with_module("bc26", &[&["--pace", "fast"], args].concat());
    host.send(b"ATE0\r");
    host.wait_for("ATE0\r\r\nOK\r\n");
    (module, host)
}

/// Types a certificate or key into a BC26.
fn type_in(host: &mut Host, option: &str, bytes: &[u8]) {
    say(host, &format!("AT+QSSLCFG=1,5,\"{option}\""), "\r\n> ");
    host.send(&[bytes, b"\x1a"].concat());
    let len = bytes.len();
    host.expect(&format!("\r\n+QSSLCFG: 1,5,\"{option}\",{len}\r\n{OK}"));
}

fn give_all(host: &mut Host, folder: &Path) {
    for (option, name) in [
        ("cacert", "ca.crt"),
        ("clientcert", "client.crt"),
        ("clientkey", "client.key"),
    ] {
        type_in(host, option, &read(folder, name));
    }
}

#[test]
fn a_bc26_has_its_certificates_typed_in() {
    let folder = Folder::with_certificates();
    let ours = Broker::ours_with_tls(&folder.0, &[]);
    let mosquitto = Broker::mosquitto_with_tls(&folder.0);
    for (broker, [tls, mutual]) in [ours, mosquitto] {
        let (_module, mut host) = bc26(&[]);
        give_all(&mut host, &folder.0);
        say(&mut host, "AT+QMTCFG=\"ssl\",0,1,1,5", OK);
        for (level, to, result) in [(0, tls, 0), (1, tls, 0), (1, mutual, -1), (2, mutual, 0)] {
            say(
                &mut host,
                &format!("AT+QSSLCFG=1,5,\"seclevel\",{level}"),
                OK,
            );
            let port = to.port();
            say(
                &mut host,
                &format!("AT+QMTOPEN=0,\"127.0.0.1\",{port}"),
                &format!("{OK}\r\n+QMTOPEN: 0,{result}\r\n"),
            );
            if result == 0 {
                say(
                    &mut host,
                    "AT+QMTCONN=0,\"id\"",
                    &format!("{OK}\r\n+QMTCONN: 0,0,0\r\n"),
                );
                say(
                    &mut host,
                    "AT+QMTSUB=0,1,\"down\",1",
                    &format!("{OK}\r\n+QMTSUB: 0,1,0,1\r\n"),
                );
                let mut tool = Tool::subscribe(&broker, "up", "1");
                say(
                    &mut host,
                    "AT+QMTPUB=0,2,1,0,\"up\",\"x\"",
                    &format!("{OK}\r\n+QMTPUB: 0,2,0\r\n"),
                );
                assert_eq!(tool.next(), "up x", "{}", broker.name);
                publish(&broker, &["-t", "down", "-m", "y"]);
                host.expect("\r\n+QMTRECV: 0,0,\"down\",\"y\"\r\n");
                say(
                    &mut host,
                    "AT+QMTDISC=0",
                    &format!("{OK}\r\n+QMTDISC: 0,0\r\n"),
                );
            }
        }
    }
}

/// Its three suites have no ECDHE.
#[test]
fn a_bc26_offers_its_suites_and_versions() {
    let folder = Folder::with_certificates();
    let cases = [
        (["--tls-suites", "0X002F"], "4", 0),
        (["--tls-suites", "0X000A"], "4", 0),
        (["--tls-suites", "0XC014"], "4", -1),
        (["--tls-versions", "1.0"], "4", 0),
        (["--tls-versions", "1.0"], "3", -1),
        (["--tls-versions", "1.2"], "3", 0),
    ];
    for (strict, version, result) in cases {
        let (_broker, [tls, _]) = Broker::ours_with_tls(&folder.0, &strict);
        let (_module, mut host) = bc26(&[]);
        say(
            &mut host,
            &format!("AT+QSSLCFG=1,5,\"sslversion\",{version}"),
            OK,
        );
        say(&mut host, "AT+QMTCFG=\"ssl\",0,1,1,5", OK);
        let port = tls.port();
        say(
            &mut host,
            &format!("AT+QMTOPEN=0,\"127.0.0.1\",{port}"),
            &format!("{OK}\r\n+QMTOPEN: 0,{result}\r\n"),
        );
    }
}

fn nt35e() -> (Running, Host) {
    let (module, mut host) = Host::with_module("nt35e", &["--pace", "fast"]);
    host.send(b"ATE0\r");
    host.wait_for("ATE0\r\nOK\r\n");
    (module, host)
}

/// The Base64 of a certificate, without the lines around it.
fn body(pem: &[u8]) -> String {
    let text = str::from_utf8(pem).unwrap();
    text.lines().filter(|line| !line.starts_with('-')).collect()
}

/// The firmware says 0 whatever becomes of the handshake, and the login that follows fails.
fn open_nt35e(host: &mut Host, to: SocketAddr, succeeds: bool) {
    let port = to.port();
    say(
        host,
        &format!("AT+ECMTOPEN=0,\"127.0.0.1\",{port}"),
        &format!("{OK}\r\n+ECMTOPEN: 0,0\r\n"),
    );
    let result = if succeeds { "0,0,0" } else { "0,2,2" };
    say(
        host,
        "AT+ECMTCONN=0,\"id\"",
        &format!("{OK}\r\n+ECMTCONN: {result}\r\n"),
    );
    say(
        host,
        "AT+ECMTCLOSE=0",
        &format!("{OK}\r\n+ECMTCLOSE: 0,0\r\n"),
    );
}

#[test]
fn an_nt35e_checks_the_server_when_it_has_a_ca() {
    let folder = Folder::with_certificates();
    let ca = body(&read(&folder.0, "ca.crt"));
    let foreign = body(&read(&Folder::with_certificates().0, "ca.crt"));
    let ours = Broker::ours_with_tls(&folder.0, &[]);
    let mosquitto = Broker::mosquitto_with_tls(&folder.0);
    for (_broker, [tls, mutual]) in [ours, mosquitto] {
        let (_module, mut host) = nt35e();
        let with_ca = |ca: &str, name: &str| format!("AT+ECMTCFG=\"ssl\",\"ca\",\"{ca}\"{name}");
        for (setting, to, succeeds) in [
            (with_ca(&ca, ",\"localhost\""), tls, true),
            // An address is no name, and mbedTLS looks at names.
            (with_ca(&ca, ""), tls, false),
            (with_ca(&ca, ",\"else.test\""), tls, false),
            (with_ca(&foreign, ",\"localhost\""), tls, false),
            (with_ca("MIID", ",\"localhost\""), tls, false),
            ("AT+ECMTCFG=\"ssl\",\"ecc\",\"MIID\"".into(), tls, true),
            // There is no certificate of its own.
            ("AT+ECMTCFG=\"ssl\",\"ecc\",\"MIID\"".into(), mutual, false),
        ] {
            say(&mut host, &setting, OK);
            open_nt35e(&mut host, to, succeeds);
        }
    }
    let (_broker, [tls, _]) = Broker::ours_with_tls(&folder.0, &["--tls-versions", "1.1"]);
    let (_module, mut host) = nt35e();
    say(&mut host, "AT+ECMTCFG=\"ssl\",\"ecc\",\"MIID\"", OK);
    open_nt35e(&mut host, tls, false);
}

/// A server whose handshake is settled by `configure`; it takes one CONNECT, and returns what the handshake showed.
fn server(
    configure: impl FnOnce(&mut openssl::ssl::SslContextBuilder),
) -> (SocketAddr, JoinHandle<Option<Shown>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut builder = SslContext::builder(SslMethod::tls_server()).unwrap();
    builder.set_security_level(0);
    configure(&mut builder);
    let context = builder.build();
    let serve = std::thread::spawn(move || {
        let (link, _) = listener.accept().unwrap();
        let mut stream = SslStream::new(Ssl::new(&context).unwrap(), link).unwrap();
        stream.accept().ok()?;
        let ssl = stream.ssl();
        let shown = Shown {
            name: ssl.servername(NameType::HOST_NAME).map(Into::into),
            protocol: ssl.selected_alpn_protocol().map(<[u8]>::to_vec),
            suite: ssl.current_cipher().unwrap().name().into(),
        };
        let mut header = [0; 2];
        stream.read_exact(&mut header).unwrap();
        assert_eq!(header[0], 0x10, "CONNECT");
        let mut rest = vec![0; header[1].into()];
        stream.read_exact(&mut rest).unwrap();
        stream.write_all(b"\x20\x02\0\0").unwrap();
        // Until the module ends it.
        let _ = stream.read(&mut header);
        Some(shown)
    });
    (address, serve)
}

struct Shown {
    name: Option<String>,
    protocol: Option<Vec<u8>>,
    suite: String,
}

#[test]
fn an_nt35e_shares_a_key_with_its_server() {
    for (key, succeeds) in [("secret", true), ("another", false)] {
        let (address, serve) = server(|builder| {
            builder.set_cipher_list("PSK-AES128-CBC-SHA").unwrap();
            builder.set_psk_server_callback(|_, identity, key| {
                assert_eq!(identity, Some(&b"device"[..]));
                key[..6].copy_from_slice(b"secret");
                Ok(6)
            });
        });
        let (_module, mut host) = nt35e();
        say(
            &mut host,
            &format!("AT+ECMTCFG=\"ssl\",\"psk\",\"{key}\",\"device\""),
            OK,
        );
        open_nt35e(&mut host, address, succeeds);
        let suite = serve.join().unwrap().map(|shown| shown.suite);
        assert_eq!(suite.as_deref(), succeeds.then_some("PSK-AES128-CBC-SHA"));
    }
}

/// A TLS connection that is lost does not come back, and the module says what it says for any.
#[test]
fn an_nt35e_does_not_get_tls_back() {
    let folder = Folder::with_certificates();
    let (broker, [tls, _]) = Broker::ours_with_tls(&folder.0, &[]);
    let (_module, mut host) = nt35e();
    say(&mut host, "AT+ECMTCFG=\"ssl\",\"ecc\",\"MIID\"", OK);
    let port = tls.port();
    say(
        &mut host,
        &format!("AT+ECMTOPEN=0,\"127.0.0.1\",{port}"),
        &format!("{OK}\r\n+ECMTOPEN: 0,0\r\n"),
    );
    say(
        &mut host,
        "AT+ECMTCONN=0,\"id\"",
        &format!("{OK}\r\n+ECMTCONN: 0,0,0\r\n"),
    );
    drop(broker);
    host.expect("\r\n+ECMTSTAT: 0,1\r\n");
    say(
        &mut host,
        "AT+ECMTCONN?",
        &format!("\r\n+ECMTCONN:0,2\r\n{OK}"),
    );
    say(
        &mut host,
        "AT+ECMTDISC=0",
        &format!("{OK}\r\n+ECMTDISC: 0,0\r\n"),
    );
}

fn esp32c3() -> (Running, Host) {
    let (module, mut host) = Host::with_module("esp32c3", &["--pace", "fast"]);
    host.send(b"ATE0\r\n");
    host.wait_for("ATE0\r\n\r\nOK\r\n");
    say(
        &mut host,
        "AT+CWJAP=\"any\",\"\"",
        "WIFI CONNECTED\r\nWIFI GOT IP\r\n\r\nOK\r\n",
    );
    (module, host)
}

fn write_esp(host: &mut Host, namespace: &str, key: &str, bytes: &[u8]) {
    let len = bytes.len();
    say(
        host,
        &format!("AT+SYSMFG=2,\"{namespace}\",\"{key}\",8,{len}"),
        "\r\nOK\r\n\r\n>",
    );
    host.send(bytes);
    host.expect(OK);
}

/// From MQTTUSERCFG to MQTTCLEAN.
fn connect_esp(host: &mut Host, scheme: u8, path: &str, to: SocketAddr, succeeds: bool) {
    let port = to.port();
    say(
        host,
        &format!("AT+MQTTUSERCFG=0,{scheme},\"id\",\"\",\"\",0,0,\"{path}\""),
        OK,
    );
    connect_configured_esp(host, scheme, path, port, succeeds);
}

fn connect_configured_esp(host: &mut Host, scheme: u8, path: &str, port: u16, succeeds: bool) {
    let connect = format!("AT+MQTTCONN=0,\"127.0.0.1\",{port},0");
    if succeeds {
        let wanted =
            format!("+MQTTCONNECTED:0,{scheme},\"127.0.0.1\",\"{port}\",\"{path}\",0\r\n{OK}");
        say(host, &connect, &wanted);
        say(
            host,
            "AT+MQTTCLEAN=0",
            &format!("+MQTTDISCONNECTED:0\r\n{OK}"),
        );
    } else {
        say(host, &connect, "+MQTTDISCONNECTED:0\r\n\r\nERROR\r\n");
        say(host, "AT+MQTTCLEAN=0", OK);
    }
}

#[test]
fn an_esp32_c3_has_its_certificates_in_the_manufacturing_partition() {
    let folder = Folder::with_certificates();
    let ca = read(&folder.0, "ca.crt");
    let ours = Broker::ours_with_tls(&folder.0, &[]);
    let mosquitto = Broker::mosquitto_with_tls(&folder.0);
    for (_broker, [tls, mutual]) in [ours, mosquitto] {
        let (_module, mut host) = esp32c3();
        connect_esp(&mut host, 2, "", tls, true);
        write_esp(&mut host, "mqtt_ca", "mqtt_ca", &ca);
        write_esp(
            &mut host,
            "mqtt_cert",
            "mqtt_cert",
            &read(&folder.0, "client.crt"),
        );
        write_esp(
            &mut host,
            "mqtt_key",
            "mqtt_key",
            &read(&folder.0, "client.key"),
        );
        // Nothing is valid in 1970.
        connect_esp(&mut host, 3, "", tls, false);
        connect_esp(&mut host, 4, "", mutual, true);
        say(
            &mut host,
            "AT+CIPSNTPCFG=1,8",
            &format!("{OK}+TIME_UPDATED\r\n"),
        );
        for (scheme, to, succeeds) in [(3, tls, true), (3, mutual, false), (5, mutual, true)] {
            connect_esp(&mut host, scheme, "", to, succeeds);
        }
        // DER is taken as well, and a NUL behind PEM.
        let der = X509::from_pem(&ca).unwrap().to_der().unwrap();
        write_esp(&mut host, "mqtt_ca", "mqtt_ca", &der);
        connect_esp(&mut host, 3, "", tls, true);
        write_esp(&mut host, "mqtt_ca", "mqtt_ca", &[&ca, &b"\0"[..]].concat());
        connect_esp(&mut host, 3, "", tls, true);
        let foreign = read(&Folder::with_certificates().0, "ca.crt");
        write_esp(&mut host, "mqtt_ca", "mqtt_ca", &foreign);
        connect_esp(&mut host, 3, "", tls, false);
        // A name that was set must be the certificate's.
        write_esp(&mut host, "mqtt_ca", "mqtt_ca", &ca);
        for (name, succeeds) in [("localhost", true), ("else.test", false)] {
            say(
                &mut host,
                "AT+MQTTUSERCFG=0,3,\"id\",\"\",\"\",0,0,\"\"",
                OK,
            );
            say(&mut host, &format!("AT+MQTTSNI=0,\"{name}\""), OK);
            connect_configured_esp(&mut host, 3, "", tls.port(), succeeds);
        }
    }
}

#[test]
fn an_esp32_c3_shows_names_and_protocols() {
    let folder = Folder::with_certificates();
    for named in [false, true] {
        let (address, serve) = server(|builder| {
            let pem = read(&folder.0, "server.crt");
            builder
                .set_certificate(&X509::from_pem(&pem).unwrap())
                .unwrap();
            let key = read(&folder.0, "server.key");
            let key = openssl::pkey::PKey::private_key_from_pem(&key).unwrap();
            builder.set_private_key(&key).unwrap();
            builder.set_alpn_select_callback(|_, offered| {
                openssl::ssl::select_next_proto(b"\x04mqtt", offered).ok_or(AlpnError::NOACK)
            });
        });
        let (_module, mut host) = esp32c3();
        say(
            &mut host,
            "AT+MQTTUSERCFG=0,2,\"id\",\"\",\"\",0,0,\"\"",
            OK,
        );
        if named {
            say(&mut host, "AT+MQTTSNI=0,\"broker.test\"", OK);
            say(&mut host, "AT+MQTTALPN=0,2,\"x-amzn-mqtt-ca\",\"mqtt\"", OK);
        }
        connect_configured_esp(&mut host, 2, "", address.port(), true);
        let shown = serve.join().unwrap().unwrap();
        assert_eq!(shown.name.as_deref(), named.then_some("broker.test"));
        assert_eq!(shown.protocol.as_deref(), named.then_some(&b"mqtt"[..]));
    }
}

#[test]
fn an_esp32_c3_runs_websockets_over_tls() {
    let folder = Folder::with_certificates();
    let (_broker, [tls, mutual]) = Broker::mosquitto_with_secure_websockets(&folder.0);
    let (_module, mut host) = esp32c3();
    for (namespace, name) in [
        ("mqtt_ca", "ca.crt"),
        ("mqtt_cert", "client.crt"),
        ("mqtt_key", "client.key"),
    ] {
        write_esp(&mut host, namespace, namespace, &read(&folder.0, name));
    }
    say(
        &mut host,
        "AT+CIPSNTPCFG=1,8",
        &format!("{OK}+TIME_UPDATED\r\n"),
    );
    for (scheme, to, succeeds) in [
        (7, tls, true),
        (8, tls, true),
        (8, mutual, false),
        (9, mutual, true),
        (10, mutual, true),
    ] {
        connect_esp(&mut host, scheme, "mqtt", to, succeeds);
    }
}

/// A link of the host's own, with the certificates of AT+CIPSSLCCONF.
#[test]
fn an_esp32_c3_has_certificates_for_its_sockets() {
    let folder = Folder::with_certificates();
    let (_broker, [_, mutual]) = Broker::ours_with_tls(&folder.0, &[]);
    let (_module, mut host) = esp32c3();
    say(
        &mut host,
        "AT+CIPSNTPCFG=1,8",
        &format!("{OK}+TIME_UPDATED\r\n"),
    );
    say(
        &mut host,
        "AT+CIPSSLCCONF=2,0,0",
        "NO CA FOUND\r\n\r\nERROR\r\n",
    );
    write_esp(
        &mut host,
        "client_ca",
        "client_ca.1",
        &read(&folder.0, "ca.crt"),
    );
    write_esp(
        &mut host,
        "client_cert",
        "client_cert.0",
        &read(&folder.0, "client.crt"),
    );
    say(
        &mut host,
        "AT+CIPSSLCCONF=3,0,1",
        "NO PRVT_KEY FOUND\r\n\r\nERROR\r\n",
    );
    write_esp(
        &mut host,
        "client_key",
        "client_key.0",
        &read(&folder.0, "client.key"),
    );
    say(&mut host, "AT+CIPSSLCCONF=3,0,1", OK);
    let port = mutual.port();
    say(
        &mut host,
        &format!("AT+CIPSTART=\"SSL\",\"127.0.0.1\",{port}"),
        &format!("CONNECT\r\n{OK}"),
    );
    let _ = TcpStream::connect(mutual);
}
