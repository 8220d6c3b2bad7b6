//! A certificate for `localhost` and the authority that signed it, made by openssl for one test.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{paths::tool, run::Run};

/// PEM files in a folder that goes with it. The certificate names `localhost` and no address.
#[derive(Debug)]
pub struct Certificate {
    folder: TempDir,
}

impl Certificate {
    pub async fn for_localhost() -> Self {
        let made = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
        let authority = ["req", "-x509", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=An authority for tests"];
        made.openssl(&[&authority[..], &key].concat()).await;
        let leaf = ["req", "-x509", "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=localhost"];
        let signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "subjectAltName=DNS:localhost"];
        let use_only = ["-addext", "basicConstraints=critical,CA:FALSE"];
        made.openssl(&[&leaf[..], &key, &signed, &use_only].concat()).await;
        made
    }

    /// What clients must trust.
    pub fn authority(&self) -> PathBuf {
        self.path("ca.pem")
    }

    pub fn chain(&self) -> PathBuf {
        self.path("cert.pem")
    }

    pub fn key(&self) -> PathBuf {
        self.path("key.pem")
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(self.folder.path()).join(name)
    }

    async fn openssl(&self, args: &[&str]) {
        Run::new(tool("openssl")).args(args.iter().copied()).folder(self.folder.path()).output().await.ok();
    }
}
