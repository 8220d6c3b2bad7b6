//! Git over HTTP: `git http-backend` as a CGI program behind token and password.

use std::{process::Stdio, sync::Arc};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{HeaderMap, WWW_AUTHENTICATE},
    },
    web::{Data, Path, Payload},
};
use anyhow::{Context, Result};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdout, Command},
    sync::mpsc,
};

use crate::{
    access::{self, Caller},
    app::App,
    git,
    model::{Permission, Repository},
    pushes,
};

/// One of the three paths of the smart protocol; nothing else of a repository is served.
pub(crate) async fn serve(
    app: Data<App>,
    path: Path<(String, String, String)>,
    request: HttpRequest,
    body: Payload,
) -> HttpResponse {
    let (owner, name, service) = path.into_inner();
    let name = name.strip_suffix(".git").unwrap_or(&name);
    let pushes_in = service == "git-receive-pack" || request.query_string().contains("service=git-receive-pack");
    let (repository, caller) = match admit(&app, &request, &owner, name, pushes_in) {
        Ok(admitted) => admitted,
        Err(refusal) => return refusal.respond(),
    };
    let push = (service == "git-receive-pack").then_some(caller).flatten();
    match run(&app.into_inner(), &repository, &service, &request, body, push).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!("git http-backend failed: {error:#}");
            HttpResponse::InternalServerError().body("git http-backend failed")
        }
    }
}

/// Decides as GitHub does: 401 to strangers, 404 to those who may not see, 403 to readers who push.
fn admit(
    app: &App,
    request: &HttpRequest,
    owner: &str,
    name: &str,
    pushes_in: bool,
) -> Result<(Repository, Option<Caller>), Refusal> {
    let header = request.headers().get("authorization").map(|value| value.to_str().unwrap_or("?"));
    let caller = access::authenticate(app, header).map_err(|_bad| ask_for_credentials())?;
    let missing = || refuse(StatusCode::NOT_FOUND, "Repository not found.");
    app.read(|state| {
        let found = state.repository_named(owner, name).or_else(|| state.repository_formerly(owner, name));
        let Some(repository) = found else {
            return Err(if caller.is_some() { missing() } else { ask_for_credentials() });
        };
        let permission = access::permission(state, repository, caller.as_ref());
        let Some(known) = &caller else {
            let open = permission >= Permission::Pull && !pushes_in;
            return if open { Ok((repository.clone(), None)) } else { Err(ask_for_credentials()) };
        };
        if permission == Permission::None {
            return Err(missing());
        }
        let restricted = access::restricted_by(state, repository, caller.as_ref());
        if let Some(organization) = restricted.filter(|_| repository.private || pushes_in) {
            return Err(refuse(StatusCode::FORBIDDEN, &access::restriction_message(&organization)));
        }
        if pushes_in && (permission < Permission::Push || !known.has("public_repo")) {
            let full_name = state.full_name(repository);
            let text = format!("Permission to {full_name}.git denied to {}.", known.login);
            return Err(refuse(StatusCode::FORBIDDEN, &text));
        }
        Ok((repository.clone(), caller.clone()))
    })
}

struct Refusal {
    status: StatusCode,
    text: String,
}

impl Refusal {
    fn respond(self) -> HttpResponse {
        let mut builder = HttpResponse::build(self.status);
        if self.status == StatusCode::UNAUTHORIZED {
            builder.insert_header((WWW_AUTHENTICATE, "Basic realm=\"GitHub\""));
        }
        builder.content_type("text/plain; charset=utf-8").body(self.text)
    }
}

fn ask_for_credentials() -> Refusal {
    refuse(StatusCode::UNAUTHORIZED, "Repository not found.")
}

fn refuse(status: StatusCode, text: &str) -> Refusal {
    Refusal { status, text: text.to_owned() }
}

async fn run(
    app: &Arc<App>,
    repository: &Repository,
    service: &str,
    request: &HttpRequest,
    body: Payload,
    push: Option<Caller>,
) -> Result<HttpResponse> {
    if push.is_some() {
        pushes::watch(app, repository)?;
    }
    let mut child = start(app, repository, service, request, push.as_ref())?;
    let mut output = BufReader::new(child.stdout.take().context("stdout is piped")?);
    let mut input = child.stdin.take().context("stdin is piped")?;
    let (sender, receiver) = mpsc::channel::<Result<Bytes, std::io::Error>>(64);
    let (head_sender, head) = tokio::sync::oneshot::channel();
    let (app, id) = (Arc::clone(app), repository.id);
    tokio::spawn(async move {
        // A lost receiver means that the client went away; a push still ends properly.
        drop(head_sender.send(read_head(&mut output).await));
        copy_body(&mut output, &sender).await;
        finish(&app, id, child, push).await;
        // Dropped last, so that the answer ends after the push is announced.
        drop(sender);
    });
    let mut body = body;
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| anyhow::anyhow!("reading the request: {error}"))?;
        if input.write_all(&chunk).await.is_err() {
            break;
        }
    }
    drop(input);
    let (status, headers) = head.await.context("git http-backend ended early")??;
    let mut response = HttpResponse::build(status);
    for (name, value) in &headers {
        response.insert_header((name, value));
    }
    let chunks = futures_util::stream::unfold(receiver, |mut receiver| async {
        let chunk = receiver.recv().await?;
        Some((chunk, receiver))
    });
    Ok(response.streaming(Box::pin(chunks)))
}

fn start(
    app: &App,
    repository: &Repository,
    service: &str,
    request: &HttpRequest,
    push: Option<&Caller>,
) -> Result<Child> {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let mut command = Command::new("git");
    command
        .arg("http-backend")
        .envs(git::environment())
        .env("GIT_PROJECT_ROOT", app.data.join("repositories"))
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", format!("/{}.git/{service}", repository.id))
        .env("REQUEST_METHOD", request.method().as_str())
        .env("QUERY_STRING", request.query_string())
        .env("CONTENT_TYPE", header("content-type").unwrap_or_default())
        .env("REMOTE_ADDR", "127.0.0.1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    // git sends large bodies in chunks, then there is no length and the backend reads to the end.
    for (variable, name) in [
        ("CONTENT_LENGTH", "content-length"),
        ("HTTP_CONTENT_ENCODING", "content-encoding"),
        ("GIT_PROTOCOL", "git-protocol"),
    ] {
        if let Some(value) = header(name) {
            command.env(variable, value);
        }
    }
    if let Some(pusher) = push {
        command.env("REMOTE_USER", &pusher.login);
    }
    command.spawn().context("starting git http-backend")
}

/// The CGI head: `Status: 404 Not Found` and other headers, up to an empty line.
async fn read_head(output: &mut BufReader<ChildStdout>) -> Result<(StatusCode, HeaderMap)> {
    let (mut status, mut headers) = (StatusCode::OK, HeaderMap::new());
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).await? == 0 {
            anyhow::bail!("git http-backend printed no head");
        }
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            return Ok((status, headers));
        };
        if name.eq_ignore_ascii_case("status") {
            status = StatusCode::from_bytes(&value.as_bytes()[..value.len().min(3)])?;
        } else {
            headers.insert(name.parse()?, value.parse()?);
        }
    }
}

async fn copy_body(output: &mut BufReader<ChildStdout>, sender: &mpsc::Sender<Result<Bytes, std::io::Error>>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = output.read(&mut buffer).await {
        drop(sender.send(Ok(Bytes::copy_from_slice(&buffer[..length]))).await);
    }
}

async fn finish(app: &Arc<App>, repository: u64, mut child: Child, push: Option<Caller>) {
    if let Err(error) = child.wait().await {
        tracing::error!("git http-backend could not be waited for: {error}");
    }
    if let Some(pusher) = push
        && let Err(error) = pushes::announce(app, repository, pusher.person)
    {
        tracing::error!("a push could not be announced: {error:#}");
    }
}
