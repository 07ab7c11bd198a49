//! The server's TLS, to who offers what the model offers: suites, versions, certificates.

use super::handshake::{Shown, alert_words, glance, show};
use super::{Cause, Question, Report, lines};
use crate::net::connect_to;
use crate::tls::{self, suite_name};
use module::{Tls, TlsVersion};
use openssl::asn1::Asn1Time;
use openssl::nid::Nid;
use openssl::pkey::Id;
use openssl::x509::{X509, X509NameRef, X509Ref};
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a handshake may take here; modules wait longer, and nobody wants to.
const LIMIT: Duration = Duration::from_secs(10);

/// What the model offers in a handshake. It checks nothing.
pub fn offer(question: &Question) -> Tls {
    Tls {
        suites: question.model.suites.to_vec(),
        server_name: lines::sends_name(question).then(|| question.target.host.clone()),
        identity: question.credentials.identity.clone(),
        timeout: LIMIT,
        ..Tls::default()
    }
}

/// Looks at TLS step by step. False when the module does not get through it.
pub async fn examine(question: &Question, address: SocketAddr, report: &mut Report<'_>) -> bool {
    let examination = Examination { question, address };
    let offer = offer(question);
    let Some(shown) = examination.suites(&offer, report).await else {
        return false;
    };
    examination.versions(&offer, report).await;
    let trusted = examination.certificate(&offer, &shown, report).await;
    examination.client_certificate(&shown, report) && trusted
}

struct Examination<'a> {
    question: &'a Question,
    address: SocketAddr,
}

impl Examination<'_> {
    async fn handshake(&self, tls: &Tls) -> Shown {
        match connect_to(self.address).await {
            Ok(stream) => show(stream, tls).await,
            Err(error) => Shown::failed(error.to_string()),
        }
    }

    /// What the server chooses, and no further.
    async fn choice(&self, tls: &Tls) -> Option<(u16, u16)> {
        glance(connect_to(self.address).await.ok()?, tls)
            .await
            .choice
    }

    /// The choice from all suites, and each alone. Without a common one there is nothing further to see.
    async fn suites(&self, offer: &Tls, report: &mut Report<'_>) -> Option<Shown> {
        let title = self.question.model.title;
        let shown = self.handshake(offer).await;
        let Some((version, suite)) = shown.choice else {
            self.no_choice(offer, &shown, report).await;
            return None;
        };
        let mut taken = Vec::new();
        let mut untried = 0;
        for suite in &offer.suites {
            if suite_name(*suite).is_none() {
                untried += 1;
                continue;
            }
            let alone = Tls {
                suites: vec![*suite],
                ..offer.clone()
            };
            if self
                .choice(&alone)
                .await
                .is_some_and(|(_, chosen)| chosen == *suite)
            {
                taken.push(format!("{suite:04X}"));
            }
        }
        let untried = match untried {
            0 => String::new(),
            n => format!(" ({n} are not tried: this program lacks them)"),
        };
        report.good(
            "cipher suite",
            format!(
                "{} with {}; of the {} suites of the {title}{untried} the server takes {}",
                version_words(version),
                suite_words(suite),
                offer.suites.len(),
                taken.join(" ")
            ),
        );
        Some(shown)
    }

    /// Nothing came of the offer: who has what the other lacks?
    async fn no_choice(&self, offer: &Tls, shown: &Shown, report: &mut Report<'_>) {
        let step = "TLS";
        let title = self.question.model.title;
        let why = ended(shown);
        if shown.is_not_tls {
            return report.bad(step, Cause::NotTls, "what the server says is no TLS");
        }
        // RFC 5246, 7.2: 70 is protocol_version.
        if shown.alert == Some(70) {
            let says = format!("the {title} offers TLS 1.0 to 1.2, and the server ends with {why}");
            return report.bad(step, Cause::NoCommonVersion, says);
        }
        let host = &self.question.target.host;
        let named = Tls {
            server_name: Some(host.clone()),
            ..offer.clone()
        };
        if offer.server_name.is_none() && self.choice(&named).await.is_some() {
            let says =
                format!("{why}; with the name {host} in the ClientHello (SNI) the server answers");
            return report.bad(step, Cause::NameWanted, says);
        }
        let everything = Tls {
            suites: tls::all_suites().collect(),
            ..named
        };
        let Some((_, suite)) = self.choice(&everything).await else {
            let cause = match shown.alert {
                Some(40) => Cause::NoCommonSuite,
                _ => Cause::HandshakeFailed,
            };
            return report.bad(
                step,
                cause,
                format!("the server takes no suite that modules have: {why}"),
            );
        };
        // Such a suite goes with such a certificate, and none of the model's can be had with it.
        let is_ecdsa = suite_name(suite).is_some_and(|name| name.contains("ECDSA"));
        let cause = if is_ecdsa {
            Cause::CertificateKind
        } else {
            Cause::NoCommonSuite
        };
        let offered: Vec<_> = offer.suites.iter().copied().map(suite_words).collect();
        let says = format!(
            "the {title} offers {}; the server would take {}, and ends with {why}",
            offered.join(", "),
            suite_words(suite)
        );
        report.bad(step, cause, says);
    }

    async fn versions(&self, offer: &Tls, report: &mut Report<'_>) {
        let mut words = Vec::new();
        for (version, number) in [
            (TlsVersion::Tls10, 0x0301),
            (TlsVersion::Tls11, 0x0302),
            (TlsVersion::Tls12, 0x0303),
        ] {
            let only = Tls {
                versions: (version, version),
                ..offer.clone()
            };
            // A server that has lower ones only answers with one of them.
            let choice = self.choice(&only).await;
            let taken = choice.is_some_and(|(chosen, _)| chosen == number);
            words.push(format!("{version} {}", if taken { "yes" } else { "no" }));
        }
        report.good("TLS version", words.join(", "));
    }

    /// What the server shows, and whether the model would believe it.
    async fn certificate(&self, offer: &Tls, shown: &Shown, report: &mut Report<'_>) -> bool {
        let step = "certificate";
        let Some(own) = shown.chain.first() else {
            report.bad(
                step,
                Cause::HandshakeFailed,
                "the server shows no certificate",
            );
            return false;
        };
        report.good(step, describe(own, shown.chain.len()));
        let checks = self.question.credentials.authorities.is_some();
        let mut works = true;
        for certificate in shown.chain.iter().filter(|own| !is_self_signed(own)) {
            let Some(kind) = unknown_signature(certificate) else {
                continue;
            };
            let says = format!("{}: {kind}", name(certificate.subject_name()));
            if checks {
                report.bad("signature", Cause::UnknownSignature, says);
                works = false;
            } else {
                report.remark("signature", Cause::UnknownSignature, says);
            }
        }
        if let Some(odd) = oddity(&shown.chain) {
            report.remark("signature", Cause::UnusualCertificate, odd);
        }
        works &= self.dates(&shown.chain, report);
        let Some(authorities) = &self.question.credentials.authorities else {
            report.skipped("CA", "not checked, as the module does not without --cafile");
            return works;
        };
        let check = Tls {
            authorities: Some(authorities.clone()),
            ..offer.clone()
        };
        works & self.authority(&check, shown, report).await && self.host_name(check, report).await
    }

    async fn authority(&self, check: &Tls, shown: &Shown, report: &mut Report<'_>) -> bool {
        let step = "CA";
        match Verified::of(&self.handshake(check).await) {
            Verified::Yes => {
                report.good(step, "the certificate is by an authority in --cafile");
                return true;
            }
            Verified::Unknown(why) => {
                report.bad(
                    step,
                    Cause::HandshakeFailed,
                    format!("not found out: {why}"),
                );
            }
            Verified::No(why) if why.contains("purpose") => {
                report.bad(step, Cause::WrongPurpose, why);
            }
            Verified::No(why) => {
                let issuer = shown.chain.last().map(|last| name(last.issuer_name()));
                let issuer = issuer.unwrap_or_default();
                let says = format!("{why}; the server's chain ends at one by {issuer}");
                report.bad(step, Cause::CaNotMatching, says);
            }
        }
        false
    }

    async fn host_name(&self, check: Tls, report: &mut Report<'_>) -> bool {
        let step = "host name";
        let host = &self.question.target.host;
        let named = Tls {
            expected_name: Some(host.clone()),
            ..check
        };
        match Verified::of(&self.handshake(&named).await) {
            Verified::Yes => report.good(step, format!("{host} stands in the certificate")),
            Verified::Unknown(why) => report.remark(step, None, format!("not found out: {why}")),
            Verified::No(_) => {
                let says = format!("{host} does not stand in the certificate");
                if lines::sends_name(self.question) && lines::checks_name(self.question.model) {
                    report.bad(step, Cause::WrongHostname, says);
                    return false;
                }
                let says = format!("{says}; the lines below do not check it");
                report.remark(step, Cause::WrongHostname, says);
            }
        }
        true
    }

    fn dates(&self, chain: &[X509], report: &mut Report<'_>) -> bool {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let now = i64::try_from(now.as_secs()).ok();
        let Some(now) = now.and_then(|now| Asn1Time::from_unix(now).ok()) else {
            return true;
        };
        for certificate in chain {
            let (cause, words) = if certificate.not_after() < now {
                (
                    Cause::CertificateExpired,
                    format!("expired on {}", certificate.not_after()),
                )
            } else if certificate.not_before() > now {
                let from = certificate.not_before();
                (
                    Cause::CertificateNotYetValid,
                    format!("valid from {from} only"),
                )
            } else {
                continue;
            };
            let says = format!("{}: {words}", name(certificate.subject_name()));
            if self.question.heeds_dates() {
                report.bad("dates", cause, says);
                return false;
            }
            let says = format!(
                "{says}; a module that ignores dates, as is the default, connects all the same"
            );
            report.remark("dates", cause, says);
            return true;
        }
        report.good("dates", "every certificate of the chain is in date");
        true
    }

    /// Whether the server wants to see one. [`Question::credentials`] was shown when it holds one.
    fn client_certificate(&self, shown: &Shown, report: &mut Report<'_>) -> bool {
        let step = "client certificate";
        let shows = self.question.credentials.identity.is_some();
        // A server that wants one and got none, or dislikes what it got, gives up after its own flight.
        match (shown.asks_for_certificate, shown.failure.is_some(), shows) {
            (false, false, true) => {
                report.remark(step, None, "given, and the server does not ask for it");
            }
            (false, false, false) => report.good(step, "the server does not ask for one"),
            (true, false, true) => report.good(step, "the server asks for one and takes it"),
            (true, false, false) => {
                report.remark(step, None, "the server asks for one, and does without");
            }
            (true, true, false) => {
                let says = format!("the server insists on one: {}", ended(shown));
                report.bad(step, Cause::ClientCertificateMissing, says);
                return false;
            }
            (true, true, true) => {
                report.bad(step, Cause::ClientCertificateRefused, ended(shown));
                return false;
            }
            (false, true, _) => {
                report.bad("TLS", Cause::HandshakeFailed, ended(shown));
                return false;
            }
        }
        true
    }
}

/// What became of a check.
enum Verified {
    Yes,
    No(String),
    /// The server did not come to show a certificate.
    Unknown(String),
}

impl Verified {
    fn of(shown: &Shown) -> Self {
        match &shown.failure {
            Some(why) if why.starts_with("certificate:") => Self::No(why.clone()),
            _ if shown.chain.is_empty() => Self::Unknown(ended(shown)),
            _ => Self::Yes,
        }
    }
}

fn ended(shown: &Shown) -> String {
    match (shown.alert, &shown.failure) {
        (Some(alert), _) => alert_words(alert),
        (None, Some(why)) => why.clone(),
        (None, None) => "the handshake was done".into(),
    }
}

fn describe(certificate: &X509, length: usize) -> String {
    let key = match certificate.public_key() {
        Ok(key) => match key.id() {
            Id::RSA => format!("RSA with {} bits", key.bits()),
            Id::EC => format!("EC with {} bits", key.bits()),
            other => format!("key {other:?}"),
        },
        Err(_) => "a key of an unknown kind".into(),
    };
    let algorithm = certificate.signature_algorithm().object().nid();
    format!(
        "{} by {}, {key}, {}, until {}; {length} in the chain",
        name(certificate.subject_name()),
        name(certificate.issuer_name()),
        algorithm.long_name().unwrap_or("unknown signature"),
        certificate.not_after(),
    )
}

fn is_self_signed(certificate: &X509Ref) -> bool {
    certificate.issued(certificate) == openssl::x509::X509VerifyResult::OK
}

/// Inferred: no embedded library of a module's time verifies RSA-PSS or EdDSA in certificates.
fn unknown_signature(certificate: &X509) -> Option<&'static str> {
    let algorithm = certificate.signature_algorithm().object().nid();
    match algorithm {
        Nid::RSASSAPSS => Some("signed with RSA-PSS"),
        _ => match algorithm.short_name() {
            Ok("ED25519") => Some("signed with Ed25519"),
            Ok("ED448") => Some("signed with Ed448"),
            _ => None,
        },
    }
}

/// What a library on a PC takes, and one in a module may not. Inferred: no document of a module's says where its library ends.
fn oddity(chain: &[X509]) -> Option<String> {
    if chain.len() > 4 {
        return Some(format!(
            "a chain of {}: modules have little memory for one",
            chain.len()
        ));
    }
    let odd = chain.iter().find_map(|certificate| {
        let key = certificate.public_key().ok()?;
        let is_odd = key.id() == Id::RSA && !(1024..=4096).contains(&key.bits());
        is_odd.then(|| {
            format!(
                "{}: RSA with {} bits",
                name(certificate.subject_name()),
                key.bits()
            )
        })
    })?;
    Some(format!("{odd}: a module's library may not take it"))
}

/// The common name, or the whole.
fn name(name: &X509NameRef) -> String {
    let common = name.entries_by_nid(Nid::COMMONNAME).next();
    match common.and_then(|entry| entry.data().to_string().ok()) {
        Some(common) => format!("{:?}", &*common),
        None => format!("{name:?}"),
    }
}

fn suite_words(suite: u16) -> String {
    match suite_name(suite) {
        Some(name) => format!("0X{suite:04X} {name}"),
        None => format!("0X{suite:04X}"),
    }
}

fn version_words(version: u16) -> &'static str {
    match version {
        0x0301 => "TLS 1.0",
        0x0302 => "TLS 1.1",
        0x0303 => "TLS 1.2",
        _ => "another version of TLS",
    }
}
