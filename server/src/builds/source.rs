//! The way of a source from its forge to the builder of an attempt: read only, while the attempt is the present one.
//!
//! The builder brings the attempt's token, and the forge sees ours. Each passage is bounded in bytes and time, and so is
//! the number of those under way; what is held of one in memory is a few pieces.

mod place;

use super::ending::not_present;
use crate::app::App;
use crate::db::{self, rows};
use crate::error::{Error, ForgeError, Result};
use crate::forge::git::{Answer, Pieces, Question};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use uuid::Uuid;

/// One answer: builders take sources of 5 GiB, and git adds a little to each piece.
pub(super) const MOST_BYTES: u64 = (5 << 30) + (64 << 20);
/// All answers to one attempt: a fetch that fails is tried again.
const MOST_BYTES_OF_ATTEMPT: u64 = 4 * MOST_BYTES;
/// As long as a builder lets git fetch.
const LONGEST: Duration = Duration::from_mins(15);
const MOST_AT_ONCE: usize = 64;
/// git has one connection, and a second when it asks again.
pub(super) const MOST_OF_ATTEMPT: u32 = 4;
/// For a place.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked whether the attempt is still the present one.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// git asks for objects as soon as it has the refs. Later on, the repository may have moved.
const SOON: Duration = Duration::from_mins(1);
/// What the log says of a passage whose attempt ended.
const OVER: &str = "the attempt is over";
/// Pieces that wait for a slow builder.
const PIECES: usize = 4;

/// The passages of this process.
pub struct Passages {
    places: Arc<Semaphore>,
    attempts: Mutex<HashMap<Uuid, Known>>,
}

/// What is known of an attempt's passages.
pub(super) struct Known {
    /// Where its repository is, once the forge told, and when that was.
    base: Option<(String, Instant)>,
    bytes: u64,
    is_over: bool,
    under_way: u32,
    last: Instant,
}

impl Default for Passages {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(MOST_AT_ONCE)), attempts: Mutex::default() }
    }
}

impl Passages {
    /// `None` once nothing is known of it: then it is long over.
    pub(super) fn with<T>(&self, attempt: Uuid, change: impl FnOnce(&mut Known) -> T) -> Option<T> {
        self.attempts.lock().expect("no holder panics").get_mut(&attempt).map(change)
    }
}

/// One passage under way; its place is free again when this is dropped.
pub(super) struct Open {
    app: Arc<App>,
    attempt: rows::Attempt,
    place: Option<OwnedSemaphorePermit>,
}

impl Open {
    pub(super) async fn take(app: &Arc<App>, attempt: &rows::Attempt) -> Result<Self> {
        if !is_present(app, attempt).await? {
            return Err(not_present());
        }
        enter(app, attempt.id)?;
        // Before the wait: whoever goes away meanwhile is counted no longer.
        let mut open = Self { app: app.clone(), attempt: attempt.clone(), place: None };
        let waiting = tokio::time::timeout(PATIENCE, app.passages.places.clone().acquire_owned()).await;
        open.place = waiting.ok().and_then(std::result::Result::ok);
        if open.place.is_none() {
            return Err(Error::TooManyRequests { retry_after_secs: PATIENCE.as_secs() });
        }
        Ok(open)
    }

    /// Counts what is passed on; false when it is too much.
    pub(super) fn count(&self, passed: u64, more: u64) -> bool {
        let counted = self.app.passages.with(self.attempt.id, |known| {
            known.bytes += more;
            known.is_over |= passed + more > MOST_BYTES || known.bytes > MOST_BYTES_OF_ATTEMPT;
            !known.is_over
        });
        counted.unwrap_or(false)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let now = self.app.clock.steady();
        self.app.passages.with(self.attempt.id, |known| {
            known.under_way -= 1;
            known.last = now;
        });
    }
}

fn enter(app: &App, attempt: Uuid) -> Result<()> {
    let (now, deadline) = (app.clock.steady(), Duration::from_secs(app.config.builds.deadline_secs));
    let mut attempts = app.passages.attempts.lock().expect("no holder panics");
    attempts.retain(|_, known| known.under_way > 0 || known.last + deadline > now);
    let fresh = || Known { base: None, bytes: 0, is_over: false, under_way: 0, last: now };
    let known = attempts.entry(attempt).or_insert_with(fresh);
    if known.is_over {
        return Err(Error::TooLarge(format!("the source is larger than {} MiB", MOST_BYTES >> 20)));
    }
    if known.under_way >= MOST_OF_ATTEMPT {
        return Err(Error::TooManyRequests { retry_after_secs: 1 });
    }
    known.under_way += 1;
    Ok(())
}

/// The refs of the attempt's source.
pub async fn refs(app: &Arc<App>, attempt: &rows::Attempt, question: &Question) -> Result<Answer> {
    let open = Open::take(app, attempt).await?;
    let asking = async {
        let source = source_of(app, attempt).await?;
        Box::pin(place::refs(app, &source, question)).await
    };
    let (base, answer) = while_present(app, attempt, asking).await?;
    note_base(app, attempt, &base);
    Ok(passed_on(open, answer))
}

/// The objects of the attempt's source that its builder asks for in `body`.
pub async fn pack(
    app: &Arc<App>,
    attempt: &rows::Attempt,
    question: &Question,
    body: impl Stream<Item = io::Result<Bytes>> + Send + Sync + 'static,
) -> Result<Answer> {
    let open = Open::take(app, attempt).await?;
    let asking = async {
        let source = source_of(app, attempt).await?;
        let known = app.passages.with(attempt.id, |known| known.base.clone()).flatten();
        let base = if let Some((base, _)) = known.filter(|(_, at)| *at + SOON > app.clock.steady()) {
            base
        } else {
            // It was long ago, another server was asked for the refs, or this one was started since.
            let asked = Question { encoding: None, length: None, protocol: question.protocol.clone(), agent: None };
            match Box::pin(place::refs(app, &source, &asked)).await? {
                (base, Answer::Good { .. }) => {
                    note_base(app, attempt, &base);
                    base
                }
                (_, refusal) => return Ok(refusal),
            }
        };
        let remote = place::remote(app, &source).await?;
        Ok(remote.pack(&base, question, reqwest::Body::wrap_stream(body)).await?)
    };
    Ok(passed_on(open, while_present(app, attempt, asking).await?))
}

/// What the forge says, unless the attempt ends before it does.
pub(super) async fn while_present<T>(
    app: &App,
    attempt: &rows::Attempt,
    asking: impl Future<Output = Result<T>>,
) -> Result<T> {
    tokio::select! {
        biased;
        () = over(app, attempt) => Err(not_present()),
        said = asking => said,
    }
}

async fn source_of(app: &App, attempt: &rows::Attempt) -> Result<rows::Source> {
    let build = db::builds::find(&app.db, attempt.build_id).await?.ok_or_else(not_present)?;
    let source = match build.source_id {
        Some(id) => db::build_inputs::source(&app.db, id).await?,
        None => None,
    };
    source.ok_or_else(|| ForgeError::NotFound.into())
}

fn note_base(app: &App, attempt: &rows::Attempt, base: &str) {
    let now = app.clock.steady();
    app.passages.with(attempt.id, |known| known.base = Some((base.to_owned(), now)));
}

async fn is_present(app: &App, attempt: &rows::Attempt) -> Result<bool> {
    let attempts = db::attempts::of_build(&app.db, attempt.build_id).await?;
    Ok(attempts.iter().any(|a| a.id == attempt.id && a.ended_at.is_none()))
}

/// Ends when the attempt does.
async fn over(app: &App, attempt: &rows::Attempt) {
    let mut changed = app.wake.follow(attempt.build_id);
    // A database that is away for a moment ends nothing.
    while is_present(app, attempt).await.unwrap_or(true) {
        let _ = tokio::time::timeout(LOOK_EVERY, changed.changed()).await;
    }
}

fn passed_on(open: Open, answer: Answer) -> Answer {
    match answer {
        Answer::Good { encoding, body } => Answer::Good { encoding, body: guarded(open, body) },
        refusal @ Answer::Refusal { .. } => refusal,
    }
}

/// The same pieces while all is well. A task of its own reads them, so that a builder that does not read is given up too.
pub(super) fn guarded(open: Open, body: Pieces) -> Pieces {
    let (sender, receiver) = mpsc::channel::<Option<Bytes>>(PIECES);
    tokio::spawn(async move {
        let (app, attempt) = (open.app.clone(), open.attempt.clone());
        // Looked at first of all: the forge may have taken long to answer.
        let pumped = async {
            if !is_present(&app, &attempt).await.unwrap_or(true) {
                return Err(OVER.to_owned());
            }
            pump(&open, body, &sender).await
        };
        let why = tokio::select! {
            biased;
            () = over(&app, &attempt) => Some(OVER.to_owned()),
            ended = pumped => ended.err(),
            () = tokio::time::sleep(LONGEST) => Some(format!("it took longer than {} s", LONGEST.as_secs())),
        };
        if let Some(why) = why {
            tracing::warn!(attempt.id = %attempt.id, "passing a source on broke off: {why}");
        }
    });
    // An answer without its end is broken off, and does not look whole.
    let pieces = stream::unfold(Some(receiver), |receiver| async {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(Some(piece)) => Some((Ok(piece), Some(receiver))),
            Some(None) => None,
            None => Some((Err(io::Error::other("the source broke off")), None)),
        }
    });
    Box::pin(pieces)
}

/// Everything, and the mark of the end.
async fn pump(open: &Open, mut body: Pieces, to: &mpsc::Sender<Option<Bytes>>) -> std::result::Result<(), String> {
    let mut passed = 0;
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|error| format!("the forge: {error}"))?;
        let more = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        if !open.count(passed, more) {
            return Err(format!("it is larger than {} MiB", MOST_BYTES >> 20));
        }
        passed += more;
        // The builder went away.
        if to.send(Some(piece)).await.is_err() {
            return Ok(());
        }
    }
    let _ = to.send(None).await;
    Ok(())
}
