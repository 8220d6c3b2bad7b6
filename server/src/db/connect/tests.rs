//! The migrations on both databases: up, down and up again.

use super::*;
use crate::testing::TestApp;
use sea_orm::{ConnectionTrait, Statement};

/// Tables, columns, indexes and constraints as SQLite wrote them down.
const SQLITE: &str = "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_master ORDER BY 1";
/// The same from PostgreSQL's catalogue.
const POSTGRES: &str = "SELECT * FROM (
    SELECT concat_ws(' ', table_name, column_name, data_type, is_nullable, collation_name, column_default)
        FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid))
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
) AS lines ORDER BY 1";

/// Columns and indexes by name, which both databases must have alike.
const SQLITE_NAMES: &str =
    "SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'
    UNION SELECT name FROM sqlite_master WHERE type = 'index' AND name NOT LIKE 'sqlite_%' ORDER BY 1";
const POSTGRES_NAMES: &str = "SELECT * FROM (
    SELECT table_name || '.' || column_name AS line FROM information_schema.columns WHERE table_schema = 'public'
    UNION SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND indexname NOT LIKE '%_pkey'
) AS lines ORDER BY line COLLATE \"C\"";

async fn lines(db: &Db, sqlite: &str, postgres: &str) -> Vec<String> {
    let sql = if db.is_postgres { postgres } else { sqlite };
    let rows = db.write.query_all_raw(Statement::from_string(db.write.get_database_backend(), sql)).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

async fn schema(db: &Db) -> Vec<String> {
    lines(db, SQLITE, POSTGRES).await
}

#[tokio::test]
async fn each_migration_goes_down_and_up_again_to_the_same_schema() {
    let app = TestApp::start().await;
    let (db, first) = (&app.db, schema(&app.db).await);
    let all = u32::try_from(Migrator::migrations().len()).unwrap();
    for steps in 1..=all {
        Migrator::down(&db.write, Some(steps)).await.unwrap();
        assert_eq!(migrations(db).await.unwrap().pending.len(), steps as usize);
        assert_ne!(schema(db).await, first, "the last {steps} migrations take nothing away");
        migrate(db).await.unwrap();
        assert_eq!(schema(db).await, first, "after {steps} steps down and up");
    }
    Migrator::down(&db.write, None).await.unwrap();
    let left: Vec<_> = schema(db).await.into_iter().filter(|line| !line.contains("seaql_migrations")).collect();
    assert!(left.is_empty(), "left behind: {left:#?}");
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused_in_words() {
    let app = TestApp::start().await;
    assert_eq!(migrations(&app.db).await.unwrap().pending, Vec::<String>::new());
    let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29990101_000001_add_more', 0)";
    app.db.write.execute_unprepared(newer).await.unwrap();
    let refused = migrations(&app.db).await.unwrap_err().to_string();
    assert!(refused.contains("a newer slipway") && refused.contains("m29990101_000001_add_more"), "{refused}");
}

/// The rows of a version that did not know why somebody has a role.
const OLDER: &str = r#"
    INSERT INTO "user" (id, name, is_site_admin, created_at) VALUES (U1, 'mona', FALSE, 1), (U2, 'lisa', FALSE, 1);
    INSERT INTO namespace (id, name, kind, forge_url, forge_account_id, created_at)
        VALUES (N1, 'acme', 'organization', 'https://github.com', '7', 1),
        (N2, 'mona', 'user', 'https://github.com', '8', 1);
    INSERT INTO namespace_grant (id, namespace_id, user_id, role, created_at)
        VALUES (G1, N1, U1, 'admin', 1), (G2, N1, U2, 'admin', 1), (G3, N2, U1, 'admin', 1);
    INSERT INTO event (id, version, kind, namespace_id, subject, principal_kind, body, at)
        VALUES (E1, 1, 'namespace.role_changed', N1, 'acme', 'system', '{"from":null,"to":"admin","user":"lisa"}', 1);
    INSERT INTO source (id, namespace_id, forge, forge_url, remote_id, full_name, html_url, clone_url, default_branch,
        is_private, state, hook_state, hook_remote_id, hook_secret_encrypted, next_ref_number, created_at)
        VALUES (S1, N1, 'github', 'https://github.com', '9', 'acme/web', '', '', 'main', FALSE, 'active', 'active', '5',
        BYTES, 1, 1);
"#;

#[tokio::test]
async fn an_older_database_learns_which_roles_came_with_an_organization() {
    let app = TestApp::start().await;
    let db = &app.db;
    go_before(db, "add_rights_of_members").await;
    let mut sql = OLDER.to_owned();
    for (n, name) in ["U1", "U2", "N1", "N2", "G1", "G2", "G3", "E1", "S1"].into_iter().enumerate() {
        let id = uuid::Uuid::from_u128(n as u128 + 1);
        let id = if db.is_postgres { format!("'{id}'") } else { format!("x'{}'", id.simple()) };
        sql = sql.replace(name, &id);
    }
    sql = sql.replace("BYTES", if db.is_postgres { "'\\x00'" } else { "x'00'" });
    db.write.execute_unprepared(&sql).await.unwrap();
    migrate(db).await.unwrap();
    let (mona, lisa) = (uuid::Uuid::from_u128(1), uuid::Uuid::from_u128(2));
    let via = async |user| {
        let mut found = crate::db::namespaces::grants_of(db, user).await.unwrap();
        found.sort_by_key(|grant| grant.namespace_id);
        found.into_iter().map(|grant| grant.via_account_id).collect::<Vec<_>>()
    };
    assert_eq!(via(mona).await, [Some("7".to_owned()), None], "imported; and the own one");
    assert_eq!(via(lisa).await, [None], "given by the operator");
    let known = crate::db::memberships::of_user(db, mona).await.unwrap();
    assert_eq!((known.len(), known[0].organization_id.as_str(), known[0].asked_at), (1, "7", None));
    assert!(crate::db::memberships::of_user(db, lisa).await.unwrap().is_empty());
    assert_eq!(crate::db::memberships::due(db, 0, 9).await.unwrap().len(), 1);
    let source_id = uuid::Uuid::from_u128(9);
    let hooks = crate::jobs::open(&app, &crate::jobs::Task::EnsureHook { source_id }).await.unwrap();
    assert_eq!(hooks, [crate::jobs::Task::EnsureHook { source_id }], "its webhook tells of more from now on");
}

#[tokio::test]
async fn a_migration_that_breaks_off_leaves_nothing_of_itself() {
    let app = TestApp::start().await;
    let db = &app.db;
    let whole = schema(db).await;
    go_before(db, "add_log_bounds").await;
    // The fourth of its five columns.
    execute(db, "ALTER TABLE build_step ADD COLUMN notices text").await;
    let before = schema(db).await;
    for _ in 0..2 {
        migrate(db).await.unwrap_err();
        assert_eq!(schema(db).await, before);
    }
    execute(db, "ALTER TABLE build_step DROP COLUMN notices").await;
    migrate(db).await.unwrap();
    assert_eq!(schema(db).await, whole);
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_in_words() {
    let app = TestApp::start().await;
    let db = &app.db;
    Migrator::down(&db.write, None).await.unwrap();
    assert_eq!(migrations(db).await.unwrap().applied, Vec::<String>::new(), "only the table of migrations is left");
    execute(db, "CREATE TABLE x (y int)").await;
    let refused = migrations(db).await.unwrap_err().to_string();
    assert!(refused.contains("of another program") && refused.contains("`x`"), "{refused}");
    // Others use the same library.
    execute(db, "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m20200101_000001_of_others', 0)").await;
    let refused = migrations(db).await.unwrap_err().to_string();
    assert!(refused.contains("of another program"), "{refused}");
}

#[tokio::test]
async fn what_an_older_database_holds_is_found_by_repository_and_namespace() {
    let app = TestApp::start().await;
    let db = &app.db;
    let namespace = crate::testing::namespace("acme");
    let repository = crate::testing::repository(namespace.id, "web");
    let (child, digest) = (crate::names::Digest::of(b"child"), crate::names::Digest::of(b"index"));
    let manifest = crate::testing::manifest(repository.id, &digest);
    let edge = crate::db::rows::Edge {
        id: uuid::Uuid::now_v7(),
        manifest_id: manifest.id,
        repository_id: None,
        position: 0,
        kind: crate::db::EdgeKind::Manifest,
        digest: child.to_string(),
        media_type: String::new(),
        size_bytes: 1,
        platform: None,
    };
    let tx = db.begin().await.unwrap();
    crate::db::namespaces::insert(&tx, namespace.clone()).await.unwrap();
    crate::db::repositories::insert(&tx, repository.clone()).await.unwrap();
    crate::db::manifests::insert(&tx, manifest, vec![edge]).await.unwrap();
    tx.commit().await.unwrap();
    crate::testing::built(&app, &repository, &digest).await;
    let position = Migrator::migrations().iter().position(|m| m.name().contains("add_edge_repository")).unwrap();
    let steps = u32::try_from(Migrator::migrations().len() - position).unwrap();
    Migrator::down(&db.write, Some(steps)).await.unwrap();
    db.write.execute_unprepared("UPDATE build SET state = 'queued'").await.unwrap();
    migrate(db).await.unwrap();
    assert!(crate::db::manifests::has_parent(db, repository.id, &child).await.unwrap());
    assert_eq!(crate::db::build_lists::open_in(db, namespace.id, true, 5).await.unwrap().total, 1);
}

#[tokio::test]
async fn an_older_database_learns_the_sizes_of_platforms() {
    let app = TestApp::start().await;
    let db = &app.db;
    let namespace = crate::testing::namespace("acme");
    let repository = crate::testing::repository(namespace.id, "web");
    let digest = |text: &str| crate::names::Digest::of(text.as_bytes());
    let tx = db.begin().await.unwrap();
    crate::db::namespaces::insert(&tx, namespace).await.unwrap();
    crate::db::repositories::insert(&tx, repository.clone()).await.unwrap();
    let index = |name: &str| crate::db::rows::Manifest {
        media_type: "application/vnd.oci.image.index.v1+json".into(),
        image_size_bytes: 40,
        ..crate::testing::manifest(repository.id, &digest(name))
    };
    let whole = index("index");
    let mut edges = Vec::new();
    for (position, image_size_bytes) in [(0, 30), (1, 10)] {
        let child = crate::testing::manifest(repository.id, &digest(&position.to_string()));
        let child = crate::db::rows::Manifest { image_size_bytes, ..child };
        edges.push(crate::db::rows::Edge {
            id: uuid::Uuid::now_v7(),
            manifest_id: whole.id,
            repository_id: Some(repository.id),
            position,
            kind: crate::db::EdgeKind::Manifest,
            digest: child.digest.clone(),
            media_type: String::new(),
            size_bytes: 1,
            platform: None,
        });
        crate::db::manifests::insert(&tx, child, Vec::new()).await.unwrap();
    }
    crate::db::manifests::insert(&tx, whole, edges).await.unwrap();
    crate::db::manifests::insert(&tx, index("empty"), Vec::new()).await.unwrap();
    tx.commit().await.unwrap();
    go_before(db, "add_what_lists_show").await;
    migrate(db).await.unwrap();
    for (name, sizes) in [("index", (Some(10), Some(30))), ("empty", (Some(40), Some(40))), ("0", (None, None))] {
        let facts = crate::db::manifests::find_facts(db, repository.id, digest(name).as_str()).await.unwrap().unwrap();
        assert_eq!((facts.platform_least_bytes, facts.platform_most_bytes), sizes, "{name}");
    }
}

#[tokio::test]
async fn an_older_database_learns_which_images_have_a_bundle() {
    use crate::db::{EdgeKind, manifests, namespaces, repositories, rows};
    use crate::names::Digest;
    let app = TestApp::start().await;
    let db = &app.db;
    let namespace = crate::testing::namespace("acme");
    let repository = crate::testing::repository(namespace.id, "web");
    let bundle = "application/vnd.dev.sigstore.bundle.v0.3+json";
    let cases = [
        ("layer", EdgeKind::Layer, bundle, true),
        ("blob", EdgeKind::Blob, bundle, true),
        ("config", EdgeKind::Config, bundle, false),
        ("other", EdgeKind::Layer, "application/vnd.dev.cosign.simplesigning.v1+json", false),
    ];
    let tx = db.begin().await.unwrap();
    namespaces::insert(&tx, namespace.clone()).await.unwrap();
    repositories::insert(&tx, repository.clone()).await.unwrap();
    for (name, kind, media_type, _) in cases {
        let plain = crate::testing::manifest(repository.id, &Digest::of(format!("about {name}").as_bytes()));
        let row = rows::Manifest { subject_digest: Some(Digest::of(name.as_bytes()).to_string()), ..plain };
        let edge = rows::Edge {
            id: uuid::Uuid::now_v7(),
            manifest_id: row.id,
            repository_id: Some(repository.id),
            position: 0,
            kind,
            digest: Digest::of(b"blob").to_string(),
            media_type: media_type.into(),
            size_bytes: 1,
            platform: None,
        };
        manifests::insert(&tx, row, vec![edge]).await.unwrap();
    }
    tx.commit().await.unwrap();
    go_before(db, "index_referrers").await;
    migrate(db).await.unwrap();
    for (name, _, _, expected) in cases {
        let digest = Digest::of(name.as_bytes());
        assert_eq!(manifests::has_bundle(db, repository.id, digest.as_str()).await.unwrap(), expected, "{name}");
    }
}

#[test]
fn both_databases_have_the_same_columns_and_indexes() {
    fn names() -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { lines(&TestApp::start().await.db, SQLITE_NAMES, POSTGRES_NAMES).await })
    }
    let (sqlite, mut postgres) = (names(), Vec::new());
    crate::testing::again_on_postgres(|| postgres = names());
    assert!(sqlite.len() > 100, "{sqlite:?}");
    assert_eq!(sqlite, postgres);
}

crate::testing::on_postgres! {
    each_migration_goes_down_and_up_again_to_the_same_schema,
    a_database_of_a_newer_program_is_refused_in_words,
    a_database_of_another_program_is_refused_in_words,
    a_migration_that_breaks_off_leaves_nothing_of_itself,
    an_older_database_learns_which_roles_came_with_an_organization,
    what_an_older_database_holds_is_found_by_repository_and_namespace,
    an_older_database_learns_the_sizes_of_platforms,
    an_older_database_learns_which_images_have_a_bundle,
}
