//! What the database remembers: keys that the master key must open, and whether webhooks arrive.

use super::Finding;
use crate::app::master_key_file;
use crate::clock::{Clock, MINUTE, Millis};
use crate::config::Config;
use crate::db::{self, Db, HookState, SourceState, rows};
use crate::error::Result;
use crate::secrets::MasterKey;
use crate::trust;

/// Nothing where there is no database yet, or none of this version: another line says so.
pub(super) async fn look(config: &Config) -> Vec<Finding> {
    let Some(db) = open(config).await else { return Vec::new() };
    let (keys, sources) = (db::keys::all(&db).await, db::sources::all(&db, 1_000).await);
    db::backup::close(db).await.ok();
    let mut findings = Vec::new();
    if let Ok(keys) = keys {
        findings.push(signing_keys(&keys, MasterKey::load(&master_key_file(config))));
    }
    if let Ok(sources) = sources {
        findings.extend(hooks(&sources.iter().map(Hook::of).collect::<Vec<_>>(), config, Clock::default().now()));
    }
    findings
}

pub(super) async fn open(config: &Config) -> Option<Db> {
    if super::data::is_missing(config) {
        return None;
    }
    let db = db::connect::open_to_read(&config.database_url).await.ok()?;
    db::connect::migrations(&db).await.ok()?.pending.is_empty().then_some(db)
}

fn signing_keys(keys: &[rows::SigningKey], master: Result<MasterKey>) -> Finding {
    const WHAT: &str = "signing keys";
    const REMEDY: &str = "put back the `keys/master.key` that belongs to this database, from a backup: without it \
        nothing can be signed, and stored forge tokens and webhook secrets are lost";
    if keys.is_empty() {
        return Finding::ok(WHAT, "none yet: the first image that is built makes that of its namespace");
    }
    let master = match master {
        Ok(master) => master,
        Err(error) => return Finding::fail(WHAT, format!("no master key opens them: {}", error.for_log()), REMEDY),
    };
    let closed: Vec<_> = keys.iter().filter(|key| !trust::opens(&master, key)).map(|k| &*k.fingerprint).collect();
    if closed.is_empty() {
        return Finding::ok(WHAT, format!("the master key opens {}", count(keys.len(), "signing key")));
    }
    Finding::fail(WHAT, format!("the master key does not open {}", closed.join(", ")), REMEDY)
}

/// What is known of one source's webhook.
struct Hook<'a> {
    name: &'a str,
    is_reachable: bool,
    state: HookState,
    detail: Option<&'a str>,
    last: Option<Millis>,
}

impl<'a> Hook<'a> {
    fn of(source: &'a rows::Source) -> Self {
        Self {
            name: &source.full_name,
            is_reachable: source.state == SourceState::Active,
            state: source.hook_state,
            detail: source.hook_detail.as_deref(),
            last: source.delivered_at,
        }
    }
}

/// Nothing without sources: whether webhooks can arrive is a guess from the address then.
fn hooks(hooks: &[Hook], config: &Config, now: Millis) -> Option<Finding> {
    // What the forge no longer shows to us has no webhook to look at.
    let hooks: Vec<_> = hooks.iter().filter(|hook| hook.is_reachable).collect();
    let without: Vec<_> = hooks.iter().filter(|hook| hook.state != HookState::Active).collect();
    let first = hooks.first()?;
    let Some(example) = without.iter().find(|hook| hook.state == HookState::Refused).or(without.first()) else {
        let last = hooks.iter().filter_map(|hook| hook.last).max();
        let last = last.map_or_else(String::new, |at| format!(", the last {} min ago", (now - at) / MINUTE));
        let all = count(hooks.len(), "source");
        return Some(Finding::ok(super::WEBHOOKS, format!("arrive for {all} (such as {}){last}", first.name)));
    };
    let why = match example.state {
        HookState::Refused => "was refused by the forge",
        HookState::Missing => "is gone at the forge",
        HookState::Pending | HookState::Active => "has not arrived yet",
    };
    let detail = example.detail.map(|text| format!(" ({text})")).unwrap_or_default();
    let text = format!(
        "{} of {} have none and are polled; that of {} {why}{detail}",
        without.len(),
        count(hooks.len(), "source"),
        example.name
    );
    Some(Finding::warn(
        super::WEBHOOKS,
        text,
        format!(
            "let the forge reach {}hooks/, then press `Check and repair` in the settings of the repository; until then builds start up to {} s late",
            config.public_url, config.poll_secs
        ),
    ))
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;
    use crate::testing::TestApp;
    use uuid::Uuid;

    fn hook(state: HookState, detail: Option<&'static str>) -> Hook<'static> {
        Hook { name: "acme/web", is_reachable: true, state, detail, last: Some(0) }
    }

    #[tokio::test]
    async fn webhooks_are_what_the_sources_remember() {
        let app = TestApp::start().await;
        let said = |all: &[Hook]| hooks(all, &app.config, 5 * MINUTE);
        assert!(said(&[]).is_none(), "without sources it is not known");
        assert!(said(&[Hook { is_reachable: false, ..hook(HookState::Refused, None) }]).is_none());
        let good = said(&[hook(HookState::Active, None)]).unwrap();
        assert_eq!((good.level, good.remedy.as_deref()), (Level::Ok, None));
        assert!(good.text.contains("the last 5 min ago"), "{}", good.text);
        for (state, why) in [
            (HookState::Refused, "was refused by the forge (not approved)"),
            (HookState::Missing, "is gone at the forge (not approved)"),
            (HookState::Pending, "has not arrived yet"),
        ] {
            let found = said(&[hook(HookState::Active, None), hook(state, Some("not approved"))]).unwrap();
            assert_eq!(found.level, Level::Warn);
            assert!(found.text.starts_with("1 of 2 sources") && found.text.contains(why), "{}", found.text);
            let remedy = found.remedy.unwrap();
            assert!(
                remedy.contains("http://localhost:8080/hooks/") && remedy.contains("`Check and repair`"),
                "{remedy}"
            );
        }
    }

    #[tokio::test]
    async fn signing_keys_must_open() {
        let app = TestApp::start().await;
        let file = master_key_file(&app.config);
        let of_database = look(&app.config).await;
        assert!(of_database[0].text.contains("none yet") && of_database[0].level == Level::Ok, "{of_database:?}");
        trust::make_key(&app, Uuid::nil()).await;
        let good = look(&app.config).await;
        assert_eq!(good[0].text, "the master key opens 1 signing key");
        std::fs::write(&file, [7; 32]).unwrap();
        let other = look(&app.config).await;
        assert_eq!(other[0].level, Level::Fail);
        assert!(other[0].text.contains("does not open SHA256:"), "{other:?}");
        assert!(other[0].remedy.as_ref().unwrap().contains("`keys/master.key`"), "{other:?}");
        std::fs::remove_file(&file).unwrap();
        let gone = look(&app.config).await;
        assert_eq!(gone[0].level, Level::Fail);
        assert!(!file.exists(), "doctor changes nothing");
    }
}
