//! Time as a parameter, so that a test can set it.
//!
//! No other file of the server asks the machine for the time, unless it measures how long something takes;
//! `.clippy.toml` sees to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// UTC milliseconds since 1970, as all tables hold them.
pub type Millis = i64;

pub const SECOND: Millis = 1_000;
pub const MINUTE: Millis = 60 * SECOND;
pub const HOUR: Millis = 60 * MINUTE;
pub const DAY: Millis = 24 * HOUR;

/// Where the time comes from: the machine, and in tests what they added to it. Clones stay the same clock.
#[derive(Clone, Debug, Default)]
pub struct Clock(Arc<Added>);

/// Milliseconds that a test added.
#[derive(Debug, Default)]
struct Added {
    wall: AtomicI64,
    steady: AtomicU64,
}

impl Clock {
    /// The time on the wall. It may be set, and jump either way.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine")]
    pub fn now(&self) -> Millis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is after 1970");
        let machine = Millis::try_from(since.as_millis()).expect("milliseconds fit until the year 292 million");
        machine + self.0.wall.load(Ordering::Relaxed)
    }

    /// A time that only goes on while the machine is awake, and never back.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine")]
    pub fn steady(&self) -> Instant {
        Instant::now() + Duration::from_millis(self.0.steady.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
impl Clock {
    /// Lets time pass, on the wall and by the steady clock.
    pub fn advance(&self, by: Millis) {
        self.0.wall.fetch_add(by, Ordering::Relaxed);
        self.0.steady.fetch_add(u64::try_from(by).expect("time only goes on"), Ordering::Relaxed);
    }

    /// Sets the time on the wall, as an operator does, or a machine that slept.
    pub fn set(&self, to: Millis) {
        let by = to - self.now();
        self.0.wall.fetch_add(by, Ordering::Relaxed);
    }
}

/// For sentences: `2026-11-21 12:30 UTC`.
pub fn utc(at: Millis) -> String {
    let at = time::OffsetDateTime::from_unix_timestamp(at / SECOND).unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    format!("{} {:02}:{:02} UTC", at.date(), at.hour(), at.minute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_advanced_goes_on_and_one_that_is_set_jumps() {
        let clock = Clock::default();
        let (wall, steady) = (clock.now(), clock.steady());
        clock.clone().advance(DAY);
        assert!(clock.now() - wall >= DAY && clock.steady() - steady >= Duration::from_hours(24));
        clock.set(wall);
        assert!(clock.now() - wall < MINUTE && clock.steady() - steady >= Duration::from_hours(24));
    }
}
