//! The data folder: one server for each, and keys that last.

use std::fs;

use slipway_tests::{Run, Server, own_program, tool};

#[tokio::test]
async fn a_second_server_on_one_folder_is_told_of_the_first() {
    let server = Server::start().await;
    for command in ["serve", "migrate"] {
        let second = server.command(&[command]).await.fails();
        let folder = server.data_dir().display().to_string();
        for part in ["another slipway runs on", &folder, "stop it first"] {
            assert!(second.stderr.contains(part), "{second}");
        }
        assert!(!second.stderr.contains("os error"), "{second}");
    }
    assert!(reqwest::get(server.url("/healthz")).await.expect("an answer").status().is_success());
}

#[tokio::test]
async fn the_master_key_is_on_disk_with_its_name_before_anything_is_sealed_by_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (data, calls) = (folder.path().join("data"), folder.path().join("calls"));
    let program = own_program("slipway");
    let strace = Run::new(tool("strace")).args(["-f", "-y", "-e", "trace=fsync,rename,renameat,renameat2", "-o"]);
    strace
        .args([calls.clone().into(), program.into_os_string()])
        .args(["migrate"])
        .env("SLIPWAY_DATA_DIR", &data)
        .output()
        .await
        .ok();
    let calls = fs::read_to_string(calls).expect("strace wrote it");
    let calls: Vec<_> = calls.lines().collect();
    let named = calls.iter().position(|call| call.contains("rename") && call.contains("/master.key\""));
    let (before, after) =
        calls.split_at(named.unwrap_or_else(|| panic!("the key is not renamed into place: {calls:#?}")));
    let synced = |calls: &[&str], path: &str| {
        let path = format!("{}{path}>", folder.path().display());
        calls.iter().any(|call| call.contains("fsync(") && call.contains(&path))
    };
    assert!(synced(before, "/data/keys/master.unfinished"), "{calls:#?}");
    for path in ["/data/keys", "/data", ""] {
        assert!(synced(after, path), "{path}: {calls:#?}");
    }
}
