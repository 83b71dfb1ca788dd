-- Why a job or a task is neither running nor over (lib/model/wait.h): one
-- reason for each, in the row itself, changed by the statement that changes
-- the state.  The words of a job's reason are job.reason.
ALTER TABLE job
  ADD COLUMN wait_code    VARCHAR(24)  NOT NULL DEFAULT 'creating',
  ADD COLUMN wait_role    VARCHAR(20)  NOT NULL DEFAULT '', -- whose turn it is
  ADD COLUMN wait_party   VARCHAR(10)  NOT NULL DEFAULT '',
  ADD COLUMN wait_on      VARCHAR(500) NOT NULL DEFAULT '', -- jobs, components
  ADD COLUMN wait_numbers VARCHAR(500) NOT NULL DEFAULT '', -- JSON or nothing
  ADD COLUMN wait_since   DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6);
ALTER TABLE task
  ADD COLUMN wait_code    VARCHAR(24)  NOT NULL DEFAULT 'job_start',
  ADD COLUMN wait_role    VARCHAR(20)  NOT NULL DEFAULT '',
  ADD COLUMN wait_party   VARCHAR(10)  NOT NULL DEFAULT '',
  ADD COLUMN wait_on      VARCHAR(500) NOT NULL DEFAULT '',
  ADD COLUMN wait_numbers VARCHAR(500) NOT NULL DEFAULT '',
  ADD COLUMN wait_since   DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6);

UPDATE job SET wait_code = '' WHERE status NOT IN ('ready', 'waiting');
UPDATE job SET wait_code = 'initiator', wait_role = initiator_role,
  wait_party = initiator_party
  WHERE is_initiator = 0 AND status IN ('ready', 'waiting');
UPDATE task SET wait_code = '' WHERE party_status <> 'waiting';

-- Nothing waits without a reason.
ALTER TABLE job
  ADD CONSTRAINT job_waits_for_something
    CHECK (status NOT IN ('ready', 'waiting') OR wait_code <> ''),
  -- who waits for what becomes free at a party, longest wait first
  ADD KEY job_wait (wait_code, wait_party, created_at);
ALTER TABLE task
  ADD CONSTRAINT task_waits_for_something
    CHECK (party_status <> 'waiting' OR wait_code <> '');
