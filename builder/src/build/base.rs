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
    refused(message).map(|(image, _why)| image)
}

/// The image and why it was not to be had.
fn refused(message: &str) -> Option<(&str, &str)> {
    let (_, rest) = message.split_once("failed to resolve source metadata for ")?;
    let (image, why) = rest.split_once(": ").unwrap_or((rest, ""));
    let image = image.trim();
    let is_name = !image.is_empty() && image.len() <= LONGEST && !image.contains(char::is_whitespace);
    is_name.then_some((image, why.trim()))
}

/// A registry that cannot be reached, in place of the request and the name server that BuildKit tells of.
pub(super) fn away(message: &str) -> Option<String> {
    let (image, why) = refused(message)?;
    let (host, _) = image.split_once('/')?;
    // BuildKit's suggestion stands behind the cause.
    let why = why.split(" (did you mean ").next().unwrap_or_default();
    let why = AWAY.iter().find(|end| why.ends_with(**end))?.trim_end_matches(')');
    Some(format!("the registry `{host}` of `{image}` cannot be reached: {why}"))
}

/// A base image that is named by build arguments without a value: `base name (${BASE}) should not be blank`, or
/// `failed to parse stage name "alpine:": invalid reference format` of `FROM alpine:$VERSION`.
pub(super) fn unset(message: &str, instruction: &str) -> Option<String> {
    let written = instruction.lines().next()?.split_whitespace().skip(1).find(|word| !word.starts_with("--"))?;
    let (argument, without) = without_arguments(written)?;
    let is_blank = message.contains("base name (") && message.contains(") should not be blank");
    let is_cut = message.contains(&format!("failed to parse stage name \"{without}\""));
    (is_blank || is_cut).then(|| {
        format!(
            "`FROM {written}` names no image: a build argument in it has no value. Set it under Settings → Build \
             arguments, or give it one above the first FROM: `ARG {argument}=…`"
        )
    })
}

/// The first argument of `alpine:${VERSION}`, and what is left where none has a value: `alpine:`.
fn without_arguments(written: &str) -> Option<(&str, String)> {
    let (mut first, mut left, mut rest) = (None, String::new(), written);
    while let Some((before, after)) = rest.split_once('$') {
        left.push_str(before);
        let name = after.trim_start_matches('{');
        let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
        first = first.or(Some(&name[..end]));
        rest = name[end..].strip_prefix('}').unwrap_or(&name[end..]);
    }
    left.push_str(rest);
    first.filter(|name| !name.is_empty()).map(|first| (first, left))
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
    fn a_base_image_without_a_value_is_told_as_it_was_written() {
        let blank = "failed to solve: dockerfile parse error on line 2: base name (${X}) should not be blank";
        let cut = "failed to parse stage name \"alpine:\": invalid reference format";
        for (message, instruction, written, name) in [
            (blank, "FROM ${X}", "${X}", "X"),
            (cut, "FROM --platform=$P alpine:$VERSION AS b", "alpine:$VERSION", "VERSION"),
        ] {
            let told = unset(message, instruction).expect("it is told");
            assert!(told.starts_with(&format!("`FROM {written}` names no image")), "{told}");
            assert!(told.ends_with(&format!("`ARG {name}=…`")), "{told}");
        }
        assert_eq!(unset("unknown instruction: COPPY", "FROM ${X}"), None);
        assert_eq!(unset(cut, "FROM alpine:"), None);
        // It has a value, and a wrong one.
        for (said, instruction) in
            [("Alpine:3", "FROM ${IMG}:3"), ("alpine:a/b", "FROM alpine:$V"), ("alpine:", "FROM ${A}:${B}")]
        {
            let message = format!("failed to parse stage name \"{said}\": invalid reference format");
            assert_eq!(unset(&message, instruction), None, "{instruction}");
        }
    }
}
