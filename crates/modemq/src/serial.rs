//! A UART or PTY of this machine, for one program alone: two that read it would steal each other's bytes.

use rustix::fs::{FlockOperation, Mode, OFlags, flock, fstat, major, open as open_file};
use rustix::io::Errno;
use rustix::termios::ioctl_tiocexcl;
use serial2_tokio::SerialPort;
use std::io;
use std::ops::{Deref, DerefMut};
use std::os::fd::OwnedFd;

/// A device that is this program's while it has it open.
#[derive(Debug)]
pub struct Serial {
    port: SerialPort,
    /// What the claim hangs on: `serial2-tokio` does not lend its own descriptor.
    _claim: OwnedFd,
}

impl Serial {
    /// Takes a device for this program, and only then sets its rate.
    ///
    /// # Errors
    /// What is wrong, with the device's name and what may help.
    pub fn open(device: &str, baud: u32) -> io::Result<Self> {
        Self::take(device, baud).map_err(|error| {
            let kind = error.kind();
            io::Error::new(kind, format!("{device}: {}", explain(&error)))
        })
    }

    fn take(device: &str, baud: u32) -> io::Result<Self> {
        // Without NONBLOCK a UART waits for its carrier.
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let claim = open_file(device, flags, Mode::empty())?;
        // Who minds: modemq, pyserial's `exclusive`, picocom. It binds root as well. What has no locks is no serial port.
        match flock(&claim, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => return Err(Errno::BUSY.into()),
            result => result?,
        }
        let port = SerialPort::open(device, baud)?;
        // Who does not mind cannot open it any more, but for root. The mark stays until nobody has the device open: a PTY's
        // module has, and the next host would be kept out for ever.
        if !is_pty(&claim)? {
            ioctl_tiocexcl(&claim)?;
        }
        Ok(Self {
            port,
            _claim: claim,
        })
    }
}

impl Deref for Serial {
    type Target = SerialPort;

    fn deref(&self) -> &SerialPort {
        &self.port
    }
}

impl DerefMut for Serial {
    fn deref_mut(&mut self) -> &mut SerialPort {
        &mut self.port
    }
}

/// Source: Linux, Documentation/admin-guide/devices.txt: 136 to 143, Unix98 PTY slaves.
fn is_pty(device: &OwnedFd) -> io::Result<bool> {
    Ok((136..=143).contains(&major(fstat(device)?.st_rdev)))
}

fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => {
            "there is no such device: is the module plugged in? `ls /dev/ttyUSB* /dev/ttyACM*` shows what is".into()
        }
        io::ErrorKind::PermissionDenied => {
            "permission denied: serial ports belong to a group, mostly dialout; `sudo usermod -aG dialout $USER`, and log in again".into()
        }
        io::ErrorKind::ResourceBusy => "in use by another program".into(),
        io::ErrorKind::IsADirectory => "this is no serial port".into(),
        _ if error.raw_os_error() == Some(Errno::NOTTY.raw_os_error()) => {
            "this is no serial port".into()
        }
        _ => error.to_string(),
    }
}
