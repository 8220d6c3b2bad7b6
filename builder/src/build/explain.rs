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
        excerpt: location.excerpt.into_iter().map(|line| (line.number, journal.clean(&line.text))).collect(),
    });
    Failed::from(Failure {
        reason: reason(error.class, error.exit_code),
        message: sentence(&journal.clean(&error.message), error.exit_code),
        exit_code: error.exit_code.map(u64::from),
        vertex: error.vertex,
        location,
        image: base_image(&error.message).map(|image| journal.clean(image)),
    })
}

/// `… failed to resolve source metadata for registry.example.com/acme/base:main: pull access denied …`
fn base_image(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("failed to resolve source metadata for ")?;
    let image = rest.split_once(": ").map_or(rest, |(image, _)| image).trim();
    (!image.is_empty() && image.len() <= LONGEST && !image.contains(char::is_whitespace)).then_some(image)
}

/// 128 and SIGKILL: what the kernel does to a step that takes too much.
const KILLED: u32 = 137;

fn reason(class: ErrorClass, exit_code: Option<u32>) -> Reason {
    match class {
        ErrorClass::ExitCode if exit_code == Some(KILLED) => Reason::OutOfMemory,
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
    let mut text = denied(message).unwrap_or_else(|| plain(message).to_owned());
    text.truncate(text.floor_char_boundary(LONGEST));
    if exit_code == Some(KILLED) {
        text.push_str(" (it was killed, most often because memory ran out)");
    }
    text
}

/// `… source "git://example.com/a/b.git" denied by policy …`
fn denied(message: &str) -> Option<String> {
    let (source, _) = message.split_once("source \"")?.1.split_once("\" denied by policy")?;
    let Some(source) = source.strip_prefix("git://") else {
        return Some(format!(
            "`{source}` is not fetched: its host is this machine itself or a cloud's metadata service, which are closed to \
             builds"
        ));
    };
    Some(format!(
        "`{source}` would be fetched with git, which builds may not do here: put the files into the repository, or have \
         the operator name the host in `builds.git_hosts`"
    ))
}

/// Without the words that lead to a cause inside BuildKit and say nothing to others.
fn plain(message: &str) -> &str {
    let text = message.trim();
    let text = text.strip_prefix("failed to solve: ").unwrap_or(text);
    let text = text.strip_prefix("failed to load LLB: ").unwrap_or(text);
    let Some(rest) = text.strip_prefix("failed to compute cache key: ") else {
        return text;
    };
    let inner = rest.strip_prefix("failed to calculate checksum of ref ").and_then(|rest| rest.split_once(": "));
    inner.map_or(rest, |(_ref, cause)| cause)
}

/// BuildKit knows the Dockerfile by its last name only.
fn full_name(file: &str, dockerfile: &str) -> String {
    let last = dockerfile.rsplit('/').next().unwrap_or(dockerfile);
    if file.is_empty() || file == last { dockerfile.to_owned() } else { file.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_without_buildkits_inner_words() {
        let missing =
            "failed to compute cache key: failed to calculate checksum of ref obv::ve9: \"/no.txt\": not found";
        assert_eq!(sentence(missing, None), "\"/no.txt\": not found");
        let entitled = "failed to load LLB: network.host is not allowed";
        assert_eq!(sentence(entitled, None), "network.host is not allowed");
        assert!(sentence("exit code: 137", Some(137)).contains("memory"));
        assert_eq!(reason(ErrorClass::ExitCode, Some(137)), Reason::OutOfMemory);
        assert_eq!(reason(ErrorClass::ExitCode, Some(1)), Reason::ExitCode);
    }

    #[test]
    fn a_source_that_is_denied_is_named_with_the_reason() {
        let said = "failed to solve: source \"git://example.com/a/b.git#v1\" denied by policy: source denied by policy";
        let sentence = sentence(said, None);
        assert!(sentence.starts_with("`example.com/a/b.git#v1` would be fetched with git"), "{sentence}");
        assert!(sentence.contains("`builds.git_hosts`"), "{sentence}");
        let said = "error evaluating the source policy: source \"http://127.0.0.1/x\" denied by policy: source denied";
        let sentence = super::sentence(said, None);
        assert!(sentence.starts_with("`http://127.0.0.1/x` is not fetched: its host is this machine"), "{sentence}");
    }

    #[test]
    fn the_dockerfile_is_named_as_the_rule_names_it() {
        assert_eq!(full_name("api.Dockerfile", "docker/api.Dockerfile"), "docker/api.Dockerfile");
        assert_eq!(full_name("", "Dockerfile"), "Dockerfile");
        assert_eq!(full_name("other", "Dockerfile"), "other");
    }
}
