//! The command lines of a repository: how to pull, check, log in and push.

/// Commands for one image. The host is the public one.
#[derive(Debug, Clone)]
pub struct PullBox {
    /// `registry.example.org/acme/web:main`.
    pub by_tag: String,
    /// `registry.example.org/acme/web@sha256:…`.
    pub by_digest: String,
    /// Without https podman wants to be told.
    pub plain_http: bool,
    /// `cosign verify --key … `, when the image is signed.
    pub verify: Option<String>,
    /// `docker login registry.example.org -u mona`, when the repository is private.
    pub login: Option<String>,
}

impl PullBox {
    pub fn docker_tag(&self) -> String {
        format!("docker pull {}", self.by_tag)
    }

    pub fn docker_digest(&self) -> String {
        format!("docker pull {}", self.by_digest)
    }

    /// A line of a `docker-compose.yml`.
    pub fn compose(&self) -> String {
        format!("image: {}", self.by_tag)
    }

    /// A line of a container in a Kubernetes manifest, which runs what was looked at and nothing newer.
    pub fn kubernetes(&self) -> String {
        format!("image: {}", self.by_digest)
    }

    pub fn podman_tag(&self) -> String {
        let tls = if self.plain_http { "--tls-verify=false " } else { "" };
        format!("podman pull {tls}{}", self.by_tag)
    }
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
