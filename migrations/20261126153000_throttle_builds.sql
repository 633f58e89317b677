-- Lets an operator bound how fast a generation is built, whichever projector builds it.

alter table generations add column throttle integer check (throttle > 0);
comment on column generations.throttle is 'How many events of the log each shard applies in a second at most while the generation is built; null for no bound.';

-- A build of the program that does not know the bound leaves it out.
drop function begin_generation(text, integer, integer, boolean, boolean);
create function begin_generation(
    read_model text,
    fold_version integer,
    shards integer,
    expects_changes boolean,
    dry_run boolean,
    throttle integer default null
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
    insert into generations
           (read_model, generation, state, fold_version, shards, expects_changes, dry_run, throttle)
    values (begin_generation.read_model, number, 'building', begin_generation.fold_version,
            begin_generation.shards, begin_generation.expects_changes, begin_generation.dry_run,
            begin_generation.throttle);
    insert into checkpoints (read_model, generation, shard)
    select begin_generation.read_model,
           number,
           generate_series(0, begin_generation.shards - 1);
    return number;
end
$$;
comment on function begin_generation is $$
Makes an empty generation of a read model, which projectors then build from the beginning of the log, each shard at no more than throttle events in a second.

The answer: the number of the generation; null if one of that read model is being built already.
$$;
revoke execute on function begin_generation from public;
grant execute on function begin_generation to tidemark_project;
