//! What a Dockerfile says of itself: the frontend that it asks for, and its stages.

use crate::checkout::Places;
use crate::checkout::links::{Lead, follow};
use std::io::Read;

/// Far more than a Dockerfile has; of a longer one the rest is not looked at.
const MOST_BYTES: u64 = 1 << 20;
const MOST_STAGES: usize = 10;

/// The text of the Dockerfile that is built; empty where it cannot be read.
pub(super) fn read(places: &Places) -> String {
    // By its path without links: the system would follow an absolute one to a file of this machine.
    let asked = places.dockerfile_dir.join(&places.dockerfile_name);
    let Lead::There(path) = follow(&places.files, &asked) else { return String::new() };
    let mut text = Vec::new();
    let _ = std::fs::File::open(places.files.join(path)).and_then(|file| file.take(MOST_BYTES).read_to_end(&mut text));
    String::from_utf8_lossy(&text).into_owned()
}

/// The line and image of a frontend that is not Docker's own, as the first lines may ask for it: `# syntax=…`,
/// `// syntax=…`, as BuildKit reads them.
pub(super) fn foreign_frontend(text: &str) -> Option<(usize, &str)> {
    let lines = text.trim_start_matches('\u{feff}').lines().enumerate().skip(usize::from(text.starts_with("#!")));
    let mut marks = ["#", "//"].map(|mark| directive(lines.clone(), mark)).into_iter().flatten();
    marks.next().filter(|(_, image)| !is_dockers_own(image))
}

fn directive<'a>(lines: impl Iterator<Item = (usize, &'a str)>, mark: &str) -> Option<(usize, &'a str)> {
    for (index, line) in lines {
        let (key, value) = line.trim_start().strip_prefix(mark)?.split_once('=')?;
        let (key, value) = (key.trim(), value.trim());
        if key.is_empty() || !key.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return None;
        }
        if key.eq_ignore_ascii_case("syntax") {
            return value.split_whitespace().next().map(|image| (index + 1, image));
        }
    }
    None
}

/// Whoever mirrors Docker's own frontend asks for the same one.
fn is_dockers_own(image: &str) -> bool {
    let name = image.split('@').next().unwrap_or_default();
    let name = name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(name, |(name, _)| name);
    ["docker/dockerfile", "docker/dockerfile-upstream"]
        .iter()
        .any(|own| name.strip_suffix(own).is_some_and(|host| host.is_empty() || host.ends_with('/')))
}

/// What people read of a frontend that is not used.
pub(super) fn told(dockerfile: &str, (line, image): (usize, &str)) -> String {
    format!(
        "line {line} of `{dockerfile}` asks for the frontend `{image}`: frontends from elsewhere are off here, so it is \
         read as a Dockerfile"
    )
}

/// The names of its stages, a few of them.
pub(super) fn stages(text: &str) -> Vec<&str> {
    let named = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        words.next().filter(|word| word.eq_ignore_ascii_case("from"))?;
        words.find(|word| word.eq_ignore_ascii_case("as"))?;
        words.next()
    });
    named.take(MOST_STAGES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_read_in_the_source_and_never_on_the_machine() {
        let machine = tempfile::tempdir().unwrap();
        let outside = machine.path().canonicalize().unwrap().join("D");
        std::fs::write(&outside, "FROM scratch AS of-the-machine\n").unwrap();
        let source = tempfile::tempdir().unwrap();
        let files = source.path().canonicalize().unwrap();
        let inside = files.join(outside.strip_prefix("/").unwrap());
        std::fs::create_dir_all(inside.parent().unwrap()).unwrap();
        std::fs::write(inside, "FROM scratch AS of-the-source\n").unwrap();
        std::os::unix::fs::symlink(&outside, files.join("Dockerfile")).unwrap();
        let places = Places { files: files.clone(), dockerfile_name: "Dockerfile".to_owned(), ..Places::default() };
        assert_eq!(read(&places), "FROM scratch AS of-the-source\n");
        std::fs::remove_file(files.join("Dockerfile")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", files.join("Dockerfile")).unwrap();
        assert_eq!(read(&places), "", "it is not in the source");
    }

    #[test]
    fn a_frontend_from_elsewhere_is_known_by_the_first_lines() {
        for (text, expected) in [
            ("# syntax=acme/frontend:1\nFROM x\n", Some((1, "acme/frontend:1"))),
            ("#syntax = ghcr.io/acme/nix2container\n", Some((1, "ghcr.io/acme/nix2container"))),
            ("\u{feff}# escape=`\n#  SYNTAX = a/b:1  cmd\n", Some((2, "a/b:1"))),
            ("#!/usr/bin/env docker\n# syntax=a/b\n", Some((2, "a/b"))),
            ("// syntax=a/b\n{}", Some((1, "a/b"))),
            ("# syntax=a/docker/dockerfile-x\n", Some((1, "a/docker/dockerfile-x"))),
            ("# syntax=evildocker/dockerfile\n", Some((1, "evildocker/dockerfile"))),
            ("# syntax=docker/dockerfile:1\n", None),
            ("# syntax=docker.io/docker/dockerfile:1.7-labs@sha256:ab\n", None),
            ("# syntax=docker/dockerfile-upstream:master\n", None),
            ("# syntax=mirror.example:5000/docker/dockerfile\n", None),
            ("# a comment\n# syntax=a/b\n", None),
            ("\n# syntax=a/b\n", None),
            ("FROM x\n# syntax=a/b\n", None),
            ("# syntax=\n", None),
            ("", None),
        ] {
            assert_eq!(foreign_frontend(text), expected, "{text}");
        }
    }

    #[test]
    fn stages_are_found_by_their_names() {
        let text =
            "FROM a AS build\nRUN echo as x\nfrom --platform=$BUILDPLATFORM b as Test\nFROM c\nFROM\nFROM x AS\n";
        assert_eq!(stages(text), ["build", "Test"]);
    }
}
