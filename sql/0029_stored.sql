-- What jobs of each partner have stored here: bytes of documents, and what the
-- rows that they bring take.  Jobs are not removed, so it only grows.
ALTER TABLE quota ADD COLUMN stored_bytes BIGINT NOT NULL DEFAULT 0;
CREATE TABLE partner_stored (
  party_id VARCHAR(10) NOT NULL,
  bytes    BIGINT      NOT NULL,
  PRIMARY KEY (party_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO partner_stored (party_id, bytes)
  SELECT initiator_party, SUM(4096 + LENGTH(contract)
    + 2 * (LENGTH(dsl) + LENGTH(runtime_conf)))
  FROM job WHERE is_initiator = 0 GROUP BY initiator_party;
