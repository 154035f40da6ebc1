//! `/admin/audit/export`: the trail as a file.

use axum::body::Bytes;
use axum::response::Response;
use cerrojo_app::audit::{self, Exporting, Format};
use cerrojo_app::authenticate::AuthError;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use minijinja::context;

use super::Administrator;
use super::audit::{NAMES, asked};
use super::query::Query;
use crate::Web;
use crate::pages::form::Form;
use crate::pages::stage::View;
use crate::problem::Problem;
use crate::unfold::{self, Pieces};

fn export_page(administrator: &Administrator, text: impl Fn(&str) -> Option<String>) -> View<'static> {
    let asked: Vec<_> = NAMES.iter().filter_map(|name| Some((*name, text(name)?))).collect();
    let own = context! {
        here => "audit",
        asked => asked,
        is_csv => text("format").as_deref() == Some("csv"),
        confirms => administrator.confirms(),
    };
    View::new("admin/export.html", own)
}

/// Asks how it is to be written.
pub(in crate::pages) async fn form(administrator: Administrator, query: Query) -> Response {
    administrator.show(export_page(&administrator, |name| query.text(name))).await
}

/// Writes it.
pub(in crate::pages) async fn export(form: Form, administrator: Administrator) -> Response {
    let text = |name: &str| form.text(name).filter(|text| !text.is_empty());
    if let Err(problem) = administrator.confirm(&form).await {
        return administrator.refuse(export_page(&administrator, text), problem);
    }
    let (format, kind, name) = match text("format").as_deref() {
        Some("csv") => (Format::Csv(b','), "text/csv; charset=utf-8", "attachment; filename=\"audit.csv\""),
        _ => (Format::Lines, "application/jsonl; charset=utf-8", "attachment; filename=\"audit.jsonl\""),
    };
    let web = administrator.stage.web.clone();
    match audit::export(&web, administrator.by(), asked(text, None), format).await {
        Err(error) => administrator.refuse(export_page(&administrator, text), Problem::from(error)),
        Ok(exporting) => {
            let mut response = Response::new(unfold::body(File { web, exporting, is_whole: true }));
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static(name));
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
    }
}

struct File {
    web: Web,
    exporting: Exporting,
    is_whole: bool,
}

impl Pieces for File {
    async fn next(&mut self) -> Option<Bytes> {
        match self.exporting.next(&self.web).await {
            Ok(piece) => piece.map(Bytes::from),
            Err(refused) => {
                match refused {
                    AuthError::Trouble(trouble) => {
                        tracing::error!(error = %trouble, "an export of the audit trail was broken off");
                    }
                    AuthError::Invalid | AuthError::Over => {
                        tracing::info!(
                            "an export of the audit trail was broken off: the session that asked for it is over"
                        );
                    }
                }
                self.is_whole = false;
                None
            }
        }
    }

    fn is_whole(&self) -> bool {
        self.is_whole
    }
}
