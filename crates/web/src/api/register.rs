//! Registering.

use axum::extract::State;
use cerrojo_app::register::{self, NewAccount};
use utoipa::ToSchema;

use crate::Web;
use crate::body::{Body, Fields, FromFields, or_nothing};
use crate::client::Client;
use crate::counted::Counted;
use crate::envelope::{Answer, Failure, Success};
use crate::messages;
use crate::problem::Problem;
use crate::view::SignedInView;

/// What registering takes. A `role` that is sent is ignored.
#[derive(ToSchema)]
pub(crate) struct Register {
    #[schema(value_type = String, example = "Ana Ruiz")]
    name: Option<String>,
    #[schema(value_type = String, example = "ana@example.com")]
    email: Option<String>,
    /// 8 to 256 characters, not a common one.
    #[schema(value_type = String, example = "Caballo-bateria-grapa-1")]
    password: Option<String>,
}

impl FromFields for Register {
    fn from_fields(fields: &mut Fields) -> Self {
        Self { name: fields.text("name"), email: fields.text("email"), password: fields.text("password") }
    }
}

/// Registers, and signs in.
#[utoipa::path(
    post,
    path = "/api/auth/register",
    tag = "session",
    request_body = Register,
    responses(
        (status = 201, description = "Registered and signed in", body = Success<SignedInView>),
        (status = 403, description = "Registration is closed", body = Failure),
        (status = 409, description = "The email is taken", body = Failure),
        (status = 429, description = "Too many requests from this address", body = Failure),
    )
)]
pub(crate) async fn register(
    State(app): State<Web>,
    Client(origin): Client,
    body: Result<Body<Register>, Problem>,
) -> Counted<Answer<SignedInView>> {
    let (Register { name, email, password }, flaw) = or_nothing(body);
    let limited = register::register(&app, &origin, NewAccount { name, email, password }).await;
    Counted::new(limited, flaw, |signed_in| {
        Answer::created(messages::REGISTERED, SignedInView::new(signed_in, &app.settings.roles))
    })
}
