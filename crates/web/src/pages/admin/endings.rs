//! `/admin/endings`: the endings of everybody's sessions.

use axum::response::Response;
use cerrojo_app::administer;
use cerrojo_app::system::{Ended, EndingsAsked, endings};
use cerrojo_domain::EndReason;
use minijinja::context;
use minijinja::value::Serde;
use serde::Serialize;

use super::query::Query;
use super::words::{self, short};
use super::{Administrator, Consent, Weight};
use crate::cookie::KeptPages;
use crate::envelope::Text;
use crate::pages::form::Form;
use crate::pages::stage::View;
use crate::pages::told::{Told, Whose};
use crate::pages::{Language, written};
use crate::problem::Problem;

/// Rows on a page.
pub(super) const MOST: i64 = 35;

const HERE: &str = "/admin/endings";

/// An ending as a row shows it, and as the stream sends it.
#[derive(Serialize)]
pub(super) struct Row {
    /// What tells it from all others.
    key: String,
    at: String,
    /// The same in words.
    moment: String,
    why: &'static str,
    by: &'static str,
    /// The administrator who did it.
    by_id: Option<i64>,
    whose: Option<i64>,
    name: String,
    email: String,
    /// What was signed in, in words, where that is known.
    device: String,
    place: String,
}

impl Row {
    pub(super) fn of(ended: &Ended, language: Language) -> Self {
        let says = |text: Text| language.pick(text.es, text.en);
        let (kind, number) = ended.by.split_once(':').unwrap_or((&ended.by, ""));
        let (name, email) = ended.account.clone().unwrap_or_default();
        let at = ended.at.rfc3339();
        Self {
            key: ended.session.as_ref().map_or_else(|| format!("all-{}", ended.id), ToString::to_string),
            moment: written::moment(&at, language),
            at,
            why: EndReason::parse(&ended.reason).map(words::reason).map(says).unwrap_or_default(),
            by: says(words::doer(kind)),
            by_id: (kind == "administrator").then(|| number.parse().ok()).flatten(),
            whose: ended.user.map(|user| user.0),
            name: if ended.everything {
                says(Text { es: "Todas las sesiones", en: "Every session" }).to_owned()
            } else {
                short(&name)
            },
            email: short(&email),
            device: ended.device.as_deref().map(|device| written::device(device, language)).unwrap_or_default(),
            place: ended.place.clone().unwrap_or_default(),
        }
    }
}

/// What the address of the page, and that of the stream, asks for.
pub(super) fn asked(query: &Query) -> EndingsAsked {
    EndingsAsked {
        user: query.text("user"),
        by: query.text("by"),
        reason: query.text("reason"),
        before: query.number("before"),
    }
}

/// The newest ones.
pub(in crate::pages) async fn page(administrator: Administrator, query: Query) -> Response {
    let found = endings(&administrator.stage.web, administrator.by(), asked(&query), MOST).await;
    let language = administrator.stage.language;
    let (ended, before, problem) = match found {
        Ok(found) => (found.ended, found.before, None),
        Err(error) => (Vec::new(), None, Some(Problem::from(error))),
    };
    let rows: Vec<Row> = ended.iter().map(|ended| Row::of(ended, language)).collect();
    let reasons: Vec<_> =
        EndReason::ALL.iter().map(|one| (one.as_str(), administrator.says(words::reason(*one)))).collect();
    let doers = words::DOERS.map(|(kind, text)| (kind, administrator.says(text)));
    let own = context! {
        here => "endings",
        values => context! { user => query.text("user"), by => query.text("by"), reason => query.text("reason") },
        rows => Serde(rows),
        reasons => reasons,
        doers => doers.to_vec(),
        query => query.again(&["user", "by", "reason"]),
        before => before,
        is_first => query.number("before").is_none(),
    };
    let view = View::new("admin/endings.html", own);
    match problem {
        None => administrator.show(view).await,
        Some(problem) => administrator.refuse(view, problem),
    }
}

fn all_page(administrator: &Administrator) -> View<'static> {
    let line = |es, en| administrator.says(Text { es, en }).to_owned();
    administrator.asks(Consent {
        here: "endings",
        title: Text { es: "Cerrar todas las sesiones", en: "End every session" },
        lines: vec![
            line(
                "Todas las sesiones de todas las personas terminan en este momento, en todos los nodos. La tuya también.",
                "Every session of everybody ends at this moment, on every node. Yours as well.",
            ),
            line(
                "Cada cual tendrá que volver a iniciar sesión. Ninguna contraseña cambia.",
                "Everybody has to sign in again. No password changes.",
            ),
        ],
        act: ("/admin/endings/all", Text { es: "Cerrar todas las sesiones", en: "End every session" }),
        hidden: Vec::new(),
        back: HERE,
        weight: Weight::Grave,
    })
}

/// Asks whether every session is to end.
pub(in crate::pages) async fn all_form(administrator: Administrator) -> Response {
    administrator.show(all_page(&administrator)).await
}

/// Ends every session.
pub(in crate::pages) async fn end_all(form: Form, administrator: Administrator) -> Response {
    if let Err(problem) = administrator.confirm(&form).await {
        return administrator.refuse(all_page(&administrator), problem);
    }
    let stage = &administrator.stage;
    match administer::end_everything_by(&stage.web, administrator.by()).await {
        Ok(()) => {
            let told = Told::SignedOut(Some(Whose::of(&administrator.caller)));
            stage.leaving(stage.go_telling("/logged-out", &told), KeptPages::Forgotten)
        }
        Err(error) => administrator.refuse(all_page(&administrator), error.into()),
    }
}
