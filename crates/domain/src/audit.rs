//! Kinds of entries of the audit trail. Their names are stable: programs filter by them.

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// What was done.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum AuditKind { $($(#[$doc])* $name),+ }

        impl AuditKind {
            /// Every kind there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// As stored and shown: `group.act`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

kinds! {
    /// Somebody signed in, or a session was made of another application's token.
    SessionBegan = "session.began",
    /// A session ended; the details say why.
    SessionEnded = "session.ended",
    /// Every session there was ended by one act.
    EverythingEnded = "session.everything_ended",
    /// A sign-in was refused; the details say why.
    SignInFailed = "sign_in.failed",
    /// So many entries of anonymous acts were left out, because there were too many.
    Omitted = "sign_in.omitted",
    /// Somebody wants an account and is to confirm the address.
    RegistrationAsked = "account.registration_asked",
    /// The operator forgot a registration that waited.
    RegistrationForgotten = "account.registration_forgotten",
    /// A person made an account.
    Registered = "account.registered",
    /// The operator made an account.
    AccountCreated = "account.created",
    /// Name or other words of an account were changed.
    ProfileChanged = "account.profile_changed",
    /// An account's role was changed.
    RoleChanged = "account.role_changed",
    /// An account's status was changed.
    StatusChanged = "account.status_changed",
    /// Sessions of an account were ended together: all, or all others.
    SessionsEnded = "account.sessions_ended",
    /// The current password was asked for and a wrong one was given.
    ReauthenticationFailed = "account.reauthentication_failed",
    /// Whoever reads an account's mail took it back by a link: its sessions ended and its password is worth nothing.
    AccountTakenBack = "account.taken_back",
    /// An account was deleted.
    AccountDeleted = "account.deleted",
    /// Accounts of another application were taken over.
    AccountsImported = "account.imported",
    /// A password was changed.
    PasswordChanged = "password.changed",
    /// A link to reset a password was made.
    ResetAsked = "password.reset_asked",
    /// A password was taken away, so that its owner has to choose another.
    ResetForced = "password.reset_forced",
    /// A password was reset by such a link.
    PasswordReset = "password.reset",
    /// Another address is wanted, and is to be confirmed.
    EmailChangeAsked = "email.change_asked",
    /// An account's address was changed.
    EmailChanged = "email.changed",
    /// It was confirmed, or set, whether mail to the address reaches the person.
    EmailConfirmed = "email.confirmed",
    /// Somebody was invited.
    InvitationMade = "invitation.made",
    /// An invitation was sent again.
    InvitationResent = "invitation.resent",
    /// An invitation was taken back.
    InvitationRevoked = "invitation.revoked",
    /// Somebody who was invited made an account.
    InvitationAccepted = "invitation.accepted",
    /// All that is kept of a person was read, or all accounts.
    DataExported = "data.exported",
    /// Entries of the audit trail were written into a file.
    TrailExported = "audit.exported",
    /// A mail that could not leave is to be tried again at once.
    MailRetried = "mail.retried",
    /// A mail that had not left was given up on somebody's word.
    MailDropped = "mail.dropped",
    /// A mail was sent to see whether mail arrives.
    MailTested = "mail.tested",
    /// A signing key was added.
    KeyAdded = "key.added",
    /// New signing keys took the place of older ones.
    KeyRotated = "key.rotated",
    /// A signing key was retired: nothing that it signed is accepted any more.
    KeyRetired = "key.retired",
    /// A service was added.
    ServiceAdded = "service.added",
    /// A service was removed.
    ServiceRemoved = "service.removed",
    /// A server started.
    ServerStarted = "server.started",
}

/// Whether this is the name of a kind, or of a group of kinds such as `session`.
#[must_use]
pub fn is_audit_kind(text: &str) -> bool {
    AuditKind::ALL.iter().any(|kind| {
        let name = kind.as_str();
        name == text || name.strip_prefix(text).is_some_and(|rest| rest.starts_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_asked_for_by_name_or_by_group() {
        for text in ["session", "session.ended", "sign_in", "account.role_changed"] {
            assert!(is_audit_kind(text), "{text}");
        }
        for text in ["", "sess", "session.", "session.end", "ended", "SESSION"] {
            assert!(!is_audit_kind(text), "{text}");
        }
    }

    #[test]
    fn every_name_is_a_group_and_an_act_and_there_once() {
        let mut names: Vec<&str> = AuditKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert!(names.iter().all(|name| name.split('.').count() == 2));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), AuditKind::ALL.len());
    }
}
