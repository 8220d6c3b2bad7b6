//! Media types that a manifest may have. A stranger chooses one, and a browser may open what has it: so none that a
//! browser runs, or shows as a document of ours.

use crate::error::{Error, OciCode, Result};

/// What is stored with a media type that is not taken any more is served as.
const OPAQUE: &str = "application/octet-stream";

/// Words in types of vendors that a browser, or what is plugged into one, opens: `application/vnd.wap.xhtml`,
/// `application/vnd.adobe.flash.movie`, `application/vnd.mozilla.xul`. A manifest is JSON, and is none of these.
const OPENED: &[&str] = &["html", "xml", "xul", "xsl", "xbl", "svg", "script", "flash", "pdf", "multipart", "java"];

/// Refuses a manifest's media type unless it is `application/json`, `application/…+json` or of the vendor tree.
pub(super) fn check(media_type: &str) -> Result<()> {
    if is_taken(media_type) {
        return Ok(());
    }
    let shown: String = media_type.chars().filter(|c| !c.is_control()).take(255).collect();
    Err(Error::registry(
        OciCode::ManifestInvalid,
        format!(
            "a manifest's media type is `application/json`, `application/…+json` or `application/vnd.…`, and nothing \
             that a browser opens; not `{shown}`"
        ),
    ))
}

/// The media type that a stored manifest is served with.
pub fn served(stored: &str) -> &str {
    if is_taken(stored) { stored } else { OPAQUE }
}

/// Letters of either case are the same (RFC 6838, section 4.2); parameters, lists and spaces are no part of a type.
fn is_taken(media_type: &str) -> bool {
    let lower = media_type.to_ascii_lowercase();
    let Some(subtype) = lower.strip_prefix("application/") else { return false };
    if media_type.len() > 255 || !is_name(subtype) {
        return false;
    }
    // What ends so is read as JSON, whatever stands before it.
    if subtype == "json" || subtype.ends_with("+json") {
        return true;
    }
    subtype.starts_with("vnd.") && !OPENED.iter().any(|word| subtype.contains(word))
}

/// The characters of a `restricted-name` (RFC 6838).
fn is_name(subtype: &str) -> bool {
    subtype.starts_with(|c: char| c.is_ascii_alphanumeric())
        && subtype.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_of_registries_and_artifacts_are_taken() {
        for good in [
            "application/json",
            "application/vnd.oci.image.manifest.v1+json",
            "application/vnd.oci.image.index.v1+json",
            "application/vnd.oci.artifact.manifest.v1+json",
            "application/vnd.docker.distribution.manifest.v2+json",
            "application/vnd.docker.distribution.manifest.list.v2+json",
            "application/vnd.docker.distribution.manifest.v1+json",
            "application/vnd.docker.distribution.manifest.v1+prettyjws",
            "application/vnd.cncf.oras.artifact.manifest.v1+json",
            "application/vnd.acme.thing",
            "application/vnd.acme.description+json",
            "application/vnd.CycloneDX+json",
            "application/spdx+json",
        ] {
            assert!(is_taken(good), "{good}");
            assert_eq!(served(good), good);
        }
    }

    #[test]
    fn what_a_browser_runs_or_shows_is_refused_however_it_is_written() {
        for bad in [
            "text/html",
            "TEXT/HTML",
            "Text/Html",
            "text/plain",
            "text/xml",
            "text/css",
            "text/javascript",
            "text/json",
            "text/vnd.acme+json",
            "image/svg+xml",
            "image/png",
            "multipart/related",
            "message/rfc822",
            "application/xml",
            "application/xhtml+xml",
            "application/XHTML+XML",
            "application/javascript",
            "application/ecmascript",
            "application/x-javascript",
            "application/x-shockwave-flash",
            "application/pdf",
            "application/wasm",
            "application/octet-stream",
            "application/rss+xml",
            "application/mathml+xml",
            "application/vnd.mozilla.xul+xml",
            "application/vnd.MOZILLA.XUL+XML",
            "application/vnd.wap.xhtml+xml",
            "application/vnd.wap.xhtml",
            "application/vnd.acme+xml",
            "application/vnd.acme+html",
            "application/vnd.acme+svg",
            "application/vnd.acme+json+xml",
            "application/vnd.adobe.flash.movie",
            "application/vnd.pdf",
        ] {
            assert!(!is_taken(bad), "{bad}");
            assert_eq!(served(bad), "application/octet-stream");
            assert!(check(bad).is_err());
        }
    }

    #[test]
    fn what_is_no_single_media_type_is_refused() {
        for bad in [
            "",
            "/",
            "json",
            "application",
            "application/",
            "application/+json",
            "application/.json",
            "application/json/html",
            "application/json;charset=utf-8",
            "application/json ",
            " application/json",
            "application/json,text/html",
            "text/html,application/json",
            "application/vnd.a, text/html",
            "application/vnd.a\ttext/html",
            "application/vnd.a\u{0}+json",
            "application/vnd.a\r\nx: y+json",
            "application/vnd.\u{e9}+json",
            "application/vnd.<script>+json",
            "application/vnd.\"a\"+json",
            &format!("application/vnd.{}+json", "a".repeat(255)),
        ] {
            assert!(!is_taken(bad), "{bad:?}");
        }
    }
}
