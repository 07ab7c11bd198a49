//! What is typed, and when: one command at a time, the next one when the one before it has been answered.

use super::*;
use crate::family::{Step, Writer};

/// Before a question is asked again that was not answered.
const AGAIN: Duration = Duration::from_secs(1);

impl<'a> Driver<'a> {
    /// Types what is to be typed next, when something is.
    pub(super) fn pump(&mut self) {
        while self.pending.is_none()
            && !self.is_half_typed()
            && self.now >= self.free_at
            && self.notes.has_room()
        {
            if self.resync.is_some() {
                if !self.pump_resync() {
                    return;
                }
            } else if self.next_job_at().is_none_or(|at| at > self.now) {
                return;
            } else if self.is_left_behind() {
                self.begin_resync(self.now, false);
            } else if !self.type_next() {
                return;
            }
        }
    }

    /// Was the module given up while it owed answers? They may come any time. What is to be connected goes on by itself.
    pub(super) fn is_left_behind(&self) -> bool {
        self.stage == Stage::Off && self.questions > 0
    }

    /// When the next job is due.
    pub(super) fn next_job_at(&self) -> Option<Instant> {
        if (self.query.is_some() || self.raw.is_some()) && self.may_ask() {
            return Some(self.now);
        }
        self.stage_at()
    }

    fn is_stage_due(&self) -> bool {
        self.stage_at().is_some_and(|at| at <= self.now)
    }

    /// When the stage goes on.
    fn stage_at(&self) -> Option<Instant> {
        match self.stage {
            Stage::Off => None,
            Stage::Online if self.has_work() => Some(self.now),
            Stage::Online => (!self.is(Mutant::NeverChecks)).then(|| self.check_at()),
            _ => Some(self.wait_until),
        }
    }

    /// May a question be asked between two steps?
    pub(super) fn may_ask(&self) -> bool {
        !self.fresh
            && !matches!(
                self.stage,
                Stage::Resetting | Stage::Echo | Stage::Waiting(Rung::Reset)
            )
    }

    /// When an idle module is asked whether it is still logged in; soon, when its last answer was none.
    fn check_at(&self) -> Instant {
        let patience = if self.polls > 0 {
            AGAIN
        } else {
            self.options.patience.check
        };
        self.checked_at + patience
    }

    pub(super) fn has_work(&self) -> bool {
        self.outbox.state == Sending::Queued || self.topics.next().is_some()
    }

    /// Begins the next job; false when there is none.
    pub(super) fn type_next(&mut self) -> bool {
        if let Some(Raw { len, patience }) = self.raw.take() {
            let ask = Ask {
                prompt: PromptAt::Nowhere,
                patience,
                report: None,
                tolerant: false,
            };
            self.type_line(Job::Raw, ask, len);
            return true;
        }
        // One question between two jobs, so that neither waits for the other for ever.
        let waits = core::mem::take(&mut self.has_asked) && self.is_stage_due();
        if let Some(query) = self.query.filter(|_| self.may_ask() && !waits) {
            self.has_asked = true;
            return self.begin(Job::Query(query), None);
        }
        match self.stage {
            Stage::Off => return false,
            Stage::Online => return self.type_online(),
            Stage::Waiting(rung) => self.start(rung),
            Stage::Resetting => self.set_up(),
            Stage::Subscribe => match self.topics.next() {
                Some(_) => return self.type_topic(),
                None => self.arrived(),
            },
            Stage::Hangup => {
                if !self.begin(Job::Close, None) {
                    self.hung_up();
                }
            }
            stage => {
                if let Some(job) = stage.job() {
                    self.begin(job, None);
                }
            }
        }
        true
    }

    pub(super) fn type_online(&mut self) -> bool {
        if self.topics.next().is_some() {
            return self.type_topic();
        }
        if self.outbox.state == Sending::Queued {
            if self.begin(Job::Prepare, None) {
                return true;
            }
            if !self.outbox.repeats {
                self.outbox.id = match self.outbox.qos {
                    QoS::AtMostOnce => 0,
                    _ => self.next_packet(),
                };
            }
            self.outbox.state = Sending::Typed;
            if !self.begin(Job::Publish, None) {
                self.outbox.state = Sending::Nothing;
                let refused = Outcome::Refused(Refusal::Module(None));
                self.notes.push(Note::Published(self.outbox.token, refused));
            }
            return true;
        }
        if self.now >= self.check_at() {
            self.checked_at = self.now;
            return self.begin(Job::Status, None);
        }
        false
    }

    pub(super) fn type_topic(&mut self) -> bool {
        let Some(at) = self.topics.next() else {
            return false;
        };
        self.next_packet();
        let job = match self.topics.interest(at) {
            Interest::Leaving | Interest::Replacing => Job::Unsubscribe,
            _ => Job::Subscribe,
        };
        if job == Job::Subscribe {
            self.topics.typed(at);
        }
        if !self.begin(job, Some(at)) {
            let token = Some(self.topics.token(at));
            self.topic_done(at, token, job, Err(Refusal::Module(None)));
        }
        true
    }

    /// Writes the command of a job and types it; false when there is none. The stage goes on then.
    pub(super) fn begin(&mut self, job: Job, topic: Option<usize>) -> bool {
        let id = match job {
            Job::Subscribe | Job::Unsubscribe => self.packet,
            _ => self.outbox.id,
        };
        let command = self.take_command_memory();
        let mut writer = Writer::new(self.model, command);
        let step = if let Job::Query(query) = job {
            match self.language.question(self.model, query) {
                Some(question) => {
                    let argument = question.argument.map(dialect::Value::Int);
                    let values = argument.as_slice();
                    let fits = writer.command(question.command, question.form, values);
                    if fits {
                        Step::Ask(Ask::question())
                    } else {
                        Step::Cannot
                    }
                }
                None => Step::Cannot,
            }
        } else {
            let about = About {
                id,
                ..self.about(topic)
            };
            self.language.write(job, &about, &mut writer)
        };
        let len = writer.len().unwrap_or(0);
        self.command = writer.into_buffer();
        match step {
            Step::Ask(ask) => {
                self.type_line(job, ask, len);
                if let (Some(pending), Some(at)) = (&mut self.pending, topic) {
                    let is_own = matches!(
                        self.topics.interest(at),
                        Interest::Replacing | Interest::Reviving
                    );
                    pending.topic = at;
                    pending.token = (!is_own).then(|| self.topics.token(at));
                }
                if let Some(pending) = &mut self.pending {
                    pending.id = id;
                }
                return true;
            }
            Step::Skip => self.next_of_stage(),
            Step::Wait => self.poll_again(Duration::from_secs(1)),
            Step::Done if !self.is_of_stage(job) => {}
            Step::Done => self.after_stage(),
            Step::Cannot if matches!(job, Job::Query(_)) => self.query_done(),
            Step::Cannot if !self.is_of_stage(job) => {}
            Step::Cannot => self.fail(Why::Configuration, Rung::Reopen),
        }
        false
    }

    /// The memory of the command, to write in. A command of the caller's that waits there is not typed any more.
    pub(super) fn take_command_memory(&mut self) -> &'a mut [u8] {
        if self.raw.take().is_some() {
            self.notes.push(Note::Done(Err(CommandFailure::TimedOut)));
        }
        core::mem::take(&mut self.command)
    }

    pub(super) fn type_line(&mut self, job: Job, ask: Ask, len: usize) {
        self.typed = len;
        self.sent = 0;
        self.reading = match job {
            Job::Query(_) | Job::Raw => self.reading,
            _ => None,
        };
        self.pending = Some(Pending {
            job,
            ask,
            phase: Phase::Reply,
            // It begins anew when the line is out: a module that is busy holds the line back.
            deadline: self.now + outcome::HELD_BACK + ask.patience,
            topic: 0,
            token: None,
            id: 0,
            is_damaged: false,
        });
    }

    /// The prompt is there: the data follows.
    pub(super) fn begin_data(&mut self) {
        if self.resync.is_some_and(|resync| resync.in_doubt) {
            // Too late: the module waits from now on.
            return self.leave_data();
        }
        if let Some(pending) = &mut self.pending {
            pending.phase = Phase::Data(0);
            pending.deadline = self.now + pending.ask.patience;
            let (data, ends_with_ctrl_z) = self.data();
            if data.is_empty() && !ends_with_ctrl_z {
                self.transmitted(self.now, 0);
            }
        }
    }
}
