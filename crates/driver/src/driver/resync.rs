//! Finding out what the module hears, after a final result that did not come in time.
//!
//! The module is asked something whose answer nothing else can give. It answers in order, so what comes before that answer was late.

use super::*;
use crate::family::Writer;

/// How long the line is silent before no answer is outstanding.
const SILENCE: Duration = Duration::from_millis(300);
/// Questions before a module counts as silent.
const QUESTIONS: u8 = 8;

impl Driver<'_> {
    pub(super) fn begin_resync(&mut self, at: Instant) {
        self.resync = Some(Resync {
            asked: 0,
            ask_at: at,
            answered: false,
            quiet_at: None,
        });
    }

    /// The answer to the question, or a final result, which is the question's when its answer has come.
    pub(super) fn read_resync(&mut self, is_answer: bool) {
        if let Some(resync) = &mut self.resync {
            if is_answer {
                resync.answered = true;
            } else if resync.answered {
                resync.quiet_at = Some(self.now + SILENCE);
            } else {
                self.stats.stray_results += 1;
            }
        }
    }

    /// Asks, or ends it; false when there is nothing to do yet.
    pub(super) fn pump_resync(&mut self) -> bool {
        let Some(mut resync) = self.resync else {
            return false;
        };
        if let Some(quiet_at) = resync.quiet_at {
            let quiet = self.now >= quiet_at;
            if quiet {
                self.resync = None;
            }
            return quiet;
        }
        if self.now < resync.ask_at {
            return false;
        }
        if resync.asked == QUESTIONS {
            self.resync = None;
            if self.wanted {
                self.fail(Why::Silent, Rung::Reset);
            } else if self.stage != Stage::Off {
                self.hung_up();
            }
            return true;
        }
        let command = core::mem::take(&mut self.command);
        let mut writer = Writer::new(self.model, command);
        self.language
            .write(Job::Probe, &self.about(None), &mut writer);
        self.typed = writer.len().unwrap_or(0);
        self.command = writer.into_buffer();
        self.sent = 0;
        self.stats.resyncs += 1;
        resync.asked += 1;
        resync.answered = false;
        let wait = 1 << (resync.asked - 1).min(3);
        resync.ask_at = self.now + Duration::from_secs(wait);
        self.resync = Some(resync);
        false
    }
}
