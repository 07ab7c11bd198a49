//! Which module is at the other end of a line: what it says to the questions that every family has for that.

use crate::conversation::{Answer, End, Modem, is_report};
use crate::line::HostLine;
use dialect::{Model, model};
use std::io;
use std::time::Duration;

/// What a module says of itself.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// The model that this is, when it is one of ours.
    pub model: Option<&'static Model>,
    /// Its answers, and nothing that it reported meanwhile.
    pub says: Vec<String>,
}

/// ATI is V.250's, AT+CGMM 3GPP's, AT+GMR both ESP-AT's and V.250's.
const QUESTIONS: &[&str] = &["AT+CGMM", "ATI", "AT+GMR", "AT+CGMI"];
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(3);

/// Asks, and gives the line back. `None`: nobody answers `AT`, typed so many times.
///
/// # Errors
/// The line is broken.
pub async fn identify(
    line: HostLine,
    tries: u32,
    patience: Duration,
) -> io::Result<(HostLine, Option<Identity>)> {
    line.discard_input()?;
    // ESP-AT wants its line feed, which others overlook.
    let mut modem = Modem::new(line, &model::ALL[0]);
    modem.end_lines_with("\r\n");
    if !answers(&mut modem, tries, patience).await? {
        return Ok((modem.into_line(), None));
    }
    let mut identity = Identity::default();
    for question in QUESTIONS {
        let answer = modem.ask(question, ANSWER).await?;
        identity.says.extend(said(&answer, question));
        identity.model = recognise(&identity.says);
        // A second answer tells the firmware's version.
        if identity.model.is_some() && identity.says.len() > 1 {
            break;
        }
    }
    Ok((modem.into_line(), Some(identity)))
}

/// Is there a module? One that starts says so before it answers: it is given more time.
async fn answers(modem: &mut Modem, tries: u32, patience: Duration) -> io::Result<bool> {
    let mut left = tries;
    let mut starts = 20;
    while left > 0 {
        let answer = modem.ask("AT", patience).await?;
        match answer.end {
            End::Good => return Ok(true),
            // Noise at a wrong rate is no start.
            End::TimedOut if starts > 0 && answer.lines.iter().any(|line| is_text(line)) => {
                starts -= 1;
            }
            _ => left -= 1,
        }
    }
    Ok(false)
}

fn is_text(line: &str) -> bool {
    line.len() > 1
        && line.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        && !line.contains("\\x")
}

/// What of an answer answers.
fn said(answer: &Answer, question: &str) -> Vec<String> {
    if answer.end != End::Good {
        return Vec::new();
    }
    let own = |line: &&String| {
        // Information has no name, or the question's own.
        let named = line.starts_with(['+', '^', '*', '%', '#', '$']);
        let name = line.split(':').next().unwrap_or_default();
        // The echo of a question that was answered too late.
        let is_echo = line.as_str() == "AT" || QUESTIONS.contains(&line.as_str());
        line.as_str() != "OK"
            && !is_echo
            && !is_report(line, question)
            && (!named || question.contains(name))
    };
    answer.lines.iter().filter(own).cloned().collect()
}

/// The model whose name or firmware stands in what was said; of several the one with the longest name.
pub fn recognise(said: &[String]) -> Option<&'static Model> {
    let names = |model: &Model| {
        let own = [model.title, model.firmware].map(letters);
        said.iter()
            .map(|line| letters(line))
            .any(|line| own.iter().any(|own| line.contains(own.as_str())))
    };
    let known = model::ALL.iter().filter(|model| names(model));
    known.max_by_key(|model| model.title.len())
}

fn letters(text: &str) -> String {
    let kept = text.chars().filter(char::is_ascii_alphanumeric);
    kept.map(|letter| letter.to_ascii_lowercase()).collect()
}
