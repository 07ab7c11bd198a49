//! Finding out what the module hears, after a final result that did not come in time.
//!
//! The module is asked something whose answer nothing else can give. It answers in order, so what comes before that answer was late.

use super::*;
use crate::family::Writer;

/// How long the line is silent when every question has been answered.
const SILENCE: Duration = Duration::from_millis(300);
/// The same when some have not: they, or their answers, were lost, or are held back.
const LONG_SILENCE: Duration = outcome::HELD_BACK;
/// Questions before a module counts as silent.
const QUESTIONS: u8 = 8;

impl Driver<'_> {
    /// Asks from `at` on. The module may be waiting for data when there is a doubt.
    pub(super) fn begin_resync(&mut self, at: Instant, in_doubt: bool) {
        self.resync = Some(Resync {
            asked: 0,
            ask_at: at,
            answered: false,
            strays: 0,
            quiet_at: None,
            in_doubt,
        });
    }

    /// The answer to a question, or a final result, which is the question's when its answer has come.
    pub(super) fn read_resync(&mut self, is_answer: bool, is_error: bool) {
        let Some(resync) = &mut self.resync else {
            return;
        };
        if is_answer {
            resync.answered = true;
        } else if core::mem::take(&mut resync.answered) {
            self.questions = self.questions.saturating_sub(1);
            if resync.asked > 0 {
                let silence = if self.questions == 0 {
                    SILENCE
                } else {
                    LONG_SILENCE
                };
                resync.quiet_at = Some(self.now + silence);
            }
        } else {
            resync.strays = resync.strays.saturating_add(1);
            self.stats.stray_results += 1;
            if is_error && core::mem::take(&mut resync.in_doubt) {
                // It waits for data no longer.
                resync.ask_at = self.now;
            }
        }
    }

    /// An answer to a question that nobody waits for: the module is behind, and so is everything that it says.
    pub(super) fn is_behind(&mut self) {
        // It is to start anew, and may take for data what is typed until then.
        if matches!(self.stage, Stage::Waiting(Rung::Reset) | Stage::Resetting) {
            return;
        }
        match self.pending {
            Some(pending) => self.give_up(pending),
            None => self.begin_resync(self.now, false),
        }
        self.questions = self.questions.max(1);
        if let Some(resync) = self.resync.as_mut().filter(|resync| !resync.in_doubt) {
            resync.answered = true;
        }
    }

    /// Types the next question when it is due. True when the search has ended, either way.
    pub(super) fn pump_resync(&mut self) -> bool {
        let Some(mut resync) = self.resync else {
            return false;
        };
        if let Some(quiet_at) = resync.quiet_at {
            let quiet = self.now >= quiet_at;
            if quiet {
                self.resync = None;
                self.questions = 0;
            }
            return quiet;
        }
        if self.now < resync.ask_at {
            return false;
        }
        // The module said nothing for as long as it may wait for data, so it may still wait. A question would become part of the
        // message: the reset pin is better.
        let is_dead = resync.in_doubt && self.options.reset_pin && self.stage != Stage::Off;
        if resync.asked == QUESTIONS || is_dead {
            self.resync = None;
            if is_dead && !self.wanted {
                self.reset_and_stay();
            } else if self.wanted {
                // One or two may have been late.
                let why = if resync.strays > QUESTIONS / 2 {
                    Why::NotUnderstood
                } else {
                    Why::Silent
                };
                self.fail(why, Rung::Reset);
            } else if self.stage != Stage::Off {
                self.hung_up();
            }
            return true;
        }
        let command = self.take_command_memory();
        let mut writer = Writer::new(self.model, command);
        self.language
            .write(Job::Probe, &self.about(None), &mut writer);
        self.typed = writer.len().unwrap_or(0);
        self.command = writer.into_buffer();
        self.sent = 0;
        self.stats.resyncs += 1;
        self.questions = self.questions.saturating_add(1);
        resync.asked += 1;
        resync.in_doubt = false;
        let wait = 1 << (resync.asked - 1).min(3);
        resync.ask_at = self.now + Duration::from_secs(wait);
        self.resync = Some(resync);
        false
    }
}
