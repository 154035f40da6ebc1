//! What pages look like: style, script and logo, each a file whose name has its hash, so that it may be kept for ever.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use ring::digest::{SHA256, digest};

use super::Accent;
use crate::Web;
use crate::problem::{self, Problem};

const STYLE: &str = include_str!("pages.css");
const SCRIPT: &str = include_str!("pages.js");
const ADMIN_STYLE: &str = include_str!("admin.css");
const ADMIN_SCRIPT: &str = include_str!("admin.js");

const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// Largest picture that is taken for a logo, in bytes: a page has at most 50 kB in all.
pub const LARGEST_LOGO: usize = 24 * 1024;

/// For a picture that somebody opens by itself: what SVG carries does not run.
const LOGO_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// A picture that stands for whoever runs the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logo {
    bytes: Bytes,
    kind: (&'static str, &'static str),
}

impl Logo {
    /// Takes the content of a PNG, WebP or SVG file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(bytes: Vec<u8>) -> Result<Self, String> {
        if bytes.len() > LARGEST_LOGO {
            return Err(format!("it has {} bytes, and {LARGEST_LOGO} at most are sent with every page", bytes.len()));
        }
        let kind = kind(&bytes).ok_or("it is no PNG, WebP or SVG file")?;
        Ok(Self { bytes: bytes.into(), kind })
    }
}

/// Ending and media type, by how a file begins.
fn kind(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Some(("png", "image/png"));
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        return Some(("webp", "image/webp"));
    }
    let text = std::str::from_utf8(bytes).ok()?.trim_start_matches('\u{feff}').trim_start();
    let is_svg =
        (text.starts_with("<?xml") || text.starts_with("<!--") || text.starts_with("<svg")) && text.contains("<svg");
    is_svg.then_some(("svg", "image/svg+xml"))
}

struct Asset {
    name: String,
    kind: &'static str,
    bytes: Bytes,
}

impl Asset {
    fn new((stem, ending): (&str, &str), kind: &'static str, bytes: Bytes) -> Self {
        let hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, &bytes).as_ref().get(..9).unwrap_or_default());
        Self { name: format!("{stem}-{hash}.{ending}"), kind, bytes }
    }
}

/// Everything that pages load.
pub(super) struct Looks {
    style: Asset,
    script: Asset,
    admin_style: Asset,
    admin_script: Asset,
    logo: Option<Asset>,
}

impl Looks {
    pub(super) fn new(accent: Accent, logo: Option<Logo>) -> Self {
        let style = format!("{}{STYLE}", accent.variables());
        Self {
            style: Asset::new(("pages", "css"), CSS, style.into()),
            script: Asset::new(("pages", "js"), JAVASCRIPT, SCRIPT.into()),
            admin_style: Asset::new(("admin", "css"), CSS, ADMIN_STYLE.into()),
            admin_script: Asset::new(("admin", "js"), JAVASCRIPT, ADMIN_SCRIPT.into()),
            logo: logo.map(|Logo { bytes, kind: (ending, kind) }| Asset::new(("logo", ending), kind, bytes)),
        }
    }

    /// Names of style, script and logo.
    pub(super) fn names(&self) -> (&str, &str, Option<&str>) {
        (&self.style.name, &self.script.name, self.logo.as_ref().map(|logo| &*logo.name))
    }

    /// Names of the style and the script that the administrators' pages have beside these.
    pub(super) fn administrators_names(&self) -> (&str, &str) {
        (&self.admin_style.name, &self.admin_script.name)
    }

    /// The one of this name; of another release's or node's the one that is in its place here, so that a page looks as it should
    /// while nodes are upgraded one by one.
    fn find(&self, name: &str) -> Option<&Asset> {
        let for_all = [&self.style, &self.script, &self.admin_style, &self.admin_script];
        let mut all = for_all.into_iter().chain(self.logo.as_ref());
        let kind = |name: &str| Some((name.split_once('-')?.0.to_owned(), name.rsplit_once('.')?.1.to_owned()));
        let asked = kind(name)?;
        all.find(|asset| kind(&asset.name).as_ref() == Some(&asked))
    }
}

/// Style, script or logo.
pub(super) async fn file(State(web): State<Web>, Path(name): Path<String>) -> Result<Response, Problem> {
    let found = web.pages().and_then(|pages| pages.looks.find(&name));
    let Some(asset) = found else { return Err((&problem::NO_ROUTE).into()) };
    let mut response = asset.bytes.clone().into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    let kept = if asset.name == name { "public, max-age=31536000, immutable" } else { "no-store" };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(kept));
    if asset.kind.starts_with("image/") {
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(LOGO_POLICY));
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logo_is_known_by_its_content() {
        let ending = |bytes: &[u8]| Logo::new(bytes.to_vec()).map(|logo| logo.kind.0);
        assert_eq!(ending(b"\x89PNG\r\n\x1a\n...."), Ok("png"));
        assert_eq!(ending(b"RIFF\0\0\0\0WEBPVP8 "), Ok("webp"));
        assert_eq!(ending("\u{feff}<?xml version=\"1.0\"?>\n<svg></svg>".as_bytes()), Ok("svg"));
        for other in [&b""[..], b"GIF89a", b"<html><svg>", b"<?xml?><html>", b"\xff<svg"] {
            assert!(ending(other).is_err(), "{other:?}");
        }
        assert!(Logo::new(vec![b' '; LARGEST_LOGO + 1]).unwrap_err().contains("24577 bytes"));
    }

    #[test]
    fn another_colour_is_another_file() {
        let names = |accent: &str| Looks::new(Accent::parse(accent).unwrap(), None).style.name;
        assert_eq!(names("#1f5fa8"), names("#1F5FA8"));
        assert_ne!(names("#1f5fa8"), names("#a3271c"));
        let looks = Looks::new(Accent::default(), None);
        assert_eq!(looks.find("pages-ofAnotherNode.css").unwrap().kind, "text/css; charset=utf-8");
        for other in ["pages.css", "other-x.css", "pages-x.html", "logo-x.png", ""] {
            assert!(looks.find(other).is_none(), "{other}");
        }
    }
}
