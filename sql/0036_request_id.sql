-- Which user's request made it: partners' logs have the same id.
ALTER TABLE job ADD COLUMN request_id VARCHAR(64) NOT NULL DEFAULT '';
ALTER TABLE errand ADD COLUMN request_id VARCHAR(64) NOT NULL DEFAULT '';
