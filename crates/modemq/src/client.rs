//! An MQTT client on TCP or TLS: the PC's tool.

use crate::clock::Clock;
use crate::net::Resolver;
use crate::stream::Stream;
use crate::tls;
use module::Tls;
use mqtt::{Connect, ConnectCode, Event, PacketId, QoS, Session, SessionConfig, SessionError};
use std::collections::VecDeque;
use std::fmt;
use std::io;

/// A client that is logged in.
pub struct Client {
    stream: Stream,
    session: Session,
    clock: Clock,
    news: VecDeque<News>,
    buffer: Vec<u8>,
}

/// What a client hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A message.
    Message(Message),
    /// SUBACK, with the codes of the server.
    Subscribed(PacketId, Vec<u8>),
    /// UNSUBACK.
    Unsubscribed(PacketId),
    /// PUBACK or PUBCOMP.
    Published(PacketId),
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where it was published.
    pub topic: String,
    /// What.
    pub payload: Vec<u8>,
    /// With which QoS it came.
    pub qos: QoS,
    /// It was retained.
    pub retain: bool,
}

/// Why a client has failed.
#[derive(Debug)]
pub enum Error {
    /// No connection.
    Connect(String, module::NetError),
    /// No handshake, and why.
    Tls(String),
    /// The server refused.
    Refused(ConnectCode),
    /// The server closed the connection.
    Closed,
    /// The server broke the protocol.
    Protocol(mqtt::ProtocolError),
    /// A request that cannot be made.
    Session(SessionError),
    /// The connection broke.
    Io(io::Error),
    /// Nobody answered in time.
    Timeout,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(to, error) => write!(f, "{to}: {error}"),
            Self::Tls(why) => write!(f, "TLS: {why}"),
            Self::Refused(code) => write!(f, "connection refused: {code}"),
            Self::Closed => f.write_str("the server closed the connection"),
            Self::Protocol(error) => write!(f, "the server broke the protocol: {error}"),
            Self::Session(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
            Self::Timeout => f.write_str("timed out"),
        }
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<SessionError> for Error {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

impl Client {
    /// Connects, over TLS when that is given, and logs in.
    ///
    /// # Errors
    /// Why the server cannot be reached, or refuses.
    pub async fn connect(
        host: &str,
        port: u16,
        tls: Option<&Tls>,
        connect: &Connect<'_>,
    ) -> Result<Self, Error> {
        let stream = Resolver::default()
            .connect(host, port)
            .await
            .map_err(|error| Error::Connect(format!("{host}:{port}"), error))?;
        let stream = match tls {
            Some(tls) => tls::unwrap(tls::connect(stream, tls).await.map_err(Error::Tls)?)?,
            None => Stream::Tcp(stream),
        };
        Self::log_in(stream, connect).await
    }

    /// Logs in on a connection.
    ///
    /// # Errors
    /// Why the server refuses.
    pub async fn log_in(stream: Stream, connect: &Connect<'_>) -> Result<Self, Error> {
        let mut client = Self {
            stream,
            session: Session::new(SessionConfig {
                // A message of the largest size that MQTT has would come in parts otherwise.
                max_packet: 16 << 20,
                max_in_flight: u16::MAX / 2,
                ..SessionConfig::default()
            }),
            clock: Clock::start(),
            news: VecDeque::new(),
            buffer: vec![0; 16 * 1024],
        };
        client.session.connect(client.clock.now(), connect)?;
        client.flush().await?;
        while client.session.state() == mqtt::State::Connecting {
            client.step().await?;
        }
        Ok(client)
    }

    /// Subscribes; [`News::Subscribed`] follows.
    ///
    /// # Errors
    /// The connection broke, or the filter is none.
    pub async fn subscribe(&mut self, filters: &[(&str, QoS)]) -> Result<PacketId, Error> {
        let id = self.session.subscribe(self.clock.now(), None, filters)?;
        self.flush().await?;
        Ok(id)
    }

    /// Publishes; with QoS 1 and 2 [`News::Published`] follows.
    ///
    /// # Errors
    /// The connection broke, or the topic is none.
    pub async fn publish(
        &mut self,
        topic: &str,
        payload: &[u8],
        qos: QoS,
        retain: bool,
    ) -> Result<Option<PacketId>, Error> {
        let id = self
            .session
            .publish(self.clock.now(), topic, payload, qos, retain)?;
        self.flush().await?;
        Ok(id)
    }

    /// Waits for the next thing that happens. Loses nothing when it is dropped while it waits.
    ///
    /// # Errors
    /// The connection is over.
    pub async fn next(&mut self) -> Result<News, Error> {
        loop {
            if let Some(news) = self.news.pop_front() {
                return Ok(news);
            }
            self.step().await?;
        }
    }

    /// Messages whose acknowledgement is awaited.
    pub fn in_flight(&self) -> usize {
        self.session.in_flight()
    }

    /// Logs out.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn disconnect(mut self) -> Result<(), Error> {
        self.session.disconnect(self.clock.now());
        self.flush().await?;
        self.stream.shut();
        Ok(())
    }

    async fn step(&mut self) -> Result<(), Error> {
        self.flush().await?;
        let mut result = Ok(());
        let news = &mut self.news;
        let mut on = |event: Event<'_>| match event {
            Event::Message {
                topic,
                payload,
                offset: 0,
                qos,
                retain,
                ..
            } => news.push_back(News::Message(Message {
                topic: topic.into(),
                payload: payload.into(),
                qos,
                retain,
            })),
            Event::Message { payload, .. } => {
                if let Some(News::Message(message)) = news.back_mut() {
                    message.payload.extend_from_slice(payload);
                }
            }
            Event::Subscribed { id, codes } => news.push_back(News::Subscribed(id, codes.into())),
            Event::Unsubscribed { id } => news.push_back(News::Unsubscribed(id)),
            Event::Published { id, .. } => news.push_back(News::Published(id)),
            Event::Refused(code) => result = Err(Error::Refused(code)),
            Event::Failed(error) => result = Err(Error::Protocol(error)),
            Event::PingLost => result = Err(Error::Timeout),
            _ => {}
        };
        tokio::select! {
            ready = self.stream.readable() => {
                ready?;
                match self.stream.try_read(&mut self.buffer) {
                    Ok(0) => return Err(Error::Closed),
                    Ok(n) => self.session.receive(self.clock.now(), &self.buffer[..n], &mut on),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error.into()),
                }
            }
            () = self.clock.sleep_until(self.session.next_deadline()) => {
                self.session.advance(self.clock.now(), &mut on);
            }
        }
        result?;
        self.flush().await
    }

    /// Sends what is outgoing. A caller that is dropped half-way goes on where it was.
    async fn flush(&mut self) -> Result<(), Error> {
        while !self.session.outgoing().is_empty() {
            self.stream.writable().await?;
            match self.stream.try_write(self.session.outgoing()) {
                Ok(n) => self.session.sent(n),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}
