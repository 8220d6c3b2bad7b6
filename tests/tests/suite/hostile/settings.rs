//! Settings that are wrong stop the real program before anything starts, with key, value and remedy.

use std::{fs, time::Duration};

use slipway_tests::{Output, Run};

/// The program beside the running test.
fn program() -> std::path::PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    test.ancestors().nth(2).expect("tests run in target/debug/deps").join("slipway")
}

async fn serve(settings: &[(&str, &str)], file: Option<&str>) -> (Output, bool) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let mut run = Run::new(program()).env("SLIPWAY_DATA_DIR", &data).limit(Duration::from_secs(20));
    if let Some(text) = file {
        let path = folder.path().join("slipway.toml");
        fs::write(&path, text).expect("the folder is ours");
        run = run.args(["--config".into(), path.into_os_string()]);
    }
    run = settings.iter().fold(run, |run, (name, value)| run.env(*name, *value));
    let output = run.args(["serve"]).output().await;
    (output, data.exists())
}

#[tokio::test]
async fn a_wrong_setting_stops_the_start_with_key_value_and_remedy() {
    for (name, value, parts) in [
        ("SLIPWAY_PUBLIK_URL", "x", ["SLIPWAY_PUBLIK_URL", "no such setting", "public_url"]),
        ("SLIPWAY_LISTEN", "eighty", ["listen", "`eighty`", "127.0.0.1:8080"]),
        ("SLIPWAY_PUBLIC_URL", "localhost:8080", ["public_url", "`localhost:8080`", "https://"]),
        ("SLIPWAY_PUBLIC_URL", "http://a/b", ["public_url", "`http://a/b`", "without a path"]),
        ("SLIPWAY_PUBLIC_URL", "http://u:p@a", ["public_url", "http://u:p@a", "address such as"]),
        ("SLIPWAY_DATABASE_URL", "mysql://x", ["database.url", "sqlite:", "postgres://"]),
        ("SLIPWAY_DATABASE_CONNECTIONS", "-1", ["database.connections", "`-1`", "1 to 1000"]),
        ("SLIPWAY_DATABASE_CONNECTIONS", "0", ["database.connections", "`0`", "1 to 1000"]),
        ("SLIPWAY_BUILDER_SLOTS", "many", ["builder.slots", "`many`", "number of builds"]),
        ("SLIPWAY_BUILDER_SLOTS", "0", ["builder.slots", "`0`", "number of builds"]),
        ("SLIPWAY_BUILDS_PER_NAMESPACE", "0", ["builds.per_namespace", "`0`", "number of builds"]),
        ("SLIPWAY_BUILDS_DEADLINE_SECS", "0", ["builds.deadline_secs", "`0`", "number of seconds"]),
        ("SLIPWAY_SOURCES_POLL_SECS", "0", ["sources.poll_secs", "`0`", "number of seconds"]),
        ("SLIPWAY_UPLOADS_BYTES", "0", ["uploads.bytes", "`0`", "number of bytes"]),
        ("SLIPWAY_BUILDER_TOKENS", "short", ["builder.tokens", "32 characters", "openssl rand"]),
        ("SLIPWAY_LOG_FORMAT", "xml", ["log.format", "`xml`", "text, json"]),
        ("SLIPWAY_LOG_LEVEL", "sl=ow=er", ["log.level", "`sl=ow=er`", "`info`"]),
        ("SLIPWAY_TRUSTED_PROXIES", "everybody", ["trusted_proxies", "`everybody`", "10.0.0.0/8"]),
        ("SLIPWAY_SIGN_IN_EVERYBODY", "yes", ["sign_in.everybody", "`yes`", "`true` or `false`"]),
        ("SLIPWAY_REGISTRY_MIRRORS", "localhost:1", ["registry.mirrors", "`localhost:1`", "no `=`"]),
        ("SLIPWAY_REGISTRY_LOGINS", "host=user", ["registry.logins", "host=user:password", "`:`"]),
    ] {
        let (output, started) = serve(&[(name, value)], None).await;
        assert!(output.status > 0, "{name}={value}: {output}");
        for part in parts {
            assert!(output.stderr.contains(part), "{name}={value} does not name {part}: {output}");
        }
        assert!(!started, "{name}={value}: something was written before the settings were checked");
    }
}

#[tokio::test]
async fn a_contradiction_stops_the_start() {
    for (settings, parts) in [
        (vec![("SLIPWAY_TLS_KEY", "k.pem")], ["tls.certificate", "set both"]),
        (vec![("SLIPWAY_GITHUB_CLIENT_ID", "x")], ["github.client_secret", "set both"]),
        (vec![("SLIPWAY_GITHUB_CLIENT_SECRET", "x")], ["github.client_id", "set both"]),
    ] {
        let (output, _) = serve(&settings, None).await;
        assert!(output.status > 0 && parts.iter().all(|part| output.stderr.contains(part)), "{settings:?}: {output}");
        assert!(!output.stderr.contains("panicked"), "{output}");
    }
}

#[tokio::test]
async fn a_secret_is_not_repeated_when_it_is_refused() {
    for (name, value) in [
        ("SLIPWAY_BUILDER_TOKENS", "hunter2"),
        ("SLIPWAY_REGISTRY_LOGINS", "host=hunter2"),
        ("SLIPWAY_GITHUB_CLIENT_SECRET", "hunter2"),
        ("SLIPWAY_DATABASE_URL", "postgers://u:hunter2@h/d"),
    ] {
        let (output, _) = serve(&[(name, value)], None).await;
        assert!(output.status > 0 && !output.stderr.contains("hunter2"), "{name}: {output}");
    }
}

#[tokio::test]
async fn a_file_with_an_unknown_key_is_refused_by_name() {
    for (text, parts) in [
        ("publik_url = 'x'\n", ["slipway.toml", "publik_url"]),
        ("[github]\nsecret = 'x'\n", ["slipway.toml", "github.secret"]),
        ("listen = = 3\n", ["slipway.toml", "line 1"]),
        ("listen = 3\n", ["listen", "`3`"]),
    ] {
        let (output, _) = serve(&[], Some(text)).await;
        assert!(output.status > 0 && parts.iter().all(|part| output.stderr.contains(part)), "{text}: {output}");
    }
    let missing = Run::new(program()).args(["--config", "/nowhere/slipway.toml", "serve"]).output().await.fails();
    assert!(missing.stderr.contains("/nowhere/slipway.toml"), "{missing}");
}

#[tokio::test]
async fn a_tls_file_that_is_no_certificate_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("cert.pem");
    fs::write(&file, "nonsense").expect("the folder is ours");
    let path = file.to_string_lossy();
    let settings = [
        ("SLIPWAY_TLS_CERTIFICATE", &*path),
        ("SLIPWAY_TLS_KEY", &*path),
        ("SLIPWAY_PUBLIC_URL", "https://localhost:1"),
        ("SLIPWAY_LISTEN", "127.0.0.1:1"),
    ];
    let (output, _) = serve(&settings, None).await;
    assert!(output.status > 0 && output.stderr.contains("cert.pem"), "{output}");
}
