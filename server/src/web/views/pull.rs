//! The command lines of a repository: how to pull, check, log in and push.

/// What there is to pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Image,
    Chart,
    Plugin,
    Cache,
    Artifact,
}

impl Kind {
    /// `Helm chart`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "Image",
            Self::Chart => "Helm chart",
            Self::Plugin => "Docker plugin",
            Self::Cache => "Build cache",
            Self::Artifact => "Artifact",
        }
    }

    /// The command that prints its digest.
    pub fn prints_digest(self) -> Option<&'static str> {
        match self {
            Self::Image => Some("docker pull"),
            Self::Chart => Some("helm pull"),
            Self::Artifact => Some("oras pull"),
            Self::Plugin | Self::Cache => None,
        }
    }

    /// How to log in before it is pulled.
    pub fn login(self, host: &str, user: &str, plain_http: bool) -> String {
        let (login, insecure) = match self {
            Self::Image | Self::Plugin | Self::Cache => ("docker login", ""),
            Self::Chart => ("helm registry login", " --plain-http"),
            Self::Artifact => ("oras login", " --plain-http"),
        };
        format!("{login}{} {host} -u {user}", if plain_http { insecure } else { "" })
    }

    /// Its parts are layers of a file system.
    pub fn is_image(self) -> bool {
        self == Self::Image
    }
}

/// Commands for one image, chart or artifact. The host is the public one.
#[derive(Debug, Clone)]
pub struct PullBox {
    /// What to know about it first.
    pub note: Option<String>,
    pub kind: Kind,
    /// `registry.example.org/acme/web:main`.
    pub by_tag: String,
    /// `registry.example.org/acme/web@sha256:…`.
    pub by_digest: String,
    /// Without https podman, helm and oras want to be told.
    pub plain_http: bool,
    /// `cosign verify --key … `, when the image is signed.
    pub verify: Option<String>,
    /// `docker login registry.example.org -u mona`, when the repository is private.
    pub login: Option<String>,
}

/// A command and what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullLine {
    pub label: &'static str,
    pub text: String,
    /// What the button says that copies it.
    pub copy: &'static str,
}

impl PullBox {
    /// How to get it, in the order of use.
    pub fn lines(&self) -> Vec<PullLine> {
        let line = |label, text, copy| PullLine { label, text, copy };
        let by_digest = |text| line("By digest (never changes)", text, "Copy command with the digest");
        match self.kind {
            Kind::Image => vec![
                line("docker", self.docker_tag(), "Copy docker command"),
                line("podman", self.podman_tag(), "Copy podman command"),
                line("Compose", self.compose(), "Copy line for Compose"),
                line("Kubernetes (by digest)", self.kubernetes(), "Copy line for Kubernetes"),
                by_digest(self.docker_digest()),
            ],
            Kind::Chart => vec![
                line("helm", self.helm("pull"), "Copy helm command"),
                line("Install", self.helm("install --generate-name"), "Copy install command"),
                by_digest(format!("helm pull {}oci://{}", self.insecure(), self.by_digest)),
            ],
            Kind::Plugin => {
                vec![line("docker", format!("docker plugin install {}", self.by_tag), "Copy docker command")]
            }
            Kind::Cache => vec![line(
                "As cache of a build",
                format!("docker buildx build --cache-from type=registry,ref={} .", self.by_tag),
                "Copy docker command",
            )],
            Kind::Artifact => vec![
                line("oras", format!("oras pull {}{}", self.insecure(), self.by_tag), "Copy oras command"),
                by_digest(format!("oras pull {}{}", self.insecure(), self.by_digest)),
            ],
        }
    }

    pub fn docker_tag(&self) -> String {
        format!("docker pull {}", self.by_tag)
    }

    fn docker_digest(&self) -> String {
        format!("docker pull {}", self.by_digest)
    }

    /// A line of a `docker-compose.yml`.
    fn compose(&self) -> String {
        format!("image: {}", self.by_tag)
    }

    /// A line of a container in a Kubernetes manifest, which runs what was looked at and nothing newer.
    fn kubernetes(&self) -> String {
        format!("image: {}", self.by_digest)
    }

    fn podman_tag(&self) -> String {
        let tls = if self.plain_http { "--tls-verify=false " } else { "" };
        format!("podman pull {tls}{}", self.by_tag)
    }

    fn insecure(&self) -> &'static str {
        if self.plain_http { "--plain-http " } else { "" }
    }

    /// Helm takes the version beside the name, with the `+` that no tag can have.
    fn helm(&self, verb: &str) -> String {
        let insecure = self.insecure();
        match self.by_tag.rsplit_once(':').filter(|(_, tag)| is_version(tag)) {
            Some((chart, tag)) => {
                format!("helm {verb} {insecure}oci://{chart} --version {}", tag.replace('_', "+"))
            }
            None => format!("helm {verb} {insecure}oci://{}", self.by_digest),
        }
    }
}

/// Of the form that Helm has for versions of charts: `1.2.3`, `1.2.3-rc.1_build5`.
fn is_version(tag: &str) -> bool {
    let numbers = tag.strip_prefix('v').unwrap_or(tag).split(['-', '_']).next().unwrap_or_default();
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    numbers.split('.').count() == 3 && numbers.split('.').all(is_number)
}

/// Commands that push a first image by hand.
#[derive(Debug, Clone, Default)]
pub struct PushLines {
    /// In order: login, tag, push.
    pub lines: Vec<String>,
}

impl PushLines {
    pub fn new(host: &str, user: &str, repository: &str) -> Self {
        Self {
            lines: vec![
                format!("docker login {host} -u {user}"),
                format!("docker tag IMAGE {host}/{repository}:latest"),
                format!("docker push {host}/{repository}:latest"),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pull(kind: Kind, tag: &str, plain_http: bool) -> PullBox {
        PullBox {
            note: None,
            kind,
            by_tag: format!("localhost:8080/acme/web:{tag}"),
            by_digest: "localhost:8080/acme/web@sha256:00".to_owned(),
            plain_http,
            verify: None,
            login: None,
        }
    }

    #[test]
    fn each_kind_is_got_by_the_program_that_knows_it() {
        let first = |kind, tag, plain_http| pull(kind, tag, plain_http).lines()[0].text.clone();
        for (kind, tag, plain_http, text) in [
            (Kind::Image, "main", true, "docker pull localhost:8080/acme/web:main"),
            (Kind::Chart, "1.2.3", false, "helm pull oci://localhost:8080/acme/web --version 1.2.3"),
            (
                Kind::Chart,
                "1.2.3-rc.1_b5",
                true,
                "helm pull --plain-http oci://localhost:8080/acme/web --version 1.2.3-rc.1+b5",
            ),
            (Kind::Chart, "latest", false, "helm pull oci://localhost:8080/acme/web@sha256:00"),
            (Kind::Chart, "1.2", false, "helm pull oci://localhost:8080/acme/web@sha256:00"),
            (Kind::Plugin, "v1", false, "docker plugin install localhost:8080/acme/web:v1"),
            (Kind::Artifact, "v1", true, "oras pull --plain-http localhost:8080/acme/web:v1"),
        ] {
            assert_eq!(first(kind, tag, plain_http), text);
        }
        assert!(first(Kind::Cache, "x", false).contains("--cache-from type=registry,ref=localhost:8080/acme/web:x"));
    }

    #[test]
    fn only_images_are_offered_to_docker_pull() {
        for kind in [Kind::Chart, Kind::Plugin, Kind::Cache, Kind::Artifact] {
            let lines = pull(kind, "1.2.3", false).lines();
            assert!(lines.iter().all(|line| !line.text.contains("docker pull")), "{lines:?}");
        }
    }
}
