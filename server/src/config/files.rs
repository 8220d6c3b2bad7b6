//! Files that settings name: read and checked before anything starts, so that a wrong one is not found out later.

use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What `listen` speaks TLS with.
pub(super) fn tls(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, String> {
    let chain = certificates("tls.certificate", certificate, "the certificate chain")?;
    let secret = PrivateKeyDer::from_pem_file(key)
        .map_err(|e| wrong("tls.key", key, &e.to_string(), "the certificate's private key"))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, secret))
        .map(Arc::new)
        .map_err(|e| {
            let (certificate, key) = (certificate.display(), key.display());
            format!(
                "tls.certificate and tls.key: `{certificate}` and `{key}` do not go together ({e}); name the key that the certificate was made for"
            )
        })
}

/// Authorities that builds trust: each file holds at least one.
pub(super) fn authorities(key: &str, files: &[PathBuf]) -> Result<(), String> {
    let what = "certificates of authorities";
    for file in files {
        for certificate in certificates(key, file, what)? {
            RootCertStore::empty().add(certificate).map_err(|e| wrong(key, file, &e.to_string(), what))?;
        }
    }
    Ok(())
}

fn certificates(key: &str, file: &Path, what: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(found) if found.is_empty() => Err(wrong(key, file, "it holds no certificate", what)),
        Ok(found) => Ok(found),
        Err(e) => Err(wrong(key, file, &e.to_string(), what)),
    }
}

fn wrong(key: &str, file: &Path, why: &str, what: &str) -> String {
    format!("{key}: `{}` cannot be used ({why}); name a PEM file with {what}, readable by this user", file.display())
}
