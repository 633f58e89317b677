-- The read model `suppression`: addresses that nothing is sent to.

create table suppression_rows (
    generation   integer not null,
    id           uuid    not null,
    doc          json    not null,
    position     bigint  not null,
    address_hash text    not null,
    primary key (generation, id)
) partition by list (generation);
comment on table suppression_rows is 'A row for each contact point that is suppressed, or was until that ended by itself.';

create table suppression_rows_1 partition of suppression_rows for values in (1);

create index on suppression_rows (address_hash, id desc nulls last);

-- A build that writes documents alone would leave the columns to this, as with all read models.
create function fill_suppression_columns() returns trigger language plpgsql as $$
begin
    new.address_hash := left(new.doc ->> 'address_hash', 64);
    return new;
end
$$;
create trigger fill_columns before insert or update on suppression_rows
    for each row when (current_setting('tidemark.columns', true) is distinct from 'written') execute function fill_suppression_columns();

insert into generations (read_model, generation, state, fold_version) values ('suppression', 1, 'serving', 1);
insert into checkpoints (read_model, generation) values ('suppression', 1);

grant select, insert, update, delete on suppression_rows to tidemark_project;
grant select on suppression_rows to tidemark_append, tidemark_read;
