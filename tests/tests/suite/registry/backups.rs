//! `slipway backup` beside a server that takes pushes, and `slipway restore` into nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use sha2::Digest as _;
use slipway_tests::{Output, Postgres, Run, Server, ServerBuilder, own_program};

use super::content::digest;
use super::fixture::{Kind, Registry, own};

both! {
    a_backup_made_beside_pushes_comes_back_whole,
    a_cut_backup_leaves_nothing,
}

/// An empty data folder and database of the same kind.
struct Elsewhere {
    folder: tempfile::TempDir,
    database: Option<String>,
}

impl Elsewhere {
    async fn new(kind: Kind) -> Self {
        let database = if kind == Kind::Postgres { Some(Postgres::database().await) } else { None };
        Self { folder: tempfile::tempdir().expect("a temporary folder"), database }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("slipway.tar")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    async fn restore(&self, file: &Path) -> Output {
        let run = Run::new(own_program("slipway")).args(["restore".as_ref(), file.as_os_str()]);
        let run = run.env("SLIPWAY_DATA_DIR", self.data()).folder(self.folder.path());
        let run = self.database.iter().fold(run, |run, url| run.env("SLIPWAY_DATABASE_URL", url));
        run.output().await
    }

    async fn server(&self) -> Server {
        let builder = Server::builder().env("SLIPWAY_BUILDER_EMBEDDED", "false").env("SLIPWAY_DATA_DIR", self.data());
        self.database.iter().fold(builder, ServerBuilder::database).start().await
    }
}

/// How many images were acknowledged, and whether it is enough.
#[derive(Default)]
struct Pushes {
    acknowledged: AtomicUsize,
    enough: AtomicBool,
}

impl Pushes {
    fn count(&self) -> usize {
        self.acknowledged.load(Ordering::SeqCst)
    }
}

/// Pushes images until it is enough.
async fn push(registry: Registry, name: String, pushes: Arc<Pushes>) {
    // A bearer lives longer than this test.
    let mona = registry.mona(&[&name]).await;
    for n in 0.. {
        if pushes.enough.load(Ordering::SeqCst) {
            return;
        }
        mona.push_image(&name, &format!("v{n}")).await;
        pushes.acknowledged.fetch_add(1, Ordering::SeqCst);
    }
}

async fn a_backup_made_beside_pushes_comes_back_whole(kind: Kind) {
    let (server, registry) = own(kind, |builder| builder).await;
    let (name, mona, image) = registry.with_image().await;
    // One that is named by sha512 is held against that.
    let sha512 = format!("sha512:{}", hex::encode(sha2::Sha512::digest(b"long")));
    let path = format!("/v2/{name}/blobs/uploads/?digest={sha512}");
    mona.send(reqwest::Method::POST, &path, &[], "long").await.is(201);
    let key = reqwest::get(format!("{}/{name}/-/cosign.pub", registry.url)).await.expect("the server answers");
    let key = key.text().await.expect("a key is text");
    assert!(key.contains("PUBLIC KEY"), "{key}");
    let pushes = Arc::new(Pushes::default());
    let names: Vec<String> = (0..4).map(|n| format!("mona/beside{n}")).collect();
    let pushing: Vec<_> =
        names.iter().map(|name| tokio::spawn(push(registry.clone(), name.clone(), pushes.clone()))).collect();
    let there = Elsewhere::new(kind).await;
    let (mut before, mut beside) = (0, 0);
    for round in 0..3 {
        before = pushes.count();
        let file = there.folder.path().join(format!("{round}.tar"));
        server.command(&["backup", &file.to_string_lossy()]).await.ok();
        beside += pushes.count() - before;
        std::fs::rename(file, there.file()).expect("the backup is there");
    }
    assert!(beside > 0, "nothing was pushed beside");
    pushes.enough.store(true, Ordering::SeqCst);
    for push in pushing {
        push.await.expect("no push fails");
    }
    drop(server);

    there.restore(&there.file()).await.ok();
    let restored = there.server().await;
    let registry = registry.at(&restored);
    let again =
        reqwest::get(registry.url.clone() + &format!("/{name}/-/cosign.pub")).await.expect("the server answers");
    assert_eq!(again.text().await.expect("a key is text"), key);
    let mona = registry.mona(&[&name]).await;
    mona.has_blob(&name, &image.layer).await;
    assert_eq!(mona.get(&format!("/v2/{name}/blobs/{sha512}")).await.is(200).text(), "long");
    let mut whole = 0;
    for name in &names {
        let mona = registry.mona(&[name]).await;
        let tags = mona.get(&format!("/v2/{name}/tags/list?n=10000")).await.is(200).json();
        for tag in tags["tags"].as_array().expect("a list has tags") {
            let tag = tag.as_str().expect("a tag is text");
            let manifest = mona.get(&format!("/v2/{name}/manifests/{tag}")).await.is(200).json();
            for part in [&manifest["config"], &manifest["layers"][0]] {
                let expected = part["digest"].as_str().expect("a descriptor has a digest");
                let blob = mona.get(&format!("/v2/{name}/blobs/{expected}")).await.is(200);
                assert_eq!(digest(&blob.body), expected);
            }
            whole += 1;
        }
    }
    assert!(whole >= before, "{whole} of the {before} that were acknowledged before");
}

async fn a_cut_backup_leaves_nothing(kind: Kind) {
    let (server, registry) = own(kind, |builder| builder).await;
    registry.with_image().await;
    let there = Elsewhere::new(kind).await;
    server.command(&["backup", &there.file().to_string_lossy()]).await.ok();
    let good = std::fs::read(there.file()).expect("the backup is there");
    let cut = there.folder.path().join("cut.tar");
    std::fs::write(&cut, &good[..good.len() - 2_048]).expect("there is room");
    let failed = there.restore(&cut).await.fails();
    assert!(failed.stderr.contains("its end is missing"), "{failed}");
    assert_eq!(std::fs::read_dir(there.data()).expect("the folder is there").count(), 0);
    // Folder and database are as empty as before: the whole one goes in.
    there.restore(&there.file()).await.ok();
    std::fs::remove_dir_all(there.data()).expect("the folder is ours");
    if kind == Kind::Postgres {
        let failed = there.restore(&there.file()).await.fails();
        assert!(failed.stderr.contains("the database of `database.url` is not empty"), "{failed}");
    }
}

#[tokio::test]
async fn a_missing_program_of_postgresql_is_named() {
    let (mut server, _) = own(Kind::Postgres, |builder| builder).await;
    let there = Elsewhere::new(Kind::Postgres).await;
    server.set_env("PATH", there.folder.path());
    let failed = server.command(&["backup", &there.file().to_string_lossy()]).await.fails();
    for part in ["`pg_dump` cannot be started", "`postgresql-client` on Debian"] {
        assert!(failed.stderr.contains(part), "{failed}");
    }
    assert_eq!(std::fs::read_dir(there.folder.path()).expect("the folder is there").count(), 0);
}
