-- The rights of eventful, for a role of its nodes and one of clients that submit through the inbox.
-- A line from here to the end of the file gives something; nothing else is needed.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'node') THEN
        CREATE ROLE :"node" NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'client') THEN
        CREATE ROLE :"client" NOLOGIN;
    END IF;
END
$$;
ALTER ROLE :"node" SET default_transaction_isolation = 'read committed';

GRANT USAGE ON SCHEMA eventful TO :"node", :"client";
GRANT SELECT ON eventful.meta TO :"node";
GRANT SELECT, INSERT, UPDATE, DELETE ON eventful.node TO :"node";
GRANT SELECT, UPDATE ON eventful.shard TO :"node";
GRANT SELECT, INSERT, DELETE ON eventful.frame TO :"node";
GRANT SELECT, INSERT, UPDATE, DELETE ON eventful.snapshot TO :"node";
GRANT SELECT, DELETE ON eventful.inbox TO :"node";
GRANT SELECT, INSERT ON eventful.inbox_refused TO :"node";
