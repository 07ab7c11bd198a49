//! Up the ladder: which rung, after how long, and what it begins with.

use super::*;

/// From a reset to the first question.
const BOOT: Duration = Duration::from_secs(3);

impl Driver<'_> {
    /// It does not work like this: up the ladder.
    pub(super) fn fail(&mut self, why: Why, least: Rung) {
        if !self.wanted {
            return;
        }
        let online = self.online_since.take();
        if online.is_some() {
            self.notes.push(Note::Lost(why));
        }
        self.lose_messages();
        if matches!(why, Why::Silent | Why::NotUnderstood) {
            self.query_done();
        }
        let mut least = least;
        if let Some(pending) = self.take_pending()
            && pending.phase != Phase::Report
        {
            // Its final result may still come, and its prompt.
            self.begin_resync(self.now, false);
            let may_want_data =
                pending.ask.prompt != PromptAt::Nowhere && pending.phase != Phase::AfterData;
            match self.language.data_patience(self.outbox.way) {
                Some(patience) if may_want_data => {
                    self.begin_resync(self.now + patience + outcome::HELD_BACK, true);
                }
                // This module never stops waiting for data, so only a reset ends it.
                None if may_want_data => {
                    self.resync = None;
                    least = Rung::Reset;
                }
                _ => {}
            }
            if pending.job == Job::Raw {
                self.notes.push(Note::Done(Err(CommandFailure::TimedOut)));
            } else if matches!(pending.job, Job::Query(_)) {
                self.query_done();
            }
        }
        let patience = self.options.patience;
        let lasted = online.is_some_and(|since| self.now - since >= patience.longest_wait);
        let before = self.climb.filter(|_| !lasted);
        let (rung, attempt, attempts) = match before {
            Some(climb) if climb.rung >= least => {
                let (rung, attempt) = if self.is(Mutant::NeverClimbs) {
                    (climb.rung, climb.attempt.saturating_add(1))
                } else {
                    next_rung(climb.rung, climb.attempt, why)
                };
                (rung, attempt, climb.attempts.saturating_add(1))
            }
            Some(climb) => (least, 1, climb.attempts.saturating_add(1)),
            None => (least, 1, 0),
        };
        self.climb = Some(Climb {
            rung,
            attempt,
            attempts,
        });
        let wait = if attempts == 0 {
            self.below(patience.first_wait)
        } else {
            let doubled = 2_u32.pow(u32::from(attempts - 1).min(16));
            let full = patience.first_wait.saturating_mul(doubled);
            let longest = if self.is(Mutant::WaitsWithoutBound) {
                Duration::MAX
            } else {
                patience.longest_wait
            };
            let full = full.min(longest);
            full.saturating_sub(full / 4) + self.below(full / 2)
        };
        self.fresh |= matches!(self.stage, Stage::Echo | Stage::Errors);
        self.go(Stage::Waiting(rung));
        self.wait_until = self.now + wait;
        self.notes.push(Note::Recovering(Recovery {
            rung,
            attempt,
            why,
            wait,
        }));
    }

    /// Begins what a rung is about.
    pub(super) fn start(&mut self, rung: Rung) {
        // Without its access point and certificates a module may connect all the same: elsewhere, or to anybody.
        let begins_below = self.fresh || (!self.is_set_up && rung < Rung::Reactivate);
        if begins_below && rung < Rung::Reset {
            return self.set_up();
        }
        match rung {
            Rung::Resubscribe => {
                self.topics.renew(false);
                self.go(Stage::Subscribe);
            }
            Rung::Reconnect => self.go(Stage::Login),
            Rung::Reopen => self.go(Stage::Close),
            Rung::Reactivate => {
                self.is_set_up = false;
                self.go(Stage::Leave);
            }
            Rung::Radio => {
                self.is_set_up = false;
                self.go(Stage::RadioOff);
            }
            Rung::Reset if self.options.reset_pin => self.reset(true),
            Rung::Reset => {
                self.go(Stage::Restart);
                // It may take for data what is typed, and every byte makes it wait for more: not one until it gives up.
                if let Some(patience) = self.language.data_patience(self.outbox.way)
                    && self.questions > 0
                {
                    self.begin_resync(self.now + patience, true);
                }
            }
        }
    }

    /// The module starts anew: by the pin, or by the command that was typed.
    pub(super) fn reset(&mut self, by_pin: bool) {
        if by_pin {
            self.notes.push(Note::Reset);
        }
        self.resync = None;
        (self.typed, self.sent) = (0, 0);
        self.restarted();
        self.go(Stage::Resetting);
        self.wait_until = self.now + BOOT;
    }

    /// The module takes what is typed for data, and is to log out: its pin does that.
    pub(super) fn reset_and_stay(&mut self) {
        self.notes.push(Note::Reset);
        self.resync = None;
        self.restarted();
        if self.stage != Stage::Off {
            self.hung_up();
        }
    }

    /// The module has forgotten everything. What it said before may be on its way still: questions stay open.
    pub(super) fn restarted(&mut self) {
        self.format = Format::Unknown;
        self.lose_messages();
        self.forgets_session |= self.has_unsettled
            && self.language.chooses_packet_ids()
            && !self.is(Mutant::KeepsForgottenSessions);
    }

    /// The link is gone, and with it the message that is on its way.
    pub(super) fn lose_messages(&mut self) {
        match self.outbox.state {
            Sending::Queued => self.tell_outcome(Outcome::Refused(Refusal::NotConnected)),
            Sending::Typed if self.is(Mutant::TrustsLostLinks) => {
                self.tell_outcome(Outcome::Delivered);
            }
            Sending::Typed => self.tell_outcome(Outcome::Unknown),
            Sending::Nothing | Sending::Doubtful => {}
        }
    }
}

/// The rung after so many attempts on this one.
fn next_rung(rung: Rung, attempt: u8, why: Why) -> (Rung, u8) {
    let again = (rung, attempt.saturating_add(1));
    let limit = match (rung, why) {
        // No rung mends what the broker refuses, or a SIM that is locked.
        (Rung::Reopen, Why::Refused(_) | Why::SimLocked)
        | (Rung::Reset, Why::Silent | Why::NotUnderstood) => {
            return again;
        }
        (_, Why::Refused(_) | Why::SimLocked) => return (Rung::Reopen, 1),
        (Rung::Resubscribe | Rung::Reactivate | Rung::Radio, _) => 2,
        (Rung::Reconnect | Rung::Reset, _) => 1,
        (Rung::Reopen, _) => 5,
    };
    if attempt < limit {
        return again;
    }
    let next = match rung {
        Rung::Resubscribe | Rung::Reconnect | Rung::Reset => Rung::Reopen,
        Rung::Reopen => Rung::Reactivate,
        Rung::Reactivate => Rung::Radio,
        Rung::Radio => Rung::Reset,
    };
    (next, 1)
}
