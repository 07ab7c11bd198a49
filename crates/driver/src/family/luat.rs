//! Air780EP, Air700EAQ and kin.
//!
//! `SUBACK`, `PUBACK` and their like name no packet: one is on its way at a time, and when one is late the session is given up
//! (a new one cannot receive it).

use super::{About, Ask, Awaited, Job, Language, PromptAt, Question, Report, Step, Way, Writer};
use super::{ApnHolds, FileName, is_access_point, is_any, read};
use super::{OPEN, REPLY, ROUND_TRIP, ask, cellular, cellular_answer, cellular_question};
use crate::api::{PublishError, QoS, Query};
use core::time::Duration;
use dialect::{Form, Line, Model, Value, luat, network};

pub(super) struct Luat;

/// Commands for each file.
const FILE_STEPS: u8 = 6;

/// Is the file there? If not: delete, create, write, and ask again. Then it is named in the settings of MQTT's TLS, number 88.
fn provision(step: u8, about: &About<'_>, line: &mut Writer<'_>) -> Step {
    let Some(tls) = about.options.tls else {
        return Step::Done;
    };
    let quick = Ask::new(REPLY);
    if step == 3 * FILE_STEPS {
        let level = match tls.level() {
            0 => "0",
            1 => "1",
            _ => "2",
        };
        let values = ["seclevel".into(), 88.into(), level.into()];
        return ask(line.set("+SSLCFG", &values), quick);
    }
    let slot = step / FILE_STEPS;
    if slot > 2 {
        return Step::Done;
    }
    let Some(file) = tls.file(slot) else {
        return Step::Skip;
    };
    let name = FileName::new("", file);
    let there = about.present;
    match step % FILE_STEPS {
        0 => ask(line.set("+FSFLSIZE", &[name.value()]), quick.tolerant()),
        1..=4 if there => Step::Skip,
        1 => ask(line.set("+FSDEL", &[name.value()]), quick.tolerant()),
        2 => ask(line.set("+FSCREATE", &[name.value()]), quick),
        3 => ask(
            line.set(
                "+FSWRITE",
                &[
                    name.value(),
                    0.into(),
                    Value::Int(file.len() as i64),
                    15.into(),
                ],
            ),
            quick.prompt(PromptAt::First),
        ),
        4 => ask(line.set("+FSFLSIZE", &[name.value()]), quick),
        _ if !there => Step::Cannot,
        _ => {
            let setting = ["cacert", "clientcert", "clientkey"][usize::from(slot)];
            let values = [setting.into(), 88.into(), name.value()];
            ask(line.set("+SSLCFG", &values), quick)
        }
    }
}

impl Language for Luat {
    fn sized(&self, _: &Model) -> &'static [&'static Line] {
        &[&luat::MSUB_DIRECT]
    }

    fn write(&self, job: Job, about: &About<'_>, line: &mut Writer<'_>) -> Step {
        let quick = Ask::new(REPLY);
        let options = about.options;
        match job {
            Job::Apn(0) if options.apn.is_some() => {
                ask(line.command("+CPNETAPN", Form::Read, &[]), quick.tolerant())
            }
            Job::Apn(1) if about.reading != Some(1) => match options.apn {
                Some(apn) => ask(
                    line.set(
                        "+CPNETAPN",
                        &[
                            2.into(),
                            apn.name.into(),
                            apn.username.into(),
                            apn.password.into(),
                            i64::from(!apn.username.is_empty()).into(),
                        ],
                    ),
                    quick,
                ),
                None => Step::Done,
            },
            Job::Provision(step) => provision(step, about, line),
            // MIPSTART activates the context again.
            Job::Leave => ask(
                line.set("+CGACT", &[0.into(), 1.into()]),
                Ask::new(Duration::from_secs(40)).tolerant(),
            ),
            Job::Restart => ask(line.command("+RESET", Form::Execute, &[]), quick.tolerant()),
            // Source: guide: recovery begins with MIPCLOSE, whose answer does not matter.
            Job::Close => ask(
                line.command("+MIPCLOSE", Form::Execute, &[]),
                quick.tolerant(),
            ),
            Job::Configure(0) => ask(line.set("+MQTTMODE", &[0.into()]), quick.tolerant()),
            Job::Configure(1) => ask(line.set("+MQTTMSGSET", &[0.into()]), quick.tolerant()),
            Job::Configure(2) => {
                let login = [
                    options.client_id.into(),
                    options.username.unwrap_or("").into(),
                    options.password.unwrap_or("").into(),
                ];
                let fits = match options.will {
                    Some(will) => {
                        let [id, user, password] = login;
                        line.set(
                            "+MCONFIG",
                            &[
                                id,
                                user,
                                password,
                                will.qos.level().into(),
                                u8::from(will.retain).into(),
                                will.topic.into(),
                                will.payload.into(),
                            ],
                        )
                    }
                    None => line.set("+MCONFIG", &login),
                };
                ask(fits, quick)
            }
            Job::Open => ask(
                line.set(
                    if options.tls.is_some() {
                        "+SSLMIPSTART"
                    } else {
                        "+MIPSTART"
                    },
                    &[options.host.into(), i64::from(options.port).into()],
                ),
                quick.then(Awaited::Opened, OPEN),
            ),
            Job::Login => ask(
                line.set(
                    "+MCONNECT",
                    &[
                        u8::from(about.clean_session).into(),
                        i64::from(options.keep_alive).into(),
                    ],
                ),
                quick.then(Awaited::LoggedIn, ROUND_TRIP),
            ),
            Job::Subscribe => ask(
                line.set("+MSUB", &[about.topic.into(), about.qos.level().into()]),
                quick.then(Awaited::Subscribed, ROUND_TRIP),
            ),
            Job::Unsubscribe => ask(
                line.set("+MUNSUB", &[about.topic.into()]),
                quick.then(Awaited::Unsubscribed, ROUND_TRIP),
            ),
            Job::Publish => {
                let head = [
                    about.topic.into(),
                    about.qos.level().into(),
                    u8::from(about.retain).into(),
                ];
                let [topic, qos, retain] = head;
                let (name, last) = match about.way {
                    Way::Length => ("+MPUBEX", Value::Int(about.payload.len() as i64)),
                    _ => ("+MPUB", about.payload.into()),
                };
                let mut publish = quick;
                if about.way == Way::Length {
                    publish = publish.prompt(PromptAt::First);
                }
                if about.qos.level() > 0 {
                    publish = publish.then(Awaited::Published, ROUND_TRIP);
                }
                ask(line.set(name, &[topic, qos, retain, last]), publish)
            }
            Job::Status => ask(line.command("+MQTTSTATU", Form::Execute, &[]), quick),
            Job::Logout => ask(
                line.command("+MDISCONNECT", Form::Execute, &[]),
                quick.tolerant(),
            ),
            job => cellular(job, about, line),
        }
    }

    fn answer(&self, job: Job, about: &About<'_>, text: &[u8]) -> Option<i64> {
        match job {
            Job::Apn(_) => {
                let name = text.strip_prefix(b"APN:")?;
                is_access_point(about.options, &[Some(name)])
            }
            Job::Provision(step) => {
                let (slot, _) = self.file_of(about.model, step)?;
                let file = about.options.tls?.file(slot)?;
                let size = luat::FSFLSIZE.parse(text)?.int(0);
                Some(i64::from(size == Some(file.len() as i64)))
            }
            Job::Status => luat::MQTTSTATU.parse(text)?.int(0),
            job => cellular_answer(job, text),
        }
    }

    fn report<'l>(&self, _: &Model, text: &'l [u8], is_cut: bool) -> Report<'l> {
        if let Some(values) = read(&luat::MSUB_DIRECT, text, is_cut) {
            return Report::Message {
                topic: values.text(0),
                payload: values.text(2),
                hex: false,
            };
        }
        let says = |lines: &[&Line]| is_any(lines, text);
        let published = |qos| Report::Published {
            id: None,
            qos: Some(qos),
            ok: true,
        };
        if says(&[&luat::CONNECT_OK, &luat::CONNECT_OK_MUX]) {
            Report::Opened(true)
        } else if says(&[
            &luat::CONNECT_FAIL,
            &luat::CONNECT_FAIL_MUX,
            &luat::ALREADY_CONNECT,
        ]) {
            Report::Opened(false)
        } else if says(&[&luat::CONNACK_OK]) {
            Report::LoggedIn(Ok(()))
        } else if says(&[&luat::SUBACK]) {
            Report::Subscribed {
                id: None,
                ok: Some(true),
            }
        } else if says(&[&luat::UNSUBACK]) {
            Report::Unsubscribed { id: None, ok: true }
        } else if says(&[&luat::PUBACK]) {
            published(QoS::AtLeastOnce)
        } else if says(&[&luat::PUBCOMP]) {
            published(QoS::ExactlyOnce)
        } else if says(&[&luat::CLOSED]) {
            Report::Closed
        } else if says(&[&luat::RDY]) {
            Report::Booted
        } else if says(&[&luat::MSUB_CACHED, &luat::MSUB_HEX]) {
            Report::Misconfigured
        } else if says(&[&luat::PUBREC, &luat::STATE]) {
            Report::Other
        } else {
            super::cellular_report(text)
        }
    }

    fn question(&self, _: &Model, query: Query) -> Option<Question> {
        Some(match query {
            Query::Iccid => Question::new("+ICCID", Form::Execute, &luat::ICCID, 0),
            Query::Imei => Question::new("+CGSN", Form::Execute, &network::DIGITS, 0),
            Query::Firmware => Question::new("+CGMR", Form::Execute, &luat::CGMR, 0),
            Query::Model => Question::new("+CGMM", Form::Execute, &luat::CGMM, 0),
            query => return cellular_question(query),
        })
    }

    fn way(&self, model: &Model, _: &str, payload: &[u8]) -> Result<Way, PublishError> {
        let limits = &model.limits;
        if payload.len() > limits.publish_data {
            Err(PublishError::TooLong(limits.publish_data))
        } else if payload.is_empty() {
            // MPUBEX takes no message of no bytes.
            Ok(Way::Inline)
        } else {
            Ok(Way::Length)
        }
    }

    fn file_of(&self, _: &Model, step: u8) -> Option<(u8, bool)> {
        Some((step / FILE_STEPS, false))
    }

    // Source: manual, TCPIP/CPNETAPN: the protocol stack starts anew by itself.
    fn apn_holds(&self, _: &Model) -> ApnHolds {
        ApnHolds::AtOnce
    }

    fn topic_max(&self) -> usize {
        256
    }

    fn chooses_packet_ids(&self) -> bool {
        true
    }

    // Source: manual, MQTT/MCONNECT: a login that the server refuses is told as ERROR.
    fn is_anonymous(&self) -> bool {
        true
    }

    fn data_patience(&self, _: Way) -> Option<Duration> {
        // Source: manual, MQTT/MPUBEX, for 5 s without a length; with one a minute is the module's.
        Some(Duration::from_secs(60))
    }
}
