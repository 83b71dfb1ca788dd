-- People who log in, and their sessions.  Neither a password nor a session's
-- id can be had from here: both are kept as hashes.
CREATE TABLE site_user (
  name         VARCHAR(64)    NOT NULL,
  role         VARCHAR(10)    NOT NULL,           -- viewer modeler admin
  password     VARCHAR(128)   NOT NULL,           -- argon2id, PHC text
  enabled      TINYINT(1)     NOT NULL DEFAULT 1,
  failed       INT            NOT NULL DEFAULT 0, -- log-ins since the last
  locked_until DATETIME(6)    NULL,
  created_at   DATETIME(6)    NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  password_at  DATETIME(6)    NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE session (
  hash         BINARY(32)     NOT NULL,           -- of the cookie's bytes
  user_name    VARCHAR(64)    NOT NULL,
  created_at   DATETIME(6)    NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  seen_at      DATETIME(6)    NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  expires_at   DATETIME(6)    NOT NULL,
  PRIMARY KEY (hash),
  KEY session_user (user_name, created_at),
  KEY session_expires (expires_at),
  CONSTRAINT session_of_user FOREIGN KEY (user_name)
    REFERENCES site_user (name) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
