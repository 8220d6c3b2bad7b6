//! People, namespaces and tokens, made as an operator makes them: by `slipway admin`.

use crate::server::Server;

impl Server {
    /// Makes a person and a namespace of that name, and answers a token that may read and write.
    pub async fn person(&self, name: &str) -> String {
        self.admin(&["user", "add", name]).await;
        self.namespace(name, name).await;
        self.token(name, "read,write").await
    }

    pub async fn namespace(&self, name: &str, owner: &str) {
        self.admin(&["namespace", "add", name, "--owner", owner]).await;
    }

    /// A new token; `scopes` are `read`, `write` and `admin`, comma between.
    pub async fn token(&self, user: &str, scopes: &str) -> String {
        self.admin(&["token", "add", "--user", user, "--scopes", scopes]).await
    }

    /// `visibility` is `public` or `private`.
    pub async fn visibility(&self, repository: &str, visibility: &str) {
        self.admin(&["repository", "visibility", repository, visibility]).await;
    }
}
