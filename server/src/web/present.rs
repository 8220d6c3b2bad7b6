//! From rows to the values that pages print.

use super::explain;
use super::origin::Origin;
use super::page::{count, when};
use super::views::builds::{BuildFacts, BuildRow};
use super::views::facts::{Commit, Signature, State};
use super::views::repository::{Cause, Durations, RepositoryHead};
use crate::app::App;
use crate::builds;
use crate::builds::view::Queue;
use crate::db::{self, BuildState, Trigger, Visibility, rows};
use crate::error::Result;
use crate::names::{Digest, RefName};
use crate::policy::{self, Principal, RepositoryAccess};
use crate::registry::tags::MoveStory;
use crate::trust::{self, Place, Verdict, VerdictState};
use uuid::Uuid;

pub fn state(state: BuildState) -> State {
    match state {
        BuildState::Queued => State::Queued,
        BuildState::Running => State::Running,
        BuildState::Succeeded => State::Succeeded,
        BuildState::PartlyFailed => State::PartlyFailed,
        BuildState::Failed => State::Failed,
        BuildState::Cancelled => State::Cancelled,
        BuildState::TimedOut => State::TimedOut,
        BuildState::Skipped => State::Skipped,
    }
}

/// `main` of `refs/heads/main`.
pub fn short_ref(full: &str) -> String {
    full.parse::<RefName>().map_or_else(|_| full.to_owned(), |r| r.short().to_owned())
}

/// The commit of a build, with its page at the forge.
pub fn commit(build: &rows::Build, source: Option<&rows::Source>) -> Commit {
    Commit {
        hash: build.commit_hash.clone(),
        url: source.map(|s| format!("{}/commit/{}", s.html_url, build.commit_hash)),
    }
}

/// Seconds from its start to its end, or to now.
pub fn seconds(app: &App, build: &rows::Build) -> Option<u64> {
    let started = build.started_at?;
    Some(count((build.finished_at.unwrap_or_else(|| app.clock.now()) - started) / 1_000))
}

/// The state in words, `Cancelled by mona after 58s`.
pub fn status(app: &App, build: &rows::Build) -> String {
    let word = state(build.state).word();
    let after =
        seconds(app, build).map(|s| format!(" after {}", super::views::filters::duration_text(s))).unwrap_or_default();
    match build.state {
        BuildState::Cancelled => {
            let by = build.cancelled_by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
            format!("{word}{by}{after}")
        }
        BuildState::TimedOut => format!("{word}{after}"),
        _ => word.to_owned(),
    }
}

/// `push`, `re-run of #11`.
async fn trigger(app: &App, build: &rows::Build) -> Result<String> {
    let word = match build.trigger {
        Trigger::Push => "push",
        Trigger::Import => "import",
        Trigger::Manual => "press of Build now",
        Trigger::Rerun => "re-run",
        Trigger::Cron => "schedule",
    };
    let of = match build.rerun_of {
        Some(id) => crate::builds::number_of(app, id).await?,
        None => None,
    };
    Ok(of.map_or_else(|| word.to_owned(), |number| format!("{word} of #{number}")))
}

/// The person who pressed a button for a build.
pub async fn pusher(app: &App, build: &rows::Build) -> Result<Option<String>> {
    match (build.principal_kind, build.principal_id) {
        (db::PrincipalKind::User, Some(id)) => crate::accounts::name_of(app, id).await,
        _ => Ok(None),
    }
}

/// What lists and pages say alike of a build.
pub async fn build_facts(app: &App, origin: &Origin, build: &rows::Build) -> Result<BuildFacts> {
    Ok(BuildFacts {
        number: count(build.number),
        state: state(build.state),
        status: status(app, build),
        title: origin.title(build),
        commit: origin.commit(build),
        ref_name: short_ref(&build.ref_name),
        actor: origin.actor(app, build).await?,
        trigger: trigger(app, build).await?,
        at: when(app, build.finished_at.or(build.started_at).unwrap_or(build.created_at)),
        secs: seconds(app, build),
    })
}

/// One build in a list.
pub async fn build_row(
    app: &App,
    principal: &Principal,
    on: &RepositoryAccess,
    build: &rows::Build,
    queue: &Queue,
) -> Result<BuildRow> {
    let origin = Origin::of(app, principal, on, build).await?;
    let place = if build.state == BuildState::Queued { Some(place(app, build, queue).await?) } else { None };
    let failure = build.detail.clone().filter(|_| build.state == BuildState::Failed);
    Ok(BuildRow {
        repository: on.name.to_string(),
        facts: build_facts(app, &origin, build).await?,
        failure: failure.map(|text| explain::heading(&origin.told(text))),
        place,
    })
}

/// What a queued build waits for: its turn, or a builder.
pub async fn place(app: &App, build: &rows::Build, queue: &Queue) -> Result<String> {
    if builds::no_builder(app).is_some() {
        return Ok("waits for a builder".to_owned());
    }
    Ok(place_text(queue.place_of(app, build).await?))
}

/// `next in line`, `3rd in line`; nobody counts the builds before one that is far behind.
fn place_text(before: Option<usize>) -> String {
    let Some(place) = before.map(|n| n + 1) else {
        return format!("{} or more builds before it", crate::builds::LOOKED_AT);
    };
    let ending = match (place % 10, place % 100) {
        _ if place == 1 => return "next in line".to_owned(),
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{place}{ending} in line")
}

/// The head that all pages of a repository share.
pub async fn head(app: &App, principal: &Principal, on: &RepositoryAccess) -> Result<RepositoryHead> {
    let (tags, builds) = crate::registry::repositories::counts(app, on.id).await?;
    Ok(RepositoryHead { tags, builds, ..head_uncounted(principal, on) })
}

/// The same without a question to the database.
pub fn head_uncounted(principal: &Principal, on: &RepositoryAccess) -> RepositoryHead {
    RepositoryHead {
        namespace: on.name.namespace.to_string(),
        name: on.name.name.clone(),
        public: on.visibility == Visibility::Public,
        tags: 0,
        builds: 0,
        manager: policy::may::<policy::ManageBuilds>(principal, on),
        admin: policy::may::<policy::AdministerRepository>(principal, on),
    }
}

/// The stream of a repository's builds, while one of them is open: a page that counts on it follows.
pub async fn while_open(app: &App, head: &RepositoryHead, repository_id: Uuid) -> Result<Option<String>> {
    let is_open = builds::is_any_open(app, repository_id).await?;
    Ok(is_open.then(|| format!("{}/-/builds/events", head.url())))
}

/// Signed by whom, and when that was checked.
pub async fn signature(app: &App, on: &RepositoryAccess, digest: &Digest) -> Result<Signature> {
    Ok(verdict(app, trust::verify(app, &Place::from(on), digest).await?))
}

pub fn verdict(app: &App, Verdict { state, key, at }: Verdict) -> Signature {
    let checked = when(app, at);
    let key = |unnamed: &str| key.map_or_else(|| unnamed.to_owned(), |k| k.name);
    match state {
        VerdictState::Verified => Signature::Verified { key: key("a key of this server"), checked },
        VerdictState::Revoked => Signature::Revoked { key: key("a revoked key"), checked },
        VerdictState::Elsewhere(name) => Signature::Elsewhere { name, checked },
        VerdictState::Untrusted => Signature::Untrusted { checked },
        VerdictState::NotSigned => Signature::NotSigned,
        VerdictState::Lost => Signature::Lost { checked },
        VerdictState::CouldNotCheck(reason) => Signature::CouldNotCheck { reason },
    }
}

/// Why a tag points where it points.
pub fn cause(on: &RepositoryAccess, story: Option<&MoveStory>) -> Cause {
    let Some(story) = story else { return Cause { text: "Not known".into(), ..Cause::default() } };
    if let Some(build) = &story.build {
        return Cause {
            text: format!("Build #{}", build.number),
            url: Some(format!("/{}/-/builds/{}", on.name, build.number)),
            commit: Some(commit(build, None)),
        };
    }
    let by = story.person.as_ref().map_or_else(|| "by the server".to_owned(), |p| format!("by {p}"));
    let verb = match story.row.cause {
        db::Cause::Delete => "Deleted",
        db::Cause::Restore => "Restored",
        db::Cause::Push | db::Cause::Build => "Pushed",
    };
    Cause { text: format!("{verb} {by}"), ..Cause::default() }
}

/// Seconds and success of finished builds, oldest first.
pub fn durations(app: &App, builds: &[rows::Build]) -> Durations {
    let ended = |b: &&rows::Build| matches!(b.state, BuildState::Succeeded | BuildState::Failed | BuildState::TimedOut);
    let bar = |b: &rows::Build| Some((seconds(app, b)?, b.state == BuildState::Succeeded));
    let mut bars: Vec<_> = builds.iter().filter(ended).filter_map(bar).take(30).collect();
    bars.reverse();
    Durations { builds: bars }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_as_people_say_them() {
        let told = |before| place_text(Some(before));
        assert_eq!(place_text(None), "50 or more builds before it");
        assert_eq!(
            [told(0), told(1), told(2), told(3), told(10), told(20), told(110)],
            [
                "next in line",
                "2nd in line",
                "3rd in line",
                "4th in line",
                "11th in line",
                "21st in line",
                "111th in line"
            ]
        );
    }
}
