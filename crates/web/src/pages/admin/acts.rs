//! What is done to a user on a page of its own, which says what happens: a forced reset, a copy of the data, deletion.

use axum::response::Response;
use cerrojo_app::administer;
use minijinja::context;

use super::about::About;
use super::users::Asks;
use crate::api::personal;
use crate::pages::account::as_file;
use crate::pages::form::Form;
use crate::pages::stage::View;
use crate::pages::told::Told;
use crate::problem::Problem;

/// What is to be done.
#[derive(Clone, Copy)]
enum Act {
    ForceReset,
    Data,
    Delete,
}

impl Act {
    fn name(self) -> &'static str {
        match self {
            Self::ForceReset => "force-reset",
            Self::Data => "data",
            Self::Delete => "delete",
        }
    }
}

fn page(about: &About, act: Act) -> View<'static> {
    let own = context! {
        here => "users",
        act => act.name(),
        user => about.shown(),
        is_own => about.is_own(),
        asks => Asks::of(&about.administrator) == Asks::Yes,
    };
    View::new("admin/user-act.html", own)
}

async fn show(about: About, act: Act) -> Response {
    about.administrator.show(page(&about, act)).await
}

fn refused(about: &About, act: Act, problem: Problem) -> Response {
    about.administrator.refuse(page(about, act), problem)
}

/// What a forced reset does.
pub(in crate::pages) async fn reset_form(about: About) -> Response {
    show(about, Act::ForceReset).await
}

/// Takes the password away.
pub(in crate::pages) async fn force_reset(form: Form, about: About) -> Response {
    let administrator = &about.administrator;
    let done = async {
        administrator.confirm(&form).await?;
        administer::force_reset(&administrator.stage.web, administrator.by(), about.user.id)
            .await
            .map_err(Problem::from)
    };
    match done.await {
        Ok(_) => administrator.stage.go_telling(&about.path(), &Told::ResetForced),
        Err(problem) => refused(&about, Act::ForceReset, problem),
    }
}

/// What a copy of the data has.
pub(in crate::pages) async fn data_form(about: About) -> Response {
    show(about, Act::Data).await
}

/// All that is kept of the user, as a file.
pub(in crate::pages) async fn data(form: Form, about: About) -> Response {
    let administrator = &about.administrator;
    let done = async {
        administrator.confirm(&form).await?;
        personal::users_view(&administrator.stage.web, (&administrator.caller, administrator.by()), about.user.id).await
    };
    match done.await {
        Ok(view) => as_file(&administrator.stage, &view, &format!("user-{}.json", about.user.id)),
        Err(problem) => refused(&about, Act::Data, problem),
    }
}

/// What deletion does.
pub(in crate::pages) async fn delete_form(about: About) -> Response {
    show(about, Act::Delete).await
}

/// Deletes the user.
pub(in crate::pages) async fn delete(form: Form, about: About) -> Response {
    let administrator = &about.administrator;
    let done = async {
        administrator.confirm(&form).await?;
        administer::delete_user(&administrator.stage.web, administrator.by(), about.user.id)
            .await
            .map_err(Problem::from)
    };
    match done.await {
        Ok(()) => administrator.stage.go_telling("/admin/users", &Told::UserDeleted),
        Err(problem) => refused(&about, Act::Delete, problem),
    }
}
