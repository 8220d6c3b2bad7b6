//! The step that failed: which line says why, and how its output is opened so that this line is on the first screen.

use super::super::views::facts::State;
use super::super::views::filters::{duration_text, number_text, plural_text};
use super::super::views::log::{Before, Chunk, Earlier, Step};
use super::lines::Lines;
use super::middle::{self, Middle};
use crate::app::App;
use crate::builds::{self, log::Conceal};
use crate::error::Result;
use uuid::Uuid;

/// Lines that stay in view before the one that says why.
const BEFORE_ERROR: u32 = 10;
/// Where no line says why, so many of the last ones stay in view.
const LAST_LINES: u32 = 20;
/// A beginning of so many lines is not folded.
const FEW: u32 = 30;
/// Characters of an error that the head of the page quotes.
const QUOTED: usize = 300;

/// The line that says why a step failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErrorLine {
    pub step: u32,
    pub line: u32,
    /// No line of the step before it tells of an error.
    pub is_first: bool,
    pub text: String,
}

/// The line that says why this step failed, where one does.
pub(super) async fn error_line(
    app: &App,
    attempt_id: Uuid,
    step: u32,
    conceal: Option<&Conceal>,
) -> Result<Option<ErrorLine>> {
    let Some((line, is_first)) = builds::log::main_error(app, attempt_id, step).await? else { return Ok(None) };
    let mut lines = Lines::open(app, attempt_id, conceal, "", u64::MAX).await?;
    let mut text = lines.text(step, line).await?.unwrap_or_default();
    if let Some((end, _)) = text.char_indices().nth(QUOTED) {
        text.truncate(end);
        text.push('…');
    }
    Ok(Some(ErrorLine { step, line, is_first, text }))
}

/// Opens the output of the step that failed at the line that says why, else at its end, and folds what is before; the
/// id of the line that the page begins with.
pub(super) async fn open(
    app: &App,
    attempt_id: Uuid,
    step: &mut Step,
    error: Option<&ErrorLine>,
    how: Middle<'_>,
) -> Result<Option<String>> {
    let last = step.chunks.iter().filter_map(|chunk| chunk.lines.last()).map(|line| line.number).max();
    let (line, before) = match (error, last) {
        (Some(error), _) => (error.line, BEFORE_ERROR),
        (None, Some(last)) => (last, LAST_LINES),
        (None, None) => return Ok(None),
    };
    middle::open_in(app, attempt_id, step, line, how).await?;
    fold_earlier(step, line.saturating_sub(before));
    Ok(Some(format!("s{}-L{line}", step.number)))
}

/// Folds the lines before line `from`, when they are many.
fn fold_earlier(step: &mut Step, from: u32) {
    if from <= FEW {
        return;
    }
    let (mut earlier, mut rest) = (Vec::new(), Vec::new());
    for mut chunk in std::mem::take(&mut step.chunks) {
        if chunk.gap.as_ref().is_some_and(|gap| gap.first < from) || chunk.lines.last().is_some_and(|l| l.number < from)
        {
            earlier.push(chunk);
            continue;
        }
        let at = chunk.lines.partition_point(|line| line.number < from);
        if at > 0 {
            let lines = chunk.lines.drain(..at).collect();
            earlier.push(Chunk { is_part: true, ..Chunk::of(chunk.step, chunk.index, lines) });
            chunk.is_part = true;
        }
        rest.push(chunk);
    }
    step.chunks = rest;
    let first = step.chunks.first().and_then(Chunk::first_line).unwrap_or(from);
    let text = format!("Lines 1 to {}", number_text(u64::from(first.saturating_sub(1))));
    step.earlier = Some(Earlier { text, chunks: earlier });
}

/// Of a failed build the steps before the failed one go into one line, so that the error is on the first screen.
pub(super) fn fold_before(steps: &mut Vec<Step>, open: bool) -> Option<Before> {
    let failed = steps.iter().position(|s| s.state.is_bad())?;
    if open || failed < 3 || steps[..failed].iter().any(|s| s.state != State::Succeeded) {
        return None;
    }
    let before: Vec<Step> = steps.drain(..failed).collect();
    let secs: u64 = before.iter().filter_map(|s| s.secs).sum();
    let took = duration_text(secs);
    Some(Before { text: before_text(&before, &took), steps: before })
}

/// Counts the Dockerfile's own steps; what BuildKit does around them is there too, uncounted.
fn before_text(before: &[Step], took: &str) -> String {
    let (mut all, mut cached) = (0, 0);
    for step in before.iter().filter(|s| s.name.is_counted) {
        all += 1;
        cached += u64::from(step.cached);
    }
    let from_cache = if cached > 0 { format!(", {cached} of them from cache") } else { String::new() };
    match all {
        0 => format!("Everything before this step succeeded in {took}"),
        _ => format!("{} before this one succeeded in {took}{from_cache}", plural_text(all, "step", "steps")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::views::log::{CHUNK, LogLine, Mark, StepName};
    use super::super::lines::{gap, in_chunks};
    use super::*;

    fn line(number: u32) -> LogLine {
        LogLine { step: 9, number, time: String::new(), html: String::new(), mark: Mark::None }
    }

    fn step(chunks: Vec<Chunk>) -> Step {
        Step { chunks, ..Step::new(9, StepName::default(), State::Failed) }
    }

    fn numbers(chunks: &[Chunk]) -> Vec<u32> {
        chunks.iter().flat_map(|chunk| &chunk.lines).map(|line| line.number).collect()
    }

    #[test]
    fn a_short_output_is_not_folded() {
        let mut step = step(in_chunks(9, (1..=60).map(line)));
        fold_earlier(&mut step, FEW);
        assert!(step.earlier.is_none());
        assert_eq!(numbers(&step.chunks).len(), 60);
    }

    #[test]
    fn what_is_before_an_error_is_folded_and_nothing_is_lost() {
        let chunks = in_chunks(9, (1..=CHUNK).map(line)).into_iter();
        let chunks = chunks.chain(gap(9, CHUNK + 1, 4_800, "/b")).chain(in_chunks(9, (4_801..=5_250).map(line)));
        let mut step = step(chunks.collect());
        fold_earlier(&mut step, 5_100);
        let earlier = step.earlier.unwrap();
        assert_eq!(earlier.text, "Lines 1 to 5,099");
        assert_eq!(numbers(&earlier.chunks), (1..=CHUNK).chain(4_801..=5_099).collect::<Vec<_>>());
        assert!(earlier.chunks.iter().any(|chunk| chunk.gap.is_some()));
        assert_eq!(numbers(&step.chunks), (5_100..=5_250).collect::<Vec<_>>());
        // Two chunks with lines of the same two hundred have no address.
        let parts: Vec<u32> =
            earlier.chunks.iter().chain(&step.chunks).filter(|c| c.is_part).map(|c| c.index).collect();
        assert_eq!(parts, [1, 25, 25]);
    }
}
