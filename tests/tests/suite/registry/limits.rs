//! Requests made to fill memory or to hold the server up.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::content::{OCI_INDEX, OCI_MANIFEST, descriptor, many_bytes};
use super::fixture::{Kind, own};
use super::raw;

const MIB: usize = 1 << 20;

#[tokio::test]
async fn a_manifest_of_200_mib_is_refused_and_costs_no_memory() {
    let (server, registry) = own(Kind::Sqlite, |builder| builder).await;
    let (name, mona, image) = registry.with_image().await;
    // What the process needs for any manifest of the allowed size is there before.
    let padded = image.manifest.to_string() + &" ".repeat(4 * MIB - image.manifest.to_string().len());
    for _ in 0..3 {
        mona.put_manifest(&name, "v2", OCI_MANIFEST, &padded).await.is(201);
    }
    let before = server.rss_bytes();
    let huge = (200 * MIB).to_string();
    for (header, chunked) in [
        (Some(("Content-Length", huge.as_str())), false),
        (Some(("Content-Length", "4194305")), false),
        (Some(("Transfer-Encoding", "chunked")), true),
    ] {
        let headers = [("Authorization", mona.authorization()), ("Content-Type", OCI_MANIFEST)];
        let headers: Vec<_> = headers.into_iter().chain(header).collect();
        let head = raw::head(registry.port, "PUT", &format!("/v2/{name}/manifests/big"), &headers) + "\r\n";
        let (answer, _) = raw::send_much(registry.port, head, chunked, 200 * MIB).await;
        let answer = answer.fails(413, "MANIFEST_INVALID");
        assert!(answer.text().contains("4 MiB"), "{answer}");
    }
    let grown = server.rss_bytes().saturating_sub(before);
    assert!(grown < 20 * MIB as u64, "{} KiB more", grown / 1024);
    mona.get(&format!("/v2/{name}/manifests/big")).await.fails(404, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn a_large_blob_costs_no_memory() {
    let (server, registry) = own(Kind::Sqlite, |builder| builder).await;
    let (name, mona) = registry.new_repository().await;
    mona.push_image(&name, "v1").await;
    let before = server.rss_bytes();
    let bytes = many_bytes(100 * MIB);
    mona.push_blob(&name, &bytes).await;
    mona.has_blob(&name, &bytes).await;
    let grown = server.rss_bytes().saturating_sub(before);
    assert!(grown < 30 * MIB as u64, "{} KiB more", grown / 1024);
}

#[tokio::test]
async fn lists_of_large_manifests_cost_no_memory() {
    let (server, registry) = own(Kind::Sqlite, |builder| builder).await;
    let (name, mona, image) = registry.with_image().await;
    let mut children = Vec::new();
    for n in 0..40 {
        let mut manifest = image.manifest.clone();
        manifest["subject"] = descriptor(OCI_MANIFEST, &image.digest, 1);
        manifest["annotations"] = json!({ "n": n.to_string(), "much": "x".repeat(3 * MIB) });
        let digest = mona.push_manifest(&name, &format!("t{n}"), &manifest).await;
        children.push(descriptor(OCI_MANIFEST, &digest, manifest.to_string().len()));
    }
    let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children });
    server.forget_peak();
    let before = server.peak_bytes();

    mona.push_manifest(&name, "all", &index).await;
    let mut path = Some(format!("/v2/{name}/referrers/{}", image.digest));
    let mut listed = 0;
    while let Some(page) = path {
        let answer = mona.get(&page).await.is(200);
        listed += answer.json()["manifests"].as_array().expect("an index has manifests").len();
        assert!(answer.body.len() < 5 * MIB, "{} bytes", answer.body.len());
        path = super::lists::next(answer.header("link"));
    }
    assert_eq!(listed, 40);
    let grown = server.peak_bytes().saturating_sub(before);
    // All together have 120 MiB, and twice that when they are listed; each worker may hold one in several forms.
    assert!(grown < 100 * MIB as u64, "{} KiB more", grown / 1024);
}

#[tokio::test]
async fn wrong_passwords_are_counted_and_good_ones_are_not() {
    wrong_ones_are_counted("slp_").await;
}

#[tokio::test]
async fn wrong_tokens_of_attempts_are_counted_too() {
    wrong_ones_are_counted("sla_").await;
}

async fn wrong_ones_are_counted(prefix: &str) {
    let (_server, registry) = own(Kind::Sqlite, |builder| builder).await;
    let mut refusals = Vec::new();
    for n in 0..70 {
        let answer = registry.ask_token(Some(&format!("{prefix}wrong{n}")), &[]).await;
        refusals.push(answer.status);
        if answer.status == 429 {
            let answer = answer.fails(429, "TOOMANYREQUESTS");
            assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|s| (1..=60).contains(&s)), "{answer}");
        }
    }
    assert!(refusals[..60].iter().all(|status| *status == 401), "{refusals:?}");
    assert!(refusals[60..].contains(&429), "{refusals:?}");
    registry.ask_token(Some(&registry.mona), &[]).await.is(200);
}

#[tokio::test]
async fn half_open_connections_hold_nobody_up() {
    let (_server, registry) = own(Kind::Sqlite, |builder| builder).await;
    let (name, mona, _) = registry.with_image().await;
    let mut silent = Vec::new();
    for n in 0..200 {
        let mut stream = raw::connect(registry.port).await;
        if n % 2 == 0 {
            stream.write_all(b"GET /v2/ HTTP/1.1\r\nHost: loc").await.expect("the server reads");
        }
        silent.push(stream);
    }
    let started = Instant::now();
    mona.get(&format!("/v2/{name}/manifests/v1")).await.is(200);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    let mut first = silent.swap_remove(0);
    let mut rest = Vec::new();
    timeout(Duration::from_secs(30), first.read_to_end(&mut rest)).await.expect("slow headers are closed").ok();
}
