//! Lets a module do it: the lines that the doctor recommends are those that have just worked.

use super::conversation::{Answer, End, Modem};
use super::lines::{Stage, Step, conversation, touch};
use super::{Cause, Question, Report};
use dialect::model::Family;
use std::io;
use std::net::SocketAddr;

/// The step in reports.
const STEP: &str = "by the module";

/// What is known of the way to the server before the module tries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// This machine is served, and the module goes the same way.
    SameWay,
    /// This machine is served at this address, and the module goes another way: a SIM's.
    Served(SocketAddr),
    /// This machine does not reach the server, or is refused.
    Refused,
}

/// Has a module with a network connect, log in, subscribe, publish and leave. True when all of it worked.
///
/// # Errors
/// The line is broken.
pub async fn run(
    question: &Question,
    modem: &mut Modem,
    known: Known,
    report: &mut Report<'_>,
) -> io::Result<bool> {
    let steps = match conversation(question) {
        Ok(steps) => steps,
        Err(error) => {
            report.bad(STEP, Cause::TooLongForModel, error);
            return Ok(false);
        }
    };
    for step in &steps {
        if step.stage == Stage::LogIn {
            tokio::time::sleep(question.connect_delay).await;
        }
        let answer = modem.perform(step).await?;
        if answer.end == End::Good || step.may_fail {
            continue;
        }
        let cause = cause(question, modem, step, &answer, known).await?;
        report.bad(STEP, cause, format!("{}: {}", step.line, answer.words()));
        return Ok(false);
    }
    report.good(
        STEP,
        format!(
            "the {} connected, logged in, subscribed, and had its messages of QoS 0, 1 and 2 back, with the lines below",
            question.model.title
        ),
    );
    Ok(true)
}

/// Why a step failed.
async fn cause(
    question: &Question,
    modem: &mut Modem,
    step: &Step,
    answer: &Answer,
    known: Known,
) -> io::Result<Option<Cause>> {
    Ok(match step.stage {
        Stage::Connect if let Known::Served(address) = known => {
            Some(unreached(question, modem, address).await?)
        }
        Stage::LogIn if !question.connect_delay.is_zero() && known != Known::Refused => {
            Some(Cause::ConnectTooLate)
        }
        Stage::LogIn => match connack(answer) {
            Some("4" | "5") => Some(Cause::Credentials),
            Some("2") => Some(Cause::ClientIdRefused),
            Some("3") => Some(Cause::ServerUnavailable),
            Some(_) => None,
            // Source: firmware of the EC616: ECMTOPEN says 0 before the handshake, and the login fails.
            None if question.target.tls && question.model.family == Family::EigenComm => {
                Some(Cause::ModulesTls)
            }
            None => None,
        },
        Stage::Subscribe => Some(Cause::SubscribeRefused),
        Stage::Publish if answer.end == End::TimedOut => Some(Cause::NoRoundTrip),
        Stage::Publish => Some(Cause::PublishRefused),
        _ => None,
    })
}

/// The code of CONNACK, behind a result of 0, where the family prints it.
fn connack(answer: &Answer) -> Option<&str> {
    let mut fields = answer.lines.last()?.rsplit(',');
    let code = fields.next()?;
    (fields.next()? == "0").then_some(code)
}

/// The module does not reach what this machine reaches: its name server, its network, or its TLS is to blame.
async fn unreached(
    question: &Question,
    modem: &mut Modem,
    address: SocketAddr,
) -> io::Result<Cause> {
    let target = &question.target;
    let by_name = touches(question, modem, &target.host).await?;
    Ok(match (by_name, target.tls) {
        (true, true) => Cause::ModulesTls,
        // It has worked now, and has not before.
        (true, false) => Cause::Unreachable,
        (false, _) => {
            let address = address.ip().to_string();
            if address != target.host && touches(question, modem, &address).await? {
                Cause::Dns
            } else {
                Cause::WhiteList
            }
        }
    })
}

/// Whether the module opens a TCP connection to this host.
async fn touches(question: &Question, modem: &mut Modem, host: &str) -> io::Result<bool> {
    let Ok([open, close]) = touch(question.model, host, question.target.port) else {
        return Ok(false);
    };
    let opened = modem.perform(&open).await?.end == End::Good;
    modem.perform(&close).await?;
    Ok(opened)
}
