//! Streams of events that are left open by the hundred.

use reqwest::{Method, Response};
use rustix::process::{Resource, getrlimit, setrlimit};

use super::{
    browser::Browser,
    site::{Site, until},
};

/// Each answer is a connection.
fn raise_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("our own limit can be raised");
}

async fn open(browser: &Browser, path: &str) -> Response {
    browser.request(Method::GET, path).send().await.expect("the server answers")
}

#[tokio::test]
async fn one_address_has_half_of_all_streams_of_events() {
    const EACH: usize = 512;
    raise_open_files();
    let site = Site::new(&[]).await;
    let mona = site.signed_in("mona").await;
    let to = site.connected(&mona, "mona", "web", false).await;
    let (list, build) = (format!("/{}/-/builds/events", to.name), format!("/{}/-/builds/1/events", to.name));
    let mut streams = Vec::new();
    for n in 0..EACH {
        let answer = open(&mona, &list).await;
        assert_eq!(answer.status(), 200, "stream {n}");
        streams.push(answer);
    }
    for path in [&list, &build] {
        assert_eq!(open(&mona, path).await.status(), 429, "{path}");
    }
    mona.get(&format!("/{}", to.name)).await.is(200);
    let eve = site.signed_in("eve").await;
    assert_eq!(open(&eve, &list).await.status(), 200, "another address has places of its own");
    drop(streams);
    until("the places are given back", async || open(&mona, &list).await.status().is_success().then_some(())).await;
}
