-- Providers that were registered while the site runs, oldest first.  What a
-- provider is stands in its folder; a new row tells every process to look.
CREATE TABLE provider (
  id            BIGINT       NOT NULL AUTO_INCREMENT,
  name          VARCHAR(100) NOT NULL,
  version       VARCHAR(30)  NOT NULL,
  registered_by VARCHAR(200) NOT NULL,
  registered_at DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
