//! Small facts that many pages show: states, signatures, times, people.

use super::filters::size_text;
use std::borrow::Cow;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

/// The state of a build or a step. Each has its own word and its own shape, so colour is never alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Queued,
    Running,
    Succeeded,
    PartlyFailed,
    Failed,
    Cancelled,
    TimedOut,
    Skipped,
}

impl State {
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "Queued",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::PartlyFailed => "Some platforms failed",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
            Self::TimedOut => "Timed out",
            Self::Skipped => "Skipped",
        }
    }

    /// For `data-state` and tests.
    pub fn key(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::PartlyFailed => "partly_failed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
            Self::Skipped => "skipped",
        }
    }

    pub fn icon(self) -> &'static str {
        match self {
            Self::Queued => "clock-16",
            Self::Running => "",
            Self::Succeeded => "check-circle-fill-16",
            Self::PartlyFailed => "alert-fill-16",
            Self::Failed => "x-circle-fill-16",
            Self::Cancelled => "stop-16",
            Self::TimedOut => "stopwatch-16",
            Self::Skipped => "skip-16",
        }
    }

    pub fn class(self) -> &'static str {
        match self {
            Self::Succeeded => "st-ok",
            Self::Failed | Self::TimedOut => "st-bad",
            Self::Running | Self::PartlyFailed => "st-run",
            Self::Queued | Self::Cancelled | Self::Skipped => "st-off",
        }
    }

    /// It ended, and not as it should.
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Failed | Self::TimedOut)
    }

    /// Queued or running: the page changes by itself.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }

    /// The mark on the tab's icon.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Queued | Self::Running => "running",
            Self::Succeeded => "succeeded",
            _ => "failed",
        }
    }
}

/// What is known about an image's signature. "Verified" comes only from a verification that ran.
#[derive(Debug, Clone)]
pub enum Signature {
    Verified {
        key: String,
        checked: When,
    },
    /// By a key of ours that counts no longer.
    Revoked {
        key: String,
        checked: When,
    },
    /// Signed here, for another repository; empty when it is not known for which.
    Elsewhere {
        name: String,
        checked: When,
    },
    /// By nobody's key that is known here.
    Untrusted {
        checked: When,
    },
    NotSigned,
    /// A build made and signed it, and the signature is gone.
    Lost {
        checked: When,
    },
    CouldNotCheck {
        reason: String,
    },
}

impl Signature {
    pub fn word(&self) -> Cow<'static, str> {
        match self {
            Self::Verified { .. } => "Verified".into(),
            Self::Revoked { .. } => "Signed by a revoked key".into(),
            Self::Elsewhere { name, .. } if name.is_empty() => "Signed here for another repository".into(),
            Self::Elsewhere { name, .. } => format!("Signed here for {name}").into(),
            Self::Untrusted { .. } => "Signed, key not trusted".into(),
            Self::NotSigned => "Not signed".into(),
            Self::Lost { .. } => "Signature removed".into(),
            Self::CouldNotCheck { .. } => "Could not check".into(),
        }
    }

    pub fn icon(&self) -> &'static str {
        match self {
            Self::Verified { .. } => "verified-16",
            Self::Untrusted { .. } | Self::Revoked { .. } | Self::Elsewhere { .. } => "key-asterisk-16",
            Self::NotSigned | Self::Lost { .. } => "unverified-16",
            Self::CouldNotCheck { .. } => "question-16",
        }
    }

    pub fn class(&self) -> &'static str {
        match self {
            Self::Verified { .. } => "st-ok",
            Self::Revoked { .. } | Self::Elsewhere { .. } | Self::Lost { .. } => "st-bad",
            Self::Untrusted { .. } => "st-run",
            Self::NotSigned | Self::CouldNotCheck { .. } => "st-off",
        }
    }
}

/// A moment, written as "3 hours ago" when the page is made and kept right by the browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When {
    pub iso: String,
    pub ago: String,
    /// It came lately: to a browser whose clock is behind ours it is no future.
    pub recent: bool,
    /// `2026-11-20 18:40 UTC`.
    pub exact: String,
}

impl When {
    pub fn new(at: OffsetDateTime, now: OffsetDateTime) -> Self {
        let utc = at.to_offset(time::UtcOffset::UTC);
        let exact = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
        let bare = utc.replace_nanosecond(0).unwrap_or(utc);
        let secs = (now - at).whole_seconds();
        Self {
            recent: (1 - JUST_NOW..RECENT).contains(&secs),
            iso: bare.format(&Rfc3339).unwrap_or_default(),
            ago: ago(secs),
            exact: utc.format(&exact).unwrap_or_default(),
        }
    }
}

/// Seconds that are not counted.
const JUST_NOW: i64 = 10;
/// Clocks that are more seconds apart than this show worse.
const RECENT: i64 = 3_600;

fn ago(secs: i64) -> String {
    if secs.abs() < JUST_NOW {
        return "just now".to_owned();
    }
    let (past, secs) = (secs >= 0, secs.unsigned_abs());
    let (count, unit) = match secs {
        0..=59 => (secs, "second"),
        60..=3599 => (secs / 60, "minute"),
        3600..=86_399 => (secs / 3600, "hour"),
        86_400..=2_591_999 => (secs / 86_400, "day"),
        2_592_000..=31_535_999 => (secs / 2_592_000, "month"),
        _ => (secs / 31_536_000, "year"),
    };
    let s = if count == 1 { "" } else { "s" };
    if past { format!("{count} {unit}{s} ago") } else { format!("in {count} {unit}{s}") }
}

/// Bytes that a pull moves; of an image of several platforms one pull moves one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub least: u64,
    pub most: u64,
}

impl Size {
    /// `24.1 MB`, or `22.9 MB to 24.1 MB`.
    pub fn text(&self) -> String {
        let (least, most) = (size_text(self.least), size_text(self.most));
        if least == most { most } else { format!("{least} to {most}") }
    }
}

/// A letter on a colour, both from the name: no picture is fetched from anywhere.
#[derive(Debug, Clone)]
pub struct Avatar {
    pub letter: String,
    /// 1 to 6, a class of the style sheet.
    pub tone: u8,
}

impl Avatar {
    pub fn of(name: &str) -> Self {
        let letter = name.chars().find(|c| c.is_alphanumeric()).unwrap_or('?');
        let sum = name.bytes().fold(0u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
        Self { letter: letter.to_uppercase().collect(), tone: sum % 6 + 1 }
    }
}

/// A commit and where to read it.
#[derive(Debug, Clone)]
pub struct Commit {
    pub hash: String,
    /// Its page at the forge.
    pub url: Option<String>,
}

impl Commit {
    pub fn short(&self) -> &str {
        self.hash.get(..7).unwrap_or(&self.hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::Duration;
    use time::macros::datetime;

    #[test]
    fn a_moment_is_told_as_people_say_it() {
        let now = datetime!(2026-11-20 21:40 UTC);
        for (secs, text) in [
            (0, "just now"),
            (3, "just now"),
            (-3, "just now"),
            (60, "1 minute ago"),
            (10_800, "3 hours ago"),
            (-172_800, "in 2 days"),
        ] {
            assert_eq!(When::new(now - Duration::seconds(secs), now).ago, text);
        }
        let recent = |secs| When::new(now - Duration::seconds(secs), now).recent;
        assert!(recent(0) && recent(-3) && recent(60) && !recent(86_400) && !recent(-60));
        let when = When::new(datetime!(2026-11-20 18:40:07.5 UTC), now);
        assert_eq!((when.iso.as_str(), when.exact.as_str()), ("2026-11-20T18:40:07Z", "2026-11-20 18:40 UTC"));
    }

    #[test]
    fn a_size_is_a_range_where_platforms_differ() {
        let text = |least, most| Size { least, most }.text();
        assert_eq!(text(22_900_000, 24_100_000), "22.9 MB to 24.1 MB");
        assert_eq!(text(24_100_000, 24_100_999), "24.1 MB");
    }

    #[test]
    fn an_avatar_needs_no_letter_in_the_name() {
        assert_eq!(Avatar::of("mona").letter, "M");
        assert_eq!(Avatar::of("--").letter, "?");
        assert!((1..=6).contains(&Avatar::of("ß").tone));
    }
}
