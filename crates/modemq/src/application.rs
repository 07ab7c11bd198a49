//! How a second process asks the platform of a broker that runs: an abstract socket, one line of JSON each way.
//!
//! A socket of its own rather than a topic: no client of the broker can reach it, whatever it is allowed, and the network cannot
//! either. The system says who is at the other end, and only the same user is answered. It is named after the port that the broker
//! listens on, and the system takes it back however the process ends.

use crate::broker_server::Application;
use iotda::{Failure, Request};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

/// The longest line, in bytes: a message of the largest size, escaped.
const MAX_LINE: u64 = 4 << 20;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reply {
    Ok(Value),
    Error(Failure),
}

fn name(port: u16) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(format!("modemq:iotda:{port}"))
}

/// Answers whoever asks for the platform of the broker on a port.
#[derive(Debug)]
pub struct Socket(UnixListener);

impl Socket {
    /// Claims the name.
    ///
    /// # Errors
    /// Another broker has it.
    pub fn listen(port: u16) -> io::Result<Self> {
        let listener =
            std::os::unix::net::UnixListener::bind_addr(&name(port)?).map_err(|error| {
                io::Error::new(
                    error.kind(),
                    format!("the platform of port {port} is another broker's: {error}"),
                )
            })?;
        listener.set_nonblocking(true)?;
        Ok(Self(UnixListener::from_std(listener)?))
    }

    /// Answers until it is dropped.
    pub async fn serve(self, application: Application) {
        let mut clients = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.0.accept() => {
                    if let Ok((stream, _)) = accepted && is_mine(&stream) {
                        let application = application.clone();
                        // A client that breaks off has nobody to tell.
                        clients.spawn(async move { drop(answer(stream, &application).await) });
                    }
                }
                Some(_) = clients.join_next() => {}
            }
        }
    }
}

async fn answer(stream: UnixStream, application: &Application) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    (&mut stream).take(MAX_LINE).read_line(&mut line).await?;
    let reply = match serde_json::from_str::<Request>(&line) {
        Ok(request) => match application.request(request).await {
            Ok(value) => Reply::Ok(value),
            Err(failure) => Reply::Error(failure),
        },
        Err(error) => Reply::Error(Failure {
            code: None,
            text: error.to_string(),
        }),
    };
    let mut text = serde_json::to_string(&reply)?;
    text.push('\n');
    stream.write_all(text.as_bytes()).await
}

/// Asks the platform of the broker on a port.
///
/// # Errors
/// Nobody is there, or the platform refuses.
pub async fn ask(port: u16, request: &Request) -> Result<Value, String> {
    let broken = |error: io::Error| format!("the broker on port {port}: {error}");
    let connect = || -> io::Result<UnixStream> {
        let stream = std::os::unix::net::UnixStream::connect_addr(&name(port)?)?;
        stream.set_nonblocking(true)?;
        UnixStream::from_std(stream)
    };
    let mut stream = connect().map_err(|error| {
        if error.kind() == io::ErrorKind::ConnectionRefused {
            format!(
                "no modemq broker --iotda runs on port {port} of this machine: --port names another"
            )
        } else {
            broken(error)
        }
    })?;
    if !is_mine(&stream) {
        return Err(format!("the broker on port {port} is another user's"));
    }
    let mut text = serde_json::to_string(request).map_err(|error| error.to_string())?;
    text.push('\n');
    stream.write_all(text.as_bytes()).await.map_err(broken)?;
    let mut line = String::new();
    BufReader::new(stream)
        .read_line(&mut line)
        .await
        .map_err(broken)?;
    if line.is_empty() {
        return Err(format!("the broker on port {port} has stopped"));
    }
    match serde_json::from_str(&line) {
        Ok(Reply::Ok(value)) => Ok(value),
        Ok(Reply::Error(failure)) => Err(failure.to_string()),
        Err(error) => Err(format!(
            "the broker on port {port} answers nonsense: {error}"
        )),
    }
}

/// Whether the other end is the same user.
fn is_mine(stream: &UnixStream) -> bool {
    stream
        .peer_cred()
        .is_ok_and(|peer| peer.uid() == rustix::process::geteuid().as_raw())
}
