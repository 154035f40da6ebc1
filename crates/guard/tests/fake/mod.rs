//! A server in process that speaks the protocol, and the faults that networks and servers have.

#![allow(dead_code, reason = "each test file uses its own part of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use cerrojo_domain::{Clock as _, KeyId, SystemClock, UnixMillis};
use cerrojo_guard::{
    Algorithm, Claims, ConnectedGuard, Guard, Header, Options, SESSION_TYP, SigningKey, Status, StatusList,
    attach_signature, signing_input, status_list,
};
use futures_core::Stream;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;

use crate::support::key;

pub(crate) const AUDIENCE: &str = "https://api.example";
pub(crate) const LIST: &str = "LsT0aB1cD2eF3gH4iJ5kLm";
pub(crate) const KID: &str = "kOpQ7dVvA1w2x3y4z5A6Bc";
const CAPACITY: u32 = 1000;
/// The root of what [`Fake::start_tls`] shows.
pub(crate) const CA_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fake/tls/ca.pem");
/// How often it says something.
pub(crate) const HEARTBEAT: Duration = Duration::from_millis(200);
/// How often it says that something comes: so seldom that no pause of the machine is taken for a silent stream.
const HEARTBEAT_TOLD: Duration = Duration::from_secs(20);
/// The tightest bound there is.
pub(crate) const BOUND: Duration = Duration::from_secs(2);
/// One that no pause of the machine reaches.
const LOOSE: Duration = Duration::from_mins(5);
/// Longer than anything takes.
pub(crate) const LIMIT: Duration = Duration::from_mins(1);

/// What is wrong with it.
pub(crate) struct Faults {
    /// Streams are answered so.
    pub(crate) streams: Option<StatusCode>,
    /// Entries are.
    pub(crate) entries: Option<StatusCode>,
    /// Look-ups are.
    pub(crate) look_ups: Option<StatusCode>,
    /// Activity is.
    pub(crate) activity: Option<StatusCode>,
    /// How long look-ups take.
    pub(crate) look_up_time: Duration,
    /// How long what a stream says lies in a buffer.
    pub(crate) delay: Duration,
    /// How often it says that something comes.
    pub(crate) heartbeat: Duration,
    /// The next event of entries is cut off at so many bytes.
    pub(crate) cut_at: Option<usize>,
    /// Sent once after hello.
    pub(crate) extra: Option<Vec<u8>>,
    /// Nothing is sent but the head.
    pub(crate) silent: bool,
    /// `issuer` of hello and of the metadata.
    pub(crate) issuer: Option<String>,
    pub(crate) metadata_issuer: Option<String>,
    /// Metadata are somewhere else.
    pub(crate) moved: Option<String>,
    /// Without these credentials everything is answered 401.
    pub(crate) authorization: Option<&'static str>,
    pub(crate) report: Option<u64>,
}

pub(crate) struct World {
    pub(crate) faults: Faults,
    /// Lists with their ended places.
    pub(crate) lists: BTreeMap<String, BTreeSet<u32>>,
    log: Vec<Value>,
    /// Lists that are told to nobody: they must be looked up.
    pub(crate) hidden: BTreeMap<String, BTreeSet<u32>>,
    pub(crate) asked_after: Vec<Option<String>>,
    pub(crate) polled: usize,
    pub(crate) looked_up: usize,
    pub(crate) activity: Vec<Value>,
    /// When reports were refused.
    pub(crate) refused_activity: Vec<UnixMillis>,
    /// Reports of whoever had no credentials.
    pub(crate) nameless_activity: usize,
    pub(crate) open_streams: usize,
    /// Streams that say something and hear of a goodbye, so far.
    pub(crate) spoken: usize,
    /// When it last looked at anything that it said of how current it is, by the clock that guards have.
    pub(crate) last_word: Duration,
}

pub(crate) struct Fake {
    pub(crate) issuer: String,
    world: Mutex<World>,
    grown: watch::Sender<usize>,
    goodbye: watch::Sender<usize>,
    signer: SigningKey,
}

impl Fake {
    pub(crate) async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (fake, app) = Self::at(format!("http://{}", listener.local_addr().unwrap()));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        fake
    }

    /// The same behind TLS, as `localhost`, by a root that only [`CA_FILE`] has.
    pub(crate) async fn start_tls() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (fake, app) = Self::at(format!("https://localhost:{}", listener.local_addr().unwrap().port()));
        let chain = vec![CertificateDer::from_pem_slice(include_bytes!("tls/leaf.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/leaf.key")).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, app) = (acceptor.clone(), app.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = hyper_util::service::TowerToHyperService::new(app);
                    let io = hyper_util::rt::TokioIo::new(stream);
                    let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
                });
            }
        });
        fake
    }

    fn at(issuer: String) -> (Arc<Self>, Router) {
        let faults = Faults {
            streams: None,
            entries: None,
            look_ups: None,
            activity: None,
            look_up_time: Duration::ZERO,
            delay: Duration::ZERO,
            heartbeat: HEARTBEAT_TOLD,
            cut_at: None,
            extra: None,
            silent: false,
            issuer: None,
            metadata_issuer: None,
            moved: None,
            authorization: None,
            report: None,
        };
        let world = World {
            faults,
            lists: BTreeMap::from([(LIST.to_owned(), BTreeSet::from([0]))]),
            log: Vec::new(),
            hidden: BTreeMap::new(),
            asked_after: Vec::new(),
            polled: 0,
            looked_up: 0,
            activity: Vec::new(),
            refused_activity: Vec::new(),
            nameless_activity: 0,
            open_streams: 0,
            spoken: 0,
            last_word: Duration::ZERO,
        };
        let fake = Arc::new(Self {
            issuer,
            world: Mutex::new(world),
            grown: watch::Sender::new(0),
            goodbye: watch::Sender::new(0),
            signer: key(Algorithm::Es256),
        });
        let app = Router::new()
            .route("/.well-known/oauth-authorization-server", get(metadata))
            .route("/api/guards/events", get(events))
            .route("/api/guards/entries", get(entries))
            .route("/api/guards/lists/{name}", get(list))
            .route("/api/guards/activity", post(activity))
            .with_state(Arc::clone(&fake));
        (fake, app)
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// A guard of it that does not mind how slow the machine is.
    pub(crate) fn options(&self) -> Options {
        Guard::connect_with(&self.issuer).max_staleness(LOOSE).start_within(LIMIT)
    }

    /// A guard that is to become stale while the test waits.
    pub(crate) async fn tight_guard(&self) -> ConnectedGuard {
        self.options().max_staleness(BOUND).connect().await.unwrap()
    }

    pub(crate) async fn guard(&self) -> ConnectedGuard {
        self.options().connect().await.unwrap()
    }

    pub(crate) fn tell(&self, entry: Value) {
        let mut world = self.world();
        world.log.push(entry);
        self.grown.send_replace(world.log.len());
    }

    pub(crate) fn end(&self, list: &str, index: u32) {
        if let Some(ended) = self.world().lists.get_mut(list) {
            ended.insert(index);
        }
        self.tell(json!({ "ended": { list: [index] } }));
    }

    pub(crate) fn say_goodbye(&self) {
        self.goodbye.send_modify(|count| *count += 1);
    }

    pub(crate) fn token(&self, list: &str, index: u32) -> String {
        self.token_for(list, index, Duration::from_hours(1))
    }

    pub(crate) fn token_for(&self, list: &str, index: u32, life: Duration) -> String {
        let now = SystemClock::new().now().seconds();
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: AUDIENCE.to_owned(),
            sub: "7".to_owned(),
            iat: now,
            exp: now + i64::try_from(life.as_secs()).unwrap(),
            jti: "jTi".to_owned(),
            sid: format!("sId{index}"),
            status: Status {
                status_list: StatusList { idx: index, uri: format!("{}/status-lists/{list}", self.issuer) },
            },
            user_id: 7,
            email: "ana@example.org".to_owned(),
            role_id: 2,
            name: "Ana".to_owned(),
        };
        let header = Header { alg: Algorithm::Es256, typ: SESSION_TYP, kid: KeyId::from_text(KID) };
        let input = signing_input(&header, &claims);
        attach_signature(&input, &self.signer.sign(&input).unwrap())
    }

    pub(crate) fn verifying_key(&self) -> cerrojo_guard::VerifyingKey {
        self.signer.verifying_key().clone()
    }

    fn keys(&self) -> Value {
        json!({ "keys": [self.signer.verifying_key().to_jwk(&KeyId::from_text(KID)).unwrap()] })
    }

    fn about(&self, world: &World) -> Value {
        let issuer = world.faults.issuer.as_ref().unwrap_or(&self.issuer);
        let heartbeat = u64::try_from(world.faults.heartbeat.as_millis()).unwrap();
        json!({
            "issuer": issuer, "audience": AUDIENCE, "heartbeat": heartbeat, "report": world.faults.report,
            "incarnation": "first",
        })
    }
}

fn lst(ended: &BTreeSet<u32>) -> String {
    let mut bytes = vec![0_u8; (CAPACITY / 8) as usize];
    for index in ended {
        bytes[(index / 8) as usize] |= 1 << (index % 8);
    }
    status_list::encode(&bytes)
}

fn list_json(name: &str, ended: &BTreeSet<u32>) -> Value {
    json!({ "name": name, "capacity": CAPACITY, "lst": lst(ended) })
}

fn event(name: &str, id: Option<usize>, data: &Value) -> Bytes {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("event: {name}\n{id}data: {data}\n\n").into()
}

/// All entries from a position on, as one.
fn gathered(log: &[Value]) -> Value {
    let mut ended: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let mut all = json!({});
    for entry in log {
        for (name, value) in entry.as_object().unwrap() {
            if name == "ended" {
                for (list, indexes) in value.as_object().unwrap() {
                    ended.entry(list.clone()).or_default().extend(indexes.as_array().unwrap().iter().cloned());
                }
            } else {
                all[name] = value.clone();
            }
        }
    }
    all["ended"] = json!(ended);
    all
}

fn refused(world: &World, headers: &HeaderMap, fault: Option<StatusCode>) -> Option<Response> {
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if world.faults.authorization.is_some() && sent != world.faults.authorization {
        return Some(StatusCode::UNAUTHORIZED.into_response());
    }
    fault.map(|status| (status, [(header::RETRY_AFTER, "1")]).into_response())
}

async fn metadata(State(fake): State<Arc<Fake>>) -> Response {
    let world = fake.world();
    if let Some(elsewhere) = &world.faults.moved {
        return (StatusCode::FOUND, [(header::LOCATION, elsewhere.clone())]).into_response();
    }
    let issuer = world.faults.metadata_issuer.as_ref().unwrap_or(&fake.issuer);
    let endpoint = format!("{}/api/guards", fake.issuer);
    Json(json!({ "issuer": issuer, "cerrojo_guard_endpoint": endpoint })).into_response()
}

/// A body from a channel; counts itself out when it is dropped.
struct Pieces {
    pieces: mpsc::Receiver<Result<Bytes, io::Error>>,
    fake: Arc<Fake>,
}

impl Stream for Pieces {
    type Item = Result<Bytes, io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.pieces.poll_recv(context)
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        self.fake.world().open_streams -= 1;
    }
}

async fn events(State(fake): State<Arc<Fake>>, headers: HeaderMap) -> Response {
    let arrival = SystemClock::new().elapsed();
    let after = headers.get("last-event-id").map(|id| id.to_str().unwrap().to_owned());
    {
        let mut world = fake.world();
        world.asked_after.push(after.clone());
        let fault = world.faults.streams;
        if let Some(response) = refused(&world, &headers, fault) {
            return response;
        }
        world.open_streams += 1;
    }
    let (out, pieces) = mpsc::channel(64);
    tokio::spawn(speak(Arc::clone(&fake), arrival, after.and_then(|after| after.parse().ok()), out));
    let body = Body::from_stream(Pieces { pieces, fake });
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}

type Out = mpsc::Sender<Result<Bytes, io::Error>>;

fn is_silent(fake: &Fake) -> bool {
    fake.world().faults.silent
}

/// `elapsed` of what is about to be said to a request.
fn look(world: &mut World, arrival: Duration) -> u64 {
    world.last_word = SystemClock::new().elapsed();
    u64::try_from(world.last_word.saturating_sub(arrival).as_millis()).unwrap()
}

async fn speak(fake: Arc<Fake>, arrival: Duration, after: Option<usize>, out: Out) {
    let (mut grown, mut goodbye) = (fake.grown.subscribe(), fake.goodbye.subscribe());
    if is_silent(&fake) {
        out.closed().await;
        return;
    }
    let mut at;
    let (first, delay) = {
        let mut world = fake.world();
        world.spoken += 1;
        let mut first = vec![event("hello", None, &fake.about(&world))];
        first.extend(world.faults.extra.take().map(Bytes::from));
        at = world.log.len();
        if let Some(after) = after {
            let mut data = gathered(&world.log[after..]);
            data["elapsed"] = json!(look(&mut world, arrival));
            first.push(event("entries", Some(at), &data));
        } else {
            first.extend(world.lists.iter().map(|(name, ended)| event("list", None, &list_json(name, ended))));
            let elapsed = look(&mut world, arrival);
            let names: Vec<_> = world.lists.keys().collect();
            let end = json!({ "elapsed": elapsed, "keys": fake.keys(), "lists": names });
            first.push(event("snapshot", Some(at), &end));
        }
        (first, world.faults.delay)
    };
    // What lies between server and guard.
    let (buffer, mut buffered) = mpsc::unbounded_channel::<(tokio::time::Instant, Bytes)>();
    tokio::spawn(async move {
        while let Some((due, bytes)) = buffered.recv().await {
            tokio::time::sleep_until(due).await;
            if out.send(Ok(bytes)).await.is_err() {
                return;
            }
        }
    });
    let send = |bytes| buffer.send((tokio::time::Instant::now() + delay, bytes)).is_ok();
    for bytes in first {
        send(bytes);
    }
    loop {
        tokio::select! {
            _ = goodbye.changed() => {
                send(event("goodbye", None, &json!({ "retry": 100 })));
                return;
            }
            _ = grown.changed() => {}
            () = tokio::time::sleep(HEARTBEAT) => {}
        }
        let (bytes, cut) = {
            let mut world = fake.world();
            if at == world.log.len() {
                (event("heartbeat", None, &json!({ "elapsed": look(&mut world, arrival) })), None)
            } else {
                let mut data = gathered(&world.log[at..]);
                data["elapsed"] = json!(look(&mut world, arrival));
                at = world.log.len();
                (event("entries", Some(at), &data), world.faults.cut_at.take())
            }
        };
        if let Some(cut) = cut {
            send(bytes.slice(..cut));
            return;
        }
        if !send(bytes) {
            return;
        }
    }
}

async fn entries(
    State(fake): State<Arc<Fake>>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let arrival = SystemClock::new().elapsed();
    let mut world = fake.world();
    world.polled += 1;
    let fault = world.faults.entries;
    if let Some(response) = refused(&world, &headers, fault) {
        return response;
    }
    let mut body = fake.about(&world);
    if let Some(after) = query.get("after").and_then(|after| after.parse::<usize>().ok()) {
        for (name, value) in gathered(&world.log[after..]).as_object().unwrap() {
            body[name] = value.clone();
        }
    } else {
        let lists: Vec<_> = world.lists.iter().map(|(name, ended)| list_json(name, ended)).collect();
        body["snapshot"] = json!({ "keys": fake.keys(), "lists": lists });
    }
    body["position"] = json!(world.log.len().to_string());
    body["elapsed"] = json!(look(&mut world, arrival));
    Json(body).into_response()
}

async fn list(State(fake): State<Arc<Fake>>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    let time = fake.world().faults.look_up_time;
    tokio::time::sleep(time).await;
    let mut world = fake.world();
    world.looked_up += 1;
    let fault = world.faults.look_ups;
    if let Some(response) = refused(&world, &headers, fault) {
        return response;
    }
    match world.hidden.get(&name).or_else(|| world.lists.get(&name)) {
        Some(ended) => Json(list_json(&name, ended)).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn activity(State(fake): State<Arc<Fake>>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let mut world = fake.world();
    world.nameless_activity += usize::from(!headers.contains_key(header::AUTHORIZATION));
    let fault = world.faults.activity;
    if let Some(response) = refused(&world, &headers, fault) {
        world.refused_activity.push(SystemClock::new().now());
        return response;
    }
    world.activity.push(body);
    Json(json!({ "success": true, "message": "", "data": null })).into_response()
}

/// Waits until this holds. The limit is for tests that fail; what takes longer on a slow machine is awaited all the same.
pub(crate) async fn until(mut holds: impl FnMut() -> bool) {
    let clock = SystemClock::new();
    let begin = clock.elapsed();
    while !holds() {
        assert!(clock.elapsed().saturating_sub(begin) < LIMIT, "it does not come to hold");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
