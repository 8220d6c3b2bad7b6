//! `slipway admin key`: the keys that sign images.

use crate::app::App;
use crate::auth::extract::namespace_access;
use crate::clock;
use crate::db::rows;
use crate::error::{Error, Result};
use crate::names::NamespaceName;
use crate::policy::{self, Allowed, ManageSigningKey, Principal};
use crate::trust::{self, KeyState};
use clap::Subcommand;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Key {
    /// Say which key signs for a namespace, which ones did, and how far signing again is.
    #[command(after_help = "Example:\n  slipway admin key show acme")]
    Show {
        /// `acme`.
        namespace: String,
    },
    /// Give a namespace a new key: everything that builds made is signed with it, then it is published.
    #[command(after_help = "Example:\n  slipway admin key rotate acme")]
    Rotate {
        /// `acme`.
        namespace: String,
    },
    /// Publish a new key though not every image could be signed with it: `show` says so, and the log why.
    #[command(after_help = "Example:\n  slipway admin key publish acme")]
    Publish {
        /// `acme`.
        namespace: String,
    },
    /// Take the trust from a key that somebody else may have: nothing is verified by it any longer.
    #[command(after_help = "Example:\n  slipway admin key revoke acme --fingerprint SHA256:3f9a…")]
    Revoke {
        /// `acme`.
        namespace: String,
        /// Of one of the namespace's keys; the one that signs now when it is left out.
        #[arg(long)]
        fingerprint: Option<String>,
    },
    /// Take the trust from the one key that signed for all namespaces before each had its own.
    #[command(after_help = "Example:\n  slipway admin key revoke-instance")]
    RevokeInstance,
}

pub(super) async fn perform(app: &App, command: Key) -> Result<String> {
    match command {
        Key::Show { namespace } => {
            let allowed = allowed(app, &namespace).await?;
            Ok(told(&namespace, &trust::state_of(app, allowed.on().id).await?))
        }
        Key::Rotate { namespace } => {
            let fingerprint = trust::rotate(app, &allowed(app, &namespace).await?).await?;
            Ok(format!(
                "`{namespace}` signs with {fingerprint} from now on; it is published once everything that builds \
                 made is signed with it: `slipway admin key show {namespace}` says how far that is"
            ))
        }
        Key::Publish { namespace } => {
            let fingerprint = trust::publish(app, &allowed(app, &namespace).await?).await?;
            Ok(format!("{fingerprint} is published: `cosign.pub` of `{namespace}` answers with it"))
        }
        Key::Revoke { namespace, fingerprint } => {
            let allowed = allowed(app, &namespace).await?;
            let fingerprint = trust::revoke(app, &allowed, fingerprint.as_deref()).await?;
            Ok(format!("{fingerprint} is revoked; what builds of `{namespace}` made with it is being signed again"))
        }
        Key::RevokeInstance => {
            let fingerprint = trust::revoke_instance_key(app).await?;
            Ok(format!("{fingerprint}, the key of the whole instance, is revoked"))
        }
    }
}

async fn allowed(app: &App, namespace: &str) -> Result<Allowed<ManageSigningKey>> {
    let name: NamespaceName = namespace.parse()?;
    let found = namespace_access(app, &Principal::SYSTEM, &name).await?;
    let allowed = found.and_then(|on| policy::check::<ManageSigningKey>(&Principal::SYSTEM, on).ok());
    allowed.ok_or_else(|| Error::not_found(format!("namespace `{name}`")))
}

/// A line for each key, and one for the run.
fn told(namespace: &str, state: &KeyState) -> String {
    let mut lines = Vec::new();
    lines.push(match &state.active {
        Some(key) => format!("{} signs for `{namespace}` since {}", key.fingerprint, clock::utc(key.created_at)),
        None => format!("`{namespace}` has signed nothing yet; its key is made with the first image"),
    });
    let is_other = |key: &&rows::SigningKey| state.active.as_ref().is_some_and(|active| active.id != key.id);
    if let Some(key) = state.published.as_ref().filter(is_other) {
        lines.push(format!("{} is still the one at `cosign.pub`, and signs beside it until then", key.fingerprint));
    }
    if let Some(run) = &state.run {
        let (looked, total) = (run.looked, run.total.max(run.looked));
        let done = if state.is_changing() { "is under way" } else { "is done" };
        lines.push(format!(
            "signing again {done}: {looked} of {total} manifests were looked at, {} signed, {} could not be",
            run.signed, run.skipped
        ));
    }
    if state.is_held() {
        lines.push(format!(
            "so the new key is not published; the server's log says what was not signed: rotate again to try anew, or \
             `slipway admin key publish {namespace}`"
        ));
    }
    for key in &state.old {
        let what = if key.revoked_at.is_some() { "is revoked" } else { "is retired; what it signed stays verified" };
        lines.push(format!("{} {what}", key.fingerprint));
    }
    lines.join("\n")
}
