//! One server at a time migrates a PostgreSQL database.
//!
//! The migrator lists what is pending once, and some migrations go in steps: two of them at once would do each other's work
//! twice. An SQLite database belongs to one data folder, which has a lock of its own.

use crate::error::{Error, Result};
use sea_orm::sqlx::{self, Connection as _, PgConnection};
use std::time::Duration;

/// The lock's number, of the database: "slipway" in letters.
const KEY: i64 = 0x73_6c_69_70_77_61_79;
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(250);
/// Tries between two lines of the log: a minute.
const QUIET: u32 = 240;

/// Held by whoever migrates. The database takes it back when the connection ends, however the server ends.
pub struct Turn(Option<PgConnection>);

impl Turn {
    /// Waits until no other server migrates the database at `url`, however long that takes, and says so.
    pub async fn take(url: &str) -> Result<Self> {
        if !url.starts_with("postgres") {
            return Ok(Self(None));
        }
        // A connection of its own: a pool would end it as idle during a long migration.
        let mut connection = PgConnection::connect(url).await.map_err(opening)?;
        // As would the database. Versions before 14 do not know the setting.
        sqlx::query("SET idle_session_timeout = 0").execute(&mut connection).await.ok();
        let mut tries = 0_u32;
        while !is_taken(&mut connection).await? {
            if tries.is_multiple_of(QUIET) {
                tracing::info!("another server migrates this database: waiting until it is done");
            }
            tries += 1;
            tokio::time::sleep(PAUSE).await;
        }
        Ok(Self(Some(connection)))
    }

    /// Lets the next one begin.
    pub async fn end(self) {
        if let Some(connection) = self.0 {
            // What went wrong does not matter: without its connection nobody has the lock.
            connection.close().await.ok();
        }
    }
}

/// Tries, in place of waiting: a statement that waits holds a snapshot, and `CREATE INDEX CONCURRENTLY` waits for those.
async fn is_taken(connection: &mut PgConnection) -> Result<bool> {
    let asked = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(KEY).fetch_one(connection);
    asked.await.map_err(opening)
}

fn opening(error: sqlx::Error) -> Error {
    Error::internal("waiting for the turn to migrate the database", error)
}
