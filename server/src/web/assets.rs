//! CSS, scripts and icons: embedded, named by their hash, cacheable for ever.
//!
//! `static/dist` is made by `script/assets` and committed, each file beside its gzip form.

use actix_web::http::header::{self, CacheControl, CacheDirective, ETag, EntityTag, Header, IfNoneMatch};
use actix_web::{HttpRequest, HttpResponse, web};
use rust_embed::Embed;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::future::{Ready, ready};
use std::sync::LazyLock;

/// Where the route is: `/assets/<hash>/<name>`.
pub const ROUTE: &str = "/assets/{hash}/{name}";

#[derive(Embed)]
#[folder = "../static/dist"]
struct Dist;

struct Asset {
    url: String,
    hash: String,
    content_type: &'static str,
    plain: web::Bytes,
    gzip: Option<web::Bytes>,
}

static ASSETS: LazyLock<BTreeMap<String, Asset>> = LazyLock::new(|| {
    Dist::iter().filter(|name| !name.ends_with(".gz")).map(|name| (name.to_string(), load(&name))).collect()
});

fn load(name: &str) -> Asset {
    let bytes = |name: &str| Dist::get(name).map(|file| web::Bytes::from(file.data.into_owned()));
    let plain = bytes(name).expect("the name comes from the embedded listing");
    let hash = hex::encode(Sha256::digest(&plain));
    Asset {
        url: format!("/assets/{}/{name}", &hash[..12]),
        content_type: content_type(name),
        gzip: bytes(&format!("{name}.gz")),
        plain,
        hash,
    }
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

/// The address of an embedded file: `app.css` → `/assets/0a1b2c3d4e5f/app.css`.
pub fn asset(name: &str) -> &'static str {
    let found = ASSETS.get(name);
    debug_assert!(found.is_some(), "no asset is called {name}");
    found.map_or("/assets/absent", |asset| asset.url.as_str())
}

/// The bytes of an embedded file.
#[cfg(test)]
pub fn file(name: &str) -> Option<&'static [u8]> {
    ASSETS.get(name).map(|asset| asset.plain.as_ref())
}

/// Serves one file. A hash of another version gets the present file, not to be kept: a page that was open during an update still looks right.
#[expect(clippy::needless_pass_by_value, reason = "actix hands them over by value")]
pub fn serve(request: HttpRequest, path: web::Path<(String, String)>) -> Ready<HttpResponse> {
    let (hash, name) = path.into_inner();
    ready(answer(&request, &hash, &name))
}

fn answer(request: &HttpRequest, hash: &str, name: &str) -> HttpResponse {
    let Some(asset) = ASSETS.get(name) else {
        return HttpResponse::NotFound().finish();
    };
    let gzip = asset.gzip.as_ref().filter(|_| accepts_gzip(request));
    let tag = EntityTag::new_strong(format!("{}{}", asset.hash, gzip.map_or("", |_| "-gz")));
    let current = asset.hash.starts_with(hash) && hash.len() >= 12;
    let mut response = if matches(request, &tag) { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((header::VARY, "accept-encoding"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header(ETag(tag.clone()));
    if current {
        response.insert_header((header::CACHE_CONTROL, "public, max-age=31536000, immutable"));
    } else {
        response.insert_header(CacheControl(vec![CacheDirective::NoCache]));
    }
    if matches(request, &tag) {
        return response.finish();
    }
    if gzip.is_some() {
        response.insert_header((header::CONTENT_ENCODING, "gzip"));
    }
    response.content_type(asset.content_type).body(gzip.unwrap_or(&asset.plain).clone())
}

fn accepts_gzip(request: &HttpRequest) -> bool {
    let value = request.headers().get(header::ACCEPT_ENCODING);
    let value = value.and_then(|value| value.to_str().ok()).unwrap_or("");
    value.split(',').any(|part| {
        let mut words = part.split(';').map(str::trim);
        words.next() == Some("gzip") && words.all(|word| word != "q=0")
    })
}

fn matches(request: &HttpRequest, tag: &EntityTag) -> bool {
    match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|known| known.weak_eq(tag)),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::StatusCode;
    use actix_web::{App, test};

    async fn get(url: &str, headers: &[(&'static str, &str)]) -> actix_web::dev::ServiceResponse {
        let app = test::init_service(App::new().route(ROUTE, web::get().to(serve))).await;
        let request =
            headers.iter().fold(test::TestRequest::get().uri(url), |request, header| request.insert_header(*header));
        test::call_service(&app, request.to_request()).await
    }

    fn header<'a>(response: &'a actix_web::dev::ServiceResponse, name: &str) -> &'a str {
        response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[actix_web::test]
    async fn a_file_is_kept_for_ever_and_is_known_by_its_hash() {
        let response = get(asset("app.css"), &[]).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert!(header(&response, "cache-control").contains("immutable"));
        assert_eq!(header(&response, "content-type"), "text/css; charset=utf-8");
        assert_eq!(header(&response, "x-content-type-options"), "nosniff");
        let tag = header(&response, "etag").to_owned();
        assert!(tag.starts_with('"'));
        let again = get(asset("app.css"), &[("if-none-match", &tag)]).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    }

    #[actix_web::test]
    async fn gzip_goes_to_those_who_take_it() {
        let packed = get(asset("live.js"), &[("accept-encoding", "br, gzip")]).await;
        assert_eq!(header(&packed, "content-encoding"), "gzip");
        let plain = get(asset("live.js"), &[("accept-encoding", "gzip;q=0")]).await;
        assert_eq!(header(&plain, "content-encoding"), "");
    }

    #[actix_web::test]
    async fn another_hash_is_served_but_not_kept_and_another_name_is_not_found() {
        let old = get("/assets/000000000000/app.js", &[]).await;
        assert_eq!(header(&old, "cache-control"), "no-cache");
        let none = get("/assets/000000000000/none.js", &[]).await;
        assert_eq!(none.status(), StatusCode::NOT_FOUND);
    }
}
