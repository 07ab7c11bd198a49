//! A serial line on standard input and output.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use tokio::sync::mpsc;

/// Standard input is read on a thread of its own, since it may be a file, a pipe or a terminal.
#[derive(Debug)]
pub struct Stdio {
    input: RefCell<Input>,
}

#[derive(Debug)]
struct Input {
    chunks: mpsc::Receiver<Vec<u8>>,
    rest: Vec<u8>,
}

impl Stdio {
    /// Begins to read.
    pub fn open() -> Self {
        let (sender, chunks) = mpsc::channel(16);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = io::stdin().lock().read(&mut buffer) {
                if sender.blocking_send(buffer[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        let rest = Vec::new();
        Self {
            input: RefCell::new(Input { chunks, rest }),
        }
    }

    // Only one reader waits at a time, so the borrow is never contended.
    #[allow(clippy::await_holding_refcell_ref)]
    pub(super) async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut input = self.input.borrow_mut();
        if input.rest.is_empty() {
            match input.chunks.recv().await {
                Some(chunk) => input.rest = chunk,
                None => return Ok(0),
            }
        }
        let n = input.rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&input.rest[..n]);
        input.rest.drain(..n);
        Ok(n)
    }

    // Takes part in `Port::write`, whose other ports do need `self`.
    #[allow(clippy::unused_self)]
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut output = io::stdout().lock();
        output.write_all(bytes)?;
        output.flush()?;
        Ok(bytes.len())
    }
}
