//! `/admin/users/{id}`: see and change a user.

use axum::response::Response;
use cerrojo_app::administer::{self, UserChange};
use cerrojo_domain::User;
use minijinja::context;

use super::about::About;
use super::users::{Asks, roles};
use crate::pages::faults::{FORM, Faults};
use crate::pages::form::Form;
use crate::pages::shown;
use crate::pages::stage::View;
use crate::pages::told::Told;
use crate::problem::{self, Problem};

/// What can be changed, and the fields that say what was there when the page was made: what the administrator did not touch is
/// not changed, whatever others did to it meanwhile.
const FIELDS: [(&str, &str); 5] = [
    ("name", "shown_name"),
    ("email", "shown_email"),
    ("status", "shown_status"),
    ("role_id", "shown_role_id"),
    ("email_verified", "shown_email_verified"),
];

/// What is stored in a field.
fn stored(user: &User, field: &str) -> String {
    match field {
        "name" => user.name.clone(),
        "email" => user.email.as_str().to_owned(),
        "status" => user.status.as_str().to_owned(),
        "role_id" => user.role_id.to_string(),
        _ => user.email_verified.to_string(),
    }
}

/// What was typed in a field; an empty checkbox is not sent.
fn typed(form: &Form, (field, shown): (&str, &str)) -> Option<String> {
    if field == "email_verified" {
        return form.text(shown).map(|_| form.text(field).is_some().to_string());
    }
    form.text(field)
}

/// The page, with what was edited as it was typed. Every other field has what is stored, as the hidden ones beside it do: what was
/// not touched would count as edited otherwise when the page is sent again.
fn page(about: &About, form: &Form, asks: Asks) -> View<'static> {
    let web = &about.administrator.stage.web;
    let value = |pair| match edit(form, &about.user, pair) {
        Some((.., typed)) => typed,
        None => stored(&about.user, pair.0),
    };
    let [name, email, status, role_id, email_verified] = FIELDS.map(value);
    let own = context! {
        here => "users",
        user => about.shown(),
        is_own => about.is_own(),
        roles => roles(&web.settings.roles),
        asks => asks == Asks::Yes,
        hints => about.administrator.confirms() && asks == Asks::No,
        stored_verified => about.user.email_verified,
        values => context! {
            name => name,
            email => email,
            status => status,
            role_id => role_id,
            email_verified => email_verified == "true",
        },
    };
    View::new("admin/user.html", own)
}

/// A user.
pub(in crate::pages) async fn form(about: About) -> Response {
    about.administrator.show(page(&about, &Form::default(), Asks::No)).await
}

/// Changes it.
pub(in crate::pages) async fn save(form: Form, about: About) -> Response {
    let edited: Vec<(&str, String, String)> =
        FIELDS.into_iter().filter_map(|pair| edit(&form, &about.user, pair)).collect();
    if edited.is_empty() {
        return about.administrator.stage.go_telling(&about.path(), &Told::NothingChanged);
    }
    let clashes = clashing(&form, &about.user);
    if !clashes.is_empty() {
        return clash(&about, &form, &clashes);
    }
    match change(&form, &about, &edited).await {
        Ok(after) => {
            let is_over = after.epoch != about.user.epoch && !about.is_own();
            let told = if is_over { Told::UserChangedAndOut } else { Told::UserChanged };
            about.administrator.stage.go_telling(&about.path(), &told)
        }
        Err(problem) if problem.row == &problem::CHANGED_MEANWHILE => changed(about, &form).await,
        Err(problem) => {
            let asks = Asks::after(&problem);
            about.administrator.refuse(page(&about, &form, asks), problem)
        }
    }
}

/// Somebody else was quicker while the password was looked at.
async fn changed(About { administrator, user }: About, form: &Form) -> Response {
    match administer::user(&administrator.stage.web, administrator.by(), user.id).await {
        Ok(user) => {
            let about = About { administrator, user };
            let clashes = clashing(form, &about.user);
            clash(&about, form, &clashes)
        }
        Err(error) => administrator.stage.fail(Problem::from(error)),
    }
}

/// The fields that somebody else changed to something else meanwhile.
fn clashing(form: &Form, user: &User) -> Vec<&'static str> {
    let edits = FIELDS.into_iter().filter_map(|pair| edit(form, user, pair));
    let clashes = edits.filter(|(field, shown, typed)| {
        let now = stored(user, field);
        *shown != now && *typed != now
    });
    clashes.map(|(field, ..)| field).collect()
}

/// A field that the administrator changed: its name, what the page showed, and what was typed.
fn edit(form: &Form, user: &User, pair: (&'static str, &'static str)) -> Option<(&'static str, String, String)> {
    let typed = typed(form, pair)?;
    let shown = form.text(pair.1).unwrap_or_else(|| stored(user, pair.0));
    (typed != shown).then_some((pair.0, shown, typed))
}

/// Shows the page with what was typed, and says what there is now. Sent again it is done.
fn clash(about: &About, form: &Form, fields: &[&'static str]) -> Response {
    let language = about.administrator.stage.language;
    let (es, en) = (
        "Alguien lo ha cambiado mientras tanto. Míralo, y guarda otra vez si sigue siendo lo que quieres.",
        "Somebody changed it meanwhile. Look at it, and save again if it is still what you want.",
    );
    let mut faults = Faults::from([(FORM, vec![language.pick(es, en).to_owned()])]);
    for field in fields {
        let now = in_words(about, field);
        faults.insert(field, vec![format!("{} «{now}».", language.pick("Ahora es", "It is now"))]);
    }
    let administrator = &about.administrator;
    let view = page(about, form, Asks::No).of(&administrator.caller);
    administrator.stage.refuse_with(view, (&problem::CHANGED_MEANWHILE).into(), faults)
}

/// What is stored in a field, as the page calls it.
fn in_words(about: &About, field: &str) -> String {
    let (user, language) = (&about.user, about.administrator.stage.language);
    match field {
        "status" => shown::status(user.status.as_str(), language).to_owned(),
        "role_id" => {
            shown::role(user.role_id, &about.administrator.stage.web.settings.roles.name(user.role_id), language)
        }
        "email_verified" if user.email_verified => language.pick("Confirmado", "Confirmed").to_owned(),
        "email_verified" => language.pick("No confirmado", "Not confirmed").to_owned(),
        field => stored(user, field),
    }
}

async fn change(form: &Form, about: &About, edited: &[(&str, String, String)]) -> Result<User, Problem> {
    let typed = |field: &str| edited.iter().find(|(name, ..)| *name == field).map(|(.., typed)| typed.clone());
    for (field, row) in [("name", &problem::NAME_MISSING), ("email", &problem::EMAIL_MISSING)] {
        if typed(field).is_some_and(|text| text.trim().is_empty()) {
            return Err(row.into());
        }
    }
    let change = UserChange {
        name: typed("name"),
        email: typed("email"),
        role_id: typed("role_id").map(|role| role.parse().map_err(|_| &problem::ROLE)).transpose()?,
        status: typed("status"),
        email_verified: typed("email_verified").map(|verified| verified == "true"),
        password: None,
        seen: Some(about.user.clone()),
    };
    let says_who = change.email.is_some() || change.email_verified.is_some();
    if says_who || change.role_id.is_some() || change.status.is_some() {
        about.administrator.confirm(form).await?;
    }
    let administrator = &about.administrator;
    Ok(administer::update_user(&administrator.stage.web, administrator.by(), about.user.id, change).await?)
}
