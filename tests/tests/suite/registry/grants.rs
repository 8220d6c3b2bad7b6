//! `slipway admin grant`: roles that the operator gives and takes, beside a running server and without one.

use super::fixture::{Kind, Registry, own};

async fn may(registry: &Registry, password: &str) -> Vec<String> {
    let granted = registry.granted(Some(password), &["repository:mona/web:pull,push,delete"]).await;
    let actions = granted[0]["actions"].as_array().cloned().unwrap_or_default();
    actions.iter().filter_map(|action| action.as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn a_role_is_given_and_taken_beside_a_running_server() {
    let (server, registry) = own(Kind::Sqlite, |builder| builder).await;
    registry.mona(&["mona/web"]).await.push_image("mona/web", "v1").await;
    let bearer = registry.bearer(Some(&registry.eve), &["repository:mona/web:pull,push"]).await;
    assert!(may(&registry, &registry.eve).await.is_empty());
    for (role, expected, said) in [
        ("reader", &["pull"][..], "`eve` has the role reader in `mona` now (before: no role)"),
        ("manager", &["pull", "push", "delete"], "`eve` has the role manager in `mona` now (before: the role reader)"),
        ("admin", &["pull", "push", "delete"], "`eve` has the role admin in `mona` now (before: the role manager)"),
        ("none", &[], "`eve` has no role in `mona` now (before: the role admin)"),
    ] {
        assert_eq!(server.admin(&["grant", "mona", "--user", "eve", "--role", role]).await, said);
        assert_eq!(may(&registry, &registry.eve).await, expected, "{role}");
    }
    registry.with(Some(&bearer)).get("/v2/mona/web/manifests/v1").await.fails(401, "UNAUTHORIZED");
    let said = server.admin(&["grant", "mona", "--user", "mona", "--role", "reader"]).await;
    assert!(said.ends_with("only site admins can change its settings now"), "{said}");
    for (namespace, user, why) in [
        ("nobody", "eve", "namespace `nobody` does not exist"),
        ("buildcache", "eve", "namespace `buildcache` does not exist"),
        ("mona", "nobody", "user `nobody` does not exist"),
        ("mona/web", "eve", "grant it on `mona`"),
    ] {
        let failed = server.command(&["admin", "grant", namespace, "--user", user, "--role", "reader"]).await.fails();
        assert!(failed.stderr.contains(why), "{failed}");
    }
}

#[tokio::test]
async fn a_role_is_given_without_a_running_server() {
    let (mut server, registry) = own(Kind::Sqlite, |builder| builder).await;
    registry.mona(&["mona/web"]).await.push_image("mona/web", "v1").await;
    server.terminate().await;
    server.admin(&["grant", "mona", "--user", "eve", "--role", "reader"]).await;
    server.start_again().await;
    assert_eq!(may(&registry, &registry.eve).await, ["pull"]);
}
