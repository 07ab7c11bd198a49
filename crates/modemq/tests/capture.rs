//! `modemq module --pcap`: what another reader of pcapng and of TCP finds in the file.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Broker, Folder, Host, temporary};
use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use instant::Instant;
use modemq::capture::{Capture, Side, shown_port};
use module::{Tls, Transport};
use pcap_parser::traits::{PcapNGPacketBlock, PcapReaderIterator};
use pcap_parser::{Block, PcapBlockOwned, PcapError, PcapNGReader};
use std::cell::RefCell;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

/// A packet as the readers see it.
#[derive(Debug)]
struct Seen {
    interface: u32,
    /// Microseconds since 1970.
    at: u64,
    from: (IpAddr, u16),
    to: (IpAddr, u16),
    number: u32,
    acknowledged: Option<u32>,
    /// Of SYN, PSH, FIN, RST.
    flags: String,
    payload: Vec<u8>,
}

fn blocks(file: &[u8], on: &mut dyn FnMut(&Block<'_>)) {
    let mut reader = PcapNGReader::new(1 << 16, file).unwrap();
    loop {
        match reader.next() {
            Ok((offset, block)) => {
                if let PcapBlockOwned::NG(block) = &block {
                    on(block);
                }
                reader.consume(offset);
            }
            Err(PcapError::Eof) => break,
            Err(PcapError::Incomplete(_)) => reader.refill().unwrap(),
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// All packets, and the names of the interfaces.
fn read(file: &[u8]) -> (Vec<Seen>, Vec<String>) {
    let (mut packets, mut names) = (Vec::new(), Vec::new());
    blocks(file, &mut |block| match block {
        Block::SectionHeader(header) => assert_eq!(header.major_version, 1),
        Block::InterfaceDescription(description) => {
            assert_eq!(description.linktype, pcap_parser::Linktype::ETHERNET);
            assert_eq!(description.if_tsresol, 6);
            let name = description.options.iter().find(|option| option.code.0 == 2);
            let value = name.unwrap().value.to_vec();
            let end = value.iter().position(|byte| *byte == 0);
            names.push(String::from_utf8(value[..end.unwrap_or(value.len())].to_vec()).unwrap());
        }
        Block::EnhancedPacket(packet) => {
            let at = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
            packets.push(seen(packet.if_id, at, packet.packet_data()));
        }
        other => panic!("{other:?}"),
    });
    (packets, names)
}

fn seen(interface: u32, at: u64, frame: &[u8]) -> Seen {
    let packet = SlicedPacket::from_ethernet(frame).unwrap();
    let Some(TransportSlice::Tcp(tcp)) = &packet.transport else {
        panic!("no TCP: {packet:?}");
    };
    let (from, to): (IpAddr, IpAddr) = match packet.net.as_ref().unwrap() {
        NetSlice::Ipv4(ip) => {
            let header = ip.header();
            assert_eq!(
                header.header_checksum(),
                header.to_header().calc_header_checksum()
            );
            let sum = tcp.calc_checksum_ipv4(header.source(), header.destination());
            assert_eq!(sum.unwrap(), tcp.checksum());
            (
                header.source_addr().into(),
                header.destination_addr().into(),
            )
        }
        NetSlice::Ipv6(ip) => {
            let header = ip.header();
            let sum = tcp.calc_checksum_ipv6(header.source(), header.destination());
            assert_eq!(sum.unwrap(), tcp.checksum());
            (
                header.source_addr().into(),
                header.destination_addr().into(),
            )
        }
        NetSlice::Arp(arp) => panic!("{arp:?}"),
    };
    let flags = [
        (tcp.syn(), 'S'),
        (tcp.psh(), 'P'),
        (tcp.fin(), 'F'),
        (tcp.rst(), 'R'),
    ];
    Seen {
        interface,
        at,
        from: (from, tcp.source_port()),
        to: (to, tcp.destination_port()),
        number: tcp.sequence_number(),
        acknowledged: tcp.ack().then(|| tcp.acknowledgment_number()),
        flags: flags
            .iter()
            .filter(|(set, _)| *set)
            .map(|(_, flag)| flag)
            .collect(),
        payload: tcp.payload().to_vec(),
    }
}

/// What a receiver of TCP makes of one connection: each packet in words, `>` from the client. Every sequence number must be the
/// next one, and every acknowledgement that of what has come.
fn follow(packets: &[&Seen]) -> Vec<String> {
    let client = packets[0].from;
    let mut next = [packets[0].number; 2];
    let mut bytes = [Vec::new(), Vec::new()];
    let mut story = Vec::new();
    for (index, packet) in packets.iter().enumerate() {
        let side = usize::from(packet.from != client);
        let arrow = ['>', '<'][side];
        if packet.flags == "S" && side == 1 {
            next[1] = packet.number;
        }
        assert_eq!(packet.number, next[side], "{packet:?}");
        if index > 0 {
            assert_eq!(packet.acknowledged, Some(next[1 - side]), "{packet:?}");
        }
        let counted = u32::from(packet.flags.contains(['S', 'F']));
        next[side] = next[side].wrapping_add(packet.payload.len() as u32 + counted);
        bytes[side].extend_from_slice(&packet.payload);
        if packet.flags != "P" {
            story.push(format!("{arrow} {}", packet.flags).trim_end().to_owned());
        }
        while let Ok(Some(length)) = mqtt::frame_length(&bytes[side])
            && bytes[side].len() >= length.total()
        {
            let frame: Vec<u8> = bytes[side].drain(..length.total()).collect();
            story.push(format!("{arrow} {}", mqtt::Packet::decode(&frame).unwrap()));
        }
    }
    assert!(bytes.concat().is_empty(), "half a packet");
    story
}

#[test]
fn a_session_is_in_the_file_packet_by_packet() {
    let (broker, file) = (Broker::ours(&[]), temporary("pcapng"));
    let resolve = format!("a.example:1883={}", broker.address);
    let (module, mut host) = Host::with_module(
        "air780ep",
        &[
            "--pace",
            "fast",
            "--resolve",
            &resolve,
            "--pcap",
            file.to_str().unwrap(),
        ],
    );
    host.synchronise();
    host.command("AT+MCONFIG=\"one\"", &["OK"]);
    host.command("AT+MIPSTART=\"a.example\",1883", &["OK", "CONNECT OK"]);
    host.command("AT+MCONNECT=1,60", &["OK", "CONNACK OK"]);
    host.command("AT+MPUB=\"t\",1,0,\"hello\"", &["OK", "PUBACK"]);
    host.command("AT+MIPCLOSE", &["OK"]);
    let bytes = std::fs::read(&file).unwrap();
    drop(module);
    let _ = std::fs::remove_file(&file);

    let (packets, names) = read(&bytes);
    assert_eq!(names, ["air780ep"]);
    assert_eq!(
        packets[0].from,
        (Ipv4Addr::new(10, 173, 90, 29).into(), 49_152)
    );
    assert_eq!(packets[0].to, (Ipv4Addr::LOCALHOST.into(), 1883));
    assert!(packets.is_sorted_by_key(|packet| packet.at));
    let now = std::time::SystemTime::now();
    let now = now
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_micros() as u64;
    let last = packets.last().unwrap().at;
    assert!(
        now - last < common::GUARD.as_micros() as u64,
        "{last} {now}"
    );
    // The broker may have closed its side by then, or not.
    assert_eq!(
        follow(&packets.iter().collect::<Vec<_>>())[..8],
        [
            "> S",
            "< S",
            ">",
            "> CONNECT MQTT level 4 id \"one\" keep-alive 60 s clean",
            "< CONNACK 0 accepted",
            "> PUBLISH q1 id 1 \"t\" 5 bytes",
            "< PUBACK id 1",
            "> F",
        ]
    );
}

#[test]
fn tls_is_in_the_file_in_the_clear_where_wireshark_looks_for_mqtt() {
    let (folder, file) = (Folder::new("capture"), temporary("pcapng"));
    let (broker, [tls, _]) = Broker::ours_with_tls(&folder.0, &[]);
    let resolve = format!("a.example:8883={tls}");
    let (module, mut host) = Host::with_module(
        "air780ep",
        &[
            "--pace",
            "fast",
            "--resolve",
            &resolve,
            "--pcap",
            file.to_str().unwrap(),
        ],
    );
    host.synchronise();
    host.command("AT+SSLCFG=\"seclevel\",88,0", &["OK"]);
    host.command("AT+MCONFIG=\"two\",\"user\",\"secret\"", &["OK"]);
    host.command("AT+SSLMIPSTART=\"a.example\",8883", &["OK", "CONNECT OK"]);
    host.command("AT+MCONNECT=1,60", &["OK", "CONNACK OK"]);
    let bytes = std::fs::read(&file).unwrap();
    drop((module, broker));
    let _ = std::fs::remove_file(&file);
    let (packets, _) = read(&bytes);
    assert_eq!(packets[0].to.1, 1883);
    let story = follow(&packets.iter().collect::<Vec<_>>());
    assert!(
        story[3].starts_with("> CONNECT MQTT level 4 id \"two\""),
        "{story:?}"
    );
    assert_eq!(story[4], "< CONNACK 0 accepted");
}

#[test]
fn the_port_is_the_servers_unless_something_was_around_the_mqtt() {
    let plain = Transport::default();
    let websocket = Transport {
        websocket: Some("/mqtt".into()),
        ..Transport::default()
    };
    let tls = Transport {
        tls: Some(Box::new(Tls::default())),
        ..Transport::default()
    };
    assert_eq!(shown_port(1884, &plain), 1884);
    assert_eq!(shown_port(8883, &plain), 8883);
    assert_eq!(shown_port(8883, &tls), 1883);
    assert_eq!(shown_port(443, &tls), 443);
    assert_eq!(shown_port(8083, &websocket), 1883);
}

/// Memory that can be looked at while it is written, up to a limit.
#[derive(Clone)]
struct Memory {
    bytes: Rc<RefCell<Vec<u8>>>,
    limit: usize,
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut own = self.bytes.borrow_mut();
        if own.len() + bytes.len() > self.limit {
            return Err(io::ErrorKind::StorageFull.into());
        }
        own.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn capture(limit: usize) -> (Rc<RefCell<Capture>>, Memory) {
    let memory = Memory {
        bytes: Rc::default(),
        limit,
    };
    let capture = Capture::new(Box::new(memory.clone()), 1_000_000).unwrap();
    (Rc::new(RefCell::new(capture)), memory)
}

#[test]
fn each_module_has_an_interface_and_each_connection_a_port() {
    let (capture, memory) = capture(usize::MAX);
    let taps =
        ["a", "b"].map(|name| Capture::interface(&capture, name, Ipv4Addr::new(10, 0, 0, 9)));
    let at = Instant::from_micros;
    let v6: IpAddr = "2001:db8::1".parse().unwrap();
    let mut first = taps[0].open(at(5), Ipv4Addr::new(192, 0, 2, 1).into(), 1883);
    let mut second = taps[1].open(at(6), v6, 1883);
    first.data(at(7), Side::Server, &[b'x'; 3000]);
    second.data(at(8), Side::Module, b"");
    second.reset(at(9), Side::Server);
    // What comes after the end is not shown as if the connection were there.
    second.data(at(10), Side::Module, b"late");
    second.close(at(10), Side::Module);
    second.reset(at(10), Side::Module);
    first.close(at(11), Side::Module);
    first.data(at(12), Side::Server, b"rest");
    first.close(at(13), Side::Server);
    first.close(at(14), Side::Server);

    let (packets, names) = read(&memory.bytes.borrow());
    assert_eq!(names, ["a", "b"]);
    let of = |interface| {
        let of = packets
            .iter()
            .filter(move |packet| packet.interface == interface);
        of.collect::<Vec<_>>()
    };
    let shown = |packet: &&Seen| {
        let from = packet.from.1;
        (packet.at, from, packet.flags.clone(), packet.payload.len())
    };
    let expected = |list: &[(u64, u16, &str, usize)]| {
        let list = list.iter();
        list.map(|(at, from, flags, len)| (1_000_000 + at, *from, (*flags).to_owned(), *len))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        of(0).iter().map(shown).collect::<Vec<_>>(),
        expected(&[
            (5, 49_152, "S", 0),
            (5, 1883, "S", 0),
            (5, 49_152, "", 0),
            (7, 1883, "P", 1460),
            (7, 1883, "P", 1460),
            (7, 1883, "P", 80),
            (11, 49_152, "F", 0),
            (12, 1883, "P", 4),
            (13, 1883, "F", 0),
            (13, 49_152, "", 0),
        ])
    );
    assert_eq!(
        of(1).iter().map(shown).collect::<Vec<_>>(),
        expected(&[
            (6, 49_153, "S", 0),
            (6, 1883, "S", 0),
            (6, 49_153, "", 0),
            (9, 1883, "R", 0),
        ])
    );
    assert_eq!(of(1)[0].to.0, v6);
    assert_eq!(of(1)[0].from.0, "fd00::a00:9".parse::<IpAddr>().unwrap());
}

#[test]
fn a_disk_that_is_full_ends_the_file_after_a_whole_packet() {
    let (capture, memory) = capture(400);
    let tap = Capture::interface(&capture, "a", Ipv4Addr::new(10, 0, 0, 9));
    let mut conversation = tap.open(Instant::ZERO, Ipv4Addr::LOCALHOST.into(), 1883);
    conversation.data(Instant::ZERO, Side::Module, &[0; 1000]);
    conversation.data(Instant::ZERO, Side::Module, b"x");
    let (packets, _) = read(&memory.bytes.borrow());
    assert_eq!(packets.len(), 3);
}
