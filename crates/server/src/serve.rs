//! `cerrojo serve`: from the lock to the last answer.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use cerrojo_app::{App, Lease};
use cerrojo_domain::ADMIN_ROLE;
use cerrojo_store::{Store, users};
use cerrojo_web::{Cors, Doors, HttpSettings, Router};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::config::{Configuration, Database, Loaded, PostgresUrl};
use crate::failure::Failure;
use crate::lock::{Holder, Kind, Lock, Taken};
use crate::open::Node;
use crate::place::Place;
use crate::still_ours::Opened;
use crate::{open, open_files, still_ours, telemetry};

/// Connections to where metrics are served, at a time.
const MOST_WATCHERS: u32 = 16;

/// Serves until told to stop.
pub(crate) async fn serve(loaded: Loaded) -> Result<(), Failure> {
    let configuration = loaded.configuration()?;
    telemetry::start(configuration.log_format, &configuration.log_level);
    for warning in &configuration.warnings {
        tracing::warn!("{warning}");
    }
    if let Some(list) = open::breached_list(&configuration)? {
        tracing::info!(breached.passwords = list.count(), "new passwords are compared with those of breaches");
    }
    open_files::allow_many();
    match &configuration.database {
        Database::Sqlite(_) => alone(loaded, &configuration).await,
        Database::Postgres(url) => as_a_node(loaded, &configuration, url).await,
    }
}

/// The one server of a SQLite database.
async fn alone(loaded: Loaded, configuration: &Configuration) -> Result<(), Failure> {
    let place = Place::of(configuration)?;
    place.check()?;
    if place.is_remote() {
        tracing::warn!(
            "the database is on a network file system, where its lock cannot be relied on: use a local disk"
        );
    }
    let mut lock = take_lock(&place, configuration.listen).await?;
    let stop = stop_signal()?;
    let (listener, address) = listen(configuration).await?;
    let metrics = listen_for_metrics(configuration).await?;
    lock.name(&holder(address))?;
    let configuration = loaded.listening_on(address)?;
    let store = open::store(&place, Lease::Holder).await?;
    let files = vec![lock.opened()?, Opened::at(&place.database)?];
    let app = start(&configuration, (store, Lease::Holder), address).await?;
    let watch = tokio::spawn(still_ours::watch(files, app.clone()));
    answer(&configuration, &app, (Listeners { public: listener, metrics }, stop)).await?;
    watch.abort();
    drop(lock);
    Ok(())
}

/// One of several nodes on a PostgreSQL server.
async fn as_a_node(loaded: Loaded, configuration: &Configuration, url: &PostgresUrl) -> Result<(), Failure> {
    let (listener, address) = listen(configuration).await?;
    let metrics = listen_for_metrics(configuration).await?;
    let configuration = loaded.listening_on(address)?;
    let store = open::remote(url, url.connections).await?;
    // From before it joins: a lease that is not given back is waited for.
    let stop = stop_signal()?;
    let app = start(&configuration, (store, Lease::Member), address).await?;
    answer(&configuration, &app, (Listeners { public: listener, metrics }, stop)).await
}

struct Listeners {
    public: TcpListener,
    metrics: Option<TcpListener>,
}

async fn listen(configuration: &Configuration) -> Result<(TcpListener, SocketAddr), Failure> {
    let listener = TcpListener::bind(configuration.listen).await.map_err(Failure::because(format!(
        "server.listen: {} cannot be listened on (another address: --listen, or CERROJO_SERVER__LISTEN)",
        configuration.listen
    )))?;
    let address = listener.local_addr().map_err(Failure::because("server.listen"))?;
    Ok((listener, address))
}

async fn listen_for_metrics(configuration: &Configuration) -> Result<Option<TcpListener>, Failure> {
    let Some(address) = configuration.metrics_listen else { return Ok(None) };
    let listener = TcpListener::bind(address).await.map_err(Failure::because(format!(
        "metrics.listen: {address} cannot be listened on (set another one, or none)"
    )))?;
    let address = listener.local_addr().map_err(Failure::because("metrics.listen"))?;
    tracing::info!("metrics are at http://{address}/metrics");
    Ok(Some(listener))
}

async fn start(
    configuration: &Configuration,
    (store, lease): (Store, Lease),
    address: SocketAddr,
) -> Result<Arc<App>, Failure> {
    for name in store.migrate().await? {
        tracing::info!("brought the database up to date: {name}");
    }
    let machine = rustix::system::uname();
    let machine = machine.nodename().to_string_lossy();
    let about = format!("{machine} {address} {}", env!("CARGO_PKG_VERSION"));
    open::app(configuration, Node { store, lease, about }).await
}

/// Answers requests until told to stop.
async fn answer(
    configuration: &Configuration,
    app: &Arc<App>,
    (listeners, stop): (Listeners, impl Future<Output = ()> + Send + 'static),
) -> Result<(), Failure> {
    let tasks = app.spawn_tasks();
    if users::count_active_with_role(&mut app.store.reader(), ADMIN_ROLE).await? == 0 {
        tracing::info!(
            "there is no administrator yet: cerrojo user add --role admin --email EMAIL --name NAME --password-stdin"
        );
    }
    let doors = Doors::new(configuration.trusted_proxies.clone());
    let routers = cerrojo_web::routers(Arc::clone(app), http_settings(configuration), &doors);
    let (stop_metrics, metrics_stopped) = oneshot::channel::<()>();
    let watched = tokio::spawn(serve_metrics(listeners.metrics, routers.metrics, metrics_stopped));
    tracing::info!("listening on http://{}", configuration.listen);
    cerrojo_web::serve_behind(doors, (listeners.public, routers.public), stop).await;
    tracing::info!("shutting down");
    drop(stop_metrics);
    // The lease is not kept for whoever watches.
    let ((), _) = tokio::join!(tasks.stop(app), watched);
    app.store.close().await;
    Ok(())
}

/// Serves metrics until the sender is gone. Whoever watches needs few connections, and gets no more.
async fn serve_metrics(listener: Option<TcpListener>, router: Router, stopped: oneshot::Receiver<()>) {
    if let Some(listener) = listener {
        let stopped = async { drop(stopped.await) };
        cerrojo_web::serve_behind(Doors::narrow(MOST_WATCHERS), (listener, router), stopped).await;
    }
}

fn holder(address: SocketAddr) -> Holder {
    Holder::this(Kind::Serve, format!("cerrojo serve on {address}"))
}

async fn take_lock(place: &Place, listen: SocketAddr) -> Result<Lock, Failure> {
    match Lock::take(&place.database, &holder(listen)).await? {
        Taken::Ours(lock) => Ok(lock),
        Taken::Serving(other) => Err(Failure::new(format!(
            "{} is in use by {other}: a database has one server at a time",
            place.database.display()
        ))),
    }
}

fn http_settings(configuration: &Configuration) -> HttpSettings {
    HttpSettings {
        trusted_proxies: configuration.trusted_proxies.clone(),
        cors: configuration.cors_origins.clone().map_or(Cors::Unset, Cors::Origins),
        guards: configuration.guards,
        docs: configuration.docs,
        ..HttpSettings::default()
    }
}

/// Resolves at the first SIGTERM or SIGINT, whether or not anybody waited for it by then; at the second the process ends at
/// once, which is as safe as a crash.
fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    let cannot = || Failure::because("signals cannot be listened for");
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot())?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot())?;
    let asked = tokio::spawn(async move {
        either(&mut terminate, &mut interrupt).await;
        tracing::info!("asked to stop: finishing what has begun");
        tokio::spawn(async move {
            either(&mut terminate, &mut interrupt).await;
            std::process::exit(130);
        });
    });
    Ok(async move { drop(asked.await) })
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}
