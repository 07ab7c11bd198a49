//! What modules and servers say to each other, as a packet capture that Wireshark opens.
//!
//! The bytes are those of MQTT itself, plain also where TLS or a WebSocket is around them on the wire: that is what a capture
//! of the network cannot show. Ethernet, IP and TCP headers are made up around them, with addresses, sequence numbers, SYN, FIN
//! and RST as a network would have them, so that every tool for captures follows the conversation.
//!
//! Source: draft-ietf-opsawg-pcapng, sections 4.1 to 4.3, for the blocks of the file.

use etherparse::PacketBuilder;
use instant::Instant;
use module::Transport;
use std::cell::RefCell;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::rc::Rc;

/// The payload of a full Ethernet frame.
const SEGMENT: usize = 1460;
/// The first port of those that systems give to clients (RFC 6335 §6).
const FIRST_PORT: u16 = 49_152;
/// The port where Wireshark looks for MQTT.
const MQTT: u16 = 1883;
/// The port where it looks for TLS, and would not find it in what is already deciphered.
const MQTT_TLS: u16 = 8883;

/// Where Wireshark finds the MQTT of a connection to this port: the port itself, unless something was around the MQTT.
pub fn shown_port(port: u16, transport: &Transport) -> u16 {
    let unwrapped = transport.websocket.is_some() || (transport.tls.is_some() && port == MQTT_TLS);
    if unwrapped { MQTT } else { port }
}

/// A file that several modules share.
pub struct Capture {
    /// `None` after it could not be written.
    out: Option<Box<dyn Write>>,
    /// UTC at the cores' epoch, in microseconds since 1970.
    epoch: u64,
    interfaces: u32,
    next_port: u16,
}

impl std::fmt::Debug for Capture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Capture")
            .field("interfaces", &self.interfaces)
            .finish_non_exhaustive()
    }
}

impl Capture {
    /// Begins a file; `epoch` is UTC at [`Instant::ZERO`], in microseconds since 1970. Each packet is in the file as soon as it was
    /// sent, so the file may be a pipe that Wireshark reads. It is readable for its owner alone: passwords are in it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn create(path: &Path, epoch: u64) -> io::Result<Self> {
        let fail =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let file = options.open(path).map_err(fail)?;
        Self::new(Box::new(file), epoch).map_err(fail)
    }

    /// [`Capture::create`], to anything that takes bytes.
    ///
    /// # Errors
    /// It takes none.
    pub fn new(mut out: Box<dyn Write>, epoch: u64) -> io::Result<Self> {
        // The byte order, version 1.0, and a section whose length is not known.
        let mut section = 0x1A2B_3C4D_u32.to_le_bytes().to_vec();
        section.extend([1, 0, 0, 0]);
        section.extend([0xff; 8]);
        let application = concat!("modemq ", env!("CARGO_PKG_VERSION"));
        option(&mut section, 4, application.as_bytes());
        out.write_all(&block(0x0A0D_0D0A, section))?;
        Ok(Self {
            out: Some(out),
            epoch,
            interfaces: 0,
            next_port: FIRST_PORT,
        })
    }

    /// An interface for one module, with its name and the address that its network gave it.
    pub fn interface(capture: &Rc<RefCell<Self>>, name: &str, address: Ipv4Addr) -> Tap {
        let mut own = capture.borrow_mut();
        let number = own.interfaces;
        own.interfaces += 1;
        // Ethernet, and no limit of the packets' length. Times are in microseconds unless an option says otherwise.
        let mut description = vec![1, 0, 0, 0, 0, 0, 0, 0];
        option(&mut description, 2, name.as_bytes());
        own.write(1, description);
        Tap {
            capture: capture.clone(),
            number,
            address,
        }
    }

    fn write(&mut self, kind: u32, body: Vec<u8>) {
        let Some(out) = &mut self.out else {
            return;
        };
        // One write for each block: the file has no half of one, however the program ends.
        if let Err(error) = out.write_all(&block(kind, body)) {
            eprintln!("modemq: the packet capture ends here: {error}");
            self.out = None;
        }
    }

    fn port(&mut self) -> u16 {
        let port = self.next_port;
        self.next_port = port.checked_add(1).unwrap_or(FIRST_PORT);
        port
    }
}

/// One module's interface of a capture.
#[derive(Clone, Debug)]
pub struct Tap {
    capture: Rc<RefCell<Capture>>,
    number: u32,
    address: Ipv4Addr,
}

impl Tap {
    /// A connection that the module has opened just now, to this address and to the port that [`shown_port`] says.
    pub fn open(&self, now: Instant, peer: IpAddr, port: u16) -> Conversation {
        let client = self.capture.borrow_mut().port();
        let mut conversation = Conversation {
            tap: self.clone(),
            peer,
            ports: [client, port],
            next: [0; 2],
            ended: [false; 2],
        };
        conversation.segment(now, Side::Module, Flag::Syn, &[]);
        conversation.segment(now, Side::Server, Flag::Syn, &[]);
        conversation.segment(now, Side::Module, Flag::None, &[]);
        conversation
    }
}

/// Whose packet it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The module's.
    Module,
    /// Its server's.
    Server,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Module => Self::Server,
            Self::Server => Self::Module,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flag {
    None,
    Syn,
    Push,
    Fin,
    Reset,
}

/// One TCP connection of a capture.
#[derive(Debug)]
pub struct Conversation {
    tap: Tap,
    peer: IpAddr,
    /// The module's, and its server's.
    ports: [u16; 2],
    /// The sequence number of the next byte of either.
    next: [u32; 2],
    /// Who has sent FIN or RST.
    ended: [bool; 2],
}

impl Conversation {
    /// Bytes that one of them sends.
    pub fn data(&mut self, now: Instant, side: Side, bytes: &[u8]) {
        if self.ended[side as usize] {
            return;
        }
        for segment in bytes.chunks(SEGMENT) {
            self.segment(now, side, Flag::Push, segment);
        }
    }

    /// One of them sends nothing more (FIN).
    pub fn close(&mut self, now: Instant, side: Side) {
        if self.ended[side as usize] {
            return;
        }
        self.segment(now, side, Flag::Fin, &[]);
        self.ended[side as usize] = true;
        if self.ended[side.other() as usize] {
            self.segment(now, side.other(), Flag::None, &[]);
        }
    }

    /// One of them breaks the connection off (RST).
    pub fn reset(&mut self, now: Instant, side: Side) {
        if self.ended != [true; 2] {
            self.segment(now, side, Flag::Reset, &[]);
            self.ended = [true; 2];
        }
    }

    fn segment(&mut self, now: Instant, side: Side, flag: Flag, payload: &[u8]) {
        let number = self.next[side as usize];
        let acknowledged = self.next[side.other() as usize];
        let counted = u32::from(matches!(flag, Flag::Syn | Flag::Fin));
        self.next[side as usize] = number.wrapping_add(payload.len() as u32 + counted);
        let is_first = flag == Flag::Syn && side == Side::Module;
        let frame = self.frame(
            side,
            number,
            flag,
            (!is_first).then_some(acknowledged),
            payload,
        );

        let mut capture = self.tap.capture.borrow_mut();
        let at = capture.epoch.saturating_add(now.as_micros());
        let mut packet = self.tap.number.to_le_bytes().to_vec();
        packet.extend(((at >> 32) as u32).to_le_bytes());
        packet.extend((at as u32).to_le_bytes());
        packet.extend((frame.len() as u32).to_le_bytes());
        packet.extend((frame.len() as u32).to_le_bytes());
        packet.extend(&frame);
        packet.resize(packet.len().next_multiple_of(4), 0);
        // epb_flags: what comes in is 1, what goes out 2.
        let direction: u32 = if side == Side::Module { 2 } else { 1 };
        option(&mut packet, 2, &direction.to_le_bytes());
        capture.write(6, packet);
    }

    fn frame(
        &self,
        side: Side,
        number: u32,
        flag: Flag,
        acknowledged: Option<u32>,
        payload: &[u8],
    ) -> Vec<u8> {
        // Locally administered addresses, which are nobody's.
        let [high, low] = (self.tap.number as u16).to_be_bytes();
        let macs = [[2, 0, 0, 0, high, low], [2, 0, 0, 1, 0, 0]];
        let (from, to) = (side as usize, side.other() as usize);
        let ethernet = PacketBuilder::ethernet2(macs[from], macs[to]);
        let ip = match self.peer {
            IpAddr::V4(peer) => {
                let addresses = [self.tap.address, peer];
                ethernet.ipv4(addresses[from].octets(), addresses[to].octets(), 64)
            }
            IpAddr::V6(peer) => {
                // A unique local address (RFC 4193) that ends with the one that the module has.
                let [a, b, c, d] = self.tap.address.octets().map(u16::from);
                let own = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, a << 8 | b, c << 8 | d);
                let addresses = [own, peer];
                ethernet.ipv6(addresses[from].octets(), addresses[to].octets(), 64)
            }
        };
        let mut tcp = ip.tcp(self.ports[from], self.ports[to], number, u16::MAX);
        if let Some(acknowledged) = acknowledged {
            tcp = tcp.ack(acknowledged);
        }
        tcp = match flag {
            Flag::None => tcp,
            Flag::Syn => tcp.syn(),
            Flag::Push => tcp.psh(),
            Flag::Fin => tcp.fin(),
            Flag::Reset => tcp.rst(),
        };
        let mut frame = Vec::with_capacity(tcp.size(payload.len()));
        // Only a payload beyond 64 KB fails, or a sink that does: this is neither.
        let _ = tcp.write(&mut frame, payload);
        frame
    }
}

/// A block with its options ended: kind, length, body, length.
fn block(kind: u32, mut body: Vec<u8>) -> Vec<u8> {
    body.extend([0; 4]);
    let length = (body.len() as u32 + 12).to_le_bytes();
    [&kind.to_le_bytes()[..], &length, &body, &length].concat()
}

/// Adds an option; its value is filled up to four bytes.
fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend(code.to_le_bytes());
    body.extend((value.len() as u16).to_le_bytes());
    body.extend(value);
    body.resize(body.len().next_multiple_of(4), 0);
}
