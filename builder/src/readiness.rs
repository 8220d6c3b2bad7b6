//! What this machine can build, and what stands in the way.

use crate::config::Config;
use std::path::Path;

/// Plugins that make a daemon's network, and those that BuildKit calls for its RUN steps.
const PLUGINS: &[&str] = &["bridge", "firewall", "host-local", "loopback", "ptp", "static"];

/// Why builds cannot run now, with a remedy; `None` when they can.
pub(crate) fn unable(config: &Config) -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("the builder does not run as root, which BuildKit needs here: start it as root".to_owned());
    }
    let missing = |program: &&str| config.program(program).is_none();
    if let Some(program) = ["buildkitd", "runc"].iter().find(|program| missing(program)) {
        return Some(format!(
            "BuildKit is not complete: `{program}` was not found; run script/bootstrap, or name its folder: `buildkit.bin_dir`, or `--bin-dir` of slipway-builder"
        ));
    }
    let programs = ["git", "mount", "nsenter", "setpriv", "unshare", "prlimit", "iptables"];
    if let Some(program) = programs.iter().find(|program| missing(program)) {
        return Some(format!("`{program}` was not found: install git, util-linux and iptables"));
    }
    let absent = |plugin: &&&str| !config.cni_dir.join(plugin).is_file();
    if let Some(plugin) = PLUGINS.iter().find(absent) {
        return Some(format!(
            "the network plugin `{plugin}` is not in {}: install containernetworking-plugins, or name their folder: `buildkit.cni_bin_dir`, or `--cni-dir` of slipway-builder",
            config.cni_dir.display()
        ));
    }
    low_space(config)
}

fn low_space(config: &Config) -> Option<String> {
    let free = free_bytes(&config.work_dir)?;
    (free < config.min_free_bytes).then(|| {
        format!(
            "only {} are free in {}, and builds need {}: free some space",
            size(free),
            config.work_dir.display(),
            size(config.min_free_bytes)
        )
    })
}

pub(crate) fn free_bytes(dir: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(dir).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

fn size(bytes: u64) -> String {
    let tenths = bytes / ((1 << 30) / 10);
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}

/// Platforms that run here: the processor's own, and those that the kernel emulates (`binfmt_misc`).
pub(crate) fn platforms() -> Vec<String> {
    let own: &[&str] = match std::env::consts::ARCH {
        "x86_64" => &["linux/amd64", "linux/386"],
        "aarch64" => &["linux/arm64"],
        "arm" => &["linux/arm/v7"],
        "riscv64" => &["linux/riscv64"],
        "powerpc64" => &["linux/ppc64le"],
        "s390x" => &["linux/s390x"],
        _ => &[],
    };
    let emulated = [
        ("qemu-x86_64", "linux/amd64"),
        ("qemu-aarch64", "linux/arm64"),
        ("qemu-arm", "linux/arm/v7"),
        ("qemu-riscv64", "linux/riscv64"),
        ("qemu-ppc64le", "linux/ppc64le"),
        ("qemu-s390x", "linux/s390x"),
    ];
    let mut all: Vec<String> = own.iter().map(|name| (*name).to_owned()).collect();
    for (entry, platform) in emulated {
        let file = format!("/proc/sys/fs/binfmt_misc/{entry}");
        let on = std::fs::read_to_string(file).is_ok_and(|text| text.starts_with("enabled"));
        if on && !all.iter().any(|known| known == platform) {
            all.push(platform.to_owned());
        }
    }
    all
}
