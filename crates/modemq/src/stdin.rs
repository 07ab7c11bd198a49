//! Standard input, read beside whatever else goes on: a connection is kept alive while nothing comes.

use std::io::{self, BufRead, Read};
use tokio::sync::mpsc;

/// Its lines, without their ends. Few are read ahead.
pub fn lines() -> mpsc::Receiver<io::Result<Vec<u8>>> {
    let (sender, lines) = mpsc::channel(16);
    // It ends with the program, wherever it waits.
    std::thread::spawn(move || {
        for line in io::stdin().lock().split(b'\n') {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// All of it.
///
/// # Errors
/// It cannot be read.
pub async fn all() -> io::Result<Vec<u8>> {
    let (sender, mut all) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = io::stdin().lock().read_to_end(&mut bytes);
        let _ = sender.blocking_send(read.map(|_| bytes));
    });
    all.recv().await.unwrap_or_else(|| Ok(Vec::new()))
}
