//! Who is at the other end: address and device.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use cerrojo_domain::Origin;
use http::header::USER_AGENT;
use http::request::Parts;

use crate::{Web, proxies};

/// Where the request comes from.
pub(crate) struct Client(pub(crate) Origin);

impl FromRequestParts<Web> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Infallible> {
        let peer = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| info.0.ip());
        let address = proxies::client_address(peer, &parts.headers, &web.settings().trusted_proxies);
        let device =
            parts.headers.get(USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes())).unwrap_or_default();
        Ok(Self(Origin::new(address, &device)))
    }
}
