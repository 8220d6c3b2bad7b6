//! What an attempt's log may hold, whatever its builder sends.
//!
//! Builders end a log that prints too much themselves, with smaller limits. One that does not is told that its log has
//! ended: the build goes on, and what comes later is dropped.

/// Builders keep a million lines; steps and progress come on top.
pub(super) const MOST_RECORDS: i64 = 1_500_000;
/// As JSON. Builders keep 400 MiB of text.
pub(super) const MOST_BYTES: i64 = 512 << 20;
/// A Dockerfile of a thousand lines, for two platforms.
pub(super) const MOST_STEPS: u32 = 2_000;
/// Builders send 1,000 at most.
pub(super) const MOST_AT_ONCE: usize = 5_000;

// 64 KiB a line: what a builder cuts to; one that does not is cut here.
pub(super) const LONGEST_TEXT: usize = 64 << 10;
pub(super) const LONGEST_NAME: usize = 4 << 10;
pub(super) const LONGEST_ID: usize = 200;
/// Of names, errors and notices in the rows that a page is drawn from; the log has the rest.
pub(super) const LONGEST_SHOWN: usize = 2 << 10;
/// Notices of one step; of more the log tells.
pub(super) const MOST_NOTICES: usize = 20;

/// Why a log takes no more.
pub(super) fn cut(records: i64, bytes: i64, step: Option<u32>) -> Option<String> {
    let rest = "the rest is not kept";
    if step.is_some_and(|step| step > MOST_STEPS) {
        return Some(format!("it has more than {MOST_STEPS} steps; {rest}"));
    }
    if records > MOST_RECORDS {
        return Some(format!("it has more than {MOST_RECORDS} records; {rest}"));
    }
    (bytes > MOST_BYTES).then(|| format!("it is larger than {} MiB; {rest}", MOST_BYTES >> 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_has_its_sentence() {
        assert_eq!(cut(MOST_RECORDS, MOST_BYTES, Some(MOST_STEPS)), None);
        assert_eq!(cut(1, 1, None), None);
        for (records, bytes, step, word) in [
            (0, 0, Some(MOST_STEPS + 1), "steps"),
            (MOST_RECORDS + 1, 0, None, "records"),
            (0, MOST_BYTES + 1, None, "MiB"),
        ] {
            assert!(cut(records, bytes, step).is_some_and(|why| why.contains(word)), "{word}");
        }
    }
}
