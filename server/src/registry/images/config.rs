//! What an image's config says. Anybody may have pushed it: its size, its lists and its texts are bounded here.

use crate::app::App;
use crate::db;
use crate::error::Result;
use crate::names::Digest;
use crate::registry::blobs;
use moka::sync::Cache;
use serde::Deserialize;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use std::fmt;
use uuid::Uuid;

// Configs of real images have some kilobytes.
const MOST_CONFIG: usize = 1 << 20;
/// Instructions of a Dockerfile; nobody reads more of them.
const MOST_HISTORY: usize = 1_000;
/// Characters of a command that are shown.
const LONGEST_COMMAND: usize = 500;
const LONGEST_WORD: usize = 64;
/// About 100 bytes each.
const MOST_NAMES: u64 = 20_000;

/// Platforms of images without an index, by manifest: what is named by a hash never changes.
pub struct Names(Cache<Uuid, String>);

impl Default for Names {
    fn default() -> Self {
        Self(Cache::new(MOST_NAMES))
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Config {
    #[serde(deserialize_with = "or_default")]
    os: String,
    #[serde(deserialize_with = "or_default")]
    architecture: String,
    variant: Option<String>,
    /// RFC 3339.
    pub created: Option<String>,
    history: History,
}

#[derive(Default)]
struct History(Vec<Instruction>);

#[derive(Default, Deserialize)]
#[serde(default)]
struct Instruction {
    #[serde(deserialize_with = "or_default")]
    created_by: String,
    #[serde(deserialize_with = "or_default")]
    empty_layer: bool,
}

/// `null` is as missing.
fn or_default<'de, D, T>(deserializer: D) -> std::result::Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// The first entries of a list; the others are read over.
impl<'de> Deserialize<'de> for History {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct First;

        impl<'de> Visitor<'de> for First {
            type Value = History;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of instructions")
            }

            fn visit_unit<E>(self) -> std::result::Result<History, E> {
                Ok(History::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<History, A::Error> {
                let mut history = Vec::new();
                while history.len() < MOST_HISTORY {
                    match list.next_element::<Option<Instruction>>()? {
                        Some(one) => history.push(one.unwrap_or_default()),
                        None => return Ok(History(history)),
                    }
                }
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(History(history))
            }
        }

        deserializer.deserialize_any(First)
    }
}

impl Config {
    /// `linux/arm64/v8`; empty for what has none.
    pub fn platform(&self) -> String {
        let word = |text: &str| shortened(text, LONGEST_WORD);
        match (word(&self.os), word(&self.architecture), self.variant.as_deref().map(word)) {
            (os, architecture, _) if os.is_empty() || architecture.is_empty() => String::new(),
            (os, architecture, Some(variant)) if !variant.is_empty() => format!("{os}/{architecture}/{variant}"),
            (os, architecture, _) => format!("{os}/{architecture}"),
        }
    }

    /// What made each layer, bottom first.
    pub fn commands(&self) -> impl Iterator<Item = String> {
        let made = self.history.0.iter().filter(|instruction| !instruction.empty_layer);
        made.map(|instruction| shortened(&plain_command(&instruction.created_by), LONGEST_COMMAND))
    }
}

/// The config of an image; an empty one when there is none, or it cannot be read.
pub(super) async fn read(app: &App, repository_id: Uuid, manifest_id: Uuid) -> Result<Config> {
    let Some(digest) = db::edges::config(&app.db, manifest_id).await? else { return Ok(Config::default()) };
    let bytes = blobs::read_small(app, repository_id, &Digest::trusted(&digest), MOST_CONFIG).await?;
    Ok(bytes.and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or_default())
}

/// The platform of an image without an index, read once.
pub(super) async fn platform(app: &App, repository_id: Uuid, manifest_id: Uuid) -> Result<String> {
    if let Some(known) = app.platforms.0.get(&manifest_id) {
        return Ok(known);
    }
    let name = read(app, repository_id, manifest_id).await?.platform();
    app.platforms.0.insert(manifest_id, name.clone());
    Ok(name)
}

/// As much of a text as is shown.
pub(super) fn shown(text: &str) -> String {
    shortened(text, LONGEST_COMMAND)
}

fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// `RUN /bin/sh -c make # buildkit` → `RUN make`.
fn plain_command(created_by: &str) -> String {
    let text = created_by.trim_end_matches("# buildkit").trim();
    let text = text.strip_prefix("/bin/sh -c #(nop)").unwrap_or(text).trim();
    text.replace("RUN /bin/sh -c ", "RUN ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<Config> {
        serde_json::from_str(text).ok()
    }

    #[test]
    fn commands_are_told_as_in_the_dockerfile() {
        assert_eq!(plain_command("RUN /bin/sh -c make # buildkit"), "RUN make");
        assert_eq!(plain_command("COPY busybox /bin/ # buildkit"), "COPY busybox /bin/");
        assert_eq!(plain_command("/bin/sh -c #(nop) ADD file:x in / "), "ADD file:x in /");
    }

    #[test]
    fn a_hostile_config_is_read_in_part_or_not_at_all() {
        let many = format!(
            r#"{{"os":"linux","architecture":"{}","history":[{}{{}}]}}"#,
            "x".repeat(9_000),
            "{},".repeat(300_000)
        );
        let many = parse(&many).unwrap();
        assert_eq!((many.history.0.len(), many.platform().chars().count()), (MOST_HISTORY, 6 + LONGEST_WORD + 1));
        let long = parse(&format!(r#"{{"history":[{{"created_by":"{}"}}]}}"#, "ü".repeat(400_000))).unwrap();
        assert_eq!(long.commands().next().unwrap().chars().count(), LONGEST_COMMAND + 1);
        let deep = format!(r#"{{"config":{}{}}}"#, "[".repeat(400_000), "]".repeat(400_000));
        assert!(parse(&deep).is_none_or(|config| config.history.0.is_empty()));
        assert!(
            parse(r#"{"history":null,"os":"linux","architecture":"arm64","variant":"v8"}"#)
                .is_some_and(|config| config.platform() == "linux/arm64/v8")
        );
        let nulls =
            r#"{"os":null,"architecture":null,"created":null,"history":[{"created_by":null,"empty_layer":null}]}"#;
        let none = r#"{"history":[null],"os":"linux","architecture":"arm64"}"#;
        assert!(parse(none).is_some_and(|config| config.platform() == "linux/arm64"));
        assert!(parse(nulls).is_some_and(|config| config.platform().is_empty() && config.commands().count() == 1));
    }
}
