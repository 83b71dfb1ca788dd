-- Initiators take turns: what is free is kept for who was refused before.
ALTER TABLE resource_waiter
  -- its last refusal; NULL: it was granted something since
  ADD COLUMN refused_at DATETIME(6) NULL DEFAULT CURRENT_TIMESTAMP(6),
  -- the first grant since asked_at, while none of them has started a job
  ADD COLUMN granted_at DATETIME(6) NULL;
