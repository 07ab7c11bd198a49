//! TLS as a host sets its module up for it.

use crate::core::Core;
use crate::files::FileError;
use std::fmt;
use std::time::Duration;

/// A version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsVersion {
    /// SSL 3.0
    Ssl30,
    /// TLS 1.0
    Tls10,
    /// TLS 1.1
    Tls11,
    /// TLS 1.2
    Tls12,
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ssl30 => "SSL 3.0",
            Self::Tls10 => "TLS 1.0",
            Self::Tls11 => "TLS 1.1",
            Self::Tls12 => "TLS 1.2",
        })
    }
}

/// A pre-shared key.
#[derive(Clone, PartialEq, Eq)]
pub struct Psk {
    /// Whose key it is.
    pub identity: Vec<u8>,
    /// The key itself.
    pub key: Vec<u8>,
}

/// What a handshake offers, checks and shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Tls {
    /// The lowest and the highest version that is offered.
    pub versions: (TlsVersion, TlsVersion),
    /// The cipher suites that are offered, and no others: IANA's numbers, the preferred one first.
    pub suites: Vec<u16>,
    /// The name in the ClientHello (SNI), when there is one.
    pub server_name: Option<String>,
    /// The protocols that the ClientHello names (ALPN); none: it has no such extension.
    pub protocols: Vec<String>,
    /// Whose signature the server's certificate must bear: certificates in PEM or DER, as they were written to the module.
    /// `None`: whatever the server shows is taken.
    pub authorities: Option<Vec<u8>>,
    /// How many certificates there may be between the server's and that of an authority.
    pub intermediates: u8,
    /// The name that the server's certificate must bear, when that is checked.
    pub expected_name: Option<String>,
    /// Whether an address is looked for among the addresses of a certificate; otherwise among its names, where it hardly ever
    /// stands.
    pub checks_addresses: bool,
    /// The module's clock in seconds since 1970, when the dates of certificates are checked against it.
    pub time: Option<i64>,
    /// The module's certificate and its private key, in PEM or DER.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
    /// A key that the server has as well.
    pub psk: Option<Psk>,
    /// How long the handshake may take.
    pub timeout: Duration,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            versions: (TlsVersion::Tls10, TlsVersion::Tls12),
            suites: Vec::new(),
            server_name: None,
            protocols: Vec::new(),
            authorities: None,
            intermediates: 20,
            expected_name: None,
            checks_addresses: true,
            time: None,
            identity: None,
            psk: None,
            timeout: Duration::from_secs(60),
        }
    }
}

/// Without the certificates, and never the key.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("versions", &self.versions)
            .field("suites", &self.suites)
            .field("server_name", &self.server_name)
            .field("protocols", &self.protocols)
            .field("authorities", &self.authorities.as_ref().map(Vec::len))
            .field("intermediates", &self.intermediates)
            .field("expected_name", &self.expected_name)
            .field("checks_addresses", &self.checks_addresses)
            .field("time", &self.time)
            .field("identity", &self.identity.is_some())
            .field("psk", &self.psk.is_some())
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// Source: mbedTLS, MBEDTLS_X509_MAX_INTERMEDIATE_CA.
pub(crate) const MBEDTLS_INTERMEDIATES: u8 = 8;

/// What a handshake with this host will be, by the settings that AT+SSLCFG and AT+QSSLCFG have alike: `setting` is one of
/// them as it was written, `None` its default; `certificate` is the content of `cacert`, `clientcert` or `clientkey`, `None`
/// when it is not set. The error says what is missing.
pub(crate) fn handshake(
    core: &Core,
    host: &str,
    setting: impl Fn(&str) -> Option<String>,
    certificate: impl Fn(&str) -> Result<Option<Vec<u8>>, String>,
) -> Result<Tls, String> {
    let text = |name: &str| setting(name).unwrap_or_default();
    let number = |name: &str, default: i64| text(name).parse().unwrap_or(default);
    let only = |version| (version, version);
    let versions = match number("sslversion", 4) {
        0 => only(TlsVersion::Ssl30),
        1 => only(TlsVersion::Tls10),
        2 => only(TlsVersion::Tls11),
        3 => only(TlsVersion::Tls12),
        _ => (TlsVersion::Tls10, TlsVersion::Tls12),
    };
    let suite = text("ciphersuite").to_ascii_uppercase();
    let suites = match u16::from_str_radix(suite.trim_start_matches("0X"), 16) {
        Ok(0xffff) | Err(_) => core.model.suites.to_vec(),
        Ok(suite) => vec![suite],
    };
    let level = number("seclevel", 0);
    let authorities = match (level, certificate("cacert")?) {
        (0, _) => None,
        (_, Some(found)) => Some(found),
        (_, None) => return Err("seclevel wants a cacert, and none is set".into()),
    };
    // Source: Luat AT manual, SSLCFG: the client's certificate is shown when the server asks for it.
    let identity = match (level, certificate("clientcert")?, certificate("clientkey")?) {
        (2, Some(own), Some(key)) => Some((own, key)),
        (2, Some(_), None) => return Err("a clientcert is set, and no clientkey".into()),
        (2, None, Some(_)) => return Err("a clientkey is set, and no clientcert".into()),
        _ => None,
    };
    let checks_dates = authorities.is_some() && number("ignorelocaltime", 1) == 0;
    // Inferred: as with mbedTLS, a name that is set is sent, and the certificate must bear it when it is checked.
    let name = Some(text("hostname")).filter(|name| !name.is_empty());
    let sni = (number("sni", 0) == 1).then(|| host.to_string());
    let check = (number("checkhost", 0) == 1).then(|| host.to_string());
    let expected_name = name.clone().or(check).filter(|_| authorities.is_some());
    let seconds = ["negotiatetimeout", "negotiatetime"]
        .into_iter()
        .find_map(|name| text(name).parse().ok());
    Ok(Tls {
        versions,
        suites,
        server_name: name.or(sni),
        authorities,
        expected_name,
        time: checks_dates.then(|| core.clock.unix(core.now)),
        identity,
        timeout: Duration::from_secs(seconds.unwrap_or(300)),
        ..Tls::default()
    })
}

/// The content of a file that a setting names; `None` when it names none.
pub(crate) fn file(core: &Core, name: &str, path: &str) -> Result<Option<Vec<u8>>, String> {
    if path.is_empty() {
        return Ok(None);
    }
    let found = core.files.read(path.as_bytes());
    let found = found.map_err(|error: FileError| format!("{name} {path}: {error}"))?;
    Ok(Some(found.to_vec()))
}
