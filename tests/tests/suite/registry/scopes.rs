//! Scopes of bearers: how they are asked for, what a challenge says is wrong with one, and what it lists.

use serde_json::json;

use super::answer::Answer;
use super::content::decode_claims;
use super::fixture::{Kind, Registry};

both! {
    a_class_in_brackets_changes_nothing,
    a_hundred_scopes_are_granted_and_more_are_refused,
    the_token_endpoint_asks_for_a_password,
    a_challenge_tells_a_broken_bearer_from_a_short_one,
    a_bearer_for_some_repositories_lists_no_other,
}

async fn a_class_in_brackets_changes_nothing(kind: Kind) {
    let registry = Registry::on(kind).await;
    let name = registry.repository();
    let mona = Some(registry.mona.as_str());
    for class in ["(plugin)", "(image)", "(a1)"] {
        let granted = registry.granted(mona, &[&format!("repository{class}:{name}:pull,push")]).await;
        assert_eq!(granted, json!([{ "name": name, "actions": ["pull", "push"] }]));
        let stranger = registry.granted(Some(&registry.eve), &[&format!("repository{class}:{name}:pull")]).await;
        assert_eq!(stranger, json!([]));
    }
    for wrong in ["()", "(", "(plugin", "plugin)", "(Plugin)", "(a b)", "(a)(b)", "((a))"] {
        assert_eq!(registry.granted(mona, &[&format!("repository{wrong}:{name}:pull")]).await, json!([]), "{wrong}");
    }
}

async fn a_hundred_scopes_are_granted_and_more_are_refused(kind: Kind) {
    let registry = Registry::on(kind).await;
    let top = registry.repository();
    let scopes: Vec<_> = (0..101).map(|n| format!("repository:{top}/n{n}:pull,push")).collect();
    let scopes: Vec<_> = scopes.iter().map(String::as_str).collect();
    let mona = Some(registry.mona.as_str());
    for number in [17, 100] {
        let granted = registry.granted(mona, &scopes[..number]).await;
        assert_eq!(granted.as_array().map(Vec::len), Some(number));
    }
    // A bearer of that size opens what it names.
    let bearer = registry.bearer(mona, &scopes[..100]).await;
    registry.with(Some(&bearer)).push_image(&format!("{top}/n99"), "v1").await;
    // The same one twice is one.
    let twice: Vec<_> = scopes[..60].iter().chain(&scopes[..60]).copied().collect();
    assert_eq!(registry.granted(mona, &twice).await.as_array().map(Vec::len), Some(60));
    let one_text = scopes.join(" ");
    for asked in [&scopes[..], &[one_text.as_str()]] {
        for password in [mona, None] {
            let answer = registry.ask_token(password, asked).await.is(400);
            assert!(answer.text().contains("101 scopes") && answer.text().contains("100"), "{answer}");
        }
    }
    // In a form they come in one field, or in one each.
    for asked in [&[&*scopes[..2].join(" ")][..], &scopes[..2]] {
        let fields = [("grant_type", "password"), ("password", &*registry.mona)].into_iter();
        let form: Vec<_> = fields.chain(asked.iter().map(|scope| ("scope", *scope))).collect();
        let request = registry.request(reqwest::Method::POST, "/token", None).form(&form);
        let answer = Answer::read("POST /token".into(), request.send().await.expect("the server answers")).await;
        let bearer = answer.is(200).json()["token"].as_str().expect("a text").to_owned();
        assert_eq!(decode_claims(&bearer)["access"].as_array().map(Vec::len), Some(2), "{asked:?}");
    }
    let form = [("grant_type", "password"), ("password", &*registry.mona), ("scope", &*one_text)];
    let request = registry.request(reqwest::Method::POST, "/token", None).form(&form);
    Answer::read("POST /token".into(), request.send().await.expect("the server answers")).await.is(400);
}

async fn the_token_endpoint_asks_for_a_password(kind: Kind) {
    let registry = Registry::on(kind).await;
    let wrong = registry.ask_token(Some("slp_wrong"), &[]).await.fails(401, "UNAUTHORIZED");
    let basic = format!("Basic realm=\"{}\", charset=\"UTF-8\"", registry.host);
    assert_eq!(wrong.header("www-authenticate"), basic, "{wrong}");
    let request = registry.request(reqwest::Method::GET, "/token", Some("Bearer x"));
    let wrong = Answer::read("GET /token".into(), request.send().await.expect("the server answers")).await;
    assert_eq!(wrong.fails(401, "UNAUTHORIZED").header("www-authenticate"), basic);
}

async fn a_challenge_tells_a_broken_bearer_from_a_short_one(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (name, mona, _) = registry.with_image().await;
    let (other, ..) = registry.with_image().await;
    let manifest = format!("/v2/{name}/manifests/v1");
    let good = mona.authorization().trim_start_matches("Bearer ").to_owned();
    let of = |answer: Answer| {
        let answer = answer.fails(401, "UNAUTHORIZED");
        let challenge = answer.header("www-authenticate").to_owned();
        challenge.split_once("error=").map(|(_, code)| code.trim_matches('"').to_owned())
    };
    for broken in [format!("{good}x"), good[..good.len() - 2].to_owned(), "x".into(), "x.y.z".into()] {
        for path in ["/v2/", "/v2/_catalog", &manifest] {
            let code = of(registry.with(Some(&broken)).get(path).await);
            assert_eq!(code.as_deref(), Some("invalid_token"), "{path}");
        }
    }
    let short = [
        registry.mona(&[&other]).await,
        registry.anonymous(&[&name]).await,
        registry.signed_in(&registry.eve, &[&name]).await,
    ];
    for session in &short {
        assert_eq!(of(session.get(&manifest).await).as_deref(), Some("insufficient_scope"));
    }
    // Without a bearer nothing is wrong with it.
    assert_eq!(of(registry.with(None).get(&manifest).await), None);
    assert_eq!(of(registry.authorized("Basic eDp5").get(&manifest).await), None);
    let catalog = registry.with(None).get("/v2/_catalog").await.fails(401, "UNAUTHORIZED");
    assert!(catalog.header("www-authenticate").ends_with(",scope=\"registry:catalog:*\""), "{catalog}");
}

async fn a_bearer_for_some_repositories_lists_no_other(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (one, ..) = registry.with_image().await;
    let (two, ..) = registry.with_image().await;
    let (public, ..) = registry.with_image().await;
    Registry::server(kind).await.visibility(&public, "public").await;
    let (begun, mona) = registry.new_repository().await;
    mona.start(&begun).await;
    let scope = |name: &str, actions: &str| format!("repository:{name}:{actions}");
    let listed = async |password: Option<&str>, scopes: &[String], query: &str| {
        let scopes: Vec<_> = scopes.iter().map(String::as_str).collect();
        let session = registry.with(Some(&registry.bearer(password, &scopes).await));
        let answer = session.get(&format!("/v2/_catalog{query}")).await.is(200);
        serde_json::from_value::<Vec<String>>(answer.json()["repositories"].clone()).expect("names")
    };
    let mona = Some(registry.mona.as_str());
    assert_eq!(listed(mona, &[scope(&one, "pull")], "").await, [one.as_str()]);
    assert_eq!(listed(mona, &[scope(&one, "pull,push,delete")], "").await, [one.as_str()]);
    let mut both = [one.clone(), two.clone()];
    both.sort();
    let scopes =
        [scope(&two, "pull"), scope(&one, "pull"), scope(&begun, "pull"), scope(&registry.repository(), "pull")];
    assert_eq!(listed(mona, &scopes, "").await, both);
    assert_eq!(listed(mona, &scopes, "?n=1").await, both[..1]);
    assert_eq!(listed(mona, &scopes, &format!("?n=1&last={}", both[0])).await, both[1..]);
    // What was asked for and not granted opens nothing else.
    for password in [None, Some(registry.eve.as_str())] {
        assert_eq!(listed(password, &[scope(&one, "pull")], "").await, [""; 0]);
        assert_eq!(listed(password, &[scope(&public, "pull")], "").await, [public.as_str()]);
    }
    // Who asks for the list gets it, beside whatever else is asked for.
    for scopes in [vec![], vec!["registry:catalog:*".into()], vec![scope(&one, "pull"), "registry:catalog:*".into()]] {
        let all = listed(mona, &scopes, "").await;
        assert!([&one, &two, &public].iter().all(|name| all.contains(name)), "{scopes:?}: {all:?}");
        assert!(!all.contains(&begun));
    }
}
