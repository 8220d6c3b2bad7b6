//! What is said of a base image that is not to be had.

/// Of an image's name.
const LONGEST: usize = 1000;
/// The ends of what Go says of a server that does not answer as a registry would.
const AWAY: &[&str] = &[
    "no such host",
    "server misbehaving",
    "connection refused",
    "connection reset by peer",
    "no route to host",
    "network is unreachable",
    "i/o timeout",
    "TLS handshake timeout",
    "context deadline exceeded",
    "Client.Timeout exceeded while awaiting headers)",
    "server gave HTTP response to HTTPS client",
    "certificate signed by unknown authority",
    "certificate has expired or is not yet valid",
    "EOF",
];

/// `… failed to resolve source metadata for registry.example.com/acme/base:main: pull access denied …`
pub(super) fn image(message: &str) -> Option<&str> {
    let (image, _why) = refused(message)?;
    (!image.is_empty() && image.len() <= LONGEST && !image.contains(char::is_whitespace)).then_some(image)
}

/// The image and why it was not to be had.
fn refused(message: &str) -> Option<(&str, &str)> {
    let (_, rest) = message.split_once("failed to resolve source metadata for ")?;
    let (image, why) = rest.split_once(": ").unwrap_or((rest, ""));
    Some((image.trim(), why.trim()))
}

/// A registry that cannot be reached, in place of the request and the name server that BuildKit tells of.
pub(super) fn away(message: &str) -> Option<String> {
    let (image, why) = (image(message)?, refused(message)?.1);
    let (host, _) = image.split_once('/')?;
    let why = AWAY.iter().find(|end| why.ends_with(**end))?.trim_end_matches(')');
    Some(format!("the registry `{host}` of `{image}` cannot be reached: {why}"))
}

/// `base name (${BASE}) should not be blank`
pub(super) fn empty(message: &str) -> Option<String> {
    let (written, _) = message.split_once("base name (")?.1.split_once(") should not be blank")?;
    Some(format!(
        "`FROM {written}` names nothing: none of the build arguments in it has a value. Give them one by `ARG NAME=value` \
         before the first FROM, or under Settings"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMED: &str = "failed to solve: x.test:5000/a:1: failed to resolve source metadata for x.test:5000/a:1: ";

    #[test]
    fn a_registry_that_cannot_be_reached_is_named_without_the_way_there() {
        let head = "failed to do request: Head \"https://x.test:5000/v2/a/manifests/1\": ";
        for (why, told) in [
            ("dial tcp: lookup x.test on 10.0.0.2:53: no such host", "no such host"),
            ("dial tcp 10.0.0.9:5000: connect: connection refused", "connection refused"),
            ("http: server gave HTTP response to HTTPS client", "server gave HTTP response to HTTPS client"),
            (
                "tls: failed to verify certificate: x509: certificate signed by unknown authority",
                "certificate signed by unknown authority",
            ),
        ] {
            let expected = format!("the registry `x.test:5000` of `x.test:5000/a:1` cannot be reached: {told}");
            assert_eq!(away(&format!("{NAMED}{head}{why}")), Some(expected));
        }
        assert_eq!(away(&format!("{NAMED}not found")), None);
        assert_eq!(away("connection refused"), None);
        assert_eq!(image(&format!("{NAMED}not found")), Some("x.test:5000/a:1"));
    }

    #[test]
    fn a_base_without_a_name_is_told_as_it_was_written() {
        let told = empty("failed to solve: dockerfile parse error on line 2: base name (${X}) should not be blank");
        assert!(told.is_some_and(|told| told.starts_with("`FROM ${X}` names nothing")));
        assert_eq!(empty("unknown instruction: COPPY"), None);
    }
}
