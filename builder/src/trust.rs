//! The certificate authorities that git and the daemons trust: the system's and the operator's.

use crate::config::Config;
use anyhow::{Context, Result};
use std::path::PathBuf;

/// The bundle's name inside the work folder; written only where the operator names authorities.
pub(crate) const BUNDLE: &str = "ca-bundle.pem";

/// What git and the daemons get from the builder's own environment, beside `PATH`.
pub(crate) const PASSED_ON: &[&str] = &[
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
    "TZ",
];

const SYSTEM: &[&str] =
    &["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Writes the bundle and gives its path.
pub(crate) fn write_bundle(config: &Config) -> Result<Option<PathBuf>> {
    let file = config.work_dir.join(BUNDLE);
    if config.ca_files.is_empty() {
        let _ = std::fs::remove_file(&file);
        return Ok(None);
    }
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let system = named.into_iter().chain(SYSTEM.iter().map(PathBuf::from)).find_map(|path| std::fs::read(path).ok());
    let mut bundle = system.unwrap_or_default();
    for path in &config.ca_files {
        let pem = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
        bundle.push(b'\n');
        bundle.extend(pem);
    }
    std::fs::write(&file, bundle).with_context(|| format!("write {}", file.display()))?;
    Ok(Some(file))
}
