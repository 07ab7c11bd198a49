//! The CMSDK APB UART, as a port of embedded-io-async.
// Source: Arm CMSDK r1p1 technical reference manual, §4.3; application note 386, memory map and interrupts.

use core::convert::Infallible;
use core::future::poll_fn;
use core::task::Poll;
use cortex_m::peripheral::NVIC;
use embassy_sync::waitqueue::AtomicWaker;
use embedded_io_async::{ErrorType, Read, Write};

const BASE: usize = 0x4000_4000;
const DATA: usize = 0x0;
const STATE: usize = 0x4;
const CTRL: usize = 0x8;
const INTERRUPTS: usize = 0xc;
const DIVIDER: usize = 0x10;

const TX_FULL: u32 = 1;
const RX_FULL: u32 = 2;
/// TX and RX enabled, with their interrupts.
const ENABLE: u32 = 0b1111;

static RECEIVED: AtomicWaker = AtomicWaker::new();
static SENT: AtomicWaker = AtomicWaker::new();

/// The interrupts of UART 0: receive 0, transmit 1.
#[derive(Clone, Copy)]
struct Line(u16);

// SAFETY: the board has interrupts of these numbers.
unsafe impl cortex_m::interrupt::InterruptNumber for Line {
    fn number(self) -> u16 {
        self.0
    }
}

fn read(register: usize) -> u32 {
    // SAFETY: a register of the UART, which nothing but this file touches.
    unsafe { ((BASE + register) as *const u32).read_volatile() }
}

fn write(register: usize, value: u32) {
    // SAFETY: as above.
    unsafe { ((BASE + register) as *mut u32).write_volatile(value) }
}

/// UART 0.
pub(crate) struct Uart(());

impl Uart {
    /// At 115,200 bits per second. There is one.
    pub(crate) fn new() -> Self {
        write(DIVIDER, 25_000_000 / 115_200);
        write(CTRL, ENABLE);
        for line in [0, 1] {
            // SAFETY: its handler is below, and nothing is masked by priority.
            unsafe { NVIC::unmask(Line(line)) };
        }
        Self(())
    }
}

impl ErrorType for Uart {
    type Error = Infallible;
}

impl Read for Uart {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        poll_fn(|context| {
            RECEIVED.register(context.waker());
            let mut taken = 0;
            for place in buffer.iter_mut() {
                if read(STATE) & RX_FULL == 0 {
                    break;
                }
                *place = read(DATA) as u8;
                taken += 1;
            }
            if taken == 0 && !buffer.is_empty() {
                Poll::Pending
            } else {
                Poll::Ready(Ok(taken))
            }
        })
        .await
    }
}

impl Write for Uart {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        poll_fn(|context| {
            SENT.register(context.waker());
            match bytes.first() {
                Some(_) if read(STATE) & TX_FULL != 0 => Poll::Pending,
                Some(byte) => {
                    write(DATA, u32::from(*byte));
                    Poll::Ready(Ok(1))
                }
                None => Poll::Ready(Ok(0)),
            }
        })
        .await
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Both interrupts of the UART: no others are unmasked.
#[cortex_m_rt::exception]
unsafe fn DefaultHandler(_: i16) {
    write(INTERRUPTS, 0b11);
    RECEIVED.wake();
    SENT.wake();
}
