-- Signed requests of partners seen lately, in memory as those of users are
-- (client_nonce); see lib/db/db_nonce_memory.h.
CREATE TABLE partner_nonce (
  hash         BINARY(16)   NOT NULL,  -- of party and nonce
  time_ms      BIGINT       NOT NULL,  -- when the request was signed
  PRIMARY KEY (hash) USING HASH
) ENGINE=MEMORY;

-- Since when partner_nonce holds everything: at most one row.
CREATE TABLE partner_nonce_since (
  id           TINYINT      NOT NULL,  -- 1
  since_ms     BIGINT       NOT NULL,
  PRIMARY KEY (id) USING HASH
) ENGINE=MEMORY;

-- Programs of an older schema have stopped, and all that they answered within
-- ten minutes stands in nonce: what was signed before now is refused.  Where
-- nothing stands there nothing was answered: then there is nothing to refuse.
INSERT INTO partner_nonce_since (id, since_ms)
  SELECT 1, FLOOR(UNIX_TIMESTAMP(NOW(6)) * 1000)
    - IF(EXISTS (SELECT 1 FROM nonce), 0, 600000);
