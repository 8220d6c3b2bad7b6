//! Says in the words of the build page why BuildKit failed.

use crate::attempt::Journal;
use crate::failure::Failed;
use slipway_buildkit::{BuildError, ErrorClass};
use slipway_protocol::{Failure, Location, Reason};

const LONGEST: usize = 1000;

pub(super) fn explain(error: BuildError, journal: &Journal, dockerfile: &str) -> Failed {
    let location = error.location.map(|location| Location {
        file: full_name(&location.file, dockerfile),
        first_line: location.first_line,
        last_line: location.last_line,
        excerpt: location
            .excerpt
            .into_iter()
            .map(|line| (line.number, journal.clean(&line.text)))
            .collect(),
    });
    Failed::from(Failure {
        reason: reason(error.class),
        message: sentence(&journal.clean(&error.message), error.exit_code),
        exit_code: error.exit_code.map(u64::from),
        vertex: error.vertex,
        location,
    })
}

fn reason(class: ErrorClass) -> Reason {
    match class {
        ErrorClass::ExitCode => Reason::ExitCode,
        ErrorClass::Syntax => Reason::Syntax,
        ErrorClass::FileMissing => Reason::FileMissing,
        ErrorClass::BaseImageMissing => Reason::BaseImageMissing,
        ErrorClass::BaseImageDenied => Reason::BaseImageDenied,
        ErrorClass::DockerfileMissing => Reason::DockerfileMissing,
        ErrorClass::DaemonUnavailable => Reason::BuilderUnavailable,
        ErrorClass::PushRefused => Reason::PushRefused,
        ErrorClass::DiskFull => Reason::DiskFull,
        ErrorClass::NotAllowed => Reason::NotAllowed,
        ErrorClass::Cancelled | ErrorClass::Transfer | ErrorClass::Other => Reason::Other,
    }
}

fn sentence(message: &str, exit_code: Option<u32>) -> String {
    let mut text = message
        .trim()
        .trim_start_matches("failed to solve: ")
        .to_owned();
    text.truncate(text.floor_char_boundary(LONGEST));
    if exit_code == Some(137) {
        text.push_str(" (it was killed, most often because memory ran out)");
    }
    text
}

/// BuildKit knows the Dockerfile by its last name only.
fn full_name(file: &str, dockerfile: &str) -> String {
    let last = dockerfile.rsplit('/').next().unwrap_or(dockerfile);
    if file.is_empty() || file == last {
        dockerfile.to_owned()
    } else {
        file.to_owned()
    }
}
