//! Modules over TLS: the certificates enter as they do on the module, and the handshake is the module's.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Broker, Folder, Host, Running};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

fn read(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).unwrap()
}

/// A Luat module without echo.
fn luat(model: &str) -> (Running, Host) {
    let (module, mut host) = Host::with_module(model, &["--pace", "fast"]);
    host.synchronise();
    host.command("ATE0", &["OK"]);
    (module, host)
}

fn say(host: &mut Host, line: &str, wanted: &str) {
    host.send(format!("{line}\r").as_bytes());
    host.expect(wanted);
}

/// Writes a file to a Luat module.
fn write(host: &mut Host, name: &str, bytes: &[u8]) {
    say(host, &format!("AT+FSCREATE=\"{name}\""), "\r\nOK\r\n");
    let len = bytes.len();
    say(host, &format!("AT+FSWRITE=\"{name}\",0,{len},10"), ">");
    host.send(bytes);
    host.expect("\r\nOK\r\n");
}

fn configure(host: &mut Host, settings: &[(&str, &str)]) {
    for (name, value) in settings {
        say(
            host,
            &format!("AT+SSLCFG=\"{name}\",88,{value}"),
            "\r\nOK\r\n",
        );
    }
}

const ONE_WAY: &[(&str, &str)] = &[("cacert", "\"ca.crt\""), ("seclevel", "1")];
const MUTUAL: &[(&str, &str)] = &[
    ("cacert", "\"ca.crt\""),
    ("clientcert", "\"client.crt\""),
    ("clientkey", "\"client.key\""),
    ("seclevel", "2"),
];

const UP: &str = "\r\nOK\r\n\r\nCONNECT OK\r\n";
const FAILED: &str = "\r\nOK\r\n\r\nSTATE:TCP CLOSED\r\n\r\nCONNECT FAIL\r\n";

fn open(host: &mut Host, to: SocketAddr, wanted: &str) {
    let port = to.port();
    say(
        host,
        &format!("AT+SSLMIPSTART=\"127.0.0.1\",{port}"),
        wanted,
    );
}

/// The six suites of the tutorial have no ECDHE: a server that wants it is out of reach for the Air700EAQ, as on hardware.
#[test]
fn a_strict_server_takes_who_has_its_suite() {
    let folder = Folder::with_certificates();
    for (suite, luat_reaches_it) in [
        ("0X0035", true),
        ("0X002F", true),
        ("0X003D", true),
        ("0X000A", true),
        ("0X0005", true),
        ("0X0004", true),
        ("0XC02F", false),
        ("0XC014", false),
    ] {
        let (_broker, [tls, _]) = Broker::ours_with_tls(&folder.0, &["--tls-suites", suite]);
        let (_module, mut host) = luat("air700eaq");
        open(&mut host, tls, if luat_reaches_it { UP } else { FAILED });
        // Its own choice of one suite counts as well.
        let (_module, mut host) = luat("air780ep");
        configure(&mut host, &[("ciphersuite", "0X0035")]);
        open(&mut host, tls, if suite == "0X0035" { UP } else { FAILED });
    }
}

#[test]
fn versions_are_honoured() {
    let folder = Folder::with_certificates();
    for (version, number) in [("1.0", "1"), ("1.1", "2"), ("1.2", "3")] {
        let (_broker, [tls, _]) = Broker::ours_with_tls(&folder.0, &["--tls-versions", version]);
        for (own, reaches) in [("1", "1"), ("2", "2"), ("3", "3"), ("4", number)] {
            let (_module, mut host) = luat("air780ep");
            configure(&mut host, &[("sslversion", own)]);
            open(&mut host, tls, if reaches == number { UP } else { FAILED });
        }
    }
}

/// CA, certificate, key, settings, where to, and why it fails.
type Case<'a> = (
    &'a [u8],
    &'a [u8],
    &'a [u8],
    &'a [(&'a str, &'a str)],
    SocketAddr,
    &'a str,
);

#[test]
fn what_is_wrong_with_a_certificate_is_told_in_the_trace() {
    let folder = Folder::with_certificates();
    let other = Folder::with_certificates();
    let (_broker, [tls, mutual]) = Broker::ours_with_tls(&folder.0, &[]);
    let ca = read(&folder.0, "ca.crt");
    let key = read(&folder.0, "client.key");
    let own = read(&folder.0, "client.crt");
    let long_chain = read(&other.0, "ca.crt").repeat(9);
    let cases: [Case<'_>; 9] = [
        (
            &long_chain,
            &own,
            &key,
            ONE_WAY,
            tls,
            "TLS: certificate: certificate signature failure",
        ),
        (
            &ca[..400],
            &own,
            &key,
            ONE_WAY,
            tls,
            "TLS: the CA file holds no certificate that can be read",
        ),
        (
            b"\x30\x82\xff\xff\x30",
            &own,
            &key,
            ONE_WAY,
            tls,
            "TLS: the CA file holds no certificate that can be read",
        ),
        (
            &ca,
            &own[..100],
            &key,
            MUTUAL,
            mutual,
            "TLS: the client's certificate cannot be read",
        ),
        (
            &ca,
            &own,
            &key[..200],
            MUTUAL,
            mutual,
            "TLS: the client's key cannot be read",
        ),
        (
            &ca,
            &own,
            &read(&other.0, "client.key"),
            MUTUAL,
            mutual,
            "TLS: the client's key does not belong to its certificate",
        ),
        (
            &ca,
            &own,
            &key,
            ONE_WAY,
            mutual,
            "TLS: ssl/tls alert handshake failure",
        ),
        (
            &ca,
            &own,
            &key,
            &[
                ("cacert", "\"ca.crt\""),
                ("seclevel", "1"),
                ("hostname", "\"else.test\""),
            ],
            tls,
            "TLS: certificate: hostname mismatch",
        ),
        (
            &ca,
            &own,
            &key,
            &[("cacert", "\"gone.crt\""), ("seclevel", "1")],
            tls,
            "cacert gone.crt: no such file or folder",
        ),
    ];
    for (ca, certificate, key, settings, to, why) in cases {
        let (mut module, mut host) = Host::with_traced_module("air780ep");
        let mut trace = BufReader::new(module.trace()).lines();
        host.synchronise();
        host.command("ATE0", &["OK"]);
        for (name, bytes) in [
            ("ca.crt", ca),
            ("client.crt", certificate),
            ("client.key", key),
        ] {
            write(&mut host, name, bytes);
        }
        configure(&mut host, settings);
        open(&mut host, to, FAILED);
        let mut seen = Vec::new();
        while !seen
            .iter()
            .any(|line: &String| line.contains("STATE:TCP CLOSED"))
        {
            seen.push(trace.next().unwrap().unwrap());
        }
        let all = seen.join("\n");
        assert!(
            seen.iter()
                .any(|line| line.ends_with(&format!("note     {why}"))),
            "{why}:\n{all}"
        );
        // Nor does a key stand in the trace, whole or in part.
        assert!(
            !all.contains("MII") && !all.contains("PRIVATE KEY"),
            "{all}"
        );
        host.command_without_echo("AT", &["OK"]);
    }
}

#[test]
fn dates_count_by_the_modules_own_clock() {
    let folder = Folder::with_certificates();
    let (_broker, [tls, _]) = Broker::ours_with_tls(&folder.0, &[]);
    for (clock, heeds, wanted) in [
        (None, "1", UP),
        (None, "0", UP),
        (Some("26/01/01,00:00:00+00"), "1", UP),
        (Some("26/01/01,00:00:00+00"), "0", FAILED),
        (Some("99/01/01,00:00:00+00"), "0", FAILED),
    ] {
        let (_module, mut host) = luat("air780ep");
        write(&mut host, "ca.crt", &read(&folder.0, "ca.crt"));
        configure(&mut host, ONE_WAY);
        configure(&mut host, &[("ignorelocaltime", heeds)]);
        if let Some(clock) = clock {
            say(&mut host, &format!("AT+CCLK=\"{clock}\""), "\r\nOK\r\n");
        }
        open(&mut host, tls, wanted);
    }
}

#[test]
fn a_server_that_breaks_the_handshake_costs_the_link_and_nothing_else() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let (_module, mut host) = luat("air780ep");
    let answers: [&[u8]; 5] = [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x16\x03\x03\xff\xff",
        b"\x15\x03\x03\x00\x02\x02\x28",
        &[0xff; 4096],
    ];
    for answer in answers {
        let port = address.port();
        say(
            &mut host,
            &format!("AT+SSLMIPSTART=\"127.0.0.1\",{port}"),
            "\r\nOK\r\n",
        );
        let (mut link, _) = server.accept().unwrap();
        assert_eq!(common::capture(&mut link)[..2], [0x16, 0x03]);
        link.write_all(answer).unwrap();
        drop(link);
        host.expect("\r\nSTATE:TCP CLOSED\r\n\r\nCONNECT FAIL\r\n");
        say(&mut host, "AT", "\r\nOK\r\n");
    }
}

/// A module behind a port is told nothing but its line: as a real one, with a broker and certificates of the user's.
#[test]
fn a_conversation_over_tls_goes_on_any_port() {
    let folder = Folder::with_certificates();
    let (_broker, [_, mutual]) = Broker::ours_with_tls(&folder.0, &[]);
    let mut module = common::start(&["module", "air780ep", "--tcp", "127.0.0.1:0"]);
    let address = common::address_of(&module.line());
    Host::connect(address).boot();
    let transcript = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../transcripts/luat/tls-mutual.at"
    );
    let (port, broker) = (format!("tcp:{address}"), mutual.to_string());
    let replay = |further: &[&str]| {
        let args = ["replay", transcript, "--port", &port, "--broker", &broker];
        common::run(&[&args, further].concat(), b"")
    };
    let files = [
        ("ca", "ca.crt"),
        ("client-cert", "client.crt"),
        ("client-key", "client.key"),
    ];
    let files = files.map(|(name, file)| format!("{name}={}", folder.0.join(file).display()));
    let [ca, certificate, key] = files.each_ref().map(String::as_str);
    // The second time the files are there already.
    for _ in 0..2 {
        let output = replay(&["--file", ca, "--file", certificate, "--file", key]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}");
        assert!(text.ends_with("1 of 1 as written\n"), "{text}");
    }
    // Nor does the tool get in without a certificate.
    let error = String::from_utf8(replay(&["--file", ca]).stderr).unwrap();
    assert_eq!(
        error,
        "modemq: the PC's tool: TLS: ssl/tls alert handshake failure\n"
    );
}
