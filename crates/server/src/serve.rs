//! `cerrojo serve`: from the lock to the last answer.

use std::future::Future;
use std::net::SocketAddr;

use cerrojo_app::Lease;
use cerrojo_domain::ADMIN_ROLE;
use cerrojo_store::users;
use cerrojo_web::{Cors, HttpSettings};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::{Configuration, Loaded};
use crate::failure::Failure;
use crate::lock::{Holder, Kind, Lock, Taken};
use crate::place::Place;
use crate::still_ours::Opened;
use crate::{open, still_ours, telemetry};

/// Serves until told to stop.
pub(crate) async fn serve(loaded: Loaded) -> Result<(), Failure> {
    let configuration = loaded.configuration()?;
    telemetry::start(configuration.log_format, &configuration.log_level);
    for warning in &configuration.warnings {
        tracing::warn!("{warning}");
    }
    let place = Place::of(&configuration)?;
    place.check()?;
    if place.is_remote() {
        tracing::warn!(
            "the database is on a network file system, where its lock cannot be relied on: use a local disk"
        );
    }
    let mut lock = take_lock(&place, configuration.listen).await?;
    let listener = TcpListener::bind(configuration.listen)
        .await
        .map_err(Failure::because(format!("server.listen: {} cannot be listened on", configuration.listen)))?;
    let address = listener.local_addr().map_err(Failure::because("server.listen"))?;
    lock.name(&holder(address))?;
    let configuration = loaded.listening_on(address)?;
    let store = open::store(&place, Lease::Holder).await?;
    let files = vec![lock.opened()?, Opened::at(&place.database)?];
    for name in store.migrate().await? {
        tracing::info!("brought the database up to date: {name}");
    }
    let app = open::app(&configuration, (&place, store), Lease::Holder).await?;
    let tasks = app.spawn_tasks();
    let watch = tokio::spawn(still_ours::watch(files, app.clone()));
    if users::count_active_with_role(&mut app.store.reader(), ADMIN_ROLE).await? == 0 {
        tracing::info!(
            "there is no administrator yet: cerrojo user add --role admin --email EMAIL --name NAME --password-stdin"
        );
    }
    let router = cerrojo_web::router(app.clone(), http_settings(&configuration));
    // Until here a signal simply ends the process, which is as safe as a crash.
    let stop = stop_signal()?;
    tracing::info!("listening on http://{address}");
    cerrojo_web::serve(listener, router, stop).await;
    tracing::info!("shutting down");
    tasks.stop(&app).await;
    watch.abort();
    app.store.close().await;
    drop(lock);
    Ok(())
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
        ..HttpSettings::default()
    }
}

/// Resolves at the first SIGTERM or SIGINT; at the second the process ends at once.
fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    let cannot = || Failure::because("signals cannot be listened for");
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot())?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot())?;
    Ok(async move {
        either(&mut terminate, &mut interrupt).await;
        tracing::info!("asked to stop: finishing what has begun");
        tokio::spawn(async move {
            either(&mut terminate, &mut interrupt).await;
            std::process::exit(130);
        });
    })
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}
