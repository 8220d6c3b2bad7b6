//! Where the programs, the cache and the free ports are.

use std::{
    env,
    ffi::OsString,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU16, Ordering},
};

/// The folder that `script/bootstrap` fills; kept between runs.
pub fn cache() -> PathBuf {
    env::var_os("SLIPWAY_CACHE").map_or_else(
        || {
            let home = env::var_os("HOME").unwrap_or_else(|| "/root".into());
            Path::new(&home).join(".cache/slipway")
        },
        PathBuf::from,
    )
}

/// The folder with the programs that were built from source: BuildKit, runc, crane, cosign and others.
pub(crate) fn tools() -> PathBuf {
    cache().join("tools/bin")
}

/// A program by its name: ours from the cache first, then the machine's.
pub fn tool(name: &str) -> PathBuf {
    let own = tools().join(name);
    if own.exists() {
        return own;
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .chain(postgres_folders())
        .map(|folder| folder.join(name))
        .find(|file| file.exists())
        .unwrap_or_else(|| panic!("{name} is not installed: run script/bootstrap --test"))
}

/// Debian keeps PostgreSQL's server programs out of PATH, one folder a version.
fn postgres_folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    folders.sort();
    folders.reverse();
    folders
}

/// A program of this workspace, built beside the running test by `script/test`.
pub fn own_program(name: &str) -> PathBuf {
    if let Some(given) = env::var_os(format!("{}_BIN", name.replace('-', "_").to_uppercase())) {
        return given.into();
    }
    let test = env::current_exe().expect("a running test has a path");
    // target/debug/deps/suite-1234 → target/debug/slipway
    let folder = test.ancestors().nth(2).expect("tests run in target/debug/deps");
    let program = folder.join(name);
    assert!(program.exists(), "{} is not built: cargo build --workspace --bins", program.display());
    program
}

/// The environment that programs start from: ours, without Slipway's settings of whoever runs the tests.
pub(crate) fn environment() -> impl Iterator<Item = (OsString, OsString)> {
    env::vars_os().filter(|(name, _)| !name.to_string_lossy().starts_with("SLIPWAY_"))
}

/// A port on 127.0.0.1 where nobody listens.
///
/// Below the range that the kernel gives to outgoing connections, and each process starts elsewhere,
/// so that two test processes rarely meet.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() * 37 % 11_000).expect("below 11,000");
    for _ in 0..11_000 {
        let offset = (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 11_000;
        let port = 20_000 + offset;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port between 20000 and 31000 is free");
}
