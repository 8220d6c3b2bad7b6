//! Images of one source that must be the same: built here and by bare `buildctl` on a plain clone, and whatever umask the
//! server was started with.

use std::path::Path;

use slipway_forge::ForgeConfig;
use slipway_tests::{Buildkit, Client, Project, Run, Stage};

/// Kind and mode, owner, size and name of each file of a tar.
async fn files(tar: &Path) -> Vec<String> {
    let listed =
        Run::new("tar").args(["--numeric-owner".as_ref(), "-tvf".as_ref(), tar.as_os_str()]).output().await.ok();
    let line = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let name = words[5..].join(" ");
        format!("{} {} {} {}", words[0], words[1], words[2], name.trim_end_matches('/'))
    };
    let mut files: Vec<_> = listed.stdout.lines().map(line).collect();
    files.sort();
    files
}

/// The files of the image that a tag names.
async fn image(project: &Project<'_>, tag: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let tar = folder.path().join("image.tar");
    let image = project.image(tag);
    Client::crane().run(&["export", "--platform", "linux/amd64", &image, &tar.to_string_lossy()]).await.ok();
    files(&tar).await
}

#[tokio::test]
async fn an_image_has_the_files_that_buildctl_makes_of_a_clone() {
    let stage = Stage::start().await;
    let repo = stage.repository("odd", "");
    repo.change("main")
        .remove("Dockerfile")
        .symlink("Dockerfile", "deploy/base.Dockerfile")
        .file("deploy/base.Dockerfile", "FROM scratch\nCOPY . /all/\nCOPY app /srv/app\n")
        .file("Dockerfile.dockerignore", "# none of these\n*.secret\nlib/dep\n!kept.secret\n")
        .file(".dockerignore", "app\n")
        .file(".gitattributes", "crlf.txt text eol=crlf\nwide.txt working-tree-encoding=UTF-16LE\n")
        .file("crlf.txt", "one\ntwo\n")
        .file("wide.txt", "wide\n")
        .file("prod.secret", "hunter2")
        .file("kept.secret", "x")
        .executable("app/bin/run", "#!/bin/sh\n")
        .symlink("app/link", "bin/run")
        // It leads out of the source, and not out of the image: crane leaves such links out.
        .symlink("app/out", "../../etc/passwd")
        .submodule("lib/dep", &"a".repeat(40))
        .commit("Be odd");
    let project = stage.import(&repo).await;
    project.built(1).await;

    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    let (theirs, clone) = (path("theirs.tar"), path("clone"));
    Client::git().run(&["clone", "-q", &repo.clone_url(), &clone.to_string_lossy()]).await.ok();
    let buildkit = Buildkit::start().await;
    let output = format!("type=tar,dest={}", theirs.display());
    std::fs::remove_dir_all(clone.join(".git")).expect("git made it");
    buildkit.build(&clone, &["--output", &output]).await.ok();

    let (ours, theirs) = (image(&project, "main").await, files(&theirs).await);
    assert_eq!(ours, theirs);
    let has = |name: &str| ours.iter().any(|line| line.ends_with(name));
    assert!(has(" all/kept.secret") && has(" srv/app/bin/run") && !has("prod.secret") && !has("lib/dep"), "{ours:?}");
}

/// The layers of a build on a server of its own, and the files.
async fn built_under(umask: &'static str) -> (Vec<String>, Vec<String>) {
    let stage = Stage::with(ForgeConfig::default(), |server| server.umask(umask)).await;
    let repo = stage.repository("modes", "");
    let change =
        repo.change("main").file("a/b/notes.txt", "x\n").executable("a/run", "#!/bin/sh\n").symlink("l", "a/run");
    // The last one has the time of its build: the folder that it makes is new.
    change.file("Dockerfile", "FROM scratch\nCOPY a /a/\nADD a/run /run\nCOPY . /all/\n").commit("Copy all");
    let project = stage.import(&repo).await;
    project.built(1).await;
    let by_tag = project.image("main");
    let manifest = Client::crane().run(&["manifest", "--platform", "linux/amd64", &by_tag]).await.ok();
    let manifest: serde_json::Value = serde_json::from_str(&manifest.stdout).expect("it is JSON");
    let layers = manifest["layers"].as_array().expect("an image has layers");
    let layers = layers[..2].iter().map(|layer| layer["digest"].to_string());
    (layers.collect(), image(&project, "main").await)
}

#[tokio::test]
async fn an_image_is_the_same_whatever_the_umask_of_the_server() {
    let usual = built_under("022").await;
    for umask in ["077", "002"] {
        assert_eq!(built_under(umask).await, usual, "umask {umask}");
    }
}
