//! What strikes: every word of the vocabulary, at random times, for random times.

use world::Dice;
use world::fault::WORDS;

/// Faults that strike by themselves; `{s}` is some seconds, `{m}` some milliseconds, `{t}` few of them, `{n}` a small number.
pub(crate) const FAULTS: &[&str] = &[
    "tcp-drop every {s}",
    "reset_peer every {s}",
    "half-open at {s}",
    "refuse at {s} for {s}",
    "close-on-connect at {s} for {s}",
    "broker-silent at {s} for {s}",
    "broker-up at {s}",
    "dns-fail at {s} for {s}",
    "dns-slow {s} at {s} for {s}",
    "timeout {s} at {s} for {s}",
    "slow_close {s} at {s} for {s}",
    "latency {m} {m} on link",
    "bandwidth 20kbit on link for {s}",
    "slicer {n} {m} on link",
    "stall on link at {s} for {s}",
    "loss 5% on link",
    "limit_data 2000 every {s} for {s}",
    "pdp-deact every {s}",
    "ip-change every {s}",
    "signal 99 at {s} for {s}",
    "signal 99 at {s}",
    "signal-back at {s}",
    "registration denied at {s} for {s}",
    "registration searching at {s} for {s}",
    "sim busy at {s} for {s}",
    "sim absent at {s} for {s}",
    "sim-busy {n} every {s}",
    "reboot every {s}",
    "reboot when SUB",
    "reboot when PUB after {m}",
    "power-cut at {s}",
    "power-cut every {s} for {n}s",
    "brown-out {n} at {s}",
    "stuck at {s} for {s}",
    "flash-full at {s} for {s}",
    "clock-lost at {s}",
    "cme-error 3 {n} every {s}",
    "late-reply {n}s 1 every {s}",
    "late-reply {n}0s when PUB",
    "late-reply {n}0s when SUB",
    "late-reply {n}0s when ?",
    "late-reply {n}0s at {s}",
    "lost-reply 1 every {s}",
    "lost-reply 1 when SUB",
    "lost-reply 1 when PUB",
    "lost-reply 1 when ?",
    "urc \"+CREG: 2\" now every {s}",
    "urc \"+CREG: 2\" inside-reply every {n}s",
    "urc \"+CEREG: 5\" before-reply every {s}",
    "urc \"+CEREG: 2\" inside-reply every {s}",
    "urc \"+X: 1\" inside-reply every {s}",
    "urc \"+CSQ: 99,99\" glued every {s}",
    "urc \"OK\" glued every {n}s",
    "urc \"+QMTPUB: 0,1,0\" glued every {n}s",
    "urc \"+QMTPUBEX: 0,1,0\" glued every {n}s",
    "urc \"+ECMTPUB: 0,1,0\" glued every {n}s",
    "slicer 1 {t} on serial",
    "slicer {n} 1ms on serial/downstream for {s}",
    "latency {m} {m} on serial",
    "stall on serial at {s} for {n}0s",
];

/// Faults that change bytes of the serial line, where nothing has a checksum: what a message holds cannot be promised then.
pub(crate) const NOISE: &[&str] = &[
    "loss 1% on serial every {s} for {s}",
    "loss 100% on serial/downstream every {s} for {n}s",
    "corrupt 1% on serial/downstream every {s} for {s}",
    "corrupt 1% on serial/upstream every {s} for {s}",
    "duplicate 5% on serial every {s} for {s}",
    "echo-garbled 20% every {s} for {s}",
    "overrun 40 at {s} for {s}",
    "wrong-baud 9600 at {s} for {s}",
];

/// A fault of this template.
pub(crate) fn fault(template: &str, dice: &mut Dice) -> String {
    let mut line = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        line.push_str(&rest[..at]);
        let value = match &rest[at..at + 3] {
            "{s}" => format!("{}s", 1 + dice.below(180)),
            "{t}" => format!("{}ms", 1 + dice.below(8)),
            "{m}" => format!("{}ms", 1 + dice.below(800)),
            _ => format!("{}", 1 + dice.below(3)),
        };
        line.push_str(&value);
        rest = &rest[at + 3..];
    }
    line.push_str(rest);
    line
}

#[test]
fn every_word_of_the_vocabulary_strikes() {
    for word in WORDS {
        let strikes = |line: &&str| line.split(' ').next() == Some(word.name);
        let all = || FAULTS.iter().chain(NOISE);
        assert!(all().any(strikes), "{}", word.name);
        // A word of both streams strikes both.
        if word.layer == world::fault::Layer::Stream {
            let on = |place: &str| all().any(|line| strikes(line) && line.contains(place));
            assert!(on("on link") || word.name == "stall", "{}", word.name);
        }
    }
    let mut dice = Dice::new(1, "faults");
    for template in FAULTS.iter().chain(NOISE) {
        let line = fault(template, &mut dice);
        assert!(line.parse::<world::Fault>().is_ok(), "{line}");
    }
}
