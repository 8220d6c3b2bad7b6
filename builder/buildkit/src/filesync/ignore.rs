//! Looks at a `.dockerignore` before BuildKit reads it: it compiles the patterns too, and without any bound. And says which
//! of its lines keeps a file out.

use std::io::Read;
use std::slice;

use cap_std::fs::Dir;

use super::LocalDir;
use super::effort::Effort;
use super::failure::Failure;
use super::follow::follow;
use super::glob::Room;
use super::pattern::{LONGEST, Patterns, check_size, clean};

/// Its own name, or what follows that of a Dockerfile.
const NAME: &str = ".dockerignore";
/// Comments included.
const MOST_BYTES: usize = 4 << 20;

/// Refuses those among the files that are asked for which stand for too much, and gives the first line that is no pattern:
/// whoever compiles the patterns, we or BuildKit, fails and does not know where it stands.
pub(super) fn check(dir: &LocalDir, asked: &[String], effort: &mut Effort<'_>) -> Result<Option<Failure>, Failure> {
    let mut wrong = None;
    for name in asked.iter().filter(|name| name.ends_with(NAME)) {
        for path in follow(&dir.dir, slice::from_ref(name), effort)?.unwrap_or_default() {
            if dir.dir.symlink_metadata(&path).is_ok_and(|metadata| metadata.is_file()) {
                let found = check_file(dir, &path, effort)?;
                wrong = wrong.or(found);
            }
        }
    }
    Ok(wrong)
}

/// A line of an ignore file, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IgnoreLine {
    pub number: u32,
    pub text: String,
}

/// The line that keeps `path` out: the last one that matches it or a directory above it.
pub(super) fn left_out(root: &Dir, file: &str, path: &str) -> Option<IgnoreLine> {
    let mut lines = lines(&read(root, file).ok()?);
    let mut effort = Effort::new(&|| true);
    let texts: Vec<String> = lines.iter().map(|line| line.text.clone()).collect();
    let patterns = Patterns::new(&texts, &mut Room::new(), &mut effort).ok()??;
    let path = clean(path);
    let (mut is_match, mut matched) = (false, None);
    for (end, _) in path.match_indices('/').chain([(path.len(), "")]) {
        let (is_it, which) = patterns.matches(&path[..end], matched.as_ref(), &mut effort).ok()?;
        (is_match, matched) = (is_it, Some(which));
    }
    let last = matched?.iter().rposition(|matched| *matched)?;
    is_match.then(|| lines.swap_remove(last))
}

/// The lines of an ignore file that are patterns.
fn lines(text: &str) -> Vec<IgnoreLine> {
    let lines = (1..).zip(text.trim_start_matches('\u{feff}').lines()).filter(|(_, line)| !line.starts_with('#'));
    let lines = lines.map(|(number, line)| IgnoreLine { number, text: line.trim().to_owned() });
    lines.filter(|line| !line.text.is_empty()).collect()
}

fn read(root: &Dir, path: &str) -> Result<String, Failure> {
    let file = root.open(path).map_err(Failure::read(path))?;
    let mut text = Vec::new();
    file.take(MOST_BYTES as u64 + 1).read_to_end(&mut text).map_err(Failure::read(path))?;
    if text.len() > MOST_BYTES {
        return Err(Failure::PatternsTooLarge { limit: MOST_BYTES });
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn check_file(dir: &LocalDir, path: &str, effort: &mut Effort<'_>) -> Result<Option<Failure>, Failure> {
    let lines = lines(&read(&dir.dir, path)?);
    let patterns: Vec<String> = lines.iter().map(|line| line.text.clone()).collect();
    check_size(&patterns).map_err(|failure| match lines.iter().find(|line| line.text.len() > LONGEST) {
        Some(long) => placed(failure, dir, path, long),
        None => failure,
    })?;
    let (mut space, mut wrong) = (Room::new(), None);
    for line in &lines {
        match Patterns::new(slice::from_ref(&line.text), &mut space, effort) {
            Err(failure @ Failure::Pattern { .. }) if !space.is_full() => {
                wrong = wrong.or_else(|| Some(placed(failure, dir, path, line)));
            }
            made => drop(made.map_err(|failure| placed(failure, dir, path, line))?),
        }
    }
    Ok(wrong)
}

/// A failure of a pattern with its line.
fn placed(failure: Failure, dir: &LocalDir, path: &str, line: &IgnoreLine) -> Failure {
    let (file, number) = (dir.called.join(path).display().to_string(), line.number);
    match failure {
        Failure::Pattern { pattern, reason } => Failure::IgnoreLine { file, number, pattern, reason },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use cap_std::ambient_authority;

    use super::*;

    #[test]
    fn the_line_that_leaves_a_path_out_is_found() {
        let tree = tempfile::tempdir().unwrap();
        let root = Dir::open_ambient_dir(tree.path(), ambient_authority()).unwrap();
        let text = "\u{feff}# secrets\n\n*.env\r\n/dist\n!dist/keep\n **/*.key \n!public.key\nkeys\n!a.env\na.env\n";
        std::fs::write(tree.path().join("ignore"), text).unwrap();
        let line = |number, text: &str| Some(IgnoreLine { number, text: text.to_owned() });
        for (path, expected) in [
            (".env", line(3, "*.env")),
            ("sub/.env", None),
            ("dist", line(4, "/dist")),
            ("/dist/app/main.js", line(4, "/dist")),
            ("dist/keep/x", None),
            ("a/b/x.key", line(6, "**/*.key")),
            ("public.key", None),
            ("keys/public.key", line(8, "keys")),
            ("a.env", line(10, "a.env")),
            ("# secrets", None),
            ("src", None),
            ("", None),
        ] {
            assert_eq!(left_out(&root, "ignore", path), expected, "{path}");
        }
        assert_eq!(left_out(&root, "absent", ".env"), None);
        symlink("/etc/hosts", tree.path().join("outside")).unwrap();
        assert_eq!(left_out(&root, "outside", "localhost"), None);
    }

    #[test]
    fn patterns_that_stand_for_too_much_are_not_shown_to_buildkit() {
        let tree = tempfile::tempdir().unwrap();
        let dir = LocalDir::open(tree.path()).unwrap();
        let asked = [".dockerignore".to_owned(), "docker/Dockerfile.dockerignore".to_owned(), "Dockerfile".to_owned()];
        let said = || check(&dir, &asked, &mut Effort::new(&|| true)).err().map(|failure| failure.to_string());
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
