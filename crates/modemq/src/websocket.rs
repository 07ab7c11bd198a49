//! MQTT in the binary messages of a WebSocket: RFC 6455, with the subprotocol `mqtt` (MQTT 3.1.1, 6).

use crate::stream::Stream;
use futures_util::{SinkExt, StreamExt};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{ClientRequestBuilder, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config, client_async_with_config};

/// What a WebSocket runs on: TCP, or TLS on it.
pub trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Transport for S {}

const SUBPROTOCOL: &str = "mqtt";

/// Opens a WebSocket on a connection.
///
/// # Errors
/// The server does not speak it there, or the path is none.
pub async fn connect<S: Transport>(
    stream: S,
    host: &str,
    port: u16,
    path: &str,
) -> io::Result<Stream> {
    let uri = format!("ws://{host}:{port}{path}")
        .parse()
        .map_err(io::Error::other)?;
    let request = ClientRequestBuilder::new(uri).with_sub_protocol(SUBPROTOCOL);
    let (socket, _) = client_async_with_config(request, stream, Some(config()))
        .await
        .map_err(io::Error::other)?;
    layer(socket)
}

/// Accepts a WebSocket on a connection, at any path.
///
/// # Errors
/// The client does not speak it.
pub async fn accept(stream: TcpStream) -> io::Result<Stream> {
    #[allow(
        clippy::result_large_err,
        reason = "the library's type; there is never one"
    )]
    let answer = |request: &Request, mut response: Response| {
        let offered = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL);
        let mut offered = offered
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','));
        if offered.any(|name| name.trim() == SUBPROTOCOL) {
            response.headers_mut().insert(
                SEC_WEBSOCKET_PROTOCOL,
                HeaderValue::from_static(SUBPROTOCOL),
            );
        }
        Ok(response)
    };
    let socket = accept_hdr_async_with_config(stream, answer, Some(config()))
        .await
        .map_err(io::Error::other)?;
    layer(socket)
}

fn config() -> WebSocketConfig {
    // A message is a slice of the stream, not an MQTT packet, and modest: a peer cannot make us hold more.
    WebSocketConfig::default()
        .read_buffer_size(4 * 1024)
        .write_buffer_size(0)
        .max_message_size(Some(2 << 20))
        .max_frame_size(Some(2 << 20))
}

fn layer<S: Transport>(socket: WebSocketStream<S>) -> io::Result<Stream> {
    Stream::layered(|local| async {
        let _ = carry(socket, local).await;
    })
}

/// Until either side ends.
async fn carry<S: Transport>(
    mut socket: WebSocketStream<S>,
    mut local: UnixStream,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut buffer = vec![0; 4 * 1024];
    loop {
        tokio::select! {
            read = local.read(&mut buffer) => match read? {
                0 => break,
                n => socket.send(Message::binary(buffer[..n].to_vec())).await?,
            },
            message = socket.next() => match message {
                Some(Ok(Message::Binary(bytes))) => local.write_all(&bytes).await?,
                // "Each WebSocket data frame must be binary; otherwise the connection is closed" (MQTT-6.0.0-1).
                None | Some(Ok(Message::Text(_) | Message::Close(_))) => break,
                // The library answers pings itself.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
            },
        }
    }
    socket.close(None).await?;
    // Until the peer has closed as well.
    while let Some(Ok(_)) = socket.next().await {}
    Ok(())
}
