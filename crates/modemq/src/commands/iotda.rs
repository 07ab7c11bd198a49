//! `modemq iotda`: what a device logs in with, and the platform of a broker that runs.

use super::Error;
use super::module::parse_model;
use crate::application;
use crate::clock::unix_time;
use crate::doctor::lines::{Abilities, Stage, Step, conversation};
use crate::doctor::{self, Login, Question, Target};
use crate::output;
use crate::registry::{SECRET_VARIABLE, secret_from_environment, secret_from_file};
use clap::{Args as ClapArgs, Subcommand};
use credentials::{Credentials, Secret, SignType, Timestamp};
use dialect::Model;
use iotda::{Request, content, object};
use mqtt::QoS;
use serde_json::{Map, Value};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Huawei Cloud IoTDA: compute what a device logs in with; ask the platform of `modemq broker --iotda`, and let it ask devices
#[derive(ClapArgs, Debug)]
#[command(after_help = "Examples:
  modemq iotda credentials --device-id dev1 --secret-file dev1.secret --model ec20
      client id, user name and password for this hour, and the AT lines to paste
  modemq iotda shadow dev1
      what the device has reported to the broker on port 1883
  modemq iotda command dev1 stm32 light '{\"on\":1}'
      waits for the device's answer, 20 s at most")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    Credentials(CredentialsArgs),
    /// List the devices, and who is online
    Devices {
        #[command(flatten)]
        broker: Broker,
    },
    /// Show what a device has reported, and what is desired of it
    Shadow {
        /// Which
        device: String,
        #[command(flatten)]
        broker: Broker,
    },
    /// Send a message that the platform does not look into; it waits for a device that is away
    Message {
        /// For which
        device: String,
        /// What: a JSON object or array, or else text
        content: String,
        /// Its name
        #[arg(long, conflicts_with = "topic")]
        name: Option<String>,
        /// To a topic of its product, below $oc/devices/DEVICE/user/, or to one that does not begin with $oc; as it is
        #[arg(short, long)]
        topic: Option<String>,
        #[command(flatten)]
        broker: Broker,
    },
    /// Send an event
    Event {
        /// For which
        device: String,
        /// Of which service, such as '$ota'
        service: String,
        /// What has happened, such as version_query
        event_type: String,
        /// Its parameters, a JSON object
        #[arg(default_value = "{}", value_parser = object)]
        paras: Map<String, Value>,
        #[command(flatten)]
        broker: Broker,
    },
    /// Send a command, and wait for the answer
    Command {
        /// For which
        device: String,
        /// Of which service
        service: String,
        /// Which
        name: String,
        /// Its parameters, a JSON object
        #[arg(default_value = "{}", value_parser = object)]
        paras: Map<String, Value>,
        /// How long the answer may take, in seconds
        #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3600))]
        timeout: u64,
        #[command(flatten)]
        broker: Broker,
    },
    /// Set properties, and wait for the answer
    Set {
        /// Of which
        device: String,
        /// Of which service
        service: String,
        /// To what, a JSON object
        #[arg(value_parser = object)]
        properties: Map<String, Value>,
        #[command(flatten)]
        broker: Broker,
    },
    /// Ask for properties, and wait for the answer
    Get {
        /// Of which
        device: String,
        /// Of which service; of all when it does not say
        service: Option<String>,
        #[command(flatten)]
        broker: Broker,
    },
    /// Say what is desired of a device: it is told while it differs; null takes a property back, {} all of them
    Desire {
        /// Of which
        device: String,
        /// Of which service
        service: String,
        /// What, a JSON object
        #[arg(value_parser = object)]
        properties: Map<String, Value>,
        #[command(flatten)]
        broker: Broker,
    },
}

/// Which broker.
#[derive(ClapArgs, Debug)]
struct Broker {
    /// The port that the broker listens on first
    #[arg(short, long, value_name = "PORT", default_value_t = 1883)]
    port: u16,
}

/// Compute client id, user name and password; the secret comes from an option, a file or $MODEMQ_IOTDA_SECRET
#[derive(ClapArgs, Debug)]
struct CredentialsArgs {
    /// The device
    #[arg(long, value_name = "ID")]
    device_id: String,

    /// Its secret. Other users of this machine may see it: better from a file or the environment
    #[arg(long, value_name = "SECRET", group = "source", value_parser = |text: &str| Ok::<_, String>(Secret::from(text)))]
    secret: Option<Secret>,

    /// A file whose first line is the secret
    #[arg(long, value_name = "FILE", group = "source")]
    secret_file: Option<PathBuf>,

    /// The hour in UTC [default: now]
    #[arg(long, value_name = "YYYYMMDDHH")]
    time: Option<Timestamp>,

    /// The platform compares the hour with its clock: signature type 1
    #[arg(long)]
    check_time: bool,

    /// Print the AT lines of this model too
    #[arg(long, value_parser = parse_model)]
    model: Option<&'static Model>,

    /// The server in those lines
    #[arg(
        long,
        value_name = "HOST",
        default_value = "127.0.0.1",
        requires = "model"
    )]
    host: String,

    /// Its port
    #[arg(long, value_name = "PORT", default_value_t = 1883, requires = "model")]
    port: u16,
}

/// Does it.
///
/// # Errors
/// Why it cannot be done.
pub async fn run(args: Args) -> Result<ExitCode, Error> {
    let (broker, request) = match args.action {
        Action::Credentials(args) => return print_credentials(&args),
        Action::Devices { broker } => (broker, Request::Devices),
        Action::Shadow { device, broker } => (broker, Request::Shadow { device }),
        Action::Message {
            device,
            content: text,
            name,
            topic,
            broker,
        } => {
            let content = content(&text);
            let request = Request::Message {
                device,
                content,
                name,
                topic,
            };
            (broker, request)
        }
        Action::Event {
            device,
            service,
            event_type,
            paras,
            broker,
        } => {
            let request = Request::Event {
                device,
                service,
                event_type,
                paras,
            };
            (broker, request)
        }
        Action::Command {
            device,
            service,
            name,
            paras,
            timeout,
            broker,
        } => {
            let request = Request::Command {
                device,
                service,
                name,
                paras,
                timeout_ms: Some(timeout * 1000),
            };
            (broker, request)
        }
        Action::Set {
            device,
            service,
            properties,
            broker,
        } => {
            let request = Request::Set {
                device,
                service,
                properties,
            };
            (broker, request)
        }
        Action::Get {
            device,
            service,
            broker,
        } => (broker, Request::Get { device, service }),
        Action::Desire {
            device,
            service,
            properties,
            broker,
        } => {
            let request = Request::Desire {
                device,
                service,
                properties,
            };
            (broker, request)
        }
    };
    let answer = application::ask(broker.port, &request).await?;
    writeln!(output::stdout(), "{answer:#}")?;
    Ok(ExitCode::SUCCESS)
}

fn print_credentials(args: &CredentialsArgs) -> Result<ExitCode, Error> {
    let secret = match (&args.secret, &args.secret_file) {
        (Some(secret), _) => secret.clone(),
        (None, Some(path)) => secret_from_file(path)?,
        (None, None) => secret_from_environment(SECRET_VARIABLE)
            .map_err(|why| format!("where is the secret? --secret, --secret-file, or {why}"))?,
    };
    let now = || Timestamp::from_unix(i64::try_from(unix_time()?).ok()?);
    let timestamp = args
        .time
        .or_else(now)
        .ok_or("the clock of this machine is not set: --time YYYYMMDDHH")?;
    if timestamp.unix().is_none() {
        return Err(format!("there is no hour {timestamp}").into());
    }
    let sign_type = if args.check_time {
        SignType::Checked
    } else {
        SignType::Unchecked
    };
    let login = Credentials::new(&args.device_id, &secret, sign_type, timestamp)?;
    let mut out = output::stdout();
    writeln!(out, "client id  {}", login.client_id)?;
    writeln!(out, "user name  {}", login.username())?;
    writeln!(out, "password   {}", login.password)?;
    if let Some(model) = args.model {
        let steps = login_lines(model, &args.host, args.port, &login)?;
        writeln!(out, "\n{} on {}:{}:", model.title, args.host, args.port)?;
        for step in steps {
            for line in step.lines() {
                writeln!(out, "{line}")?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What is typed into a module to log in and listen for messages. Each line waits for the answer to the one before.
///
/// # Errors
/// The model does not take such a line: a text is longer than it may be.
pub fn login_lines(
    model: &'static Model,
    host: &str,
    port: u16,
    login: &Credentials,
) -> Result<Vec<Step>, String> {
    let user = login.username();
    let question = Question {
        model,
        target: Target {
            host: host.into(),
            port,
            tls: false,
            websocket: None,
        },
        login: Login {
            client_id: login.client_id.to_string(),
            is_given: true,
            username: Some(user.into()),
            password: Some(login.password.clone()),
            // Source: usermanual-iothub/iot_01_0128 recommends it.
            keep_alive: 120,
        },
        credentials: doctor::Credentials::default(),
        topic: format!("$oc/devices/{user}/sys/messages/down"),
        max_qos: QoS::AtLeastOnce,
        patience: Duration::ZERO,
        connect_delay: Duration::ZERO,
        check_dates: false,
        apn: None,
        wifi: None,
    };
    let mut steps = conversation(&question, &Abilities::hoped(&question))?;
    steps.retain(|step| !matches!(step.stage, Stage::Publish | Stage::Leave));
    Ok(steps)
}
