-- Who has waited long at a party is found without reading all who wait there.
ALTER TABLE job ADD KEY job_aged (wait_code, wait_party, wait_since, queue_at);
