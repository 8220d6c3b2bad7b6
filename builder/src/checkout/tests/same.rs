//! What must not depend on the machine: the modes of files; and what a file's time must depend on.

use super::*;
use std::os::unix::fs::PermissionsExt;

fn modes(files: &Path) -> Vec<String> {
    let paths = ["Dockerfile", "bin", "bin/run", "a", "a/b", "a/b/c.txt"];
    let mode = |path: &str| std::fs::metadata(files.join(path)).unwrap().permissions().mode() & 0o7777;
    paths.map(|path| format!("{path} {:o}", mode(path))).to_vec()
}

/// Run by itself, and by the next one as a child with another umask.
#[tokio::test]
async fn modes_are_those_of_a_usual_clone() {
    let files = [DOCKERFILE, ("100755", "#!/bin/sh\n", "bin/run"), ("100644", "x", "a/b/c.txt")];
    let bench = Bench::with(&files).await;
    let checkout = bench.make("", "Dockerfile").await.unwrap();
    let expected = ["Dockerfile 644", "bin 755", "bin/run 755", "a 755", "a/b 755", "a/b/c.txt 644"];
    assert_eq!(modes(&checkout.places.files), expected);
}

#[test]
fn the_umask_of_the_builder_changes_no_mode() {
    for umask in ["022", "077", "002", "000"] {
        let script =
            format!("umask {umask}; exec \"$0\" --exact checkout::tests::same::modes_are_those_of_a_usual_clone");
        let this = std::env::current_exe().unwrap();
        let output = Command::new("sh").args(["-c", &script]).arg(this).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && said.contains("1 passed"), "umask {umask}: {said}");
    }
}

async fn times(attributes: &[File<'_>]) -> Vec<(u64, std::time::SystemTime)> {
    let files = [DOCKERFILE, ("100644", "Grüße\n", "a/text"), ("100644", "Grüße\n", "b/text")];
    let files: Vec<_> = files.into_iter().chain(attributes.iter().copied()).collect();
    let bench = Bench::with(&files).await;
    let checkout = bench.make("", "Dockerfile").await.unwrap();
    let found = ["a/text", "b/text"].map(|path| {
        let about = std::fs::metadata(checkout.places.files.join(path)).unwrap();
        (about.len(), about.modified().unwrap())
    });
    found.to_vec()
}

#[tokio::test]
async fn the_time_of_a_file_covers_what_attributes_made_of_it() {
    let attributes = |text| ("100644", text, ".gitattributes");
    let plain = times(&[]).await;
    let little = times(&[attributes("text working-tree-encoding=UTF-16LE\n")]).await;
    let big = times(&[attributes("text working-tree-encoding=UTF-16BE\n")]).await;
    assert_eq!(little[0].0, big[0].0, "two contents of one size, from one object");
    assert_ne!(plain[0].0, little[0].0);
    assert_ne!(little[0].1, big[0].1);
    assert_eq!(big, times(&[attributes("text working-tree-encoding=UTF-16BE\n")]).await, "and the same each time");
    // Those of one folder say nothing of another, and those that change places are others.
    let folder = ("100644", "text working-tree-encoding=UTF-16LE\n", "a/.gitattributes");
    let beside = times(&[folder]).await;
    assert!(beside[0].1 != plain[0].1 && beside[1] == plain[1]);
    let other = ("100644", "text working-tree-encoding=UTF-16BE\n", "a/.gitattributes");
    let (one, two) = (times(&[attributes(folder.1), other]).await, times(&[attributes(other.1), folder]).await);
    assert_ne!(one[0].1, two[0].1);
}
