//! How numbers, sizes, times and digests are written.

#![expect(
    clippy::inline_always,
    clippy::unused_self,
    clippy::unnecessary_wraps,
    reason = "askama's filter_fn makes the code, and its signature is fixed"
)]

use super::super::assets;
use askama::{Result, Values};

/// A number, however many references a template put before it.
pub trait Count {
    fn count(&self) -> u64;
}

impl Count for u64 {
    fn count(&self) -> u64 {
        *self
    }
}

impl Count for u32 {
    fn count(&self) -> u64 {
        (*self).into()
    }
}

impl<T: Count> Count for &T {
    fn count(&self) -> u64 {
        (*self).count()
    }
}

/// `{{ "app.css"|asset }}` → the address with the hash.
#[askama::filter_fn]
pub fn asset(name: &str, _: &dyn Values) -> Result<&'static str> {
    Ok(assets::asset(name))
}

/// `{{ size|bytes }}` → `24.1 MB`, powers of ten.
#[askama::filter_fn]
pub fn bytes(size: impl Count, _: &dyn Values) -> Result<String> {
    Ok(size_text(size.count()))
}

/// `{{ seconds|duration }}` → `58s`, `1m 04s`, `2h 05m`.
#[askama::filter_fn]
pub fn duration(secs: impl Count, _: &dyn Values) -> Result<String> {
    Ok(duration_text(secs.count()))
}

/// `{{ digest|short }}` → `sha256:9f2c61d0b7aa`.
#[askama::filter_fn]
pub fn short(digest: &str, _: &dyn Values) -> Result<String> {
    Ok(short_digest(digest))
}

/// `{{ count|number }}` → `11,940`.
#[askama::filter_fn]
pub fn number(count: impl Count, _: &dyn Values) -> Result<String> {
    Ok(number_text(count.count()))
}

/// `{{ count|plural("tag", "tags") }}` → `1 tag`, `37 tags`.
#[askama::filter_fn]
pub fn plural(count: impl Count, _: &dyn Values, one: &str, many: &str) -> Result<String> {
    Ok(plural_text(count.count(), one, many))
}

/// `{{ text|code|safe }}`: what stands between backticks, in the letters of code; all of it is escaped.
#[askama::filter_fn]
pub fn code(text: impl AsRef<str>, _: &dyn Values) -> Result<String> {
    Ok(code_html(text.as_ref()))
}

fn code_html(text: &str) -> String {
    let (mut html, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, word, after)) = quoted(rest) {
        escape(&mut html, before);
        html.push_str("<code>");
        escape(&mut html, word);
        html.push_str("</code>");
        rest = after;
    }
    escape(&mut html, rest);
    html
}

/// The first word between backticks, with what stands before and behind it.
fn quoted(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let start = from + text[from..].find('`')?;
        let end = start + 1 + text[start + 1..].find('`')?;
        if end > start + 1 {
            return Some((&text[..start], &text[start + 1..end], &text[end + 1..]));
        }
        // A pair with nothing in it stays as it is.
        from = end + 1;
    }
}

fn escape(html: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => html.push_str("&#38;"),
            '<' => html.push_str("&#60;"),
            '>' => html.push_str("&#62;"),
            '"' => html.push_str("&#34;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
}

/// `{{ error|sentence }}`: a message that stands alone begins with a capital and ends with a stop.
#[askama::filter_fn]
pub fn sentence(text: impl AsRef<str>, _: &dyn Values) -> Result<String> {
    Ok(sentence_text(text.as_ref()))
}

/// Messages are lower case and without a full stop, for they stand inside of others; alone they are sentences.
pub fn sentence_text(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase).into_iter().flatten();
    let stop = if text.is_empty() || text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{}{}{stop}", first.collect::<String>(), letters.as_str())
}

pub fn plural_text(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", number_text(count), if count == 1 { one } else { many })
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub fn size_text(size: u64) -> String {
    let units = ["kB", "MB", "GB", "TB", "PB"];
    if size < 1000 {
        return format!("{size} B");
    }
    let mut value = size as f64 / 1000.0;
    let mut unit = 0;
    // 999.5 would be written 1000.
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = usize::from(value < 99.95);
    format!("{value:.digits$} {}", units[unit])
}

pub fn duration_text(secs: u64) -> String {
    match secs {
        0..=59 => format!("{secs}s"),
        60..=3599 => format!("{}m {:02}s", secs / 60, secs % 60),
        _ => format!("{}h {:02}m", secs / 3600, secs / 60 % 60),
    }
}

pub fn short_digest(digest: &str) -> String {
    match digest.split_once(':') {
        Some((kind, hex)) => format!("{kind}:{}", hex.chars().take(12).collect::<String>()),
        None => digest.chars().take(12).collect(),
    }
}

pub fn number_text(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_durations_digests_and_numbers_are_written_as_people_read_them() {
        for (size, text) in
            [(0, "0 B"), (999, "999 B"), (24_149_000, "24.1 MB"), (612_000_000, "612 MB"), (999_500_000, "1.0 GB")]
        {
            assert_eq!(size_text(size), text);
        }
        for (secs, text) in [(0, "0s"), (64, "1m 04s"), (7500, "2h 05m")] {
            assert_eq!(duration_text(secs), text);
        }
        assert_eq!(short_digest("sha256:9f2c61d0b7aa5cd2"), "sha256:9f2c61d0b7aa");
        assert_eq!(number_text(1_234_567), "1,234,567");
        assert_eq!(number_text(123), "123");
        assert_eq!(plural_text(1, "tag", "tags"), "1 tag");
    }

    #[test]
    fn words_between_backticks_are_code_and_nothing_is_markup() {
        for (text, html) in [
            ("tag `main` was deleted", "tag <code>main</code> was deleted"),
            ("`a` and `b`", "<code>a</code> and <code>b</code>"),
            ("`<b>` & `", "<code>&#60;b&#62;</code> &#38; `"),
            ("none", "none"),
            ("``", "``"),
            ("it's \"x\"", "it&#39;s &#34;x&#34;"),
            ("`` of `a`, ``", "`` of <code>a</code>, ``"),
        ] {
            assert_eq!(code_html(text), html);
        }
    }

    #[test]
    fn a_message_that_stands_alone_is_a_sentence() {
        assert_eq!(sentence_text("give it a name"), "Give it a name.");
        assert_eq!(sentence_text("Saved."), "Saved.");
    }
}
