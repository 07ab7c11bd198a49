//! What `{name}` stands for in a transcript, and `@file name`.

use crate::certificates::Authority;
use crate::tls;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use time::OffsetDateTime;

/// Values by name, and files.
#[derive(Clone)]
pub struct Variables {
    values: HashMap<String, String>,
    files: BTreeMap<String, Vec<u8>>,
}

/// Without the files: some are private keys.
impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Variables")
            .field("values", &self.values)
            .field("files", &self.file_names())
            .finish()
    }
}

impl Variables {
    /// What is known of every module: where it finds its broker, and who it is.
    pub fn new(host: &str, port: u16) -> Self {
        let identity = module::Identity::default();
        let values = [
            ("host", host.to_string()),
            ("port", port.to_string()),
            ("imei", identity.imei),
            ("iccid", identity.iccid),
            ("imsi", identity.imsi),
        ];
        Self {
            values: values.map(|(name, value)| (name.to_string(), value)).into(),
            files: BTreeMap::new(),
        }
    }

    /// Sets `{now}`, as `AT+CCLK` takes it, from so many seconds since 1970.
    pub fn set_now(&mut self, unix_time: u64) {
        let at = i64::try_from(unix_time).map(OffsetDateTime::from_unix_timestamp);
        let Ok(Ok(at)) = at else { return };
        let (year, month) = (at.year() % 100, u8::from(at.month()));
        let date = format!("{year:02}/{month:02}/{:02}", at.day());
        let time = format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second());
        self.set("now", &format!("{date},{time}+00"));
    }

    /// Sets a value.
    pub fn set(&mut self, name: &str, value: &str) {
        self.values.insert(name.into(), value.into());
    }

    /// A value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Sets a file; one in PEM is there in DER as well, as `name.der`. `{length:name}` is its length in bytes,
    /// `{checksum:name}` the one that `+QFUPL` prints, and `{base64:name}` a certificate in PEM without the lines around it.
    pub fn set_file(&mut self, name: &str, bytes: Vec<u8>) {
        if let Some(body) = certificate_body(&bytes) {
            self.set(&format!("base64:{name}"), &body);
        }
        if let Some(der) = tls::pem_to_der(&bytes) {
            self.set_file(&format!("{name}.der"), der);
        }
        self.set(&format!("length:{name}"), &bytes.len().to_string());
        let sum = dialect::quectel::checksum(&bytes);
        self.set(&format!("checksum:{name}"), &format!("{sum:x}"));
        self.files.insert(name.into(), bytes);
    }

    /// A file's content.
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(Vec::as_slice)
    }

    /// What files there are.
    pub fn file_names(&self) -> Vec<&str> {
        self.files.keys().map(String::as_str).collect()
    }

    /// The files that a module wants for TLS: `ca`, `client-cert` and `client-key`; and as `other-…` those of an authority
    /// that nobody has asked.
    ///
    /// # Errors
    /// OpenSSL's.
    pub fn set_certificates(&mut self, authority: &Authority) -> io::Result<()> {
        for (prefix, authority) in [("", authority), ("other-", Authority::stranger()?)] {
            let client = &authority.client;
            for (name, bytes) in [
                ("ca", &authority.certificate),
                ("client-cert", &client.certificate),
                ("client-key", &client.key),
            ] {
                self.set_file(&format!("{prefix}{name}"), bytes.clone());
            }
        }
        Ok(())
    }
}

/// Of a certificate alone: what stands in a line is printed when the line goes wrong, and a key never is.
fn certificate_body(pem: &[u8]) -> Option<String> {
    let text = str::from_utf8(pem).ok()?;
    let body = text.strip_prefix("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = body.split_once("-----END CERTIFICATE-----")?;
    Some(body.split_whitespace().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_length_and_a_checksum() {
        let mut variables = Variables::new("h", 1);
        variables.set_file("text", b"1234567890".to_vec());
        assert_eq!(variables.get("length:text"), Some("10"));
        assert_eq!(variables.get("checksum:text"), Some("3938"));
        assert_eq!(variables.file_names(), ["text"]);
        for (kind, body) in [("CERTIFICATE", Some("MIIDAw==")), ("PRIVATE KEY", None)] {
            let pem = format!("-----BEGIN {kind}-----\nMIID\nAw==\n-----END {kind}-----\n");
            variables.set_file("pem", pem.into_bytes());
            assert_eq!(variables.get("base64:pem"), body);
            variables = Variables::new("h", 1);
        }
        variables.set_now(1_728_632_315);
        assert_eq!(variables.get("now"), Some("24/10/11,07:38:35+00"));
        let shown = format!("{variables:?}");
        assert!(!shown.contains("1234567890"), "{shown}");
    }
}
