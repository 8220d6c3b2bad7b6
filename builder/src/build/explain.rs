//! Says in the words of the build page why BuildKit failed.

use super::{base, dockerfile, missing};
use crate::attempt::Journal;
use crate::checkout::Places;
use crate::failure::Failed;
use slipway_buildkit::{BuildError, ErrorClass};
use slipway_protocol::{Failure, Location, Reason};

const LONGEST: usize = 1000;

/// What the explanation may look at.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    pub(super) places: &'a Places,
    /// As the rule names it.
    pub(super) dockerfile: &'a str,
}

pub(super) async fn explain(error: BuildError, journal: &Journal, about: About<'_>) -> Failed {
    let (places, name, asked) = (about.places.clone(), about.dockerfile.to_owned(), error.clone());
    // Reads files.
    let told = tokio::task::spawn_blocking(move || by_the_source(&asked, &places, &name));
    let told = told.await.unwrap_or_default();
    let location = error.location.map(|location| Location {
        file: full_name(&location.file, about.dockerfile),
        first_line: location.first_line,
        last_line: location.last_line,
        excerpt: location.excerpt.into_iter().map(|line| (line.number, journal.clean(&line.text))).collect(),
    });
    let image = base::image(&error.message).map(|image| journal.clean(image));
    let (reason, message, image) = match told.cause {
        Some((reason, message)) => (reason, message, None),
        None => (reason(error.class, error.exit_code, image.as_deref()), error.message, image),
    };
    let mut message = sentence(&journal.clean(&message), error.exit_code);
    let is_about_text = matches!(reason, Reason::Syntax | Reason::NotAllowed | Reason::FileMissing | Reason::Other);
    if let Some(note) = told.note.filter(|_| is_about_text) {
        message = format!("{message}\n{note}");
    }
    Failed::from(Failure {
        reason,
        message,
        exit_code: error.exit_code.map(u64::from),
        vertex: error.vertex,
        location,
        image,
    })
}

/// What the files of the source say about a failure.
#[derive(Default)]
struct Told {
    /// In the place of BuildKit's words.
    cause: Option<(Reason, String)>,
    /// Behind them.
    note: Option<String>,
}

fn by_the_source(error: &BuildError, places: &Places, name: &str) -> Told {
    let text = dockerfile::read(places);
    let excerpt = error.location.iter().flat_map(|location| &location.excerpt).filter(|line| line.failed);
    let instruction = excerpt.map(|line| line.text.as_str()).collect::<Vec<_>>().join("\n");
    let cause = match error.class {
        ErrorClass::Transfer if places.absent.values().any(|why| *why == error.message) => {
            Some((Reason::SourceUnsupported, error.message.clone()))
        }
        ErrorClass::BaseImageMissing | ErrorClass::BaseImageDenied => {
            let stage = no_stage(&error.message, missing::from(&instruction, None), &text);
            let is_sure = error.message.contains("(did you mean ");
            let has_stages = !dockerfile::stages(&text).is_empty();
            match (stage, base::away(&error.message).filter(|_| !is_sure)) {
                (None, None) => None,
                (Some(stage), None) => Some((Reason::Syntax, stage)),
                (Some(stage), Some(away)) if has_stages => Some((Reason::BaseImageMissing, format!("{stage}; {away}"))),
                (_, Some(away)) => Some((Reason::BaseImageMissing, away)),
            }
        }
        ErrorClass::FileMissing => {
            missing::path_of(&error.message).and_then(|path| match missing::from(&instruction, Some(&path)) {
                Some(from) => Some((Reason::FileMissing, format!("there is no `/{path}` in `{from}`"))),
                // Of a path of BuildKit's own folders nothing is known here.
                None if missing::is_of_a_stage(&error.message) => None,
                None => missing::why(places, name, &path),
            })
        }
        ErrorClass::Syntax => base::unset(&error.message, &instruction).map(|told| (Reason::BaseImageMissing, told)),
        _ => None,
    };
    let note = dockerfile::foreign_frontend(&text).map(|found| dockerfile::told(name, found));
    Told { cause, note }
}

/// A name that is meant to be a stage: where BuildKit knows a similar one, or where `--from` names something without a
/// slash, which is no private image of anybody.
fn no_stage(message: &str, from: Option<&str>, text: &str) -> Option<String> {
    let suggestion = message.trim_end().strip_suffix("?)").and_then(|rest| rest.rsplit_once("(did you mean "));
    let (head, _) = message.split_once(": failed to resolve source metadata for ")?;
    let name = head.rsplit(' ').next().unwrap_or_default();
    let told = format!("`{name}` is no stage of this Dockerfile, and no image that can be pulled");
    match suggestion {
        Some((_, similar)) => Some(format!("{told} (did you mean {similar}?)")),
        None if from == Some(name) && !name.contains(['/', ':', '@', '.']) => Some(match dockerfile::stages(text) {
            stages if stages.is_empty() => told,
            stages => format!("{told}; its stages are `{}`", stages.join("`, `")),
        }),
        None => None,
    }
}

/// 128 and SIGKILL: what the kernel does to a step that takes too much.
const KILLED: u32 = 137;

fn reason(class: ErrorClass, exit_code: Option<u32>, image: Option<&str>) -> Reason {
    // Docker Hub says the same of what is private and of what is not there, and none of these is private.
    let is_public = image.is_some_and(|image| image.starts_with("docker.io/library/"));
    match class {
        ErrorClass::BaseImageDenied if is_public => Reason::BaseImageMissing,
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
        assert_eq!(reason(ErrorClass::ExitCode, Some(137), None), Reason::OutOfMemory);
        assert_eq!(reason(ErrorClass::ExitCode, Some(1), None), Reason::ExitCode);
        let denied = |image| reason(ErrorClass::BaseImageDenied, None, Some(image));
        assert_eq!(denied("docker.io/library/alpin:latest"), Reason::BaseImageMissing);
        assert_eq!(denied("docker.io/acme/base:latest"), Reason::BaseImageDenied);
    }

    #[test]
    fn a_name_like_that_of_a_stage_is_no_private_image() {
        let said = |name: &str, more: &str| {
            format!(
                "failed to solve: {name}: failed to resolve source metadata for docker.io/library/{name}:latest: pull \
                 access denied, repository does not exist or may require authorization{more}"
            )
        };
        let no = |name: &str, rest: &str| {
            Some(format!("`{name}` is no stage of this Dockerfile, and no image that can be pulled{rest}"))
        };
        let told = |name: &str, more: &str, from, text| no_stage(&said(name, more), from, text);
        assert_eq!(told("bulid", " (did you mean build?)", Some("bulid"), ""), no("bulid", " (did you mean build?)"));
        assert_eq!(told("alpin", " (did you mean alpine?)", None, ""), no("alpin", " (did you mean alpine?)"));
        let stages = "FROM x AS deps\nFROM y AS app\n";
        assert_eq!(told("compile", "", Some("compile"), stages), no("compile", "; its stages are `deps`, `app`"));
        assert_eq!(told("compile", "", Some("compile"), "FROM x\n"), no("compile", ""));
        assert_eq!(told("acme/base", "", Some("acme/base"), stages), None);
        assert_eq!(told("base", "", None, stages), None, "FROM an image");
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
