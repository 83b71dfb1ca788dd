-- A row of the ledger is written again when its commit went unanswered; it is
-- one row then.  Rows of before, and of shepherds of before that still run,
-- have no number, and do not count as the same.
ALTER TABLE egress
  ADD COLUMN fence BIGINT NOT NULL DEFAULT 0,        -- of the sender's attempt
  ADD COLUMN seq   BIGINT NULL,                      -- among its objects
  ADD UNIQUE KEY egress_once (job_id, component, version, role, party_id, fence,
    seq),
  DROP KEY egress_task;
