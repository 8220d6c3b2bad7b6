//! What failed, in the words of people.

/// Characters of a command that a heading shows.
const SHOWN: usize = 80;

/// The first line of why a build failed. BuildKit quotes the whole command of a step as Go does; people want to read
/// which command it was and what it said.
pub(super) fn heading(detail: &str) -> String {
    let first = detail.lines().next().unwrap_or_default();
    process(first).or_else(|| base(first)).unwrap_or_else(|| first.to_owned())
}

/// `process "/bin/sh -c make" did not complete successfully: exit code: 2`.
fn process(text: &str) -> Option<String> {
    let (command, code) =
        text.strip_prefix("process \"")?.rsplit_once("\" did not complete successfully: exit code: ")?;
    let code: String = code.chars().take_while(char::is_ascii_digit).collect();
    let command = unquoted(command);
    let command = command.strip_prefix("/bin/sh -c ").unwrap_or(&command).trim();
    let first = command.lines().next().unwrap_or_default();
    let mut shown: String = first.chars().take(SHOWN).collect();
    if shown.len() < command.len() {
        shown = format!("{}…", shown.trim_end());
    }
    (!shown.is_empty() && !code.is_empty()).then(|| format!("{shown} exited with code {code}"))
}

/// `alpine:1: failed to resolve source metadata for docker.io/library/alpine:1: pull access denied, …`.
fn base(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("failed to resolve source metadata for ")?;
    let (image, why) = rest.split_once(": ")?;
    let is_denied = why.contains("denied") || why.contains("insufficient_scope") || why.contains("not found");
    is_denied.then(|| format!("the base image {image} does not exist, or is private"))
}

fn unquoted(text: &str) -> String {
    let (mut out, mut chars) = (String::new(), text.chars());
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, false) => out.push(c),
            _ => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some(quoted @ ('"' | '\\')) => out.push(quoted),
                Some(other) => out.extend(['\\', other]),
                None => out.push('\\'),
            },
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_command_is_named_as_it_was_written() {
        let long = format!(r#"process "/bin/sh -c {}" did not complete successfully: exit code: 1"#, "x".repeat(100));
        let cut = format!("{}… exited with code 1", "x".repeat(80));
        for (detail, told) in [
            (
                r#"process "/bin/sh -c cargo build" did not complete successfully: exit code: 101"#,
                "cargo build exited with code 101",
            ),
            (
                r#"process "/bin/sh -c echo \"a\\b\"\nfalse" did not complete successfully: exit code: 2"#,
                r#"echo "a\b"… exited with code 2"#,
            ),
            (
                r#"process "/bin/server --check" did not complete successfully: exit code: 137: out of memory"#,
                "/bin/server --check exited with code 137",
            ),
            (
                "x/base:1: failed to resolve source metadata for x/base:1: pull access denied, repository does not \
                 exist or may require authorization: authorization failed",
                "the base image x/base:1 does not exist, or is private",
            ),
            (
                "a:1: failed to resolve source metadata for a:1: no such host",
                "a:1: failed to resolve source metadata for a:1: no such host",
            ),
            ("the Dockerfile is missing\nlook again", "the Dockerfile is missing"),
            (&long, &cut),
            ("", ""),
        ] {
            assert_eq!(heading(detail), told);
        }
    }
}
