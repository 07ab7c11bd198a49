//! On atat: the same commands, in the same order. What fails is begun again from the first one; nothing else recovers, and nothing
//! is known of a message whose report does not come.

#![no_std]
#![no_main]

use atat::asynch::{AtatClient, Client};
use atat::atat_derive::{AtatCmd, AtatResp, AtatUrc};
use atat::{AtDigester, AtatIngress, Config, Error, Ingress, ResponseSlot, UrcChannel};
use embassy_time::{Duration, Timer, with_timeout};
use modemq_size::{Uart, lamp};

#[derive(Clone, AtatResp)]
struct Nothing;

#[derive(Clone, AtatCmd)]
#[at_cmd("E0", Nothing)]
struct EchoOff;

#[derive(Clone, AtatCmd)]
#[at_cmd("+CMEE=1", Nothing)]
struct Errors;

#[derive(Clone, AtatCmd)]
#[at_cmd("+CEREG?", Registration)]
struct GetRegistration;

#[derive(Clone, AtatResp)]
struct Registration {
    _mode: u8,
    state: u8,
}

#[derive(Clone, AtatCmd)]
#[at_cmd("+CGATT?", Attachment)]
struct GetAttachment;

#[derive(Clone, AtatResp)]
struct Attachment {
    attached: u8,
}

#[derive(Clone, AtatCmd)]
#[at_cmd("+QIACT=1", Nothing, timeout_ms = 150000)]
struct Activate;

#[derive(Clone, AtatCmd)]
#[at_cmd("+QMTCFG", Nothing)]
struct Configure<'a> {
    option: &'a str,
    client: u8,
    value: u16,
}

#[derive(Clone, AtatCmd)]
#[at_cmd("+QMTOPEN", Nothing)]
struct Open<'a> {
    client: u8,
    host: &'a str,
    port: u16,
}

#[derive(Clone, AtatCmd)]
#[at_cmd("+QMTCLOSE", Nothing)]
struct Close {
    client: u8,
}

#[derive(Clone, AtatCmd)]
#[at_cmd("+QMTCONN", Nothing)]
struct Login<'a> {
    client: u8,
    id: &'a str,
}

#[derive(Clone, AtatCmd)]
#[at_cmd("+QMTPUBEX", Nothing)]
struct Publish<'a> {
    client: u8,
    packet: u16,
    qos: u8,
    retain: u8,
    topic: &'a str,
    length: usize,
}

#[derive(Clone, AtatCmd)]
#[at_cmd(
    "",
    Nothing,
    cmd_prefix = "",
    termination = "",
    value_sep = false,
    escape_strings = false
)]
struct Data<'a> {
    data: &'a str,
}

#[derive(Clone, AtatResp)]
struct Opened {
    _client: u8,
    result: i8,
}

#[derive(Clone, AtatResp)]
struct LoggedIn {
    _client: u8,
    result: u8,
    _code: Option<u8>,
}

#[derive(Clone, AtatResp)]
struct Published {
    _client: u8,
    packet: u16,
    result: u8,
}

#[derive(Clone, AtatResp)]
struct State {
    _client: u8,
    _code: u8,
}

#[derive(Clone, AtatUrc)]
enum Urc {
    #[at_urc("+QMTOPEN")]
    Opened(Opened),
    #[at_urc("+QMTCONN")]
    LoggedIn(LoggedIn),
    #[at_urc("+QMTPUBEX")]
    Published(Published),
    #[at_urc("+QMTSTAT")]
    State(State),
}

static RESPONSES: ResponseSlot<256> = ResponseSlot::new();
static URCS: UrcChannel<Urc, 4, 1> = UrcChannel::new();

async fn once(client: &mut impl AtatClient) -> Result<(), Error> {
    let mut urcs = URCS.subscribe().map_err(|_| Error::Error)?;
    let wait = Duration::from_secs(80);
    client.send(&EchoOff).await?;
    client.send(&Errors).await?;
    while !matches!(client.send(&GetRegistration).await?.state, 1 | 5) {
        Timer::after_secs(2).await;
    }
    while client.send(&GetAttachment).await?.attached != 1 {
        Timer::after_secs(1).await;
    }
    // An error when it is active, or closed, already.
    let _ = client.send(&Activate).await;
    let _ = client.send(&Close { client: 0 }).await;
    for (option, value) in [("version", 4), ("keepalive", 60), ("session", 1)] {
        let configure = Configure {
            option,
            client: 0,
            value,
        };
        client.send(&configure).await?;
    }
    let open = Open {
        client: 0,
        host: "broker.example",
        port: 1883,
    };
    client.send(&open).await?;
    loop {
        match with_timeout(wait, urcs.next_message_pure()).await {
            Ok(Urc::Opened(opened)) if opened.result == 0 => break,
            Ok(Urc::LoggedIn(_) | Urc::Published(_)) => {}
            _ => return Err(Error::Error),
        }
    }
    let login = Login {
        client: 0,
        id: "dev1",
    };
    client.send(&login).await?;
    loop {
        match with_timeout(wait, urcs.next_message_pure()).await {
            Ok(Urc::LoggedIn(login)) if login.result == 0 => break,
            Ok(Urc::Opened(_) | Urc::Published(_)) => {}
            _ => return Err(Error::Error),
        }
    }
    let publish = Publish {
        client: 0,
        packet: 1,
        qos: 1,
        retain: 0,
        topic: "up",
        length: 5,
    };
    client.send(&publish).await?;
    client.send(&Data { data: "hello" }).await?;
    loop {
        match with_timeout(wait, urcs.next_message_pure()).await {
            Ok(Urc::Published(published)) if published.packet == 1 && published.result == 0 => {
                lamp();
                return Ok(());
            }
            Ok(Urc::Opened(_) | Urc::LoggedIn(_)) => {}
            _ => return Err(Error::Error),
        }
    }
}

async fn publish() {
    let (mut received, mut typed) = ([0; 256], [0; 256]);
    let mut ingress = Ingress::new(AtDigester::<Urc>::new(), &mut received, &RESPONSES, &URCS);
    let mut client = Client::new(Uart, &RESPONSES, &mut typed, Config::new());
    let work = async {
        while once(&mut client).await.is_err() {
            Timer::after_secs(1).await;
        }
    };
    embassy_futures::join::join(ingress.read_from(Uart), work).await;
}

#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    embassy_futures::block_on(publish());
    loop {}
}
