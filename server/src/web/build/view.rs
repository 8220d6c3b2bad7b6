//! What the head, result and stages of a build page say.

use super::super::explain;
use super::super::offer;
use super::super::origin::Origin;
use super::super::page::count;
use super::super::present;
use super::super::views::build::{BuildResult, BuildView, ErrorLink, ExcerptLine, Failure, Hold, Newer, Queued, Ready};
use super::super::views::facts::Signature;
use super::super::views::filters::plural_text;
use super::super::views::layout::Counts;
use super::failed::ErrorLine;
use super::log::Shown;
use super::{attempts, base, hint, stages};
use crate::app::App;
use crate::builds::view::Queue;
use crate::builds::{self, WaitsFor, bases};
use crate::db::{BuildState, HookState, Visibility, rows};
use crate::error::Result;
use crate::names::Digest;
use crate::policy::{self, ManageBuilds, Principal, RepositoryAccess};
use crate::registry;

/// What the log knows and the head shows.
#[derive(Clone, Default)]
pub struct LogFacts {
    pub steps: u64,
    pub cached: u64,
    pub error: Option<ErrorLine>,
}

impl From<&Shown> for LogFacts {
    fn from(shown: &Shown) -> Self {
        Self { steps: shown.steps, cached: shown.cached, error: shown.error.clone() }
    }
}

pub async fn of(
    app: &App,
    principal: &Principal,
    on: &RepositoryAccess,
    build: &rows::Build,
    origin: &Origin,
    log: impl Into<LogFacts>,
) -> Result<BuildView> {
    let log: LogFacts = log.into();
    let manager = policy::may::<ManageBuilds>(principal, on);
    let state = present::state(build.state);
    let tags = builds::tags_of(app, build).await?;
    Ok(BuildView {
        url: format!("/{}/-/builds/{}", on.name, build.number),
        facts: present::build_facts(app, origin, build).await?,
        steps_cached: log.cached,
        steps: log.steps,
        attempts: attempts::of(app, build, origin, &builds::attempts(app, build.id).await?).await?,
        can_cancel: manager && state.is_open() && build.cancel_requested_at.is_none(),
        cancelling: state.is_open() && build.cancel_requested_at.is_some(),
        can_rerun: manager && !state.is_open() && origin.source.is_some(),
        result: result(app, principal, on, build, origin, &tags, log).await?,
        stages: stages::of(app, build, !tags.is_empty()),
        usual_secs: builds::usual_secs(app, build).await?,
        newer: newer(app, principal, on, build).await?,
        tags,
    })
}

/// What the tabs count.
pub(super) async fn counts(app: &App, on: &RepositoryAccess) -> Result<Counts> {
    let (tags, builds) = registry::repositories::counts(app, on.id).await?;
    Ok(Counts { tags, builds })
}

async fn result(
    app: &App,
    principal: &Principal,
    on: &RepositoryAccess,
    build: &rows::Build,
    origin: &Origin,
    tags: &[String],
    log: LogFacts,
) -> Result<BuildResult> {
    let note = |text: &str| BuildResult::Note(origin.told(build.detail.clone().unwrap_or_else(|| text.to_owned())));
    Ok(match build.state {
        BuildState::Queued => BuildResult::Queued(Queued {
            place: capital(&present::place(app, build, &Queue::default()).await?),
            hold: builds::why_waiting(app, build).await?.map(hold),
        }),
        BuildState::Running => BuildResult::None,
        BuildState::Succeeded => ready(app, principal, on, build, origin.source.as_ref(), tags).await?,
        BuildState::PartlyFailed | BuildState::Failed => {
            let mut failure = failure(app, on, build, origin, log);
            base::explain(app, principal, on, build, &mut failure).await?;
            BuildResult::Failed(Box::new(failure))
        }
        // The state says by whom.
        BuildState::Cancelled if matches!(build.reason.as_deref(), None | Some("cancelled")) => BuildResult::None,
        BuildState::Cancelled => note("It was cancelled."),
        BuildState::TimedOut => note("It took longer than the operator allows."),
        BuildState::Skipped => note("It was skipped."),
    })
}

fn hold(waits_for: WaitsFor) -> Hold {
    match waits_for {
        WaitsFor::Builder(why) => Hold::NoBuilder(why),
        WaitsFor::Space => {
            Hold::Operator("The disk is nearly full: builds wait until the operator makes room.".to_owned())
        }
        WaitsFor::Namespace { name, running } => {
            let running = plural_text(running.into(), "build", "builds");
            Hold::Limit(format!("{name} runs {running} now, as many as it may."))
        }
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

async fn ready(
    app: &App,
    principal: &Principal,
    on: &RepositoryAccess,
    build: &rows::Build,
    source: Option<&rows::Source>,
    tags: &[String],
) -> Result<BuildResult> {
    let Some(digest) = build.digest.as_deref().map(Digest::trusted) else { return Ok(BuildResult::None) };
    let Some(image) = registry::images::of_digest(app, on.id, &digest).await? else {
        return Ok(BuildResult::Note("Its image was deleted.".to_owned()));
    };
    let signature = present::signature(app, on, &digest).await?;
    let signed = matches!(signature, Signature::Verified { .. });
    let Some(tag) = tags.first() else {
        let why = build.detail.clone().unwrap_or_else(|| "Built and signed; no tag moved.".to_owned());
        return Ok(BuildResult::Note(why));
    };
    // A tag that moved on names another image by now: this one is pulled by its digest.
    let here = registry::tags::still_on(app, on.id, &digest, tags).await?.into_iter().next();
    let short = digest.as_str().get(..19).unwrap_or_default();
    let moved_on = here.is_none().then(|| format!("`{tag}` now points to another image."));
    let branch = build.ref_name.strip_prefix("refs/heads/").map(|name| format!(" to {name}")).unwrap_or_default();
    let told = match source.map(|s| s.hook_state) {
        Some(HookState::Active) => "a webhook tells Slipway".to_owned(),
        _ => format!("Slipway looks every {} s, because the forge cannot reach it by webhook", app.config.poll_secs),
    };
    Ok(BuildResult::Ready(Box::new(Ready {
        image: here.as_ref().map_or_else(|| format!("{}@{short}", on.name), |tag| format!("{}:{tag}", on.name)),
        platforms: offer::platforms(&image),
        size: offer::size(&image),
        signature,
        public: on.visibility == Visibility::Public,
        pull: offer::pull_box(app, principal, on, here.as_deref(), &image, signed),
        left_alone: build.detail.clone().or(moved_on),
        next_push: format!("Each push{branch} builds again: {told}."),
        tag_url: format!("/{}/-/tags/{tag}", on.name),
    })))
}

fn failure(app: &App, on: &RepositoryAccess, build: &rows::Build, origin: &Origin, log: LogFacts) -> Failure {
    let known: slipway_protocol::Failure =
        build.failure.as_deref().and_then(|f| serde_json::from_str(f).ok()).unwrap_or_default();
    let detail = origin.told(build.detail.clone().unwrap_or_else(|| known.message.clone()));
    let message = detail.split_once('\n').map_or_else(String::new, |(_, rest)| rest.to_owned());
    let place = known.location.as_ref().map(|l| {
        let url =
            origin.named().map(|s| format!("{}/blob/{}/{}#L{}", s.html_url, build.commit_hash, l.file, l.first_line));
        (format!("{}:{}", l.file, l.first_line), url)
    });
    // Lines of a file that is not for everybody.
    let excerpt = known.location.iter().filter(|_| origin.conceal.is_none()).flat_map(|l| {
        l.excerpt.iter().map(|(n, text)| ExcerptLine::new(*n, text, (l.first_line..=l.last_line).contains(n)))
    });
    Failure {
        heading: explain::heading(&detail),
        message,
        first_error: log.error.map(|error| ErrorLink {
            id: format!("s{}-L{}", error.step, error.line),
            line: error.line,
            is_first: error.is_first,
            text: error.text,
        }),
        place,
        is_unread: known.reason == slipway_protocol::Reason::Syntax,
        file: known.location.as_ref().map(|l| l.file.clone()).unwrap_or_default(),
        excerpt: excerpt.collect(),
        hint: hint::of(&on.name.to_string(), &told(build, &known, &detail), bases::is_of_this_registry(app, &known)),
        base: None,
    }
}

/// As the builder told it, or as the server did where no builder was asked.
fn told(build: &rows::Build, known: &slipway_protocol::Failure, detail: &str) -> slipway_protocol::Failure {
    let word = build.reason.as_deref().filter(|_| build.failure.is_none());
    match word.and_then(|word| serde_json::from_value(word.into()).ok()) {
        Some(reason) => slipway_protocol::Failure { reason, message: detail.to_owned(), ..known.clone() },
        None => known.clone(),
    }
}

/// The newest build of the same ref, when it is not this one.
pub async fn newer(
    app: &App,
    principal: &Principal,
    on: &RepositoryAccess,
    build: &rows::Build,
) -> Result<Option<Newer>> {
    let Some(newer) = builds::newest_of_ref(app, build).await?.filter(|n| n.number > build.number) else {
        return Ok(None);
    };
    Ok(Some(Newer {
        number: count(newer.number),
        url: format!("/{}/-/builds/{}", on.name, newer.number),
        state: present::state(newer.state),
        title: Origin::of(app, principal, on, &newer).await?.title(&newer),
        overtook: build.state == BuildState::Succeeded && builds::was_overtaken(build),
    }))
}
