//! All that stands between a connection and the handlers.

use super::{
    bodies, connections, cross_origin, drawing, encodings, faces, head, request_id, routes, surface, traffic,
    under_way, unread,
};
use crate::app::App;
use crate::web::guard;
use actix_web::App as Service;
use actix_web::body::BoxBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::{Compress, from_fn};
use actix_web::web::{self, Data};

pub(super) fn application(
    app: Data<App>,
) -> Service<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    Service::new()
        .app_data(app)
        .app_data(web::FormConfig::default().limit(64 << 10))
        // The last one is the outermost.
        .wrap(from_fn(cross_origin::methods))
        .wrap(from_fn(drawing::middleware))
        .wrap(from_fn(bodies::middleware))
        .wrap(from_fn(guard::same_origin))
        .wrap(from_fn(surface::middleware))
        .wrap(from_fn(under_way::middleware))
        .wrap(from_fn(connections::middleware))
        .wrap(from_fn(faces::middleware))
        .wrap(from_fn(guard::headers))
        .wrap(from_fn(cross_origin::middleware))
        .wrap(from_fn(head::middleware))
        .wrap(Compress::default())
        .wrap(from_fn(encodings::middleware))
        .wrap(from_fn(unread::middleware))
        .wrap(from_fn(request_id::middleware))
        .wrap(from_fn(traffic::middleware))
        .configure(routes::configure)
}
