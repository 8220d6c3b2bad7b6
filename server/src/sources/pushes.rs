//! From a ref that moved to its builds: one for each rule that names the ref.

use super::{refs, rules};
use crate::app::App;
use crate::builds::{self, NewBuild};
use crate::db::{self, Trigger, Tx, rows};
use crate::error::Result;
use crate::forge::Commit;
use crate::names::RefName;
use crate::policy::Principal;

/// Notes that a ref is at a commit, and queues what follows; nothing when it was there already.
/// `source` was locked in this transaction.
pub async fn apply(
    app: &App,
    tx: &Tx,
    source: &rows::Source,
    name: &RefName,
    commit: &Commit,
) -> Result<Vec<rows::Build>> {
    match refs::record(tx, source, name, &commit.hash, app.clock.now()).await? {
        Some(number) => start(app, tx, &Principal::SYSTEM, source, (name, number), commit, Trigger::Push).await,
        None => Ok(Vec::new()),
    }
}

/// Queues the builds of a ref update, one for each rule that names the ref.
async fn start(
    app: &App,
    tx: &Tx,
    by: &Principal,
    source: &rows::Source,
    at: (&RefName, i64),
    commit: &Commit,
    trigger: Trigger,
) -> Result<Vec<rows::Build>> {
    let mut made = Vec::new();
    for rule in db::sources::rules_of(tx, source.id).await? {
        if rules::builds(&rule, at.0) {
            made.push(start_rule(app, tx, by, source, rule, at, commit, trigger).await?);
        }
    }
    Ok(made)
}

/// Queues one build, or notes why there is none; older ones of the same ref that still wait give way.
#[expect(clippy::too_many_arguments, reason = "each says another thing about the build")]
pub async fn start_rule(
    app: &App,
    tx: &Tx,
    by: &Principal,
    source: &rows::Source,
    rule: rows::Rule,
    (name, number): (&RefName, i64),
    commit: &Commit,
    trigger: Trigger,
) -> Result<rows::Build> {
    let skip = why_not(tx, source, &rule, name, commit, trigger).await?;
    let is_skipped = skip.is_some();
    let repository_id = rule.repository_id;
    let new = NewBuild {
        rule,
        source: source.clone(),
        ref_name: name.clone(),
        ref_number: number,
        commit: commit.hash.clone(),
        title: commit.title(),
        author: commit.author_name(),
        trigger,
        no_cache: false,
        rerun_of: None,
        skip,
    };
    let build = builds::enqueue(app, tx, by, new).await?;
    // A commit that asks for no build leaves the one before it to be built.
    if !is_skipped {
        builds::supersede(app, tx, repository_id, name, build.id).await?;
    }
    Ok(build)
}

async fn why_not(
    tx: &Tx,
    source: &rows::Source,
    rule: &rows::Rule,
    name: &RefName,
    commit: &Commit,
    trigger: Trigger,
) -> Result<Option<(&'static str, String)>> {
    // A person who imports asks for the build, whatever the commit says. And so does who makes a git tag: tools that
    // release put these words into the commit that they tag, so that nothing runs for the branch.
    let counts = trigger == Trigger::Push && name.branch().is_some();
    let word = rules::asks_to_skip(&commit.message).filter(|_| counts);
    if let Some(word) = word {
        return Ok(Some(("skip_ci", format!("the commit message says `{word}`"))));
    }
    // Those that were there before this one keep their tags, unless a version or the default branch asks for them.
    let live = db::sources::refs::live(tx, source.id).await?;
    let live: Vec<RefName> = live.iter().filter_map(|known| known.name.parse().ok()).collect();
    let built: Vec<&RefName> = live.iter().filter(|other| rules::builds(rule, other)).collect();
    let default = &source.default_branch;
    if let Some((tag, winner)) = rules::overruled(name, built.iter().copied(), default) {
        let (short, why) = (winner.short(), rules::why_it_wins(winner, name));
        let text = format!("`{short}` has the tag `{tag}`: {why}; rename the {}", kind(name));
        return Ok(Some(("tag_collision", text)));
    }
    let earlier = live.iter().take_while(|known| *known != name).filter(|known| built.contains(known));
    let clash = rules::collision(name, earlier, default);
    Ok(clash.map(|(tag, other)| {
        let text =
            format!("the {} `{}` moves the tag `{tag}` already; rename one of the two", kind(other), other.short());
        ("tag_collision", text)
    }))
}

fn kind(name: &RefName) -> &'static str {
    if name.tag().is_some() { "git tag" } else { "branch" }
}
