//! Tables of patterns and paths, most of them from moby's own tests.

use super::*;

/// As a transfer makes them, when they are all it has.
fn new(patterns: &[String]) -> Result<Option<Patterns>, Failure> {
    Patterns::new(patterns, &mut Room::new(), &mut Effort::new(&|| true))
}

/// Whether a file is matched, its directories tried first as in a walk.
fn matched(patterns: &[&str], path: &str) -> bool {
    matched_with(patterns, path, &mut Effort::new(&|| true)).unwrap()
}

fn matched_with(patterns: &[&str], path: &str, effort: &mut Effort<'_>) -> Result<bool, Failure> {
    let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
    let Some(patterns) = new(&patterns)? else {
        return Ok(false);
    };
    let mut parent = None;
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    let mut is_match = false;
    for end in ends {
        let (now, matched) = patterns.matches(&path[..end], parent.as_ref(), effort)?;
        is_match = now;
        parent = Some(matched);
    }
    Ok(is_match)
}

/// `moby.txt` was written by moby's own code over patterns and paths of chance: `1`, `0` or `E` for an error, the path,
/// the patterns. A line end is written as `␊`.
#[test]
fn what_moby_matches_is_matched() {
    let mut wrong = Vec::new();
    let mut lines = 0;
    for line in include_str!("moby.txt").lines() {
        lines += 1;
        let text = line.replace('␊', "\n");
        let mut fields = text.split('\t');
        let (expected, path) = (fields.next().unwrap(), fields.next().unwrap());
        let patterns: Vec<&str> = fields.collect();
        let found = match matched_with(&patterns, path, &mut Effort::new(&|| true)) {
            Ok(true) => "1",
            Ok(false) => "0",
            Err(_) => "E",
        };
        if found != expected {
            wrong.push(format!("{found}: {line}"));
        }
    }
    assert!(lines > 1_000, "only {lines} lines");
    assert!(wrong.is_empty(), "{} of {lines}:\n{}", wrong.len(), wrong[..wrong.len().min(30)].join("\n"));
}

#[test]
fn hostile_patterns_cost_in_proportion() {
    let long = |text: &str| text.repeat(LONGEST / text.len());
    let path = format!("{}/{}", "a".repeat(2_000), "a".repeat(2_000));
    for pattern in [
        long("*a") + "b",
        long("**/") + "b",
        long("**a") + "b",
        long("?*") + "b",
        long("[a-z]*"),
        format!("[{}]*b", "a-z".repeat(1_000)),
        long("*"),
    ] {
        let pattern = &pattern[..pattern.len().min(LONGEST)];
        let always = || true;
        let mut effort = Effort::new(&always);
        // Whatever the answer is: it comes after so many steps.
        if let Ok(Some(patterns)) = new(&[pattern.to_owned()]) {
            patterns.matches(&path, None, &mut effort).unwrap();
        }
        let most = 3 * (pattern.len() * path.len()) as u64;
        assert!(effort.spent() <= most, "{} steps for {}", effort.spent(), &pattern[..20]);
    }
}

#[test]
fn more_patterns_than_anybody_writes_are_refused() {
    let refused = |patterns: Vec<String>| new(&patterns).unwrap_err().to_string();
    assert!(refused(vec!["x".to_owned(); 1_000_000]).contains("more than 10000 patterns"));
    assert!(refused(vec!["x".repeat(1 << 20)]).contains("longer than 4096 bytes"));
    assert!(refused(vec!["x".repeat(4_000); 300]).contains("larger than 1048576 bytes"));
    assert!(new(&vec!["*.o".to_owned(); 10_000]).is_ok());
}

/// Every spelling that stands for more than it is long, as often as patterns may be and as long as all may be together.
#[test]
fn patterns_take_little_memory_however_they_are_written() {
    for spelling in
        ["a{1000}", "a{0,1000}", "a{1000,}", "a{9}", "[a-c]{999}", "[^a]{1000}", "|", "a|", "\\d", "\\W", "[a]", "**/b"]
    {
        let line = format!("?{}", spelling.repeat(99 / spelling.len()));
        for exception in ["", "!"] {
            let lines = vec![format!("{exception}{line}"); MOST_PATTERNS.min(MOST_BYTES / (line.len() + 1))];
            match new(&lines) {
                Ok(patterns) => {
                    let bytes: usize = patterns.unwrap().0.iter().map(|pattern| pattern.glob.bytes()).sum();
                    assert!(bytes <= 64 << 20, "{bytes} bytes for lines of {spelling}");
                }
                Err(refused) => {
                    let said = refused.to_string();
                    assert!(said.contains("stands for more than 2097152 characters"), "{spelling}: {said}");
                    assert!(said.len() < 300, "{said}");
                }
            }
        }
    }
}

#[test]
fn includes_and_excludes_share_what_they_may_stand_for() {
    let half = vec!["?a{1000}".to_owned(); 1_500];
    let always = || true;
    let (mut room, mut effort) = (Room::new(), Effort::new(&always));
    assert!(Patterns::new(&half, &mut room, &mut effort).is_ok());
    let taken = room.taken() as u64;
    assert!(effort.spent() >= taken && taken > 1_500_000, "compiling is work: {} of {taken}", effort.spent());
    assert!(Patterns::new(&half, &mut room, &mut effort).is_err());
}

#[test]
fn matching_ends_with_its_steps_or_when_nobody_waits() {
    let always = || true;
    let hard = "*a".repeat(1_000) + "b";
    let path = "a".repeat(1_000);
    let few = matched_with(&[&hard], &path, &mut Effort::of_steps(100_000, &always));
    assert!(matches!(few, Err(Failure::TooMuchWork)), "{few:?}");
    let nobody = || false;
    let many = [hard.as_str(); 20];
    let gone = matched_with(&many, &path, &mut Effort::new(&nobody));
    assert!(matches!(gone, Err(Failure::Gone)), "{gone:?}");
}

#[test]
fn one_pattern() {
    for (pattern, path, expected) in [
        ("**", "file", true),
        ("**", "dir/file", true),
        ("**/", "file", true),
        ("**/**", "dir/file", true),
        ("dir/**", "dir/file", true),
        ("dir/**", "dir/dir2/file", true),
        ("dir/**", "dir", false),
        ("dir/**", "dir2/file", false),
        ("**/dir", "dir", true),
        ("**/dir", "dir/file", true),
        ("**/dir2/*", "dir/dir2/file", true),
        ("**/dir2/**", "dir/dir2/dir2/file", true),
        ("**file", "file", true),
        ("**file", "dir/file", true),
        ("**file", "dir/dirfile", true),
        ("**/file", "dir/dirfile", false),
        ("**/file", "dir/file", true),
        ("**/file*", "dir/dir/file.txt", true),
        ("**/file*txt", "dir/dir/file.txt", true),
        ("**/file*.txt*", "dir/dir/file.txt", true),
        ("**/**/*.txt", "dir/dir/file.txt", true),
        ("**/**/*.txt2", "dir/dir/file.txt", false),
        ("**/*.txt", "file.txt", true),
        ("**/**/*.txt", "file.txt", true),
        ("a**/*.txt", "a/file.txt", true),
        ("a**/*.txt", "a/dir/dir/file.txt", true),
        ("a/*.txt", "a/file.txt", true),
        ("a/*.txt", "a/dir/file.txt", false),
        ("a/*.txt**", "a/file.txt", true),
        ("a**", "abc/d", true),
        ("a[b-d]e", "ae", false),
        ("a[b-d]e", "ace", true),
        ("a[^b-d]e", "aze", true),
        ("a[^b-d]e", "ace", false),
        ("[[]x", "[x", true),
        ("[&~&]", "~", true),
        (r"a[\-z]", "a-", true),
        (".*", ".foo", true),
        (".*", "foo", false),
        ("abc.def", "abcdef", false),
        ("abc.def", "abc.def", true),
        ("abc.def", "abcZdef", false),
        ("abc?def", "abcZdef", true),
        ("abc?def", "abc/def", false),
        (r"a\\", r"a\", true),
        (r"a\*b", "a*b", true),
        (r"a\*b", "axb", false),
        ("*", "dir/file", true),
        ("*/c", "a", false),
        ("*/c", "a/c/d", true),
        ("**/foo/bar", "foo/bar", true),
        ("**/foo/bar", "dir/dir2/foo/bar", true),
        ("abc/**", "abc", false),
        ("a(b)c+d{1}|$", "a(b)c+d{1}|$", true),
        ("a(b)*", "a(b)c", true),
        ("ü*", "über/x", true),
        ("/foo/", "foo", true),
        ("./foo/../bar", "bar/x", true),
        (" foo ", "foo", true),
        (".", "foo", false),
        ("foo", "foobar", false),
        ("Foo", "foo", false),
    ] {
        assert_eq!(matched(&[pattern], path), expected, "{pattern} on {path}");
    }
}

#[test]
fn several_patterns() {
    for (patterns, path, expected) in [
        (&["**", "!util/docker/web"][..], "util/docker/web/foo", false),
        (&["**", "!util/docker/web", "util/docker/web/foo"], "util/docker/web/foo", true),
        (&["**", "!dist", "dist/x"], "dist/y", false),
        (&["*", "!src"], "src/x", false),
        (&["*", "!src", "src/*.log"], "src/x.log", true),
        (&["*.md", "!README.md"], "README.md", false),
        (&["*.md", "!README*.md", "README-secret.md"], "README-secret.md", true),
        (&["*.md", "README-secret.md", "!README*.md"], "README-secret.md", false),
        (&["dir", "!dir/keep"], "dir/keep", false),
        (&["dir", "!dir/keep"], "dir/other", true),
        (&["dir/*", "!keep"], "dir/keep", true),
        (&["!foo"], "foo", false),
        (&[], "foo", false),
        (&["", "  "], "foo", false),
    ] {
        assert_eq!(matched(patterns, path), expected, "{patterns:?} on {path}");
    }
}

#[test]
fn bad_patterns_are_refused() {
    for pattern in ["a[", "a[]b", "a[^", r"a\", "!", "[a-]", "[-a]", "[z-a]", "[a-z-9]", r"a\Q", r"\ü*"] {
        assert!(new(&[pattern.to_owned()]).is_err(), "{pattern}");
    }
}

#[test]
fn the_way_is_saved_only_where_nothing_can_match() {
    let below = |pattern: &str, dir| new(&[pattern.to_owned()]).unwrap().unwrap().may_match_below(dir);
    for (pattern, dir, expected) in [
        ("a/b/c", "a", true),
        ("a/b/c", "a/b", true),
        ("a/b/c", "b", false),
        ("a/*/c", "a/x", true),
        ("**/c", "x/y", true),
        ("a*", "abc", true),
        ("b*", "abc", false),
    ] {
        assert_eq!(below(pattern, dir), expected, "{pattern} below {dir}");
    }
}
