-- What several nodes on one database need. A program that knows only the first migration goes on beside this one.

-- For people: where a node listens and which version it is.
ALTER TABLE leases ADD COLUMN about TEXT NOT NULL DEFAULT '';

-- Bitmaps of the lists in use, with everything that the log says up to the number in `snapshot`: what a node starts from,
-- however long the log was. Entries that they cover may be deleted.
CREATE TABLE list_bits (
    list TEXT NOT NULL PRIMARY KEY,
    bits BYTEA NOT NULL
) /*strict*/;

CREATE TABLE snapshot (
    one BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    number BIGINT NOT NULL
) /*strict*/;
INSERT INTO snapshot (one, number) VALUES (1, 0);

-- The oldest schema that a program must know to work beside this one.
INSERT INTO meta (name, value) VALUES ('oldest_schema', '1') ON CONFLICT (name) DO UPDATE SET value = excluded.value;
