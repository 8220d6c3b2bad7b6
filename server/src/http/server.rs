//! Listening, with or without TLS, until told to stop.

use super::{faces, request_id, routes};
use crate::app::App;
use crate::error::{Context, Result};
use crate::web::guard;
use actix_web::dev::Server;
use actix_web::middleware::{Compress, from_fn};
use actix_web::web::{self, Data};
use actix_web::{App as Service, HttpServer};
use std::sync::Arc;
use std::time::Duration;

/// Binds and starts; the returned future ends when the server has stopped.
pub fn start(app: &Arc<App>) -> Result<Server> {
    let data = Data::from(app.clone());
    let server = HttpServer::new(move || {
        Service::new()
            .app_data(data.clone())
            .app_data(web::FormConfig::default().limit(64 << 10))
            // The last one is the outermost.
            .wrap(from_fn(guard::same_origin))
            .wrap(from_fn(faces::middleware))
            .wrap(from_fn(guard::headers))
            .wrap(Compress::default())
            .wrap(from_fn(request_id::middleware))
            .configure(routes::configure)
    })
    .client_request_timeout(Duration::from_secs(20))
    .client_disconnect_timeout(Duration::from_secs(5))
    .keep_alive(Duration::from_secs(75))
    .shutdown_timeout(20)
    .disable_signals();
    let address = app.config.listen;
    let server = match &app.config.tls {
        Some(tls) => server.bind_rustls_0_23(address, tls_config(tls)?),
        None => server.bind(address),
    };
    Ok(server.context(&format!("listening on {address}; is another program there?"))?.run())
}

fn tls_config(tls: &crate::config::Tls) -> Result<rustls::ServerConfig> {
    use rustls_pki_types::pem::PemObject as _;
    use rustls_pki_types::{CertificateDer, PrivateKeyDer};
    let chain = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .context(&format!("tls.certificate: reading {}", tls.certificate.display()))?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).context(&format!("tls.key: reading {}", tls.key.display()))?;
    rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("tls.certificate and tls.key do not go together")
}
