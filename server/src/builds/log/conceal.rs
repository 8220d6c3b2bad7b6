//! What a log says of private code, kept from those who may not know it: where the code lies, and its whole commit hash.
//!
//! Each text keeps its length in bytes, so places in a sealed log are the same for all readers.

use crate::db::rows;
use slipway_protocol::Record;

/// How the step begins that fetches the code.
const SOURCE_STEP: &str = "[source] ";
/// Of a commit hash so much is shown.
const SHORT: usize = 7;

/// The words that are covered.
#[derive(Clone, Debug)]
pub struct Conceal {
    words: Vec<String>,
    commit: String,
}

impl Conceal {
    /// Covers the code of a build.
    pub fn of(build: &rows::Build, source: Option<&rows::Source>) -> Self {
        let urls = source.map(|s| [s.clone_url.clone(), s.html_url.clone()]);
        let words = urls.into_iter().flatten().filter(|w| !w.is_empty()).collect();
        Self { words, commit: build.commit_hash.clone() }
    }

    pub fn record(&self, record: &mut Record) {
        match record {
            Record::StepStarted(step) => self.text(&mut step.name),
            Record::Line(line) => self.text(&mut line.text),
            Record::StepDone(done) => done.error.iter_mut().for_each(|error| self.text(error)),
            Record::Notice { text, .. } => self.text(text),
            Record::Progress { .. } => {}
        }
    }

    /// Puts stars over what is not to be read.
    pub fn text(&self, text: &mut String) {
        // The address may be an older one, of before the code was moved.
        if let Some(at) = text.find(SOURCE_STEP).filter(|at| *at < 16) {
            let from = at + SOURCE_STEP.len();
            let to = text[from..].find(" at ").map_or(text.len(), |n| from + n);
            cover(text, from, text[..to].trim_end_matches('\n').len());
        }
        for word in &self.words {
            while let Some(at) = text.find(word.as_str()) {
                cover(text, at, at + word.len());
            }
        }
        // Longer forms of the hash first: BuildKit and git print it in several lengths.
        let rest = self.commit.get(SHORT..).unwrap_or_default();
        let mut from = 0;
        while let Some(at) = text[from..].find(&self.commit[..self.commit.len().min(SHORT)]).map(|n| from + n + SHORT) {
            let more = text[at.min(text.len())..].bytes().zip(rest.bytes()).take_while(|(a, b)| a == b).count();
            cover(text, at, at + more);
            from = at.min(text.len());
        }
    }
}

fn cover(text: &mut String, from: usize, to: usize) {
    if from < to {
        text.replace_range(from..to, &"*".repeat(to - from));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_hashes_are_covered_and_lengths_stay() {
        let commit = "4f2a6c1d9e0b4f2a6c1d9e0b4f2a6c1d9e0b4f2a";
        let words = vec!["https://forge.example/mona/secret.git".into(), "https://forge.example/mona/secret".into()];
        let conceal = Conceal { words, commit: commit.to_owned() };
        for (given, shown) in [
            (
                "[source] https://old.example/x/y.git at 4f2a6c1d9e0b",
                "[source] *************************** at 4f2a6c1*****",
            ),
            (
                "#1 [source] https://old.example/x at 4f2a6c1d9e0b\n",
                "#1 [source] ********************* at 4f2a6c1*****\n",
            ),
            ("[source] https://old.example/ü\n", "[source] **********************\n"),
            ("no https://forge.example/mona/secret!", "no *********************************!"),
            ("<https://forge.example/mona/secret.git>", "<*************************************>"),
            ("HEAD is 4f2a6c1d9e0b4f2a6c1d9e0b4f2a6c1d9e0b4f2a.", "HEAD is 4f2a6c1*********************************."),
            ("nothing of it", "nothing of it"),
        ] {
            let mut text = given.to_owned();
            conceal.text(&mut text);
            assert_eq!((text.as_str(), text.len()), (shown, given.len()));
        }
    }
}
