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
            Record::StepDone(done) => done.error.iter_mut().for_each(|error| self.told(error)),
            Record::Notice { text, .. } => self.told(text),
            Record::Progress { .. } => {}
        }
    }

    /// A record that was made text: what Slipway or BuildKit says in it, or what a step printed.
    pub fn rendered(&self, record: &Record, text: &mut String) {
        match record {
            Record::StepDone(_) | Record::Notice { .. } => self.told(text),
            _ => self.text(text),
        }
    }

    /// A sentence about the build. Any web address in it is covered: after the code was moved or disconnected, nobody
    /// knows any more that it lay there.
    pub fn told(&self, text: &mut String) {
        let mut from = 0;
        while let Some(at) = text[from..].find("http").map(|n| from + n) {
            let rest = &text[at..];
            let is_address = rest.starts_with("https://") || rest.starts_with("http://");
            let ends = |c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '`' | '<' | '>');
            let to = if is_address { at + rest.find(ends).unwrap_or(rest.len()) } else { at };
            cover(text, at, to);
            from = to.max(at + "http".len());
        }
        self.text(text);
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
            let mut from = 0;
            while let Some(at) = text[from..].find(word.as_str()).map(|n| from + n) {
                from = at + word.len();
                cover(text, at, from);
            }
        }
        // Longer forms of the hash too: BuildKit and git print it in several lengths.
        let Some((short, rest)) = self.commit.split_at_checked(SHORT) else { return };
        let mut from = 0;
        while let Some(at) = text[from..].find(short).map(|n| from + n + SHORT) {
            let more = text[at..].bytes().zip(rest.bytes()).take_while(|(a, b)| a == b).count();
            cover(text, at, at + more);
            from = at + more;
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

    #[test]
    fn a_sentence_tells_no_address_when_the_source_is_gone() {
        let conceal = Conceal { words: vec![], commit: String::new() };
        for (given, shown) in [
            (
                "https://forge.example/mona/secret.git cannot be read",
                "************************************* cannot be read",
            ),
            ("no `http://old.example/x`, \"https://ü.example\"", "no `********************`, \"******************\""),
            ("http is no address, <https://a>", "http is no address, <*********>"),
        ] {
            let mut notice = Record::Notice { at: 0, text: given.to_owned() };
            let mut raw = given.to_owned();
            conceal.rendered(&notice, &mut raw);
            conceal.record(&mut notice);
            let Record::Notice { text, .. } = notice else { unreachable!("it was one") };
            assert_eq!((text.as_str(), raw.as_str()), (shown, shown));
        }
    }

    #[test]
    fn what_a_step_prints_keeps_its_other_addresses() {
        let conceal = Conceal { words: vec![], commit: "4f2a6c".to_owned() };
        let mut text = "4f2a6c from https://crates.example".to_owned();
        conceal.text(&mut text);
        assert_eq!(text, "4f2a6c from https://crates.example");
    }

    #[test]
    fn a_line_of_many_addresses_is_covered_to_its_end() {
        let word = "https://forge.example/mona/secret";
        let conceal = Conceal { words: vec![word.to_owned()], commit: "4f2a6c1d9e0b".to_owned() };
        let mut text = format!("{word} 4f2a6c1d9e0b ").repeat(20_000);
        conceal.text(&mut text);
        assert!(!text.contains("secret") && !text.contains("4f2a6c1d"));
    }
}
