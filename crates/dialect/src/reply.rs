//! What a module says: final results, information responses, unsolicited reports, error codes.
//!
//! A [`Line`] is described once, as a row of [`Piece`]s. The module writes with it, a driver reads with it.

use crate::value::{Value, Values};
use crate::wire;
use crate::words;

/// One line that a module prints, without the CR LF around it.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is called on reference pages: `+MSUB (direct)`.
    pub name: &'static str,
    /// What it is made of.
    pub pieces: &'static [Piece],
    /// What it tells.
    pub about: &'static str,
}

/// A part of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// This text.
    Lit(&'static str),
    /// A decimal number.
    Int(&'static str),
    /// A string between quotes, raw: the firmware escapes nothing in its reports.
    Quoted(&'static str),
    /// A string without quotes, up to the next piece or the end of the line.
    Bare(&'static str),
    /// Raw bytes, any of them, as many as the number just before them says.
    Sized(&'static str),
}

impl Line {
    /// A line of these pieces.
    pub const fn new(name: &'static str, pieces: &'static [Piece], about: &'static str) -> Self {
        Self {
            name: words(name),
            pieces,
            about: words(about),
        }
    }

    /// Writes the line. Values stand in the order of the pieces that take one; a value of the wrong type, or a missing
    /// one, writes nothing in its place.
    pub fn write(&self, values: &[Value<'_>], sink: &mut dyn FnMut(&[u8])) {
        let mut values = values.iter().copied();
        for piece in self.pieces {
            match piece {
                Piece::Lit(text) => sink(text.as_bytes()),
                Piece::Int(_) => {
                    if let Some(Value::Int(number)) = values.next() {
                        wire::write_int(number, sink);
                    }
                }
                Piece::Quoted(_) => {
                    sink(b"\"");
                    sink(values.next().unwrap_or(Value::Omitted).text());
                    sink(b"\"");
                }
                Piece::Bare(_) | Piece::Sized(_) => {
                    sink(values.next().unwrap_or(Value::Omitted).text());
                }
            }
        }
    }

    /// Reads the line back; `None` when `text` is not this line.
    pub fn parse<'a>(&self, text: &'a [u8]) -> Option<Values<'a>> {
        // Most lines are another one: that is seen before there is room for values.
        if let Some(Piece::Lit(literal)) = self.pieces.first()
            && !text.starts_with(literal.as_bytes())
        {
            return None;
        }
        let mut values = Values::new();
        let mut reading = Reading::new(text);
        for index in 0..self.pieces.len() {
            reading.keep(self.pieces, index, &mut values)?;
        }
        reading.rest.is_empty().then_some(values)
    }

    /// Reads a line whose end is missing: of its [`Piece::Sized`] the last value has what is there. `None` of other lines, and
    /// when not even its beginning is there.
    pub fn parse_cut<'a>(&self, text: &'a [u8]) -> Option<Values<'a>> {
        let mut values = Values::new();
        let mut reading = Reading::new(text);
        for (index, piece) in self.pieces.iter().enumerate() {
            if matches!(piece, Piece::Sized(_)) {
                let len = reading.size()?.min(reading.rest.len());
                values.push(Value::Text(&reading.rest[..len]));
                return Some(values);
            }
            reading.keep(self.pieces, index, &mut values)?;
        }
        None
    }

    /// How many bytes the whole line has, as its beginning says: of a line with a [`Piece::Sized`], once `text` reaches the
    /// first of those bytes. Until then, and of any other line, `None`.
    pub fn length(&self, text: &[u8]) -> Option<usize> {
        let mut reading = Reading::new(text);
        for (index, piece) in self.pieces.iter().enumerate() {
            if matches!(piece, Piece::Sized(_)) {
                let tail = self.pieces[index + 1..].iter().map(|piece| match piece {
                    Piece::Lit(literal) => literal.len(),
                    _ => 0,
                });
                let head = text.len() - reading.rest.len();
                return head.checked_add(reading.size()?)?.checked_add(tail.sum());
            }
            reading.piece(self.pieces, index)?;
        }
        None
    }

    /// How far the header of a line with a [`Piece::Sized`] has come, when [`Line::length`] does not know it yet.
    pub fn header(&self, text: &[u8]) -> Header {
        let mut reading = Reading::new(text);
        let mut has_text = false;
        for (index, piece) in self.pieces.iter().enumerate() {
            if reading.piece(self.pieces, index).is_none() {
                return match piece {
                    Piece::Quoted(_) if reading.rest.starts_with(b"\"") => Header::Open,
                    _ if has_text => Header::Broken,
                    _ => Header::Other,
                };
            }
            has_text |= matches!(piece, Piece::Quoted(_));
        }
        Header::Other
    }

    /// Does `text` begin as this line does?
    pub fn begins(&self, text: &[u8]) -> bool {
        match self.pieces.first() {
            Some(Piece::Lit(literal)) => text.starts_with(literal.as_bytes()),
            _ => false,
        }
    }
}

/// A line that is being read.
struct Reading<'a> {
    rest: &'a [u8],
    /// The last one so far: of a [`Piece::Sized`] its length.
    number: Option<i64>,
}

impl<'a> Reading<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self {
            rest: text,
            number: None,
        }
    }

    fn size(&self) -> Option<usize> {
        usize::try_from(self.number?).ok()
    }

    /// Reads a piece, and keeps its value.
    fn keep(&mut self, pieces: &[Piece], index: usize, values: &mut Values<'a>) -> Option<()> {
        match self.piece(pieces, index)? {
            Value::Omitted => {}
            value => {
                values.push(value);
            }
        }
        Some(())
    }

    /// Reads a piece, which the one behind it may end; a [`Piece::Lit`] has no value.
    fn piece(&mut self, pieces: &[Piece], index: usize) -> Option<Value<'a>> {
        let text = self.rest;
        let (value, used) = match pieces[index] {
            Piece::Lit(literal) => {
                self.rest = text.strip_prefix(literal.as_bytes())?;
                return Some(Value::Omitted);
            }
            Piece::Int(_) => {
                let digits = text
                    .iter()
                    .take_while(|byte| byte.is_ascii_digit() || **byte == b'-')
                    .count();
                self.number = Some(wire::parse_int(&text[..digits])?);
                (Value::Int(self.number?), digits)
            }
            Piece::Quoted(_) => {
                let inner = text.strip_prefix(b"\"")?;
                // The string is raw, so it ends where the quote and what must follow it stand.
                let end = match pieces.get(index + 1) {
                    Some(Piece::Lit(literal)) => find_quote_then(inner, literal.as_bytes())?,
                    _ => inner.len().checked_sub(1).filter(|&at| inner[at] == b'"')?,
                };
                (Value::Text(&inner[..end]), end + 2)
            }
            Piece::Bare(_) => {
                let end = match pieces.get(index + 1) {
                    Some(Piece::Lit(literal)) => wire::find(text, literal.as_bytes())?,
                    _ => text.len(),
                };
                (Value::Text(&text[..end]), end)
            }
            Piece::Sized(_) => {
                let len = self.size()?;
                (Value::Text(text.get(..len)?), len)
            }
        };
        self.rest = &text[used..];
        Some(value)
    }
}

/// How far a header has come: [`Line::header`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// It is none of this line.
    Other,
    /// Its quoted text has no end yet. Line ends in it are part of it: whoever publishes chooses the topic.
    Open,
    /// What follows its text is not what follows it: a topic with quotes, or noise.
    Broken,
}

/// A code of `+CME ERROR` with its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// The number that `AT+CMEE=1` prints.
    pub code: u16,
    /// The words that `AT+CMEE=2` prints.
    pub words: &'static str,
}

/// What `code` means in the table of a dialect.
pub fn meaning(table: &[Meaning], code: u16) -> Option<&'static str> {
    table
        .iter()
        .find(|entry| entry.code == code)
        .map(|entry| entry.words)
}

fn find_quote_then(haystack: &[u8], after: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'"', haystack).find(|&at| haystack[at + 1..].starts_with(after))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use Piece::*;
    use std::vec::Vec;

    const MESSAGE: Line = Line::new(
        "+MSUB",
        &[
            Lit("+MSUB: "),
            Quoted("topic"),
            Lit(","),
            Int("len"),
            Lit(" byte,"),
            Sized("message"),
        ],
        "",
    );

    #[test]
    fn a_message_may_hold_line_ends_and_quotes() {
        let mut written = Vec::new();
        let values = [
            Value::from("a/b"),
            Value::Int(8),
            Value::Text(b"{\r\n \"x\"\n"),
        ];
        MESSAGE.write(&values, &mut |part| written.extend_from_slice(part));
        assert_eq!(written, b"+MSUB: \"a/b\",8 byte,{\r\n \"x\"\n");
        assert_eq!(MESSAGE.parse(&written).unwrap().as_slice(), values);
    }

    #[test]
    fn the_beginning_of_a_line_says_how_long_it_is() {
        let whole = b"+MSUB: \"a/b\",8 byte,{\r\n \"x\"\n";
        let head = whole.len() - 8;
        assert_eq!(MESSAGE.length(&whole[..head - 1]), None);
        assert_eq!(MESSAGE.length(&whole[..head]), Some(whole.len()));
        assert_eq!(MESSAGE.length(whole), Some(whole.len()));
        assert_eq!(MESSAGE.length(b"+MSUB: 0"), None);
        let cut = MESSAGE.parse_cut(&whole[..head + 3]).unwrap();
        assert_eq!(cut.text(2), b"{\r\n");
        assert_eq!(MESSAGE.parse_cut(&whole[..head - 1]), None);
        assert_eq!(MESSAGE.length(b"+MSUB: \"a\",-8 byte,"), None);
    }

    #[test]
    fn a_length_that_does_not_fit_is_another_line() {
        assert_eq!(MESSAGE.parse(b"+MSUB: \"a\",5 byte,1234"), None);
        assert_eq!(MESSAGE.parse(b"+MSUB: \"a\",5 byte,123456"), None);
        assert_eq!(MESSAGE.parse(b"+MSUB: 0"), None);
    }
}
