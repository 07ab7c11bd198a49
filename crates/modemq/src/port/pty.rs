//! A pseudo-terminal with a name that does not change.

use rustix::fs::OFlags;
use rustix::pty::OpenptFlags;
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use tokio::io::unix::AsyncFd;

/// The device end of a pseudo-terminal; the host opens the other end by its name.
#[derive(Debug)]
pub struct Pty {
    controller: AsyncFd<OwnedFd>,
    /// Kept open, so that a host that closes its end does not end the line.
    _user: OwnedFd,
    device: PathBuf,
    link: Option<Link>,
}

/// A symbolic link that is this process's while it runs.
#[derive(Debug)]
struct Link {
    path: PathBuf,
    /// A name that the system gives back however the process ends.
    _claim: UnixListener,
}

impl Pty {
    /// Makes a pseudo-terminal, and a symbolic link to it.
    ///
    /// A link that an earlier run left behind is replaced; a file of another kind, or the link of a program that still
    /// runs, is not.
    ///
    /// # Errors
    /// The system's, or why the link cannot be made.
    pub fn open(link: Option<&Path>) -> io::Result<Self> {
        let controller =
            rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        rustix::pty::grantpt(&controller)?;
        rustix::pty::unlockpt(&controller)?;
        let name = rustix::pty::ptsname(&controller, Vec::new())?;
        let device = PathBuf::from(name.to_string_lossy().into_owned());
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let user = rustix::fs::open(&device, flags, rustix::fs::Mode::empty())?;
        // 8-bit clean, without the kernel's own echo and line editing.
        let mut attributes = tcgetattr(&user)?;
        attributes.make_raw();
        tcsetattr(&user, OptionalActions::Now, &attributes)?;
        let flags = rustix::fs::fcntl_getfl(&controller)?;
        rustix::fs::fcntl_setfl(&controller, flags | OFlags::NONBLOCK)?;
        let link = link.map(|path| Link::new(path, &device)).transpose()?;
        Ok(Self {
            controller: watch(controller)?,
            _user: user,
            device,
            link,
        })
    }

    /// What the host opens.
    pub fn path(&self) -> &Path {
        self.link.as_ref().map_or(&self.device, |link| &link.path)
    }

    pub(super) async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut ready = self.controller.readable().await?;
            if let Ok(result) = ready.try_io(|fd| Ok(rustix::io::read(fd, &mut *buffer)?)) {
                return result;
            }
        }
    }

    pub(super) async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            let mut ready = self.controller.writable().await?;
            if let Ok(result) = ready.try_io(|fd| Ok(rustix::io::write(fd, bytes)?)) {
                return result;
            }
        }
    }
}

/// Lets the runtime watch a descriptor that does not block.
///
/// # Errors
/// The system's.
#[allow(unsafe_code)]
pub(crate) fn watch(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor is valid and open, being owned; what owns it is moved into the AsyncFd, which gives out
    // only shared references to it, so it stays open and the same until the AsyncFd is dropped.
    Ok(unsafe { AsyncFd::register(fd) }?)
}

impl Link {
    fn new(path: &Path, device: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let fail =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let mut name = b"modemq:".to_vec();
        name.extend_from_slice(path.as_os_str().as_encoded_bytes());
        let claim = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).map_err(fail)?)
            .map_err(|error| {
                let taken = "another modemq that still runs has this link";
                fail(if error.kind() == io::ErrorKind::AddrInUse {
                    io::Error::new(error.kind(), taken)
                } else {
                    error
                })
            })?;
        if let Ok(found) = fs::symlink_metadata(&path) {
            let left_behind =
                found.is_symlink() && fs::read_link(&path).map_err(fail)?.starts_with("/dev/pts");
            if !left_behind {
                let kind = io::ErrorKind::AlreadyExists;
                return Err(fail(io::Error::new(
                    kind,
                    "exists, and is not a link of modemq's: not replaced",
                )));
            }
        }
        // In place at once: a host that waits for the name never finds it half made.
        let mut fresh = path.clone().into_os_string();
        fresh.push(format!(".{}", std::process::id()));
        symlink(device, &fresh).map_err(fail)?;
        fs::rename(&fresh, &path)
            .inspect_err(|_| drop(fs::remove_file(&fresh)))
            .map_err(fail)?;
        Ok(Self {
            path,
            _claim: claim,
        })
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        if let Some(link) = &self.link
            && fs::read_link(&link.path).is_ok_and(|target| target == self.device)
        {
            let _ = fs::remove_file(&link.path);
        }
    }
}
