//! A firmware's shape: no std, an own allocator, an own panic handler.

#![no_std]

use core::alloc::{GlobalAlloc, Layout};
use core::panic::PanicInfo;
use instant::Instant;
use mqtt::{Connect, Session, SessionConfig};

/// Reaches the session and the codec, so that both are linked.
#[unsafe(no_mangle)]
pub extern "C" fn modemq_mqtt_check() -> usize {
    let mut session = Session::new(SessionConfig::default());
    let connect = Connect {
        client_id: "dev",
        ..Connect::default()
    };
    let _ = session.connect(Instant::ZERO, &connect);
    session.receive(Instant::ZERO, b"\x20\x02\x00\x00", &mut |_| ());
    session.outgoing().len()
}

struct None;

// SAFETY: it never hands out memory.
unsafe impl GlobalAlloc for None {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: None = None;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
