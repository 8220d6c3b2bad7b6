//! The version before: its data folder starts here, and nothing of it is lost.
//!
//! `tests/fixtures/upgrade` holds a folder of each version that was released, made by that version's own program
//! (`make.rs`). Stored things name addresses, so server and forge come back on the ports that they had.

mod make;

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use slipway_forge::{Client as OAuthApp, ForgeConfig};
use slipway_tests::{Client, Run, Stage, own_program, unpack};
use tempfile::TempDir;

/// Between those that `free_port` gives and those that the kernel takes for connections.
const SERVER: u16 = 31_471;
const FORGE: u16 = 31_472;

fn fixture(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/upgrade/{version}.tar.gz"))
}

/// The forge of the fixtures, on a folder.
fn forge(data: &Path) -> ForgeConfig {
    ForgeConfig {
        listen: SocketAddr::from(([127, 0, 0, 1], FORGE)),
        data: Some(data.to_owned()),
        client: OAuthApp { client_id: "slipway-test".into(), client_secret: "kept-for-the-next-version".into() },
        ..ForgeConfig::default()
    }
}

/// Another run of these tests may be at it on the same machine.
async fn ports_are_free() {
    for port in [SERVER, FORGE] {
        while TcpListener::bind(("127.0.0.1", port)).is_err() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// What the version left behind, started by this one. The folder is the forge's.
async fn upgraded(version: &str) -> (Stage, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    unpack(&fixture(version), "forge", folder.path()).await;
    ports_are_free().await;
    let stage =
        Stage::with(forge(&folder.path().join("forge")), |server| server.on_port(SERVER).data(&fixture(version))).await;
    (stage, folder)
}

#[tokio::test]
async fn a_check_tells_what_would_be_migrated_and_changes_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let slipway =
        |args: &[&str]| Run::new(own_program("slipway")).args(args.iter().copied()).env("SLIPWAY_DATA_DIR", &data);
    let nothing = slipway(&["migrate", "--check"]).output().await.ok();
    assert!(nothing.text().contains("no database yet") && !data.exists(), "{nothing}");
    unpack(&fixture("0.1.0"), "data", folder.path()).await;
    let before = fs::read(data.join("slipway.db")).expect("the database");
    for _ in 0..2 {
        let told = slipway(&["migrate", "--check"]).output().await.ok();
        assert!(told.text().contains("would be applied") && told.text().contains("add_job_lane"), "{told}");
    }
    assert!(fs::read(data.join("slipway.db")).expect("the database") == before, "the check wrote");
    slipway(&["migrate"]).output().await.ok();
    let told = slipway(&["migrate", "--check"]).output().await.ok();
    assert!(told.text().contains("up to date"), "{told}");
    // The copy is the database as it was, for us alone.
    let copies: Vec<_> = fs::read_dir(data.join("before-migration")).expect("a folder").flatten().collect();
    let [copy] = copies.as_slice() else { panic!("{copies:?}") };
    assert_eq!(copy.metadata().expect("a file").permissions().mode() & 0o777, 0o600);
    let lanes = "SELECT count(*) FROM pragma_table_info('job') WHERE name = 'lane'";
    let lanes = Run::new("sqlite3").args([copy.path().as_os_str(), lanes.as_ref()]).output().await.ok();
    assert_eq!(lanes.text(), "0");
}

/// One server for all that is to be seen: the ports are there once.
#[tokio::test]
async fn a_folder_of_0_1_0_goes_on() {
    let (stage, _folder) = upgraded("0.1.0").await;
    it_says_what_it_migrates(&stage);
    let web = stage.project("mona/web");
    // Queued when the old server was stopped.
    web.built(3).await;
    // On a private base, which an earlier build used.
    let repo = stage.forge.find_repository("mona", "web").expect("the forge kept it");
    repo.change("main").file("greeting.txt", "hello again\n").commit("Greet again");
    web.built(4).await;
    images_verify(&stage).await;
    hand_made_things_are_as_they_were(&stage).await;
}

fn it_says_what_it_migrates(stage: &Stage) {
    let log = stage.server.log();
    assert!(log.contains("the database gets ") && log.contains("add_job_lane"), "{log}");
    let copies = fs::read_dir(stage.server.data_dir().join("before-migration")).expect("a folder of copies");
    assert_eq!(copies.count(), 1);
}

async fn images_verify(stage: &Stage) {
    let host = stage.server.host();
    let token = stage.server.admin(&["token", "add", "--user", "mona"]).await;
    for (name, tag) in [("mona/base", "main"), ("mona/web", "main"), ("mona/web", "1.0.0")] {
        let page = stage.mona.get(&format!("/{name}/-/tags/{tag}")).await.ok();
        page.assert_says("Verified");
        for cosign in [Client::cosign(), Client::cosign2()] {
            cosign.log_in(&host, "mona", &token);
            let command = page.command("cosign verify ");
            let words: Vec<&str> = command.split_whitespace().skip(1).collect();
            cosign.run(&words).await.ok();
        }
    }
}

async fn hand_made_things_are_as_they_were(stage: &Stage) {
    let crane = Client::crane();
    crane.log_in(&stage.server.host(), "mona", &stage.server.admin(&["token", "add", "--user", "mona"]).await);
    crane.run(&["manifest", &format!("{}/acme/hand:v1", stage.server.host())]).await.ok();
    crane.run(&["digest", &format!("{}/acme/hand:page", stage.server.host())]).await.ok();
    stage.mona.get("/acme/hand/-/tags/v1").await.ok().assert_does_not_say("Verified");
}
