//! MQTT over AT commands, both ends of the wire.

#![deny(clippy::print_stdout)]

use clap::{Parser, Subcommand};
use dialect::Model;
use modemq::commands::{
    self, at, bridge, broker, demo, doctor, explain, faults, identify, iotda, module, publish,
    replay, subscribe, trace,
};
use modemq::output;
use std::process::ExitCode;

/// MQTT over AT commands, both ends of the wire: software modules for firmware that has none at hand.
#[derive(Parser)]
#[command(
    version,
    arg_required_else_help = true,
    after_help = "Begin with: modemq demo"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    At(at::Args),
    Demo(demo::Args),
    Module(Box<module::Args>),
    Replay(replay::Args),
    Broker(broker::Args),
    Bridge(Box<bridge::Args>),
    Doctor(Box<doctor::Args>),
    Explain(explain::Args),
    Faults(faults::Args),
    Trace(trace::Args),
    Identify(identify::Args),
    Iotda(iotda::Args),
    /// List the models: language, limits, defaults
    Models,
    /// Print the reference page of a model: commands, forms, limits, sources, what is inferred and what is missing
    Reference {
        /// Which; `modemq models` lists them
        #[arg(value_parser = module::parse_model)]
        model: &'static Model,
    },
    #[command(name = "pub")]
    Publish(publish::Args),
    #[command(name = "sub")]
    Subscribe(subscribe::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::At(args) => commands::answer(at::run(args)),
        Command::Identify(args) => commands::answer(identify::run(args)),
        Command::Demo(args) => commands::answer(demo::run(args)),
        Command::Module(args) => commands::run(module::run(*args)),
        Command::Replay(args) => replay::run(&args),
        Command::Doctor(args) => commands::answer(doctor::run(*args)),
        Command::Explain(args) => explain::run(&args),
        Command::Faults(args) => faults::run(&args),
        Command::Trace(args) => trace::run(&args),
        Command::Models => print(&modemq::reference::models()),
        Command::Reference { model } => print(&modemq::reference::page(model)),
        Command::Iotda(args) => commands::run(iotda::run(args)),
        Command::Broker(args) => commands::run(broker::run(args)),
        Command::Bridge(args) => commands::run_to_end(bridge::run(*args)),
        Command::Publish(args) => commands::answer(publish::run(args)),
        Command::Subscribe(args) => commands::run_to_end(subscribe::run(args)),
    };
    match result {
        Ok(status) => status,
        // Whoever reads has seen enough.
        Err(error) if output::is_closed(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("modemq: {error}");
            ExitCode::FAILURE
        }
    }
}

fn print(text: &str) -> Result<ExitCode, commands::Error> {
    output::print(text)?;
    Ok(ExitCode::SUCCESS)
}
