-- One of three servers that have the runs; see three-servers.sql.
--
-- postgres_fdw sends a null for each column that a statement does not name.
-- So each server fills in the id, and no other server has the same.

SELECT format(
    'ALTER TABLE scriptactivity ALTER id SET INCREMENT BY 3 RESTART WITH %s',
    :number + 1) \gexec

CREATE FUNCTION scriptactivity_id() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.id := coalesce(
        NEW.id, nextval(pg_get_serial_sequence(TG_RELID::regclass::text, 'id'))
    );
    RETURN NEW;
END
$$;

CREATE TRIGGER scriptactivity_id BEFORE INSERT ON scriptactivity
    FOR EACH ROW EXECUTE FUNCTION scriptactivity_id();
