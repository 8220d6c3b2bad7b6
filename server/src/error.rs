//! What can go wrong, in domain words.
//!
//! Each surface decides how it looks: OCI codes, problem JSON or a page. `Display` is what the user may read;
//! the source is for the log and is written once, where the error is rendered.

mod parts;

pub use parts::Parts;

use std::fmt;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Where nobody knows better.
const RETRY_AFTER_SECS: u64 = 10;

type Source = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The thing does not exist, or the asker may not know that it does.
    #[error("{0} does not exist")]
    NotFound(String),
    /// As `NotFound`, in a sentence of its own.
    #[error("{0}")]
    Absent(String),
    /// It was here, and who may read the rest may know how it went: a tag that was deleted.
    #[error("{0}")]
    Gone(String),
    /// A blob, manifest, upload or repository as the registry's clients know them.
    #[error("{message}")]
    Registry { code: OciCode, message: String },
    /// Nobody is signed in, or the credentials are not good.
    #[error("{0}")]
    Unauthorized(String),
    /// Somebody is known but may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// The input cannot be taken; the text says what to do.
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    Conflict(String),
    /// What is stored is not what the request wants it to be.
    #[error("{0}")]
    Precondition(String),
    #[error("{0}")]
    TooLarge(String),
    #[error("the request came too slowly; send it again")]
    TooSlow,
    #[error("the requested range is outside of the {size} bytes that there are")]
    RangeNotSatisfiable { size: u64 },
    /// An upload's chunk does not start where the last one ended.
    #[error("the next byte of this upload is {offset}")]
    WrongOffset { offset: u64, location: String },
    #[error("too many requests; try again in {retry_after_secs} s")]
    TooManyRequests { retry_after_secs: u64 },
    /// Too much was begun and not ended; the text says what to end.
    #[error("{0}")]
    TooMany(String),
    /// All places are taken, by whomever.
    #[error("the server is busy; try again in {retry_after_secs} s")]
    Busy { retry_after_secs: u64 },
    /// There is no room for what should be stored, or nearly none. docker tries a 5xx again for a minute and then does
    /// not show the text, so the registry says it as a refusal.
    #[error("the disk is full, or almost full: nothing is stored until the operator makes room; reads go on")]
    Full,
    /// Something that we need is away for now.
    #[error("{0}")]
    Unavailable(String),
    /// The forge said no, or nothing.
    #[error("{0}")]
    Forge(#[from] ForgeError),
    /// Our own failure. The user reads one sentence and a request id.
    #[error("something went wrong on our side")]
    Internal { context: String, source: Source },
}

/// Codes of the OCI distribution specification, section "Error Codes".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OciCode {
    BlobUnknown,
    BlobUploadInvalid,
    BlobUploadUnknown,
    DigestInvalid,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestUnknown,
    NameInvalid,
    Unsupported,
}

/// How a forge failed, so that jobs know whether to try again.
#[derive(Debug, thiserror::Error)]
pub enum ForgeError {
    #[error("the forge no longer accepts the stored permission: connect again")]
    Revoked,
    #[error("the forge does not have it, or this account may not see it")]
    NotFound,
    #[error("the organisation has not approved this app at the forge")]
    NotApproved,
    #[error("the forge refused: {0}")]
    Refused(String),
    #[error("the forge asks to wait {0} s")]
    RateLimited(u64),
    #[error("the forge cannot be reached: {0}")]
    Unreachable(String),
}

impl Error {
    pub fn internal(context: impl Into<String>, source: impl Into<Source>) -> Self {
        Self::Internal { context: context.into(), source: source.into() }
    }

    pub fn not_found(what: impl fmt::Display) -> Self {
        Self::NotFound(what.to_string())
    }

    pub fn invalid(text: impl Into<String>) -> Self {
        Self::Invalid(text.into())
    }

    pub fn registry(code: OciCode, message: impl Into<String>) -> Self {
        Self::Registry { code, message: message.into() }
    }

    /// HTTP status, the same on every surface; only of `Full` the registry makes a 403.
    pub fn status(&self) -> u16 {
        match self {
            Self::NotFound(_) | Self::Absent(_) => 404,
            Self::Gone(_) => 410,
            Self::Registry { code, .. } => code.status(),
            Self::Unauthorized(_) => 401,
            Self::Forbidden(_) => 403,
            Self::Invalid(_) => 400,
            Self::Conflict(_) => 409,
            Self::Precondition(_) => 412,
            Self::TooLarge(_) => 413,
            Self::TooSlow => 408,
            Self::RangeNotSatisfiable { .. } | Self::WrongOffset { .. } => 416,
            Self::TooManyRequests { .. } | Self::TooMany(_) => 429,
            Self::Full => 507,
            Self::Unavailable(_) | Self::Busy { .. } => 503,
            Self::Forge(_) => 502,
            Self::Internal { .. } => 500,
        }
    }

    /// How long to wait where waiting helps: what is answered with 429 or 503 says so, on every surface.
    pub fn retry_after_secs(&self) -> Option<u64> {
        match self {
            Self::TooManyRequests { retry_after_secs } | Self::Busy { retry_after_secs } => Some(*retry_after_secs),
            Self::TooMany(_) | Self::Unavailable(_) => Some(RETRY_AFTER_SECS),
            Self::Forge(ForgeError::RateLimited(secs)) => Some(*secs),
            _ => None,
        }
    }

    /// A short stable word for machines, `not_found`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) | Self::Absent(_) => "not_found",
            Self::Gone(_) => "gone",
            Self::Registry { code, .. } => code.as_str(),
            Self::Unauthorized(_) => "unauthorized",
            Self::Forbidden(_) => "forbidden",
            Self::Invalid(_) => "invalid",
            Self::Conflict(_) => "conflict",
            Self::Precondition(_) => "precondition_failed",
            Self::TooLarge(_) => "too_large",
            Self::TooSlow => "too_slow",
            Self::RangeNotSatisfiable { .. } => "range_not_satisfiable",
            Self::WrongOffset { .. } => "wrong_offset",
            Self::TooManyRequests { .. } | Self::TooMany(_) => "too_many_requests",
            Self::Busy { .. } => "busy",
            Self::Full => "full",
            Self::Unavailable(_) => "unavailable",
            Self::Forge(_) => "forge",
            Self::Internal { .. } => "internal",
        }
    }

    /// What the log needs beside `Display`.
    pub fn for_log(&self) -> String {
        match self {
            Self::Internal { context, source } => {
                let mut text = format!("{context}: {source}");
                let mut cause = source.source();
                while let Some(next) = cause {
                    text = format!("{text}: {next}");
                    cause = next.source();
                }
                text
            }
            other => other.to_string(),
        }
    }
}

impl OciCode {
    /// As the specification spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BlobUnknown => "BLOB_UNKNOWN",
            Self::BlobUploadInvalid => "BLOB_UPLOAD_INVALID",
            Self::BlobUploadUnknown => "BLOB_UPLOAD_UNKNOWN",
            Self::DigestInvalid => "DIGEST_INVALID",
            Self::ManifestBlobUnknown => "MANIFEST_BLOB_UNKNOWN",
            Self::ManifestInvalid => "MANIFEST_INVALID",
            Self::ManifestUnknown => "MANIFEST_UNKNOWN",
            Self::NameInvalid => "NAME_INVALID",
            Self::Unsupported => "UNSUPPORTED",
        }
    }

    fn status(self) -> u16 {
        match self {
            Self::BlobUnknown | Self::BlobUploadUnknown | Self::ManifestUnknown | Self::ManifestBlobUnknown => 404,
            Self::Unsupported => 405,
            _ => 400,
        }
    }
}

/// Adds what was being done to a foreign error.
pub trait Context<T> {
    fn context(self, doing: &str) -> Result<T>;
}

impl<T, E: Into<Source>> Context<T> for std::result::Result<T, E> {
    fn context(self, doing: &str) -> Result<T> {
        self.map_err(|e| Error::internal(doing, e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each kind: the match below does not compile when a kind is missing there.
    fn all() -> Vec<Error> {
        let text = String::new;
        let all = vec![
            Error::NotFound(text()),
            Error::Gone(text()),
            Error::registry(OciCode::NameInvalid, ""),
            Error::Unauthorized(text()),
            Error::Forbidden(text()),
            Error::Invalid(text()),
            Error::Conflict(text()),
            Error::TooLarge(text()),
            Error::RangeNotSatisfiable { size: 1 },
            Error::WrongOffset { offset: 1, location: text() },
            Error::TooManyRequests { retry_after_secs: 7 },
            Error::TooMany(text()),
            Error::Busy { retry_after_secs: 7 },
            Error::Full,
            Error::Unavailable(text()),
            ForgeError::RateLimited(7).into(),
            Error::internal("", "x"),
            Error::Absent(text()),
            Error::TooSlow,
            Error::Precondition(text()),
        ];
        let kinds = all.iter().map(|error| match error {
            Error::NotFound(_) => 0,
            Error::Gone(_) => 1,
            Error::Registry { .. } => 2,
            Error::Unauthorized(_) => 3,
            Error::Forbidden(_) => 4,
            Error::Invalid(_) => 5,
            Error::Conflict(_) => 6,
            Error::TooLarge(_) => 7,
            Error::RangeNotSatisfiable { .. } => 8,
            Error::WrongOffset { .. } => 9,
            Error::TooManyRequests { .. } => 10,
            Error::TooMany(_) => 11,
            Error::Busy { .. } => 12,
            Error::Full => 13,
            Error::Unavailable(_) => 14,
            Error::Forge(_) => 15,
            Error::Internal { .. } => 16,
            Error::Absent(_) => 17,
            Error::TooSlow => 18,
            Error::Precondition(_) => 19,
        });
        assert!(kinds.eq(0..=19));
        all
    }

    #[test]
    fn what_is_answered_with_429_or_503_says_when_to_try_again() {
        for error in all().iter().filter(|error| matches!(error.status(), 429 | 503)) {
            assert!(error.retry_after_secs().is_some_and(|secs| secs > 0), "{error:?}");
        }
        assert_eq!(Error::from(ForgeError::RateLimited(7)).retry_after_secs(), Some(7));
        assert_eq!(Error::Busy { retry_after_secs: 7 }.retry_after_secs(), Some(7));
    }
}
