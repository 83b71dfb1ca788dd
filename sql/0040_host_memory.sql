-- Memory of each host of a site that has several, and who has what of it.
ALTER TABLE attempt ADD COLUMN memory_mb BIGINT NOT NULL DEFAULT 0 AFTER cores;
CREATE TABLE host_memory (
  host      VARCHAR(255) NOT NULL,
  memory_mb BIGINT       NOT NULL,
  PRIMARY KEY (host)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
