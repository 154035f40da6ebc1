-- Whether a user has signed in here: the first time is no news, and one after a long pause, when all addresses are forgotten, is.
-- last_session does not tell: an import brings it along. A program that knows only earlier migrations goes on beside this one.

-- 1: yes. Nothing: not yet.
ALTER TABLE users ADD COLUMN has_signed_in BIGINT;
UPDATE users SET has_signed_in = 1
    WHERE last_session IS NOT NULL AND (old_tokens IS NULL OR user_id IN (SELECT user_id FROM known_addresses));
