//! Files that change between the list and the request for their content.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tonic::{Code, Status};

use super::receiver::{Receiver, paths};
use super::{fifo, tree};

/// Lists a tree with `file`, changes it, and gives the error of asking for the file.
async fn after(change: impl FnOnce(&Path)) -> Status {
    let tree = tree(&["dir/file", "dir/other"]);
    let secret = TempDir::new().unwrap();
    fs::write(secret.path().join("file"), "this is dir/file").unwrap();
    symlink(secret.path(), tree.path().join("secret")).unwrap();
    let mut receiver = Receiver::of(tree.path());
    assert_eq!(paths(&receiver.list().await.unwrap()), ["dir", "dir/file", "dir/other", "secret"]);
    // Longer than a tick of the file system's clock.
    tokio::time::sleep(Duration::from_millis(20)).await;
    change(tree.path());
    let error = receiver.fetch(1).await.unwrap_err();
    assert_eq!(error.code(), Code::FailedPrecondition);
    assert_eq!(receiver.progress.failure.get().unwrap(), error.message());
    error
}

#[tokio::test]
async fn a_file_that_changes_after_it_was_listed_fails_the_transfer() {
    let file = |root: &Path| root.join("dir/file");
    for error in [
        after(|root| fs::write(file(root), "longer than it was before").unwrap()).await,
        after(|root| fs::write(file(root), "THIS IS DIR/FILE").unwrap()).await,
        after(|root| fs::rename(root.join("dir/other"), file(root)).unwrap()).await,
        after(|root| fs::set_permissions(file(root), fs::Permissions::from_mode(0o600)).unwrap()).await,
        after(|root| {
            fs::remove_file(file(root)).unwrap();
            fifo(&file(root));
        })
        .await,
    ] {
        assert_eq!(error.message(), "`dir/file` changed while the build's files were sent");
    }
    let gone = after(|root| fs::remove_file(file(root)).unwrap()).await;
    assert!(gone.message().starts_with("cannot read `dir/file`"), "{gone}");
}

#[tokio::test]
async fn a_link_put_in_a_files_place_leads_nowhere() {
    let linked = after(|root| {
        let secret = fs::read_link(root.join("secret")).unwrap();
        fs::remove_file(root.join("dir/file")).unwrap();
        symlink(secret.join("file"), root.join("dir/file")).unwrap();
    });
    assert!(linked.await.message().contains("`dir/file`"));
    let directory_linked = after(|root| {
        let secret = fs::read_link(root.join("secret")).unwrap();
        fs::rename(root.join("dir"), root.join("moved")).unwrap();
        symlink(secret, root.join("dir")).unwrap();
    });
    assert!(directory_linked.await.message().contains("`dir/file`"));
    let inside = after(|root| {
        fs::remove_file(root.join("dir/file")).unwrap();
        symlink("other", root.join("dir/file")).unwrap();
    });
    assert!(inside.await.message().contains("`dir/file`"));
}
