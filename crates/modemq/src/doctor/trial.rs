//! Lets a module do it: the lines that the doctor recommends are those that have just worked.

use super::lines::{Abilities, Stage, Step, conversation, hang_up, touch};
use super::server::Served;
use super::{Cause, Question, Report, Verdict};
use crate::conversation::{Answer, End, Modem};
use dialect::model::Family;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// Reports of what was ended come within this.
const QUIET: Duration = Duration::from_millis(300);
/// The step in reports.
const STEP: &str = "by the module";

/// What is known of the way to the server before the module tries it.
#[derive(Clone, Debug)]
pub enum Known {
    /// This machine is served, and the module goes the same way.
    SameWay(Served),
    /// This machine is served, and the module goes another way: a SIM's.
    OtherWay(Served),
    /// This machine does not reach the server, or is refused.
    Refused,
}

impl Known {
    fn abilities(&self, question: &Question) -> Abilities {
        match self {
            Self::SameWay(served) | Self::OtherWay(served) => Abilities {
                qos: served.qos.iter().map(|qos| qos.level()).collect(),
                echoes: served.echoes,
            },
            Self::Refused => Abilities::hoped(question),
        }
    }
}

/// Has a module with a network connect, log in, subscribe, publish and leave. True when all of it worked.
///
/// # Errors
/// The line is broken.
pub async fn run(
    question: &Question,
    modem: &mut Modem,
    known: &Known,
    report: &mut Report<'_>,
) -> io::Result<bool> {
    let abilities = known.abilities(question);
    let steps = match conversation(question, &abilities) {
        Ok(steps) => steps,
        Err(error) => {
            report.bad(STEP, Cause::TooLongForModel, error);
            return Ok(false);
        }
    };
    // Whoever had it before may have left it connected.
    leave(question, modem).await?;
    for step in &steps {
        if step.stage == Stage::LogIn {
            tokio::time::sleep(question.connect_delay).await;
        }
        let answer = modem.perform(step).await?;
        if answer.end == End::Good || step.may_fail {
            continue;
        }
        let cause = cause(question, modem, step, &answer, known, report).await?;
        report.bad(STEP, cause, format!("{}: {}", step.shown(), answer.words()));
        leave(question, modem).await?;
        return Ok(false);
    }
    let title = question.model.title;
    let qos: Vec<_> = abilities.qos.iter().map(u8::to_string).collect();
    let back = if abilities.echoes {
        "had its messages back"
    } else {
        "published"
    };
    let says = format!(
        "the {title} connected, logged in, subscribed, and {back}, with QoS {} and the lines below",
        qos.join(", ")
    );
    report.good(STEP, says);
    Ok(true)
}

/// Ends what may be connected.
async fn leave(question: &Question, modem: &mut Modem) -> io::Result<()> {
    for step in hang_up(question.model) {
        modem.perform(&step).await?;
    }
    modem.drain(QUIET).await
}

/// Why a step failed.
async fn cause(
    question: &Question,
    modem: &mut Modem,
    step: &Step,
    answer: &Answer,
    known: &Known,
    report: &Report<'_>,
) -> io::Result<Option<Cause>> {
    // What this machine has run into, the module runs into.
    let before = report.findings().iter().rev();
    let mut before = before.filter(|finding| finding.verdict == Verdict::Bad);
    let before = before.find_map(|finding| finding.cause);
    let is_late = !question.connect_delay.is_zero();
    Ok(match (step.stage, known) {
        (Stage::Connect, Known::OtherWay(served)) => {
            unreached(question, modem, served.address).await?
        }
        (Stage::Connect, Known::SameWay(_)) if question.target.tls => Some(Cause::ModulesTls),
        (Stage::LogIn, Known::SameWay(_) | Known::OtherWay(_)) if is_late => {
            Some(Cause::ConnectTooLate)
        }
        (Stage::LogIn, _) => match connack(answer) {
            Some("4" | "5") => Some(Cause::Credentials),
            Some("2") => Some(Cause::ClientIdRefused),
            Some("3") => Some(Cause::ServerUnavailable),
            Some(_) => before,
            // Source: firmware of the EC616: ECMTOPEN says 0 before the handshake, and the login fails.
            None if question.target.tls && question.model.family == Family::EigenComm => {
                Some(Cause::ModulesTls)
            }
            None => before,
        },
        (Stage::Subscribe, _) => Some(Cause::SubscribeRefused),
        (Stage::Publish, _) if answer.end == End::TimedOut => Some(Cause::NoRoundTrip),
        (Stage::Publish, _) => Some(Cause::PublishRefused),
        _ => before,
    })
}

/// The code of CONNACK, behind a result of 0, where the family prints it.
fn connack(answer: &Answer) -> Option<&str> {
    let line = answer.lines.last()?;
    let mut fields = ["+QMTCONN: ", "+ECMTCONN: "]
        .iter()
        .find_map(|prefix| line.strip_prefix(prefix))?
        .split(',');
    (fields.nth(1)? == "0").then(|| fields.next())?
}

/// The module does not reach what this machine reaches: its name server, its network, or its TLS is to blame. `None` when that
/// cannot be found out.
async fn unreached(
    question: &Question,
    modem: &mut Modem,
    address: SocketAddr,
) -> io::Result<Option<Cause>> {
    let target = &question.target;
    leave(question, modem).await?;
    let Some(by_name) = touches(question, modem, &target.host).await? else {
        return Ok(None);
    };
    if by_name {
        // Without TLS it has worked now, and has not before.
        let cause = if target.tls {
            Cause::ModulesTls
        } else {
            Cause::Unreachable
        };
        return Ok(Some(cause));
    }
    let address = address.ip().to_string();
    let by_address =
        address != target.host && touches(question, modem, &address).await? == Some(true);
    Ok(Some(if by_address {
        Cause::Dns
    } else {
        Cause::WhiteList
    }))
}

/// Whether the module opens a TCP connection to this host; `None` when it does not say.
async fn touches(question: &Question, modem: &mut Modem, host: &str) -> io::Result<Option<bool>> {
    let Ok([open, close]) = touch(question.model, host, question.target.port) else {
        return Ok(None);
    };
    let end = modem.perform(&open).await?.end;
    modem.perform(&close).await?;
    modem.drain(QUIET).await?;
    Ok(match end {
        End::Good => Some(true),
        End::Failed(_) => Some(false),
        End::TimedOut => None,
    })
}
