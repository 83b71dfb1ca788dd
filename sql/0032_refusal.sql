-- What the front end refused by itself: how far its refused.log was read at
-- each place (host and home), and what is still to become a record.
CREATE TABLE front_log (
  place    VARCHAR(300) NOT NULL,
  inode    BIGINT       NOT NULL,             -- the file's, as it may be renamed
  read_to  BIGINT       NOT NULL,             -- all lines before it were counted
  read_at  DATETIME(6)  NOT NULL,
  PRIMARY KEY (place)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE refusal (
  place    VARCHAR(300) NOT NULL,
  listener VARCHAR(20)  NOT NULL,
  reason   VARCHAR(30)  NOT NULL,
  party_id VARCHAR(10)  NOT NULL,             -- '': nobody knows
  pending  BIGINT       NOT NULL DEFAULT 0,   -- since the last record
  first_at DATETIME(6)  NULL,                 -- of the pending ones
  address  VARCHAR(50)  NOT NULL DEFAULT '',  -- the last one's
  told_at  DATETIME(6)  NULL,                 -- the last record's
  PRIMARY KEY (place, listener, reason, party_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
