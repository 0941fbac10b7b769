-- The rights of eventful, for a role of its nodes.
-- A line from here to the end of the file gives something; nothing else is needed.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'node') THEN
        CREATE ROLE :"node" NOLOGIN;
    END IF;
END
$$;
ALTER ROLE :"node" SET default_transaction_isolation = 'read committed';

GRANT USAGE ON SCHEMA eventful TO :"node";
GRANT SELECT ON eventful.meta TO :"node";
GRANT SELECT, INSERT, UPDATE, DELETE ON eventful.node TO :"node";
GRANT SELECT, UPDATE ON eventful.shard TO :"node";
GRANT SELECT, INSERT, DELETE ON eventful.frame TO :"node";
GRANT SELECT, INSERT, UPDATE, DELETE ON eventful.snapshot TO :"node";
