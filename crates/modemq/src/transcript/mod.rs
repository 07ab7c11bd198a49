//! Conversations as text: parsed, and played against a module.
//!
//! `transcripts/README.md` describes the format for those who write it.

mod device;
mod player;
mod script;
mod socket_device;
mod variables;

pub use device::{Device, PortBroker, PortDevice, VirtualDevice};
pub use player::{Mismatch, Report, Seen, play};
pub use script::{Directive, Line, ParseError, Script, Step, TlsBroker};
pub use socket_device::SocketDevice;
pub use variables::Variables;
