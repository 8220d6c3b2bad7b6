//! Rules with paths and build arguments that are not what they seem.

use super::{
    site::Connected,
    workshop::{Workshop, with_busybox},
};

async fn bench(shop: &Workshop, name: &str) -> Connected {
    shop.site.connected(&shop.mona(), "mona", name, false).await
}

async fn rule(shop: &Workshop, to: &Connected) -> String {
    let id = to.source_id.replace('-', "");
    shop.site.sql(&format!("SELECT dockerfile, context, build_args FROM rule WHERE source_id = x'{id}'")).await
}

#[tokio::test]
async fn paths_out_of_the_source_are_refused_at_the_form() {
    let shop = Workshop::shared().await;
    let to = bench(shop, "paths").await;
    let before = rule(shop, &to).await;
    let form = format!("/{}/-/settings/rule", to.name);
    for path in ["../Dockerfile", "/../etc/passwd", "a/../../b", "a\u{0}b", "a\nb", "..", "a\\..\\b", ".git/config"] {
        for (field, fields) in [
            ("Dockerfile: ", [("dockerfile", path), ("context", ""), ("build_args", "")]),
            ("Context folder: ", [("dockerfile", "Dockerfile"), ("context", path), ("build_args", "")]),
        ] {
            let page = shop.mona().post(&form, &fields).await;
            assert_eq!(page.status.as_u16(), 422, "{fields:?}");
            page.says(field);
        }
    }
    assert_eq!(rule(shop, &to).await, before);
}

#[tokio::test]
async fn paths_are_taken_as_people_write_them() {
    let shop = Workshop::shared().await;
    let to = bench(shop, "as-written").await;
    let form = format!("/{}/-/settings/rule", to.name);
    for (dockerfile, context, stored) in [
        ("./Dockerfile", ".", "Dockerfile||{}"),
        ("/docker/web.Dockerfile", "./docker", "docker/web.Dockerfile|docker|{}"),
        (" docker//web.Dockerfile", "/docker/", "docker/web.Dockerfile|docker|{}"),
        ("docker/../Dockerfile", "./", "Dockerfile||{}"),
        // Whatever stands first, it is a path inside the source.
        ("/etc/passwd", "/", "etc/passwd||{}"),
    ] {
        let fields = [("dockerfile", dockerfile), ("context", context), ("build_args", "")];
        shop.mona().post(&form, &fields).await.is(303);
        assert_eq!(rule(shop, &to).await, stored, "{fields:?}");
    }
}

#[tokio::test]
async fn a_path_is_typed_where_no_dockerfile_was_found() {
    let shop = Workshop::shared().await;
    let repo = shop.site.forge.repository("mona", "odd-name", false);
    repo.commit("main", &[("build/image", "FROM scratch\nCOPY image /\n"), ("dockerfile.go", "package x\n")], "Begin");
    let mona = shop.mona();
    let listed = shop.site.listed(&mona, &repo.full_name()).await;
    let page = mona.get("/new/import?q=odd-name").await.is(200);
    page.says("No Dockerfile at the default branch").says("Path of the Dockerfile");
    page.says(&format!("type=\"text\" id=\"dockerfile-{listed}\" name=\"dockerfile\""));
    let wrong = mona.post("/new/import?q=odd-name", &[("repository", &listed), ("dockerfile", "build/")]).await;
    wrong.is(422).says("Dockerfile: this names a folder");
    let built = mona.post("/new/import", &[("repository", &listed), ("dockerfile", "./build/image")]).await;
    assert_eq!(built.is(303).location(), "/mona/odd-name/-/builds/1");
    let rule = shop.site.sql("SELECT dockerfile, context FROM rule WHERE dockerfile LIKE 'build/%'").await;
    assert_eq!(rule, "build/image|build");
}

#[tokio::test]
async fn the_builder_checks_paths_itself() {
    let shop = Workshop::shared().await;
    let to = bench(shop, "paths-below").await;
    let id = to.source_id.replace('-', "");
    for (number, (dockerfile, context)) in [
        ("../../../../etc/passwd", ""),
        ("/etc/passwd", ""),
        ("Dockerfile", "../.."),
        ("Dockerfile", "/"),
        (".git/config", ""),
    ]
    .into_iter()
    .enumerate()
    {
        // As a server that was taken over might send it.
        shop.site
            .sql(&format!(
                "UPDATE rule SET dockerfile = '{dockerfile}', context = '{context}' WHERE source_id = x'{id}'"
            ))
            .await;
        let change = with_busybox(to.repo.change("main"), "RUN true\n").file("number", number.to_string());
        shop.push(&to, change).await.is("failed").page.says("leads outside of the source").lacks("root:x");
    }
}

#[tokio::test]
async fn names_of_arguments_that_belong_to_others_are_refused() {
    let shop = Workshop::shared().await;
    let to = bench(shop, "arguments").await;
    let before = rule(shop, &to).await;
    let form = format!("/{}/-/settings/rule", to.name);
    for text in [
        "BUILDKIT_SYNTAX=evil/frontend",
        "buildkit_inline_cache=1",
        "BUILDKIT_CACHE_MOUNT_NS=x",
        "a-b=1",
        "1A=2",
        "=x",
        "no-sign",
        "a,b=c",
        "a b=c",
        "a\"=b",
    ] {
        let fields = [("dockerfile", "Dockerfile"), ("context", ""), ("build_args", text)];
        let page = shop.mona().post(&form, &fields).await;
        assert_eq!(page.status.as_u16(), 422, "{text}");
    }
    assert_eq!(rule(shop, &to).await, before);
}

#[tokio::test]
async fn the_builder_refuses_buildkits_own_arguments_itself() {
    let shop = Workshop::shared().await;
    let to = bench(shop, "arguments-below").await;
    let id = to.source_id.replace('-', "");
    for (number, name) in
        ["BUILDKIT_SYNTAX", "BUILDKIT_CACHE_MOUNT_NS", "buildkit_syntax", "a,b", "x=y"].into_iter().enumerate()
    {
        shop.site
            .sql(&format!("UPDATE rule SET build_args = '{{\"{name}\":\"evil/frontend\"}}' WHERE source_id = x'{id}'"))
            .await;
        let change = with_busybox(to.repo.change("main"), "RUN true\n").file("number", number.to_string());
        shop.push(&to, change).await.is("failed").page.says("argument");
    }
}

#[tokio::test]
async fn values_of_arguments_arrive_letter_by_letter() {
    let shop = Workshop::shared().await;
    let to = bench(shop, "values").await;
    let form = format!("/{}/-/settings/rule", to.name);
    let value = "a,b=c \"d\" 'e' $(id) `id` ;|& --x ü \\n";
    let args = format!("A={value}\nPATH_LIKE=../../etc\nEMPTY=");
    let fields = [("dockerfile", "Dockerfile"), ("context", ""), ("build_args", args.as_str())];
    shop.mona().post(&form, &fields).await.is(303);
    let change = with_busybox(
        to.repo.change("main"),
        "ARG A\nARG EMPTY=full\nRUN env | sed -n s/^A=//p; echo \"empty [$EMPTY]\"\n",
    );
    let built = shop.push(&to, change).await;
    built.is("succeeded");
    assert!(built.raw.lines().any(|line| line.ends_with(value)), "{}", built.raw);
    assert!(built.raw.contains("empty []"), "{}", built.raw);
}
