//! Headers by which a client could lead another one astray.

use super::content::{digest, unknown_digest};
use super::fixture::{Kind, Registry};
use super::raw;

both! {
    a_forged_host_changes_no_address,
    requests_of_two_meanings_are_refused,
}

async fn a_forged_host_changes_no_address(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (name, mona, image) = registry.with_image().await;
    let expected = format!("Bearer realm=\"{}/token\",service=\"{}\"", registry.url, registry.host);
    let same_name = format!("evil.example:{}", registry.port);
    for (header, value) in [
        ("Host", "evil.example"),
        ("Host", &*same_name),
        ("Host", "localhost"),
        ("Host", "127.0.0.1:1"),
        ("Host", ""),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Port", "443"),
        ("X-Forwarded-Prefix", "/evil"),
        ("Forwarded", "host=evil.example;proto=https;for=6.6.6.6"),
        ("X-Original-URL", "/healthz"),
        ("X-Rewrite-URL", "/healthz"),
        ("X-HTTP-Method-Override", "DELETE"),
    ] {
        let answer = raw::request(registry.port, "GET", "/v2/", &[(header, value)]).await.is(401);
        assert_eq!(answer.header("www-authenticate"), expected, "{header}: {value}");
        let headers = [(header, value), ("Authorization", mona.authorization()), ("Content-Length", "0")];
        let start = format!("/v2/{name}/blobs/uploads/");
        let answer = raw::request(registry.port, "POST", &start, &headers).await.is(202);
        assert!(answer.header("location").starts_with(&format!("/v2/{name}/blobs/uploads/")), "{answer}");
        let mount = format!("{start}?mount={}&from={name}", digest(&image.layer));
        let answer = raw::request(registry.port, "POST", &mount, &headers).await.is(201);
        assert!(answer.header("location").starts_with(&format!("/v2/{name}/blobs/sha256:")), "{answer}");
        let absent = format!("/v2/{name}/blobs/{}", unknown_digest());
        let answer = raw::request(registry.port, "GET", &absent, &headers).await.is(404);
        assert!(!answer.text().contains("evil"), "{answer}");
    }
}

async fn requests_of_two_meanings_are_refused(kind: Kind) {
    let registry = Registry::on(kind).await;
    for headers in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 4\r\nContent-Length: 5\r\n",
        "Content-Length: +4\r\n",
        "Content-Length: -4\r\n",
        "Content-Length: 4, 5\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding : chunked\r\n",
    ] {
        let head = raw::head(registry.port, "POST", "/v2/mona/web/blobs/uploads/", &[]);
        let smuggled = "0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let bytes = format!("{head}{headers}\r\n{smuggled}");
        let answer = raw::exchange(registry.port, bytes.as_bytes(), headers.into()).await;
        assert!(matches!(answer.status, 400 | 401 | 501), "{answer}");
        assert_eq!(answer.text().matches("HTTP/1.1").count(), 0, "a second answer: {answer}");
    }
}
