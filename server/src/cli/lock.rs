//! One writer for each data folder.

use crate::app::make_data_dir;
use crate::config::Config;
use crate::error::{Context, Error, Result};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::File;

/// Held by whoever writes. The kernel lets go of it when the process ends, however it ends.
pub fn take(config: &Config) -> Result<File> {
    make_data_dir(&config.data_dir)?;
    let file = File::create(config.data_dir.join("lock")).context("opening the lock of the data folder")?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(Errno::WOULDBLOCK) => Err(Error::Conflict(format!(
            "another slipway runs on `{}`: stop it first, or give this one a data_dir of its own",
            config.data_dir.display()
        ))),
        Err(e) => Err(Error::internal("locking the data folder", e)),
    }
}

/// Whether a server holds the lock.
pub fn is_held(config: &Config) -> bool {
    let Ok(file) = File::open(config.data_dir.join("lock")) else { return false };
    flock(&file, FlockOperation::NonBlockingLockExclusive).is_err()
}
