-- Users who came from another application may go on with its tokens until something ends all of their sessions. A program
-- that knows only earlier migrations goes on beside this one; what it ends does not close this, so tokens of another
-- application are only to be accepted once no such program runs.

ALTER TABLE users ADD COLUMN old_tokens BIGINT;

-- Tokens of another application that were issued, or have expired, by these times are over for ever.
INSERT INTO counters (name, value) VALUES ('old_tokens_issued_by', 0);
INSERT INTO counters (name, value) VALUES ('old_tokens_expired_by', 0);
