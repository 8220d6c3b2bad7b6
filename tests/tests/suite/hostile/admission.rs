//! Who may sign in: people that the operator named, holders of a one-time link, or everybody.

use super::{browser::Page, site::Site};

const NAMED_ONLY: &[(&str, &str)] = &[
    ("SLIPWAY_SIGN_IN_EVERYBODY", "false"),
    ("SLIPWAY_SIGN_IN_USERS", "mona"),
    ("SLIPWAY_SIGN_IN_SITE_ADMINS", "root-cat"),
    ("SLIPWAY_SIGN_IN_ORGANIZATIONS", "acme"),
];

/// Signs in with the path that a person was given.
async fn try_by(site: &Site, path: &str, login: &str) -> Page {
    site.forge.person(login);
    let browser = site.browser();
    let out = browser.get(path).await.is(303).location();
    let back = site.agree(&browser, &out, login).await;
    browser.get(&back).await
}

async fn try_in(site: &Site, login: &str) -> Page {
    try_by(site, "/login/github?purpose=sign-in", login).await
}

/// The part of an invitation after `invite=`.
fn invitation(text: &str) -> &str {
    let start = text.find("/login?invite=").expect("the log has the one-time link") + "/login?invite=".len();
    text[start..].split_whitespace().next().expect("the link ends")
}

#[tokio::test]
async fn only_the_named_the_members_and_the_invited_are_let_in() {
    let site = Site::new(NAMED_ONLY).await;
    site.forge.organization("acme", "olga");
    site.forge.member("acme", "mike", false);
    try_in(&site, "eve").await.is(403).says("eve").says("Ask the operator");
    assert_eq!(site.count("user").await, 0, "nothing is stored of who was refused");
    for login in ["mona", "root-cat", "mike", "olga"] {
        assert_eq!(try_in(&site, login).await.is(303).location(), "/", "{login}");
    }
    // A member who left is refused the next time.
    site.forge.organization("other", "eve");
    try_in(&site, "eve").await.is(403);
}

#[tokio::test]
async fn a_member_who_left_ends_the_sessions_of_before_with_the_next_sign_in() {
    let site = Site::new(NAMED_ONLY).await;
    site.forge.organization("acme", "olga");
    site.forge.member("acme", "mike", false);
    let old = site.browser();
    let out = old.get("/login/github?purpose=sign-in").await.is(303).location();
    let back = site.agree(&old, &out, "mike").await;
    old.get(&back).await.is(303);
    old.get("/settings/tokens").await.is(200);
    site.forge.leave("acme", "mike");
    try_in(&site, "mike").await.is(403);
    assert_ne!(old.get("/settings/tokens").await.status, 200, "the session of before has ended");
    site.forge.member("acme", "mike", false);
    try_in(&site, "mike").await.is(303);
}

#[tokio::test]
async fn an_organization_is_named_by_its_number_and_not_by_who_takes_its_login() {
    // The forge counts from 1001: the owner, then the organisation.
    let settings = &[("SLIPWAY_SIGN_IN_EVERYBODY", "false"), ("SLIPWAY_SIGN_IN_ORGANIZATIONS", "id:1002")];
    let site = Site::new(settings).await;
    assert_eq!(site.forge.organization("acme", "olga"), 1002);
    try_in(&site, "olga").await.is(303);
    site.forge.rename_account("acme", "acme-inc");
    site.forge.organization("acme", "eve");
    try_in(&site, "eve").await.is(403);
    try_in(&site, "olga").await.is(303);
}

#[tokio::test]
async fn a_membership_that_the_forge_does_not_tell_is_no_refusal() {
    let site = Site::new(NAMED_ONLY).await;
    site.forge.organization("acme", "olga");
    site.forge.restrict_apps("acme", true);
    let page = try_in(&site, "olga").await.is(403);
    page.says("has not approved this app").says("/settings/connections/applications/").lacks("acme");
    try_in(&site, "mona").await.is(303);
    site.forge.restrict_apps("acme", false);
    site.forge.fail_next_at("/user/memberships/orgs/acme", 1, 429);
    try_in(&site, "olga").await.is(400).says("asks to wait");
    try_in(&site, "olga").await.is(303);
}

#[tokio::test]
async fn the_one_time_link_lets_one_person_in_once() {
    let site = Site::new(NAMED_ONLY).await;
    let log = site.server.log();
    let invite = invitation(&log);
    let page = site.browser().get(&format!("/login?invite={invite}")).await.is(200);
    page.says("The one-time link is right");
    let by = format!("/login/github?purpose=sign-in&invite={invite}");
    try_by(&site, &by, "first").await.is(303);
    assert_eq!(site.sql("SELECT is_site_admin FROM user WHERE name = 'first'").await, "1");
    try_by(&site, &by, "second").await.is(403);
    site.browser().get(&format!("/login?invite={invite}")).await.is(200).says("used before");
    try_in(&site, "first").await.is(303);
    // One of the operator's makes no admin, and a guessed one nothing.
    let made = site.server.admin(&["invite"]).await;
    let by = format!("/login/github?purpose=sign-in&invite={}", invitation(&made));
    try_by(&site, &by, "guest").await.is(303);
    assert_eq!(site.sql("SELECT is_site_admin FROM user WHERE name = 'guest'").await, "0");
    try_by(&site, "/login/github?purpose=sign-in&invite=guess", "third").await.is(403);
}

#[tokio::test]
async fn one_link_that_two_use_at_once_lets_one_in() {
    let site = Site::new(NAMED_ONLY).await;
    let log = site.server.log();
    let by = format!("/login/github?purpose=sign-in&invite={}", invitation(&log));
    let (one, two) = tokio::join!(try_by(&site, &by, "racer-a"), try_by(&site, &by, "racer-b"));
    let mut seen = [one.status.as_u16(), two.status.as_u16()];
    seen.sort_unstable();
    assert_eq!(seen, [303, 403]);
}

#[tokio::test]
async fn a_disabled_person_is_out_at_once_and_stays_out() {
    let site = Site::new(NAMED_ONLY).await;
    let browser = site.signed_in("mona").await;
    browser.get("/settings/tokens").await.is(200);
    site.server.admin(&["user", "disable", "mona"]).await;
    assert_ne!(browser.get("/settings/tokens").await.status.as_u16(), 200);
    let again = try_in(&site, "mona").await;
    assert_eq!(again.status.as_u16(), 403, "{}", again.text);
    site.server.admin(&["user", "enable", "mona"]).await;
    try_in(&site, "mona").await.is(303);
}

#[tokio::test]
async fn an_account_is_known_by_its_number_not_by_its_name() {
    let site = Site::shared().await;
    let _ = site.signed_in("renamed").await;
    // Another account at the forge that took the name: to us, somebody new.
    site.sql("UPDATE identity SET remote_id = '99999999' WHERE login = 'renamed'").await;
    let _ = site.signed_in("renamed").await;
    assert_eq!(site.count("identity WHERE login = 'renamed'").await, 2);
    let users = "SELECT count(DISTINCT user_id) FROM identity WHERE login = 'renamed'";
    assert_eq!(site.sql(users).await, "2");
}
