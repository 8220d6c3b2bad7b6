//! What builds need on this machine: BuildKit, runc, network plugins, git, root, platforms.

use super::Finding;
use crate::config::Config;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::process::Command;

type Version = (u32, u32, u32);

/// BuildKit before this lets a malicious frontend write outside of its root (CVE-2026-33747).
const BUILDKIT_SAFE: Version = (0, 28, 1);
const PLUGINS: [&str; 6] = ["bridge", "firewall", "host-local", "loopback", "ptp", "static"];

pub(super) async fn look(config: &Config) -> Vec<Finding> {
    if config.builder.is_none() {
        let text =
            "there is no builder, so this is a registry only (`builder.embedded` is false, `builder.tokens` is empty)";
        return vec![Finding::ok("builds", text)];
    }
    if !config.builder.embedded {
        return vec![Finding::ok("builds", "run on builders elsewhere (`builder.embedded` is false)")];
    }
    let mut findings = vec![root()];
    findings.push(buildkit(config).await);
    findings.push(runc(config).await);
    findings.push(plugins(&config.builder.cni_bin_dir));
    findings.push(program("iptables", "install it: builds get their network by it"));
    findings.push(program("git", "install it: the builder fetches commits with it"));
    for name in ["unshare", "nsenter", "mount", "setpriv", "prlimit"] {
        findings.push(program(name, "install `util-linux`: the builder shuts builds in with it"));
    }
    findings.push(bounds());
    findings.push(platforms());
    findings
}

/// Without cgroups one step may take all memory and all processes of the machine.
fn bounds() -> Finding {
    const WHAT: &str = "cgroups";
    match slipway_builder::missing_bounds() {
        None => Finding::ok(WHAT, "bound the memory and the processes of RUN steps"),
        Some(why) => Finding::warn(
            WHAT,
            format!("RUN steps have no bound of memory and processes: {why}"),
            "mount cgroups writable with the controllers `memory` and `pids`, or bound the container or machine that builds",
        ),
    }
}

fn root() -> Finding {
    if rustix::process::geteuid().is_root() {
        return Finding::ok("root", "this is root, as BuildKit needs it");
    }
    Finding::fail(
        "root",
        "this is not root, and the embedded builder needs it",
        "run the server as root, or set `builder.embedded = false` and run `slipway-builder` elsewhere",
    )
}

/// A program in `dir`, or in `PATH`.
fn find(dir: Option<&Path>, name: &str) -> Option<PathBuf> {
    let places: Vec<PathBuf> = match dir {
        Some(dir) => vec![dir.to_owned()],
        None => std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
            .collect(),
    };
    places.into_iter().map(|place| place.join(name)).find(|file| file.is_file())
}

fn program(name: &'static str, remedy: &str) -> Finding {
    match find(None, name) {
        Some(path) => Finding::ok(name, path.display().to_string()),
        None => Finding::fail(name, "is not in `PATH`", remedy),
    }
}

async fn version_of(path: &Path) -> Option<Version> {
    let output = tokio::time::timeout(Duration::from_secs(5), Command::new(path).arg("--version").output()).await;
    parse_version(&String::from_utf8_lossy(&output.ok()?.ok()?.stdout))
}

/// The first `1.2.3` of a text; a leading `v` and what follows the numbers do not matter.
fn parse_version(text: &str) -> Option<Version> {
    text.split_whitespace().find_map(|word| {
        let mut numbers = word.trim_start_matches('v').splitn(3, '.');
        let major = numbers.next()?.parse().ok()?;
        let minor = numbers.next()?.parse().ok()?;
        let rest = numbers.next()?;
        let patch: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Some((major, minor, patch.parse().ok()?))
    })
}

async fn buildkit(config: &Config) -> Finding {
    const WHAT: &str = "BuildKit";
    let remedy = "install BuildKit 0.28.1 or newer and set `buildkit.bin_dir` to the folder of `buildkitd`";
    let Some(path) = find(config.builder.buildkit_bin_dir.as_deref(), "buildkitd") else {
        return Finding::fail(WHAT, "`buildkitd` is not there", remedy);
    };
    match version_of(&path).await {
        None => Finding::warn(WHAT, format!("{} does not tell its version", path.display()), remedy),
        Some(v) if v < BUILDKIT_SAFE => {
            Finding::warn(WHAT, format!("{} is {}, with known escapes", path.display(), show(v)), remedy)
        }
        Some(v) => Finding::ok(WHAT, format!("{} is {}", path.display(), show(v))),
    }
}

/// Container escapes of November 2025 (CVE-2025-31133, -52565, -52881) are closed in 1.2.8, 1.3.3 and 1.4.
fn has_known_escapes(runc: Version) -> bool {
    match runc {
        (1, 2, patch) => patch < 8,
        (1, 3, patch) => patch < 3,
        other => other < (1, 2, 0),
    }
}

async fn runc(config: &Config) -> Finding {
    const WHAT: &str = "runc";
    let remedy = "install runc 1.2.8, 1.3.3 or newer beside `buildkitd`";
    let dir = config.builder.buildkit_bin_dir.as_deref();
    // BuildKit's own releases bring runc under a name of their own.
    let path = ["buildkit-runc", "runc"].into_iter().find_map(|name| find(dir, name));
    let Some(path) = path.or_else(|| find(None, "runc")) else {
        return Finding::fail(WHAT, "`runc` is not there", remedy);
    };
    match version_of(&path).await {
        None => Finding::warn(WHAT, format!("{} does not tell its version", path.display()), remedy),
        Some(v) if has_known_escapes(v) => Finding::warn(
            WHAT,
            format!(
                "{} is {}, out of which builds can break (CVE-2025-31133, -52565, -52881)",
                path.display(),
                show(v)
            ),
            remedy,
        ),
        Some(v) => Finding::ok(WHAT, format!("{} is {}", path.display(), show(v))),
    }
}

fn show((major, minor, patch): Version) -> String {
    format!("{major}.{minor}.{patch}")
}

fn plugins(dir: &Path) -> Finding {
    let missing: Vec<&str> = PLUGINS.into_iter().filter(|name| !dir.join(name).is_file()).collect();
    if missing.is_empty() {
        return Finding::ok("CNI plugins", format!("{} has them all", dir.display()));
    }
    Finding::fail(
        "CNI plugins",
        format!("{} lacks {}", dir.display(), missing.join(", ")),
        "install the package `containernetworking-plugins`, or set `buildkit.cni_bin_dir`",
    )
}

/// This machine's own platform, and those that `binfmt_misc` hands to an emulator.
fn platforms() -> Finding {
    let native = match std::env::consts::ARCH {
        "x86_64" => "linux/amd64",
        "aarch64" => "linux/arm64",
        other => other,
    };
    let emulated = std::fs::read_dir("/proc/sys/fs/binfmt_misc").into_iter().flatten().flatten();
    let emulated: Vec<String> =
        emulated.filter_map(|entry| entry.file_name().to_str()?.strip_prefix("qemu-").map(str::to_owned)).collect();
    if emulated.is_empty() {
        return Finding::ok(
            "platforms",
            format!("{native}; others need emulators (`docker run --privileged tonistiigi/binfmt --install all`)"),
        );
    }
    Finding::ok("platforms", format!("{native}, and by emulation {}", emulated.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_print() {
        for (text, expected) in [
            ("buildkitd github.com/moby/buildkit v0.28.1 1a2b3c", Some((0, 28, 1))),
            ("runc version 1.3.3+ds1\ncommit: x", Some((1, 3, 3))),
            ("runc version 1.1.5~rc.1-dirty", Some((1, 1, 5))),
            ("no version at all", None),
        ] {
            assert_eq!(parse_version(text), expected, "{text}");
        }
    }

    #[test]
    fn old_runcs_have_known_escapes() {
        for bad in [(1, 0, 0), (1, 1, 15), (1, 2, 7), (1, 3, 2)] {
            assert!(has_known_escapes(bad), "{bad:?}");
        }
        for good in [(1, 2, 8), (1, 3, 3), (1, 4, 0), (2, 0, 0)] {
            assert!(!has_known_escapes(good), "{good:?}");
        }
    }
}
