//! `modemq module --flash`: what a module keeps outlives the program.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Folder, Host, Running, run, start};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

fn with_flash(model: &str, flash: &Path) -> (Running, Host) {
    let flash = flash.to_str().unwrap();
    Host::with_module(model, &["--pace", "fast", "--flash", flash])
}

fn say(host: &mut Host, line: &str, wanted: &str) {
    host.send(format!("{line}\r").as_bytes());
    host.expect(wanted);
}

fn luat(flash: &Path) -> (Running, Host) {
    let (module, mut host) = with_flash("air780ep", flash);
    host.synchronise();
    host.command("ATE0", &["OK"]);
    (module, host)
}

fn write(host: &mut Host, name: &str, content: &str) {
    say(host, &format!("AT+FSCREATE=\"{name}\""), "\r\nOK\r\n");
    let len = content.len();
    say(host, &format!("AT+FSWRITE=\"{name}\",0,{len},10"), ">");
    host.send(content.as_bytes());
    host.expect("\r\nOK\r\n");
}

fn read(host: &mut Host, name: &str, content: &str) {
    let len = content.len();
    say(
        host,
        &format!("AT+FSREAD=\"{name}\",0,{len},0"),
        &format!("\r\n{content}\r\n\r\nOK\r\n"),
    );
}

/// Everything below a folder, with what it is.
fn below(folder: &Path) -> Vec<(PathBuf, u32)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let meta = std::fs::symlink_metadata(&path).unwrap();
        found.push((path.clone(), meta.mode() & 0o777));
        if meta.is_dir() {
            found.extend(below(&path));
        }
    }
    found
}

#[test]
fn files_outlive_the_program_and_nobody_else_reads_them() {
    let folder = Folder::new("flash");
    let flash = folder.0.join("new/flash");
    let (module, mut host) = luat(&flash);
    write(&mut host, "client.key", "-----BEGIN PRIVATE KEY-----");
    say(&mut host, "AT+FSMKDIR=\"/d\"", "\r\nOK\r\n");
    write(&mut host, "/d/a", "deep");
    say(&mut host, "AT+FSCREATE=\"/gone\"", "\r\nOK\r\n");
    say(&mut host, "AT+FSDEL=\"/gone\"", "\r\nOK\r\n");
    say(&mut host, "AT&W", "\r\nOK\r\n");
    // Killed: it has no time for anything.
    drop(module);
    for (path, mode) in below(&flash) {
        let private = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, private, "{}", path.display());
    }
    // ATE0 was kept as well.
    let args = [
        "module",
        "air780ep",
        "--stdio",
        "--pace",
        "fast",
        "--flash",
        flash.to_str().unwrap(),
    ];
    let said = String::from_utf8(run(&args, b"AT+FSLS=\"/d\"\r").stdout).unwrap();
    assert!(
        said.contains("\r\na\r\n\r\nOK") && !said.contains("AT+FSLS"),
        "{said}"
    );
    let (_module, mut host) = luat(&flash);
    read(&mut host, "client.key", "-----BEGIN PRIVATE KEY-----");
    read(&mut host, "/d/a", "deep");
    say(
        &mut host,
        "AT+FSLS=\"/\"",
        "\r\nclient.key\r\nd\\\r\n\r\nOK\r\n",
    );
}

#[test]
fn typed_certificates_outlive_the_program() {
    let folder = Folder::new("flash");
    let (module, mut host) = with_flash("bc26", &folder.0);
    host.send(b"ATE0\r");
    host.wait_for("ATE0\r\r\nOK\r\n");
    say(&mut host, "AT+QSSLCFG=3,0,\"clientkey\"", "\r\n> ");
    host.send(b"key\x1a");
    host.expect("\r\n+QSSLCFG: 3,0,\"clientkey\",3\r\n\r\nOK\r\n");
    drop(module);
    let (_module, mut host) = with_flash("bc26", &folder.0);
    host.send(b"ATE0\r");
    host.wait_for("ATE0\r\r\nOK\r\n");
    host.send(b"AT+QSSLCFG=3,0\r");
    host.wait_for("+QSSLCFG: 3,0,\"clientkey\",3\r\n");
}

#[test]
fn names_cannot_leave_the_folder_or_meet_in_it() {
    let folder = Folder::new("flash");
    let flash = folder.0.join("flash");
    let (module, mut host) = luat(&flash);
    for bad in ["../x", "..", "/d/../../x", ".", "a//b", &"x".repeat(65)] {
        say(
            &mut host,
            &format!("AT+FSCREATE=\"{bad}\""),
            "\r\nERROR\r\n",
        );
    }
    let hostile = [
        "CA.crt",
        "ca.crt",
        ".unfinished",
        "...",
        "%2e%2e",
        "~",
        "a b",
        "证书",
        "C:/nul\0",
    ];
    for (index, name) in hostile.iter().enumerate() {
        write(&mut host, name, &format!("content {index}"));
    }
    drop(module);
    let inside: Vec<_> = std::fs::read_dir(&folder.0).unwrap().collect();
    assert_eq!(inside.len(), 1);
    let (_module, mut host) = luat(&flash);
    for (index, name) in hostile.iter().enumerate() {
        read(&mut host, name, &format!("content {index}"));
    }
}

/// Namespace and key of SYSMFG are the host's as well.
#[test]
fn names_of_values_are_hostile_too() {
    let folder = Folder::new("flash");
    let hostile = [
        ("../../x", "../y"),
        ("a/b", "c"),
        ("a", "b/c"),
        ("A", "B/C"),
    ];
    for round in 0..2 {
        let (_module, mut host) = with_flash("esp32c3", &folder.0.join("flash"));
        host.send(b"ATE0\r\n");
        host.wait_for("ATE0\r\n\r\nOK\r\n");
        for (index, (namespace, key)) in hostile.iter().enumerate() {
            if round == 0 {
                host.send(
                    format!("AT+SYSMFG=2,\"{namespace}\",\"{key}\",1,{index}\r\n").as_bytes(),
                );
                host.expect("\r\nOK\r\n");
            } else {
                host.send(format!("AT+SYSMFG=1,\"{namespace}\",\"{key}\"\r\n").as_bytes());
                host.expect(&format!(
                    "+SYSMFG:\"{namespace}\",\"{key}\",1,1,{index}\r\n\r\nOK\r\n"
                ));
            }
        }
    }
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 1);
}

#[test]
fn several_modules_share_a_folder() {
    let folder = Folder::new("flash");
    let flash = folder.0.to_str().unwrap();
    let args = [
        "module", "air780ep", "--stdio", "--pace", "fast", "--flash", flash,
    ];
    let said = run(&args, b"AT+FSCREATE=\"alone\"\r");
    assert!(said.status.success());
    let mut several = start(&[
        "module",
        "air780ep",
        "--tcp",
        "127.0.0.1:0",
        "--count",
        "2",
        "--pace",
        "fast",
        "--flash",
        flash,
    ]);
    for name in ["first", "second"] {
        let mut host = Host::connect(common::address_of(&several.line()));
        host.synchronise();
        host.command(&format!("AT+FSCREATE=\"{name}\""), &["OK"]);
    }
    for (module, name) in [
        ("air780ep", "alone"),
        ("air780ep-0", "first"),
        ("air780ep-1", "second"),
    ] {
        let files = folder.0.join(module).join("files");
        let found: Vec<_> = std::fs::read_dir(files)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(found, [name]);
    }
}

/// A user puts a certificate into the folder, with a name of their own.
#[test]
fn what_lies_in_the_folder_is_on_the_module() {
    let folder = Folder::new("flash");
    let files = folder.0.join("air780ep/files");
    std::fs::create_dir_all(files.join("Sub")).unwrap();
    std::fs::write(files.join("Server.PEM"), "one").unwrap();
    std::fs::write(files.join("Sub/x"), "two").unwrap();
    std::fs::write(files.join(".hidden"), "three").unwrap();
    let elsewhere = folder.0.join("elsewhere");
    std::fs::write(&elsewhere, "untouched").unwrap();
    symlink(&elsewhere, files.join(".unfinished")).unwrap();
    let (_module, mut host) = luat(&folder.0);
    say(
        &mut host,
        "AT+FSLS=\"/\"",
        "\r\nServer.PEM\r\nSub\\\r\n\r\nOK\r\n",
    );
    read(&mut host, "/Sub/x", "two");
    write(&mut host, "/Sub/Y", "new");
    say(&mut host, "AT+FSWRITE=\"Server.PEM\",0,4,10", ">");
    host.send(b"four");
    host.expect("\r\nOK\r\n");
    assert_eq!(std::fs::read(files.join("Server.PEM")).unwrap(), b"four");
    assert_eq!(std::fs::read(files.join("Sub/%59")).unwrap(), b"new");
    assert_eq!(std::fs::read(&elsewhere).unwrap(), b"untouched");
    for line in [
        "AT+FSDEL=\"Server.PEM\"",
        "AT+FSDEL=\"/Sub/x\"",
        "AT+FSDEL=\"/Sub/Y\"",
        "AT+FSRMDIR=\"/Sub\"",
    ] {
        say(&mut host, line, "\r\nOK\r\n");
    }
    let left: Vec<_> = below(&files).into_iter().map(|(path, _)| path).collect();
    assert_eq!(left, [files.join(".hidden")]);
}

#[test]
fn a_folder_that_will_not_do_is_told() {
    let folder = Folder::new("flash");
    let fails = |model: &str, wanted: &str| {
        let flash = folder.0.join("flash");
        let args = [
            "module",
            model,
            "--stdio",
            "--pace",
            "fast",
            "--flash",
            flash.to_str().unwrap(),
        ];
        let said = run(&args, b"");
        let why = String::from_utf8(said.stderr).unwrap();
        assert!(!said.status.success(), "{wanted}");
        assert!(
            why.starts_with("modemq: --flash: ") && why.contains(wanted),
            "{why}"
        );
    };
    let flash = folder.0.join("flash");
    std::fs::write(&flash, "").unwrap();
    fails("air780ep", "Not a directory");
    std::fs::remove_file(&flash).unwrap();
    let files = flash.join("air780ep/files");
    std::fs::create_dir_all(&files).unwrap();
    for (name, len, wanted) in [
        (
            "%zz",
            1,
            "%zz: in a name, % stands before two hexadecimal digits",
        ),
        ("a%2fb", 1, "a%2fb: a name with a slash"),
        (
            "big",
            1_304_001,
            "big: 1304001 bytes, and 1304000 is the most here",
        ),
    ] {
        std::fs::write(files.join(name), vec![0; len]).unwrap();
        fails("air780ep", wanted);
        std::fs::remove_file(files.join(name)).unwrap();
    }
    std::fs::write(files.join("x".repeat(65)), "").unwrap();
    fails(
        "air780ep",
        "does not fit the Air780EP: no path: 1 to 64 bytes",
    );
    std::fs::remove_file(files.join("x".repeat(65))).unwrap();
    // One after the other they fit, together they do not.
    for name in ["one", "two"] {
        std::fs::write(files.join(name), vec![0; 700_000]).unwrap();
    }
    fails(
        "air780ep",
        "\"two\" does not fit the Air780EP: the flash is full",
    );
    std::fs::remove_file(files.join("two")).unwrap();
    symlink(&flash, files.join("loop")).unwrap();
    fails("air780ep", "loop: neither a file nor a folder of files");
    std::fs::remove_file(files.join("loop")).unwrap();
    std::fs::create_dir_all(flash.join("bc26/files")).unwrap();
    std::fs::write(flash.join("bc26/files/ca.crt"), "x").unwrap();
    fails("bc26", "ca.crt: 1 bytes, and 0 is the most here");
    let (_module, mut host) = luat(&flash);
    say(&mut host, "AT", "\r\nOK\r\n");
    fails("air780ep", "another module runs with this flash");
}

/// What cannot be kept ends the program, before the module says OK to it.
#[test]
fn a_flash_that_takes_no_more_ends_the_module() {
    let folder = Folder::new("flash");
    let (mut module, mut host) = luat(&folder.0);
    let files = folder.0.join("air780ep/files");
    std::fs::remove_dir(&files).unwrap();
    std::fs::write(&files, "in the way").unwrap();
    std::fs::set_permissions(&files, PermissionsExt::from_mode(0o600)).unwrap();
    host.send(b"AT+FSCREATE=\"a\"\r");
    assert!(!module.wait().success());
}
