//! `modemq replay`: play transcripts and recordings.

use super::Error;
use super::module::{parse_model, recorded};
use crate::certificates::Authority;
use crate::clock::unix_time;
use crate::record;
use crate::tls;
use crate::transcript::{
    Line, Mismatch, PortBroker, PortDevice, Report, Script, SocketDevice, Variables, VirtualDevice,
    play,
};
use clap::Args as ClapArgs;
use dialect::Model;
use module::{Pace, Tls};
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// Play transcripts against the virtual module, or against a real one, and recordings of `modemq module --record`, and compare every byte
#[derive(ClapArgs, Debug)]
#[command(after_help = "Examples:
  modemq replay transcripts/luat/*.at
      on every model that each of them names, in virtual time
  modemq replay transcripts/luat/6.2-plain-login.at --port /dev/ttyUSB0 --broker 192.0.2.7:1883
      on a real module, with a broker that it can reach
  modemq replay FILE --port tcp:127.0.0.1:7000
      on `modemq module air780ep --tcp 127.0.0.1:7000`
  modemq replay run.jsonl
      the run that modemq module --record run.jsonl wrote, in virtual time
  modemq replay transcripts/luat/tls-one-way.at --port /dev/ttyUSB0 --broker mqtt.example.com:8883 --file ca=ca.crt
      with TLS, on a real module, with your own broker and its CA
  modemq replay transcripts/luat/tls-mutual.at --port /dev/ttyUSB0 --listen 192.0.2.7
      the same with a broker that is started here, on an address that the module can reach, and certificates that are made for it")]
pub struct Args {
    /// Transcripts, whose format transcripts/README.md describes, or recordings
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// On this model only
    #[arg(long, value_parser = parse_model)]
    model: Option<&'static Model>,

    /// On a module at a serial device or tcp:HOST:PORT, in real time
    #[arg(long, value_name = "DEV|tcp:ADDR")]
    port: Option<String>,

    /// Bits per second of the serial device
    #[arg(long, value_name = "N", default_value_t = 115_200)]
    baud: u32,

    /// A broker that the module on the port can reach [default: one is started]
    #[arg(long, value_name = "HOST:PORT", requires = "port")]
    broker: Option<String>,

    /// Where the broker that is started listens
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1")]
    listen: Ipv4Addr,

    /// What {NAME} stands for. May be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_variable)]
    set: Vec<(String, String)>,

    /// What `@file NAME` sends; with a broker behind TLS, ca, and maybe client-cert and client-key. May be repeated
    #[arg(long, value_name = "NAME=FILE", value_parser = parse_variable)]
    file: Vec<(String, String)>,

    /// real: the model's delays, in virtual time except over TLS; fast: none
    #[arg(long, default_value = "real", value_parser = ["real", "fast"])]
    pace: String,
}

/// Prints a line; nobody may be reading any more.
macro_rules! say {
    ($($text:tt)*) => {
        drop(writeln!(std::io::stdout(), $($text)*))
    };
}

/// Plays each transcript; the exit status tells whether all went as written.
///
/// # Errors
/// A file that cannot be read or is no transcript, a port that cannot be opened.
pub fn run(args: &Args) -> Result<ExitCode, Error> {
    let mut given = Given {
        values: args.set.clone(),
        files: Vec::new(),
    };
    for (name, path) in &args.file {
        let bytes = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
        given.files.push((name.clone(), bytes));
    }
    let mut failed = 0;
    let mut played = 0;
    for path in &args.files {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let start = Instant::now();
        if record::is_recording(&text) {
            failed += usize::from(!replayed(path, &text, args, start)?);
            played += 1;
            continue;
        }
        let script = Script::parse(&path.display().to_string(), &text)?;
        if script.steps.is_empty() {
            // Such as the recording of a module that was killed before its first byte.
            return Err(format!("{}: there is nothing to play in it", path.display()).into());
        }
        if let Some(port) = &args.port {
            // What is at the other end is of the model, or else of the first one that the transcript is for.
            let models = models_of(&script, path, args.model)?;
            let model = models.first().ok_or("the transcript is for no model")?;
            let result = on_port(&script, model, port, args, &given)?;
            failed += usize::from(!told(path, port, &result, start));
            played += 1;
            continue;
        }
        let pace = if args.pace == "fast" {
            Pace::Fast
        } else {
            Pace::Real
        };
        let models = models_of(&script, path, args.model)?;
        for model in models {
            let start = Instant::now();
            let result = on_virtual(&script, model, pace, &given)?;
            failed += usize::from(!told(path, model.title, &result, start));
            played += 1;
        }
    }
    if played == 0 {
        return Err("no transcript is for this model".into());
    }
    say!("{} of {played} as written", played - failed);
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Plays a recording; false when the module does something else now.
fn replayed(path: &Path, text: &str, args: &Args, start: Instant) -> Result<bool, Error> {
    let path = path.display();
    if args.port.is_some() || args.model.is_some() {
        let why = "a recording is of one virtual module: --port and --model are for transcripts";
        return Err(format!("{path}: {why}").into());
    }
    Ok(match record::replay(text, recorded) {
        Ok(replayed) => {
            let cut = if replayed.is_cut {
                "; the last line is cut off"
            } else {
                ""
            };
            say!(
                "ok    {path}: {} inputs, {} outputs, {:.3} s, as recorded{cut}, {:.0?}",
                replayed.inputs,
                replayed.outputs,
                replayed.span.as_secs_f64(),
                start.elapsed()
            );
            true
        }
        Err(why) => {
            say!("WRONG {path}, {why}");
            false
        }
    })
}

/// What the user gives a conversation.
#[derive(Clone, Default)]
pub struct Given {
    /// `{name}`
    pub values: Vec<(String, String)>,
    /// `@file name`
    pub files: Vec<(String, Vec<u8>)>,
}

impl Given {
    /// Adds it to what is known.
    ///
    /// # Errors
    /// The conversation sends a file that there is not.
    fn apply(&self, script: &Script, variables: &mut Variables) -> Result<(), Error> {
        for (name, value) in &self.values {
            variables.set(name, value);
        }
        for (name, bytes) in &self.files {
            variables.set_file(name, bytes.clone());
        }
        for step in &script.steps {
            if let Line::File(name) = &step.line
                && variables.file(name).is_none()
            {
                let (script, line) = (&script.name, step.number);
                return Err(format!(
                    "{script}:{line}: there is no file {name}: --file {name}=PATH names one"
                )
                .into());
            }
        }
        Ok(())
    }
}

/// The models that a transcript is for: those that it names, or those of the folder's family.
///
/// # Errors
/// It names a model that there is not.
pub fn models_of(
    script: &Script,
    path: &Path,
    only: Option<&'static Model>,
) -> Result<Vec<&'static Model>, String> {
    let family = path
        .parent()
        .and_then(Path::file_name)
        .map(|name| name.to_string_lossy().into_owned());
    let mut models = Vec::new();
    if script.models.is_empty() {
        let same = |model: &&Model| {
            family.as_deref().is_none_or(|family| {
                model.family.name() == family
                    || model.name == family
                    || !dialect::model::is_family_or_model(family)
            })
        };
        models.extend(dialect::model::ALL.iter().filter(same));
    }
    for name in &script.models {
        let model = Model::by_name(name)
            .ok_or_else(|| format!("{}: @model {name}: no such model", script.name))?;
        models.push(model);
    }
    models.retain(|model| only.is_none_or(|only| only.name == model.name));
    Ok(models)
}

/// Plays a transcript on a virtual module: in virtual time, or with the broker that it wants when that is behind TLS.
///
/// # Errors
/// The transcript configures the module in a way that there is not.
pub fn on_virtual(
    script: &Script,
    model: &'static Model,
    pace: Pace,
    given: &Given,
) -> Result<Result<Report, Box<Mismatch>>, Error> {
    if script.tls.is_some() {
        let broker = PortBroker::own(Ipv4Addr::LOCALHOST, script)?;
        let authority = Authority::of_this_process()?;
        return on_sockets(script, model, pace, given, broker, authority);
    }
    let mut device = VirtualDevice::new(model, script, pace)?;
    let mut variables = of_virtual("broker.test", 1883, model);
    given.apply(script, &mut variables)?;
    Ok(play(script, model, &mut device, &variables, &mut |_| {}))
}

/// Plays a transcript on a virtual module in real time, with a broker whose certificate this authority has signed.
///
/// # Errors
/// The same, and the system's.
pub fn on_sockets(
    script: &Script,
    model: &'static Model,
    pace: Pace,
    given: &Given,
    broker: PortBroker,
    authority: &Authority,
) -> Result<Result<Report, Box<Mismatch>>, Error> {
    let mut device = SocketDevice::new(model, script, pace, broker)?;
    let (host, port) = device.broker_address();
    let mut variables = of_virtual(host, port, model);
    variables.set_certificates(authority)?;
    variables.set_now(unix_time().unwrap_or_default());
    given.apply(script, &mut variables)?;
    Ok(play(script, model, &mut device, &variables, &mut |_| {}))
}

fn of_virtual(host: &str, port: u16, model: &Model) -> Variables {
    let mut variables = Variables::new(host, port);
    variables.set("firmware", model.firmware);
    variables.set("model", model.title);
    variables
}

fn on_port(
    script: &Script,
    model: &Model,
    port: &str,
    args: &Args,
    given: &Given,
) -> Result<Result<Report, Box<Mismatch>>, Error> {
    let broker = match &args.broker {
        None => PortBroker::own(args.listen, script)?,
        Some(broker) => {
            let address = parse_address(broker)?;
            let file = |wanted: &str| {
                let found = given.files.iter().find(|(name, _)| name == wanted);
                found.map(|(_, bytes)| bytes.clone())
            };
            // The tool shows the module's certificate, and minds the server's as the module does.
            let tool_tls = script.tls.as_ref().map(|_| {
                Box::new(Tls {
                    suites: tls::all_suites().collect(),
                    server_name: Some(address.0.clone()),
                    authorities: file("ca"),
                    identity: file("client-cert").zip(file("client-key")),
                    ..Tls::default()
                })
            });
            PortBroker::Given {
                tool: address.clone(),
                address,
                tool_tls,
            }
        }
    };
    let mut device = PortDevice::open(port, args.baud, broker, &script.filters())?;
    let (host, broker_port) = device.broker_address();
    let mut variables = Variables::new(host, broker_port);
    variables.set_now(unix_time().unwrap_or_default());
    if script.tls.is_some() && args.broker.is_none() {
        variables.set_certificates(Authority::of_this_process()?)?;
    }
    given.apply(script, &mut variables)?;
    Ok(play(script, model, &mut device, &variables, &mut |_| {}))
}

fn told(path: &Path, on: &str, result: &Result<Report, Box<Mismatch>>, start: Instant) -> bool {
    match result {
        Ok(report) => say!(
            "ok    {} on {on}: {} commands, {} frames, {} messages, {:.0?}",
            path.display(),
            report.commands,
            report.frames,
            report.messages,
            start.elapsed()
        ),
        Err(mismatch) => say!("WRONG {} on {on}\n  {mismatch}", path.display()),
    }
    result.is_ok()
}

fn parse_address(text: &str) -> Result<(String, u16), String> {
    let wrong = || format!("{text:?} is not HOST:PORT");
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    Ok((host.into(), port.parse().map_err(|_| wrong())?))
}

fn parse_variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| format!("{text:?} is not NAME=VALUE"))?;
    Ok((name.into(), value.into()))
}
