-- Why a mail could not leave the last time, for whoever looks. A program that knows only earlier migrations goes on beside
-- this one.

ALTER TABLE outbox ADD COLUMN last_error TEXT;
