-- Makes the roles and the database. Roles belong to the whole cluster, so this runs once for each cluster, and
-- migrations only grant rights to the roles. Running it again is safe, and sets the passwords anew. It must run
-- as superuser; psql takes the passwords from the environment.
\set ON_ERROR_STOP on
\getenv superuser_password POSTGRES_PASSWORD
\getenv owner_password TIDEMARK_OWNER_PASSWORD
\getenv append_password TIDEMARK_APPEND_PASSWORD
\getenv relay_password TIDEMARK_RELAY_PASSWORD
\getenv project_password TIDEMARK_PROJECT_PASSWORD
\getenv read_password TIDEMARK_READ_PASSWORD

select format('create role %I', name)
from unnest(array[
    'tidemark_owner',
    'tidemark_append',
    'tidemark_relay',
    'tidemark_project',
    'tidemark_read'
]) as name
where not exists (select from pg_roles where rolname = name)
\gexec

-- With these settings no password reaches the log of the server, whatever its configuration is.
set log_statement = 'none';
set log_min_error_statement = 'panic';
set log_min_duration_statement = -1;

alter role postgres password :'superuser_password';

-- This role owns the database, runs the migrations and makes databases for tests. It has no time limits, because
-- a migration may take long.
alter role tidemark_owner login createdb password :'owner_password';

-- With this role the command API appends events. It may only call functions.
alter role tidemark_append login password :'append_password';
alter role tidemark_append set statement_timeout = '5s';
alter role tidemark_append set lock_timeout = '2s';
alter role tidemark_append set idle_in_transaction_session_timeout = '5s';

-- With this role the relay reads the log and keeps its lease and its progress.
alter role tidemark_relay login password :'relay_password';
alter role tidemark_relay set statement_timeout = '5s';
alter role tidemark_relay set lock_timeout = '2s';
alter role tidemark_relay set idle_in_transaction_session_timeout = '5s';

-- With this role the projector writes read models. Writing many rows may take longer than a request.
alter role tidemark_project login password :'project_password';
alter role tidemark_project set statement_timeout = '30s';
alter role tidemark_project set lock_timeout = '2s';
alter role tidemark_project set idle_in_transaction_session_timeout = '5s';

-- With this role the query API reads.
alter role tidemark_read login password :'read_password';
alter role tidemark_read set statement_timeout = '5s';
alter role tidemark_read set lock_timeout = '2s';
alter role tidemark_read set idle_in_transaction_session_timeout = '5s';
alter role tidemark_read set default_transaction_read_only = on;

select 'create database tidemark owner tidemark_owner'
where not exists (select from pg_database where datname = 'tidemark')
\gexec
