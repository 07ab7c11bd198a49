//! What a module keeps without power comes out as it changes, and goes in at the next start.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use dialect::Model;
use instant::Instant;
use module::{Area, Config, Content, Flash, FlashItem, Module, Output, Pace};
use std::time::Duration;

fn item(area: Area, name: &str) -> FlashItem {
    let name = name.into();
    FlashItem { area, name }
}

fn module(model: &str, flash: Flash) -> Module {
    let config = Config {
        pace: Pace::Fast,
        flash: Some(flash),
        ..Config::default()
    };
    let mut module = Module::new(Instant::ZERO, Model::by_name(model).unwrap(), config);
    while module.poll_output().is_some() {}
    module
}

/// Sends this, and keeps `flash` as a host does. Returns what was said.
fn send(module: &mut Module, flash: &mut Flash, bytes: &[u8]) -> String {
    module.receive(Instant::ZERO, bytes);
    let mut said = Vec::new();
    while let Some(output) = module.poll_output() {
        match output {
            Output::Serial(bytes) => said.extend(bytes),
            Output::Flash { item, content } => {
                // It must be kept before the module says that it is.
                assert!(!said.ends_with(b"OK\r\n"));
                match content {
                    Some(content) => drop(flash.0.insert(item, content)),
                    None => drop(flash.0.remove(&item)),
                }
            }
            _ => {}
        }
    }
    String::from_utf8(said).unwrap()
}

#[test]
fn what_is_written_is_there_at_the_next_start() {
    let mut flash = Flash::default();
    let mut before = module("air780ep", flash.clone());
    for (line, wanted) in [
        ("ATE0&W\r", "ATE0&W\r\r\nOK\r\n"),
        ("AT+FSMKDIR=\"/d\"\r", "\r\nOK\r\n"),
        ("AT+FSCREATE=\"/d/a\"\r", "\r\nOK\r\n"),
        ("AT+FSWRITE=\"/d/a\",0,3,10\r", ">"),
        ("abc", "\r\nOK\r\n"),
        ("AT+FSCREATE=\"gone\"\r", "\r\nOK\r\n"),
        ("AT+FSDEL=\"gone\"\r", "\r\nOK\r\n"),
        ("AT+SSLCFG=\"seclevel\",88,2\r", "\r\nOK\r\n"),
    ] {
        assert_eq!(
            send(&mut before, &mut flash, line.as_bytes()),
            wanted,
            "{line}"
        );
    }
    let apn = b"AT+CPNETAPN=2,\"private\",\"u\",\"p\",1\r";
    assert!(send(&mut before, &mut flash, apn).starts_with("\r\nOK\r\n"));
    let names: Vec<_> = flash.0.keys().map(|item| item.name.as_str()).collect();
    assert_eq!(
        names,
        ["d", "d/a", "AT&W", "CPNETAPN", "sslcfg/88/seclevel"]
    );
    let mut after = module("air780ep", flash.clone());
    for (line, wanted) in [
        ("AT+FSREAD=\"/d/a\",0,3,0\r", "\r\nabc\r\n\r\nOK\r\n"),
        (
            "AT+SSLCFG=\"seclevel\",88\r",
            "\r\n+SSLCFG: \"seclevel\",88,2\r\n\r\nOK\r\n",
        ),
        (
            "AT+CPNETAPN?\r",
            "\r\nMODE:2\r\nAPN:private\r\nUSR:u\r\nPWD:p\r\nAUTHMODE:1\r\n\r\nOK\r\n",
        ),
        ("AT+FSDEL=\"/d/a\"\r", "\r\nOK\r\n"),
        ("AT+FSRMDIR=\"/d\"\r", "\r\nOK\r\n"),
    ] {
        assert_eq!(
            send(&mut after, &mut flash, line.as_bytes()),
            wanted,
            "{line}"
        );
    }
    let names: Vec<_> = flash.0.keys().map(|item| item.name.as_str()).collect();
    assert_eq!(names, ["AT&W", "CPNETAPN", "sslcfg/88/seclevel"]);
}

/// A certificate is the factory's, a setting is not.
#[test]
fn a_return_to_factory_settings_leaves_certificates() {
    let mut flash = Flash::default();
    let mut module = module("esp32c3", flash.clone());
    send(&mut module, &mut flash, b"ATE0\r\nAT+CWMODE=3\r\n");
    send(
        &mut module,
        &mut flash,
        b"AT+SYSMFG=2,\"mqtt_ca\",\"mqtt_ca\",8,2\r\n",
    );
    send(&mut module, &mut flash, b"PE");
    assert_eq!(flash.0.len(), 2);
    send(&mut module, &mut flash, b"AT+RESTORE\r\n");
    let areas: Vec<_> = flash.0.keys().map(|item| item.area).collect();
    assert_eq!(areas, [Area::Certificate]);
}

#[test]
fn a_flash_that_is_another_models_is_told() {
    let model = |name| Model::by_name(name).unwrap();
    let with = |name: &str, len: usize| {
        let mut flash = Flash::default();
        let content = Content(vec![0; len]);
        flash.0.insert(item(Area::File, name), content);
        flash
    };
    assert_eq!(with("ca.crt", 1000).check(model("air780ep")), Ok(()));
    for (flash, model, why) in [
        (with("ca.crt", 1), model("bc26"), "the flash is full"),
        (
            with("ca.crt", 2_000_000),
            model("air780ep"),
            "the flash is full",
        ),
        (
            with("d/ca.crt", 1),
            model("air780ep"),
            "no such file or folder",
        ),
        (
            with("../ca.crt", 1),
            model("air780ep"),
            "no path: 1 to 64 bytes, below / or C:/",
        ),
        (
            with("/ca.crt", 1),
            model("air780ep"),
            "no path: 1 to 64 bytes, below / or C:/",
        ),
    ] {
        assert_eq!(flash.check(model).unwrap_err().1, why);
    }
}

#[test]
fn bytes_of_the_flash_are_not_printed() {
    let mut flash = Flash::default();
    let content = Content(b"-----BEGIN PRIVATE KEY-----".to_vec());
    flash
        .0
        .insert(item(Area::File, "client.key"), content.clone());
    let output = Output::Flash {
        item: item(Area::File, "client.key"),
        content: Some(content),
    };
    for printed in [format!("{flash:?}"), format!("{output:?}")] {
        assert!(
            printed.contains("<27 bytes>") && !printed.contains("BEGIN"),
            "{printed}"
        );
    }
}

/// A host that ends its lines with CR LF writes a file: the LF is the line's, not the file's. A LF after the prompt is the file's.
#[test]
fn the_line_feed_behind_a_command_is_no_data() {
    let model = Model::by_name("air780ep").unwrap();
    for pace in [Pace::Fast, Pace::Real] {
        let config = Config {
            pace,
            flash: Some(Flash::default()),
            ..Config::default()
        };
        let mut module = Module::new(Instant::ZERO, model, config);
        let mut now = Instant::ZERO;
        let mut flash = Flash::default();
        let mut pass = |module: &mut Module, now: &mut Instant, parts: &[&[u8]], millis: u64| {
            for part in parts {
                module.receive(*now, part);
                let end = *now + Duration::from_millis(millis);
                while let Some(at) = module.next_deadline().filter(|at| *at <= end) {
                    *now = (*now).max(at);
                    module.advance(*now);
                }
                *now = end;
            }
            while let Some(output) = module.poll_output() {
                if let Output::Flash {
                    item,
                    content: Some(content),
                } = output
                {
                    flash.0.insert(item, content);
                }
            }
        };
        pass(&mut module, &mut now, &[b""], 60_000);
        pass(&mut module, &mut now, &[b"AT+FSCREATE=\"a\"\r\n"], 1000);
        // The LF comes with the CR, or right behind it.
        let command: &[u8] = b"AT+FSWRITE=\"a\",0,3,10\r";
        match pace {
            Pace::Fast => pass(&mut module, &mut now, &[&[command, b"\n"].concat()], 1),
            Pace::Real => pass(&mut module, &mut now, &[command, b"\n"], 1),
        }
        pass(&mut module, &mut now, &[b""], 100);
        pass(&mut module, &mut now, &[b"\nab"], 1000);
        let contents: Vec<_> = flash.0.values().map(|content| content.0.clone()).collect();
        assert_eq!(contents, [b"\nab"], "{pace:?}");
    }
}
