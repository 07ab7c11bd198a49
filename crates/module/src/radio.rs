//! SIM, signal, registration, attach and PDP contexts.

use crate::api::{NetworkEvent, Pace, Radio as World, Registration, Sim};
use dialect::model::{Bearer, Model, Timing};
use instant::Instant;
use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::Duration;

/// A change that the host may be told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The module has booted.
    Booted,
    /// The SIM's state is known, or another.
    Sim,
    /// The registration is another.
    Registration,
    /// There is packet service; the network tells the time.
    Service,
    /// There is no packet service any more.
    NoService,
    /// The host switched the radio off.
    Detached,
    /// A PDP context is up.
    PdpUp(u8),
    /// A PDP context is down.
    PdpDown { cid: u8, by_network: bool },
    /// An access point has given another address.
    Address,
    /// The access points around a Wi-Fi station go away or come back.
    AccessPoints { in_reach: bool },
}

/// One PDP context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Context {
    pub(crate) cid: u8,
    pub(crate) kind: String,
    /// As the host defined it; empty: the network chooses.
    pub(crate) apn: String,
    pub(crate) active: bool,
}

/// An APN that is kept over a reboot: a private network's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SavedApn {
    pub(crate) apn: String,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) auth: u8,
}

impl SavedApn {
    /// As the flash has it.
    pub(crate) fn to_text(&self) -> String {
        [
            &*self.apn,
            &self.user,
            &self.password,
            &self.auth.to_string(),
        ]
        .join("\0")
    }

    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let [apn, user, password, auth] = text.split('\0').collect::<Vec<_>>().try_into().ok()?;
        Some(Self {
            apn: String::from(apn),
            user: String::from(user),
            password: String::from(password),
            auth: auth.parse().ok()?,
        })
    }
}
/// How long a SIM is busy when nobody asks for it.
// Inferred: no manual names a limit.
const SIM_BUSY_MAX: Duration = Duration::from_secs(60);

/// The context that a module brings up by itself.
pub(crate) const DEFAULT_CID: u8 = 1;

pub(crate) struct Radio {
    pub(crate) world: World,
    pub(crate) stat: Registration,
    pub(crate) attached: bool,
    /// `AT+CFUN`
    pub(crate) fun: u8,
    pub(crate) contexts: Vec<Context>,
    pub(crate) saved_apn: Option<SavedApn>,
    /// `AT+CREG`, `AT+CGREG`, `AT+CEREG`
    pub(crate) reporting: [u8; 3],
    /// `AT+CGEREP`
    pub(crate) event_reporting: u8,
    /// `AT+COPS`: mode and format.
    pub(crate) cops: (u8, u8),
    /// Active time and periodic TAU that the network gave for power saving, as bits.
    pub(crate) power_saving: Option<[String; 2]>,
    /// Whether there is a cellular modem at all.
    cellular: bool,
    /// How often the SIM will yet be found busy; 0: as long as it is.
    sim_busy: u32,
    steps: VecDeque<(Instant, Step)>,
    changes: VecDeque<Change>,
}

/// What happens by itself after power-on or when service returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Boot,
    Sim,
    Register,
    ActivatePdp,
    /// A SIM that was busy is so no more.
    SimReady,
}

impl Radio {
    pub(crate) fn new(world: &World) -> Self {
        Self {
            world: world.clone(),
            stat: Registration::NotRegistered,
            attached: false,
            fun: 1,
            contexts: Vec::new(),
            saved_apn: None,
            reporting: [0; 3],
            event_reporting: 0,
            cops: (0, 2),
            power_saving: None,
            cellular: true,
            sim_busy: 0,
            steps: VecDeque::new(),
            changes: VecDeque::new(),
        }
    }

    pub(crate) fn power_on(&mut self, now: Instant, model: &Model, pace: Pace) {
        self.cellular = model.bearer != Bearer::WiFi;
        self.fun = 1;
        self.reporting = [0; 3];
        self.event_reporting = model.defaults.cgerep;
        self.cops = (0, model.defaults.cops_format);
        self.power_saving = None;
        self.contexts = vec![Context {
            cid: DEFAULT_CID,
            kind: "IP".into(),
            apn: String::new(),
            active: false,
        }];
        self.schedule(now, Step::Boot, model.timing.boot, pace);
    }

    pub(crate) fn power_off(&mut self) {
        if self.sim_busy > 0 {
            self.sim_busy = 0;
            self.world.sim = Sim::Ready;
        }
        self.stat = Registration::NotRegistered;
        self.attached = false;
        self.contexts.clear();
        self.steps.clear();
        self.changes.clear();
    }

    pub(crate) fn forget_apn(&mut self) {
        self.saved_apn = None;
    }

    /// What the world does.
    pub(crate) fn event(&mut self, now: Instant, timing: &Timing, pace: Pace, event: NetworkEvent) {
        match event {
            NetworkEvent::PdpDeactivated => {
                for cid in self.active() {
                    self.deactivate(cid, true);
                }
            }
            NetworkEvent::Signal { rssi } if !self.cellular => {
                let before = std::mem::replace(&mut self.world.rssi, rssi);
                if (before == 99) != (rssi == 99) {
                    let in_reach = rssi != 99;
                    self.changes.push_back(Change::AccessPoints { in_reach });
                }
            }
            NetworkEvent::AddressChanged if !self.cellular => {
                self.world.station_address = next_address(self.world.station_address);
                self.changes.push_back(Change::Address);
            }
            _ if !self.cellular => {}
            NetworkEvent::AddressChanged => {
                for cid in self.active() {
                    self.deactivate(cid, true);
                }
                self.world.address = next_address(self.world.address);
                if self.attached {
                    self.schedule(now, Step::ActivatePdp, timing.pdp, pace);
                }
            }
            NetworkEvent::SimBusy { times } => {
                self.sim_busy = times;
                self.event(now, timing, pace, NetworkEvent::Sim(Sim::Busy));
                // At any pace: it is the host that may not ask.
                self.insert(now + SIM_BUSY_MAX, Step::SimReady);
            }
            NetworkEvent::Signal { rssi } => {
                self.world.rssi = rssi;
                if rssi == 99 && self.stat.has_service() {
                    self.lose_service(Registration::Searching);
                } else if rssi != 99 && self.stat == Registration::Searching {
                    self.search(now, timing, pace);
                }
            }
            NetworkEvent::Registration(registration) => {
                self.world.registration = registration;
                if registration.has_service() {
                    self.search(now, timing, pace);
                } else {
                    self.lose_service(registration);
                }
            }
            NetworkEvent::Sim(sim) => {
                if sim != Sim::Busy {
                    self.sim_busy = 0;
                }
                let ready = sim == Sim::Ready;
                self.world.sim = sim;
                self.changes.push_back(Change::Sim);
                if ready {
                    self.search(now, timing, pace);
                } else {
                    self.lose_service(Registration::NotRegistered);
                }
            }
            // The module itself sees to them.
            NetworkEvent::PowerCycle
            | NetworkEvent::PowerCut
            | NetworkEvent::Crash
            | NetworkEvent::FlashFull(_)
            | NetworkEvent::ClockSet(_)
            | NetworkEvent::ClockLost
            | NetworkEvent::HostRate { .. }
            | NetworkEvent::CommandsFail { .. } => {}
        }
    }

    /// What the world does while the module is off: it finds it so when it is on again.
    pub(crate) fn unseen(&mut self, event: NetworkEvent) {
        match event {
            NetworkEvent::Signal { rssi } => self.world.rssi = rssi,
            NetworkEvent::Registration(registration) => self.world.registration = registration,
            NetworkEvent::Sim(sim) => self.world.sim = sim,
            _ => {}
        }
    }

    /// A command has found the SIM busy; a fault may end with it.
    pub(crate) fn asked_for_sim(&mut self, now: Instant, timing: &Timing, pace: Pace) {
        if self.sim_busy == 1 {
            self.sim_is_ready(now, timing, pace);
        }
        self.sim_busy = self.sim_busy.saturating_sub(1);
    }

    fn sim_is_ready(&mut self, now: Instant, timing: &Timing, pace: Pace) {
        if self.sim_busy > 0 {
            self.sim_busy = 0;
            self.event(now, timing, pace, NetworkEvent::Sim(Sim::Ready));
        }
    }

    /// The next change that is due.
    pub(crate) fn next_change(
        &mut self,
        now: Instant,
        timing: &Timing,
        pace: Pace,
    ) -> Option<Change> {
        while self.changes.is_empty()
            && let Some((at, step)) = self.steps.front().copied()
            && at <= now
        {
            self.steps.pop_front();
            self.step(now, step, timing, pace);
        }
        self.changes.pop_front()
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.steps.front().map(|(at, _)| *at)
    }

    /// Looks for the network, as after power-on.
    pub(crate) fn search(&mut self, now: Instant, timing: &Timing, pace: Pace) {
        let waits = self.steps.iter().any(|(_, step)| *step == Step::Register);
        if self.fun == 1 && self.world.sim == Sim::Ready && !waits {
            self.schedule(now, Step::Register, timing.registration, pace);
        }
    }

    /// `AT+CFUN=0`, `1`, `4`
    pub(crate) fn set_fun(&mut self, now: Instant, fun: u8, timing: &Timing, pace: Pace) {
        let before = std::mem::replace(&mut self.fun, fun);
        if fun == 1 && before != 1 {
            self.changes.push_back(Change::Sim);
            self.search(now, timing, pace);
        } else if fun != 1 && before == 1 {
            if self.attached {
                self.changes.push_back(Change::Detached);
            }
            self.lose_service(Registration::NotRegistered);
        }
    }

    /// `AT+CGATT`: attach or detach; false when there is no network to attach to.
    pub(crate) fn set_attached(
        &mut self,
        now: Instant,
        attached: bool,
        timing: &Timing,
        pace: Pace,
    ) -> bool {
        if attached && !self.attached {
            if !self.stat.has_service() {
                return false;
            }
            self.attached = true;
            self.schedule(now, Step::ActivatePdp, timing.pdp, pace);
        } else if !attached && self.attached {
            self.changes.push_back(Change::Detached);
            self.drop_contexts();
            self.attached = false;
        }
        true
    }

    /// Brings a context up; false when the network does not give one.
    pub(crate) fn activate(&mut self, cid: u8) -> bool {
        if !self.stat.has_service() {
            return false;
        }
        let apn = self.apn_of(cid);
        let allowed = self.world.allowed_apns.is_empty() || self.world.allowed_apns.contains(&apn);
        let Some(context) = self.contexts.iter_mut().find(|context| context.cid == cid) else {
            return false;
        };
        if allowed && !context.active {
            context.active = true;
            self.attached = true;
            self.changes.push_back(Change::PdpUp(cid));
        }
        allowed
    }

    /// Takes a context down.
    pub(crate) fn deactivate(&mut self, cid: u8, by_network: bool) {
        if let Some(context) = self
            .contexts
            .iter_mut()
            .find(|context| context.cid == cid && context.active)
        {
            context.active = false;
            self.changes.push_back(Change::PdpDown { cid, by_network });
        }
    }

    pub(crate) fn context(&self, cid: u8) -> Option<&Context> {
        self.contexts.iter().find(|context| context.cid == cid)
    }

    pub(crate) fn is_active(&self, cid: u8) -> bool {
        self.context(cid).is_some_and(|context| context.active)
    }

    /// The APN that a context has or would get.
    pub(crate) fn apn_of(&self, cid: u8) -> String {
        let defined = self
            .context(cid)
            .map(|context| context.apn.clone())
            .unwrap_or_default();
        let saved = self.saved_apn.as_ref().filter(|_| cid == DEFAULT_CID);
        match saved {
            Some(saved) => saved.apn.clone(),
            None if defined.is_empty() => self.world.default_apn.clone(),
            None => defined,
        }
    }

    /// The address of a context; one after another from the first.
    pub(crate) fn address(&self, cid: u8) -> Ipv4Addr {
        let first = u32::from(self.world.address);
        Ipv4Addr::from(first.wrapping_add(u32::from(cid - DEFAULT_CID)))
    }

    fn step(&mut self, now: Instant, step: Step, timing: &Timing, pace: Pace) {
        match step {
            Step::Boot => {
                self.changes.push_back(Change::Booted);
                if self.cellular {
                    self.schedule(now, Step::Sim, timing.sim, pace);
                }
            }
            Step::Sim => {
                self.changes.push_back(Change::Sim);
                self.search(now, timing, pace);
            }
            Step::Register => {
                let stat = if self.world.rssi == 99 && self.world.registration.has_service() {
                    Registration::Searching
                } else {
                    self.world.registration
                };
                if stat != self.stat {
                    self.stat = stat;
                    self.changes.push_back(Change::Registration);
                }
                if stat.has_service() {
                    self.changes.push_back(Change::Service);
                    self.schedule(now, Step::ActivatePdp, timing.pdp, pace);
                }
            }
            Step::SimReady => self.sim_is_ready(now, timing, pace),
            Step::ActivatePdp => {
                self.activate(DEFAULT_CID);
            }
        }
    }

    /// The contexts that are up.
    fn active(&self) -> Vec<u8> {
        let active = self.contexts.iter().filter(|context| context.active);
        active.map(|context| context.cid).collect()
    }

    fn lose_service(&mut self, stat: Registration) {
        let had_service = self.stat.has_service();
        self.steps
            .retain(|(_, step)| matches!(step, Step::Boot | Step::Sim | Step::SimReady));
        self.drop_contexts();
        self.attached = false;
        if self.stat != stat {
            self.stat = stat;
            self.changes.push_back(Change::Registration);
        }
        if had_service {
            self.changes.push_back(Change::NoService);
        }
    }

    fn drop_contexts(&mut self) {
        let cids: Vec<u8> = self.contexts.iter().map(|context| context.cid).collect();
        for cid in cids {
            self.deactivate(cid, false);
        }
    }

    fn schedule(&mut self, now: Instant, step: Step, after: Duration, pace: Pace) {
        let after = match pace {
            Pace::Real => after,
            Pace::Fast => Duration::ZERO,
        };
        self.insert(now + after, step);
    }

    fn insert(&mut self, at: Instant, step: Step) {
        let place = self.steps.partition_point(|(other, _)| *other <= at);
        self.steps.insert(place, (at, step));
    }
}

/// Another address of the same network, and never the first or the last of it.
fn next_address(address: Ipv4Addr) -> Ipv4Addr {
    let [a, b, c, d] = address.octets();
    Ipv4Addr::new(a, b, c, d % 253 + 2)
}
