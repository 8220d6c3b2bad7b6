//! GitHub's signature of a delivery: HMAC-SHA-256 of the raw body, compared in constant time.

use aws_lc_rs::hmac;

/// A signature of the right form, of which nothing else is known yet.
pub(super) struct Given(Vec<u8>);

/// Reads `sha256=` and 64 lower-case hex digits.
pub(super) fn parse(header: &str) -> Option<Given> {
    let hex = header.strip_prefix("sha256=")?;
    let lower = hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if lower { hex::decode(hex).ok().map(Given) } else { None }
}

/// Whether the signature is what `secret` gives for `body`.
pub(super) fn is_right(secret: &[u8], body: &[u8], given: &Given) -> bool {
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, secret), body, &given.0).is_ok()
}

#[cfg(test)]
mod tests {
    fn is_right(secret: &[u8], body: &[u8], header: &str) -> bool {
        super::parse(header).is_some_and(|given| super::is_right(secret, body, &given))
    }

    // The example of docs.github.com, "Validating webhook deliveries".
    const SECRET: &[u8] = b"It's a Secret to Everybody";
    const BODY: &[u8] = b"Hello, World!";
    const RIGHT: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    #[test]
    fn only_the_right_signature_is_taken() {
        assert!(is_right(SECRET, BODY, RIGHT));
        assert!(!is_right(b"another secret", BODY, RIGHT));
        assert!(!is_right(b"", BODY, RIGHT));
        assert!(!is_right(SECRET, b"Hello, World", RIGHT));
        let upper = RIGHT.to_uppercase().replace("SHA256", "sha256");
        let last = format!("{}0", &RIGHT[..RIGHT.len() - 1]);
        let sha1 = "sha1=757107ea0eb2509fc211221cce984b8a37570b6d";
        for wrong in ["", "sha256=", &RIGHT[7..], &upper, &last, sha1, &format!("{RIGHT}00"), &RIGHT[..40]] {
            assert!(!is_right(SECRET, BODY, wrong), "{wrong}");
        }
    }

    #[test]
    fn an_empty_secret_signs_nothing_for_others() {
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, b"");
        let signed = format!("sha256={}", hex::encode(aws_lc_rs::hmac::sign(&key, BODY)));
        assert!(!is_right(SECRET, BODY, &signed));
    }
}
