//! The serial line: echo, line editing, data mode, and the order and pace of what goes out.

use dialect::{Model, Syntax};
use instant::Instant;
use std::collections::VecDeque;
use std::time::Duration;

/// Bytes that are kept while a command runs; what comes beyond them is lost, as in a UART's buffer.
const PENDING_MAX: usize = 16 * 1024;
/// Bytes of reports that wait for the line; a report beyond them is lost.
const REPORTS_MAX: usize = 256 * 1024;

/// Bytes of echo and replies that wait for a line with a rate; beyond them no more commands are taken, so that a host that
/// types faster than the line carries the answers costs a bounded amount.
const TX_MAX: usize = 256 * 1024;
/// The most of a line that is taken, and echoed, at a time.
const STRETCH: usize = 4 * 1024;

/// What a stretch of input has led to.
pub(crate) enum Input {
    /// Nothing yet.
    Nothing,
    /// A command line, without its end; `lost` bytes of it did not fit.
    Line { line: Vec<u8>, lost: usize },
    /// The data that a command waited for has ended.
    Data(DataEnd),
    /// Bytes of a stream: all that there were.
    Stream(Vec<u8>),
    /// A command runs, or too much waits for the line: nothing was taken.
    Busy,
}

/// How a command takes data from the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DataMode {
    /// What is printed first.
    pub(crate) prompt: &'static [u8],
    /// Ends after so many bytes.
    pub(crate) len: Option<usize>,
    /// Ends at Ctrl-Z (0x1A), when there is no length.
    pub(crate) until_ctrl_z: bool,
    /// Is given up at ESC (0x1B), when there is no length; with a length, when `+++` comes alone.
    pub(crate) cancel: bool,
    /// The most that is kept; what comes beyond it is counted.
    pub(crate) max: usize,
    /// Ends when no byte comes for so long; or, when `in_all`, so long after the prompt. `None`: it waits for ever.
    pub(crate) idle: Option<Duration>,
    pub(crate) in_all: bool,
    /// It may be a private key: the trace tells its length alone.
    pub(crate) secret: bool,
    /// It is echoed as command lines are, when they are.
    pub(crate) echo: bool,
    /// `A` is printed after every so many bytes.
    pub(crate) acknowledge: Option<usize>,
}

/// Why data ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DataEnd {
    /// As many bytes as were asked for.
    Length,
    /// Ctrl-Z.
    CtrlZ,
    /// ESC, or `+++`.
    Cancelled,
    /// No byte came for the time allowed.
    Idle,
    /// More bytes than the module holds; so many were lost.
    Overflow(usize),
}

/// Bytes for the host.
#[derive(Default)]
pub(crate) struct Frame {
    pub(crate) bytes: Vec<u8>,
    /// What the trace says when they go out; empty for echo, or without a trace.
    pub(crate) told: Vec<u8>,
}

impl From<&[u8]> for Frame {
    fn from(bytes: &[u8]) -> Self {
        Self {
            bytes: bytes.into(),
            told: Vec::new(),
        }
    }
}

pub(crate) struct Terminal {
    syntax: Syntax,
    echoes_cr: bool,
    line_max: usize,
    mode: Mode,
    line: Vec<u8>,
    /// Bytes of the line that did not fit.
    lost: usize,
    /// Bytes that came while a command ran.
    pending: Vec<u8>,
    /// When the last line ended, until the byte that follows its CR.
    line_ended: Option<Instant>,
    /// Frames for the host, each with the time before which it does not go.
    tx: VecDeque<(Instant, Frame)>,
    tx_len: usize,
    /// Bytes of the first frame that are out.
    tx_sent: usize,
    /// When the line has carried something more.
    tx_due: Option<Instant>,
    /// Whether the line has a rate, so that frames can pile up.
    paced: bool,
    /// Reports for the host; they wait while a command runs.
    reports: VecDeque<Frame>,
    reports_len: usize,
    /// When the last frame of a reply goes.
    last_reply: Option<Instant>,
    /// How long after a reply a report may come.
    gap: Duration,
    /// When the line has carried what was given to it.
    line_free: Instant,
}

enum Mode {
    /// Command lines.
    Command,
    /// A command runs.
    Busy,
    /// A command takes data.
    Data {
        how: DataMode,
        data: Vec<u8>,
        lost: usize,
        /// When the prompt goes.
        from: Instant,
        deadline: Option<Instant>,
    },
    /// Everything goes to the peer.
    Stream,
}

impl Terminal {
    pub(crate) fn new(model: &Model, gap: Duration, paced: bool) -> Self {
        Self {
            syntax: model.syntax,
            echoes_cr: model.defaults.echoes_cr,
            line_max: model.limits.line,
            mode: Mode::Command,
            line: Vec::new(),
            lost: 0,
            pending: Vec::new(),
            line_ended: None,
            tx: VecDeque::new(),
            tx_len: 0,
            tx_sent: 0,
            tx_due: None,
            paced,
            reports: VecDeque::new(),
            reports_len: 0,
            last_reply: None,
            gap,
            line_free: Instant::ZERO,
        }
    }

    /// Takes from `bytes` up to the end of a command line or of the data that is awaited.
    pub(crate) fn take(&mut self, now: Instant, bytes: &mut &[u8], echo: bool) -> Input {
        if self.is_line_feed(now, bytes) {
            *bytes = &bytes[1..];
        }
        if bytes.is_empty() {
            return Input::Nothing;
        }
        // What was kept comes first.
        let waits = !self.pending.is_empty();
        let congested = self.is_congested();
        match &mut self.mode {
            _ if waits => Input::Busy,
            Mode::Busy => Input::Busy,
            Mode::Command if congested => Input::Busy,
            Mode::Command => self.take_line(now, bytes, echo),
            Mode::Stream => Input::Stream(std::mem::take(bytes).to_vec()),
            Mode::Data { how, .. } if how.cancel && how.len.is_some() && *bytes == b"+++" => {
                *bytes = &[];
                Input::Data(DataEnd::Cancelled)
            }
            Mode::Data {
                how,
                data,
                lost,
                deadline,
                ..
            } => {
                if !how.in_all {
                    *deadline = how.idle.map(|idle| now + idle);
                }
                let wanted = how.len.map_or(usize::MAX, |len| len - data.len());
                let mut part = &bytes[..bytes.len().min(wanted)];
                let mut end = None;
                if how.len.is_none()
                    && how.until_ctrl_z
                    && let Some(at) = part
                        .iter()
                        .position(|&byte| byte == 0x1a || (how.cancel && byte == 0x1b))
                {
                    end = Some(if part[at] == 0x1a {
                        DataEnd::CtrlZ
                    } else {
                        DataEnd::Cancelled
                    });
                    part = &part[..at];
                }
                *bytes = &bytes[part.len() + usize::from(end.is_some())..];
                let room = how.max.saturating_sub(data.len()).min(part.len());
                data.extend_from_slice(&part[..room]);
                *lost += part.len() - room;
                if how.len == Some(data.len()) {
                    end = Some(DataEnd::Length);
                }
                let input = match end {
                    Some(_) if *lost > 0 => Input::Data(DataEnd::Overflow(*lost)),
                    Some(end) => Input::Data(end),
                    None => Input::Nothing,
                };
                let steps = how
                    .acknowledge
                    .map_or(0, |step| data.len() / step - (data.len() - room) / step);
                let echoed = if how.echo && echo { part } else { &[] };
                self.send_now(now, echoed.into());
                self.send_now(now, b"A".repeat(steps).as_slice().into());
                input
            }
        }
    }

    /// Many hosts end a line with CR LF: is this the LF of the line before? It is no part of the data that the command may take, if
    /// it comes with the CR or before the prompt; afterwards it is.
    fn is_line_feed(&mut self, now: Instant, bytes: &[u8]) -> bool {
        let Some(ended) = self.line_ended.take() else {
            return false;
        };
        let is_soon = match &self.mode {
            Mode::Data { from, .. } => now < *from || now == ended,
            Mode::Busy | Mode::Command => true,
            Mode::Stream => now == ended,
        };
        is_soon && bytes.first() == Some(&b'\n')
    }

    fn take_line(&mut self, now: Instant, bytes: &mut &[u8], echo: bool) -> Input {
        if self.syntax == Syntax::EspAt {
            return self.take_esp_line(now, bytes, echo);
        }
        let stretch = &bytes[..bytes.len().min(STRETCH)];
        let end = stretch.iter().position(|&byte| byte == b'\r');
        let (part, rest) = bytes.split_at(end.map_or(stretch.len(), |at| at + 1));
        *bytes = rest;
        let mut echoed = Vec::new();
        for &byte in part {
            match byte {
                b'\r' if self.echoes_cr => echoed.push(byte),
                b'\r' => {}
                // Many hosts send a line feed after the carriage return. It is no part of the next line, and the logs of
                // the vendors do not show it echoed.
                b'\n' => {}
                // S5: the command line editing character, and what terminals send for it.
                0x08 | 0x7f => {
                    let erased = if self.lost > 0 {
                        self.lost -= 1;
                        true
                    } else {
                        self.line.pop().is_some()
                    };
                    if erased {
                        // What makes it vanish on a terminal.
                        echoed.extend_from_slice(b"\x08 \x08");
                    }
                }
                _ => {
                    echoed.push(byte);
                    if self.line.len() < self.line_max {
                        self.line.push(byte);
                    } else {
                        self.lost += 1;
                    }
                }
            }
        }
        if echo {
            // V.250 §6.2.4: characters are echoed as they come, the carriage return too.
            self.send_now(now, echoed.as_slice().into());
        }
        if end.is_none() {
            return Input::Nothing;
        }
        self.line_ended = Some(now);
        Input::Line {
            line: std::mem::take(&mut self.line),
            lost: std::mem::take(&mut self.lost),
        }
    }

    /// ESP-AT: a line ends with CR LF, every byte is echoed, nothing edits it, and NUL empties it.
    // Source: MAME's esp8266_at.
    fn take_esp_line(&mut self, now: Instant, bytes: &mut &[u8], echo: bool) -> Input {
        let mut end = None;
        let stretch = bytes.len().min(STRETCH);
        for (at, &byte) in bytes[..stretch].iter().enumerate() {
            if byte == 0 {
                self.line.clear();
                self.lost = 0;
            } else if byte == b'\n' && self.line.last() == Some(&b'\r') {
                end = Some(at + 1);
                break;
            } else if self.line.len() <= self.line_max {
                self.line.push(byte);
            } else {
                // The last one is kept, so that the line's end is seen.
                self.lost += 1;
                self.line.pop();
                self.line.push(byte);
            }
        }
        let (part, rest) = bytes.split_at(end.unwrap_or(stretch));
        *bytes = rest;
        if echo {
            self.send_now(now, part.into());
        }
        if end.is_none() {
            return Input::Nothing;
        }
        self.line.pop();
        Input::Line {
            line: std::mem::take(&mut self.line),
            lost: std::mem::take(&mut self.lost),
        }
    }

    /// A command runs: reports and input wait for its end.
    pub(crate) fn set_busy(&mut self) {
        self.mode = Mode::Busy;
    }

    /// The command has ended.
    pub(crate) fn end(&mut self) {
        self.mode = Mode::Command;
    }

    /// The command takes data; its prompt has been sent for `at`, but data that comes before is taken as well.
    // Source: firmware notes of EC618: "command and data sent together" was a defect that was mended.
    pub(crate) fn begin_data(&mut self, at: Instant, how: DataMode) {
        self.mode = Mode::Data {
            data: Vec::new(),
            lost: 0,
            from: at,
            deadline: how.idle.map(|idle| at + idle),
            how,
        };
    }

    /// From now on everything goes to the peer.
    pub(crate) fn begin_stream(&mut self) {
        self.mode = Mode::Stream;
    }

    pub(crate) fn is_streaming(&self) -> bool {
        matches!(self.mode, Mode::Stream)
    }

    pub(crate) fn data_deadline_passed(&self, now: Instant) -> Option<DataEnd> {
        match &self.mode {
            Mode::Data {
                deadline: Some(deadline),
                lost,
                ..
            } if *deadline <= now => Some(match lost {
                0 => DataEnd::Idle,
                lost => DataEnd::Overflow(*lost),
            }),
            _ => None,
        }
    }

    /// The data that was taken, and how; the command runs on.
    pub(crate) fn take_data(&mut self) -> (Vec<u8>, DataMode) {
        match std::mem::replace(&mut self.mode, Mode::Busy) {
            Mode::Data { data, how, .. } => (data, how),
            _ => (Vec::new(), DataMode::default()),
        }
    }

    /// Keeps input for the end of the command that runs; returns how many bytes did not fit.
    pub(crate) fn keep_for_later(&mut self, bytes: &[u8]) -> usize {
        let room = PENDING_MAX
            .saturating_sub(self.pending.len())
            .min(bytes.len());
        self.pending.extend_from_slice(&bytes[..room]);
        bytes.len() - room
    }

    /// Input that was kept, once it can be taken.
    pub(crate) fn take_pending(&mut self) -> Option<Vec<u8>> {
        let stuck = match self.mode {
            Mode::Busy => true,
            Mode::Command => self.is_congested(),
            Mode::Data { .. } | Mode::Stream => false,
        };
        let ready = !self.pending.is_empty() && !stuck;
        ready.then(|| std::mem::take(&mut self.pending))
    }

    /// Sends a frame of a reply, at `at` or after what goes before it.
    pub(crate) fn send(&mut self, at: Instant, frame: Frame) {
        let at = self.tx.back().map_or(at, |(before, _)| at.max(*before));
        self.last_reply = Some(at);
        self.tx_len += frame.bytes.len();
        self.tx.push_back((at, frame));
    }

    /// Sends bytes now, after what goes before them.
    pub(crate) fn send_now(&mut self, now: Instant, frame: Frame) {
        if frame.bytes.is_empty() {
            return;
        }
        let at = self.tx.back().map_or(now, |(before, _)| now.max(*before));
        self.tx_len += frame.bytes.len();
        self.tx.push_back((at, frame));
    }

    /// Bytes that wait for the line.
    pub(crate) fn waiting(&self) -> usize {
        self.tx_len + self.reports_len
    }

    fn is_congested(&self) -> bool {
        self.paced && self.tx_len > TX_MAX
    }

    /// Sends a report once no command runs, and no sooner than a report may follow a reply; false when it was lost.
    pub(crate) fn report(&mut self, frame: Frame) -> bool {
        let fits = self.reports_len + frame.bytes.len() <= REPORTS_MAX;
        if fits {
            self.reports_len += frame.bytes.len();
            self.reports.push_back(frame);
        }
        fits
    }

    /// Puts the reports on the line that are due.
    pub(crate) fn release_reports(&mut self, now: Instant) {
        if self.report_time().is_none_or(|at| now < at) {
            return;
        }
        while !self.is_congested()
            && let Some(frame) = self.reports.pop_front()
        {
            self.reports_len -= frame.bytes.len();
            self.send_now(now, frame);
        }
    }

    /// When the reports that wait may go.
    fn report_time(&self) -> Option<Instant> {
        let allowed = match self.mode {
            Mode::Command => true,
            // Source: esp-at issue 539: +MQTTSUBRECV between the OK of MQTTPUBRAW and its prompt.
            Mode::Busy | Mode::Data { .. } => self.syntax == Syntax::EspAt,
            Mode::Stream => false,
        };
        let waits = !self.reports.is_empty() && allowed && !self.is_congested();
        waits.then(|| self.last_reply.map_or(Instant::ZERO, |at| at + self.gap))
    }

    /// The next bytes that the line has carried. With a rate they come when their last stop bit is out, about a millisecond of
    /// them at a time; the first ones tell the trace of the whole frame.
    pub(crate) fn transmit(&mut self, now: Instant, baud: Option<u32>) -> Option<Frame> {
        self.tx_due = None;
        let (at, frame) = self.tx.front_mut()?;
        let Some(baud) = baud.map(u64::from) else {
            if *at > now {
                self.tx_due = Some(*at);
                return None;
            }
            let (_, frame) = self.tx.pop_front()?;
            self.tx_len -= frame.bytes.len();
            return Some(frame);
        };
        // A start bit, eight data bits, a stop bit.
        let time = |bytes: usize| Duration::from_micros(bytes as u64 * 10_000_000 / baud.max(1));
        let start = (*at).max(self.line_free);
        let left = frame.bytes.len() - self.tx_sent;
        let least = left.min((baud as usize / 10_000).max(1));
        if start + time(least) > now {
            self.tx_due = Some(start + time(least));
            return None;
        }
        let carried = (now - start).as_micros() as u64 * baud / 10_000_000;
        let count = left.min(carried as usize).max(least);
        let bytes = frame.bytes[self.tx_sent..self.tx_sent + count].to_vec();
        let told = std::mem::take(&mut frame.told);
        self.line_free = start + time(count);
        self.tx_len -= count;
        self.tx_sent += count;
        if count == left {
            self.tx_sent = 0;
            self.tx.pop_front();
        }
        Some(Frame { bytes, told })
    }

    /// Has everything gone out?
    pub(crate) fn is_drained(&self) -> bool {
        self.tx.is_empty()
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let data = match &self.mode {
            Mode::Data { deadline, .. } => *deadline,
            _ => None,
        };
        [self.tx_due, self.report_time(), data]
            .into_iter()
            .flatten()
            .min()
    }
}
