//! Sources with links, submodules, filters and pointers in them.

use super::workshop::{START, Workshop, with_busybox};

#[tokio::test]
async fn links_that_lead_out_of_the_source_bring_nothing_in() {
    let shop = Workshop::shared().await;
    let look = "RUN cat /in/passwd /in/dir/hostname /in/up 2>&1 | sed 's/^/SEEN /'; ls -la /in\n";
    let change = with_busybox(shop.bench.repo.change("link-out"), &format!("COPY out /in\n{look}"));
    let change = change
        .symlink("out/passwd", "/etc/passwd")
        .symlink("out/dir", "/etc")
        .symlink("out/up", "../../../../../etc/hostname");
    let built = shop.push(&shop.bench, change).await;
    built.is("succeeded");
    // A link is copied as a link: what it names is looked for in the image, where it is not.
    assert!(!built.raw.contains("SEEN root:"), "{}", built.raw);
    let hostname = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    assert!(!built.raw.contains(&format!("SEEN {}", hostname.trim())), "{}", built.raw);
    let change = with_busybox(shop.bench.repo.change("link-file"), "COPY passwd /p\nRUN cat /p\n")
        .symlink("passwd", "/etc/passwd");
    let built = shop.push(&shop.bench, change).await;
    assert!(!built.raw.contains("root:x:0"), "{}", built.raw);
    let change =
        with_busybox(shop.bench.repo.change("link-add"), "COPY etc/shadow /p\nRUN cat /p\n").symlink("etc", "/etc");
    let built = shop.push(&shop.bench, change).await;
    built.is("failed");
    assert!(!built.raw.contains("root:"), "{}", built.raw);
}

#[tokio::test]
async fn a_dockerfile_that_is_a_link_out_of_the_source_is_refused() {
    let shop = Workshop::shared().await;
    for (branch, target) in [("link-abs", "/etc/passwd"), ("link-proc", "/proc/self/environ"), ("link-no", "/no")] {
        let change = shop.bench.repo.change(branch).symlink("Dockerfile", target);
        let told = format!("`Dockerfile` is a link to `{target}`, which is not in this commit");
        shop.push(&shop.bench, change).await.is("failed").page.tells(&told).lacks("root:x");
    }
    let change = shop.bench.repo.change("link-self").symlink("Dockerfile", "Dockerfile");
    shop.push(&shop.bench, change).await.is("failed").page.tells("`Dockerfile` is a link that leads back to itself");
    // One that begins at the top of the source leads nowhere else, and what lies outside is not told.
    let change = with_busybox(shop.bench.repo.change("link-top"), "RUN echo from-the-top\n")
        .file("deploy/real", format!("{START}RUN echo from-the-top\n"));
    let change = change.remove("Dockerfile").symlink("Dockerfile", "/deploy/real");
    shop.push(&shop.bench, change).await.is("succeeded");
    for target in ["../../../../../../../../../../etc/passwd", "../../../../../../../../../../etc/not-there"] {
        let change = shop.bench.repo.change("link-asks").symlink("Dockerfile", target);
        shop.push(&shop.bench, change).await.is("failed").page.tells("`Dockerfile` is a link out of the source");
    }
    let change = shop.bench.repo.change("link-dangling").symlink("Dockerfile", "deploy/none");
    let told = "`Dockerfile` is a link to `deploy/none`, which is not in this commit";
    shop.push(&shop.bench, change).await.is("failed").page.tells(told);
    let change = with_busybox(shop.bench.repo.change("link-in"), "RUN echo by-link\n")
        .file("real", format!("{START}RUN echo by-link\n"));
    let change = change.remove("Dockerfile").symlink("Dockerfile", "real");
    shop.push(&shop.bench, change).await.is("succeeded");
}

#[tokio::test]
async fn a_submodule_is_refused_in_words() {
    let shop = Workshop::shared().await;
    let attempt = async |branch: &str, dockerfile: &str, ignore: &str| {
        let change = with_busybox(shop.bench.repo.change(branch), dockerfile);
        let change = change
            .file(".gitmodules", "[submodule \"lib/x\"]\n path = lib/x\n url = file:///etc\n")
            .file("lib/own.txt", "own")
            .file(".dockerignore", ignore)
            .submodule("lib/x", &"a".repeat(40));
        shop.push(&shop.bench, change).await
    };
    for (branch, dockerfile) in [("module-all", "COPY . /src\n"), ("module-in", "COPY lib/x/src.c /\n")] {
        let built = attempt(branch, dockerfile, "").await;
        built.is("failed").page.tells("`lib/x` is a git submodule").says("put its files into the repository");
    }
    for (branch, dockerfile, ignore) in [
        ("module-none", "RUN true\n", ""),
        ("module-beside", "COPY lib/own.txt /\n", ""),
        ("module-ignored", "COPY . /src\n", "lib/x\n"),
        ("module-emptied", "COPY . /src\n", "lib/x/**\n"),
    ] {
        attempt(branch, dockerfile, ignore).await.is("succeeded");
    }
}

#[tokio::test]
async fn a_pointer_of_git_lfs_is_refused_in_words() {
    let shop = Workshop::shared().await;
    let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 12345\n", "a".repeat(64));
    let attempt = async |branch: &str, dockerfile: &str, ignore: &str| {
        let change = with_busybox(shop.bench.repo.change(branch), dockerfile).file("docs/film.bin", &pointer);
        shop.push(&shop.bench, change.file("app/main", "x").file(".dockerignore", ignore)).await
    };
    let built = attempt("lfs-all", "COPY . /src\n", "").await;
    built.is("failed").page.tells("`docs/film.bin` is stored with Git LFS").lacks("lib/x");
    attempt("lfs-named", "COPY docs/*.bin /\n", "").await.is("failed").page.says("Git LFS");
    attempt("lfs-beside", "COPY app /app\n", "").await.is("succeeded");
    let prose = "version https://git-lfs.github.com/spec/v1\nis the first line of a pointer, and this file is none of them: prose.\n";
    let change = with_busybox(shop.bench.repo.change("lfs-prose"), "COPY doc.md /\n").file("doc.md", prose);
    shop.push(&shop.bench, change).await.is("succeeded");
    attempt("lfs-ignored", "COPY . /src\n", "**/*.bin\n").await.is("succeeded");
}

#[tokio::test]
async fn the_ignore_file_is_that_of_the_name_that_was_asked_for() {
    let shop = Workshop::shared().await;
    let change = with_busybox(shop.bench.repo.change("link-ignore"), "").remove("Dockerfile");
    let change = change
        .symlink("Dockerfile", "deploy/base.Dockerfile")
        .file("deploy/base.Dockerfile", format!("{START}COPY . /all\nRUN ls -A /all | sed 's/^/HAS /'\n"))
        .file("Dockerfile.dockerignore", "*.secret\n")
        .file("deploy/base.Dockerfile.dockerignore", "kept.txt\n")
        .file("prod.secret", "hunter2")
        .file("kept.txt", "x");
    let built = shop.push(&shop.bench, change).await;
    built.is("succeeded");
    assert!(built.raw.contains("HAS kept.txt") && !built.raw.contains("HAS prod.secret"), "{}", built.raw);
}

#[tokio::test]
async fn filters_and_hooks_of_a_source_do_not_run() {
    let shop = Workshop::shared().await;
    let mark = format!("/tmp/slipway-was-here-{}", std::process::id());
    let change = with_busybox(shop.bench.repo.change("filters"), "COPY plain.txt /\nRUN cat /plain.txt\n");
    let change = change
        .file(".gitattributes", "* filter=evil diff=evil merge=evil\n")
        .file(".gitconfig", format!("[filter \"evil\"]\n smudge = touch {mark}\n[core]\n fsmonitor = touch {mark}\n"))
        .executable("hooks/post-checkout", format!("#!/bin/sh\ntouch {mark}\n"))
        .file("plain.txt", "as-it-is\n");
    let built = shop.push(&shop.bench, change).await;
    built.is("succeeded");
    assert!(built.raw.contains("as-it-is"), "{}", built.raw);
    assert!(!std::path::Path::new(&mark).exists());
}

#[tokio::test]
async fn odd_names_of_files_are_built_as_they_are() {
    let shop = Workshop::shared().await;
    let change =
        with_busybox(shop.bench.repo.change("names"), "COPY odd /odd\nRUN ls /odd | wc -l | sed 's/^/files /'\n");
    let names = ["--upload-pack=x", "-rf", "a b", "quote'\"", "$(reboot)", "<script>", "ü", "a,b=c", "*"];
    let change = names.iter().fold(change, |change, name| change.file(&format!("odd/{name}"), "x"));
    let built = shop.push(&shop.bench, change).await;
    built.is("succeeded");
    assert!(built.raw.contains(&format!("files {}", names.len())), "{}", built.raw);
}
