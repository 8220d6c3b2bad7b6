//! Builds that fail: the page says what, where, and what to do.

use super::workshop::{START, Workshop, with_busybox};

#[tokio::test]
async fn a_step_that_fails_is_shown_with_code_file_line_and_excerpt() {
    let shop = Workshop::shared().await;
    let built = shop.build("fail-line", "RUN echo all is well\nRUN echo oh dear >&2 && exit 7\nRUN echo never\n").await;
    built.is("failed").page.says("Dockerfile:5").says("exit 7").says("class=\"row hit\"").says("RUN</span>");
    assert!(built.page.text.contains("code: 7") || built.page.text.contains("code 7"), "{}", built.page.text);
    assert!(built.raw.contains("oh dear") && !built.raw.contains("never\n"), "{}", built.raw);
    let link = format!("/blob/{}/Dockerfile#L5", shop.bench.repo.head("fail-line").expect("a branch"));
    built.page.says(&link);
}

#[tokio::test]
async fn a_dockerfile_that_does_not_parse_is_shown_with_its_line() {
    let shop = Workshop::shared().await;
    let built = shop.build("fail-parse", "RUNN echo hello\n").await;
    built.is("failed").page.says("unknown instruction: RUNN").says("Dockerfile:4");
    for (branch, text) in [
        ("fail-empty", ""),
        ("fail-noise", "\u{0}\u{1}\u{2}"),
        ("fail-no-from", "RUN x\n"),
        ("fail-loop", "FROM b AS a\nFROM a AS b\n"),
    ] {
        let change = shop.bench.repo.change(branch).file("Dockerfile", text);
        shop.push(&shop.bench, change).await.is("failed").page.lacks("rpc error").lacks("something went wrong");
    }
}

#[tokio::test]
async fn a_dockerfile_that_is_missing_is_named_with_those_that_are_there() {
    let shop = Workshop::shared().await;
    let change = shop.bench.repo.change("fail-missing").file("README", "no more").file("api/Dockerfile", START);
    let built = shop.push(&shop.bench, change).await;
    built.is("failed").page.tells("there is no `Dockerfile`").says("api/Dockerfile").says("Choose another Dockerfile");
}

#[tokio::test]
async fn a_base_image_that_does_not_exist_is_named() {
    let shop = Workshop::shared().await;
    let image = format!("{}/mona/nothing:1", shop.site.server.host());
    let change = shop.bench.repo.change("fail-base").file("Dockerfile", format!("FROM {image}\nRUN true\n"));
    let built = shop.push(&shop.bench, change).await;
    built.is("failed").page.says(&image).says("Dockerfile:1").lacks("sla_");
}

#[tokio::test]
async fn a_file_that_is_missing_is_named_with_its_line() {
    let shop = Workshop::shared().await;
    let built = shop.build("fail-copy", "COPY nowhere.txt /\n").await;
    built.is("failed").page.says("nowhere.txt").says("Dockerfile:4");
}

#[tokio::test]
async fn a_failed_build_moves_no_tag() {
    let shop = Workshop::shared().await;
    shop.build("fail-later", "RUN echo one > /one\n").await.is("succeeded");
    let tag = "SELECT digest FROM tag WHERE name = 'fail-later'";
    let before = shop.site.sql(tag).await;
    assert!(before.starts_with("sha256:"), "{before}");
    let change = with_busybox(shop.bench.repo.change("fail-later"), "RUN false\n");
    shop.push(&shop.bench, change).await.is("failed");
    assert_eq!(shop.site.sql(tag).await, before);
}

#[tokio::test]
async fn a_build_that_runs_for_ever_is_stopped() {
    let shop = Workshop::new(&[("SLIPWAY_BUILDS_DEADLINE_SECS", "5")]).await;
    let built = shop.build("for-ever", "RUN sleep 741852\n").await;
    built.is("timed_out").page.says("Timed out");
    let left = super::workshop::processes("741852");
    assert!(left.is_empty(), "still there: {left:?}");
    shop.build("for-once", "RUN true\n").await.is("succeeded");
}
