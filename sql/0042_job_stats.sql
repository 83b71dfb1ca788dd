-- A job's documents fill a page each.  The server's persistent statistics take
-- such a table for an empty one (a sampled page with one row counts as none),
-- and it sorts all jobs for each page of a list; the other kind counts right.
ALTER TABLE job STATS_PERSISTENT = 0;
