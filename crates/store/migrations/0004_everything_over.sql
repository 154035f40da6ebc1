-- What ends everything need not touch every session: how a list's sessions ended is kept with the list, and rows are written
-- later. A program that knows only earlier migrations goes on beside this one.

ALTER TABLE lists ADD COLUMN ended_at BIGINT;
ALTER TABLE lists ADD COLUMN ended_reason TEXT;
ALTER TABLE lists ADD COLUMN ended_by TEXT;
ALTER TABLE lists ADD COLUMN ended_from TEXT;

-- What nodes have to agree on, as hashes: an older release says nothing here.
ALTER TABLE leases ADD COLUMN settings TEXT NOT NULL DEFAULT '';
