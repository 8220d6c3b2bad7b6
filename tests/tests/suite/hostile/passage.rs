//! The way of a source through the server: what a builder gets instead of the forge's credential, and what it cannot do.

use std::{fs, path::Path};

use reqwest::Method;
use serde_json::{Value, json};
use slipway_tests::{BuilderProgram, Run, tool};

use super::{
    browser::Browser,
    site::{Connected, Site, until},
    workshop::{Workshop, with_busybox},
};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const READ_ONLY: &str = "nothing is pushed to them";
const SMART_ONLY: &str = "by git's smart protocol only: `info/refs` and `git-upload-pack`";

async fn without_builder() -> Site {
    Site::new(&[("SLIPWAY_BUILDER_TOKENS", TOKEN)]).await
}

/// Asks for work as a builder does.
async fn claim(site: &Site, version: u64) -> super::browser::Page {
    let body = json!({
        "version": version, "builder": "elsewhere", "platforms": ["linux/amd64"], "slots": 1, "wait_secs": 20, "unable": null,
    });
    let request = site.browser().request(Method::POST, "/builder/v1/claim").bearer_auth(TOKEN);
    site.browser().send(request.json(&body)).await
}

async fn assignment(site: &Site) -> Value {
    serde_json::from_str(&claim(site, 2).await.is(200).text).expect("JSON")
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_else(|| panic!("no {path} in {value}"))
}

/// git in this folder, with a header of ours.
fn git(folder: &Path, header: &str, words: &[&str]) -> Run {
    let run = Run::new(tool("git")).args(["-C".as_ref(), folder.as_os_str()]).args(words);
    let run = run.env("GIT_CONFIG_COUNT", "1").env("GIT_TERMINAL_PROMPT", "0").env("GIT_CONFIG_GLOBAL", "/dev/null");
    run.env("GIT_CONFIG_KEY_0", "http.extraHeader").env("GIT_CONFIG_VALUE_0", header)
}

fn bearer(assignment: &Value) -> String {
    format!("Authorization: Bearer {}", text(assignment, "/attempt_token"))
}

async fn private(site: &Site) -> (Browser, Connected) {
    let mona = site.signed_in("mona").await;
    let to = site.connected(&mona, "mona", "hidden", true).await;
    (mona, to)
}

#[tokio::test]
async fn what_a_builder_is_told_holds_no_credential_of_the_forge() {
    let site = without_builder().await;
    let (_, to) = private(&site).await;
    let told = assignment(&site).await;
    let whole = told.to_string();
    // `gho_` as it is, and as base64 has it at each place of three.
    for part in ["gho_", "Z2hv", "dob1", "naG9f", "x-access-token", "eC1hY2Nlc3MtdG9rZW4", "authorization"] {
        assert!(!whole.contains(part), "{part} is in {whole}");
    }
    assert_eq!(text(&told, "/source/clone_url"), to.repo.clone_url());
    // The forge itself takes nothing that the builder holds.
    let folder = tempfile::tempdir().expect("a folder");
    let direct = git(folder.path(), &bearer(&told), &["clone", "-q", &to.repo.clone_url(), "direct"]);
    direct.output().await.fails();
    let fetch = text(&told, "/source/fetch_url");
    git(folder.path(), &bearer(&told), &["clone", "-q", fetch, "through"]).output().await.ok();
    let config = fs::read_to_string(folder.path().join("through/.git/config")).expect("it is cloned");
    assert!(!config.contains("sla_") && !config.contains("gho_"), "{config}");
}

#[tokio::test]
async fn a_builder_of_the_version_before_is_refused_in_words_and_gets_nothing() {
    let site = without_builder().await;
    let (mona, to) = private(&site).await;
    let refused = claim(&site, 1).await.is(400);
    refused.says("speaks version 1 of the protocol").says("update the older").lacks("attempt_token");
    let page = mona.get(&format!("/{}/-/builds/1", to.name)).await.is(200);
    page.says("data-state=\"queued\"").says("speaks version 1 of the protocol");
}

#[tokio::test]
async fn git_reads_through_the_server_in_each_version_of_its_protocol() {
    let site = without_builder().await;
    let (_, to) = private(&site).await;
    let told = assignment(&site).await;
    let fetch = text(&told, "/source/fetch_url").to_owned();
    let folder = tempfile::tempdir().expect("a folder");
    for version in ["0", "1", "2"] {
        let name = format!("v{version}");
        let clone = ["-c", &format!("protocol.version={version}"), "clone", "-q", &fetch, &name];
        git(folder.path(), &bearer(&told), &clone).output().await.ok();
    }
    // The token as a password does too.
    let password = fetch.replacen("://", &format!("://any:{}@", text(&told, "/attempt_token")), 1);
    git(folder.path(), "X-Nothing: x", &["clone", "-q", &password, "basic"]).output().await.ok();
    let refs = format!("{fetch}/info/refs?service=git-upload-pack");
    let asked = reqwest::Client::new().get(refs).bearer_auth(text(&told, "/attempt_token"));
    let answer = asked.header("Git-Protocol", "version=2").send().await.expect("an answer").text().await;
    assert!(answer.expect("text").contains("version 2"), "the forge hears which version git speaks");
    // What one wants is told in a body of more than a kilobyte, which git compresses.
    for number in 0..40 {
        to.repo.change("main").file("n", number.to_string()).quietly().commit("Again");
        to.repo.set_branch(&format!("part-{number}"), &to.repo.head("main").expect("it has commits"));
    }
    for version in ["0", "2"] {
        let inside = folder.path().join(format!("v{version}"));
        let fetched = ["-c", &format!("protocol.version={version}"), "fetch", "-q", "origin"];
        git(&inside, &bearer(&told), &fetched).output().await.ok();
        to.repo.change("main").file("v", version).quietly().commit("Once more");
        git(&inside, &bearer(&told), &fetched).output().await.ok();
        let head = git(&inside, "X-Nothing: x", &["rev-parse", "origin/main"]).output().await.ok();
        assert_eq!(Some(head.text().to_owned()), to.repo.head("main"));
    }
}

#[tokio::test]
async fn nothing_but_reading_the_own_source_is_possible_with_an_attempts_token() {
    let site = without_builder().await;
    let (mona, to) = private(&site).await;
    let told = assignment(&site).await;
    let token = text(&told, "/attempt_token").to_owned();
    let path = format!("/builder/v1/attempts/{}/source.git", text(&told, "/attempt_id"));
    let ask = async |method: Method, path: &str, token: &str| {
        let request = site.browser().request(method, path).bearer_auth(token);
        site.browser().send(request.body("0000")).await
    };
    let read = "/info/refs?service=git-upload-pack";
    let answer = ask(Method::GET, &format!("{path}{read}"), &token).await.is(200);
    assert_eq!(answer.header("content-type"), "application/x-git-upload-pack-advertisement");
    assert_eq!(answer.header("content-encoding"), "identity");
    for (method, rest, words) in [
        (Method::GET, "/info/refs?service=git-receive-pack", READ_ONLY),
        (Method::POST, "/git-receive-pack", READ_ONLY),
        (Method::PUT, "/HEAD", READ_ONLY),
        (Method::GET, "/info/refs", SMART_ONLY),
        (Method::GET, "/info/refs?service=git-upload-archive", SMART_ONLY),
        (Method::GET, "/info/refs/?service=git-upload-pack", SMART_ONLY),
        (Method::GET, "/HEAD", SMART_ONLY),
        (Method::GET, "/objects/info/packs", SMART_ONLY),
        (Method::GET, "/config", SMART_ONLY),
        (Method::GET, "/", SMART_ONLY),
        (Method::GET, "", SMART_ONLY),
    ] {
        let refused = ask(method, &format!("{path}{rest}"), &token).await.is(403);
        refused.says(words);
        assert_eq!(refused.header("content-type"), "text/plain; charset=utf-8");
    }
    for (path, token) in [
        (path.clone(), "sla_0000000000000000000000000000000000000000000".to_owned()),
        (path.clone(), TOKEN.to_owned()),
        (format!("/builder/v1/attempts/{}/source.git", uuid::Uuid::new_v4()), token.clone()),
    ] {
        ask(Method::GET, &format!("{path}{read}"), &token).await.is(401);
        ask(Method::POST, &format!("{path}/git-receive-pack"), &token).await.is(401);
    }
    // It ends with the attempt.
    mona.post(&format!("/{}/-/builds/1/cancel", to.name), &[]).await.is(303);
    let end = json!({ "outcome": { "outcome": "cancelled" }, "last_record": 0 });
    let finish = format!("/builder/v1/attempts/{}/finish", text(&told, "/attempt_id"));
    let request = site.browser().request(Method::POST, &finish).bearer_auth(&token).json(&end);
    site.browser().send(request).await.is(200);
    ask(Method::GET, &format!("{path}{read}"), &token).await.is(409).says("no longer the present one");
}

#[tokio::test]
async fn a_question_that_the_forge_does_not_answer_ends_with_its_attempt() {
    let site = without_builder().await;
    let (mona, to) = private(&site).await;
    let told = assignment(&site).await;
    let attempt = format!("/builder/v1/attempts/{}", text(&told, "/attempt_id"));
    let token = text(&told, "/attempt_token");
    site.forge.hang_next_at(".git/info/refs", 1, std::time::Duration::from_mins(1));
    let refs = format!("{attempt}/source.git/info/refs?service=git-upload-pack");
    let browser = site.browser();
    let asking = browser.send(browser.request(Method::GET, &refs).bearer_auth(token));
    let ending = async {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        mona.post(&format!("/{}/-/builds/1/cancel", to.name), &[]).await.is(303);
        let end = json!({ "outcome": { "outcome": "cancelled" }, "last_record": 0 });
        let request = site.browser().request(Method::POST, &format!("{attempt}/finish")).bearer_auth(token).json(&end);
        site.browser().send(request).await.is(200);
    };
    let (asked, ()) = tokio::join!(asking, ending);
    asked.is(409).says("no longer the present one");
}

#[tokio::test]
async fn a_large_source_is_passed_on_without_being_held() {
    let site = without_builder().await;
    let (_, to) = private(&site).await;
    let mut noise = vec![0; 96 << 20];
    let mut random = fs::File::open("/dev/urandom").expect("it is there");
    std::io::Read::read_exact(&mut random, &mut noise).expect("it never ends");
    to.repo.change("main").file("noise", noise).quietly().commit("Grow");
    let told = assignment(&site).await;
    let folder = tempfile::tempdir().expect("a folder");
    let fetch = text(&told, "/source/fetch_url");
    git(folder.path(), &bearer(&told), &["ls-remote", "-q", fetch]).output().await.ok();
    let before = site.server.rss_bytes();
    git(folder.path(), &bearer(&told), &["clone", "-q", "--bare", fetch, "large"]).output().await.ok();
    let grown = site.server.rss_bytes().saturating_sub(before);
    assert!(grown < 32 << 20, "it grew by {} MiB", grown >> 20);
}

#[tokio::test]
async fn what_the_forge_refuses_is_told_in_words_that_name_the_forges_address() {
    let shop = Workshop::new(&[]).await;
    let address = shop.bench.repo.clone_url();
    // The first builds of both people take no refusal that is meant for a later one.
    for bench in [&shop.bench, &shop.eves_bench] {
        shop.finished(bench, &bench.repo.head("main").expect("it has code")).await.is("succeeded");
    }
    let lost = "cannot be read: it is gone, or the connection to the forge lost the right to it";
    // Dockerfiles differ, for the same files would be the same commit, whose build is over already.
    for (status, words) in [(401, lost), (403, lost), (404, lost)] {
        shop.site.forge.fail_next_at(".git/info/refs", 1, status);
        let built = shop.build(&format!("refused-{status}"), &format!("RUN echo {status}\n")).await;
        let page = built.is("failed").page.says(&format!("{address} {words}"));
        page.says("Check and repair").lacks("source.git");
        assert!(!built.raw.contains("source.git"), "{}", built.raw);
    }
    for status in [429, 503] {
        shop.site.forge.fail_next_at(".git/info/refs", 3, status);
        let built = shop.build(&format!("refused-{status}"), &format!("RUN echo {status}\n")).await;
        let page = built.is("failed").page.says(&format!("{address} could not be fetched"));
        page.says(&status.to_string()).lacks("source.git");
    }
    // Once is not enough to fail a build.
    shop.site.forge.fail_next_at(".git/git-upload-pack", 1, 503);
    shop.build("refused-once", "RUN echo once\n").await.is("succeeded");
    shop.site.forge.revoke_tokens("mona");
    let built = shop.build("refused-revoked", "RUN echo revoked\n").await;
    built.is("failed").page.says("Check and repair").lacks("source.git");
}

#[tokio::test]
async fn neither_git_nor_the_mirror_shows_a_credential_while_a_builder_fetches() {
    let shop = Workshop::new(&[("SLIPWAY_BUILDER_EMBEDDED", "false"), ("SLIPWAY_BUILDER_TOKENS", TOKEN)]).await;
    let builder = BuilderProgram::start(&shop.site.server, TOKEN);
    shop.site.forge.hang_next_at(".git/info/refs", 1, std::time::Duration::from_secs(5));
    let commit = with_busybox(shop.bench.repo.change("slow"), "RUN true\n").commit("Slow");
    let (mut arguments, mut environments) = (String::new(), String::new());
    until("git fetches", async || {
        for process in fs::read_dir("/proc").expect("/proc is there").flatten() {
            let read =
                |name| fs::read(process.path().join(name)).map(|b| String::from_utf8_lossy(&b).replace('\0', "\n"));
            let line = read("cmdline").unwrap_or_default();
            if line.contains("source.git") {
                environments += &read("environ").unwrap_or_default();
            }
            arguments += &line;
        }
        environments.contains("GIT_CONFIG_VALUE_0").then_some(())
    })
    .await;
    shop.site.forge.heal();
    shop.finished(&shop.bench, &commit).await;
    assert!(environments.contains("Bearer sla_"), "it is the fetch that was looked at: {environments}");
    for secret in ["gho_", "Basic ", "x-access-token"] {
        assert!(!environments.contains(secret), "{secret} is in {environments}");
    }
    assert!(!arguments.contains("sla_") && !arguments.contains("gho_"), "{arguments}");
    let mirrors = builder.folder().join("work/mirrors");
    let stored =
        Run::new(tool("grep")).args(["-rlE".as_ref(), "sla_|gho_|Authorization".as_ref(), mirrors.as_os_str()]);
    let stored = stored.output().await.fails();
    assert_eq!(stored.text(), "");
    assert!(!builder.log().contains("sla_") && !shop.site.server.log().contains("sla_"));
}
