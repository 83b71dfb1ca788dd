-- A rule may demand that a person approves before a member takes part.
ALTER TABLE permission
  -- who decides: a user's or key's name, or admin for any of them
  ADD COLUMN approval_by       VARCHAR(200) NOT NULL DEFAULT '',
  ADD COLUMN approval_within_s INT          NULL; -- NULL: nobody has to

-- Decisions about members of this site, one for each rule that demands one,
-- over one revision of the job's contract.
CREATE TABLE approval (
  job_id       VARCHAR(25)  NOT NULL,
  revision     INT          NOT NULL,
  role         VARCHAR(20)  NOT NULL,
  party_id     VARCHAR(10)  NOT NULL,
  permission_id BIGINT      NOT NULL,
  subject      VARCHAR(600) NOT NULL,             -- what for, in words
  approval_by  VARCHAR(200) NOT NULL,
  created_at   DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  deadline_at  DATETIME(6)  NOT NULL,
  decision     VARCHAR(10)  NOT NULL DEFAULT '',  -- approved rejected expired
  decided_by   VARCHAR(200) NOT NULL DEFAULT '',
  decided_s    BIGINT       NOT NULL DEFAULT 0,   -- since the epoch
  note         TEXT         NULL,
  -- the site's, over decision and contract (lib/sign/contract_sign.h)
  key_id       VARCHAR(16)  NOT NULL DEFAULT '',
  signature    VARCHAR(128) NOT NULL DEFAULT '',  -- hex
  PRIMARY KEY (job_id, revision, role, party_id, permission_id),
  KEY approval_deadline (decision, deadline_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
