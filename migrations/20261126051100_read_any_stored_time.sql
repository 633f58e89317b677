-- A column must not raise for a time that an event holds, or its read model stands still for everybody. Older builds
-- took leap seconds, which Postgres reads only without a fraction, and nothing but a rule of today keeps years out
-- that Postgres writes otherwise.
create or replace function instant(text) returns timestamptz
    language sql immutable strict parallel safe
    return case
        -- A leap second counts as the second after it, as it does to everybody else.
        when $1 ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:60'
        then replace($1, ':60', ':59')::timestamptz + interval '1 second'
        when $1 ~ '^\d{4}-' and $1 !~ '^0000-' then $1::timestamptz
        when $1 ~ '^\+' then timestamptz 'infinity'
        else timestamptz '-infinity'
    end;
