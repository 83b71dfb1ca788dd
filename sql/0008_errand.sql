-- Requests of users that need an answer of other members: fcgi-app writes the
-- row and waits, a supervisor asks the members and writes the replies.  A
-- supervisor that dies leaves the row to the next one, so whatever members
-- are asked by an errand may be asked again.
CREATE TABLE errand (
  errand_id   CHAR(32)     NOT NULL,
  kind        VARCHAR(40)  NOT NULL,             -- which command
  state       VARCHAR(10)  NOT NULL,             -- waiting running done expired
  persistent  TINYINT(1)   NOT NULL,             -- members are asked until they answer
  calls       LONGTEXT     NOT NULL,             -- [{"role","party_id","body"}, …]
  replies     LONGTEXT     NULL,                 -- [{"retcode","retmsg","data"} or null, …]
  lease_owner VARCHAR(64)  NULL,
  lease_fence BIGINT       NOT NULL DEFAULT 0,
  lease_until DATETIME(6)  NULL,
  next_try_at DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  tries       INT          NOT NULL DEFAULT 0,
  deadline_at DATETIME(6)  NOT NULL,             -- not begun after this
  created_at  DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  ended_at    DATETIME(6)  NULL,
  PRIMARY KEY (errand_id),
  KEY errand_due (state, next_try_at),
  KEY errand_ended (ended_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
