-- Users who came from another application may go on with its tokens until something ends all of their sessions. A program
-- that knows only earlier migrations goes on beside this one until such tokens are accepted.

-- Nothing: the user registered here. 1: named by number or address; 2: by address alone, the number is ours; 0: no more.
ALTER TABLE users ADD COLUMN old_tokens BIGINT;
-- Only while this is the counter's value: it moves when everything is over.
ALTER TABLE users ADD COLUMN old_tokens_since BIGINT;
INSERT INTO counters (name, value) VALUES ('old_tokens_generation', 0);

-- Tokens of another application that were issued, or have expired, by these times are over for ever.
INSERT INTO counters (name, value) VALUES ('old_tokens_issued_by', 0);
INSERT INTO counters (name, value) VALUES ('old_tokens_expired_by', 0);

-- Numbers, and addresses as hashes, of users who came from another application and are gone, or have another address: whoever
-- comes under one of them again is not who its tokens were given to, or was to be forgotten.
CREATE TABLE old_tokens_closed (
    name TEXT NOT NULL PRIMARY KEY
) /*strict*/;
