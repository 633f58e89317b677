-- Deletes a generation in bounded steps, after it was dropped. Dropping says that nobody needs it, and waits for
-- nobody. What then has to be deleted can be much, and waits for queries.

-- Its settings are gone: it takes no lock that others hold for long.
create or replace function drop_generation(read_model text, generation integer) returns boolean
language plpgsql volatile security definer
set search_path = public, pg_temp
as $$
begin
    update generations g
       set state = 'dropped',
           state_since = clock_timestamp()
     where g.read_model = drop_generation.read_model
       and g.generation = drop_generation.generation
       and g.state in ('building', 'ready', 'kept');
    return found;
end
$$;
comment on function drop_generation is $$
Drops a generation that does not serve. A projector deletes its rows later.

The answer: whether there was such a generation.
$$;
comment on column generations.state is 'building: it follows the log to its end for the first time. ready: it may serve. serving: queries read it. kept: it served before, and may serve again. dropped: nobody needs it; its rows are gone once it has no checkpoints.';

create function delete_dropped(read_model text, generation integer, rows_max bigint) returns boolean
language plpgsql volatile security definer
set search_path = public, pg_temp
-- Dropping a partition waits for all queries of the read model, and all later ones wait for it meanwhile.
set lock_timeout = '300ms'
as $$
begin
    perform from generations g
      where g.read_model = delete_dropped.read_model
        and g.generation = delete_dropped.generation
        and g.state = 'dropped';
    if not found then
        return true;
    end if;
    delete from parked_events e
     where e.ctid = any (array(
               select w.ctid
                 from parked_events w
                where w.read_model = delete_dropped.read_model
                  and w.generation = delete_dropped.generation
                limit rows_max));
    if found then
        return false;
    end if;
    delete from parked p
     where p.ctid = any (array(
               select w.ctid
                 from parked w
                where w.read_model = delete_dropped.read_model
                  and w.generation = delete_dropped.generation
                limit rows_max));
    if found then
        return false;
    end if;
    delete from checkpoints c
     where c.read_model = delete_dropped.read_model
       and c.generation = delete_dropped.generation;
    execute format('drop table if exists %I', delete_dropped.read_model || '_rows_' || delete_dropped.generation);
    return true;
end
$$;
comment on function delete_dropped is $$
Deletes a part of what is left of a generation that was dropped, at most rows_max parked rows or events that wait for them. It fails if queries hold it up for long, and can then be repeated.

The answer: whether nothing is left.
$$;
revoke execute on function delete_dropped from public;
grant execute on function delete_dropped to tidemark_project;
