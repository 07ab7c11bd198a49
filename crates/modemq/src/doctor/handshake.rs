//! What a server says in a TLS handshake before anything is encrypted: version, suite, certificates, whether it wants the
//! client's, and the alert with which it gives up.
//!
//! Up to TLS 1.2 all of this is plain on the wire (RFC 5246, 7.4), so it is read there: OpenSSL does not tell what a server
//! chose in a handshake that fails afterwards, nor whether it asked for a certificate.

use crate::tls;
use module::Tls;
use openssl::x509::X509;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What a handshake showed.
#[derive(Default)]
pub struct Shown {
    /// The version and the cipher suite that the server chose, by their numbers on the wire.
    pub choice: Option<(u16, u16)>,
    /// The server's certificate, and those behind it.
    pub chain: Vec<X509>,
    /// It asked for the client's.
    pub asks_for_certificate: bool,
    /// Its last word, when it gave up. Source for the numbers: RFC 5246, 7.2.
    pub alert: Option<u8>,
    /// The first bytes were no TLS.
    pub is_not_tls: bool,
    /// Why the handshake failed.
    pub failure: Option<String>,
}

impl Shown {
    /// There was no handshake.
    pub fn failed(why: String) -> Self {
        Self {
            failure: Some(why),
            ..Self::default()
        }
    }
}

/// Does a handshake and tells what it showed.
pub async fn show(stream: TcpStream, tls: &Tls) -> Shown {
    listen(stream, tls, false).await
}

/// Begins a handshake and breaks it off once the server has chosen or given up.
pub async fn glance(stream: TcpStream, tls: &Tls) -> Shown {
    listen(stream, tls, true).await
}

async fn listen(stream: TcpStream, tls: &Tls, is_glance: bool) -> Shown {
    let mut tap = Tap {
        stream,
        heard: Vec::new(),
        is_glance,
    };
    // By reference, so that what was heard outlives a handshake that fails.
    let failure = tls::connect(&mut tap, tls).await.err();
    let mut shown = read(&tap.heard);
    shown.failure = failure;
    shown
}

/// More than any server says before it encrypts; what comes beyond is not kept.
const MOST: usize = 256 * 1024;

/// Keeps what is read.
struct Tap {
    stream: TcpStream,
    heard: Vec<u8>,
    is_glance: bool,
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(context, buffer);
        let new = &buffer.filled()[before..];
        let room = MOST.saturating_sub(self.heard.len()).min(new.len());
        self.heard.extend_from_slice(&new[..room]);
        if self.is_glance && room > 0 {
            let shown = read(&self.heard);
            if shown.choice.is_some() || shown.alert.is_some() || shown.is_not_tls {
                return Poll::Ready(Err(io::Error::other("enough was seen")));
            }
        }
        result
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

// RFC 5246, 6.2.1 and 7.4.
const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;
const CERTIFICATE_REQUEST: u8 = 13;

/// Reads the records of a server's flight.
fn read(mut heard: &[u8]) -> Shown {
    let mut shown = Shown::default();
    let mut messages = Vec::new();
    shown.is_not_tls =
        matches!(heard, [first, ..] if !(CHANGE_CIPHER_SPEC..=HANDSHAKE).contains(first));
    while let Some((kind, body, rest)) = record(heard) {
        match kind {
            HANDSHAKE => messages.extend_from_slice(body),
            ALERT => shown.alert = body.get(1).copied(),
            // What follows is encrypted.
            _ => break,
        }
        heard = rest;
    }
    let mut messages = &messages[..];
    while let Some((kind, body, rest)) = message(messages) {
        match kind {
            SERVER_HELLO => shown.choice = choice(body),
            CERTIFICATE => shown.chain = chain(body),
            CERTIFICATE_REQUEST => shown.asks_for_certificate = true,
            _ => {}
        }
        messages = rest;
    }
    shown
}

fn record(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (header, rest) = bytes.split_at_checked(5)?;
    let len = usize::from(u16::from_be_bytes([header[3], header[4]]));
    let (body, rest) = rest.split_at_checked(len)?;
    Some((header[0], body, rest))
}

fn message(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (kind, rest) = bytes.split_first()?;
    let (body, rest) = with_length(rest)?;
    Some((*kind, body, rest))
}

/// What stands behind a length of 24 bits.
fn with_length(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_at_checked(3)?;
    let len = u32::from_be_bytes([0, len[0], len[1], len[2]]);
    rest.split_at_checked(usize::try_from(len).ok()?)
}

fn choice(hello: &[u8]) -> Option<(u16, u16)> {
    let number = |at: usize| Some(u16::from_be_bytes([*hello.get(at)?, *hello.get(at + 1)?]));
    let session_id = usize::from(*hello.get(34)?);
    Some((number(0)?, number(35 + session_id)?))
}

fn chain(body: &[u8]) -> Vec<X509> {
    let Some((mut list, _)) = with_length(body) else {
        return Vec::new();
    };
    let mut chain = Vec::new();
    while let Some((der, rest)) = with_length(list) {
        chain.extend(X509::from_der(der));
        list = rest;
    }
    chain
}

/// What an alert says. Source: RFC 5246, 7.2; RFC 6066 for 112; RFC 8446 for 116.
pub fn alert_words(alert: u8) -> String {
    let words = match alert {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        40 => "handshake_failure",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        112 => "unrecognized_name",
        116 => "certificate_required",
        _ => return format!("alert {alert}"),
    };
    format!("alert {alert}, {words}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flight_is_read_whatever_it_holds() {
        // ServerHello of TLS 1.2 with a session id of two bytes and the suite 0xC02F; a CertificateRequest in the same record.
        let mut hello = vec![3, 3];
        hello.extend([7; 32]);
        hello.extend([2, 1, 1, 0xc0, 0x2f, 0]);
        let mut messages = vec![SERVER_HELLO, 0, 0, u8::try_from(hello.len()).unwrap()];
        messages.extend(&hello);
        messages.extend([CERTIFICATE_REQUEST, 0, 0, 0]);
        let mut flight = vec![HANDSHAKE, 3, 3, 0, u8::try_from(messages.len()).unwrap()];
        flight.extend(&messages);
        flight.extend([ALERT, 3, 3, 0, 2, 2, 40]);
        let shown = read(&flight);
        assert_eq!(shown.choice, Some((0x0303, 0xc02f)));
        assert!(shown.asks_for_certificate && !shown.is_not_tls);
        assert_eq!(shown.alert, Some(40));
        for end in 0..flight.len() {
            read(&flight[..end]);
        }
        assert!(read(b"HTTP/1.1 400").is_not_tls);
        read(&[0xff; 64]);
        read(&[HANDSHAKE, 3, 3, 0, 4, CERTIFICATE, 0xff, 0xff, 0xff]);
    }
}
