-- Metrics are removed by age.
ALTER TABLE metric ADD KEY metric_age (created_at);
