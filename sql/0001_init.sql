-- The state of one site.  MySQL 8.0 and MariaDB 10.6 or newer.
-- Times are DATETIME(6) of the database's clock (UTC session), JSON is
-- LONGTEXT checked by the programs (the two servers' JSON types differ).

-- Partner sites, this one included.
CREATE TABLE partner (
  party_id     VARCHAR(10)   NOT NULL,
  name         VARCHAR(100)  NOT NULL DEFAULT '',
  url          VARCHAR(500)  NOT NULL,           -- https://host:port
  sign_key     BINARY(32)    NOT NULL,           -- Ed25519 public key
  tls_cert     TEXT          NOT NULL,           -- PEM
  enabled      TINYINT(1)    NOT NULL DEFAULT 1,
  created_at   DATETIME(6)   NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (party_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Nonces of signed requests seen, until they expire.
CREATE TABLE nonce (
  party_id     VARCHAR(10)   NOT NULL,
  nonce        VARCHAR(64)   NOT NULL,
  expires_at   DATETIME(6)   NOT NULL,
  PRIMARY KEY (party_id, nonce),
  KEY nonce_expiry (expires_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- A job as this site knows it; one row whatever the number of members here.
CREATE TABLE job (
  job_id          VARCHAR(25)  NOT NULL,
  status          VARCHAR(10)  NOT NULL,          -- ready waiting running …
  tag             VARCHAR(50)  NOT NULL DEFAULT '',
  name            VARCHAR(500) NOT NULL DEFAULT '',
  description     TEXT         NULL,
  is_initiator    TINYINT(1)   NOT NULL,
  initiator_role  VARCHAR(20)  NOT NULL,
  initiator_party VARCHAR(10)  NOT NULL,
  job_type        VARCHAR(10)  NOT NULL DEFAULT 'train',
  model_id        VARCHAR(500) NOT NULL DEFAULT '',
  model_version   VARCHAR(100) NOT NULL DEFAULT '',
  dsl             LONGTEXT     NOT NULL,
  runtime_conf    LONGTEXT     NOT NULL,          -- completed
  train_conf      LONGTEXT     NULL,
  roles           LONGTEXT     NOT NULL,          -- {"guest":[9999],…}
  contract        LONGTEXT     NOT NULL,          -- canonical JSON
  contract_hash   BINARY(32)   NOT NULL,
  task_parallelism INT         NOT NULL DEFAULT 1,
  timeout_s       INT          NOT NULL,
  progress        INT          NOT NULL DEFAULT 0,
  cancel_signal   TINYINT(1)   NOT NULL DEFAULT 0,
  cancel_status   VARCHAR(10)  NOT NULL DEFAULT '', -- canceled, timeout, failed
  rerun_signal    TINYINT(1)   NOT NULL DEFAULT 0,
  reason          TEXT         NULL,              -- why failed / why waiting
  -- the scheduling lease (initiator only)
  lease_owner     VARCHAR(64)  NULL,
  lease_fence     BIGINT       NOT NULL DEFAULT 0,
  lease_until     DATETIME(6)  NULL,
  next_look_at    DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  -- the end reached every member and everything is tidied
  settled         TINYINT(1)   NOT NULL DEFAULT 0,
  created_at      DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  updated_at      DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
                               ON UPDATE CURRENT_TIMESTAMP(6),
  started_at      DATETIME(6)  NULL,
  ended_at        DATETIME(6)  NULL,
  PRIMARY KEY (job_id),
  KEY job_schedule (is_initiator, settled, next_look_at),
  KEY job_status (status, created_at),
  KEY job_created (created_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Members of a job, remote ones included.  How far each has come is kept at
-- the initiator; party_conf, cores and memory_mb are of this site's own members
-- (is_local).
CREATE TABLE job_party (
  job_id        VARCHAR(25)  NOT NULL,
  role          VARCHAR(20)  NOT NULL,
  party_id      VARCHAR(10)  NOT NULL,
  position      INT          NOT NULL,            -- index in its role
  is_local      TINYINT(1)   NOT NULL,
  party_conf    LONGTEXT     NULL,                -- runtime_conf_on_party
  created       TINYINT(1)   NOT NULL DEFAULT 0,  -- acknowledged create
  reserved      TINYINT(1)   NOT NULL DEFAULT 0,
  started       TINYINT(1)   NOT NULL DEFAULT 0,
  ended         TINYINT(1)   NOT NULL DEFAULT 0,  -- acknowledged the end state
  cores         INT          NOT NULL DEFAULT 0,  -- asked for here
  memory_mb     BIGINT       NOT NULL DEFAULT 0,
  last_error    TEXT         NULL,
  PRIMARY KEY (job_id, role, party_id),
  KEY job_party_party (party_id, job_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- One row per task version and member: local rows everywhere, holder rows
-- (run_here = 0) for remote members at the initiator.
CREATE TABLE task (
  job_id          VARCHAR(25)  NOT NULL,
  component       VARCHAR(100) NOT NULL,
  version         INT          NOT NULL,
  role            VARCHAR(20)  NOT NULL,
  party_id        VARCHAR(10)  NOT NULL,
  seq             INT          NOT NULL,          -- topological position
  module          VARCHAR(100) NOT NULL,
  run_here        TINYINT(1)   NOT NULL,
  status          VARCHAR(10)  NOT NULL,          -- verdict over members
  party_status    VARCHAR(10)  NOT NULL,          -- this member's own
  status_acked    VARCHAR(10)  NOT NULL DEFAULT '', -- verdict the member has
  start_acked     TINYINT(1)   NOT NULL DEFAULT 0,
  need_run        TINYINT(1)   NOT NULL DEFAULT 1,
  auto_retries    INT          NOT NULL DEFAULT 0,
  retry_delay_s   INT          NOT NULL DEFAULT 1,
  provider        LONGTEXT     NULL,              -- {"name":…,"version":…}
  parameters      LONGTEXT     NULL,              -- complete
  error_report    TEXT         NULL,
  progress        INT          NOT NULL DEFAULT 0,
  -- local launch: requested by start, claimed by a supervisor
  launch_wanted   TINYINT(1)   NOT NULL DEFAULT 0,
  kill_wanted     VARCHAR(10)  NOT NULL DEFAULT '', -- the end state wanted
  report_due      TINYINT(1)   NOT NULL DEFAULT 0,  -- initiator not yet told
  created_at      DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  updated_at      DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
                               ON UPDATE CURRENT_TIMESTAMP(6),
  started_at      DATETIME(6)  NULL,
  ended_at        DATETIME(6)  NULL,
  PRIMARY KEY (job_id, component, version, role, party_id),
  KEY task_launch (launch_wanted, run_here),
  KEY task_report (report_due),
  KEY task_running (run_here, party_status)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- One row per start of a task here.  The lease is the shepherd's; fence
-- grows with each attempt, and a write must name the current one.
CREATE TABLE attempt (
  job_id       VARCHAR(25)  NOT NULL,
  component    VARCHAR(100) NOT NULL,
  version      INT          NOT NULL,
  role         VARCHAR(20)  NOT NULL,
  party_id     VARCHAR(10)  NOT NULL,
  fence        INT          NOT NULL,             -- 1, 2, …
  attempt_id   CHAR(32)     NOT NULL,
  host         VARCHAR(255) NOT NULL,
  launcher     VARCHAR(64)  NOT NULL,             -- supervisor instance
  shepherd_pid INT          NULL,
  executor_pid INT          NULL,
  cores        INT          NOT NULL DEFAULT 1,
  lease_until  DATETIME(6)  NOT NULL,
  heartbeat_at DATETIME(6)  NULL,
  started_at   DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  ended_at     DATETIME(6)  NULL,
  outcome      VARCHAR(200) NULL,
  PRIMARY KEY (job_id, component, version, role, party_id, fence),
  UNIQUE KEY attempt_uid (attempt_id),
  KEY attempt_open (ended_at, lease_until)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Everything that changed a state: who, when, from, to, why.
CREATE TABLE event (
  id          BIGINT       NOT NULL AUTO_INCREMENT,
  at          DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  job_id      VARCHAR(25)  NOT NULL,
  component   VARCHAR(100) NOT NULL DEFAULT '',
  version     INT          NOT NULL DEFAULT 0,
  role        VARCHAR(20)  NOT NULL DEFAULT '',
  party_id    VARCHAR(10)  NOT NULL DEFAULT '',
  kind        VARCHAR(20)  NOT NULL,    -- job task party_task resource …
  from_state  VARCHAR(20)  NOT NULL DEFAULT '',
  to_state    VARCHAR(20)  NOT NULL DEFAULT '',
  actor       VARCHAR(100) NOT NULL,
  reason      TEXT         NULL,
  PRIMARY KEY (id),
  KEY event_job (job_id, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Capacity of this site and the ledger of what was granted from it.
CREATE TABLE resource (
  engine      VARCHAR(50)  NOT NULL,
  cores       INT          NOT NULL,
  memory_mb   BIGINT       NOT NULL,
  updated_at  DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (engine)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE resource_grant (
  job_id      VARCHAR(25)  NOT NULL,
  role        VARCHAR(20)  NOT NULL,
  party_id    VARCHAR(10)  NOT NULL,
  engine      VARCHAR(50)  NOT NULL,
  cores       INT          NOT NULL,
  memory_mb   BIGINT       NOT NULL,
  granted_at  DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  expires_at  DATETIME(6)  NULL,        -- NULL once the job started
  returned_at DATETIME(6)  NULL,
  PRIMARY KEY (job_id, role, party_id),
  KEY grant_open (engine, returned_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Tables of data: uploaded, bound, or made by tasks.
CREATE TABLE data_table (
  namespace     VARCHAR(255) NOT NULL,
  name          VARCHAR(255) NOT NULL,
  engine        VARCHAR(20)  NOT NULL,            -- STANDALONE …
  address       LONGTEXT     NOT NULL,            -- JSON
  folder        VARCHAR(100) NOT NULL DEFAULT '', -- below HOME/data/tables
  partitions    INT          NOT NULL DEFAULT 1,
  row_count     BIGINT       NOT NULL DEFAULT 0,
  id_delimiter  VARCHAR(20)  NOT NULL DEFAULT ',',
  have_head     TINYINT(1)   NOT NULL DEFAULT 1,
  extend_sid    TINYINT(1)   NOT NULL DEFAULT 0,
  auto_increasing_sid TINYINT(1) NOT NULL DEFAULT 0,
  table_schema_json LONGTEXT NOT NULL,
  preview       LONGTEXT     NULL,
  origin        VARCHAR(20)  NOT NULL,            -- upload table_bind output
  disabled      TINYINT(1)   NOT NULL DEFAULT 0,
  description   TEXT         NULL,
  job_id        VARCHAR(25)  NOT NULL DEFAULT '', -- the job that made it
  created_at    DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  updated_at    DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
                             ON UPDATE CURRENT_TIMESTAMP(6),
  PRIMARY KEY (namespace, name),
  KEY data_table_job (job_id),
  KEY data_table_folder (folder)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE task_output (
  job_id      VARCHAR(25)  NOT NULL,
  component   VARCHAR(100) NOT NULL,
  version     INT          NOT NULL,
  role        VARCHAR(20)  NOT NULL,
  party_id    VARCHAR(10)  NOT NULL,
  data_name   VARCHAR(100) NOT NULL,
  position    INT          NOT NULL,
  namespace   VARCHAR(255) NOT NULL,
  name        VARCHAR(255) NOT NULL,
  created_at  DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (job_id, component, version, role, party_id, data_name),
  KEY task_output_table (namespace, name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- A metric series and its points; a point is unique by its place.
CREATE TABLE metric (
  id          BIGINT       NOT NULL AUTO_INCREMENT,
  job_id      VARCHAR(25)  NOT NULL,
  component   VARCHAR(100) NOT NULL,
  version     INT          NOT NULL,
  role        VARCHAR(20)  NOT NULL,
  party_id    VARCHAR(10)  NOT NULL,
  namespace   VARCHAR(80)  NOT NULL,
  name        VARCHAR(150) NOT NULL,
  meta        LONGTEXT     NULL,
  created_at  DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (id),
  UNIQUE KEY metric_series
    (job_id, component, version, role, party_id, namespace, name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE metric_point (
  metric_id   BIGINT       NOT NULL,
  point_key   VARCHAR(200) NOT NULL,    -- JSON of the key: 3 or "auc"
  sort_key    DOUBLE       NULL,        -- the key when it is a number
  point_value LONGTEXT     NOT NULL,    -- JSON of the value
  PRIMARY KEY (metric_id, point_key)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE summary (
  job_id      VARCHAR(25)  NOT NULL,
  component   VARCHAR(100) NOT NULL,
  version     INT          NOT NULL,
  role        VARCHAR(20)  NOT NULL,
  party_id    VARCHAR(10)  NOT NULL,
  summary     LONGTEXT     NOT NULL,
  PRIMARY KEY (job_id, component, version, role, party_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Buffers of component models; files are named by their SHA-256.
CREATE TABLE model_part (
  model_id      VARCHAR(255) NOT NULL,
  model_version VARCHAR(100) NOT NULL,
  role          VARCHAR(20)  NOT NULL,
  party_id      VARCHAR(10)  NOT NULL,
  component     VARCHAR(100) NOT NULL,
  alias         VARCHAR(100) NOT NULL,
  buffer_name   VARCHAR(100) NOT NULL,
  message       VARCHAR(100) NOT NULL,
  module        VARCHAR(100) NOT NULL,
  version       INT          NOT NULL,            -- task version it is from
  bytes         BIGINT       NOT NULL,
  sha256        BINARY(32)   NOT NULL,
  created_at    DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (model_version, role, party_id, component, alias, buffer_name),
  KEY model_part_id (model_id, model_version),
  KEY model_part_object (sha256)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Every object that left this site, written before it leaves.
CREATE TABLE egress (
  id          BIGINT       NOT NULL AUTO_INCREMENT,
  at          DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  job_id      VARCHAR(25)  NOT NULL,
  component   VARCHAR(100) NOT NULL,
  version     INT          NOT NULL,
  role        VARCHAR(20)  NOT NULL,              -- sender
  party_id    VARCHAR(10)  NOT NULL,
  to_role     VARCHAR(20)  NOT NULL,
  to_party    VARCHAR(10)  NOT NULL,
  name        VARCHAR(150) NOT NULL,
  tag         VARCHAR(200) NOT NULL,
  bytes       BIGINT       NOT NULL,
  sha256      BINARY(32)   NOT NULL,
  PRIMARY KEY (id),
  KEY egress_task (job_id, component, version)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- What a request was refused for, and other things an owner asks about.
CREATE TABLE audit (
  id          BIGINT       NOT NULL AUTO_INCREMENT,
  at          DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  actor       VARCHAR(200) NOT NULL,              -- party, client, program
  action      VARCHAR(100) NOT NULL,
  subject     VARCHAR(500) NOT NULL DEFAULT '',
  outcome     VARCHAR(20)  NOT NULL,              -- ok refused
  detail      TEXT         NULL,
  PRIMARY KEY (id),
  KEY audit_at (at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
