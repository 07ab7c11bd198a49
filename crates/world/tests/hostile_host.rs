//! A host that types what it likes, in any slices: the module answers the same, holds a bounded amount, and stays usable.

// clippy.toml allows unwrap in test functions; these helpers are called by nothing else.
#![allow(clippy::unwrap_used)]

use dialect::{Family, Model};
use instant::Instant;
use module::{Config, LinkEvent, LinkId, Module, NetworkEvent, Output, Pace};
use mqtt::{Packet, Publish, QoS};
use proptest::prelude::*;
use std::time::Duration;

/// A module without a world: what it asks for is kept.
struct Bare {
    module: Module,
    now: Instant,
    serial: Vec<u8>,
    link: Option<LinkId>,
}

impl Bare {
    fn new(model: &str, pace: Pace) -> Self {
        let config = Config {
            pace,
            ..Config::default()
        };
        let model = Model::by_name(model).unwrap();
        let mut bare = Self {
            module: Module::new(Instant::ZERO, model, config),
            now: Instant::ZERO,
            serial: Vec::new(),
            link: None,
        };
        bare.drain();
        bare.run_for(Duration::from_secs(10));
        bare.serial.clear();
        bare
    }

    /// A module with an MQTT session.
    fn online(model: &str, pace: Pace) -> Self {
        let mut bare = Self::new(model, pace);
        // What opens, what logs in when that is another command, and the last words.
        let (open, log_in, last) = match bare.module.model().family {
            Family::Luat => (
                "AT+MIPSTART=\"h\",1883\r",
                "AT+MCONNECT=1,60\r",
                "CONNACK OK",
            ),
            Family::EigenComm => (
                "AT+ECMTCFG=\"keepalive\",0,60\rAT+ECMTOPEN=0,\"h\",1883\r",
                "AT+ECMTCONN=0,\"id\"\r",
                "+ECMTCONN: 0,0,0",
            ),
            Family::Quectel => (
                "AT+QMTOPEN=0,\"h\",1883\r",
                "AT+QMTCONN=0,\"id\"\r",
                "+QMTCONN: 0,0,0",
            ),
            Family::Espressif => ("AT+MQTTCONN=0,\"h\",1883,0\r\n", "", "OK"),
        };
        if bare.module.model().family == Family::Espressif {
            for line in [
                "ATE0\r\n",
                "AT+CWJAP=\"any\",\"password\"\r\n",
                "AT+MQTTUSERCFG=0,1,\"id\",\"\",\"\",0,0,\"\"\r\n",
            ] {
                bare.type_bytes(line.as_bytes());
                bare.run_for(Duration::from_secs(10));
            }
        } else {
            bare.type_bytes(b"ATE0\r");
        }
        bare.type_bytes(open.as_bytes());
        bare.run_for(Duration::from_secs(1));
        bare.link_event(LinkEvent::Opened([192, 0, 2, 1].into()));
        bare.run_for(Duration::from_secs(2));
        bare.type_bytes(log_in.as_bytes());
        bare.run_for(Duration::from_secs(1));
        bare.link_event(LinkEvent::Data(b"\x20\x02\x00\x00"));
        bare.run_for(Duration::from_secs(2));
        let said = String::from_utf8_lossy(&bare.serial).into_owned();
        assert!(
            said.ends_with(&format!("\r\n{last}\r\n")),
            "{model}: {said}"
        );
        bare.serial.clear();
        bare
    }

    fn type_bytes(&mut self, bytes: &[u8]) {
        self.module.receive(self.now, bytes);
        self.drain();
    }

    fn link_event(&mut self, event: LinkEvent<'_>) {
        self.module
            .receive_link(self.now, self.link.unwrap(), event);
        self.drain();
    }

    fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.module.next_deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.module.advance(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn drain(&mut self) {
        while let Some(output) = self.module.poll_output() {
            match output {
                Output::Serial(bytes) => self.serial.extend(bytes),
                Output::Open { link, .. } => self.link = Some(link),
                _ => {}
            }
        }
    }

    fn answers_at(&mut self) -> bool {
        self.run_for(Duration::from_secs(120));
        self.serial.clear();
        let end = self.module.model().syntax.line_end();
        self.type_bytes(end.as_bytes());
        self.run_for(Duration::from_secs(1));
        self.serial.clear();
        self.type_bytes(format!("AT{end}").as_bytes());
        self.run_for(Duration::from_secs(1));
        self.serial.ends_with(b"\r\nOK\r\n")
    }
}

/// One of each family, and those that differ much from it.
const MODELS: [&str; 6] = ["air780ep", "nt35e", "bc26", "ec20", "esp8266", "esp32c3"];

fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => prop::sample::select(vec![
            "AT\r", "at\r\n", "ATE0\r", "ATE1\r", "AT+CSQ;+CGATT?\r", "AT+MPUBEX=\"t\",0,0,3\r", "AT+MPUBEX=\"t\",0,0\r",
            "AT+FSWRITE=\"f\",0,4,5\r", "AT+FSCREATE=\"f\"\r", "AT+CIICR\r", "AT+CSTT\r", "AT+MQTTSTATU\r", "\x1a", "\n", "\n\n",
            "AT+ECMTPUB=0,1,1,0,\"t\"\r", "AT+ECMTPUB=0,1,1,0,\"t\",{\"a\":1,\"b\":[2]}\r", "AT+ECMTSUB=0,1,\"t\",1\r", "AT+ECMTOPEN?;+ECMTCONN?\r",
            "AT+QMTPUB=0,1,1,0,\"t\"\r", "AT+QMTPUB=0,1,1,0,\"t\",3\r", "AT+QMTPUBEX=0,1,1,0,\"t\",3\r", "AT+QMTSUB=0,1,\"t\",1,\"u\",2\r",
            "AT+QMTRECV?\r", "AT+QMTCFG=\"will\"\r", "AT+QFUPL=\"f\",3,5\r", "AT+QFLST\r", "\x1b",
            "\r", "A\x08AT\r", "AT+MPUB=\"t\",0,0,\"x\r", "ATV0\r", "ATV1\r", "AT+CMEE=2\r", "ATQ1\r", "ATQ0\r",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..24),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_answer_does_not_depend_on_how_the_input_is_sliced(
        pieces in prop::collection::vec(piece(), 0..16),
        cuts in prop::collection::vec(1_usize..40, 1..20),
        online in any::<bool>(),
        // ESP-AT goes by what comes in one go: `+++`, and what is typed while a command runs.
        model in prop::sample::select(vec!["air780ep", "air700eaq", "nt35e", "bc26", "ec20", "bg95"]),
    ) {
        let input = pieces.concat();
        // The others report what they do, between two lines when there is time and after both when there is none.
        let online = online && model.starts_with("air");
        let make = || if online { Bare::online(model, Pace::Fast) } else { Bare::new(model, Pace::Fast) };
        let mut whole = make();
        whole.type_bytes(&input);
        let mut sliced = make();
        let mut rest = &input[..];
        for cut in cuts.iter().cycle() {
            let (part, after) = rest.split_at((*cut).min(rest.len()));
            sliced.type_bytes(part);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(
            String::from_utf8_lossy(&whole.serial),
            String::from_utf8_lossy(&sliced.serial)
        );
    }

    #[test]
    fn a_broker_that_says_anything_leaves_the_module_usable(
        bytes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..8),
        real in any::<bool>(),
        model in prop::sample::select(MODELS.to_vec()),
    ) {
        let mut bare = Bare::online(model, if real { Pace::Real } else { Pace::Fast });
        for part in &bytes {
            bare.link_event(LinkEvent::Data(part));
        }
        prop_assert!(bare.answers_at());
    }
}

/// The UART carries 11.5 kB/s each way, a TCP port in its place any number: what the module has not yet said must not pile
/// up, be it echo or answers.
#[test]
fn a_host_that_types_faster_than_the_line_carries_costs_a_bounded_amount() {
    let lines = |model| match model {
        "esp8266" => b"AT+CWMODE?\r\n".repeat(341),
        _ => b"AT+COPS?\r".repeat(455),
    };
    let inputs = |model| [vec![b'A'; 4096], lines(model)];
    let all = MODELS
        .iter()
        .flat_map(|model| inputs(model).map(|input| (*model, input)));
    for (model, input) in all {
        let mut bare = Bare::new(model, Pace::Real);
        for _ in 0..1024 {
            bare.type_bytes(&input);
        }
        bare.run_for(Duration::from_secs(3600));
        assert!(
            bare.serial.len() <= 1 << 20,
            "{model}: {} bytes piled up",
            bare.serial.len()
        );
        assert!(bare.answers_at());
    }
}

#[test]
fn a_message_that_is_longer_than_a_report_is_cut_at_the_limit_however_it_arrives() {
    let payload: Vec<u8> = (0..9000).map(|index| b'a' + (index % 26) as u8).collect();
    let mut packet = Vec::new();
    Packet::Publish(Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: "t",
        id: None,
        payload: &payload,
    })
    .append_to(&mut packet)
    .unwrap();
    for (model, report) in [("air780ep", 4100), ("air700eaq", 1360)] {
        for slice in [1, 7, 536, 1460, 20_000] {
            let mut bare = Bare::online(model, Pace::Fast);
            for part in packet.chunks(slice) {
                bare.link_event(LinkEvent::Data(part));
            }
            let mut wanted = format!("\r\n+MSUB: \"t\",{report} byte,").into_bytes();
            wanted.extend_from_slice(&payload[..report]);
            wanted.extend_from_slice(b"\r\n");
            assert_eq!(
                String::from_utf8_lossy(&bare.serial),
                String::from_utf8_lossy(&wanted),
                "{model} in slices of {slice}"
            );

            let mut bare = Bare::online(model, Pace::Fast);
            bare.type_bytes(b"AT+MQTTMSGSET=1\r");
            bare.serial.clear();
            for part in packet.chunks(slice) {
                bare.link_event(LinkEvent::Data(part));
            }
            assert_eq!(bare.serial, b"\r\n+MSUB: 0\r\n");
            bare.serial.clear();
            bare.type_bytes(b"AT+MQTTMSGGET\r");
            let mut wanted = b"\r\n+MSUB: \"t\",4096 byte,".to_vec();
            wanted.extend_from_slice(&payload[..4096]);
            wanted.extend_from_slice(b"\r\n\r\nOK\r\n");
            assert_eq!(bare.serial, wanted, "{model} cached, in slices of {slice}");
        }
    }
}

#[test]
fn a_message_does_not_land_between_prompt_and_ok() {
    let mut bare = Bare::online("air780ep", Pace::Fast);
    bare.type_bytes(b"AT+MPUBEX=\"t\",0,0,5\r");
    bare.link_event(LinkEvent::Data(b"\x30\x04\x00\x01ax"));
    bare.type_bytes(b"he");
    bare.run_for(Duration::from_secs(1));
    bare.type_bytes(b"llo");
    bare.run_for(Duration::from_secs(1));
    assert_eq!(
        String::from_utf8_lossy(&bare.serial),
        ">\r\nOK\r\n\r\n+MSUB: \"a\",1 byte,x\r\n"
    );
}

#[test]
fn a_link_that_ends_while_the_prompt_waits_is_told_after_the_refusal() {
    for (event, told) in [
        ("closed", "\r\nCLOSED\r\n"),
        ("pdp", "\r\n+CGEV: NW PDN DEACT 1\r\n"),
    ] {
        let mut bare = Bare::online("air780ep", Pace::Fast);
        bare.type_bytes(b"AT+MPUBEX=\"t\",0,0,5\r");
        if event == "closed" {
            bare.link_event(LinkEvent::Closed);
        } else {
            bare.module.network(bare.now, NetworkEvent::PdpDeactivated);
            bare.drain();
        }
        bare.type_bytes(b"hello");
        bare.run_for(Duration::from_secs(1));
        assert_eq!(
            String::from_utf8_lossy(&bare.serial),
            format!(">\r\n+CME ERROR: 3\r\n{told}")
        );
    }
}

#[test]
fn what_the_line_could_not_carry_in_time_is_answered_in_order() {
    let mut bare = Bare::new("air780ep", Pace::Real);
    bare.type_bytes(b"ATE0\r");
    bare.run_for(Duration::from_secs(1));
    bare.serial.clear();
    // 2000 answers of 145 bytes are more than may wait; the rest of the commands waits in their stead, and has room.
    let lines = b"AT*I\r".repeat(2000);
    let chunks: Vec<_> = lines.chunks(1000).collect();
    for (index, chunk) in chunks.iter().enumerate() {
        bare.type_bytes(chunk);
        if index + 1 == chunks.len() {
            bare.type_bytes(b"AT+NONSENSE\r");
        }
    }
    bare.run_for(Duration::from_secs(3600));
    let text = String::from_utf8(std::mem::take(&mut bare.serial)).unwrap();
    assert_eq!(text.matches("\r\nOK\r\n").count(), 2000);
    assert!(text.ends_with("\r\nOK\r\n\r\nERROR\r\n"));
}

/// A LF that came in a read of its own was counted as the file's first byte, and one that came with its CR was not: what a module
/// stored depended on how the system cut the host's bytes.
#[test]
fn the_line_feed_behind_a_command_is_no_data_however_it_comes() {
    let model = "ec20";
    for parts in [
        &[&b"AT+QFUPL=\"f\",3,5\r\nabc"[..]][..],
        &[b"AT+QFUPL=\"f\",3,5\r", b"\nabc"],
        &[b"AT+QFUPL=\"f\",3,5\r", b"\n", b"abc"],
        &[b"AT+QFUPL=\"f\",3,5\r\n", b"a", b"bc"],
    ] {
        let mut bare = Bare::new(model, Pace::Fast);
        for part in parts {
            bare.type_bytes(part);
        }
        let said = String::from_utf8_lossy(&bare.serial).into_owned();
        // 0x6162 ^ 0x6300
        assert!(
            said.ends_with("\r\n+QFUPL: 3,262\r\n\r\nOK\r\n"),
            "{said:?}"
        );
    }
}
