//! Which bytes are a line: from the serial port's bytes, in any slicing, to lines and prompts.
//!
//! Each byte is looked at once, whatever the slicing. A report that tells its payload's length is read by that length, so a
//! payload may hold line ends, prompts and final results. A line that is longer than the memory is cut and says by how much.
//!
//! Such a report ends with a line end like all others; that its bytes are neither too many nor too few is seen there. Firmware that
//! leaves it out is understood when nothing follows at once.

use dialect::Line;
use dialect::reply::Header;

/// What the bytes have led to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing yet: all bytes are used.
    Nothing,
    /// A line, [`Lines::text`]; so many bytes of it did not fit.
    Line { missing: usize },
    /// The prompt.
    Prompt,
    /// A line that did not fit or did not end where it said. So many bytes are lost.
    Damaged(usize),
}

pub(crate) struct Lines<'a> {
    buffer: &'a mut [u8],
    /// Bytes of the line so far, those that did not fit among them.
    len: usize,
    /// How long the line says it is.
    expected: Option<usize>,
    /// The line has been handed out: the next byte begins another one.
    done: bool,
    /// Where it ends cannot be known: all that comes is part of it, until the line falls silent.
    endless: bool,
    /// How often it was asked at a line end whether it goes on.
    asked: u8,
    /// Bytes that were looked at: what it costs, whatever the clock says.
    #[cfg(test)]
    looked_at: usize,
}

/// What a report can tell of its length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sized<'l> {
    /// The reports that do.
    pub(crate) lines: &'l [&'l Line],
    /// What a module never reports is noise.
    pub(crate) longest: usize,
}

/// Line ends that a topic may hold, in a report that tells its payload's length.
const LINE_ENDS: u8 = 16;

impl<'a> Lines<'a> {
    pub(crate) fn new(buffer: &'a mut [u8]) -> Self {
        Self {
            buffer,
            len: 0,
            expected: None,
            done: false,
            endless: false,
            asked: 0,
            #[cfg(test)]
            looked_at: 0,
        }
    }

    /// How many bytes of a line it can hold.
    pub(crate) fn room(&self) -> usize {
        self.buffer.len()
    }

    /// The line that was found, without what did not fit.
    pub(crate) fn text(&self) -> &[u8] {
        &self.buffer[..self.stored()]
    }

    /// The same, to decode what it holds in its place.
    pub(crate) fn text_mut(&mut self) -> &mut [u8] {
        let end = self.stored();
        &mut self.buffer[..end]
    }

    /// Does a line await its rest?
    pub(crate) fn is_partial(&self) -> bool {
        !self.done && self.len > 0
    }

    /// Has the line as many bytes as it says, and lacks its line end alone? A payload that ends with one may be a shorter payload
    /// that took it up.
    // Source: PontusO/EspATMQTT, EspATMQTT.cpp, process: +MQTTSUBRECV without a line end.
    pub(crate) fn is_unended(&self, sized: Sized<'_>) -> bool {
        self.is_partial()
            && !self.endless
            && !matches!(self.text().last(), Some(b'\r' | b'\n'))
            && self.expected.or_else(|| self.length(sized)) == Some(self.len)
    }

    /// Takes it as it is.
    pub(crate) fn end(&mut self) -> Found {
        self.finish()
    }

    /// Gives the line up that awaits its rest; returns how many bytes of it there were.
    pub(crate) fn abandon(&mut self) -> usize {
        let len = core::mem::take(&mut self.len);
        self.expected = None;
        self.done = false;
        self.endless = false;
        self.asked = 0;
        len
    }

    /// Takes bytes up to the first find; returns how many were used.
    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        wants_prompt: bool,
        sized: Sized<'_>,
    ) -> (usize, Found) {
        if self.done {
            self.abandon();
        }
        if self.endless {
            self.len = self.len.saturating_add(bytes.len());
            return (bytes.len(), Found::Nothing);
        }
        let mut used = 0;
        while used < bytes.len() {
            let rest = &bytes[used..];
            if let Some(total) = self.expected {
                let part = rest.len().min(total - self.len);
                self.keep(&rest[..part]);
                used += part;
                match bytes.get(used) {
                    // CR LF stands behind every report.
                    Some(b'\r') if self.len == total => return (used, self.finish()),
                    Some(_) => return self.lose(bytes.len(), used),
                    None => break,
                }
            }
            if self.len == 0 {
                match rest[0] {
                    // Besides line ends, and the space behind a prompt: what a UART hears while its other end gets power.
                    // Source: 256dpi/arduino-mqtt issue 188: 0xFF before the first line.
                    b'\r' | b'\n' | b' ' | 0 | 0xff => {
                        self.look_at(1);
                        used += 1;
                        continue;
                    }
                    b'>' if wants_prompt => return (used + 1, Found::Prompt),
                    _ => {}
                }
            }
            let end = memchr::memchr2(b'\r', b'\n', rest);
            let part = &rest[..end.unwrap_or(rest.len())];
            self.look_at(end.map_or(part.len(), |at| at + 1));
            let had_room = !self.is_full();
            self.keep(part);
            used += part.len();
            let overflows = had_room && self.is_full();
            if end.is_none() && !overflows {
                break;
            }
            self.look_at(self.stored());
            // Asked at its first line end, or when it fills the memory: by then a header is whole.
            let total = self.length(sized);
            match total {
                Some(total) if total < self.len || total > sized.longest => {
                    return self.lose(bytes.len(), used);
                }
                None => match self.header(sized) {
                    // Its text would be taken for what the module says, and it is whoever publishes that writes it.
                    Header::Open if !self.is_full() && self.asked < LINE_ENDS => {
                        self.asked += 1;
                        self.keep(&bytes[used..=used]);
                        used += 1;
                        continue;
                    }
                    Header::Open | Header::Broken => return self.lose(bytes.len(), used),
                    Header::Other => {}
                },
                Some(_) => {}
            }
            match total {
                Some(total) if total > self.len || end.is_none() => self.expected = Some(total),
                _ if end.is_none() => break,
                None if self.is_full() => {
                    return (used, Found::Damaged(self.abandon()));
                }
                _ => return (used, self.finish()),
            }
        }
        (used, Found::Nothing)
    }

    /// How long the line says it is, as far as it has come.
    fn length(&self, sized: Sized<'_>) -> Option<usize> {
        sized.lines.iter().find_map(|line| line.length(self.text()))
    }

    /// How far a report that tells a length has come. One that the memory has no room for stays open.
    fn header(&self, sized: Sized<'_>) -> Header {
        let found = sized.lines.iter().map(|line| line.header(self.text()));
        let known = found.clone().find(|header| *header != Header::Other);
        let begins = || sized.lines.iter().any(|line| line.begins(self.text()));
        match known {
            None if self.is_full() && begins() => Header::Open,
            known => known.unwrap_or(Header::Other),
        }
    }

    /// The line is a report of which the end cannot be known: what is left of it may say anything.
    fn lose(&mut self, given: usize, used: usize) -> (usize, Found) {
        self.endless = true;
        self.len = self.len.saturating_add(given - used);
        (given, Found::Nothing)
    }

    /// Is there more of the line than the memory holds?
    fn is_full(&self) -> bool {
        self.len > self.buffer.len()
    }

    fn stored(&self) -> usize {
        self.len.min(self.buffer.len())
    }

    fn keep(&mut self, part: &[u8]) {
        let at = self.stored();
        let room = part.len().min(self.buffer.len() - at);
        self.buffer[at..at + room].copy_from_slice(&part[..room]);
        self.len += part.len();
        self.look_at(part.len());
    }

    #[cfg_attr(not(test), allow(clippy::unused_self, unused_variables))]
    fn look_at(&mut self, bytes: usize) {
        #[cfg(test)]
        {
            self.looked_at += bytes;
        }
    }

    fn finish(&mut self) -> Found {
        self.done = true;
        self.expected = None;
        Found::Line {
            missing: self.len - self.stored(),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use dialect::luat::MSUB_DIRECT;
    use std::string::{String, ToString};
    use std::vec::Vec;

    const SIZED: Sized<'static> = Sized {
        lines: &[&MSUB_DIRECT],
        longest: 4096,
    };

    fn lines(chunks: &[&[u8]], room: usize) -> Vec<String> {
        let mut memory = std::vec![0; room];
        let mut lines = Lines::new(&mut memory);
        let mut found = Vec::new();
        for chunk in chunks {
            let mut rest = *chunk;
            loop {
                let (used, what) = lines.push(rest, true, SIZED);
                rest = &rest[used..];
                found.push(match what {
                    Found::Nothing => break,
                    Found::Prompt => ">".to_string(),
                    Found::Line { missing } => {
                        let text = lines
                            .text()
                            .escape_ascii()
                            .to_string()
                            .replace("\\\"", "\"");
                        match missing {
                            0 => text,
                            missing => std::format!("{text} and {missing} more"),
                        }
                    }
                    Found::Damaged(bytes) => std::format!("{bytes} bytes lost"),
                });
            }
        }
        found
    }

    #[test]
    fn lines_are_the_same_however_the_bytes_are_sliced() {
        let bytes = b"AT+CSQ\r\r\n+CSQ: 24,0\r\n\r\nOK\r\n>\r\n+MSUB: \"t\",9 byte,\r\nOK\r\n> x\r\n\r\n+MSUB: 1\r\n\r\n> ";
        let whole = lines(&[bytes], 64);
        assert_eq!(
            whole,
            [
                "AT+CSQ",
                "+CSQ: 24,0",
                "OK",
                ">",
                r#"+MSUB: "t",9 byte,\r\nOK\r\n> x"#,
                "+MSUB: 1",
                ">"
            ]
        );
        for size in 1..bytes.len() {
            let chunks: Vec<&[u8]> = bytes.chunks(size).collect();
            assert_eq!(lines(&chunks, 64), whole, "chunks of {size}");
        }
    }

    /// Looked for an end, copied, and asked for its length, once more for each line end that a topic may hold: each byte is looked
    /// at so often at most, whatever the slicing, whatever the bytes.
    #[test]
    fn the_work_is_linear_in_the_bytes_however_they_are_sliced() {
        let report = |len: usize| {
            let mut report = std::format!("\r\n+MSUB: \"t\",{len} byte,").into_bytes();
            report.extend(core::iter::repeat_n(*b">\r\nOK\r\n+", len / 8).flatten());
            report.resize(report.len() + len % 8, b'>');
            report.extend(b"\r\n");
            report
        };
        let inputs = [
            report(4096),
            report(100_000),
            std::vec![b'a'; 100_000],
            std::vec![b'>'; 100_000],
            b"\r\n".repeat(50_000),
            b"\r\n+MSUB: \"t\",".repeat(8_000),
            b"+MSUB: \"t\",100000 byte,\r\nx".repeat(4_000),
            b"\r\n+CREG: 2\r\n\r\nOK\r\n".repeat(5_000),
        ];
        for input in inputs {
            for size in [1, 2, 3, 7, 64, 1000, usize::MAX] {
                for room in [16, 64, 5_000] {
                    let mut memory = std::vec![0; room];
                    let mut lines = Lines::new(&mut memory);
                    for chunk in input.chunks(size) {
                        let mut rest = chunk;
                        while !rest.is_empty() {
                            let before = lines.looked_at;
                            let (used, found) = lines.push(rest, true, SIZED);
                            assert!(used > 0 || found != Found::Nothing);
                            rest = &rest[used..];
                            // One push costs what it is given, and the line that it ends or fills.
                            let asks = 1 + usize::from(LINE_ENDS);
                            assert!(lines.looked_at - before <= 3 * used + asks * room + 3);
                        }
                    }
                    let work = lines.looked_at;
                    assert!(
                        work <= (4 + usize::from(LINE_ENDS)) * input.len(),
                        "{work} of {} in {size}",
                        input.len()
                    );
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let message = b"+MSUB: \"t\",20 byte,01234567890123456789\r\n\r\nOK\r\n";
        let expected = [r#"+MSUB: "t",20 byte,01234 and 15 more"#, "OK"];
        assert_eq!(lines(&[message], 24), expected);
        let bytes: Vec<&[u8]> = message.chunks(1).collect();
        assert_eq!(lines(&bytes, 24), expected);
        assert_eq!(
            lines(&[b"12345678901\r\n\r\nOK\r\n"], 10),
            ["11 bytes lost", "OK"]
        );
    }

    /// Whoever publishes chooses the topic, and chose one that was taken for an acknowledgement.
    #[test]
    fn a_topic_with_line_ends_says_nothing_for_the_module() {
        let message = b"+MSUB: \"a\r\nPUBACK\r\n\",3 byte,x\r\n\r\n\r\nOK\r\n";
        let expected = [r#"+MSUB: "a\r\nPUBACK\r\n",3 byte,x\r\n"#, "OK"];
        assert_eq!(lines(&[message], 64), expected);
        let bytes: Vec<&[u8]> = message.chunks(1).collect();
        assert_eq!(lines(&bytes, 64), expected);
        // Nor does one that the memory has no room for, or one with more line ends than anybody wants.
        assert_eq!(lines(&[message], 8), [""; 0]);
        let many = [b"+MSUB: \"".as_slice(), &b"PUBACK\r\n".repeat(50)].concat();
        assert_eq!(lines(&[&many], 4096), [""; 0]);
    }

    #[test]
    fn a_length_that_no_report_has_is_noise() {
        let bytes = b"+MSUB: \"t\",9999999 byte,x\r\n\r\nOK\r\n";
        assert_eq!(lines(&[bytes], 64), [""; 0]);
    }

    #[test]
    fn noise_before_a_line_is_no_part_of_it() {
        assert_eq!(
            lines(&[b"\0\0\r\n\xff\xffRDY\r\n\0APP RDY\r\n"], 64),
            ["RDY", "APP RDY"]
        );
    }

    /// Nor is what follows it: until the line falls silent nobody knows what is message and what is answer.
    #[test]
    fn a_payload_that_does_not_end_where_it_should_is_not_delivered() {
        for wrong in [
            &b"+MSUB: \"t\",5 byte,123456\r\n\r\nPUBACK\r\n"[..],
            b"+MSUB: \"t\",8 byte,123\r\n\r\nPUBACK\r\n\r\nRDY\r\n",
            // A topic with quotes, which looks like another one with a payload.
            b"+MSUB: \"a\",b\",12 byte,\r\nPUBACK\r\n12\r\n",
            b"+MSUB: \"a\",1 byte,b\",12 byte,\r\nPUBACK\r\n12\r\n",
        ] {
            for size in [1, 7, usize::MAX] {
                let chunks: Vec<&[u8]> = wrong.chunks(size).collect();
                assert_eq!(lines(&chunks, 64), [""; 0]);
            }
        }
    }
}
