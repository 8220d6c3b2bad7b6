//! The name of a step, taken apart for the page.

use super::super::super::ansi;
use crate::policy::BUILD_CACHE;

/// Bytes of a step's name that are shown.
const LONGEST_NAME: usize = 500;

/// `[build 2/4] RUN cargo build` in its parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepName {
    pub stage: String,
    /// `RUN`, or empty.
    pub instruction: String,
    pub rest: String,
    /// One of the Dockerfile's own steps, which people count: `[2/4]`, `[build 2/4]`. The others are BuildKit's or Slipway's.
    pub is_counted: bool,
}

impl StepName {
    /// Splits BuildKit's name of a vertex.
    pub fn parse(name: &str) -> Self {
        let name = &ansi::visible(&name[..name.floor_char_boundary(LONGEST_NAME)]);
        let (stage, rest) = name.strip_prefix('[').and_then(|name| name.split_once("] ")).unwrap_or(("", name));
        if stage == "source" {
            return Self { rest: format!("Check out {}", told(rest)), ..Self::default() };
        }
        if let Some(told) = cache(stage, rest) {
            return Self { rest: told.to_owned(), ..Self::default() };
        }
        let is_counted = is_place(stage.rsplit(' ').next().unwrap_or(stage));
        // `[build 2/4]` and `[linux/amd64 build 2/4]` name a stage, `[internal]` and `[auth]` do not help a reader.
        let stage = stage.rsplit_once(' ').map_or("", |(stage, _)| stage);
        let word = rest.split(' ').next().unwrap_or("");
        let is_instruction = word.len() > 2 && word.bytes().all(|b| b.is_ascii_uppercase());
        let split = if is_instruction { word.len() } else { 0 };
        Self {
            stage: stage.to_owned(),
            instruction: rest[..split].to_owned(),
            rest: rest[split..].trim_start().to_owned(),
            is_counted,
        }
    }
}

/// An address, or the stars over one that is not for everybody.
fn told(source: &str) -> String {
    match source.trim_start_matches('*') {
        bare if bare.len() < source.len() => format!("private source{bare}"),
        whole => whole.to_owned(),
    }
}

/// What a step has to do with the cache of builds, whose name in the registry says nothing to readers.
fn cache(stage: &str, rest: &str) -> Option<&'static str> {
    let lies_in = format!("{BUILD_CACHE}/");
    let reference = rest.strip_prefix("importing cache manifest from ").and_then(|rest| rest.split_once('/'));
    match stage {
        "auth" if rest.starts_with(&lies_in) => Some("Log in to the build cache"),
        "" if reference.is_some_and(|(_host, name)| name.starts_with(&lies_in)) => Some("Read the build cache"),
        _ => None,
    }
}

/// `2/4`.
fn is_place(word: &str) -> bool {
    word.split_once('/').is_some_and(|(at, of)| [at, of].iter().all(|n| n.parse::<u32>().is_ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_steps_are_taken_apart() {
        let parts = |stage: &str, instruction: &str, rest: &str| StepName {
            stage: stage.to_owned(),
            instruction: instruction.to_owned(),
            rest: rest.to_owned(),
            is_counted: !instruction.is_empty(),
        };
        for (name, expected) in [
            ("[build 2/4] RUN cargo build", parts("build", "RUN", "cargo build")),
            ("[linux/amd64 build 2/4] RUN make", parts("linux/amd64 build", "RUN", "make")),
            ("[1/3] FROM docker.io/library/alpine", parts("", "FROM", "docker.io/library/alpine")),
            ("[internal] load .dockerignore", parts("", "", "load .dockerignore")),
            (
                "[source] https://x.example/a.git at 4f2a6c1",
                parts("", "", "Check out https://x.example/a.git at 4f2a6c1"),
            ),
            ("[source] ******** at 4f2a6c1", parts("", "", "Check out private source at 4f2a6c1")),
            ("exporting to image", parts("", "", "exporting to image")),
            (
                "importing cache manifest from localhost:8080/buildcache/0190aa/protected:cache",
                parts("", "", "Read the build cache"),
            ),
            ("[auth] buildcache/0190aa/protected:pull,push token for x", parts("", "", "Log in to the build cache")),
            ("[auth] acme/api:pull token for x", parts("", "", "acme/api:pull token for x")),
            ("[2/2] RUN ls /buildcache/x", parts("", "RUN", "ls /buildcache/x")),
            ("importing cache manifest from x/acme/web:c", parts("", "", "importing cache manifest from x/acme/web:c")),
            ("", parts("", "", "")),
        ] {
            assert_eq!(StepName::parse(name), expected, "{name}");
        }
    }

    #[test]
    fn only_steps_of_the_dockerfile_are_counted() {
        for (name, counted) in [
            ("[1/3] FROM docker.io/library/alpine", true),
            ("[build 2/4] run cargo build", true),
            ("[linux/arm64 build 10/12] RUN make", true),
            ("[internal] load build definition from Dockerfile", false),
            ("[auth] acme/api:pull token for example.org", false),
            ("[linux/amd64] RUN make", false),
            ("[2/4]", false),
            ("exporting to image", false),
            ("RUN echo [2/4] x", false),
        ] {
            assert_eq!(StepName::parse(name).is_counted, counted, "{name}");
        }
    }
}
