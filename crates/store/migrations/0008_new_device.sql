-- Whether a user has signed in here: the first time is no news, and one after a long pause, when all addresses are forgotten, is.
-- last_session does not tell: an import brings it along. A program that knows only earlier migrations goes on beside this one.

-- 1: yes. 0: not yet, whatever last_session says. Nothing: what else the row has tells. No row is written here: with millions
-- of users everybody would wait for it.
ALTER TABLE users ADD COLUMN has_signed_in BIGINT;
