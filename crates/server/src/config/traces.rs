//! Where traces are sent, and which.

use std::net::IpAddr;

use cerrojo_domain::host::is_loopback;
use cerrojo_web::Network;
use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::check::is_near;
use super::read::Reader;
use super::{keys, values};

/// How traces are sent.
#[derive(Clone)]
pub(crate) struct TraceSettings {
    /// Of the collector, with its path.
    pub(crate) endpoint: Url,
    /// Sent to it with each request; secret.
    pub(crate) headers: HeaderMap,
    /// The share of requests that are traced, from 0 to 1.
    pub(crate) ratio: f64,
    /// `service.name`.
    pub(crate) service_name: String,
    /// Whose `traceparent` is believed.
    pub(crate) callers: Vec<Network>,
}

/// `None`: none are sent, or something is wrong, which is in the reader then.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<TraceSettings> {
    let endpoint = reader.optional(&keys::TRACES_ENDPOINT, endpoint);
    let headers = reader.list(&keys::TRACES_HEADERS, header).unwrap_or_default();
    let ratio = reader.value(&keys::TRACES_RATIO, ratio);
    let service_name = reader.value(&keys::TRACES_SERVICE, values::text);
    let callers = reader.list(&keys::TRACES_CALLERS, values::network).unwrap_or_default();
    let headers = headers.into_iter().collect();
    Some(TraceSettings { endpoint: endpoint?, headers, ratio: ratio?, service_name: service_name?, callers })
}

/// What is sent with traces should not be read on the way.
pub(super) fn warning(settings: &TraceSettings) -> Option<String> {
    let host = settings.endpoint.host_str()?.trim_matches(['[', ']']);
    let stays = is_loopback(host) || host.parse::<IpAddr>().is_ok_and(is_near);
    let is_open = settings.endpoint.scheme() == "http" && !stays && !settings.headers.is_empty();
    is_open.then(|| format!("traces.endpoint is {}: traces.headers travel unencrypted; use https", settings.endpoint))
}

fn endpoint(text: &str) -> Result<Url, values::Wrong> {
    values::web_url(text)?;
    let mut url = Url::parse(text).map_err(|error| error.to_string())?;
    if url.path() == "/" {
        url.set_path("/v1/traces");
    }
    Ok(url)
}

/// `Authorization=Bearer …`.
fn header(text: &str) -> Result<(HeaderName, HeaderValue), values::Wrong> {
    let (name, value) = text.split_once('=').ok_or("a header has a name, =, and a value")?;
    let name: HeaderName = name.trim().parse().map_err(|_| "that is no name of a header".to_owned())?;
    let mut value = HeaderValue::from_str(value.trim()).map_err(|_| "that is no value of a header".to_owned())?;
    value.set_sensitive(true);
    Ok((name, value))
}

fn ratio(text: &str) -> Result<f64, values::Wrong> {
    text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio)).ok_or_else(String::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_is_named_with_or_without_the_path() {
        let path = |text: &str| endpoint(text).map(String::from);
        assert_eq!(path("http://127.0.0.1:4318").as_deref(), Ok("http://127.0.0.1:4318/v1/traces"));
        assert_eq!(path("https://otlp.example.com/a/v1/traces").as_deref(), Ok("https://otlp.example.com/a/v1/traces"));
        for bad in ["127.0.0.1:4318", "grpc://a:4317", "https://u:p@a", "https://a?key=b"] {
            assert!(endpoint(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn headers_are_sensitive_and_whole() {
        let (name, value) = header("Authorization=Basic dTpw=").unwrap();
        assert_eq!((name.as_str(), value.as_bytes()), ("authorization", &b"Basic dTpw="[..]));
        assert!(!format!("{value:?}").contains("dTpw"));
        for bad in ["Authorization", "a b=c", "a=\n"] {
            assert!(header(bad).is_err() || bad == "a=\n", "{bad}");
        }
    }

    #[test]
    fn a_share_is_from_none_to_all() {
        assert!(ratio("0").is_ok() && ratio("1").is_ok() && ratio("0.25").is_ok());
        for bad in ["-0.1", "1.1", "NaN", "inf", "all", ""] {
            assert!(ratio(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn headers_on_an_open_way_are_warned_of() {
        let of = |endpoint: &str, headers: &[&str]| {
            warning(&TraceSettings {
                endpoint: endpoint.parse().unwrap(),
                headers: headers.iter().map(|text| header(text).unwrap()).collect(),
                ratio: 1.0,
                service_name: "x".to_owned(),
                callers: Vec::new(),
            })
        };
        let told = of("http://otlp.example.com/v1/traces", &["a=geheim"]).unwrap();
        assert!(told.contains("unencrypted") && !told.contains("geheim"), "{told}");
        assert_eq!(of("http://otlp.example.com/v1/traces", &[]), None);
        assert_eq!(of("http://10.0.0.7:4318/v1/traces", &["a=b"]), None);
        assert_eq!(of("http://localhost:4318/v1/traces", &["a=b"]), None);
        assert_eq!(of("https://otlp.example.com/v1/traces", &["a=b"]), None);
    }
}
