//! A broker on TCP: the bench's, with the platform behind it, or a bridge's.

use crate::clock::Clock;
use crate::stream::Stream;
use crate::tls::{self, Acceptor};
use crate::websocket;
use broker::{Broker, Client, Config, ConnId, Event, Output, Policy, Stats};
use iotda::{Failure, News, Outcome, Platform, Request};
use mqtt::QoS;
use serde_json::Value;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinSet;

/// How long a client that was sent away may take to read what it was sent.
const FAREWELL: Duration = Duration::from_secs(1);

/// What runs between TCP and MQTT on a listener.
#[derive(Clone, Debug)]
enum Protocol {
    Plain,
    WebSocket,
    Tls(Acceptor),
}

impl Protocol {
    async fn open(&self, stream: TcpStream) -> io::Result<Stream> {
        match self {
            Self::Plain => Ok(Stream::Tcp(stream)),
            Self::WebSocket => websocket::accept(stream).await,
            Self::Tls(acceptor) => {
                let stream = acceptor.accept(stream).await.map_err(io::Error::other)?;
                tls::unwrap(stream)
            }
        }
    }
}

/// How long a client may take to open a WebSocket, or for the handshake of TLS.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// What has happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// At the broker.
    Broker(Event),
    /// At the platform behind it.
    Platform(News),
}

/// What stands behind the broker's policy in this program.
pub trait Backend: Send + 'static {
    /// The policy.
    type Policy: Policy + Send;

    /// The policy may have something for this program: called after each of the broker's inputs.
    fn follow(&mut self, policy: &mut Self::Policy, tell: &dyn Fn(Happening));
}

/// The application's side of the cloud that is played, if there is one.
#[derive(Debug, Default)]
pub struct Cloud {
    /// Who waits for what a device answers, by request identifier.
    asked: HashMap<String, oneshot::Sender<Result<Value, Failure>>>,
}

impl Backend for Cloud {
    type Policy = Platform;

    fn follow(&mut self, platform: &mut Platform, tell: &dyn Fn(Happening)) {
        while let Some(news) = platform.poll_news() {
            tell(Happening::Platform(news));
        }
        while let Some((id, answer)) = platform.poll_answer() {
            if let Some(sender) = self.asked.remove(&id) {
                // Who asked may have gone.
                let _ = sender.send(answer);
            }
        }
    }
}

/// A broker that listens. It stops when it is dropped.
#[derive(Debug)]
pub struct BrokerServer<B: Backend = Cloud> {
    shared: Arc<Shared<B>>,
    addresses: Vec<SocketAddr>,
    tasks: JoinSet<()>,
}

struct Shared<B: Backend> {
    inner: Mutex<Inner<B>>,
    clock: Clock,
    /// A deadline may have come nearer.
    deadline: Notify,
    events: Option<mpsc::UnboundedSender<Happening>>,
}

struct Inner<B: Backend> {
    broker: Broker<B::Policy>,
    backend: B,
    /// Who serves each connection; and whether it is to end.
    connections: HashMap<ConnId, Arc<Connection>>,
    /// What a socket had to say, on its way to the broker: one buffer for all of them.
    scratch: Box<[u8]>,
}

struct Connection {
    wake: Notify,
    closing: std::sync::atomic::AtomicBool,
}

impl BrokerServer {
    /// Listens on each address; port 0 is any free one.
    ///
    /// # Errors
    /// The system's, with the address.
    pub async fn start(
        config: Config,
        addresses: &[SocketAddr],
    ) -> io::Result<(Self, mpsc::UnboundedReceiver<Happening>)> {
        Self::start_platform(config, None, addresses).await
    }

    /// The same with a platform behind the broker, whose time began at [`instant::Instant::ZERO`].
    ///
    /// # Errors
    /// The system's, with the address.
    pub async fn start_platform(
        config: Config,
        platform: Option<Platform>,
        addresses: &[SocketAddr],
    ) -> io::Result<(Self, mpsc::UnboundedReceiver<Happening>)> {
        Self::start_under(config, platform, Cloud::default(), addresses).await
    }

    /// Whether there is a platform behind the broker.
    pub fn has_platform(&self) -> bool {
        self.shared.lock().broker.with_policy(|_| ()).is_some()
    }

    /// For whoever asks the platform behind the broker for something.
    pub fn application(&self) -> Application {
        Application {
            shared: self.shared.clone(),
        }
    }
}

impl<B: Backend> BrokerServer<B> {
    /// A broker under a policy, when there is one, with what stands behind it.
    ///
    /// # Errors
    /// The system's, with the address.
    pub async fn start_under(
        config: Config,
        policy: Option<B::Policy>,
        backend: B,
        addresses: &[SocketAddr],
    ) -> io::Result<(Self, mpsc::UnboundedReceiver<Happening>)> {
        let (sender, events) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            events: config.events.then_some(sender),
            inner: Mutex::new(Inner {
                broker: Broker::under(config, policy),
                backend,
                connections: HashMap::new(),
                scratch: vec![0; 16 * 1024].into(),
            }),
            clock: Clock::start(),
            deadline: Notify::new(),
        });
        let mut server = Self {
            tasks: JoinSet::from_iter([keep_time(shared.clone())]),
            shared,
            addresses: Vec::new(),
        };
        for &address in addresses {
            let bound = server.listen(address, Protocol::Plain).await?;
            server.addresses.push(bound);
        }
        Ok((server, events))
    }

    /// Listens for MQTT on WebSockets as well, and says where.
    ///
    /// # Errors
    /// The system's, with the address.
    pub async fn listen_for_websockets(&mut self, address: SocketAddr) -> io::Result<SocketAddr> {
        self.listen(address, Protocol::WebSocket).await
    }

    /// Listens for MQTT over TLS as well, and says where.
    ///
    /// # Errors
    /// The system's, with the address.
    pub async fn listen_for_tls(
        &mut self,
        address: SocketAddr,
        acceptor: Acceptor,
    ) -> io::Result<SocketAddr> {
        self.listen(address, Protocol::Tls(acceptor)).await
    }

    async fn listen(&mut self, address: SocketAddr, protocol: Protocol) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))?;
        let bound = listener.local_addr()?;
        self.tasks
            .spawn(listen(self.shared.clone(), listener, protocol));
        Ok(bound)
    }

    /// Where it listens for plain MQTT, in the order in which that was asked for.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Publishes a message of the bench's own; false when the topic is none.
    pub fn publish(&self, topic: &str, payload: &[u8], qos: QoS, retain: bool) -> bool {
        let mut inner = self.shared.lock();
        let published = inner.broker.publish(topic, payload, qos, retain);
        self.shared.settle(&mut inner);
        published
    }

    /// Throws a client out; false when it is not there.
    pub fn drop_client(&self, client_id: &str) -> bool {
        let mut inner = self.shared.lock();
        let dropped = inner.broker.drop_client(client_id);
        self.shared.settle(&mut inner);
        dropped
    }

    /// Throws every client out.
    pub fn drop_all(&self) {
        let mut inner = self.shared.lock();
        inner.broker.drop_all();
        self.shared.settle(&mut inner);
    }

    /// Looks at the sessions, online and kept.
    pub fn with_clients<R>(
        &self,
        look: impl FnOnce(&mut dyn Iterator<Item = Client<'_>>) -> R,
    ) -> R {
        look(&mut self.shared.lock().broker.clients())
    }

    /// Numbers since the start.
    pub fn stats(&self) -> Stats {
        self.shared.lock().broker.stats()
    }

    /// Acts on the broker itself, and does what it then wants done.
    pub fn with_broker<R>(&self, act: impl FnOnce(&mut Broker<B::Policy>) -> R) -> R {
        let mut inner = self.shared.lock();
        let result = act(&mut inner.broker);
        self.shared.settle(&mut inner);
        result
    }

    /// Closes the listeners and every connection.
    pub async fn shutdown(mut self) {
        self.tasks.shutdown().await;
    }
}

/// Asks the platform behind a broker, as an application server does.
#[derive(Clone, Debug)]
pub struct Application {
    shared: Arc<Shared<Cloud>>,
}

/// What the platform says to a request.
#[derive(Debug)]
pub enum Asked {
    /// It is done: the answer.
    Done(Value),
    /// A device was asked, and answers here.
    Later(oneshot::Receiver<Result<Value, Failure>>),
}

impl Application {
    /// Asks for something, and waits for what a device has to answer: until it does, or until its time is over.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub async fn request(&self, request: Request) -> Result<Value, Failure> {
        match self.ask(request)? {
            Asked::Done(value) => Ok(value),
            Asked::Later(answer) => answer
                .await
                .unwrap_or_else(|_| Err(failure("the broker has stopped"))),
        }
    }

    /// Asks for something.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub fn ask(&self, request: Request) -> Result<Asked, Failure> {
        let mut inner = self.shared.lock();
        let now = self.shared.clock.now();
        let outcome = inner
            .broker
            .with_policy(|platform| platform.request(now, request))
            .ok_or_else(|| failure("the broker is no IoTDA: start it with --iotda"))?;
        let asked = outcome.map(|outcome| match outcome {
            Outcome::Done(value) => Asked::Done(value),
            Outcome::Asked(id) => {
                let (sender, answer) = oneshot::channel();
                inner.backend.asked.insert(id, sender);
                Asked::Later(answer)
            }
        });
        self.shared.settle(&mut inner);
        self.shared.deadline.notify_one();
        asked
    }
}

fn failure(text: &str) -> Failure {
    Failure {
        code: None,
        text: text.into(),
    }
}

impl<B: Backend> std::fmt::Debug for Shared<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl<B: Backend> Shared<B> {
    fn lock(&self) -> MutexGuard<'_, Inner<B>> {
        // A task that panicked while it held the lock has broken its own connection at worst.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what the broker wants done.
    fn settle(&self, inner: &mut Inner<B>) {
        while let Some(output) = inner.broker.poll_output() {
            match output {
                Output::Transmit(conn) | Output::Read(conn) => {
                    if let Some(connection) = inner.connections.get(&conn) {
                        connection.wake.notify_one();
                    }
                }
                Output::Close(conn, _) => {
                    if let Some(connection) = inner.connections.get(&conn) {
                        connection
                            .closing
                            .store(true, std::sync::atomic::Ordering::Relaxed);
                        connection.wake.notify_one();
                    }
                }
                Output::Event(event) => self.tell(Happening::Broker(event)),
            }
        }
        let Inner {
            broker, backend, ..
        } = inner;
        broker.with_policy(|policy| backend.follow(policy, &|it| self.tell(it)));
    }

    fn tell(&self, happening: Happening) {
        if let Some(events) = &self.events {
            // Nobody may be listening any more.
            let _ = events.send(happening);
        }
    }
}

async fn listen<B: Backend>(shared: Arc<Shared<B>>, listener: TcpListener, protocol: Protocol) {
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let _ = stream.set_nodelay(true);
                    let (shared, protocol) = (shared.clone(), protocol.clone());
                    clients.spawn(async move {
                        let opened = tokio::time::timeout(HANDSHAKE, protocol.open(stream)).await;
                        if let Ok(Ok(stream)) = opened {
                            serve(shared, stream).await;
                        }
                    });
                }
                // Out of descriptors: others will close theirs.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = clients.join_next() => {}
        }
    }
}

async fn keep_time<B: Backend>(shared: Arc<Shared<B>>) {
    loop {
        let deadline = shared.lock().broker.next_deadline();
        tokio::select! {
            () = shared.clock.sleep_until(deadline) => {
                let mut inner = shared.lock();
                inner.broker.advance(shared.clock.now());
                shared.settle(&mut inner);
            }
            () = shared.deadline.notified() => {}
        }
    }
}

/// Serves one client. It has no buffer of its own: what it reads goes through the shared one, and what it writes is
/// the broker's.
async fn serve<B: Backend>(shared: Arc<Shared<B>>, stream: Stream) {
    let connection = Arc::new(Connection {
        wake: Notify::new(),
        closing: false.into(),
    });
    let conn = {
        let mut inner = shared.lock();
        let before = inner.broker.next_deadline();
        let conn = inner.broker.accept(shared.clock.now());
        inner.connections.insert(conn, connection.clone());
        if inner.broker.next_deadline() != before {
            shared.deadline.notify_one();
        }
        shared.settle(&mut inner);
        conn
    };
    let is_closing = || {
        connection
            .closing
            .load(std::sync::atomic::Ordering::Relaxed)
    };
    while !is_closing() {
        let (pending, takes) = {
            let broker = &shared.lock().broker;
            (!broker.outgoing(conn).is_empty(), broker.takes_data(conn))
        };
        let open = tokio::select! {
            ready = stream.readable(), if takes => ready.is_ok() && shared.read(conn, &stream),
            ready = stream.writable(), if pending => ready.is_ok() && shared.write(conn, &stream),
            () = connection.wake.notified() => shared.write(conn, &stream),
        };
        if !open {
            break;
        }
    }
    if is_closing() {
        let farewell = async {
            while !shared.lock().broker.outgoing(conn).is_empty() {
                if stream.writable().await.is_err() || !shared.write(conn, &stream) {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
    }
    let mut inner = shared.lock();
    inner.connections.remove(&conn);
    inner.broker.link_closed(conn);
    shared.settle(&mut inner);
}

impl<B: Backend> Shared<B> {
    /// Reads what is there; false when the connection is over.
    fn read(&self, conn: ConnId, stream: &Stream) -> bool {
        let mut inner = self.lock();
        let Inner {
            broker, scratch, ..
        } = &mut *inner;
        match stream.try_read(scratch) {
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
            Ok(0) => false,
            Ok(n) => {
                let before = broker.next_deadline();
                broker.receive(self.clock.now(), conn, &scratch[..n]);
                if broker.next_deadline() != before {
                    self.deadline.notify_one();
                }
                self.settle(&mut inner);
                true
            }
        }
    }

    /// Writes what the system takes now; false when the connection is over.
    fn write(&self, conn: ConnId, stream: &Stream) -> bool {
        let mut inner = self.lock();
        loop {
            let bytes = inner.broker.outgoing(conn);
            if bytes.is_empty() {
                return true;
            }
            match stream.try_write(bytes) {
                Ok(n) => {
                    inner.broker.sent(conn, n);
                    self.settle(&mut inner);
                }
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
    }
}
