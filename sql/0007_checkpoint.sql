-- What a component can go on from: the state of its model at a step.  Kept
-- as a ring: of one component the newest ones only.  Files are named by
-- content, as those of models.
CREATE TABLE checkpoint (
  id            BIGINT       NOT NULL AUTO_INCREMENT, -- grows with time
  model_id      VARCHAR(255) NOT NULL,
  model_version VARCHAR(100) NOT NULL,
  role          VARCHAR(20)  NOT NULL,
  party_id      VARCHAR(10)  NOT NULL,
  component     VARCHAR(100) NOT NULL,
  step_index    BIGINT       NOT NULL,
  step_name     VARCHAR(100) NOT NULL,
  version       INT          NOT NULL,              -- task version it is from
  created_at    DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (id),
  UNIQUE KEY checkpoint_step
    (model_id, model_version, role, party_id, component, step_index)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE checkpoint_part (
  checkpoint_id BIGINT       NOT NULL,
  buffer_name   VARCHAR(100) NOT NULL,
  message       VARCHAR(100) NOT NULL,
  bytes         BIGINT       NOT NULL,
  sha256        BINARY(32)   NOT NULL,
  PRIMARY KEY (checkpoint_id, buffer_name),
  KEY checkpoint_part_object (sha256),
  CONSTRAINT checkpoint_part_of FOREIGN KEY (checkpoint_id)
    REFERENCES checkpoint (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
