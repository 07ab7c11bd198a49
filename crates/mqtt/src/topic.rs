//! Topic names and filters: MQTT 3.1.1 §4.7.

/// May this be the topic of a PUBLISH? Not empty, no wildcard, no NUL, at most 65,535 bytes.
pub fn topic_name_is_valid(name: &str) -> bool {
    let bytes = name.as_bytes();
    !bytes.is_empty() && u16::try_from(bytes.len()).is_ok() && !has_wildcard_or_null(bytes)
}

/// Eight bytes at a time: every message that arrives passes through here.
#[inline]
fn has_wildcard_or_null(bytes: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let has_zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let (words, rest) = bytes.as_chunks();
    let found = words.iter().fold(0, |found, word| {
        let word = u64::from_le_bytes(*word);
        let plus = word ^ (ONES * u64::from(b'+'));
        let hash = word ^ (ONES * u64::from(b'#'));
        found | has_zero(word) | has_zero(plus) | has_zero(hash)
    });
    found != 0 || rest.iter().any(|byte| matches!(byte, b'+' | b'#' | 0))
}

/// May this be a topic filter? `+` fills a whole level, `#` the last one.
pub fn topic_filter_is_valid(filter: &str) -> bool {
    let bytes = filter.as_bytes();
    if bytes.is_empty() || u16::try_from(bytes.len()).is_err() || bytes.contains(&0) {
        return false;
    }
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        let valid = match level {
            "+" => true,
            "#" => levels.peek().is_none(),
            _ => !level.contains(['+', '#']),
        };
        if !valid {
            return false;
        }
    }
    true
}

/// Does `filter` cover `name`? Both are taken to be valid.
pub fn topic_matches(filter: &str, name: &str) -> bool {
    // A leading wildcard does not reach topics that begin with `$`: §4.7.2.
    if name.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut names = name.split('/');
    for level in filter.split('/') {
        if level == "#" {
            return true;
        }
        match names.next() {
            Some(own) if level == "+" || level == own => {}
            _ => return false,
        }
    }
    names.next().is_none()
}

/// Does `filter` cover every name that `other` covers? Both are taken to be valid. `+/#` and `#` cover the same names, and only the
/// second is said to cover the first.
pub fn topic_covers(filter: &str, other: &str) -> bool {
    if other.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut others = other.split('/');
    for level in filter.split('/') {
        if level == "#" {
            return true;
        }
        match others.next() {
            Some(own) if level == own || level == "+" && own != "#" => {}
            _ => return false,
        }
    }
    others.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_covers_others() {
        for (filter, other, covers) in [
            ("a/#", "a/b", true),
            ("a/#", "a", true),
            ("a/#", "a/+/c", true),
            ("a/#", "a/#", true),
            ("a/#", "#", false),
            ("#", "+/#", true),
            ("+/#", "#", false),
            ("+/#", "a", true),
            ("#", "$SYS/#", false),
            ("+/x", "$SYS/x", false),
            ("$SYS/#", "$SYS/x", true),
            ("a/+", "a/b", true),
            ("a/+", "a/+", true),
            ("a/+", "a/#", false),
            ("a/+", "+/b", false),
            ("a/b", "a/+", false),
            ("a/b", "a", false),
            ("a/b", "a/b/c", false),
        ] {
            assert_eq!(topic_covers(filter, other), covers, "{filter} {other}");
        }
    }

    #[test]
    fn the_examples_of_the_standard() {
        for (filter, name, matches) in [
            ("sport/tennis/player1/#", "sport/tennis/player1", true),
            (
                "sport/tennis/player1/#",
                "sport/tennis/player1/score/wimbledon",
                true,
            ),
            ("sport/#", "sport", true),
            ("sport/tennis/+", "sport/tennis/player1", true),
            ("sport/tennis/+", "sport/tennis/player1/ranking", false),
            ("sport/+", "sport", false),
            ("sport/+", "sport/", true),
            ("+/+", "/finance", true),
            ("/+", "/finance", true),
            ("+", "/finance", false),
            ("#", "$SYS/broker", false),
            ("+/monitor/Clients", "$SYS/monitor/Clients", false),
            ("$SYS/#", "$SYS/monitor", true),
        ] {
            assert_eq!(topic_matches(filter, name), matches, "{filter} {name}");
        }
    }

    #[test]
    fn wildcards_fill_whole_levels() {
        for good in ["#", "+", "+/tennis/#", "sport/+/player1", "/", "a//b"] {
            assert!(topic_filter_is_valid(good), "{good}");
        }
        for bad in [
            "",
            "sport/tennis#",
            "sport/tennis/#/ranking",
            "sport+",
            "a\0",
        ] {
            assert!(!topic_filter_is_valid(bad), "{bad}");
        }
        assert!(!topic_name_is_valid("a/+"));
        assert!(topic_name_is_valid("/"));
    }
}
