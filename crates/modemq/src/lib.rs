//! What the command `modemq` is made of: ports, sockets, broker server, MQTT client, transcripts, demo.
//!
//! The cores (`module`, `broker`, `mqtt`) do no I/O; this crate does it for them.

#![deny(unsafe_code)]
// They panic when nobody reads: `output` does not.
#![deny(clippy::print_stdout)]

pub mod application;
pub mod broker_server;
pub mod capture;
pub mod certificates;
pub mod chart;
pub mod client;
pub mod clock;
pub mod commands;
pub mod control;
pub mod conversation;
pub mod data;
pub mod doctor;
pub mod flash;
pub mod identity;
pub mod line;
pub mod modem;
pub mod net;
pub mod output;
pub mod port;
pub mod record;
pub mod reference;
pub mod registry;
pub mod runtime;
pub mod serial;
pub mod stdin;
pub mod stream;
pub mod tap;
pub mod tls;
pub mod trace;
pub mod transcript;
pub mod websocket;
