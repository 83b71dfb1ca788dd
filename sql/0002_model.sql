-- Versions of models as this site's members have them.  A training job makes
-- a parent version (its id), a deployment makes a child of it, which alone
-- may be used for prediction.
--
-- A version is staged on every member first: its manifest, canonical JSON,
-- lists what this member's half consists of, with a SHA-256 for each part.
-- The root is the SHA-256 over all members' manifest hashes, the same at
-- every member; with it the version is sealed.  A version that was never
-- sealed is not shown and cannot be used: all members have it, or none.
CREATE TABLE model (
  model_id      VARCHAR(255) NOT NULL,
  model_version VARCHAR(100) NOT NULL,
  role          VARCHAR(20)  NOT NULL,
  party_id      VARCHAR(10)  NOT NULL,
  state         VARCHAR(10)  NOT NULL,            -- staged sealed
  job_id        VARCHAR(25)  NOT NULL,            -- the job that trained it
  is_parent     TINYINT(1)   NOT NULL,
  parent_version VARCHAR(100) NULL,               -- of a child
  parent_info   LONGTEXT     NULL,                -- JSON, as clients see it
  roles         LONGTEXT     NOT NULL,            -- {"guest":[9999],…}
  initiator_role  VARCHAR(20) NOT NULL,
  initiator_party VARCHAR(10) NOT NULL,
  train_dsl     LONGTEXT     NOT NULL,
  inference_dsl LONGTEXT     NOT NULL,
  train_runtime_conf   LONGTEXT NOT NULL,
  runtime_conf_on_party LONGTEXT NOT NULL,
  manifest      LONGTEXT     NOT NULL,
  manifest_hash BINARY(32)   NOT NULL,
  root_hash     BINARY(32)   NULL,                -- NULL while staged
  size_bytes    BIGINT       NOT NULL DEFAULT 0,
  loaded_times  INT          NOT NULL DEFAULT 0,
  imported      TINYINT(1)   NOT NULL DEFAULT 0,
  archive_sha256 BINARY(32)  NULL,                -- of the archive it came by
  created_at    DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  updated_at    DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
                             ON UPDATE CURRENT_TIMESTAMP(6),
  PRIMARY KEY (model_id, model_version, role, party_id),
  KEY model_by_version (model_version, role, party_id),
  KEY model_job (job_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- The same version may stand under another model id after a migration.
ALTER TABLE model_part
  DROP PRIMARY KEY,
  ADD PRIMARY KEY
    (model_id, model_version, role, party_id, component, alias, buffer_name),
  ADD KEY model_part_version (model_version, role, party_id, component);
