//! What a build asks for, by the name that was asked for; and what a commit names and does not hold.

use super::*;

const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";

fn places(checkout: &Checkout) -> (&str, &str) {
    (checkout.places.dockerfile_dir.to_str().unwrap(), &checkout.places.dockerfile_name)
}

#[tokio::test]
async fn a_dockerfile_that_is_a_link_keeps_the_name_that_was_asked_for() {
    let files = [
        ("120000", "deploy/base.Dockerfile", "Dockerfile"),
        ("120000", "../base.Dockerfile", "deploy/up/Dockerfile"),
        ("120000", "deploy", "linked"),
        ("100644", "FROM scratch\n", "deploy/base.Dockerfile"),
        ("100644", "FROM scratch\n", "deploy/[id]/Dockerfile"),
        ("100644", "FROM scratch\n", "deploy/api.Dockerfile"),
        ("120000", "../.dockerignore", "deploy/api.Dockerfile.dockerignore"),
        ("100644", "*.env\n", ".dockerignore"),
    ];
    let bench = Bench::with(&files).await;
    for (asked, dir, name) in [
        ("Dockerfile", "", "Dockerfile"),
        ("deploy/up/Dockerfile", "", "deploy/up/Dockerfile"),
        ("deploy/base.Dockerfile", "deploy", "base.Dockerfile"),
        ("linked/base.Dockerfile", "deploy", "base.Dockerfile"),
        // BuildKit would take brackets in a path for a pattern.
        ("deploy/[id]/Dockerfile", "deploy/[id]", "Dockerfile"),
        // The ignore file is a link out of the folder.
        ("deploy/api.Dockerfile", "", "deploy/api.Dockerfile"),
    ] {
        let checkout = bench.make("", asked).await.unwrap();
        assert_eq!(places(&checkout), (dir, name), "{asked}");
    }
}

#[tokio::test]
async fn what_a_commit_does_not_hold_is_named_where_a_build_could_need_it() {
    let module = ("160000", "00a6347ffb1e9b5d1f0db8e8b5f8cbb2f6a4c7e1", "web/lib/dep");
    let files = [
        DOCKERFILE,
        ("100644", "x", "api/x"),
        ("100644", POINTER, "web/model.bin"),
        ("120000", "web", "site"),
        ("100644", POINTER, "deploy/Dockerfile"),
        module,
    ];
    let bench = Bench::with(&files).await;
    let named = async |context: &str, dockerfile: &str| {
        let checkout = bench.make(context, dockerfile).await.unwrap();
        let absent = checkout.places.absent.iter();
        let words = absent.map(|(path, why)| {
            assert!(why.starts_with(&format!("`{}` is ", path.display())), "{why}");
            let kind = if why.contains("git submodule") { "module" } else { "pointer" };
            format!("{kind} {}", path.display())
        });
        words.collect::<Vec<_>>().join(", ")
    };
    let all = "pointer deploy/Dockerfile, module web/lib/dep, pointer web/model.bin";
    assert_eq!(named("", "Dockerfile").await, all);
    assert_eq!(named("api", "Dockerfile").await, "");
    assert_eq!(named("web", "Dockerfile").await, "module web/lib/dep, pointer web/model.bin");
    // Through a link it is the same folder.
    assert_eq!(named("site", "Dockerfile").await, "module web/lib/dep, pointer web/model.bin");
    assert_eq!(named("api", "deploy/Dockerfile").await, "pointer deploy/Dockerfile");
}
