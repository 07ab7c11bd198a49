//! Conversations as text: parsed, and played against a module.
//!
//! `transcripts/README.md` describes the format for those who write it.

mod device;
mod player;
mod script;

pub use device::{Device, PortDevice, VirtualDevice};
pub use player::{Mismatch, Report, Seen, Variables, play};
pub use script::{Directive, Fault, Line, ParseError, Script, Step};
