-- How a job stood before it was to run again.  A run that is refused before any
-- of its tasks began is undone: then the job stands so again.
ALTER TABLE job
  ADD COLUMN before_status     VARCHAR(10) NOT NULL DEFAULT '', -- '': first run
  ADD COLUMN before_progress   INT         NOT NULL DEFAULT 0,
  ADD COLUMN before_started_at DATETIME(6) NULL,
  ADD COLUMN before_ended_at   DATETIME(6) NULL,
  ADD COLUMN rerun_at          DATETIME(6) NULL,
  -- the newest run was undone, and members are to be told so
  ADD COLUMN undone            TINYINT(1)  NOT NULL DEFAULT 0;
