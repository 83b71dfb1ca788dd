-- What the executor of a task that ended well was handed of one other site's
-- objects: the other end of that site's egress ledger.
CREATE TABLE ingress (
  job_id      VARCHAR(25)  NOT NULL,
  component   VARCHAR(100) NOT NULL,
  version     INT          NOT NULL,
  role        VARCHAR(20)  NOT NULL,
  party_id    VARCHAR(10)  NOT NULL,
  from_party  VARCHAR(10)  NOT NULL,
  objects     BIGINT       NOT NULL,              -- parts of large ones, each
  bytes       BIGINT       NOT NULL,
  PRIMARY KEY (job_id, component, version, role, party_id, from_party)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Heads of audit chains, exchanged with each other site of a job when it has
-- ended here: ours, with what the other said to it, and theirs with what we
-- said.  A row is made with the job's end and is open until both are complete.
CREATE TABLE audit_exchange (
  job_id      VARCHAR(25)  NOT NULL,
  run         INT          NOT NULL,
  peer_id     VARCHAR(10)  NOT NULL,              -- the other site
  audit_id    BIGINT       NOT NULL,              -- the job's end; in the head
  own_seq     BIGINT       NULL,
  own_hash    BINARY(32)   NULL,
  own_sign    BINARY(64)   NULL,                  -- ours over our head
  own_seen    BINARY(64)   NULL,                  -- theirs over our head
  peer_seq    BIGINT       NULL,
  peer_hash   BINARY(32)   NULL,
  peer_sign   BINARY(64)   NULL,                  -- theirs over their head
  peer_seen   BINARY(64)   NULL,                  -- ours over their head
  told        INT          NOT NULL DEFAULT 0,    -- 1 our head, 2 all
  open        INT          NOT NULL DEFAULT 1,
  tries       INT          NOT NULL DEFAULT 0,
  next_try_at DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  created_at  DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  last_error  VARCHAR(500) NOT NULL DEFAULT '',
  PRIMARY KEY (job_id, run, peer_id),
  KEY audit_exchange_due (open, next_try_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
