//! Paths that have one meaning, and paths that have two.

use super::*;

#[test]
fn a_legal_path_has_one_spelling() {
    let digest = "a".repeat(64);
    for path in [
        "/",
        "/v2/",
        "/v2",
        "/v2/acme/web/manifests/v1",
        "/v2/acme/web/blobs/uploads/",
        "/token",
        "/acme/web/-/tags/v1.0.0-rc_1",
        "/acme/...",
        "/acme/.well-known",
        "/acme/w%C3%BCb",
        "/acme/a%20b%40c",
        "/100%",
        "/100%zz",
    ] {
        assert!(one_meaning(path).is_ok(), "{path}");
    }
    for colon in [":", "%3A", "%3a"] {
        let path = format!("/v2/acme/web/blobs/sha256{colon}{digest}");
        assert!(one_meaning(&path).is_ok(), "{path}");
    }
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    for path in [
        "/%762/acme/secret/manifests/v1",
        "/v%32/acme/secret/manifests/v1",
        "/v2/acme/%73ecret/manifests/v1",
        "/%74oken",
        "/acme/web/%2D/settings",
        "/acme/web/%2d/settings",
        "/acme/%7Eweb",
        "/acme/%5Fweb",
        "//v2/acme/web/manifests/v1",
        "/v2//acme",
        "/acme//",
        "//",
        "/./v2/",
        "/../v2/",
        "/acme/../v2/",
        "/acme/.",
        "/acme/..",
        "/acme/%2e",
        "/acme/%2E%2e",
        "/acme/.%2e/v2",
        "/acme/..%2Fv2",
        "/acme%2f..%2fv2",
        "/acme%5C..%5cv2",
        "/acme\\..\\v2",
    ] {
        assert!(one_meaning(path).is_err(), "{path}");
    }
}

#[test]
fn every_unreserved_character_is_written_plainly() {
    for byte in 0..=u8::MAX {
        let unreserved = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        for path in [format!("/a%{byte:02X}"), format!("/a%{byte:02x}b")] {
            assert_eq!(one_meaning(&path).is_err(), unreserved, "{path}");
        }
    }
}

#[test]
fn a_surface_is_what_a_path_points_at_however_it_is_spelled() {
    for path in
        ["/v2", "/v2/", "/%762/a", "/%76%32/a", "//v2/a", "/./v2/a", "/a/../v2/a", "/token", "/%74oken", "/x%2F..%2Fv2"]
    {
        assert_eq!(Surface::of(path), Surface::Registry, "{path}");
    }
    for path in ["/builder/v1/claim", "/hooks/github/x", "/h%6Foks/github/x", "/healthz"] {
        assert_eq!(Surface::of(path), Surface::Json, "{path}");
    }
    for path in ["/", "/v2x/a", "/v/2", "/acme/v2", "/tokens", "/v2/../acme", "/%2576%2532"] {
        assert_eq!(Surface::of(path), Surface::Page, "{path}");
    }
}

#[test]
fn clients_read_the_code_of_the_wrong_part() {
    for (path, code) in [
        ("/%762/acme/secret/manifests/v1", OciCode::NameInvalid),
        ("/v2/acme//manifests/v1", OciCode::NameInvalid),
        ("/v2/acme/../blobs/x", OciCode::NameInvalid),
        ("/v2/acme/web/manifests/%761", OciCode::ManifestInvalid),
        ("/v2/acme/web/blobs/sha256:%61", OciCode::DigestInvalid),
        ("/v2/acme/web/referrers/sha256:%61", OciCode::DigestInvalid),
        ("/v2/acme/web/blobs/uploads/%61", OciCode::BlobUploadInvalid),
    ] {
        let refused = one_meaning(path).unwrap_err();
        assert!(matches!(refused, Error::Registry { code: found, .. } if found == code), "{path}: {refused:?}");
    }
}
