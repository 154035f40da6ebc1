//! The kill matrix: every cause of the design's table × the token at every protected endpoint, the verify endpoint, requests
//! in flight, a sign-in in flight, a pending reset link, after restart. Each artifact is first shown at work, and only a 401
//! or the artifact's own error counts as dead. What the cause must spare is shown alive afterwards.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod causes;
mod gone_back;
mod in_flight;
mod scene;

use causes::Cause;
use cerrojo_testkit::on_both_engines_with;
use scene::Scene;

async fn kill(cause: Cause) {
    let killed = on_both_engines_with(
        |options| cause.set(options),
        async |app| {
            let mut scene = Scene::new(&app).await;
            scene.show_at_work().await;
            let requests = in_flight::requests(&app, &scene.victims).await;
            scene.age(cause).await;
            let sign_in = in_flight::sign_in(&app, &scene.ana).await;
            let streams = scene.follow().await;

            cause.happen(&mut scene).await;

            scene.assert_streams_end(cause, streams).await;

            scene.assert_dead_and_spared(cause).await;
            scene.assert_they_change_nothing(cause, requests).await;
            let born = scene.assert_sign_in_is_as_the_table_says(cause, sign_in).await;
            app.restart().await;
            scene.assert_dead_and_spared(cause).await;
            if let Some(born) = born {
                assert!(born.is_in().await, "a session that was born is alive after a restart");
            }
            scene.assert_link_is_as_the_table_says(cause).await;
        },
    );
    Box::pin(killed).await;
}

macro_rules! cells {
    ($($name:ident = $cause:ident),+ $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $name() {
            kill(Cause::$cause).await;
        }
    )+};
}

cells! {
    logout = Logout,
    one_session_ended_elsewhere = EndedElsewhere,
    idle = Idle,
    expiry = Expiry,
    logout_others = LogoutOthers,
    logout_all = LogoutAll,
    end_all_by_an_administrator = EndedByAdministrator,
    one_session_ended_by_the_operator = OneEndedByOperator,
    all_of_a_user_ended_by_the_operator = AllEndedByOperator,
    everything_ended_by_the_operator = EverythingEndedByOperator,
    own_change_of_password = OwnPassword,
    own_change_of_email = OwnEmail,
    own_change_of_email_as_administrator = OwnEmailAsAdministrator,
    reset = Reset,
    status_inactive = Inactive,
    status_suspended = Suspended,
    role_change = RoleChanged,
    deletion = Deleted,
    password_set_by_the_operator = PasswordByOperator,
    password_taken_away = ForcedReset,
    email_set_by_an_administrator = EmailByAdministrator,
    email_set_by_the_operator = EmailByOperator,
    key_retired_as_compromised = KeyRetired,
    restore = Restored,
}
