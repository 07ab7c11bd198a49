//! Bytes to strings and back: quotes, escapes, numbers.

/// What a backslash means between quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escapes {
    /// Nothing: the string ends at the next quote, and cannot hold one.
    None,
    /// Luat: two hexadecimal digits after the backslash are one byte; the manual names `\22`, `\0D`, `\0A` and `\5C`.
    ///
    /// `\"` is a quote and `\\` a backslash as well. A backslash before anything else is itself.
    // Source: Luat AT manual, MQTT/MPUB: the four escapes, and that an MCU "may need" to double the backslash.
    // Inferred: that any pair of digits works, and what `\"`, which clients in the field send, does.
    Luat,
    /// ESP-AT: a backslash goes, and what stands behind it stays. `"`, `,` and `\` need one.
    // Source: ESP-AT 2.2 documentation, AT_Command_Set/index.
    Backslash,
}

/// Takes the escapes out of `text` in place and returns how much of it is left.
///
/// `text` is what stands between the quotes. Unescaping never lengthens, so nothing needs allocating.
pub fn unescape(text: &mut [u8], escapes: Escapes) -> usize {
    match escapes {
        Escapes::None => text.len(),
        Escapes::Luat => {
            let (mut read, mut write) = (0, 0);
            while read < text.len() {
                let (byte, used) = luat_escape(&text[read..]);
                text[write] = byte;
                write += 1;
                read += used;
            }
            write
        }
        Escapes::Backslash => {
            let (mut read, mut write) = (0, 0);
            while read < text.len() {
                if text[read] == b'\\' && read + 1 < text.len() {
                    read += 1;
                }
                text[write] = text[read];
                write += 1;
                read += 1;
            }
            write
        }
    }
}

/// Gives `sink` the bytes of `text` as they stand between quotes; false when the language cannot say them.
pub fn escape(text: &[u8], escapes: Escapes, sink: &mut dyn FnMut(&[u8])) -> bool {
    match escapes {
        Escapes::None => {
            let plain = !text
                .iter()
                .any(|byte| matches!(byte, b'"' | b'\r' | b'\n' | 0x08));
            if plain {
                sink(text);
            }
            plain
        }
        Escapes::Luat => {
            const HEX: &[u8; 16] = b"0123456789ABCDEF";
            let mut rest = text;
            while let Some(stop) = rest.iter().position(|&byte| needs_luat_escape(byte)) {
                sink(&rest[..stop]);
                let byte = rest[stop];
                sink(&[
                    b'\\',
                    HEX[usize::from(byte >> 4)],
                    HEX[usize::from(byte & 15)],
                ]);
                rest = &rest[stop + 1..];
            }
            sink(rest);
            true
        }
        Escapes::Backslash => {
            // There is no way to say the line's end, and NUL empties the firmware's line.
            if text.iter().any(|byte| matches!(byte, 0 | b'\n')) {
                return false;
            }
            let mut rest = text;
            while let Some(stop) = rest
                .iter()
                .position(|byte| matches!(byte, b'"' | b',' | b'\\'))
            {
                sink(&rest[..stop]);
                sink(&[b'\\', rest[stop]]);
                rest = &rest[stop + 1..];
            }
            sink(rest);
            true
        }
    }
}

/// Where the string that begins after the opening quote ends: the index of its closing quote.
pub fn closing_quote(text: &[u8], escapes: Escapes) -> Option<usize> {
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'"' => return Some(at),
            b'\\' if escapes == Escapes::Luat => at += luat_escape(&text[at..]).1,
            b'\\' if escapes == Escapes::Backslash => at += 2,
            _ => at += 1,
        }
    }
    None
}

/// Reads a whole decimal number with an optional sign; nothing else may stand beside it.
pub fn parse_int(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let mut number: i64 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = number * 10 + i64::from(digit - b'0');
    }
    Some(if negative { -number } else { number })
}

/// Reads a whole number as ESP-AT does: decimal, or hexadecimal after `0x`.
pub fn parse_int_or_hex(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text {
        [b'-', rest @ ..] => (-1, rest),
        _ => (1, text),
    };
    let [b'0', b'x' | b'X', hex @ ..] = digits else {
        return parse_int(text).filter(|_| text.first() != Some(&b'+'));
    };
    if hex.is_empty() || hex.len() > 8 {
        return None;
    }
    hex.iter()
        .try_fold(0_i64, |number, &digit| {
            Some(number << 4 | i64::from(hex_digit(digit)?))
        })
        .map(|number| sign * number)
}

/// Where `needle`, which is short, stands first. Lines are short too: what `memchr::memmem` has besides is for longer texts, and
/// takes 3 KB in firmware.
pub fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let Some((first, rest)) = needle.split_first() else {
        return Some(0);
    };
    memchr::memchr_iter(*first, haystack).find(|&at| haystack[at + 1..].starts_with(rest))
}

/// Gives `sink` the decimal digits of `number`.
pub fn write_int(number: i64, sink: &mut dyn FnMut(&[u8])) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        at -= 1;
        digits[at] = b'-';
    }
    sink(&digits[at..]);
}

/// `text` without the spaces around it.
pub fn trim(text: &[u8]) -> &[u8] {
    text.trim_ascii()
}

/// The byte that `text` begins with, and how many bytes of it say so.
fn luat_escape(text: &[u8]) -> (u8, usize) {
    match text {
        [b'\\', quoted @ (b'"' | b'\\'), ..] => (*quoted, 2),
        [b'\\', high, low, ..] => match (hex_digit(*high), hex_digit(*low)) {
            (Some(high), Some(low)) => (high << 4 | low, 3),
            _ => (b'\\', 1),
        },
        [byte, ..] => (*byte, 1),
        [] => (0, 1),
    }
}

fn needs_luat_escape(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\') || byte < 0x20 || byte == 0x7f
}

/// The value of one hexadecimal digit.
pub const fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn unescaped(text: &str) -> Vec<u8> {
        let mut bytes = text.as_bytes().to_vec();
        let len = unescape(&mut bytes, Escapes::Luat);
        bytes.truncate(len);
        bytes
    }

    #[test]
    fn the_escapes_of_the_manual() {
        assert_eq!(unescaped(r"{\22a\22:1}\0D\0A\5C"), b"{\"a\":1}\r\n\\");
    }

    #[test]
    fn a_backslash_before_anything_else_is_itself() {
        assert_eq!(unescaped(r"C:\temp\"), br"C:\temp\");
        assert_eq!(unescaped(r"\2"), br"\2");
    }

    #[test]
    fn an_escaped_quote_does_not_end_the_string() {
        assert_eq!(closing_quote(br#"a\"b" rest"#, Escapes::Luat), Some(4));
        assert_eq!(closing_quote(br#"a\"b"#, Escapes::None), Some(2));
    }

    #[test]
    fn numbers_are_whole() {
        assert_eq!(parse_int(b"60"), Some(60));
        assert_eq!(parse_int(b"-1"), Some(-1));
        for bad in ["", "-", "6 0", "0x10", "1e3", "9999999999999999999"] {
            assert_eq!(parse_int(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn every_byte_survives_the_luat_escapes() {
        let all: Vec<u8> = (0..=255).collect();
        let mut written = Vec::new();
        assert!(escape(&all, Escapes::Luat, &mut |part| written
            .extend_from_slice(part)));
        let len = unescape(&mut written, Escapes::Luat);
        assert_eq!(&written[..len], all);
    }
}
