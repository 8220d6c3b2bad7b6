//! Builds that fail for a reason that a person can mend: the page says where.

use super::workshop::{START, Workshop, with_busybox};
use std::collections::BTreeMap;

#[tokio::test]
async fn a_file_that_is_missing_is_told_with_its_place() {
    let shop = Workshop::shared().await;
    for (branch, dockerfile, expected) in [
        ("no-ignored", "COPY prod.env /\n", "`prod.env` is there, and line 2 of `.dockerignore` leaves it out"),
        ("no-git", "COPY .git/HEAD /\n", "builds get the files of a commit, and not its `.git` with the history"),
        ("no-case", "COPY readme.md /\n", "there is `README.md`, and upper and lower case count"),
        ("no-beside", "COPY entrypoint.sh /\n", "there is `docker/entrypoint.sh`: paths in COPY and ADD begin"),
        ("no-where", "COPY dist /\n", "there is no `dist` in this commit: only what is committed is there"),
        ("no-mount", "RUN --mount=type=bind,source=dist,target=/d true\n", "there is no `dist` in this commit"),
        ("no-stage", "COPY --from=0 /nothing /\n", "there is no `/nothing` in `0`"),
        ("no-stage-file", "RUN true\nFROM scratch\nCOPY --from=0 /nope /x\n", "there is no `/nope` in `0`"),
    ] {
        let start = if branch == "no-stage" { "FROM scratch\nCOPY busybox /\n" } else { "" };
        let change = with_busybox(shop.bench.repo.change(branch), dockerfile)
            .file("Dockerfile", format!("{start}{START}{dockerfile}"))
            .file(".dockerignore", "# not for images\n*.env\n")
            .file("prod.env", "x")
            .file("README.md", "x")
            .file("docker/entrypoint.sh", "x");
        shop.push(&shop.bench, change).await.is("failed").page.tells(expected);
    }
}

#[tokio::test]
async fn a_file_outside_of_the_context_is_told_with_the_setting() {
    let shop = Workshop::shared().await;
    let to = shop.site.connected(&shop.mona(), "mona", "outside", false).await;
    let fields = [("dockerfile", "./web/Dockerfile"), ("context", "./web/"), ("build_args", "")];
    shop.mona().post(&format!("/{}/-/settings/rule", to.name), &fields).await.is(303);
    let change = to.repo.change("main").file("package.json", "{}").file("web/x", "x");
    let change = change.file("web/Dockerfile", "FROM scratch\nCOPY web/x /\n");
    let built = shop.push(&to, change).await;
    let inside =
        "there is no `web/x` in the context folder `web`; there is `x`: paths in COPY and ADD begin at the context";
    built.is("failed").page.tells(inside).lacks("Settings → Context folder");
    let change = to.repo.change("main").file("web/Dockerfile", "FROM scratch\nCOPY ../package.json /\n");
    let built = shop.push(&to, change).await;
    let page = &built.is("failed").page;
    page.tells(
        "there is no `package.json` in the context folder `web`; the repository has `package.json` outside of it",
    );
    page.says("Settings → Context folder");
}

#[tokio::test]
async fn a_stage_with_a_slip_of_the_pen_is_no_private_image() {
    let shop = Workshop::shared().await;
    let stages = "FROM scratch AS build\nCOPY busybox /\nFROM scratch\n";
    for (branch, from, expected) in [
        (
            "stage-slip",
            "bulid",
            "`bulid` is no stage of this Dockerfile, and no image that can be pulled (did you mean build?)",
        ),
        (
            "stage-other",
            "compiler",
            "`compiler` is no stage of this Dockerfile, and no image that can be pulled; its stages are `build`",
        ),
    ] {
        let change = with_busybox(shop.bench.repo.change(branch), "");
        let change = change.file("Dockerfile", format!("{stages}COPY --from={from} /busybox /\n"));
        let built = shop.push(&shop.bench, change).await;
        built.is("failed").page.tells(expected).lacks("base image").lacks("Builds read public images");
    }
}

#[tokio::test]
async fn a_base_image_that_cannot_be_asked_for_is_told_in_short() {
    let shop = Workshop::shared().await;
    for (branch, dockerfile, expected) in [
        (
            "base-away",
            "FROM nowhere.invalid/acme/base:1\n",
            "the registry `nowhere.invalid` of `nowhere.invalid/acme/base:1` cannot be reached: ",
        ),
        (
            "base-empty",
            "ARG BASE\nFROM ${BASE}\n",
            "`FROM ${BASE}` names no image: a build argument in it has no value",
        ),
        ("base-cut", "ARG V\nFROM alpine:$V\n", "`FROM alpine:$V` names no image: a build argument in it has no value"),
        (
            "stage-away",
            "FROM scratch\nCOPY --from=nowhere.invalid/x:1 /etc /x\n",
            "the registry `nowhere.invalid` of `nowhere.invalid/x:1` cannot be reached: ",
        ),
    ] {
        let change = shop.bench.repo.change(branch).file("Dockerfile", dockerfile);
        let built = shop.push(&shop.bench, change).await;
        built.is("failed").page.tells(expected).lacks("failed to resolve source metadata");
    }
}

#[tokio::test]
async fn a_frontend_from_elsewhere_is_told_to_be_off() {
    let shop = Workshop::shared().await;
    let off = "line 1 of `Dockerfile` asks for the frontend `acme/frontend:2`: frontends from elsewhere are off here";
    let attempt = async |branch: &str, first: &str, rest: &str| {
        let change = with_busybox(shop.bench.repo.change(branch), "");
        shop.push(&shop.bench, change.file("Dockerfile", format!("{first}\n{START}{rest}"))).await
    };
    let built = attempt("frontend-fails", "# syntax=acme/frontend:2", "INCLUDE common\n").await;
    built.is("failed").page.says("unknown instruction: INCLUDE").says(off);
    let built = attempt("frontend-works", "# syntax=acme/frontend:2", "RUN true\n").await;
    assert!(built.is("succeeded").raw.contains(off), "{}", built.raw);
    let built = attempt("frontend-own", "# syntax=docker/dockerfile:1.7-labs", "RUN true\n").await;
    assert!(!built.is("succeeded").raw.contains("frontend"), "{}", built.raw);
}

#[tokio::test]
async fn the_raw_log_has_each_step_once_with_its_time() {
    let shop = Workshop::shared().await;
    let built = shop.build("raw-once", "RUN sleep 1\nRUN echo said\n").await;
    built.is("succeeded");
    let mut ends: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut heads: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (step, text) in built.raw.lines().filter_map(|line| line.split_once(' ')).filter(|(step, _)| *step != "#") {
        if text.starts_with("DONE") || text == "CACHED" {
            ends.entry(step).or_default().push(text);
        }
        let is_head = text.starts_with('[') || text.starts_with("exporting to") || text.starts_with("exporting cache");
        if is_head {
            heads.entry(step).or_default().push(text);
        }
    }
    assert!(ends.len() > 5 && heads.len() > 5, "{}", built.raw);
    assert!(ends.values().chain(heads.values()).all(|texts| texts.len() == 1), "{ends:?} {heads:?}\n{}", built.raw);
    let is_timed = |text: &str| text == "CACHED" || text.strip_prefix("DONE ").is_some_and(|took| took.ends_with('s'));
    assert!(ends.values().flatten().all(|text| is_timed(text)), "{ends:?}");
    let sleep = heads.iter().find(|(_, texts)| texts[0].contains("RUN sleep 1")).map(|(step, _)| ends[step][0]);
    assert!(sleep.is_some_and(|text| text.starts_with("DONE 1.")), "{sleep:?}\n{}", built.raw);
}
