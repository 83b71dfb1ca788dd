-- Shared connection settings under a name, for tables kept elsewhere.  A
-- password in info is sealed with the site's vault, whose key is no row.
CREATE TABLE connector (
  name        VARCHAR(255) NOT NULL,
  engine      VARCHAR(20)  NOT NULL,
  info        LONGTEXT     NOT NULL,             -- JSON
  created_at  DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  updated_at  DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
                           ON UPDATE CURRENT_TIMESTAMP(6),
  PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Which table was made from which: its parents, and the tables without
-- parents that these go back to.  row_hash is over all names.
CREATE TABLE table_lineage (
  row_hash         BINARY(32)   NOT NULL,
  namespace        VARCHAR(255) NOT NULL,
  name             VARCHAR(255) NOT NULL,
  parent_namespace VARCHAR(255) NOT NULL,
  parent_name      VARCHAR(255) NOT NULL,
  source_namespace VARCHAR(255) NOT NULL,
  source_name      VARCHAR(255) NOT NULL,
  job_id           VARCHAR(25)  NOT NULL,
  created_at       DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (row_hash),
  KEY table_lineage_table (namespace, name),
  KEY table_lineage_job (job_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Which task was given which table, in the order of its inputs.
CREATE TABLE table_use (
  job_id      VARCHAR(25)  NOT NULL,
  component   VARCHAR(100) NOT NULL,
  version     INT          NOT NULL,
  role        VARCHAR(20)  NOT NULL,
  party_id    VARCHAR(10)  NOT NULL,
  position    INT          NOT NULL,
  data_key    VARCHAR(100) NOT NULL,
  namespace   VARCHAR(255) NOT NULL,
  name        VARCHAR(255) NOT NULL,
  created_at  DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (job_id, component, version, role, party_id, position),
  KEY table_use_table (namespace, name, job_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
