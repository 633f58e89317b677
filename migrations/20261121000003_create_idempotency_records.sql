-- What was answered to a command that came with an Idempotency-Key, so that it is answered again.

create table idempotency_records (
    principal    text        not null collate "C",
    key          text        not null collate "C",
    request_hash bytea       not null,
    status       smallint    not null,
    stream_id    uuid        not null,
    version      bigint      not null,
    position     bigint      not null,
    recorded_at  timestamptz not null,
    primary key (principal, key)
);
comment on column idempotency_records.principal is 'Who sent it; the route, where nobody is logged in.';
comment on column idempotency_records.request_hash is 'HMAC-SHA-256 of the request: another request under the same key is refused.';

create index on idempotency_records (recorded_at);

grant select on idempotency_records to tidemark_append;
