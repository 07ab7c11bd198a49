//! What the trace tells of what the host typed: everything but keys.
//!
//! A key has its command, whose data is not told at all. But a host that announces too short a length, or does not wait for the
//! prompt, types its key, or the rest of it, where commands are read.

/// This many characters of Base64 in a row are no word: a line of PEM has 64.
const RUN: usize = 40;

/// Puts what is typed into words for the trace.
#[derive(Debug, Default)]
pub(crate) struct Teller {
    /// A key was typed just now: what follows may be its end, until there is a command.
    suspicious: bool,
}

impl Teller {
    /// The data of a command may have been a key.
    pub(crate) fn suspect(&mut self) {
        self.suspicious = true;
    }

    /// A line, or a part of one, as the trace tells it.
    pub(crate) fn told(&mut self, typed: &[u8]) -> Vec<u8> {
        if typed.trim_ascii().is_empty() {
            return typed.into();
        }
        if self.suspicious && !is_command(typed) {
            return format!("<{} bytes>", typed.len()).into_bytes();
        }
        let told = told(typed);
        self.suspicious = !is_command(typed) && told != typed;
        told
    }
}

fn told(typed: &[u8]) -> Vec<u8> {
    if let Some(at) = key_in_command(typed) {
        let hidden = typed.len() - at;
        return [
            &typed[..at],
            format!("<{hidden} bytes of a key>").as_bytes(),
        ]
        .concat();
    }
    if is_command(typed) {
        return typed.to_vec();
    }
    if typed.iter().any(|byte| !byte.is_ascii() || *byte == 0) {
        return format!("<{} bytes>", typed.len()).into_bytes();
    }
    let mut told = Vec::new();
    for run in typed.chunk_by(|a, b| is_base64(*a) == is_base64(*b)) {
        if run.len() >= RUN && is_base64(run[0]) {
            told.extend_from_slice(format!("<{} characters>", run.len()).as_bytes());
        } else {
            told.extend_from_slice(run);
        }
    }
    told
}

/// `AT` and the sign of an extended command, or a line that is too short for a key.
fn is_command(typed: &[u8]) -> bool {
    let typed = typed.trim_ascii_start();
    let starts = typed
        .get(..2)
        .is_some_and(|at| at.eq_ignore_ascii_case(b"AT"));
    let sign = typed.get(2).is_some_and(|sign| b"+*^&$#%".contains(sign));
    starts && (sign || typed.len() < RUN)
}

/// Where the key begins in `AT+ECMTCFG="ssl","psk",…`: only of a certificate it is told what follows.
fn key_in_command(typed: &[u8]) -> Option<usize> {
    let name = b"+ECMTCFG";
    let at = typed
        .windows(name.len())
        .position(|part| part.eq_ignore_ascii_case(name))?;
    let mut commas = (at..typed.len()).filter(|at| typed[*at] == b',');
    let (first, second) = (commas.next()?, commas.next()?);
    let lower = |part: &[u8]| {
        let part = part
            .iter()
            .filter(|byte| !matches!(byte, b' ' | b'"' | b'='));
        part.map(u8::to_ascii_lowercase).collect::<Vec<_>>()
    };
    let option = lower(&typed[at + name.len()..first]);
    let is_key = option == b"ssl" && lower(&typed[first + 1..second]) != b"ca";
    is_key.then_some(second + 1)
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'\r' | b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_and_keys_are_not() {
        let key = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ+/";
        for (typed, wanted) in [
            ("AT+MPUB=\"t\",1,0,\"x\"", "AT+MPUB=\"t\",1,0,\"x\""),
            (
                "AT+ECMTCFG=\"keepalive\",0,120",
                "AT+ECMTCFG=\"keepalive\",0,120",
            ),
            ("hello, world", "hello, world"),
            (key, "<52 characters>"),
            (&format!("AT{key}"), "<54 characters>"),
            (
                &format!("x-{key}-----END PRIVATE KEY-----"),
                "x-<52 characters>-----END PRIVATE KEY-----",
            ),
            (
                "AT+ECMTCFG=\"ssl\",\"psk\",\"secret\",\"id\"",
                "AT+ECMTCFG=\"ssl\",\"psk\",<13 bytes of a key>",
            ),
            (
                "at+ecmtcfg= \"SSL\" , ecc,k",
                "at+ecmtcfg= \"SSL\" , ecc,<1 bytes of a key>",
            ),
            (
                "AT+ECMTCFG=\"ssl\",\"ca\",\"MIID\"",
                "AT+ECMTCFG=\"ssl\",\"ca\",\"MIID\"",
            ),
        ] {
            assert_eq!(String::from_utf8(told(typed.as_bytes())).unwrap(), wanted);
        }
        assert_eq!(told(b"\x30\x82\x04\xbd"), b"<4 bytes>");
        let mut teller = Teller::default();
        let lines = ["tail=", key, "tail=", "", "tail=", "AT", "tail="];
        let told = lines.map(|line| String::from_utf8(teller.told(line.as_bytes())).unwrap());
        let hidden = [
            "tail=",
            "<52 characters>",
            "<5 bytes>",
            "",
            "<5 bytes>",
            "AT",
            "tail=",
        ];
        assert_eq!(told, hidden);
    }
}
