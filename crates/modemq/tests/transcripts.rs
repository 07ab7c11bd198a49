//! Every transcript, on every model that it names, at both paces.

// clippy.toml allows unwrap in test functions; these helpers are called by nothing else.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Broker, Folder};
use dialect::Model;
use modemq::certificates::{Authority, THIS_MACHINE};
use modemq::commands::replay::{Given, models_of, on_sockets, on_virtual};
use modemq::transcript::{Mismatch, PortBroker, Script, TlsBroker};
use module::Pace;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

#[test]
fn every_transcript_goes_as_written() {
    let (mut played, mut wrong) = (0, Vec::new());
    for (script, models) in scripts().iter().filter(|(script, _)| script.tls.is_none()) {
        for model in models {
            for pace in [Pace::Real, Pace::Fast] {
                played += 1;
                if let Err(mismatch) = on_virtual(script, model, pace, &Given::default()).unwrap() {
                    wrong.push(format!("{} at pace {pace:?}: {mismatch}", model.title));
                }
            }
        }
    }
    assert_none(&wrong, played);
}

/// TLS runs in real time, on sockets: all of them at once.
#[test]
fn every_transcript_with_tls_goes_as_written_on_both_brokers() {
    let scripts = scripts();
    let authority = Authority::of_this_process().unwrap();
    let (sender, wrong) = mpsc::channel();
    let mut played = 0;
    std::thread::scope(|scope| {
        for (script, models) in &scripts {
            let Some(wanted) = &script.tls else { continue };
            for model in models {
                played += 1;
                let sender = sender.clone();
                scope.spawn(move || {
                    let tell = |broker: &str, result: Result<_, Box<Mismatch>>| {
                        if let Err(mismatch) = result {
                            let title = model.title;
                            sender
                                .send(format!("{title}, {broker}: {mismatch}"))
                                .unwrap();
                        }
                    };
                    let given = Given::default();
                    for pace in [Pace::Real, Pace::Fast] {
                        let result = on_virtual(script, model, pace, &given).unwrap();
                        tell(&format!("our broker, pace {pace:?}"), result);
                    }
                    let (_running, broker) = mosquitto(wanted, authority);
                    let result = on_sockets(script, model, Pace::Fast, &given, broker, authority);
                    tell("Mosquitto", result.unwrap());
                });
            }
        }
    });
    drop(sender);
    assert_none(&wrong.iter().collect::<Vec<_>>(), played);
}

/// A Mosquitto as a transcript wants its broker.
fn mosquitto(wanted: &TlsBroker, authority: &Authority) -> ((Broker, Folder), PortBroker) {
    let folder = Folder::new("mosquitto-tls");
    let server = authority.server(THIS_MACHINE, wanted.flaw).unwrap();
    for (name, bytes) in [
        ("ca.crt", &authority.certificate),
        ("server.crt", &server.certificate),
        ("server.key", &server.key),
    ] {
        std::fs::write(folder.0.join(name), bytes).unwrap();
    }
    let (broker, tls) = Broker::mosquitto_as_wanted(&folder.0, wanted);
    let [address, tool] = [tls, broker.address].map(|at| (at.ip().to_string(), at.port()));
    let broker_of_port = PortBroker::Given {
        address,
        tool,
        tool_tls: None,
    };
    ((broker, folder), broker_of_port)
}

/// Every transcript, with the models that it is for.
fn scripts() -> Vec<(Script, Vec<&'static Model>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../transcripts");
    let mut files = Vec::new();
    collect(&root, &mut files);
    assert!(!files.is_empty(), "no transcript in {}", root.display());
    files
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let script = Script::parse(&path.display().to_string(), &text)
                .unwrap_or_else(|error| panic!("{error}"));
            let models = models_of(&script, &path, None).unwrap();
            assert!(!models.is_empty(), "{} is for no model", path.display());
            (script, models)
        })
        .collect()
}

fn assert_none(wrong: &[String], played: usize) {
    assert!(played > 0, "nothing was played");
    assert!(
        wrong.is_empty(),
        "{} of {played} went wrong:\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
}

#[test]
fn a_mismatch_says_where_and_what() {
    let script = Script::parse("wrong.at", "AT+CGATT?\n\n+CGATT: 0\n\nOK\n").unwrap();
    let model = Model::by_name("air780ep").unwrap();
    let mismatch = on_virtual(&script, model, Pace::Fast, &Given::default())
        .unwrap()
        .unwrap_err();
    assert_eq!(mismatch.number, 3);
    assert_eq!(mismatch.expected, "\\r\\n+CGATT: 0\\r\\n");
    assert_eq!(mismatch.got, "\\r\\n+CGATT: 1\\r\\n\\r\\nOK\\r\\n");
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "at") {
            files.push(path);
        }
    }
}
