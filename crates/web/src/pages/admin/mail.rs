//! `/admin/mail`: what is to leave, what has left, and whether mail leaves at all.

use axum::response::Response;
use cerrojo_app::administer::AdminError;
use cerrojo_app::mail::{self, Job, NotNow, Route};
use cerrojo_domain::UnixMillis;
use minijinja::context;
use minijinja::value::Serde;
use serde::Serialize;

use super::query::Query;
use super::words::{self, cut, short};
use super::{Administrator, Consent, Weight};
use crate::envelope::Text;
use crate::pages::form::Form;
use crate::pages::stage::View;
use crate::pages::told::Told;
use crate::problem::Problem;

/// Longest fault that a row shows, in characters.
const LONGEST: usize = 120;

const HERE: &str = "/admin/mail";

#[derive(Serialize)]
struct Row {
    id: i64,
    what: &'static str,
    to: String,
    user: Option<i64>,
    written: String,
    tries: i64,
    next: String,
    delivered: Option<String>,
    fault: Option<String>,
    can_be_moved: bool,
}

fn row(administrator: &Administrator, Job { standing, to, can_be_moved }: &Job) -> Row {
    Row {
        id: standing.id,
        what: administrator.says(words::mail(&standing.kind)),
        to: to.as_deref().map(short).unwrap_or_default(),
        user: standing.user.map(|user| user.0),
        written: standing.created_at.rfc3339(),
        tries: standing.attempts,
        next: standing.next_at.rfc3339(),
        delivered: standing.done_at.map(UnixMillis::rfc3339),
        fault: standing.last_error.as_deref().map(|fault| cut(fault, LONGEST)),
        can_be_moved: *can_be_moved,
    }
}

async fn outbox(administrator: &Administrator, trial: Option<&str>) -> Result<View<'static>, AdminError> {
    let outbox = mail::outbox(&administrator.stage.web, administrator.by()).await?;
    let rows = |jobs: &[Job]| Serde(jobs.iter().map(|job| row(administrator, job)).collect::<Vec<_>>());
    let own = context! {
        here => "mail",
        leaves => outbox.route == Route::Away,
        waiting => outbox.waiting.all,
        failing => outbox.failing,
        oldest => outbox.waiting.oldest.map(UnixMillis::rfc3339),
        left_out => usize::try_from(outbox.waiting.all).unwrap_or(0).saturating_sub(outbox.jobs.len()),
        jobs => rows(&outbox.jobs),
        delivered => rows(&outbox.delivered),
        trial => trial.map(|fault| cut(fault, LONGEST)),
    };
    Ok(View::new("admin/mail.html", own))
}

/// The outbox.
pub(in crate::pages) async fn page(administrator: Administrator) -> Response {
    shown(&administrator, None).await
}

async fn shown(administrator: &Administrator, trial: Option<&str>) -> Response {
    match outbox(administrator, trial).await {
        Ok(view) => administrator.show(view).await,
        Err(error) => administrator.stage.fail(error.into()),
    }
}

/// Sends a mail to the administrator's own address, and says what came of it.
pub(in crate::pages) async fn test(_: Form, administrator: Administrator) -> Response {
    let web = &administrator.stage.web;
    match mail::test(web, administrator.by(), &administrator.caller).await {
        Ok((_, Ok(()))) if web.mailer.route() == Route::Folder => administrator.stage.go_telling(HERE, &Told::MailKept),
        Ok((_, Ok(()))) => administrator.stage.go_telling(HERE, &Told::MailTested),
        Ok((_, Err(fault))) => shown(&administrator, Some(&fault)).await,
        Err(error) => act_refused(&administrator, error).await,
    }
}

/// Has a mail that could not leave tried again.
pub(in crate::pages) async fn retry(form: Form, administrator: Administrator) -> Response {
    let Ok(id) = form.typed("id").parse() else { return administrator.stage.go_telling(HERE, &Told::MailBusy) };
    match mail::retry(&administrator.stage.web, administrator.by(), id).await {
        Ok(()) => administrator.stage.go_telling(HERE, &Told::MailRetried),
        Err(NotNow::Busy) => administrator.stage.go_telling(HERE, &Told::MailBusy),
        Err(NotNow::Admin(error)) => act_refused(&administrator, error).await,
    }
}

async fn act_refused(administrator: &Administrator, error: AdminError) -> Response {
    match outbox(administrator, None).await {
        Ok(view) => administrator.refuse(view, Problem::from(error)),
        Err(other) => administrator.stage.fail(other.into()),
    }
}

async fn drop_page(administrator: &Administrator, id: &str) -> View<'static> {
    let line = |es, en| administrator.says(Text { es, en }).to_owned();
    let job = match id.parse() {
        Ok(number) => mail::waiting_one(&administrator.stage.web, administrator.by(), number).await.ok().flatten(),
        Err(_) => None,
    };
    let about = job.map(|job| row(administrator, &job)).map(|row| format!("{}: {}", row.what, row.to));
    administrator.asks(Consent {
        here: "mail",
        title: Text { es: "Descartar un correo", en: "Drop a mail" },
        lines: about
            .into_iter()
            .chain([line(
                "No se intentará más, y a quien iba no se le avisa de nada. Quien necesite un enlace tendrá que pedir otro.",
                "It is not tried any more, and whom it was for is told nothing. Whoever needs a link has to ask for another.",
            )])
            .collect(),
        act: ("/admin/mail/drop", Text { es: "Descartar el correo", en: "Drop the mail" }),
        hidden: vec![("id", cut(id, 20))],
        back: HERE,
        weight: Weight::Grave,
    })
}

/// Asks whether a mail that could not leave is to be given up.
pub(in crate::pages) async fn drop_form(administrator: Administrator, query: Query) -> Response {
    let page = drop_page(&administrator, &query.text("id").unwrap_or_default()).await;
    administrator.show(page).await
}

/// Gives it up.
pub(in crate::pages) async fn drop_one(form: Form, administrator: Administrator) -> Response {
    let id = form.typed("id");
    if let Err(problem) = administrator.confirm(&form).await {
        let page = drop_page(&administrator, &id).await;
        return administrator.refuse(page, problem);
    }
    let Ok(number) = id.parse() else { return administrator.stage.go_telling(HERE, &Told::MailBusy) };
    match mail::drop_job(&administrator.stage.web, administrator.by(), number).await {
        Ok(()) => administrator.stage.go_telling(HERE, &Told::MailDropped),
        Err(NotNow::Busy) => administrator.stage.go_telling(HERE, &Told::MailBusy),
        Err(NotNow::Admin(error)) => {
            let page = drop_page(&administrator, &id).await;
            administrator.refuse(page, error.into())
        }
    }
}
