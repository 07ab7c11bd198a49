//! Names and connections.

use module::NetError;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};

/// A TCP connection that nobody answers for so long has failed.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(75);

/// Where a name leads, against what DNS says: `HOST[:PORT]=ADDR[:PORT]`, as curl's `--resolve` does it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The name; `*` is every name.
    host: String,
    /// The port that it is for; `None` is every port.
    port: Option<u16>,
    address: IpAddr,
    /// The port that takes its place.
    to_port: Option<u16>,
}

impl FromStr for Override {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is not HOST[:PORT]=ADDR[:PORT], such as mqtt.example.com=127.0.0.1:1883"
            )
        };
        let (from, to) = text.split_once('=').ok_or_else(wrong)?;
        let (host, port) = match from.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().map_err(|_| wrong())?)),
            None => (from, None),
        };
        if host.is_empty() {
            return Err(wrong());
        }
        let (address, to_port) = match (to.parse::<SocketAddr>(), to.parse::<IpAddr>()) {
            (Ok(address), _) => (address.ip(), Some(address.port())),
            (_, Ok(address)) => (address, None),
            _ => return Err(wrong()),
        };
        Ok(Self {
            host: host.to_ascii_lowercase(),
            port,
            address,
            to_port,
        })
    }
}

/// Looks names up, with the user's overrides first.
#[derive(Clone, Debug, Default)]
pub struct Resolver {
    overrides: Arc<[Override]>,
}

impl Resolver {
    /// The first override that fits wins.
    pub fn new(overrides: Vec<Override>) -> Self {
        Self {
            overrides: overrides.into(),
        }
    }

    /// All addresses of a name, at a port.
    ///
    /// # Errors
    /// [`NetError::Dns`] when there is none.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, NetError> {
        if let Some(found) = self.find(host, port) {
            return Ok(vec![SocketAddr::new(
                found.address,
                found.to_port.unwrap_or(port),
            )]);
        }
        let found: Vec<SocketAddr> = lookup_host((host, port))
            .await
            .map_err(|_| NetError::Dns)?
            .collect();
        if found.is_empty() {
            Err(NetError::Dns)
        } else {
            Ok(found)
        }
    }

    /// Resolves a name and connects to the first of its addresses that answers, IPv4 before IPv6, as the modules do
    /// that have an IPv4 bearer.
    ///
    /// # Errors
    /// Why the last address did not answer.
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, NetError> {
        let mut addresses = self.resolve(host, port).await?;
        addresses.sort_by_key(SocketAddr::is_ipv6);
        let mut last = NetError::Dns;
        for address in addresses {
            match tokio::time::timeout(CONNECT_TIMEOUT, connect_to(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = error,
                Err(_) => last = NetError::Timeout,
            }
        }
        Err(last)
    }

    fn find(&self, host: &str, port: u16) -> Option<&Override> {
        self.overrides.iter().find(|entry| {
            (entry.host == "*" || entry.host.eq_ignore_ascii_case(host))
                && entry.port.is_none_or(|own| own == port)
        })
    }
}

/// Connects to an address.
///
/// # Errors
/// Why it did not answer.
pub async fn connect_to(address: SocketAddr) -> Result<TcpStream, NetError> {
    let stream = TcpStream::connect(address).await;
    let stream = stream.map_err(|error| net_error(&error))?;
    // Small packets must not wait for the acknowledgement of those before them.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// An address to listen on, for the command line: `127.0.0.1:1883`, `localhost:1883`, or the port alone.
///
/// # Errors
/// It is none.
pub fn parse_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse() {
        return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    let text = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.into(),
    };
    text.parse()
        .map_err(|_| format!("{text:?} is no address and port, such as 127.0.0.1:1883, or 1883"))
}

fn net_error(error: &io::Error) -> NetError {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => NetError::Refused,
        io::ErrorKind::TimedOut => NetError::Timeout,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => NetError::Unreachable,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => NetError::Reset,
        _ => NetError::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_be_a_port_alone() {
        for text in ["1883", "localhost:1883", "127.0.0.1:1883"] {
            assert_eq!(parse_address(text).unwrap().to_string(), "127.0.0.1:1883");
        }
        assert_eq!(parse_address("[::]:0").unwrap().to_string(), "[::]:0");
        for bad in ["", "host:1883", "70000", "127.0.0.1"] {
            assert!(parse_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn overrides_are_written_as_for_curl() {
        let resolver = Resolver::new(vec![
            "a.example:1883=127.0.0.1:11883".parse().unwrap(),
            "a.example=127.0.0.2".parse().unwrap(),
            "*=[::1]:9".parse().unwrap(),
        ]);
        let found = |host, port| {
            let entry = resolver.find(host, port).unwrap();
            SocketAddr::new(entry.address, entry.to_port.unwrap_or(port)).to_string()
        };
        assert_eq!(found("A.example", 1883), "127.0.0.1:11883");
        assert_eq!(found("a.example", 8883), "127.0.0.2:8883");
        assert_eq!(found("b.example", 1), "[::1]:9");
        for bad in ["a", "a=", "=127.0.0.1", "a:x=127.0.0.1", "a=b"] {
            assert!(bad.parse::<Override>().is_err(), "{bad}");
        }
    }
}
