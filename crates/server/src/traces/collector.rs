//! The way to a collector: OTLP over HTTP, encoded as protobuf (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>).

use std::time::Duration;

use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use prost::Message as _;

use crate::config::TraceSettings;
use crate::failure::Failure;
use crate::tls_client;

/// How long it may take over one request.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of its answer that are read.
const LONGEST: usize = 64 * 1024;

/// Where spans are sent.
pub(super) struct Collector {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    endpoint: Uri,
    headers: HeaderMap,
}

/// Why it did not take them.
#[derive(Debug)]
pub(super) enum NotTaken {
    /// It may take them later.
    Later(String),
    /// It never will.
    Never(String),
}

impl std::fmt::Display for NotTaken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Later(why) | Self::Never(why)) = self;
        f.write_str(why)
    }
}

impl Collector {
    pub(super) fn new(settings: &TraceSettings) -> Result<Self, Failure> {
        let endpoint: Uri = settings.endpoint.as_str().parse().map_err(Failure::because("traces.endpoint"))?;
        let tls = match settings.endpoint.scheme() {
            "https" => tls_client::config()?,
            _ => tls_client::that_trusts_nobody()?,
        };
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        let mut headers = settings.headers.clone();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("cerrojo/", env!("CARGO_PKG_VERSION"))));
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector), endpoint, headers })
    }

    /// Sends spans; how many of them were rejected.
    pub(super) async fn send(&self, spans: Vec<ResourceSpans>) -> Result<usize, NotTaken> {
        let body = ExportTraceServiceRequest { resource_spans: spans }.encode_to_vec();
        let late = |_| Err(NotTaken::Later(format!("no answer within {} s", PATIENCE.as_secs())));
        tokio::time::timeout(PATIENCE, self.post(body)).await.unwrap_or_else(late)
    }

    async fn post(&self, body: Vec<u8>) -> Result<usize, NotTaken> {
        let mut request = Request::post(self.endpoint.clone())
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| NotTaken::Never(error.to_string()))?;
        *request.headers_mut() = self.headers.clone();
        let response = self.client.request(request).await.map_err(|error| NotTaken::Later(causes(&error)))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LONGEST).collect().await;
        let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        if status.is_success() {
            let answer = ExportTraceServiceResponse::decode(body).unwrap_or_default();
            let rejected = answer.partial_success.map_or(0, |partial| partial.rejected_spans);
            return Ok(usize::try_from(rejected).unwrap_or(0));
        }
        let why = format!("it answered {status}");
        // As the specification has it, section «Retryable Response Codes».
        match status {
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Err(NotTaken::Later(why)),
            _ => Err(NotTaken::Never(why)),
        }
    }
}

/// An error with all that led to it: by itself the client's says little.
fn causes(error: &dyn std::error::Error) -> String {
    let all = std::iter::successors(Some(error), |error| error.source());
    all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
