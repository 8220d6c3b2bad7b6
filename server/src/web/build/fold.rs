//! The steps of an attempt as the page shows them: their rows, and lines as far as there is room.
//!
//! No log is read as a whole: what a view costs is bounded by what is shown, however long the log is.

use super::super::ansi::Style;
use super::super::page::count;
use super::super::views::facts::State;
use super::super::views::filters::{number_text, plural_text};
use super::super::views::log::{LogLine, Mark, Progress, Step, StepName};
use super::lines::{Lines, Room, note_errors};
use crate::app::App;
use crate::builds::{self, log::Conceal};
use crate::db::rows;
use crate::error::Result;
use slipway_protocol::Line;
use std::collections::BTreeMap;

/// Lines of a page, beside the 2 MiB that it has in all.
const LINES: usize = 1 << 20;
/// Heads of steps, with their errors and notices.
const HEADS: usize = 512 << 10;
const MOST_STEPS: usize = 400;
/// The HTML of a head without its texts, and the longest form of one character in a text.
const HEAD: usize = 900;
const ESCAPED: usize = 6;
const LONGEST_ERROR: usize = 4_000;

/// What is drawn, and what is told of all steps.
pub(super) struct Drawn {
    pub(super) steps: Vec<Step>,
    /// Sentences about what is not there.
    pub(super) cut: Vec<String>,
    pub(super) last_step: u32,
    /// Of the Dockerfile's own steps.
    pub(super) counted: u64,
    pub(super) cached: u64,
    pub(super) lines: u64,
    pub(super) failed: Option<u32>,
}

/// How an attempt is drawn.
#[derive(Clone, Copy)]
pub(super) struct How<'a> {
    pub(super) conceal: Option<&'a Conceal>,
    /// The page's own address.
    pub(super) base: &'a str,
    /// The build may go on.
    pub(super) is_open: bool,
    pub(super) with_lines: bool,
}

/// The state of a step whose build is open.
pub(super) fn state_of(error: Option<&str>, is_done: bool) -> State {
    match error {
        Some("timed out") => State::TimedOut,
        Some(error) if was_stopped(error) => State::Cancelled,
        Some(_) => State::Failed,
        None if is_done => State::Succeeded,
        None => State::Running,
    }
}

/// Whether a step ended because the build did: a builder's words for steps that were open at its end, and BuildKit's for
/// those that it stopped because another one failed.
fn was_stopped(error: &str) -> bool {
    // What the step would have done is quoted before that.
    let told = error.rsplit_once('"').map_or(error, |(_, told)| told);
    matches!(error, "cancelled" | "interrupted" | "stopped")
        || ["context canceled", "code = Canceled"].iter().any(|words| told.contains(words))
}

/// One line as HTML.
pub(super) fn log_line(line: &Line, style: &mut Style) -> LogLine {
    let bare = Style::default().text(line.text.as_bytes());
    let html = style.html(line.text.as_bytes());
    LogLine { step: line.step, number: line.line, time: clock_time(line.at), html, mark: Mark::of(&bare) }
}

/// `21:40:11.037`, UTC.
fn clock_time(at: i64) -> String {
    let millis = at.rem_euclid(86_400_000);
    let (secs, millis) = (millis / 1_000, millis % 1_000);
    format!("{:02}:{:02}:{:02}.{millis:03}", secs / 3_600, secs / 60 % 60, secs % 60)
}

/// `3 of 7 done, 10.4 MB of 31.0 MB`.
pub(super) fn progress_of(parts: &BTreeMap<String, (i64, i64)>) -> Option<Progress> {
    if parts.is_empty() {
        return None;
    }
    let size = |n: i64| super::super::views::filters::size_text(u64::try_from(n).unwrap_or_default());
    let (current, total) =
        parts.values().fold((0i64, 0i64), |(c, t), (a, b)| (c.saturating_add(*a), t.saturating_add(*b)));
    let done = parts.values().filter(|(c, t)| *t > 0 && c >= t).count();
    let text = if total > 0 {
        format!("{done} of {} done, {} of {}", parts.len(), size(current), size(total))
    } else {
        format!("{} so far", size(current))
    };
    let percent = (total > 0).then(|| u64::try_from(current.saturating_mul(100) / total).unwrap_or_default().min(100));
    Some(Progress { text, percent })
}

/// The rows of an attempt's steps, with what is not to be read covered.
pub(super) async fn rows_of(app: &App, attempt: &rows::Attempt, conceal: Option<&Conceal>) -> Result<Vec<rows::Step>> {
    let mut rows = builds::log::steps(app, attempt.id).await?;
    if let Some(conceal) = conceal {
        for row in &mut rows {
            conceal.text(&mut row.name);
            row.error.iter_mut().for_each(|error| conceal.told(error));
        }
    }
    Ok(rows)
}

/// Draws the log up to the attempt's last record.
pub(super) async fn draw(app: &App, attempt: &rows::Attempt, how: How<'_>) -> Result<Drawn> {
    let rows = rows_of(app, attempt, how.conceal).await?;
    let mut notices = builds::log::all_notices(attempt, &rows);
    if let Some(conceal) = how.conceal {
        notices.values_mut().flatten().for_each(|text| conceal.told(text));
    }
    // Nothing in a log that is over takes longer by now.
    let now = attempt.ended_at.unwrap_or_else(|| app.clock.now());
    let mut all: Vec<(Step, u32)> = Vec::new();
    for row in &rows {
        let lines = u32::try_from(row.lines).unwrap_or(u32::MAX);
        all.push((step(row, notices.remove(&row.step).unwrap_or_default(), how, now), lines));
    }
    if let (Some((first, _)), Some(early)) = (all.first_mut(), notices.remove(&0)) {
        first.notices.splice(0..0, early);
    }
    let is_counted = |step: &Step| step.name.is_counted;
    let mut drawn = Drawn {
        steps: Vec::new(),
        cut: builds::log::shortened(attempt).into_iter().collect(),
        last_step: all.last().map_or(0, |(step, _)| step.number),
        counted: all.iter().filter(|(step, _)| is_counted(step)).count() as u64,
        cached: all.iter().filter(|(step, _)| is_counted(step) && step.cached).count() as u64,
        lines: rows.iter().map(|row| count(row.lines)).sum(),
        failed: all.iter().find(|(step, _)| step.state.is_bad()).map(|(step, _)| step.number),
    };
    let whole = all.len();
    let mut shown = choose(all);
    if shown.len() < whole {
        let more = plural_text((whole - shown.len()) as u64, "more step is", "more steps are");
        drawn.cut.push(format!(
            "{} of {} steps are here; {more} in the raw log.",
            shown.len(),
            number_text(whole as u64)
        ));
    }
    if how.with_lines {
        let until = count(attempt.last_record);
        let mut lines = Lines::open(app, attempt.id, how.conceal, how.base, until).await?;
        let mut room = Room(LINES);
        for (step, all) in &mut shown {
            step.chunks = lines.of_step(step.number, *all, &mut room).await?;
            let row = rows.iter().find(|row| row.step == i64::from(step.number));
            note_errors(&mut step.chunks, &row.map(builds::log::errors).unwrap_or_default());
            room.leave_for_links(&step.chunks);
        }
    }
    shown.sort_by_key(|(step, _)| step.number);
    drawn.steps = shown.into_iter().map(|(step, _)| step).collect();
    Ok(drawn)
}

fn step(row: &rows::Step, notices: Vec<String>, how: How<'_>, now: i64) -> Step {
    let state = match state_of(row.error.as_deref(), row.completed_at.is_some()) {
        State::Running if !how.is_open => State::Cancelled,
        state => state,
    };
    let took = row.completed_at.unwrap_or(now).saturating_sub(row.started_at.unwrap_or(now)) / 1_000;
    let progress = row.progress.as_deref().filter(|_| row.completed_at.is_none());
    let progress = progress.and_then(|text| serde_json::from_str(text).ok()).and_then(|parts| progress_of(&parts));
    let error = row.error.as_deref().map(|text| text[..text.floor_char_boundary(LONGEST_ERROR)].to_owned());
    let number = u32::try_from(row.step).unwrap_or(u32::MAX);
    Step {
        cached: row.is_cached,
        secs: (!row.is_cached).then(|| count(took)),
        progress,
        error,
        notices,
        ..Step::new(number, StepName::parse(&row.name), state)
    }
}

/// The steps that the page has room for, those first that people look at first: what failed, what runs, and the others
/// from the first one on.
fn choose(mut all: Vec<(Step, u32)>) -> Vec<(Step, u32)> {
    let rank = |state: State| match state {
        State::Failed | State::TimedOut => 0,
        State::Running => 1,
        _ => 2,
    };
    all.sort_by_key(|(step, _)| (rank(step.state), step.number));
    let mut room = HEADS;
    let mut fits = |(step, _): &(Step, u32)| {
        let texts = [&step.name.stage, &step.name.instruction, &step.name.rest].into_iter();
        let texts = texts.chain(&step.error).chain(&step.notices).map(String::len).sum::<usize>();
        let fits = (HEAD + ESCAPED * texts) <= room;
        room = room.saturating_sub(HEAD + ESCAPED * texts);
        fits
    };
    let fitting = all.iter().take(MOST_STEPS).take_while(|step| fits(step)).count();
    all.truncate(fitting);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(number: u32) -> (Step, u32) {
        let state = if number == 900 { State::Failed } else { State::Succeeded };
        (Step::new(number, StepName::default(), state), 0)
    }

    #[test]
    fn a_step_that_was_stopped_did_not_fail() {
        for (error, state) in [
            ("cancelled", State::Cancelled),
            ("interrupted", State::Cancelled),
            ("stopped", State::Cancelled),
            ("timed out", State::TimedOut),
            (r#"process "/bin/sh -c make" did not complete successfully: context canceled"#, State::Cancelled),
            ("rpc error: code = Canceled desc = context canceled", State::Cancelled),
            (
                r#"process "/bin/sh -c echo 'context canceled'; exit 1" did not complete successfully: exit code: 1"#,
                State::Failed,
            ),
            ("\"/cancelled\": not found", State::Failed),
        ] {
            assert_eq!(state_of(Some(error), true), state, "{error}");
        }
        assert_eq!((state_of(None, true), state_of(None, false)), (State::Succeeded, State::Running));
    }

    #[test]
    fn a_page_has_so_many_steps_and_the_failed_one_among_them() {
        let shown: Vec<u32> = choose((1..=1_000).map(step).collect()).iter().map(|(step, _)| step.number).collect();
        assert_eq!(shown, [&[900], &(1..400).collect::<Vec<_>>()[..]].concat());
    }
}
