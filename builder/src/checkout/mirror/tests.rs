//! What git's words mean.

use super::*;
use crate::config::Config;
use sha2::{Digest, Sha256};
use uuid::Uuid;

async fn git(dir: &Path, min_free_bytes: u64) -> Git {
    let server = Url::parse("http://127.0.0.1:1").unwrap();
    let config = Config { min_free_bytes, max_source_bytes: 2 << 20, ..Config::new(server, "t", dir) };
    Git::new(&config, dir, dir).await.unwrap()
}

async fn explained(min_free_bytes: u64, text: &str) -> (bool, Reason) {
    let dir = tempfile::tempdir().unwrap();
    let git = git(dir.path(), min_free_bytes).await;
    let clone_url = "https://forge.example/a/b.git".to_owned();
    let fetch_url = "http://127.0.0.1:1/source.git".to_owned();
    let spec = SourceSpec { id: Uuid::nil(), clone_url, fetch_url, commit: "1".repeat(40) };
    let mirror = Mirror::new(&git, dir.path(), &Source { spec: &spec, token: "t" }).unwrap();
    let (last, failure) = mirror.explain(&GitError::new("fetch", text).into());
    (last, failure.reason)
}

#[tokio::test]
async fn a_pack_that_is_too_large_is_not_fetched_again() {
    let text = "fatal: write error: File too large; fatal: fetch-pack: invalid index-pack output";
    assert_eq!(explained(0, text).await, (true, Reason::SourceUnsupported));
    assert_eq!(explained(u64::MAX, text).await, (true, Reason::DiskFull), "where the disk has no more room");
    let text = "fatal: Out of memory, malloc failed (tried to allocate 3221225473 bytes); fatal: index-pack failed";
    assert_eq!(explained(0, text).await, (true, Reason::SourceUnsupported));
}

#[tokio::test]
async fn a_forge_that_is_away_is_asked_again() {
    assert_eq!(explained(0, "fatal: connection refused").await, (false, Reason::SourceUnavailable));
}

#[tokio::test]
async fn git_says_which_limit_it_met() {
    let dir = tempfile::tempdir().unwrap();
    let git = git(dir.path(), 0).await;
    git.in_dir(dir.path()).run(["init", "-q", "--bare", "--template="]).await.unwrap();
    // What does not compress: an object of it is a file as long.
    let noise: Vec<u8> = (0..1_u32 << 17).flat_map(|n| Sha256::digest(n.to_le_bytes())).collect();
    std::fs::write(dir.path().join("noise"), &noise).unwrap();
    let error = git.in_dir(dir.path()).run(["hash-object", "-w", "noise"]).await.unwrap_err();
    let error: GitError = error.downcast().unwrap();
    assert!(error.is_over_a_limit() && !error.is_disk_full(&git), "{error}");
}
