//! The codec, and a session with a server that sends what it likes, in any slicing.
#![no_main]

use instant::Instant;
use libfuzzer_sys::fuzz_target;
use mqtt::{Connect, Event, Packet, QoS, Session, SessionConfig, Version};

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (kind, slice, data) = input;
    for version in [Version::V31, Version::V311] {
        if let Ok(packet) = Packet::decode_as(version, data) {
            let mut written = Vec::new();
            if packet.append_to(&mut written).is_ok() {
                assert_eq!(Packet::decode_as(version, &written), Ok(packet));
            }
            let _ = packet.to_string();
        }
    }
    let mut session = Session::new(SessionConfig { max_packet: 256, ..SessionConfig::default() });
    let connect = Connect { client_id: "c", clean_session: kind & 1 == 0, keep_alive: 10, ..Connect::default() };
    session.connect(Instant::ZERO, &connect).expect("a session can connect");
    let mut failed = 0;
    let mut on = |event: Event<'_>| failed += usize::from(matches!(event, Event::Failed(_)));
    if kind & 2 != 0 {
        session.receive(Instant::ZERO, b"\x20\x02\x00\x00", &mut on);
        let _ = session.publish(Instant::ZERO, "t", b"1", QoS::AtLeastOnce, false);
        let _ = session.publish(Instant::ZERO, "t", b"2", QoS::ExactlyOnce, false);
        let _ = session.subscribe(Instant::ZERO, None, &[("a", QoS::AtMostOnce)]);
    }
    for chunk in data.chunks(usize::from(slice).max(1)) {
        session.receive(Instant::ZERO, chunk, &mut on);
        let queued = session.outgoing().len();
        session.sent(queued);
    }
    assert!(failed <= 1);
});
