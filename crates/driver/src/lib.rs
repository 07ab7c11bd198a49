//! The host's end of MQTT over AT commands, as a state machine: one API over every module of `dialect`.
//!
//! **After any input, write what [`Driver::poll_transmit`] gives, drain [`Driver::poll_event`], and call [`Driver::advance`] when
//! [`Driver::next_deadline`] has come.** The driver opens no port, reads no clock and rolls no dice. It works in memory that the
//! caller gives it, and needs neither an allocator nor std.
//!
//! ```
//! use driver::{Driver, Event, Memory, Options, QoS};
//! use instant::Instant;
//!
//! let (mut line, mut command, mut outbox, mut topics) = ([0; 1500], [0; 256], [0; 1024], [0; 128]);
//! let memory = Memory { line: &mut line, command: &mut command, outbox: &mut outbox, topics: &mut topics };
//! let mut driver = Driver::new(driver::models::EC20, memory, 1);
//!
//! driver.subscribe(Instant::ZERO, "down", QoS::AtLeastOnce).unwrap();
//! let options = Options { host: "broker.example", client_id: "dev1", ..Options::default() };
//! driver.connect(Instant::ZERO, options).unwrap();
//!
//! // The loop around it, on a microcontroller or in an executor:
//! while let Some(bytes) = driver.poll_transmit() {
//!     let written = bytes.len(); // port.write(bytes)
//!     driver.transmitted(Instant::ZERO, written);
//! }
//! let mut input = &b"\r\n+IPR: 115200\r\n\r\nOK\r\n"[..];
//! while !input.is_empty() {
//!     let taken = driver.receive(Instant::from_millis(5), input);
//!     input = &input[taken..];
//!     while let Some(event) = driver.poll_event() {
//!         if let Event::Message(message) = event { /* message.topic, message.payload */ }
//!     }
//! }
//! ```
//!
//! # What is credited to what
//!
//! One command is on the line at a time. A final result belongs to it from the moment it is typed until its final result has come;
//! one that comes at any other time belongs to nothing, and is counted ([`Stats::stray_results`]).
//!
//! - After a final result nothing is typed for [`Patience::gap`]: a second copy of it falls into this gap.
//! - When a final result does not come in time, **the driver asks a question whose answer nothing else can give** (`AT+IPR?`,
//!   `AT+UART_CUR?`), after 1, 2, 4 s and then every 8 s, eight times at most. A module answers in order: whatever comes before that
//!   answer was late and is dropped. When it has come and the line has then been silent for 300 ms (for 40 s when a question has
//!   no answer), none is outstanding. A module that answers none of the eight is [`Why::Silent`], or [`Why::NotUnderstood`] when it
//!   refused most of them.
//! - An answer is known by its shape, not by its name alone: `+CEREG: 0,1` answers, `+CEREG: 1` reports.
//! - A report that tells how long its message is is read by that length, its topic with whatever line ends it holds. **A BC26 and an
//!   NT35E tell none**: whoever may publish to a topic that is subscribed to can write what the module says there, with a line end
//!   in the topic, and on the NT35E in the message. `Delivered` is worth as much as they are then.
//! - What is spelled like the answer is the answer: `+CPIN: READY` and `+CFUN: 1` come unasked as well, and mean the same. A question
//!   whose answer has no name (`AT+CGMR`) takes the next line that begins with a letter or a digit and is no report that is known.
//! - A second copy of a final result that comes later than the gap is taken for the result of the command that runs by then, when
//!   there is one: nothing in it tells whose it is. No module was seen to do that.
//! - Packets are known by their identifiers. Luat's acknowledgements have none: one that does not come in time ends the session,
//!   so that it cannot be taken for that of the next message.
//! - A module that may be waiting for a message's data is not typed at until it must have given up, so that no command becomes part
//!   of a message. **An ESP-AT never gives up**: it is reset by its pin, and without one ([`Options::reset_pin`]) what is typed next
//!   becomes the end of the message.
//!
//! # Recovery
//!
//! | Rung | Begun by | Attempts |
//! |---|---|---|
//! | [`Rung::Resubscribe`] | a subscription that was not acknowledged; a module that logged in by itself | 2 |
//! | [`Rung::Reconnect`] | the module says that TCP is open and MQTT is not | 1 |
//! | [`Rung::Reopen`] | `CLOSED` and its like, a refused or unanswered login, the module's word, a restart of the module | 5 |
//! | [`Rung::Reactivate`] | the network took the bearer away | 2 |
//! | [`Rung::Radio`] | no SIM, no registration, no attach | 2 |
//! | [`Rung::Reset`] | a module that does not answer, or not as its model does | 1; as many as it takes while it does not |
//!
//! When the attempts of a rung are used up the next one is tried, and after the last one [`Rung::Reopen`] again. What the broker
//! refuses no rung can mend, nor a SIM that is locked: it is tried again on [`Rung::Reopen`] for ever. Before each attempt the driver waits, a random time up
//! to [`Patience::first_wait`] at first, then twice as long each time, give or take a quarter, and never longer than
//! [`Patience::longest_wait`] and a quarter.
//!
//! A rung of the connection is climbed from the beginning, from the module's echo on, as long as the module has not taken its access
//! point and its certificates: it would connect all the same, elsewhere or to anybody.
//!
//! # Size
//!
//! Name the module, as above, and leave `dialect` without its feature `words`: the linker then leaves out the other languages and
//! all that is for people. `benches/README.md` has the bytes. What is found by its name when the program runs
//! (`dialect::Model::by_name`) brings every language along.
//!
//! # Ports
//!
//! The feature `blocking` has `blocking::exchange` for a port of `embedded-io`, the feature `async` has
//! `asynch::Modem` for one of `embedded-io-async`: embassy on a microcontroller, tokio on a computer.
//!
//! **An EC20 tells its reports to one port alone, and out of the box that is the AT port of its USB.** On its UART all commands
//! are answered, and [`Why::NotOpened`] follows, until `AT+QURCCFG="urcport","uart1"` was typed there once
//! ([`Driver::command`]); the module keeps it.
// Source: Quectel EG800K, tried; SeeedJP/WioLTEforArduino types it at each start (EC21).

#![no_std]
#![forbid(unsafe_code)]

mod api;
#[cfg(feature = "async")]
pub mod asynch;
#[cfg(feature = "blocking")]
pub mod blocking;
mod driver;
mod family;
mod lines;
mod mutant;
#[cfg(any(feature = "async", feature = "blocking"))]
mod port;
mod store;

pub use api::*;
/// The models, and what they say.
pub use dialect;
pub use driver::Driver;
pub use family::{Module, models};
/// The time, which the caller tells.
pub use instant;
#[cfg(feature = "mutants")]
pub use mutant::Mutant;
