-- A supervisor that runs: one row for each home, renewed every few seconds.
-- metrics is what it counts, in the text format of the monitoring system.
CREATE TABLE supervisor_state (
  instance     VARCHAR(64)  NOT NULL,             -- host:home
  host         VARCHAR(255) NOT NULL,
  started_at   DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  heartbeat_at DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  metrics      LONGTEXT     NOT NULL,
  PRIMARY KEY (instance)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Whether a partner answers, and since when.
CREATE TABLE partner_state (
  party_id     VARCHAR(10)  NOT NULL,
  answers      TINYINT(1)   NOT NULL,
  since        DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  checked_at   DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  reason       TEXT         NULL,                 -- of its silence
  PRIMARY KEY (party_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
