//! The commands, one a file.

pub mod at;
pub mod bridge;
pub mod broker;
pub mod connection;
pub mod control;
pub mod demo;
pub mod doctor;
pub mod explain;
pub mod faults;
pub mod identify;
pub mod iotda;
pub mod module;
pub mod publish;
pub mod replay;
pub mod subscribe;
pub mod trace;
pub mod via;

use clap::ValueEnum;
use std::io;
use std::process::ExitCode;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// A cloud that is played here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Cloud {
    /// Huawei Cloud IoTDA: the fourth tutorial's.
    Huawei,
}

/// Why a command could not do its work, in a sentence for people.
pub type Error = Box<dyn std::error::Error>;

/// Runs a command's future on one thread, until it ends or somebody stops the program.
///
/// What it owns is dropped in either case, so links are removed and sockets closed.
///
/// # Errors
/// Those of the command.
pub fn run<F>(command: F) -> Result<ExitCode, Error>
where
    F: Future<Output = Result<ExitCode, Error>>,
{
    run_until(command, ExitCode::SUCCESS)
}

/// The same for a command whose exit status is an answer: when it is stopped before it has one, that is no success.
///
/// # Errors
/// Those of the command.
pub fn answer<F>(command: F) -> Result<ExitCode, Error>
where
    F: Future<Output = Result<ExitCode, Error>>,
{
    // What a shell says of a program that SIGTERM has ended.
    run_until(command, ExitCode::from(143))
}

fn run_until<F>(command: F, stopped: ExitCode) -> Result<ExitCode, Error>
where
    F: Future<Output = Result<ExitCode, Error>>,
{
    run_to_end(async {
        let mut signals = Signals::new()?;
        tokio::select! {
            result = command => result,
            // What a shell takes a program for that Ctrl-C has ended.
            interrupt = signals.next() => Ok(if interrupt { ExitCode::from(130) } else { stopped }),
        }
    })
}

/// Runs a command's future on one thread, until it ends: it has its own [`Signals`].
///
/// # Errors
/// Those of the command.
pub fn run_to_end<F>(command: F) -> Result<ExitCode, Error>
where
    F: Future<Output = Result<ExitCode, Error>>,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(command)
}

/// What stops a program.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// From now on signals do not end the program by themselves.
    ///
    /// # Errors
    /// The system's.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits until somebody stops the program; true: with Ctrl-C.
    pub async fn next(&mut self) -> bool {
        tokio::select! {
            _ = self.terminate.recv() => false,
            _ = self.hang_up.recv() => false,
            _ = self.interrupt.recv() => true,
        }
    }
}
