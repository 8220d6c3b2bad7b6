//! Sites whose scripts may use the registry from a browser.

use url::Url;

/// The origin of each site, as browsers write it. Each is named: what everybody may use needs no browser of a person.
pub(super) fn read(sites: &[String]) -> Result<Vec<String>, String> {
    sites.iter().map(|site| origin(site)).collect()
}

fn origin(text: &str) -> Result<String, String> {
    let url = Url::parse(text).ok().filter(|url| {
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        // A pattern would be read as a host of that name, and match no site.
        let is_named = url.host_str().is_some_and(|host| !host.contains('*'));
        let is_plain = url.username().is_empty() && url.password().is_none();
        matches!(url.scheme(), "http" | "https") && is_bare && is_named && is_plain
    });
    url.map(|url| url.origin().ascii_serialization()).ok_or_else(|| {
        format!("registry.cors_origins: `{text}` is not right; write sites by name, such as `https://ui.example.com`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_a_scheme_and_a_host() {
        for (text, origin) in [
            ("https://ui.example.com", "https://ui.example.com"),
            ("https://UI.example.com/", "https://ui.example.com"),
            ("https://ui.example.com:443", "https://ui.example.com"),
            ("http://localhost:3000", "http://localhost:3000"),
        ] {
            assert_eq!(read(&[text.into()]).unwrap(), [origin]);
        }
        for text in [
            "*",
            "null",
            "ui.example.com",
            "https://*",
            "https://*.example.com",
            "https://ui.example.com/app",
            "ftp://ui.example.com",
        ] {
            assert!(read(&["https://good.example.com".into(), text.into()]).is_err(), "{text}");
        }
        for text in ["https://a:b@ui.example.com", "https://ui.example.com?x", "https://ui.example.com#x", ""] {
            assert!(origin(text).is_err(), "{text}");
        }
    }
}
