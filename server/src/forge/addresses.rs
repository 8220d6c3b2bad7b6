//! What a code repository is called, and where it is.

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
    fn what_the_forge_says_of_a_repository_is_an_address_of_it() {
        let at = |clone_url: &str| {
            let addresses = Addresses::of(FORGE, "acme/web".to_owned(), "javascript:alert(1)", clone_url);
            assert_eq!(addresses.html_url, "https://github.com/acme/web");
            addresses.clone_url
        };
        let right = "https://github.com/acme/web.git";
        for url in [
            right,
            "",
            "https://evil.example/acme/web.git",
            "https://github.com.evil.example/acme/web.git",
            "https://github.com/acme/../evil/web.git",
            "https://github.com/acme//web.git",
            "https://github.com/evil/web.git?x=",
            "https://github.com/evil/web.git#",
            "https://github.com/evil/\nweb.git",
            "ssh://git@github.com/acme/web.git",
        ] {
            assert_eq!(at(url), right, "{url:?}");
        }
    }
}
