//! The way of the builds' packets through this machine: out to the world, but neither to other builds nor to the
//! metadata services of clouds (`metadata.rs`). Anything on loopback is out of their reach by namespace.

use super::metadata;
use crate::config::Config;
use anyhow::{Context, Result, bail};
use tokio::process::Command;

const CHAIN: &str = "SLIPWAY-BUILDS";

/// Adds the rules unless they are there; safe to run again.
pub(super) async fn guard(config: &Config) -> Result<()> {
    let builds = format!("{}/16", config.network);
    let (from, to) = (["-s", &builds], ["-d", &builds]);
    let _exists = iptables(config, &["-N", CHAIN]).await;
    let between = [&from[..], &to, &["-j", "REJECT"]].concat();
    // Where the machine's policy is to forward nothing, as with docker.
    let out = [&from[..], &["-j", "ACCEPT"]].concat();
    for rule in [&between, &out] {
        ensure(config, &[], "-A", CHAIN, rule).await?;
    }
    for (network, length) in metadata::NETWORKS {
        let network = format!("{network}/{length}");
        let closed = [&from[..], &["-d", &network, "-j", "REJECT"]].concat();
        // In front: an older version of this chain lets out what its list did not name.
        ensure(config, &[], "-I", CHAIN, &closed).await?;
        // The machine itself may have such an address.
        ensure(config, &[], "-I", "INPUT", &closed).await?;
    }
    let back = [&to[..], &["-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", "-j", "ACCEPT"]].concat();
    if let Err(error) = ensure(config, &[], "-A", CHAIN, &back).await {
        // Needed only where the machine forwards nothing by itself.
        tracing::warn!("answers to builds may not come back: {error:#}");
    }
    ensure(config, &[], "-I", "FORWARD", &["-j", CHAIN]).await?;
    let outward = [&from[..], &["!"], &to, &["-j", "MASQUERADE"]].concat();
    ensure(config, &["-t", "nat"], "-A", "POSTROUTING", &outward).await
}

async fn ensure(config: &Config, table: &[&str], verb: &str, chain: &str, rule: &[&str]) -> Result<()> {
    if iptables(config, &[table, &["-C", chain], rule].concat()).await.is_ok() {
        return Ok(());
    }
    iptables(config, &[table, &[verb, chain], rule].concat()).await
}

async fn iptables(config: &Config, args: &[&str]) -> Result<()> {
    let program = config.program("iptables").context("iptables was not found")?;
    let mut command = Command::new(program);
    let output = command.arg("-w").args(args).kill_on_drop(true).output().await?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        bail!("iptables {}: {}", args.join(" "), text.trim());
    }
    Ok(())
}
