-- Operators list parked rows, the last parked first, however many there are.
create index on parked (parked_at desc, read_model desc, generation desc, id desc);

-- The operators' tool, which has the projector's role, shows which process leads the relay.
create policy projector_sees on leases for select to tidemark_project using (true);
