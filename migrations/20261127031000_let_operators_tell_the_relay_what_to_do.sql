-- Lets operators see why the relay has stopped, and tell it how to go on.

alter table relay_progress
    add column alarm text,
    add column alarm_epoch bigint;
comment on column relay_progress.alarm is 'Why the relay has stopped: log and topics contradict each other. Null while it publishes.';
comment on column relay_progress.alarm_epoch is 'The term of the alarm. It is no alarm any more once a later term has begun that does not say it again: relays of older builds do not clear it.';

alter table relay_partitions
    add column adopted_until bigint not null default 0;
comment on column relay_partitions.adopted_until is 'Records before this offset are not compared with the log: an operator had the relay go on behind them.';

create table relay_requests (
    position     bigint  primary key,
    adopts       boolean not null,
    publish_from bigint,
    check (adopts = (publish_from is null))
);
comment on table relay_requests is 'What operators want of the relay. It deletes a request together with saving the progress that follows from it.';
comment on column relay_requests.position is 'The position of the event that records the request.';
comment on column relay_requests.adopts is 'Whether the topics are adopted as they are; otherwise the log is published again.';
comment on column relay_requests.publish_from is 'The position from which the log is published again; null if the topics are adopted.';

grant select, delete on relay_requests to tidemark_relay;
grant select on relay_requests to tidemark_append, tidemark_project, tidemark_read;

-- The event is the request: both are committed together.
create function request_publication() returns trigger language plpgsql as $$
begin
    insert into relay_requests (position, adopts, publish_from)
    values (
        new.position,
        new.type = 'publication.adopted',
        -- Postgres reads no document as such in which any text holds a null character. Whatever the position is, the event
        -- must not keep the batch from being appended: before the first position there is nothing.
        case when new.type = 'publication.repeated' then
            greatest(1, substring(new.data::text from '"from_position": ?(-?[0-9]+)')::bigint)
        end
    );
    return null;
end
$$;
comment on function request_publication is 'Has the relay do what the event records.';

create trigger publication after insert on events
    for each row when (new.type in ('publication.adopted', 'publication.repeated'))
    execute function request_publication();
