//! One builder for each work folder: a second would remove the first one's checkouts and daemons' state.

use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::File;
use std::path::Path;

/// Held by the builder. The kernel lets go of it when the process ends, however it ends.
pub(crate) fn take(work_dir: &Path) -> Result<File> {
    let name = || format!("the lock of {}", work_dir.display());
    let file = File::create(work_dir.join("lock")).with_context(name)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(Errno::WOULDBLOCK) => bail!(
            "another builder works in `{}`: stop it first, or give this one a folder of its own (`--work-dir` of slipway-builder)",
            work_dir.display()
        ),
        Err(error) => Err(error).with_context(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use url::Url;

    #[tokio::test]
    async fn a_second_builder_in_the_same_folder_is_refused_and_leaves_it_alone() {
        let dir = tempfile::tempdir().unwrap();
        let first = take(dir.path()).unwrap();
        let checkout = dir.path().join("checkouts/one");
        std::fs::create_dir_all(&checkout).unwrap();
        let server = Url::parse("http://127.0.0.1:1").unwrap();
        let config = Config::new(server, "t", dir.path());
        let error = crate::run(config, std::future::pending()).await.unwrap_err();
        assert!(error.to_string().starts_with("another builder works in"), "{error:#}");
        assert!(checkout.exists());
        drop(first);
        assert!(take(dir.path()).is_ok());
    }
}
