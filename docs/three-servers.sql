-- Three servers, and this database, which asks them; see "More than one
-- server" in scaling.rst.
--
-- First, "scriptactivity init" makes the tables on each of the four.  Then:
--
--     psql -1 -v ON_ERROR_STOP=1 -v host_0=db0.example.com -v port_0=5432 \
--         -v host_1=... -v port_1=... -v host_2=... -v port_2=... \
--         -v dbname=app -f three-servers.sql
--
-- And on server_N, before anything is recorded there, for ids that no other
-- server has:
--
--     ALTER TABLE scriptactivity ALTER id SET INCREMENT BY 3 RESTART WITH N+1;
--     ALTER TABLE scriptattempt ALTER id SET INCREMENT BY 3 RESTART WITH N+1;

CREATE EXTENSION IF NOT EXISTS postgres_fdw;

CREATE SERVER server_0 FOREIGN DATA WRAPPER postgres_fdw
    OPTIONS (host :'host_0', port :'port_0', dbname :'dbname');
CREATE SERVER server_1 FOREIGN DATA WRAPPER postgres_fdw
    OPTIONS (host :'host_1', port :'port_1', dbname :'dbname');
CREATE SERVER server_2 FOREIGN DATA WRAPPER postgres_fdw
    OPTIONS (host :'host_2', port :'port_2', dbname :'dbname');

DO $$
DECLARE
    number integer;
    this text;
BEGIN
    FOR number IN 0..2 LOOP
        EXECUTE format(
            'CREATE USER MAPPING FOR CURRENT_USER SERVER %I OPTIONS (user %L)',
            'server_' || number, current_user);
    END LOOP;
    FOREACH this IN ARRAY ARRAY[
        'scriptactivity', 'scriptattempt', 'scriptday'
    ] LOOP
        EXECUTE format('ALTER TABLE %I RENAME TO %I', this, this || '_alone');
        -- No identity and no index: the servers have them.
        EXECUTE format(
            'CREATE TABLE %I (LIKE %I INCLUDING CONSTRAINTS)'
            ' PARTITION BY HASH (name)', this, this || '_alone');
        EXECUTE format('DROP TABLE %I', this || '_alone');
        FOR number IN 0..2 LOOP
            EXECUTE format(
                'CREATE FOREIGN TABLE %I PARTITION OF %I'
                ' FOR VALUES WITH (MODULUS 3, REMAINDER %s)'
                ' SERVER %I OPTIONS (table_name %L)',
                this || '_' || number, this, number, 'server_' || number,
                this);
        END LOOP;
    END LOOP;
END
$$;
