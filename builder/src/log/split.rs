//! Cuts a stream of bytes into lines.
//!
//! A carriage return stays inside its line: what to show of a redrawn line is for the page to decide.

/// A longer line comes in pieces of this size.
pub(crate) const LONGEST: usize = 64 << 10;

#[derive(Default)]
pub(crate) struct Splitter {
    partial: Vec<u8>,
}

impl Splitter {
    /// Takes the next bytes and gives the lines that they end.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for part in bytes.split_inclusive(|b| *b == b'\n') {
            let (text, ended) = match part.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (part, false),
            };
            self.partial.extend_from_slice(text);
            while self.partial.len() > LONGEST {
                let rest = self.partial.split_off(boundary(&self.partial));
                lines.push(to_text(&std::mem::replace(&mut self.partial, rest)));
            }
            if ended {
                lines.push(to_text(&std::mem::take(&mut self.partial)));
            }
        }
        lines
    }

    /// The last line, if it had no end.
    pub(crate) fn finish(&mut self) -> Option<String> {
        (!self.partial.is_empty()).then(|| to_text(&std::mem::take(&mut self.partial)))
    }
}

/// Where to cut so that no character is cut.
fn boundary(bytes: &[u8]) -> usize {
    (LONGEST - 3..=LONGEST).rev().find(|at| bytes[*at] & 0xC0 != 0x80).unwrap_or(LONGEST)
}

/// Invalid UTF-8 is replaced. NUL too: PostgreSQL stores none.
fn to_text(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut text = String::from_utf8_lossy(line).replace('\0', "\u{FFFD}");
    if text.len() > LONGEST {
        // A replacement is three bytes long.
        text.truncate(text.floor_char_boundary(LONGEST));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_newlines_only() {
        let mut splitter = Splitter::default();
        assert_eq!(splitter.push(b"one\ntw"), ["one"]);
        assert_eq!(splitter.push(b"o\n10%\r20%\n\nthree\r\n"), ["two", "10%\r20%", "", "three"]);
        assert_eq!(splitter.push(b"tail"), Vec::<String>::new());
        assert_eq!(splitter.finish().as_deref(), Some("tail"));
        assert_eq!(splitter.finish(), None);
    }

    #[test]
    fn a_long_line_comes_in_pieces_that_cut_no_character() {
        let mut splitter = Splitter::default();
        let text = "ä".repeat(LONGEST);
        let mut lines = splitter.push(format!("x{text}\n").as_bytes());
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line.len() <= LONGEST));
        assert_eq!(lines.remove(0).chars().next(), Some('x'));
        assert!(!lines.concat().contains('\u{FFFD}'));
    }

    #[test]
    fn invalid_bytes_are_replaced() {
        let mut splitter = Splitter::default();
        assert_eq!(splitter.push(b"a\xFFb\0c\n"), ["a\u{FFFD}b\u{FFFD}c"]);
        let lines = splitter.push(&[vec![0xFFu8; LONGEST], b"\n".to_vec()].concat());
        assert!(lines.iter().all(|line| line.len() <= LONGEST));
    }
}
