//! A certificate authority for the bench, with a server's and a client's certificate.

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{
    BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
};
use openssl::x509::{X509, X509Name};
use std::fmt;
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

/// How long they last, in seconds.
const LIFE: i64 = 3650 * DAY;
const DAY: i64 = 24 * 60 * 60;

/// Where the bench's own broker is found.
pub const THIS_MACHINE: &[&str] = &["localhost", "127.0.0.1", "::1"];

/// Makes `ca.crt`, `server.crt`, `server.key`, `client.crt` and `client.key` in a folder, unless they are there.
///
/// # Errors
/// The system's, or OpenSSL's; or some of the files are there and others are not.
pub fn provide(folder: &Path) -> io::Result<()> {
    let exists = |name: &&str| folder.join(name).exists();
    if ["ca.crt", "server.crt", "server.key"].iter().all(exists) {
        return Ok(());
    }
    // What is there is the user's, and is not written over.
    let names = [
        "ca.crt",
        "server.crt",
        "server.key",
        "client.crt",
        "client.key",
    ];
    if let Some(name) = names.iter().find(|name| exists(name)) {
        let folder = folder.display();
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!(
                "{folder}: {name} is there, and ca.crt, server.crt and server.key are not all: add them, or name another folder"
            ),
        ));
    }
    let named =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(named)?;
    let authority = Authority::new()?;
    let server = authority.server(THIS_MACHINE, None)?;
    for (name, bytes) in [
        ("ca.crt", &authority.certificate),
        ("server.crt", &server.certificate),
        ("server.key", &server.key),
        ("client.crt", &authority.client.certificate),
        ("client.key", &authority.client.key),
    ] {
        let is_key = bytes.starts_with(b"-----BEGIN PRIVATE");
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            // Nobody else reads a key.
            .mode(if is_key { 0o600 } else { 0o644 })
            .open(folder.join(name))
            .map_err(named)?;
        file.write_all(bytes).map_err(named)?;
    }
    Ok(())
}

/// A certificate with its key, in PEM.
#[derive(Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: Vec<u8>,
    /// The private key, in PKCS #8.
    pub key: Vec<u8>,
}

/// Never the key.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

/// What is wrong with a server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Its time was over yesterday.
    Expired,
    /// It bears the name of another host.
    OfAnotherHost,
}

/// A certificate authority and what it has signed. RSA of 2048 bit, since the modules' suites without ECDHE want it.
pub struct Authority {
    /// Its own certificate, in PEM.
    pub certificate: Vec<u8>,
    /// A client that it has signed.
    pub client: Identity,
    ca: X509,
    key: PKey<Private>,
    server_key: PKey<Private>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Authority {
    /// Makes one, with keys of its own.
    ///
    /// # Errors
    /// OpenSSL's.
    pub fn new() -> io::Result<Self> {
        Self::make().map_err(io::Error::other)
    }

    /// The one of this process, for what nobody keeps; made when it is first asked for.
    ///
    /// # Errors
    /// OpenSSL's.
    pub fn of_this_process() -> io::Result<&'static Self> {
        static ONE: OnceLock<Authority> = OnceLock::new();
        Self::made_once(&ONE)
    }

    /// Another one, whose signature means nothing to what the first one has signed.
    ///
    /// # Errors
    /// OpenSSL's.
    pub fn stranger() -> io::Result<&'static Self> {
        static ONE: OnceLock<Authority> = OnceLock::new();
        Self::made_once(&ONE)
    }

    fn made_once(one: &'static OnceLock<Self>) -> io::Result<&'static Self> {
        if let Some(one) = one.get() {
            return Ok(one);
        }
        let made = Self::new()?;
        Ok(one.get_or_init(|| made))
    }

    /// The certificate of a server with these names and addresses.
    ///
    /// # Errors
    /// OpenSSL's.
    pub fn server(&self, names: &[&str], flaw: Option<Flaw>) -> io::Result<Identity> {
        let names: &[&str] = match flaw {
            Some(Flaw::OfAnotherHost) => &["another-host.test"],
            _ => names,
        };
        let until = match flaw {
            Some(Flaw::Expired) => -DAY,
            _ => LIFE,
        };
        let subject = names.first().unwrap_or(&"server");
        let signer = Some((&self.ca, &self.key));
        certificate(subject, names, until, &self.server_key, signer)
            .and_then(|made| identity(&made, &self.server_key))
            .map_err(io::Error::other)
    }

    fn make() -> Result<Self, ErrorStack> {
        let key = new_key()?;
        let ca = certificate("modemq bench CA", &[], LIFE, &key, None)?;
        let client_key = new_key()?;
        let signer = Some((&ca, &key));
        let client = certificate("modemq client", &[], LIFE, &client_key, signer)?;
        Ok(Self {
            certificate: ca.to_pem()?,
            client: identity(&client, &client_key)?,
            server_key: new_key()?,
            ca,
            key,
        })
    }
}

fn new_key() -> Result<PKey<Private>, ErrorStack> {
    PKey::from_rsa(Rsa::generate(2048)?)
}

fn identity(certificate: &X509, key: &PKey<Private>) -> Result<Identity, ErrorStack> {
    Ok(Identity {
        certificate: certificate.to_pem()?,
        key: key.private_key_to_pem_pkcs8()?,
    })
}

/// A certificate by a signer, or one of an authority by itself.
fn certificate(
    subject: &str,
    names: &[&str],
    until: i64,
    key: &PKey<Private>,
    signer: Option<(&X509, &PKey<Private>)>,
) -> Result<X509, ErrorStack> {
    let mut name = X509Name::builder()?;
    name.append_entry_by_text("CN", subject)?;
    let subject = name.build();
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::MAYBE_ZERO, false)?;
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_serial_number(&*serial.to_asn1_integer()?)?;
    builder.set_subject_name(&subject)?;
    builder.set_issuer_name(signer.map_or(&subject, |(ca, _)| ca.subject_name()))?;
    builder.set_pubkey(key)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_secs().cast_signed());
    // A module's clock may be some hours off.
    builder.set_not_before(&*Asn1Time::from_unix(now.min(now + until) - DAY)?)?;
    builder.set_not_after(&*Asn1Time::from_unix(now + until)?)?;
    match signer {
        None => {
            builder.append_extension(BasicConstraints::new().critical().ca().build()?)?;
            builder.append_extension(
                KeyUsage::new()
                    .critical()
                    .key_cert_sign()
                    .crl_sign()
                    .build()?,
            )?;
        }
        Some((ca, _)) => {
            builder.append_extension(BasicConstraints::new().build()?)?;
            let usage = ExtendedKeyUsage::new()
                .server_auth()
                .client_auth()
                .build()?;
            builder.append_extension(usage)?;
            let mut alternatives = SubjectAlternativeName::new();
            for name in names {
                match name.parse::<IpAddr>() {
                    Ok(_) => alternatives.ip(name),
                    Err(_) => alternatives.dns(name),
                };
            }
            if !names.is_empty() {
                let built = alternatives.build(&builder.x509v3_context(Some(ca), None))?;
                builder.append_extension(built)?;
            }
        }
    }
    builder.sign(signer.map_or(key, |(_, key)| key), MessageDigest::sha256())?;
    Ok(builder.build())
}
