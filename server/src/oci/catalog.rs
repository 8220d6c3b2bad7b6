//! The repositories that the caller may pull, and no others.

use super::{paging, path};
use crate::app::App;
use crate::error::{Error, Result};
use crate::policy::Principal;
use crate::registry::repositories;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

/// `GET /v2/_catalog?n=&last=`.
pub async fn list(principal: Principal, request: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    if crate::auth::extract::bearer_of(&request).is_none() {
        return Err(Error::Unauthorized(
            "the list is of what you may pull: sign in, or ask for a token without an account".into(),
        ));
    }
    let page = paging::parse(&path::query(&request)?)?;
    let mut names = repositories::visible_names(&app, &principal, &page.after, page.limit + 1).await?;
    let mut answer = HttpResponse::Ok();
    let has_more = page.cut(&mut names);
    paging::link(&mut answer, "/v2/_catalog", &page, has_more, names.last().map(String::as_str), "");
    Ok(answer.json(json!({"repositories": names})))
}
