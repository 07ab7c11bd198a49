//! The values that stand in commands and replies.

use core::fmt;

/// One parameter of a command, or one field of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Left out (`a,,b`), where the language allows it.
    Omitted,
    /// A whole number.
    Int(i64),
    /// A string, with its quotes and escapes already taken away.
    Text(&'a [u8]),
}

impl<'a> Value<'a> {
    /// The number, when it is one.
    pub const fn int(self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(number),
            _ => None,
        }
    }

    /// The string; empty when it was left out.
    pub const fn text(self) -> &'a [u8] {
        match self {
            Self::Text(text) => text,
            _ => b"",
        }
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<i32> for Value<'_> {
    fn from(number: i32) -> Self {
        Self::Int(i64::from(number))
    }
}

impl From<u8> for Value<'_> {
    fn from(number: u8) -> Self {
        Self::Int(i64::from(number))
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text.as_bytes())
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(text: &'a [u8]) -> Self {
        Self::Text(text)
    }
}

/// The values of one command or reply, in order. Holds them without an allocator.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Values<'a> {
    items: [Value<'a>; Values::MAX],
    len: u8,
}

impl<'a> Values<'a> {
    /// The most that any command or reply of any dialect has.
    pub const MAX: usize = 16;

    /// None yet.
    pub const fn new() -> Self {
        Self {
            items: [Value::Omitted; Self::MAX],
            len: 0,
        }
    }

    /// Appends one; false, and nothing changed, when there is no room.
    pub fn push(&mut self, value: Value<'a>) -> bool {
        let index = usize::from(self.len);
        if index == Self::MAX {
            return false;
        }
        self.items[index] = value;
        self.len += 1;
        true
    }

    /// Those that were given, [`Value::Omitted`] among them.
    pub fn as_slice(&self) -> &[Value<'a>] {
        &self.items[..usize::from(self.len)]
    }

    /// How many were given.
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Was none given?
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value at `index`; [`Value::Omitted`] when there is none.
    pub fn at(&self, index: usize) -> Value<'a> {
        self.as_slice()
            .get(index)
            .copied()
            .unwrap_or(Value::Omitted)
    }

    /// Was something given at `index`?
    pub fn has(&self, index: usize) -> bool {
        self.at(index) != Value::Omitted
    }

    /// The number at `index`, if one was given.
    pub fn int(&self, index: usize) -> Option<i64> {
        self.at(index).int()
    }

    /// The string at `index`; empty when none was given.
    pub fn text(&self, index: usize) -> &'a [u8] {
        self.at(index).text()
    }
}

impl Default for Values<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Values<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}
