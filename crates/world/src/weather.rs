//! Many faults at once: files of lines, with names for some.

use crate::fault::{Fault, FaultError};
use std::fmt;

/// Faults that go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weather {
    /// Its first comment: what it is like.
    pub about: String,
    /// Its lines.
    pub faults: Vec<Fault>,
}

/// A line that is no fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeatherError {
    /// Which, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub error: FaultError,
}

impl fmt::Display for WeatherError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, {}", self.line, self.error)
    }
}

impl std::error::Error for WeatherError {}

macro_rules! built_in {
    ($($name:literal),*) => {
        &[$(($name, include_str!(concat!("../weather/", $name, ".weather")))),*]
    };
}

/// The weathers that have a name, and their text.
pub const BUILT_IN: &[(&str, &str)] = built_in![
    "city",
    "elevator",
    "basement",
    "night-train",
    "arrears",
    "server-restart",
    "reconnect-storm"
];

impl Weather {
    /// Reads a file: a fault on each line, `#` before a comment, empty lines.
    ///
    /// # Errors
    /// The first line that is no fault.
    pub fn parse(text: &str) -> Result<Self, WeatherError> {
        let mut about = None;
        let mut faults = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if let Some(comment) = line.strip_prefix('#') {
                about = about.or(Some(comment.trim().to_string()));
            } else if !line.is_empty() {
                let fault = line.parse().map_err(|error| WeatherError {
                    line: index + 1,
                    error,
                })?;
                faults.push(fault);
            }
        }
        Ok(Self {
            about: about.unwrap_or_default(),
            faults,
        })
    }

    /// The text of the weather of this name.
    pub fn text_of(name: &str) -> Option<&'static str> {
        let found = BUILT_IN.iter().find(|(own, _)| *own == name);
        found.map(|(_, text)| *text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_weather_is_read_and_says_what_it_is_like() {
        for (name, text) in BUILT_IN {
            let weather = Weather::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(!weather.faults.is_empty(), "{name}");
            assert!(weather.about.ends_with('.'), "{name}: {}", weather.about);
        }
    }

    #[test]
    fn an_error_names_the_line() {
        let error = Weather::parse("# x\n\ntcp-drop every\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 3, column 10: `every` wants something behind it: every 10m"
        );
    }
}
