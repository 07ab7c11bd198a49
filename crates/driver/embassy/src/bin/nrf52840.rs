//! An nRF52840 with an EC20 at its UART: RXD P0.08, TXD P0.06, and the module's RESET_N at P0.05.

#![no_std]
#![no_main]

use core::panic::PanicInfo;
use driver::{Event, Options, models};
use embassy_executor::Spawner;
use embassy_nrf::buffered_uarte::{BufferedUarte, InterruptHandler};
use embassy_nrf::gpio::{Level, Output, OutputDrive};
use embassy_nrf::uarte::{Baudrate, Config};
use embassy_nrf::{bind_interrupts, peripherals};
use embassy_time::Duration;
use modemq_embassy::{Plan, run};

bind_interrupts!(struct Interrupts {
    UARTE0 => InterruptHandler<peripherals::UARTE0>;
});

#[embassy_executor::main]
async fn main(_spawner: Spawner) {
    let board = embassy_nrf::init(embassy_nrf::config::Config::default());
    let mut config = Config::default();
    config.baudrate = Baudrate::Baud115200;
    let (mut rx, mut tx) = ([0; 512], [0; 256]);
    let port = BufferedUarte::new(
        board.UARTE0,
        board.TIMER0,
        board.PPI_CH0,
        board.PPI_CH1,
        board.PPI_GROUP0,
        board.P0_08,
        board.P0_06,
        Interrupts,
        config,
        &mut rx,
        &mut tx,
    );
    let mut reset = Output::new(board.P0_05, Level::High, OutputDrive::Standard);
    let plan = Plan {
        options: Options {
            host: "broker.example",
            client_id: "nrf52840",
            reset_pin: true,
            ..Options::default()
        },
        down: "down/nrf52840",
        up: "up/nrf52840",
        period: Duration::from_secs(60),
    };
    let see = |event: &Event<'_>| {
        if *event == Event::Reset {
            // Source: EC2x hardware design, §3.7: 150 to 460 ms.
            reset.set_low();
            embassy_time::block_for(Duration::from_millis(300));
            reset.set_high();
        }
        false
    };
    // A buffered UART does not end.
    let _ = run(models::EC20, port, plan, see).await;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    cortex_m::peripheral::SCB::sys_reset()
}
