//! A module between a host and a network that do as they please: it never panics, holds a bounded amount, and answers
//! AT afterwards; and what it has kept is what it starts with.
#![no_main]

use arbitrary::Arbitrary;
use dialect::Family;
use dialect::model::ALL;
use instant::Instant;
use libfuzzer_sys::fuzz_target;
use module::{Config, Flash, LinkEvent, LinkId, Module, NetError, NetworkEvent, Output, Pace, QueryId, Registration, Sim};
use std::time::Duration;

#[derive(Arbitrary, Debug)]
enum Act<'a> {
    Type(&'a [u8]),
    Line(Line<'a>),
    Opened,
    Failed,
    Data(&'a [u8]),
    Accept,
    Closed,
    Reset,
    Resolved(bool),
    Wait(u16),
    PdpLost,
    Signal(u8),
    Registration(bool),
    Sim(bool),
    PowerCycle,
}

/// Lines that lead somewhere in each family, so that the network's side is reached.
#[derive(Arbitrary, Debug)]
enum Line<'a> {
    Open,
    LogIn,
    Subscribe,
    Publish(u8),
    PublishData(Option<u8>),
    Get,
    Cache(bool),
    Hex(bool),
    LogOut,
    Close,
    Scene(u8),
    Flash(u8),
    Any(&'a str),
}

fuzz_target!(|input: (u8, bool, Vec<Act<'_>>)| {
    let (model, real, acts) = input;
    let model = &ALL[usize::from(model) % ALL.len()];
    let pace = if real { Pace::Real } else { Pace::Fast };
    let mut now = Instant::ZERO;
    let mut module = Module::new(now, model, Config { pace, trace: true, flash: Some(Flash::default()), ..Config::default() });
    let mut world = World::default();
    // A module that boots hears nothing.
    now = run(&mut module, &mut world, now, Duration::from_secs(30));
    for act in acts {
        let link = world.link;
        match act {
            Act::Type(bytes) => module.receive(now, bytes),
            Act::Line(line) => module.receive(now, text(&line, model.family).as_bytes()),
            Act::Opened => module.receive_link(now, link, LinkEvent::Opened([192, 0, 2, 1].into())),
            Act::Failed => module.receive_link(now, link, LinkEvent::Failed(NetError::Refused)),
            Act::Data(bytes) => module.receive_link(now, link, LinkEvent::Data(bytes)),
            Act::Accept => module.receive_link(now, link, LinkEvent::Data(b"\x20\x02\x00\x00")),
            Act::Closed => module.receive_link(now, link, LinkEvent::Closed),
            Act::Reset => module.receive_link(now, link, LinkEvent::Reset),
            Act::Resolved(true) => module.resolved(now, world.query, Ok(&["192.0.2.1".parse().unwrap()])),
            Act::Resolved(false) => module.resolved(now, world.query, Err(NetError::Dns)),
            Act::Wait(millis) => now = run(&mut module, &mut world, now, Duration::from_millis(millis.into())),
            Act::PdpLost => module.network(now, NetworkEvent::PdpDeactivated),
            Act::Signal(rssi) => module.network(now, NetworkEvent::Signal { rssi }),
            Act::Registration(home) => module.network(
                now,
                NetworkEvent::Registration(if home { Registration::Home } else { Registration::Denied }),
            ),
            Act::Sim(ready) => module.network(now, NetworkEvent::Sim(if ready { Sim::Ready } else { Sim::Absent })),
            Act::PowerCycle => module.network(now, NetworkEvent::PowerCycle),
        }
        world.drain(&mut module);
    }
    // Whatever went before: power it on and it answers.
    module.network(now, NetworkEvent::PowerCycle);
    now = run(&mut module, &mut world, now, Duration::from_secs(1_000));
    // ESP-AT has neither lines of several commands nor a V or a Q.
    let greeting = if model.family == Family::Espressif { "ATE0" } else { "ATV1Q0E0" };
    for line in [greeting, "AT"] {
        world.serial.clear();
        module.receive(now, format!("{line}\r\n").as_bytes());
        now = run(&mut module, &mut world, now, Duration::from_secs(10));
    }
    assert!(world.serial.ends_with(b"\r\nOK\r\n"), "{}", String::from_utf8_lossy(&world.serial));
    assert_eq!(world.flash.check(model), Ok(()));
    let kept = world.flash.clone();
    let mut next = Module::new(now, model, Config { pace, flash: Some(kept.clone()), ..Config::default() });
    run(&mut next, &mut world, now, Duration::from_secs(30));
    assert_eq!(world.flash, kept);
});

/// Lets time pass, at most so many turns of the module's clock.
fn run(module: &mut Module, world: &mut World, from: Instant, span: Duration) -> Instant {
    let (mut now, end) = (from, from + span);
    world.drain(module);
    for _ in 0..10_000 {
        let Some(at) = module.next_deadline().filter(|at| *at <= end) else { break };
        now = now.max(at);
        module.advance(now);
        world.drain(module);
    }
    end
}

struct World {
    link: LinkId,
    query: QueryId,
    serial: Vec<u8>,
    flash: Flash,
}

impl Default for World {
    fn default() -> Self {
        Self { link: LinkId(0), query: QueryId(0), serial: Vec::new(), flash: Flash::default() }
    }
}

impl World {
    fn drain(&mut self, module: &mut Module) {
        while let Some(output) = module.poll_output() {
            match output {
                Output::Open { link, .. } => self.link = link,
                Output::Resolve { query, .. } => self.query = query,
                Output::Serial(bytes) => self.serial.extend(bytes),
                Output::Flash { item, content: Some(content) } => drop(self.flash.0.insert(item, content)),
                Output::Flash { item, content: None } => drop(self.flash.0.remove(&item)),
                _ => {}
            }
        }
    }
}

fn text(line: &Line<'_>, family: Family) -> String {
    if family == Family::EigenComm {
        return match line {
            Line::Open => "AT+ECMTOPEN=0,h,1883\r".into(),
            Line::LogIn => "AT+ECMTCONN=0,id\r".into(),
            Line::Subscribe => "AT+ECMTSUB=0,1,\"t\",2\r".into(),
            Line::Publish(qos) => format!("AT+ECMTPUB=0,{qos},{},0,\"t\",m\r", qos % 3),
            Line::PublishData(_) => "AT+ECMTPUB=0,9,2,0,\"t\"\r".into(),
            Line::Get => "AT+ECMTOPEN?;+ECMTCONN?\r".into(),
            Line::Cache(on) => format!("AT+ECMTCFG=\"session\",0,{}\r", u8::from(*on)),
            Line::Hex(_) => "AT+ECMTUNS=0,2,\"t\"\r".into(),
            Line::LogOut => "AT+ECMTDISC=0\r".into(),
            Line::Close => "AT+ECMTCLOSE=0\r".into(),
            Line::Scene(_) => "AT+ECDNS=h\r".into(),
            Line::Flash(step) => {
                let kind = ["\"ca\",\"MIID\"", "\"psk\",\"k\",\"i\"", "\"ecc\",\"k\""][usize::from(*step) % 3];
                format!("AT+ECMTCFG=\"ssl\",{kind}\r")
            }
            Line::Any(text) => format!("AT{text}\r"),
        };
    }
    if family == Family::Quectel {
        return match line {
            Line::Open => "AT+QMTOPEN=0,h,1883\r".into(),
            Line::LogIn => "AT+QMTCONN=0,id\r".into(),
            Line::Subscribe => "AT+QMTSUB=0,1,\"t\",2,\"u\",1\r".into(),
            Line::Publish(qos) => format!("AT+QMTPUB=0,{qos},{},0,\"t\",m\r", qos % 3),
            Line::PublishData(None) => "AT+QMTPUB=0,9,2,0,\"t\"\r".into(),
            Line::PublishData(Some(len)) => format!("AT+QMTPUBEX=0,8,1,0,\"t\",{len}\r"),
            Line::Get => "AT+QMTRECV=0;+QMTRECV?;+QMTOPEN?\r".into(),
            Line::Cache(on) => format!("AT+QMTCFG=\"recv/mode\",0,{},1\r", u8::from(*on)),
            Line::Hex(on) => format!("AT+QMTCFG=\"send/mode\",0,{}\r", u8::from(*on)),
            Line::LogOut => "AT+QMTDISC=0\r".into(),
            Line::Close => "AT+QMTCLOSE=0\r".into(),
            Line::Scene(_) => "AT+QIACT=1\r".into(),
            Line::Flash(step) => [
                "AT+QSSLCFG=1,5,\"cacert\",3\r",
                "AT+QSSLCFG=1,5,\"clientkey\"\rkey\x1a",
                "AT+QMTCFG=\"ssl\",0,1,1,5\r",
                "AT+QFUPL=\"a\",3\rabc",
                "AT+QFDEL=\"*\"\r",
                "AT+QMTCFG=\"ssl\",0,1,2\r",
                "AT&W\r",
            ][usize::from(*step) % 7]
                .into(),
            Line::Any(text) => format!("AT{text}\r"),
        };
    }
    if family == Family::Espressif {
        return match line {
            Line::Open => "AT+MQTTUSERCFG=0,1,\"id\",\"\",\"\",0,0,\"\"\r\n".into(),
            Line::LogIn => "AT+MQTTCONN=0,\"h\",1883,1\r\n".into(),
            Line::Subscribe => "AT+MQTTSUB=0,\"t\",2\r\n".into(),
            Line::Publish(qos) => format!("AT+MQTTPUB=0,\"t\",\"m\",{},0\r\n", qos % 3),
            Line::PublishData(None) => "AT+CIPSEND=0,5\r\n".into(),
            Line::PublishData(Some(len)) => format!("AT+MQTTPUBRAW=0,\"t\",{len},1,0\r\n"),
            Line::Get => "AT+MQTTCONN?\r\nAT+MQTTSUB?\r\nAT+CIPSTATUS\r\n".into(),
            Line::Cache(on) => format!("AT+CIPMODE={}\r\n", u8::from(*on)),
            Line::Hex(on) => format!("AT+CIPRECVMODE={}\r\n", u8::from(*on)),
            Line::LogOut => "AT+MQTTCLEAN=0\r\n".into(),
            Line::Close => "AT+CIPCLOSE=0\r\n".into(),
            Line::Scene(step) => [
                "AT+CWJAP=\"modemq\",\"\"\r\n",
                "AT+CIPMUX=1\r\n",
                "AT+CIPSTART=0,\"TCP\",\"h\",80\r\n",
                "AT+CIPSTART=\"SSL\",\"h\",80\r\n",
                "AT+CIPSEND\r\n",
                "+++",
                "AT+CWQAP\r\n",
                "AT+PING=\"h\"\r\n",
                "AT+CIPRECVDATA=0,9\r\n",
                "AT+RST\r\n",
            ][usize::from(*step) % 10]
                .into(),
            Line::Flash(step) => [
                "AT+SYSMFG=2,\"mqtt_ca\",\"mqtt_ca\",8,3\r\n",
                "AT+SYSMFG=2,\"a\",\"b\",7,3\r\n",
                "AT+SYSMFG=2,\"a\",\"b\",1,3\r\n",
                "AT+SYSMFG=1,\"a\",\"b\",1,1\r\n",
                "AT+SYSMFG=0,\"a\"\r\n",
                "AT+SYSFLASH=0,\"mfg_nvs\"\r\n",
                "AT+MQTTUSERCFG=0,3,\"id\",\"\",\"\",0,0,\"\"\r\n",
                "AT+RESTORE\r\n",
            ][usize::from(*step) % 8]
                .into(),
            Line::Any(text) => format!("AT{text}\r\n"),
        };
    }
    match line {
        Line::Open => "AT+MIPSTART=h,1883\r".into(),
        Line::LogIn => "AT+MCONNECT=1,60\r".into(),
        Line::Subscribe => "AT+MSUB=\"t\",2\r".into(),
        Line::Publish(qos) => format!("AT+MPUB=\"t\",{},0,\"m\"\r", qos % 3),
        Line::PublishData(None) => "AT+MPUBEX=\"t\",2,0\r".into(),
        Line::PublishData(Some(len)) => format!("AT+MPUBEX=\"t\",1,0,{len}\r"),
        Line::Get => "AT+MQTTMSGGET;+MQTTMSGGET?\r".into(),
        Line::Cache(on) => format!("AT+MQTTMSGSET={}\r", u8::from(*on)),
        Line::Hex(on) => format!("AT+MQTTMODE={}\r", u8::from(*on)),
        Line::LogOut => "AT+MDISCONNECT\r".into(),
        Line::Close => "AT+MIPCLOSE\r".into(),
        Line::Scene(step) => ["AT+CSTT\r", "AT+CIICR\r", "AT+CIFSR\r", "AT+CDNSGIP=h\r", "AT+CIPSHUT\r", "AT+CFUN=0\r", "AT+CFUN=1\r"]
            [usize::from(*step) % 7]
            .into(),
        Line::Flash(step) => [
            "AT+FSMKDIR=\"/d\"\r",
            "AT+FSCREATE=\"/d/a\"\r",
            "AT+FSWRITE=\"/d/a\",1,3,10\rabc",
            "AT+FSDEL=\"/d/a\"\r",
            "AT+FSRMDIR=\"/d\"\r",
            "AT+CPNETAPN=2,\"a\",\"\",\"\",0\r",
            "AT&W\r",
        ][usize::from(*step) % 7]
            .into(),
        Line::Any(text) => format!("AT{text}\r"),
    }
}
