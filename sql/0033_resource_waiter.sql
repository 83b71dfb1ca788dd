-- Initiators whose jobs this site refused resources, to be told when some
-- become free.  One row for each and kind of refusal, gone when it was told.
CREATE TABLE resource_waiter (
  party_id  VARCHAR(10) NOT NULL,           -- the initiator's, maybe our own
  code      VARCHAR(30) NOT NULL,           -- waiting_resources, quota
  role      VARCHAR(20) NOT NULL,           -- under which it initiates
  cores     INT         NOT NULL,           -- the least that one of them asks
  memory_mb BIGINT      NOT NULL,
  asked_at  DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  told_at   DATETIME(6) NULL,
  PRIMARY KEY (party_id, code)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
