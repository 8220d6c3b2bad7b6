//! Texts of BuildKit 0.33 and what they mean.

use super::*;

fn class_of(message: &str) -> ErrorClass {
    class(&Status::unknown(message), &Details::default())
}

#[test]
fn known_texts_have_their_class() {
    for (message, expected) in [
        ("dockerfile parse error on line 2: unknown instruction: COPPY (did you mean COPY?)", ErrorClass::Syntax),
        ("target stage \"nope\" could not be found", ErrorClass::Syntax),
        ("failed to read dockerfile: open Dockerfile: no such file or directory", ErrorClass::DockerfileMissing),
        (
            "failed to compute cache key: failed to calculate checksum of ref a::b: \"/nothere.txt\": not found",
            ErrorClass::FileMissing,
        ),
        (
            "nope: failed to resolve source metadata for docker.io/library/nope:latest: docker.io/library/nope:latest: not found",
            ErrorClass::BaseImageMissing,
        ),
        (
            "failed to resolve source metadata for docker.io/library/x: pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
            ErrorClass::BaseImageDenied,
        ),
        (
            "failed to resolve source metadata for localhost:5000/a: unexpected status from HEAD request to http://localhost:5000/v2/a/manifests/1: 401 Unauthorized",
            ErrorClass::BaseImageDenied,
        ),
        (
            "failed to resolve source metadata for docker.io/a: failed to do request: dial tcp: lookup registry-1.docker.io: no such host",
            ErrorClass::BaseImageMissing,
        ),
        (
            "failed to push localhost:5000/a: failed to authorize: failed to fetch oauth token: unexpected status: 401 Unauthorized",
            ErrorClass::PushRefused,
        ),
        ("failed to copy files: copy file range failed: no space left on device", ErrorClass::DiskFull),
        ("failed to load LLB: network.host is not allowed", ErrorClass::NotAllowed),
        ("granting entitlement security.insecure is not allowed by build daemon configuration", ErrorClass::NotAllowed),
        ("invalid frontend: gateway.v0", ErrorClass::NotAllowed),
        ("failed to solve: context canceled", ErrorClass::Cancelled),
        ("something new", ErrorClass::Other),
    ] {
        assert_eq!(class_of(message), expected, "{message}");
    }
}

#[test]
fn code_and_details_count_before_texts() {
    let exit = Details { exit_code: Some(1), ..Details::default() };
    let text = "process \"/bin/sh -c cp a b\" did not complete successfully: no space left on device";
    assert_eq!(class(&Status::unknown(text), &exit), ErrorClass::ExitCode);
    assert_eq!(class(&Status::cancelled("x"), &exit), ErrorClass::Cancelled);
    assert_eq!(class(&Status::unavailable("x"), &Details::default()), ErrorClass::DaemonUnavailable);
    let broken = Status::from_error(Box::new(std::io::Error::other("connection reset")));
    assert_eq!(class(&broken, &Details::default()), ErrorClass::DaemonUnavailable);
}
