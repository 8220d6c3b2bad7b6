//! Browser sessions: a random cookie whose hash is a row.
//!
//! Under https the cookie is `__Host-` and `Secure`; under http it has a name of its own for each port,
//! since all ports of localhost share cookies.

use crate::app::App;
use crate::clock::{DAY, Millis};
use crate::db::{self, rows};
use crate::error::Result;
use crate::policy::{Bound, Principal, Who};
use crate::secrets;
use actix_web::HttpRequest;
use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::web::Data;
use uuid::Uuid;

/// A session ends so long after its sign-in, however much it is used.
const LIFETIME: Millis = 30 * DAY;
/// Browsers in which one person is signed in at once; the oldest sessions end first.
const MOST: u64 = 100;

/// The name of one of our cookies here.
pub fn cookie_name(app: &App, what: &str) -> String {
    if app.config.is_https() {
        format!("__Host-slipway-{what}")
    } else {
        format!("slipway-{what}-{}", app.config.public_url.port_or_known_default().unwrap_or(80))
    }
}

/// Whether a browser says that somebody is signed in; nobody has looked whether it is true.
pub fn is_claimed(request: &HttpRequest) -> bool {
    let app = request.app_data::<Data<App>>();
    app.is_some_and(|app| request.cookie(&cookie_name(app, "session")).is_some())
}

/// A cookie of ours, for the whole site, out of reach of scripts.
pub fn cookie(app: &App, what: &str, value: String, lifetime: Duration) -> Cookie<'static> {
    Cookie::build(cookie_name(app, what), value)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(app.config.is_https())
        .max_age(lifetime)
        .finish()
}

/// Starts a session and ends the one that the browser had: its value is never kept over a sign-in.
pub async fn start(app: &App, request: &HttpRequest, user_id: Uuid) -> Result<Cookie<'static>> {
    let value = secrets::new_token("");
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    if let Some(old) = request.cookie(&cookie_name(app, "session")) {
        db::sessions::delete_by_hash(&tx, &secrets::hash(old.value())).await?;
    }
    let row = rows::Session {
        id: Uuid::now_v7(),
        hash: secrets::hash(value.reveal()),
        user_id,
        user_agent: header(request, "user-agent"),
        address: Some(super::address::client_address(app, request).to_string()),
        created_at: now,
        seen_at: now,
        expires_at: now + LIFETIME,
    };
    db::sessions::insert(&tx, row).await?;
    db::sessions::keep_newest(&tx, user_id, MOST).await?;
    tx.commit().await?;
    Ok(cookie(app, "session", value.reveal().to_owned(), Duration::milliseconds(LIFETIME)))
}

fn header(request: &HttpRequest, name: &str) -> Option<String> {
    let text = request.headers().get(name)?.to_str().ok()?;
    Some(text.chars().take(200).collect())
}

/// Ends the browser's session and takes its cookie back.
pub async fn end(app: &App, request: &HttpRequest) -> Result<Cookie<'static>> {
    if let Some(old) = request.cookie(&cookie_name(app, "session")) {
        let tx = app.db.begin().await?;
        db::sessions::delete_by_hash(&tx, &secrets::hash(old.value())).await?;
        tx.commit().await?;
    }
    Ok(cookie(app, "session", String::new(), Duration::ZERO))
}

/// Who the browser's session belongs to.
pub async fn principal(app: &App, request: &HttpRequest) -> Result<Option<Principal>> {
    let Some(cookie) = request.cookie(&cookie_name(app, "session")) else { return Ok(None) };
    let now = app.clock.now();
    let Some(session) =
        db::sessions::find_by_hash(&app.db, &secrets::hash(cookie.value()), now, now - LIFETIME).await?
    else {
        return Ok(None);
    };
    let user = db::users::find(&app.db, session.user_id).await?.filter(rows::User::may_act);
    let Some(user) = user else { return Ok(None) };
    if now - session.seen_at > crate::clock::HOUR {
        let tx = app.db.begin().await?;
        db::sessions::note_use(&tx, session.id, now).await?;
        tx.commit().await?;
    }
    Ok(Some(Principal {
        who: Who::User { id: user.id, name: user.name, is_site_admin: user.is_site_admin },
        bound: Bound::None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestApp;
    use actix_web::test::TestRequest;

    #[tokio::test]
    async fn a_person_has_so_many_sessions_and_the_oldest_end() {
        let app = TestApp::start().await;
        let tx = app.db.begin().await.unwrap();
        let user = db::users::insert(&tx, crate::testing::user("mona")).await.unwrap();
        tx.commit().await.unwrap();
        let mut cookies = Vec::new();
        for _ in 0..MOST + 2 {
            app.clock.advance(1);
            cookies.push(start(&app, &TestRequest::default().to_http_request(), user.id).await.unwrap());
        }
        assert_eq!(db::sessions::of_user(&app.db, user.id).await.unwrap().len() as u64, MOST);
        let works = async |cookie: &Cookie<'static>| {
            let request = TestRequest::default().cookie(cookie.clone()).to_http_request();
            principal(&app, &request).await.unwrap().is_some()
        };
        assert_eq!((works(&cookies[1]).await, works(&cookies[2]).await), (false, true));
        assert!(works(&cookies[101]).await);
    }

    #[tokio::test]
    async fn a_session_ends_after_thirty_days_however_much_it_is_used() {
        let app = TestApp::start().await;
        let user = crate::testing::user("mona");
        let tx = app.db.begin().await.unwrap();
        let user = db::users::insert(&tx, user).await.unwrap();
        // As one that an older version had made longer.
        let row = rows::Session {
            id: Uuid::now_v7(),
            hash: secrets::hash("older"),
            user_id: user.id,
            user_agent: None,
            address: None,
            created_at: app.clock.now(),
            seen_at: app.clock.now(),
            expires_at: app.clock.now() + 300 * DAY,
        };
        db::sessions::insert(&tx, row).await.unwrap();
        tx.commit().await.unwrap();
        let cookie = start(&app, &TestRequest::default().to_http_request(), user.id).await.unwrap();
        let older = super::cookie(&app, "session", "older".into(), Duration::ZERO);
        for day in 0..=30 {
            for cookie in [&cookie, &older] {
                let request = TestRequest::default().cookie(cookie.clone()).to_http_request();
                let found = principal(&app, &request).await.unwrap();
                assert_eq!(found.is_some(), day < 30, "day {day}");
            }
            app.clock.advance(DAY);
        }
    }
}
