//! What a build is asked to do.

use std::collections::BTreeMap;

use crate::filesync::{Limits, LocalDir};
use crate::session::{Credentials, Secrets};

/// One solve. The caller writes the frontend's attributes; nothing is added to them but `cache-imports`.
#[derive(Debug, Clone)]
pub struct BuildRequest {
    /// The name of the build at the daemon; empty for a random one. Must be unique there.
    pub reference: String,
    pub frontend: String,
    /// `filename`, `target`, `platform`, `build-arg:…`, `label:…`, `attest:provenance`, ….
    pub frontend_attrs: BTreeMap<String, String>,
    /// The directories that the daemon may read, by the name it asks for (`context`, `dockerfile`).
    pub local_dirs: BTreeMap<String, LocalDir>,
    pub limits: Limits,
    /// Builds with the same key send only what changed since the last one.
    pub shared_key: String,
    pub exports: Vec<Export>,
    pub cache_imports: Vec<CacheOption>,
    pub cache_exports: Vec<CacheOption>,
    pub secrets: Secrets,
    pub credentials: Credentials,
    pub entitlements: Vec<String>,
    /// What the build may fetch; without a rule that fits, anything. Of those that fit, the last one counts.
    pub source_rules: Vec<SourceRule>,
}

impl Default for BuildRequest {
    fn default() -> Self {
        Self {
            reference: String::new(),
            frontend: "dockerfile.v0".to_owned(),
            frontend_attrs: BTreeMap::new(),
            local_dirs: BTreeMap::new(),
            limits: Limits::default(),
            shared_key: String::new(),
            exports: Vec::new(),
            cache_imports: Vec::new(),
            cache_exports: Vec::new(),
            secrets: Secrets::default(),
            credentials: Credentials::default(),
            entitlements: Vec::new(),
            source_rules: Vec::new(),
        }
    }
}

/// Where a result goes: `image` with `name`, `push`, `push-by-digest`, ….
///
/// Exporters that send files to the client (`local`, `tar`, `oci`) are not offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    pub kind: String,
    pub attrs: BTreeMap<String, String>,
}

/// A cache to read or write: `registry` with `ref`, `mode`, ….
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheOption {
    pub kind: String,
    pub attrs: BTreeMap<String, String>,
}

/// A rule about sources, by a regular expression of Go: `^http://127\\.`, `^docker-image://`.
///
/// Whatever git fetches has an identifier that begins with `git://`, however its address was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceRule {
    Deny(String),
    Allow(String),
}
