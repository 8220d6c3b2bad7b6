//! Builds that failed, and what their pages say of it.

use super::super::build::{BaseBox, ErrorLink, ExcerptLine, Failure};

pub(super) fn failure() -> Failure {
    let excerpt = [
        "RUN cargo fetch --locked",
        "# the code itself",
        "COPY src ./src",
        "RUN --mount=type=cache,target=/src/target \\",
        "    cargo build --release --locked",
        "",
        "FROM gcr.io/distroless/cc-debian12:nonroot",
    ];
    Failure {
        heading: "cargo build --release exited with code 101".to_owned(),
        message: String::new(),
        first_error: Some(ErrorLink {
            id: "s9-L5".to_owned(),
            line: 5,
            is_first: true,
            text: "error[E0308]: mismatched types".to_owned(),
        }),
        place: Some((
            "Dockerfile:13".to_owned(),
            Some("https://github.com/acme/api/blob/a1b2c3d4/Dockerfile#L13-L14".to_owned()),
        )),
        is_unread: false,
        file: "Dockerfile".to_owned(),
        excerpt: (10..)
            .zip(excerpt)
            .map(|(number, text)| ExcerptLine::new(number, text, (13..=14).contains(&number)))
            .collect(),
        hint: Some("Other builds of this branch did not fail at this step.".to_owned()),
        base: None,
    }
}

/// As `failure`, at the end of a long log.
pub(super) fn failed_late() -> Failure {
    let text = "error[E0308]: mismatched types".to_owned();
    let error = ErrorLink { id: "s9-L49996".to_owned(), line: 49_996, is_first: false, text };
    Failure { first_error: Some(error), ..failure() }
}

/// A base that whoever looks at it can allow, or that others can.
pub(super) fn refused(can_allow: bool) -> Failure {
    let excerpt = ["FROM registry.example.com/acme/base:main", "COPY . /srv"];
    Failure {
        heading: "`acme/base` is private, and `acme/api` may not build on it".to_owned(),
        first_error: None,
        excerpt: (1..).zip(excerpt).map(|(number, text)| ExcerptLine::new(number, text, number == 1)).collect(),
        base: can_allow.then(|| BaseBox {
            name: "acme/base".to_owned(),
            repository: "acme/api".to_owned(),
            public: true,
            is_allowed: false,
        }),
        hint: (!can_allow).then(|| "Ask mona: whoever manages `acme` can allow it on this page.".to_owned()),
        ..failure()
    }
}
