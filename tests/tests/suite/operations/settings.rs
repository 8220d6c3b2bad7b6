//! Files and combinations of settings are checked before anything starts.

use std::{ffi::OsString, fs, path::Path, time::Duration};

use reqwest::Client;
use slipway_tests::{Certificate, Output, Run, Server, own_program};

/// `slipway serve`, and whether it wrote anything.
async fn serve(settings: &[(&str, &Path)]) -> (Output, bool) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let run = Run::new(own_program("slipway")).env("SLIPWAY_DATA_DIR", &data).limit(Duration::from_secs(20));
    let run = settings.iter().fold(run, |run, (name, value)| run.env(*name, OsString::from(value)));
    let output = run.env("SLIPWAY_LISTEN", "127.0.0.1:1").args(["serve"]).output().await;
    (output, data.exists())
}

/// The program stops before it makes its folder, and says all of these.
async fn is_refused(settings: &[(&str, &Path)], parts: &[&str]) {
    let (output, wrote) = serve(settings).await;
    assert!(output.status > 0 && !output.stderr.contains("panicked"), "{settings:?}: {output}");
    for part in parts {
        assert!(output.stderr.contains(part), "{settings:?} does not say {part}: {output}");
    }
    assert!(!wrote, "{settings:?}: something was written before the settings were checked");
}

fn path(text: &str) -> &Path {
    Path::new(text)
}

#[tokio::test]
async fn a_file_of_authorities_that_is_missing_or_wrong_stops_the_start() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let missing = folder.path().join("missing.pem");
    let key = "SLIPWAY_REGISTRY_CA_FILES";
    is_refused(&[(key, &missing)], &["registry.ca_files", "missing.pem`", "No such file", "name a PEM file"]).await;
    for (text, why) in [
        ("nonsense", "it holds no certificate"),
        ("-----BEGIN CERTIFICATE-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE-----\n", "name a PEM file"),
    ] {
        let file = folder.path().join("wrong.pem");
        fs::write(&file, text).expect("the folder is ours");
        is_refused(&[(key, &file)], &["registry.ca_files", "wrong.pem`", why]).await;
    }
}

#[tokio::test]
async fn a_certificate_and_a_key_are_read_before_anything_is_made() {
    let (one, other) = (Certificate::for_localhost().await, Certificate::for_localhost().await);
    let (certificate, key, url) = ("SLIPWAY_TLS_CERTIFICATE", "SLIPWAY_TLS_KEY", "SLIPWAY_PUBLIC_URL");
    let https = path("https://localhost:1");
    let (chain, secret, others) = (one.chain(), one.key(), other.key());
    for (chain, secret, parts) in [
        (path("/nowhere/cert.pem"), &*secret, ["tls.certificate", "/nowhere/cert.pem`", "name a PEM file"]),
        (&*chain, path("/nowhere/key.pem"), ["tls.key", "/nowhere/key.pem`", "name a PEM file"]),
        (&*chain, &*chain, ["tls.key", "cert.pem`", "the certificate's private key"]),
        (&*chain, &*others, ["tls.certificate and tls.key", "do not go together", "name the key"]),
    ] {
        is_refused(&[(certificate, chain), (key, secret), (url, https)], &parts).await;
    }
    let http = path("http://localhost:1");
    let parts = ["public_url", "`http://localhost:1`", "tls.certificate", "`https://"];
    is_refused(&[(certificate, &chain), (key, &secret), (url, http)], &parts).await;
}

#[tokio::test]
async fn a_registry_without_builds_starts_and_is_well() {
    let server = Server::builder().env("SLIPWAY_BUILDER_EMBEDDED", "false").env("SLIPWAY_BUILDER_TOKENS", "");
    let server = server.start().await;
    assert!(server.log().contains("this is a registry only"), "{}", server.log());
    // No token is the right one of no builder.
    let claim = Client::new().post(server.url("/builder/v1/claim"));
    for asked in [claim.try_clone().expect("it has no body"), claim.bearer_auth("")] {
        assert_eq!(asked.send().await.expect("an answer").status(), 401);
    }
    let doctor = server.command(&["doctor"]).await;
    assert!(doctor.stdout.contains("there is no builder, so this is a registry only"), "{doctor}");
}
