//! What the modules say in a handshake, byte by byte; and which servers they reach, one cipher suite at a time.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Broker, Folder, GUARD, capture};
use dialect::Model;
use dialect::model::ALL;
use modemq::certificates::{Authority, Identity, THIS_MACHINE};
use modemq::stream::Stream;
use modemq::tls::{self, Acceptor, Server, all_suites, suite_name};
use modemq::transcript::{PortBroker, Script, SocketDevice, Variables, play};
use module::{Pace, Tls, TlsVersion};
use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::x509::X509;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tokio::net::TcpStream;

/// `TLS_EMPTY_RENEGOTIATION_INFO_SCSV`, which OpenSSL and mbedTLS offer behind the suites. Source: RFC 5746 §3.3.
const RENEGOTIATION_INFO: u16 = 0x00ff;

/// The models that have TLS.
fn models() -> impl Iterator<Item = &'static Model> {
    ALL.iter().filter(|model| !model.suites.is_empty())
}

/// Static ECDH, which no library speaks any more: OpenSSL's names for it are gone since 1.1.
fn is_static_ecdh(suite: u16) -> bool {
    matches!(
        suite,
        0xc001..=0xc005 | 0xc00b..=0xc00f | 0xc025 | 0xc026 | 0xc029 | 0xc02a | 0xc02d | 0xc02e | 0xc031 | 0xc032
    )
}

/// Suites that nobody offers without a key that both sides have.
fn wants_a_shared_key(suite: u16) -> bool {
    suite_name(suite).is_some_and(|name| name.contains("PSK"))
}

#[test]
fn every_suite_of_a_model_is_offered_in_its_order_and_no_other() {
    each_at_once(models(), |model| {
        let hello = hello_of_demo(model, "127.0.0.1");
        let (known, missing): (Vec<u16>, Vec<u16>) = model
            .suites
            .iter()
            .filter(|suite| !wants_a_shared_key(**suite))
            .partition(|suite| suite_name(**suite).is_some());
        assert!(
            missing.iter().all(|suite| is_static_ecdh(*suite)),
            "{}: {missing:04x?}",
            model.title
        );
        // OpenSSL has the extension in its place where TLS 1.2 alone is offered.
        let behind = if hello.extensions.contains(&0xff01) {
            vec![]
        } else {
            vec![RENEGOTIATION_INFO]
        };
        let wanted = [known, behind].concat();
        assert_eq!(hello.suites, wanted, "{}", model.title);
        assert_eq!(hello.compression, [0], "{}", model.title);
        // No TLS 1.3: nobody sends supported_versions.
        assert_eq!(hello.version, 0x0303, "{}", model.title);
        assert!(!hello.extensions.contains(&43), "{}", model.title);
        // An address is no server name. Source: RFC 6066 §3.
        assert_eq!(hello.server_name, None, "{}", model.title);
        // Curves are named by who has a suite for them.
        let elliptic = known_elliptic(model);
        assert_eq!(hello.extensions.contains(&10), elliptic, "{}", model.title);
    });
}

fn known_elliptic(model: &Model) -> bool {
    let names = model.suites.iter().filter_map(|suite| suite_name(*suite));
    names.into_iter().any(|name| name.starts_with("ECDHE-"))
}

#[test]
fn what_is_set_shows_in_the_client_hello() {
    let luat = |settings: &str| {
        let text = format!("{settings}AT+SSLMIPSTART=\"{{host}}\",{{port}}\n\nOK\n\nCONNECT OK\n");
        hello("air700eaq", &text, "localhost")
    };
    let one = luat("AT+SSLCFG=\"ciphersuite\",88,0X002F\n\nOK\n");
    assert_eq!(one.suites, [0x002f, RENEGOTIATION_INFO]);
    assert_eq!(one.server_name, None);
    for (number, version) in [(1, 0x0301), (2, 0x0302), (3, 0x0303), (4, 0x0303)] {
        let hello = luat(&format!("AT+SSLCFG=\"sslversion\",88,{number}\n\nOK\n"));
        assert_eq!(hello.version, version, "sslversion {number}");
    }
    let named = luat("AT+SSLCFG=\"hostname\",88,\"mqtt.example.com\"\n\nOK\n");
    assert_eq!(named.server_name.as_deref(), Some("mqtt.example.com"));

    each_at_once(["ec20", "bg95"].into_iter(), |model| {
        let quectel = |settings: &str| {
            let text = format!(
                "@poll AT+CGATT? -> +CGATT: 1\n\
                 AT+QMTCFG=\"ssl\",0,1,2\n\nOK\n{settings}AT+QMTOPEN=0,\"{{host}}\",{{port}}\n\nOK\n\n+QMTOPEN: 0,0\n"
            );
            hello(model, &text, "localhost")
        };
        let one = quectel("AT+QSSLCFG=\"ciphersuite\",2,0XC02F\n\nOK\n");
        assert_eq!(one.suites, [0xc02f, RENEGOTIATION_INFO], "{model}");
        assert_eq!(one.server_name, None, "{model}");
        let named = quectel("AT+QSSLCFG=\"sni\",2,1\n\nOK\n");
        assert_eq!(named.server_name.as_deref(), Some("localhost"), "{model}");
        for (number, version) in [(1, 0x0301), (2, 0x0302), (3, 0x0303), (4, 0x0303)] {
            let hello = quectel(&format!("AT+QSSLCFG=\"sslversion\",2,{number}\n\nOK\n"));
            assert_eq!(hello.version, version, "{model}, sslversion {number}");
        }
    });
}

/// Each model against a server that takes one suite: it is let in when the suite is one of its own, and only then.
#[test]
fn a_model_reaches_the_servers_of_its_own_suites_and_no_others() {
    let ecdsa = ecdsa_identity();
    let rsa = rsa_identity();
    for suite in all_suites() {
        let name = suite_name(suite).unwrap();
        let identity = if name.contains("ECDSA") { &ecdsa } else { &rsa };
        let acceptor = acceptor(identity, &[suite]);
        for model in models() {
            let (outcome, let_in) = runtime().block_on(handshake(&offer(model), &acceptor));
            assert_eq!(outcome.is_ok(), let_in, "{}, {name}", model.title);
            if model.suites.contains(&suite) && !wants_a_shared_key(suite) {
                assert_eq!(outcome.as_deref(), Ok(name), "{}", model.title);
            } else {
                let why = outcome.unwrap_err();
                let lacks = model
                    .suites
                    .iter()
                    .any(|suite| suite_name(*suite).is_none());
                // What the library lacks might have decided it.
                let wanted = "ssl/tls alert handshake failure";
                assert!(
                    why.starts_with(wanted) && (why.len() > wanted.len()) == lacks,
                    "{}, {name}: {why}",
                    model.title
                );
            }
        }
    }
}

/// The suites that the library lacks are no reason when the certificate was.
#[test]
fn missing_suites_are_named_only_when_they_may_have_decided() {
    let acceptor = acceptor(&rsa_identity(), &[]);
    let stranger = Authority::stranger().unwrap();
    let offer = Tls {
        authorities: Some(stranger.certificate.clone()),
        ..offer(Model::by_name("ec20").unwrap())
    };
    let (client, _) = runtime().block_on(handshake(&offer, &acceptor));
    let why = client.unwrap_err();
    assert!(
        why.starts_with("certificate: ") && !why.contains("lacks"),
        "{why}"
    );
}

/// More than any buffer on the way holds, both ways at once; and then each side ends by itself.
#[test]
fn bytes_arrive_whole_and_in_order_both_ways() {
    const LEN: usize = 3_000_000;
    let acceptor = acceptor(&rsa_identity(), &[]);
    let sent: Vec<u8> = (0..LEN).map(|at| (at % 251) as u8).collect();
    let exchange = |stream: Stream| {
        let sent = &sent;
        async move {
            let (mut written, mut received) = (0, Vec::new());
            let mut buffer = vec![0; 5000];
            let mut over = false;
            while !over {
                tokio::select! {
                    ready = stream.writable(), if written < LEN => {
                        ready.unwrap();
                        let end = LEN.min(written + 7000);
                        written += stream.try_write(&sent[written..end]).unwrap_or(0);
                        if written == LEN {
                            stream.shut();
                        }
                    }
                    ready = stream.readable() => {
                        ready.unwrap();
                        if let Ok(n) = stream.try_read(&mut buffer) {
                            over = n == 0;
                            received.extend_from_slice(&buffer[..n]);
                        }
                    }
                }
            }
            assert_eq!(written, LEN);
            received
        }
    };
    let offer = offer(Model::by_name("ec20").unwrap());
    let both = runtime().block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = async {
            let (stream, _) = listener.accept().await.unwrap();
            exchange(tls::unwrap(acceptor.accept(stream).await.unwrap()).unwrap()).await
        };
        let client = async {
            let stream = TcpStream::connect(address).await.unwrap();
            exchange(tls::unwrap(tls::connect(stream, &offer).await.unwrap()).unwrap()).await
        };
        tokio::time::timeout(GUARD, async { tokio::join!(client, server) }).await
    });
    let (by_client, by_server) = both.unwrap();
    assert!(by_client == sent && by_server == sent);
}

/// Each suite with another OpenSSL, as its command line has it. What it has been built without is named here.
#[test]
fn openssls_own_server_is_reached_with_each_suite_that_it_speaks() {
    let folder = Folder::new("s_server");
    let rsa = rsa_identity();
    for (kind, identity) in [("rsa", &rsa), ("ecdsa", &ecdsa_identity())] {
        std::fs::write(folder.0.join(format!("{kind}.crt")), &identity.certificate).unwrap();
        std::fs::write(folder.0.join(format!("{kind}.key")), &identity.key).unwrap();
    }
    let of_models: BTreeSet<u16> = models()
        .flat_map(|model| model.suites.iter().copied())
        .collect();
    let mut without = Vec::new();
    for suite in of_models {
        let Some(name) = suite_name(suite) else {
            assert!(is_static_ecdh(suite), "{suite:04x}");
            continue;
        };
        let Some(server) = SServer::start(&folder.0, name) else {
            without.push(name);
            continue;
        };
        for model in models() {
            let outcome = runtime().block_on(async {
                let stream = TcpStream::connect(server.address).await.unwrap();
                tls::connect(stream, &offer(model))
                    .await
                    .map(|stream| stream.ssl().current_cipher().unwrap().name().to_string())
            });
            let wanted = model.suites.contains(&suite) && !wants_a_shared_key(suite);
            assert_eq!(
                outcome.is_ok(),
                wanted,
                "{}, {name}: {outcome:?}",
                model.title
            );
            if wanted {
                assert_eq!(outcome.unwrap(), name);
            }
        }
    }
    // Debian leaves the weak ones out; those are compared with our own server, above.
    assert!(
        without
            .iter()
            .all(|name| name.contains("RC4") || name.contains("DES")),
        "openssl s_server does not start with {without:?}"
    );
}

/// What a model offers when nothing is set.
fn offer(model: &Model) -> Tls {
    Tls {
        suites: model.suites.to_vec(),
        timeout: GUARD,
        ..Tls::default()
    }
}

/// Connects, and says which suite was agreed on, or why none.
async fn connect(address: SocketAddr, offer: &Tls) -> Result<String, String> {
    let stream = TcpStream::connect(address).await.unwrap();
    let stream = tls::connect(stream, offer).await?;
    Ok(stream.ssl().current_cipher().unwrap().name().into())
}

/// The same with one of our own servers, and whether that let it in.
async fn handshake(offer: &Tls, acceptor: &Acceptor) -> (Result<String, String>, bool) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = async {
        let (stream, _) = listener.accept().await.unwrap();
        acceptor.accept(stream).await.is_ok()
    };
    tokio::join!(connect(address, offer), server)
}

/// A module's time is real here: all of them at once.
fn each_at_once<T: Copy + Send>(all: impl Iterator<Item = T>, of_each: impl Fn(T) + Sync) {
    std::thread::scope(|scope| {
        for one in all {
            let of_each = &of_each;
            scope.spawn(move || of_each(one));
        }
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// `openssl s_server` with one suite.
struct SServer {
    child: Child,
    address: SocketAddr,
}

impl SServer {
    /// `None`: it does not know the suite.
    fn start(folder: &Path, suite: &str) -> Option<Self> {
        let kind = if suite.contains("ECDSA") {
            "ecdsa"
        } else {
            "rsa"
        };
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-no_tls1_3"])
            .args(["-cipher", &format!("{suite}:@SECLEVEL=0")])
            .arg("-cert")
            .arg(folder.join(format!("{kind}.crt")))
            .arg("-key")
            .arg(folder.join(format!("{kind}.key")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("this test needs the openssl command: apt-get install -y openssl");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = loop {
            match lines.next() {
                Some(line) => {
                    if let Some(address) = line.unwrap().strip_prefix("ACCEPT ") {
                        break Some(address.parse().unwrap());
                    }
                }
                None => break None,
            }
        };
        // What it prints of each connection must not stop it.
        std::thread::spawn(move || lines.for_each(drop));
        if address.is_none() {
            child.wait().unwrap();
        }
        address.map(|address| Self { child, address })
    }
}

impl Drop for SServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server of ours with these suites, or with all.
fn acceptor(identity: &Identity, suites: &[u16]) -> Acceptor {
    Acceptor::new(&Server {
        certificate: &identity.certificate,
        key: &identity.key,
        client_authorities: None,
        suites,
        versions: (TlsVersion::Tls10, TlsVersion::Tls12),
    })
    .unwrap()
}

fn rsa_identity() -> Identity {
    let authority = Authority::of_this_process().unwrap();
    authority.server(THIS_MACHINE, None).unwrap()
}

/// A certificate with an elliptic key, by itself.
fn ecdsa_identity() -> Identity {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder
        .set_not_before(&Asn1Time::days_from_now(0).unwrap())
        .unwrap();
    builder
        .set_not_after(&Asn1Time::days_from_now(1).unwrap())
        .unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    Identity {
        certificate: builder.build().to_pem().unwrap(),
        key: key.private_key_to_pem_pkcs8().unwrap(),
    }
}

/// The ClientHello of a model as its demo over TLS begins, without certificates.
fn hello_of_demo(model: &'static Model, host: &str) -> ClientHello {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../transcripts");
    let folder = folder.join(model.family.name());
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    for path in files {
        if !path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("tls-none")
        {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let script = Script::parse("demo", &text).unwrap();
        if script.models.is_empty() || script.models.iter().any(|name| name == model.name) {
            return hello(model.name, &text, host);
        }
    }
    panic!("the {} has suites, and no transcript tls-none", model.title);
}

/// Plays a conversation up to the handshake, with a server that only listens.
fn hello(model: &str, text: &str, host: &str) -> ClientHello {
    let model = Model::by_name(model).unwrap();
    let script = Script::parse("hello", text).unwrap();
    let tool = Broker::ours(&[]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let listening = std::thread::spawn(move || {
        let (mut link, _) = listener.accept().unwrap();
        capture(&mut link)
    });
    let broker = PortBroker::Given {
        address: (host.into(), port),
        tool: ("127.0.0.1".into(), tool.address.port()),
        tool_tls: None,
    };
    let mut device = SocketDevice::new(model, &script, Pace::Fast, broker).unwrap();
    let variables = Variables::new(host, port);
    let mismatch = play(&script, model, &mut device, &variables, &mut |_| {}).unwrap_err();
    let opens = ["START=", "OPEN=", "CONN="];
    let (command, _) = mismatch.command.clone().unwrap();
    assert!(
        opens.iter().any(|open| command.contains(open)),
        "{mismatch}"
    );
    ClientHello::parse(&listening.join().unwrap())
}

/// The parts of a ClientHello that these tests look at. Source: RFC 5246 §7.4.1.2, RFC 6066 §3.
struct ClientHello {
    version: u16,
    suites: Vec<u16>,
    compression: Vec<u8>,
    extensions: Vec<u16>,
    server_name: Option<String>,
}

impl ClientHello {
    fn parse(record: &[u8]) -> Self {
        let mut bytes = Bytes(record);
        assert_eq!(bytes.take(1), [22], "a record of the handshake");
        assert_eq!(bytes.take(1), [3]);
        bytes.take(1);
        let mut bytes = Bytes(bytes.vector(2));
        assert_eq!(bytes.take(1), [1], "a ClientHello");
        let mut bytes = Bytes(bytes.vector(3));
        let version = bytes.number();
        bytes.take(32);
        bytes.vector(1);
        let mut suites = Bytes(bytes.vector(2));
        let suites =
            std::iter::from_fn(|| (!suites.0.is_empty()).then(|| suites.number())).collect();
        let compression = bytes.vector(1).to_vec();
        let mut hello = Self {
            version,
            suites,
            compression,
            extensions: Vec::new(),
            server_name: None,
        };
        let mut all = Bytes(bytes.vector(2));
        while !all.0.is_empty() {
            let kind = all.number();
            let content = all.vector(2);
            hello.extensions.push(kind);
            if kind == 0 {
                let mut names = Bytes(Bytes(content).vector(2));
                assert_eq!(names.take(1), [0], "a host's name");
                hello.server_name = Some(String::from_utf8(names.vector(2).to_vec()).unwrap());
            }
        }
        hello
    }
}

/// What is left to parse.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken
    }

    fn number(&mut self) -> u16 {
        u16::from_be_bytes(self.take(2).try_into().unwrap())
    }

    /// As many bytes as a length of so many bytes says.
    fn vector(&mut self, length: usize) -> &'a [u8] {
        let length = self.take(length);
        let len = length
            .iter()
            .fold(0, |len, byte| len << 8 | usize::from(*byte));
        self.take(len)
    }
}
