//! Why a build failed.

mod classify;
mod details;

/// The end of a build that went wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BuildError {
    pub class: ErrorClass,
    /// BuildKit's text, or ours when no daemon was reached.
    pub message: String,
    /// Of the process in a failed `RUN`.
    pub exit_code: Option<u32>,
    /// The digest of the failed step, as in [`Event::StepStarted`](crate::Event::StepStarted).
    pub vertex: Option<String>,
    /// The lines of the Dockerfile that failed.
    pub location: Option<Location>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// A `RUN` ended with another code than 0.
    ExitCode,
    /// The Dockerfile does not parse, or asks for something that does not exist in it.
    Syntax,
    /// `COPY` or `ADD` of a file that is not there.
    FileMissing,
    BaseImageMissing,
    BaseImageDenied,
    DockerfileMissing,
    Cancelled,
    /// No connection to the daemon, or it went away.
    DaemonUnavailable,
    PushRefused,
    DiskFull,
    /// An entitlement or a source that policy forbids.
    NotAllowed,
    /// The local directories could not be sent: a file changed meanwhile, a name that is not UTF-8, too many files.
    Transfer,
    Other,
}

/// Lines of a source file, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    pub file: String,
    pub first_line: u32,
    pub last_line: u32,
    /// These lines and two more on either side.
    pub excerpt: Vec<ExcerptLine>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExcerptLine {
    pub number: u32,
    pub text: String,
    /// Whether it is one of the lines that failed.
    pub failed: bool,
}

impl ErrorClass {
    /// A word that stays the same across versions: `exit_code`, `base_image_missing`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ExitCode => "exit_code",
            Self::Syntax => "syntax",
            Self::FileMissing => "file_missing",
            Self::BaseImageMissing => "base_image_missing",
            Self::BaseImageDenied => "base_image_denied",
            Self::DockerfileMissing => "dockerfile_missing",
            Self::Cancelled => "cancelled",
            Self::DaemonUnavailable => "daemon_unavailable",
            Self::PushRefused => "push_refused",
            Self::DiskFull => "disk_full",
            Self::NotAllowed => "not_allowed",
            Self::Transfer => "transfer",
            Self::Other => "other",
        }
    }
}

impl BuildError {
    pub(crate) fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), exit_code: None, vertex: None, location: None }
    }

    /// Reads what the daemon put into a failed call.
    pub(crate) fn from_status(status: &tonic::Status) -> Self {
        let found = details::decode(status.details());
        Self {
            class: classify::class(status, &found),
            message: match crate::client::broken_by(status) {
                Some(cause) => crate::ClientError::Broken(cause).to_string(),
                None => status.message().to_owned(),
            },
            exit_code: found.exit_code,
            vertex: found.vertex,
            location: found.location,
        }
    }
}
