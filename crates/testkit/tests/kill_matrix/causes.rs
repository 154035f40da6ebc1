//! The causes of the design's table: how each comes about and what it must spare.

use std::time::Duration;

use cerrojo_app::administer::{self, By, UserChange};
use cerrojo_domain::{SessionId, UserId};
use cerrojo_testkit::{Options, PASSWORD, another_applications_tokens};
use serde_json::{Value, json};

use crate::scene::Scene;

/// What ends sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Logout,
    EndedElsewhere,
    Idle,
    Expiry,
    LogoutOthers,
    LogoutAll,
    EndedByAdministrator,
    OneEndedByOperator,
    AllEndedByOperator,
    EverythingEndedByOperator,
    OwnPassword,
    OwnEmail,
    OwnEmailAsAdministrator,
    Reset,
    Inactive,
    Suspended,
    RoleChanged,
    Deleted,
    PasswordByOperator,
    ForcedReset,
    EmailByAdministrator,
    EmailByOperator,
    KeyRetired,
    Restored,
}

pub(crate) const NEW_PASSWORD: &str = "Ribera-honda-9135";

impl Cause {
    pub(crate) fn set(self, options: &mut Options) {
        options.settings.old_tokens = Some(another_applications_tokens());
        match self {
            Self::Idle => options.settings.idle_timeout = Some(Duration::from_mins(20)),
            Self::Expiry => options.settings.token_ttl = Duration::from_mins(30),
            _ => {}
        }
    }

    /// The table's last column: sign-ins in flight and pending reset links fail.
    pub(crate) fn raises_epoch(self) -> bool {
        matches!(
            self,
            Self::OwnPassword
                | Self::OwnEmail
                | Self::OwnEmailAsAdministrator
                | Self::Reset
                | Self::Inactive
                | Self::Suspended
                | Self::RoleChanged
                | Self::Deleted
                | Self::PasswordByOperator
                | Self::ForcedReset
                | Self::EmailByAdministrator
                | Self::EmailByOperator
                | Self::Restored
        )
    }

    /// Whether a session of the same user, other than the victims, goes on: the calling one, or one that is not meant.
    pub(crate) fn spares_the_other_session(self) -> bool {
        matches!(
            self,
            Self::Logout
                | Self::EndedElsewhere
                | Self::Idle
                | Self::Expiry
                | Self::LogoutOthers
                | Self::OneEndedByOperator
                | Self::OwnPassword
                | Self::OwnEmail
                | Self::OwnEmailAsAdministrator
                | Self::KeyRetired
        )
    }

    /// Whether another application's token of the same user goes on, of which a session was made before.
    pub(crate) fn spares_an_old_token(self) -> bool {
        matches!(self, Self::Logout | Self::EndedElsewhere | Self::Expiry | Self::OneEndedByOperator | Self::KeyRetired)
    }

    /// The same, if it was not used before: nothing of it is there that could be idle.
    pub(crate) fn spares_an_unused_old_token(self) -> bool {
        self.spares_an_old_token() || self == Self::Idle
    }

    /// Whether the sessions of another user go on.
    pub(crate) fn spares_other_users(self) -> bool {
        !matches!(self, Self::EverythingEndedByOperator | Self::Restored)
    }

    /// Why, as the victims are told.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::EndedElsewhere | Self::LogoutOthers | Self::LogoutAll => "logout_elsewhere",
            Self::Idle => "idle",
            Self::Expiry => "expired",
            Self::OwnPassword | Self::Reset | Self::PasswordByOperator | Self::ForcedReset => "password_changed",
            Self::OwnEmail | Self::OwnEmailAsAdministrator | Self::EmailByAdministrator | Self::EmailByOperator => {
                "email_changed"
            }
            Self::Inactive => "account_inactive",
            Self::Suspended => "account_suspended",
            Self::Deleted => "account_deleted",
            Self::Restored => "restored",
            Self::EndedByAdministrator
            | Self::OneEndedByOperator
            | Self::AllEndedByOperator
            | Self::EverythingEndedByOperator
            | Self::RoleChanged
            | Self::KeyRetired => "admin",
        }
    }

    /// How much time goes by before the other session and the sign-in in flight begin.
    pub(crate) fn age(self) -> Duration {
        match self {
            Self::Idle => Duration::from_mins(11),
            Self::Expiry => Duration::from_mins(16),
            _ => Duration::ZERO,
        }
    }

    /// The cause comes about; when this returns, the victims are over.
    pub(crate) async fn happen(self, scene: &mut Scene) {
        match self {
            Self::Logout => {
                for victim in &scene.victims {
                    victim.logout().await;
                }
            }
            Self::EndedElsewhere => {
                for victim in &scene.victims {
                    let path = format!("/api/auth/sessions/{}", victim.session_id());
                    scene.other.delete(&path).await.assert_ok(200, "Sesión cerrada exitosamente");
                }
            }
            Self::Idle | Self::Expiry => time_passes(self, scene).await,
            Self::LogoutOthers => {
                let reply = scene.other.call("POST", "/api/auth/logout-others").await;
                reply.assert_ok(200, "Otras sesiones cerradas exitosamente");
            }
            Self::LogoutAll => {
                let reply = scene.other.call("POST", "/api/auth/logout-all").await;
                reply.assert_ok(200, "Todas las sesiones cerradas exitosamente");
            }
            Self::EndedByAdministrator => {
                let path = format!("/api/admin/users/{}/sessions", scene.ana.id);
                assert_eq!(scene.jefa.delete(&path).await.status, 200);
            }
            Self::OneEndedByOperator
            | Self::AllEndedByOperator
            | Self::EverythingEndedByOperator
            | Self::PasswordByOperator
            | Self::EmailByOperator
            | Self::Restored => operator_acts(self, scene).await,
            Self::OwnPassword => {
                let body = json!({ "currentPassword": PASSWORD, "newPassword": NEW_PASSWORD });
                let reply = scene.other.put("/api/auth/password", body).await;
                reply.assert_ok(200, "Contraseña actualizada exitosamente");
            }
            Self::OwnEmail => {
                let reply = scene.other.put("/api/auth/profile", json!({ "email": "ana.nueva@example.com" })).await;
                reply.assert_ok(200, "Perfil actualizado exitosamente");
            }
            Self::OwnEmailAsAdministrator => {
                let path = format!("/api/admin/users/{}", scene.ana.id);
                let reply = scene.other.put(&path, json!({ "email": "ana.nueva@example.com" })).await;
                reply.assert_ok(200, "Usuario actualizado exitosamente");
            }
            Self::Reset => {
                let body = json!({ "token": scene.second_code, "newPassword": NEW_PASSWORD });
                let reply = scene.app.visitor().post("/api/auth/reset-password", body).await;
                reply.assert_ok(200, "Contraseña restablecida exitosamente");
            }
            Self::ForcedReset => {
                let path = format!("/api/admin/users/{}/force-reset", scene.ana.id);
                assert_eq!(scene.jefa.post(&path, json!({})).await.status, 200);
            }
            Self::Inactive => administrator_changes(scene, json!({ "status": "inactive" })).await,
            Self::Suspended => administrator_changes(scene, json!({ "status": "suspended" })).await,
            Self::RoleChanged => administrator_changes(scene, json!({ "role_id": 2 })).await,
            Self::EmailByAdministrator => administrator_changes(scene, json!({ "email": "otra@example.com" })).await,
            Self::Deleted => {
                let reply = scene.jefa.delete(&format!("/api/auth/users/{}", scene.ana.id)).await;
                reply.assert_ok(200, "Usuario eliminado exitosamente");
            }
            Self::KeyRetired => {
                let key = cerrojo_testkit::header_of(scene.victims[0].token())["kid"].as_str().unwrap().to_owned();
                let app = scene.app.inside();
                let ended = cerrojo_app::keys::retire(&app, &cerrojo_domain::KeyId::from_text(key)).await.unwrap();
                assert!(ended >= scene.victims.len());
            }
        }
    }
}

/// The first victim is found out when its token is shown, the others by the sweeper.
async fn time_passes(cause: Cause, scene: &Scene) {
    scene.app.clock.advance(if cause == Cause::Idle { Duration::from_mins(10) } else { Duration::from_mins(15) });
    assert!(!scene.victims[0].is_in().await);
    scene.app.tick().await;
}

async fn administrator_changes(scene: &Scene, change: Value) {
    let reply = scene.jefa.put(&format!("/api/admin/users/{}", scene.ana.id), change).await;
    reply.assert_ok(200, "Usuario actualizado exitosamente");
}

async fn operator_acts(cause: Cause, scene: &Scene) {
    let (app, id) = (scene.app.inside(), UserId(scene.ana.id));
    let change = match cause {
        Cause::OneEndedByOperator => {
            for victim in &scene.victims {
                administer::end_session(&app, &SessionId::from_text(victim.session_id())).await.unwrap();
            }
            return;
        }
        Cause::AllEndedByOperator => {
            let ended = administer::end_user_sessions(&app, By::Operator, id).await.unwrap();
            assert!(ended > scene.victims.len());
            return;
        }
        Cause::EverythingEndedByOperator => return administer::end_everything(&app).await.unwrap(),
        Cause::Restored => return administer::end_everything_restored(&app).await.unwrap(),
        Cause::PasswordByOperator => UserChange { password: Some(NEW_PASSWORD.to_owned()), ..UserChange::default() },
        _ => UserChange { email: Some("otra@example.com".to_owned()), ..UserChange::default() },
    };
    administer::update_user(&app, By::Operator, id, change).await.unwrap();
}
