//! Lists of tags and repositories: in byte order, in pages, and only of what the caller may see.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::fixture::{Kind, Registry};
use super::session::Session;

both! {
    tags_come_in_byte_order,
    tags_come_in_pages,
    a_page_starts_after_any_text,
    strange_page_sizes_are_capped_or_refused,
    the_catalog_holds_what_the_caller_may_pull,
    the_catalog_comes_in_pages,
    the_tags_of_nothing_are_an_error,
}

const TAGS: [&str; 8] = ["A", "Z", "_", "a", "b", "v1.10", "v1.9", "z"];

async fn with_tags(kind: Kind) -> (String, Session) {
    let (name, mona) = Registry::on(kind).await.new_repository().await;
    let image = mona.push_image(&name, "z").await;
    for tag in ["v1.9", "a", "_", "v1.10", "Z", "b", "A"] {
        mona.push_manifest(&name, tag, &image.manifest).await;
    }
    (name, mona)
}

async fn tags(session: &Session, path: &str) -> (Vec<String>, Option<String>) {
    let answer = session.get(path).await.is(200);
    let tags: Vec<String> = serde_json::from_value(answer.json()["tags"].clone()).expect("tags are texts");
    (tags, next(answer.header("link")))
}

/// The target of `<…>; rel="next"`.
pub(super) fn next(link: &str) -> Option<String> {
    let (target, rest) = link.strip_prefix('<')?.split_once('>')?;
    assert_eq!(rest, "; rel=\"next\"");
    Some(target.to_owned())
}

async fn tags_come_in_byte_order(kind: Kind) {
    let (name, mona) = with_tags(kind).await;
    let answer = mona.get(&format!("/v2/{name}/tags/list")).await.is(200);
    assert_eq!(answer.json(), json!({ "name": name, "tags": TAGS }));
    assert_eq!(answer.header("link"), "");
}

async fn tags_come_in_pages(kind: Kind) {
    let (name, mona) = with_tags(kind).await;
    let (page, link) = tags(&mona, &format!("/v2/{name}/tags/list?n=3")).await;
    assert_eq!(page, TAGS[..3]);
    let (page, link) = tags(&mona, &link.expect("there is more")).await;
    assert_eq!(page, TAGS[3..6]);
    let (page, link) = tags(&mona, &link.expect("there is more")).await;
    assert_eq!((page.as_slice(), link), (TAGS[6..].map_to_owned().as_slice(), None));
    let (page, link) = tags(&mona, &format!("/v2/{name}/tags/list?n=8")).await;
    assert_eq!((page.len(), link), (8, None));
}

trait Owned {
    fn map_to_owned(&self) -> Vec<String>;
}

impl Owned for [&str] {
    fn map_to_owned(&self) -> Vec<String> {
        self.iter().map(|&text| text.to_owned()).collect()
    }
}

async fn a_page_starts_after_any_text(kind: Kind) {
    let (name, mona) = with_tags(kind).await;
    let path = format!("/v2/{name}/tags/list");
    assert_eq!(tags(&mona, &format!("{path}?last=v1.10")).await.0, ["v1.9", "z"]);
    assert_eq!(tags(&mona, &format!("{path}?last=v1.11")).await.0, ["v1.9", "z"]);
    assert_eq!(tags(&mona, &format!("{path}?last=zz")).await.0, [""; 0]);
    assert_eq!(tags(&mona, &format!("{path}?last=%27%20OR%201=1--")).await.0, TAGS);
    assert_eq!(tags(&mona, &format!("{path}?last=%25")).await.0, TAGS);
    for strange in ["%00", "a%00", "%FF", &"a".repeat(2_000)] {
        for path in [&path, "/v2/_catalog"] {
            let answer = mona.get(&format!("{path}?last={strange}")).await;
            assert!(matches!(answer.status, 200 | 400), "{answer}");
        }
    }
}

/// One more than a page holds, whatever is asked for.
const MORE_THAN_A_PAGE: usize = 1_001;

async fn with_many_tags(kind: Kind) -> (String, Session) {
    let (name, mona) = Registry::on(kind).await.new_repository().await;
    let image = mona.push_image(&name, "t0000").await;
    let tags: Vec<_> = (1..MORE_THAN_A_PAGE).map(|n| format!("t{n:04}")).collect();
    for some in tags.chunks(8) {
        join_all(some.iter().map(|tag| mona.push_manifest(&name, tag, &image.manifest))).await;
    }
    (name, mona)
}

async fn strange_page_sizes_are_capped_or_refused(kind: Kind) {
    let (name, mona) = with_many_tags(kind).await;
    let subject = super::content::unknown_digest();
    let paths = [format!("/v2/{name}/tags/list"), "/v2/_catalog".into(), format!("/v2/{name}/referrers/{subject}")];
    for n in ["1001", "100000000", "2147483647", "9223372036854775807", "99999999999999999999999999"] {
        let (page, link) = tags(&mona, &format!("{}?n={n}", paths[0])).await;
        assert_eq!((page.len(), page[999].as_str()), (1_000, "t0999"), "{n}");
        assert_eq!(tags(&mona, &link.expect("there is more")).await, (vec!["t1000".to_owned()], None));
        for path in &paths[1..] {
            mona.get(&format!("{path}?n={n}")).await.is(200);
        }
    }
    for path in &paths {
        for n in ["-1", "abc", "", "1.5", "0x10", "1e3", "%00", "1&n=2"] {
            assert_eq!(mona.get(&format!("{path}?n={n}")).await.status, 400, "{path} {n}");
        }
        assert_eq!(mona.get(&format!("{path}?n=0")).await.is(200).header("link"), "");
    }
    assert_eq!(tags(&mona, &format!("{}?n=0", paths[0])).await, (vec![], None));
}

async fn catalog(session: &Session, first: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut path = Some(format!("/v2/_catalog{first}"));
    while let Some(page) = path {
        let answer = session.get(&page).await.is(200);
        let names: Vec<String> = serde_json::from_value(answer.json()["repositories"].clone()).expect("names");
        all.extend(names);
        path = next(answer.header("link"));
    }
    all
}

async fn the_catalog_holds_what_the_caller_may_pull(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (private, ..) = registry.with_image().await;
    let (public, ..) = registry.with_image().await;
    Registry::server(kind).await.visibility(&public, "public").await;
    let (provisional, mona) = registry.new_repository().await;
    mona.start(&provisional).await;
    let eves = private.replace("mona/", "eve/");
    registry.signed_in(&registry.eve, &[&eves]).await.push_image(&eves, "v1").await;

    // CVE-2020-29662: the list of all names is for nobody.
    registry.with(None).get("/v2/_catalog").await.fails(401, "UNAUTHORIZED");
    for (session, expected) in [
        (registry.anonymous(&[]).await, [false, true, false, false]),
        (registry.signed_in(&registry.eve, &[]).await, [false, true, false, true]),
        (registry.mona(&[]).await, [true, true, false, false]),
        (registry.signed_in(&registry.mona_reads, &[]).await, [true, true, false, false]),
    ] {
        let names = catalog(&session, "").await;
        let seen = [&private, &public, &provisional, &eves].map(|name| names.contains(name));
        assert_eq!(seen, expected, "{names:?}");
        assert!(names.is_sorted(), "{names:?}");
    }
}

async fn the_catalog_comes_in_pages(kind: Kind) {
    let registry = Registry::on(kind).await;
    let top = registry.repository();
    let mine: Vec<String> = ["", "-x", "/a", "/b", "0"].iter().map(|end| format!("{top}{end}")).collect();
    let mona = registry.mona(&mine.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for name in &mine {
        mona.push_image(name, "v1").await;
    }
    let names = catalog(&mona, "?n=2").await;
    assert!(names.is_sorted(), "{names:?}");
    let seen: Vec<_> = names.into_iter().filter(|name| name.starts_with(&top)).collect();
    assert_eq!(seen, mine);
}

async fn the_tags_of_nothing_are_an_error(kind: Kind) {
    let registry = Registry::on(kind).await;
    let absent = registry.repository();
    let mona = registry.mona(&[&absent]).await;
    mona.get(&format!("/v2/{absent}/tags/list")).await.fails(404, "NAME_UNKNOWN");
    let (name, mona, _) = registry.with_image().await;
    mona.delete(&format!("/v2/{name}/manifests/v1")).await.is(202);
    let answer = mona.get(&format!("/v2/{name}/tags/list")).await.is(200);
    assert_eq!(answer.json()["tags"], Value::Array(vec![]));
}
