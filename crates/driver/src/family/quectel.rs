//! BC26, EC20 and BG95: the QMT commands, on client 0.

use super::{
    About, Ask, Awaited, Format, Job, Language, PromptAt, Question, Report, Step, Way, Writer,
};
use super::{
    ApnHolds, FileName, ends_data, is_access_point, is_any, is_of_another_client, packet_id,
    packet_result, quoted, read,
};
use super::{BEARER, OPEN, REPLY, ROUND_TRIP, ask, cellular, cellular_answer, cellular_question};
use crate::api::{PublishError, Query};
use core::time::Duration;
use dialect::model::Bearer;
use dialect::{Form, Line, Model, Value, network, quectel as q};

pub(super) struct Quectel;

/// The client.
const CLIENT: Value<'static> = Value::Int(0);
/// The TLS context.
const TLS_CONTEXT: Value<'static> = Value::Int(2);
/// The same on a BC26, and its connection.
const TLS_CONTEXT_NB: Value<'static> = Value::Int(1);
const TLS_CONNECTION: Value<'static> = Value::Int(5);
/// Commands for each file.
const FILE_STEPS: u8 = 4;
const NB_FILE_STEPS: u8 = 2;

fn is_nb(model: &Model) -> bool {
    model.bearer == Bearer::NbIot
}

/// Does `AT+QMTPUB` take a length? The EC20 has `AT+QMTPUBEX` for it.
fn publishes_with(model: &Model, way: Way) -> &'static str {
    let of_length = dialect::command::find(model.commands, b"+QMTPUB")
        .and_then(|command| command.set)
        .is_some_and(|params| params.len() > 5);
    if way == Way::Length && !of_length {
        "+QMTPUBEX"
    } else {
        "+QMTPUB"
    }
}

impl Language for Quectel {
    fn sized(&self, model: &Model) -> &'static [&'static Line] {
        if is_nb(model) { &[] } else { &[&q::RECV_LEN] }
    }

    fn write(&self, job: Job, about: &About<'_>, line: &mut Writer<'_>) -> Step {
        let quick = Ask::new(REPLY);
        let options = about.options;
        let nb = is_nb(about.model);
        match job {
            Job::Apn(0) if options.apn.is_some() && nb => ask(
                line.command("+QCGDEFCONT", Form::Read, &[]),
                quick.tolerant(),
            ),
            Job::Apn(0) if options.apn.is_some() => {
                ask(line.set("+QICSGP", &[1.into()]), quick.tolerant())
            }
            Job::Apn(1) if about.reading != Some(1) => match options.apn {
                Some(apn) if nb => ask(
                    line.set(
                        "+QCGDEFCONT",
                        &[
                            "IP".into(),
                            apn.name.into(),
                            apn.username.into(),
                            apn.password.into(),
                        ],
                    ),
                    quick,
                ),
                Some(apn) => ask(
                    line.set(
                        "+QICSGP",
                        &[
                            1.into(),
                            1.into(),
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
            Job::Provision(step) if nb => provision_nb(step, about, line),
            Job::Provision(step) => provision(step, about, line),
            Job::Bearer(0) if !nb => ask(line.command("+QIACT", Form::Read, &[]), quick),
            // Source: field: ERROR when it is active.
            Job::Bearer(1) if !nb && about.reading != Some(1) => ask(
                line.set("+QIACT", &[1.into()]),
                // Source: EC2x TCP/IP AN: 150 s at most.
                Ask::new(Duration::from_secs(150)),
            ),
            Job::Bearer(_) => Step::Done,
            Job::Leave if !nb => ask(
                line.set("+QIDEACT", &[1.into()]),
                Ask::new(Duration::from_secs(40)).tolerant(),
            ),
            Job::Restart if nb => ask(line.set("+QRST", &[1.into()]), quick.tolerant()),
            Job::Restart => ask(line.set("+CFUN", &[1.into(), 1.into()]), quick.tolerant()),
            Job::Close => ask(
                line.set("+QMTCLOSE", &[CLIENT]),
                quick
                    .tolerant()
                    .then(Awaited::Released, Duration::from_secs(10)),
            ),
            Job::Configure(0) => ask(line.set("+QMTCFG=\"version\"", &[CLIENT, 4.into()]), quick),
            Job::Configure(1) => ask(
                line.set(
                    "+QMTCFG=\"keepalive\"",
                    &[CLIENT, i64::from(options.keep_alive).into()],
                ),
                quick,
            ),
            Job::Configure(2) => ask(
                line.set(
                    "+QMTCFG=\"session\"",
                    &[CLIENT, u8::from(about.clean_session).into()],
                ),
                quick,
            ),
            Job::Configure(3) => {
                let fits = match options.will {
                    Some(will) => line.set(
                        "+QMTCFG=\"will\"",
                        &[
                            CLIENT,
                            1.into(),
                            will.qos.level().into(),
                            u8::from(will.retain).into(),
                            will.topic.into(),
                            will.payload.into(),
                        ],
                    ),
                    None => line.set("+QMTCFG=\"will\"", &[CLIENT, 0.into()]),
                };
                ask(fits, quick)
            }
            // Received in hexadecimal digits: a payload may hold anything, and its report has no length.
            Job::Configure(4) if nb => set_format(false, line),
            Job::Configure(4) => ask(
                line.set("+QMTCFG=\"recv/mode\"", &[CLIENT, 0.into(), 1.into()]),
                quick,
            ),
            // Digits that are none would be taken for digits.
            Job::Configure(5) if nb => read_format(line),
            // Without lengths no message can be told from what the module says.
            Job::Configure(5) => ask(
                line.set("+QMTCFG=\"recv/mode\"", &[CLIENT]),
                quick.tolerant(),
            ),
            Job::Configure(6) if options.tls.is_some() => {
                let context = if nb { TLS_CONTEXT_NB } else { TLS_CONTEXT };
                let all = [CLIENT, 1.into(), context, TLS_CONNECTION];
                let used = if nb { 4 } else { 3 };
                ask(line.set("+QMTCFG=\"ssl\"", &all[..used]), quick)
            }
            // What used the module before may have left it on.
            Job::Configure(6) => ask(
                line.set("+QMTCFG=\"ssl\"", &[CLIENT, 0.into()]),
                quick.tolerant(),
            ),
            Job::Configure(_) => Step::Done,
            Job::Open => ask(
                line.set(
                    "+QMTOPEN",
                    &[CLIENT, options.host.into(), i64::from(options.port).into()],
                ),
                quick.then(Awaited::Opened, OPEN),
            ),
            Job::Login => {
                let all = [
                    CLIENT,
                    options.client_id.into(),
                    options.username.unwrap_or("").into(),
                    options.password.unwrap_or("").into(),
                ];
                let used = match (options.username, options.password) {
                    (None, _) => 2,
                    (Some(_), None) => 3,
                    (Some(_), Some(_)) => 4,
                };
                ask(
                    line.set("+QMTCONN", &all[..used]),
                    quick.then(Awaited::LoggedIn, ROUND_TRIP),
                )
            }
            Job::Subscribe => ask(
                line.set(
                    "+QMTSUB",
                    &[
                        CLIENT,
                        i64::from(about.id).into(),
                        about.topic.into(),
                        about.qos.level().into(),
                    ],
                ),
                quick.then(Awaited::Subscribed, ROUND_TRIP),
            ),
            Job::Unsubscribe => ask(
                line.set(
                    "+QMTUNS",
                    &[CLIENT, i64::from(about.id).into(), about.topic.into()],
                ),
                quick.then(Awaited::Unsubscribed, ROUND_TRIP),
            ),
            Job::Prepare if nb => match (about.format, about.way == Way::Hex) {
                (Format::Known { hex }, wanted) if hex == wanted => Step::Done,
                (Format::Set { hex }, wanted) if hex == wanted => read_format(line),
                (_, wanted) => set_format(wanted, line),
            },
            Job::Publish => {
                let head = [
                    CLIENT,
                    i64::from(about.id).into(),
                    about.qos.level().into(),
                    u8::from(about.retain).into(),
                    about.topic.into(),
                    Value::Int(about.payload.len() as i64),
                ];
                let used = if about.way == Way::Length { 6 } else { 5 };
                ask(
                    line.set(publishes_with(about.model, about.way), &head[..used]),
                    quick
                        .prompt(PromptAt::First)
                        .then(Awaited::Published, ROUND_TRIP),
                )
            }
            Job::Status => ask(line.command("+QMTCONN", Form::Read, &[]), quick),
            Job::Logout => ask(
                line.set("+QMTDISC", &[CLIENT]),
                quick
                    .tolerant()
                    .then(Awaited::Released, Duration::from_secs(10)),
            ),
            job => cellular(job, about, line),
        }
    }

    fn answer(&self, job: Job, about: &About<'_>, text: &[u8]) -> Option<i64> {
        match job {
            Job::Apn(_) if text.starts_with(b"+QICSGP: ") => {
                let mut texts = quoted(text);
                let own = [texts.next(), texts.next(), texts.next()];
                is_access_point(about.options, &own)
            }
            Job::Apn(_) if text.starts_with(b"+QCGDEFCONT: ") => {
                let mut texts = quoted(text).skip(1);
                let own = [texts.next(), texts.next(), texts.next()];
                is_access_point(about.options, &own)
            }
            Job::Provision(step) => {
                let (slot, _) = self.file_of(about.model, step)?;
                let file = about.options.tls?.file(slot)?;
                let len = Some(file.len() as i64);
                let is_whole = if let Some(values) = q::QFUPL.parse(text) {
                    values.int(0) == len && hex(values.text(1)) == Some(checksum(file))
                } else if let Some(values) = q::QSSLCFG_CERTIFICATE.parse(text) {
                    values.int(3) == len
                } else {
                    q::QFLST.parse(text)?.int(1) == len
                };
                Some(i64::from(is_whole))
            }
            Job::Bearer(0) => {
                let values = q::QIACT.parse(text)?;
                (values.int(0) == Some(1)).then(|| values.int(1)).flatten()
            }
            Job::Status => {
                let values = q::CONN_READ.parse(text)?;
                (values.int(0) == Some(0)).then(|| logged_in(values.int(1)))
            }
            Job::Configure(_) if text.starts_with(b"+QMTCFG: \"recv/mode\",") => {
                Some(i64::from(text == b"+QMTCFG: \"recv/mode\",0,1"))
            }
            Job::Configure(_) | Job::Prepare => {
                let values = q::DATA_FORMAT.parse(text)?;
                let sends_hex = job == Job::Prepare && about.way == Way::Hex;
                let wanted = [Some(i64::from(sends_hex)), Some(1)];
                Some(i64::from([values.int(0), values.int(1)] == wanted))
            }
            job => cellular_answer(job, text),
        }
    }

    fn report<'l>(&self, model: &Model, text: &'l [u8], is_cut: bool) -> Report<'l> {
        if is_of_another_client(text, b"+QMT") {
            return Report::Other;
        }
        if let Some(values) = read(&q::RECV_LEN, text, is_cut) {
            return Report::Message {
                topic: values.text(2),
                payload: values.text(4),
                hex: false,
            };
        }
        if let Some(values) = q::RECV.parse(text) {
            if !is_nb(model) {
                return Report::Misconfigured;
            }
            return Report::Message {
                topic: values.text(2),
                payload: values.text(3),
                hex: true,
            };
        }
        if let Some(values) = q::OPEN.parse(text) {
            return Report::Opened(values.int(1) == Some(0));
        }
        if let Some(values) = q::CONN.parse(text) {
            let code = values.int(2).and_then(|code| u8::try_from(code).ok());
            return Report::LoggedIn(match (values.int(1), code) {
                (Some(0), Some(0)) => Ok(()),
                (Some(0), code) => Err(code),
                _ => Err(None),
            });
        }
        if let Some(values) = q::CONN_FAILED.parse(text) {
            // 1: sent again. What is above 2 is no result, but the state that a question asked for.
            return match values.int(1) {
                // Inferred: <ret_code> is optional, and some firmware (EC200U) leaves it out.
                Some(0) => Report::LoggedIn(Ok(())),
                Some(2) => Report::LoggedIn(Err(None)),
                _ => Report::Other,
            };
        }
        if let Some(values) = q::SUB.parse(text) {
            let id = packet_id(&values, 1);
            return match values.int(2) {
                Some(0) => Report::Subscribed {
                    id,
                    ok: Some(values.text(3) != b"128"),
                },
                Some(1) => Report::Other,
                _ => Report::Subscribed { id, ok: None },
            };
        }
        if let Some(values) = q::SUB_FAILED.parse(text) {
            let id = packet_id(&values, 1);
            return Report::Subscribed { id, ok: None };
        }
        if let Some(values) = [&q::PUB, &q::PUBEX]
            .iter()
            .find_map(|line| line.parse(text))
        {
            return match packet_result(&values) {
                Some((id, ok)) => Report::Published { id, qos: None, ok },
                None => Report::Other,
            };
        }
        if let Some(values) = q::UNS.parse(text) {
            return match packet_result(&values) {
                Some((id, ok)) => Report::Unsubscribed { id, ok },
                None => Report::Other,
            };
        }
        if is_nb(model) && is_of_boot_rom(text) {
            return Report::Other;
        }
        if is_any(&[&q::CLOSE, &q::DISC], text) {
            Report::Released
        } else if is_any(&[&q::STAT], text) {
            Report::Closed
        } else if let Some(values) = q::PDPDEACT.parse(text) {
            match values.int(0) {
                Some(BEARER) => Report::BearerLost,
                _ => Report::Other,
            }
        } else if is_any(&[&q::RDY, &q::BROM], text) {
            Report::Booted
        } else if is_any(&[&q::APP_RDY], text) {
            Report::Ready
        } else if is_any(&[&q::RECV_KEPT], text) {
            Report::Misconfigured
        } else if is_any(
            &[
                &q::PING,
                &q::FULL,
                &q::QUSIM,
                &q::IP,
                &q::QATWAKEUP,
                &q::QNBIOTEVENT,
                &q::CSCON,
            ],
            text,
        ) {
            Report::Other
        } else {
            super::cellular_report(text)
        }
    }

    fn question(&self, model: &Model, query: Query) -> Option<Question> {
        Some(match query {
            Query::Iccid => Question::new("+QCCID", Form::Execute, &q::QCCID, 0),
            Query::Imei if is_nb(model) => Question::new("+CGSN", Form::Set, &q::CGSN, 0).with(1),
            Query::Imei => Question::new("+CGSN", Form::Execute, &network::DIGITS, 0),
            Query::Firmware => Question::new("+CGMR", Form::Execute, &network::DIGITS, 0),
            Query::Model => Question::new("+CGMM", Form::Execute, &network::DIGITS, 0),
            query => return cellular_question(query),
        })
    }

    fn way(&self, model: &Model, _: &str, payload: &[u8]) -> Result<Way, PublishError> {
        let max = model.limits.publish_data;
        if payload.len() > max {
            return Err(PublishError::TooLong(max));
        }
        if !is_nb(model) {
            // No length of 0 is taken.
            return Ok(if payload.is_empty() {
                Way::CtrlZ
            } else {
                Way::Length
            });
        }
        if !ends_data(payload) {
            return Ok(Way::CtrlZ);
        }
        // Two digits a byte.
        if payload.len() > max / 2 {
            return Err(PublishError::TooLong(max / 2));
        }
        Ok(Way::Hex)
    }

    fn file_of(&self, model: &Model, step: u8) -> Option<(u8, bool)> {
        Some(if is_nb(model) {
            (step / NB_FILE_STEPS, true)
        } else {
            (step / FILE_STEPS, false)
        })
    }

    fn apn_holds(&self, model: &Model) -> ApnHolds {
        // Inferred of the BC26: its manual says from the next start on; of the others, that a context that is active keeps its own.
        if is_nb(model) {
            ApnHolds::AfterRestart
        } else {
            ApnHolds::AfterRadio
        }
    }

    fn topic_max(&self) -> usize {
        255
    }

    fn data_patience(&self, _: Way) -> Option<Duration> {
        // Inferred, as the module's minute is.
        Some(Duration::from_secs(60))
    }
}

/// Is the file there? If not: delete it and upload it, which tells its checksum. Then it is named in the TLS context.
fn provision(step: u8, about: &About<'_>, line: &mut Writer<'_>) -> Step {
    let Some(tls) = about.options.tls else {
        return Step::Done;
    };
    let quick = Ask::new(REPLY);
    let slot = step / FILE_STEPS;
    let mut set = |name: &str, value: Value<'_>| ask(line.set(name, &[TLS_CONTEXT, value]), quick);
    match step.checked_sub(3 * FILE_STEPS) {
        Some(0) => return set("+QSSLCFG=\"seclevel\"", tls.level().into()),
        Some(1) => return set("+QSSLCFG=\"sslversion\"", 4.into()),
        Some(2) => return set("+QSSLCFG=\"ciphersuite\"", "0XFFFF".into()),
        Some(3) => {
            let any = u8::from(!tls.dates).into();
            return set("+QSSLCFG=\"ignorelocaltime\"", any);
        }
        Some(_) => return Step::Done,
        None => {}
    }
    let Some(file) = tls.file(slot) else {
        return Step::Skip;
    };
    let name = FileName::new("UFS:", file);
    match step % FILE_STEPS {
        0 => ask(line.set("+QFLST", &[name.value()]), quick.tolerant()),
        1 | 2 if about.present => Step::Skip,
        1 => ask(line.set("+QFDEL", &[name.value()]), quick.tolerant()),
        2 => ask(
            line.set(
                "+QFUPL",
                &[name.value(), Value::Int(file.len() as i64), 60.into()],
            ),
            quick.prompt(PromptAt::Connect),
        ),
        _ if !about.present => Step::Cannot,
        _ => {
            let setting = [
                "+QSSLCFG=\"cacert\"",
                "+QSSLCFG=\"clientcert\"",
                "+QSSLCFG=\"clientkey\"",
            ];
            let values = [TLS_CONTEXT, name.value()];
            ask(line.set(setting[usize::from(slot)], &values), quick)
        }
    }
}

/// A BC26 is typed its certificates; it tells how many bytes it has got.
fn provision_nb(step: u8, about: &About<'_>, line: &mut Writer<'_>) -> Step {
    let Some(tls) = about.options.tls else {
        return Step::Done;
    };
    let quick = Ask::new(REPLY);
    let slot = step / NB_FILE_STEPS;
    let (name, value) = match step.checked_sub(3 * NB_FILE_STEPS) {
        Some(0) => ("seclevel", Some(tls.level())),
        Some(1) => ("sslversion", Some(4)),
        Some(_) => return Step::Done,
        None if tls.file(slot).is_none() => return Step::Skip,
        None if step % NB_FILE_STEPS == 1 && about.present => return Step::Skip,
        None if step % NB_FILE_STEPS == 1 => return Step::Cannot,
        None => (
            ["cacert", "clientcert", "clientkey"][usize::from(slot)],
            None,
        ),
    };
    let own = [TLS_CONTEXT_NB, TLS_CONNECTION, name.into()];
    match value {
        Some(value) => {
            let [context, connection, name] = own;
            let values = [context, connection, name, value.into()];
            ask(line.set("+QSSLCFG", &values), quick)
        }
        None => ask(line.set("+QSSLCFG", &own), quick.prompt(PromptAt::First)),
    }
}

/// What the boot ROM says before `Leaving the BROM`: `F1: 0000 0000`, `U0: 0000 0001 [0000]`. It looks like a firmware's version.
fn is_of_boot_rom(text: &[u8]) -> bool {
    let Some((name, values)) = text.split_at_checked(4) else {
        return false;
    };
    let is_value = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b' ' | b'[' | b']');
    name.ends_with(b": ") && values.len() >= 9 && values.iter().all(is_value)
}

/// The exclusive or of the file's 16-bit words, as QFUPL has it.
fn checksum(file: &str) -> u32 {
    file.as_bytes().chunks(2).fold(0, |sum, pair| {
        let low = pair.get(1).copied().unwrap_or(0);
        sum ^ u32::from(u16::from_be_bytes([pair[0], low]))
    })
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |number, digit| {
        Some(number << 4 | u32::from(dialect::wire::hex_digit(*digit)?))
    })
}

/// Messages of the BC26 are sent as they are, or in hexadecimal digits, and received in digits.
fn set_format(hex: bool, line: &mut Writer<'_>) -> Step {
    ask(
        line.set(
            "+QMTCFG=\"dataformat\"",
            &[CLIENT, u8::from(hex).into(), 1.into()],
        ),
        Ask::new(REPLY),
    )
}

fn read_format(line: &mut Writer<'_>) -> Step {
    let fits = line.set("+QMTCFG=\"dataformat\"", &[CLIENT]);
    ask(fits, Ask::new(REPLY))
}

/// The state of `AT+QMTCONN?` as [`Job::Status`] has it.
pub(super) fn logged_in(state: Option<i64>) -> i64 {
    match state {
        Some(3) => 1,
        Some(1) => 2,
        _ => 0,
    }
}
