-- Grows with every write to a series or its points, in the same transaction:
-- id and revision stand for all that is shown of the series.
ALTER TABLE metric ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;
