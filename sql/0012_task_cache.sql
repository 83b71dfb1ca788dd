-- What an intersection leaves for later ones (run_cache): kept apart from
-- data_table, for a cache holds a secret exponent and no client, no Reader
-- and no download may come near it.
CREATE TABLE task_cache (
  cache_key   CHAR(32)     NOT NULL,
  job_id      VARCHAR(25)  NOT NULL,
  component   VARCHAR(100) NOT NULL,
  version     INT          NOT NULL,
  role        VARCHAR(20)  NOT NULL,
  party_id    VARCHAR(10)  NOT NULL,
  cache_name  VARCHAR(100) NOT NULL,
  folder      VARCHAR(64)  NOT NULL,             -- below HOME/data/tables
  meta        LONGTEXT     NOT NULL,             -- the cache's schema, JSON
  row_count   BIGINT       NOT NULL,
  created_at  DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  expires_at  DATETIME(6)  NOT NULL,
  PRIMARY KEY (cache_key),
  UNIQUE KEY task_cache_output
    (job_id, component, version, role, party_id, cache_name),
  KEY task_cache_expires (expires_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
