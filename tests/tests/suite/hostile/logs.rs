//! Logs that a builder makes as large as it can: what the server keeps of them, and what their pages cost.

use std::time::Duration;

use serde_json::{Value, json};

use super::site::until;
use super::workshop::{Workshop, with_busybox};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const MIB: usize = 1 << 20;

/// A builder of the test's own: it sends what it likes.
struct Builder {
    shop: Workshop,
    client: reqwest::Client,
    attempt: String,
    token: String,
    sent: u64,
    path: String,
}

impl Builder {
    async fn with_build() -> Self {
        let settings = [("SLIPWAY_BUILDER_EMBEDDED", "false"), ("SLIPWAY_BUILDER_TOKENS", TOKEN)];
        let shop = Workshop::new(&settings).await;
        let commit = with_busybox(shop.bench.repo.change("log"), "RUN true\n").commit("Print much");
        let number = shop.number(&shop.bench, &commit).await;
        let path = format!("/{}/-/builds/{number}", shop.bench.name);
        let title = format!("{} build {number}", shop.bench.name);
        let client = shop.site.server.http().build().expect("a client is made");
        let mut builder = Self { shop, client, attempt: String::new(), token: TOKEN.to_owned(), sent: 0, path };
        let work = until("there is work", async || {
            // Those that the import began are taken too, and left.
            builder.claim().await.filter(|work| work["title"] == title.as_str())
        })
        .await;
        let text = |key: &str| work[key].as_str().expect("an assignment has it").to_owned();
        (builder.attempt, builder.token) = (text("attempt_id"), text("attempt_token"));
        builder
    }

    /// Takes the next build, if there is one.
    async fn claim(&self) -> Option<Value> {
        let ask = json!({
            "version": slipway_protocol::VERSION, "builder": "mine", "platforms": ["linux/amd64"],
            "slots": 1, "wait_secs": 20, "unable": null,
        });
        let (status, work) = self.post_as(TOKEN, "claim", &ask).await;
        (status == 200).then_some(work)
    }

    async fn post(&self, what: &str, body: &Value) -> (u16, Value) {
        self.post_as(&self.token, what, body).await
    }

    async fn post_as(&self, token: &str, what: &str, body: &Value) -> (u16, Value) {
        let url = self.shop.site.server.url(&format!("/builder/v1/{what}"));
        let answer = self.client.post(url).bearer_auth(token).json(body).send().await.expect("the server answers");
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }

    async fn records(&mut self, records: Vec<Value>) -> (u16, Value) {
        let first = self.sent + 1;
        self.sent += records.len() as u64;
        let path = format!("attempts/{}/records", self.attempt);
        self.post(&path, &json!({ "first": first, "records": records })).await
    }

    /// Sending takes longer than the lease of a builder that is silent.
    async fn heartbeat(&self) {
        let (status, answer) = self.post(&format!("attempts/{}/heartbeat", self.attempt), &json!({})).await;
        assert_eq!(status, 200, "{answer}");
    }

    async fn finish(&self) {
        let outcome = json!({
            "outcome": "failed", "reason": "other", "message": "it failed", "exit_code": null, "vertex": null,
            "location": null,
        });
        let path = format!("attempts/{}/finish", self.attempt);
        let (status, answer) = self.post(&path, &json!({ "outcome": outcome, "last_record": self.sent })).await;
        assert_eq!(status, 200, "{answer}");
    }

    async fn until_sealed(&self) {
        // Those of the import's own builds, which were left, are sealed too.
        let sealed = format!("sealed_log WHERE attempt_id = x'{}'", self.attempt.replace('-', ""));
        until("the log is sealed", async || (self.shop.site.count(&sealed).await == 1).then_some(())).await;
    }

    /// States of builds that the forge was not told of once, because others hold all places.
    async fn untold(&self) -> u64 {
        self.shop.site.count("job WHERE kind = 'set_commit_status' AND attempts = 0").await
    }

    /// What the page of the build says, with more behind its path.
    async fn page(&self, rest: &str) -> String {
        self.shop.mona().get(&format!("{}{rest}", self.path)).await.is(200).text.clone()
    }
}

fn started(step: u32) -> Value {
    json!({ "t": "step_started", "step": step, "vertex": "", "name": format!("[{step}/9] RUN x"), "at": 1 })
}

fn line(step: u32, line: u32, text: &str) -> Value {
    json!({ "t": "line", "step": step, "line": line, "stream": "out", "at": 1, "text": text })
}

#[tokio::test]
async fn a_view_of_a_huge_styled_log_is_small_and_costs_little() {
    let mut builder = Builder::with_build().await;
    let styled = "\u{1b}[1;31ma\u{1b}[0m\u{1b}[32m\u{202e}".repeat(3_200);
    assert!(styled.len() > 60_000);
    assert_eq!(builder.records(vec![started(1)]).await.0, 200);
    for batch in 0..50_u32 {
        let lines = (1..=10).map(|n| line(1, batch * 10 + n, &styled)).collect();
        let (status, answer) = builder.records(lines).await;
        assert_eq!(status, 200, "{answer}");
        builder.heartbeat().await;
    }
    for sealed in [false, true] {
        if sealed {
            builder.finish().await;
            builder.until_sealed().await;
        }
        let server = &builder.shop.site.server;
        builder.page("").await;
        server.forget_peak();
        let before = server.peak_bytes();
        for rest in ["", "?from=s1-L200", "/lines?step=1&from=1&to=500", "?q=a", "?q=%2F.%2F"] {
            if !sealed {
                builder.heartbeat().await;
            }
            let page = builder.page(rest).await;
            assert!(page.len() < 2 * MIB, "{} bytes of {rest}, sealed: {sealed}", page.len());
        }
        let grown = server.peak_bytes().saturating_sub(before);
        println!("sealed: {sealed}: {} KiB more at its peak", grown >> 10);
        assert!(grown < 80 * MIB as u64, "{} MiB more, sealed: {sealed}", grown >> 20);
    }
    let raw = builder.page("/raw").await;
    assert!(raw.len() > 20 * MIB, "{}", raw.len());
}

#[tokio::test]
async fn a_log_that_passes_its_limits_ends_with_a_word_and_the_build_goes_on() {
    let mut builder = Builder::with_build().await;
    let (status, answer) = builder.records(vec![started(1); 6_000]).await;
    assert_eq!(status, 413, "{answer}");
    builder.sent = 0;
    let (status, answer) = builder.records((1..=1_000).map(started).collect()).await;
    assert_eq!((status, answer["acknowledged"].as_u64(), &answer["ended"]), (200, Some(1_000), &Value::Null));
    let (status, answer) = builder.records((1_001..=3_000).map(started).collect()).await;
    assert_eq!((status, answer["acknowledged"].as_u64()), (200, Some(3_000)));
    assert!(answer["ended"].as_str().is_some_and(|why| why.contains("more than 2000 steps")), "{answer}");
    // Whatever comes is taken, and not kept.
    let (status, answer) = builder.records(vec![line(9, 1, "dropped")]).await;
    assert_eq!((status, answer["acknowledged"].as_u64()), (200, Some(3_001)));
    builder.finish().await;
    let page = builder.page("").await;
    assert!(page.contains("This log was cut: it has more than 2000 steps"), "{page}");
    assert!(page.contains("more steps are in the raw log"));
    assert!(page.len() < 2 * MIB, "{} bytes", page.len());
    let raw = builder.page("/raw").await;
    assert!(raw.contains("#2000 ") && !raw.contains("dropped"), "{}", &raw[raw.len() - 500..]);
}

#[tokio::test]
async fn a_forge_that_hangs_holds_up_neither_leases_nor_logs() {
    let mut builder = Builder::with_build().await;
    let forge = &builder.shop.site.forge;
    forge.hang_next_at("/statuses/", 10_000, Duration::from_mins(10));
    for n in 0..20 {
        builder.shop.bench.repo.change(&format!("slow-{n}")).file("n", n.to_string()).commit("Wait");
    }
    until("its calls hang", async || (builder.untold().await >= 12).then_some(())).await;
    let silent = until("there is work", async || builder.claim().await).await;
    let silent = silent["attempt_id"].as_str().expect("an assignment has it").replace('-', "");
    builder.shop.site.sql(&format!("UPDATE build_attempt SET lease_until = 1 WHERE id = x'{silent}'")).await;
    assert_eq!(builder.records(vec![started(1), line(1, 1, "hello")]).await.0, 200);
    builder.finish().await;
    builder.until_sealed().await;
    let lost = format!("build_attempt WHERE id = x'{silent}' AND end_reason = 'lost'");
    until("the lease is swept", async || (builder.shop.site.count(&lost).await == 1).then_some(())).await;
    assert!(builder.untold().await > 0, "all calls came through: this shows nothing");
}

#[tokio::test]
async fn heads_of_steps_are_bounded_whatever_they_are_called() {
    let mut builder = Builder::with_build().await;
    let name = "<".repeat(4_000);
    let step = |n: u32| json!({ "t": "step_started", "step": n, "vertex": "", "name": name, "at": 1 });
    let (status, answer) = builder.records((1..=390).map(step).collect()).await;
    assert_eq!(status, 200, "{answer}");
    let page = builder.page("").await;
    assert!(page.len() < 2 * MIB, "{} bytes", page.len());
    assert!(page.contains("more steps are in the raw log"));
}
