-- Of which history of which database rows are that make others believe tokens: a dump that is put into a database that was
-- begun already is no part of it. A program that knows only earlier migrations goes on beside this one, where it was there
-- before; what it writes has no origin.

ALTER TABLE log_head ADD COLUMN origin TEXT NOT NULL DEFAULT '';
ALTER TABLE lists ADD COLUMN origin TEXT;
ALTER TABLE keys ADD COLUMN origin TEXT;
