//! Every transcript, on every model that it names, at both paces.

// clippy.toml allows unwrap in test functions; these helpers are called by nothing else.
#![allow(clippy::unwrap_used)]

use modemq::commands::replay::{models_of, on_virtual};
use modemq::transcript::Script;
use module::Pace;
use std::path::{Path, PathBuf};

#[test]
fn every_transcript_goes_as_written() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../transcripts");
    let mut files = Vec::new();
    collect(&root, &mut files);
    assert!(!files.is_empty(), "no transcript in {}", root.display());
    let (mut played, mut wrong) = (0, Vec::new());
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let script = Script::parse(&path.display().to_string(), &text)
            .unwrap_or_else(|error| panic!("{error}"));
        let models = models_of(&script, &path, None).unwrap();
        assert!(!models.is_empty(), "{} is for no model", path.display());
        for model in models {
            for pace in [Pace::Real, Pace::Fast] {
                played += 1;
                if let Err(mismatch) = on_virtual(&script, model, pace, &[]).unwrap() {
                    wrong.push(format!("{} at pace {pace:?}: {mismatch}", model.title));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {played} went wrong:\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
}

#[test]
fn a_mismatch_says_where_and_what() {
    let script = Script::parse("wrong.at", "AT+CGATT?\n\n+CGATT: 0\n\nOK\n").unwrap();
    let model = dialect::Model::by_name("air780ep").unwrap();
    let mismatch = on_virtual(&script, model, Pace::Fast, &[])
        .unwrap()
        .unwrap_err();
    assert_eq!(mismatch.number, 3);
    assert_eq!(mismatch.expected, "\\r\\n+CGATT: 0\\r\\n");
    assert_eq!(mismatch.got, "\\r\\n+CGATT: 1\\r\\n\\r\\nOK\\r\\n");
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "at") {
            files.push(path);
        }
    }
}
