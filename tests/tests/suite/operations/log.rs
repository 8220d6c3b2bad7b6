//! Each request is found in the log by the id that its answer shows.

use slipway_tests::{Page, Server, Visitor};

async fn ask(format: &str) -> (String, Page) {
    let server = Server::builder().env("SLIPWAY_LOG_FORMAT", format).start().await;
    let visitor = Visitor::new(&server);
    visitor.get("/login/github/callback?code=hunter2&state=hunter3").await;
    visitor.get("/login?invite=hunter4").await;
    let page = visitor.get("/nobody/nothing").await;
    assert_eq!(page.status, 404, "{page}");
    (server.log(), page)
}

fn id_of(page: &Page) -> &str {
    page.headers["x-request-id"].to_str().expect("an id is ASCII")
}

#[tokio::test]
async fn the_id_of_a_404_is_in_the_log() {
    let (log, page) = ask("text").await;
    let id = id_of(&page);
    assert!(page.text().contains(id), "the page shows it: {page}");
    let line = log.lines().find(|line| line.contains(id)).unwrap_or_else(|| panic!("{id} is not in {log}"));
    assert!(line.contains("INFO") && line.contains("GET /nobody/nothing answered 404 in "), "{line}");
    assert!(!log.contains("hunter"), "a secret of a query is in the log: {log}");
    assert!(!log.contains("/readyz"), "health checks fill the log: {log}");
}

#[tokio::test]
async fn the_id_of_a_404_is_in_the_log_as_json() {
    let (log, page) = ask("json").await;
    let lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let of_request = |line: &serde_json::Value| line["span"]["request.id"] == id_of(&page);
    let line = lines.into_iter().find(of_request).unwrap_or_else(|| panic!("no line of {page} in {log}"));
    let fields = &line["fields"];
    assert_eq!(line["level"], "INFO", "{line}");
    assert_eq!((&fields["http.status"], &fields["http.method"]), (&404.into(), &"GET".into()), "{line}");
    assert_eq!(fields["http.path"], "/nobody/nothing", "{line}");
    assert!(fields["duration_ms"].is_u64(), "{line}");
}
