use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn spans() -> impl Strategy<Value = Duration> {
    prop_oneof![
        1_u64..10_000,
        (1_u64..100_000).prop_map(|millis| millis * 1_000),
        (1_u64..10_000).prop_map(|seconds| seconds * 1_000_000),
        (1_u64..300).prop_map(|hours| hours * 3_600_000_000),
    ]
    .prop_map(Duration::from_micros)
}

fn periods() -> impl Strategy<Value = Duration> {
    spans().prop_map(|span| span + Duration::from_millis(1))
}

fn shares() -> impl Strategy<Value = Share> {
    prop_oneof![
        (0_u32..=1_000_000).prop_map(Share::from_ppm),
        (0_u32..=100).prop_map(|percent| Share::from_ppm(percent * 10_000)),
    ]
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{1,12}",
        "\\PC{1,8}",
        prop::sample::select(vec!["on", "\r\n", "\"", "\\", "+CSQ: 99,99"]).prop_map(String::from),
    ]
}

fn whats() -> impl Strategy<Value = What> {
    let timed = (
        spans(),
        prop_oneof![Just(Duration::ZERO), spans()],
        1_u32..9,
    );
    let counted = (any::<u16>(), 1_u32..100, 8_u64..10_000_000_000);
    (0_usize..WORDS.len(), timed, counted, shares(), texts()).prop_map(
        |(index, (span, other, few), (code, count, many), share, text)| match WORDS[index].name {
            "latency" => What::Latency {
                delay: span,
                jitter: other,
            },
            "bandwidth" => What::Bandwidth(many),
            "slicer" => What::Slicer {
                bytes: count,
                delay: other,
            },
            "loss" => What::Loss(share),
            "stall" => What::Stall,
            "corrupt" => What::Corrupt(share),
            "duplicate" => What::Duplicate(share),
            "echo-garbled" => What::EchoGarbled(share),
            "overrun" => What::Overrun { bytes: count },
            "wrong-baud" => What::WrongBaud(300 + u32::from(code)),
            "late-reply" => What::LateReply {
                delay: span,
                replies: few,
            },
            "lost-reply" => What::LostReply { replies: few },
            "urc" => What::Urc {
                text,
                place: [
                    UrcPlace::Now,
                    UrcPlace::BeforeReply,
                    UrcPlace::InsideReply,
                    UrcPlace::Glued,
                ][few as usize % 4],
            },
            "tcp-drop" => What::TcpDrop,
            "reset_peer" => What::ResetPeer,
            "half-open" => What::HalfOpen,
            "timeout" => What::Timeout(span),
            "slow_close" => What::SlowClose(span),
            "limit_data" => What::LimitData(many),
            "refuse" => What::Refuse,
            "close-on-connect" => What::CloseOnConnect,
            "broker-silent" => What::BrokerSilent,
            "broker-up" => What::BrokerUp,
            "dns-fail" => What::DnsFail,
            "dns-slow" => What::DnsSlow(span),
            "signal" => What::Signal(if few > 4 { 99 } else { few as u8 }),
            "signal-back" => What::SignalBack,
            "registration" => What::Registration(if few > 4 {
                Registration::Denied
            } else {
                Registration::Searching
            }),
            "pdp-deact" => What::PdpDeact,
            "ip-change" => What::IpChange,
            "sim" => What::Sim(if few > 4 {
                Sim::Absent
            } else {
                Sim::Pin("1234".into())
            }),
            "sim-busy" => What::SimBusy { times: count },
            "reboot" => What::Reboot,
            "power-cut" => What::PowerCut,
            "brown-out" => What::BrownOut { times: count },
            "stuck" => What::Stuck,
            "flash-full" => What::FlashFull,
            "clock-lost" => What::ClockLost,
            "cme-error" => What::CmeError {
                code,
                commands: few,
            },
            other => panic!("{other} has no strategy"),
        },
    )
}

fn sides() -> impl Strategy<Value = Option<Side>> {
    prop_oneof![
        Just(None),
        Just(Some(Side::Upstream)),
        Just(Some(Side::Downstream))
    ]
}

fn places() -> impl Strategy<Value = Place> {
    let host = prop_oneof!["[a-z]{1,8}(\\.[a-z]{2,4}){0,2}", Just("::1".to_string())];
    prop_oneof![
        sides().prop_map(Place::Serial),
        (prop::option::of(host), any::<u16>(), any::<bool>(), sides()).prop_map(
            |(host, port, has_port, side)| Place::Link {
                port: (has_port && host.is_some()).then_some(port),
                host,
                side,
            }
        ),
    ]
}

/// Faults of any parts, be they possible together or not.
fn faults() -> impl Strategy<Value = Fault> {
    let when = prop_oneof![
        Just(When::Now),
        spans().prop_map(When::At),
        periods().prop_map(When::Every),
        (texts(), prop_oneof![Just(Duration::ZERO), spans()])
            .prop_map(|(text, after)| When::Typed { text, after }),
    ];
    (
        whats(),
        prop::option::of(places()),
        when,
        prop_oneof![Just(Share::NONE), shares()],
        prop::option::of(periods()),
        prop_oneof![Just(Share::ALL), shares()],
        prop::option::of(1_u32..1000),
    )
        .prop_map(
            |(what, on, when, jitter, lasts, probability, times)| Fault {
                what,
                on,
                when,
                jitter,
                lasts,
                probability,
                times,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_fault_is_read_as_it_was_written(fault in faults()) {
        let line = fault.to_string();
        match line.parse::<Fault>() {
            Ok(read) => prop_assert_eq!(read, fault, "{}", line),
            // What cannot be said together is refused for that, and for nothing else.
            Err(error) => prop_assert!(
                ["has no", "is of", "say how long", "`jitter` varies", "`times` goes"]
                    .iter()
                    .any(|reason| error.problem.contains(reason)),
                "{}: {}", line, error
            ),
        }
    }

    #[test]
    fn any_text_is_read_or_refused(line in "\\PC{0,40}") {
        let _ = line.parse::<Fault>();
    }

    #[test]
    fn any_words_are_read_or_refused(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "latency", "pdp-deact", "urc", "on", "at", "every", "for", "when", "after", "times", "jitter", "probability",
                "link", "serial/upstream", "link:h:1", "5s", "1ms", "30%", "7", "\"a b\"", "\"", "99999999999999999999d",
            ]),
            0..8,
        ),
    ) {
        let line = words.join(" ");
        if let Ok(fault) = line.parse::<Fault>() {
            prop_assert_eq!(fault.to_string().parse::<Fault>(), Ok(fault));
        }
    }

    #[test]
    fn a_time_is_read_as_it_was_written(span in spans()) {
        prop_assert_eq!(parse_time(&write_time(span)), Some(span));
    }
}

#[test]
fn every_word_has_one_name_and_an_example_that_holds() {
    let mut names = BTreeSet::new();
    for word in WORDS {
        assert!(names.insert(word.name), "{} twice", word.name);
        let fault: Fault = word
            .example
            .parse()
            .unwrap_or_else(|error| panic!("{}: {error}", word.example));
        assert_eq!(fault.what.name(), word.name);
        assert_eq!(fault.what.word().name, word.name);
        assert_eq!(fault.to_string(), word.example);
    }
    for (name, meaning) in ALIASES {
        assert!(names.insert(name), "{name} twice");
        let meant = meaning.split(' ').next().unwrap_or_default();
        assert!(Word::by_name(meant).is_some(), "{name}: {meaning}");
    }
}

#[test]
fn other_names_mean_the_same() {
    for (line, meaning) in [
        ("flow-off for 1s", "stall on serial for 1s"),
        ("flow-off on serial/upstream", "stall on serial/upstream"),
        ("signal-lost at 1m", "signal 99 at 1m"),
        ("delay 10ms", "latency 10ms"),
        ("sim-removed", "sim absent"),
        ("bandwidth 5KB/s", "bandwidth 40kbit"),
        (
            "stall every 90s for 1500ms",
            "stall every 1m30s for 1s500ms",
        ),
        ("urc \"+CSQ: 9,9\" now", "urc \"+CSQ: 9,9\""),
        (
            "tcp-drop times 1 probability 50.50% every 1m",
            "tcp-drop every 1m probability 50.5% times 1",
        ),
    ] {
        let fault: Fault = line.parse().unwrap();
        assert_eq!(fault.to_string(), meaning);
    }
}

#[test]
fn errors_say_what_is_wrong_where_and_what_would_be_right() {
    for (line, wanted) in [
        (
            "",
            "column 1: a fault is wanted, such as pdp-deact every 10m; `modemq faults` lists them",
        ),
        (
            "rain",
            "column 1: there is no fault \"rain\"; `modemq faults` lists them",
        ),
        (
            "latensy 5ms",
            "column 1: there is no fault \"latensy\"; did you mean \"latency\"?",
        ),
        (
            "PDP-DEACT",
            "column 1: there is no fault \"PDP-DEACT\"; did you mean \"pdp-deact\"?",
        ),
        (
            "latency",
            "column 1: latency wants TIME [JITTER], such as latency 300ms 100ms",
        ),
        (
            "latency 5",
            "column 9: \"5\" is no time: 500ms, 20s, 5m or 1h30m, a year at most",
        ),
        (
            "pdp-deact evry 10m",
            "column 11: \"evry\" is no option: on, at, every, when, after, jitter, for, probability or times; did you mean \"every\"?",
        ),
        (
            "pdp-deact every",
            "column 11: `every` wants something behind it: every 10m",
        ),
        (
            "tcp-drop every 0s",
            "column 16: \"0s\" is too short: 1ms or more",
        ),
        ("tcp-drop at 1s at 2s", "column 16: a second `at`"),
        (
            "tcp-drop at 1s every 2s",
            "column 16: `every` and `at`: one of them",
        ),
        (
            "tcp-drop for 5s",
            "column 1: tcp-drop is over at once: it has no `for`",
        ),
        (
            "refuse every 5m",
            "column 1: refuse lasts until it is cleared, so it cannot come again: say how long, such as for 10s",
        ),
        (
            "pdp-deact on link",
            "column 1: pdp-deact happens to the module: it has no `on`",
        ),
        (
            "corrupt 1% on link",
            "column 1: corrupt is of the serial line: on serial, or no `on`",
        ),
        (
            "refuse on serial",
            "column 1: refuse is of connections: on link, on link:HOST[:PORT], or no `on`",
        ),
        (
            "refuse on link/upstream",
            "column 1: refuse is not of one direction: it has no /upstream and no /downstream",
        ),
        (
            "latency 5ms on link/up",
            "column 16: \"up\" is no direction: upstream (from the host, to the server) or downstream",
        ),
        (
            "latency 5ms on seral",
            "column 16: \"seral\" is no place: serial, link or link:HOST[:PORT], and perhaps /upstream or /downstream; did you mean \"serial\"?",
        ),
        (
            "loss 101%",
            "column 6: \"101%\" is no share: 0% to 100%, such as 5% or 0.1%",
        ),
        (
            "signal 42",
            "column 8: \"42\" is no signal: 0 to 31, or 99 for none",
        ),
        (
            "sim gone",
            "column 5: \"gone\" is no state of a SIM: ready, absent, busy, or pin: and four to eight digits",
        ),
        ("urc \"x", "column 5: the closing quote is missing"),
        (
            "urc x inside",
            "column 7: \"inside\" is no place for a report: now, before-reply, inside-reply or glued; did you mean \"inside-reply\"?",
        ),
        (
            "reboot after 5ms",
            "column 8: `after` goes with `when`: when AT+MPUB after 5ms",
        ),
        (
            "stall jitter 5%",
            "column 1: `jitter` varies the times of `at`, `every` and `for`: there is none",
        ),
        (
            "tcp-drop times 3",
            "column 1: `times` goes with `every` and `when`: without them it strikes once anyhow",
        ),
    ] {
        let error = line.parse::<Fault>().unwrap_err();
        assert_eq!(error.to_string(), wanted, "{line}");
    }
}

#[test]
fn a_wifi_module_has_no_sim() {
    let esp = Model::by_name("esp8266").unwrap();
    let fault: Fault = "sim absent".parse().unwrap();
    assert_eq!(
        fault.check(esp),
        Err("sim is for cellular modules, and the ESP8266 is none".into())
    );
    assert_eq!("signal 99".parse::<Fault>().unwrap().check(esp), Ok(()));
}
