//! Which files of a source are Dockerfiles, and what follows from where they lie. Pure.

use crate::error::{Error, Result};

/// More than a page shows; a monorepo with more names its Dockerfile by hand.
const MOST: usize = 50;
/// Other people's code that lies in a source.
const FOREIGN: &[&str] = &["node_modules", "vendor", ".git"];
/// Endings of files about Dockerfiles.
const NOT_BUILT: &[&str] = &["dockerignore", "md", "txt", "j2", "tmpl", "template", "tpl", "orig", "bak"];

/// The Dockerfiles among the files of a tree: the one in the root first, then by depth and name.
pub fn find(files: &[String]) -> Vec<String> {
    let mut found: Vec<&String> = files.iter().filter(|path| is_dockerfile(path)).collect();
    found.sort_by_key(|path| (path.matches('/').count(), !is_plain(path), path.as_str()));
    found.into_iter().take(MOST).cloned().collect()
}

fn is_dockerfile(path: &str) -> bool {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    let (stem, ending) = name.split_once('.').unwrap_or((name, ""));
    let last = name.rsplit('.').next().unwrap_or_default();
    let word = |text: &str| text.eq_ignore_ascii_case("dockerfile") || text.eq_ignore_ascii_case("containerfile");
    let named = word(stem) && !NOT_BUILT.contains(&ending.rsplit('.').next().unwrap_or_default());
    (named || (!stem.is_empty() && word(last)))
        && !folders.split('/').any(|folder| FOREIGN.contains(&folder))
        && check_path(path).is_ok()
}

fn is_plain(path: &str) -> bool {
    matches!(path.rsplit('/').next(), Some("Dockerfile"))
}

/// A path inside a source, as people may give it.
pub fn check_path(path: &str) -> Result<()> {
    let parts_are_good = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if parts_are_good && path.len() <= 512 && !path.contains(|c: char| c.is_control() || c == '\\') {
        return Ok(());
    }
    Err(Error::invalid("the path of a Dockerfile is relative to the source, such as `docker/api.Dockerfile`"))
}

/// The folder of a Dockerfile, which is its context; empty for the whole source.
pub fn context_of(dockerfile: &str) -> &str {
    dockerfile.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// What tells this Dockerfile from others of the source: `api` of `api.Dockerfile`, `services/api/Dockerfile` and
/// `Dockerfile.api`; `None` for the one in the root.
pub fn distinction(dockerfile: &str) -> Option<&str> {
    let (folder, name) = dockerfile.rsplit_once('/').unwrap_or(("", dockerfile));
    let (stem, ending) = name.split_once('.').unwrap_or((name, ""));
    let word = |text: &str| text.eq_ignore_ascii_case("dockerfile") || text.eq_ignore_ascii_case("containerfile");
    let own = if word(stem) { ending } else { stem };
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
                "Dockerfile.dev",
                "docker/api.Dockerfile",
                "web/app.containerfile",
                "services/api/Dockerfile"
            ]
        );
        let many: Vec<String> = (0..500).map(|n| format!("{n}/Dockerfile")).collect();
        assert_eq!(find(&many).len(), MOST);
    }

    #[test]
    fn a_path_stays_inside_the_source() {
        for good in ["Dockerfile", "a/b/Dockerfile", "a b/--x.Dockerfile", "ü/Dockerfile"] {
            assert!(check_path(good).is_ok(), "{good}");
        }
        for bad in ["", "/etc/passwd", "../Dockerfile", "a/../../b", "a//b", "./Dockerfile", "a\\b", "a\nb", "a/"] {
            assert!(check_path(bad).is_err(), "{bad:?}");
        }
        assert!(check_path(&"a".repeat(513)).is_err());
    }

    #[test]
    fn the_place_tells_context_and_name() {
        for (path, context, name) in [
            ("Dockerfile", "", None),
            ("Dockerfile.dev", "", Some("dev")),
            ("docker/api.Dockerfile", "docker", Some("api")),
            ("services/api/Dockerfile", "services/api", Some("api")),
            ("Containerfile", "", None),
        ] {
            assert_eq!((context_of(path), distinction(path)), (context, name), "{path}");
        }
    }
}
