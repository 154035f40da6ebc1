//! Who is there before a cause comes about, and what must be so afterwards.

use cerrojo_domain::{User, UserId};
use cerrojo_store::users;
use cerrojo_testkit::{Actor, Events, OTHER_PASSWORD, PASSWORD, PROTECTED, TestApp};
use serde_json::json;

use crate::causes::Cause;
use crate::in_flight::{EMAIL_IN_FLIGHT, InFlight};

pub(crate) struct Scene {
    pub(crate) app: TestApp,
    /// Whose sessions end. An administrator, so that every protected endpoint is hers to use.
    pub(crate) ana: Actor,
    /// Her sessions that are to end: one whose token is shown everywhere, three with requests in flight.
    pub(crate) victims: [Actor; 4],
    /// A session of hers that calls, or that is not meant.
    pub(crate) other: Actor,
    /// Tokens of hers that another application gave out: one that is used before, one that is not.
    old: Actor,
    unused: Actor,
    /// Another administrator, who acts.
    pub(crate) jefa: Actor,
    /// Another user, whom nothing is to happen to.
    pub(crate) diana: Actor,
    /// Somebody in the same position as Ana, to show artifacts at work that are used up by it.
    twin: Actor,
    code: String,
    /// Another link of Ana's, for the cause that is a reset.
    pub(crate) second_code: String,
}

impl Scene {
    pub(crate) async fn new(app: &TestApp) -> Self {
        let (jefa, ana, twin) = (app.admin().await, app.admin_named("ana").await, app.admin_named("gemela").await);
        let diana = app.user("diana").await;
        let victims = [
            ana.another_session().await,
            ana.another_session().await,
            ana.another_session().await,
            ana.another_session().await,
        ];
        let (code, second_code) = (app.reset_code(&ana.email).await, app.reset_code(&ana.email).await);
        assert_ne!(code, second_code);
        app.came_from_another_application(&ana).await;
        let (old, unused) = (app.old_session(&ana, "one"), app.old_session(&ana, "another"));
        let other = ana.clone();
        Self { app: app.clone(), other, ana, victims, old, unused, jefa, diana, twin, code, second_code }
    }

    /// Every artifact at work, or its twin where that would use it up.
    pub(crate) async fn show_at_work(&mut self) {
        for endpoint in PROTECTED {
            if let Some((call, status)) = endpoint.harmless(&self.victims[0]) {
                let reply = call.await;
                assert_eq!(reply.status, status, "{reply}");
                let in_browser = endpoint.harmless(&self.victims[0].in_browser()).expect("the same");
                assert_eq!(in_browser.0.await.status, status, "{reply}");
            } else {
                let twin = self.twin.another_session().await;
                let reply = endpoint.in_earnest(&twin, &self.diana).await;
                assert_eq!(reply.status, 200, "{reply}");
            }
        }
        for victim in self.victims.iter().chain([&self.old]) {
            assert!(victim.is_in().await);
        }
        let body = json!({ "token": self.app.reset_code(&self.twin.email).await, "newPassword": OTHER_PASSWORD });
        let reply = self.app.visitor().post("/api/auth/reset-password", body).await;
        reply.assert_ok(200, "Contraseña restablecida exitosamente");
        let reply = self.app.visitor().try_login(&self.ana.email, PASSWORD).await;
        reply.assert_ok(200, "Inicio de sesión exitoso");
    }

    /// Time goes by where the cause is time, or a new key signs where it is a key; then what is to be spared begins.
    pub(crate) async fn age(&mut self, cause: Cause) {
        self.app.clock.advance(cause.age());
        if cause == Cause::KeyRetired {
            cerrojo_app::keys::rotate(&self.app.inside()).await.unwrap();
            self.app.clock.advance(cerrojo_app::keys::RIPENS);
        }
        self.diana = self.diana.another_session().await;
        self.other = self.ana.another_session().await;
    }

    /// Streams of all victims.
    pub(crate) async fn follow(&self) -> Vec<Events> {
        let mut streams = Vec::new();
        for victim in &self.victims {
            let mut stream = victim.get("/api/auth/events").events().await;
            assert_eq!(stream.next().await.expect("how the session stands").name, "session");
            streams.push(stream);
        }
        streams
    }

    /// Each is told why, and closes.
    pub(crate) async fn assert_streams_end(&self, cause: Cause, streams: Vec<Events>) {
        for mut stream in streams {
            let event = stream.next_named("ended").await;
            assert_eq!(event.data["reason"], cause.reason());
            assert_eq!(stream.next().await, None);
        }
    }

    /// The victims at every endpoint, and what goes on.
    pub(crate) async fn assert_dead_and_spared(&self, cause: Cause) {
        let before = self.stored().await;
        for endpoint in PROTECTED {
            endpoint.in_earnest(&self.victims[0], &self.diana).await.assert_over(cause.reason());
            endpoint.in_earnest(&self.victims[0].in_browser(), &self.diana).await.assert_over(cause.reason());
            if let Some((call, _)) = endpoint.harmless(&self.victims[0]) {
                call.await.assert_over(cause.reason());
            }
        }
        for victim in &self.victims {
            victim.get("/api/auth/verify").await.assert_over(cause.reason());
        }
        assert_eq!(self.old.is_in().await, cause.spares_an_old_token(), "an old token");
        assert_eq!(
            self.unused.is_in().await,
            cause.spares_an_unused_old_token(),
            "an old token that was not used before"
        );
        assert_eq!(self.stored().await, before, "a dead token changed something");
        assert_eq!(self.other.is_in().await, cause.spares_the_other_session(), "the other session");
        assert_eq!(self.diana.is_in().await, cause.spares_other_users(), "another user's session");
    }

    async fn stored(&self) -> [Option<User>; 2] {
        let inside = self.app.inside();
        let mut reader = inside.store.reader();
        let mut stored = [None, None];
        for (place, actor) in stored.iter_mut().zip([&self.ana, &self.diana]) {
            *place = users::by_id(&mut reader, UserId(actor.id)).await.unwrap();
        }
        stored
    }

    /// Requests that had passed the check of the token when it died.
    pub(crate) async fn assert_they_change_nothing(&self, cause: Cause, requests: [InFlight; 3]) {
        let before = self.stored().await;
        let (other, diana) = (self.other.is_in().await, self.diana.is_in().await);
        for request in requests {
            request.go_on().await.assert_over(cause.reason());
        }
        assert_eq!(self.stored().await, before, "a request in flight changed something");
        assert_eq!((self.other.is_in().await, self.diana.is_in().await), (other, diana));
        let visitor = self.app.visitor();
        visitor.try_login(EMAIL_IN_FLIGHT, PASSWORD).await.assert_code(401, "INVALID_CREDENTIALS");
        let mails = self.app.mails().await;
        assert!(mails.iter().all(|mail| mail.to != EMAIL_IN_FLIGHT && !mail.text.contains(EMAIL_IN_FLIGHT)));
    }

    /// Gives the session, if one was to be born.
    pub(crate) async fn assert_sign_in_is_as_the_table_says(&self, cause: Cause, sign_in: InFlight) -> Option<Actor> {
        let reply = sign_in.go_on().await;
        if cause.raises_epoch() {
            reply.assert_error(401, "INVALID_CREDENTIALS", "Credenciales inválidas");
            return None;
        }
        let data = reply.assert_ok(200, "Inicio de sesión exitoso");
        let born = self.ana.with_token(data["token"].as_str().unwrap());
        assert!(born.is_in().await);
        Some(born)
    }

    /// The pending link. Last of all: one that works ends sessions.
    pub(crate) async fn assert_link_is_as_the_table_says(&self, cause: Cause) {
        let body = json!({ "token": self.code, "newPassword": OTHER_PASSWORD });
        let reply = self.app.visitor().post("/api/auth/reset-password", body).await;
        if cause.raises_epoch() {
            reply.assert_error(401, "INVALID_RESET_TOKEN", "Token inválido o expirado. Solicita uno nuevo.");
        } else {
            reply.assert_ok(200, "Contraseña restablecida exitosamente");
            assert!(!self.other.is_in().await);
        }
    }
}
