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
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

/// What all of it may take: plugins and name servers may hang, and whoever builds in this namespace waits.
const PATIENCE: Duration = Duration::from_secs(30);
/// Turns IPv6 off for interfaces that are made from then on.
const IPV6_OFF: &str = "/proc/sys/net/ipv6/conf/default/disable_ipv6";
/// How often it is looked whether the daemon before is gone.
const PAUSE: Duration = Duration::from_millis(50);

pub(super) struct Network {
    namespace: File,
    pub(super) slot: Slot,
    _relay: Relay,
}

impl Network {
    /// Makes the namespace with loopback, a way out and relays to `hosts` (`host:port`) where they are on loopback.
    pub(super) async fn start(config: &Config, slot: Slot, hosts: &[String]) -> Result<Self> {
        let subnet = slot.subnet();
        let made = tokio::time::timeout(PATIENCE, Self::make(config, slot, hosts)).await;
        made.unwrap_or_else(|_| bail!("the network {subnet} was not there after {} s", PATIENCE.as_secs()))
    }

    async fn make(config: &Config, slot: Slot, hosts: &[String]) -> Result<Self> {
        // The plugin takes the route of a daemon that is just dying for its own, and it goes with that one.
        while has_route(slot.address()) {
            tokio::time::sleep(PAUSE).await;
        }
        let namespace = unshared(Path::new(IPV6_OFF)).await.context("make a network namespace")?;
        let path = path_of(&namespace);
        call(config, &path, "lo", &json!({ "cniVersion": "1.0.0", "name": "slipway", "type": "loopback" })).await?;
        call(config, &path, "eth0", &pair(&slot)).await?;
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

/// Whether this machine has a route to that one host.
fn has_route(host: Ipv4Addr) -> bool {
    // Columns: interface, destination, gateway, …; numbers are hexadecimal, in the machine's byte order.
    let destination = format!("{:08X}", u32::from_ne_bytes(host.octets()));
    let table = std::fs::read_to_string("/proc/net/route").unwrap_or_default();
    table.lines().any(|line| line.split_ascii_whitespace().nth(1) == Some(destination.as_str()))
}

/// A new namespace, which lives as long as the file or anything inside. Its interfaces, loopback apart, have no IPv6:
/// nothing there would keep builds from the metadata service of a cloud. `ipv6` is the kernel's switch; one without
/// IPv6 has none.
async fn unshared(ipv6: &Path) -> Result<File> {
    let mut command = Command::new("unshare");
    let script = r#"[ ! -e "$1" ] || echo 1 2>/dev/null >"$1" || { echo no; exit; }; exec cat"#;
    command
        .args(["--net", "--", "sh", "-c", script, "sh"])
        .arg(ipv6)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().context("start unshare")?;
    let (Some(mut stdin), Some(mut stdout)) = (child.stdin.take(), child.stdout.take()) else {
        bail!("unshare has no pipes");
    };
    // What comes back comes from inside.
    let mut said = [0];
    let _ended_early = stdin.write_all(b"x").await;
    stdout.read_exact(&mut said).await.context("unshare --net was refused")?;
    ensure!(said == *b"x", "IPv6 cannot be turned off there: {} cannot be written", ipv6.display());
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
async fn call(config: &Config, namespace: &Path, interface: &str, settings: &Value) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn there_is_no_network_where_ipv6_stays_on() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let closed = tempfile::tempdir().unwrap();
        let refused = unshared(closed.path()).await.unwrap_err().to_string();
        assert!(refused.contains("IPv6 cannot be turned off"), "{refused}");
        let switch = closed.path().join("disable_ipv6");
        unshared(&switch).await.unwrap();
        assert!(!switch.exists(), "a kernel without IPv6 has no switch");
        std::fs::write(&switch, "0").unwrap();
        unshared(&switch).await.unwrap();
        assert_eq!(std::fs::read_to_string(&switch).unwrap(), "1\n");
    }
}
