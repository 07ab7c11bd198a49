//! From power-on to the last subscription, stage by stage.

use super::*;
use crate::family::ApnHolds;
use dialect::model::Bearer;

/// From the radio's end to its beginning.
const RADIO_OFF: Duration = Duration::from_secs(2);

impl Driver<'_> {
    pub(super) fn go(&mut self, stage: Stage) {
        self.stage = stage;
        self.wait_until = self.now;
        self.polls = 0;
    }

    /// Sets a module up of which nothing is known.
    pub(super) fn set_up(&mut self) {
        self.go(Stage::Echo);
        self.is_set_up = false;
        self.fresh = false;
        self.format = Format::Unknown;
        // One that is under way goes on: the module may be waiting for data.
        if self.resync.is_none() {
            self.begin_resync(self.now, false);
        }
    }

    pub(super) fn is_of_stage(&self, job: Job) -> bool {
        self.stage.job() == Some(job)
    }

    /// The command of the stage has ended.
    pub(super) fn stage_done(&mut self, job: Job, result: Result<(), Trouble>) {
        if !self.wanted {
            return;
        }
        if let Err(trouble) = result {
            return self.stage_failed(job, trouble);
        }
        match (self.stage, self.reading) {
            (Stage::Sim, Some(1)) => {
                self.pin = Pin::Untried;
                self.go(Stage::Apn(0));
            }
            (Stage::Sim, Some(2)) => match self.pin {
                Pin::Untried if self.options.pin.is_some() => {
                    self.pin = Pin::Typed;
                    self.go(Stage::Pin);
                }
                Pin::Unanswered => {
                    self.pin = Pin::TypedAgain;
                    self.go(Stage::Pin);
                }
                // What was typed may take its time.
                Pin::Typed | Pin::TypedAgain if self.polls < 10 => {
                    self.poll_again(Duration::from_secs(1));
                }
                _ => self.fail(Why::SimLocked, Rung::Reopen),
            },
            (Stage::Sim, Some(3)) => self.fail(Why::SimLocked, Rung::Reopen),
            (Stage::Sim, _) => self.poll_again(Duration::from_secs(1)),
            (Stage::Registration | Stage::OlderRegistration, Some(1 | 5)) => {
                self.go(Stage::Attached);
            }
            // Without a wait: which of the two networks it is in is not known.
            (Stage::Registration, _) => self.stage = Stage::OlderRegistration,
            (Stage::OlderRegistration, _) => self.next_of_stage(),
            (Stage::Attached, Some(1)) => self.go(Stage::Provision(0)),
            (Stage::Provision(_), reading) => {
                // What says nothing of a file leaves it where it was; a file that is not there is answered by an error alone.
                if reading.is_some() || self.is_first_of_file(job) {
                    self.present = reading == Some(1);
                }
                self.next_of_stage();
            }
            (Stage::Attached, _) if self.polls % 10 == 4 => {
                self.polls += 1;
                self.stage = Stage::Attach;
            }
            (Stage::Attached, _) => self.poll_again(Duration::from_secs(1)),
            (Stage::Attach, _) => self.stage = Stage::Attached,
            (Stage::RadioOff, _) => {
                self.go(Stage::RadioOn);
                self.wait_until = self.now + RADIO_OFF;
            }
            (Stage::Restart, _) => self.reset(false),
            (Stage::Configure(_), Some(0)) => self.fail(Why::Configuration, Rung::Reopen),
            (Stage::Apn(1), _) => self.apn_typed(),
            (Stage::Apn(_) | Stage::Bearer(_) | Stage::Configure(_), _) => self.next_of_stage(),
            _ => self.after_stage(),
        }
    }

    /// The module has taken another access point. It is not asked a second time whether that holds.
    fn apn_typed(&mut self) {
        let is_second = core::mem::replace(&mut self.has_typed_apn, true);
        match self.language.apn_holds(self.model) {
            ApnHolds::AfterRadio if !is_second => self.go(Stage::RadioOff),
            ApnHolds::AfterRestart if !is_second => self.go(Stage::Restart),
            _ => self.after_stage(),
        }
    }

    /// Does it ask whether a file is there?
    fn is_first_of_file(&self, job: Job) -> bool {
        let slot = |step| Some(self.language.file_of(self.model, step)?.0);
        match job {
            Job::Provision(0) => true,
            Job::Provision(step) => slot(step) != slot(step - 1),
            _ => false,
        }
    }

    pub(super) fn stage_failed(&mut self, job: Job, trouble: Trouble) {
        match (job, trouble) {
            (Job::Restart, _) => self.reset(false),
            (Job::Open, _) => self.fail(Why::NotOpened, Rung::Reopen),
            (Job::Login, Trouble::Broker(Some(code))) => {
                self.fail(Why::Refused(code), Rung::Reopen);
            }
            (Job::Login, _) => self.fail(Why::NotLoggedIn, Rung::Reopen),
            (Job::Pin, Trouble::Refused(_)) => {
                self.pin = Pin::Wrong;
                self.go(Stage::Sim);
            }
            (Job::Pin, _) => {
                if self.pin == Pin::Typed {
                    self.pin = Pin::Unanswered;
                }
                self.go(Stage::Sim);
            }
            (Job::Bearer(_), Trouble::Refused(_)) => self.fail(Why::NoBearer, Rung::Reactivate),
            (Job::Configure(_) | Job::Provision(_) | Job::Apn(_), Trouble::Refused(_)) => {
                self.fail(Why::Configuration, Rung::Reopen);
            }
            // It may have come up meanwhile, and to activate it twice is refused: its state is asked first.
            (Job::Bearer(_), _) => self.poll_again(Duration::ZERO),
            // No final result: the same again, once the module is understood again.
            _ => self.count_poll(),
        }
    }

    /// How often a stage may ask the same, and what it means when that was not enough.
    pub(super) fn limit(&self) -> (u16, Why, Rung) {
        match self.stage {
            Stage::Sim => (30, Why::Sim, Rung::Radio),
            Stage::Registration | Stage::OlderRegistration => (90, Why::NotRegistered, Rung::Radio),
            Stage::Attached => (60, Why::NoBearer, Rung::Radio),
            Stage::Bearer(_) => (30, Why::NoBearer, Rung::Reactivate),
            Stage::Subscribe | Stage::Online => (2, Why::Unanswered, Rung::Reopen),
            _ => (3, Why::Configuration, Rung::Reset),
        }
    }

    pub(super) fn count_poll(&mut self) {
        self.polls += 1;
        let (limit, why, rung) = self.limit();
        if self.polls > limit {
            self.fail(why, rung);
        }
    }

    pub(super) fn poll_again(&mut self, wait: Duration) {
        self.wait_until = self.now + wait;
        if let Stage::Bearer(step) = self.stage {
            self.stage = Stage::Bearer(step.saturating_sub(1));
        }
        self.count_poll();
    }

    pub(super) fn next_of_stage(&mut self) {
        match &mut self.stage {
            Stage::Apn(step)
            | Stage::Bearer(step)
            | Stage::Configure(step)
            | Stage::Provision(step) => *step += 1,
            Stage::OlderRegistration => {
                self.stage = Stage::Registration;
                self.poll_again(Duration::from_secs(2));
            }
            _ => self.after_stage(),
        }
    }

    pub(super) fn after_stage(&mut self) {
        let cellular = self.model.bearer != Bearer::WiFi;
        let next = match self.stage {
            Stage::Echo if cellular => Stage::Errors,
            Stage::Errors | Stage::Pin | Stage::RadioOn => Stage::Sim,
            Stage::Leave if cellular => Stage::Apn(0),
            Stage::Apn(_) if cellular => Stage::Registration,
            Stage::Echo | Stage::Sim | Stage::Apn(_) | Stage::Leave | Stage::Attached => {
                Stage::Provision(0)
            }
            Stage::Registration | Stage::OlderRegistration | Stage::Attach => Stage::Attached,
            Stage::Provision(_) => {
                self.is_set_up = true;
                Stage::Close
            }
            Stage::Close => Stage::Bearer(0),
            Stage::Bearer(_) => {
                // It is about to be another one.
                self.format = Format::Unknown;
                Stage::Configure(0)
            }
            Stage::Configure(_) => Stage::Open,
            Stage::Open => Stage::Login,
            Stage::Login => {
                let is_clean = self.about(None).clean_session;
                self.has_unsettled &= !is_clean;
                self.forgets_session = false;
                if !self.is(Mutant::ForgetsSubscriptions) || !self.was_online {
                    self.topics.renew(is_clean);
                }
                if let Some(at) = self.topics.next()
                    && self.is(Mutant::ForgetsOneTopic)
                    && self.was_online
                {
                    self.topics.set(at, Interest::Held);
                }
                Stage::Subscribe
            }
            stage => stage,
        };
        self.go(next);
    }

    /// Logged in, and every topic is answered.
    pub(super) fn arrived(&mut self) {
        self.go(Stage::Online);
        self.online_since = Some(self.now);
        self.checked_at = self.now;
        self.checked = (self.stats, 0);
        let again = core::mem::replace(&mut self.was_online, true);
        self.notes.push(if again {
            Note::Recovered
        } else {
            Note::Connected
        });
    }

    pub(super) fn hung_up(&mut self) {
        self.go(Stage::Off);
        self.fresh = false;
        self.query_done();
        self.notes.push(Note::Disconnected);
    }
}

impl Stage {
    pub(super) fn job(self) -> Option<Job> {
        Some(match self {
            Self::Echo => Job::Echo,
            Self::Errors => Job::Errors,
            Self::Sim => Job::Sim,
            Self::Pin => Job::Pin,
            Self::Apn(step) => Job::Apn(step),
            Self::Registration => Job::Registration,
            Self::OlderRegistration => Job::OlderRegistration,
            Self::Attached => Job::Attached,
            Self::Attach => Job::Attach,
            Self::Provision(step) => Job::Provision(step),
            Self::Close | Self::Hangup => Job::Close,
            Self::Bearer(step) => Job::Bearer(step),
            Self::Configure(step) => Job::Configure(step),
            Self::Open => Job::Open,
            Self::Login => Job::Login,
            Self::Leave => Job::Leave,
            Self::RadioOff => Job::Radio(false),
            Self::RadioOn => Job::Radio(true),
            Self::Restart => Job::Restart,
            Self::Logout => Job::Logout,
            Self::Off | Self::Subscribe | Self::Online | Self::Waiting(_) | Self::Resetting => {
                return None;
            }
        })
    }
}
