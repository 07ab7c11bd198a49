//! What a transcript is played against.

use super::script::{Script, TlsBroker};
use crate::broker_server::{Application, BrokerServer, Happening};
use crate::certificates::Authority;
use crate::client::{self, Client};
use crate::clock::unix_millis;
use crate::line::HostLine;
use crate::runtime::Handle;
use crate::tls::{Acceptor, Server};
use broker::Event;
use dialect::Model;
use instant::Instant;
use iotda::{News, Platform, Request, broker_config};
use module::{NetworkEvent, Pace, Tls};
use mqtt::{Connect, QoS};
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use world::fault::What;
use world::{Bench, Fault, Rig};

/// A module with a broker behind it, real or not.
pub trait Device {
    /// Bytes from the host.
    ///
    /// # Errors
    /// The line is broken.
    fn send(&mut self, bytes: &[u8]) -> Result<(), String>;

    /// Waits for bytes from the module, and no longer than `limit`.
    fn receive(&mut self, limit: Duration) -> Vec<u8>;

    /// Time since the beginning.
    fn elapsed(&self) -> Duration;

    /// The PC's tool publishes.
    ///
    /// # Errors
    /// Why it cannot.
    fn publish(
        &mut self,
        topic: &str,
        payload: &[u8],
        qos: QoS,
        retain: bool,
    ) -> Result<(), String>;

    /// The next message that the PC's tool receives.
    fn published(&mut self, limit: Duration) -> Option<(String, Vec<u8>)>;

    /// Something breaks.
    ///
    /// # Errors
    /// It cannot be made to break here.
    fn fault(&mut self, fault: &Fault) -> Result<(), String>;

    /// Whatever is broken is whole again.
    ///
    /// # Errors
    /// It cannot be mended here.
    fn heal(&mut self) -> Result<(), String>;

    /// Another client logs in.
    ///
    /// # Errors
    /// Why it cannot.
    fn rival(&mut self, client_id: &str) -> Result<(), String>;

    /// The application asks the platform behind the broker for something.
    ///
    /// # Errors
    /// There is no platform, or it refuses.
    fn iotda(&mut self, request: &Request) -> Result<(), String>;

    /// What happens next at the platform.
    fn news(&mut self, limit: Duration) -> Option<String>;

    /// The module is powered on anew.
    ///
    /// # Errors
    /// It cannot be done here.
    fn power_on(&mut self) -> Result<(), String>;
}

/// A module and a broker in virtual time.
pub struct VirtualDevice {
    bench: Bench,
    published: VecDeque<(String, Vec<u8>)>,
    news: VecDeque<News>,
}

/// 2024-10-11 07:38:35 UTC: the moment of the tutorial's +NITZ, less the time that booting takes.
const UNIX_TIME: u64 = 1_728_632_315;

impl VirtualDevice {
    /// Boots a module as a transcript wants it, and lets it register.
    ///
    /// # Errors
    /// An `@module` line that names nothing.
    pub fn new(model: &'static Model, script: &Script, pace: Pace) -> Result<Self, String> {
        let mut config = module::Config {
            pace,
            unix_time: Some(UNIX_TIME),
            ..module::Config::default()
        };
        let mut broker = broker::Config::default();
        for (key, value) in &script.module {
            configure(&mut config, &mut broker, key, value)?;
        }
        let platform = script.platform(Instant::ZERO, UNIX_TIME * 1000)?;
        if platform.is_some() {
            broker = broker_config(broker);
        }
        let mut bench =
            Bench::with_platform(model, config, broker, platform).with_seed(script.seed()?);
        bench.run_for(Duration::from_secs(10));
        if model.defaults.autobaud && pace == Pace::Real {
            // As hosts do before they begin.
            bench.type_bytes(b"AT\r");
            bench.run_for(Duration::from_secs(1));
        }
        bench.take_serial();
        Ok(Self {
            bench,
            published: VecDeque::new(),
            news: VecDeque::new(),
        })
    }
}

impl Device for VirtualDevice {
    fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.bench.type_bytes(bytes);
        Ok(())
    }

    fn receive(&mut self, limit: Duration) -> Vec<u8> {
        self.bench.run_until_serial(limit);
        self.bench.take_serial()
    }

    fn elapsed(&self) -> Duration {
        self.bench.now() - Instant::ZERO
    }

    fn publish(
        &mut self,
        topic: &str,
        payload: &[u8],
        qos: QoS,
        retain: bool,
    ) -> Result<(), String> {
        if self.bench.publish(topic, payload, qos, retain) {
            Ok(())
        } else {
            Err("the topic is none".into())
        }
    }

    fn published(&mut self, limit: Duration) -> Option<(String, Vec<u8>)> {
        let end = self.bench.now() + limit;
        loop {
            self.published.extend(self.bench.take_published());
            if !self.published.is_empty() {
                return self.published.pop_front();
            }
            if self.bench.next_event().is_none_or(|at| at > end) {
                self.bench.run_for(end - self.bench.now());
                return None;
            }
            self.bench.step();
        }
    }

    fn fault(&mut self, fault: &Fault) -> Result<(), String> {
        let injected = self.bench.inject(fault.clone());
        injected.map(drop).map_err(|error| error.to_string())
    }

    fn heal(&mut self) -> Result<(), String> {
        self.bench.clear_all();
        Ok(())
    }

    fn rival(&mut self, client_id: &str) -> Result<(), String> {
        self.bench.rival(client_id);
        Ok(())
    }

    fn iotda(&mut self, request: &Request) -> Result<(), String> {
        let asked = self
            .bench
            .with_iotda(|now, platform| platform.request(now, request.clone()));
        match asked.ok_or(NO_PLATFORM)? {
            Ok(_) => Ok(()),
            Err(failure) => Err(failure.to_string()),
        }
    }

    fn news(&mut self, limit: Duration) -> Option<String> {
        let end = self.bench.now() + limit;
        loop {
            self.news.extend(self.bench.take_news());
            if let Some(news) = self.news.pop_front() {
                return Some(news.to_string());
            }
            if self.bench.next_event().is_none_or(|at| at > end) {
                self.bench.run_for(end - self.bench.now());
                return None;
            }
            self.bench.step();
        }
    }

    fn power_on(&mut self) -> Result<(), String> {
        self.bench.take_serial();
        self.bench.network(NetworkEvent::PowerCycle);
        Ok(())
    }
}

const NO_PLATFORM: &str = "the broker is no IoTDA: @broker iotda DEVICE:SECRET makes it one";

impl Script {
    /// The platform with the devices that a transcript names, when it names one.
    ///
    /// # Errors
    /// It names one that can be none.
    pub fn platform(&self, now: Instant, unix_ms: u64) -> Result<Option<Platform>, String> {
        if self.iotda.is_empty() {
            return Ok(None);
        }
        let devices = self.iotda.clone();
        let config = iotda::Config {
            devices,
            unix_ms,
            news: true,
            ..iotda::Config::default()
        };
        Platform::new(now, config).map(Some)
    }
}

/// What an `@module` line says.
pub(super) fn configure(
    config: &mut module::Config,
    broker: &mut broker::Config,
    key: &str,
    value: &str,
) -> Result<(), String> {
    let wrong = || format!("@module {key} {value}: no such value");
    match key {
        "sim" => config.radio.sim = value.parse().map_err(|_| wrong())?,
        "signal" => config.radio.rssi = value.parse().map_err(|_| wrong())?,
        "registration" => config.radio.registration = value.parse().map_err(|_| wrong())?,
        "apn-allow" => config.radio.allowed_apns.push(value.into()),
        "white-list" => config.radio.white_list.push(value.into()),
        "wifi" => {
            let (ssid, password) = value.split_once(':').unwrap_or((value, ""));
            config.radio.access_points.push(module::AccessPoint {
                ssid: ssid.into(),
                password: password.into(),
            });
        }
        "apn" => config.radio.default_apn = value.into(),
        "as-written" => config.as_written = value == "on",
        // What faults leave to chance is the script's.
        "seed" => {}
        "time" if value == "unknown" => config.unix_time = None,
        "broker-user" => {
            let (name, password) = value.split_once(':').ok_or_else(wrong)?;
            broker.users.insert(name.into(), password.into());
        }
        _ => {
            return Err(format!(
                "@module {key}: there are sim, wifi, signal, registration, apn, apn-allow, white-list, time, as-written, broker-user, seed"
            ));
        }
    }
    Ok(())
}

/// The broker that a module on a port talks to.
#[derive(Debug)]
pub enum PortBroker {
    /// One that is started.
    Own {
        /// Where it listens.
        listen: Ipv4Addr,
        /// Whom it lets in.
        config: Box<broker::Config>,
        /// What is behind it, with the clock of this machine.
        platform: Option<Box<Platform>>,
        /// How the module reaches it, when that is not plain TCP.
        tls: Option<Acceptor>,
    },
    /// One that is there already. The PC's tool is a client of it.
    Given {
        /// Where the module reaches it.
        address: (String, u16),
        /// Where the tool reaches it.
        tool: (String, u16),
        /// How the tool's handshake goes, when it is not plain TCP there.
        tool_tls: Option<Box<Tls>>,
    },
    /// One that this process runs, with a platform behind it. The platform takes the tool's place.
    Cloud {
        /// Where the module reaches it.
        address: (String, u16),
        /// The application's side.
        application: Application,
        /// What happens there.
        events: mpsc::UnboundedReceiver<Happening>,
    },
}

impl PortBroker {
    /// One that is started on an address, as a conversation wants it, with certificates of this process.
    ///
    /// # Errors
    /// OpenSSL's; a device that can be none.
    pub fn own(listen: Ipv4Addr, script: &Script) -> Result<Self, String> {
        let wanted = script.tls.as_ref();
        let tls = wanted.map(|wanted| wanted.acceptor(listen)).transpose()?;
        let platform = script.platform(Instant::ZERO, unix_millis().unwrap_or_default())?;
        Ok(Self::Own {
            listen,
            config: Box::default(),
            platform: platform.map(Box::new),
            tls,
        })
    }
}

impl TlsBroker {
    /// How such a broker does its handshakes on an address, with a certificate that this process makes.
    ///
    /// # Errors
    /// OpenSSL's.
    pub fn acceptor(&self, listen: Ipv4Addr) -> Result<Acceptor, String> {
        let authority = Authority::of_this_process().map_err(|error| error.to_string())?;
        let names = [&listen.to_string(), "localhost"];
        let identity = authority.server(&names, self.flaw);
        let identity = identity.map_err(|error| error.to_string())?;
        Acceptor::new(&Server {
            certificate: &identity.certificate,
            key: &identity.key,
            client_authorities: self.mutual.then_some(&*authority.certificate),
            suites: &self.suites,
            versions: self.versions,
        })
    }
}

/// A module on a port, with a broker that it can reach.
pub struct PortDevice {
    runtime: Runtime,
    line: HostLine,
    broker: Option<BrokerServer>,
    events: Option<mpsc::UnboundedReceiver<Happening>>,
    tool: Option<Client>,
    application: Option<Application>,
    published: VecDeque<(String, Vec<u8>)>,
    news: VecDeque<News>,
    address: (String, u16),
    /// Where others log in.
    rivals: (String, u16),
    rivals_tls: Option<Box<Tls>>,
    start: std::time::Instant,
    handle: Option<Handle>,
}

impl PortDevice {
    /// Opens `tcp:HOST:PORT` or a device. With a given broker, a client of it sees what these filters let through.
    ///
    /// # Errors
    /// What cannot be opened.
    pub fn open(
        port: &str,
        baud: u32,
        broker: PortBroker,
        filters: &[&str],
    ) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        let line = runtime.block_on(HostLine::open(port, baud))?;
        let mut device = Self {
            runtime,
            line,
            broker: None,
            events: None,
            tool: None,
            application: None,
            published: VecDeque::new(),
            news: VecDeque::new(),
            address: <_>::default(),
            rivals: <_>::default(),
            rivals_tls: None,
            start: std::time::Instant::now(),
            handle: None,
        };
        match broker {
            PortBroker::Own {
                listen,
                config,
                platform,
                tls,
            } => device.start_broker(listen, *config, platform.map(|own| *own), tls)?,
            PortBroker::Given {
                address,
                tool,
                tool_tls,
            } => {
                device.address = address;
                device.rivals = tool;
                device.rivals_tls = tool_tls;
                device.log_tool_in(filters)?;
            }
            PortBroker::Cloud {
                address,
                application,
                events,
            } => {
                device.rivals = address.clone();
                device.address = address;
                device.application = Some(application);
                device.events = Some(events);
            }
        }
        // What the module said before is not part of the conversation.
        while !device.receive(Duration::from_millis(200)).is_empty() {}
        Ok(device)
    }

    fn start_broker(
        &mut self,
        listen: Ipv4Addr,
        config: broker::Config,
        platform: Option<Platform>,
        tls: Option<Acceptor>,
    ) -> Result<(), String> {
        let mut config = broker::Config {
            events: true,
            ..config
        };
        if platform.is_some() {
            config = broker_config(config);
        }
        let any_port = SocketAddr::from((listen, 0));
        let started = self.runtime.block_on(async {
            let (mut server, events) =
                BrokerServer::start_platform(config, platform, &[any_port]).await?;
            let plain = server.local_addrs()[0].port();
            let port = match tls {
                Some(acceptor) => server.listen_for_tls(any_port, acceptor).await?.port(),
                None => plain,
            };
            std::io::Result::Ok((server, events, plain, port))
        });
        let (server, events, plain, port) = started.map_err(|error| error.to_string())?;
        self.address = (listen.to_string(), port);
        self.rivals = (listen.to_string(), plain);
        self.application = Some(server.application());
        self.broker = Some(server);
        self.events = Some(events);
        Ok(())
    }

    fn log_tool_in(&mut self, filters: &[&str]) -> Result<(), String> {
        let filters: Vec<_> = filters
            .iter()
            .map(|filter| (*filter, QoS::ExactlyOnce))
            .collect();
        let mut tool = self
            .client("pc-tool")
            .map_err(|why| format!("the PC's tool: {why}"))?;
        let subscribed = self.runtime.block_on(async {
            tool.subscribe(&filters).await?;
            while !matches!(tool.next().await?, client::News::Subscribed(..)) {}
            Ok::<_, client::Error>(tool)
        });
        self.tool = Some(subscribed.map_err(|error| format!("the PC's tool: {error}"))?);
        Ok(())
    }

    /// Another client, logged in.
    fn client(&self, client_id: &str) -> Result<Client, String> {
        let (host, port) = &self.rivals;
        let connect = Connect {
            clean_session: true,
            client_id,
            ..Connect::default()
        };
        let connected = Client::connect(host, *port, self.rivals_tls.as_deref(), &connect);
        self.runtime
            .block_on(connected)
            .map_err(|error| error.to_string())
    }

    /// The module is one that runs here, so that it can be powered on anew and broken.
    #[must_use]
    pub fn with_handle(mut self, handle: Handle) -> Self {
        self.handle = Some(handle);
        self
    }

    /// Waits until there is what is wanted of what happens at the broker and at the platform behind it.
    fn hear<T>(&mut self, limit: Duration, take: fn(&mut Self) -> Option<T>) -> Option<T> {
        let end = self.start.elapsed() + limit;
        loop {
            if let Some(found) = take(self) {
                return Some(found);
            }
            let left = end.checked_sub(self.start.elapsed())?;
            let Self {
                runtime,
                events,
                tool,
                ..
            } = self;
            let next = async {
                match (events, tool) {
                    (Some(events), _) => events.recv().await,
                    (None, Some(tool)) => loop {
                        if let client::News::Message(message) = tool.next().await.ok()? {
                            break Some(Happening::Broker(Event::Published {
                                client_id: String::new(),
                                topic: message.topic,
                                payload: message.payload,
                                qos: message.qos,
                                retain: message.retain,
                            }));
                        }
                    },
                    (None, None) => None,
                }
            };
            let next =
                runtime.block_on(async { tokio::time::timeout(left, next).await.ok().flatten() });
            match next? {
                Happening::Broker(
                    Event::Published { topic, payload, .. } | Event::Will { topic, payload, .. },
                ) => self.published.push_back((topic, payload)),
                Happening::Broker(_) => {}
                Happening::Platform(news) => self.news.push_back(news),
            }
        }
    }

    /// Where the module reaches the broker: `{host}` and `{port}`.
    pub fn broker_address(&self) -> (&str, u16) {
        (&self.address.0, self.address.1)
    }
}

impl Device for PortDevice {
    fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        let sent = self.runtime.block_on(self.line.send(bytes));
        sent.map_err(|error| error.to_string())
    }

    fn receive(&mut self, limit: Duration) -> Vec<u8> {
        let start = std::time::Instant::now();
        let received = self.runtime.block_on(self.line.receive(limit));
        received.unwrap_or_else(|_| {
            // Nothing more comes of a line that has ended, but the time still passes.
            std::thread::sleep(limit.saturating_sub(start.elapsed()));
            Vec::new()
        })
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    fn publish(
        &mut self,
        topic: &str,
        payload: &[u8],
        qos: QoS,
        retain: bool,
    ) -> Result<(), String> {
        if let Some(broker) = &self.broker {
            // The server's tasks run on the same thread: they get a turn in the next wait.
            return if broker.publish(topic, payload, qos, retain) {
                Ok(())
            } else {
                Err("the topic is none".into())
            };
        }
        let Some(tool) = &mut self.tool else {
            return Ok(());
        };
        let published = self.runtime.block_on(async {
            tool.publish(topic, payload, qos, retain).await?;
            // Its own message comes back to it, since it sees everything: that one is not the module's.
            loop {
                if let client::News::Message(message) = tool.next().await?
                    && message.topic == topic
                    && message.payload == payload
                {
                    return Ok::<(), client::Error>(());
                }
            }
        });
        published.map_err(|error| error.to_string())
    }

    fn published(&mut self, limit: Duration) -> Option<(String, Vec<u8>)> {
        self.hear(limit, |device| device.published.pop_front())
    }

    fn iotda(&mut self, request: &Request) -> Result<(), String> {
        let application = self.application.as_ref().ok_or(NO_PLATFORM)?;
        match application.ask(request.clone()) {
            Ok(_) => Ok(()),
            Err(failure) => Err(failure.to_string()),
        }
    }

    fn news(&mut self, limit: Duration) -> Option<String> {
        self.hear(limit, |device| device.news.pop_front())
            .map(|news| news.to_string())
    }

    fn fault(&mut self, fault: &Fault) -> Result<(), String> {
        if let Some(handle) = &self.handle {
            let fault = fault.clone();
            let asked = handle.ask(move |rig, now| rig.inject(now, fault).map(drop));
            let injected = self.runtime.block_on(asked);
            return injected
                .map_err(|gone| gone.to_string())?
                .map_err(|error| error.to_string());
        }
        // What the broker does can be had without a hand on the module.
        match (&fault.what, &self.broker) {
            (What::TcpDrop, Some(broker)) if *fault == Fault::new(What::TcpDrop) => {
                broker.drop_all();
                Ok(())
            }
            _ => Err(format!(
                "{fault} cannot be made on a port; it can in virtual time"
            )),
        }
    }

    fn heal(&mut self) -> Result<(), String> {
        let healed = self
            .handle
            .as_ref()
            .map(|handle| handle.act(Rig::clear_all));
        match healed {
            Some(Ok(())) => Ok(()),
            _ => Err("a module on a port cannot be mended from here".into()),
        }
    }

    fn rival(&mut self, client_id: &str) -> Result<(), String> {
        self.client(client_id).map(drop)
    }

    fn power_on(&mut self) -> Result<(), String> {
        let sent = self.handle.as_ref().and_then(|handle| {
            let cycle = |rig: &mut Rig, now| rig.network(now, NetworkEvent::PowerCycle);
            handle.act(cycle).ok()
        });
        sent.ok_or("a module on a port cannot be powered on from here".into())
    }
}
