//! Logs of which most is not on the page.

use super::super::log::{Chunk, Earlier, Gap, LogLine, LogView};
use super::build::{CARGO, early, failed_log, lines, log};

pub(super) fn log_with_a_gap() -> LogView {
    let mut log = log(early());
    log.steps[0].chunks.push(gap(1, (1001, 41_000), &[]));
    let after = lines(1, 41_001, &["41,001 files", "warning: too many files"]);
    log.steps[0].chunks.push(Chunk::of(1, 205, after));
    log
}

fn gap(step: u32, (first, last): (u32, u32), errors: &[u32]) -> Chunk {
    let base = "/acme/api/-/builds/149".to_owned();
    let gap = Gap { step, first, last, base, errors: errors.to_vec() };
    Chunk { gap: Some(gap), is_part: true, ..Chunk::of(step, Chunk::index_of(first), vec![]) }
}

/// Fifty thousand lines, of which the last ones say why: what is before them is folded, and most of it not here.
pub(super) fn long_log() -> LogView {
    let mut log = failed_log();
    let step = &mut log.steps[0];
    let part = |index, lines| Chunk { is_part: true, ..Chunk::of(9, index, lines) };
    let chunks = vec![
        Chunk::of(9, 0, crates(1, 200)),
        gap(9, (201, 49_800), &[15_001, 20_311]),
        part(249, crates(49_801, 49_982)),
    ];
    step.earlier = Some(Earlier { text: "Lines 1 to 49,982".to_owned(), chunks });
    let mut last = crates(49_983, 49_991);
    last.extend(lines(9, 49_992, CARGO));
    step.chunks = vec![part(249, last)];
    step.error = Some("process \"/bin/sh -c cargo build\" did not complete successfully: exit code: 101".to_owned());
    log.opens_at = Some("s9-L49996".to_owned());
    log
}

fn crates(from: u32, to: u32) -> Vec<LogLine> {
    let texts: Vec<String> = (from..=to).map(|n| format!("crate {n}")).collect();
    lines(9, from, &texts.iter().map(String::as_str).collect::<Vec<_>>())
}
