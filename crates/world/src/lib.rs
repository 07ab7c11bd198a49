//! What is around a module: its broker, the network between them, the serial line, and what breaks there.
//!
//! **Time passes only when the caller says so, and chance comes from a seed.** A conversation with its time-outs runs in no time, and
//! the same steps give the same bytes on every machine.
//!
//! - [`Fault`] is one line of the vocabulary of what can break, and [`Weather`] is a file of them.
//! - [`Schedule`] says when each strikes, from a seed.
//! - [`Line`] is the serial line and [`Links`] the network, where they strike: layers that pass everything on when nothing is wrong.
//! - [`Rig`] is a module between the two, driven as a module is.
//! - [`Bench`] joins a rig and a broker in virtual time, and [`Pair`] a bench and a driver.
//!
//! ```
//! use std::time::Duration;
//! use world::Bench;
//!
//! let model = dialect::Model::by_name("air780ep").unwrap();
//! let mut bench = Bench::new(model, module::Config::default()).with_seed(7);
//! bench.run_for(Duration::from_secs(5)); // boots and registers
//! bench.take_serial();
//!
//! let id = bench.inject("pdp-deact every 10m jitter 30%".parse()?)?;
//! bench.run_for(Duration::from_secs(14 * 60));
//! assert_eq!(bench.take_serial(), b"\r\n+CGEV: NW PDN DEACT 1\r\n");
//!
//! assert_eq!(bench.rig().faults().count(), 1);
//! bench.clear(id);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod bench;
mod dice;
pub mod fault;
mod line;
mod links;
mod pair;
mod pipe;
mod rig;
mod schedule;
pub mod weather;

pub use bench::{Bench, TlsServer};
pub use dice::Dice;
pub use fault::{Fault, FaultError};
pub use line::{Line, LineOutput, resample};
pub use links::{LinkOutput, Links, OwnedEvent};
pub use pair::{Pair, Room, Told};
pub use rig::{InjectError, Record, Recorded, Rig};
pub use schedule::{Edge, FAULTS_MAX, FaultId, Schedule, Status, Strike, TooMany};
pub use weather::{Weather, WeatherError};
