-- Where the other hosts of the site reach a supervisor; '' for one alone.
ALTER TABLE supervisor_state
  ADD COLUMN address VARCHAR(100) NOT NULL DEFAULT '' AFTER host,
  -- Where its process ids count (boot and PID namespace).
  ADD COLUMN place   VARCHAR(64)  NOT NULL DEFAULT '' AFTER address;
