//! What a code repository is called, and where it is.

/// A name of GitHub's has at most 39 and 100 letters; forges of its shape allow more.
const LONGEST_PART: usize = 255;

/// Name, page and git's address of a code repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// `acme/web`
    pub full_name: String,
    pub html_url: String,
    pub clone_url: String,
}

impl Addresses {
    /// Links must be web addresses of the forge at `forge_url`, or they are made from the name.
    pub(super) fn of(forge_url: &str, full_name: String, html_url: &str, clone_url: &str) -> Self {
        let page = format!("{forge_url}/{full_name}");
        let ours = |url: &str, or: String| if is_of(forge_url, url) { url.to_owned() } else { or };
        Self { html_url: ours(html_url, page.clone()), clone_url: ours(clone_url, format!("{page}.git")), full_name }
    }

    /// As a delivery tells it, which may leave out the links; `None` for what cannot be a name at a forge.
    pub fn told(forge_url: &str, full_name: &str, html_url: Option<&str>, clone_url: Option<&str>) -> Option<Self> {
        let (owner, name) = full_name.split_once('/')?;
        let links = (html_url.unwrap_or_default(), clone_url.unwrap_or_default());
        (is_part(owner) && is_part(name)).then(|| Self::of(forge_url, full_name.to_owned(), links.0, links.1))
    }
}

fn is_part(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    (1..=LONGEST_PART).contains(&text.len()) && text.bytes().all(plain) && !matches!(text, "." | "..")
}

/// An address below the forge's, and nothing that is read as another one.
fn is_of(forge_url: &str, url: &str) -> bool {
    let Some(path) = url.strip_prefix(forge_url).and_then(|rest| rest.strip_prefix('/')) else { return false };
    let is_plain = |part: &str| !matches!(part, "" | "." | "..");
    path.split('/').all(is_plain) && !path.contains(|c: char| c.is_control() || c.is_whitespace() || "?#\\".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORGE: &str = "https://github.com";

    #[test]
    fn what_a_delivery_calls_a_repository_is_an_address_of_its_forge() {
        let told = |name: &str, clone_url: Option<&str>| {
            Addresses::told(FORGE, name, Some("javascript:alert(1)"), clone_url).map(|told| told.clone_url)
        };
        let right = Some("https://github.com/acme/web.git".to_owned());
        assert_eq!(told("acme/web", Some("https://github.com/acme/web.git")), right);
        for other in [
            None,
            Some(""),
            Some("https://evil.example/acme/web.git"),
            Some("https://github.com.evil.example/acme/web.git"),
            Some("https://github.com/acme/../evil/web.git"),
            Some("https://github.com/acme//web.git"),
            Some("https://github.com/evil/web.git?x="),
            Some("https://github.com/evil/web.git#"),
            Some("https://github.com/evil/\nweb.git"),
            Some("ssh://git@github.com/acme/web.git"),
        ] {
            assert_eq!(told("acme/web", other), right, "{other:?}");
        }
        let told = Addresses::told(FORGE, "acme/web", Some("javascript:alert(1)"), None).unwrap();
        assert_eq!((told.full_name.as_str(), told.html_url.as_str()), ("acme/web", "https://github.com/acme/web"));
        let long = format!("{}/web", "a".repeat(256));
        for name in ["", "web", "acme/", "/web", "a/b/c", "../web", "acme/..", "a b/web", "acme/w\u{202e}eb", &long] {
            assert_eq!(Addresses::told(FORGE, name, None, None), None, "{name:?}");
        }
    }
}
