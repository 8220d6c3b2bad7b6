//! Builds that fail, and what is said of them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use slipway_buildkit::{BuildRequest, ErrorClass, Export, Limits, SourceRule};

use crate::host::{BASE, Daemon, Tree};

#[tokio::test]
async fn a_failed_run_names_its_lines() {
    let daemon = Daemon::start().await;
    let dockerfile = format!("{BASE}RUN echo one && \\\n    echo two && \\\n    exit 7\nRUN true\n");
    let tree = Tree::with_dockerfile(&dockerfile);
    let (events, outcome) = daemon.build(tree.request()).await;
    let error = outcome.unwrap_err();
    assert_eq!((error.class, error.exit_code), (ErrorClass::ExitCode, Some(7)));
    let location = error.location.unwrap();
    assert_eq!((location.file.as_str(), location.first_line, location.last_line), ("Dockerfile", 4, 6));
    let excerpt: Vec<_> = location.excerpt.iter().map(|line| (line.number, line.failed)).collect();
    assert_eq!(excerpt, [(2, false), (3, false), (4, true), (5, true), (6, true), (7, false)]);
    assert_eq!(location.excerpt[4].text, "    exit 7");
    let vertex = error.vertex.unwrap();
    let failed = events.iter().any(
        |event| matches!(event, slipway_buildkit::Event::StepStarted { vertex: started, .. } if *started == vertex),
    );
    assert!(failed, "the failed step is one of those that started");
}

#[tokio::test]
async fn a_long_dockerfile_loses_no_details() {
    let daemon = Daemon::start().await;
    let comment = "# a comment that makes the file longer than the usual limit of headers\n".repeat(20_000);
    let error = daemon.failure(&format!("{BASE}{comment}RUN exit 9\n")).await;
    assert_eq!((error.class, error.exit_code), (ErrorClass::ExitCode, Some(9)), "{error:?}");
    assert_eq!(error.location.unwrap().first_line, 20_004);
}

#[tokio::test]
async fn failures_have_their_classes() {
    let daemon = Daemon::start().await;
    let mut wrong = Vec::new();
    for (dockerfile, class, line) in [
        ("FROM scratch\nCOPPY a b\n".to_owned(), ErrorClass::Syntax, Some(2)),
        (String::new(), ErrorClass::Syntax, None),
        ("# nothing\n".to_owned(), ErrorClass::Syntax, Some(1)),
        ("FROM scratch\nCOPY --from=nowhere a b\n".to_owned(), ErrorClass::BaseImageMissing, Some(2)),
        ("ARG X\nFROM ${X}\n".to_owned(), ErrorClass::Syntax, Some(2)),
        ("FROM UPPER CASE\n".to_owned(), ErrorClass::Syntax, Some(1)),
        (format!("{BASE}COPY nothere.txt /\n"), ErrorClass::FileMissing, Some(4)),
        (format!("{BASE}ADD a/b/nothere.txt c* /\n"), ErrorClass::FileMissing, Some(4)),
        ("FROM localhost:1/library/nope:1\nCOPY a b\n".to_owned(), ErrorClass::BaseImageMissing, Some(1)),
        (format!("{BASE}RUN --network=host true\n"), ErrorClass::NotAllowed, None),
        (format!("{BASE}RUN --security=insecure true\n"), ErrorClass::NotAllowed, None),
        (format!("{BASE}RUN [\"/nope\"]\n"), ErrorClass::ExitCode, Some(4)),
    ] {
        let error = daemon.failure(&dockerfile).await;
        if (error.class, error.location.as_ref().map(|at| at.first_line)) != (class, line) {
            wrong.push(format!("{dockerfile}{class:?} {line:?}: {error:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn requests_that_cannot_be_met_have_their_classes() {
    let daemon = Daemon::start().await;
    let tree = Tree::with_dockerfile(BASE);
    let attr = |key: &str, value: &str| BuildRequest {
        frontend_attrs: [(key.to_owned(), value.to_owned())].into(),
        ..tree.request()
    };
    let push = [("name".to_owned(), "localhost:1/test".to_owned()), ("push".to_owned(), "true".to_owned())].into();
    let adds = Tree::with_dockerfile("FROM scratch\nADD http://127.0.0.1:1/x /\n");
    let clones = Tree::with_dockerfile("FROM scratch\nADD https://127.0.0.1:1/x.git /\n");
    let deny = |pattern: &str| SourceRule::Deny(pattern.to_owned());
    let mut wrong = Vec::new();
    for (request, class) in [
        (attr("filename", "missing.Dockerfile"), ErrorClass::DockerfileMissing),
        (attr("target", "nowhere"), ErrorClass::Syntax),
        (
            BuildRequest { exports: vec![Export { kind: "image".to_owned(), attrs: push }], ..tree.request() },
            ErrorClass::PushRefused,
        ),
        (BuildRequest { source_rules: vec![deny(r"^http://127\.")], ..adds.request() }, ErrorClass::NotAllowed),
        (BuildRequest { source_rules: vec![deny("^git://")], ..clones.request() }, ErrorClass::NotAllowed),
        (BuildRequest { limits: Limits { entries: 1, ..Limits::default() }, ..tree.request() }, ErrorClass::Transfer),
        (BuildRequest { limits: Limits { bytes: 1000, ..Limits::default() }, ..tree.request() }, ErrorClass::Transfer),
        (BuildRequest { shared_key: "a\nb".to_owned(), ..tree.request() }, ErrorClass::Other),
    ] {
        let outcome = daemon.build(request).await.1;
        if outcome.as_ref().err().map(|error| error.class) != Some(class) {
            wrong.push(format!("{class:?}: {outcome:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_dockerignore_that_cannot_be_sent_fails_the_build() {
    let daemon = Daemon::start().await;
    let tree = Tree::with_dockerfile(&format!("{BASE}COPY . /src\n"));
    tree.write(".dockerignore", format!("secret\n?{}\n", "a{1000}".repeat(14)).repeat(200));
    let error = daemon.build(tree.request()).await.1.unwrap_err();
    assert_eq!(error.class, ErrorClass::Transfer);
    assert!(error.message.contains("stands for more than"), "{}", error.message);
}

#[tokio::test]
async fn a_line_of_an_ignore_file_that_is_no_pattern_is_named() {
    let daemon = Daemon::start().await;
    let tree = Tree::with_dockerfile(&format!("{BASE}COPY . /src\n"));
    for (file, line) in [
        (".dockerignore", "/sub/../[z-a"),
        (".dockerignore", "[a"),
        (".dockerignore", "!"),
        (".dockerignore", "sub\\"),
        ("Dockerfile.dockerignore", "[a"),
        ("Dockerfile.dockerignore", "[z-a"),
    ] {
        tree.write(file, format!("\u{feff}# secrets\r\n\r\n*.key\r\n{line}\r\n[y-a\r\n"));
        let error = daemon.build(tree.request()).await.1.unwrap_err();
        assert_eq!(error.class, ErrorClass::Transfer, "{error:?}");
        let told = format!("line 4 of `{file}`, `{line}`, is not a pattern: ");
        assert!(error.message.starts_with(&told), "{}", error.message);
    }
    // A build that takes no file reads it all the same.
    let tree = Tree::with_dockerfile(&format!("{BASE}RUN true\n"));
    tree.write(".dockerignore", "[a\n");
    let dir = slipway_buildkit::LocalDir::open(tree.path()).unwrap().called(std::path::Path::new("web"));
    let local_dirs = [("context".to_owned(), dir.clone()), ("dockerfile".to_owned(), dir)].into();
    let error = daemon.build(BuildRequest { local_dirs, ..tree.request() }).await.1.unwrap_err();
    assert!(error.message.starts_with("line 1 of `web/.dockerignore`, `[a`,"), "{}", error.message);
}

#[tokio::test]
async fn a_name_that_is_not_utf8_fails_the_build_with_its_reason() {
    let daemon = Daemon::start().await;
    let tree = Tree::with_dockerfile(&format!("{BASE}COPY . /src\n"));
    std::fs::write(tree.path().join(OsStr::from_bytes(b"bad\xff")), "x").unwrap();
    let error = daemon.build(tree.request()).await.1.unwrap_err();
    assert_eq!(error.class, ErrorClass::Transfer);
    assert_eq!(error.message, "the name of `bad\u{fffd}` is not UTF-8, which BuildKit cannot take");
    tree.write(".dockerignore", "bad*");
    daemon.build(tree.request()).await.1.unwrap();
}
