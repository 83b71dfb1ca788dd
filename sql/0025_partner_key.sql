-- Signing keys and TLS certificates of partners, this site included: those
-- that count now and those that did.  Nothing is deleted here, so that what
-- was signed years ago can still be checked.  partner.sign_key and
-- partner.tls_cert are the newest of each.
CREATE TABLE partner_key (
  party_id    VARCHAR(10)   NOT NULL,
  kind        VARCHAR(4)    NOT NULL,             -- sign tls
  digest      BINARY(32)    NOT NULL,             -- SHA-256 of material
  material    VARCHAR(8000) NOT NULL,             -- "ed25519:…", or PEM
  valid_from  DATETIME(6)   NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  valid_until DATETIME(6)   NULL,                 -- NULL: no end was set
  revoked_at  DATETIME(6)   NULL,
  reason      VARCHAR(500)  NOT NULL DEFAULT '',  -- of the revocation
  PRIMARY KEY (party_id, kind, digest)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

INSERT INTO partner_key (party_id, kind, digest, material, valid_from)
  SELECT party_id, 'sign',
    UNHEX(SHA2(CONCAT('ed25519:', TO_BASE64(sign_key)), 256)),
    CONCAT('ed25519:', TO_BASE64(sign_key)), created_at
  FROM partner;
INSERT INTO partner_key (party_id, kind, digest, material, valid_from)
  SELECT party_id, 'tls', UNHEX(SHA2(tls_cert, 256)), tls_cert, created_at
  FROM partner;
