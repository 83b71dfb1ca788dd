-- What kind of fault ended a task (lib/model/fault.h): a try again mends some.
ALTER TABLE task ADD COLUMN fault VARCHAR(12) NOT NULL DEFAULT '';
