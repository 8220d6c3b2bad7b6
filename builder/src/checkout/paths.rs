//! The Dockerfile and the context folder inside a checkout.

use super::links::{Lead, follow};
use super::tree::{Entry, Kind};
use crate::failure::{Failed, because, internal};
use slipway_protocol::{Reason, Target, is_dockerfile};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

/// Of a list of Dockerfiles, so many are named.
const NAMED: usize = 10;

/// What the rule asks for: relative paths that do not climb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) context: PathBuf,
    pub(super) dockerfile: PathBuf,
}

/// Where things are; all inside `files`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Places {
    /// The whole source.
    pub(crate) files: PathBuf,
    /// Relative to `files`, links followed.
    pub(crate) context: PathBuf,
    /// The folder in which BuildKit looks for the Dockerfile, relative to `files`.
    pub(crate) dockerfile_dir: PathBuf,
    /// Its path in there. It may be a link, which is not followed here: the ignore file is the one that is named like
    /// what was asked for, not like what that leads to.
    pub(crate) dockerfile_name: String,
    /// What the commit names and does not hold, relative to `files`, each with the sentence for builds that need it.
    pub(crate) absent: BTreeMap<PathBuf, String>,
}

impl Wanted {
    pub(super) fn parse(target: &Target) -> Result<Self, Failed> {
        let context = relative("context", &target.context)?;
        let dockerfile = relative("Dockerfile", &target.dockerfile)?;
        if dockerfile.as_os_str().is_empty() {
            return Err(because(Reason::DockerfileMissing, "the rule names no Dockerfile"));
        }
        Ok(Self { context, dockerfile })
    }
}

fn relative(what: &str, path: &str) -> Result<PathBuf, Failed> {
    let outside = || {
        let text = format!("the {what} path `{}` leads outside of the source", path.escape_debug());
        because(Reason::NotAllowed, text)
    };
    if path.contains('\0') || path.len() > 4096 {
        return Err(outside());
    }
    let mut clean = PathBuf::new();
    for part in Path::new(path).components() {
        match part {
            Component::Normal(name) if name == ".git" => return Err(outside()),
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(outside());
            }
        }
    }
    Ok(clean)
}

/// Finds both in the checkout, refusing links that lead out of it.
pub(super) fn find(files: &Path, entries: &[Entry], wanted: &Wanted) -> Result<Places, Failed> {
    let files = files.canonicalize().map_err(|error| internal("read the checkout", &error.into()))?;
    let context = match resolve(&files, &wanted.context, Reason::FileMissing)? {
        Some(path) if files.join(&path).is_dir() => path,
        found => {
            let text = no_folder(found.is_some(), entries, &wanted.context);
            return Err(because(Reason::FileMissing, text));
        }
    };
    let dockerfile = resolve(&files, &wanted.dockerfile, Reason::DockerfileMissing)?;
    match dockerfile.map(|path| files.join(path)) {
        Some(path) if path.is_file() => {}
        Some(_) => {
            let text = format!("`{}` is a folder; name the Dockerfile in it", wanted.dockerfile.display());
            return Err(because(Reason::DockerfileMissing, text));
        }
        None => return Err(because(Reason::DockerfileMissing, missing(entries, wanted))),
    }
    let folder = wanted.dockerfile.parent().unwrap_or(Path::new(""));
    let folder = resolve(&files, folder, Reason::DockerfileMissing)?.unwrap_or_default();
    let name = wanted.dockerfile.file_name().unwrap_or_default();
    let (dir, name) = if has_link(&files.join(&folder), name) {
        // It may lead to another folder of the source, so BuildKit is shown all of it.
        (PathBuf::new(), folder.join(name))
    } else {
        (folder, PathBuf::from(name))
    };
    let name = name.into_os_string().into_string();
    let name = name.map_err(|_bytes| because(Reason::NotAllowed, "the Dockerfile's name is not UTF-8"))?;
    Ok(Places { context, dockerfile_dir: dir, dockerfile_name: name, files, absent: BTreeMap::new() })
}

/// Whether the Dockerfile or the ignore file beside it is a link.
fn has_link(folder: &Path, name: &OsStr) -> bool {
    let mut ignore = name.to_owned();
    ignore.push(".dockerignore");
    [name, &ignore].iter().any(|name| folder.join(name).is_symlink())
}

/// The path with its links followed, relative to `files`; `None` if there is nothing of this name.
fn resolve(files: &Path, path: &Path, missing: Reason) -> Result<Option<PathBuf>, Failed> {
    let shown = path.display();
    match follow(files, path) {
        Lead::There(path) => Ok(Some(path)),
        Lead::Nowhere { by_link: false, .. } => Ok(None),
        Lead::Nowhere { path: target, .. } => {
            let text = format!("`{shown}` is a link to `{}`, which is not in this commit", target.display());
            Err(because(missing, text))
        }
        Lead::Out => Err(because(Reason::NotAllowed, format!("`{shown}` is a link out of the source"))),
        Lead::Round => Err(because(missing, format!("`{shown}` is a link that leads back to itself"))),
    }
}

fn no_folder(is_file: bool, entries: &[Entry], path: &Path) -> String {
    let shown = path.display();
    if is_file {
        return format!("`{shown}` is a file, and the context is a folder: name the folder that it lies in");
    }
    match entries.iter().flat_map(|entry| entry.path.ancestors().skip(1)).find(|folder| is_like(folder, path)) {
        Some(folder) => {
            format!("there is no folder `{shown}` in this commit; there is `{}`, {CASE}", folder.display())
        }
        None => format!("there is no folder `{shown}` in this commit"),
    }
}

/// Of a name that differs by that alone.
const CASE: &str = "and upper and lower case count";

fn is_like(found: &Path, path: &Path) -> bool {
    found.to_string_lossy().to_lowercase() == path.to_string_lossy().to_lowercase()
}

fn missing(entries: &[Entry], wanted: &Wanted) -> String {
    let path = wanted.dockerfile.display();
    let files = || entries.iter().filter(|entry| entry.kind != Kind::Submodule);
    if let Some(other) = files().find(|entry| is_like(&entry.path, &wanted.dockerfile)) {
        return format!("there is no `{path}` in this commit; there is `{}`, {CASE}", other.path.display());
    }
    let found: Vec<String> = files()
        .filter(|entry| entry.path.to_str().is_some_and(is_dockerfile))
        .map(|entry| format!("`{}`", entry.path.display()))
        .collect();
    let more = found.len().saturating_sub(NAMED);
    let list = found[..found.len() - more].join(", ");
    match (found.len(), more) {
        (0, _) => format!("there is no `{path}` in this commit, and no other Dockerfile"),
        (_, 0) => format!("there is no `{path}` in this commit; it has {list}"),
        _ => format!("there is no `{path}` in this commit; it has {list} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside_the_source() {
        for path in ["", ".", "./", "docker", "a/./b", "a//b", "--upload-pack=x", "a b,c=\"d\""] {
            assert!(relative("context", path).is_ok(), "{path}");
        }
        for path in ["/", "/etc", "..", "a/../b", "../x", "a/..", ".git", "a/.git/hooks", "a\0b"] {
            let failure = relative("context", path).unwrap_err();
            assert_eq!(failure.reason, Reason::NotAllowed, "{path}");
        }
    }
}
