//! `slipway doctor`: what a server needs, line by line, each with a remedy. It changes nothing.

mod data;
mod machine;
mod network;
mod objects;
mod registries;
mod stored;

use crate::config::Config;
use serde::Serialize;
use std::process::ExitCode;

/// Two lines can speak of these: a guess and what is known.
const WEBHOOKS: &str = "webhooks";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Level {
    Ok,
    Warn,
    Fail,
}

/// One line.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Finding {
    level: Level,
    /// What was looked at: `database`, `BuildKit`, …
    subject: &'static str,
    text: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl Finding {
    fn ok(subject: &'static str, text: impl Into<String>) -> Self {
        Self { level: Level::Ok, subject, text: text.into(), remedy: None }
    }

    fn warn(subject: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Warn, subject, text: text.into(), remedy: Some(remedy.into()) }
    }

    fn fail(subject: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Fail, subject, text: text.into(), remedy: Some(remedy.into()) }
    }
}

impl Finding {
    fn lines(&self) -> String {
        let mark = match self.level {
            Level::Ok => "ok  ",
            Level::Warn => "warn",
            Level::Fail => "fail",
        };
        let remedy = self.remedy.as_ref().map(|r| format!("      {:<14} → {r}\n", "")).unwrap_or_default();
        format!("{mark}  {:<14} {}\n{remedy}", self.subject, self.text)
    }
}

/// Looks at everything; fails when a line fails.
pub(super) async fn run(config: &Config, json: bool) -> ExitCode {
    let mut findings = data::look(config).await;
    let stored = Box::pin(stored::look(config)).await;
    findings.extend(machine::look(config).await);
    findings.extend(network::look(config).await);
    // What the sources remember is better than a guess.
    if stored.iter().any(|f| f.subject == WEBHOOKS) {
        findings.retain(|f| f.subject != WEBHOOKS);
    }
    findings.extend(stored);
    findings.extend(Box::pin(objects::look(config)).await);
    findings.extend(registries::look(config).await);
    if json {
        super::out(&format!("{}\n", serde_json::to_string_pretty(&findings).expect("findings are plain data")));
    } else {
        for finding in &findings {
            super::out(&finding.lines());
        }
    }
    if findings.iter().any(|f| f.level == Level::Fail) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
