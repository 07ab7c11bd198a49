//! The driver for C: its header, the library without std, and the example in C against a module and a broker.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Broker, Folder, Running, start};
use driver::{CommandFailure, ConnectError, Outcome, PublishError, Refusal, Rung, TlsError, Why};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../driver/c")
}

fn done(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn compiler() -> String {
    std::env::var("CC").unwrap_or("cc".into())
}

/// The static library, made once.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/c");
        done(
            Command::new(env!("CARGO"))
                .args([
                    "build",
                    "--release",
                    "--locked",
                    "--quiet",
                    "--manifest-path",
                ])
                .arg(source().join("Cargo.toml"))
                .arg("--target-dir")
                .arg(&target),
        );
        target.join("release/libmodemq.a")
    })
}

fn compile(file: &Path, standard: &str, program: &Path) {
    done(
        Command::new(compiler())
            .arg(standard)
            .args(["-Wall", "-Wextra", "-Werror", "-I"])
            .arg(source())
            .arg("-o")
            .args([program, file, library()]),
    );
}

#[test]
fn the_header_is_what_cbindgen_prints() {
    let source = source();
    let config = cbindgen::Config::from_file(source.join("cbindgen.toml")).unwrap();
    let builder = cbindgen::Builder::new()
        .with_config(config)
        .with_src(source.join("src/lib.rs"));
    let mut printed = Vec::new();
    builder.generate().unwrap().write(&mut printed);
    let header = source.join("modemq.h");
    if std::env::var_os("MODEMQ_BLESS").is_some() {
        std::fs::write(&header, &printed).unwrap();
    }
    assert!(
        std::fs::read(header).unwrap() == printed,
        "print modemq.h anew: MODEMQ_BLESS=1 cargo test -p modemq --test c header"
    );
}

#[test]
fn the_header_is_c99_and_cpp() {
    let header = source().join("modemq.h");
    let strict = ["-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Werror"];
    for (language, standard) in [("c", "-std=c99"), ("c", "-std=c17"), ("c++", "-std=c++11")] {
        // As a source of its own, and not as a header that is precompiled.
        let mut command = Command::new(if language == "c" {
            compiler()
        } else {
            "c++".into()
        });
        done(
            command
                .args(strict)
                .args([standard, "-x", language, "-include"])
                .arg(&header)
                .arg("/dev/null"),
        );
    }
}

/// Numbers and words in C's tables are those of the driver.
#[test]
fn words_are_those_of_the_driver() {
    let broker = |code| Refusal::Broker(code).to_string();
    let tables: [(&str, Vec<String>); 6] = [
        (
            "outcome",
            vec![
                Outcome::Delivered.to_string(),
                Outcome::Sent.to_string(),
                "refused".into(),
                Outcome::Unknown.to_string(),
                "no such number".into(),
            ],
        ),
        (
            "why",
            [
                Why::Silent,
                Why::Rebooted,
                Why::Sim,
                Why::SimLocked,
                Why::NotRegistered,
                Why::NoBearer,
                Why::BearerLost,
                Why::NotOpened,
                Why::Closed,
                Why::NotLoggedIn,
            ]
            .map(|why| why.to_string())
            .into_iter()
            .chain(["the broker refused the login".into()])
            .chain(
                [Why::Unanswered, Why::NotConnected, Why::Configuration].map(|why| why.to_string()),
            )
            .collect(),
        ),
        (
            "rung",
            [
                Rung::Resubscribe,
                Rung::Reconnect,
                Rung::Reopen,
                Rung::Reactivate,
                Rung::Radio,
                Rung::Reset,
            ]
            .map(|rung| rung.to_string())
            .into(),
        ),
        (
            "failure",
            vec![
                "done".into(),
                CommandFailure::Refused(None).to_string(),
                CommandFailure::TimedOut.to_string(),
                CommandFailure::Rebooted.to_string(),
                CommandFailure::Prompted.to_string(),
            ],
        ),
        ("refusal_by_the_broker", (1..=5).map(broker).collect()),
        (
            "status_of_tls",
            [
                TlsError::NotOnThisModel,
                TlsError::NoIdentity,
                TlsError::NotPem,
                TlsError::OneAuthority,
            ]
            .map(|error| ConnectError::Tls(error).to_string())
            .into(),
        ),
    ];
    let mut expected = String::new();
    let mut main = String::from("#include <stdio.h>\n#include \"modemq.h\"\nint main(void) {\n");
    for (table, words) in &tables {
        for (at, words) in words.iter().enumerate() {
            let call = match *table {
                "refusal_by_the_broker" => {
                    format!("refusal_words(MODEMQ_REFUSER_BROKER, {})", at + 1)
                }
                "status_of_tls" => {
                    format!("status_words(MODEMQ_STATUS_TLS_NOT_ON_THIS_MODEL + {at})")
                }
                table => format!("{table}_words({at})"),
            };
            writeln!(main, "    puts(modemq_{call});").unwrap();
            writeln!(expected, "{words}").unwrap();
        }
    }
    for (constant, words) in [
        (
            "status_words(MODEMQ_STATUS_NOT_CONNECTED)",
            PublishError::NotConnected.to_string(),
        ),
        (
            "status_words(MODEMQ_STATUS_BYTES)",
            PublishError::Bytes.to_string(),
        ),
        (
            "status_words(MODEMQ_STATUS_TOPIC)",
            PublishError::Topic.to_string(),
        ),
        (
            "status_words(MODEMQ_STATUS_OPTIONS)",
            ConnectError::Options.to_string(),
        ),
        ("refusal_words(MODEMQ_REFUSER_BROKER, 128)", broker(128)),
        (
            "refusal_words(MODEMQ_REFUSER_MODULE, 0)",
            Refusal::Module(None).to_string(),
        ),
        (
            "refusal_words(MODEMQ_REFUSER_LINK, 0)",
            Refusal::NotConnected.to_string(),
        ),
        ("why_words(-1)", "no such number".into()),
    ] {
        writeln!(main, "    puts(modemq_{constant});").unwrap();
        writeln!(expected, "{words}").unwrap();
    }
    main.push_str("    return 0;\n}\n");
    let folder = Folder::new("words");
    let (file, program) = (folder.0.join("words.c"), folder.0.join("words"));
    std::fs::write(&file, main).unwrap();
    compile(&file, "-std=c99", &program);
    assert_eq!(done(&mut Command::new(program)), expected);
}

/// What C gets wrong is a status, and nothing is done.
#[test]
fn misuse_is_a_status() {
    let folder = Folder::new("misuse");
    let program = folder.0.join("misuse");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/misuse.c");
    compile(&file, "-std=c99", &program);
    assert_eq!(done(&mut Command::new(program)), "");
}

/// The example, and a module on a PTY.
struct Bench {
    folder: Folder,
    _module: Running,
}

impl Bench {
    fn new(name: &str, model: &str) -> Self {
        let folder = Folder::new(name);
        compile(
            &source().join("example.c"),
            "-std=gnu11",
            &folder.0.join("example"),
        );
        let port = folder.0.join("port");
        let port = port.to_str().unwrap();
        let mut module = start(&["module", model, "--pty", port, "--pace", "fast"]);
        module.line();
        Self {
            folder,
            _module: module,
        }
    }

    fn run(&self, options: &[&str], model: &str, to: &str) -> Output {
        Command::new(self.folder.0.join("example"))
            .current_dir(&self.folder.0)
            .args(options)
            .args([model, "port", "localhost", to, "a/b", "hello"])
            .output()
            .unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_example_in_c_publishes_and_receives() {
    let broker = Broker::ours(&["--user", "robot:right"]);
    let bench = Bench::new("c", "ec20");
    let output = bench.run(&["-u", "robot", "-P", "right"], "ec20", &broker.port());
    assert_eq!(text(&output.stdout), "a/b: hello\n");
    assert_eq!(text(&output.stderr), "signal 24\ndelivered\n");
    assert!(output.status.success());
}

#[test]
fn the_example_in_c_brings_certificates_into_the_module() {
    let folder = Folder::new("c-certificates");
    let (_broker, [one_way, mutual]) = Broker::ours_with_tls(&folder.0, &[]);
    let file = |name: &str| folder.0.join(name).to_str().unwrap().to_string();
    let [ca, certificate, key] = [file("ca.crt"), file("client.crt"), file("client.key")];
    let server = ["-c", &ca];
    let both = ["-c", &ca, "-C", &certificate, "-k", &key];

    let bench = Bench::new("c-tls", "ec20");
    let output = bench.run(&both, "ec20", &mutual.port().to_string());
    assert_eq!(
        text(&output.stdout),
        "a/b: hello\n",
        "{}",
        text(&output.stderr)
    );
    assert!(output.status.success());

    let bench = Bench::new("c-tls-nb", "nt35e");
    let output = bench.run(&server, "nt35e", &one_way.port().to_string());
    assert_eq!(
        text(&output.stdout),
        "a/b: hello\n",
        "{}",
        text(&output.stderr)
    );
    assert!(output.status.success());
    let output = bench.run(&both, "nt35e", &mutual.port().to_string());
    assert_eq!(
        text(&output.stderr),
        "connect: the model has no place for a client's certificate: it can check the server, and no more\n"
    );
    assert_eq!(output.status.code(), Some(1));
}
