//! Forms that make a token, and that a browser sends again.

use super::*;
use crate::policy::Allowed;

crate::testing::on_postgres! {
    a_form_that_is_sent_again_makes_one_token,
    two_of_the_same_form_at_once_make_one_token,
}

fn allowed(id: Uuid) -> Allowed<UseAccount> {
    let who = Who::User { id, name: "x".into(), is_site_admin: false };
    policy::check(&Principal { who, bound: Bound::None }, Site).unwrap()
}

fn wish(name: &str, days: &str) -> tokens::NewToken {
    tokens::NewToken::check(name, &["read".into()], days).unwrap()
}

#[tokio::test]
async fn a_form_that_is_sent_again_makes_one_token() {
    let app = app(&["mona", "lisa"]).await;
    let mona = arrive(&app, 1, "mona", "read:user", None).await.unwrap();
    let lisa = arrive(&app, 2, "lisa", "read:user", None).await.unwrap();
    let form = Uuid::now_v7();
    let send = async |who, wish| tokens::create_once(&app, &allowed(who), wish, form).await.unwrap();
    let tokens::Sent::Now(first, _) = send(mona, wish("ci", "90")).await else { panic!("it is new") };
    app.clock.advance(1_000);
    let tokens::Sent::Before(again) = send(mona, wish("ci", "90")).await else { panic!("it makes a second one") };
    assert_eq!((again.id, first.id), (form, form));
    // Another wish, or another person, is no second time.
    for (who, wish) in [(mona, wish("other", "90")), (mona, wish("ci", "never")), (lisa, wish("ci", "90"))] {
        let tokens::Sent::Now(other, _) = send(who, wish).await else { panic!("it is another one") };
        assert!(other.id != form && other.user_id == who);
    }
    // It stays the answer when nobody may have more, and when it was revoked.
    tokens::revoke(&app, &allowed(mona), form).await.unwrap();
    let tokens::Sent::Before(revoked) = send(mona, wish("ci", "90")).await else { panic!("it makes a second one") };
    assert!(revoked.revoked_at.is_some());
}

#[tokio::test]
async fn two_of_the_same_form_at_once_make_one_token() {
    let app = app(&["mona"]).await;
    let id = arrive(&app, 1, "mona", "read:user", None).await.unwrap();
    let (allowed, form) = (allowed(id), Uuid::now_v7());
    let sent = (0..8).map(|_| tokens::create_once(&app, &allowed, wish("ci", ""), form));
    let sent = futures_util::future::join_all(sent).await;
    let new = sent.iter().filter(|sent| matches!(sent.as_ref().unwrap(), tokens::Sent::Now(..))).count();
    assert_eq!((new, tokens::page(&app, &allowed, 0, 30).await.unwrap().1), (1, 1));
}
