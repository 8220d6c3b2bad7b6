//! The network namespace of one daemon.
//!
//! What BuildKit fetches itself (`FROM`, `ADD`, frontends) it fetches from here: the machine's loopback is another one.
//! A pair of interfaces leads out; the few hosts on loopback that a build needs are relayed (`relay.rs`). The namespace
//! is gone with the daemon and with whatever the network plugins left in it: bridge, addresses, firewall rules.

use super::relay::Relay;
use super::slots::Slot;
use crate::config::Config;
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

/// A daemon that was killed gives its addresses back when the kernel has cleaned up.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);

pub(super) struct Network {
    namespace: File,
    pub(super) slot: Slot,
    _relay: Relay,
}

impl Network {
    /// Makes the namespace with loopback, a way out and relays to `hosts` (`host:port`) where they are on loopback.
    pub(super) async fn start(config: &Config, slot: Slot, hosts: &[String]) -> Result<Self> {
        let namespace = unshared().await.context("make a network namespace")?;
        let path = path_of(&namespace);
        call(config, &path, "lo", &json!({ "cniVersion": "1.0.0", "name": "slipway", "type": "loopback" })).await?;
        let pair = pair(&slot);
        for tried in 1.. {
            match call(config, &path, "eth0", &pair).await {
                Ok(()) => break,
                Err(error) if tried == TRIES => return Err(error),
                Err(error) => tracing::debug!("network {}: {error:#}; trying again", slot.subnet()),
            }
            tokio::time::sleep(PAUSE).await;
        }
        let relay = Relay::start(&namespace, hosts, slot.address()).await?;
        Ok(Self { namespace, slot, _relay: relay })
    }

    /// For `nsenter`, as long as this lives.
    pub(super) fn path(&self) -> PathBuf {
        path_of(&self.namespace)
    }
}

fn path_of(namespace: &File) -> PathBuf {
    PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), namespace.as_raw_fd()))
}

/// A new namespace, which lives as long as the file or anything inside.
async fn unshared() -> Result<File> {
    let mut command = Command::new("unshare");
    command.args(["--net", "--", "cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().context("start unshare")?;
    let (Some(mut stdin), Some(mut stdout)) = (child.stdin.take(), child.stdout.take()) else {
        bail!("unshare has no pipes");
    };
    // What comes back comes from inside.
    stdin.write_all(b"x").await?;
    stdout.read_exact(&mut [0]).await.context("unshare --net was refused")?;
    let pid = child.id().context("unshare ended")?;
    let namespace = File::open(format!("/proc/{pid}/ns/net"))?;
    drop(stdin);
    child.wait().await?;
    Ok(namespace)
}

/// Two interfaces, one on each side, with fixed addresses.
fn pair(slot: &Slot) -> Value {
    json!({
        "cniVersion": "1.0.0",
        "name": "slipway",
        "type": "ptp",
        "ipam": {
            "type": "static",
            "addresses": [{ "address": format!("{}/30", slot.address()), "gateway": slot.gateway() }],
            "routes": [{ "dst": "0.0.0.0/0" }],
        },
    })
}

/// Calls a network plugin: <https://www.cni.dev/docs/spec/#section-2-execution-protocol>.
async fn call(config: &Config, namespace: &std::path::Path, interface: &str, settings: &Value) -> Result<()> {
    let plugin = settings["type"].as_str().unwrap_or_default();
    let mut command = Command::new(config.cni_dir.join(plugin));
    command
        .env_clear()
        .env("PATH", config.search_path())
        .env("CNI_COMMAND", "ADD")
        .env("CNI_CONTAINERID", "slipway")
        .env("CNI_NETNS", namespace)
        .env("CNI_IFNAME", interface)
        .env("CNI_PATH", &config.cni_dir);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().with_context(|| format!("start the network plugin {plugin}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(settings.to_string().as_bytes()).await?;
    }
    let output = child.wait_with_output().await?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "the network plugin {plugin}: {}", said.trim());
    Ok(())
}
