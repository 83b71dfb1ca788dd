-- The order in which audit rows were chained, and the hash of each: see
-- lib/audit/record.h.  Rows of audit are written unchained by whoever has
-- something to record; one supervisor at a time adds their links, in batches.
CREATE TABLE audit_link (
  seq         BIGINT       NOT NULL,              -- from 1, without gaps
  audit_id    BIGINT       NOT NULL,
  hash        BINARY(32)   NOT NULL,
  PRIMARY KEY (seq),
  UNIQUE KEY audit_link_row (audit_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Where a chain begins whose older records were removed: the last of them,
-- signed by the site's key.
CREATE TABLE audit_checkpoint (
  seq         BIGINT       NOT NULL,
  hash        BINARY(32)   NOT NULL,
  at          DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  signature   BINARY(64)   NOT NULL,
  PRIMARY KEY (seq)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
