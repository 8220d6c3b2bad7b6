//! `slipway doctor` beside a server, and its lines about registries.

use serde_json::Value;
use slipway_tests::{Run, Server, own_program};

/// The lines about one thing, with more settings.
async fn doctor(subject: &str, settings: &[(&str, String)]) -> Vec<Value> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = Run::new(own_program("slipway")).env("SLIPWAY_DATA_DIR", folder.path().join("data"));
    let run = settings.iter().fold(run, |run, (name, value)| run.env(*name, value));
    let output = run.args(["doctor", "--json"]).output().await;
    assert!(!folder.path().join("data").exists(), "doctor made something: {output}");
    assert!(!output.to_string().contains("wrong-password"), "{output}");
    let all: Vec<Value> = serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output}"));
    all.into_iter().filter(|line| line["subject"] == subject).collect()
}

fn is(line: &Value, level: &str, text: &str, remedy: &str) {
    assert_eq!(line["level"], level, "{line}");
    assert!(line["text"].as_str().is_some_and(|said| said.contains(text)), "{line}");
    assert!(line["remedy"].as_str().unwrap_or_default().contains(remedy), "{line}");
}

#[tokio::test]
async fn logins_and_mirrors_are_tried() {
    let server = Server::start().await;
    let (host, token) = (server.host(), server.person("mona").await);
    let logins = format!("{host}=mona:{token},{host}=mona:wrong-password,localhost:1=mona:{token}");
    let lines = doctor("login", &[("SLIPWAY_REGISTRY_LOGINS", logins)]).await;
    assert_eq!(lines.len(), 3, "{lines:?}");
    is(&lines[0], "ok", "takes that of `mona`", "");
    is(&lines[1], "fail", "refuses that of `mona`", "`registry.logins`");
    is(&lines[2], "warn", "localhost:1 cannot be reached", "`registry.ca_files`");

    let mirrors = format!("docker.io={host},docker.io=localhost:1");
    let lines = doctor("mirror", &[("SLIPWAY_REGISTRY_MIRRORS", mirrors)]).await;
    is(&lines[0], "ok", "answers", "");
    is(&lines[1], "warn", "localhost:1 cannot be reached", "check its name");
}

#[tokio::test]
async fn beside_a_server_the_key_and_the_folder_are_looked_at() {
    let server = Server::start().await;
    let said = server.command(&["doctor"]).await.to_string();
    for part in
        ["a server runs on it", "the first image that is built makes that of its namespace", "and a server runs here"]
    {
        assert!(said.contains(part), "{said}");
    }
}
