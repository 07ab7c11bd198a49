//! Any bytes, any slicing: no panic, the same events however they arrive, at most one `Failed`, and bounded memory.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::*;
use core::cell::Cell;
use mqtt::{ConnectCode, Packet, QoS, SessionConfig, frame_length};
use proptest::prelude::*;
use std::alloc::{GlobalAlloc, Layout, System};

const MAX_PACKET: u32 = 256;

fn config() -> SessionConfig {
    SessionConfig {
        max_packet: MAX_PACKET,
        ..SessionConfig::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_codec_reads_any_bytes_and_writes_back_what_it_understood(bytes in hostile_bytes()) {
        let _ = frame_length(&bytes);
        if let Ok(packet) = Packet::decode(&bytes) {
            let _ = packet.to_string();
            let mut again = Vec::new();
            packet.append_to(&mut again).unwrap();
            prop_assert_eq!(again.len(), packet.encoded_len());
            prop_assert_eq!(Packet::decode(&again), Ok(packet));
            // The remaining length may have been longer than it had to be, and nothing else may differ.
            prop_assert!(again.len() <= bytes.len());
        }
    }

    #[test]
    fn encoding_into_a_short_buffer_fails_and_never_panics(bytes in valid_packet(), cut in any::<prop::sample::Index>()) {
        let packet = Packet::decode(&bytes).unwrap();
        let mut out = vec![0; cut.index(bytes.len())];
        prop_assert!(packet.encode(&mut out).is_err());
    }

    #[test]
    fn any_slicing_gives_the_same_events_and_the_same_answers(stream in stream(), cuts in cuts()) {
        let mut whole = busy_client();
        let mut expected = whole.receive(&stream);
        let answers = whole.session.outgoing().to_vec();
        let mut sliced = busy_client();
        let mut events = Vec::new();
        for slice in slices(&stream, &cuts) {
            events.extend(sliced.receive(slice));
        }
        let failures = expected.iter().filter(|event| event.starts_with("failed")).count();
        prop_assert!(failures <= 1);
        if failures == 1 {
            prop_assert!(expected.last().unwrap().starts_with("failed"), "{:?}", expected);
        }
        // Of a stream that fails, both notice the same breach at the same place.
        prop_assert_eq!(&mut events, &mut expected);
        prop_assert_eq!(sliced.session.outgoing(), &answers);
        prop_assert_eq!(sliced.session.state(), whole.session.state());
        prop_assert_eq!(sliced.session.in_flight(), whole.session.in_flight());
    }

    #[test]
    fn hostile_bytes_cost_no_more_memory_than_was_configured(stream in stream(), cuts in cuts()) {
        let mut client = busy_client();
        let before = live();
        PEAK.set(before);
        for slice in slices(&stream, &cuts) {
            client.session.receive(client.now, slice, &mut |_| ());
            let queued = client.session.outgoing().len();
            client.session.sent(queued);
        }
        let used = PEAK.get() - before;
        // Twice a packet, since a vector doubles as it grows, and the topic of one more; an answer of 4 bytes for each
        // 4 received; 2 bytes for each identifier of QoS 2.
        let bound = 4 * MAX_PACKET as usize + 8 * stream.len() + 1024;
        prop_assert!(used <= bound, "{used} bytes for {} received", stream.len());
    }

    #[test]
    fn time_and_bytes_in_any_order_do_not_panic(
        steps in prop::collection::vec((any::<u8>(), 0..200_u64, stream()), 0..12),
    ) {
        let mut client = Client::new(SessionConfig { retry: Some(core::time::Duration::from_secs(5)), attempts: 3, ..config() });
        for (action, seconds, bytes) in steps {
            let now = client.now;
            match action % 10 {
                0 => { let _ = client.session.connect(now, &CONNECT); }
                1 => { client.receive(&connack(action & 16 != 0, ConnectCode::Accepted)); }
                2 => { let _ = client.session.publish(now, "t", &bytes, QoS::ExactlyOnce, false); }
                3 => { let _ = client.session.subscribe(now, None, &[("f", QoS::AtLeastOnce)]); }
                4 => client.session.link_lost(),
                5 => client.session.disconnect(now),
                6 => client.session.sent(bytes.len()),
                _ => { client.receive(&bytes); }
            }
            client.wait(seconds);
            let _ = client.session.next_deadline();
        }
    }
}

#[test]
fn a_length_of_256_megabytes_reserves_nothing() {
    let mut client = busy_client();
    let before = live();
    PEAK.set(before);
    client.receive(b"\x32\xff\xff\xff\x7f\x00\x01t\x00\x07x");
    assert!(PEAK.get() - before < 4 * 1024);
}

#[test]
fn receiving_a_whole_qos_0_or_1_message_allocates_nothing() {
    let mut client = Client::connected(SessionConfig::default());
    let mut bytes = message(QoS::AtMostOnce, 0, &[b'x'; 20]);
    bytes.extend(message(QoS::AtLeastOnce, 7, &[b'x'; 20]));
    let mut round = || {
        client.session.receive(client.now, &bytes, &mut |_| ());
        let queued = client.session.outgoing().len();
        client.session.sent(queued);
    };
    round();
    let before = COUNT.get();
    for _ in 0..1_000 {
        round();
    }
    assert_eq!(COUNT.get() - before, 0);
}

#[test]
fn publishing_qos_0_and_1_in_turn_allocates_nothing() {
    let mut client = Client::connected(SessionConfig::default());
    let mut round = || {
        let now = client.now;
        client
            .session
            .publish(now, "t", &[0; 20], QoS::AtMostOnce, false)
            .unwrap();
        let id = client
            .session
            .publish(now, "t", &[0; 20], QoS::AtLeastOnce, false)
            .unwrap()
            .unwrap();
        let queued = client.session.outgoing().len();
        client.session.sent(queued);
        let [high, low] = id.get().to_be_bytes();
        let puback = [0x40, 2, high, low];
        client.session.receive(now, &puback, &mut |_| ());
    };
    round();
    let before = COUNT.get();
    for _ in 0..1_000 {
        round();
    }
    assert_eq!(COUNT.get() - before, 0);
}

#[test]
fn a_queue_that_is_never_quite_empty_does_not_grow() {
    let mut client = Client::connected(SessionConfig::default());
    let before = live();
    for _ in 0..10_000 {
        client.publish(&[0; 100], QoS::AtMostOnce);
        // All but the last byte goes, as when a socket takes what fits.
        let queued = client.session.outgoing().len();
        client.session.sent(queued - 1);
    }
    assert!(live() - before < 8 * 1024, "{} bytes", live() - before);
}

/// A client with something in flight of each kind, so that answers from the server meet a state.
fn busy_client() -> Client {
    let mut client = Client::connected(config());
    client.publish(b"one", QoS::AtLeastOnce);
    client.publish(b"two", QoS::ExactlyOnce);
    let filters = [("f", QoS::AtMostOnce)];
    client
        .session
        .subscribe(client.now, None, &filters)
        .unwrap();
    client
        .session
        .unsubscribe(client.now, None, &["f"])
        .unwrap();
    client.sent();
    client
}

/// What servers send, in any order, mostly well formed, and now and then damaged.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => server_packet(),
        2 => (server_packet(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut bytes, at, value)| {
            let at = at.index(bytes.len());
            bytes[at] = value;
            bytes
        }),
        1 => (server_packet(), any::<prop::sample::Index>()).prop_map(|(mut bytes, at)| {
            bytes.truncate(at.index(bytes.len()));
            bytes
        }),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn server_packet() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![4 => 1..6_u16, 1 => 1..=u16::MAX];
    // Some are larger than the client holds.
    let payload = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..40),
        1 => prop::collection::vec(any::<u8>(), 200..900),
    ];
    prop_oneof![
        (0..3_u8, number.clone(), payload).prop_map(|(qos, number, payload)| {
            let qos = QoS::try_from(qos).unwrap();
            let number = if qos == QoS::AtMostOnce { 0 } else { number };
            message(qos, number, &payload)
        }),
        (
            prop::sample::select(vec![0x40, 0x50, 0x62, 0x70, 0xb0]),
            number.clone()
        )
            .prop_map(|(first, number)| {
                let [high, low] = number.to_be_bytes();
                vec![first, 2, high, low]
            }),
        (
            number,
            prop::collection::vec(prop::sample::select(vec![0, 1, 2, 0x80]), 1..4)
        )
            .prop_map(|(number, codes)| suback(number, &codes)),
        Just(vec![0xd0, 0]),
    ]
}

/// Packets of both directions.
fn valid_packet() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        server_packet(),
        Just(bytes(&Packet::Connect(CONNECT))),
        Just(b"\x82\x0c\x00\x0a\x00\x03a/b\x01\x00\x01#\x00".to_vec()),
        Just(b"\xa2\x0a\x00\x0a\x00\x03a/b\x00\x01#".to_vec()),
        Just(connack(true, ConnectCode::Accepted)),
    ]
}

fn hostile_bytes() -> impl Strategy<Value = Vec<u8>> {
    let mutated = (
        valid_packet(),
        prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    )
        .prop_map(|(mut bytes, changes)| {
            for (at, value) in changes {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            bytes
        });
    // A header that fits its body lets more through than bytes at random.
    let framed = (
        any::<u8>(),
        prop::collection::vec(prop_oneof![Just(0_u8), 0..5_u8, any::<u8>()], 0..60),
    )
        .prop_map(|(first, body)| {
            let mut bytes = vec![first, body.len() as u8];
            bytes.extend(body);
            bytes
        });
    prop_oneof![4 => mutated, 4 => framed, 1 => prop::collection::vec(any::<u8>(), 0..60)]
}

fn cuts() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![3 => 1..4_u8, 1 => 1..=u8::MAX], 1..20)
}

/// The stream in slices of these sizes, over and over.
fn slices<'a>(mut stream: &'a [u8], sizes: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut sizes = sizes.iter().cycle();
    core::iter::from_fn(move || {
        let size = usize::from(*sizes.next()?).min(stream.len());
        let (slice, rest) = stream.split_at(size);
        stream = rest;
        (!slice.is_empty()).then_some(slice)
    })
}

fn live() -> usize {
    LIVE.get()
}

thread_local! {
    // Far from zero: a thread may free what another one allocated.
    static LIVE: Cell<usize> = const { Cell::new(1 << 40) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

/// Counts for each thread, since tests run side by side.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator as it came; the counters are plain cells of the thread.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = LIVE.try_with(|live| {
            live.set(live.get() + layout.size());
            PEAK.set(PEAK.get().max(live.get()));
            COUNT.set(COUNT.get() + 1);
        });
        // SAFETY: as promised to us.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let _ = LIVE.try_with(|live| live.set(live.get() - layout.size()));
        // SAFETY: as promised to us.
        unsafe { System.dealloc(pointer, layout) }
    }
}
