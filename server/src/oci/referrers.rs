//! Manifests that describe another one.

use super::{paging, path};
use crate::app::App;
use crate::db::rows;
use crate::error::{Error, Result};
use crate::registry::document::OCI_INDEX;
use crate::registry::manifests;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

/// `GET …/referrers/{digest}?artifactType=`: an index, empty when nothing refers to it. So it is where no repository is:
/// a 404 would say that this registry has no such list, and clients would look for a tag in its place.
pub async fn list(request: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    let allowed = path::allowed_pull(&app, &request).await?;
    let subject = path::digest(&request)?;
    let query = path::query(&request)?;
    let page = paging::parse(&query)?;
    let filter = query.get("artifactType").filter(|wanted| !wanted.is_empty());
    // PostgreSQL has no text with a NUL in it, and no media type has any of these (RFC 6838, section 4.2).
    if filter.is_some_and(|f| f.len() > 255 || f.contains(char::is_control)) {
        return Err(Error::invalid("`artifactType` is a media type"));
    }
    let wanted = filter.map(String::as_str);
    let (found, has_more) = match &allowed {
        Some(allowed) => manifests::referrers_page(&app, allowed, &subject, wanted, &page.after, page.limit).await?,
        None => (Vec::new(), false),
    };
    let mut answer = HttpResponse::Ok();
    let path = format!("/v2/{}/referrers/{subject}", path::name(&request)?);
    let more = filter.and_then(|f| serde_urlencoded::to_string([("artifactType", f)]).ok());
    let more = more.map_or_else(String::new, |m| format!("&{m}"));
    paging::link(&mut answer, &path, &page, has_more, found.last().map(|m| m.digest.as_str()), &more);
    if filter.is_some() {
        answer.insert_header(("oci-filters-applied", "artifactType"));
    }
    let manifests: Vec<Value> = found.iter().map(descriptor).collect();
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests});
    Ok(answer.content_type(OCI_INDEX).body(index.to_string()))
}

fn descriptor(manifest: &rows::Manifest) -> Value {
    let mut descriptor = json!({
        "mediaType": manifest.media_type,
        "digest": manifest.digest,
        "size": manifest.size_bytes,
    });
    // A row of an earlier version may hold an empty one.
    if let Some(artifact_type) = manifest.artifact_type.as_ref().filter(|text| !text.is_empty()) {
        descriptor["artifactType"] = json!(artifact_type);
    }
    let mut body: Value = serde_json::from_slice(&manifest.body).unwrap_or_default();
    if let Some(Value::Object(annotations)) = body.get_mut("annotations") {
        // A client that expects texts would read none of the list.
        annotations.retain(|_, value| value.is_string());
        descriptor["annotations"] = json!(annotations);
    }
    descriptor
}
