//! The device end of MQTT over AT commands, as a state machine.
//!
//! **After any input, drain [`Module::poll_output`] until it is empty.**
#![forbid(unsafe_code)]

mod api;

pub use api::*;

use dialect::Model;
use instant::Instant;
use std::net::IpAddr;

/// One module, powered on.
pub struct Module {}

impl Module {
    /// Powers the module on.
    pub fn new(_now: Instant, _model: &'static Model, _config: Config) -> Self {
        Self {}
    }
    /// Serial bytes from the host.
    pub fn receive(&mut self, _now: Instant, _bytes: &[u8]) {}
    /// What became of a link.
    pub fn receive_link(&mut self, _now: Instant, _link: LinkId, _event: LinkEvent<'_>) {}
    /// The answer to [`Output::Resolve`].
    pub fn resolved(&mut self, _now: Instant, _query: QueryId, _answer: Result<&[IpAddr], NetError>) {}
    /// What the world does to the module.
    pub fn network(&mut self, _now: Instant, _event: NetworkEvent) {}
    /// Time has come.
    pub fn advance(&mut self, _now: Instant) {}
    /// What the module wants done, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        None
    }
    /// When [`Module::advance`] must be called next.
    pub fn next_deadline(&self) -> Option<Instant> {
        None
    }
}
