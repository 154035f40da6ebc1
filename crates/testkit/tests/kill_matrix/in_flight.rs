//! Requests and sign-ins that stand still in the middle while a cause comes about.

use cerrojo_app::administer;
use cerrojo_domain::{ListIndex, ListName};
use cerrojo_store::users;
use cerrojo_testkit::{Actor, OTHER_PASSWORD, PASSWORD, Pause, Reply, TestApp, claims, on_both_engines};
use serde_json::json;
use tokio::task::JoinHandle;

/// The address that a request in flight wants to write.
pub(crate) const EMAIL_IN_FLIGHT: &str = "en.vuelo@example.com";

/// Somebody who stands still.
pub(crate) struct InFlight {
    pause: Pause,
    answer: JoinHandle<Reply>,
}

impl InFlight {
    async fn begin(pause: Pause, call: cerrojo_testkit::Call) -> Self {
        let answer = tokio::spawn(call.into_future());
        pause.reached().await;
        Self { pause, answer }
    }

    /// Goes on and answers.
    pub(crate) async fn go_on(self) -> Reply {
        drop(self.pause);
        self.answer.await.expect("a request that does not panic")
    }
}

/// A change of password whose new password is being hashed: token and current password have been found right.
async fn password(app: &TestApp, by: &Actor) -> InFlight {
    let body = json!({ "currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD });
    InFlight::begin(app.random.pause_next(), by.put("/api/auth/password", body)).await
}

/// A change of e-mail that is about to begin its transaction: the token check was the first to ask for the time.
async fn email(app: &TestApp, by: &Actor) -> InFlight {
    let body = json!({ "email": EMAIL_IN_FLIGHT });
    InFlight::begin(app.clock.pause_after(1), by.put("/api/auth/profile", body)).await
}

/// The same for an ending of all other sessions.
async fn logout_others(app: &TestApp, by: &Actor) -> InFlight {
    InFlight::begin(app.clock.pause_after(1), by.call("POST", "/api/auth/logout-others")).await
}

/// One of each, by three sessions.
pub(crate) async fn requests(app: &TestApp, victims: &[Actor; 4]) -> [InFlight; 3] {
    let [_, one, two, three] = victims;
    [password(app, one).await, email(app, two).await, logout_others(app, three).await]
}

/// A sign-in whose password was found right and which is about to begin its transaction.
pub(crate) async fn sign_in(app: &TestApp, as_: &Actor) -> InFlight {
    let body = json!({ "email": as_.email, "password": PASSWORD });
    InFlight::begin(app.random.pause_next(), app.visitor().post("/api/auth/login", body)).await
}

/// Sets the session's bit in memory alone, so that no token of it passes the check while the database says that it lives.
fn shut_the_door(app: &TestApp, session: &Actor) {
    let list = claims(session.token())["status"]["status_list"].clone();
    let name = list["uri"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let index = u32::try_from(list["idx"].as_u64().unwrap()).unwrap();
    assert!(app.inside().guard.end(&ListName::from_text(name), ListIndex(index)));
}

/// Shows where the requests stand still: behind the check of the token, before anything was written.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_in_flight_have_passed_the_check_of_the_token() {
    on_both_engines(async |app| {
        for kind in 0..3 {
            let ana = app.user(&format!("ana{kind}")).await;
            let phone = ana.another_session().await;
            let request = match kind {
                0 => password(&app, &ana).await,
                1 => email(&app, &ana).await,
                _ => logout_others(&app, &ana).await,
            };
            assert!(phone.is_in().await && ana.is_in().await, "nothing has happened yet");
            shut_the_door(&app, &ana);
            assert!(!ana.is_in().await);
            let reply = request.go_on().await;
            assert_eq!(reply.status, 200, "{reply}");
            assert!(!phone.is_in().await);
        }
    })
    .await;
}

/// Shows where the sign-in stands still: behind the check of the password, before its session is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_sign_in_in_flight_has_passed_the_check_of_the_password() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let request = sign_in(&app, &ana).await;
        let inside = app.inside();
        let user = administer::user_by_email(&inside, &ana.email).await.unwrap();
        let mut tx = inside.store.begin().await.unwrap();
        assert!(users::upgrade_hash(&mut tx, user.id, &user.password_hash, "no hash at all").await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(ana.get("/api/auth/sessions").await.data()["sessions"].as_array().unwrap().len(), 1);
        let reply = request.go_on().await;
        assert_eq!(reply.status, 200, "{reply}");
        app.visitor().try_login(&ana.email, PASSWORD).await.assert_code(401, "INVALID_CREDENTIALS");
    })
    .await;
}
