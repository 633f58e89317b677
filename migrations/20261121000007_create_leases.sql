-- Who does what only one may do: the relay, the workers of the projector. By server time alone.

create table leases (
    name       text        primary key,
    holder     uuid        not null,
    epoch      bigint      not null,
    expires_at timestamptz not null
);
comment on column leases.epoch is 'Rises with each term, so that an earlier holder can be told from the present one.';

alter table leases enable row level security;
create policy relay_lease on leases to tidemark_relay using (name = 'relay');
create policy projector_leases on leases to tidemark_project using (name <> 'relay');
create policy everyone_sees on leases for select to tidemark_append, tidemark_read using (true);

grant select, insert, update on leases to tidemark_relay, tidemark_project;
grant select on leases to tidemark_append, tidemark_read;
