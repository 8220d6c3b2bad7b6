//! Looks at a `.dockerignore` before BuildKit reads it: it compiles the patterns too, and without any bound.

use std::io::Read;
use std::slice;

use cap_std::fs::Dir;

use super::effort::Effort;
use super::failure::Failure;
use super::follow::follow;
use super::glob::Room;
use super::pattern::{Patterns, check_size};

/// Its own name, or what follows that of a Dockerfile.
const NAME: &str = ".dockerignore";
/// Comments included.
const MOST_BYTES: usize = 4 << 20;

/// Refuses those among the files that are asked for which stand for too much. What is wrong in another way may be right
/// for BuildKit.
pub(super) fn check(root: &Dir, asked: &[String], effort: &mut Effort<'_>) -> Result<(), Failure> {
    for name in asked.iter().filter(|name| name.ends_with(NAME)) {
        for path in follow(root, slice::from_ref(name), effort)?.unwrap_or_default() {
            if root.symlink_metadata(&path).is_ok_and(|metadata| metadata.is_file()) {
                check_file(root, &path, effort)?;
            }
        }
    }
    Ok(())
}

fn check_file(root: &Dir, path: &str, effort: &mut Effort<'_>) -> Result<(), Failure> {
    let file = root.open(path).map_err(Failure::read(path))?;
    let mut text = Vec::new();
    file.take(MOST_BYTES as u64 + 1).read_to_end(&mut text).map_err(Failure::read(path))?;
    if text.len() > MOST_BYTES {
        return Err(Failure::PatternsTooLarge { limit: MOST_BYTES });
    }
    let text = String::from_utf8_lossy(&text);
    let lines = text.trim_start_matches('\u{feff}').lines().filter(|line| !line.starts_with('#'));
    let patterns: Vec<String> = lines.map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect();
    check_size(&patterns)?;
    let mut space = Room::new();
    for pattern in &patterns {
        match Patterns::new(slice::from_ref(pattern), &mut space, effort) {
            Err(Failure::Pattern { .. }) if !space.is_full() => {}
            made => drop(made?),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use cap_std::ambient_authority;

    use super::*;

    #[test]
    fn patterns_that_stand_for_too_much_are_not_shown_to_buildkit() {
        let tree = tempfile::tempdir().unwrap();
        let root = Dir::open_ambient_dir(tree.path(), ambient_authority()).unwrap();
        let asked = [".dockerignore".to_owned(), "docker/Dockerfile.dockerignore".to_owned(), "Dockerfile".to_owned()];
        let said = || check(&root, &asked, &mut Effort::new(&|| true)).err().map(|failure| failure.to_string());
        assert_eq!(said(), None, "there is none");
        let hostile = format!("?{}\n", "a{1000}".repeat(14)).repeat(200);
        std::fs::create_dir(tree.path().join("docker")).unwrap();
        for place in [".dockerignore", "docker/Dockerfile.dockerignore"] {
            let file = tree.path().join(place);
            std::fs::write(&file, format!("\u{feff}# {}\n*.key\n!a\n\\ü*\n[\n", "a".repeat(10_000))).unwrap();
            assert_eq!(said(), None, "comments and what BuildKit judges itself");
            std::fs::write(&file, &hostile).unwrap();
            assert!(said().is_some_and(|said| said.contains("stands for more than")), "{place}");
            std::fs::write(&file, "#\n".repeat(3 << 20)).unwrap();
            assert!(said().is_some_and(|said| said.contains("larger than 4194304 bytes")), "{place}");
            std::fs::remove_file(&file).unwrap();
        }
        std::fs::write(tree.path().join("real"), &hostile).unwrap();
        for link in ["real", "/real", "docker/../real"] {
            symlink(link, tree.path().join(".dockerignore")).unwrap();
            assert!(said().is_some(), "a link to {link}");
            std::fs::remove_file(tree.path().join(".dockerignore")).unwrap();
        }
    }
}
