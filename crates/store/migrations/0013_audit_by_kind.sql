-- Entries of one kind, the newest first: without it whoever looks for a rare kind reads the whole trail, which takes a second or
-- two for a million entries. A program that knows only earlier migrations goes on beside this one.
CREATE INDEX IF NOT EXISTS audit_by_kind ON audit (kind, id);
