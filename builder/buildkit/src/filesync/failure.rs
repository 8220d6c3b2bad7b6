//! What can go wrong while a directory is sent.

use std::io;

/// Of a pattern in a sentence.
const LONGEST_NAME: usize = 60;

#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("cannot read `{path}` of the build's files: {source}")]
    Read { path: String, source: io::Error },
    #[error("`{path}` changed while the build's files were sent")]
    Changed { path: String },
    #[error("the name of `{path}` is not UTF-8, which BuildKit cannot take")]
    NotUtf8 { path: String },
    #[error("{why}")]
    Absent { why: String },
    #[error("`{path}` is a device, which is not sent")]
    Device { path: String },
    #[error("`{path}` is nested more than {limit} directories deep")]
    TooDeep { path: String, limit: usize },
    #[error("the build's files are more than {limit}: add what it does not need to .dockerignore")]
    TooMany { limit: u64 },
    #[error("the build's files are larger than {limit} bytes: add what it does not need to .dockerignore")]
    TooLarge { limit: u64 },
    #[error("`{pattern}` is not a pattern: {reason}")]
    Pattern { pattern: String, reason: String },
    #[error("line {number} of `{file}`, `{pattern}`, is not a pattern: {reason}")]
    IgnoreLine { file: String, number: u32, pattern: String, reason: String },
    #[error("the files to send are chosen by more than {limit} patterns; .dockerignore may have that many lines")]
    TooManyPatterns { limit: usize },
    #[error("the patterns that choose the files to send, of .dockerignore above all, are larger than {limit} bytes")]
    PatternsTooLarge { limit: usize },
    #[error("matching the build's files takes too long: make .dockerignore shorter or its patterns simpler")]
    TooMuchWork,
    #[error("the links that a COPY names lead to too many others")]
    TooManyLinks,
    /// Not our failure: the daemon wants no more, or broke the protocol.
    #[error("the daemon ended the transfer")]
    Gone,
}

impl Failure {
    /// Names as much of a pattern as lets it be found; a long one would leave no place for the reason.
    pub(super) fn pattern(text: &str, reason: String) -> Self {
        let start = &text[..text.floor_char_boundary(LONGEST_NAME)];
        let pattern = if start == text { text.to_owned() } else { format!("{start}…") };
        Self::Pattern { pattern, reason }
    }

    pub(super) fn read(path: &str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Read { path: path.to_owned(), source }
    }
}
