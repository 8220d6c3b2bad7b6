//! Settings of the builder inside `slipway serve`, and of who builds elsewhere.

use super::values::Values;
use slipway_protocol::HeadersSecret;
use std::path::PathBuf;

/// The builder inside `slipway serve`.
#[derive(Clone, Debug)]
pub struct Builder {
    pub embedded: bool,
    /// Of `slipway-builder`s elsewhere.
    pub tokens: Vec<HeadersSecret>,
    pub slots: u32,
    pub buildkit_bin_dir: Option<PathBuf>,
    pub cni_bin_dir: PathBuf,
    pub idle_secs: u64,
    pub cache_bytes: u64,
    /// Of all RUN steps; 0 for three quarters of the machine's.
    pub memory_bytes: u64,
    /// In the RUN steps of one daemon.
    pub processes: u32,
}

pub(super) fn read(v: &mut Values) -> Result<Builder, String> {
    let bin_dir = v.text("buildkit.bin_dir");
    Ok(Builder {
        tokens: tokens(v)?,
        embedded: v.parse("builder.embedded", "`true` or `false`")?,
        slots: v.at_least(
            "builder.slots",
            1,
            "a number of builds at once from 1 on; `builder.embedded` turns the builder off",
        )?,
        buildkit_bin_dir: (!bin_dir.is_empty()).then(|| bin_dir.into()),
        cni_bin_dir: v.text("buildkit.cni_bin_dir").into(),
        idle_secs: v.parse("buildkit.idle_secs", "a number of seconds")?,
        cache_bytes: v.parse("buildkit.cache_bytes", "a number of bytes")?,
        memory_bytes: v.parse("builder.memory_bytes", "a number of bytes, or 0")?,
        processes: v.at_least("builder.processes", 1, "a number of processes from 1 on")?,
    })
}

impl Builder {
    /// No builder can ever take a build: a registry that is filled by hand is all that is wanted.
    pub fn is_none(&self) -> bool {
        !self.embedded && self.tokens.is_empty()
    }
}

fn tokens(v: &mut Values) -> Result<Vec<HeadersSecret>, String> {
    let tokens = v.words("builder.tokens");
    if tokens.iter().any(|token| token.len() < 32) {
        return Err("builder.tokens: a token has at least 32 characters; `openssl rand -hex 32` makes one".into());
    }
    Ok(tokens.into_iter().map(HeadersSecret).collect())
}
