//! What a command comes to, once its final result and its report are there, or are not.

use super::*;
use dialect::Family;

/// The serial line may hold for so long what was typed, or answered: flow control, or a module that is busy.
pub(super) const HELD_BACK: Duration = Duration::from_secs(40);

impl Driver<'_> {
    /// The pending command has waited in vain.
    pub(super) fn expire(&mut self, mut pending: Pending) {
        match pending.phase {
            // OK is evidence enough: a single byte was lost.
            Phase::Prompt => self.begin_data(),
            Phase::Report => self.finish(Err(Trouble::Unanswered)),
            Phase::Reply | Phase::Data(_) | Phase::AfterData => {
                self.stats.timeouts += 1;
                if self.is(Mutant::NeverResyncs) {
                    pending.deadline = self.now + Duration::from_secs(3600);
                    self.pending = Some(pending);
                    return;
                }
                self.give_up(pending);
            }
        }
    }

    /// The pending command's final result is waited for no more.
    pub(super) fn give_up(&mut self, pending: Pending) {
        self.finish(Err(Trouble::TimedOut));
        if pending.ask.prompt != PromptAt::Nowhere && !self.is(Mutant::TypesIntoData) {
            self.leave_data();
        }
    }

    /// The caller's command wants data.
    pub(super) fn prompted(&mut self) {
        self.pending = None;
        self.notes.push(Note::Done(Err(CommandFailure::Prompted)));
        self.begin_resync(self.now, false);
        self.leave_data();
    }

    /// The module may be waiting for data. What is typed now would become part of a message.
    pub(super) fn leave_data(&mut self) {
        match self.language.data_patience(self.outbox.way) {
            Some(patience) => {
                let at = self.now + patience + HELD_BACK;
                self.begin_resync(at, true);
            }
            None if self.wanted => {
                self.resync = None;
                self.fail(Why::Silent, Rung::Reset);
            }
            None if self.options.reset_pin => self.reset_and_stay(),
            None => {}
        }
    }

    /// The pending command has ended.
    pub(super) fn finish(&mut self, result: Result<(), Trouble>) {
        let Some(pending) = self.take_pending() else {
            return;
        };
        self.free_at = self.now + self.options.patience.gap;
        if self.is(Mutant::CreditsSecondResults) {
            self.free_at = self.now;
        }
        // Its answer stands before its result, and a part of it was not to be understood: to ask twice does no harm.
        let is_doubtful = pending.is_damaged
            && pending.ask.report.is_none()
            && matches!(pending.job, Job::Subscribe | Job::Unsubscribe);
        let result = match result {
            Ok(()) if is_doubtful => Err(Trouble::TimedOut),
            Err(Trouble::Refused(_)) if pending.ask.tolerant => Ok(()),
            Err(Trouble::Unanswered) if pending.ask.tolerant => Ok(()),
            result => result,
        };
        let timed_out = result == Err(Trouble::TimedOut);
        if timed_out && !self.is(Mutant::CreditsLateResults) {
            self.begin_resync(self.now, false);
        }
        match pending.job {
            Job::Query(query) => {
                if self.query == Some(query) {
                    self.query = None;
                    self.notes.push(Note::Unanswered(query));
                }
            }
            Job::Raw => self.notes.push(Note::Done(match result {
                Ok(()) => Ok(()),
                Err(Trouble::Refused(code)) => Err(CommandFailure::Refused(code)),
                Err(_) => Err(CommandFailure::TimedOut),
            })),
            Job::Publish => self.published(result),
            Job::Prepare => self.prepared(result),
            Job::Subscribe | Job::Unsubscribe => self.answered(pending, result),
            Job::Status => match (result, self.reading) {
                // Its answer may have been lost before its `OK`; twice, there is none.
                // Source: BG95 MQTT AN §3.2.4: `OK` alone when nothing is open.
                (Ok(()), None) if self.polls > 0 => self.fail(Why::NotConnected, Rung::Reopen),
                (Err(_), _) | (Ok(()), None) => self.count_poll(),
                (Ok(()), Some(1)) => {
                    self.polls = 0;
                    if self.model.family == Family::EigenComm {
                        self.subscribe_in_doubt();
                    }
                }
                (Ok(()), Some(2)) => self.fail(Why::NotConnected, Rung::Reconnect),
                (Ok(()), _) => self.fail(Why::NotConnected, Rung::Reopen),
            },
            Job::Logout => self.go(Stage::Hangup),
            Job::Close if self.stage == Stage::Hangup => self.hung_up(),
            _ if !self.is_of_stage(pending.job) => {}
            job => self.stage_done(job, result),
        }
    }

    /// A setting was made for the message, or was read back. The message has not been typed.
    fn prepared(&mut self, result: Result<(), Trouble>) {
        let hex = self.outbox.way == Way::Hex;
        let before = core::mem::replace(&mut self.format, Format::Unknown);
        let was_read = before == Format::Set { hex };
        match result {
            Ok(()) if !was_read => self.format = Format::Set { hex },
            Ok(()) if self.reading == Some(1) => self.format = Format::Known { hex },
            Ok(()) | Err(Trouble::TimedOut) => self.count_poll(),
            Err(trouble) => self.published(Err(trouble)),
        }
    }

    /// The module logs in again by itself, subscribes to nothing then, and its word of that may have been lost: to the noise that
    /// has been seen since the last check, or to noise that left no trace, which is thought of seldom, since a broker sends what it
    /// has retained for each subscription again.
    fn subscribe_in_doubt(&mut self) {
        const SELDOM: u8 = 8;
        let (before, checks) = core::mem::replace(&mut self.checked, (self.stats, 0));
        if self.stats != before || checks + 1 == SELDOM {
            self.topics.renew_held();
        } else {
            self.checked.1 = checks + 1;
        }
    }

    pub(super) fn published(&mut self, result: Result<(), Trouble>) {
        // It was given up before, by a disconnect.
        if !self.outbox.is_busy() {
            return;
        }
        if result.is_ok() {
            self.polls = 0;
        }
        let outcome = match (result, self.outbox.qos) {
            (Ok(()), QoS::AtMostOnce) => Outcome::Sent,
            (Ok(()), _) => Outcome::Delivered,
            (Err(Trouble::Refused(_)), _) if self.outbox.way == Way::Inline && self.is_esp() => {
                Outcome::Unknown
            }
            (Err(Trouble::Refused(code)), _) => Outcome::Refused(Refusal::Module(code)),
            (Err(_), _) => Outcome::Unknown,
        };
        if matches!(outcome, Outcome::Refused(_)) {
            // Perhaps it wanted the other form.
            self.format = Format::Unknown;
        }
        self.tell_outcome(outcome);
        let is_late = matches!(
            result,
            Err(Trouble::Unanswered | Trouble::Doubtful | Trouble::Broker(_))
        ) || self.may_come_late(result);
        if is_late && self.wanted {
            self.fail(Why::Unanswered, Rung::Reopen);
        }
    }

    pub(super) fn is_esp(&self) -> bool {
        self.model.family == Family::Espressif
    }

    pub(super) fn tell_outcome(&mut self, outcome: Outcome) {
        self.outbox.state = match outcome {
            Outcome::Unknown if self.is(Mutant::RepublishesUnasked) => Sending::Queued,
            Outcome::Unknown if self.outbox.qos != QoS::AtMostOnce => Sending::Doubtful,
            _ => Sending::Nothing,
        };
        // It was the one that the broker may have held.
        self.has_unsettled &= !(outcome == Outcome::Delivered && self.outbox.repeats);
        self.has_unsettled |= outcome == Outcome::Unknown
            && self.outbox.qos == QoS::ExactlyOnce
            && !self.options.clean_session;
        self.notes.push(Note::Published(self.outbox.token, outcome));
    }

    /// A subscription was answered, or was not.
    pub(super) fn answered(&mut self, pending: Pending, result: Result<(), Trouble>) {
        let (at, leaves) = (pending.topic, pending.job == Job::Unsubscribe);
        let refusal = match result {
            Ok(()) if self.reading == Some(0) && self.must_revive(at) => return,
            Ok(()) => Ok(()),
            Err(Trouble::Refused(code)) => Err(Refusal::Module(code)),
            Err(Trouble::Broker(code)) => Err(Refusal::Broker(code.unwrap_or(128))),
            _ if self.may_come_late(result) => {
                return self.fail(Why::Unanswered, Rung::Reopen);
            }
            Err(Trouble::Unanswered | Trouble::Doubtful) => {
                let rung = if self.language.is_anonymous() {
                    Rung::Reopen
                } else {
                    Rung::Resubscribe
                };
                return self.fail(Why::Unanswered, rung);
            }
            // Asked again once the module is understood again: to subscribe twice does no harm.
            Err(Trouble::TimedOut) => return self.count_poll(),
        };
        match refusal {
            // It is typed again, up to three times.
            Err(refusal) if leaves && self.topics.may_be_held(at) => {
                self.stays_subscribed(at, pending.token, refusal);
            }
            refusal => self.topic_done(at, pending.token, pending.job, refusal),
        }
    }

    /// A subscription could not be ended. After the third time it goes on, and that is told; true then.
    fn stays_subscribed(&mut self, at: usize, token: Option<Token>, refusal: Refusal) -> bool {
        self.polls += 1;
        if self.polls < 3 {
            return false;
        }
        self.polls = 0;
        let token = token.unwrap_or_else(|| self.topics.token(at));
        if self.topics.token(at) == token {
            self.topics.set(at, Interest::Held);
        }
        self.notes.push(Note::Unsubscribed(token, Err(refusal)));
        true
    }

    /// The module says that it does not have the topic, and has asked nobody. True when the broker may have it.
    fn must_revive(&mut self, at: usize) -> bool {
        // In a clean session, of a subscription whose answer the module may have missed.
        let is_unknown = self.topics.may_be_held(at) && !self.topics.was_granted(at);
        let may_have = !self.options.clean_session || is_unknown;
        let revives = may_have && self.topics.interest(at) == Interest::Leaving;
        let token = Some(self.topics.token(at));
        if revives {
            // What the broker has nobody knows: when it shall go on it is subscribed to.
            let next = if self.stays_subscribed(at, token, Refusal::Module(None)) {
                Interest::Wanted
            } else {
                Interest::Reviving
            };
            self.topics.set(at, next);
        }
        revives
    }

    /// Without a name an acknowledgement that is still to come would be taken for that of the next packet.
    fn may_come_late(&self, result: Result<(), Trouble>) -> bool {
        result == Err(Trouble::TimedOut) && self.language.is_anonymous()
    }

    /// `token` is the request that was carried out, when it was one of the caller's. Another one for the topic may have come
    /// meanwhile: it is carried out next.
    pub(super) fn topic_done(
        &mut self,
        at: usize,
        token: Option<Token>,
        job: Job,
        result: Result<(), Refusal>,
    ) {
        let Some(token) = token else {
            return match self.topics.interest(at) {
                Interest::Replacing => self.topics.set(at, Interest::Wanted),
                Interest::Reviving => self.topics.set(at, Interest::Leaving),
                _ => {}
            };
        };
        let is_superseded = self.topics.token(at) != token;
        if job == Job::Unsubscribe {
            self.notes.push(Note::Unsubscribed(token, result));
            if !is_superseded {
                self.topics.remove(at);
            }
            return;
        }
        if is_superseded {
            self.notes.push(Note::Subscribed(token, result));
            return;
        }
        let was_granted = self.topics.was_granted(at);
        match result {
            Ok(()) => self.topics.grant(at),
            // What was granted once is refused by a module in trouble.
            Err(Refusal::Module(_)) if was_granted => {
                return self.fail(Why::Unanswered, Rung::Resubscribe);
            }
            Err(_) => self.topics.set(at, Interest::Refused),
        }
        if result.is_err() || !was_granted {
            self.notes.push(Note::Subscribed(token, result));
        }
    }

    pub(super) fn query_done(&mut self) {
        if let Some(query) = self.query.take() {
            self.notes.push(Note::Unanswered(query));
        }
    }
}
