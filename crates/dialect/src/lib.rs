//! The AT languages of cellular and Wi-Fi modules, described once.
#![no_std]
#![forbid(unsafe_code)]

pub mod model;

pub use model::Model;
