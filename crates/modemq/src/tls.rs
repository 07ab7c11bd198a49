//! TLS by OpenSSL: it alone among the libraries speaks what the modules speak, down to TLS 1.0, RSA key exchange, 3DES and RC4.

use crate::stream::Stream;
use module::{Tls, TlsVersion};
use openssl::dh::Dh;
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::provider::Provider;
use openssl::ssl::{
    Ssl, SslContext, SslContextBuilder, SslMethod, SslMode, SslOptions, SslVerifyMode, SslVersion,
};
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParamRef};
use openssl::x509::{X509, X509VerifyResult};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Mutex, Once, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_openssl::SslStream;

/// The cipher suites of the modules: IANA's number and OpenSSL's name.
const SUITES: &[(u16, &str)] = &[
    (0x0004, "RC4-MD5"),
    (0x0005, "RC4-SHA"),
    (0x000a, "DES-CBC3-SHA"),
    (0x0016, "DHE-RSA-DES-CBC3-SHA"),
    (0x002f, "AES128-SHA"),
    (0x0033, "DHE-RSA-AES128-SHA"),
    (0x0035, "AES256-SHA"),
    (0x0039, "DHE-RSA-AES256-SHA"),
    (0x003c, "AES128-SHA256"),
    (0x003d, "AES256-SHA256"),
    (0x0067, "DHE-RSA-AES128-SHA256"),
    (0x006b, "DHE-RSA-AES256-SHA256"),
    (0x008b, "PSK-3DES-EDE-CBC-SHA"),
    (0x008c, "PSK-AES128-CBC-SHA"),
    (0x008d, "PSK-AES256-CBC-SHA"),
    (0x008f, "DHE-PSK-3DES-EDE-CBC-SHA"),
    (0x0090, "DHE-PSK-AES128-CBC-SHA"),
    (0x0091, "DHE-PSK-AES256-CBC-SHA"),
    (0x0093, "RSA-PSK-3DES-EDE-CBC-SHA"),
    (0x0094, "RSA-PSK-AES128-CBC-SHA"),
    (0x0095, "RSA-PSK-AES256-CBC-SHA"),
    (0x009c, "AES128-GCM-SHA256"),
    (0x009d, "AES256-GCM-SHA384"),
    (0x009e, "DHE-RSA-AES128-GCM-SHA256"),
    (0x009f, "DHE-RSA-AES256-GCM-SHA384"),
    (0x00a8, "PSK-AES128-GCM-SHA256"),
    (0x00a9, "PSK-AES256-GCM-SHA384"),
    (0x00aa, "DHE-PSK-AES128-GCM-SHA256"),
    (0x00ab, "DHE-PSK-AES256-GCM-SHA384"),
    (0x00ac, "RSA-PSK-AES128-GCM-SHA256"),
    (0x00ad, "RSA-PSK-AES256-GCM-SHA384"),
    (0x00ae, "PSK-AES128-CBC-SHA256"),
    (0x00af, "PSK-AES256-CBC-SHA384"),
    (0x00b2, "DHE-PSK-AES128-CBC-SHA256"),
    (0x00b3, "DHE-PSK-AES256-CBC-SHA384"),
    (0x00b6, "RSA-PSK-AES128-CBC-SHA256"),
    (0x00b7, "RSA-PSK-AES256-CBC-SHA384"),
    (0xc007, "ECDHE-ECDSA-RC4-SHA"),
    (0xc008, "ECDHE-ECDSA-DES-CBC3-SHA"),
    (0xc009, "ECDHE-ECDSA-AES128-SHA"),
    (0xc00a, "ECDHE-ECDSA-AES256-SHA"),
    (0xc011, "ECDHE-RSA-RC4-SHA"),
    (0xc012, "ECDHE-RSA-DES-CBC3-SHA"),
    (0xc013, "ECDHE-RSA-AES128-SHA"),
    (0xc014, "ECDHE-RSA-AES256-SHA"),
    (0xc023, "ECDHE-ECDSA-AES128-SHA256"),
    (0xc024, "ECDHE-ECDSA-AES256-SHA384"),
    (0xc027, "ECDHE-RSA-AES128-SHA256"),
    (0xc028, "ECDHE-RSA-AES256-SHA384"),
    (0xc02b, "ECDHE-ECDSA-AES128-GCM-SHA256"),
    (0xc02c, "ECDHE-ECDSA-AES256-GCM-SHA384"),
    (0xc02f, "ECDHE-RSA-AES128-GCM-SHA256"),
    (0xc030, "ECDHE-RSA-AES256-GCM-SHA384"),
    (0xc034, "ECDHE-PSK-3DES-EDE-CBC-SHA"),
    (0xc035, "ECDHE-PSK-AES128-CBC-SHA"),
    (0xc036, "ECDHE-PSK-AES256-CBC-SHA"),
    (0xc037, "ECDHE-PSK-AES128-CBC-SHA256"),
    (0xc038, "ECDHE-PSK-AES256-CBC-SHA384"),
    (0xc09c, "AES128-CCM"),
    (0xc09d, "AES256-CCM"),
    (0xc09e, "DHE-RSA-AES128-CCM"),
    (0xc09f, "DHE-RSA-AES256-CCM"),
    (0xc0a0, "AES128-CCM8"),
    (0xc0a1, "AES256-CCM8"),
    (0xc0a2, "DHE-RSA-AES128-CCM8"),
    (0xc0a3, "DHE-RSA-AES256-CCM8"),
    (0xc0a4, "PSK-AES128-CCM"),
    (0xc0a5, "PSK-AES256-CCM"),
    (0xc0a6, "DHE-PSK-AES128-CCM"),
    (0xc0a7, "DHE-PSK-AES256-CCM"),
    (0xc0a8, "PSK-AES128-CCM8"),
    (0xc0a9, "PSK-AES256-CCM8"),
    (0xc0aa, "DHE-PSK-AES128-CCM8"),
    (0xc0ab, "DHE-PSK-AES256-CCM8"),
    (0xc0ac, "ECDHE-ECDSA-AES128-CCM"),
    (0xc0ad, "ECDHE-ECDSA-AES256-CCM"),
    (0xc0ae, "ECDHE-ECDSA-AES128-CCM8"),
    (0xc0af, "ECDHE-ECDSA-AES256-CCM8"),
];

/// A cipher suite by its number, as `0X0035`.
///
/// # Errors
/// It is none that a module has.
pub fn parse_suite(text: &str) -> Result<u16, String> {
    let digits = text.trim_start_matches("0x").trim_start_matches("0X");
    let number = u16::from_str_radix(digits, 16).ok();
    number
        .filter(|number| SUITES.iter().any(|(own, _)| own == number))
        .ok_or_else(|| {
            let all: Vec<_> = SUITES
                .iter()
                .map(|(number, name)| format!("0X{number:04X} {name}"))
                .collect();
            format!("there are {}", all.join(", "))
        })
}

/// The cipher suites of all modules that the library may have.
pub fn all_suites() -> impl Iterator<Item = u16> {
    SUITES.iter().map(|(number, _)| *number)
}

/// What OpenSSL calls a cipher suite.
pub fn suite_name(suite: u16) -> Option<&'static str> {
    let found = SUITES.iter().find(|(number, _)| *number == suite);
    found.map(|(_, name)| *name)
}

/// A version, or a range of them, as `1.0-1.2`.
///
/// # Errors
/// There is no such version, or the range is empty.
pub fn parse_versions(text: &str) -> Result<(TlsVersion, TlsVersion), String> {
    let version = |text: &str| match text {
        "1.0" => Ok(TlsVersion::Tls10),
        "1.1" => Ok(TlsVersion::Tls11),
        "1.2" => Ok(TlsVersion::Tls12),
        _ => Err("there are 1.0, 1.1, 1.2 and ranges such as 1.0-1.2".to_string()),
    };
    let (lowest, highest) = text.split_once('-').unwrap_or((text, text));
    let versions = (version(lowest)?, version(highest)?);
    if versions.0 > versions.1 {
        return Err("the lower version comes first".into());
    }
    Ok(versions)
}

/// Does the handshake of a module.
///
/// # Errors
/// Why it failed, in words.
pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    tls: &Tls,
) -> Result<SslStream<S>, String> {
    let (context, missing) = shared_context(tls)?;
    let mut ssl = Ssl::new(&context).map_err(words)?;
    if tls.authorities.is_some() {
        set_checks(ssl.param_mut(), tls)?;
    }
    if let Some(name) = &tls.server_name
        && name.parse::<IpAddr>().is_err()
    {
        ssl.set_hostname(name).map_err(words)?;
    }
    let mut stream = SslStream::new(ssl, stream).map_err(words)?;
    let handshake = Pin::new(&mut stream).connect();
    let why = match tokio::time::timeout(tls.timeout, handshake).await {
        Ok(Ok(())) => return Ok(stream),
        Ok(Err(error)) => {
            let why = handshake_words(&error, stream.ssl().verify_result());
            if missing.is_empty() || !may_be_for_the_suites(&error) {
                return Err(why);
            }
            format!(
                "{why} (offered without {}, which this build's library lacks)",
                missing.join(", ")
            )
        }
        Err(_) => format!("no end of the handshake within {} s", tls.timeout.as_secs()),
    };
    Err(why)
}

/// The context of a link. Links that are set up alike share it: it is larger than all the rest of an idle link.
fn shared_context(tls: &Tls) -> Result<(SslContext, Vec<String>), String> {
    /// More settings than this are in use at once where every module has its own certificate: they do without.
    const KEPT: usize = 16;
    static CONTEXTS: Mutex<VecDeque<(Tls, SslContext, Vec<String>)>> = Mutex::new(VecDeque::new());
    // What belongs to one link alone.
    let settings = Tls {
        server_name: None,
        expected_name: None,
        time: None,
        timeout: Duration::ZERO,
        ..tls.clone()
    };
    let mut contexts = CONTEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, context, missing)) = contexts.iter().find(|(own, ..)| *own == settings) {
        return Ok((context.clone(), missing.clone()));
    }
    let (context, missing) = client_context(&settings)?;
    if contexts.len() == KEPT {
        contexts.pop_front();
    }
    contexts.push_back((settings, context.clone(), missing.clone()));
    Ok((context, missing))
}

/// What the module offers and checks; and its suites that the library does not have.
fn client_context(tls: &Tls) -> Result<(SslContext, Vec<String>), String> {
    let mut builder = builder(SslMethod::tls_client(), tls.versions)?;
    let missing = set_suites(&mut builder, &tls.suites)?;
    set_verification(&mut builder, tls)?;
    if let Some((certificate, key)) = &tls.identity {
        set_identity(&mut builder, "client", certificate, key)?;
    }
    if !tls.protocols.is_empty() {
        let lengths = tls.protocols.iter().filter_map(|name| {
            let len = u8::try_from(name.len()).ok().filter(|len| *len > 0)?;
            Some([&[len], name.as_bytes()].concat())
        });
        let list = lengths.collect::<Vec<_>>().concat();
        builder.set_alpn_protos(&list).map_err(words)?;
    }
    if let Some(psk) = tls.psk.clone() {
        builder.set_psk_client_callback(move |_, _, identity, key| {
            // OpenSSL wants the identity as a C string.
            let fits = psk.identity.len() < identity.len() && psk.key.len() <= key.len();
            if !fits {
                return Ok(0);
            }
            identity[..psk.identity.len()].copy_from_slice(&psk.identity);
            identity[psk.identity.len()] = 0;
            key[..psk.key.len()].copy_from_slice(&psk.key);
            Ok(psk.key.len())
        });
    }
    Ok((builder.build(), missing))
}

/// What the server must show.
fn set_verification(builder: &mut SslContextBuilder, tls: &Tls) -> Result<(), String> {
    let Some(authorities) = &tls.authorities else {
        builder.set_verify(SslVerifyMode::NONE);
        return Ok(());
    };
    let mut store = X509StoreBuilder::new().map_err(words)?;
    let found = certificates(authorities);
    if found.is_empty() {
        return Err("the CA file holds no certificate that can be read".into());
    }
    for certificate in found {
        store.add_cert(certificate).map_err(words)?;
    }
    builder
        .set_verify_cert_store(store.build())
        .map_err(words)?;
    builder.set_verify(SslVerifyMode::PEER);
    Ok(())
}

/// What the server's certificate must be besides signed.
fn set_checks(param: &mut X509VerifyParamRef, tls: &Tls) -> Result<(), String> {
    // The embedded libraries take any certificate of the file for a root, whoever signed it, and mind no key's size.
    let mut flags = X509VerifyFlags::PARTIAL_CHAIN;
    param.set_auth_level(0);
    param.set_depth(tls.intermediates.into());
    match tls.time {
        Some(time) => param.set_time(time),
        None => flags |= X509VerifyFlags::NO_CHECK_TIME,
    }
    param.set_flags(flags).map_err(words)?;
    if let Some(name) = &tls.expected_name {
        match name.parse::<IpAddr>() {
            Ok(address) if tls.checks_addresses => param.set_ip(address),
            _ => param.set_host(name),
        }
        .map_err(words)?;
    }
    Ok(())
}

/// One's own certificate, with those that stand behind it in the same file, and its key.
fn set_identity(
    builder: &mut SslContextBuilder,
    whose: &str,
    certificate: &[u8],
    key: &[u8],
) -> Result<(), String> {
    let key = private_key(key).ok_or_else(|| format!("the {whose}'s key cannot be read"))?;
    let mut chain = certificates(certificate).into_iter();
    let own = chain
        .next()
        .ok_or_else(|| format!("the {whose}'s certificate cannot be read"))?;
    builder.set_certificate(&own).map_err(words)?;
    for certificate in chain {
        builder.add_extra_chain_cert(certificate).map_err(words)?;
    }
    let matches = builder.set_private_key(&key);
    matches.map_err(|_| format!("the {whose}'s key does not belong to its certificate"))
}

/// Whether a certificate and a key are what they should be, and belong together.
///
/// # Errors
/// What is wrong, in words.
pub fn check_identity(certificate: &[u8], key: &[u8]) -> Result<(), String> {
    let mut builder = builder(
        SslMethod::tls_client(),
        (TlsVersion::Tls10, TlsVersion::Tls12),
    )?;
    set_identity(&mut builder, "client", certificate, key)
}

/// The bytes inside TLS.
///
/// # Errors
/// The system's.
pub fn unwrap(stream: SslStream<TcpStream>) -> io::Result<Stream> {
    Stream::layered(|local| carry(stream, local))
}

thread_local! {
    /// What came from TLS or goes there: one buffer for all links of the thread.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; 16 * 1024]);
}

/// Carries bytes both ways, until both sides have ended or one has failed. An idle link holds no buffer.
async fn carry(mut tls: SslStream<TcpStream>, mut local: UnixStream) {
    let (mut inward, mut outward) = (Way::default(), Way::default());
    let carried = poll_fn(|context| {
        SCRATCH.with_borrow_mut(|scratch| {
            let (tls, local) = (&mut tls, &mut local);
            let inward = inward.poll(context, Pin::new(tls), Pin::new(local), scratch)?;
            let outward = outward.poll(context, Pin::new(local), Pin::new(tls), scratch)?;
            match (inward, outward) {
                (Poll::Ready(()), Poll::Ready(())) => Poll::Ready(io::Result::Ok(())),
                _ => Poll::Pending,
            }
        })
    });
    // What went wrong shows as the end of the stream.
    let _ = carried.await;
}

/// One way of a link.
#[derive(Default)]
struct Way {
    /// What was read and is not written yet.
    unwritten: Vec<u8>,
    /// Nothing more will be read.
    ended: bool,
    /// The other side has been told.
    told: bool,
}

impl Way {
    fn poll(
        &mut self,
        context: &mut Context<'_>,
        mut from: Pin<&mut impl AsyncRead>,
        mut to: Pin<&mut impl AsyncWrite>,
        scratch: &mut [u8],
    ) -> Poll<io::Result<()>> {
        loop {
            while !self.unwritten.is_empty() {
                let n = ready!(to.as_mut().poll_write(context, &self.unwritten))?;
                if n == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.unwritten.drain(..n);
            }
            self.unwritten = Vec::new();
            if self.ended {
                if !self.told {
                    ready!(to.as_mut().poll_shutdown(context))?;
                    self.told = true;
                }
                return Poll::Ready(Ok(()));
            }
            let mut buffer = ReadBuf::new(scratch);
            match from.as_mut().poll_read(context, &mut buffer)? {
                Poll::Ready(()) => {
                    self.ended = buffer.filled().is_empty();
                    self.unwritten.extend_from_slice(buffer.filled());
                }
                Poll::Pending => {
                    ready!(to.as_mut().poll_flush(context))?;
                    return Poll::Pending;
                }
            }
        }
    }
}

/// How a broker's listener does its handshakes.
#[derive(Clone)]
pub struct Acceptor(SslContext);

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acceptor").finish_non_exhaustive()
    }
}

/// What a broker shows and asks for: certificates and key in PEM.
#[derive(Clone, Copy, Debug)]
pub struct Server<'a> {
    /// Its certificate, with the chain behind it.
    pub certificate: &'a [u8],
    /// Its private key.
    pub key: &'a [u8],
    /// Whose certificates the clients must show; `None`: they show none.
    pub client_authorities: Option<&'a [u8]>,
    /// The only cipher suites that it takes, by IANA's numbers; none: all that the library has.
    pub suites: &'a [u16],
    /// The lowest and the highest version.
    pub versions: (TlsVersion, TlsVersion),
}

impl Acceptor {
    /// Prepares a listener.
    ///
    /// # Errors
    /// What is wrong with certificate or key, in words.
    pub fn new(server: &Server<'_>) -> Result<Self, String> {
        let mut builder = builder(SslMethod::tls_server(), server.versions)?;
        if server.suites.is_empty() {
            builder
                .set_cipher_list("ALL:!aNULL:!eNULL:@SECLEVEL=0")
                .map_err(words)?;
        } else {
            set_suites(&mut builder, server.suites)?;
        }
        set_identity(&mut builder, "server", server.certificate, server.key)?;
        // For the suites with DHE.
        let group = Dh::get_2048_256().map_err(words)?;
        builder.set_tmp_dh(&group).map_err(words)?;
        builder.set_session_id_context(b"modemq").map_err(words)?;
        // For suites with DHE. Source: RFC 5114 §2.3.
        let parameters = Dh::get_2048_256().map_err(words)?;
        builder.set_tmp_dh(&parameters).map_err(words)?;
        if let Some(authorities) = server.client_authorities {
            let mut store = X509StoreBuilder::new().map_err(words)?;
            let mut names = Stack::new().map_err(words)?;
            for certificate in certificates(authorities) {
                names
                    .push(certificate.subject_name().to_owned().map_err(words)?)
                    .map_err(words)?;
                store.add_cert(certificate).map_err(words)?;
            }
            builder
                .set_verify_cert_store(store.build())
                .map_err(words)?;
            builder.set_client_ca_list(names);
            builder.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
        }
        Ok(Self(builder.build()))
    }

    /// Does the handshake of a server.
    ///
    /// # Errors
    /// Why it failed, in words.
    pub async fn accept(&self, stream: TcpStream) -> Result<SslStream<TcpStream>, String> {
        let ssl = Ssl::new(&self.0).map_err(words)?;
        let mut stream = SslStream::new(ssl, stream).map_err(words)?;
        match Pin::new(&mut stream).accept().await {
            Ok(()) => Ok(stream),
            Err(error) => Err(handshake_words(&error, stream.ssl().verify_result())),
        }
    }
}

fn builder(
    method: SslMethod,
    (lowest, highest): (TlsVersion, TlsVersion),
) -> Result<SslContextBuilder, String> {
    load_providers();
    let version = |version| match version {
        TlsVersion::Ssl30 => Err("this build's library does not speak SSL 3.0".to_string()),
        TlsVersion::Tls10 => Ok(SslVersion::TLS1),
        TlsVersion::Tls11 => Ok(SslVersion::TLS1_1),
        TlsVersion::Tls12 => Ok(SslVersion::TLS1_2),
    };
    let mut builder = SslContext::builder(method).map_err(words)?;
    // What is too weak for OpenSSL is what the modules have.
    builder.set_security_level(0);
    // Embedded libraries refuse to renegotiate unless they are built for it (mbedTLS: MBEDTLS_SSL_RENEGOTIATION).
    builder.set_options(
        SslOptions::NO_TICKET | SslOptions::NO_COMPRESSION | SslOptions::NO_RENEGOTIATION,
    );
    // An idle link holds no buffers for records, 16 KiB each way; and what is to be written is not asked for at one place.
    builder.set_mode(
        SslMode::RELEASE_BUFFERS
            | SslMode::ENABLE_PARTIAL_WRITE
            | SslMode::ACCEPT_MOVING_WRITE_BUFFER,
    );
    builder
        .set_min_proto_version(Some(version(lowest)?))
        .map_err(words)?;
    builder
        .set_max_proto_version(Some(version(highest)?))
        .map_err(words)?;
    Ok(builder)
}

/// Allows these suites and no others; returns those that the library does not have.
fn set_suites(builder: &mut SslContextBuilder, suites: &[u16]) -> Result<Vec<String>, String> {
    let (mut usable, mut missing) = (Vec::new(), Vec::new());
    for suite in suites {
        // A name that the library does not know is an error when it stands alone.
        match suite_name(*suite).filter(|name| {
            builder
                .set_cipher_list(&format!("{name}:@SECLEVEL=0"))
                .is_ok()
        }) {
            Some(name) => usable.push(name),
            None => missing.push(format!("0X{suite:04X}")),
        }
    }
    if usable.is_empty() {
        return Err(format!(
            "this build's library has none of the suites {}",
            missing.join(", ")
        ));
    }
    let list = format!("{}:@SECLEVEL=0", usable.join(":"));
    builder.set_cipher_list(&list).map_err(words)?;
    Ok(missing)
}

/// RC4 and 3DES are in a part of OpenSSL that is loaded on demand.
fn load_providers() {
    static LOADED: Once = Once::new();
    LOADED.call_once(|| {
        for name in ["default", "legacy"] {
            if let Ok(provider) = Provider::load(None, name) {
                // It unloads itself when it is dropped.
                std::mem::forget(provider);
            }
        }
    });
}

/// The certificates of a file in PEM, or the one of a file in DER.
pub fn certificates(file: &[u8]) -> Vec<X509> {
    match X509::stack_from_pem(file) {
        Ok(found) if !found.is_empty() => found,
        _ => X509::from_der(file).into_iter().collect(),
    }
}

fn private_key(file: &[u8]) -> Option<PKey<Private>> {
    // No password is asked for on a terminal.
    let from_pem = PKey::private_key_from_pem_callback(file, |_| Ok(0));
    from_pem.or_else(|_| PKey::private_key_from_der(file)).ok()
}

/// A certificate or a private key in DER; `None` when it is neither in PEM.
pub fn pem_to_der(file: &[u8]) -> Option<Vec<u8>> {
    if let Ok(certificate) = X509::from_pem(file) {
        return certificate.to_der().ok();
    }
    let key = PKey::private_key_from_pem_callback(file, |_| Ok(0)).ok()?;
    key.private_key_to_der().ok()
}

#[allow(clippy::needless_pass_by_value, reason = "it is for map_err")]
fn words(error: ErrorStack) -> String {
    match error.errors().first() {
        Some(first) => first.reason().unwrap_or("an error of OpenSSL").to_string(),
        None => "an error of OpenSSL".into(),
    }
}

/// Whether a server may have refused because it shares no suite: it says so, or goes without a word.
fn may_be_for_the_suites(error: &openssl::ssl::Error) -> bool {
    /// OpenSSL's numbers of the alerts `handshake_failure` and `insufficient_security`: 1000 and TLS's own.
    const ALERTS: [i32; 2] = [1040, 1071];
    let Some(stack) = error.ssl_error() else {
        return true;
    };
    let mut errors = stack.errors().iter();
    errors.any(|error| ALERTS.contains(&error.reason_code()))
}

fn handshake_words(error: &openssl::ssl::Error, verified: X509VerifyResult) -> String {
    if verified != X509VerifyResult::OK {
        return format!("certificate: {}", verified.error_string());
    }
    match (error.ssl_error(), error.io_error()) {
        (Some(stack), _) => words(stack.clone()),
        (None, Some(error)) => error.to_string(),
        (None, None) => "the peer ended the connection in the middle of the handshake".into(),
    }
}
