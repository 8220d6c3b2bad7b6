//! Time as a parameter, so that a test can set it.

use std::time::{SystemTime, UNIX_EPOCH};

/// UTC milliseconds since 1970, as all tables hold them.
pub type Millis = i64;

pub const SECOND: Millis = 1_000;
pub const MINUTE: Millis = 60 * SECOND;
pub const HOUR: Millis = 60 * MINUTE;
pub const DAY: Millis = 24 * HOUR;

/// Where the time comes from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock;

impl Clock {
    #[expect(clippy::unused_self, reason = "callers hold the clock, so that it can be another one")]
    pub fn now(self) -> Millis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is after 1970");
        Millis::try_from(since.as_millis()).expect("milliseconds fit until the year 292 million")
    }
}

/// For sentences: `2026-11-21 12:30 UTC`.
pub fn utc(at: Millis) -> String {
    let at = time::OffsetDateTime::from_unix_timestamp(at / SECOND).unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    format!("{} {:02}:{:02} UTC", at.date(), at.hour(), at.minute())
}
