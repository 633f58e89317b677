-- Lets a generation of a read model be built beside the one that serves, compared with it, and put in its place.

alter table generations
    add column paused boolean not null default false,
    add column expects_changes boolean not null default false,
    add column dry_run boolean not null default false,
    add column comparison jsonb,
    add column state_since timestamptz not null default clock_timestamp();
comment on column generations.paused is 'Whether an operator has paused the build.';
comment on column generations.expects_changes is 'Whether other rows than those of the serving generation are no reason not to serve.';
comment on column generations.dry_run is 'Whether the generation is only compared, and then dropped.';
comment on column generations.comparison is 'What a comparison with the serving generation found; null before it has ended, and where the folds differ.';
comment on column generations.state_since is 'Since when the generation has its state.';

create function begin_generation(
    read_model text,
    fold_version integer,
    shards integer,
    expects_changes boolean,
    dry_run boolean
) returns integer
language plpgsql volatile security definer
set search_path = public, pg_temp
as $$
declare
    number integer;
    rows_table text := read_model || '_rows';
    partition  text;
begin
    -- Whoever else begins one of this read model waits, and then finds this one.
    perform from generations g where g.read_model = begin_generation.read_model for update;
    if exists (select from generations g
                where g.read_model = begin_generation.read_model
                  and g.state in ('building', 'ready')) then
        return null;
    end if;
    select max(g.generation) + 1
      into strict number
      from generations g
     where g.read_model = begin_generation.read_model;
    -- A table that is attached when it exists holds up no query, unlike one that is created as a partition.
    partition := rows_table || '_' || number;
    execute format('create table %I (like %I including all)', partition, rows_table);
    execute format('alter table %I attach partition %I for values in (%s)', rows_table, partition, number);
    insert into generations (read_model, generation, state, fold_version, shards, expects_changes, dry_run)
    values (begin_generation.read_model, number, 'building', begin_generation.fold_version,
            begin_generation.shards, begin_generation.expects_changes, begin_generation.dry_run);
    insert into checkpoints (read_model, generation, shard)
    select begin_generation.read_model,
           number,
           generate_series(0, begin_generation.shards - 1);
    return number;
end
$$;
comment on function begin_generation is $$
Makes an empty generation of a read model, which projectors then build from the beginning of the log.

The answer: the number of the generation; null if one of that read model is being built already.
$$;

create function drop_generation(read_model text, generation integer) returns boolean
language plpgsql volatile security definer
set search_path = public, pg_temp
-- Dropping a partition waits for all queries of the read model, and all later ones wait for it meanwhile.
set lock_timeout = '300ms'
as $$
begin
    perform from generations g
      where g.read_model = drop_generation.read_model
        and g.generation = drop_generation.generation
        and g.state in ('building', 'ready', 'kept')
        for update;
    if not found then
        return false;
    end if;
    delete from checkpoints c
     where c.read_model = drop_generation.read_model
       and c.generation = drop_generation.generation;
    update generations g
       set state = 'dropped',
           state_since = clock_timestamp()
     where g.read_model = drop_generation.read_model
       and g.generation = drop_generation.generation;
    execute format('drop table %I', drop_generation.read_model || '_rows_' || drop_generation.generation);
    return true;
end
$$;
comment on function drop_generation is $$
Deletes the rows of a generation that does not serve. It fails if queries hold it up for long, and can then be repeated.

The answer: whether there was such a generation.
$$;

revoke execute on function begin_generation, drop_generation from public;
grant execute on function begin_generation, drop_generation to tidemark_project;
