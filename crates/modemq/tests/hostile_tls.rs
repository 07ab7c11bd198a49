//! Servers that break TLS, and certificates that are broken, on a module of each family: the module's own error, nothing lost,
//! nothing left open, and never a key in the trace.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Broker, Folder, GUARD, Host, Running};
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Name};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const MODELS: [&str; 5] = ["air780ep", "ec20", "bc26", "nt35e", "esp32c3"];
const OK: &str = "\r\nOK\r\n";

/// A module without echo, and what is done to it as its family has it.
struct Device {
    model: &'static str,
    module: Running,
    host: Host,
}

/// What a module checks and shows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Nothing,
    Server,
    Mutual,
}

impl Device {
    fn new(model: &'static str, args: &[&str]) -> Self {
        let (module, host) = Host::with_module(model, &[&["--pace", "fast"], args].concat());
        let mut device = Self {
            model,
            module,
            host,
        };
        device.host.send(b"\r\nATE0\r\nAT\r\n");
        device.host.wait_for("OK\r\n\r\nOK\r\n");
        if model == "esp32c3" {
            device.say(
                "AT+CWJAP=\"any\",\"\"",
                "WIFI CONNECTED\r\nWIFI GOT IP\r\n\r\nOK\r\n",
            );
            device.say("AT+CIPSNTPCFG=1,8", &format!("{OK}+TIME_UPDATED\r\n"));
        }
        device
    }

    fn say(&mut self, line: &str, wanted: &str) {
        self.host.send(format!("{line}\r\n").as_bytes());
        self.host.expect(wanted);
    }

    /// Brings in a CA's certificates, and the module's own certificate and key.
    fn give(&mut self, ca: &[u8], certificate: &[u8], key: &[u8]) {
        let all = [
            ("cacert", ca),
            ("clientcert", certificate),
            ("clientkey", key),
        ];
        for (option, bytes) in all {
            let len = bytes.len();
            match self.model {
                "air780ep" => {
                    self.say(&format!("AT+FSCREATE=\"{option}\""), OK);
                    self.say(&format!("AT+FSWRITE=\"{option}\",0,{len},10"), ">");
                    self.host.send(bytes);
                    self.host.expect(OK);
                    self.say(&format!("AT+SSLCFG=\"{option}\",88,\"{option}\""), OK);
                }
                "ec20" => {
                    self.say(&format!("AT+QFUPL=\"{option}\",{len}"), "\r\nCONNECT\r\n");
                    self.host.send(bytes);
                    self.host.wait_for(OK);
                    self.say(&format!("AT+QSSLCFG=\"{option}\",2,\"{option}\""), OK);
                }
                "bc26" => {
                    self.say(&format!("AT+QSSLCFG=1,5,\"{option}\",{len}"), "\r\n> ");
                    self.host.send(bytes);
                    self.host.wait_for(OK);
                }
                "esp32c3" => {
                    let name = option
                        .replace("client", "mqtt_")
                        .replace("cacert", "mqtt_ca");
                    let line = format!("AT+SYSMFG=2,\"{name}\",\"{name}\",8,{len}");
                    self.say(&line, "\r\nOK\r\n\r\n>");
                    self.host.send(bytes);
                    self.host.expect(OK);
                }
                // It has a CA only, and forgets it with the connection.
                _ => {}
            }
        }
    }

    /// Opens a connection: true when it comes up, with a login.
    fn connect(&mut self, level: Level, to: SocketAddr, ca: &[u8]) -> bool {
        let (number, port) = (level as u8, to.port());
        let host = &mut self.host;
        let say = |host: &mut Host, line: &str| host.send(format!("{line}\r\n").as_bytes());
        match self.model {
            "air780ep" => {
                self.say(&format!("AT+SSLCFG=\"seclevel\",88,{number}"), OK);
                self.say(&format!("AT+SSLMIPSTART=\"127.0.0.1\",{port}"), OK);
                let up = self.host.either(
                    "\r\nCONNECT OK\r\n",
                    "\r\nSTATE:TCP CLOSED\r\n\r\nCONNECT FAIL\r\n",
                );
                if up {
                    self.say("AT+MCONNECT=1,60", &format!("{OK}\r\nCONNACK OK\r\n"));
                    self.say("AT+MDISCONNECT", OK);
                    self.say("AT+MIPCLOSE", OK);
                }
                up
            }
            "ec20" | "bc26" => {
                let (setting, ssl) = match self.model {
                    "ec20" => (format!("AT+QSSLCFG=\"seclevel\",2,{number}"), "1,2"),
                    _ => (format!("AT+QSSLCFG=1,5,\"seclevel\",{number}"), "1,1,5"),
                };
                self.say(&setting, OK);
                self.say(&format!("AT+QMTCFG=\"ssl\",0,{ssl}"), OK);
                self.say(&format!("AT+QMTOPEN=0,\"127.0.0.1\",{port}"), OK);
                let up = self
                    .host
                    .either("\r\n+QMTOPEN: 0,0\r\n", "\r\n+QMTOPEN: 0,-1\r\n");
                if up {
                    self.say(
                        "AT+QMTCONN=0,\"id\"",
                        &format!("{OK}\r\n+QMTCONN: 0,0,0\r\n"),
                    );
                    self.say("AT+QMTDISC=0", &format!("{OK}\r\n+QMTDISC: 0,0\r\n"));
                }
                up
            }
            "nt35e" => {
                let text = String::from_utf8_lossy(ca);
                let body: String = text
                    .lines()
                    .filter(|line| !line.starts_with('-'))
                    .flat_map(str::chars)
                    .filter(|char| char.is_ascii_alphanumeric() || "+/=".contains(*char))
                    .collect();
                let setting = match level {
                    Level::Nothing => "\"ecc\",\"-\"".to_string(),
                    _ => format!("\"ca\",\"{body}\",\"localhost\""),
                };
                say(host, &format!("AT+ECMTCFG=\"ssl\",{setting}"));
                if !host.either(OK, "\r\n+CME ERROR: 3\r\n") {
                    return false;
                }
                let opened = format!("{OK}\r\n+ECMTOPEN: 0,0\r\n");
                self.say(&format!("AT+ECMTOPEN=0,\"127.0.0.1\",{port}"), &opened);
                self.say("AT+ECMTCONN=0,\"id\"", OK);
                let up = self
                    .host
                    .either("\r\n+ECMTCONN: 0,0,0\r\n", "\r\n+ECMTCONN: 0,2,2\r\n");
                self.say("AT+ECMTCLOSE=0", &format!("{OK}\r\n+ECMTCLOSE: 0,0\r\n"));
                up
            }
            _ => {
                let scheme = [2, 3, 5][usize::from(number)];
                self.say(
                    &format!("AT+MQTTUSERCFG=0,{scheme},\"id\",\"\",\"\",0,0,\"\""),
                    OK,
                );
                say(
                    &mut self.host,
                    &format!("AT+MQTTCONN=0,\"127.0.0.1\",{port},0,3000"),
                );
                let connected =
                    format!("+MQTTCONNECTED:0,{scheme},\"127.0.0.1\",\"{port}\",\"\",0\r\n{OK}");
                let up = self
                    .host
                    .either(&connected, "+MQTTDISCONNECTED:0\r\n\r\nERROR\r\n");
                let clean = if up { "+MQTTDISCONNECTED:0\r\n" } else { "" };
                self.say("AT+MQTTCLEAN=0", &format!("{clean}{OK}"));
                up
            }
        }
    }
}

fn read(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).unwrap()
}

/// Reads the ClientHello of a module.
fn hello(link: &mut TcpStream) -> Vec<u8> {
    link.set_read_timeout(Some(GUARD)).unwrap();
    let mut record = vec![0; 5];
    link.read_exact(&mut record).unwrap();
    assert_eq!(record[..2], [0x16, 0x03]);
    let len = usize::from(u16::from_be_bytes([record[3], record[4]]));
    record.resize(5 + len, 0);
    link.read_exact(&mut record[5..]).unwrap();
    record
}

/// What a server answers to this ClientHello, up to where it waits again.
fn flight(server: SocketAddr, hello: &[u8]) -> Vec<u8> {
    let mut link = TcpStream::connect(server).unwrap();
    link.set_read_timeout(Some(GUARD)).unwrap();
    link.write_all(hello).unwrap();
    let mut answer = Vec::new();
    // ServerHelloDone, in a record of its own or behind the others.
    while !answer.ends_with(&[14, 0, 0, 0]) {
        let mut part = [0; 4096];
        let n = link.read(&mut part).unwrap();
        assert!(n > 0);
        answer.extend_from_slice(&part[..n]);
    }
    answer
}

#[test]
fn a_server_that_breaks_off_costs_the_link_and_nothing_else() {
    let folder = Folder::with_certificates();
    let (_broker, [tls, _]) = Broker::ours_with_tls(&folder.0, &["--tls-versions", "1.2"]);
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let noise = vec![0xff; 70_000];
    let garbage: [&[u8]; 8] = [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        // The header of a record of 64 kB, and of an empty one.
        b"\x16\x03\x03\xff\xff",
        b"\x16\x03\x03\x00\x00",
        // Alerts: handshake failure, close notify.
        b"\x15\x03\x03\x00\x02\x02\x28",
        b"\x15\x03\x03\x00\x02\x01\x00",
        // Application data before there are keys.
        b"\x17\x03\x03\x00\x04\x20\x02\x00\x00",
        &noise,
    ];
    // How much of a true answer comes before the end: within the header, within the messages, all but one byte, all of it.
    let cuts = [1, 5, 9, 100, 900];
    for model in MODELS {
        let mut device = Device::new(model, &[]);
        assert!(device.connect(Level::Nothing, tls, b""), "{model}");
        let before = device.module.descriptors();
        let answers: Vec<_> = garbage.iter().map(|bytes| Some(*bytes)).collect();
        for (index, answer) in answers.into_iter().chain([None; 7]).enumerate() {
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    let (mut link, _) = server.accept().unwrap();
                    let hello = hello(&mut link);
                    let bytes = answer.map_or_else(
                        || {
                            let all = flight(tls, &hello);
                            let cut = cuts.get(index - garbage.len()).copied();
                            let last = all.len() - (garbage.len() + 7 - 1 - index);
                            all[..cut.unwrap_or(last)].to_vec()
                        },
                        <[u8]>::to_vec,
                    );
                    // It may have had enough before the end.
                    let _ = link.write_all(&bytes);
                });
                assert!(
                    !device.connect(Level::Nothing, address, b""),
                    "{model}, {index}"
                );
            });
        }
        let after = device.module.descriptors();
        assert!(
            after <= before,
            "{model}: {before} descriptors, and then {after}"
        );
        assert!(device.connect(Level::Nothing, tls, b""), "{model}");
    }
}

/// The module's time limit, and then the connection is gone as well. That of the other families is minutes: the module's own
/// tests have it in virtual time.
#[test]
fn a_server_that_falls_silent_is_given_up() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let mut device = Device::new("esp32c3", &[]);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        let silent = scope.spawn(|| {
            let (mut link, _) = server.accept().unwrap();
            hello(&mut link);
            link.write_all(b"\x16\x03\x03\x40\x00\x02").unwrap();
            // Until the module ends it.
            link.read(&mut [0; 16]).unwrap_or(0)
        });
        assert!(!device.connect(Level::Nothing, address, b""));
        assert!(begin.elapsed() >= Duration::from_secs(3));
        assert_eq!(silent.join().unwrap(), 0);
    });
}

/// Closing, or power that goes, ends a handshake under way.
#[test]
fn a_handshake_ends_with_its_link() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let mut device = Device::new("ec20", &[]);
    device.say("AT+QMTCFG=\"ssl\",0,1,2", OK);
    device.say(&format!("AT+QMTOPEN=0,\"127.0.0.1\",{port}"), OK);
    let (mut link, _) = server.accept().unwrap();
    hello(&mut link);
    device.say("AT+QMTCLOSE=0", &format!("{OK}\r\n+QMTCLOSE: 0,0\r\n"));
    assert_eq!(link.read(&mut [0; 16]).unwrap_or(0), 0);
}

/// What is wrong, what the module checks, its CA, its certificate and its key.
type Wrong<'a> = (&'a str, Level, Vec<u8>, &'a [u8], &'a [u8]);

#[test]
fn broken_certificates_fail_the_handshake_and_not_the_module() {
    let folder = Folder::with_certificates();
    let other = Folder::with_certificates();
    let (_broker, [tls, mutual]) = Broker::ours_with_tls(&folder.0, &[]);
    let ca = read(&folder.0, "ca.crt");
    let own = read(&folder.0, "client.crt");
    let key = read(&folder.0, "client.key");
    let der = X509::from_pem(&ca).unwrap().to_der().unwrap();
    let no_end = &ca[..ca.len() - 30];
    let flipped = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        bytes
    };
    let (level_1, level_2) = (Level::Server, Level::Mutual);
    let foreign_key = read(&other.0, "client.key");
    let wrong: Vec<Wrong<'_>> = vec![
        (
            "half a CA",
            level_1,
            ca[..ca.len() / 2].to_vec(),
            &own,
            &key,
        ),
        ("a CA without its end", level_1, no_end.to_vec(), &own, &key),
        (
            "half of DER",
            level_1,
            der[..der.len() / 2].to_vec(),
            &own,
            &key,
        ),
        (
            "a DER that promises 4 GB",
            level_1,
            b"\x30\x84\xff\xff\xff\xff\x30".to_vec(),
            &own,
            &key,
        ),
        (
            "another bit in the CA",
            level_1,
            flipped(&ca, ca.len() / 2),
            &own,
            &key,
        ),
        ("a key as CA", level_1, key.clone(), &own, &key),
        ("zeros", level_1, vec![0; 1000], &own, &key),
        (
            "half a certificate",
            level_2,
            ca.clone(),
            &own[..own.len() / 2],
            &key,
        ),
        (
            "half a key",
            level_2,
            ca.clone(),
            &own,
            &key[..key.len() / 2],
        ),
        ("another's key", level_2, ca.clone(), &own, &foreign_key),
        ("a certificate as key", level_2, ca.clone(), &own, &own),
    ];
    for model in MODELS {
        for (what, level, ca, own, key) in &wrong {
            if *level == Level::Mutual && model == "nt35e" {
                continue;
            }
            let mut device = Device::new(model, &[]);
            device.give(ca, own, key);
            let to = if *level == Level::Mutual { mutual } else { tls };
            assert!(!device.connect(*level, to, ca), "{model}: {what}");
            // What is right goes on.
            assert!(device.connect(Level::Nothing, tls, b""), "{model}: {what}");
        }
    }
}

/// A certificate authority, or a certificate of one, in a chain.
fn certificate(
    name: &str,
    signer: Option<(&X509, &PKey<Private>)>,
    is_ca: bool,
) -> (X509, PKey<Private>) {
    let key = PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap();
    let mut names = X509Name::builder().unwrap();
    names.append_entry_by_text("CN", name).unwrap();
    let names = names.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_u32(7).unwrap().to_asn1_integer().unwrap();
    builder.set_serial_number(&serial).unwrap();
    builder.set_subject_name(&names).unwrap();
    let issuer = signer.map_or(&*names, |(issuer, _)| issuer.subject_name());
    builder.set_issuer_name(issuer).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder
        .set_not_before(&Asn1Time::days_from_now(0).unwrap())
        .unwrap();
    builder
        .set_not_after(&Asn1Time::days_from_now(10).unwrap())
        .unwrap();
    if is_ca {
        let constraints = BasicConstraints::new().critical().ca().build().unwrap();
        builder.append_extension(constraints).unwrap();
    } else {
        let context = builder.x509v3_context(None, None);
        let names = SubjectAlternativeName::new()
            .dns("localhost")
            .ip("127.0.0.1")
            .build(&context)
            .unwrap();
        builder.append_extension(names).unwrap();
    }
    let by = signer.map_or(&key, |(_, key)| key);
    builder.sign(by, MessageDigest::sha256()).unwrap();
    (builder.build(), key)
}

/// Ten authorities, each signed by the one before it: mbedTLS, in NT35E and ESP32-C3, follows eight between the server and the
/// one that it knows.
#[test]
fn chains_and_bundles_of_ten() {
    for (length, models) in [(10, &MODELS[..3]), (8, &MODELS[..])] {
        let folder = Folder::new("chain");
        let mut chain = vec![certificate("authority 0", None, true)];
        for index in 1..=length {
            let (issuer, key) = chain.last().unwrap();
            chain.push(certificate(
                &format!("authority {index}"),
                Some((issuer, key)),
                true,
            ));
        }
        let (issuer, key) = chain.last().unwrap();
        let (server, server_key) = certificate("server", Some((issuer, key)), false);
        let root = chain[0].0.to_pem().unwrap();
        let mut shown = server.to_pem().unwrap();
        for (certificate, _) in chain[1..].iter().rev() {
            shown.extend(certificate.to_pem().unwrap());
        }
        for (name, bytes) in [
            ("ca.crt", &root),
            ("server.crt", &shown),
            (
                "server.key",
                &server_key.private_key_to_pem_pkcs8().unwrap(),
            ),
        ] {
            std::fs::write(folder.0.join(name), bytes).unwrap();
        }
        let (_broker, [tls, _]) = Broker::ours_with_tls(&folder.0, &[]);
        for model in MODELS {
            let mut device = Device::new(model, &[]);
            device.give(&root, b"-", b"-");
            let follows = device.connect(Level::Server, tls, &root);
            assert_eq!(follows, models.contains(&model), "{length}, {model}");
            // A file with ten of them, of which one is right; a BC26 has no room for so many.
            if matches!(model, "bc26" | "nt35e") || length > 8 {
                continue;
            }
            let mut bundle: Vec<u8> = (0..9)
                .flat_map(|index| {
                    let (foreign, _) = certificate(&format!("foreign {index}"), None, true);
                    foreign.to_pem().unwrap()
                })
                .collect();
            bundle.extend(&root);
            let mut device = Device::new(model, &[]);
            device.give(&bundle, b"-", b"-");
            assert!(device.connect(Level::Server, tls, &bundle), "{model}");
        }
    }
}

/// The module refuses, as embedded libraries do; openssl's server then ends the connection.
#[test]
fn a_server_that_renegotiates_loses_the_link() {
    let folder = Folder::with_certificates();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let at = |name: &str| folder.0.join(name).display().to_string();
    let mut server = Command::new("openssl")
        .args([
            "s_server",
            "-tls1_2",
            "-cipher",
            "ALL:@SECLEVEL=0",
            "-accept",
            &port.to_string(),
        ])
        .args(["-cert", &at("server.crt"), "-key", &at("server.key")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = server.stdout.take().unwrap();
    let mut seen = Vec::new();
    let mut wait_for = |wanted: &[u8]| {
        while !seen.windows(wanted.len()).any(|bytes| bytes == wanted) {
            let mut byte = [0];
            assert_eq!(output.read(&mut byte).unwrap(), 1);
            seen.push(byte[0]);
        }
    };
    wait_for(b"ACCEPT");
    let mut device = Device::new("ec20", &[]);
    device.say("AT+QMTCFG=\"ssl\",0,1,2", OK);
    device.say(
        &format!("AT+QMTOPEN=0,\"127.0.0.1\",{port}"),
        &format!("{OK}\r\n+QMTOPEN: 0,0\r\n"),
    );
    device.say("AT+QMTCONN=0,\"id\"", OK);
    wait_for(b"MQIsdp");
    let mut input = server.stdin.take().unwrap();
    input.write_all(b"\x20\x02\0\0").unwrap();
    device.host.expect("\r\n+QMTCONN: 0,0,0\r\n");
    input.write_all(b"r\n").unwrap();
    device.host.expect("\r\n+QMTSTAT: 0,1\r\n");
    server.kill().unwrap();
    server.wait().unwrap();
}

/// A server that is gone without a word of TLS. The NT35E has a test of its own.
#[test]
fn a_link_that_ends_without_an_alert_is_over() {
    let folder = Folder::with_certificates();
    for (model, gone) in [
        ("air780ep", "\r\nCLOSED\r\n"),
        ("ec20", "\r\n+QMTSTAT: 0,1\r\n"),
        ("bc26", "\r\n+QMTSTAT: 0,1\r\n"),
        ("esp32c3", "+MQTTDISCONNECTED:0\r\n"),
    ] {
        let (broker, [tls, _]) = Broker::ours_with_tls(&folder.0, &[]);
        let mut device = Device::new(model, &[]);
        let port = tls.port();
        match model {
            "air780ep" => {
                let up = format!("{OK}\r\nCONNECT OK\r\n");
                device.say(&format!("AT+SSLMIPSTART=\"127.0.0.1\",{port}"), &up);
                device.say("AT+MCONNECT=1,60", &format!("{OK}\r\nCONNACK OK\r\n"));
            }
            "esp32c3" => {
                device.say("AT+MQTTUSERCFG=0,2,\"id\",\"\",\"\",0,0,\"\"", OK);
                device.say(
                    &format!("AT+MQTTCONN=0,\"127.0.0.1\",{port},0"),
                    &format!("+MQTTCONNECTED:0,2,\"127.0.0.1\",\"{port}\",\"\",0\r\n{OK}"),
                );
            }
            _ => {
                let ssl = if model == "ec20" { "1,2" } else { "1,1,5" };
                device.say(&format!("AT+QMTCFG=\"ssl\",0,{ssl}"), OK);
                device.say(
                    &format!("AT+QMTOPEN=0,\"127.0.0.1\",{port}"),
                    &format!("{OK}\r\n+QMTOPEN: 0,0\r\n"),
                );
                device.say(
                    "AT+QMTCONN=0,\"id\"",
                    &format!("{OK}\r\n+QMTCONN: 0,0,0\r\n"),
                );
            }
        }
        // Killed: the system closes its sockets, and nobody says goodbye.
        drop(broker);
        device.host.expect(gone);
    }
}

/// Every way in which a key reaches a module, and those in which it goes astray.
#[test]
fn no_key_stands_in_a_trace() {
    let folder = Folder::with_certificates();
    let (_broker, [_, mutual]) = Broker::ours_with_tls(&folder.0, &[]);
    let ca = read(&folder.0, "ca.crt");
    let own = read(&folder.0, "client.crt");
    let key = read(&folder.0, "client.key");
    let with_cr: Vec<u8> = String::from_utf8(key.clone())
        .unwrap()
        .replace('\n', "\r\n")
        .into();
    let der = PKey::private_key_from_pem(&key)
        .unwrap()
        .private_key_to_der()
        .unwrap();
    for format in ["text", "json"] {
        for model in MODELS {
            let log = folder.0.join(format!("{model}.{format}"));
            let path = log.to_str().unwrap();
            let trace = format!("--trace={format}");
            let mut device = Device::new(model, &["--log", path, &trace]);
            device.give(&ca, &own, &key);
            assert_eq!(device.connect(Level::Mutual, mutual, &ca), model != "nt35e");
            let len = key.len();
            // Read back, and announced too short: the rest is typed into the command line.
            match model {
                "air780ep" => {
                    device
                        .host
                        .send(format!("AT+FSREAD=\"clientkey\",0,{len},0\r").as_bytes());
                    device.host.wait_for(OK);
                    device.say("AT+FSWRITE=\"clientkey\",0,100,1", ">");
                }
                "ec20" => device.say("AT+QFUPL=\"short\",100", "\r\nCONNECT\r\n"),
                "bc26" => device.say("AT+QSSLCFG=1,5,\"clientkey\",100", "\r\n> "),
                "nt35e" => {
                    device.say(
                        "AT+ECMTCFG=\"ssl\",\"psk\",\"c2VjcmV0LXRoYXQtbm9ib2R5LXNlZXM=\",\"id\"",
                        OK,
                    );
                }
                _ => {
                    device
                        .host
                        .send(b"AT+SYSMFG=1,\"mqtt_key\",\"mqtt_key\"\r\n");
                    device.host.wait_for(OK);
                    device.say(
                        "AT+SYSMFG=2,\"mqtt_key\",\"mqtt_key\",8,100",
                        "\r\nOK\r\n\r\n>",
                    );
                }
            }
            device.host.send(&key);
            device.host.send(b"\r\n");
            // Without any command, in all the forms that there are.
            for stray in [&key, &with_cr, &der] {
                device.host.send(stray);
                device.host.send(b"\r\n");
            }
            // There may have been an ATV or ATQ among it, which some modules find anywhere in a line.
            device.host.send(b"ATQ0V1\r\nAT+CGMM\r\nAT+GMR\r\n");
            device.host.wait_for(OK);
            // What was said stands in the log once the module has gone.
            drop(device);
            let log = std::fs::read(&log).unwrap();
            assert!(log.len() > 1000);
            let text = String::from_utf8_lossy(&log);
            for line in String::from_utf8_lossy(&key)
                .lines()
                .filter(|line| !line.starts_with('-'))
            {
                for part in [
                    &line[..line.len().min(16)],
                    &line[line.len().saturating_sub(16)..],
                ] {
                    assert!(!text.contains(part), "{model}: {part}");
                }
            }
            assert!(!text.contains("c2VjcmV0LXRo"), "{model}");
            let escaped = |bytes: &[u8]| bytes.escape_ascii().to_string();
            for part in der.chunks(16) {
                assert!(!text.contains(&escaped(part)), "{model}");
                assert!(!log.windows(16).any(|bytes| bytes == part), "{model}");
            }
        }
    }
}
