//! The architecture as a test: which part may name which, how long files are, and where foreign clients live.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace holds this crate").to_owned()
}

/// Every Rust file of ours: path from the root, and text.
fn sources() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for folder in ["server/src", "builder", "migrations/src", "tests"] {
        walk(&root().join(folder), &mut found);
    }
    assert!(found.len() > 150, "only {} files were found", found.len());
    found
}

fn walk(folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).expect("the folder is there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            if !path.ends_with("node_modules") {
                walk(&path, found);
            }
        } else if path.extension().is_some_and(|e| e == "rs") {
            let name = path.strip_prefix(root()).expect("it is below the root").to_string_lossy().into_owned();
            found.insert(name, std::fs::read_to_string(&path).expect("a source is text"));
        }
    }
}

/// The code of a file without its unit tests and comments.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Modules of the server that a file names: `crate::db` → `db`.
fn named(text: &str) -> Vec<String> {
    let code = code(text);
    let mut names = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            // `use crate::{builds, db};`
            let group = group.split('}').next().unwrap_or_default();
            names.extend(group.split(',').map(|n| n.trim().split("::").next().unwrap_or_default().to_owned()));
        } else {
            names.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    names
}

/// The top module of a server file: `server/src/web/tags.rs` → `web`.
fn module(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("server/src/")?;
    Some(inside.split('/').next().unwrap_or_default().trim_end_matches(".rs"))
}

/// Named by everybody, and knowing nobody.
const GROUND: &[&str] = &["error", "names", "clock", "secrets", "request_id"];

/// What each other part of the server names beside the ground; `main`, `cli` and tests may name all.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("config", &[]),
    ("wake", &[]),
    ("storage", &["db"]),
    ("policy", &["db"]),
    ("db", &["policy"]),
    ("forge", &["app", "config", "db"]),
    ("auth", &["app", "db", "http", "policy"]),
    ("accounts", &["app", "auth", "config", "db", "forge", "jobs", "policy"]),
    ("namespaces", &["app", "db", "policy"]),
    ("sources", &["app", "builds", "db", "forge", "jobs", "policy"]),
    (
        "builds",
        &["app", "auth", "config", "db", "forge", "jobs", "policy", "registry", "sources", "storage", "trust", "wake"],
    ),
    ("registry", &["app", "auth", "db", "jobs", "policy", "sources", "storage"]),
    ("trust", &["app", "db", "jobs", "policy", "registry"]),
    ("jobs", &["accounts", "app", "builds", "db", "forge", "registry", "sources", "trust"]),
    (
        "web",
        &["accounts", "app", "auth", "builds", "db", "http", "namespaces", "policy", "registry", "sources", "trust"],
    ),
    ("oci", &["app", "auth", "config", "db", "policy", "registry", "trust"]),
    ("hooks", &["app", "auth", "sources"]),
    ("builder_api", &["app", "auth", "builds", "db", "forge"]),
    ("http", &["app", "auth", "builder_api", "config", "hooks", "oci", "web"]),
    (
        "app",
        &["auth", "builds", "config", "db", "forge", "hooks", "http", "registry", "storage", "trust", "wake", "web"],
    ),
];

#[test]
fn arrows_point_downwards() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let Some(own) = module(&path).filter(|own| !["main", "cli", "testing"].contains(own)) else { continue };
        if path.contains("/tests") || GROUND.contains(&own) {
            continue;
        }
        let allowed = MAY_NAME.iter().find(|(module, _)| *module == own).map(|(_, allowed)| *allowed);
        let allowed = allowed.unwrap_or_else(|| panic!("{path} belongs to a part that MAY_NAME does not list"));
        for name in named(&text) {
            if name != own && !GROUND.contains(&name.as_str()) && !allowed.contains(&name.as_str()) {
                wrong.push(format!("{path} names crate::{name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Rows and values are the words that all speak; questions to the database are for services.
#[test]
fn only_services_ask_the_database() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        if !module(&path)
            .is_some_and(|own| ["policy", "forge", "storage", "web", "oci", "hooks", "builder_api"].contains(&own))
        {
            continue;
        }
        let code = code(&text);
        let asked = code.match_indices("db::").map(|(at, _)| &code[at + "db::".len()..]);
        let is_question = |rest: &&str| !rest.starts_with("rows") && rest.starts_with(|c: char| c.is_lowercase());
        for rest in asked.filter(is_question) {
            wrong.push(format!("{path} names db::{}", rest.split(['(', ';', ' ', '\n']).next().unwrap_or_default()));
        }
        if code.contains(".db.begin()") {
            wrong.push(format!("{path} begins a transaction"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Extractors side by side are polled at once, and the first error is the answer: a body that cannot be read would tell
/// by its timing what a refusal hides. `Then` waits for the right.
#[test]
fn no_handler_reads_a_body_beside_the_right_to_send_it() {
    let (mut wrong, mut forms) = (Vec::new(), 0);
    for (path, text) in sources().iter().filter(|(path, _)| path.starts_with("server/src/")) {
        let code = code(text);
        for handler in code.split("pub async fn ").skip(1) {
            let signature = handler.split(") -> ").next().unwrap_or_default();
            let takes = |kinds: &[&str]| kinds.iter().any(|kind| signature.contains(&format!(": {kind}")));
            forms += usize::from(takes(&["Then<"]));
            if takes(&["Allowed<", "Principal", "Then<"]) && takes(&["Form<", "Json<", "Bytes", "Either<"]) {
                wrong.push(format!("{path}: `{}`", signature.split('(').next().unwrap_or_default()));
            }
        }
    }
    assert!(forms > 10, "only {forms} handlers wait");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn foreign_clients_live_in_one_place_each() {
    let homes: &[(&str, &[&str])] = &[
        ("sea_orm", &["server/src/db.rs", "server/src/db/", "migrations/src/"]),
        ("octocrab", &["server/src/forge/github.rs"]),
        ("sigstore", &["server/src/trust/signing.rs"]),
        ("oauth2", &["server/src/accounts/oauth.rs"]),
        ("tokio_cron_scheduler", &["server/src/jobs/schedule.rs"]),
        ("jsonwebtoken", &["server/src/auth/bearer.rs"]),
        ("bollard_buildkit_proto", &["builder/buildkit/"]),
        ("tonic", &["builder/buildkit/"]),
    ];
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let code = code(&text);
        for (client, allowed) in homes {
            let uses = code.contains(&format!("{client}::")) || code.contains(&format!("use {client}"));
            if uses && !path.starts_with("tests/") && !allowed.iter().any(|home| path.starts_with(home)) {
                wrong.push(format!("{path} names {client}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let lines = text.lines().count();
        if lines > 400 {
            wrong.push(format!("{path} has {lines} lines; split it"));
        }
        if !text.starts_with("//!") {
            wrong.push(format!("{path} does not open with `//!`"));
        }
        if path.ends_with("/mod.rs") {
            wrong.push(format!("{path}: use `name.rs` beside `name/`"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_template_has_its_struct() {
    let code: String =
        sources().into_iter().filter(|(p, _)| p.starts_with("server/src/web/")).map(|(_, t)| t).collect();
    let mut wrong = Vec::new();
    for folder in std::fs::read_dir(root().join("templates")).expect("templates are there").flatten() {
        let area = folder.file_name().to_string_lossy().into_owned();
        if !folder.path().is_dir() || area == "components" {
            continue;
        }
        for file in std::fs::read_dir(folder.path()).expect("a folder can be read").flatten() {
            let name = file.file_name().to_string_lossy().into_owned();
            let is_page = file.path().is_file() && !name.starts_with('_');
            if is_page && !code.contains(&format!("path = \"{area}/{name}\"")) {
                wrong.push(format!("templates/{area}/{name} belongs to no struct below server/src/web"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_crates_use_what_they_may() {
    let may: &[(&str, &[&str])] = &[
        ("server", &["slipway-builder", "slipway-migrations", "slipway-protocol"]),
        ("builder", &["slipway-buildkit", "slipway-protocol"]),
        ("builder/protocol", &[]),
        ("builder/buildkit", &[]),
        ("migrations", &[]),
        ("tests/forge", &[]),
    ];
    for (folder, allowed) in may {
        let manifest = std::fs::read_to_string(root().join(folder).join("Cargo.toml")).expect("a crate has a manifest");
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap_or_default();
        let dependencies = dependencies.split("[dev-dependencies]").next().unwrap_or_default();
        for line in dependencies.lines().filter(|l| l.starts_with("slipway-")) {
            let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
            assert!(allowed.contains(&name), "{folder} may not use {name}");
        }
    }
}

/// Names of the test functions in a file; those in `both! { … }` are made for each database.
fn tests_in(text: &str) -> BTreeSet<&str> {
    let marked = text.lines().zip(text.lines().skip(1)).filter(|(above, _)| above.trim_start().ends_with("test]"));
    let named = marked.filter_map(|(_, line)| line.split_once("fn ")?.1.split('(').next());
    let both = text.split_once("both! {").map_or("", |(_, rest)| rest.split('}').next().unwrap_or_default());
    named.chain(both.split(',').map(str::trim).filter(|name| !name.is_empty())).collect()
}

/// Whether a file holds the module: `names::refs::tests` lies in `names/refs.rs` or in `names/refs/tests.rs`.
fn holds(path: &str, module: &str) -> bool {
    let module = module.replace("::", "/");
    let inside = module.strip_suffix("/tests").unwrap_or(&module);
    [module.as_str(), inside].iter().any(|module| path.ends_with(&format!("/{module}.rs")))
}

#[test]
fn the_table_of_known_attacks_names_tests_that_exist() {
    let document = std::fs::read_to_string(root().join("docs/SECURITY.md")).expect("the document is there");
    let sources = sources();
    let table = document.split_once("| attack | answer here | where |").expect("the table has its columns").1;
    let rows: Vec<&str> = table.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() > 30, "only {} rows were found", rows.len());
    let mut wrong = Vec::new();
    for row in rows {
        let place = row.trim_end_matches(" |").rsplit(" | ").next().unwrap_or_default();
        let names: Vec<&str> = place.split('`').skip(1).step_by(2).collect();
        if names.is_empty() && !place.starts_with("impossible") {
            wrong.push(format!("no test is named in: {row}"));
        }
        for name in names {
            let (module, test) = name.rsplit_once("::").unwrap_or_default();
            let is_there = |(path, text): (&String, &String)| holds(path, module) && tests_in(text).contains(test);
            if !sources.iter().any(is_there) {
                wrong.push(format!("no test `{name}`, which is named in: {row}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
