//! A virtual module in real time on the system's sockets, for conversations that want TLS: that is OpenSSL's, which knows no
//! virtual time.

use super::device::{Device, PortBroker, PortDevice, configure};
use super::script::Script;
use crate::clock::{Clock, unix_time};
use crate::net::Resolver;
use crate::port::{Port, TcpPort};
use crate::runtime::{Handle, Host};
use dialect::Model;
use iotda::Request;
use module::Pace;
use mqtt::QoS;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::LocalSet;
use world::{Fault, Rig};

/// How often the module is asked whether it is up.
const ASKED: u32 = 100;

/// A module on a TCP port, on a thread of its own.
pub struct SocketDevice {
    port: PortDevice,
    module: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl SocketDevice {
    /// Boots a module as a transcript wants it, and lets it register.
    ///
    /// # Errors
    /// An `@module` line that names nothing, or the system's.
    pub fn new(
        model: &'static Model,
        script: &Script,
        pace: Pace,
        mut broker: PortBroker,
    ) -> Result<Self, String> {
        let mut config = module::Config {
            pace,
            unix_time: unix_time(),
            ..module::Config::default()
        };
        let mut unused = broker::Config::default();
        let broker_config = match &mut broker {
            PortBroker::Own { config, .. } => config,
            PortBroker::Given { .. } | PortBroker::Cloud { .. } => &mut unused,
        };
        for (key, value) in &script.module {
            configure(&mut config, broker_config, key, value)?;
        }
        let seed = script.seed()?;
        let (started, address) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            if let Err(why) = run(model, config, seed, &started, stopped) {
                let _ = started.send(Err(why));
            }
        });
        let begun = address.recv();
        let (address, power) = begun.map_err(|_| "the module has ended".to_string())??;
        let port = PortDevice::open(&format!("tcp:{address}"), 0, broker, &script.filters())?;
        let mut device = Self {
            port: port.with_handle(power),
            module: Some((stop, thread)),
        };
        device.boot(model, pace)?;
        Ok(device)
    }

    /// Where the module reaches the broker: `{host}` and `{port}`.
    pub fn broker_address(&self) -> (&str, u16) {
        self.port.broker_address()
    }

    /// Waits until the module is up and has told so.
    fn boot(&mut self, model: &Model, pace: Pace) -> Result<(), String> {
        if pace == Pace::Real {
            let timing = &model.timing;
            let booted = timing.boot + timing.sim + timing.registration + timing.pdp;
            let end = self.elapsed() + booted;
            while self.elapsed() < end {
                self.receive(end.saturating_sub(self.elapsed()));
            }
        }
        let line = format!("AT{}", model.syntax.line_end());
        for _ in 0..ASKED {
            self.send(line.as_bytes())?;
            let mut said = Vec::new();
            loop {
                let more = self.receive(Duration::from_millis(200));
                if more.is_empty() {
                    break;
                }
                said.extend(more);
            }
            if said.ends_with(b"\r\nOK\r\n") {
                return Ok(());
            }
        }
        Err("the module does not come up".into())
    }
}

impl Drop for SocketDevice {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.module.take() {
            let _ = stop.send(());
            let _ = thread.join();
        }
    }
}

type Started = Result<(SocketAddr, Handle), String>;

/// Runs a module until it is stopped.
fn run(
    model: &'static Model,
    config: module::Config,
    seed: u64,
    started: &std::sync::mpsc::Sender<Started>,
    stopped: oneshot::Receiver<()>,
) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    LocalSet::new().block_on(&runtime, async {
        let clock = Clock::start();
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let port = TcpPort::listen(loopback).await;
        let port = port.map_err(|error| error.to_string())?;
        let address = port.local_addr();
        let rig = Rig::new(clock.now(), model, config).with_seed(seed);
        let (host, handle) = Host::new(rig, Port::Tcp(port), clock, Resolver::default());
        let _ = started.send(Ok((address, handle)));
        tokio::select! {
            ended = host.run() => ended.map_err(|error| error.to_string()),
            _ = stopped => Ok(()),
        }
    })
}

impl Device for SocketDevice {
    fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.port.send(bytes)
    }

    fn receive(&mut self, limit: Duration) -> Vec<u8> {
        self.port.receive(limit)
    }

    fn elapsed(&self) -> Duration {
        self.port.elapsed()
    }

    fn publish(
        &mut self,
        topic: &str,
        payload: &[u8],
        qos: QoS,
        retain: bool,
    ) -> Result<(), String> {
        self.port.publish(topic, payload, qos, retain)
    }

    fn published(&mut self, limit: Duration) -> Option<(String, Vec<u8>)> {
        self.port.published(limit)
    }

    fn fault(&mut self, fault: &Fault) -> Result<(), String> {
        self.port.fault(fault)
    }

    fn heal(&mut self) -> Result<(), String> {
        self.port.heal()
    }

    fn rival(&mut self, client_id: &str) -> Result<(), String> {
        self.port.rival(client_id)
    }

    fn iotda(&mut self, request: &Request) -> Result<(), String> {
        self.port.iotda(request)
    }

    fn news(&mut self, limit: Duration) -> Option<String> {
        self.port.news(limit)
    }

    fn power_on(&mut self) -> Result<(), String> {
        self.port.power_on()
    }
}
