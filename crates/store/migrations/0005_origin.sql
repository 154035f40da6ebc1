-- Of which database rows are that make others believe tokens: a dump that is put into a database that was begun anew is no
-- part of its history. A program that knows only earlier migrations goes on beside this one; what it writes has no origin.

ALTER TABLE lists ADD COLUMN origin TEXT;
ALTER TABLE keys ADD COLUMN origin TEXT;
