//! Telnet with the COM port control option: the server's end of one connection, as bytes in and bytes out.
//!
//! The module's UART is the port that is controlled; the host at the other end believes in a serial adapter of its own, with a rate,
//! DTR, RTS, CTS, DSR and DCD.
//!
//! Source: RFC 2217; RFC 854 and 855 for telnet, RFC 1143 for options that do not go round in circles.

use module::Circuits;
use std::collections::VecDeque;
use std::fmt;

/// The longest suboption that means something: a signature.
const SUBOPTION: usize = 256;

const SE: u8 = 240;
const BREAK: u8 = 243;
const ARE_YOU_THERE: u8 = 246;
const SB: u8 = 250;
const WILL: u8 = 251;
const WONT: u8 = 252;
const DO: u8 = 253;
const DONT: u8 = 254;
const IAC: u8 = 255;

const BINARY: u8 = 0;
const ECHO: u8 = 1;
const SUPPRESS_GO_AHEAD: u8 = 3;
const COM_PORT: u8 = 44;

/// What is added to a command of the client for the server's answer.
const ANSWER: u8 = 100;

/// How the host has set its UART.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uart {
    /// Bits per second.
    pub baud: u32,
    /// Data bits, 5 to 8.
    pub data: u8,
    /// 1 none, 2 odd, 3 even, 4 mark, 5 space.
    pub parity: u8,
    /// 1 one stop bit, 2 two, 3 one and a half.
    pub stop: u8,
}

impl Uart {
    /// Eight data bits, no parity, one stop bit.
    pub fn new(baud: u32) -> Self {
        Self {
            baud,
            data: 8,
            parity: 1,
            stop: 1,
        }
    }

    /// The bits that a receiver of eight data bits without parity finds in a byte that this UART sends.
    pub fn sends(self, byte: u8) -> u8 {
        let mask = 0xff_u8 >> (8 - self.data);
        let data = byte & mask;
        if self.data == 8 {
            // A parity bit stands where the stop bit is looked for, which is a framing error at worst.
            return data;
        }
        let ones = data.count_ones() % 2 == 1;
        let parity = match self.parity {
            2 => !ones,
            3 => ones,
            5 => false,
            // Mark; and without parity a stop bit, which is one as well.
            _ => true,
        };
        // Behind it the line rests, which reads as ones.
        data | !mask & !(u8::from(!parity) << self.data)
    }

    /// What it reads of a byte with eight data bits.
    pub fn reads(self, byte: u8) -> u8 {
        byte & 0xff >> (8 - self.data)
    }
}

/// As `115200 8N1`.
impl fmt::Display for Uart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parity = match self.parity {
            2 => 'O',
            3 => 'E',
            4 => 'M',
            5 => 'S',
            _ => 'N',
        };
        let stop = match self.stop {
            3 => "1.5",
            2 => "2",
            _ => "1",
        };
        write!(f, "{} {}{parity}{stop}", self.baud, self.data)
    }
}

/// The upper half of NOTIFY-MODEMSTATE.
fn bits(circuits: Circuits) -> u8 {
    let Circuits { cts, dsr, ri, dcd } = circuits;
    u8::from(cts) << 4 | u8::from(dsr) << 5 | u8::from(ri) << 6 | u8::from(dcd) << 7
}

/// What the host does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It sends bytes.
    Data(Vec<u8>),
    /// It sets its UART in another way.
    Uart(Uart),
    /// It sets DTR.
    Dtr(bool),
    /// It sets RTS.
    Rts(bool),
    /// It begins or ends a break.
    Break(bool),
    /// It sets flow control: 1 none, 2 XON/XOFF, 3 RTS/CTS.
    Flow(u8),
    /// It says what it is.
    Signature(Vec<u8>),
    /// It wants no more of what waits for it.
    Purge,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on = |on: &bool| if *on { "on" } else { "off" };
        match self {
            Self::Data(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Uart(uart) => write!(f, "UART at {uart}"),
            Self::Dtr(dtr) => write!(f, "DTR {}", on(dtr)),
            Self::Rts(rts) => write!(f, "RTS {}", on(rts)),
            Self::Break(begins) => write!(f, "break {}", on(begins)),
            Self::Flow(2) => f.write_str("flow control XON/XOFF"),
            Self::Flow(3) => f.write_str("flow control RTS/CTS"),
            Self::Flow(_) => f.write_str("no flow control"),
            Self::Signature(text) => write!(f, "is {}", text.escape_ascii()),
            Self::Purge => f.write_str("purge"),
        }
    }
}

/// An option at one end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Off,
    /// We have asked for it.
    Asked,
    On,
}

/// The options that there are, in the order of the states.
const OPTIONS: [u8; 4] = [BINARY, ECHO, SUPPRESS_GO_AHEAD, COM_PORT];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Data,
    /// After CR, where NVT puts a NUL that is none.
    Return,
    Command,
    /// After WILL, WONT, DO, DONT.
    Option(u8),
    Suboption,
    SuboptionCommand,
}

/// One connection.
#[derive(Debug)]
pub struct Session {
    place: Place,
    suboption: Vec<u8>,
    /// What we do, and what the host does.
    ours: [State; 4],
    theirs: [State; 4],
    uart: Uart,
    flow: u8,
    /// Of what comes in: 14 none, 15 XON/XOFF, 16 RTS/CTS.
    flow_in: u8,
    dtr: bool,
    rts: bool,
    is_break: bool,
    /// The host wants to hear nothing for now.
    is_suspended: bool,
    circuits: Circuits,
    line_mask: u8,
    modem_mask: u8,
    signature: String,
    events: VecDeque<Event>,
    outgoing: Vec<u8>,
}

impl Session {
    /// A host has connected to a UART of this rate. What is offered to it is outgoing at once.
    pub fn new(baud: u32, circuits: Circuits, signature: &str) -> Self {
        let mut session = Self {
            place: Place::Data,
            suboption: Vec::new(),
            ours: [State::Off; 4],
            theirs: [State::Off; 4],
            uart: Uart::new(baud),
            flow: 1,
            flow_in: 14,
            // Opening a serial device raises both.
            dtr: true,
            rts: true,
            is_break: false,
            is_suspended: false,
            circuits,
            line_mask: 0,
            modem_mask: 255,
            signature: signature.into(),
            events: VecDeque::new(),
            outgoing: Vec::new(),
        };
        // The module echoes, byte by byte: a telnet client leaves both to it. Eight bits both ways, and the port is controlled.
        for option in [ECHO, SUPPRESS_GO_AHEAD, BINARY] {
            session.ask(WILL, option);
        }
        for option in [BINARY, COM_PORT] {
            session.ask(DO, option);
        }
        session
    }

    /// Whether the host has asked for silence.
    pub fn is_suspended(&self) -> bool {
        self.is_suspended
    }

    /// Bytes of the connection, sliced in any way.
    pub fn receive(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.byte(byte);
        }
    }

    /// What the host has done, in order.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// What is for the connection: to be sent and drained.
    pub fn outgoing(&mut self) -> &mut Vec<u8> {
        &mut self.outgoing
    }

    /// Bytes of the module for the host.
    pub fn send(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.outgoing.push(byte);
            if byte == IAC {
                self.outgoing.push(IAC);
            }
        }
    }

    /// The module drives its circuits so.
    pub fn set_circuits(&mut self, circuits: Circuits) {
        let (before, now) = (bits(self.circuits), bits(circuits));
        self.circuits = circuits;
        let changed = (before ^ now) & self.modem_mask;
        if changed != 0 && self.controls() {
            // The lower half tells which have changed; of RI its trailing edge alone.
            let rising_ri = changed & now & 0x40;
            self.answer(7, &[now & self.modem_mask | (changed & !rising_ri) >> 4]);
        }
    }

    fn byte(&mut self, byte: u8) {
        self.place = match (self.place, byte) {
            (Place::Data | Place::Return, IAC) => Place::Command,
            (Place::Return, 0) if self.theirs[0] != State::On => Place::Data,
            (Place::Data | Place::Return, byte) => self.data(byte),
            (Place::Command, IAC) => self.data(IAC),
            (Place::Command, SB) => {
                self.suboption.clear();
                Place::Suboption
            }
            (Place::Command, WILL..=DONT) => Place::Option(byte),
            (Place::Command, BREAK) => {
                self.events.push_back(Event::Break(true));
                self.events.push_back(Event::Break(false));
                Place::Data
            }
            (Place::Command, ARE_YOU_THERE) => {
                self.outgoing.extend_from_slice(b"\r\n[yes]\r\n");
                Place::Data
            }
            // The others are for a terminal's line discipline, which a serial line has none of.
            (Place::Command, _) => Place::Data,
            (Place::Option(command), option) => {
                self.negotiate(command, option);
                Place::Data
            }
            (Place::Suboption, IAC) => Place::SuboptionCommand,
            (Place::Suboption, byte) | (Place::SuboptionCommand, byte @ IAC) => {
                // What is too long for any meaning is kept as too long.
                if self.suboption.len() <= SUBOPTION {
                    self.suboption.push(byte);
                }
                Place::Suboption
            }
            (Place::SuboptionCommand, SE) => {
                let suboption = std::mem::take(&mut self.suboption);
                if let [COM_PORT, command, value @ ..] = &*suboption
                    && suboption.len() <= SUBOPTION
                {
                    self.control(*command, value);
                }
                Place::Data
            }
            // It was broken off.
            (Place::SuboptionCommand, byte) => {
                self.place = Place::Command;
                return self.byte(byte);
            }
        };
    }

    fn data(&mut self, byte: u8) -> Place {
        match self.events.back_mut() {
            Some(Event::Data(bytes)) => bytes.push(byte),
            _ => self.events.push_back(Event::Data(vec![byte])),
        }
        match byte {
            b'\r' => Place::Return,
            _ => Place::Data,
        }
    }

    fn ask(&mut self, command: u8, option: u8) {
        let states = match command {
            WILL => &mut self.ours,
            _ => &mut self.theirs,
        };
        if let Some(index) = OPTIONS.iter().position(|own| *own == option) {
            states[index] = State::Asked;
        }
        self.outgoing.extend([IAC, command, option]);
    }

    fn negotiate(&mut self, command: u8, option: u8) {
        let is_ours = matches!(command, DO | DONT);
        let (yes, no) = if is_ours { (WILL, WONT) } else { (DO, DONT) };
        let index = OPTIONS.iter().position(|own| *own == option);
        // A host that echoes what it receives would talk to itself.
        let index = index.filter(|_| is_ours || option != ECHO);
        let Some(index) = index else {
            if matches!(command, DO | WILL) {
                self.outgoing.extend([IAC, no, option]);
            }
            return;
        };
        let controlled = self.controls();
        let states = if is_ours {
            &mut self.ours
        } else {
            &mut self.theirs
        };
        let before = states[index];
        match (command, before) {
            (DO | WILL, State::Off) => {
                states[index] = State::On;
                self.outgoing.extend([IAC, yes, option]);
            }
            (DO | WILL, _) => states[index] = State::On,
            (_, State::On) => {
                states[index] = State::Off;
                self.outgoing.extend([IAC, no, option]);
            }
            _ => states[index] = State::Off,
        }
        if !controlled && self.controls() {
            // Hosts that ask for a circuit wait for the first word about it.
            self.tell_circuits();
        }
    }

    /// Whether the host controls the port: either end may have spoken of it.
    fn controls(&self) -> bool {
        self.ours[3] == State::On || self.theirs[3] == State::On
    }

    fn tell_circuits(&mut self) {
        self.answer(7, &[bits(self.circuits) & self.modem_mask]);
    }

    fn answer(&mut self, command: u8, value: &[u8]) {
        self.outgoing.extend([IAC, SB, COM_PORT, command + ANSWER]);
        self.send(value);
        self.outgoing.extend([IAC, SE]);
    }

    /// A command of the client. What is no value asks for the one that holds, and so does, in effect, one that cannot be had.
    fn control(&mut self, command: u8, value: &[u8]) {
        match (command, value) {
            (0, []) => {
                let signature = self.signature.clone();
                self.answer(0, signature.as_bytes());
            }
            (0, text) => self.events.push_back(Event::Signature(text.into())),
            (1, &[a, b, c, d]) => {
                let baud = u32::from_be_bytes([a, b, c, d]);
                self.set_uart(Uart {
                    baud: if baud == 0 { self.uart.baud } else { baud },
                    ..self.uart
                });
                self.answer(1, &self.uart.baud.to_be_bytes());
            }
            (2, &[data]) => {
                if (5..=8).contains(&data) {
                    self.set_uart(Uart { data, ..self.uart });
                }
                self.answer(2, &[self.uart.data]);
            }
            (3, &[parity]) => {
                if (1..=5).contains(&parity) {
                    self.set_uart(Uart {
                        parity,
                        ..self.uart
                    });
                }
                self.answer(3, &[self.uart.parity]);
            }
            (4, &[stop]) => {
                if (1..=3).contains(&stop) {
                    self.set_uart(Uart { stop, ..self.uart });
                }
                self.answer(4, &[self.uart.stop]);
            }
            (5, &[wanted]) => {
                let holds = self.set_control(wanted);
                self.answer(5, &[holds]);
            }
            // The shift register and what stands before it are empty: nobody counts bits here.
            (6, _) => self.answer(6, &[0x60 & self.line_mask]),
            (7, _) => self.tell_circuits(),
            (8, []) => self.is_suspended = true,
            (9, []) => self.is_suspended = false,
            (10, &[mask]) => {
                self.line_mask = mask;
                self.answer(10, &[mask]);
            }
            (11, &[mask]) => {
                self.modem_mask = mask;
                self.answer(11, &[mask]);
            }
            (12, &[which @ 1..=3]) => {
                // 2 is what waits for the module, and nothing ever does.
                if which != 2 {
                    self.events.push_back(Event::Purge);
                }
                self.answer(12, &[which]);
            }
            _ => {}
        }
    }

    fn set_uart(&mut self, uart: Uart) {
        if self.uart != uart {
            self.uart = uart;
            self.events.push_back(Event::Uart(uart));
        }
    }

    /// SET-CONTROL; returns what holds then.
    fn set_control(&mut self, wanted: u8) -> u8 {
        let flip = |own: &mut bool, on: bool, event: Event, events: &mut VecDeque<Event>| {
            if *own != on {
                *own = on;
                events.push_back(event);
            }
        };
        let events = &mut self.events;
        match wanted {
            1..=3 if self.flow != wanted => {
                self.flow = wanted;
                events.push_back(Event::Flow(wanted));
            }
            5 | 6 => flip(
                &mut self.is_break,
                wanted == 5,
                Event::Break(wanted == 5),
                events,
            ),
            8 | 9 => flip(&mut self.dtr, wanted == 8, Event::Dtr(wanted == 8), events),
            11 | 12 => flip(
                &mut self.rts,
                wanted == 11,
                Event::Rts(wanted == 11),
                events,
            ),
            14..=16 => self.flow_in = wanted,
            _ => {}
        }
        match wanted {
            4..=6 => 6 - u8::from(self.is_break),
            7..=9 => 9 - u8::from(self.dtr),
            10..=12 => 12 - u8::from(self.rts),
            13..=16 | 18 => self.flow_in,
            // Flow control by DCD and DSR are not to be had.
            _ => self.flow,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const READY: Circuits = Circuits {
        cts: true,
        dsr: true,
        ri: false,
        dcd: false,
    };

    /// A session whose offers are read.
    fn session() -> Session {
        let mut session = Session::new(115_200, READY, "modemq");
        session.outgoing().clear();
        session
    }

    /// One with a host that controls the port, and what both sides have said about that.
    fn controlled() -> Session {
        let mut session = session();
        session.receive(&[IAC, WILL, COM_PORT]);
        assert_eq!(said(&mut session), [IAC, SB, 44, 107, 0x30, IAC, SE]);
        session
    }

    fn said(session: &mut Session) -> Vec<u8> {
        std::mem::take(session.outgoing())
    }

    fn events(session: &mut Session) -> Vec<Event> {
        std::iter::from_fn(|| session.poll_event()).collect()
    }

    /// Sends a command and returns the answer, without IAC SB 44 and IAC SE.
    fn ask(session: &mut Session, command: &[u8]) -> Vec<u8> {
        let bytes = [&[IAC, SB, 44], command, &[IAC, SE]].concat();
        session.receive(&bytes);
        let answer = said(session);
        match &*answer {
            [IAC, SB, 44, answer @ .., IAC, SE] => answer.to_vec(),
            [] => Vec::new(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_host_is_offered_a_serial_line() {
        let mut session = Session::new(9600, READY, "x");
        assert_eq!(
            said(&mut session),
            [
                [IAC, WILL, ECHO],
                [IAC, WILL, SUPPRESS_GO_AHEAD],
                [IAC, WILL, BINARY],
                [IAC, DO, BINARY],
                [IAC, DO, COM_PORT],
            ]
            .concat()
        );
    }

    #[test]
    fn options_are_agreed_on_without_going_round_in_circles() {
        let mut session = session();
        // What we asked for is not confirmed again.
        session.receive(&[IAC, DO, ECHO, IAC, DO, BINARY, IAC, WILL, BINARY]);
        assert_eq!(said(&mut session), b"");
        // What the host begins with is.
        session.receive(&[IAC, WILL, SUPPRESS_GO_AHEAD, IAC, WILL, SUPPRESS_GO_AHEAD]);
        assert_eq!(said(&mut session), [IAC, DO, SUPPRESS_GO_AHEAD]);
        session.receive(&[IAC, DONT, ECHO, IAC, DONT, ECHO]);
        assert_eq!(said(&mut session), [IAC, WONT, ECHO]);
        // Terminal type, window size, and a host's echo are refused; refusals are not answered.
        session.receive(&[
            IAC, WILL, 24, IAC, DO, 31, IAC, WILL, ECHO, IAC, WONT, 24, IAC, DONT, 31,
        ]);
        assert_eq!(
            said(&mut session),
            [IAC, DONT, 24, IAC, WONT, 31, IAC, DONT, ECHO]
        );
        assert_eq!(events(&mut session), []);
    }

    #[test]
    fn a_port_is_controlled_whoever_begins() {
        controlled();
        let mut session = session();
        // As pyserial does: DO, where RFC 2217 has WILL alone.
        session.receive(&[IAC, DO, COM_PORT]);
        assert_eq!(
            said(&mut session),
            [IAC, WILL, COM_PORT, IAC, SB, 44, 107, 0x30, IAC, SE]
        );
    }

    #[test]
    fn a_uart_is_set_and_asked_for() {
        let mut session = controlled();
        for (command, answer) in [
            (&[1, 0, 0, 0, 0][..], &[101, 0, 1, 0xc2, 0][..]),
            (&[1, 0, 0, 0x25, 0x80], &[101, 0, 0, 0x25, 0x80]),
            (&[2, 7], &[102, 7]),
            (&[2, 9], &[102, 7]),
            (&[2, 0], &[102, 7]),
            (&[3, 3], &[103, 3]),
            (&[3, 77], &[103, 3]),
            (&[4, 2], &[104, 2]),
            (&[4, 0], &[104, 2]),
            // No value of theirs.
            (&[1, 0], &[]),
            (&[2], &[]),
            (&[99, 1], &[]),
        ] {
            assert_eq!(ask(&mut session, command), answer, "{command:?}");
        }
        let told: Vec<_> = events(&mut session).iter().map(Event::to_string).collect();
        assert_eq!(
            told,
            [
                "UART at 9600 8N1",
                "UART at 9600 7N1",
                "UART at 9600 7E1",
                "UART at 9600 7E2"
            ]
        );
    }

    #[test]
    fn a_rate_with_an_ff_in_it_is_doubled_both_ways() {
        let mut session = controlled();
        session.receive(&[IAC, SB, 44, 1, 0, 0, IAC, IAC, 0, IAC, SE]);
        assert_eq!(events(&mut session), [Event::Uart(Uart::new(0xff00))]);
        assert_eq!(
            said(&mut session),
            [IAC, SB, 44, 101, 0, 0, IAC, IAC, 0, IAC, SE]
        );
    }

    #[test]
    fn circuits_of_the_host_are_set_and_asked_for() {
        let mut session = controlled();
        for (wanted, holds) in [
            (0, 1),
            (3, 3),
            (0, 3),
            (17, 3),
            (4, 6),
            (5, 5),
            (4, 5),
            (6, 6),
            (7, 8),
            (9, 9),
            (9, 9),
            (7, 9),
            (10, 11),
            (12, 12),
            (11, 11),
            (13, 14),
            (16, 16),
            (18, 16),
            (13, 16),
        ] {
            assert_eq!(ask(&mut session, &[5, wanted]), [105, holds], "{wanted}");
        }
        let told: Vec<_> = events(&mut session).iter().map(Event::to_string).collect();
        assert_eq!(
            told,
            [
                "flow control RTS/CTS",
                "break on",
                "break off",
                "DTR off",
                "RTS off",
                "RTS on"
            ]
        );
    }

    #[test]
    fn circuits_of_the_module_are_told_as_they_change() {
        let mut session = controlled();
        let dcd = Circuits { dcd: true, ..READY };
        session.set_circuits(dcd);
        assert_eq!(said(&mut session), [IAC, SB, 44, 107, 0xb8, IAC, SE]);
        session.set_circuits(dcd);
        assert_eq!(said(&mut session), b"");
        assert_eq!(ask(&mut session, &[7]), [107, 0xb0]);
        // RI: its end is told as a change, its beginning is not.
        session.set_circuits(Circuits { ri: true, ..dcd });
        assert_eq!(said(&mut session), [IAC, SB, 44, 107, 0xf0, IAC, SE]);
        session.set_circuits(dcd);
        assert_eq!(said(&mut session), [IAC, SB, 44, 107, 0xb4, IAC, SE]);
        // A host that looks at CTS alone.
        assert_eq!(ask(&mut session, &[11, 0x10]), [111, 0x10]);
        session.set_circuits(READY);
        assert_eq!(said(&mut session), b"");
        session.set_circuits(Circuits::default());
        assert_eq!(said(&mut session), [IAC, SB, 44, 107, 1, IAC, SE]);
    }

    #[test]
    fn nobody_hears_of_circuits_who_does_not_control_the_port() {
        let mut session = session();
        session.set_circuits(Circuits::default());
        assert_eq!(said(&mut session), b"");
    }

    #[test]
    fn the_rest_of_the_commands() {
        let mut session = controlled();
        assert_eq!(ask(&mut session, &[0]), b"\x64modemq");
        assert_eq!(ask(&mut session, b"\0me"), b"");
        assert_eq!(ask(&mut session, &[6]), [106, 0]);
        assert_eq!(ask(&mut session, &[10, 0x7f]), [110, 0x7f]);
        assert_eq!(ask(&mut session, &[6]), [106, 0x60]);
        assert_eq!(ask(&mut session, &[8]), b"");
        assert!(session.is_suspended());
        assert_eq!(ask(&mut session, &[9]), b"");
        assert!(!session.is_suspended());
        assert_eq!(ask(&mut session, &[12, 2]), [112, 2]);
        assert_eq!(ask(&mut session, &[12, 1]), [112, 1]);
        assert_eq!(ask(&mut session, &[12, 4]), b"");
        assert_eq!(
            events(&mut session),
            [Event::Signature(b"me".into()), Event::Purge]
        );
    }

    #[test]
    fn data_is_in_order_with_what_happens_to_the_line() {
        let mut session = controlled();
        session.receive(b"a\xff\xffb\xff\xfa\x2c\x05\x09\xff\xf0c\xff\xf3\xff\xf1d");
        assert_eq!(
            events(&mut session),
            [
                Event::Data(b"a\xffb".into()),
                Event::Dtr(false),
                Event::Data(b"c".into()),
                Event::Break(true),
                Event::Break(false),
                Event::Data(b"d".into()),
            ]
        );
        session.receive(&[IAC, ARE_YOU_THERE]);
        let mut answer = said(&mut session);
        assert_eq!(answer.split_off(answer.len() - 9), b"\r\n[yes]\r\n");
    }

    #[test]
    fn a_terminals_nul_after_cr_is_none_until_it_sends_eight_bits() {
        let mut session = session();
        session.receive(b"AT\r\0\0\r\n");
        assert_eq!(events(&mut session), [Event::Data(b"AT\r\0\r\n".into())]);
        session.receive(&[IAC, WILL, BINARY]);
        session.receive(b"\r\0");
        assert_eq!(events(&mut session), [Event::Data(b"\r\0".into())]);
    }

    #[test]
    fn a_suboption_that_is_broken_off_or_too_long_means_nothing() {
        let mut session = controlled();
        session.receive(&[IAC, SB, 44, 5, 9, IAC, DO, 31, b'x']);
        session.receive(&[&[IAC, SB, 44, 0][..], &[b'y'; 1000], &[IAC, SE, b'z']].concat());
        session.receive(&[
            IAC, SB, IAC, SE, IAC, SB, 44, IAC, SE, IAC, SB, 24, 1, IAC, SE,
        ]);
        assert_eq!(events(&mut session), [Event::Data(b"xz".into())]);
        assert_eq!(said(&mut session), [IAC, WONT, 31]);
    }

    #[test]
    fn seven_bits_read_as_eight_show_the_parity() {
        let uart = |data, parity| Uart {
            baud: 9600,
            data,
            parity,
            stop: 1,
        };
        assert_eq!(uart(8, 1).sends(0xA5), 0xA5);
        assert_eq!(uart(8, 3).sends(0xA5), 0xA5);
        // 'A' has two ones, 'C' three.
        assert_eq!(
            [uart(7, 3).sends(b'A'), uart(7, 3).sends(b'C')],
            [0x41, 0xC3]
        );
        assert_eq!(
            [uart(7, 2).sends(b'A'), uart(7, 2).sends(b'C')],
            [0xC1, 0x43]
        );
        assert_eq!(
            [uart(7, 4).sends(b'A'), uart(7, 5).sends(b'A')],
            [0xC1, 0x41]
        );
        assert_eq!(uart(7, 1).sends(b'A'), 0xC1);
        assert_eq!(uart(5, 5).sends(0), 0b1100_0000);
        assert_eq!(uart(7, 1).reads(0xC1), b'A');
        assert_eq!(uart(5, 1).reads(0xff), 0x1f);
    }

    fn run(bytes: &[u8], slices: &[prop::sample::Index]) -> (Vec<Event>, Vec<u8>) {
        let mut session = session();
        let mut cuts: Vec<_> = slices.iter().map(|at| at.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        let mut from = 0;
        let mut happened: Vec<Event> = Vec::new();
        for to in cuts.into_iter().chain([bytes.len()]) {
            session.receive(&bytes[from..to]);
            from = to;
            for event in events(&mut session) {
                match (happened.last_mut(), event) {
                    (Some(Event::Data(before)), Event::Data(more)) => before.extend(more),
                    (_, event) => happened.push(event),
                }
            }
        }
        (happened, said(&mut session))
    }

    /// Bytes that mean something more often than any bytes would.
    fn telnet() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            any::<u8>().prop_map(|byte| vec![byte]),
            prop::sample::select(vec![IAC, SB, SE, WILL, WONT, DO, DONT, COM_PORT, b'\r', 0])
                .prop_map(|byte| vec![byte]),
            (0..14_u8, prop::collection::vec(any::<u8>(), 0..6)).prop_map(|(command, value)| {
                [&[IAC, SB, COM_PORT, command], &*value, &[IAC, SE]].concat()
            }),
        ];
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn slices_make_no_difference(bytes in telnet(), slices in prop::collection::vec(any::<prop::sample::Index>(), 0..20)) {
            prop_assert_eq!(run(&bytes, &slices), run(&bytes, &[]));
        }

        #[test]
        fn every_byte_passes_both_ways(bytes in prop::collection::vec(any::<u8>(), 0..500), slices in prop::collection::vec(any::<prop::sample::Index>(), 0..5)) {
            let mut module = session();
            module.send(&bytes);
            let sent = said(&mut module);
            // The same escaping the other way, by a host that sends eight bits.
            let (happened, answered) = run(&[&[IAC, WILL, BINARY], &*sent].concat(), &slices);
            let expected = if bytes.is_empty() { vec![] } else { vec![Event::Data(bytes)] };
            prop_assert_eq!(happened, expected);
            prop_assert_eq!(answered, b"");
        }

        #[test]
        fn what_is_said_is_telnet_and_in_proportion(bytes in telnet()) {
            let (happened, answered) = run(&bytes, &[]);
            // A host that reads our answers finds no stray data in them, except the answer to "are you there".
            let mut host = session();
            host.receive(&answered);
            let stray = events(&mut host).into_iter().find(|event| matches!(event, Event::Data(data) if !data.starts_with(b"\r\n[yes]")));
            prop_assert_eq!(stray, None);
            prop_assert!(answered.len() <= 16 * bytes.len());
            for event in happened {
                if let Event::Uart(uart) = event {
                    prop_assert!((5..=8).contains(&uart.data) && (1..=5).contains(&uart.parity) && (1..=3).contains(&uart.stop));
                    prop_assert!(uart.baud > 0);
                }
            }
        }
    }
}
