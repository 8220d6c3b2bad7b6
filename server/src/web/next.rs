//! Where a form or a sign-in leads: only to paths of our own.

use url::Url;

/// `next` if it is a path of this site, else `/`.
///
/// Browsers read a backslash as a slash, drop tabs and line breaks, and take `//host` as another site;
/// what is hidden behind percent signs is looked at too, for whatever decodes it on the way.
pub fn safe(next: Option<&str>) -> String {
    next.filter(|n| is_ours(n) && is_ours(&decoded(n))).map_or_else(|| "/".to_owned(), str::to_owned)
}

fn is_ours(path: &str) -> bool {
    let base = Url::parse("https://here.invalid/").expect("it is an address");
    let plain = !path.contains(|c: char| c.is_control() || c == '\\') && path.len() <= 2_000;
    let local = path.starts_with('/') && !path.starts_with("//");
    // A sign-in that leads back to the sign-in would go round.
    let first = path.trim_start_matches('/').split(['/', '?', '#']).next();
    plain
        && local
        && !matches!(first, Some("login" | "logout"))
        && base.join(path).is_ok_and(|url| url.origin() == base.origin() && !url.path().starts_with("//"))
}

fn decoded(text: &str) -> String {
    // As a form value: the one percent decoder at hand; a plus sign makes no difference to the question.
    let pair = format!("x={}", text.replace('&', "%26").replace('+', "%2B"));
    url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::safe;

    #[test]
    fn only_paths_of_our_own_are_followed() {
        for good in ["/", "/new/import", "/acme/web/-/builds/12?full=1#S3-L7", "/acme?q=a+b&page=2", "/a%20b"] {
            assert_eq!(safe(Some(good)), good);
        }
        for bad in [
            "",
            "acme",
            "//evil.example",
            "///evil.example",
            "\\\\evil.example",
            "/\\evil.example",
            "/%5Cevil.example",
            "/%2Fevil.example",
            "/\t/evil.example",
            "/%09/evil.example",
            "/%0d%0aset-cookie:x",
            "/\n/evil.example",
            "https:evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            " /acme",
            "/./ /evil\u{0}",
            "/..//evil.example",
            "/.//evil.example",
            "/login?next=/",
            "/login",
            "/logout",
            &format!("/{}", "a".repeat(3_000)),
        ] {
            assert_eq!(safe(Some(bad)), "/", "{bad:?}");
        }
        assert_eq!(safe(None), "/");
    }
}
