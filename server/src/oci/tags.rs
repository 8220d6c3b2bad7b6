//! The tags of a repository.

use super::{paging, path};
use crate::app::App;
use crate::error::Result;
use crate::policy::{Allowed, PullImage};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

/// `GET …/tags/list?n=&last=`, in byte order.
pub async fn list(allowed: Allowed<PullImage>, request: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    let on = allowed.on();
    let page = paging::parse(&path::query(&request)?)?;
    let mut names = crate::registry::tags::names(&app, &allowed, &page.after, page.limit + 1).await?;
    let mut answer = HttpResponse::Ok();
    let has_more = page.cut(&mut names);
    let path = format!("/v2/{}/tags/list", on.name);
    paging::link(&mut answer, &path, &page, has_more, names.last().map(String::as_str), "");
    Ok(answer.json(json!({"name": on.name.to_string(), "tags": names})))
}
