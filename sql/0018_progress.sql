-- Whether an executor gets on: a count of its shepherd's, written with each
-- heartbeat, and when it last grew.
ALTER TABLE attempt
  ADD COLUMN progress BIGINT NOT NULL DEFAULT 0,
  ADD COLUMN progress_at DATETIME(6) NULL;
