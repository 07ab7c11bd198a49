//! The AT languages of cellular and Wi-Fi modules, described once.
//!
//! A [`Command`] item states a command's name, forms, parameters, ranges, replies and source; a [`Line`] item what a
//! module prints. The module parses commands and writes lines with them, a driver the other way round, and the reference
//! pages are printed from them. Nothing here allocates, and no input panics.
//!
//! The feature `words`, on by default, is for whoever tells people about commands or plays a module. Without it titles, sources, what
//! lines tell, names of parameters, test forms, error meanings and tutorials' forms are empty, and so do not end up in firmware:
//! a driver needs none of them.

#![no_std]
#![forbid(unsafe_code)]

pub mod basic;
pub mod command;
pub mod eigencomm;
pub mod espressif;
pub mod luat;
pub mod model;
pub mod network;
pub mod quectel;
pub mod reply;
pub mod value;
pub mod wire;

/// What people read.
const fn words(text: &'static str) -> &'static str {
    if cfg!(feature = "words") { text } else { "" }
}

/// What is told or played, and not needed to talk to a module.
const fn with_words<T>(items: &'static [T]) -> &'static [T] {
    if cfg!(feature = "words") { items } else { &[] }
}

pub use command::{Command, Form, Kind, Param, ParseError, Presence, Problem, Statement, Syntax};
pub use model::{Family, Model};
pub use reply::{Line, Piece};
pub use value::{Value, Values};
