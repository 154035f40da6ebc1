-- Read by both engines: on SQLite BIGINT becomes INTEGER, BYTEA becomes BLOB and the marker at the end of a table STRICT.
-- Times are unix milliseconds. There are no booleans: what may be so or not is a time or 0 and 1.

CREATE TABLE users (
    user_id BIGINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    email TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    role_id BIGINT NOT NULL,
    status TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    registration_date BIGINT NOT NULL,
    last_session BIGINT
) /*strict*/;
CREATE INDEX users_newest ON users (registration_date, user_id);

CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL,
    list TEXT NOT NULL,
    idx BIGINT NOT NULL,
    key_id TEXT NOT NULL,
    device TEXT NOT NULL,
    address TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT,
    ended_reason TEXT,
    ended_by TEXT,
    ended_from TEXT,
    UNIQUE (list, idx)
) /*strict*/;
CREATE INDEX sessions_by_user ON sessions (user_id, ended_at);
CREATE INDEX sessions_newest ON sessions (started_at);
CREATE INDEX sessions_ended ON sessions (list, ended_at, idx) WHERE ended_at IS NOT NULL;
CREATE INDEX sessions_live_by_expiry ON sessions (expires_at) WHERE ended_at IS NULL;
CREATE INDEX sessions_live_by_activity ON sessions (last_seen_at) WHERE ended_at IS NULL;
CREATE INDEX sessions_live_by_list ON sessions (list, key_id) WHERE ended_at IS NULL;

CREATE TABLE log (
    number BIGINT NOT NULL PRIMARY KEY,
    mark TEXT NOT NULL,
    kind TEXT NOT NULL,
    session_id TEXT,
    list TEXT,
    idx BIGINT,
    key_id TEXT,
    incarnation TEXT,
    at BIGINT NOT NULL
) /*strict*/;

CREATE TABLE log_head (
    one BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    number BIGINT NOT NULL,
    mark TEXT NOT NULL,
    incarnation TEXT NOT NULL
) /*strict*/;

CREATE TABLE lists (
    name TEXT NOT NULL PRIMARY KEY,
    capacity BIGINT NOT NULL,
    next_index BIGINT NOT NULL CHECK (next_index <= capacity),
    created_at BIGINT NOT NULL,
    expires_by BIGINT NOT NULL,
    retired BIGINT NOT NULL
) /*strict*/;
CREATE INDEX lists_in_use ON lists (expires_by) WHERE retired = 0;

CREATE TABLE leases (
    node TEXT NOT NULL PRIMARY KEY,
    turn BIGINT NOT NULL,
    applied BIGINT NOT NULL
) /*strict*/;

CREATE TABLE keys (
    id TEXT NOT NULL PRIMARY KEY,
    algorithm TEXT NOT NULL,
    purpose TEXT NOT NULL,
    public_key BYTEA NOT NULL,
    sealed_key BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    rotated_at BIGINT,
    retired_at BIGINT
) /*strict*/;

CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) /*strict*/;

CREATE TABLE counters (
    name TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
) /*strict*/;
INSERT INTO counters (name, value) VALUES ('user', 0);
-- SQLite only: see commits.rs.
INSERT INTO counters (name, value) VALUES ('commit', 0);

CREATE TABLE reset_links (
    code_hash TEXT NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (user_id) ON DELETE CASCADE,
    epoch BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
) /*strict*/;
CREATE INDEX reset_links_by_user ON reset_links (user_id);
CREATE INDEX reset_links_by_expiry ON reset_links (expires_at);

CREATE TABLE outbox (
    id BIGINT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    user_id BIGINT,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    done_at BIGINT
) /*strict*/;
CREATE INDEX outbox_due ON outbox (next_at) WHERE done_at IS NULL;
CREATE INDEX outbox_done ON outbox (done_at) WHERE done_at IS NOT NULL;
CREATE INDEX outbox_by_user ON outbox (user_id, kind, done_at);

CREATE TABLE attempts (
    counter TEXT NOT NULL PRIMARY KEY,
    tries BIGINT NOT NULL,
    resets_at BIGINT NOT NULL
) /*strict*/;
CREATE INDEX attempts_by_reset ON attempts (resets_at);

CREATE TABLE known_addresses (
    user_id BIGINT NOT NULL REFERENCES users (user_id) ON DELETE CASCADE,
    block TEXT NOT NULL,
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, block)
) /*strict*/;
CREATE INDEX known_addresses_by_time ON known_addresses (seen_at);
