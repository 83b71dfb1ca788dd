-- The manifests of all members that the root was taken of, {"guest": {"9999":
-- HEX}, …}: with them an archive of one half proves what it belongs to.
-- NULL when they are not known.
ALTER TABLE model ADD COLUMN members LONGTEXT NULL AFTER root_hash;
