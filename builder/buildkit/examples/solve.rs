//! Builds a directory on a running daemon and prints what happens:
//! `solve ADDRESS DIRECTORY [--opt key=value]… [--image name=…,push=true] [--cancel-after ms] [--quiet]`.
//! The address is a socket's path or `host:port`, the latter with `--tls DIR` of `ca.pem`, `cert.pem` and `key.pem`.
#![expect(clippy::print_stdout, reason = "it is a command line program")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use slipway_buildkit::{Addr, Build, BuildRequest, Event, Export, LocalDir, Tls, connect, solve};

#[derive(Default)]
struct Options {
    attrs: BTreeMap<String, String>,
    exports: Vec<Export>,
    cancel_after: Option<Duration>,
    quiet: bool,
    tls: Option<Tls>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(address), Some(directory)) = (args.next(), args.next()) else {
        return Err("solve ADDRESS DIRECTORY [options]".into());
    };
    let options = options(args)?;
    let client = connect(&addr(address, options.tls)).await?;
    println!("{:?}", client.daemon());
    for worker in client.list_workers().await? {
        println!("worker builds {}", worker.platforms.join(", "));
    }

    let dir = LocalDir::open(&directory)?;
    let request = BuildRequest {
        frontend_attrs: options.attrs,
        local_dirs: [("context".to_owned(), dir.clone()), ("dockerfile".to_owned(), dir)].into(),
        shared_key: directory,
        exports: options.exports,
        ..BuildRequest::default()
    };
    #[expect(clippy::disallowed_methods, reason = "measures")]
    let start = Instant::now();
    let build = solve(&client, request);
    match options.cancel_after {
        Some(after) => {
            // Dropping the build cancels it.
            if tokio::time::timeout(after, follow(build, options.quiet)).await.is_err() {
                println!("cancelled after {:?}", start.elapsed());
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
        }
        None => follow(build, options.quiet).await,
    }
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    println!("took {:?}, {tasks} tasks alive", start.elapsed());
    Ok(())
}

fn addr(address: String, tls: Option<Tls>) -> Addr {
    if address.starts_with('/') { Addr::Unix(PathBuf::from(address)) } else { Addr::Tcp { host: address, tls } }
}

async fn follow(mut build: Build, quiet: bool) {
    let (mut events, mut bytes) = (0_u64, 0_usize);
    while let Some(event) = build.events.next().await {
        events += 1;
        match event {
            Event::StepLog { bytes: text, .. } => {
                bytes += text.len();
                if !quiet {
                    // A closed pipe only ends the printing.
                    let _ = std::io::stdout().write_all(&text);
                }
            }
            event if !quiet => println!("{event:?}"),
            _ => {}
        }
    }
    println!("{events} events, {bytes} bytes of log");
    match build.solving.await {
        Ok(outcome) => println!("{outcome:#?}"),
        Err(error) => println!("{error:#?}"),
    }
}

fn options(mut args: impl Iterator<Item = String>) -> Result<Options, Box<dyn std::error::Error>> {
    let mut options = Options::default();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quiet" => options.quiet = true,
            "--opt" => options.attrs.extend(pairs(&args.next().ok_or("--opt key=value")?)),
            "--image" => {
                let attrs = pairs(&args.next().ok_or("--image name=…")?);
                options.exports.push(Export { kind: "image".to_owned(), attrs });
            }
            "--cancel-after" => {
                let millis = args.next().ok_or("--cancel-after ms")?.parse()?;
                options.cancel_after = Some(Duration::from_millis(millis));
            }
            "--tls" => {
                let dir = PathBuf::from(args.next().ok_or("--tls DIR")?);
                let read = |name| std::fs::read(dir.join(name));
                let (ca, cert, key) = (read("ca.pem")?, read("cert.pem")?, read("key.pem")?);
                options.tls = Some(Tls { ca, cert, key, server_name: None });
            }
            other => return Err(format!("unknown option {other}").into()),
        }
    }
    Ok(options)
}

fn pairs(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}
