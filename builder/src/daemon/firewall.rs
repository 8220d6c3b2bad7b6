//! What a RUN step must not reach beside the host's loopback: the metadata service of a cloud, and other builds.

use crate::config::Config;
use anyhow::{Context, Result, bail};
use tokio::process::Command;

const CHAIN: &str = "SLIPWAY-BUILDS";
/// The firewall plugin asks this chain before it lets a step's packets through. It makes the chain if it is not there.
const ADMIN: &str = "CNI-ADMIN";

/// Adds the rules unless they are there; safe to run again.
pub(super) async fn guard(config: &Config) -> Result<()> {
    let builds = format!("{}/16", config.network);
    let link_local = "169.254.0.0/16";
    for chain in [CHAIN, ADMIN] {
        let _exists = iptables(config, &["-N", chain]).await;
    }
    let between = ["-s", &builds, "-d", &builds, "-j", "REJECT"];
    let metadata = ["-s", &builds, "-d", link_local, "-j", "REJECT"];
    ensure(config, "-A", CHAIN, &between).await?;
    ensure(config, "-A", CHAIN, &metadata).await?;
    ensure(config, "-I", "INPUT", &metadata).await?;
    ensure(config, "-I", ADMIN, &["-j", CHAIN]).await
}

async fn ensure(config: &Config, verb: &str, chain: &str, rule: &[&str]) -> Result<()> {
    if iptables(config, &[&["-C", chain], rule].concat()).await.is_ok() {
        return Ok(());
    }
    iptables(config, &[&[verb, chain], rule].concat()).await
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
