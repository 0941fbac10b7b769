-- The schema of eventful, format 1.
CREATE SCHEMA eventful;

CREATE TABLE eventful.meta (
    format int2 NOT NULL,
    shards int2 NOT NULL CHECK (shards > 0),
    cluster uuid NOT NULL,
    paused bool NOT NULL,
    version int8 NOT NULL
);
CREATE UNIQUE INDEX meta_has_one_row ON eventful.meta ((true));

-- Changed each second, so a page keeps room for the new version of a row.
CREATE TABLE eventful.node (
    node uuid PRIMARY KEY,
    url text NOT NULL,
    beat int8 NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE eventful.shard (
    shard int2 PRIMARY KEY,
    term int8 NOT NULL,
    owner uuid,
    url text,
    first_seq int8 NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE eventful.frame (
    shard int2,
    seq int8,
    body bytea NOT NULL,
    PRIMARY KEY (shard, seq)
);
-- Frames do not compress well, and are read whole: the server need not try.
ALTER TABLE eventful.frame ALTER COLUMN body SET STORAGE EXTERNAL;

-- A snapshot is there once the row of its last part is; parts of another writing than that row's are left over.
CREATE TABLE eventful.snapshot (
    shard int2,
    at int8,
    part int4,
    last bool NOT NULL,
    body bytea NOT NULL,
    writing int8 NOT NULL,
    PRIMARY KEY (shard, at, part)
);
ALTER TABLE eventful.snapshot ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE TABLE eventful.inbox (
    shard int2 NOT NULL,
    id int8 GENERATED ALWAYS AS IDENTITY,
    source text NOT NULL,
    key text NOT NULL,
    type text,
    content_type text,
    payload bytea NOT NULL,
    PRIMARY KEY (shard, id)
);

CREATE TABLE eventful.inbox_refused (
    LIKE eventful.inbox,
    reason text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (shard, id)
);
