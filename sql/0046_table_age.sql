-- The newest tables, and the newest uploads, come off an index: neither the rows
-- of all outputs that were ever made are read for them, nor all jobs'.
ALTER TABLE data_table
  ADD KEY data_table_age (created_at, namespace, name, origin, job_id);
