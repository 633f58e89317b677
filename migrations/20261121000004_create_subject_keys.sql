-- The keys that personal data is sealed with, one subject each. Destroying one erases a person.

create table subject_keys (
    subject      uuid        not null,
    version      integer     not null,
    wrapped      bytea,
    destroyed_at timestamptz,
    primary key (subject, version),
    check ((wrapped is null) = (destroyed_at is not null))
);
comment on column subject_keys.wrapped is 'Encrypted under the master key, which is kept outside the database.';

grant select on subject_keys to tidemark_append, tidemark_project, tidemark_read;
