//! Which lines of a log tell of errors. Their numbers are noted beside their step as the lines come, so that a page leads
//! to them without a look at the log, however long that is.

use super::marks::Failure;
use super::read::{first_line, first_line_from, lines_of_step};
use crate::app::App;
use crate::db::rows;
use crate::error::Result;
use uuid::Uuid;

/// The first and the last ones of a step are kept; of those between there are too many.
const MOST: usize = 64;
const FIRST: usize = MOST / 2;
/// Errors with more lines between them than this belong to different troubles.
const APART: u32 = 500;
/// Where nothing was noted: so many of the last lines are looked at.
const LAST_LINES: u32 = 2_000;

/// Stands before a line that only passes a failure on.
const PASSED_ON: u32 = 0;

/// Adds a line to those of its step: the first ones and the last ones stay. One that only passes a failure on counts until
/// an error comes.
pub(super) fn note(lines: &mut Vec<u32>, line: u32, failure: Failure) {
    match failure {
        Failure::PassedOn if lines.is_empty() => lines.extend([PASSED_ON, line]),
        Failure::PassedOn => {}
        Failure::Cause => {
            if lines.first() == Some(&PASSED_ON) {
                lines.clear();
            }
            if lines.len() == MOST {
                lines.remove(FIRST);
            }
            lines.push(line);
        }
    }
}

/// The lines of a list.
fn told(lines: &[u32]) -> &[u32] {
    lines.strip_prefix(&[PASSED_ON]).unwrap_or(lines)
}

/// As a row holds them; `None` when nobody noted any.
pub(super) fn parse(row: &rows::Step) -> Option<Vec<u32>> {
    serde_json::from_str(row.errors.as_deref()?).ok()
}

/// The lines of a step that are known to tell of errors, in order: its first ones and its last ones.
pub fn errors(row: &rows::Step) -> Vec<u32> {
    parse(row).map(|lines| told(&lines).to_vec()).unwrap_or_default()
}

/// The line that best says why a step failed, and whether it is its first error. Where one trouble was got over and
/// another one came much later, the later one.
pub async fn main_error(app: &App, attempt_id: Uuid, step: u32) -> Result<Option<(u32, bool)>> {
    let Some(row) = super::step(app, attempt_id, step).await? else { return Ok(None) };
    if let Some(lines) = parse(&row) {
        return Ok(main_of(&lines));
    }
    if let Some(line) = first_line(app, attempt_id, step, |text| Failure::of(text).is_some()).await? {
        return Ok(Some((line, true)));
    }
    let near_the_end = lines_of_step(app, attempt_id, step).await?.saturating_sub(LAST_LINES) + 1;
    let found = first_line_from(app, attempt_id, step, near_the_end, |text| Failure::of(text).is_some()).await?;
    Ok(found.map(|line| (line, true)))
}

fn main_of(lines: &[u32]) -> Option<(u32, bool)> {
    let lines = told(lines);
    let first = *lines.first()?;
    // Between the halves of a full list some are missing: nobody knows how far apart they were.
    let is_apart = |at: usize| (lines.len() < MOST || at != FIRST) && lines[at] - lines[at - 1] > APART;
    let main = (1..lines.len()).rev().find(|at| is_apart(*at)).map_or(first, |at| lines[at]);
    Some((main, main == first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_errors_and_the_last_ones_are_kept() {
        let mut lines = Vec::new();
        for line in 1..=1_000 {
            note(&mut lines, line, Failure::Cause);
        }
        assert_eq!(lines, (1..=32).chain(969..=1_000).collect::<Vec<_>>());
    }

    #[test]
    fn an_error_that_was_got_over_is_not_why_a_step_failed() {
        let full: Vec<u32> = (1..=32).chain(40_000..40_032).collect();
        for (lines, main) in [
            (vec![], None),
            (vec![49_998], Some((49_998, true))),
            (vec![5, 40, 500], Some((5, true))),
            (vec![12, 49_990, 49_998], Some((49_990, false))),
            (full, Some((1, true))),
        ] {
            assert_eq!(main_of(&lines), main, "{lines:?}");
        }
    }

    #[test]
    fn a_line_that_passes_a_failure_on_belongs_to_the_error_before_it() {
        let noted = |failures: &[(u32, Failure)]| {
            let mut lines = Vec::new();
            for (line, failure) in failures {
                note(&mut lines, *line, *failure);
            }
            lines
        };
        assert_eq!(told(&noted(&[(10, Failure::Cause), (49_990, Failure::PassedOn)])), [10]);
        // Where nothing better comes, the first of them is what there is.
        assert_eq!(main_of(&noted(&[(9, Failure::PassedOn), (700, Failure::PassedOn)])), Some((9, true)));
        assert_eq!(
            main_of(&noted(&[(9, Failure::PassedOn), (10, Failure::Cause), (11, Failure::PassedOn)])),
            Some((10, true))
        );
    }
}
