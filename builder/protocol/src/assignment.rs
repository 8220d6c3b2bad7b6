//! What a builder gets when it claims a build: everything it needs, and nothing that outlives the attempt.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Assignment {
    pub version: u32,
    pub attempt_id: Uuid,
    pub build_id: Uuid,
    /// `acme/web build 12`, for logs.
    pub title: String,
    /// Bearer of the calls about this attempt, and the password of its push; it ends with the attempt.
    pub attempt_token: String,
    /// Seconds until the lease ends unless a heartbeat comes.
    pub lease_secs: u64,
    /// Seconds from now after which the build is stopped as timed out.
    pub deadline_secs: u64,
    /// One BuildKit daemon, and one set of cache mounts, serves one trust domain: the repository's id, and whether the ref
    /// is a protected one.
    pub trust_domain: String,
    pub source: SourceSpec,
    pub target: Target,
    pub push: PushTarget,
    pub cache: CacheRef,
    /// Logins of upstream registries that the operator configured.
    pub logins: Vec<RegistryLogin>,
    pub mirrors: Vec<Mirror>,
    /// Hosts that `ADD` may fetch from with git.
    pub git_hosts: Vec<String>,
    /// Build secrets: id → value, base64. Mounted into steps, never in arguments.
    pub secrets: BTreeMap<String, String>,
}

/// Where the code comes from. The forge's credential is not among it: the server adds it on its side.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SourceSpec {
    pub id: Uuid,
    /// What the source is called: in provenance, materials, log and errors. Its clone URL at the forge.
    pub clone_url: String,
    /// Where git fetches it, with the attempt's token as bearer: a way through the server that ends with the attempt.
    pub fetch_url: String,
    /// The full commit hash.
    pub commit: String,
}

/// A value that must not be printed.
#[derive(Clone, Serialize, Deserialize)]
pub struct HeadersSecret(pub String);

impl std::fmt::Debug for HeadersSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// What to build; all of it comes from the rule's snapshot.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Target {
    /// Path of the Dockerfile inside the source, `docker/api.Dockerfile`.
    pub dockerfile: String,
    /// Folder inside the source that is the context; empty for the whole source.
    pub context: String,
    /// Stage to stop at.
    pub stage: Option<String>,
    pub platforms: Vec<String>,
    pub build_args: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
    pub no_cache: bool,
}

/// Where the image goes: by digest, without a tag.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PushTarget {
    /// Host and port that this builder reaches the registry by, `127.0.0.1:8080`.
    pub host: String,
    /// What people see in its place, `registry.example.com`.
    pub public_host: String,
    /// `acme/web`.
    pub repository: String,
    /// The registry answers plain http there.
    pub insecure: bool,
    /// User name for the registry's token endpoint; the password is the attempt's token.
    pub username: String,
}

/// The registry cache of this repository's refs of the same kind.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CacheRef {
    /// `buildcache/<repository id>/protected:cache` on the push host; read and written.
    pub reference: String,
    /// Caches that are read and not written.
    #[serde(default)]
    pub also_read: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RegistryLogin {
    pub host: String,
    pub username: String,
    pub password: HeadersSecret,
}

/// `docker.io` → hosts that are asked first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Mirror {
    pub host: String,
    pub mirrors: Vec<String>,
}
