//! Which files are Dockerfiles, by their names: the server offers them, and a builder names them when another one is missing.

/// Endings of files about Dockerfiles, and of what programs write beside them.
const ABOUT: &[&str] = &[
    "dockerignore",
    "md",
    "rst",
    "adoc",
    "txt",
    "j2",
    "jinja",
    "jinja2",
    "tmpl",
    "template",
    "tpl",
    "erb",
    "orig",
    "rej",
    "bak",
    "old",
    "swp",
    "patch",
    "diff",
    "yml",
    "yaml",
    "json",
    "xml",
    "html",
    "sh",
    "lock",
    "sum",
    "png",
    "svg",
    "snap",
];
/// Endings of source code: `dockerfile.go` reads Dockerfiles, and `Dockerfile.go` is one.
const CODE: &[&str] = &[
    "c", "cc", "cpp", "cs", "css", "dart", "el", "ex", "exs", "go", "h", "hs", "java", "jl", "js", "jsx", "kt", "lua",
    "m", "mjs", "php", "pl", "ps1", "py", "r", "rb", "rs", "scala", "swift", "toml", "ts", "tsx", "vim", "vue", "zig",
];

/// Whether a path names a Dockerfile or Containerfile: `Dockerfile`, `docker/Containerfile.web`, `Dockerfile-alpine`,
/// `Dockerfile_debian`, `web.Dockerfile`.
pub fn is_dockerfile(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    name_part(name).is_some() && !is_about(name)
}

/// What a Dockerfile's name says beside that it is one: `alpine` of `Dockerfile-alpine`, `web` of `web.Dockerfile`, nothing
/// of `Dockerfile`. `None` when the name is none of a Dockerfile.
pub fn name_part(name: &str) -> Option<&str> {
    ["dockerfile", "containerfile"].into_iter().find_map(|word| {
        let (head, rest) = name.split_at_checked(word.len()).unwrap_or((name, ""));
        if head.eq_ignore_ascii_case(word) && (rest.is_empty() || rest.starts_with(['.', '-', '_'])) {
            let part = rest.get(1..).unwrap_or_default();
            return (rest.is_empty() || !part.is_empty()).then_some(part);
        }
        let (stem, ending) = name.rsplit_once('.')?;
        (!stem.is_empty() && ending.eq_ignore_ascii_case(word)).then_some(stem)
    })
}

fn is_about(name: &str) -> bool {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
    let is_lower = name.starts_with(['d', 'c']);
    name.ends_with('~') || ABOUT.contains(&ending.as_str()) || (is_lower && CODE.contains(&ending.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockerfiles_are_known_by_their_names() {
        for (name, part) in [
            ("Dockerfile", ""),
            ("dockerfile", ""),
            ("x/Containerfile", ""),
            ("api.Dockerfile", "api"),
            ("web.prod.dockerfile", "web.prod"),
            ("Dockerfile.prod", "prod"),
            ("Dockerfile.web.dev", "web.dev"),
            ("Dockerfile.go", "go"),
            ("Dockerfile.py3.11", "py3.11"),
            ("Dockerfile-alpine", "alpine"),
            ("Dockerfile_debian", "debian"),
            ("docker/Dockerfile-3.2-slim", "3.2-slim"),
            ("dockerfile-dev", "dev"),
            ("Containerfile.x", "x"),
            ("Containerfile-ubi9", "ubi9"),
            ("DOCKERFILE", ""),
        ] {
            assert!(is_dockerfile(name), "{name}");
            assert_eq!(name_part(name.rsplit('/').next().unwrap()), Some(part), "{name}");
        }
        for name in [
            "Dockerfiles",
            "MyDockerfile",
            "Dockerfile.",
            "Dockerfile-",
            ".Dockerfile",
            "Dockerfile.dockerignore",
            "api.Dockerfile.dockerignore",
            ".dockerignore",
            "Dockerfile.md",
            "Dockerfile.dev.j2",
            "Dockerfile-lint.yml",
            "dockerfile.go",
            "dockerfile_test.go",
            "dockerfile-utils.ts",
            "Dockerfile~",
            "Dockerfile.orig",
            "main.rs",
            "",
            "build-dockerfile",
            "Dockerfile/readme",
            "Dockerf\u{131}le",
        ] {
            assert!(!is_dockerfile(name), "{name}");
        }
    }
}
