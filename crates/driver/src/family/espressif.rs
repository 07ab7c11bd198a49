//! ESP8266 and ESP32-C3: ESP-AT.
//!
//! Commands of MQTT are answered when they are done: `OK` of a subscription is the broker's. What is typed while one runs is
//! thrown away, with `busy p...`.

use super::{About, Ask, Job, Language, PromptAt, Question, Report, Step, Way, Writer};
use super::{Awaited, OPEN, REPLY, ROUND_TRIP, ask, is_any, read};
use crate::api::{PublishError, Query, Tls};
use core::time::Duration;
use dialect::{Form, Line, Model, Value, espressif as esp};

pub(super) struct Espressif;

const LINK: Value<'static> = Value::Int(0);
/// Commands for each file.
const FILE_STEPS: u8 = 4;
const FILES: u8 = 3 * FILE_STEPS;

/// Is the value there? If not: write it, and ask again. Each file has a place of its own, for MQTTUSERCFG to know.
fn provision(step: u8, about: &About<'_>, line: &mut Writer<'_>) -> Step {
    let quick = Ask::new(REPLY);
    let Some(tls) = about.options.tls else {
        return Step::Done;
    };
    if step == FILES {
        // Dates are minded: the clock is set once there is an address.
        return ask(line.set("+CIPSNTPCFG", &[1.into(), 0.into()]), quick);
    } else if step > FILES {
        return Step::Done;
    }
    let slot = step / FILE_STEPS;
    let Some(file) = tls.file(slot) else {
        return Step::Skip;
    };
    let name = Value::from(["mqtt_ca", "mqtt_cert", "mqtt_key"][usize::from(slot)]);
    match step % FILE_STEPS {
        0 => ask(
            line.set("+SYSMFG", &[1.into(), name, name]),
            quick.tolerant(),
        ),
        1 | 2 if about.present => Step::Skip,
        1 => {
            let values = [
                2.into(),
                name,
                name,
                8.into(),
                Value::Int(file.len() as i64),
            ];
            ask(
                line.set("+SYSMFG", &values),
                quick.prompt(PromptAt::AfterOk),
            )
        }
        2 => ask(line.set("+SYSMFG", &[1.into(), name, name]), quick),
        // It is something else; when it did not fit into the memory, nobody knows.
        _ if about.reading == Some(0) => Step::Cannot,
        _ => Step::Skip,
    }
}
/// The buffer of messages holds the packet's header as well: at most so many bytes here, besides the topic.
const HEADER: usize = 7;

/// Of MQTTUSERCFG: 1 TCP, 2 TLS, 3 the server is checked, 4 the client, 5 both.
fn scheme(tls: Option<Tls<'_>>) -> i64 {
    match tls {
        None => 1,
        Some(tls) => match (tls.ca, tls.identity) {
            (None, None) => 2,
            (Some(_), None) => 3,
            (None, Some(_)) => 4,
            (Some(_), Some(_)) => 5,
        },
    }
}

impl Language for Espressif {
    fn sized(&self, _: &Model) -> &'static [&'static Line] {
        &[&esp::SUBRECV, &esp::SYSMFG]
    }

    fn write(&self, job: Job, about: &About<'_>, line: &mut Writer<'_>) -> Step {
        let quick = Ask::new(REPLY);
        let options = about.options;
        match job {
            Job::Probe => ask(line.command("+UART_CUR", Form::Read, &[]), quick),
            Job::Echo => ask(line.set("E", &[0.into()]), quick),
            Job::Provision(step) => provision(step, about, line),
            Job::Bearer(0) => ask(line.set("+CWMODE", &[1.into()]), quick),
            Job::Bearer(1) => ask(line.command("+CWSTATE", Form::Read, &[]), quick),
            Job::Bearer(2) if about.reading != Some(2) => match options.wifi {
                Some(wifi) => ask(
                    line.set("+CWJAP", &[wifi.ssid.into(), wifi.password.into()]),
                    // Source: 2.2: jap_timeout, 15 s; and DHCP.
                    Ask::new(Duration::from_secs(45)),
                ),
                None => Step::Wait,
            },
            Job::Leave => ask(line.command("+CWQAP", Form::Execute, &[]), quick.tolerant()),
            Job::Radio(on) => ask(
                line.set("+CWMODE", &[i64::from(on).into()]),
                quick.tolerant(),
            ),
            Job::Restart => ask(line.command("+RST", Form::Execute, &[]), quick.tolerant()),
            Job::Close | Job::Logout => ask(line.set("+MQTTCLEAN", &[LINK]), quick.tolerant()),
            Job::Configure(0) => ask(
                line.set(
                    "+MQTTUSERCFG",
                    &[
                        LINK,
                        scheme(options.tls).into(),
                        "NULL".into(),
                        "".into(),
                        "".into(),
                        0.into(),
                        0.into(),
                        "".into(),
                    ],
                ),
                quick,
            ),
            // One by one: a line holds 254 bytes, and a login of Huawei's has more.
            Job::Configure(1) => ask(
                line.set("+MQTTCLIENTID", &[LINK, options.client_id.into()]),
                quick,
            ),
            Job::Configure(2) => match options.username {
                Some(name) => ask(line.set("+MQTTUSERNAME", &[LINK, name.into()]), quick),
                None => Step::Skip,
            },
            Job::Configure(3) => match options.password {
                Some(password) => ask(line.set("+MQTTPASSWORD", &[LINK, password.into()]), quick),
                None => Step::Skip,
            },
            Job::Configure(4) => {
                let (topic, message, qos, retain) = match options.will {
                    Some(will) => (
                        will.topic,
                        will.payload,
                        will.qos.level(),
                        u8::from(will.retain),
                    ),
                    None => ("", "", 0, 0),
                };
                ask(
                    line.set(
                        "+MQTTCONNCFG",
                        &[
                            LINK,
                            i64::from(options.keep_alive).into(),
                            u8::from(!about.clean_session).into(),
                            topic.into(),
                            message.into(),
                            qos.into(),
                            retain.into(),
                        ],
                    ),
                    quick,
                )
            }
            Job::Configure(_) => Step::Done,
            // MQTTCONN opens the link.
            Job::Open => Step::Done,
            Job::Login => ask(
                line.set(
                    "+MQTTCONN",
                    &[
                        LINK,
                        options.host.into(),
                        i64::from(options.port).into(),
                        0.into(),
                    ],
                ),
                Ask::new(OPEN),
            ),
            Job::Subscribe => ask(
                line.set(
                    "+MQTTSUB",
                    &[LINK, about.topic.into(), about.qos.level().into()],
                ),
                Ask::new(ROUND_TRIP),
            ),
            Job::Unsubscribe => ask(
                line.set("+MQTTUNSUB", &[LINK, about.topic.into()]),
                Ask::new(ROUND_TRIP),
            ),
            Job::Publish => {
                let (qos, retain) = (about.qos.level().into(), u8::from(about.retain).into());
                if about.way == Way::Inline {
                    let values = [LINK, about.topic.into(), about.payload.into(), qos, retain];
                    return ask(line.set("+MQTTPUB", &values), Ask::new(ROUND_TRIP));
                }
                let length = Value::Int(about.payload.len() as i64);
                ask(
                    line.set(
                        "+MQTTPUBRAW",
                        &[LINK, about.topic.into(), length, qos, retain],
                    ),
                    quick
                        .prompt(PromptAt::AfterOk)
                        .then(Awaited::Published, ROUND_TRIP),
                )
            }
            Job::Status => ask(line.command("+MQTTCONN", Form::Read, &[]), quick),
            _ => Step::Done,
        }
    }

    fn answer(&self, job: Job, about: &About<'_>, text: &[u8]) -> Option<i64> {
        match job {
            Job::Probe => text.starts_with(b"+UART_CUR:").then_some(0),
            Job::Provision(step) => {
                let (slot, _) = self.file_of(about.model, step)?;
                let file = about.options.tls?.file(slot)?;
                let values = esp::SYSMFG.parse(text)?;
                Some(i64::from(values.text(4) == file.as_bytes()))
            }
            Job::Bearer(1) => {
                let values = esp::CWSTATE.parse(text)?;
                let ssid = about.options.wifi.map(|wifi| wifi.ssid.as_bytes());
                let is_ours = ssid.is_none_or(|ssid| ssid == values.text(1));
                // Of another network: as if there were none.
                values.int(0).map(|state| if is_ours { state } else { 0 })
            }
            Job::Status => {
                let state = esp::CONN_READ.parse(text)?.int(0);
                Some(i64::from(state >= Some(4)))
            }
            Job::Unsubscribe => esp::NO_UNSUBSCRIBE.parse(text).map(|_| 0),
            _ => None,
        }
    }

    fn report<'l>(&self, _: &Model, text: &'l [u8], is_cut: bool) -> Report<'l> {
        if let Some(values) = read(&esp::SUBRECV, text, is_cut) {
            return Report::Message {
                topic: values.text(0),
                payload: values.text(2),
                hex: false,
            };
        }
        let says = |lines: &[&Line]| is_any(lines, text);
        let published = |ok| Report::Published {
            id: None,
            qos: None,
            ok,
        };
        if says(&[&esp::PUB_OK]) {
            published(true)
        } else if says(&[&esp::PUB_FAIL]) {
            published(false)
        } else if says(&[&esp::DISCONNECTED]) {
            Report::Closed
        } else if says(&[&esp::WIFI_DISCONNECT]) {
            Report::BearerLost
        } else if says(&[&esp::READY]) {
            Report::Booted
        } else if says(&[&esp::BUSY]) || text == b"busy s..." {
            // Source: ESP8266 AT before 2.0: s while it sends, p while it processes.
            Report::Busy
        } else if says(&[
            &esp::CONNECTED,
            &esp::WIFI_CONNECTED,
            &esp::WIFI_GOT_IP,
            &esp::ALREADY_SUBSCRIBE,
            &esp::FULL,
            &esp::NO_UNSUBSCRIBE,
            &esp::CWJAP_FAILED,
            &esp::ERR_CODE,
            &esp::TIME_UPDATED,
        ]) {
            Report::Other
        } else {
            Report::Unknown
        }
    }

    fn question(&self, _: &Model, query: Query) -> Option<Question> {
        Some(match query {
            // Source: JAndrassy/WiFiEspAT issue 58: `+CWJAP:"…","7c:8b:ca:3e:d7:5b",11,-55,0`.
            Query::Signal => {
                Question::new("+CWJAP", Form::Read, &esp::CWJAP, 3).or(&esp::CWJAP_OLDER)
            }
            Query::Imei => Question::new("+CIPSTAMAC", Form::Read, &esp::CIPSTAMAC, 0),
            Query::Firmware => Question::new("+GMR", Form::Execute, &esp::VERSION, 0),
            Query::Time => Question::new("+CIPSNTPTIME", Form::Read, &esp::SNTPTIME, 0),
            Query::Registration | Query::Iccid | Query::Model => return None,
        })
    }

    fn way(&self, model: &Model, topic: &str, payload: &[u8]) -> Result<Way, PublishError> {
        let buffer = model.limits.report - HEADER - topic.len();
        let max = model.limits.publish_data.min(buffer);
        if payload.len() > max {
            Err(PublishError::TooLong(max))
        } else if payload.is_empty() {
            // MQTTPUBRAW takes no message of no bytes.
            Ok(Way::Inline)
        } else {
            Ok(Way::Length)
        }
    }

    fn file_of(&self, _: &Model, step: u8) -> Option<(u8, bool)> {
        Some((step / FILE_STEPS, false))
    }

    fn is_full(&self, model: &Model, topic: &[u8], payload: &[u8]) -> bool {
        topic.len() + payload.len() + HEADER >= model.limits.report
    }

    // Source: 2.2: ALREADY SUBSCRIBE, and nothing is sent.
    fn keeps_first_quality(&self) -> bool {
        true
    }

    fn chooses_packet_ids(&self) -> bool {
        true
    }

    fn topic_max(&self) -> usize {
        128
    }

    fn data_patience(&self, _: Way) -> Option<Duration> {
        // Source: esp-at issue 1027: no limit, and +++ does not end it.
        None
    }
}
