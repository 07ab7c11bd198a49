//! MQTT over AT commands, both ends of the wire.

use clap::{Parser, Subcommand};
use dialect::Family;
use modemq::commands::{self, broker, demo, explain, module, publish, replay, subscribe};
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
    Demo(demo::Args),
    Module(Box<module::Args>),
    Replay(replay::Args),
    Broker(broker::Args),
    Explain(explain::Args),
    /// List the models: language, limits, defaults
    Models,
    /// Print the reference page of a family
    Reference {
        /// Which: luat, eigencomm, quectel
        #[arg(value_parser = parse_family)]
        family: Family,
    },
    #[command(name = "pub")]
    Publish(publish::Args),
    #[command(name = "sub")]
    Subscribe(subscribe::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Demo(args) => commands::run(demo::run(args)),
        Command::Module(args) => commands::run(module::run(*args)),
        Command::Replay(args) => replay::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Models => {
            print!("{}", modemq::reference::models());
            Ok(ExitCode::SUCCESS)
        }
        Command::Reference { family } => {
            print!("{}", modemq::reference::page(family));
            Ok(ExitCode::SUCCESS)
        }
        Command::Broker(args) => commands::run(broker::run(args)),
        Command::Publish(args) => commands::run(publish::run(args)),
        Command::Subscribe(args) => commands::run(subscribe::run(args)),
    };
    match result {
        Ok(status) => status,
        Err(error) => {
            eprintln!("modemq: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse_family(name: &str) -> Result<Family, String> {
    let found = Family::ALL.iter().find(|family| family.name() == name);
    found.copied().ok_or_else(|| {
        let names: Vec<_> = Family::ALL.iter().map(|family| family.name()).collect();
        format!("there are {}", names.join(", "))
    })
}
