-- Keys of this site's users.  A secret has to be had in the clear to check a
-- signature, so it lies here encrypted under the site's vault file.
CREATE TABLE client_key (
  name         VARCHAR(64)    NOT NULL,           -- for people, and the actor
  app_key      VARCHAR(64)    NOT NULL,           -- what APP_KEY says
  role         VARCHAR(10)    NOT NULL,           -- viewer modeler admin
  secret       VARCHAR(255)   NOT NULL,           -- sealed, bound to app_key
  enabled      TINYINT(1)     NOT NULL DEFAULT 1,
  created_at   DATETIME(6)    NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (name),
  UNIQUE KEY client_key_app (app_key)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
