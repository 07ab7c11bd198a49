//! Standard output, whose reader may go away: `modemq models | head -1`. What a command then cannot print is no error of its own;
//! the program ends as if all had been read, and what it owns is dropped on the way.

use std::error::Error;
use std::fmt;
use std::io::{self, Write};

/// Nobody reads standard output any more.
#[derive(Debug)]
struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads standard output any more")
    }
}

impl Error for Closed {}

/// Standard output. Everything that is not drawn in colours goes through it.
#[derive(Debug)]
pub struct Output(io::StdoutLock<'static>);

/// Locks standard output.
pub fn stdout() -> Output {
    Output(io::stdout().lock())
}

/// Prints a text to its last byte.
///
/// # Errors
/// Standard output cannot be written.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = stdout();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Does the error say that nobody reads standard output any more? A broken pipe of another kind, such as a module's socket, does not.
pub fn is_closed(error: &(dyn Error + 'static)) -> bool {
    let inner = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    inner.is_some_and(<dyn Error + Send + Sync>::is::<Closed>)
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(closed)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(closed)
    }
}

fn closed(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::BrokenPipe {
        io::Error::new(error.kind(), Closed)
    } else {
        error
    }
}
