//! What the daemon attaches to a failed call: a `google.rpc.Status` whose details are JSON, not protobuf.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bollard_buildkit_proto::google::rpc;
use prost::Message as _;
use serde::Deserialize;

use super::{ExcerptLine, Location};

/// Lines shown around those that failed.
const AROUND: u32 = 2;
/// A failed heredoc can be a whole script; its first lines are enough.
const MAX_EXCERPT: usize = 60;
/// In characters.
const MAX_LINE: usize = 2000;

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Details {
    pub(super) exit_code: Option<u32>,
    pub(super) vertex: Option<String>,
    pub(super) location: Option<Location>,
}

/// `errdefs.Vertex`.
#[derive(Deserialize)]
struct Vertex {
    digest: String,
}

/// `gatewayapi.ExitMessage`.
#[derive(Deserialize)]
struct ExitMessage {
    #[serde(alias = "Code")]
    code: u32,
}

/// `errdefs.Source`.
#[derive(Deserialize)]
struct Source {
    info: SourceInfo,
    #[serde(default)]
    ranges: Vec<Range>,
}

#[derive(Deserialize)]
struct SourceInfo {
    #[serde(default)]
    filename: String,
    #[serde(default)]
    data: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Range {
    start: Position,
    end: Position,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Position {
    line: u32,
}

/// Reads what it knows and passes over the rest: details are a help, never the error itself.
pub(super) fn decode(details: &[u8]) -> Details {
    let mut found = Details::default();
    for any in rpc::Status::decode(details).unwrap_or_default().details {
        let json = any.value.as_slice();
        match any.type_url.rsplit('/').next() {
            Some("gatewayapi.ExitMessage+json") => {
                found.exit_code = serde_json::from_slice(json).ok().map(|exit: ExitMessage| exit.code);
            }
            Some("errdefs.Vertex+json") => {
                found.vertex = serde_json::from_slice(json).ok().map(|vertex: Vertex| vertex.digest);
            }
            // With several, the first is the innermost.
            Some("errdefs.Source+json") if found.location.is_none() => {
                found.location = serde_json::from_slice(json).ok().and_then(location);
            }
            _ => {}
        }
    }
    found
}

fn location(source: Source) -> Option<Location> {
    let first_line = source.ranges.iter().map(|range| range.start.line).filter(|line| *line > 0).min()?;
    let ends = source.ranges.iter().map(|range| range.end.line.max(range.start.line));
    let last_line = ends.max().unwrap_or(first_line);
    let text = BASE64.decode(&source.info.data).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let shown = first_line.saturating_sub(AROUND).max(1)..=last_line.saturating_add(AROUND);
    let excerpt = (1..).zip(text.lines()).filter(|(number, _)| shown.contains(number)).take(MAX_EXCERPT);
    let excerpt = excerpt.map(|(number, line)| ExcerptLine {
        number,
        text: line.chars().take(MAX_LINE).collect(),
        failed: (first_line..=last_line).contains(&number),
    });
    Some(Location { file: source.info.filename, first_line, last_line, excerpt: excerpt.collect() })
}

#[cfg(test)]
mod tests;
