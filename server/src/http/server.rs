//! Listening, with or without TLS, until told to stop.
//!
//! actix-web's own server is not used: it gives no way to its sockets, nor to who waits for `100 Continue`.

use super::connections::Connections;
use super::expect::{self, Application};
use super::socket::{Socket, Transport};
use super::{application::application, listener};
use crate::app::App;
use crate::config::Config;
use crate::error::{Context, Result};
use actix_http::error::DispatchError;
use actix_http::{Extensions, HttpService, Protocol, Request};
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _};
use actix_tls::accept::TlsError;
use actix_tls::accept::rustls_0_23::{Acceptor, TlsStream};
use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::dev::{AppConfig, Server, Service, ServiceFactory, ServiceResponse, fn_factory, fn_service};
use actix_web::rt::net::TcpStream;
use actix_web::web::Data;
use futures_util::FutureExt as _;
use std::cell::OnceCell;
use std::convert::Infallible;
use std::future::ready;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::rc::Rc;
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
    let server = Server::build().shutdown_timeout(20).disable_signals();
    let signal = server.graceful_shutdown_signal();
    let stopping = move || {
        let signal = signal.clone();
        async move { signal.notified().await }
    };
    let way = Way { app: app.clone(), open: Arc::default(), stopping };
    let address = app.config.listen;
    let listener = listener::listen(address);
    let listener = listener.context(&format!("listening on {address}; is another program there?"))?;
    let inner = way.clone();
    let server = match app.config.tls.clone() {
        Some(tls) => server.listen("https", listener, move || way.clone().encrypted((*tls).clone())),
        None => server.listen("http", listener, move || way.clone().plain()),
    };
    let server = server.context(&format!("listening on {address}"))?;
    let server = match internal {
        Some(listener) => {
            server.listen("internal", listener, move || inner.clone().plain()).context("listening for builders")?
        }
        None => server,
    };
    Ok(server.run())
}

/// What leads from a listener to the handlers.
#[derive(Clone)]
struct Way<F> {
    app: Arc<App>,
    open: Arc<Connections>,
    stopping: F,
}

impl<F: Fn() -> Fut + Clone + 'static, Fut: Future<Output = ()> + 'static> Way<F> {
    fn plain(
        self,
    ) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()> {
        let accept = self.accept();
        fn_service(move |stream: TcpStream| ready(Ok::<_, DispatchError>(accept(stream)))).and_then(self.http())
    }

    fn encrypted(
        self,
        mut tls: rustls::ServerConfig,
    ) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = TlsError<io::Error, DispatchError>, InitError = ()>
    {
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let accept = self.accept();
        let accept =
            move |stream: TlsStream<TcpStream>| ready(Ok::<_, TlsError<io::Error, DispatchError>>(accept(stream)));
        let http = self.http().map_err(TlsError::Service);
        Acceptor::new(tls).map_err(TlsError::into_service_error).and_then(accept).and_then(http)
    }

    /// A connection as it comes; its peer is nobody where it is gone already.
    fn accept<S: Transport>(&self) -> impl Fn(S) -> (Socket<S>, Protocol, Option<SocketAddr>) + Clone + use<S, F, Fut> {
        let (app, open) = (self.app.clone(), self.open.clone());
        move |stream| {
            let peer = stream.tcp().peer_addr().ok();
            let address = peer.and_then(|peer| Connections::address(&app, peer.ip()));
            (Socket::new(stream, address, open.large_heads.clone()), Protocol::Http1, peer)
        }
    }

    /// HTTP on any stream. Each worker has an application of its own, and who waits for `100 Continue` is answered by
    /// the same.
    fn http<S: Transport>(
        self,
    ) -> impl ServiceFactory<
        (Socket<S>, Protocol, Option<SocketAddr>),
        Config = (),
        Response = (),
        Error = DispatchError,
        InitError = (),
    > {
        let made: Rc<OnceCell<Application>> = Rc::default();
        let asked = made.clone();
        let factory = application(Data::from(self.app.clone())).into_factory();
        let service = fn_factory(move || {
            let (coming, made) = (factory.new_service(AppConfig::default()), made.clone());
            async move {
                let application = one(coming.await?);
                made.set(application.clone()).ok();
                let answer = move |request: Request| expect::answer(&application, request).map(Ok::<_, Infallible>);
                Ok::<_, ()>(fn_service(answer))
            }
        });
        let expect = fn_service(move |request: Request| {
            let application = asked.get().expect("the application is made before any connection").clone();
            expect::expect(application, request)
        });
        let (app, open) = (self.app, self.open);
        HttpService::build()
            .keep_alive(Duration::from_secs(75))
            .client_request_timeout(Duration::from_secs(20))
            .client_disconnect_timeout(Duration::from_secs(5))
            .graceful_shutdown_signal(self.stopping)
            .on_connect_ext(move |socket: &Socket<S>, extensions: &mut Extensions| open.enter(&app, socket, extensions))
            .expect(expect)
            .finish(service)
    }
}

/// An application whose errors are answers.
fn one<S>(service: S) -> Application
where
    S: Service<Request, Response = ServiceResponse<BoxBody>, Error = actix_web::Error> + 'static,
    S::Future: 'static,
{
    Rc::new(move |request| {
        let answer = service.call(request);
        async move { answer.await.map_or_else(|e| HttpResponse::from_error(e).into(), Into::into) }.boxed_local()
    })
}
