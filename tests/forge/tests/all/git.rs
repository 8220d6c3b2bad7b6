//! Clone and push with the real git.

use slipway_forge::Permission;

use crate::support::{git, world};

#[tokio::test(flavor = "multi_thread")]
async fn a_private_repository_needs_credentials() {
    let world = world();
    let folder = tempfile::tempdir().unwrap();
    let clone = |url: &str, to: &str| git(folder.path(), &["clone", "--quiet", url, to]);
    assert!(!clone(&world.repo.clone_url(), "a").0);
    assert!(!clone(&world.repo.clone_url_with("gho_wrong"), "b").0);
    assert!(!clone(&world.repo.clone_url_with(&world.forge.token_for("mona", &[])), "c").0);
    let (good, text) = clone(&world.repo.clone_url_with(&world.token), "d");
    assert!(good, "{text}");
    assert!(folder.path().join("d/app/main.c").exists());
    let with_password = world.repo.clone_url().replacen("://", "://mona:demo@", 1);
    assert!(clone(&with_password, "e").0);
    let response = world.http.get(format!("{}/info/refs?service=git-upload-pack", world.repo.clone_url()));
    let response = response.send().await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["www-authenticate"], "Basic realm=\"GitHub\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_repository_is_read_by_all_and_written_by_few() {
    let world = world();
    world.repo.set_private(false);
    let reader = world.forge.person("octocat");
    let folder = tempfile::tempdir().unwrap();
    let (good, text) = git(folder.path(), &["clone", "--quiet", &world.repo.clone_url(), "."]);
    assert!(good, "{text}");
    git(folder.path(), &["commit", "--quiet", "--allow-empty", "-m", "Try"]);
    assert!(!git(folder.path(), &["push", "origin", "main"]).0);
    let url = world.repo.clone_url_with(&world.forge.token_for("octocat", &["repo"]));
    let (good, text) = git(folder.path(), &["push", &url, "main"]);
    assert!(!good && text.contains("403"), "{text}");
    world.repo.collaborator(&reader, Permission::Push);
    let (good, text) = git(folder.path(), &["push", &url, "main"]);
    assert!(good, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_commit_is_fetched_by_its_hash() {
    let world = world();
    let old = world.repo.head("main").unwrap();
    world.repo.commit("main", &[("a", "b")], "Next");
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "--quiet", "."]);
    let url = world.repo.clone_url_with(&world.token);
    let (good, text) = git(folder.path(), &["fetch", "--quiet", "--depth=1", "--filter=blob:none", &url, &old]);
    assert!(good, "{text}");
    assert!(git(folder.path(), &["cat-file", "-e", &old]).0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_push_arrives_whole() {
    let world = world();
    let folder = tempfile::tempdir().unwrap();
    let url = world.repo.clone_url_with(&world.token);
    assert!(git(folder.path(), &["clone", "--quiet", &url, "."]).0);
    // Beyond http.postBuffer (1 MiB) git sends chunks without a length. Random bytes do not shrink.
    let mut bytes = vec![0; 5 * 1024 * 1024];
    aws_lc_rs::rand::fill(&mut bytes).unwrap();
    std::fs::write(folder.path().join("large"), bytes).unwrap();
    git(folder.path(), &["add", "."]);
    git(folder.path(), &["commit", "--quiet", "-m", "Large"]);
    let (good, text) = git(folder.path(), &["push", "--quiet", "origin", "main"]);
    assert!(good, "{text}");
    let head = git(folder.path(), &["rev-parse", "HEAD"]).1;
    assert_eq!(world.repo.head("main").as_deref(), Some(head.trim()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_repository_is_still_found() {
    let world = world();
    let folder = tempfile::tempdir().unwrap();
    let old = world.repo.clone_url_with(&world.token);
    world.repo.rename("greeting");
    assert!(git(folder.path(), &["clone", "--quiet", &old, "a"]).0);
    assert!(git(folder.path(), &["clone", "--quiet", &world.repo.clone_url_with(&world.token), "b"]).0);
    world.repo.clone().delete();
    assert!(!git(folder.path(), &["clone", "--quiet", &old, "c"]).0);
}
