-- For whom a staged version is counted in partner_stored, to be given back
-- when nobody seals it.
ALTER TABLE model
  ADD COLUMN stored_party VARCHAR(10) NOT NULL DEFAULT '',
  ADD COLUMN stored_bytes BIGINT      NOT NULL DEFAULT 0;
