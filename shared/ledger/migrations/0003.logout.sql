-- Sessions of the admin that a person ended: their cookies are signed and would be valid still.
-- depends: 0002.admin

CREATE TABLE admin_logout (
  sid      text PRIMARY KEY,
  expires  timestamptz NOT NULL  -- the cookie is worth nothing any more, nor is the row
);
