//! What a line means at this moment: an echo, an answer to the command that runs, its final result, or a report.

use super::*;
use crate::family::{Report, is_registration_report};
use dialect::{basic, wire};

/// From the first report of a start to the last.
// Source: TinyGSM issue 157 and zephyr pull request 93052: APP RDY some seconds after RDY, on a BG95.
const START: Duration = Duration::from_secs(30);
/// When `OK` has come and the prompt behind it has not.
const PROMPT: Duration = Duration::from_secs(2);

impl Driver<'_> {
    /// A line has come, but for its last `missing` bytes.
    pub(super) fn line(&mut self, missing: usize) {
        let model = self.model;
        let lines = core::mem::replace(&mut self.lines, Lines::new(&mut []));
        let mut lines = lines;
        self.read_line(lines.text_mut(), missing, model);
        self.lines = lines;
    }

    pub(super) fn read_line(&mut self, line: &mut [u8], missing: usize, model: &'static Model) {
        let typed = self.command[..self.typed].trim_ascii_end();
        let is_awaited = self.pending.is_some() || self.resync.is_some();
        if missing == 0 && is_awaited && &*line == typed {
            // Echo.
            return;
        }
        // Source: openLuat/luatos-doc-pool, 20240724_air780ep_at_tcp.md: `+CEREG: 0,1 `. What tells its length may end with spaces of its own.
        let text = line.trim_ascii_end();
        let result = if missing == 0 {
            final_result(text)
        } else {
            None
        };
        let is_probe = self
            .language
            .answer(Job::Probe, &self.about(None), text)
            .is_some();
        let asked_by_user = self.is_raw() && self.is_named_as_typed(line);
        if self.resync.is_some() {
            if is_probe || result.is_some() {
                return self.read_resync(is_probe, matches!(result, Some(Err(_))));
            }
        } else if is_probe && !asked_by_user {
            return self.is_behind();
        } else if let Some(result) = result {
            return self.final_result(result);
        } else if self.is_raw()
            && let Some(result) = in_place_of_final_result(text)
        {
            self.held = Some(Held::Line);
            return self.final_result(result);
        }
        if let Some(pending) = self.pending
            && missing == 0
        {
            // A message that ends with spaces is another one without them, and perhaps none.
            let is_report = self.language.report(model, line, false) != Report::Unknown;
            if self.take_answer(pending, line)
                || (!is_report && self.take_answer(pending, line.trim_ascii_end()))
            {
                return;
            }
        }
        if self.is(Mutant::DropsReportsInReplies)
            && self
                .pending
                .is_some_and(|pending| pending.phase != Phase::Report)
        {
            return;
        }
        match self.language.report(model, line, missing > 0) {
            Report::Message {
                topic,
                payload,
                hex,
            } => {
                let topic = place(line, topic);
                let mut payload = place(line, payload);
                if hex {
                    let Some(len) = from_hex(&mut line[payload.clone()]) else {
                        return self.not_in_digits(line.len());
                    };
                    payload.end = payload.start + len;
                }
                let is_full = || {
                    let (topic, payload) = (&line[topic.clone()], &line[payload.clone()]);
                    self.language.is_full(model, topic, payload)
                };
                let lack = match missing {
                    0 if is_full() => Lack::Perhaps,
                    0 => Lack::Nothing,
                    missing => Lack::Bytes(missing),
                };
                self.held = Some(Held::Message {
                    topic,
                    payload,
                    lack,
                });
            }
            Report::Misconfigured => self.misconfigured(line.len()),
            report => self.report(report),
        }
    }

    fn is_raw(&self) -> bool {
        self.pending.is_some_and(|pending| pending.job == Job::Raw)
    }

    /// Has the line the name of a command of the line that was typed last? `+MQTTCONN:` has that of `at+mqttconn?`,
    /// `+MQTTCONNECTED:` has not.
    fn is_named_as_typed(&self, line: &[u8]) -> bool {
        let typed = &self.command[2.min(self.typed)..self.typed];
        typed.split(|&byte| byte == b';').any(|command| {
            let end = command
                .iter()
                .position(|byte| matches!(byte, b'?' | b'=' | b'\r'));
            let name = &command[..end.unwrap_or(command.len())];
            !name.is_empty()
                && line
                    .split_at_checked(name.len())
                    .is_some_and(|(head, rest)| {
                        head.eq_ignore_ascii_case(name) && matches!(rest.first(), Some(b':' | b' '))
                    })
        })
    }

    /// An information line of the command that runs?
    pub(super) fn take_answer(&mut self, pending: Pending, line: &[u8]) -> bool {
        if !matches!(pending.phase, Phase::Reply | Phase::AfterData) {
            return false;
        }
        if pending.ask.prompt == PromptAt::Connect
            && pending.phase == Phase::Reply
            && dialect::quectel::CONNECT.parse(line).is_some()
        {
            self.begin_data();
            return true;
        }
        match pending.job {
            Job::Query(query) => {
                let question = self.language.question(self.model, query);
                let typed = self.command[..self.typed].trim_ascii_end();
                // Nor a report that is a string and no more.
                let is_report = self.language.report(self.model, line, false) != Report::Unknown;
                let is_answer = question.is_some_and(|question| {
                    question.answer(query, line).is_some()
                        && (question.line.pieces.len() > 1 || !is_report)
                        // Nor what is left of the echo.
                        && !typed.ends_with(line)
                }) && self.query == Some(query);
                if is_answer {
                    self.query = None;
                    self.held = Some(Held::Answer(query));
                }
                is_answer
            }
            Job::Raw => {
                let is_report = if self.is(Mutant::ReportsByName) {
                    line.starts_with(b"+CREG: ")
                } else {
                    is_registration_report(line) && !self.is(Mutant::AnswersByName)
                };
                let is_answer = match self.language.report(self.model, line, false) {
                    Report::Unknown => !is_report,
                    // Never an answer: a message and the outcome of a login come by themselves only.
                    Report::Message { .. }
                    | Report::Opened(_)
                    | Report::LoggedIn(Ok(()) | Err(Some(_))) => false,
                    _ => self.is_named_as_typed(line) && !is_report,
                };
                if is_answer {
                    self.held = Some(Held::Line);
                }
                is_answer
            }
            job => {
                let answer = self.language.answer(job, &self.about(None), line);
                if answer.is_some() {
                    self.reading = answer;
                }
                answer.is_some()
            }
        }
    }

    pub(super) fn final_result(&mut self, result: Result<(), Option<u16>>) {
        // Nor is it the result of a command whose line is not out yet.
        let credits_all = self.is(Mutant::CreditsSecondResults);
        let is_typed = self.is_typed() || credits_all;
        let Some(mut pending) = self.pending.filter(|_| is_typed) else {
            self.stats.stray_results += 1;
            return;
        };
        let at = pending.ask.prompt;
        match (pending.phase, result) {
            (Phase::Reply, Ok(())) if matches!(at, PromptAt::First | PromptAt::Connect) => {
                self.stats.stray_results += 1;
            }
            (Phase::Reply, Ok(())) if at == PromptAt::AfterOk => {
                pending.phase = Phase::Prompt;
                pending.deadline = self.now + PROMPT;
                self.pending = Some(pending);
            }
            (Phase::Reply | Phase::AfterData, Ok(())) => match pending.ask.report {
                Some((_, patience)) if !self.is(Mutant::TrustsOk) => {
                    pending.phase = Phase::Report;
                    pending.deadline = self.now + patience;
                    self.pending = Some(pending);
                }
                _ => self.finish(Ok(())),
            },
            (Phase::Reply | Phase::Prompt | Phase::AfterData, Err(code)) => {
                self.finish(Err(Trouble::Refused(code)));
            }
            // Inferred: a module that gives up while data is typed has not sent anything.
            (Phase::Data(_), Err(code)) => self.finish(Err(Trouble::Refused(code))),
            (Phase::Report, Err(None)) if self.language.is_anonymous() => {
                self.finish(Err(Trouble::Broker(None)));
            }
            _ => self.stats.stray_results += 1,
        }
    }

    pub(super) fn report(&mut self, report: Report<'_>) {
        let awaited = self
            .pending
            .filter(|pending| pending.phase == Phase::Report)
            .and_then(|pending| Some((pending.ask.report?.0, pending)));
        let names = |own: u16, id: Option<u16>| {
            id.is_none_or(|id| id == own) || self.is(Mutant::IgnoresPacketIds)
        };
        match (report, awaited) {
            (Report::Opened(ok), Some((Awaited::Opened, _))) => {
                self.finish(if ok { Ok(()) } else { Err(Trouble::Unanswered) });
            }
            (Report::LoggedIn(result), Some((Awaited::LoggedIn, _))) => {
                self.finish(result.map_err(Trouble::Broker));
            }
            (Report::LoggedIn(Ok(())), _)
                if matches!(self.stage, Stage::Subscribe | Stage::Online) =>
            {
                // By itself: what was subscribed to in a clean session is gone.
                self.fail(Why::Closed, Rung::Resubscribe);
            }
            (Report::Subscribed { id, ok }, Some((Awaited::Subscribed, pending)))
                if names(pending.id, id) =>
            {
                self.finish(match ok {
                    Some(true) => Ok(()),
                    Some(false) => Err(Trouble::Broker(Some(128))),
                    None => Err(Trouble::Unanswered),
                });
            }
            (Report::Unsubscribed { id, ok }, Some((Awaited::Unsubscribed, pending)))
                if names(pending.id, id) =>
            {
                let ok = ok || self.is(Mutant::TrustsUnsubscriptions);
                self.finish(if ok { Ok(()) } else { Err(Trouble::Unanswered) });
            }
            (Report::Published { id, qos, ok }, Some((Awaited::Published, pending)))
                if names(pending.id, id) && qos.is_none_or(|qos| qos == self.outbox.qos) =>
            {
                // The packet may have reached the broker all the same.
                self.finish(if ok { Ok(()) } else { Err(Trouble::Doubtful) });
            }
            (Report::Released, Some((Awaited::Released, _))) => self.finish(Ok(())),
            (Report::Closed, _) => self.closed(),
            (Report::BearerLost, _) => self.bearer_lost(),
            (Report::Booted, _) => {
                self.started_at = Some(self.now);
                self.booted();
            }
            (Report::Ready, _) if self.started_at.is_none_or(|at| self.now > at + START) => {
                self.booted();
            }
            // A question that is thrown away is not answered.
            (Report::Busy, _) if self.resync.is_some() => {
                self.questions = self.questions.saturating_sub(1);
            }
            (Report::Busy, _)
                if self.pending.is_some_and(|pending| {
                    matches!(pending.phase, Phase::Reply | Phase::Prompt)
                }) =>
            {
                self.thrown_away();
            }
            (Report::Unknown, _) => {
                self.stats.unknown_lines += 1;
                // An answer may have other lines around the one that was asked for: ESP-AT's AT+GMR.
                let answers = self.pending.is_some_and(|pending| {
                    matches!(pending.job, Job::Query(_)) && pending.phase == Phase::Reply
                });
                if !answers {
                    self.held = Some(Held::Unsolicited);
                }
            }
            _ => {}
        }
    }

    /// The module has thrown the line away: what it was about is typed again once the module is understood.
    fn thrown_away(&mut self) {
        let is_message = self
            .pending
            .is_some_and(|pending| pending.job == Job::Publish);
        if is_message && self.outbox.state == Sending::Typed {
            self.take_pending();
            self.outbox.state = Sending::Queued;
            self.begin_resync(self.now, false);
            self.count_poll();
        } else {
            self.finish(Err(Trouble::TimedOut));
        }
    }

    pub(super) fn closed(&mut self) {
        if self.is(Mutant::IgnoresClosed) {
            return;
        }
        let busy_with = self.pending.map(|pending| (pending.job, pending.phase));
        match (self.stage, busy_with) {
            // Its final result, or its report, follows.
            (Stage::Login, Some((Job::Login, Phase::Reply))) => {}
            (
                Stage::Login
                | Stage::Subscribe
                | Stage::Online
                | Stage::Waiting(Rung::Resubscribe | Rung::Reconnect),
                _,
            ) => {
                self.fail(Why::Closed, Rung::Reopen);
            }
            _ => {}
        }
    }

    pub(super) fn bearer_lost(&mut self) {
        let has_bearer = matches!(
            self.stage,
            Stage::Close
                | Stage::Configure(_)
                | Stage::Open
                | Stage::Login
                | Stage::Subscribe
                | Stage::Online
                | Stage::Waiting(Rung::Resubscribe | Rung::Reconnect | Rung::Reopen)
        );
        if has_bearer {
            self.fail(Why::BearerLost, Rung::Reactivate);
        }
    }

    pub(super) fn booted(&mut self) {
        self.restarted();
        let restarts = matches!(self.stage, Stage::Restart | Stage::Resetting | Stage::Echo);
        let pending = self.pending;
        if let Some(Pending { job: Job::Raw, .. }) = pending {
            self.notes.push(Note::Done(Err(CommandFailure::Rebooted)));
        }
        if self.wanted && !restarts {
            self.fresh = true;
            self.take_pending();
            self.resync = None;
            self.fail(Why::Rebooted, Rung::Reopen);
        } else if pending.is_some_and(|pending| pending.job == Job::Raw) {
            self.take_pending();
        }
        // What was on its way may have been heard after the start.
        if pending.is_some() && self.pending.is_none() {
            self.begin_resync(self.now, false);
        }
    }

    /// A message whose digits are none: noise, or a setting that the module does not have. It is read back with the next message
    /// that is published; a second such report before that is evidence enough.
    fn not_in_digits(&mut self, bytes: usize) {
        match core::mem::replace(&mut self.format, Format::Unknown) {
            Format::Known { .. } => self.damaged(bytes),
            Format::Unknown | Format::Set { .. } => self.misconfigured(bytes),
        }
    }

    /// A message that cannot be read. It is lost; the next one shall not be.
    fn misconfigured(&mut self, bytes: usize) {
        self.damaged(bytes);
        if self.is_connected() {
            self.fail(Why::Configuration, Rung::Reopen);
        }
    }

    pub(super) fn damaged(&mut self, bytes: usize) {
        let bytes_in_all = self.stats.damaged_bytes.saturating_add(bytes as u32);
        self.stats.damaged_bytes = bytes_in_all;
        if let Some(pending) = &mut self.pending {
            pending.is_damaged |= pending.phase == Phase::Reply;
        }
        self.notes.push(Note::Damaged(bytes));
    }
}

/// A final result: `Err` with the code of `+CME ERROR`, when it has one.
fn final_result(line: &[u8]) -> Option<Result<(), Option<u16>>> {
    if basic::OK.parse(line).is_some() {
        return Some(Ok(()));
    }
    if basic::ERROR.parse(line).is_some() {
        return Some(Err(None));
    }
    let code = basic::CME_ERROR_WORDS.parse(line)?.text(0);
    let code = wire::parse_int(code).and_then(|code| u16::try_from(code).ok());
    Some(Err(code))
}

/// A line that some commands end with, where others have their final result.
fn in_place_of_final_result(line: &[u8]) -> Option<Result<(), Option<u16>>> {
    // Source: Luat AT manual, GPRS/CIPSHUT, CIPCLOSE and Configuration/CPOWD; EC616S firmware, NRB; V.250 §5.7.1; 3GPP TS 27.005 §3.2.5.
    match line {
        b"SHUT OK" | b"CLOSE OK" | b"NORMAL POWER DOWN" | b"REBOOTING" => Some(Ok(())),
        b"NO CARRIER" | b"NO DIALTONE" | b"NO ANSWER" | b"BUSY" | b"TimeOut" => Some(Err(None)),
        _ => line.starts_with(b"+CMS ERROR: ").then_some(Err(None)),
    }
}

/// Where `part` stands in `line`, of which it is a slice.
fn place(line: &[u8], part: &[u8]) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(line.as_ptr() as usize);
    let start = start.min(line.len());
    start..(start + part.len()).min(line.len())
}

/// Decodes hexadecimal digits in their place; returns how many bytes they are.
fn from_hex(digits: &mut [u8]) -> Option<usize> {
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    for at in 0..digits.len() / 2 {
        let pair = [digits[2 * at], digits[2 * at + 1]].map(wire::hex_digit);
        let [Some(high), Some(low)] = pair else {
            return None;
        };
        digits[at] = high << 4 | low;
    }
    Some(digits.len() / 2)
}
