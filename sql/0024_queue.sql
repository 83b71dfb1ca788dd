-- How much of this site the jobs of one initiator may have; 0: no limit.
-- '*' is every partner without a row of its own, from the configuration.
CREATE TABLE quota (
  party_id     VARCHAR(10)  NOT NULL,
  cores        BIGINT       NOT NULL DEFAULT 0,
  running_jobs BIGINT       NOT NULL DEFAULT 0,
  waiting_jobs BIGINT       NOT NULL DEFAULT 0,
  PRIMARY KEY (party_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Who waits for the same stands in order of queue_at: the time of the submit,
-- earlier by a minute for each point of priority.
ALTER TABLE job
  ADD COLUMN priority   INT         NOT NULL DEFAULT 0,
  ADD COLUMN queue_at   DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  ADD COLUMN wait_cores BIGINT      NOT NULL DEFAULT 0, -- asked for and refused
  DROP KEY job_wait,
  ADD KEY job_queue (wait_code, wait_party, queue_at),
  ADD KEY job_fits (wait_code, wait_party, wait_cores, queue_at),
  -- leases are renewed and taken over by owner, however many jobs wait
  ADD KEY job_lease (lease_owner);
UPDATE job SET queue_at = created_at;
