//! Runs one script of `tests/browser` in Debian's Chromium.

use std::{path::Path, time::Duration};

use serde_json::Value;

use crate::{paths::tool, run::Run};

/// Calls a script like a function: `input` goes in as JSON, and what its `main` returns comes back.
///
/// A script that throws fails the test with its stack. `lib.mjs` holds what scripts share.
pub async fn browser(script: &str, input: &Value) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    let home = tempfile::tempdir().expect("a temporary folder");
    let output = Run::new(tool("node"))
        .args([folder.join(script)])
        .folder(&folder)
        .env("HOME", home.path())
        .input(input.to_string())
        .limit(Duration::from_mins(3))
        .output()
        .await
        .ok();
    let last = output.text().lines().next_back().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{script}: {error}\n{output}"))
}
