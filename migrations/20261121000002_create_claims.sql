-- Unique claims: at most one stream owns a key of a scope.

create table claims (
    scope    text not null collate "C",
    key      text not null collate "C",
    owner_id uuid not null,
    primary key (scope, key)
);
comment on column claims.key is 'A keyed hash where the value is personal.';

grant select on claims to tidemark_append;
