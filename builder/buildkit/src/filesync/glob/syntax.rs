//! Which patterns are none: what Go's `filepath.Match` refuses, which moby asks first.

/// Says what is wrong with a pattern.
pub(super) fn check(pattern: &str) -> Result<(), String> {
    let mut rest = pattern.chars().peekable();
    while let Some(char) = rest.next() {
        match char {
            '\\' => drop(rest.next().ok_or("it ends in `\\`")?),
            '[' => class(&mut rest)?,
            _ => {}
        }
    }
    Ok(())
}

fn class(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<(), String> {
    const OPEN: &str = "a `[` is not closed";
    rest.next_if_eq(&'^');
    let mut is_empty = true;
    loop {
        match rest.next().ok_or(OPEN)? {
            ']' if is_empty => return Err("`[]` is empty".to_owned()),
            ']' => return Ok(()),
            '-' => return Err("a `-` in `[]` needs two ends".to_owned()),
            low => {
                escaped(low, rest)?;
                if rest.next_if_eq(&'-').is_some() {
                    match rest.next().ok_or(OPEN)? {
                        ']' | '-' => return Err("a `-` in `[]` needs two ends".to_owned()),
                        high => escaped(high, rest)?,
                    }
                }
            }
        }
        is_empty = false;
    }
}

fn escaped(char: char, rest: &mut impl Iterator<Item = char>) -> Result<(), String> {
    if char == '\\' {
        rest.next().ok_or("it ends in `\\`")?;
    }
    Ok(())
}
