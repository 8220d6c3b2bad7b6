//! Code repositories that builds come from.

pub mod rules;

use crate::app::App;
use crate::db::rows;
use crate::error::Result;
use slipway_protocol::HeadersSecret;

/// The `Authorization` header that fetches from a source; `None` when it needs none.
pub async fn clone_authorization(_app: &App, _source: &rows::Source) -> Result<Option<HeadersSecret>> {
    Ok(None)
}
