-- Three servers, and this database, which asks them; see "More than one
-- server" in scaling.rst.
--
-- First, "scriptactivity init" makes the tables on each of the four.  Then:
--
--     psql -1 -v ON_ERROR_STOP=1 -v host_0=db0.example.com -v port_0=5432 \
--         -v host_1=... -v port_1=... -v host_2=... -v port_2=... \
--         -v dbname=app -f three-servers.sql
--
-- And on server_N, before anything is recorded:
--
--     psql -1 -v ON_ERROR_STOP=1 -v number=N -f one-of-three-servers.sql app

CREATE EXTENSION IF NOT EXISTS postgres_fdw;

CREATE SERVER server_0 FOREIGN DATA WRAPPER postgres_fdw
    OPTIONS (host :'host_0', port :'port_0', dbname :'dbname',
        async_capable 'true', fetch_size '10000');
CREATE SERVER server_1 FOREIGN DATA WRAPPER postgres_fdw
    OPTIONS (host :'host_1', port :'port_1', dbname :'dbname',
        async_capable 'true', fetch_size '10000');
CREATE SERVER server_2 FOREIGN DATA WRAPPER postgres_fdw
    OPTIONS (host :'host_2', port :'port_2', dbname :'dbname',
        async_capable 'true', fetch_size '10000');

DO $$
DECLARE
    number integer;
BEGIN
    FOR number IN 0..2 LOOP
        EXECUTE format(
            'CREATE USER MAPPING FOR CURRENT_USER SERVER %I OPTIONS (user %L)',
            'server_' || number, current_user);
    END LOOP;
END
$$;

-- No identity and no index: the servers have them.
ALTER TABLE scriptactivity RENAME TO scriptactivity_alone;
CREATE TABLE scriptactivity (LIKE scriptactivity_alone INCLUDING CONSTRAINTS)
    PARTITION BY HASH (name);
DROP TABLE scriptactivity_alone;
CREATE FOREIGN TABLE scriptactivity_0 PARTITION OF scriptactivity
    FOR VALUES WITH (MODULUS 3, REMAINDER 0)
    SERVER server_0 OPTIONS (table_name 'scriptactivity');
CREATE FOREIGN TABLE scriptactivity_1 PARTITION OF scriptactivity
    FOR VALUES WITH (MODULUS 3, REMAINDER 1)
    SERVER server_1 OPTIONS (table_name 'scriptactivity');
CREATE FOREIGN TABLE scriptactivity_2 PARTITION OF scriptactivity
    FOR VALUES WITH (MODULUS 3, REMAINDER 2)
    SERVER server_2 OPTIONS (table_name 'scriptactivity');
