//! On our driver: recovers from whatever it is up to a reset, and tells delivered from sent from unknown.

#![no_std]
#![no_main]

use driver::asynch::{Clock, Modem};
#[cfg(not(feature = "any"))]
use driver::models;
use driver::{Driver, Event, Memory, Options, Outcome, QoS};
use modemq_size::{Uart, lamp};

struct Time;

impl Clock for Time {
    fn now(&self) -> instant::Instant {
        instant::Instant::from_micros(embassy_time::Instant::now().as_micros())
    }

    async fn wait_until(&self, at: Option<instant::Instant>) {
        match at {
            Some(at) => {
                embassy_time::Timer::at(embassy_time::Instant::from_micros(at.as_micros())).await;
            }
            None => core::future::pending().await,
        }
    }
}

async fn publish() {
    let (mut line, mut command, mut outbox, mut topics) = ([0; 256], [0; 256], [0; 128], [0; 16]);
    let memory = Memory {
        line: &mut line,
        command: &mut command,
        outbox: &mut outbox,
        topics: &mut topics,
    };
    #[cfg(not(feature = "any"))]
    let module = models::EC20;
    #[cfg(feature = "any")]
    let Some(module) = dialect::Model::by_name(core::hint::black_box("ec20")) else {
        return;
    };
    let mut modem = Modem::new(Driver::new(module, memory, 1), Uart, Time);
    let now = modem.now();
    let options = Options {
        host: "broker.example",
        client_id: "dev1",
        ..Options::default()
    };
    let _ = modem.driver.connect(now, options);
    while let Ok(event) = modem.next().await {
        let publishes = match event {
            Event::Connected | Event::Recovered => true,
            Event::Published(_, Outcome::Delivered) => {
                lamp();
                false
            }
            _ => false,
        };
        if publishes {
            let now = modem.now();
            let _ = modem
                .driver
                .publish(now, "up", b"hello", QoS::AtLeastOnce, false);
        }
    }
}

#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    embassy_futures::block_on(publish());
    loop {}
}
