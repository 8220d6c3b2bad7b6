//! What a log says of a source before it is built: that something in it has not the meaning that it looks like.

use super::dockerfile;
use crate::checkout::Places;
use crate::checkout::links::{Lead, follow};
use std::path::Path;

const IGNORE: &str = ".dockerignore";

/// Sentences for the log. `name` is the Dockerfile as the rule names it.
pub(super) fn of(places: &Places, name: &str) -> Vec<String> {
    let text = dockerfile::read(places);
    let frontend = dockerfile::foreign_frontend(&text).map(|found| dockerfile::told(name, found));
    frontend.into_iter().chain(lost_ignore_file(places)).collect()
}

/// BuildKit sees the context folder alone, so an ignore file that is a link out of it, or to nothing, is as none.
fn lost_ignore_file(places: &Places) -> Option<String> {
    let own = places.dockerfile_dir.join(format!("{}{IGNORE}", places.dockerfile_name));
    let where_to = match follow(&places.files.join(&places.context), Path::new(IGNORE)) {
        Lead::There(_) | Lead::Nowhere { by_link: false, .. } => return None,
        Lead::Nowhere { path, .. } => format!("to `{}`, which is not in the context folder", path.display()),
        Lead::Out => "that leads out of the context folder".to_owned(),
        Lead::Round => "that leads back to itself".to_owned(),
    };
    let is_read = matches!(follow(&places.files, &own), Lead::There(_));
    (!is_read).then(|| {
        format!(
            "`{}` is a link {where_to}, so it leaves nothing out of the build: put the file itself there",
            places.context.join(IGNORE).display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn an_ignore_file_that_leads_out_of_the_context_is_told() {
        let tree = tempfile::tempdir().unwrap();
        let files = tree.path().canonicalize().unwrap();
        for folder in ["web", "api"] {
            std::fs::create_dir(files.join(folder)).unwrap();
        }
        std::fs::write(files.join(IGNORE), "*.env\n").unwrap();
        std::fs::write(files.join("Dockerfile"), "# syntax=a/b\nFROM scratch\n").unwrap();
        symlink("../.dockerignore", files.join("web/.dockerignore")).unwrap();
        let told = |context: &str, name: &str| {
            let places = Places {
                files: files.clone(),
                context: context.into(),
                dockerfile_name: name.to_owned(),
                ..Places::default()
            };
            of(&places, name)
        };
        assert_eq!(told("api", "web/Dockerfile"), Vec::<String>::new());
        let lost = told("web", "web/Dockerfile");
        assert!(lost.len() == 1 && lost[0].starts_with("`web/.dockerignore` is a link"), "{lost:?}");
        assert!(told("", "web/Dockerfile").is_empty(), "through all of the source it leads nowhere else");
        assert!(told("web", "Dockerfile")[0].starts_with("line 1 of `Dockerfile` asks for the frontend `a/b`"));
        for (target, where_to) in [
            ("gone", "to `gone`, which is not in the context folder"),
            ("/etc/gone", "to `/etc/gone`, which is not in the context folder"),
            (".dockerignore", "that leads back to itself"),
        ] {
            std::fs::remove_file(files.join("web/.dockerignore")).unwrap();
            symlink(target, files.join("web/.dockerignore")).unwrap();
            let lost = told("web", "web/Dockerfile");
            let text = format!("`web/.dockerignore` is a link {where_to}, so it leaves nothing out");
            assert!(lost.len() == 1 && lost[0].starts_with(&text), "{lost:?}");
        }
        std::fs::write(files.join("web/Dockerfile.dockerignore"), "").unwrap();
        assert!(told("web", "web/Dockerfile").is_empty(), "that one is not read");
    }
}
