//! A registry client of few words: one method a step of the protocol.

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Body, Client, Method};
use serde_json::Value;

use super::answer::Answer;
use super::content::{digest, image, unique_bytes};

/// Requests with one bearer, or with none.
#[derive(Clone, Debug)]
pub(super) struct Session {
    http: Client,
    url: String,
    authorization: Option<String>,
}

/// An image that was pushed.
#[derive(Clone, Debug)]
pub(super) struct Image {
    pub(super) manifest: Value,
    pub(super) digest: String,
    pub(super) config: Vec<u8>,
    pub(super) layer: Vec<u8>,
}

impl Session {
    pub(super) fn new(http: Client, url: String, authorization: Option<String>) -> Self {
        Self { http, url, authorization }
    }

    /// The `Authorization` header that goes with each request.
    pub(super) fn authorization(&self) -> &str {
        self.authorization.as_deref().unwrap_or_default()
    }

    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let what = format!("{method} {path}");
        let mut request = self.http.request(method, format!("{}{path}", self.url)).body(body);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap_or_else(|e| panic!("{what}: no answer: {e:?}"));
        Answer::read(what, response).await
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    pub(super) async fn head(&self, path: &str) -> Answer {
        self.send(Method::HEAD, path, &[], "").await
    }

    pub(super) async fn post(&self, path: &str) -> Answer {
        self.send(Method::POST, path, &[], "").await
    }

    pub(super) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &[], "").await
    }

    /// Starts an upload and answers its path.
    pub(super) async fn start(&self, repository: &str) -> String {
        let answer = self.post(&format!("/v2/{repository}/blobs/uploads/")).await.is(202);
        answer.header("location").to_owned()
    }

    /// One chunk; `range` is its `Content-Range`.
    pub(super) async fn patch(&self, upload: &str, range: Option<&str>, bytes: impl Into<Body>) -> Answer {
        let headers: Vec<_> = range.iter().map(|range| ("content-range", *range)).collect();
        self.send(Method::PATCH, upload, &headers, bytes).await
    }

    /// The end of an upload, with its last bytes or none.
    pub(super) async fn finish(&self, upload: &str, digest: &str, bytes: impl Into<Body>) -> Answer {
        self.send(Method::PUT, &format!("{upload}?digest={digest}"), &[], bytes).await
    }

    /// Pushes a blob as docker does, and answers its digest.
    pub(super) async fn push_blob(&self, repository: &str, bytes: &[u8]) -> String {
        let upload = self.start(repository).await;
        let name = digest(bytes);
        self.finish(&upload, &name, bytes.to_vec()).await.is(201);
        name
    }

    pub(super) async fn put_manifest(&self, repository: &str, reference: &str, media_type: &str, body: &str) -> Answer {
        let path = format!("/v2/{repository}/manifests/{reference}");
        self.send(Method::PUT, &path, &[(CONTENT_TYPE.as_str(), media_type)], body.to_owned()).await
    }

    /// Pushes a manifest under the media type that it names, and answers its digest.
    pub(super) async fn push_manifest(&self, repository: &str, reference: &str, manifest: &Value) -> String {
        let media_type = manifest["mediaType"].as_str().expect("the manifest names its media type");
        self.put_manifest(repository, reference, media_type, &manifest.to_string()).await.is(201);
        digest(manifest.to_string())
    }

    /// Pushes an image that nobody has seen before.
    pub(super) async fn push_image(&self, repository: &str, reference: &str) -> Image {
        let (config, layer) = (unique_bytes(), unique_bytes());
        self.push_blob(repository, &config).await;
        self.push_blob(repository, &layer).await;
        let manifest = image(&config, &[&layer]);
        let digest = self.push_manifest(repository, reference, &manifest).await;
        Image { manifest, digest, config, layer }
    }

    /// Asserts that a blob is there, byte by byte.
    #[track_caller]
    pub(super) fn has_blob<'a>(&'a self, repository: &str, bytes: &'a [u8]) -> impl Future<Output = ()> + use<'a> {
        let path = format!("/v2/{repository}/blobs/{}", digest(bytes));
        async move {
            let answer = self.get(&path).await.is(200);
            assert!(answer.body == bytes, "{path}: {} other bytes", answer.body.len());
        }
    }
}
