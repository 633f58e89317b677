-- Says what each projector can run, so that projectors of several builds share the work: what only one build can
-- run is left to it, and is not taken by others that must give it up again.

alter table leases add column runs text[];
comment on column leases.runs is 'In the lease by which a projector shows that it is there: the read models, each with the version of its fold, and the reactors that it can run. Null in all other leases, and where the build does not say.';
