//! Sentences about files that are missing.

use super::*;
use std::collections::BTreeMap;
use tempfile::TempDir;

fn tree(files: &[(&str, &str)]) -> TempDir {
    let tree = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = tree.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    tree
}

fn places(tree: &TempDir, context: &str, dir: &str, name: &str) -> Places {
    let why = "`web/lib/dep` is a git submodule; submodules are not fetched".to_owned();
    Places {
        files: tree.path().canonicalize().unwrap(),
        context: context.into(),
        dockerfile_dir: dir.into(),
        dockerfile_name: name.to_owned(),
        absent: BTreeMap::from([(PathBuf::from("web/lib/dep"), why)]),
    }
}

#[test]
fn the_path_is_read_from_buildkits_words() {
    for (message, path) in [
        (
            "failed to compute cache key: failed to calculate checksum of ref a::b: \"/no.txt\": not found",
            Some("no.txt"),
        ),
        ("\"/a b/c d\": not found", Some("a b/c d")),
        ("x: \"/a b/ü\": not found", Some("a b/ü")),
        ("x: \"/dist/\": not found", Some("dist")),
        ("x: \"/\": not found", None),
        ("docker.io/library/x: not found", None),
        ("failed to solve: lstat /app/main.js: no such file or directory", Some("app/main.js")),
        ("lstat /app: permission denied", None),
    ] {
        assert_eq!(path_of(message).as_deref(), path, "{message}");
    }
    for (instruction, name) in [
        ("COPY --from=build /a /b", Some("build")),
        ("RUN --mount=type=bind,from=deps,target=/x true", Some("deps")),
        ("COPY --chmod=755 --from=docker.io/x/y:1 \\", Some("docker.io/x/y:1")),
        ("COPY a b", None),
    ] {
        assert_eq!(from(instruction, None), name, "{instruction}");
    }
    for (instruction, path, name) in [
        ("COPY --from=build /gone /b", "gone", Some("build")),
        ("RUN --mount=type=bind,from=deps,source=/gone,target=/x true", "gone", Some("deps")),
        ("RUN --mount=from=deps,target=/d --mount=source=gone,target=/n true", "gone", None),
        (
            "RUN --mount=type=cache,from=c,target=/c \\\n  --mount=type=bind,src=gone,from=d,target=/n x",
            "gone",
            Some("d"),
        ),
        ("RUN --mount=type=bind,source=gone,target=/n echo \"select from=tbl\"", "gone", None),
        ("RUN --mount=from=deps,source=./gone,target=/x true", "gone", Some("deps")),
        ("RUN --mount=from=deps,source=$DIR,target=/x true", "gone", Some("deps")),
        ("RUN --mount=from=deps,source=$DIR,target=/x --mount=source=gone,target=/n true", "gone", None),
        ("RUN --mount=From=deps,Source=a/../b//gone,target=/x true", "b/gone", Some("deps")),
        ("COPY data/from=here.txt /x", "data/from=here.txt", None),
        ("COPY nope.txt /from=here/", "nope.txt", None),
        ("COPY --chmod=755 nope-from=a /d", "nope-from=a", None),
        ("COPY gone.txt <<E /x/\nfrom=y\nE", "gone.txt", None),
    ] {
        assert_eq!(from(instruction, Some(path)), name, "{instruction}");
    }
}

#[test]
fn a_file_that_is_left_out_is_told_with_the_line() {
    let tree = tree(&[
        (".dockerignore", "# none\n*.env\n!keep.env\n"),
        ("prod.env", ""),
        ("keep.env", ""),
        ("web/.dockerignore", "dist\n"),
        ("web/dist/app.js", ""),
        ("web/prod.env", ""),
        ("deploy/Dockerfile.dockerignore", "prod.*\n"),
    ]);
    let told = |context: &str, dir: &str, path: &str| {
        let dockerfile = Path::new(dir).join("Dockerfile");
        why(&places(&tree, context, dir, "Dockerfile"), dockerfile.to_str().unwrap(), path).map(|(_, text)| text)
    };
    let is = |text: &str| Some(text.to_owned());
    assert_eq!(
        told("", "", "prod.env"),
        is("`prod.env` is there, and line 2 of `.dockerignore` leaves it out of the build: `*.env`")
    );
    assert_eq!(
        told("web", "", "dist/app.js"),
        is("`dist/app.js` is there, and line 1 of `web/.dockerignore` leaves it out of the build: `dist`")
    );
    assert_eq!(
        told("", "deploy", "prod.env"),
        is("`prod.env` is there, and line 1 of `deploy/Dockerfile.dockerignore` leaves it out of the build: `prod.*`")
    );
    let echo = "`dist` is there, and line 1 of `web/.dockerignore` leaves it out of the build";
    assert_eq!(told("web", "", "dist"), is(echo), "the line says nothing new");
    assert_eq!(told("", "", "keep.env"), None, "it is there, so BuildKit knows better");
    assert_eq!(told("web", "", "prod.env"), None);
}

#[test]
fn a_link_is_told_with_what_it_leads_to() {
    let tree = tree(&[(".dockerignore", "*.env\nsrc\n"), ("prod.env", ""), ("src/index.js", ""), ("kept", "")]);
    let links =
        [("l", "prod.env"), ("ld", "/src"), ("gone", "nothing"), ("out", "../x"), ("round", "round"), ("k", "kept")];
    for (name, target) in links {
        std::os::unix::fs::symlink(target, tree.path().join(name)).unwrap();
    }
    for (path, expected) in [
        (
            "l",
            Some(
                "`l` leads by a link to `prod.env`, and line 1 of `.dockerignore` leaves that out of the build: `*.env`",
            ),
        ),
        (
            "ld/index.js",
            Some(
                "`ld/index.js` leads by a link to `src/index.js`, and line 2 of `.dockerignore` leaves that out of the build: `src`",
            ),
        ),
        ("gone", Some("`gone` leads by a link to `nothing`, which is not in the build's files")),
        ("out", Some("`out` leads by a link out of the build's files")),
        ("round", Some("`round` is a link that leads back to itself")),
        ("k", None),
    ] {
        let told = why(&places(&tree, "", "", "Dockerfile"), "Dockerfile", path).map(|(_, text)| text);
        assert_eq!(told.as_deref(), expected, "{path}");
    }
}

#[test]
fn a_file_that_lies_elsewhere_is_told_with_its_place() {
    let tree = tree(&[
        ("package.json", ""),
        ("web/README.md", ""),
        ("web/docker/entrypoint.sh", ""),
        ("api/main.go", ""),
        ("web/src/index.js", ""),
    ]);
    std::os::unix::fs::symlink("/etc", tree.path().join("etc")).unwrap();
    for (context, path, expected) in [
        ("web", "package.json", "the repository has `package.json` outside of it: see Settings → Context folder"),
        ("web", "web/README.md", "there is `README.md`: paths in COPY and ADD begin at the context folder"),
        ("web", "main.go", "the repository has `api/main.go` outside of it: see Settings → Context folder"),
        ("web", "readme.MD", "there is `README.md`, and upper and lower case count"),
        ("web", "entrypoint.sh", "there is `docker/entrypoint.sh`: paths in COPY and ADD begin at the context folder"),
        ("", "src/index.js", "there is no `src/index.js` in this commit; there is `web/src/index.js`"),
        ("", "dist", "there is no `dist` in this commit: only what is committed is there"),
        ("web", "dist", "there is no `dist` in the context folder `web`, nor elsewhere in this commit"),
        ("web", "*.json", "there is no `*.json` in the context folder `web`, nor elsewhere"),
        ("", "passwd", "there is no `passwd` in this commit: only"),
        ("", ".git/HEAD", "and not its `.git` with the history"),
    ] {
        let (reason, told) = why(&places(&tree, context, "", "Dockerfile"), "Dockerfile", path).unwrap();
        assert!(told.contains(expected), "{context} {path}: {told}");
        assert_eq!(reason, Reason::FileMissing);
    }
    let (reason, told) = why(&places(&tree, "web", "", "Dockerfile"), "Dockerfile", "lib/dep/src/x.c").unwrap();
    assert_eq!(reason, Reason::SourceUnsupported);
    assert_eq!(told, "`lib/dep/src/x.c` is not there: `web/lib/dep` is a git submodule; submodules are not fetched");
}
