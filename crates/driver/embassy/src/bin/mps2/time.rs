//! embassy's time, of a SysTick that comes each millisecond.

use core::cell::{Cell, RefCell};
use core::task::Waker;
use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use critical_section::Mutex;
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;

/// Source: Arm application note 386, clocks: 25 MHz.
const CORE_CLOCK: u32 = 25_000_000;

struct Ticks {
    count: Mutex<Cell<u64>>,
    queue: Mutex<RefCell<Queue>>,
}

embassy_time_driver::time_driver_impl!(static TICKS: Ticks = Ticks {
    count: Mutex::new(Cell::new(0)),
    queue: Mutex::new(RefCell::new(Queue::new())),
});

impl Driver for Ticks {
    fn now(&self) -> u64 {
        critical_section::with(|key| self.count.borrow(key).get())
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        // The next tick looks at all of them.
        critical_section::with(|key| self.queue.borrow_ref_mut(key).schedule_wake(at, waker));
    }
}

pub(crate) fn start(mut timer: SYST) {
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(CORE_CLOCK / 1000 - 1);
    timer.clear_current();
    timer.enable_counter();
    timer.enable_interrupt();
}

#[cortex_m_rt::exception]
fn SysTick() {
    critical_section::with(|key| {
        let count = TICKS.count.borrow(key);
        count.set(count.get() + 1);
        TICKS.queue.borrow_ref_mut(key).next_expiration(count.get());
    });
}
