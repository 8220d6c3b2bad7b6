//! Pages are drawn a few at a time, and fewer for one address: what many readers ask at once waits in line, without a
//! connection to the database.
//!
//! That leaves connections for the registry, builders and jobs, and the processor for whoever asks for one page. What a
//! stream adds later takes turns by itself (`web::build`).

use super::surface::Surface;
use crate::app::App;
use crate::auth::address::client_address;
use crate::auth::turns::Turns;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::web::Data;
use std::sync::Arc;

/// Files that lie in memory, and pages that may wait for the forge.
const NO_TURN: &[&str] = &["assets", "login", "new"];

/// Half of the connections that read draw pages, a quarter those of one address.
pub fn turns(connections: u32) -> Arc<Turns> {
    let all = usize::try_from(connections / 2).unwrap_or(1).max(1);
    Turns::new(all, (all / 2).max(1))
}

pub(super) async fn middleware(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    if !is_drawn(req.method(), req.path()) {
        return Ok(next.call(req).await?.map_into_boxed_body());
    }
    let app = req.app_data::<Data<App>>().expect("the app is registered before any route").clone();
    let turn = match app.drawing.soon(client_address(&app, req.request())).await {
        Ok(turn) => turn,
        Err(refusal) => return Ok(req.error_response(refusal)),
    };
    let response = next.call(req).await;
    drop(turn);
    Ok(response?.map_into_boxed_body())
}

/// Forms are read while their handler waits for them, and only who is signed in gets further with one.
fn is_drawn(method: &Method, path: &str) -> bool {
    let first = path.split('/').nth(1).unwrap_or_default();
    matches!(*method, Method::GET | Method::HEAD) && Surface::of(path) == Surface::Page && !NO_TURN.contains(&first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestApp;
    use actix_web::test::{TestRequest, call_service, init_service};
    use std::time::Duration;
    use tokio::time::timeout;

    #[actix_web::test]
    async fn one_address_waits_for_its_turn_and_readiness_builders_and_others_do_not() {
        let app = TestApp::start().await;
        let service = init_service(super::super::application::application(Data::from(app.app.clone()))).await;
        let ask = async |path: &str, n: u8| {
            let request = TestRequest::get().uri(path).peer_addr(([192, 0, 2, n], 1).into()).to_request();
            let answer = timeout(Duration::from_secs(1), call_service(&service, request)).await;
            answer.ok().map(|answer| answer.status().as_u16())
        };
        let own =
            [app.drawing.any_time([192, 0, 2, 1].into()).await, app.drawing.any_time([192, 0, 2, 1].into()).await];
        assert_eq!(ask("/acme/web/-/builds/7", 1).await, None);
        assert_eq!(ask("/acme/web/-/builds/7", 2).await, Some(404));
        let other =
            [app.drawing.any_time([192, 0, 2, 3].into()).await, app.drawing.any_time([192, 0, 2, 3].into()).await];
        for (path, status) in [("/readyz", 200), ("/v2/acme/web/tags/list", 401), ("/login", 200)] {
            assert_eq!(ask(path, 1).await, Some(status), "{path}");
        }
        drop((own, other));
        assert_eq!(ask("/acme/web/-/builds/7", 1).await, Some(404));
    }

    #[test]
    fn half_of_the_connections_draw_pages_and_one_at_least() {
        for (connections, all, each) in [(1, 1, 1), (2, 1, 1), (8, 4, 2), (100, 50, 25)] {
            assert_eq!(turns(connections).bounds(), (all, each));
        }
    }

    #[test]
    fn pages_take_turns_and_what_waits_for_others_does_not() {
        let drawn = ["/", "/acme", "/acme/web/-/builds/7", "/acme/web/-/builds/7/raw", "/settings/tokens"];
        let others = ["/healthz", "/v2/", "/token", "/builder/v1/claim", "/login/github/callback", "/assets/1/a.css"];
        for (paths, expected) in [(&drawn[..], true), (&others[..], false)] {
            for path in paths {
                assert_eq!(is_drawn(&Method::GET, path), expected, "{path}");
            }
        }
        assert!(!is_drawn(&Method::POST, "/acme/web/-/builds"));
    }
}
