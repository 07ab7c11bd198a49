//! A host that does whatever the driver's API has, and knows what must be true of what comes back.

use crate::{BOUND, OUTCOME, PATIENCE};
use dialect::Family;
use dialect::model::Bearer;
use driver::{
    CommandError, CommandFailure, Event, Lack, Options, Outcome, PublishError, QoS, Query,
    Recovery, Rung, Token, Why,
};
use instant::Instant;
use std::collections::HashMap;
use std::time::Duration;
use world::{Dice, Pair, Told};

/// What messages go up on, and what they come down on.
const UP: &str = "up";
const DOWN: [&str; 3] = ["down", "down/two", "d/3?x=1;y"];
/// What a raw command that prompts would publish on, if anything were typed after it.
const RAW: &str = "raw";

/// A message of the host.
struct Sent {
    qos: QoS,
    payload: Vec<u8>,
    at: Instant,
    /// Attempts of which nobody knows what became.
    unknown: usize,
    delivered: bool,
    handed_over: bool,
    refused: bool,
}

/// A message to the host.
struct Published {
    topic: usize,
    payload: Vec<u8>,
    qos: mqtt::QoS,
    at: Instant,
    /// Longer than the model reports.
    over: bool,
    /// In a calm world it must come.
    due: bool,
    times: usize,
}

/// A topic as the host sees it.
struct Topic {
    qos: QoS,
    /// It was subscribed to with QoS 1 once: a message may come twice.
    at_least_once: bool,
    wanted: bool,
    granted: bool,
    /// The last request, and whether its outcome is to come.
    token: Token,
    open: bool,
    /// The last unsubscription was told then.
    ended: Option<Instant>,
}

impl Default for Topic {
    fn default() -> Self {
        Self {
            qos: QoS::AtMostOnce,
            at_least_once: false,
            wanted: false,
            granted: false,
            token: Token(0),
            open: false,
            ended: None,
        }
    }
}

/// A command line of the host's, and how a line of its answer begins.
struct Raw {
    line: &'static str,
    answer: &'static str,
    /// It has the same answer always.
    fixed: bool,
}

const NO_SUCH: &str = "AT+NOSUCHCOMMAND";
const CELLULAR: &[Raw] = &[
    raw("AT", "", false),
    raw(NO_SUCH, "", false),
    raw("AT+CREG?", "+CREG: ", false),
    raw("AT+CIMI", "460", true),
    raw("AT+CCLK?", "+CCLK: ", false),
    raw("AT+COPS?", "+COPS: ", false),
];
const WIFI: &[Raw] = &[
    raw("AT", "", false),
    raw(NO_SUCH, "", false),
    raw("AT+CIPSTAMAC?", "+CIPSTAMAC:", true),
    raw("AT+CWMODE?", "+CWMODE:", false),
];

const fn raw(line: &'static str, answer: &'static str, fixed: bool) -> Raw {
    Raw {
        line,
        answer,
        fixed,
    }
}

pub(crate) struct Run<'a> {
    seed: u64,
    pub(crate) dice: Dice,
    pub(crate) pair: Pair<'a>,
    pub(crate) options: Options<'static>,
    pub(crate) noisy: bool,
    /// Nothing breaks.
    pub(crate) calm: bool,
    /// No command takes longer than it is waited for.
    pub(crate) is_punctual: bool,
    /// Messages hold no line ends: what is lost of a reply, or put between two lines of it, would be lost of a message, or put
    /// into it.
    pub(crate) tame: bool,
    speaks: bool,
    sent: Vec<Sent>,
    /// Which message a token is about, until its outcome.
    tokens: HashMap<u16, usize>,
    last: Option<usize>,
    at_broker: Vec<usize>,
    published: Vec<Published>,
    topics: [Topic; DOWN.len()],
    connected: bool,
    was_connected: bool,
    lost: Option<Why>,
    /// It was asked to log out then.
    leaving: Option<Instant>,
    /// Logged out, as asked.
    away: bool,
    climb: Climb,
    asked: Option<(Query, Instant)>,
    typed: Option<(&'static str, Instant)>,
    /// What it has printed.
    printed: Vec<Vec<u8>>,
    /// What was answered before anything broke.
    answers: Vec<(Query, String)>,
    lines: Vec<(&'static str, Vec<u8>)>,
}

/// Where the driver says that it is on its ladder.
#[derive(Default)]
struct Climb {
    last: Option<Recovery>,
    /// Since when it is connected.
    online: Option<Instant>,
    attempts: u32,
}

impl<'a> Run<'a> {
    pub(crate) fn new(seed: u64, pair: Pair<'a>, dice: Dice, speaks: bool) -> Self {
        Self {
            seed,
            dice,
            pair,
            options: Options::default(),
            noisy: false,
            calm: false,
            is_punctual: false,
            tame: false,
            speaks,
            sent: Vec::new(),
            tokens: HashMap::new(),
            last: None,
            at_broker: Vec::new(),
            published: Vec::new(),
            topics: std::array::from_fn(|_| Topic::default()),
            connected: false,
            was_connected: false,
            lost: None,
            leaving: None,
            away: false,
            climb: Climb::default(),
            asked: None,
            typed: None,
            printed: Vec::new(),
            answers: Vec::new(),
            lines: Vec::new(),
        }
    }

    pub(crate) fn fail(&self, what: &str) -> String {
        format!(
            "{what}\n  model {}, at {}: {:?}\n  again: MODEMQ_SEED={} cargo test -p modemq-world --test simulation one_seed -- --nocapture",
            self.pair.driver.model().name,
            self.pair.now(),
            self.pair.driver,
            self.seed
        )
    }

    fn wrong<T>(&self, what: &str) -> Result<T, String> {
        Err(self.fail(what))
    }

    pub(crate) fn run_until(
        &mut self,
        limit: Duration,
        done: impl Fn(&Self) -> bool,
    ) -> Result<bool, String> {
        let end = self.pair.now() + limit;
        let mut steps = 0;
        while !done(self) {
            if self.pair.now() >= end {
                return Ok(false);
            }
            self.step(end)?;
            steps += 1;
            if steps > 3_000_000 {
                return self.wrong("time does not pass");
            }
        }
        Ok(true)
    }

    fn step(&mut self, end: Instant) -> Result<(), String> {
        match self.pair.next_event() {
            Some(at) if at <= end => {
                self.pair.step();
            }
            Some(_) => self.pair.run_for(end - self.pair.now()),
            // A module that is not to be connected may sleep for ever.
            None if self.away => self.pair.run_for(end - self.pair.now()),
            None => return self.wrong("nothing will ever happen"),
        }
        self.look()
    }

    fn model(&self) -> &'static dialect::Model {
        self.pair.driver.model()
    }

    fn raws(&self) -> &'static [Raw] {
        match self.model().bearer {
            Bearer::WiFi => WIFI,
            _ => CELLULAR,
        }
    }
}

/// What the host does.
impl Run<'_> {
    /// Something, at random.
    pub(crate) fn act(&mut self) -> Result<(), String> {
        match self.dice.below(32) {
            0..=9 => self.publish(),
            10..=12 => self.republish(),
            13..=19 => self.publish_down(),
            20..=22 => self.query(),
            23..=26 => self.command(),
            27 | 28 => {
                let topic = self.dice.below(DOWN.len() as u32) as usize;
                let qos = QoS::from_level(self.dice.below(3) as u8).unwrap();
                self.subscribe(topic, qos);
            }
            29 => {
                let topic = self.dice.below(DOWN.len() as u32) as usize;
                self.unsubscribe(topic);
            }
            30 if !self.calm => self.leave_or_come(),
            31 if self.is_punctual && self.dice.below(4) == 0 => self.want_data(),
            _ => {}
        }
        self.pair.exchange();
        self.look()
    }

    fn publish(&mut self) {
        let qos = QoS::from_level(self.dice.below(3) as u8).unwrap();
        let long = self.dice.below(16) == 0;
        self.publish_with(qos, long);
    }

    fn publish_with(&mut self, qos: QoS, long: bool) -> Option<usize> {
        let now = self.pair.now();
        let number = self.sent.len();
        let limit = self.model().limits.publish_data.min(4_000);
        let mut payload = self.payload(number, if long { limit } else { 0 });
        let mut token = self.pair.driver.publish(now, UP, &payload, qos, false);
        if let Err(PublishError::TooLong(limit)) = token {
            payload = self.payload(number, limit);
            token = self.pair.driver.publish(now, UP, &payload, qos, false);
        }
        let token = token.ok()?;
        self.sent.push(Sent {
            qos,
            payload,
            at: now,
            unknown: 0,
            delivered: false,
            handed_over: false,
            refused: false,
        });
        self.tokens.insert(token.0, number);
        self.last = Some(number);
        Some(number)
    }

    fn republish(&mut self) {
        let now = self.pair.now();
        if let Ok(token) = self.pair.driver.republish(now) {
            let number = self.last.unwrap();
            self.sent[number].at = now;
            self.tokens.insert(token.0, number);
        }
    }

    fn publish_down(&mut self) {
        let topic = self.dice.below(DOWN.len() as u32) as usize;
        let level = self.dice.below(4).min(2);
        let qos = [
            mqtt::QoS::AtMostOnce,
            mqtt::QoS::AtLeastOnce,
            mqtt::QoS::ExactlyOnce,
        ][level as usize];
        // The longest that is reported whole, and what is longer. ESP-AT's continue in a message of its own.
        let report = self.model().limits.report;
        let esp = self.model().family == Family::Espressif;
        // A message of the NT35E has no length: what is lost of the replies around it would be lost of a long one.
        let long = if self.tame && self.model().name == "nt35e" {
            u32::MAX
        } else {
            self.dice.below(24)
        };
        let len = match long {
            0 if esp => report - DOWN[topic].len() - 8,
            0 => report - 1,
            1 if !esp => report + 1 + self.dice.below(100) as usize,
            _ => 0,
        };
        self.publish_down_with(topic, qos, len);
    }

    fn publish_down_with(&mut self, topic: usize, qos: mqtt::QoS, len: usize) -> usize {
        let number = self.published.len();
        let payload = self.payload(number, len);
        self.pair.bench.publish(DOWN[topic], &payload, qos, false);
        self.published.push(Published {
            topic,
            over: payload.len() > self.model().limits.report,
            payload,
            qos,
            at: self.pair.now(),
            due: self.topics[topic].granted && !self.topics[topic].open,
            times: 0,
        });
        number
    }

    fn query(&mut self) {
        const QUERIES: [Query; 7] = [
            Query::Imei,
            Query::Iccid,
            Query::Signal,
            Query::Registration,
            Query::Firmware,
            Query::Model,
            Query::Time,
        ];
        let now = self.pair.now();
        let query = QUERIES[self.dice.below(QUERIES.len() as u32) as usize];
        if self.asked.is_none() && self.pair.driver.query(now, query).is_ok() {
            self.asked = Some((query, now));
        }
    }

    fn command(&mut self) {
        let raws = self.raws();
        let line = raws[self.dice.below(raws.len() as u32) as usize].line;
        let patience = Duration::from_secs(1 + u64::from(self.dice.below(5)));
        self.type_raw(line, patience);
    }

    fn type_raw(&mut self, line: &'static str, patience: Duration) -> bool {
        let now = self.pair.now();
        let typed = self.pair.driver.command(now, line, patience).is_ok();
        if typed {
            self.typed = Some((line, now));
            self.printed.clear();
        }
        typed
    }

    /// A command that wants data, and gets none.
    fn want_data(&mut self) {
        let line = match self.model().family {
            Family::Luat => "AT+MPUBEX=\"raw\",0,0,5",
            Family::EigenComm => "AT+ECMTPUB=0,0,0,0,\"raw\"",
            Family::Quectel => "AT+QMTPUB=0,0,0,0,\"raw\"",
            // It says `OK` before it prompts, and does not give up.
            Family::Espressif => return,
        };
        self.type_raw(line, Duration::from_secs(5));
    }

    pub(crate) fn subscribe(&mut self, topic: usize, qos: QoS) {
        let now = self.pair.now();
        let token = self.pair.driver.subscribe(now, DOWN[topic], qos).unwrap();
        let own = &mut self.topics[topic];
        own.qos = qos;
        own.at_least_once |= qos == QoS::AtLeastOnce;
        own.wanted = true;
        own.ended = None;
        (own.token, own.open) = (token, true);
    }

    fn unsubscribe(&mut self, topic: usize) {
        let now = self.pair.now();
        if let Ok(token) = self.pair.driver.unsubscribe(now, DOWN[topic]) {
            let own = &mut self.topics[topic];
            own.wanted = false;
            own.granted = false;
            (own.token, own.open) = (token, true);
            for published in &mut self.published {
                published.due &= published.topic != topic;
            }
        }
    }

    fn leave_or_come(&mut self) {
        if self.away {
            return self.come();
        }
        if self.leaving.is_none() {
            let now = self.pair.now();
            self.leaving = Some(now);
            self.connected = false;
            self.pair.driver.disconnect(now);
        }
    }

    fn come(&mut self) {
        let now = self.pair.now();
        if self.pair.driver.connect(now, self.options).is_ok() {
            self.away = false;
            self.was_connected = false;
            self.climb = Climb::default();
        }
    }

    /// A payload that says which it is, and that a language might trip over; as long as this when it is shorter.
    fn payload(&self, number: usize, len: usize) -> Vec<u8> {
        let raw = self.model().name == "nt35e" || self.tame;
        let tail: &[u8] = match number % 6 {
            1 => b"{\"a\":1,\"b\":\"x;y\"}",
            2 if !raw => b"\r\nOK\r\n\r\nERROR\r\n",
            3 if !raw => b"> \r\n+QMTPUB: 0,1,0\r\nPUBACK\r\nAT+CFUN=0\r",
            4 => b"\\\",+CREG: 1",
            5 if !raw => b"\x00\x1a\x1b\xff\r\n+IPR: 115200\r\n+MQTTPUB:OK\r\n",
            _ => b"",
        };
        let mut payload = format!("{number}:").into_bytes();
        payload.extend_from_slice(tail);
        while payload.len() < len {
            payload.push(b'a' + (payload.len() % 26) as u8);
        }
        payload
    }

    /// What is answered while nothing is broken.
    pub(crate) fn learn(&mut self) -> Result<(), String> {
        for query in [Query::Imei, Query::Iccid, Query::Firmware, Query::Model] {
            let mut asked = self.pair.driver.query(self.pair.now(), query);
            while asked == Err(CommandError::Busy) {
                self.run_until(Duration::from_secs(1), |_| false)?;
                asked = self.pair.driver.query(self.pair.now(), query);
            }
            if asked.is_ok() {
                self.asked = Some((query, self.pair.now()));
                self.pair.exchange();
                self.run_until(Duration::from_secs(5), |run| run.asked.is_none())?;
            }
        }
        for raw in self.raws() {
            // Not while the driver asks something of its own.
            while !self.type_raw(raw.line, Duration::from_secs(5)) {
                self.run_until(Duration::from_secs(1), |_| false)?;
            }
            self.pair.exchange();
            self.run_until(Duration::from_secs(5), |run| run.typed.is_none())?;
        }
        let known = self.answers.len() + self.lines.len();
        let expected = if self.model().bearer == Bearer::WiFi {
            2 + 1
        } else {
            4 + 1
        };
        if known != expected {
            let what = format!("knows {:?} {:?}", self.answers, self.lines);
            return self.wrong(&what);
        }
        Ok(())
    }
}

/// What the host itself holds, in bytes.
impl Run<'_> {
    pub(crate) fn own_memory(&self) -> isize {
        let sent = self.sent.iter().map(|sent| sent.payload.capacity());
        let published = self.published.iter().map(|own| own.payload.capacity());
        let lists = size_of::<Sent>() * self.sent.capacity()
            + size_of::<Published>() * self.published.capacity();
        (sent.chain(published).sum::<usize>() + lists) as isize
    }
}

/// What must be true of what happens.
impl Run<'_> {
    /// Looks at what has happened.
    fn look(&mut self) -> Result<(), String> {
        self.pair.bench.take_events();
        for (topic, payload) in self.pair.bench.take_published() {
            if topic == RAW && !payload.is_empty() && !self.noisy {
                let shown = payload.escape_ascii().to_string();
                return self.wrong(&format!("typed as data: {shown}"));
            }
            if topic != UP {
                continue;
            }
            let number = number(&payload).filter(|number| {
                let sent = self.sent.get(*number);
                sent.is_some_and(|sent| sent.payload == payload)
            });
            match number {
                Some(number) => {
                    self.at_broker.resize(self.sent.len(), 0);
                    self.at_broker[number] += 1;
                }
                None if self.noisy => {}
                None => {
                    let shown = payload.escape_ascii().to_string();
                    return self.wrong(&format!("the broker got what nobody published: {shown}"));
                }
            }
        }
        if self.speaks {
            for trace in self.pair.bench.take_trace() {
                println!("    {} {:?}", trace.at, trace.kind);
            }
        }
        for told in self.pair.take_told() {
            if self.speaks {
                println!("{} {told:?}", self.pair.now());
            }
            self.hear(told)?;
        }
        self.check_patience()
    }

    /// Nothing is open for too long.
    fn check_patience(&self) -> Result<(), String> {
        let is_late = |since: Instant| self.pair.now() - since > OUTCOME;
        for number in self.tokens.values() {
            if is_late(self.sent[*number].at) {
                return self.wrong(&format!("message {number} has no outcome"));
            }
        }
        if let Some((line, _)) = self.typed.filter(|(_, since)| is_late(*since)) {
            return self.wrong(&format!("{line} does not end"));
        }
        if self.leaving.is_some_and(is_late) {
            return self.wrong("it does not log out");
        }
        Ok(())
    }

    fn hear(&mut self, told: Told) -> Result<(), String> {
        match told {
            Told::Event(event) => self.hear_event(event),
            Told::Answer(query, answer) => self.hear_answer(query, answer),
            Told::Line(line) => self.hear_line(line),
            // What it is not: an answer.
            Told::Unsolicited(_) => Ok(()),
            Told::Message(topic, payload, lack) => self.hear_message(&topic, &payload, lack),
        }
    }

    fn hear_event(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Published(token, outcome) => return self.hear_outcome(token, outcome),
            Event::Done(result) => return self.hear_done(result),
            Event::Unanswered(query) => {
                if self.asked.take().map(|(asked, _)| asked) != Some(query) {
                    return self.wrong(&format!("{query:?} was not asked"));
                }
            }
            Event::Connected | Event::Recovered => {
                let again = event == Event::Recovered;
                if self.connected || again != self.was_connected || self.leaving.is_some() {
                    return self.wrong(&format!("{event:?} at the wrong time"));
                }
                (self.connected, self.was_connected) = (true, true);
                self.climb.online = Some(self.pair.now());
            }
            Event::Lost(why) => {
                self.lost = Some(why);
                if !std::mem::take(&mut self.connected) {
                    return self.wrong("lost what it did not have");
                }
            }
            Event::Recovering(recovery) => return self.check_climb(recovery),
            Event::Disconnected => {
                if self.leaving.take().is_none() {
                    return self.wrong("nobody asked it to log out");
                }
                self.away = true;
            }
            Event::Subscribed(token, result) => {
                let known = self.topics.iter_mut().find(|topic| topic.token == token);
                // Or it is the answer to a request that another one has followed.
                if let Some(topic) = known {
                    if !topic.wanted {
                        return self.wrong(&format!("{token:?} was no subscription"));
                    }
                    topic.open = false;
                    topic.granted = result.is_ok();
                    topic.ended = None;
                }
            }
            Event::Unsubscribed(token, result) => {
                let now = self.pair.now();
                let known = self.topics.iter_mut().find(|topic| topic.token == token);
                if let (Some(topic), Err(_)) = (known, result) {
                    // It goes on.
                    (topic.open, topic.wanted) = (false, true);
                    return Ok(());
                }
                let known = self.topics.iter_mut().find(|topic| topic.token == token);
                if let Some(topic) = known {
                    if topic.wanted {
                        return self.wrong(&format!("{token:?} was no unsubscription"));
                    }
                    topic.open = false;
                    // A module that did not hear the goodbye may be logged in for as long as it does not.
                    topic.ended = self.connected.then_some(now);
                }
            }
            Event::Damaged(_)
            | Event::Reset
            | Event::Unsolicited(_)
            | Event::Message(_)
            | Event::Answer(..)
            | Event::Line(_) => {}
        }
        Ok(())
    }

    fn hear_outcome(&mut self, Token(token): Token, outcome: Outcome) -> Result<(), String> {
        let Some(number) = self.tokens.remove(&token) else {
            return self.wrong("a second outcome of a message");
        };
        self.at_broker.resize(self.sent.len(), 0);
        let there = self.at_broker[number];
        let sent = &mut self.sent[number];
        match outcome {
            Outcome::Delivered => sent.delivered = true,
            Outcome::Sent => {
                sent.handed_over = true;
                sent.unknown += 1;
            }
            Outcome::Unknown => sent.unknown += 1,
            Outcome::Refused(_) => sent.refused = true,
        }
        let sent = &self.sent[number];
        if outcome == Outcome::Delivered && there == 0 && !self.noisy {
            return self.wrong(&format!(
                "message {number} was delivered, and the broker has it not"
            ));
        }
        if (outcome == Outcome::Sent) != (sent.qos == QoS::AtMostOnce)
            && matches!(outcome, Outcome::Sent | Outcome::Delivered)
        {
            return self.wrong(&format!("{:?} came to {outcome:?}", sent.qos));
        }
        Ok(())
    }

    fn hear_answer(&mut self, query: Query, answer: String) -> Result<(), String> {
        let wanted = match query {
            Query::Imei if self.model().bearer == Bearer::WiFi => "5c:cf:7f:80:aa:01",
            Query::Imei => "864040060365518",
            Query::Iccid => "89860621260002571487",
            _ => "",
        };
        let is_ours = self.asked.take().map(|(asked, _)| asked) == Some(query);
        let before = self.answers.iter().find(|(own, _)| *own == query);
        let is_same = before.is_none_or(|(_, before)| *before == answer);
        if (!is_ours || !is_same || !answer.contains(wanted)) && !self.noisy {
            return self.wrong(&format!("{query:?} was answered {answer}"));
        }
        let is_fixed = !matches!(query, Query::Signal | Query::Registration | Query::Time);
        if is_fixed && before.is_none() {
            self.answers.push((query, answer));
        }
        Ok(())
    }

    /// Reports that no driver knows may be told as lines; an answer to another command, and a report that is known, may not.
    fn hear_line(&mut self, line: Vec<u8>) -> Result<(), String> {
        let typed = self.typed.map_or("", |(line, _)| line);
        let others = self
            .raws()
            .iter()
            .filter(|raw| raw.line != typed && !raw.answer.is_empty())
            .any(|raw| line.starts_with(raw.answer.as_bytes()));
        let own_words: &[&str] = match self.model().family {
            Family::Luat => &["+IPR", "OK", "PUBACK", "SUBACK", "+MSUB", "+CREG: 2"],
            Family::EigenComm => &["+IPR", "OK", "+ECMT", "+CREG: 2"],
            Family::Quectel => &["+IPR", "OK", "+QMT", "+CREG: 2"],
            Family::Espressif => &["+UART_CUR", "OK", "+MQTT", "WIFI"],
        };
        let is_known = own_words
            .iter()
            .any(|word| line.starts_with(word.as_bytes()));
        if (typed.is_empty() || others || is_known) && !self.noisy {
            let shown = line.escape_ascii().to_string();
            return self.wrong(&format!("{typed:?} was answered {shown}"));
        }
        self.printed.push(line);
        Ok(())
    }

    fn hear_done(&mut self, result: Result<(), CommandFailure>) -> Result<(), String> {
        let Some((line, _)) = self.typed.take() else {
            return self.wrong("a command ended that nobody typed");
        };
        if self.noisy {
            return Ok(());
        }
        let raw = self.raws().iter().find(|raw| raw.line == line);
        let Some(raw) = raw else {
            // It wanted data, or the module had no session.
            return match result {
                Ok(()) => self.wrong(&format!("{line} is done without its data")),
                Err(_) => Ok(()),
            };
        };
        let own = |printed: &&Vec<u8>| printed.starts_with(raw.answer.as_bytes());
        let answer = self.printed.iter().find(own);
        let is_wrong = match (line, result) {
            (NO_SUCH, Ok(())) | ("AT", Err(CommandFailure::Refused(None))) => true,
            (_, Ok(())) if !raw.answer.is_empty() => match answer {
                Some(answer) => {
                    let before = self.lines.iter().find(|(own, _)| *own == line);
                    before.is_some_and(|(_, before)| before != answer)
                }
                None => true,
            },
            _ => false,
        };
        if is_wrong {
            let what = format!("{line} came to {result:?} {:?}", self.printed);
            return self.wrong(&what);
        }
        if let (true, Some(answer)) = (raw.fixed, answer)
            && self.lines.iter().all(|(own, _)| *own != line)
        {
            self.lines.push((line, answer.clone()));
        }
        Ok(())
    }

    fn hear_message(&mut self, topic: &str, payload: &[u8], lack: Lack) -> Result<(), String> {
        let number = number(payload).filter(|number| *number < self.published.len());
        let known = number.map(|number| &mut self.published[number]);
        let Some(own) = known.filter(|own| DOWN[own.topic] == topic) else {
            // A report may be put into a topic, too.
            if self.noisy || self.tame && topic.contains("\r\n") {
                return Ok(());
            }
            let shown = payload.escape_ascii().to_string();
            return self.wrong(&format!("received what nobody published: {topic} {shown}"));
        };
        own.times += 1;
        // A module that starts anew says so where the rest of a message should be, and may be as long as that.
        // So may a report that is put into it, of a message that holds no line ends.
        let is_filled_up = own.payload.len() == payload.len()
            && (payload.ends_with(b"\r\nRDY")
                || self.tame && payload.windows(2).any(|two| two == b"\r\n"));
        let is_whole = own.payload == payload || is_filled_up;
        let says_so = match lack {
            Lack::Nothing => is_whole,
            Lack::Perhaps => own.over && own.payload.starts_with(payload),
            Lack::Bytes(_) => false,
        };
        let (times, at, over) = (own.times, own.at, own.over);
        let may_repeat = own.qos == mqtt::QoS::AtLeastOnce
            || own.qos == mqtt::QoS::ExactlyOnce
                // The broker repeats what the module has forgotten by a restart.
                && (self.topics[own.topic].at_least_once || !self.options.clean_session);
        let ended = self.topics[own.topic].ended;
        if self.noisy {
            return Ok(());
        }
        let shown = payload.escape_ascii().to_string();
        if !says_so {
            return self.wrong(&format!("a message of {over} lacks {lack:?}: {shown}"));
        }
        if times > 1 && !may_repeat {
            return self.wrong(&format!("{shown} was received twice"));
        }
        if ended.is_some_and(|ended| ended < at) {
            return self.wrong(&format!("{shown} came after its topic was given up"));
        }
        Ok(())
    }

    /// As the table of the driver's documentation says.
    fn check_climb(&mut self, now: Recovery) -> Result<(), String> {
        let Recovery {
            rung,
            attempt,
            why,
            wait,
        } = now;
        let lasted = self
            .climb
            .online
            .take()
            .is_some_and(|since| self.pair.now() - since >= PATIENCE.longest_wait);
        if lasted {
            self.climb = Climb::default();
        }
        let full = match self.climb.attempts {
            0 => PATIENCE.first_wait * 4 / 5,
            attempts => PATIENCE
                .first_wait
                .saturating_mul(2_u32.saturating_pow(attempts - 1))
                .min(PATIENCE.longest_wait),
        };
        if wait > full * 5 / 4 || (self.climb.attempts > 0 && wait < full * 3 / 4) {
            return self.wrong(&format!("waits {wait:?}, and should about {full:?}"));
        }
        let most = match rung {
            Rung::Reopen if matches!(why, Why::Refused(_) | Why::SimLocked) => u8::MAX,
            Rung::Reset if matches!(why, Why::Silent | Why::NotUnderstood) => u8::MAX,
            Rung::Resubscribe | Rung::Reactivate | Rung::Radio => 2,
            Rung::Reconnect | Rung::Reset => 1,
            Rung::Reopen => 5,
        };
        let last = self.climb.last.replace(now);
        self.climb.attempts += 1;
        let expected = match last {
            Some(last) if last.rung == rung => last.attempt.saturating_add(1),
            _ => 1,
        };
        let goes_down = last.is_some_and(|last| rung < last.rung)
            && !matches!(why, Why::Refused(_) | Why::SimLocked)
            && last.is_some_and(|last| last.rung != Rung::Reset);
        if attempt != expected || attempt > most || goes_down {
            return self.wrong(&format!("{now:?} after {last:?}"));
        }
        Ok(())
    }

    /// At most as often as the outcomes allow.
    fn count(&self) -> Result<(), String> {
        if self.noisy {
            return Ok(());
        }
        for (number, sent) in self.sent.iter().enumerate() {
            let there = self.at_broker.get(number).copied().unwrap_or(0);
            // QoS 1: the module may repeat what was not acknowledged.
            let most = sent.unknown + usize::from(sent.delivered);
            if sent.qos != QoS::AtLeastOnce && there > most {
                return self.wrong(&format!("message {number} of {:?} is at the broker {there} times, and {most} are accounted for", sent.qos));
            }
            if there > 0 && sent.refused && most == 0 {
                return self.wrong(&format!(
                    "message {number} was refused, and the broker has it"
                ));
            }
        }
        Ok(())
    }

    /// Nothing was lost, and the end of the connection is told.
    pub(crate) fn check_calm(&mut self) -> Result<(), String> {
        self.run_until(Duration::from_secs(60), |_| false)?;
        let is_missing = |own: &Published| own.due && own.times == 0;
        if self.published.iter().any(is_missing) || self.lost.is_some() {
            return self.wrong(&format!("lost in a calm world: {:?}", self.lost));
        }
        let is_open = |sent: &Sent| !sent.delivered && !sent.handed_over;
        if let Some(number) = self.sent.iter().position(is_open) {
            return self.wrong(&format!(
                "message {number} was not delivered in a calm world"
            ));
        }
        self.pair.bench.inject("tcp-drop".parse().unwrap()).unwrap();
        self.run_until(Duration::from_secs(5), |run| run.lost.is_some())?;
        if self.lost != Some(Why::Closed) {
            return self.wrong(&format!(
                "the end of the connection came to {:?}",
                self.lost
            ));
        }
        Ok(())
    }

    /// The world has healed: messages pass both ways, on every topic, in time.
    pub(crate) fn passes_again(&mut self) -> Result<(), String> {
        let healed = self.pair.now();
        // By itself, and in truth: the host does not touch what may be dead.
        while !self.is_connected() || self.leaving.is_some() {
            // A PIN whose answer was lost is typed no more before the next connect.
            let is_locked = self
                .climb
                .last
                .is_some_and(|last| last.why == Why::SimLocked);
            if self.away || is_locked {
                self.leave_or_come();
                self.pair.exchange();
            }
            if self.pair.now() - healed > BOUND {
                return self.wrong("it is not connected after the world has healed");
            }
            self.run_until(Duration::from_secs(1), |_| false)?;
        }
        for topic in 0..DOWN.len() {
            // What the module has refused is asked for again. On a noisy line nobody can know what became of a topic on its way.
            let own = &self.topics[topic];
            if topic == 0 || own.wanted && (self.noisy || !own.open && !own.granted) {
                let qos = if topic == 0 {
                    QoS::ExactlyOnce
                } else {
                    self.topics[topic].qos
                };
                self.subscribe(topic, qos);
            }
        }
        self.pair.exchange();
        let mut waits_for: Vec<_> = (0..DOWN.len())
            .filter(|topic| self.topics[*topic].wanted)
            .collect();
        let mut is_up = false;
        while !is_up || !waits_for.is_empty() {
            if self.pair.now() - healed > BOUND {
                let which: Vec<_> = waits_for.iter().map(|topic| DOWN[*topic]).collect();
                let up = if is_up { "" } else { UP };
                return self.wrong(&format!(
                    "nothing passes on {which:?} {up} after the world has healed"
                ));
            }
            self.run_until(Duration::from_secs(60), |run| run.pair.driver.can_publish())?;
            let up = self.publish_with(QoS::ExactlyOnce, false);
            let down: Vec<_> = waits_for
                .iter()
                .map(|topic| {
                    (
                        *topic,
                        self.publish_down_with(*topic, mqtt::QoS::ExactlyOnce, 0),
                    )
                })
                .collect();
            self.pair.exchange();
            self.run_until(Duration::from_secs(20), |_| false)?;
            is_up |= up.is_some_and(|number| self.sent[number].delivered);
            for (topic, number) in down {
                if self.published[number].times > 0 {
                    waits_for.retain(|own| *own != topic);
                }
            }
        }
        Ok(())
    }

    /// The driver says so, and the broker does.
    fn is_connected(&self) -> bool {
        let mut clients = self.pair.bench.broker().clients();
        self.pair.driver.is_connected() && clients.any(|client| client.online)
    }

    /// Everything has come to something, and the broker agrees.
    pub(crate) fn check_end(&mut self) -> Result<(), String> {
        self.run_until(Duration::from_secs(120), |_| false)?;
        self.count()?;
        let has_open = self.topics.iter().any(|topic| topic.open);
        if !self.tokens.is_empty() || self.typed.is_some() || self.asked.is_some() || has_open {
            let topics = self.topics.each_ref().map(|topic| topic.open);
            let what = format!(
                "open: messages {:?}, {:?}, {:?}, topics {topics:?}",
                self.tokens, self.typed, self.asked
            );
            return self.wrong(&what);
        }
        // Nor whom the device said that it is.
        if self.noisy {
            return Ok(());
        }
        let broker = self.pair.bench.broker();
        let Some(client) = broker.clients().find(|client| client.client_id == "robot") else {
            return self.wrong("the broker knows nobody");
        };
        if !client.online || client.queued > 0 {
            return self.wrong(&format!("{} messages wait for it", client.queued));
        }
        let at_broker = |topic: &str| {
            let own = client.subscriptions.iter().find(|(own, _)| **own == *topic);
            own.map(|(_, qos)| *qos as u8)
        };
        for (topic, name) in self.topics.iter().zip(DOWN) {
            let wanted = topic.wanted.then_some(topic.qos.level());
            let own = at_broker(name);
            if own != wanted {
                return self.wrong(&format!(
                    "{name} is {own:?} at the broker, and {wanted:?} here"
                ));
            }
        }
        Ok(())
    }
}

fn number(payload: &[u8]) -> Option<usize> {
    let digits = payload.split(|byte| *byte == b':').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}
