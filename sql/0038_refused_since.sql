-- Since when a partner has refused to hear this site; NULL: it hears it.
ALTER TABLE partner_state ADD COLUMN refused_since DATETIME(6) NULL;
