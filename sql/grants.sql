-- One account per program, each with the rights it needs and no others.
-- Run by the database's administrator after "sluice migrate", with the site's
-- database selected (mysql sluice < grants.sql); it may be run again.
--
-- The accounts are made locked, without a password.  For each one:
--   ALTER USER 'sluice_fcgi'@'localhost' IDENTIFIED BY '...' ACCOUNT UNLOCK;
-- and the password goes into the file that db_password_file names.

CREATE USER IF NOT EXISTS 'sluice_fcgi'@'localhost' ACCOUNT LOCK;
CREATE USER IF NOT EXISTS 'sluice_supervisor'@'localhost' ACCOUNT LOCK;
CREATE USER IF NOT EXISTS 'sluice_cli'@'localhost' ACCOUNT LOCK;

-- sluice-fcgi hears strangers: no DDL, no change of what was recorded (event,
-- audit, egress), none of who the partners and users are, none of attempts.
GRANT SELECT ON job TO 'sluice_fcgi'@'localhost';
GRANT SELECT ON job_party TO 'sluice_fcgi'@'localhost';
GRANT SELECT ON task TO 'sluice_fcgi'@'localhost';
GRANT SELECT ON attempt TO 'sluice_fcgi'@'localhost';
GRANT SELECT ON event TO 'sluice_fcgi'@'localhost';
GRANT SELECT ON partner TO 'sluice_fcgi'@'localhost';
GRANT SELECT ON partner_key TO 'sluice_fcgi'@'localhost';
GRANT SELECT ON client_key TO 'sluice_fcgi'@'localhost';
GRANT SELECT ON nonce TO 'sluice_fcgi'@'localhost';
GRANT SELECT ON resource TO 'sluice_fcgi'@'localhost';
GRANT SELECT ON resource_grant TO 'sluice_fcgi'@'localhost';
GRANT SELECT, INSERT, UPDATE, DELETE ON resource_waiter TO 'sluice_fcgi'@'localhost';
GRANT SELECT ON quota TO 'sluice_fcgi'@'localhost';
GRANT SELECT, INSERT, UPDATE ON partner_stored TO 'sluice_fcgi'@'localhost';
GRANT SELECT ON data_table TO 'sluice_fcgi'@'localhost';
GRANT SELECT ON task_output TO 'sluice_fcgi'@'localhost';
GRANT SELECT ON metric TO 'sluice_fcgi'@'localhost';
GRANT SELECT ON metric_point TO 'sluice_fcgi'@'localhost';
GRANT SELECT ON summary TO 'sluice_fcgi'@'localhost';
GRANT SELECT ON model TO 'sluice_fcgi'@'localhost';
GRANT SELECT ON model_part TO 'sluice_fcgi'@'localhost';
GRANT SELECT ON egress TO 'sluice_fcgi'@'localhost';
GRANT SELECT ON ingress TO 'sluice_fcgi'@'localhost';
-- What another site says about its chain; our own words are the supervisor's.
GRANT SELECT, INSERT, UPDATE (peer_seq, peer_hash, peer_sign, own_seen,
  next_try_at) ON audit_exchange TO 'sluice_fcgi'@'localhost';
GRANT SELECT ON audit TO 'sluice_fcgi'@'localhost';
GRANT SELECT ON audit_link TO 'sluice_fcgi'@'localhost';
GRANT SELECT ON schema_migration TO 'sluice_fcgi'@'localhost';
GRANT SELECT ON supervisor_state TO 'sluice_fcgi'@'localhost';
GRANT SELECT ON partner_state TO 'sluice_fcgi'@'localhost';
GRANT SELECT, INSERT ON provider TO 'sluice_fcgi'@'localhost';
GRANT SELECT, INSERT, UPDATE ON contract_signature
  TO 'sluice_fcgi'@'localhost';
-- It writes down what people say; who asked for what, and the signature, are
-- not its to change.
GRANT SELECT, INSERT, UPDATE (decision, decided_by, note, decided_s)
  ON approval TO 'sluice_fcgi'@'localhost';
GRANT INSERT, UPDATE ON job TO 'sluice_fcgi'@'localhost';
GRANT INSERT, UPDATE ON job_party TO 'sluice_fcgi'@'localhost';
-- A run that comes to nothing takes the versions back that never began: rows
-- that were only marked would be the newest to all who ask for these.  What a
-- task did stands where this account changes nothing: event, audit, egress.
GRANT INSERT, UPDATE, DELETE ON task TO 'sluice_fcgi'@'localhost';
GRANT INSERT, UPDATE ON resource_grant TO 'sluice_fcgi'@'localhost';
-- To lock the row while granting; the capacity itself is the supervisor's.
GRANT UPDATE (updated_at) ON resource TO 'sluice_fcgi'@'localhost';
GRANT INSERT ON event TO 'sluice_fcgi'@'localhost';
GRANT INSERT ON audit TO 'sluice_fcgi'@'localhost';
GRANT INSERT, DELETE ON nonce TO 'sluice_fcgi'@'localhost';
GRANT INSERT ON client_nonce TO 'sluice_fcgi'@'localhost';
GRANT SELECT, INSERT ON client_nonce_since TO 'sluice_fcgi'@'localhost';
GRANT INSERT ON partner_nonce TO 'sluice_fcgi'@'localhost';
GRANT SELECT, INSERT ON partner_nonce_since TO 'sluice_fcgi'@'localhost';
GRANT INSERT, UPDATE, DELETE ON data_table TO 'sluice_fcgi'@'localhost';
GRANT DELETE ON metric TO 'sluice_fcgi'@'localhost';
GRANT DELETE ON metric_point TO 'sluice_fcgi'@'localhost';
GRANT DELETE ON summary TO 'sluice_fcgi'@'localhost';
-- Ends a cache's time and sees neither its folder nor what it says.
GRANT SELECT (job_id, component, version, role, party_id, expires_at),
  UPDATE (expires_at) ON task_cache TO 'sluice_fcgi'@'localhost';
GRANT INSERT, UPDATE, DELETE ON model TO 'sluice_fcgi'@'localhost';
GRANT INSERT, UPDATE, DELETE ON model_part TO 'sluice_fcgi'@'localhost';
GRANT SELECT, INSERT, DELETE ON checkpoint TO 'sluice_fcgi'@'localhost';
GRANT SELECT, INSERT, DELETE ON checkpoint_part TO 'sluice_fcgi'@'localhost';
GRANT SELECT, INSERT, UPDATE, DELETE ON tag TO 'sluice_fcgi'@'localhost';
GRANT SELECT, INSERT, DELETE ON model_tag TO 'sluice_fcgi'@'localhost';
GRANT SELECT, INSERT, UPDATE ON errand TO 'sluice_fcgi'@'localhost';
GRANT SELECT, INSERT, UPDATE ON connector TO 'sluice_fcgi'@'localhost';
-- A table that is dropped takes its ancestry with it.
GRANT SELECT, DELETE ON table_lineage TO 'sluice_fcgi'@'localhost';
GRANT SELECT ON table_use TO 'sluice_fcgi'@'localhost';
-- Admins change permissions by the API; jobs that are taken in use them up.
GRANT SELECT, INSERT, UPDATE, DELETE ON permission TO 'sluice_fcgi'@'localhost';
GRANT INSERT ON permission_use TO 'sluice_fcgi'@'localhost';
GRANT SELECT, INSERT, UPDATE, DELETE ON classic_key
  TO 'sluice_fcgi'@'localhost';
GRANT SELECT, INSERT, UPDATE ON registered_server TO 'sluice_fcgi'@'localhost';
GRANT SELECT, INSERT, UPDATE ON registered_service
  TO 'sluice_fcgi'@'localhost';
-- Log-ins: who users are and what they may do is none of its business.
GRANT SELECT, UPDATE (password, password_at, failed, locked_until)
  ON site_user TO 'sluice_fcgi'@'localhost';
GRANT SELECT, INSERT, UPDATE (seen_at, expires_at), DELETE ON session
  TO 'sluice_fcgi'@'localhost';

-- sluice-supervisor and the shepherds.
GRANT SELECT ON partner TO 'sluice_supervisor'@'localhost';
GRANT SELECT ON partner_key TO 'sluice_supervisor'@'localhost';
GRANT SELECT ON permission TO 'sluice_supervisor'@'localhost';
-- It finishes what the operator's command began; UPDATE is for the lock.
GRANT SELECT, UPDATE, DELETE ON withdrawal TO 'sluice_supervisor'@'localhost';
GRANT SELECT ON schema_migration TO 'sluice_supervisor'@'localhost';
GRANT SELECT, INSERT, UPDATE, DELETE ON supervisor_state
  TO 'sluice_supervisor'@'localhost';
GRANT SELECT, INSERT, UPDATE ON host_memory TO 'sluice_supervisor'@'localhost';
GRANT SELECT, INSERT, UPDATE ON partner_state TO 'sluice_supervisor'@'localhost';
GRANT SELECT, DELETE ON nonce TO 'sluice_supervisor'@'localhost';
GRANT SELECT, DELETE ON client_nonce TO 'sluice_supervisor'@'localhost';
GRANT INSERT ON client_nonce_since TO 'sluice_supervisor'@'localhost';
GRANT SELECT, DELETE ON partner_nonce TO 'sluice_supervisor'@'localhost';
GRANT INSERT ON partner_nonce_since TO 'sluice_supervisor'@'localhost';
-- The janitor removes events for their age.
GRANT SELECT, INSERT, DELETE ON event TO 'sluice_supervisor'@'localhost';
GRANT SELECT, INSERT ON audit TO 'sluice_supervisor'@'localhost';
-- Links are added, by it alone, and never changed.
GRANT SELECT, INSERT ON audit_link TO 'sluice_supervisor'@'localhost';
GRANT SELECT ON audit_checkpoint TO 'sluice_supervisor'@'localhost';
GRANT SELECT, INSERT, UPDATE ON front_log TO 'sluice_supervisor'@'localhost';
GRANT SELECT, INSERT, UPDATE ON refusal TO 'sluice_supervisor'@'localhost';
GRANT SELECT, INSERT ON egress TO 'sluice_supervisor'@'localhost';
GRANT SELECT, INSERT ON ingress TO 'sluice_supervisor'@'localhost';
GRANT SELECT, INSERT, UPDATE ON audit_exchange
  TO 'sluice_supervisor'@'localhost';
GRANT SELECT, INSERT, UPDATE ON contract_signature
  TO 'sluice_supervisor'@'localhost';
GRANT SELECT, UPDATE ON approval TO 'sluice_supervisor'@'localhost';
GRANT SELECT, INSERT, UPDATE ON job TO 'sluice_supervisor'@'localhost';
GRANT SELECT, INSERT, UPDATE ON job_party TO 'sluice_supervisor'@'localhost';
GRANT SELECT, INSERT, UPDATE, DELETE ON task TO 'sluice_supervisor'@'localhost';
GRANT SELECT, INSERT, UPDATE ON attempt TO 'sluice_supervisor'@'localhost';
GRANT SELECT, INSERT, UPDATE ON resource TO 'sluice_supervisor'@'localhost';
GRANT SELECT, INSERT, UPDATE ON quota TO 'sluice_supervisor'@'localhost';
GRANT SELECT, INSERT, UPDATE ON partner_stored TO 'sluice_supervisor'@'localhost';
GRANT SELECT, INSERT, UPDATE, DELETE ON resource_waiter
  TO 'sluice_supervisor'@'localhost';
GRANT SELECT, INSERT, UPDATE ON resource_grant
  TO 'sluice_supervisor'@'localhost';
GRANT SELECT, INSERT, UPDATE, DELETE ON data_table
  TO 'sluice_supervisor'@'localhost';
GRANT SELECT, INSERT, DELETE ON task_cache TO 'sluice_supervisor'@'localhost';
GRANT SELECT, INSERT, UPDATE, DELETE ON task_output
  TO 'sluice_supervisor'@'localhost';
GRANT SELECT, INSERT, UPDATE, DELETE ON metric
  TO 'sluice_supervisor'@'localhost';
GRANT SELECT, INSERT, UPDATE, DELETE ON metric_point
  TO 'sluice_supervisor'@'localhost';
GRANT SELECT, INSERT, UPDATE, DELETE ON summary
  TO 'sluice_supervisor'@'localhost';
GRANT SELECT, INSERT, UPDATE, DELETE ON model TO 'sluice_supervisor'@'localhost';
GRANT SELECT, UPDATE, DELETE ON errand TO 'sluice_supervisor'@'localhost';
GRANT SELECT, INSERT, UPDATE, DELETE ON model_part
  TO 'sluice_supervisor'@'localhost';
GRANT SELECT ON connector TO 'sluice_supervisor'@'localhost';
GRANT SELECT, INSERT, UPDATE, DELETE ON table_lineage
  TO 'sluice_supervisor'@'localhost';
GRANT SELECT, INSERT, UPDATE ON table_use TO 'sluice_supervisor'@'localhost';
GRANT SELECT, INSERT, DELETE ON checkpoint
  TO 'sluice_supervisor'@'localhost';
GRANT SELECT, INSERT, DELETE ON checkpoint_part
  TO 'sluice_supervisor'@'localhost';

-- sluice: migrations and the administration of partners.
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES
  ON * TO 'sluice_cli'@'localhost';
