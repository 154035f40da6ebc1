-- Who asked for a mail, so that one network's asking does not use up another's, and whether an address was registered more
-- than once. A program that knows only earlier migrations goes on beside this one.

-- The network (an IPv4 address, an IPv6 /64) that asked for a mail which is counted by its address.
ALTER TABLE outbox ADD COLUMN asked_from TEXT;
-- 1: somebody registered the address again while this waited: nobody's password is believed.
ALTER TABLE registrations ADD COLUMN contested BIGINT;
CREATE INDEX outbox_blurred ON outbox (done_at) WHERE body = '{}';
