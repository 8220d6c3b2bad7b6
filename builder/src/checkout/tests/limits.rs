//! Sources that want more than there is, and what is left of them.

use super::*;

#[tokio::test]
async fn a_source_that_is_too_large_is_refused() {
    let mut bench = Bench::with(&[DOCKERFILE, ("100644", &"x".repeat(5000), "big")]).await;
    bench.checkouts.max_bytes = 4000;
    assert_eq!(bench.refused("", "Dockerfile").await.reason, Reason::SourceUnsupported);
}

/// Ten levels of trees, each of which names the next one ten times: 10^10 paths in eleven objects.
fn bomb(mirror: &Path, bottom: &str) -> String {
    let mut line = bottom.to_owned();
    for _ in 0..10 {
        let names: Vec<String> = (0..10).map(|n| format!("{line}\t{n}\n")).collect();
        line = format!("040000 tree {}", git(mirror, &["mktree"], names.concat().as_bytes()));
    }
    let tree = line.rsplit(' ').next().unwrap().to_owned();
    let commit = git(mirror, &["commit-tree", "-m", "t", &tree], b"");
    git(mirror, &["update-ref", &format!("refs/slipway/{commit}"), &commit], b"");
    commit
}

#[tokio::test]
async fn a_source_with_billions_of_paths_in_a_small_pack_is_refused_at_once() {
    let mut bench = Bench::with(&[DOCKERFILE]).await;
    let mirror = bench.mirror();
    let file = git(&mirror, &["hash-object", "-w", "--stdin"], b"x");
    let folder = git(&mirror, &["mktree"], b"");
    for bottom in [format!("100644 blob {file}"), format!("040000 tree {folder}")] {
        bench.source.commit = bomb(&mirror, &bottom);
        bench.checkouts.give(&mirror);
        let refused = tokio::time::timeout(Duration::from_mins(1), bench.refused("", "Dockerfile")).await;
        let failure = refused.expect("the list is not read to its end");
        assert_eq!(failure.reason, Reason::SourceUnsupported, "{}", failure.message);
        assert!(failure.message.contains("larger than this builder takes"), "{}", failure.message);
        assert!(mirror.join("HEAD").exists(), "nor is it fetched again");
    }
}

#[tokio::test]
async fn a_fetch_that_is_stopped_leaves_nothing_of_its_pack() {
    let mut bench = Bench::with(&[DOCKERFILE]).await;
    let forge = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    bench.source.fetch_url = format!("http://{}/a/b.git", forge.local_addr().unwrap());
    bench.source.commit = "1".repeat(40);
    let pack = bench.mirror().join("objects/pack");
    std::fs::write(pack.join("tmp_pack_before"), "x").unwrap();
    let target = target("", "Dockerfile");
    let source = Source { spec: &bench.source, token: TOKEN };
    let making = bench.checkouts.make(Uuid::new_v4(), &source, &target);
    let asked = async {
        let connection = forge.accept().await.unwrap();
        assert!(!pack.join("tmp_pack_before").exists(), "what an earlier one left is gone before");
        // As index-pack does.
        std::fs::write(pack.join("tmp_pack_now"), "x").unwrap();
        connection
    };
    tokio::select! {
        made = making => panic!("{made:?}"),
        _connection = asked => {}
    }
    assert!(!pack.join("tmp_pack_now").exists());
}

#[tokio::test]
async fn mirrors_go_when_the_disk_fills_but_for_those_in_use() {
    let mut bench = Bench::with(&[DOCKERFILE]).await;
    let idle = bench.mirror();
    let used = Uuid::new_v4();
    let in_use = bench.dir.path().join("mirrors").join(used.to_string());
    std::fs::create_dir(&in_use).unwrap();
    let lock = bench.checkouts.lock(used);
    let _working = lock.lock().await;
    bench.checkouts.wanted_free = 0;
    bench.checkouts.make_room().await;
    assert!(idle.exists(), "there is room");
    bench.checkouts.wanted_free = u64::MAX;
    bench.checkouts.make_room().await;
    assert!(!idle.exists() && in_use.exists());
}

#[tokio::test]
async fn a_disk_that_is_needed_for_builds_is_told_as_full() {
    let large = "x".repeat(3 << 20);
    let files = [DOCKERFILE, ("100644", large.as_str(), "large")];
    let bench = Bench::with_config(&files, |config| config.min_free_bytes = u64::MAX).await;
    let failure = bench.refused("", "Dockerfile").await;
    assert_eq!(failure.reason, Reason::DiskFull, "{}", failure.message);
    assert!(bench.mirror().join("HEAD").exists(), "and nothing is fetched again");
}
