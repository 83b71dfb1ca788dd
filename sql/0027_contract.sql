-- Who signed which revision of a job's contract.  Every member of a job holds
-- the signatures of all; lib/sign/contract_sign.h says what is signed.
CREATE TABLE contract_signature (
  job_id       VARCHAR(25)  NOT NULL,
  revision     INT          NOT NULL,
  role         VARCHAR(20)  NOT NULL,
  party_id     VARCHAR(10)  NOT NULL,
  key_id       VARCHAR(16)  NOT NULL,
  signed_s     BIGINT       NOT NULL,             -- since the epoch, as signed
  signature    VARCHAR(128) NOT NULL,             -- Ed25519, hex
  PRIMARY KEY (job_id, revision, role, party_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

ALTER TABLE job_party
  -- of which revision this site holds the member's signature; -1: of none
  ADD COLUMN signed_revision INT NOT NULL DEFAULT -1,
  -- an own member's: 1 to be made, 2 the same and the initiator waits for it,
  -- 3 to be told, 4 a person has to approve first, 5 refused and to be told
  ADD COLUMN sign_due TINYINT NOT NULL DEFAULT 0,
  ADD KEY job_party_sign (sign_due);
