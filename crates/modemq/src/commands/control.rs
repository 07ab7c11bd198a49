//! The options of the control API, and of the broker beside the modules.

use super::Error;
use crate::broker_server::BrokerServer;
use crate::clock::Clock;
use crate::control::bench::{self, Bench};
use crate::control::fleet::{Asks, Members};
use crate::control::journal::Journal;
use crate::control::{App, Server};
use crate::net::parse_address;
use crate::registry::{self, secret_from_environment, secret_from_file};
use clap::Args as ClapArgs;
use credentials::Secret;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Where the token is when no option names it.
const TOKEN_VARIABLE: &str = "MODEMQ_CONTROL_TOKEN";

/// What a test needs besides the module.
#[allow(clippy::struct_field_names)] // they are the options' names
#[derive(ClapArgs, Debug)]
pub struct Control {
    /// Let programs look at the modules and break them: HTTP and JSON at this address, described at /openapi.json; port 0 is any free one
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    control: Option<SocketAddr>,

    /// Ask for this token: Authorization: Bearer TOKEN. Wanted unless ADDR is the loopback. Other users may see it here: better from a file or $MODEMQ_CONTROL_TOKEN
    #[arg(long, value_name = "TOKEN", requires = "control", conflicts_with = "control_token_file", value_parser = parse_token)]
    control_token: Option<Secret>,

    /// A file whose first line is the token
    #[arg(long, value_name = "FILE", requires = "control")]
    control_token_file: Option<PathBuf>,

    /// A broker in the same program; port 0 is any free one. The name broker.test leads to it, and --resolve NAME=broker
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    broker: Option<SocketAddr>,

    /// Let that broker be Huawei Cloud IoTDA for the devices of this file; `modemq broker --help` describes it
    #[arg(long, value_name = "FILE", requires = "broker")]
    iotda: Option<PathBuf>,

    /// Stop when standard input ends: so a test that is killed takes its modules with it
    #[arg(long, conflicts_with = "stdio")]
    stop_on_eof: bool,
}

impl Control {
    /// Whether anybody may ask what happened.
    pub(super) fn is_on(&self) -> bool {
        self.control.is_some()
    }

    /// Starts the broker, when there is to be one.
    pub(super) async fn start_broker(&self, clock: Clock) -> Result<Option<Arc<Bench>>, Error> {
        let Some(address) = self.broker else {
            return Ok(None);
        };
        let config = broker::Config {
            events: self.is_on(),
            ..broker::Config::default()
        };
        let (config, platform) = match &self.iotda {
            None => (config, None),
            Some(path) => {
                let platform = registry::platform(path, self.is_on())?;
                (iotda::broker_config(config), Some(platform))
            }
        };
        let (server, happenings) =
            BrokerServer::start_platform(config, platform, &[address]).await?;
        let journal = Journal::new();
        tokio::spawn(bench::keep(journal.clone(), clock, happenings));
        Ok(Some(Arc::new(Bench { server, journal })))
    }

    /// Starts the control API, when there is to be one. Modules that are asked for come out of `asks`' other end.
    pub(super) async fn start(
        &self,
        members: Members,
        asks: Asks,
        bench: Option<Arc<Bench>>,
    ) -> Result<Option<Server>, Error> {
        let Some(address) = self.control else {
            return Ok(None);
        };
        let token = match (&self.control_token, &self.control_token_file) {
            (Some(token), _) => Some(token.clone()),
            (None, Some(file)) => Some(secret_from_file(file)?),
            (None, None) => secret_from_environment(TOKEN_VARIABLE).ok(),
        };
        let app = App {
            members,
            asks,
            bench,
        };
        Ok(Some(Server::start(address, token, app).await?))
    }

    /// Waits until the program is to stop by itself.
    pub(super) async fn stopped(&self) {
        if !self.stop_on_eof {
            return std::future::pending().await;
        }
        let (sender, ended) = oneshot::channel();
        // A thread, since standard input may be a file or a terminal.
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
            let _ = sender.send(());
        });
        let _ = ended.await;
    }
}

fn parse_token(text: &str) -> Result<Secret, String> {
    match text {
        "" => Err("a token is wanted".into()),
        text => Ok(text.into()),
    }
}
