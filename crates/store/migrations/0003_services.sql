-- Services that follow the server or ask it about tokens. Secrets are here only as hashes: they are 256 random bits, so one
-- SHA-256 is enough.

CREATE TABLE services (
    name TEXT NOT NULL PRIMARY KEY,
    secret_hash BYTEA NOT NULL,
    created_at BIGINT NOT NULL
) /*strict*/;
