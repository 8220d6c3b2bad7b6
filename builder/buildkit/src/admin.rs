//! Questions to a daemon outside of a build: who it is, what it can build, what it keeps, and what to throw away.

use std::collections::HashMap;
use std::time::Duration;

use bollard_buildkit_proto::moby::buildkit::v1::types::BuildkitVersion;
use bollard_buildkit_proto::moby::buildkit::v1::{
    DiskUsageRequest, InfoRequest, ListWorkersRequest, PruneRequest, UsageRecord,
};
use bollard_buildkit_proto::pb::Platform;
use tonic::transport::Channel;

use crate::client::{Client, ClientError, control};

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Info {
    /// `github.com/moby/buildkit`.
    pub package: String,
    /// `v0.33.1`.
    pub version: String,
    pub revision: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    pub id: String,
    pub labels: HashMap<String, String>,
    /// `linux/amd64`, `linux/arm/v7`.
    pub platforms: Vec<String>,
}

/// Something the daemon keeps: a layer, a source, a cache mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheRecord {
    pub id: String,
    pub kind: String,
    pub description: String,
    pub size_bytes: u64,
    pub in_use: bool,
    pub shared: bool,
    pub uses: u64,
    /// UTC milliseconds since 1970.
    pub last_used_at: Option<i64>,
}

/// Zeroes set no bound. With everything at its default only dangling records go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PruneOptions {
    /// `type==source.local`, `id~=…`; any of them.
    pub filters: Vec<String>,
    pub all: bool,
    /// Keeps what was used within this time.
    pub keep_for: Duration,
    pub reserved_bytes: u64,
    pub max_used_bytes: u64,
    pub min_free_bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pruned {
    pub records: u64,
    pub bytes: u64,
}

impl Client {
    /// Asks the daemon again who it is; also a health check.
    pub async fn info(&self) -> Result<Info, ClientError> {
        info(self.channel()).await
    }

    pub async fn list_workers(&self) -> Result<Vec<Worker>, ClientError> {
        let reply = self.control().list_workers(ListWorkersRequest { filter: Vec::new() }).await?;
        let worker = |record: bollard_buildkit_proto::moby::buildkit::v1::types::WorkerRecord| Worker {
            id: record.id,
            labels: record.labels,
            platforms: record.platforms.iter().map(platform).collect(),
        };
        Ok(reply.into_inner().record.into_iter().map(worker).collect())
    }

    pub async fn disk_usage(&self, filters: &[String]) -> Result<Vec<CacheRecord>, ClientError> {
        let request = DiskUsageRequest { filter: filters.to_vec(), age_limit: 0 };
        let reply = self.control().disk_usage(request).await?;
        Ok(reply.into_inner().record.into_iter().map(CacheRecord::from).collect())
    }

    /// Throws away what `options` does not keep. Records in use stay.
    pub async fn prune(&self, options: PruneOptions) -> Result<Pruned, ClientError> {
        let request = PruneRequest {
            filter: options.filters,
            all: options.all,
            keep_duration: i64::try_from(options.keep_for.as_nanos()).unwrap_or(i64::MAX),
            reserved_space: signed(options.reserved_bytes),
            max_used_space: signed(options.max_used_bytes),
            min_free_space: signed(options.min_free_bytes),
        };
        let mut records = self.control().prune(request).await?.into_inner();
        let mut pruned = Pruned::default();
        while let Some(record) = records.message().await? {
            pruned.records += 1;
            pruned.bytes += unsigned(record.size);
        }
        Ok(pruned)
    }
}

pub(crate) async fn info(channel: Channel) -> Result<Info, ClientError> {
    let reply = control(channel).info(InfoRequest {}).await?;
    let BuildkitVersion { package, version, revision } = reply.into_inner().buildkit_version.unwrap_or_default();
    Ok(Info { package, version, revision })
}

impl From<UsageRecord> for CacheRecord {
    fn from(record: UsageRecord) -> Self {
        Self {
            id: record.id,
            kind: record.record_type,
            description: record.description,
            size_bytes: unsigned(record.size),
            in_use: record.in_use,
            shared: record.shared,
            uses: unsigned(record.usage_count),
            last_used_at: record.last_used_at.map(|at| crate::steps::millis(&at)),
        }
    }
}

fn platform(platform: &Platform) -> String {
    let Platform { os, architecture, variant, .. } = platform;
    if variant.is_empty() { format!("{os}/{architecture}") } else { format!("{os}/{architecture}/{variant}") }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
