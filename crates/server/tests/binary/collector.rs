//! A collector on the loopback, as far as OTLP over HTTP goes.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

/// One request that came.
pub(crate) struct Sent {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// Takes what is sent, and answers with each of the statuses in turn, then with 200.
pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl Collector {
    pub(crate) fn start(statuses: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let sent = Arc::new(Mutex::new(Vec::new()));
        let statuses = Arc::new(Mutex::new(statuses.to_vec()));
        let into = Arc::clone(&sent);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (into, statuses) = (Arc::clone(&into), Arc::clone(&statuses));
                std::thread::spawn(move || converse(stream, &into, &statuses));
            }
        });
        Self { address, sent }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All that was sent and answered until now.
    pub(crate) fn sent(&self) -> std::sync::MutexGuard<'_, Vec<Sent>> {
        self.sent.lock().unwrap()
    }

    /// All spans, of what was sent last if something was sent several times.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let requests = self
            .sent()
            .iter()
            .map(|sent| ExportTraceServiceRequest::decode(&sent.body[..]).unwrap())
            .collect::<Vec<_>>();
        let scopes =
            requests.into_iter().flat_map(|request| request.resource_spans).flat_map(|spans| spans.scope_spans);
        let all = scopes.flat_map(|scope| scope.spans).map(|span| (span.span_id.clone(), span));
        all.collect::<BTreeMap<_, _>>().into_values().collect()
    }
}

fn converse(stream: TcpStream, into: &Mutex<Vec<Sent>>, statuses: &Mutex<Vec<u16>>) {
    let mut write = stream.try_clone().unwrap();
    let mut read = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if read.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let head = head.to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        read.read_exact(&mut body).unwrap();
        into.lock().unwrap().push(Sent { head, body });
        let mut statuses = statuses.lock().unwrap();
        let status = if statuses.is_empty() { 200 } else { statuses.remove(0) };
        drop(statuses);
        let _ =
            write!(write, "HTTP/1.1 {status} x\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n");
    }
}

/// The value of an attribute, as text; empty if it has none of that name.
pub(crate) fn attribute(span: &Span, name: &str) -> String {
    let found = span.attributes.iter().find(|one| one.key == name);
    match found.and_then(|one| one.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(other) => format!("{other:?}"),
        None => String::new(),
    }
}
