-- What partners may do here: a tree of party (who initiates) and role (as
-- which it initiates) with leaves of five kinds.  What no leaf allows is
-- refused; a parameter's leaf bounds its value.  "*" stands for any.
--
--   kind       subject                    detail
--   role       the role asked of us       ''
--   command    create, rerun              ''
--   component  module, lower case         ''
--   dataset    namespace                  name
--   parameter  module, lower case         path in its parameters, a.b
CREATE TABLE permission (
  id           BIGINT       NOT NULL AUTO_INCREMENT,
  party_id     VARCHAR(10)  NOT NULL,
  src_role     VARCHAR(20)  NOT NULL,
  kind         VARCHAR(10)  NOT NULL,
  subject      VARCHAR(255) NOT NULL,
  detail       VARCHAR(255) NOT NULL DEFAULT '',
  bound        LONGTEXT     NULL,     -- JSON: [values] or {"min":…,"max":…}
  valid_from   DATETIME(6)  NULL,
  valid_until  DATETIME(6)  NULL,
  uses_left    INT          NULL,     -- of a dataset; NULL: any number
  created_by   VARCHAR(200) NOT NULL DEFAULT '',
  created_at   DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (id),
  UNIQUE KEY permission_leaf (party_id, src_role, kind, subject, detail)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Which jobs' members used up a use: once each, however often they ask.
CREATE TABLE permission_use (
  permission_id BIGINT      NOT NULL,
  job_id       VARCHAR(25)  NOT NULL,
  role         VARCHAR(20)  NOT NULL,
  party_id     VARCHAR(10)  NOT NULL,
  used_at      DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (permission_id, job_id, role, party_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
