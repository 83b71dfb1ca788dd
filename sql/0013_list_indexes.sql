-- What is asked for every second does not read the rows of all jobs ever run:
-- a page of jobs and their number come from indexes, and so do the grants
-- that were not returned yet.
ALTER TABLE job DROP KEY job_created,
  ADD KEY job_created (created_at, job_id, tag),
  ADD KEY job_tag (tag);
ALTER TABLE job_party ADD KEY job_party_local (is_local, job_id, role, party_id);
ALTER TABLE resource_grant ADD KEY grant_unreturned (returned_at, expires_at);
