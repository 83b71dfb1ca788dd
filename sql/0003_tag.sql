-- Words that people put on versions of models.  A tag may be there without
-- any model; a link is to a version, whoever's half of it lies here.
CREATE TABLE tag (
  id          BIGINT       NOT NULL AUTO_INCREMENT,
  name        VARCHAR(100) NOT NULL,
  description TEXT         NULL,
  created_at  DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (id),
  UNIQUE KEY tag_name (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE model_tag (
  model_version VARCHAR(100) NOT NULL,
  tag_id        BIGINT       NOT NULL,
  created_at    DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (model_version, tag_id),
  KEY model_tag_tag (tag_id),
  CONSTRAINT model_tag_of FOREIGN KEY (tag_id) REFERENCES tag (id)
    ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
