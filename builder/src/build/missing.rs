//! Why a file that a `COPY` or `ADD` names is not there: BuildKit says only that it is not.

use crate::checkout::Places;
use crate::checkout::links::{Lead, follow};
use slipway_buildkit::{IgnoreLine, LocalDir};
use slipway_protocol::Reason;
use std::path::{Path, PathBuf};

/// Names of a source that are looked at for one like the missing one.
const MOST_LOOKED_AT: usize = 200_000;
const IGNORE: &str = ".dockerignore";

/// How BuildKit begins to tell of a path that a stage or an image does not have.
const LSTAT: &str = "lstat /";

pub(super) fn is_of_a_stage(message: &str) -> bool {
    message.contains(LSTAT)
}

/// `… "/app/main.js": not found` → `app/main.js`; and of a stage `lstat /app/main.js: no such file or directory`.
pub(super) fn path_of(message: &str) -> Option<String> {
    if let Some((_, path)) = message.rsplit_once(LSTAT) {
        let (path, _) = path.split_once(": no such file or directory")?;
        return Some(path.trim_matches('/').to_owned()).filter(|path| !path.is_empty());
    }
    let (quoted, _) = message.rsplit_once("\": not found")?;
    let (_, path) = quoted.rsplit_once("\"/")?;
    let path = path.trim_matches('/');
    // As Go quotes it.
    (!path.is_empty()).then(|| path.replace("\\\\", "\\"))
}

/// What a step takes `path` from when it is not the context: `build` of `COPY --from=build` or of
/// `RUN --mount=from=build,source=path`. Without a path, the first that it takes anything from.
pub(super) fn from<'a>(instruction: &'a str, path: Option<&str>) -> Option<&'a str> {
    // The line goes on behind a backslash; what comes behind the flags is its own matter.
    let words = instruction.split([' ', '\t', '\n', '\r']).filter(|word| !matches!(*word, "" | "\\"));
    let flags: Vec<&str> = words.skip(1).take_while(|word| word.starts_with("--")).collect();
    if let Some(name) = flags.iter().find_map(|flag| flag.strip_prefix("--from=")) {
        return plain(name);
    }
    let mounts: Vec<Mount<'_>> =
        flags.iter().filter_map(|flag| flag.strip_prefix("--mount=")).map(Mount::read).collect();
    let Some(path) = path else { return mounts.iter().find_map(|mount| mount.from).and_then(plain) };
    let exact = mounts.iter().find(|mount| mount.source.as_deref() == Some(path));
    // Nobody here knows the value of an argument.
    let with_argument = || mounts.iter().find(|mount| mount.source.as_ref().is_some_and(|source| source.contains('$')));
    exact.or_else(with_argument)?.from.and_then(plain)
}

fn plain(value: &str) -> Option<&str> {
    Some(value.trim_matches('"')).filter(|value| !value.is_empty())
}

/// `type=bind,from=build,source=path`
struct Mount<'a> {
    from: Option<&'a str>,
    source: Option<String>,
}

impl<'a> Mount<'a> {
    fn read(text: &'a str) -> Self {
        let value = |keys: &[&str]| {
            let mut pairs = text.split(',').filter_map(|part| part.split_once('='));
            pairs.find(|(key, _)| keys.iter().any(|known| key.eq_ignore_ascii_case(known))).map(|(_, value)| value)
        };
        let source = value(&["source", "src"]).map(|source| cleaned(source.trim_matches('"')));
        Self { from: value(&["from"]), source }
    }
}

/// A path as BuildKit tells it: from the top, without what says nothing in it.
fn cleaned(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}

/// Says where a path of the context is, or what keeps it out. `None` where BuildKit's words are all there is to say.
pub(super) fn why(places: &Places, dockerfile: &str, path: &str) -> Option<(Reason, String)> {
    let missing = |text: String| Some((Reason::FileMissing, text));
    if path.split('/').next() == Some(".git") {
        return missing(format!(
            "`{path}` is not there: builds get the files of a commit, and not its `.git` with the history"
        ));
    }
    let source = LocalDir::open(&places.files).ok()?;
    let context = match places.context.to_str()? {
        "" => source.clone(),
        below => source.open_below(below).ok()?,
    };
    let left_out = |path: &str| ignored(places, &source, &context, dockerfile, path);
    if context.holds(path)
        && let Some((file, IgnoreLine { number, text })) = left_out(path)
    {
        let told = format!("`{path}` is there, and line {number} of `{file}` leaves it out of the build");
        return missing(if text == path { told } else { format!("{told}: `{text}`") });
    }
    match follow(&places.files.join(&places.context), Path::new(path)) {
        Lead::There(real) if real == Path::new(path) => return None,
        Lead::There(real) => {
            let (file, IgnoreLine { number, text }) = left_out(real.to_str()?)?;
            let real = real.display();
            return missing(format!(
                "`{path}` leads by a link to `{real}`, and line {number} of `{file}` leaves that out of the build: `{text}`"
            ));
        }
        Lead::Nowhere { by_link: false, .. } => {}
        Lead::Nowhere { path: target, .. } => {
            if let Some(told) = absent(places, path, &places.context.join(&target)) {
                return Some((Reason::SourceUnsupported, told));
            }
            let target = target.display();
            return missing(format!("`{path}` leads by a link to `{target}`, which is not in the build's files"));
        }
        Lead::Out => return missing(format!("`{path}` leads by a link out of the build's files")),
        Lead::Round => return missing(format!("`{path}` is a link that leads back to itself")),
    }
    if let Some(told) = absent(places, path, &places.context.join(path)) {
        return Some((Reason::SourceUnsupported, told));
    }
    missing(elsewhere(places, path))
}

/// What the commit names and does not hold, where `path` leads there.
fn absent(places: &Places, path: &str, whole: &Path) -> Option<String> {
    let (_, why) = places.absent.iter().find(|(absent, _)| whole.starts_with(absent))?;
    Some(format!("`{path}` is not there: {why}"))
}

/// The ignore file that counts, and its line that leaves a path out.
fn ignored(
    places: &Places,
    source: &LocalDir,
    context: &LocalDir,
    dockerfile: &str,
    path: &str,
) -> Option<(String, slipway_buildkit::IgnoreLine)> {
    let beside = places.dockerfile_dir.join(format!("{}{IGNORE}", places.dockerfile_name));
    let beside = beside.to_str()?;
    let (dir, file, shown) = if source.holds(beside) {
        (source, beside, format!("{dockerfile}{IGNORE}"))
    } else {
        (context, IGNORE, places.context.join(IGNORE).display().to_string())
    };
    Some((shown, dir.left_out(file, path)?))
}

/// A sentence about what is there in its place.
fn elsewhere(places: &Places, path: &str) -> String {
    let there = there(places);
    let is_whole = places.context.as_os_str().is_empty();
    let context = places.context.display();
    let head = if is_whole {
        format!("there is no `{path}` in this commit")
    } else {
        format!("there is no `{path}` in the context folder `{context}`")
    };
    // A pattern is the name of nothing.
    let found = if path.contains(['*', '?', '[']) { None } else { like(places, path, &there) };
    match found {
        Some(Like::OtherCase(found)) => {
            format!("{head}; there is `{}`, and upper and lower case count", found.display())
        }
        Some(Like::Inside(found)) => {
            format!("{head}; there is `{}`: paths in COPY and ADD begin at the context folder", found.display())
        }
        Some(Like::Outside(found)) => {
            format!("{head}; the repository has `{}` outside of it: see Settings → Context folder", found.display())
        }
        None if is_whole => format!("{head}: only what is committed is there"),
        None => format!("{head}, nor elsewhere in this commit: only what is committed is there"),
    }
}

/// What a missing file may be meant to be.
enum Like {
    /// By its path in the context.
    OtherCase(PathBuf),
    Inside(PathBuf),
    /// By its path in the source.
    Outside(PathBuf),
}

fn like(places: &Places, path: &str, there: &[PathBuf]) -> Option<Like> {
    let lower = path.to_lowercase();
    let inside = || there.iter().filter_map(|found| found.strip_prefix(&places.context).ok());
    let same = |found: &&Path| found.to_string_lossy().to_lowercase() == lower;
    if let Some(found) = inside().find(same) {
        return Some(Like::OtherCase(found.to_owned()));
    }
    // As the path is read from the top of the source, or at the Dockerfile.
    let from_top = there.iter().find(|found| found.as_path() == Path::new(path));
    if let Some(found) = from_top {
        return Some(match found.strip_prefix(&places.context) {
            Ok(inside) => Like::Inside(inside.to_owned()),
            Err(_outside) => Like::Outside(found.clone()),
        });
    }
    if let Some(found) = inside().find(|found| found.ends_with(path)) {
        return Some(Like::Inside(found.to_owned()));
    }
    there.iter().find(|found| found.ends_with(path)).map(|found| Like::Outside(found.clone()))
}

/// The paths of a source, those near its top first.
fn there(places: &Places) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    let mut next = 0;
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.get(next).cloned() {
        next += 1;
        let Ok(entries) = std::fs::read_dir(places.files.join(&folder)) else { continue };
        let mut entries: Vec<_> = entries.flatten().take(MOST_LOOKED_AT.saturating_sub(found.len())).collect();
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let path = folder.join(entry.file_name());
            // A link is not followed.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path.clone());
            }
            found.push(path);
        }
    }
    found
}

#[cfg(test)]
mod tests;
