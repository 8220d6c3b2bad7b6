//! Which kind of failure it is: by the details first, then by the words of BuildKit 0.33.

use tonic::{Code, Status};

use super::ErrorClass;
use super::details::Details;
use crate::client::broken_by;

/// All the words of a row must be in the message, in any case. The first row that fits counts.
const WORDS: &[(&[&str], ErrorClass)] = &[
    (&["no space left on device"], ErrorClass::DiskFull),
    (&["disk quota exceeded"], ErrorClass::DiskFull),
    (&["is not allowed by build daemon configuration"], ErrorClass::NotAllowed),
    (&["network.host is not allowed"], ErrorClass::NotAllowed),
    (&["security.insecure is not allowed"], ErrorClass::NotAllowed),
    (&["not allowed by policy"], ErrorClass::NotAllowed),
    (&["denied by policy"], ErrorClass::NotAllowed),
    (&["invalid frontend"], ErrorClass::NotAllowed),
    (&["failed to read dockerfile", "no such file or directory"], ErrorClass::DockerfileMissing),
    (&["dockerfile parse error"], ErrorClass::Syntax),
    (&["dockerfile cannot be empty"], ErrorClass::Syntax),
    (&["file with no instructions"], ErrorClass::Syntax),
    (&["no build stage in current context"], ErrorClass::Syntax),
    (&["target stage", "could not be found"], ErrorClass::Syntax),
    (&["failed to parse stage name"], ErrorClass::Syntax),
    (&["invalid reference format"], ErrorClass::Syntax),
    (&["base name", "should not be blank"], ErrorClass::Syntax),
    (&["failed to process"], ErrorClass::Syntax),
    (&["failed to push"], ErrorClass::PushRefused),
    (&["failed to resolve source metadata", "not found"], ErrorClass::BaseImageMissing),
    (&["failed to resolve source metadata", "no match for platform"], ErrorClass::BaseImageMissing),
    (&["failed to resolve source metadata", "denied"], ErrorClass::BaseImageDenied),
    (&["failed to resolve source metadata", "authorization failed"], ErrorClass::BaseImageDenied),
    (&["failed to resolve source metadata", "insufficient_scope"], ErrorClass::BaseImageDenied),
    (&["failed to resolve source metadata", "401 unauthorized"], ErrorClass::BaseImageDenied),
    (&["failed to resolve source metadata", "403 forbidden"], ErrorClass::BaseImageDenied),
    // The registry cannot be reached: for the build, that base image is not there.
    (&["failed to resolve source metadata"], ErrorClass::BaseImageMissing),
    (&["failed to compute cache key", "not found"], ErrorClass::FileMissing),
    (&["failed to calculate checksum", "not found"], ErrorClass::FileMissing),
    (&["lstat", "no such file or directory"], ErrorClass::FileMissing),
    (&["context canceled"], ErrorClass::Cancelled),
];

pub(super) fn class(status: &Status, details: &Details) -> ErrorClass {
    match status.code() {
        Code::Cancelled => return ErrorClass::Cancelled,
        Code::Unavailable => return ErrorClass::DaemonUnavailable,
        _ if broken_by(status).is_some() => return ErrorClass::DaemonUnavailable,
        _ if details.exit_code.is_some() => return ErrorClass::ExitCode,
        _ => {}
    }
    let message = status.message().to_lowercase();
    let fits = |words: &[&str]| words.iter().all(|word| message.contains(word));
    WORDS.iter().find(|(words, _)| fits(words)).map_or(ErrorClass::Other, |(_, class)| *class)
}

#[cfg(test)]
mod tests;
