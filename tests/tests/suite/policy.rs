//! Every route, for every role and visibility: the table below says who may, and the routes are read from the server's
//! own source, so that a new one without a line here fails.

mod people;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use crate::suite::hostile::browser::Page;
use crate::suite::hostile::routes::{self, Route};
use people::{Role, Target, Town};
use table::{EXPECTED, Expectation, Rule};

/// What an answer means, whatever the surface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// It was done, or the input was looked at.
    Allowed,
    /// As if there were no such thing.
    Absent,
    /// Sign in first.
    SignIn,
    Denied,
}

#[test]
fn every_route_has_an_expectation() {
    let known: BTreeSet<_> = EXPECTED.iter().map(|e| (e.method.to_owned(), e.path.to_owned())).collect();
    let there: BTreeSet<_> = routes::all().into_iter().map(|r: Route| (r.method, r.path)).collect();
    let missing: Vec<_> = there.difference(&known).collect();
    let stale: Vec<_> = known.difference(&there).collect();
    assert!(missing.is_empty(), "routes without an expectation in policy/table.rs: {missing:#?}");
    assert!(stale.is_empty(), "expectations without a route: {stale:#?}");
    assert_eq!(known.len(), EXPECTED.len(), "a route has two expectations");
}

#[tokio::test]
async fn every_role_sees_what_it_may_and_nothing_else() {
    let town = Town::build().await;
    let mut wrong = Vec::new();
    for expectation in EXPECTED {
        for target in Target::ALL {
            for role in Role::ALL {
                let seen = ask(&town, expectation, role, target).await;
                let expected = expected(expectation.rule, role, target);
                if expected.is_some_and(|expected| seen.0 != expected) {
                    let Expectation { method, path, .. } = expectation;
                    wrong.push(format!(
                        "{role:?} {target:?} {method} {path}: {expected:?}, but {} {:?}",
                        seen.1, seen.0
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of the table's cells are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn a_private_repository_looks_like_none_to_outsiders() {
    let town = Town::build().await;
    // The public key is everybody's, and of the same look below every name.
    let of_a_repository = |e: &&Expectation| e.rule.is_of_a_repository() || e.path.ends_with("/cosign.pub");
    for expectation in EXPECTED.iter().filter(of_a_repository) {
        for role in [Role::Anonymous, Role::Stranger] {
            let mut answers = Vec::new();
            for target in [Target::Private, Target::Absent] {
                let page = town.send(expectation, role, target).await;
                let id = page.header("x-request-id").to_owned();
                let name = town.name(target).to_owned();
                let (namespace, _) = name.split_once('/').expect("namespace and name");
                let text = page.text.replace(&id, "ID").replace(&name, "NAME").replace(namespace, "NAMESPACE");
                let text = if text.contains("PUBLIC KEY") { look_of_key(&text) } else { text };
                // The connection's end hangs on whether a body came before the answer, not on what was asked.
                let own = ["date", "x-request-id", "connection"];
                let headers = page.headers.iter().filter(|(header, _)| !own.contains(&header.as_str()));
                let headers = headers.map(|(header, value)| {
                    let value = String::from_utf8_lossy(value.as_bytes()).replace(&name, "NAME");
                    (header.to_string(), value)
                });
                let headers: BTreeMap<_, _> = headers.collect();
                answers.push((page.status, headers, text));
            }
            assert_eq!(answers[0], answers[1], "{role:?} {} {}", expectation.method, expectation.path);
        }
    }
}

#[tokio::test]
async fn a_malformed_form_is_looked_at_after_the_right_to_send_it() {
    let town = Town::build().await;
    let mut wrong = BTreeSet::new();
    for expectation in EXPECTED.iter().filter(|e| e.method == "POST" && !e.path.starts_with("/v2")) {
        for (role, target) in
            [Role::Anonymous, Role::Stranger].map(|role| Target::ALL.map(|target| (role, target))).concat()
        {
            // Which thing is meant stands in the form.
            let is_in_form = expectation.rule == Rule::OwnThing && role != Role::Anonymous;
            let refusal = expected(expectation.rule, role, target).filter(|seen| *seen != Seen::Allowed && !is_in_form);
            let Some(refusal) = refusal.filter(|_| expectation.rule != Rule::OwnCredentials) else { continue };
            for text in ["a=b", "%"] {
                let page = town.send_body(expectation, role, target, text).await;
                if meaning(&page) != Some(refusal) {
                    wrong.insert(format!("{role:?} {target:?} POST {}: {}", expectation.path, page.status));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A key without what makes it another one: the same lines, of the same letters.
fn look_of_key(pem: &str) -> String {
    // What the DER of every key of this kind begins with.
    let (head, point) = pem.split_at(pem.find("QgAE").map_or(0, |at| at + 4));
    let (point, end) = point.split_at(point.find("-----END").unwrap_or_default());
    let point = point.replace(|c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/'), "x");
    format!("{head}{point}{end}")
}

async fn ask(town: &Town, expectation: &Expectation, role: Role, target: Target) -> (Seen, u16) {
    let mut page = town.send(expectation, role, target).await;
    // An answer to HEAD has no text: what it would say, that to GET says.
    if expectation.method == "HEAD" && page.status == 404 {
        page = town.send(&Expectation { method: "GET", ..*expectation }, role, target).await;
    }
    let seen = meaning(&page);
    let seen = seen
        .unwrap_or_else(|| panic!("{role:?} {target:?} {} {}: {}", expectation.method, expectation.path, page.text));
    (seen, page.status.as_u16())
}

/// `None` for a failure.
fn meaning(page: &Page) -> Option<Seen> {
    match page.status.as_u16() {
        401 => Some(Seen::SignIn),
        303 if page.location().starts_with("/login?") => Some(Seen::SignIn),
        403 => Some(Seen::Denied),
        404 if !says_what_is_missing(&page.text) => Some(Seen::Absent),
        500.. => None,
        _ => Some(Seen::Allowed),
    }
}

/// A 404 about something inside of a repository that the asker may see.
fn says_what_is_missing(text: &str) -> bool {
    ["BLOB_UNKNOWN", "BLOB_UPLOAD_UNKNOWN", "MANIFEST_UNKNOWN"].iter().any(|code| text.contains(code))
}

/// `None` where a first push may be under way: what exists then is not the matter here.
fn expected(asked: Rule, role: Role, target: Target) -> Option<Seen> {
    let member = |least: Role| role >= least && target != Target::Absent;
    let visible = target == Target::Public || (target == Target::Private && role >= Role::Reader);
    let creates = target == Target::Absent && role >= Role::SiteAdmin;
    let hidden = match (visible, role) {
        (true, Role::Anonymous) => Seen::SignIn,
        _ => Seen::Absent,
    };
    let page = |yes: bool| if yes { Seen::Allowed } else { hidden };
    // docker asks again with credentials when it hears 401, so the registry says that to whoever lacks a right.
    let registry = |yes: bool| if yes { Seen::Allowed } else { Seen::SignIn };
    Some(match asked {
        Rule::OwnCredentials => Seen::SignIn,
        Rule::Person | Rule::OwnThing if role == Role::Anonymous => Seen::SignIn,
        Rule::Person | Rule::Everybody => Seen::Allowed,
        Rule::OwnThing | Rule::Nowhere => Seen::Absent,
        Rule::Read => page(visible),
        Rule::Manage => page(member(Role::Manager)),
        Rule::Administer => page(member(Role::Admin)),
        Rule::Pull | Rule::Push | Rule::Delete if creates => return None,
        Rule::Pull => registry(visible),
        Rule::Push | Rule::Delete => registry(member(Role::Manager)),
    })
}
