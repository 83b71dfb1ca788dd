-- What the classic platform's requests store about others, for those who ask.
-- Nothing of it is believed or used by this site itself.

-- Public keys of the classic platform's sites (RSA); whom this site trusts
-- stands in partner.
CREATE TABLE classic_key (
  party_id     VARCHAR(10)  NOT NULL,
  key_text     TEXT         NOT NULL,
  updated_at   DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
                            ON UPDATE CURRENT_TIMESTAMP(6),
  PRIMARY KEY (party_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE registered_server (
  name         VARCHAR(50)  NOT NULL,           -- upper case
  host         VARCHAR(255) NOT NULL,
  port         INT          NOT NULL,
  protocol     VARCHAR(10)  NOT NULL DEFAULT 'http',
  PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE registered_service (
  server_name  VARCHAR(50)  NOT NULL,
  service_name VARCHAR(50)  NOT NULL,
  url          VARCHAR(1000) NOT NULL,
  method       VARCHAR(10)  NOT NULL DEFAULT 'POST',
  params       LONGTEXT     NULL,               -- JSON
  body         LONGTEXT     NULL,
  headers      LONGTEXT     NULL,
  PRIMARY KEY (server_name, service_name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
