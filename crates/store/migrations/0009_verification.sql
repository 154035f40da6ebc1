-- Addresses that are confirmed by mail, and invitations. A program that knows only earlier migrations goes on beside this one; it
-- sends none of the new mails.

-- The address that was confirmed. The user's own one is, if it is the same: so a program that knows nothing of this cannot take
-- another one for confirmed.
ALTER TABLE users ADD COLUMN verified_email TEXT;

-- Whom a mail goes to, where that is somebody whom anybody could have named: nobody is flooded.
ALTER TABLE outbox ADD COLUMN address TEXT;
CREATE INDEX outbox_by_address ON outbox (address, done_at) WHERE address IS NOT NULL;

-- Codes that were mailed, as hashes. Those to reset a password were in reset_links, which stays for programs that know no other
-- and is dropped by a later release.
CREATE TABLE codes (
    code_hash TEXT NOT NULL PRIMARY KEY,
    purpose TEXT NOT NULL,
    subject TEXT NOT NULL,
    bound_to TEXT NOT NULL,
    expires_at BIGINT NOT NULL
) /*strict*/;
CREATE INDEX codes_by_subject ON codes (subject, purpose);
CREATE INDEX codes_by_expiry ON codes (expires_at);
INSERT INTO codes (code_hash, purpose, subject, bound_to, expires_at)
    SELECT code_hash, 'reset', CAST(user_id AS TEXT), CAST(epoch AS TEXT), expires_at FROM reset_links;

-- Who registered and has to confirm the address first. Nothing says whether the address has an account already.
CREATE TABLE registrations (
    email TEXT NOT NULL PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    registered_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
) /*strict*/;
CREATE INDEX registrations_by_expiry ON registrations (expires_at);

-- Who has asked for another address and has to confirm it first. It lives no longer than the session that asked.
CREATE TABLE email_changes (
    user_id BIGINT NOT NULL PRIMARY KEY REFERENCES users (user_id) ON DELETE CASCADE,
    id TEXT NOT NULL UNIQUE,
    email TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    session_id TEXT NOT NULL,
    expires_at BIGINT NOT NULL
) /*strict*/;
CREATE INDEX email_changes_by_email ON email_changes (email);
CREATE INDEX email_changes_by_expiry ON email_changes (expires_at);

CREATE TABLE invitations (
    id TEXT NOT NULL PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    name TEXT,
    role_id BIGINT NOT NULL,
    -- The administrator, and the epoch that this one had; nothing: the operator.
    invited_by BIGINT,
    inviter_epoch BIGINT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
) /*strict*/;
CREATE INDEX invitations_newest ON invitations (created_at, id);
CREATE INDEX invitations_by_expiry ON invitations (expires_at);
