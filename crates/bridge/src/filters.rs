//! What the clients have subscribed to, and what of it the module is to subscribe to: nothing that another filter covers, since a
//! broker may send a copy for each subscription that a message matches.

use crate::api::{News, NotSubscribed};
use crate::level;
use crate::uploads::Told;
use broker::{Decision, Ticket};
use driver::{Driver, Refusal, Token};
use instant::Instant;
use mqtt::{QoS, topic_covers};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How often a module may refuse a subscription. It refuses for reasons of its own as well.
const REFUSALS: u32 = 3;
const AFTER_REFUSAL: Duration = Duration::from_secs(2);

/// All filters of all clients.
#[derive(Default)]
pub(crate) struct Filters {
    all: BTreeMap<Box<str>, Filter>,
    /// Filters that clients have asked for, in their order.
    asks: VecDeque<Box<str>>,
    /// What the driver is about; one at a time.
    under_way: Option<UnderWay>,
    /// Nothing is requested before.
    not_before: Option<Instant>,
    /// There may be something to do.
    changed: bool,
    /// The driver's last request was one of these.
    had_turn: bool,
}

#[derive(Default)]
struct Filter {
    clients: BTreeMap<Box<str>, QoS>,
    /// Clients that wait for their SUBACK.
    waiters: VecDeque<(Ticket, QoS)>,
    /// It is one of [`Filters::asks`].
    is_asked: bool,
    above: Above,
    /// Of the last request to subscribe.
    token: Option<Token>,
    refusals: u32,
}

/// What the broker above has of a filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Above {
    #[default]
    Nothing,
    /// A subscription, with this QoS.
    Held(QoS),
    /// It was refused. The driver tries again whenever it connects.
    Refused,
}

struct UnderWay {
    token: Token,
    filter: Box<str>,
    /// With this QoS, for so many of the waiters; `None`: the subscription ends.
    subscribe: Option<(QoS, usize)>,
}

enum Step {
    Subscribe(Box<str>, QoS),
    Unsubscribe(Box<str>),
}

impl Filters {
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.not_before
    }

    /// A client subscribes; false when there are `max` filters already.
    pub(crate) fn subscribe(
        &mut self,
        client: &str,
        filter: &str,
        qos: QoS,
        ticket: Ticket,
        max: usize,
    ) -> bool {
        if self.all.len() >= max && !self.all.contains_key(filter) {
            return false;
        }
        let entry = self.all.entry(filter.into()).or_default();
        entry.clients.insert(client.into(), qos);
        entry.waiters.push_back((ticket, qos));
        self.ask(filter);
        true
    }

    /// A client has a subscription no more.
    pub(crate) fn unsubscribed(&mut self, client: &str, filter: &str) {
        if let Some(entry) = self.all.get_mut(filter) {
            entry.clients.remove(client);
            self.changed = true;
            self.tidy(filter);
        }
    }

    /// A message has had its turn.
    pub(crate) fn take_turn(&mut self) {
        self.had_turn = false;
    }

    /// Has a message the next turn? Drivers subscribe first, and a client that does so without end would keep messages from going.
    pub(crate) fn had_turn(&self) -> bool {
        self.had_turn
    }

    /// Requests of the driver what is to be requested.
    pub(crate) fn request(&mut self, now: Instant, driver: &mut Driver<'_>, told: &mut Told<'_>) {
        while self.changed && self.under_way.is_none() && self.not_before.is_none_or(|at| at <= now)
        {
            self.not_before = None;
            // A driver that subscribes to everything again would forget that it is to unsubscribe.
            match self.next_step(driver.is_connected(), told) {
                None => return,
                Some(Step::Subscribe(filter, qos)) => {
                    match driver.subscribe(now, &filter, level(qos)) {
                        Ok(token) => self.begin(token, filter, Some(qos)),
                        Err(error) => self.refuse(&filter, NotSubscribed::Cannot(error), told),
                    }
                }
                Some(Step::Unsubscribe(filter)) => match driver.unsubscribe(now, &filter) {
                    Ok(token) => self.begin(token, filter, None),
                    Err(_) => self.set(&filter, Above::Nothing),
                },
            }
        }
    }

    /// What became of a request to subscribe.
    pub(crate) fn answered(
        &mut self,
        now: Instant,
        token: Token,
        result: Result<(), Refusal>,
        told: &mut Told<'_>,
    ) {
        let Some(UnderWay {
            filter,
            subscribe: Some((qos, waiters)),
            ..
        }) = self.under_way.take_if(|own| own.token == token)
        else {
            return self.answered_again(token, result, told);
        };
        let Some(entry) = self.all.get_mut(&filter) else {
            return;
        };
        match result {
            Ok(()) => {
                entry.refusals = 0;
                for (ticket, qos) in entry.waiters.drain(..waiters.min(entry.waiters.len())) {
                    told.decisions
                        .push_back(Decision::Subscribed(ticket, Some(qos)));
                }
                let more = !entry.waiters.is_empty();
                self.set(&filter, Above::Held(qos));
                if more {
                    // They may have missed what is retained.
                    self.ask(&filter);
                }
            }
            Err(refusal @ Refusal::Broker(_)) => {
                self.refuse(&filter, NotSubscribed::Refused(refusal), told);
            }
            Err(refusal) => {
                entry.refusals += 1;
                if entry.refusals >= REFUSALS {
                    self.refuse(&filter, NotSubscribed::Refused(refusal), told);
                } else {
                    // The driver has it, and would subscribe to it whenever it connects.
                    entry.above = Above::Refused;
                    self.not_before = Some(now + AFTER_REFUSAL);
                    self.ask(&filter);
                }
            }
        }
    }

    /// The driver has connected again, and what was granted is refused now, or the other way round.
    fn answered_again(&mut self, token: Token, result: Result<(), Refusal>, told: &mut Told<'_>) {
        let found = self.all.iter().find(|(_, it)| it.token == Some(token));
        let Some((filter, entry)) = found else {
            return;
        };
        let filter = filter.clone();
        match (result, entry.above) {
            (Err(refusal), _) => self.refuse(&filter, NotSubscribed::Refused(refusal), told),
            (Ok(()), Above::Held(_)) => {}
            (Ok(()), _) => {
                let qos = self.needed(&filter);
                self.set(&filter, Above::Held(qos));
            }
        }
    }

    /// A subscription has ended.
    pub(crate) fn ended(&mut self, token: Token) {
        let is_it = |own: &mut UnderWay| own.token == token && own.subscribe.is_none();
        if let Some(UnderWay { filter, .. }) = self.under_way.take_if(is_it) {
            self.set(&filter, Above::Nothing);
        }
    }

    fn ask(&mut self, filter: &str) {
        self.changed = true;
        if let Some(entry) = self.all.get_mut(filter)
            && !std::mem::replace(&mut entry.is_asked, true)
        {
            self.asks.push_back(filter.into());
        }
    }

    fn begin(&mut self, token: Token, filter: Box<str>, subscribe: Option<QoS>) {
        let mut waiters = 0;
        if let Some(entry) = self.all.get_mut(&filter) {
            waiters = entry.waiters.len();
            entry.token = subscribe.map(|_| token);
        }
        self.had_turn = true;
        self.under_way = Some(UnderWay {
            token,
            filter,
            subscribe: subscribe.map(|qos| (qos, waiters)),
        });
    }

    /// Nobody gets it.
    fn refuse(&mut self, filter: &str, why: NotSubscribed, told: &mut Told<'_>) {
        let Some(entry) = self.all.get_mut(filter) else {
            return;
        };
        entry.refusals = 0;
        for (ticket, _) in entry.waiters.drain(..) {
            told.decisions.push_back(Decision::Subscribed(ticket, None));
        }
        told.news.push_back(News::NotSubscribed {
            filter: filter.into(),
            why,
        });
        self.set(filter, Above::Refused);
    }

    fn set(&mut self, filter: &str, above: Above) {
        if let Some(entry) = self.all.get_mut(filter) {
            entry.above = above;
        }
        self.changed = true;
        self.tidy(filter);
    }

    /// Forgets a filter that nobody wants and nobody has.
    fn tidy(&mut self, filter: &str) {
        let is_idle = self.all.get(filter).is_some_and(|entry| {
            entry.clients.is_empty()
                && entry.waiters.is_empty()
                && !entry.is_asked
                && entry.above == Above::Nothing
        });
        let is_under_way = self
            .under_way
            .as_ref()
            .is_some_and(|it| &*it.filter == filter);
        if is_idle && !is_under_way {
            self.all.remove(filter);
        }
    }

    /// What is to be done next. What takes the place of another comes before that one goes: nothing is missed meanwhile.
    fn next_step(&mut self, is_online: bool, told: &mut Told<'_>) -> Option<Step> {
        while let Some(filter) = self.asks.pop_front() {
            let Some(entry) = self.all.get_mut(&filter) else {
                continue;
            };
            entry.is_asked = false;
            if !entry.clients.is_empty() {
                let qos = self.needed(&filter);
                return Some(Step::Subscribe(filter, qos));
            }
            // They have left before they were answered.
            for (ticket, qos) in entry.waiters.drain(..) {
                told.decisions
                    .push_back(Decision::Subscribed(ticket, Some(qos)));
            }
            self.tidy(&filter);
        }
        let mut all = self.all.iter();
        let missing = all.find(|(filter, entry)| match entry.above {
            _ if entry.clients.is_empty() => false,
            Above::Nothing => !self.is_covered(filter),
            Above::Held(qos) => qos < self.needed(filter) && !self.is_covered(filter),
            Above::Refused => false,
        });
        let missing =
            missing.map(|(filter, _)| Step::Subscribe(filter.clone(), self.needed(filter)));
        if missing.is_some() || !is_online {
            return missing;
        }
        let mut held = self.all.iter();
        let superfluous = held.find(|(filter, entry)| {
            entry.above != Above::Nothing && (entry.clients.is_empty() || self.is_covered(filter))
        });
        self.changed = superfluous.is_some();
        superfluous.map(|(filter, _)| Step::Unsubscribe(filter.clone()))
    }

    /// Is it covered by another one, which the broker above has and a client wants?
    fn is_covered(&self, filter: &str) -> bool {
        self.all.iter().any(|(other, entry)| {
            matches!(entry.above, Above::Held(_))
                && !entry.clients.is_empty()
                && **other != *filter
                && topic_covers(other, filter)
        })
    }

    /// The QoS of whoever gets messages by it.
    fn needed(&self, filter: &str) -> QoS {
        let covered = self
            .all
            .iter()
            .filter(|(other, _)| topic_covers(filter, other));
        let all = covered.flat_map(|(_, entry)| entry.clients.values());
        all.copied().max().unwrap_or_default()
    }
}
