//! The registry, as its clients and its attackers see it. Each suite runs on SQLite and on PostgreSQL.

/// Runs each named test of a module on SQLite and on PostgreSQL.
macro_rules! both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                Box::pin(super::$name(super::Kind::Sqlite)).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                Box::pin(super::$name(super::Kind::Postgres)).await;
            })*
        }
    };
}

mod answer;
mod content;
mod fixture;
mod raw;
mod session;

mod clients;
mod clients_artifacts;
mod clients_copy;
mod clients_wild;
mod pages;

mod blobs;
mod deletes;
mod lists;
mod manifests;
mod manifests_bad;
mod mounts;
mod names;
mod referrers;
mod tokens;
mod uploads;
mod uploads_bad;

mod absent;
mod addresses;
mod bearers;
mod browsers;
mod conditions;
mod grants;
mod heads;
mod hosts;
mod inert;
mod limits;
mod nulls;
mod private;
mod revoked;
mod scopes;
mod sha512;

mod backups;
mod begun_bodies;
mod broken_off;
mod crash;
mod races;
mod refused_bodies;
mod slow;
mod space;
mod stalled;
