//! `/admin/keys`: signing keys.

use axum::response::Response;
use cerrojo_app::keys::{self, KeyRow, RotateError};
use cerrojo_domain::{KeyId, UnixMillis};
use minijinja::context;
use minijinja::value::Serde;
use serde::Serialize;

use super::query::Query;
use super::words::short;
use super::{Administrator, Consent, Weight};
use crate::envelope::Text;
use crate::pages::form::Form;
use crate::pages::stage::View;
use crate::pages::told::Told;
use crate::problem::Problem;

/// Rows on a page; keys are made a few times a year.
const MOST: usize = 40;

const HERE: &str = "/admin/keys";

#[derive(Serialize)]
struct Row {
    id: String,
    algorithm: String,
    /// `session` or `status_list`.
    purpose: String,
    state: &'static str,
    made: String,
    rotated: Option<String>,
    retired: Option<String>,
    /// Sessions that it signed and that have not ended.
    live: i64,
    /// From when on it has signed none that can be live.
    outlived: Option<String>,
}

/// Every key.
pub(in crate::pages) async fn page(administrator: Administrator) -> Response {
    let standing = match keys::standing(&administrator.stage.web, administrator.by()).await {
        Ok(standing) => standing,
        Err(error) => return administrator.stage.fail(error.into()),
    };
    let row = |(key, live): &(KeyRow, i64)| Row {
        outlived: standing.outlived(key).map(UnixMillis::rfc3339),
        id: key.id.to_string(),
        algorithm: short(&key.algorithm),
        purpose: key.purpose.clone(),
        state: key.state,
        made: key.created_at.rfc3339(),
        rotated: key.rotated_at.map(UnixMillis::rfc3339),
        retired: key.retired_at.map(UnixMillis::rfc3339),
        live: *live,
    };
    let rows: Vec<Row> = standing.keys.iter().take(MOST).map(row).collect();
    let own = context! {
        here => "keys",
        rows => Serde(rows),
        left_out => standing.keys.len().saturating_sub(MOST),
        is_given => standing.is_given,
    };
    administrator.show(View::new("admin/keys.html", own)).await
}

/// The newest key there is: whoever confirms new ones twice means them once.
async fn newest(administrator: &Administrator) -> Result<String, Response> {
    match keys::list(&administrator.stage.web).await {
        Ok(keys) => Ok(keys.last().map(|key| key.id.to_string()).unwrap_or_default()),
        Err(trouble) => Err(administrator.stage.fail(trouble.into())),
    }
}

fn rotate_page(administrator: &Administrator, newest: String) -> View<'static> {
    let line = |es, en| administrator.says(Text { es, en }).to_owned();
    administrator.asks(Consent {
        here: "keys",
        title: Text { es: "Hacer claves nuevas", en: "Make new keys" },
        lines: vec![
            line(
                "Dentro de unos segundos firman claves nuevas: una para las sesiones y otra para las listas de estado.",
                "In a few seconds new keys sign: one for sessions and one for status lists.",
            ),
            line(
                "Nadie lo nota: lo que firmaron las anteriores sigue valiendo hasta que caduque.",
                "Nobody notices: what the older ones signed goes on until it expires.",
            ),
        ],
        act: ("/admin/keys/rotate", Text { es: "Hacer claves nuevas", en: "Make new keys" }),
        hidden: vec![("newest", newest)],
        back: HERE,
        weight: Weight::Light,
    })
}

/// Asks whether new keys are to be made.
pub(in crate::pages) async fn rotate_form(administrator: Administrator) -> Response {
    match newest(&administrator).await {
        Ok(newest) => administrator.show(rotate_page(&administrator, newest)).await,
        Err(failed) => failed,
    }
}

/// Makes new keys.
pub(in crate::pages) async fn rotate(form: Form, administrator: Administrator) -> Response {
    let newest = match newest(&administrator).await {
        Ok(newest) => newest,
        Err(failed) => return failed,
    };
    let shown = form.text("newest").unwrap_or_else(|| newest.clone());
    if let Err(problem) = administrator.confirm(&form).await {
        return administrator.refuse(rotate_page(&administrator, shown), problem);
    }
    if shown != newest {
        return administrator.stage.go_telling(HERE, &Told::KeyRotated);
    }
    match keys::rotate_by(&administrator.stage.web, administrator.by()).await {
        Ok(_) => administrator.stage.go_telling(HERE, &Told::KeyRotated),
        Err(error) => refused(&administrator, rotate_page(&administrator, shown), error),
    }
}

async fn retire_page(administrator: &Administrator, id: &str) -> Result<View<'static>, Response> {
    let standing = keys::standing(&administrator.stage.web, administrator.by()).await;
    let standing = standing.map_err(|error| administrator.stage.fail(error.into()))?;
    let Some((key, live)) = standing.keys.iter().find(|(key, _)| key.id.as_str() == id) else {
        return Err(administrator.stage.go_telling(HERE, &Told::NoKey));
    };
    let says = |es, en| administrator.says(Text { es, en });
    let mut lines = vec![format!("{} {}", says("La clave es", "The key is"), key.id)];
    lines.push(says(
        "Solo hace falta si alguien puede tener la clave privada. No tiene vuelta atrás: nada de lo que firmó se acepta ya, en ningún nodo ni servicio.",
        "It is needed only if somebody may have the private key. There is no way back: nothing that it signed is accepted any more, by any node or service.",
    ).to_owned());
    lines.push(format!("{} {live}", says("Sesiones que terminan con ella:", "Sessions that end with it:")));
    if key.state == "signing" {
        lines.push(
            if standing.is_given && key.purpose == "session" {
                says(
                    "Es el secreto de los ajustes: hasta que token.secret sea otro nadie podrá iniciar sesión.",
                    "It is the secret of the settings: until token.secret is another one nobody can sign in.",
                )
            } else {
                says("Firma ahora; otra nueva ocupa su lugar.", "It signs now; a new one takes its place.")
            }
            .to_owned(),
        );
    }
    Ok(administrator.asks(Consent {
        here: "keys",
        title: Text { es: "Retirar una clave", en: "Retire a key" },
        lines,
        act: ("/admin/keys/retire", Text { es: "Retirar la clave", en: "Retire the key" }),
        hidden: vec![("id", key.id.to_string())],
        back: HERE,
        weight: Weight::Grave,
    }))
}

/// Asks whether a key is to be retired, and says what ends with it.
pub(in crate::pages) async fn retire_form(administrator: Administrator, query: Query) -> Response {
    match retire_page(&administrator, &query.text("id").unwrap_or_default()).await {
        Ok(view) => administrator.show(view).await,
        Err(response) => response,
    }
}

/// Retires a key.
pub(in crate::pages) async fn retire(form: Form, administrator: Administrator) -> Response {
    let id = form.typed("id");
    let view = match retire_page(&administrator, &id).await {
        Ok(view) => view,
        Err(response) => return response,
    };
    if let Err(problem) = administrator.confirm(&form).await {
        return administrator.refuse(view, problem);
    }
    match keys::retire_by(&administrator.stage.web, administrator.by(), &KeyId::from_text(id.as_str())).await {
        // If it signed the administrator's own session, the next page says so.
        Ok(_) => administrator.stage.go_telling(HERE, &Told::KeyRetired),
        Err(error) => refused(&administrator, view, error),
    }
}

fn refused(administrator: &Administrator, view: View<'_>, error: RotateError) -> Response {
    let problem = match error {
        RotateError::GivenSecret => return administrator.stage.go_telling(HERE, &Told::KeyGiven),
        RotateError::NotFound => return administrator.stage.go_telling(HERE, &Told::NoKey),
        RotateError::Admin(error) => Problem::from(error),
        RotateError::Trouble(trouble) => trouble.into(),
    };
    administrator.refuse(view, problem)
}
