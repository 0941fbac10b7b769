-- Format 2: a node says that it is about to give up its shards.
ALTER TABLE eventful.node ADD COLUMN leaving bool NOT NULL DEFAULT false;
