//! CIPSTART, CIPSEND and the rest: TCP for hosts that bring their own protocol.

use super::PROMPT;
use super::manufacturing::certificate;
use crate::api::{LinkEvent, LinkId, Output, Transport};
use crate::core::{Core, Outcome};
use crate::state::{LinkState, Phase, Protocol};
use crate::terminal::{DataEnd, DataMode};
use dialect::{Form, Statement, espressif as esp};
use instant::Instant;
use std::time::Duration;

/// Source: 2.2 documentation.
const LINKS: usize = 5;
/// The most in one +IPD. Source: MAME's esp8266_at.
const PART: usize = 2920;
/// What is kept for a host that asks for its data; then the peer is held up.
// Source: 2.2 documentation: the receive window of a socket.
const WINDOW: usize = 5760;
/// How long CIPSTART may take. Inferred: lwIP gives up after some 18 s.
const PATIENCE: Duration = Duration::from_secs(18);

pub(super) struct Sockets {
    links: [Option<Socket>; LINKS],
    /// AT+CIPMUX
    several: bool,
    /// AT+CIPMODE
    transparent: bool,
    /// AT+CIPDINFO
    show_peer: bool,
    /// AT+CIPRECVMODE
    passive: bool,
    /// AT+SYSMSG
    pub(super) messages: u8,
    /// A link was open since power-on.
    ever_open: bool,
    opening: Option<(usize, Instant)>,
    sending: Option<usize>,
    /// AT+CIPRECONNINTV, in 100 ms.
    interval: u16,
    /// When passthrough opens its link anew.
    again_at: Option<Instant>,
    /// AT+CIPSSLCCONF of each link: mode, index of certificate and key, index of the CA.
    ssl: [[i64; 3]; LINKS],
}

impl Default for Sockets {
    fn default() -> Self {
        Self {
            links: Default::default(),
            several: false,
            transparent: false,
            show_peer: false,
            passive: false,
            messages: 0,
            ever_open: false,
            opening: None,
            sending: None,
            // Source: 2.2 documentation.
            interval: 1,
            again_at: None,
            ssl: Default::default(),
        }
    }
}

/// The station, as AT+CIPSTATUS counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wifi {
    /// It is not in use.
    Off,
    /// It never tried.
    Idle,
    /// It has an address.
    Ready,
    /// It has none, or none any more.
    Away,
}

struct Socket {
    id: LinkId,
    open: bool,
    kind: String,
    /// Its AT+CIPSSLCCONF: mode, index of certificate and key, index of the CA.
    ssl: [i64; 3],
    host: String,
    port: u16,
    /// Its address.
    peer: String,
    /// What waits for the host, in passive mode.
    held: Vec<u8>,
    /// The host knows of it.
    told: bool,
    /// The peer has closed; CLOSED waits until the host has read what is held.
    closed: bool,
}

impl Sockets {
    pub(super) fn execute(
        &mut self,
        core: &mut Core,
        statement: &Statement<'_>,
        wifi: Wifi,
    ) -> Option<Outcome> {
        let values = &statement.values;
        let read = statement.form == Form::Read;
        let in_use = self.links.iter().any(Option::is_some);
        Some(match statement.command.name {
            "+CIPMUX" => {
                let clashes = values.int(0) == Some(1) && self.transparent;
                let allowed = read || !(in_use || clashes);
                Self::flag(core, statement, &mut self.several, allowed)
            }
            "+CIPMODE" => {
                let allowed = read || !self.several;
                Self::flag(core, statement, &mut self.transparent, allowed)
            }
            "+CIPRECVMODE" => Self::flag(core, statement, &mut self.passive, true),
            "+CIPDINFO" if read => {
                core.info_open(&format!("+CIPDINFO:{}", self.show_peer));
                Outcome::Ok
            }
            "+CIPDINFO" => {
                self.show_peer = values.int(0) == Some(1);
                Outcome::Ok
            }
            "+CIPSTART" | "+CIPSTARTEX" => self.start(core, statement, wifi),
            "+CIPSSLCCONF" => self.ssl(core, statement),
            "+CIPRECONNINTV" if read => {
                let interval = self.interval;
                core.info_text(&format!("+CIPRECONNINTV:{interval}"));
                Outcome::Ok
            }
            "+CIPRECONNINTV" => {
                self.interval = values.int(0).unwrap_or(1) as u16;
                Outcome::Ok
            }
            "+CIPSEND" => self.send(statement),
            "+CIPCLOSE" => self.close(core, statement),
            "+CIPSTATUS" => {
                self.status(core, wifi);
                Outcome::Ok
            }
            "+CIPSTATE" => {
                self.list(core, &esp::CIPSTATE);
                Outcome::Ok
            }
            "+CIPRECVLEN" => {
                let shown = if self.several { LINKS } else { 1 };
                let lengths: Vec<_> = self.links[..shown]
                    .iter()
                    .map(|link| {
                        link.as_ref()
                            .map_or(-1, |link| link.window() as i64)
                            .to_string()
                    })
                    .collect();
                core.info_text(&format!("+CIPRECVLEN:{}", lengths.join(",")));
                Outcome::Ok
            }
            "+CIPRECVDATA" => self.receive(core, statement),
            _ => return None,
        })
    }

    fn flag(core: &mut Core, statement: &Statement<'_>, flag: &mut bool, allowed: bool) -> Outcome {
        if !allowed {
            return Outcome::Error;
        }
        if statement.form == Form::Read {
            core.info_text(&format!("{}:{}", statement.command.name, u8::from(*flag)));
        } else {
            *flag = statement.values.int(0) == Some(1);
        }
        Outcome::Ok
    }

    /// The link that a command is about, when it is written as AT+CIPMUX wants it; `with_id` is how many values it has then.
    fn index(&self, statement: &Statement<'_>, has_id: bool) -> Option<usize> {
        match (self.several, has_id) {
            (true, true) => usize::try_from(statement.values.int(0)?).ok(),
            (false, false) => Some(0),
            _ => None,
        }
    }

    fn start(&mut self, core: &mut Core, statement: &Statement<'_>, wifi: Wifi) -> Outcome {
        let values = &statement.values;
        let has_id = values.int(0).is_some();
        let index = if statement.command.name == "+CIPSTARTEX" {
            let shown = if self.several { LINKS } else { 1 };
            let free = self.links[..shown].iter().position(Option::is_none);
            // Inferred: without a free link the answer is that of a link in use.
            Some(free.unwrap_or(0))
        } else {
            self.index(statement, has_id)
        };
        let Some(index) = index else {
            core.note(|| "the link's number stands there after AT+CIPMUX=1, and only then".into());
            return Outcome::Error;
        };
        let first = usize::from(has_id);
        let text = |at: usize| String::from_utf8_lossy(values.text(at)).into_owned();
        let (kind, host) = (text(first), text(first + 1));
        let port = values.int(first + 2).unwrap_or(0) as u16;
        if self.links[index].is_some() {
            core.info_text("ALREADY CONNECTED");
            return Outcome::Error;
        }
        if !matches!(kind.as_str(), "TCP" | "SSL") {
            core.note(|| format!("{kind} is not played here: TCP and SSL are"));
            return Outcome::Error;
        }
        if wifi != Wifi::Ready || host.is_empty() {
            core.note(|| "no Wi-Fi: wait for WIFI GOT IP".into());
            return Outcome::Error;
        }
        let mut link = Socket {
            id: LinkId(0),
            open: false,
            kind,
            ssl: self.ssl[index],
            host,
            port,
            peer: String::new(),
            held: Vec::new(),
            told: false,
            closed: false,
        };
        link.open(core);
        self.links[index] = Some(link);
        self.opening = Some((index, core.now + PATIENCE));
        Outcome::Later
    }

    fn send(&mut self, statement: &Statement<'_>) -> Outcome {
        if statement.form == Form::Execute {
            return match &self.links[0] {
                Some(link) if link.open && self.transparent && !self.several => {
                    Outcome::Stream(PROMPT)
                }
                _ => Outcome::Error,
            };
        }
        let values = &statement.values;
        let Some(index) = self.index(statement, values.len() > 1) else {
            return Outcome::Error;
        };
        let open = self.links[index]
            .as_ref()
            .is_some_and(|link| link.open && !link.closed);
        if !open || self.transparent {
            return Outcome::Error;
        }
        let len = values.int(values.len() - 1).unwrap_or(0) as usize;
        self.sending = Some(index);
        Outcome::Data(DataMode {
            prompt: PROMPT,
            len: Some(len),
            max: len,
            cancel: true,
            ..DataMode::default()
        })
    }

    /// What CIPSEND waited for; `None` when it was another command.
    pub(super) fn data(&mut self, core: &mut Core, data: &[u8], end: DataEnd) -> Option<Outcome> {
        let index = self.sending.take()?;
        if end != DataEnd::Length {
            core.info_text("SEND Canceled");
            return Some(Outcome::Silent);
        }
        core.progress(&esp::RECV, &[(data.len() as i64).into()]);
        Some(match &self.links[index] {
            Some(link) if link.open => {
                core.out.push_back(Output::Send {
                    link: link.id,
                    bytes: data.to_vec(),
                });
                Outcome::Line(&esp::SEND_OK)
            }
            _ => Outcome::Line(&esp::SEND_FAIL),
        })
    }

    /// What is typed in passthrough; `+++` alone ends it.
    pub(super) fn stream(&mut self, core: &mut Core, bytes: &[u8]) {
        if bytes == b"+++" {
            core.state(|| "passthrough ends".into());
            core.terminal.end();
            if self.again_at.take().is_some() {
                self.links[0] = None;
                core.report(&esp::CLOSED, &[]);
            }
            if self.messages & 1 == 1 {
                core.report_text(b"+QUITT");
            }
            return;
        }
        match &self.links[0] {
            Some(link) if link.open => core.out.push_back(Output::Send {
                link: link.id,
                bytes: bytes.to_vec(),
            }),
            _ => core.note(|| format!("{} bytes lost: the link is closed", bytes.len())),
        }
    }

    fn close(&mut self, core: &mut Core, statement: &Statement<'_>) -> Outcome {
        let all = statement.values.int(0) == Some(LINKS as i64);
        let has_id = statement.form == Form::Set;
        let Some(index) = self.index(statement, has_id) else {
            return Outcome::Error;
        };
        if !all && self.links[index].is_none() {
            return Outcome::Error;
        }
        for at in 0..LINKS {
            if (all || at == index)
                && let Some(link) = self.links[at].take()
            {
                core.out.push_back(Output::Close { link: link.id });
                let text = self.named(at, "CLOSED");
                core.info_text(&text);
            }
        }
        Outcome::Ok
    }

    /// `CLOSED`, or `0,CLOSED` after AT+CIPMUX=1.
    fn named(&self, index: usize, what: &str) -> String {
        if self.several {
            format!("{index},{what}")
        } else {
            what.into()
        }
    }

    fn status(&self, core: &mut Core, wifi: Wifi) {
        let open = self.links.iter().flatten().any(|link| link.open);
        let stat: u8 = match wifi {
            Wifi::Off => 0,
            Wifi::Idle => 1,
            Wifi::Ready if open => 3,
            Wifi::Ready if self.ever_open => 4,
            Wifi::Ready => 2,
            Wifi::Away => 5,
        };
        core.info(&esp::STATUS, &[stat.into()]);
        self.list(core, &esp::CIPSTATUS);
    }

    fn list(&self, core: &mut Core, line: &'static dialect::Line) {
        for (index, link) in self.links.iter().enumerate() {
            let Some(link) = link.as_ref().filter(|link| link.open) else {
                continue;
            };
            // The local port is the machine's business: a number that looks like one.
            let local = 49_152 + i64::from(link.id.0 % 16_384);
            core.info(
                line,
                &[
                    (index as i64).into(),
                    link.kind.as_str().into(),
                    link.peer.as_str().into(),
                    i64::from(link.port).into(),
                    local.into(),
                    0.into(),
                ],
            );
        }
    }

    fn receive(&mut self, core: &mut Core, statement: &Statement<'_>) -> Outcome {
        let values = &statement.values;
        let Some(index) = self.index(statement, values.len() > 1) else {
            return Outcome::Error;
        };
        let wanted = values.int(values.len() - 1).unwrap_or(0) as usize;
        let passive = self.passive;
        let Some(link) = self.links[index]
            .as_mut()
            .filter(|link| passive && !link.held.is_empty())
        else {
            return Outcome::Error;
        };
        let len = wanted.min(link.window());
        let data: Vec<u8> = link.held.drain(..len).collect();
        link.told = false;
        let peer = if self.show_peer {
            format!("\"{}\",{},", link.peer, link.port)
        } else {
            String::new()
        };
        let mut text = format!("+CIPRECVDATA:{len},{peer}").into_bytes();
        text.extend_from_slice(&data);
        core.info_open("");
        core.info_bytes(&text);
        self.tell_of_held(core, index);
        self.finish(core, index);
        Outcome::Ok
    }

    /// What became of a link; false when it is none of these.
    pub(super) fn link(&mut self, core: &mut Core, id: LinkId, event: &LinkEvent<'_>) -> bool {
        let Some(index) = self
            .links
            .iter()
            .position(|link| link.as_ref().is_some_and(|link| link.id == id))
        else {
            return false;
        };
        match event {
            LinkEvent::Opened(peer) => {
                self.ever_open = true;
                self.opening = None;
                if let Some(link) = &mut self.links[index] {
                    link.open = true;
                    link.peer = peer.to_string();
                    if core.terminal.is_streaming() {
                        core.state(|| "link open again".into());
                        return true;
                    }
                    core.state(|| "link open".into());
                    if self.messages & 2 == 2 {
                        let local = 49_152 + link.id.0 % 16_384;
                        core.info_text(&format!(
                            "+LINK_CONN:0,{index},\"{}\",0,\"{}\",{},{local}",
                            link.kind, link.peer, link.port
                        ));
                    } else {
                        let text = self.named(index, "CONNECT");
                        core.info_text(&text);
                    }
                }
                core.completed = Some(Outcome::Ok);
            }
            LinkEvent::Failed(error) => {
                core.state(|| format!("link not opened: {error}"));
                if core.terminal.is_streaming() {
                    self.open_again(core);
                    return true;
                }
                self.links[index] = None;
                self.opening = None;
                core.completed = Some(Outcome::Error);
            }
            LinkEvent::Data(bytes) => self.arrived(core, index, bytes),
            LinkEvent::Closed | LinkEvent::Reset => {
                core.state(|| "link closed by the peer".into());
                if let Some(link) = &mut self.links[index] {
                    link.closed = true;
                    core.out.push_back(Output::Close { link: link.id });
                }
                self.finish(core, index);
            }
        }
        true
    }

    fn arrived(&mut self, core: &mut Core, index: usize, bytes: &[u8]) {
        if core.terminal.is_streaming() && index == 0 {
            core.stream(bytes);
            return;
        }
        let Some(link) = &mut self.links[index] else {
            return;
        };
        if self.passive {
            link.held.extend_from_slice(bytes);
            self.tell_of_held(core, index);
            return;
        }
        let peer = if self.show_peer {
            format!(",\"{}\",{}", link.peer, link.port)
        } else {
            String::new()
        };
        for part in bytes.chunks(PART) {
            let id = if self.several {
                format!("{index},")
            } else {
                String::new()
            };
            let mut text = format!("+IPD,{id}{}{peer}:", part.len()).into_bytes();
            text.extend_from_slice(part);
            core.report_text(&text);
        }
    }

    fn tell_of_held(&mut self, core: &mut Core, index: usize) {
        let several = self.several;
        let Some(link) = &mut self.links[index] else {
            return;
        };
        if link.told || link.held.is_empty() {
            return;
        }
        link.told = true;
        let len = link.window();
        let text = if several {
            format!("+IPD,{index},{len}")
        } else {
            format!("+IPD,{len}")
        };
        core.report_text(text.as_bytes());
    }

    /// A link whose peer has closed is over once the host has all of it.
    fn finish(&mut self, core: &mut Core, index: usize) {
        let over = self.links[index]
            .as_ref()
            .is_some_and(|link| link.closed && link.held.is_empty());
        if over && core.terminal.is_streaming() && index == 0 {
            self.open_again(core);
        } else if over {
            self.links[index] = None;
            let text = self.named(index, "CLOSED");
            core.report_text(text.as_bytes());
        }
    }

    /// Passthrough keeps its link: it is opened again and again. Source: 2.2 documentation, CIPMODE and CIPRECONNINTV.
    // Inferred: the host is not told.
    fn open_again(&mut self, core: &mut Core) {
        if let Some(link) = &mut self.links[0] {
            link.open = false;
            link.closed = false;
        }
        // At any pace: nobody may be there for a long time.
        self.again_at = Some(core.now + Duration::from_millis(100) * self.interval.into());
    }

    /// Whether there is room for data of a link; true when it is none of these.
    pub(super) fn takes_data(&self, core: &Core, id: LinkId) -> bool {
        let link = self.links.iter().flatten().find(|link| link.id == id);
        link.is_none_or(|link| {
            let full = self.passive && !core.terminal.is_streaming() && link.held.len() >= WINDOW;
            !full && !core.is_full()
        })
    }

    /// The certificates of a link.
    fn ssl(&mut self, core: &mut Core, statement: &Statement<'_>) -> Outcome {
        let shown = if self.several { LINKS } else { 1 };
        if statement.form == Form::Read {
            // Inferred: a line for each link that there can be.
            for (index, [mode, pki, ca]) in self.ssl[..shown].iter().enumerate() {
                core.info_text(&format!("+CIPSSLCCONF:{index},{mode},{pki},{ca}"));
            }
            return Outcome::Ok;
        }
        let values = &statement.values;
        let first = usize::from(self.several);
        let index = if self.several { values.int(0) } else { Some(0) };
        let (Some(index), Some(mode)) = (index, values.int(first)) else {
            return Outcome::Error;
        };
        let number = |at| values.int(at).unwrap_or(0);
        let settings = [mode, number(first + 1), number(first + 2)];
        if !(0..=3).contains(&mode) || index > LINKS as i64 {
            return Outcome::Error;
        }
        if let Some(missing) = missing_certificate(core, settings) {
            core.info_text(missing);
            return Outcome::Error;
        }
        for (at, own) in self.ssl.iter_mut().enumerate() {
            if index == LINKS as i64 || at as i64 == index {
                *own = settings;
            }
        }
        Outcome::Ok
    }

    pub(super) fn advance(&mut self, core: &mut Core) {
        if self.again_at.is_some_and(|at| at <= core.now) {
            self.again_at = None;
            if let Some(link) = &mut self.links[0] {
                link.open(core);
            }
        }
        if let Some((index, at)) = self.opening
            && at <= core.now
        {
            self.opening = None;
            if let Some(link) = self.links[index].take() {
                core.out.push_back(Output::Abort { link: link.id });
                core.completed = Some(Outcome::Error);
            }
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let opening = self.opening.map(|(_, at)| at);
        [opening, self.again_at].into_iter().flatten().min()
    }

    /// The network below is gone.
    pub(super) fn state(&self) -> impl Iterator<Item = LinkState> {
        let links = self.links.iter().enumerate();
        links.filter_map(|(index, link)| {
            let link = link.as_ref()?;
            Some(LinkState {
                index,
                protocol: if link.kind.starts_with("UDP") {
                    Protocol::Udp
                } else {
                    Protocol::Tcp
                },
                host: link.host.clone(),
                port: link.port,
                tls: link.kind.starts_with("SSL"),
                websocket: false,
                phase: match (link.closed, link.open) {
                    (true, _) => Phase::Dead,
                    (false, true) => Phase::Open,
                    (false, false) => Phase::Opening,
                },
                session: None,
            })
        })
    }

    pub(super) fn cut(&mut self, core: &mut Core) {
        let opening = self.opening.take();
        self.again_at = None;
        for index in 0..LINKS {
            let Some(link) = self.links[index].take() else {
                continue;
            };
            core.out.push_back(Output::Abort { link: link.id });
            if opening.is_some_and(|(own, _)| own == index) {
                core.completed = Some(Outcome::Error);
            } else {
                let text = self.named(index, "CLOSED");
                core.report_text(text.as_bytes());
            }
        }
        if core.terminal.is_streaming() {
            core.terminal.end();
        }
    }
}

/// What AT+CIPSSLCCONF says when a certificate is not there, where there is a place for it.
// Source: lib, at_setup_cmd_cipsslcconf; esp-at issue 476: and refuses it.
fn missing_certificate(core: &Core, [mode, pki, ca]: [i64; 3]) -> Option<&'static str> {
    dialect::command::find(core.model.commands, b"+SYSMFG")?;
    let wanted = [
        (1, "client_cert", pki, "NO CERT FOUND"),
        (1, "client_key", pki, "NO PRVT_KEY FOUND"),
        (2, "client_ca", ca, "NO CA FOUND"),
    ];
    wanted
        .into_iter()
        .find_map(|(bit, namespace, index, words)| {
            let is_missing = mode & bit == bit && certificate(core, namespace, index).is_none();
            is_missing.then_some(words)
        })
}

impl Socket {
    /// What the host may have of what is held: the module's TCP window, whatever came in one piece.
    fn window(&self) -> usize {
        self.held.len().min(WINDOW)
    }

    /// Asks for a transport.
    fn open(&mut self, core: &mut Core) {
        core.state(|| format!("opening {}:{}", self.host, self.port));
        let tls = (self.kind == "SSL").then(|| {
            let [mode, pki, ca] = self.ssl;
            let read = |namespace, index| certificate(core, namespace, index).map(<[u8]>::to_vec);
            let authorities = (mode & 2 == 2).then(|| read("client_ca", ca).unwrap_or_default());
            let own = read("client_cert", pki).zip(read("client_key", pki));
            Box::new(super::tls(core, authorities, own.filter(|_| mode & 1 == 1)))
        });
        let transport = Transport {
            tls,
            ..Transport::default()
        };
        self.id = core.open(&self.host, self.port, transport);
    }
}
