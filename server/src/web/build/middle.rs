//! Lines of the middle of a long step: on its page when an address names one of them, and where a reader comes to them.

use super::super::origin::Origin;
use super::super::page;
use super::super::views::live::Chunks;
use super::super::views::log::{CHUNK, Chunk, Gap, Step};
use super::lines::{Lines, Room, note_errors};
use super::{BuildPath, find};
use crate::app::App;
use crate::auth::extract::Then;
use crate::builds::{self, log::Conceal};
use crate::error::{Error, Result};
use crate::policy::{Allowed, ReadRepository};
use actix_web::HttpResponse;
use actix_web::web::{Data, Path, Query};
use serde::Deserialize;
use uuid::Uuid;

/// `s9-L41001` → step 9, line 41,001.
pub(super) fn place(text: &str) -> Option<(u32, u32)> {
    let (step, line) = text.strip_prefix('s')?.split_once("-L")?;
    Some((step.parse().ok()?, line.parse().ok()?))
}

/// Puts that line and those around it into the page, if it is in a gap of it.
pub(super) async fn open_at(
    app: &App,
    attempt_id: Uuid,
    steps: &mut [Step],
    (number, line): (u32, u32),
    how: Middle<'_>,
) -> Result<()> {
    let Some(step) = steps.iter_mut().find(|step| step.number == number) else { return Ok(()) };
    step.open = true;
    open_in(app, attempt_id, step, line, how).await
}

/// As `open_at`, in a step that is open.
pub(super) async fn open_in(app: &App, attempt_id: Uuid, step: &mut Step, line: u32, how: Middle<'_>) -> Result<()> {
    let holds = |chunk: &Chunk| chunk.gap.as_ref().is_some_and(|gap| (gap.first..=gap.last).contains(&line));
    let Some(at) = step.chunks.iter().position(holds) else { return Ok(()) };
    let Some(Gap { first, last, errors, .. }) = step.chunks.remove(at).gap else { return Ok(()) };
    let mut lines = Lines::open(app, attempt_id, how.conceal, how.base, how.until).await?;
    let mut opened = lines.around(step.number, (first, last), line, MOST_LINES, &mut Room(OPENED)).await?;
    note_errors(&mut opened, &errors);
    step.chunks.splice(at..at, opened);
    Ok(())
}

/// How lines of the middle of a step are drawn.
#[derive(Clone, Copy)]
pub struct Middle<'a> {
    pub base: &'a str,
    pub conceal: Option<&'a Conceal>,
    /// The last record that the page shows.
    pub until: u64,
}

#[derive(Deserialize)]
pub struct LinesQuery {
    step: u32,
    from: u32,
    to: u32,
    /// A line that has to be among them; without it they begin with the first one.
    at: Option<u32>,
}

// One answer; the rest of a gap stays a gap.
const MOST_LINES: u32 = 5 * CHUNK;
/// HTML of a fragment, and of lines that are opened on a page that has others.
const FRAGMENT: usize = 3 << 19;
const OPENED: usize = 384 << 10;

/// `…/builds/{n}/lines?step=&from=&to=&at=`: chunks in the place of a gap, as a fragment.
pub async fn lines(
    Then(allowed, query): Then<Allowed<ReadRepository>, Query<LinesQuery>>,
    path: Path<BuildPath>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let build = find(&app, &allowed, path.number).await?;
    let attempt = builds::present_attempt(&app, &build).await?.ok_or_else(|| Error::not_found("this log"))?;
    let conceal = Origin::of(&app, allowed.principal(), allowed.on(), &build).await?.conceal;
    let base = format!("/{}/-/builds/{}", allowed.on().name, build.number);
    let row = builds::log::step(&app, attempt.id, query.step).await?;
    let there = row.as_ref().map_or(0, |row| u32::try_from(row.lines).unwrap_or(u32::MAX));
    let (from, to) = (query.from.max(1), query.to.max(query.from).min(there));
    let mut lines = Lines::open(&app, attempt.id, conceal.as_ref(), &base, u64::MAX).await?;
    let (place, mut room) = ((from, to), Room(FRAGMENT));
    let mut chunks = match query.at.filter(|at| (from..=to).contains(at)) {
        Some(at) => lines.around(query.step, place, at, MOST_LINES, &mut room).await?,
        None => lines.part(query.step, place, MOST_LINES, &mut room).await?,
    };
    note_errors(&mut chunks, &row.as_ref().map(builds::log::errors).unwrap_or_default());
    page::html(&Chunks { chunks: &chunks })
}

#[cfg(test)]
mod tests {
    use super::super::super::views::facts::State;
    use super::super::super::views::log::StepName;
    use super::super::lines::gap;
    use super::*;
    use crate::db::rows;
    use crate::db::{self, Protection};
    use crate::names::Digest;
    use crate::testing::{self, TestApp};
    use slipway_protocol::{Line, Record, RecordBatch, StepStarted, Stream};

    /// An attempt whose only step has so many lines of 10,000 characters.
    async fn attempt(app: &TestApp, lines: u32) -> rows::Attempt {
        let tx = app.db.begin().await.unwrap();
        let namespace = db::namespaces::insert(&tx, testing::namespace("acme")).await.unwrap();
        let repository = db::repositories::insert(&tx, testing::repository(namespace.id, "web")).await.unwrap();
        tx.commit().await.unwrap();
        testing::built(app, &repository, &Digest::of(b"one")).await;
        let build = db::builds::find_by_number(&app.db, repository.id, 1).await.unwrap().unwrap();
        let attempt = rows::Attempt {
            id: Uuid::now_v7(),
            build_id: build.id,
            number: 1,
            builder: "mine".into(),
            token_hash: String::new(),
            lease_until: i64::MAX,
            started_at: 0,
            ended_at: None,
            end_reason: None,
            last_record: 0,
            log_bytes: 0,
            log_cut: None,
            log_notices: None,
            protection: Protection::Unprotected,
        };
        let tx = app.db.begin().await.unwrap();
        let attempt = db::attempts::insert(&tx, attempt).await.unwrap();
        tx.commit().await.unwrap();
        let line = |line| Line { step: 1, line, stream: Stream::Out, at: 1, text: "x".repeat(10_000) };
        let start = StepStarted { step: 1, vertex: String::new(), name: "RUN x".into(), at: 1 };
        let records = std::iter::once(Record::StepStarted(start)).chain((1..=lines).map(|n| Record::Line(line(n))));
        builds::log::append(app, &attempt, RecordBatch { first: 1, records: records.collect() }).await.unwrap();
        attempt
    }

    #[tokio::test]
    async fn lines_that_are_opened_on_a_page_leave_it_small() {
        let app = TestApp::start().await;
        let id = attempt(&app, 100).await.id;
        for wanted in [1, 7, 90, 100] {
            let step = Step::new(1, StepName::parse("RUN x"), State::Succeeded);
            let mut steps = vec![Step { chunks: gap(1, 1, 100, "/b").into_iter().collect(), ..step }];
            let how = Middle { base: "/b", conceal: None, until: u64::MAX };
            open_at(&app, id, &mut steps, (1, wanted), how).await.unwrap();
            let chunks = &steps[0].chunks;
            let opened: Vec<u32> = chunks.iter().flat_map(|chunk| &chunk.lines).map(|line| line.number).collect();
            assert!((10..40).contains(&opened.len()), "{} lines of 10 kB", opened.len());
            assert!(opened.contains(&wanted), "line {wanted} is not in {opened:?}");
            let gaps = chunks.iter().filter_map(|chunk| chunk.gap.as_ref());
            let hidden: u32 = gaps.map(|gap| gap.last - gap.first + 1).sum();
            assert_eq!(hidden as usize + opened.len(), 100);
        }
    }
}
