-- Signed requests of users seen lately, in memory: a durable row would cost
-- more than what most of them ask for.  What a restart of the server forgets
-- is refused or remembered durably (table nonce) until nothing that was
-- answered before it could be taken again; see lib/db/db_client_nonce.h.
CREATE TABLE client_nonce (
  hash         BINARY(16)   NOT NULL,  -- of key, time and nonce
  time_ms      BIGINT       NOT NULL,  -- the request's TIMESTAMP
  PRIMARY KEY (hash) USING HASH
) ENGINE=MEMORY;

-- Since when client_nonce holds everything: at most one row.
CREATE TABLE client_nonce_since (
  id           TINYINT      NOT NULL,  -- 1
  since_ms     BIGINT       NOT NULL,
  PRIMARY KEY (id) USING HASH
) ENGINE=MEMORY;

-- Programs of an older schema have stopped: what they answered was signed
-- before now, and is refused.
INSERT INTO client_nonce_since (id, since_ms)
  VALUES (1, FLOOR(UNIX_TIMESTAMP(NOW(6)) * 1000));
