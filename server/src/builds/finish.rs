//! The end of an attempt. An image is checked and signed first; then its tags move, all in one transaction.

use super::cancel::cancelled;
use super::ending::{self, end_attempt, not_present};
use super::home::Home;
use super::lease;
use super::snapshot::Snapshot;
use super::states::Why;
use crate::app::App;
use crate::db::{self, AttemptEnd, BuildState, Tx, rows};
use crate::error::{Context, Error, Result};
use crate::names::{CommitHash, Digest};
use crate::policy::{Bound, Principal, Who};
use crate::registry::tags::Moved;
use crate::trust::{self, Signed, Stored};
use slipway_protocol::{Failure, Finish, FinishReply, Material, Outcome};
use uuid::Uuid;

/// A builder's provenance names a few; this many is a mistake.
const MOST_MATERIALS: usize = 1_000;
/// Far above any image's name with tag and platform, and far below what an index of PostgreSQL takes.
const LONGEST_URI: usize = 512;
/// Times that others may change an image's signatures between our look and our lock.
const MOST_TURNS: usize = 5;

/// Takes the end of an attempt. Twice is as once.
pub async fn finish(app: &App, attempt: &rows::Attempt, finish: Finish) -> Result<FinishReply> {
    if attempt.ended_at.is_some() {
        return repeated(app, attempt).await;
    }
    // Behind the end of its log the server keeps no records.
    if attempt.log_cut.is_none() && i64::try_from(finish.last_record).unwrap_or(i64::MAX) > attempt.last_record {
        return Err(Error::Conflict(format!("only records up to {} are here", attempt.last_record)));
    }
    match finish.outcome {
        Outcome::Succeeded { digest, materials } => succeeded(app, attempt, &digest, materials).await?,
        Outcome::Failed(failure) => failed(app, attempt, &failure).await?,
        Outcome::Cancelled => stopped(app, attempt).await?,
        Outcome::TimedOut => end(app, attempt, BuildState::TimedOut, too_long(app), None).await?,
        Outcome::Interrupted => lease::give_back(app, attempt, "its builder was stopped").await?,
    }
    let build = db::builds::find(&app.db, attempt.build_id).await?.ok_or_else(not_present)?;
    Ok(FinishReply { state: build.state.to_string() })
}

/// The answer to a finish that came before, when the answer got lost.
async fn repeated(app: &App, attempt: &rows::Attempt) -> Result<FinishReply> {
    let newest = db::attempts::of_build(&app.db, attempt.build_id).await?.last().map(|a| a.id);
    let build = db::builds::find(&app.db, attempt.build_id).await?.ok_or_else(not_present)?;
    if newest != Some(attempt.id) || attempt.end_reason == Some(AttemptEnd::Lost) {
        return Err(not_present());
    }
    Ok(FinishReply { state: build.state.to_string() })
}

pub(super) fn too_long(app: &App) -> Why {
    let minutes = app.config.builds.deadline_secs.div_ceil(60);
    Why::new("timed_out", format!("it took longer than {minutes} minutes, the most a build may take here"))
}

async fn stopped(app: &App, attempt: &rows::Attempt) -> Result<()> {
    let build = db::builds::find(&app.db, attempt.build_id).await?.ok_or_else(not_present)?;
    if build.cancel_requested_at.is_none() {
        return lease::give_back(app, attempt, "its builder stopped it").await;
    }
    end(app, attempt, BuildState::Cancelled, cancelled(&build), None).await
}

async fn failed(app: &App, attempt: &rows::Attempt, failure: &Failure) -> Result<()> {
    let mut message = failure.message.replace('\0', "");
    message.truncate(message.floor_char_boundary(2_000));
    let reason = serde_json::to_value(failure.reason).context("storing a failure")?;
    let json = serde_json::to_string(failure).context("storing a failure")?;
    let why = Why::new(reason.as_str().unwrap_or("other"), message);
    end(app, attempt, BuildState::Failed, why, Some(json)).await
}

/// Ends attempt and build without an image. What a person cancelled is cancelled, however it went on.
async fn end(app: &App, attempt: &rows::Attempt, to: BuildState, why: Why, failure: Option<String>) -> Result<()> {
    let tx = app.db.begin().await?;
    let mut build = lock(&tx, attempt).await?;
    let (to, why) = if build.cancel_requested_at.is_some() {
        (BuildState::Cancelled, cancelled(&build))
    } else {
        build.failure = failure;
        (to, why)
    };
    let how = if to == BuildState::Cancelled { AttemptEnd::Cancelled } else { AttemptEnd::Finished };
    end_attempt(app, &tx, attempt.id, how).await?;
    let by = principal(&tx, &build, attempt).await?;
    ending::change(app, &tx, &by, &mut build, to, why).await?;
    tx.commit().await?;
    ending::wake(app, &build);
    Ok(())
}

async fn succeeded(app: &App, attempt: &rows::Attempt, digest: &str, materials: Vec<Material>) -> Result<()> {
    let build = db::builds::find(&app.db, attempt.build_id).await?.ok_or_else(not_present)?;
    let home = Home::of(&app.db, build.repository_id).await?;
    if build.cancel_requested_at.is_some() {
        return end(app, attempt, BuildState::Cancelled, Why::default(), None).await;
    }
    let digest = match check(app, attempt, &home, digest).await {
        Ok(digest) => digest,
        // A database or disk that is away comes back: the builder asks again.
        Err(error @ (Error::Internal { .. } | Error::Unavailable(_) | Error::Full)) => return Err(error),
        Err(error) => {
            let why = Why::new("push_incomplete", format!("what was pushed is not a whole image: {error}"));
            return end(app, attempt, BuildState::Failed, why, None).await;
        }
    };
    for _ in 0..MOST_TURNS {
        let signed = match trust::sign(app, &home.repository, &home.name(), &digest).await {
            Ok(signed) => signed,
            // A disk that is full for a moment, or a database that is away, costs no build: the builder asks again.
            Err(error @ (Error::Unavailable(_) | Error::Full)) => return Err(error),
            Err(error) if db::failed(&error) => return Err(error),
            Err(error) => return not_signed(app, attempt, &build, error).await,
        };
        if seal(app, attempt, &home, &digest, &signed, &materials).await? == Stored::Yes {
            return Ok(());
        }
    }
    Err(Error::Unavailable("the image's signatures change faster than we read; ask again".into()))
}

async fn not_signed(app: &App, attempt: &rows::Attempt, build: &rows::Build, error: Error) -> Result<()> {
    tracing::error!(build.id = %build.id, "build {} was not signed: {}", build.id, error.for_log());
    let text = format!("the image was built but could not be signed, so no tag moved: {error}");
    end(app, attempt, BuildState::Failed, Why::new("signing_failed", text), None).await
}

async fn check(app: &App, attempt: &rows::Attempt, home: &Home, digest: &str) -> Result<Digest> {
    let digest: Digest = digest.parse()?;
    crate::registry::manifests::check_pushed(app, home.repository.id, &digest, attempt.id).await?;
    Ok(digest)
}

/// Signature, tags, state, materials and events: all of it or nothing. Nothing too when the signature is outdated.
async fn seal(
    app: &App,
    attempt: &rows::Attempt,
    home: &Home,
    digest: &Digest,
    signed: &Signed,
    materials: &[Material],
) -> Result<Stored> {
    let now = app.clock.now();
    let by = Principal::SYSTEM;
    let tx = app.db.begin().await?;
    // The repository before the build: whoever deletes it, or adds a build to it, comes in that order too.
    db::repositories::lock(&tx, home.repository.id).await?;
    let mut build = lock(&tx, attempt).await?;
    if build.cancel_requested_at.is_some() {
        drop(tx);
        end(app, attempt, BuildState::Cancelled, Why::default(), None).await?;
        return Ok(Stored::Yes);
    }
    if db::manifests::find_facts(&tx, home.repository.id, digest.as_str()).await?.is_none() {
        // The builder asks again, and then the check says why.
        return Err(Error::Unavailable("the image was removed while it was being signed".into()));
    }
    if trust::store(app, &tx, &by, &home.repository, signed).await? == Stored::Outdated {
        return Ok(Stored::Outdated);
    }
    let snapshot = Snapshot::parse(&build)?;
    let (tags, held_back) = (snapshot.mapped_tags(&build)?, snapshot.held_back(&build, attempt.protection)?);
    let tags = (&tags[..], &held_back[..]);
    let moved = crate::registry::tags::move_for_build(&tx, &home.repository, &build, digest, tags, now).await?;
    db::builds::insert_materials(&tx, rows_of(build.id, materials)).await?;
    build.digest = Some(digest.to_string());
    end_attempt(app, &tx, attempt.id, AttemptEnd::Finished).await?;
    let by = principal(&tx, &build, attempt).await?;
    let why = Why { reason: None, detail: left_alone(&moved) };
    ending::change(app, &tx, &by, &mut build, BuildState::Succeeded, why).await?;
    tx.commit().await?;
    tracing::info!(build.id = %build.id, "{} made {digest}", home.title(build.number));
    ending::wake(app, &build);
    Ok(Stored::Yes)
}

/// The build of an open attempt, both locked: the fence that keeps an older attempt out.
async fn lock(tx: &Tx, attempt: &rows::Attempt) -> Result<rows::Build> {
    let build = db::builds::lock(tx, attempt.build_id).await?.ok_or_else(not_present)?;
    let open = db::attempts::lock(tx, attempt.id).await?.filter(|a| a.ended_at.is_none());
    open.map(|_| build).ok_or_else(not_present)
}

async fn principal(tx: &Tx, build: &rows::Build, attempt: &rows::Attempt) -> Result<Principal> {
    let home = Home::of(tx, build.repository_id).await?;
    let who = Who::Build {
        attempt_id: attempt.id,
        build_id: build.id,
        repository_id: home.repository.id,
        namespace_id: home.namespace.id,
        protection: attempt.protection,
        bases: Vec::new(),
    };
    Ok(Principal { who, bound: Bound::None })
}

/// Says why tags stayed where they are.
fn left_alone(moved: &[Moved]) -> Option<String> {
    let sentences: Vec<_> = moved
        .iter()
        .filter(|m| !m.done)
        .map(|m| format!("tag `{}` was not moved: {}", m.tag, m.why_not.as_deref().unwrap_or("it is newer")))
        .collect();
    (!sentences.is_empty()).then(|| sentences.join("; "))
}

fn rows_of(build_id: Uuid, materials: &[Material]) -> Vec<rows::Material> {
    let named = materials.iter().filter(|m| m.uri.len() <= LONGEST_URI && !m.uri.contains('\0'));
    named
        .filter_map(|m| Some((m.uri.clone(), digest_of(m)?)))
        .take(MOST_MATERIALS)
        .map(|(uri, digest)| rows::Material { id: Uuid::now_v7(), build_id, uri, digest })
        .collect()
}

/// The digest of an image, or the hash of a commit.
fn digest_of(material: &Material) -> Option<String> {
    let digests =
        material.digest.iter().map(|(algorithm, hex)| (algorithm.as_str(), hex, format!("{algorithm}:{hex}")));
    let mut good = digests.filter(|(algorithm, hex, digest)| match *algorithm {
        "sha256" => digest.parse::<Digest>().is_ok(),
        "sha1" => hex.len() == 40 && hex.parse::<CommitHash>().is_ok(),
        _ => false,
    });
    good.next().map(|(_, _, digest)| digest)
}
