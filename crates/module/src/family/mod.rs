//! How each family answers.

mod eigencomm;
mod luat;

use crate::api::{LinkEvent, LinkId, NetError, QueryId};
use crate::core::{Core, Outcome};
use crate::radio::Change;
use crate::terminal::DataEnd;
use dialect::{Family as Name, Model, ParseError, Statement};
use instant::Instant;
use std::net::IpAddr;

/// What a family does that the others do not.
pub(crate) trait Family: Send {
    /// Runs a command; `None` when it is not the family's own.
    fn execute(&mut self, core: &mut Core, statement: &Statement<'_>) -> Option<Outcome>;

    /// The refusal of a known command that is not well formed.
    fn refuse(&self, error: &ParseError) -> Outcome;

    /// The data that a command waited for.
    fn data(&mut self, core: &mut Core, data: &[u8], end: DataEnd) -> Outcome;

    /// What became of a link.
    fn link(&mut self, core: &mut Core, link: LinkId, event: LinkEvent<'_>);

    /// What became of a look-up.
    fn resolved(&mut self, core: &mut Core, query: QueryId, answer: Result<&[IpAddr], NetError>);

    /// A change of SIM, registration or PDP context.
    fn network(&mut self, core: &mut Core, change: &Change);

    /// Time has come.
    fn advance(&mut self, core: &mut Core);

    /// When time comes next.
    fn next_deadline(&self) -> Option<Instant>;

    /// Power goes: links are cut.
    fn power_off(&mut self, core: &mut Core);
}

/// The family of a model, as after power-on.
pub(crate) fn new(model: &'static Model) -> Box<dyn Family> {
    match model.family {
        Name::Luat => Box::new(luat::Luat::new(model)),
        Name::EigenComm => Box::new(eigencomm::EigenComm::new()),
    }
}

/// The QoS that a parameter names; its range was checked when it was read.
fn qos(level: Option<i64>) -> mqtt::QoS {
    level
        .and_then(|level| mqtt::QoS::try_from(u8::try_from(level).ok()?).ok())
        .unwrap_or_default()
}
