//! The Cortex-M4 of Arm's MPS2 board (application note 386), which QEMU plays: the module is at UART 0, and what happens is told
//! on semihosting. The words behind the program's name are model, host, port and topic:
//!
//!     qemu-system-arm -M mps2-an386 -nographic -monitor none -serial tcp:127.0.0.1:7000 \
//!         -semihosting-config enable=on,arg=x,arg=ec20,arg=127.0.0.1,arg=1883,arg=a/b -kernel mps2
//!
//! It ends when its message is delivered and has come back.

#![no_std]
#![no_main]

mod time;
mod uart;

use core::panic::PanicInfo;
use cortex_m_semihosting::{debug, hprintln, syscall1};
use driver::{Event, Options, Outcome, Wifi};
use embassy_executor::Spawner;
use embassy_time::Duration;
use modemq_embassy::{Plan, run};

/// The command line that QEMU was given for the program.
fn command_line(buffer: &mut [u8]) -> &str {
    let mut block = [buffer.as_mut_ptr() as usize, buffer.len()];
    // SAFETY: SYS_GET_CMDLINE fills at most so many bytes of the buffer, and tells how many in the block.
    unsafe { syscall1!(GET_CMDLINE, block.as_mut_ptr()) };
    core::str::from_utf8(&buffer[..block[1]]).unwrap_or("")
}

#[embassy_executor::main]
async fn main(_spawner: Spawner) {
    let core = cortex_m::Peripherals::take().expect("it is taken once");
    time::start(core.SYST);
    let mut line = [0; 256];
    let mut words = command_line(&mut line).split(' ').skip(1);
    let mut word = || words.next().unwrap_or_default();
    let (model, host, port, topic) = (word(), word(), word(), word());
    let model = dialect::Model::by_name(model).expect("no such model");
    let plan = Plan {
        options: Options {
            host,
            port: port.parse().expect("no such port"),
            client_id: "mps2",
            wifi: Some(Wifi {
                ssid: "home",
                password: "password",
            }),
            ..Options::default()
        },
        down: topic,
        up: topic,
        period: Duration::from_secs(60),
    };
    let (mut delivered, mut received) = (false, false);
    let see = |event: &Event<'_>| {
        hprintln!("{}: {:?}", model.name, event);
        delivered |= matches!(event, Event::Published(_, Outcome::Delivered));
        received |= matches!(event, Event::Message(message) if message.payload == b"0");
        delivered && received
    };
    let result = run(model.into(), uart::Uart::new(), plan, see).await;
    debug::exit(match result {
        Ok(()) => debug::EXIT_SUCCESS,
        Err(_) => debug::EXIT_FAILURE,
    });
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    hprintln!("{}", info);
    loop {
        debug::exit(debug::EXIT_FAILURE);
    }
}
