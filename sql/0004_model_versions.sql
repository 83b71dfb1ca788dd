-- A job that runs again makes its version anew.  Until that one is sealed at
-- every member the sealed one stays as it is: both rows stand side by side,
-- and parts are kept for each version of the task that made them.  sealed
-- marks the parts that the manifest of the sealed version lists.
ALTER TABLE model
  DROP PRIMARY KEY,
  ADD PRIMARY KEY (model_id, model_version, role, party_id, state);

ALTER TABLE model_part
  ADD COLUMN sealed TINYINT(1) NOT NULL DEFAULT 0 AFTER sha256,
  DROP PRIMARY KEY,
  ADD PRIMARY KEY (model_id, model_version, role, party_id, component, alias,
    buffer_name, version);

-- What a member answered when it staged its half (initiator); NULL: it has
-- not, or the job makes no model.
ALTER TABLE job_party
  ADD COLUMN manifest_hash BINARY(32) NULL AFTER ended;
