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
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// How long they last, in days.
const DAYS: u32 = 3650;

/// Makes `ca.crt`, `server.crt`, `server.key`, `client.crt` and `client.key` in a folder, unless they are there. RSA, since
/// the modules' suites without ECDHE want it.
///
/// # Errors
/// The system's, or OpenSSL's.
pub fn provide(folder: &Path) -> io::Result<()> {
    if ["ca.crt", "server.crt", "server.key"]
        .iter()
        .all(|name| folder.join(name).exists())
    {
        return Ok(());
    }
    std::fs::create_dir_all(folder)?;
    let made = make().map_err(io::Error::other)?;
    for (name, bytes) in made {
        let is_key = bytes.starts_with(b"-----BEGIN PRIVATE");
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            // Nobody else reads a key.
            .mode(if is_key { 0o600 } else { 0o644 })
            .open(folder.join(name))?;
        file.write_all(&bytes)?;
    }
    Ok(())
}

fn make() -> Result<[(&'static str, Vec<u8>); 5], ErrorStack> {
    let ca_key = PKey::from_rsa(Rsa::generate(2048)?)?;
    let ca = certificate("modemq bench CA", &ca_key, None)?;
    let signer = Some((&*ca, &ca_key));
    let server_key = PKey::from_rsa(Rsa::generate(2048)?)?;
    let server = certificate("localhost", &server_key, signer)?;
    let client_key = PKey::from_rsa(Rsa::generate(2048)?)?;
    let client = certificate("modemq client", &client_key, signer)?;
    Ok([
        ("ca.crt", ca.to_pem()?),
        ("server.crt", server.to_pem()?),
        ("server.key", server_key.private_key_to_pem_pkcs8()?),
        ("client.crt", client.to_pem()?),
        ("client.key", client_key.private_key_to_pem_pkcs8()?),
    ])
}

/// A certificate by a signer, or one of an authority by itself.
fn certificate(
    name: &str,
    key: &PKey<Private>,
    signer: Option<(&openssl::x509::X509Ref, &PKey<Private>)>,
) -> Result<X509, ErrorStack> {
    let mut subject = X509Name::builder()?;
    subject.append_entry_by_text("CN", name)?;
    let subject = subject.build();
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::MAYBE_ZERO, false)?;
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_serial_number(&*serial.to_asn1_integer()?)?;
    builder.set_subject_name(&subject)?;
    builder.set_issuer_name(signer.map_or(&subject, |(ca, _)| ca.subject_name()))?;
    builder.set_pubkey(key)?;
    builder.set_not_before(&*Asn1Time::days_from_now(0)?)?;
    builder.set_not_after(&*Asn1Time::days_from_now(DAYS)?)?;
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
            let names = SubjectAlternativeName::new()
                .dns("localhost")
                .ip("127.0.0.1")
                .ip("::1")
                .build(&builder.x509v3_context(Some(ca), None))?;
            builder.append_extension(names)?;
        }
    }
    builder.sign(signer.map_or(key, |(_, key)| key), MessageDigest::sha256())?;
    Ok(builder.build())
}
