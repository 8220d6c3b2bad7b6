//! Who waits for whom at the server's door.

use super::*;
use crate::auth::sessions;
use crate::db;
use crate::policy::{Bound, Principal, Who};
use crate::testing::{self, TestApp};
use actix_web::HttpResponse;
use actix_web::cookie::Cookie;
use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::web::to;
use std::net::IpAddr;
use tokio::time::timeout;
use uuid::Uuid;

/// One that is drawn for everybody, to say that there is nothing.
const PAGE: &str = "/acme/web/-/builds/7";

/// The status of an answer that comes within half a second.
macro_rules! asking {
    ($app:expr) => {{
        let service = init_service(super::super::application::application(Data::from($app.app.clone()))).await;
        async move |path: &str, address: IpAddr, cookie: Option<Cookie<'static>>| {
            let mut request = TestRequest::get().uri(path).peer_addr((address, 1).into());
            if let Some(cookie) = cookie {
                request = request.cookie(cookie);
            }
            let answer = timeout(Duration::from_millis(500), call_service(&service, request.to_request())).await;
            answer.ok().map(|answer| answer.status().as_u16())
        }
    }};
}

fn address(n: u8) -> IpAddr {
    [192, 0, n, 1].into()
}

fn stranger(n: u8) -> Asker {
    Asker::stranger(address(n))
}

fn person(id: Uuid, n: u8) -> Asker {
    let who = Who::User { id, name: "mona".into(), is_site_admin: false };
    Asker::of(&Principal { who, bound: Bound::None }, address(n))
}

/// A new person: the id, and the browser's cookie.
async fn sign_in(app: &TestApp, name: &str) -> (Uuid, Cookie<'static>) {
    let tx = app.db.begin().await.unwrap();
    let user = testing::user(name);
    let id = user.id;
    db::users::insert(&tx, user).await.unwrap();
    tx.commit().await.unwrap();
    let cookie = sessions::start(app, &TestRequest::default().to_http_request(), id).await.unwrap();
    (id, cookie)
}

#[actix_web::test]
async fn one_address_waits_for_its_turn_and_readiness_builders_and_others_do_not() {
    let app = TestApp::start().await;
    let ask = asking!(app);
    let own = [app.drawing.any_time(&stranger(1)).await, app.drawing.any_time(&stranger(1)).await];
    assert_eq!(ask(PAGE, address(1), None).await, None);
    assert_eq!(ask(PAGE, address(2), None).await, Some(404));
    let other = app.drawing.any_time(&stranger(3)).await;
    assert_eq!(ask(PAGE, address(4), None).await, None, "strangers have all that are theirs");
    for (path, status) in [("/readyz", 200), ("/v2/acme/web/tags/list", 401), ("/login", 200)] {
        assert_eq!(ask(path, address(1), None).await, Some(status), "{path}");
    }
    drop((own, other));
    assert_eq!(ask(PAGE, address(1), None).await, Some(404));
}

#[actix_web::test]
async fn who_is_signed_in_has_a_page_while_strangers_of_many_networks_wait_for_theirs() {
    let app = TestApp::start().await;
    let ask = asking!(app);
    let (id, mona) = sign_in(&app, "mona").await;
    let (_, lisa) = sign_in(&app, "lisa").await;
    let mut held = Vec::new();
    for n in 1..4 {
        held.push(app.drawing.any_time(&stranger(n)).await);
    }
    let made_up = Cookie::new(mona.name().to_owned(), "0".repeat(64));
    assert_eq!(ask(PAGE, address(9), Some(made_up)).await, None, "a session that is none");
    assert_eq!(ask(PAGE, address(1), Some(mona.clone())).await, Some(404));
    drop(held);
    let own = [app.drawing.any_time(&person(id, 8)).await, app.drawing.any_time(&person(id, 8)).await];
    assert_eq!(ask(PAGE, address(8), Some(mona.clone())).await, None, "this address has its share");
    assert_eq!(ask(PAGE, address(9), Some(mona.clone())).await, Some(404));
    let third = app.drawing.any_time(&person(id, 7)).await;
    assert_eq!(ask(PAGE, address(9), Some(mona)).await, None, "one turn is for others");
    assert_eq!(ask(PAGE, address(1), Some(lisa)).await, Some(404));
    drop((own, third));
}

#[actix_web::test]
async fn lists_of_the_registry_wait_for_their_turn_and_hold_up_neither_pulls_nor_pages() {
    let app = TestApp::start().await;
    let ask = asking!(app);
    let lists =
        ["/v2/_catalog", "/v2/acme/web/tags/list?n=5", "/v2/acme/web/referrers/sha256:0?artifactType=application/x"];
    let held = app.listing.any_time(&stranger(1)).await;
    for path in lists {
        assert_eq!(ask(path, address(1), None).await, None, "{path}");
        assert_eq!(ask(path, address(2), None).await, None, "{path}");
    }
    for path in ["/v2/", "/v2/acme/web/manifests/v1", "/v2/acme/web/blobs/sha256:0"] {
        assert!(ask(path, address(1), None).await.is_some(), "{path}");
    }
    for (path, status) in [(PAGE, 404), ("/readyz", 200), ("/token", 200)] {
        assert_eq!(ask(path, address(1), None).await, Some(status), "{path}");
    }
    drop(held);
    for path in lists {
        assert_eq!(ask(path, address(1), None).await, Some(401), "{path}");
    }
}

#[actix_web::test]
async fn who_is_shut_out_while_waiting_for_a_turn_is_nobody_when_it_comes() {
    let app = TestApp::start().await;
    let who = |principal: Principal| async move {
        HttpResponse::Ok().insert_header(("known", principal.user_id().is_some().to_string())).finish()
    };
    let service = actix_web::App::new().app_data(Data::from(app.app.clone())).wrap(from_fn(middleware));
    let service = init_service(service.default_service(to(who))).await;
    let (id, cookie) = sign_in(&app, "mona").await;
    let own = [app.drawing.any_time(&person(id, 1)).await, app.drawing.any_time(&person(id, 1)).await];
    let request = TestRequest::get().uri("/acme").peer_addr((address(1), 1).into()).cookie(cookie).to_request();
    let shut_out = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let tx = app.db.begin().await.unwrap();
        db::sessions::delete_of_user(&tx, id).await.unwrap();
        tx.commit().await.unwrap();
        drop(own);
    };
    let (answer, ()) = futures_util::future::join(call_service(&service, request), shut_out).await;
    assert_eq!(answer.headers().get("known").unwrap(), "false");
}

#[test]
fn half_of_the_connections_draw_pages_a_quarter_makes_lists_and_one_at_least() {
    for (connections, pages, lists) in
        [(1, (1, 1), (1, 1)), (2, (1, 1), (1, 1)), (4, (2, 1), (1, 1)), (8, (4, 2), (2, 2)), (100, (50, 25), (25, 25))]
    {
        let (drawing, listing) = turns(connections);
        assert_eq!((drawing.bounds(), listing.bounds()), (pages, lists), "{connections}");
        assert_eq!(Arc::ptr_eq(&drawing, &listing), connections < 4, "{connections}");
    }
}

#[test]
fn pages_and_lists_take_turns_and_what_waits_for_others_does_not() {
    let pages = ["/", "/acme", "/acme/web/-/builds/7", "/acme/web/-/builds/7/raw", "/settings/tokens"];
    let lists = [
        "/v2/_catalog",
        "/v2/acme/web/tags/list",
        "/v2/acme/tags/list/tags/list",
        "/v2/acme/web/referrers/sha256:0",
        "/v2/acme/web/referrers/sha256%3A0",
    ];
    let others = [
        "/healthz",
        "/v2/",
        "/token",
        "/builder/v1/claim",
        "/login/github/callback",
        "/assets/1/a.css",
        "/v2/acme/tags/list/manifests/v1",
        "/v2/acme/referrers/blobs/sha256:0",
        "/v2/acme/web/manifests/list",
    ];
    for (paths, expected) in [(&pages[..], Some(Kind::Page)), (&lists[..], Some(Kind::List)), (&others[..], None)] {
        for path in paths {
            assert_eq!(kind_of(&Method::GET, path), expected, "{path}");
            assert_eq!(kind_of(&Method::HEAD, path), expected, "{path}");
            assert_eq!(kind_of(&Method::POST, path), None, "{path}");
        }
    }
}
