-- Jobs that run again, also with other parameters.
--
-- run counts the times a job was brought back after an end, revision the
-- contracts it has had; a member is told both with the documents when it is
-- asked to take part again, so that a late or repeated request changes
-- nothing.  The initiator brings a job back in the transaction of the
-- request, which leaves nothing for a signal to say.
ALTER TABLE job
  ADD COLUMN revision INT NOT NULL DEFAULT 0,
  ADD COLUMN run INT NOT NULL DEFAULT 0,
  DROP COLUMN rerun_signal;

-- Parameters for the next version of a task, set when the job got others
-- after this version was made; NULL: the same again.
ALTER TABLE task
  ADD COLUMN next_parameters LONGTEXT NULL;
