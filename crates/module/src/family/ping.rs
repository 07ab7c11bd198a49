//! Pings without the right to send ICMP.
//!
//! A TCP connection to port 7 (echo) stands for each echo request: an answer of any kind, refusal included, says that the
//! host is there. Only a host that drops such a connection in silence looks lost and is not.

use crate::api::{LinkEvent, LinkId, NetError, Output, Transport};
use crate::core::Core;
use instant::Instant;
use std::time::Duration;

/// What stands for the echo port.
const PORT: u16 = 7;

/// What became of a ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pinged {
    /// An answer, after so many milliseconds; at least 1.
    Reply(u32),
    /// None in time.
    Lost,
    /// The name has no address: there will be no more.
    NoName,
    /// That was the last one.
    Done(Summary),
}

/// All pings of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) sent: u32,
    pub(crate) received: u32,
    /// Least, mean and greatest time in milliseconds.
    pub(crate) times: [u32; 3],
}

/// A run of pings to one host.
pub(crate) struct Pinger {
    pub(crate) host: String,
    left: u32,
    interval: Duration,
    pub(crate) timeout: Duration,
    current: Option<(LinkId, Instant)>,
    next: Option<Instant>,
    times: Vec<u32>,
    sent: u32,
}

impl Pinger {
    /// Sends the first one.
    pub(crate) fn start(core: &mut Core, host: &str, count: u32, timeout: Duration) -> Self {
        let mut pinger = Self {
            host: host.into(),
            left: count,
            interval: Duration::from_secs(1),
            timeout,
            current: None,
            next: None,
            times: Vec::new(),
            sent: 0,
        };
        pinger.send(core);
        pinger
    }

    fn send(&mut self, core: &mut Core) {
        self.left -= 1;
        self.sent += 1;
        let link = core.open(&self.host, PORT, Transport::default());
        self.current = Some((link, core.now));
    }

    /// What an event of a link says; nothing when it is another's.
    pub(crate) fn link(
        &mut self,
        core: &mut Core,
        link: LinkId,
        event: &LinkEvent<'_>,
    ) -> Vec<Pinged> {
        let Some((_, since)) = self.current.filter(|(own, _)| *own == link) else {
            return Vec::new();
        };
        self.current = None;
        let reached = matches!(
            event,
            LinkEvent::Opened(_) | LinkEvent::Failed(NetError::Refused | NetError::Reset)
        );
        if matches!(event, LinkEvent::Opened(_)) {
            core.out.push_back(Output::Abort { link });
        }
        if matches!(event, LinkEvent::Failed(NetError::Dns)) {
            return vec![Pinged::NoName];
        }
        if !reached {
            return self.ended(core, Pinged::Lost);
        }
        let millis = u32::try_from((core.now - since).as_millis().max(1)).unwrap_or(u32::MAX);
        self.times.push(millis);
        self.ended(core, Pinged::Reply(millis))
    }

    /// Time has come.
    pub(crate) fn advance(&mut self, core: &mut Core) -> Vec<Pinged> {
        if self.next.is_some_and(|at| at <= core.now) {
            self.next = None;
            self.send(core);
        }
        match self.current {
            Some((link, since)) if since + self.timeout <= core.now => {
                core.out.push_back(Output::Abort { link });
                self.current = None;
                self.ended(core, Pinged::Lost)
            }
            _ => Vec::new(),
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let current = self.current.map(|(_, since)| since + self.timeout);
        current.or(self.next)
    }

    fn ended(&mut self, core: &Core, one: Pinged) -> Vec<Pinged> {
        if self.left > 0 {
            self.next = Some(core.now + core.span(self.interval));
            return vec![one];
        }
        let received = self.times.len() as u32;
        let total: u64 = self.times.iter().copied().map(u64::from).sum();
        let mean = total.checked_div(received.into()).unwrap_or(0) as u32;
        let least = self.times.iter().copied().min().unwrap_or(0);
        let greatest = self.times.iter().copied().max().unwrap_or(0);
        let summary = Summary {
            sent: self.sent,
            received,
            times: [least, mean, greatest],
        };
        vec![one, Pinged::Done(summary)]
    }
}
