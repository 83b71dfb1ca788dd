-- The end that a partner's job has by its initiator's word where it has another
-- one here; '': none.  What it says again is no news.
ALTER TABLE job
  ADD COLUMN initiator_says VARCHAR(10) NOT NULL DEFAULT '';
