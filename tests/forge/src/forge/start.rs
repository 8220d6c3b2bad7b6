//! Starting a forge: its state, and a web server on a thread of its own.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::Path,
    sync::{Arc, Mutex, atomic::AtomicUsize, mpsc},
    thread::JoinHandle,
};

use actix_web::{
    App as WebApp, HttpServer,
    dev::{Server, ServerHandle},
    middleware::from_fn,
    web::Data,
};
use anyhow::{Context, Result};
use tokio::runtime::{Builder, Handle};

use crate::{
    app::App,
    config::ForgeConfig,
    faults::{self, Faults},
    model::OAuthApp,
    routes,
    store::State,
};

pub(super) struct Started {
    pub(super) app: Arc<App>,
    pub(super) address: SocketAddr,
    pub(super) server: ServerHandle,
    pub(super) thread: JoinHandle<()>,
}

/// `temporary` is used when the configuration names no folder.
pub(super) fn start(config: ForgeConfig, temporary: Option<&Path>) -> Result<Started> {
    let listener = TcpListener::bind(config.listen).with_context(|| format!("listening on {}", config.listen))?;
    let address = listener.local_addr()?;
    let data = config.data.clone().or_else(|| temporary.map(Path::to_owned)).context("there is no folder")?;
    let (sender, receiver) = mpsc::channel();
    let run = move || {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let started = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
            let app = Arc::new(open(config, &data, address, runtime.handle().clone())?);
            let server = runtime.block_on(async { serve(&app, listener) })?;
            Ok((runtime, app, server))
        });
        match started {
            Ok((runtime, app, server)) => {
                drop(sender.send(Ok((app, server.handle()))));
                if let Err(error) = runtime.block_on(server) {
                    tracing::error!("the forge stopped: {error}");
                }
                runtime.shutdown_background();
            }
            Err(error) => drop(sender.send(Err(error))),
        }
    };
    let thread = std::thread::Builder::new().name("forge".to_owned()).spawn(run)?;
    let (app, server) = receiver.recv().context("the forge's thread ended")??;
    Ok(Started { app, address, server, thread })
}

fn open(config: ForgeConfig, data: &Path, address: SocketAddr, runtime: Handle) -> Result<App> {
    fs::create_dir_all(data.join("repositories"))?;
    let data = data.canonicalize()?;
    let mut state = State::load(&data.join("state.json"))?;
    state.apps.retain(|app| app.client_id != config.client.client_id);
    state.apps.push(OAuthApp {
        client_id: config.client.client_id,
        client_secret: config.client.client_secret,
        name: config.app_name,
        callback_urls: config.callback_urls,
    });
    let public_url = config.public_url.unwrap_or_else(|| format!("http://{address}"));
    // GitHub follows no redirects when it delivers.
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build()?;
    let app = App {
        data,
        public_url: public_url.trim_end_matches('/').to_owned(),
        control: config.control,
        tree_limit: config.tree_limit,
        refuse_local_hooks: config.refuse_local_hooks.into(),
        faults: Faults::default(),
        codes: Mutex::default(),
        announced: Mutex::default(),
        deliveries_under_way: AtomicUsize::default(),
        http,
        runtime,
        state: state.into(),
    };
    app.change(|_| ());
    Ok(app)
}

fn serve(app: &Arc<App>, listener: TcpListener) -> Result<Server> {
    let data = Data::from(Arc::clone(app));
    let server = HttpServer::new(move || {
        let app = data.clone().into_inner();
        WebApp::new()
            .app_data(data.clone())
            .wrap(from_fn(faults::gate))
            .configure(move |config| routes::configure(config, &app))
    });
    Ok(server.workers(2).shutdown_timeout(0).disable_signals().listen(listener)?.run())
}
