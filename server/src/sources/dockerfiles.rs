//! Which files of a source are Dockerfiles, and what follows from where they lie. Pure.

use crate::error::{Error, Result};

/// More than a page shows; a monorepo with more names its Dockerfile by hand.
const MOST: usize = 50;
/// In bytes; the forms take less.
const LONGEST: usize = 512;
/// Other people's code that lies in a source.
const FOREIGN: &[&str] = &["node_modules", "vendor", ".git"];

/// The Dockerfiles among the files of a tree: the one in the root first, then by depth and name.
pub fn find(files: &[String]) -> Vec<String> {
    let mut found: Vec<&String> = files.iter().filter(|path| is_dockerfile(path)).collect();
    found.sort_by_key(|path| (path.matches('/').count(), !is_plain(path), path.as_str()));
    found.into_iter().take(MOST).cloned().collect()
}

fn is_dockerfile(path: &str) -> bool {
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
    slipway_protocol::is_dockerfile(path)
        && !folders.split('/').any(|folder| FOREIGN.contains(&folder))
        && dockerfile(path).is_ok_and(|clean| clean == path)
}

fn is_plain(path: &str) -> bool {
    matches!(path.rsplit('/').next(), Some("Dockerfile"))
}

/// The path of a Dockerfile as people write it, `./docker/api.Dockerfile` or `/Dockerfile`, as it is stored.
pub fn dockerfile(typed: &str) -> Result<String> {
    let path = inside(typed, "Dockerfile", "`docker/api.Dockerfile`")?;
    if typed.trim().is_empty() {
        return Err(Error::invalid("Dockerfile: it is empty; name a file of the repository, such as `Dockerfile`"));
    }
    if path.is_empty() || is_folder(typed) {
        return Err(Error::invalid(
            "Dockerfile: this names a folder; name the file in it, such as `docker/Dockerfile`",
        ));
    }
    Ok(path)
}

/// A context folder as people write it, `.`, `./docker` or `/docker/`, as it is stored: empty for the whole source.
pub fn context(typed: &str) -> Result<String> {
    inside(typed, "Context folder", "`docker`, or leave it empty for the whole repository")
}

fn is_folder(typed: &str) -> bool {
    matches!(typed.trim().rsplit('/').next(), Some("" | "." | ".."))
}

/// A path inside a source without what says nothing in it.
fn inside(typed: &str, field: &str, example: &str) -> Result<String> {
    let wrong =
        |why: &str| Error::invalid(format!("{field}: {why}; write a path inside the repository, such as {example}"));
    let typed = typed.trim();
    if typed.contains('\\') {
        return Err(wrong("folders are divided by `/`, not by a backslash"));
    }
    if typed.contains(char::is_control) {
        return Err(wrong("it has a character that no path has"));
    }
    if typed.contains("://") {
        return Err(wrong("this is an address"));
    }
    let mut parts = Vec::new();
    for part in typed.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part == ".." {
            parts.pop().ok_or_else(|| wrong("it leads out of the repository"))?;
        } else {
            parts.push(part);
        }
    }
    if parts.contains(&".git") {
        return Err(wrong("`.git` is no part of what is built"));
    }
    let path = parts.join("/");
    if path.len() > LONGEST {
        return Err(wrong("it is too long"));
    }
    Ok(path)
}

/// The folder of a Dockerfile, which is its context; empty for the whole source.
pub fn context_of(dockerfile: &str) -> &str {
    dockerfile.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// What tells this Dockerfile from others of the source: `api` of `api.Dockerfile`, `services/api/Dockerfile` and
/// `Dockerfile.api`; `None` for the one in the root.
pub fn distinction(dockerfile: &str) -> Option<&str> {
    let (folder, name) = dockerfile.rsplit_once('/').unwrap_or(("", dockerfile));
    let own = slipway_protocol::name_part(name).unwrap_or(name);
    let last_folder = folder.rsplit('/').next().unwrap_or_default();
    [own, last_folder].into_iter().find(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockerfiles_are_found_in_subfolders_too() {
        let files = [
            "services/api/Dockerfile",
            "README.md",
            "docker/api.Dockerfile",
            "Dockerfile.dev",
            "Containerfile",
            "Dockerfile-alpine",
            "Dockerfile_debian",
            "Dockerfile",
            "web/app.containerfile",
            // None of these is one.
            "Dockerfile.dockerignore",
            "Dockerfile.md",
            "Dockerfile.dev.j2",
            "vendor/x/Dockerfile",
            "web/node_modules/y/Dockerfile",
            "Dockerfiles/readme",
            "src/dockerfile.rs/x",
            "bad\npath/Dockerfile",
            ".Dockerfile",
        ]
        .map(str::to_owned);
        assert_eq!(
            find(&files),
            [
                "Dockerfile",
                "Containerfile",
                "Dockerfile-alpine",
                "Dockerfile.dev",
                "Dockerfile_debian",
                "docker/api.Dockerfile",
                "web/app.containerfile",
                "services/api/Dockerfile"
            ]
        );
        let many: Vec<String> = (0..500).map(|n| format!("{n}/Dockerfile")).collect();
        assert_eq!(find(&many).len(), MOST);
    }

    #[test]
    fn paths_are_taken_as_people_write_them() {
        for (typed, path) in [
            ("Dockerfile", "Dockerfile"),
            ("./Dockerfile", "Dockerfile"),
            ("/Dockerfile", "Dockerfile"),
            (" docker//api.Dockerfile ", "docker/api.Dockerfile"),
            ("./a/./b/Dockerfile", "a/b/Dockerfile"),
            ("a b/--x.Dockerfile", "a b/--x.Dockerfile"),
            ("ü/Dockerfile", "ü/Dockerfile"),
            ("Dockerfile..old", "Dockerfile..old"),
            ("odd.", "odd."),
            ("docker/../Dockerfile", "Dockerfile"),
        ] {
            assert_eq!(dockerfile(typed).unwrap(), path, "{typed}");
        }
        for (typed, folder) in [
            ("", ""),
            (".", ""),
            ("./", ""),
            ("/", ""),
            ("./docker", "docker"),
            ("docker/", "docker"),
            ("/docker/web/.", "docker/web"),
            ("...", "..."),
            ("docker/..", ""),
            ("docker/../web", "web"),
        ] {
            assert_eq!(context(typed).unwrap(), folder, "{typed}");
        }
    }

    #[test]
    fn a_path_that_cannot_be_taken_is_told_by_its_field() {
        let long = "a".repeat(513);
        for bad in ["../Dockerfile", "a/../../b", "/..", "a\\b", "a\nb", "a\0b", ".git/x", "https://x/y", &long] {
            for (field, told) in [("Dockerfile: ", dockerfile(bad)), ("Context folder: ", context(bad))] {
                let told = told.unwrap_err().to_string();
                assert!(told.starts_with(field), "{bad:?}: {told}");
            }
        }
        assert!(dockerfile(" ").unwrap_err().to_string().contains("empty"));
        for folder in [".", "./", "/", "docker/", "docker/.", "docker/.."] {
            assert!(dockerfile(folder).unwrap_err().to_string().contains("names a folder"), "{folder:?}");
        }
    }

    #[test]
    fn the_place_tells_context_and_name() {
        for (path, context, name) in [
            ("Dockerfile", "", None),
            ("Dockerfile.dev", "", Some("dev")),
            ("docker/api.Dockerfile", "docker", Some("api")),
            ("services/api/Dockerfile", "services/api", Some("api")),
            ("Containerfile", "", None),
            ("docker/Dockerfile-alpine", "docker", Some("alpine")),
            ("Containerfile_web", "", Some("web")),
            ("images/base", "images", Some("base")),
        ] {
            assert_eq!((context_of(path), distinction(path)), (context, name), "{path}");
        }
    }
}
