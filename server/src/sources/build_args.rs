//! Build arguments as people type them.

use std::collections::BTreeMap;

const MOST: usize = 100;
const LONGEST_NAME: usize = 128;
const LONGEST_VALUE: usize = 8_192;
/// Wrong lines that are told, and characters of one.
const TOLD: usize = 10;
const SHOWN: usize = 60;

/// `NAME=value`, one a line. BuildKit's own names are not for users. The error has a sentence for each line that is wrong.
pub fn parse(text: &str) -> Result<BTreeMap<String, String>, String> {
    let (mut args, mut wrong, mut lines) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
    for (number, line) in (1_usize..).zip(text.lines()) {
        let line = line.trim_end_matches('\r');
        match parse_line(line) {
            _ if line.trim().is_empty() => {}
            Ok((name, value)) => {
                if let Some(first) = lines.insert(name, number) {
                    wrong.push(format!("line {number}: `{name}` is already set on line {first}"));
                }
                args.insert(name.to_owned(), value.to_owned());
            }
            Err(why) => wrong.push(format!("line {number}: {why}")),
        }
    }
    if args.len() > MOST {
        wrong.push(format!("there are {}, and at most {MOST} are taken", args.len()));
    }
    let more = wrong.len().saturating_sub(TOLD);
    wrong.truncate(TOLD);
    if more > 0 {
        wrong.push(format!("and {more} more"));
    }
    if wrong.is_empty() { Ok(args) } else { Err(wrong.join("\n")) }
}

fn parse_line(line: &str) -> Result<(&str, &str), String> {
    let (name, value) = line.split_once('=').ok_or_else(|| format!("`{}` has no `=`; write NAME=value", cut(line)))?;
    if name.trim().is_empty() {
        return Err("the name is missing before the `=`".to_owned());
    }
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    if !first || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') || name.len() > LONGEST_NAME {
        return Err(format!("`{}` is no name of a build argument: letters, digits and `_`", cut(name)));
    }
    if name.to_ascii_uppercase().starts_with("BUILDKIT_") {
        return Err(format!("`{}` belongs to BuildKit and cannot be set", cut(name)));
    }
    if value.len() > LONGEST_VALUE {
        return Err(format!("the value of `{}` is too long; at most 8,192 characters are taken", cut(name)));
    }
    // No environment holds a NUL, and no text of PostgreSQL.
    if value.contains('\0') {
        return Err(format!("the value of `{}` has a NUL in it, which no variable can hold", cut(name)));
    }
    Ok((name, value))
}

fn cut(text: &str) -> String {
    let shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() { format!("{shown}…") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_arguments_are_names_and_values() {
        let args = parse("A=1\r\nB_2=x=y, \"z\"\n\n_C=").unwrap();
        assert_eq!(args.len(), 3);
        assert_eq!(args["B_2"], "x=y, \"z\"");
        for bad in ["A", "1A=x", "A B=x", "BUILDKIT_INLINE_CACHE=1", "buildkit_x=1", "=x", "A-B=1", "ü=1", "A=x\0y"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(parse(&format!("A={}", "x".repeat(LONGEST_VALUE + 1))).is_err());
        let many = |count| (0..count).map(|n| format!("A{n}=1")).collect::<Vec<_>>().join("\n");
        assert_eq!(parse("A=1\nB=1\nA=1\n").unwrap_err(), "line 3: `A` is already set on line 1");
        assert!(parse(&many(MOST)).is_ok());
        assert_eq!(parse(&many(MOST + 1)).unwrap_err(), "there are 101, and at most 100 are taken");
    }

    #[test]
    fn each_wrong_line_is_told() {
        let told = parse("GOOD=1\nno value\n\n1A=x\nBUILDKIT_X=1\n").unwrap_err();
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines.len(), 3, "{told}");
        for (line, parts) in
            lines.iter().zip([["line 2", "`no value`"], ["line 4", "`1A`"], ["line 5", "`BUILDKIT_X`"]])
        {
            assert!(parts.iter().all(|part| line.contains(part)), "{line}");
        }
        let told = parse(&"wrong\n".repeat(500)).unwrap_err();
        assert_eq!((told.lines().count(), told.lines().last()), (TOLD + 1, Some("and 490 more")));
        assert!(parse(&"x".repeat(100_000)).unwrap_err().len() < 200);
    }
}
