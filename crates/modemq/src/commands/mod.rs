//! The commands, one a file.

pub mod at;
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
use std::process::ExitCode;

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
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        tokio::select! {
            result = command => result,
            _ = terminate.recv() => Ok(stopped),
            _ = hang_up.recv() => Ok(stopped),
            // What a shell takes a program for that Ctrl-C has ended.
            _ = interrupt.recv() => Ok(ExitCode::from(130)),
        }
    })
}
