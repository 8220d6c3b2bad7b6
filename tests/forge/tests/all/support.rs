//! A forge with some content, a client, and somebody who listens to hooks.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    process::Command,
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use reqwest::{Client, Method, RequestBuilder, redirect::Policy};
use serde_json::Value;
use slipway_forge::{Forge, ForgeConfig, Repo};

pub(crate) struct World {
    pub(crate) forge: Forge,
    pub(crate) repo: Repo,
    pub(crate) token: String,
    pub(crate) http: Client,
}

/// Mona with a private repository of one commit, and a token for it.
pub(crate) fn world() -> World {
    let forge = Forge::start(ForgeConfig::default());
    forge.person("mona");
    let repo = forge.repository("mona", "hello", true);
    repo.commit("main", &[("Dockerfile", "FROM scratch\n"), ("app/main.c", "int main;\n")], "Start");
    let token = forge.token_for("mona", &["repo", "read:org", "user:email"]);
    let http = Client::builder().redirect(Policy::none()).build().expect("a client can be built");
    World { forge, repo, token, http }
}

impl World {
    /// An API call with Mona's token.
    pub(crate) fn call(&self, method: Method, path: &str) -> RequestBuilder {
        self.anonymous(method, path).bearer_auth(&self.token)
    }

    pub(crate) fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.forge.api_url());
        self.http.request(method, url).header("user-agent", "test")
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.call(Method::GET, path)).await
    }

    /// Registers a hook for the listener; the ping is not waited for.
    pub(crate) async fn hook(&self, listener: &Listener) -> u64 {
        let body = serde_json::json!({
            "name": "web", "active": true, "events": ["push", "create", "delete"],
            "config": { "url": listener.url, "content_type": "json", "secret": "s3cret" },
        });
        let (status, hook) = answer(self.call(Method::POST, "/repos/mona/hello/hooks").json(&body)).await;
        assert_eq!(status, 201, "{hook}");
        assert_eq!(listener.next().headers["x-github-event"], "ping");
        hook["id"].as_u64().expect("a hook has an id")
    }
}

pub(crate) async fn answer(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.expect("the forge answers");
    let status = response.status().as_u16();
    let text = response.text().await.expect("the answer has a body");
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// A web server that remembers what it was sent and answers 202.
pub(crate) struct Listener {
    pub(crate) url: String,
    received: Receiver<Received>,
}

pub(crate) struct Received {
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Received {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("hooks are sent JSON")
    }
}

impl Listener {
    pub(crate) fn start() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let url = format!("http://{}/hook", socket.local_addr().expect("it is bound"));
        let (sender, received) = channel();
        std::thread::spawn(move || {
            for stream in socket.incoming().flatten() {
                let mut reader = BufReader::new(stream);
                let mut headers = BTreeMap::new();
                let mut line = String::new();
                while reader.read_line(&mut line).is_ok_and(|length| length > 2) {
                    if let Some((name, value)) = line.trim_end().split_once(": ") {
                        headers.insert(name.to_ascii_lowercase(), value.to_owned());
                    }
                    line.clear();
                }
                let length = headers.get("content-length").and_then(|text| text.parse().ok());
                let mut body = vec![0; length.unwrap_or(0)];
                reader.read_exact(&mut body).expect("the body comes");
                let answer = "HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
                reader.get_mut().write_all(answer.as_bytes()).expect("the forge reads the answer");
                let body = String::from_utf8(body).expect("hooks are sent text");
                if sender.send(Received { headers, body }).is_err() {
                    return;
                }
            }
        });
        Self { url, received }
    }

    pub(crate) fn next(&self) -> Received {
        self.received.recv_timeout(Duration::from_secs(10)).expect("a delivery comes")
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.received.recv_timeout(Duration::from_millis(300)).is_err()
    }
}

/// Runs git, without the configuration of this machine; gives whether it went well, and what it said.
pub(crate) fn git(folder: &std::path::Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new("git")
        .current_dir(folder)
        .args(["-c", "user.name=Mona", "-c", "user.email=mona@example.com"])
        .args(arguments)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .expect("git runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}
