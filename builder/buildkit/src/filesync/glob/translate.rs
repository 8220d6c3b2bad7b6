//! moby's own translation of a pattern: which of the four ways it is matched, and its regular expression.
//!
//! Character by character as there, with its surprises: a `*` inside of `[]` is translated too.

/// How a pattern is matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Exact,
    Prefix,
    Suffix,
    Expression,
}

/// What stands for `**` with something after it.
pub(super) const DIRS: &str = "(.*/)?";
/// What stands for `**` at the end.
pub(super) const REST: &str = ".*";

/// The kind and, for `Kind::Expression`, the expression without its anchors.
pub(super) fn translate(pattern: &str) -> (Kind, String) {
    let mut kind = Kind::Exact;
    let mut expression = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern.chars().peekable();
    let mut is_first = true;
    while let Some(char) = rest.next() {
        match char {
            '*' if rest.next_if_eq(&'*').is_some() => {
                // `**/` reads as `**`.
                rest.next_if_eq(&'/');
                if rest.peek().is_some() {
                    expression.push_str(DIRS);
                    kind = Kind::Expression;
                } else if kind == Kind::Exact {
                    kind = Kind::Prefix;
                } else {
                    expression.push_str(REST);
                    kind = Kind::Expression;
                }
                if is_first {
                    kind = Kind::Suffix;
                }
            }
            special => {
                if push(special, rest.by_ref(), &mut expression) {
                    kind = Kind::Expression;
                }
            }
        }
        is_first = false;
    }
    (kind, expression)
}

/// Adds one character; says whether it makes the pattern an expression.
fn push(char: char, rest: &mut impl Iterator<Item = char>, expression: &mut String) -> bool {
    match char {
        '*' => expression.push_str("[^/]*"),
        '?' => expression.push_str("[^/]"),
        '\\' => {
            expression.push('\\');
            expression.extend(rest.next());
        }
        '[' | ']' => expression.push(char),
        // moby means to escape `|`, `{` and `}` too, and does not.
        '.' | '+' | '(' | ')' | '$' => {
            expression.push('\\');
            expression.push(char);
            return false;
        }
        plain => {
            expression.push(plain);
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_become_moby_s_expressions() {
        for (pattern, kind, expression) in [
            ("a.b", Kind::Exact, r"a\.b"),
            ("a/**", Kind::Prefix, "a/"),
            ("**/a", Kind::Suffix, "(.*/)?a"),
            ("a*?", Kind::Expression, "a[^/]*[^/]"),
            ("a**b/**", Kind::Expression, "a(.*/)?b/.*"),
            (r"\a[^b-c]", Kind::Expression, r"\a[^b-c]"),
            ("[*]", Kind::Expression, "[[^/]*]"),
        ] {
            assert_eq!(translate(pattern), (kind, expression.to_owned()), "{pattern}");
        }
    }
}
