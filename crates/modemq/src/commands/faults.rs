//! `modemq faults`: what can break, in words.

use super::Error;
use super::module::weather;
use crate::output;
use clap::Args as ClapArgs;
use std::process::ExitCode;
use world::fault::{ALIASES, Layer, WORDS, Word};
use world::weather::BUILT_IN;
use world::{Fault, Weather};

/// List the words for what can break, and the weathers; or show one
#[derive(ClapArgs, Debug)]
#[command(after_help = "Examples:
  modemq faults latency
      what the word takes and does
  modemq faults night-train
      the lines of a weather: a file of your own has the same form")]
pub struct Args {
    /// A word, a weather, or a file with one
    name: Option<String>,

    /// Print all of it as docs/faults.md has it
    #[arg(long, conflicts_with = "name")]
    markdown: bool,
}

/// Prints them.
///
/// # Errors
/// There is no such word, weather or file.
pub fn run(args: &Args) -> Result<ExitCode, Error> {
    let text = match &args.name {
        None if args.markdown => page(),
        None => list(),
        Some(name) => one(name)?,
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The whole vocabulary, for a terminal.
fn list() -> String {
    let mut text = format!("{SYNOPSIS}\n");
    for layer in Layer::ALL {
        text.push_str(&format!("\n{}\n", layer.title().replace('`', "")));
        for word in WORDS.iter().filter(|word| word.layer == layer) {
            text.push_str(&format!("  {}\n      {}\n", synopsis(word), word.about));
        }
    }
    text.push_str("\nOther names\n");
    for (name, meaning) in ALIASES {
        text.push_str(&format!("  {name:14} {meaning}\n"));
    }
    text.push_str("\nWeathers\n");
    for (name, about) in weathers() {
        text.push_str(&format!("  {name:15} {about}\n"));
    }
    text
}

fn weathers() -> impl Iterator<Item = (&'static str, String)> {
    BUILT_IN.iter().map(|(name, text)| {
        let about = Weather::parse(text).map(|weather| weather.about);
        (*name, about.unwrap_or_default())
    })
}

const SYNOPSIS: &str = "WORD [ARGUMENTS] [on PLACE] [at TIME | every TIME | when TEXT [after TIME]] [jitter SHARE] [for TIME] [probability SHARE] [times N]";

/// `docs/faults.md`: the whole vocabulary.
pub fn page() -> String {
    let mut text = INTRODUCTION.replace("SYNOPSIS", SYNOPSIS);
    for layer in Layer::ALL {
        text.push_str(&format!(
            "\n## {}\n\n| Word | What happens |\n|---|---|\n",
            layer.title()
        ));
        for word in WORDS.iter().filter(|word| word.layer == layer) {
            let only = if word.cellular {
                " Not on Wi-Fi modules."
            } else {
                ""
            };
            let synopsis = synopsis(word).replace('|', "\\|");
            text.push_str(&format!(
                "| `{synopsis}` | {}{only} `{}` |\n",
                word.about, word.example
            ));
        }
    }
    text.push_str("\n## Other names\n\n| Word | The same as |\n|---|---|\n");
    for (name, meaning) in ALIASES {
        text.push_str(&format!("| `{name}` | `{meaning}` |\n"));
    }
    text.push_str("\n## Weathers\n\n| Name | What it is like |\n|---|---|\n");
    for (name, about) in weathers() {
        text.push_str(&format!("| `{name}` | {about} |\n"));
    }
    text
}

const INTRODUCTION: &str = "# What can break

<!-- printed by `modemq faults --markdown` -->

One line is one fault:

    SYNOPSIS

    modemq module air780ep --fault 'pdp-deact every 10m jitter 30%' --seed 7       # on the command line, any number of them
    @fault pdp-deact                                                               # in a transcript; @heal ends them all
    rig.inject(now, \"pdp-deact every 10m\".parse()?)                                # in Rust: world::Rig, world::Bench

| Part | What it says |
|---|---|
| `on PLACE` | `serial`, `link` (every connection) or `link:HOST[:PORT]`, and perhaps `/upstream` (from the host, to the server) or `/downstream` |
| `at TIME` | Once, so long after it was injected; without it, `every` or `when`: at once |
| `every TIME` | Again and again; what lasts wants `for` beside it, since it cannot begin again before it is over |
| `when TEXT` | Whenever the host sends a command line that holds the text, in letters of either case; before the module says anything to it |
| `jitter SHARE` | The times vary by so much of themselves, either way |
| `for TIME` | It is over after that time |
| `probability SHARE` | It strikes only so often when its time comes |
| `times N` | It strikes N times at most |

Times are `500ms`, `20s`, `5m`, `1h30m`; shares are `5%` or `0.1%`. A seed decides everything that is left to chance: the same seed, the same bytes. Every fault
draws from a stream of its own, so that another one beside it changes nothing. Each that strikes, and its end, is a note in the trace.

A fault that lasts is there until it is over, cleared, or the world is healed; what it held back then goes on at once. `broker-up` ends all faults of the
connections, `signal-back` those of the signal, and `power-cut` wakes a module that hangs. `--record FILE` writes all that went in and out, and
`modemq replay FILE` plays it again byte for byte.

A weather is a file of such lines (`#` begins a comment): `--weather night-train`, or `--weather my.weather`. What a model cannot have is left out.
The words are those of toxiproxy and `tc netem` where these have one.
";

fn synopsis(word: &Word) -> String {
    format!("{} {}", word.name, word.args)
        .trim_end()
        .to_string()
}

fn one(name: &str) -> Result<String, Error> {
    let alias = ALIASES.iter().find(|(own, _)| *own == name);
    let meaning = alias.map_or(name, |(_, meaning)| meaning);
    let word = meaning.split(' ').next().and_then(Word::by_name);
    if let Some(word) = word {
        let same = alias
            .map(|_| format!("{name}: {meaning}\n"))
            .unwrap_or_default();
        // A weather may have the name of a word.
        let weather = Weather::text_of(name)
            .map(|text| format!("\nThe weather of this name:\n{text}"))
            .unwrap_or_default();
        return Ok(format!(
            "{same}{}\n  {}\n  such as: {}\n{weather}",
            synopsis(word),
            word.about,
            word.example
        ));
    }
    if let Some(text) = Weather::text_of(name) {
        return Ok(text.into());
    }
    let weather = weather(name).map_err(|error| {
        let unknown = name.parse::<Fault>().err();
        let unknown = unknown.map(|error| error.problem).unwrap_or_default();
        format!("{unknown}; and {error}")
    })?;
    let lines = weather.faults.iter().map(|fault| format!("{fault}\n"));
    Ok(format!(
        "# {}\n{}",
        weather.about,
        lines.collect::<String>()
    ))
}
