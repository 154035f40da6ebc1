//! HTTP in and out: the router, the endpoints, the one table of errors, and the loop that serves connections.
//!
//! A request passes [`serve`] (bytes and time limits), the edge (ids, CORS, headers, the body read whole), a handler in
//! `api/`, and a verb of `cerrojo-app`. What comes back is put into the contract's envelope on the way out.

mod api;
mod basic;
mod bearer;
mod body;
mod client;
mod connection;
mod cookie;
mod cors;
mod counted;
mod cross_site;
mod doors;
mod edge;
mod envelope;
mod form;
mod lingering;
mod messages;
pub mod metrics;
mod own_stream;
mod pages;
mod percent;
mod places;
mod problem;
mod proxies;
mod query;
mod request_id;
mod settings;
mod stream;
mod tls;
mod traced;
mod unfold;
mod view;
mod wire;

use std::ops::Deref;
use std::sync::Arc;

pub use axum::Router;
use axum::body::Bytes;
use cerrojo_app::App;

use crate::cookie::SessionCookie;
use crate::cors::CorsPolicy;
use crate::cross_site::OwnPages;
use crate::pages::Pages;
use crate::places::Places;

pub use connection::{serve, serve_behind};
pub use doors::Doors;
pub use pages::{Accent, LARGEST_LOGO, Logo, PageSettings};
pub use proxies::{Network, NetworkError};
pub use settings::{Cors, GuardPlaces, HttpSettings};
pub use tls::{Identity, Tls};

/// What handlers and extractors share.
#[derive(Clone)]
pub(crate) struct Web(Arc<Shared>);

pub(crate) struct Shared {
    app: Arc<App>,
    settings: HttpSettings,
    /// `/openapi.json`, written once.
    openapi: Bytes,
    places: Arc<Places>,
    /// As many again for what is answered at once: streams that fill theirs must not keep a guard from asking for a list.
    questions: Arc<Places>,
    cookie: SessionCookie,
    own_pages: OwnPages,
    /// What pages are made with; `None`: there are none.
    pages: Option<Pages>,
}

impl Web {
    pub(crate) fn app(&self) -> &Arc<App> {
        &self.0.app
    }

    pub(crate) fn settings(&self) -> &HttpSettings {
        &self.0.settings
    }

    pub(crate) fn openapi(&self) -> Bytes {
        self.0.openapi.clone()
    }

    pub(crate) fn places(&self) -> &Arc<Places> {
        &self.0.places
    }

    pub(crate) fn questions(&self) -> &Arc<Places> {
        &self.0.questions
    }

    pub(crate) fn pages(&self) -> Option<&Pages> {
        self.0.pages.as_ref()
    }

    /// The cookie that may hold a session's token.
    pub(crate) fn cookie(&self) -> SessionCookie {
        self.0.cookie
    }

    /// The pages that a request with that cookie has to come from, if it is to change something.
    pub(crate) fn own_pages(&self) -> &OwnPages {
        &self.0.own_pages
    }
}

impl Deref for Web {
    type Target = App;

    fn deref(&self) -> &App {
        &self.0.app
    }
}

/// The whole HTTP interface. Requests that carry an [`axum::extract::ConnectInfo`] of a socket address, as [`serve`]
/// gives them, come from there; others count as coming from `0.0.0.0`.
pub fn router(app: Arc<App>, settings: HttpSettings) -> Router {
    routers(app, settings, &Doors::default()).public
}

/// What is served to the public, and what is served to whoever watches, on a listener of its own.
pub struct Routers {
    /// The whole HTTP interface, as of [`router`].
    pub public: Router,
    /// `GET /metrics` and nothing else.
    pub metrics: Router,
}

/// Both. `doors`: those that the public one will be served behind.
pub fn routers(app: Arc<App>, settings: HttpSettings, doors: &Doors) -> Routers {
    let (places, questions) = (Places::new(settings.guards), Places::new(settings.guards));
    let openapi = api::openapi::written();
    let (routes, described) = api::routes().split_for_parts();
    let counted = metrics::Routes::new(
        described.paths.paths.into_keys().chain(pages::PATHS.iter().map(|path| (*path).to_owned())),
    );
    let edge = edge::EdgeLayer::new(&app, &settings, Arc::clone(&counted));
    let metrics = metrics::router(metrics::Sources {
        app: Arc::clone(&app),
        routes: counted,
        places: Arc::clone(&places),
        questions: Arc::clone(&questions),
        doors: doors.clone(),
    });
    let public_url = &app.settings.public_url;
    let cookie = SessionCookie::new(public_url);
    let own_pages = OwnPages::new(public_url, CorsPolicy::new(&settings.cors, public_url));
    let pages = settings.pages.as_ref().map(|settings| Pages::new(settings, &app.settings));
    let routes = if pages.is_some() { routes.merge(pages::routes()) } else { routes };
    let public = routes
        .fallback(api::not_found)
        .method_not_allowed_fallback(api::other_method)
        .with_state(Web(Arc::new(Shared { app, settings, openapi, places, questions, cookie, own_pages, pages })))
        .layer(edge);
    Routers { public, metrics }
}

/// Whether the router answers `/health/live` as it should: for whoever shares its process.
pub async fn is_alive(mut router: Router) -> bool {
    let asked = http::Request::builder().uri("/health/live").body(axum::body::Body::empty());
    let Ok(asked) = asked else { return false };
    let Ok(answer) = tower::Service::call(&mut router, asked).await;
    answer.status() == http::StatusCode::OK
}

/// The description of every endpoint (`OpenAPI` 3.1), generated from the code; what `/openapi.json` answers.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    api::openapi::document()
}
