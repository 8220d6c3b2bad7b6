//! Writes styled characters as escaped HTML, with links for addresses and words for what cannot be seen.

use super::{Screen, Style};
use std::fmt::Write;

/// Marks of one line: styles, links, hidden characters. What comes behind them is plain text.
const MOST_MARKS: usize = 500;

pub(super) fn write(screen: &Screen) -> String {
    let mut out = String::with_capacity(screen.cells.len() + 32);
    let mut marks = MOST_MARKS;
    let mut rest = screen.cells.as_slice();
    while let Some((_, style)) = rest.first() {
        if marks == 0 {
            let text: String = rest.iter().map(|cell| cell.0).collect();
            escape(&mut out, &text, &mut 0);
            break;
        }
        let run;
        (run, rest) = rest.split_at(rest.iter().take_while(|cell| cell.1 == *style).count());
        let text: String = run.iter().map(|cell| cell.0).collect();
        let classes = classes(run[0].1);
        if classes.is_empty() {
            linked(&mut out, &text, &mut marks);
        } else {
            marks -= 1;
            out.push_str("<span class=\"");
            out.push_str(&classes);
            out.push_str("\">");
            linked(&mut out, &text, &mut marks);
            out.push_str("</span>");
        }
    }
    if screen.cut > 0 {
        let cut = screen.cut;
        put(&mut out, format_args!(" <span class=\"cut\">{cut} more characters are in the raw log</span>"));
    }
    out
}

/// Writing into a `String` cannot fail.
fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a string takes any text");
}

fn classes(style: Style) -> String {
    let mut classes = String::new();
    let mut add = |class: &str| {
        if !classes.is_empty() {
            classes.push(' ');
        }
        classes.push_str(class);
    };
    if let Some(colour) = style.colour {
        add(&format!("a{}", colour.0));
    }
    for (on, class) in
        [(style.bold, "ab"), (style.dim, "ad"), (style.inverse || style.background, "ai"), (style.underline, "au")]
    {
        if on {
            add(class);
        }
    }
    classes
}

/// Text with its `http://` and `https://` addresses as links.
fn linked(out: &mut String, text: &str, marks: &mut usize) {
    let mut rest = text;
    while *marks > 0
        && let Some((start, end)) = next_url(rest)
    {
        *marks -= 1;
        escape(out, &rest[..start], marks);
        let url = &rest[start..end];
        out.push_str("<a href=\"");
        escape_attribute(out, url);
        out.push_str("\" rel=\"nofollow noopener\">");
        escape(out, url, &mut 0);
        out.push_str("</a>");
        rest = &rest[end..];
    }
    escape(out, rest, marks);
}

fn next_url(text: &str) -> Option<(usize, usize)> {
    let mut from = 0;
    while let Some(found) = text[from..].find("http") {
        let start = from + found;
        let after = &text[start..];
        let scheme = ["https://", "http://"].into_iter().find(|scheme| after.starts_with(scheme));
        from = start + 4;
        let Some(scheme) = scheme else { continue };
        let is_part = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '"' | '\'' | '`');
        let len = after.find(|c| !is_part(c)).unwrap_or(after.len());
        let url = after[..len].trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '}']);
        if url.len() > scheme.len() {
            return Some((start, start + url.len()));
        }
    }
    None
}

fn escape(out: &mut String, text: &str, marks: &mut usize) {
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if is_hidden(c) && *marks > 0 => {
                *marks -= 1;
                put(out, format_args!("<span class=\"ctl\">U+{:04X}</span>", u32::from(c)));
            }
            c if is_hidden(c) => put(out, format_args!("‹U+{:04X}›", u32::from(c))),
            c => out.push(c),
        }
    }
}

/// The address holds printable ASCII only, so these are all that need care.
fn escape_attribute(out: &mut String, url: &str) {
    for c in url.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            c => out.push(c),
        }
    }
}

/// Characters that turn text around or part it without being seen.
pub(super) fn is_hidden(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
