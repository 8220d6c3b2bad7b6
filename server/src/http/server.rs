//! Listening, with or without TLS, until told to stop.

use super::connections::{self, Connections};
use super::{faces, head, listener, patience, request_id, routes, surface, under_way, unread};
use crate::app::App;
use crate::config::Config;
use crate::error::{Context, Result};
use crate::web::guard;
use actix_web::dev::Server;
use actix_web::middleware::{Compress, from_fn};
use actix_web::web::{self, Data};
use actix_web::{App as Service, HttpServer};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

/// Takes the port that builders have for themselves, if they need one, and writes it into the settings.
///
/// Plain http, so on loopback only; it serves what `listen` serves. Cookies there are those of the public address.
pub fn bind_internal(config: &mut Config) -> Result<Option<TcpListener>> {
    if !config.internal_port {
        return Ok(None);
    }
    let listener =
        listener::listen((Ipv4Addr::LOCALHOST, 0).into()).context("taking a port on loopback for the builder")?;
    let address = listener.local_addr().context("the builder's port")?;
    config.internal_url = format!("http://{address}").parse().context("the builder's address")?;
    Ok(Some(listener))
}

/// Binds and starts; the returned future ends when the server has stopped.
pub fn start(app: &Arc<App>, internal: Option<TcpListener>) -> Result<Server> {
    let data = Data::from(app.clone());
    let (entered, open) = (app.clone(), Connections::default());
    let server = HttpServer::new(move || {
        Service::new()
            .app_data(data.clone())
            .app_data(web::FormConfig::default().limit(64 << 10))
            // The last one is the outermost.
            .wrap(from_fn(patience::middleware))
            .wrap(from_fn(guard::same_origin))
            .wrap(from_fn(surface::middleware))
            .wrap(from_fn(under_way::middleware))
            .wrap(from_fn(connections::middleware))
            .wrap(from_fn(faces::middleware))
            .wrap(from_fn(guard::headers))
            .wrap(from_fn(head::middleware))
            .wrap(Compress::default())
            .wrap(from_fn(unread::middleware))
            .wrap(from_fn(request_id::middleware))
            .configure(routes::configure)
    })
    .on_connect(move |io, extensions| open.enter(&entered, io, extensions))
    .client_request_timeout(Duration::from_secs(20))
    .client_disconnect_timeout(Duration::from_secs(5))
    .keep_alive(Duration::from_secs(75))
    .shutdown_timeout(20)
    .disable_signals();
    let address = app.config.listen;
    let listener = listener::listen(address);
    let listener = listener.context(&format!("listening on {address}; is another program there?"))?;
    let server = match &app.config.tls {
        Some(tls) => server.listen_rustls_0_23(listener, rustls::ServerConfig::clone(tls)),
        None => server.listen(listener),
    };
    let server = server.context(&format!("listening on {address}"))?;
    let server = match internal {
        Some(listener) => server.listen(listener).context("listening for builders")?,
        None => server,
    };
    Ok(server.run())
}
