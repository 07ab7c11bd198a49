//! What both programs stand on: a UART and a clock at addresses, and an executor that spins. Never run.

#![no_std]

use core::convert::Infallible;
use core::future::poll_fn;
use core::panic::PanicInfo;
use core::task::{Poll, Waker};
use embedded_io_async::{ErrorType, Read, Write};

const RECEIVED: *const i32 = 0x4000_4000 as *const i32;
const SENT: *mut u32 = 0x4000_4004 as *mut u32;
const MICROS: *const u64 = 0x4000_4008 as *const u64;
const LAMP: *mut u32 = 0x4000_4010 as *mut u32;

/// One half of a UART, or both.
pub struct Uart;

impl ErrorType for Uart {
    type Error = Infallible;
}

impl Read for Uart {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        poll_fn(|_| {
            // SAFETY: a register, as far as this program goes.
            let byte = unsafe { RECEIVED.read_volatile() };
            match (buffer.first_mut(), u8::try_from(byte)) {
                (Some(place), Ok(byte)) => {
                    *place = byte;
                    Poll::Ready(Ok(1))
                }
                _ => Poll::Pending,
            }
        })
        .await
    }
}

impl Write for Uart {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        for byte in bytes {
            // SAFETY: as above.
            unsafe { SENT.write_volatile(u32::from(*byte)) };
        }
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

struct Clock;

embassy_time_driver::time_driver_impl!(static CLOCK: Clock = Clock);

impl embassy_time_driver::Driver for Clock {
    fn now(&self) -> u64 {
        // SAFETY: as above.
        unsafe { MICROS.read_volatile() }
    }

    // The executor polls all the time.
    fn schedule_wake(&self, _: u64, _: &Waker) {}
}

struct OneThread;

critical_section::set_impl!(OneThread);

// SAFETY: one thread, and no interrupts.
unsafe impl critical_section::Impl for OneThread {
    unsafe fn acquire() {}
    unsafe fn release(_: ()) {}
}

/// The message is delivered.
pub fn lamp() {
    // SAFETY: as above.
    unsafe { LAMP.write_volatile(1) };
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
