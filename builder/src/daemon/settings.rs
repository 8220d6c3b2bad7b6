//! The configuration file of one BuildKit daemon.

use super::cgroup::Steps;
use super::slots::Slot;
use crate::config::{Config, GcSizes};
use slipway_protocol::Assignment;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use toml::{Table, Value, toml};
use url::Url;

/// How a daemon reaches registries. A daemon keeps what it was started with, so a change means another start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Registries {
    /// Host → hosts that are asked first.
    mirrors: BTreeMap<String, Vec<String>>,
    /// Hosts that answer plain http.
    plain: BTreeSet<String>,
    /// Hosts that were said to speak https: BuildKit would take plain http for those on loopback.
    secure: BTreeSet<String>,
    /// All of them that a daemon must reach wherever they listen, on this machine's loopback too.
    needed: BTreeSet<String>,
}

impl Registries {
    /// Mirrors are host names, or URLs where one answers plain http.
    pub(crate) fn of(assignment: &Assignment) -> Self {
        let mut registries = Self::default();
        for mirror in &assignment.mirrors {
            let hosts = mirror.mirrors.iter().map(|url| registries.host(url)).collect();
            registries.mirrors.insert(mirror.host.clone(), hosts);
        }
        let push = &assignment.push;
        if push.insecure {
            registries.plain.insert(push.host.clone());
        } else {
            registries.secure.insert(push.host.clone());
        }
        if push.public_host != push.host && !push.public_host.is_empty() {
            // `FROM` names the public host; from here the registry is reached by another.
            let mirror = vec![push.host.clone()];
            registries.mirrors.entry(push.public_host.clone()).or_insert(mirror);
        }
        let logins = assignment.logins.iter().map(|login| &login.host);
        let mirrors = registries.mirrors.values().flatten();
        let needed: Vec<_> = logins.chain(mirrors).chain([&push.host, &push.public_host]).cloned().collect();
        registries.needed = needed.into_iter().map(|host| registries.with_port(host)).collect();
        registries
    }

    /// `host:port` of all that builds need, proxies of the environment included.
    pub(super) fn needed(&self) -> Vec<String> {
        // `NO_PROXY` is no URL, and no more are the other names.
        let proxies = crate::trust::PASSED_ON.iter().filter_map(|name| {
            let url = Url::parse(&std::env::var(name).ok()?).ok()?;
            Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
        });
        self.needed.iter().cloned().chain(proxies).collect()
    }

    fn with_port(&self, host: String) -> String {
        let name = host.rsplit(']').next().unwrap_or_default();
        match (name.contains(':'), self.plain.contains(&host)) {
            (true, _) => host,
            (false, true) => host + ":80",
            (false, false) => host + ":443",
        }
    }

    fn host(&mut self, url: &str) -> String {
        let (scheme, host) = url.split_once("://").unwrap_or(("", url));
        let host = host.trim_end_matches('/').to_owned();
        match scheme {
            "http" => self.plain.insert(host.clone()),
            "https" => self.secure.insert(host.clone()),
            _ => false,
        };
        host
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        let entry = |table: &mut Table, host: &String, key: &str, value: Value| {
            let slot = table.entry(host.clone()).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(slot) = slot {
                slot.insert(key.to_owned(), value);
            }
        };
        for (host, mirrors) in &self.mirrors {
            entry(&mut table, host, "mirrors", Value::from(mirrors.clone()));
        }
        for (hosts, plain) in [(&self.plain, true), (&self.secure, false)] {
            for host in hosts {
                entry(&mut table, host, "http", Value::Boolean(plain));
            }
        }
        table
    }
}

/// `buildkitd.toml`.
pub(super) fn text(
    config: &Config,
    slot: &Slot,
    steps: Option<&Steps>,
    root: &Path,
    registries: &Registries,
) -> String {
    let mut all = toml! {
        "insecure-entitlements" = []

        [history]
        maxAge = 172_800
        maxEntries = 20

        [frontend."gateway.v0"]
        enabled = false

        [worker.containerd]
        enabled = false
    };
    all.insert("root".to_owned(), display(root));
    all.insert("registry".to_owned(), Value::Table(registries.table()));
    if let Some(Value::Table(worker)) = all.get_mut("worker") {
        worker.insert("oci".to_owned(), Value::Table(worker_table(config, slot, steps)));
    }
    all.to_string()
}

fn worker_table(config: &Config, slot: &Slot, steps: Option<&Steps>) -> Table {
    let mut worker = toml! {
        enabled = true
        gc = true
        networkMode = "bridge"
    };
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    let parallel = i64::try_from(processors.max(2)).unwrap_or(i64::MAX);
    worker.insert("max-parallelism".to_owned(), Value::Integer(parallel));
    // The daemon's network namespace is its own, so the name is taken by nobody.
    worker.insert("bridgeName".to_owned(), Value::String("slipway".to_owned()));
    worker.insert("bridgeSubnet".to_owned(), Value::String(slot.subnet()));
    worker.insert("cniBinaryPath".to_owned(), display(&config.cni_dir));
    if let Some(runc) = config.program("runc") {
        worker.insert("binary".to_owned(), display(&runc));
    }
    if let Some(steps) = steps {
        worker.insert("defaultCgroupParent".to_owned(), Value::String(steps.path()));
    }
    worker.insert("gcpolicy".to_owned(), gc_policies(&config.gc));
    worker
}

/// What can be had again easily goes first; then everything, by age.
fn gc_policies(gc: &GcSizes) -> Value {
    let bytes = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let (reserved, max_used, min_free) = (bytes(gc.reserved), bytes(gc.max_used), bytes(gc.min_free));
    let easy = toml! {
        filters = ["type==source.local,type==exec.cachemount,type==source.git.checkout"]
        keepDuration = "48h"
    };
    let mut all = toml! {
        all = true
    };
    all.insert("reservedSpace".to_owned(), Value::Integer(reserved));
    let mut easy = easy;
    for policy in [&mut easy, &mut all] {
        policy.insert("maxUsedSpace".to_owned(), Value::Integer(max_used));
        policy.insert("minFreeSpace".to_owned(), Value::Integer(min_free));
    }
    Value::Array(vec![Value::Table(easy), Value::Table(all)])
}

fn display(path: &Path) -> Value {
    Value::String(path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn written(registries: &Registries) -> Table {
        let dir = tempfile::tempdir().unwrap();
        let network = Ipv4Addr::new(10, 182, 0, 0);
        let slot = Slot::take(dir.path(), network, Path::new("a")).unwrap();
        let config = Config::new(Url::parse("http://127.0.0.1:1").unwrap(), "t", dir.path());
        text(&config, &slot, None, Path::new("/state/root"), registries).parse().unwrap()
    }

    #[test]
    fn a_daemon_gives_builds_no_more_than_a_network_of_their_own() {
        let all = written(&Registries::default());
        assert_eq!(all["insecure-entitlements"].as_array().unwrap().len(), 0);
        assert_eq!(all["frontend"]["gateway.v0"]["enabled"].as_bool(), Some(false));
        let worker = &all["worker"]["oci"];
        assert_eq!(worker["networkMode"].as_str(), Some("bridge"));
        assert_eq!(worker["bridgeName"].as_str(), Some("slipway"));
        assert_eq!(worker["bridgeSubnet"].as_str(), Some("10.182.0.0/25"));
        assert_eq!(worker["gcpolicy"].as_array().unwrap().len(), 2);
        assert_eq!(all["worker"]["containerd"]["enabled"].as_bool(), Some(false));
    }

    #[test]
    fn a_host_without_a_port_has_the_one_of_its_protocol() {
        let mut registries = Registries::default();
        registries.host("http://mirror.example");
        let with_port = |host: &str| registries.with_port(host.to_owned());
        assert_eq!(with_port("mirror.example"), "mirror.example:80");
        assert_eq!(with_port("registry.example"), "registry.example:443");
        assert_eq!(with_port("[::1]"), "[::1]:443");
        assert_eq!(with_port("[::1]:5000"), "[::1]:5000");
        assert_eq!(with_port("localhost:8080"), "localhost:8080");
    }

    #[test]
    fn mirrors_may_be_plain_http() {
        let mut registries = Registries::default();
        let host = registries.host("http://mirror.example:5000/");
        registries.mirrors.insert("docker.io".to_owned(), vec![host]);
        registries.host("https://localhost:5001");
        let all = written(&registries);
        assert_eq!(all["registry"]["localhost:5001"]["http"].as_bool(), Some(false));
        let mirrors = all["registry"]["docker.io"]["mirrors"].as_array().unwrap();
        assert_eq!(mirrors[0].as_str(), Some("mirror.example:5000"));
        assert_eq!(all["registry"]["mirror.example:5000"]["http"].as_bool(), Some(true));
    }
}
