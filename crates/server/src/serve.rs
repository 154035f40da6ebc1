//! `cerrojo serve`: from the lock to the last answer.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use cerrojo_app::{App, Lease, administer, audit};
use cerrojo_store::Store;
use cerrojo_web::{Cors, Doors, HttpSettings, Router};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::certificate::Live;
use crate::config::{Configuration, Database, Loaded, PostgresUrl, TlsFiles};
use crate::failure::Failure;
use crate::listeners::{Listeners, Passed};
use crate::lock::{Holder, Kind, Lock, Taken};
use crate::open::Node;
use crate::place::Place;
use crate::still_ours::Opened;
use crate::systemd::{Running, Starting};
use crate::{open, open_files, out, still_ours, telemetry, traces};

/// Connections to where metrics are served, at a time.
const MOST_WATCHERS: u32 = 16;

/// Serves until told to stop. `passed`: sockets that it was started with.
pub(crate) async fn serve(loaded: Loaded, passed: Passed) -> Result<(), Failure> {
    let configuration = loaded.configuration()?;
    match &configuration.traces {
        None => telemetry::start(configuration.log_format, &configuration.log_level),
        Some(settings) => {
            let tracer = traces::start(settings)?;
            telemetry::start_with_traces(configuration.log_format, &configuration.log_level, tracer);
            tracing::info!(url.full = %settings.endpoint, "traces are sent");
        }
    }
    for warning in &configuration.warnings {
        tracing::warn!("{warning}");
    }
    if let Some(list) = open::breached_list(&configuration)? {
        tracing::info!(breached.passwords = list.count(), "new passwords are compared with those of breaches");
    }
    // Before anything is taken or changed.
    open::templates(&configuration)?;
    open_files::allow_many(configuration.max_streams);
    let starting = Starting::begin();
    match &configuration.database {
        Database::Sqlite(_) => alone(loaded, &configuration, (passed, starting)).await,
        Database::Postgres(url) => as_a_node(loaded, (&configuration, url), (passed, starting)).await,
    }
}

/// The one server of a SQLite database.
async fn alone(
    loaded: Loaded,
    configuration: &Configuration,
    (passed, starting): (Passed, Starting),
) -> Result<(), Failure> {
    let place = Place::of(configuration)?;
    place.check()?;
    if place.is_remote() {
        tracing::warn!(
            "the database is on a network file system, where its lock cannot be relied on: use a local disk"
        );
    }
    starting.at("waiting for the database's lock");
    let mut lock = take_lock(&place, configuration.listen).await?;
    let signals = Signals::listen()?;
    let listeners = passed.listen(configuration).await?;
    let address = listeners.address()?;
    lock.name(&holder(address))?;
    let configuration = loaded.listening_on(address)?;
    let certificate = certificate(&configuration)?;
    starting.at("opening the database");
    let store = open::store(&place, Lease::Holder).await?;
    let files = vec![lock.opened()?, Opened::at(&place.database)?];
    let app = start(&configuration, (store, Lease::Holder), (address, &starting)).await?;
    let watch = tokio::spawn(still_ours::watch(files, app.clone()));
    answer(&configuration, &app, (listeners, certificate), (signals, starting)).await?;
    watch.abort();
    drop(lock);
    Ok(())
}

/// One of several nodes on a PostgreSQL server.
async fn as_a_node(
    loaded: Loaded,
    (configuration, url): (&Configuration, &PostgresUrl),
    (passed, starting): (Passed, Starting),
) -> Result<(), Failure> {
    let listeners = passed.listen(configuration).await?;
    let address = listeners.address()?;
    let configuration = loaded.listening_on(address)?;
    let certificate = certificate(&configuration)?;
    starting.at("connecting to the database");
    let store = open::remote(url, url.connections).await?;
    // From before it joins: a lease that is not given back is waited for.
    let signals = Signals::listen()?;
    let app = start(&configuration, (store, Lease::Member), (address, &starting)).await?;
    answer(&configuration, &app, (listeners, certificate), (signals, starting)).await
}

/// What TLS is spoken with, if it is.
fn certificate(configuration: &Configuration) -> Result<Option<Arc<Live>>, Failure> {
    let start = |files: &TlsFiles| Live::start(files.clone(), &configuration.app.public_url);
    configuration.tls.as_ref().map(start).transpose()
}

async fn start(
    configuration: &Configuration,
    (store, lease): (Store, Lease),
    (address, starting): (SocketAddr, &Starting),
) -> Result<Arc<App>, Failure> {
    starting.at("bringing the database up to date");
    for name in store.migrate().await? {
        tracing::info!("brought the database up to date: {name}");
    }
    let machine = rustix::system::uname();
    let machine = machine.nodename().to_string_lossy();
    let about = format!("{machine} {address} {}", env!("CARGO_PKG_VERSION"));
    starting.at("reading the sessions");
    open::app(configuration, Node { store, lease, about }).await
}

/// Answers requests until told to stop.
async fn answer(
    configuration: &Configuration,
    app: &Arc<App>,
    (listeners, certificate): (Listeners, Option<Arc<Live>>),
    (signals, starting): (Signals, Starting),
) -> Result<(), Failure> {
    traces::count(&app.metrics.spans);
    audit::started(app).await?;
    let tasks = app.spawn_tasks();
    let tls = certificate.as_ref().map(|live| live.tls().clone());
    let doors = Doors::with_streams(configuration.trusted_proxies.clone(), configuration.max_streams).with_tls(tls);
    let routers = cerrojo_web::routers(Arc::clone(app), http_settings(configuration), &doors);
    let (stop_metrics, metrics_stopped) = oneshot::channel::<()>();
    let watched = tokio::spawn(serve_metrics(listeners.metrics, routers.metrics, metrics_stopped));
    let scheme = if certificate.is_some() { "https" } else { "http" };
    let listening = format!("listening on {scheme}://{}", configuration.listen);
    offer_first(configuration, app).await?;
    tracing::info!("{listening}");
    drop(starting);
    let running = Running::begin(app, routers.public.clone(), (tasks.pulse(), listening));
    let looking = certificate.clone().map(|live| tokio::spawn(live.watch()));
    let stop = until_stopped(signals, running, certificate);
    cerrojo_web::serve_behind(doors, (listeners.public, routers.public), stop).await;
    tracing::info!("shutting down");
    if let Some(looking) = looking {
        looking.abort();
    }
    drop(stop_metrics);
    // The lease is not kept for whoever watches.
    let ((), _) = tokio::join!(tasks.stop(app), watched);
    traces::stop().await;
    app.store.close().await;
    Ok(())
}

/// Tells how to make the first administrator. Who may read what the server prints may make one; the log, which goes further, is not
/// given the link.
async fn offer_first(configuration: &Configuration, app: &App) -> Result<(), Failure> {
    if !administer::lacks_administrator(app).await? {
        return Ok(());
    }
    let how = "cerrojo user add --role admin --email EMAIL --name NAME --password-stdin";
    if configuration.pages.is_none() {
        tracing::info!("there is no administrator yet: {how}");
        return Ok(());
    }
    // With accounts, and nobody who sees it, it would only be one more secret at each start in whatever collects what is printed.
    if !std::io::stdout().is_terminal() && !administer::lacks_accounts(app).await? {
        tracing::info!("there is no administrator yet: {how}");
        return Ok(());
    }
    let code = administer::offer_first(app).await?;
    tracing::info!("there is no administrator yet: the link on standard output makes one, or {how}");
    let hours = administer::FIRST_TTL.as_secs() / 3600;
    out::line(&format!(
        "\nThere is no administrator yet. This link makes one; it works once, within {hours} hours:\n\n    {}/first-administrator?token={code}\n",
        configuration.app.public_url
    ));
    Ok(())
}

/// Returns when the server is told to stop. Until then it reads the certificate anew when it is told to.
async fn until_stopped(signals: Signals, running: Running, certificate: Option<Arc<Live>>) {
    let Signals { asked_to_stop, mut hangup } = signals;
    let mut asked_to_stop = pin!(asked_to_stop);
    loop {
        tokio::select! {
            biased;
            _ = &mut asked_to_stop => break,
            () = hung_up(&mut hangup) => tokio::select! {
                biased;
                // A disk that hangs is not waited for.
                _ = &mut asked_to_stop => break,
                () = running.reload(reload(certificate.clone())) => {}
            },
        }
    }
    running.stop();
}

async fn reload(certificate: Option<Arc<Live>>) {
    let Some(live) = certificate else {
        tracing::info!("SIGHUP: there is nothing to read anew; settings are read at the next start");
        return;
    };
    tracing::info!("SIGHUP: the TLS certificate is looked at; other settings are read at the next start");
    let _ = tokio::task::spawn_blocking(move || live.look()).await;
}

/// Serves metrics until the sender is gone. Whoever watches needs few connections, and gets no more.
async fn serve_metrics(listener: Option<TcpListener>, router: Router, stopped: oneshot::Receiver<()>) {
    if let Some(listener) = listener {
        let stopped = async { drop(stopped.await) };
        cerrojo_web::serve_behind(Doors::narrow(MOST_WATCHERS), (vec![listener], router), stopped).await;
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
        max_streams: configuration.max_streams,
        docs: configuration.docs,
        pages: configuration.pages.clone(),
        callers: configuration.traces.as_ref().map(|traces| traces.callers.clone()).unwrap_or_default(),
        adopt: traces::adopt,
        ..HttpSettings::default()
    }
}

/// Signals that are listened for.
struct Signals {
    /// Done at the first SIGTERM or SIGINT, whether or not anybody waited for it by then; at the second the process ends at
    /// once, which is as safe as a crash.
    asked_to_stop: JoinHandle<()>,
    /// SIGHUP, where it does not say that the terminal is gone.
    hangup: Option<Signal>,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(Failure::because("signals cannot be listened for"));
        let mut stop = vec![listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?];
        let mut hangup = Some(listen(SignalKind::hangup())?);
        // Nobody would see or stop a server whose terminal was closed.
        if std::io::stderr().is_terminal() || std::io::stdin().is_terminal() {
            stop.extend(hangup.take());
        }
        let asked_to_stop = tokio::spawn(async move {
            any(&mut stop).await;
            tracing::info!("asked to stop: finishing what has begun");
            tokio::spawn(async move {
                any(&mut stop).await;
                std::process::exit(130);
            });
        });
        Ok(Self { asked_to_stop, hangup })
    }
}

/// Returns when one of them comes.
async fn any(signals: &mut [Signal]) {
    std::future::poll_fn(|cx| {
        if signals.iter_mut().any(|signal| signal.poll_recv(cx).is_ready()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

async fn hung_up(hangup: &mut Option<Signal>) {
    match hangup {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}
