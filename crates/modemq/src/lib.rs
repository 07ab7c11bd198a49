//! What the command `modemq` is made of: ports, sockets, broker server, MQTT client, transcripts, demo.
//!
//! The cores (`module`, `broker`, `mqtt`) do no I/O; this crate does it for them.

#![deny(unsafe_code)]

pub mod application;
pub mod broker_server;
pub mod capture;
pub mod certificates;
pub mod chart;
pub mod client;
pub mod clock;
pub mod commands;
pub mod control;
pub mod doctor;
pub mod flash;
pub mod line;
pub mod modem;
pub mod net;
pub mod port;
pub mod record;
pub mod reference;
pub mod registry;
pub mod runtime;
pub mod stream;
pub mod tls;
pub mod trace;
pub mod transcript;
pub mod websocket;
