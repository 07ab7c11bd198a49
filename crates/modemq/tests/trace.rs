//! `modemq trace`: a trace as text and as a picture.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{run, temporary};
use instant::Instant;
use modemq::chart;
use modemq::trace::{Kind, Line};
use proptest::prelude::*;
use std::process::Output;

const CONVERSATION: &str = include_str!("trace/conversation.jsonl");

fn trace(args: &[&str], input: &str) -> Output {
    run(&[&["trace", "-"], args].concat(), input.as_bytes())
}

fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

/// What is wrong with this trace.
fn complaint(args: &[&str], input: &str) -> String {
    let output = trace(args, input);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn lines() -> Vec<Line> {
    CONVERSATION
        .lines()
        .map(|line| Line::from_json(line).unwrap())
        .collect()
}

#[test]
fn text_is_that_of_a_live_trace() {
    assert_eq!(
        out(&trace(&[], CONVERSATION)),
        "    0.028 state    power on\n    \
             0.832 host <-  RDY\n    \
             6.584 host ->  AT+MIPSTART=\"a.example\",1883\n    \
             7.496 mqtt ->  CONNECT MQTT level 4 id \"c1\" keep-alive 60 s clean user \"温度\" password …\n    \
             7.748 mqtt <-  CONNACK 0 accepted\n    \
             7.748 note     <&> \\x00\\xff\n"
    );
}

/// Has a module write to a file, and reads that.
fn assert_is_read(kind: &str, writes: &[&str]) {
    let file = temporary(kind);
    let args = ["module", "air780ep", "--stdio", "--pace", "fast"];
    let output = run(
        &[&args[..], writes, &[file.to_str().unwrap()]].concat(),
        b"AT\r",
    );
    assert!(output.status.success());
    let text = run(&["trace", file.to_str().unwrap()], b"");
    let _ = std::fs::remove_file(&file);
    let text = out(&text);
    for wanted in [" state    power on\n", " host ->  AT\n", " host <-  OK\n"] {
        assert!(text.contains(wanted), "{text}");
    }
}

#[test]
fn a_module_writes_what_is_read_here() {
    assert_is_read("trace", &["--trace", "json", "--log"]);
}

#[test]
fn a_recording_holds_a_trace_too() {
    assert_is_read("recording", &["--record"]);
}

/// After a change that is meant: `target/debug/modemq trace crates/modemq/tests/trace/conversation.jsonl --svg`, look at it, and keep it.
#[test]
fn the_picture_is_drawn_to_the_letter() {
    let drawn = trace(&["--svg"], CONVERSATION);
    assert_eq!(out(&drawn), include_str!("trace/conversation.svg"));
    assert_eq!(drawn.stderr, b"");
}

/// The texts of an element's kind, with what the parser made of entities.
fn texts(svg: &str, name: &str) -> Vec<String> {
    let document = roxmltree::Document::parse(svg).unwrap_or_else(|why| panic!("{why}: {svg}"));
    let nodes = document.descendants();
    let nodes = nodes.filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", name)));
    nodes
        .map(|node| node.text().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn what_is_cut_is_whole_under_the_pointer() {
    let drawn = trace(&["--svg"], CONVERSATION);
    let connect = &lines()[3].text;
    assert!(!texts(out(&drawn), "text").contains(connect));
    assert_eq!(
        texts(out(&drawn), "title")[1..],
        *std::slice::from_ref(connect)
    );
    assert!(texts(out(&drawn), "text").contains(&"<&> \\x00\\xff".to_owned()));
}

#[test]
fn a_part_is_chosen_by_time() {
    let shown = trace(&["--from", "0.832", "--to", "7.496"], CONVERSATION);
    assert_eq!(out(&shown).lines().count(), 3);
    let shown = trace(&["--from", "7.7481"], CONVERSATION);
    assert_eq!(out(&shown).lines().count(), 1);
    for bad in [
        "",
        "x",
        "1.",
        ".5",
        "-1",
        "1.1234567",
        "99999999999999999999",
    ] {
        let output = trace(&[&format!("--from={bad}")], "");
        assert_eq!(output.status.code(), Some(2), "{bad}");
    }
}

#[test]
fn a_chart_says_what_it_leaves_out() {
    let drawn = trace(&["--svg", "--limit", "4"], CONVERSATION);
    let note = "2 more lines are left out: --from 7.748000 draws them, --limit draws more at once";
    assert!(texts(out(&drawn), "text").contains(&note.to_owned()));
    assert_eq!(
        String::from_utf8_lossy(&drawn.stderr),
        format!("modemq: {note}\n")
    );
    let rest = trace(&["--svg", "--from", "7.748000"], CONVERSATION);
    assert!(texts(out(&rest), "text").contains(&"CONNACK 0 accepted".to_owned()));
}

#[test]
fn one_of_several_modules_is_drawn() {
    let line = |module: usize, text: &str| {
        format!("{{\"us\":1,\"kind\":\"note\",\"text\":\"{text}\",\"module\":{module}}}\n")
    };
    let both = line(0, "zero") + &line(7, "seven");
    assert_eq!(
        out(&trace(&[], &both)),
        "    0.000 #0 note     zero\n    0.000 #7 note     seven\n"
    );
    assert_eq!(
        complaint(&["--svg"], &both),
        "modemq: the trace is of several modules, #0, #7: choose with --module\n"
    );
    let drawn = trace(&["--svg", "--module", "7"], &both);
    assert_eq!(
        texts(out(&drawn), "text"),
        ["host", "module #7", "broker", "0.000", "seven"]
    );
}

#[test]
fn what_is_no_trace_is_refused_with_its_line() {
    let hint = "; `modemq module … --trace json --log FILE` writes a trace\n";
    assert_eq!(
        complaint(&[], "    0.028 state    power on\n"),
        format!(
            "modemq: -, line 1: no line of a trace: invalid type: floating point `0.028`, expected an object with us, kind and text{hint}"
        )
    );
    assert_eq!(
        complaint(&[], "{\"us\":1,\"kind\":\"x\",\"text\":\"\"}\n"),
        format!(
            "modemq: -, line 1: no line of a trace: unknown variant `x`, expected one of `host ->`, `host <-`, `mqtt ->`, `mqtt <-`, `state`, `note`, `event`{hint}"
        )
    );
    assert_eq!(
        complaint(&[], &CONVERSATION[..CONVERSATION.len() - 10]),
        "modemq: -, line 6: the line is cut off\n"
    );
    let output = run(&["trace", "-"], b"\xff\n");
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        format!("modemq: -, line 1: no line of a trace: it is no UTF-8{hint}")
    );
    let missing = run(&["trace", "/nowhere/trace"], b"");
    assert_eq!(
        String::from_utf8_lossy(&missing.stderr),
        "modemq: /nowhere/trace: No such file or directory (os error 2)\n"
    );
}

fn any_line() -> impl Strategy<Value = Line> {
    let kind = prop::sample::select(vec![
        Kind::FromHost,
        Kind::ToHost,
        Kind::ToBroker,
        Kind::FromBroker,
        Kind::State,
        Kind::Note,
    ]);
    let text = prop_oneof![
        any::<String>(),
        "[ -~]{0,200}",
        "[\\x00-\\x1f<>&\"'\u{fffe}\u{ffff}]{0,20}"
    ];
    (any::<u64>(), kind, text, any::<Option<usize>>()).prop_map(|(micros, kind, text, module)| {
        Line {
            micros,
            kind,
            text,
            module,
        }
    })
}

proptest! {
    #[test]
    fn json_is_read_as_it_was_written(line in any_line()) {
        let json = serde_json::to_string(&line).unwrap();
        prop_assert_eq!(Line::from_json(&json).unwrap(), line);
    }

    #[test]
    fn no_bytes_make_the_reader_stumble(text in any::<String>(), cut in any::<prop::sample::Index>(), line in any_line()) {
        let _ = Line::from_json(&text);
        let json = serde_json::to_string(&line).unwrap();
        let cut = json.char_indices().nth(cut.index(json.chars().count())).unwrap().0;
        prop_assert_eq!(Line::from_json(&json[..cut]).unwrap_err(), "the line is cut off");
    }

    #[test]
    fn every_trace_is_a_drawing_that_tells_each_text(lines in prop::collection::vec(any_line(), 0..20), name in any::<String>()) {
        let lines: Vec<_> = lines.into_iter().map(|line| Line { text: line.printable(), ..line }).collect();
        let svg = chart::svg(&lines, "module", Some(&lines.len().to_string()));
        let shown = [texts(&svg, "text"), texts(&svg, "title")].concat();
        for line in &lines {
            prop_assert!(shown.contains(&line.text), "{:?} is not in {svg}", line.text);
            let printed = line.to_string();
            prop_assert!(!printed.contains(char::is_control), "{printed:?}");
            prop_assert!(printed.trim_start().starts_with(&Instant::from_micros(line.micros).to_string()));
        }
        let _ = texts(&chart::svg(&[], &Line { micros: 0, kind: Kind::Note, text: name, module: None }.printable(), None), "text");
    }
}
