//! Sign-in against a database, without a forge: what is stored, and what is refused.

mod sent_again;
mod tokens_end;

use super::oauth::{Account, Granted};
use super::people::{self, Arrival};
use super::sign_in::{self, Answer, Outcome, Problem, Purpose};
use super::{invites, tokens};
use crate::auth;
use crate::config::GitHub;
use crate::db;
use crate::jobs::{self, Task};
use crate::policy::{self, Bound, Principal, Site, UseAccount, Who};
use crate::secrets::{self, Place, Secret};
use crate::testing::TestApp;
use slipway_protocol::HeadersSecret;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use uuid::Uuid;

crate::testing::on_postgres! {
    a_stranger_is_refused_and_nothing_is_stored,
    a_person_is_known_by_the_account_s_id_and_not_by_its_name,
    a_one_time_link_lets_one_person_in_and_lasts,
    a_plain_invitation_makes_no_admin,
    a_person_made_for_a_program_takes_nobody_s_first_link,
    two_first_sign_ins_of_one_account_at_once_are_one_person,
    a_name_taken_off_the_list_and_a_disabled_person_are_refused,
    each_sign_in_asks_for_the_list_of_code_again,
    a_poorer_token_never_replaces_a_richer_one,
    a_state_is_good_once_and_in_its_own_browser,
    a_late_state_is_refused,
    a_second_try_keeps_the_one_time_link,
}

const FORGE: &str = "https://forge.example";
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

async fn app(users: &[&str]) -> TestApp {
    let mut test = TestApp::start().await;
    let config = &mut Arc::get_mut(&mut test.app).unwrap().config;
    config.sign_in.users = users.iter().map(|u| (*u).to_owned()).collect();
    config.github = Some(GitHub {
        url: FORGE.parse().unwrap(),
        client_id: "id".into(),
        client_secret: HeadersSecret("secret".into()),
    });
    test
}

/// Somebody comes back from the forge.
async fn arrive(app: &TestApp, id: u64, login: &str, scopes: &str, invite: Option<&str>) -> Option<Uuid> {
    let account = Account { id, login: login.into(), name: None };
    let token = Secret::new(format!("gho_{scopes}"));
    let granted = Granted { token, scopes: scopes.split(' ').map(str::to_owned).collect() };
    let hash = invite.map(secrets::hash);
    let arrival = Arrival {
        forge_url: FORGE,
        account: &account,
        granted: &granted,
        organizations: &[],
        invite_hash: hash.as_deref(),
    };
    people::arrive(app, &arrival).await.unwrap()
}

fn token_of(link: &str) -> &str {
    link.split_once("invite=").unwrap().1
}

async fn invite(app: &TestApp, site_admin: bool) -> String {
    let tx = app.db.begin().await.unwrap();
    let link = invites::create(app, &tx, site_admin).await.unwrap();
    tx.commit().await.unwrap();
    token_of(&link).to_owned()
}

#[tokio::test]
async fn a_stranger_is_refused_and_nothing_is_stored() {
    let app = app(&["mona"]).await;
    assert_eq!(arrive(&app, 666, "eve", "repo", None).await, None);
    assert!(db::users::find_by_name(&app.db, "eve").await.unwrap().is_none());
    assert!(db::users::find_identity(&app.db, FORGE, "666").await.unwrap().is_none());
}

#[tokio::test]
async fn a_person_is_known_by_the_account_s_id_and_not_by_its_name() {
    let app = app(&["mona", "lisa"]).await;
    let mona = arrive(&app, 1, "mona", "read:user", None).await.unwrap();
    // The same account under another name is the same person; another account under the old name is not.
    assert_eq!(arrive(&app, 1, "lisa", "read:user", None).await, Some(mona));
    assert_eq!(db::users::find_identity(&app.db, FORGE, "1").await.unwrap().unwrap().login, "lisa");
    let other = arrive(&app, 2, "mona", "read:user", None).await.unwrap();
    assert_ne!(other, mona);
    assert_eq!(db::users::find(&app.db, mona).await.unwrap().unwrap().name, "mona");
    assert_eq!(db::users::find(&app.db, other).await.unwrap().unwrap().name, "mona-2");
}

#[tokio::test]
async fn a_one_time_link_lets_one_person_in_and_lasts() {
    let app = app(&[]).await;
    let link = invites::for_first_start(&app).await.unwrap().unwrap();
    let token = token_of(&link);
    assert!(invites::is_open(&app, token).await.unwrap());
    let first = arrive(&app, 1, "mona", "read:user", Some(token)).await.unwrap();
    assert!(db::users::find(&app.db, first).await.unwrap().unwrap().is_site_admin);
    assert!(!invites::is_open(&app, token).await.unwrap());
    assert_eq!(arrive(&app, 2, "eve", "read:user", Some(token)).await, None);
    // Who came with a link may come again without one, and stays what the link made.
    assert_eq!(arrive(&app, 1, "mona", "read:user", None).await, Some(first));
    assert!(db::users::find(&app.db, first).await.unwrap().unwrap().is_site_admin);
    assert!(invites::for_first_start(&app).await.unwrap().is_none());
}

#[tokio::test]
async fn a_person_made_for_a_program_takes_nobody_s_first_link() {
    let app = app(&[]).await;
    let person = |name: &str, is_site_admin| db::rows::User { is_site_admin, ..crate::testing::user(name) };
    let make = async |row| {
        let tx = app.db.begin().await.unwrap();
        db::users::insert(&tx, row).await.unwrap();
        tx.commit().await.unwrap();
    };
    make(person("ci", false)).await;
    assert!(invites::for_first_start(&app).await.unwrap().is_some());
    make(person("root", true)).await;
    assert!(invites::for_first_start(&app).await.unwrap().is_none());
}

#[tokio::test]
async fn two_first_sign_ins_of_one_account_at_once_are_one_person() {
    let app = app(&["mona"]).await;
    let sign_in = || arrive(&app, 1, "mona", "read:user repo", None);
    let (a, b, c) = tokio::join!(sign_in(), sign_in(), sign_in());
    assert!(a.is_some());
    assert_eq!((a, a), (b, c));
}

#[tokio::test]
async fn a_plain_invitation_makes_no_admin() {
    let app = app(&[]).await;
    let token = invite(&app, false).await;
    let user = arrive(&app, 3, "guest", "read:user", Some(&token)).await.unwrap();
    assert!(!db::users::find(&app.db, user).await.unwrap().unwrap().is_site_admin);
}

#[tokio::test]
async fn a_name_taken_off_the_list_and_a_disabled_person_are_refused() {
    let mut app = app(&["mona", "lisa"]).await;
    let mona = arrive(&app, 1, "mona", "read:user", None).await.unwrap();
    arrive(&app, 2, "lisa", "read:user", None).await.unwrap();
    let tx = app.db.begin().await.unwrap();
    db::users::set_disabled(&tx, mona, Some(1)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(arrive(&app, 1, "mona", "read:user", None).await, None);
    Arc::get_mut(&mut app.app).unwrap().config.sign_in.users.clear();
    assert_eq!(arrive(&app, 2, "lisa", "read:user", None).await, None);
}

#[tokio::test]
async fn each_sign_in_asks_for_the_list_of_code_again() {
    let app = app(&["mona"]).await;
    let open = async || jobs::open(&app, &Task::ListRepositories { connection_id: Uuid::nil() }).await.unwrap().len();
    arrive(&app, 1, "mona", "read:user", None).await.unwrap();
    assert_eq!(open().await, 0, "there is nothing to ask with");
    arrive(&app, 1, "mona", "read:user repo", None).await.unwrap();
    assert_eq!(open().await, 1);
    db::connect::execute(&app.db, "DELETE FROM job").await;
    arrive(&app, 1, "mona", "read:user", None).await.unwrap();
    assert_eq!(open().await, 1);
}

#[tokio::test]
async fn a_poorer_token_never_replaces_a_richer_one() {
    let app = app(&["mona"]).await;
    let stored = async || {
        let identity = db::users::find_identity(&app.db, FORGE, "1").await.unwrap().unwrap();
        let connection = db::users::connection_of_identity(&app.db, identity.id).await.unwrap()?;
        let place = Place { table: "connection", column: "token_encrypted", row: connection.id };
        Some(app.master_key.open_text(place, &connection.token_encrypted).unwrap().reveal().to_owned())
    };
    arrive(&app, 1, "mona", "read:user", None).await.unwrap();
    assert_eq!(stored().await, None);
    arrive(&app, 1, "mona", "read:user repo", None).await.unwrap();
    assert_eq!(stored().await.as_deref(), Some("gho_read:user repo"));
    arrive(&app, 1, "mona", "read:user", None).await.unwrap();
    assert_eq!(stored().await.as_deref(), Some("gho_read:user repo"));
    arrive(&app, 1, "mona", "read:user repo read:org", None).await.unwrap();
    assert_eq!(stored().await.as_deref(), Some("gho_read:user repo read:org"));
}

/// The state that the browser takes to the forge, and the value of its cookie.
async fn begin(app: &TestApp, invite: Option<&str>, before: Option<&str>) -> (String, String) {
    let started = sign_in::start(app, Purpose::SignIn, "/acme".into(), invite, before).await.unwrap();
    let query: std::collections::HashMap<_, _> = started.location.query_pairs().into_owned().collect();
    assert_eq!(query["redirect_uri"], "http://localhost:8080/login/github/callback");
    assert_eq!((&*query["code_challenge_method"], &*query["scope"]), ("S256", "read:user"));
    assert!(query["state"].len() >= 43);
    (query["state"].clone(), started.browser.reveal().to_owned())
}

async fn come_back(app: &TestApp, state: Option<&str>, browser: Option<&str>) -> Problem {
    let answer = Answer { state: state.map(str::to_owned), error: Some("access_denied".into()), ..Answer::default() };
    match sign_in::finish(app, answer, browser, None).await.unwrap() {
        Outcome::Refused { problem, .. } => problem,
        Outcome::In { .. } => panic!("nobody is let in without a code"),
    }
}

#[tokio::test]
async fn a_state_is_good_once_and_in_its_own_browser() {
    let app = app(&["mona"]).await;
    let (state, browser) = begin(&app, None, None).await;
    assert_eq!(come_back(&app, Some(&state), Some(&browser)).await, Problem::Denied);
    assert_eq!(come_back(&app, Some(&state), Some(&browser)).await, Problem::Stale, "used twice");
    let (state, browser) = begin(&app, None, None).await;
    let (_, other) = begin(&app, None, None).await;
    assert_eq!(come_back(&app, Some(&state), Some(&other)).await, Problem::Stale, "another browser");
    assert_eq!(come_back(&app, Some(&state), Some(&browser)).await, Problem::Stale, "used up by the other one");
    let (state, browser) = begin(&app, None, None).await;
    assert_eq!(come_back(&app, Some(&state), None).await, Problem::Stale, "no cookie");
    assert_eq!(come_back(&app, None, Some(&browser)).await, Problem::Stale, "no state");
    assert_eq!(come_back(&app, Some("made up"), Some(&browser)).await, Problem::Stale);
}

#[tokio::test]
async fn a_late_state_is_refused() {
    let app = app(&["mona"]).await;
    let (state, browser) = begin(&app, None, None).await;
    db::sessions::make_sign_ins_late(&app.db).await;
    assert_eq!(come_back(&app, Some(&state), Some(&browser)).await, Problem::Stale);
}

#[tokio::test]
async fn a_second_try_keeps_the_one_time_link() {
    let app = app(&[]).await;
    let token = invite(&app, true).await;
    let (_, browser) = begin(&app, Some(&token), None).await;
    let now = app.clock.now();
    let (_, again) = begin(&app, None, Some(&browser)).await;
    let kept = db::sessions::invite_of_browser(&app.db, &secrets::hash(&again), now).await.unwrap();
    assert_eq!(kept, Some(secrets::hash(&token)));
}
