//! A disk that is full or almost full: uploads are refused with a clear text, pulls go on.

use reqwest::Method;
use slipway_tests::{Docker, Run};
use std::path::{Path, PathBuf};

use super::content::{OCI_MANIFEST, digest};
use super::fixture::{Kind, Registry, own};

const TEXT: &str = "almost full";

#[tokio::test]
async fn uploads_are_refused_and_pulls_go_on() {
    let (mut server, registry) = own(Kind::Sqlite, |builder| builder).await;
    let (name, mona, image) = registry.with_image().await;
    let upload = mona.start(&name).await;
    server.terminate().await;
    server.set_env("SLIPWAY_STORAGE_MIN_FREE_BYTES", i64::MAX.to_string());
    server.start_again().await;

    let path = format!("/v2/{name}/blobs/uploads/");
    let whole = format!("{path}?digest={}", digest("x"));
    for answer in [
        mona.post(&path).await,
        mona.send(Method::POST, &whole, &[], "x").await,
        mona.patch(&upload, None, "x").await,
        mona.finish(&upload, &digest("x"), "x").await,
    ] {
        let answer = answer.fails(403, "DENIED");
        assert!(answer.text().contains(TEXT), "{answer}");
    }
    mona.get(&format!("/v2/{name}/manifests/v1")).await.is(200);
    mona.has_blob(&name, &image.layer).await;
    let manifest = mona.put_manifest(&name, "v2", OCI_MANIFEST, &image.manifest.to_string()).await.fails(403, "DENIED");
    let other = registry.repository();
    let both = registry.mona(&[&name, &other]).await;
    let mount = format!("/v2/{other}/blobs/uploads/?mount={}&from={name}", digest(&image.layer));
    let mount = both.post(&mount).await.fails(403, "DENIED");
    for answer in [manifest, mount] {
        assert!(answer.text().contains(TEXT), "{answer}");
    }
    // What makes room goes on.
    mona.delete(&upload).await.is(204);
    mona.delete(&format!("/v2/{name}/manifests/v1")).await.is(202);
    mona.delete(&format!("/v2/{name}/manifests/{}", image.digest)).await.is(202);
}

/// A data folder whose storage is small; unmounted and removed in the end.
struct Small(tempfile::TempDir);

impl Small {
    async fn new(mib: u32) -> Self {
        let small = Self(tempfile::tempdir().expect("a temporary folder"));
        std::fs::create_dir(small.storage()).expect("the folder is new");
        let mount = Run::new("mount").args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"]);
        mount.args([small.storage()]).output().await.ok();
        small
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn free(&self) -> u64 {
        let stat = rustix::fs::statvfs(self.storage()).expect("the folder is there");
        stat.f_bavail * stat.f_frsize
    }

    fn storage(&self) -> PathBuf {
        self.path().join("storage")
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        std::process::Command::new("umount").arg("-l").arg(self.storage()).status().ok();
    }
}

#[tokio::test]
async fn a_disk_that_fills_up_on_the_way_says_the_same() {
    let small = Small::new(1).await;
    let (server, registry) = own(Kind::Sqlite, |builder| {
        builder.env("SLIPWAY_DATA_DIR", small.path()).env("SLIPWAY_STORAGE_MIN_FREE_BYTES", "0")
    })
    .await;
    let (name, mona, image) = registry.with_image().await;
    let bytes = vec![7; 3 << 20];
    let upload = mona.start(&name).await;
    let answer = mona.patch(&upload, None, bytes.clone()).await.fails(403, "DENIED");
    assert!(answer.text().contains(TEXT), "{answer}");
    let whole = format!("/v2/{name}/blobs/uploads/?digest={}", digest(&bytes));
    let answer = mona.send(Method::POST, &whole, &[], bytes).await.fails(403, "DENIED");
    assert!(answer.text().contains(TEXT), "{answer}");
    mona.has_blob(&name, &image.layer).await;
    says_why(&registry).await;
    drop(server);
}

#[tokio::test]
async fn one_stream_leaves_the_room_that_has_to_stay_free() {
    let (small, floor) = (Small::new(128).await, 64 << 20);
    let (server, registry) = own(Kind::Sqlite, |builder| {
        builder.env("SLIPWAY_DATA_DIR", small.path()).env("SLIPWAY_STORAGE_MIN_FREE_BYTES", floor.to_string())
    })
    .await;
    let (name, mona) = registry.new_repository().await;
    let upload = mona.start(&name).await;
    mona.patch(&upload, None, vec![7; 1000]).await.is(202);
    let before = small.free();
    let least = async {
        let mut least = before;
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            least = small.free().min(least);
            if least < floor / 2 {
                return least;
            }
        }
    };
    let answer = tokio::select! {
        answer = mona.patch(&upload, None, vec![7; 256 << 20]) => answer.fails(403, "DENIED"),
        least = least => panic!("{least} bytes were left"),
    };
    assert!(answer.text().contains(TEXT), "{answer}");
    assert_eq!(small.free(), before, "what nobody can use gives its room back");
    assert_eq!(mona.get(&upload).await.is(204).header("range"), "0-999");
    mona.finish(&upload, &digest(vec![7; 1000]), "").await.is(201);
    drop(server);
}

#[tokio::test]
async fn docker_says_why_it_cannot_push() {
    let (server, registry) =
        own(Kind::Sqlite, |builder| builder.env("SLIPWAY_STORAGE_MIN_FREE_BYTES", i64::MAX.to_string())).await;
    says_why(&registry).await;
    drop(server);
}

async fn says_why(registry: &Registry) {
    let docker = Docker::start().await;
    docker.login(&registry.host, "mona", &registry.mona).await.ok();
    let image = format!("{}/{}:v1", registry.host, registry.repository());
    docker.import_busybox(&image).await;
    let push = docker.run(&["push", &image]).await.fails();
    let said = format!("{}{}", push.stdout, push.stderr);
    assert!(said.contains(TEXT) && !said.contains("Retrying"), "{said}");
}
