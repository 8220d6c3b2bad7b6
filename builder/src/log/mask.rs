//! Replaces secrets in a stream of bytes, wherever the stream is cut.
//!
//! What could be the beginning of a secret is held back until more bytes come or the stream ends.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::collections::BTreeSet;
use std::sync::Arc;

const STARS: &[u8] = b"***";
/// Shorter values would blacken ordinary words.
const SHORTEST: usize = 4;

/// The secrets of one attempt, in every form that is looked for.
pub(crate) struct Secrets {
    /// Patterns by their first byte.
    by_first: Vec<Vec<Vec<u8>>>,
}

impl Secrets {
    pub(crate) fn new<I: IntoIterator<Item = Vec<u8>>>(values: I) -> Arc<Self> {
        let mut patterns = BTreeSet::new();
        for value in values {
            add_forms(&mut patterns, &value);
        }
        let mut by_first = vec![Vec::new(); 256];
        for pattern in patterns {
            by_first[usize::from(pattern[0])].push(pattern);
        }
        Arc::new(Self { by_first })
    }

    /// Masks a text that is whole.
    pub(crate) fn mask(self: &Arc<Self>, text: &str) -> String {
        let mut masker = Masker::new(self.clone());
        let mut out = masker.push(text.as_bytes());
        out.extend(masker.finish());
        String::from_utf8_lossy(&out).into_owned()
    }
}

/// The value itself, its long lines, and what base64 makes of it at each of the three alignments.
fn add_forms(patterns: &mut BTreeSet<Vec<u8>>, value: &[u8]) {
    let value = value.trim_ascii();
    if value.len() < SHORTEST {
        return;
    }
    patterns.insert(value.to_vec());
    for line in value.split(|b| *b == b'\n').map(<[u8]>::trim_ascii) {
        if line.len() >= 2 * SHORTEST {
            patterns.insert(line.to_vec());
        }
    }
    for shift in 0..3usize {
        let mut shifted = vec![0; shift];
        shifted.extend_from_slice(value);
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let encoded = engine.encode(&shifted);
            // Characters that hold bits of neighbouring bytes are left out at both ends.
            let first = [0, 2, 3][shift];
            let last = shifted.len() * 8 / 6;
            let middle = &encoded.as_bytes()[first..last];
            if middle.len() >= 2 * SHORTEST - 2 {
                patterns.insert(middle.to_vec());
            }
        }
    }
}

/// The state of one stream.
pub(crate) struct Masker {
    secrets: Arc<Secrets>,
    held: Vec<u8>,
    /// Bytes at the start of `held` that belong to a secret already replaced.
    covered: usize,
}

impl Masker {
    pub(crate) fn new(secrets: Arc<Secrets>) -> Self {
        Self { secrets, held: Vec::new(), covered: 0 }
    }

    /// Takes the next bytes and gives those that are safe to show.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(bytes);
        self.drain(false)
    }

    /// The stream ended: what was held back is no secret.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        self.drain(true)
    }

    fn drain(&mut self, ended: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.held.len());
        let mut at = 0;
        while at < self.held.len() {
            let (longest, may_grow) = self.look(&self.held[at..]);
            if may_grow && !ended {
                break;
            }
            if longest > 0 {
                if self.covered <= at {
                    out.extend_from_slice(STARS);
                }
                self.covered = self.covered.max(at + longest);
            }
            if at >= self.covered {
                out.push(self.held[at]);
            }
            at += 1;
        }
        self.held.drain(..at);
        self.covered = self.covered.saturating_sub(at);
        out
    }

    /// The longest secret that starts here, and whether more bytes could make a longer one.
    fn look(&self, rest: &[u8]) -> (usize, bool) {
        let mut longest = 0;
        let mut may_grow = false;
        for pattern in &self.secrets.by_first[usize::from(rest[0])] {
            if rest.starts_with(pattern) {
                longest = longest.max(pattern.len());
            } else if pattern.starts_with(rest) {
                may_grow = true;
            }
        }
        (longest, may_grow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(secrets: &[&str], chunks: &[&str]) -> String {
        let secrets = Secrets::new(secrets.iter().map(|s| s.as_bytes().to_vec()));
        let mut masker = Masker::new(secrets);
        let mut out = Vec::new();
        for chunk in chunks {
            out.extend(masker.push(chunk.as_bytes()));
        }
        out.extend(masker.finish());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_secret_is_masked_wherever_the_stream_is_cut() {
        let text = "a hunter2-key b hunter2-key";
        for cut in 0..text.len() {
            let (left, right) = text.split_at(cut);
            assert_eq!(masked(&["hunter2-key"], &[left, right]), "a *** b ***");
        }
        let single: Vec<String> = text.chars().map(String::from).collect();
        let single: Vec<&str> = single.iter().map(String::as_str).collect();
        assert_eq!(masked(&["hunter2-key"], &single), "a *** b ***");
    }

    #[test]
    fn only_the_possible_beginning_of_a_secret_is_held_back() {
        let mut masker = Masker::new(Secrets::new([b"hunter2".to_vec()]));
        assert_eq!(masker.push(b"see the hunt"), b"see the ");
        assert_eq!(masker.push(b"ing"), b"hunting");
    }

    #[test]
    fn overlapping_and_nested_secrets_leave_nothing() {
        assert_eq!(masked(&["abcXYZ", "XYZ123"], &["-abcX", "YZ123-"]), "-***-");
        assert_eq!(masked(&["abcd", "abcd1234"], &["abcd12", "34!"]), "***!");
        assert_eq!(masked(&["abcd", "abcd1234"], &["abcd12", "99"]), "***1299");
    }

    #[test]
    fn base64_forms_are_masked_at_every_alignment() {
        let secret = "correct-horse-battery";
        for before in ["", "u:", "x-access-token:", "a"] {
            let encoded = STANDARD_NO_PAD.encode(format!("{before}{secret}"));
            let out = masked(&[secret], &[&encoded]);
            assert!(out.contains("***"), "{before}: {out}");
            let kept = out.len() - 3;
            assert!(kept <= before.len() * 4 / 3 + 4, "{before}: {out}");
        }
    }

    #[test]
    fn a_secret_of_several_lines_is_masked_by_line() {
        let key = "-----BEGIN KEY-----\nMIIBVgIBADANBg\nkqhkiG9w0BAQ\n";
        assert_eq!(masked(&[key], &["x MIIBVgIBADANBg y"]), "x *** y");
        assert_eq!(masked(&["abc"], &["abc"]), "abc", "too short to mask");
    }
}
