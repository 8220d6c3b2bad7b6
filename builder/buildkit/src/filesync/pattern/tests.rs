//! Tables of patterns and paths, most of them from moby's own tests.

use super::*;

/// Whether a file is matched, its directories tried first as in a walk.
fn matched(patterns: &[&str], path: &str) -> bool {
    let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
    let Some(patterns) = Patterns::new(&patterns).unwrap() else {
        return false;
    };
    let mut parent = None;
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    let mut is_match = false;
    for end in ends {
        let (now, matched) = patterns.matches(&path[..end], parent.as_ref());
        is_match = now;
        parent = Some(matched);
    }
    is_match
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
    for pattern in ["a[", "a[]b", "a[^", r"a\", "!", "[a-]", "[-a]", "[z-a]"] {
        assert!(Patterns::new(&[pattern.to_owned()]).is_err(), "{pattern}");
    }
}

#[test]
fn the_way_is_saved_only_where_nothing_can_match() {
    let below = |pattern: &str, dir| Patterns::new(&[pattern.to_owned()]).unwrap().unwrap().may_match_below(dir);
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
