//! The people and repositories of the demo.

use std::{fs, path::Path};

use anyhow::{Context, Result};

use crate::Forge;

/// What the demo shows to people.
#[derive(Debug, Clone)]
pub struct Demo {
    pub login: String,
    pub password: String,
    pub repositories: Vec<String>,
}

impl Demo {
    /// Makes what is absent: person `mona`, organisation `octo-demo`, two repositories.
    ///
    /// `busybox` is a static program that the images are made of, so that they need no
    /// base image from elsewhere.
    pub fn prepare(forge: &Forge, busybox: &Path) -> Result<Self> {
        let mona = forge.person("mona");
        forge.organization("octo-demo", "mona");
        let mut repositories = Vec::new();
        for sample in samples() {
            if forge.find_repository("mona", sample.name).is_none() {
                let busybox = fs::read(busybox).with_context(|| {
                    format!("reading {} (Debian's package `busybox-static` has it)", busybox.display())
                })?;
                let repo = forge.repository("mona", sample.name, false);
                repo.describe(sample.description);
                let change = repo.change("main").author("Mona Lisa", &mona.email).executable("busybox", &busybox);
                let change = sample.files.iter().fold(change, |change, (path, text)| change.file(path, text));
                change.commit(sample.message);
            }
            repositories.push(format!("mona/{}", sample.name));
        }
        Ok(Self { login: mona.login, password: mona.password, repositories })
    }
}

struct Sample {
    name: &'static str,
    description: &'static str,
    message: &'static str,
    files: &'static [(&'static str, &'static str)],
}

fn samples() -> [Sample; 2] {
    [
        Sample {
            name: "hello",
            description: "A small image that says hello, with a .dockerignore",
            message: "Say hello from an image",
            files: &[
                ("Dockerfile", include_str!("demo/hello/Dockerfile")),
                (".dockerignore", include_str!("demo/hello/dockerignore")),
                ("greeting.txt", include_str!("demo/hello/greeting.txt")),
                ("README.md", include_str!("demo/hello/README.md")),
                ("notes/plan.txt", "This file stays out of the image.\n"),
            ],
        },
        Sample {
            name: "two-stages",
            description: "Two stages, the first of which takes twenty seconds",
            message: "Bake in one stage, serve from another",
            files: &[
                ("Dockerfile", include_str!("demo/two-stages/Dockerfile")),
                ("README.md", include_str!("demo/two-stages/README.md")),
            ],
        },
    ]
}
