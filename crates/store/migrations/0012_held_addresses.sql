-- Addresses that an account had until lately and can have back: nobody takes one in between who has not shown that it is theirs.
-- A program that knows only earlier migrations goes on beside this one and holds none.
CREATE TABLE held_addresses (
    email TEXT NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (user_id) ON DELETE CASCADE,
    -- When the account first had another address; of two the older one counts for more.
    since BIGINT NOT NULL,
    until BIGINT NOT NULL
) /*strict*/;
CREATE INDEX held_addresses_by_user ON held_addresses (user_id);
CREATE INDEX held_addresses_by_expiry ON held_addresses (until);
