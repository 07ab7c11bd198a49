//! NT35E and kin: the ECMT commands, on context 0.
//!
//! The settings are the context's, which ends with the connection: all of them, the authority's certificate among them, are typed
//! before each. That the handshake failed is told by the login.
//!
//! A message has neither length nor quotes in its report: it ends at its first line end here, whatever it holds. The module
//! logs in again by itself when the link breaks, and does not subscribe again.

use super::quectel::logged_in;
use super::{About, Ask, Awaited, Job, Language, PromptAt, Question, Report, Step, Way, Writer};
use super::{OPEN, REPLY, ROUND_TRIP, ask, cellular, cellular_answer, cellular_question};
use super::{
    ends_data, is_access_point, is_any, is_of_another_client, packet_id, packet_result, quoted,
};
use crate::api::{PublishError, Query, Tls, TlsError};
use core::time::Duration;
use dialect::{Form, Line, Model, Value, eigencomm as e, network};

pub(super) struct EigenComm;

/// The context.
const CONTEXT: Value<'static> = Value::Int(0);
/// The longest certificate, in bytes of Base64. Source: firmware, atec_mqtt.c.
const CA_MAX: usize = 4000;

/// The Base64 of the one certificate in a PEM text, and whatever line ends are in it.
fn base64(pem: &str) -> Result<&str, TlsError> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    let (_, rest) = pem.split_once(BEGIN).ok_or(TlsError::NotPem)?;
    let (body, rest) = rest
        .split_once("-----END CERTIFICATE-----")
        .ok_or(TlsError::NotPem)?;
    if rest.contains(BEGIN) {
        return Err(TlsError::OneAuthority);
    }
    let digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let mut len = 0;
    for byte in body.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        if !digit(byte) {
            return Err(TlsError::NotPem);
        }
        len += 1;
    }
    match len {
        0 => Err(TlsError::NotPem),
        1..=CA_MAX => Ok(body),
        _ => Err(TlsError::TooLong(CA_MAX)),
    }
}

impl Language for EigenComm {
    fn sized(&self, _: &Model) -> &'static [&'static Line] {
        &[]
    }

    fn write(&self, job: Job, about: &About<'_>, line: &mut Writer<'_>) -> Step {
        let quick = Ask::new(REPLY);
        let options = about.options;
        match job {
            Job::Apn(0) if options.apn.is_some() => {
                ask(line.command("+CGDCONT", Form::Read, &[]), quick.tolerant())
            }
            Job::Apn(1) if about.reading != Some(1) => match options.apn {
                Some(apn) => ask(
                    line.set("+CGDCONT", &[1.into(), "IP".into(), apn.name.into()]),
                    quick,
                ),
                None => Step::Done,
            },
            Job::Restart => ask(line.command("+NRB", Form::Execute, &[]), quick.tolerant()),
            Job::Close => ask(
                line.set("+ECMTCLOSE", &[CONTEXT]),
                quick
                    .tolerant()
                    .then(Awaited::Released, Duration::from_secs(10)),
            ),
            Job::Configure(0) => ask(
                line.set(
                    "+ECMTCFG=\"keepalive\"",
                    &[CONTEXT, i64::from(options.keep_alive).into()],
                ),
                quick,
            ),
            Job::Configure(1) => ask(
                line.set(
                    "+ECMTCFG=\"session\"",
                    &[CONTEXT, u8::from(about.clean_session).into()],
                ),
                quick,
            ),
            Job::Configure(2) => {
                let fits = match options.will {
                    Some(will) => line.set(
                        "+ECMTCFG=\"will\"",
                        &[
                            CONTEXT,
                            1.into(),
                            will.qos.level().into(),
                            u8::from(will.retain).into(),
                            will.topic.into(),
                            will.payload.into(),
                        ],
                    ),
                    None => line.set("+ECMTCFG=\"will\"", &[CONTEXT, 0.into()]),
                };
                ask(fits, quick)
            }
            Job::Configure(3) => ask(
                line.set("+ECMTCFG=\"version\"", &[CONTEXT, 4.into()]),
                quick,
            ),
            Job::Configure(4) => match options.tls.map(|tls| tls.ca) {
                None => Step::Done,
                // The name that the server's certificate must bear is the host's.
                Some(Some(ca)) => {
                    let body = base64(ca).unwrap_or("");
                    ask(
                        line.set_base64("+ECMTCFG=\"ssl\"", "ca".into(), body),
                        quick,
                    )
                }
                // Source: firmware: this key is never used; with any setting it is TLS, and without "ca" nobody is checked.
                Some(None) => ask(
                    line.set("+ECMTCFG=\"ssl\"", &["ecc".into(), "-".into()]),
                    quick,
                ),
            },
            Job::Open => ask(
                line.set(
                    "+ECMTOPEN",
                    &[CONTEXT, options.host.into(), i64::from(options.port).into()],
                ),
                quick.then(Awaited::Opened, OPEN),
            ),
            Job::Login => {
                let all = [
                    CONTEXT,
                    options.client_id.into(),
                    options.username.unwrap_or("").into(),
                    options.password.unwrap_or("").into(),
                ];
                // Source: firmware: the three of them, or the identifier alone.
                let used = if options.username.is_some() { 4 } else { 2 };
                ask(
                    line.set("+ECMTCONN", &all[..used]),
                    quick.then(Awaited::LoggedIn, ROUND_TRIP),
                )
            }
            Job::Subscribe => ask(
                line.set(
                    "+ECMTSUB",
                    &[
                        CONTEXT,
                        i64::from(about.id).into(),
                        about.topic.into(),
                        about.qos.level().into(),
                    ],
                ),
                quick.then(Awaited::Subscribed, ROUND_TRIP),
            ),
            Job::Unsubscribe => ask(
                line.set(
                    "+ECMTUNS",
                    &[CONTEXT, i64::from(about.id).into(), about.topic.into()],
                ),
                quick.then(Awaited::Unsubscribed, ROUND_TRIP),
            ),
            Job::Publish => {
                let all = [
                    CONTEXT,
                    i64::from(about.id).into(),
                    about.qos.level().into(),
                    u8::from(about.retain).into(),
                    about.topic.into(),
                    about.payload.into(),
                ];
                let mut publish = quick.then(Awaited::Published, ROUND_TRIP);
                let used = if about.way == Way::Inline { 6 } else { 5 };
                if about.way != Way::Inline {
                    publish = publish.prompt(PromptAt::First);
                }
                ask(line.set("+ECMTPUB", &all[..used]), publish)
            }
            Job::Status => ask(line.command("+ECMTCONN", Form::Read, &[]), quick),
            Job::Logout => ask(
                line.set("+ECMTDISC", &[CONTEXT]),
                quick
                    .tolerant()
                    .then(Awaited::Released, Duration::from_secs(10)),
            ),
            job => cellular(job, about, line),
        }
    }

    fn answer(&self, job: Job, about: &About<'_>, text: &[u8]) -> Option<i64> {
        match job {
            Job::Apn(_) if text.starts_with(b"+CGDCONT: 1,") => {
                is_access_point(about.options, &[quoted(text).nth(1)])
            }
            Job::Status => Some(logged_in(e::CONN_READ.parse(text)?.int(1))),
            job => cellular_answer(job, text),
        }
    }

    fn report<'l>(&self, _: &Model, text: &'l [u8], _: bool) -> Report<'l> {
        if is_of_another_client(text, b"+ECMT") {
            return Report::Other;
        }
        if let Some(values) = e::RECV.parse(text) {
            return Report::Message {
                topic: values.text(2),
                payload: values.text(3),
                hex: false,
            };
        }
        if let Some(values) = e::OPEN.parse(text) {
            return Report::Opened(values.int(1) == Some(0));
        }
        if let Some(values) = e::CONN.parse(text) {
            let code = values.int(2).and_then(|code| u8::try_from(code).ok());
            return Report::LoggedIn(match (values.int(1), code) {
                (Some(0), Some(0)) => Ok(()),
                (Some(0), code) => Err(code),
                _ => Err(None),
            });
        }
        if let Some(values) = e::SUB.parse(text) {
            // A refusal of the server cannot be told from its consent: the value is the number of topics.
            let id = packet_id(&values, 1);
            let ok = (values.int(2) == Some(0)).then_some(true);
            return Report::Subscribed { id, ok };
        }
        if let Some(values) = e::PUB.parse(text) {
            return match packet_result(&values) {
                Some((id, ok)) => Report::Published { id, qos: None, ok },
                None => Report::Other,
            };
        }
        if let Some(values) = e::UNS.parse(text) {
            return match packet_result(&values) {
                Some((id, ok)) => Report::Unsubscribed { id, ok },
                None => Report::Other,
            };
        }
        if is_any(&[&e::CLOSE, &e::DISC], text) {
            Report::Released
        } else if is_any(&[&e::STAT], text) {
            Report::Closed
        } else if is_any(&[&e::BOOT_POWER, &e::BOOT_SOFTWARE], text) {
            Report::Booted
        } else if is_any(&[&e::CSCON, &e::REBOOTING], text) {
            Report::Other
        } else {
            super::cellular_report(text)
        }
    }

    fn question(&self, _: &Model, query: Query) -> Option<Question> {
        Some(match query {
            Query::Iccid => Question::new("+ECICCID", Form::Execute, &e::ECICCID, 0),
            Query::Imei => Question::new("+CGSN", Form::Set, &e::CGSN, 0).with(1),
            Query::Firmware => Question::new("+CGMR", Form::Execute, &e::CGMR, 0),
            Query::Model => Question::new("+CGMM", Form::Execute, &network::DIGITS, 0),
            query => return cellular_question(query),
        })
    }

    fn way(&self, model: &Model, _: &str, payload: &[u8]) -> Result<Way, PublishError> {
        let max = model.limits.publish_data;
        if payload.len() > max {
            Err(PublishError::TooLong(max))
        } else if !ends_data(payload) {
            Ok(Way::CtrlZ)
        } else if payload
            .iter()
            .any(|byte| matches!(byte, b'\r' | b'\n' | 0 | 0x08 | 0x7f))
        {
            // Neither the command line nor what follows the prompt can hold it.
            Err(PublishError::Bytes)
        } else {
            Ok(Way::Inline)
        }
    }

    fn check_tls(&self, tls: &Tls<'_>) -> Result<(), TlsError> {
        if tls.identity.is_some() {
            return Err(TlsError::NoIdentity);
        }
        tls.ca.map_or(Ok(()), |ca| base64(ca).map(|_| ()))
    }

    fn topic_max(&self) -> usize {
        255
    }

    fn data_patience(&self, _: Way) -> Option<Duration> {
        // Source: firmware: 20 s.
        Some(Duration::from_secs(20))
    }
}
