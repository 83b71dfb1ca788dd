-- Partners that were withdrawn while jobs are shared with them still: what is
-- left of these is ended in batches, by whoever comes to it.
CREATE TABLE withdrawal (
  party_id VARCHAR(10) NOT NULL,
  kind     VARCHAR(10) NOT NULL,                  -- disabled removed sign tls
  since    DATETIME(6) NOT NULL,                  -- jobs from before end
  PRIMARY KEY (party_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
