-- Explains the schema to people who look at it with psql (\d+ and \df+): every table, every function, and
-- the columns whose names do not say enough. This changes comments only.

comment on function append is $$
Appends what a batch of commands decided. No other function writes events.

The commands of a batch come in groups. A group is written as a whole if nothing that it rests on has changed; otherwise nothing of it is written. A conflict raises no error: it is part of the answer.

The batch:
executor: The executor that sends the batch. It must have been registered by register_executor.
batch: The number of the batch. Each executor counts its batches from 1, and the append looks at a batch only if the one before it was the executor's last. So a batch that is sent twice is written once.
valid_until: The time, by the clock of this server, until which the decisions of the batch are valid. After it, nothing is written. Null means that there is no such time.

All other parameters are arrays. Those with the same prefix have the same length and are the columns of a table. In each of these tables, _group is the number of the group that a row belongs to.

e_, the events to append, in the order in which they get their positions:
e_id: The id of the event.
e_stream: The stream that the event belongs to.
e_version: The version that the stream has after the event. The first event of a stream has version 1.
e_aggregate: The name of the aggregate that the stream is, such as auction.
e_type: The type of the event, such as auction.opened.
e_schema: The version of the schema that the data follows.
e_data: The data of the event as JSON text. Its bytes are stored as they are.
e_metadata: The metadata of the event as JSON text: who caused it and why. Its bytes are stored as they are.

s_, the streams that the group read or writes:
s_stream: The stream.
s_version: The version that the group's decisions assume the stream to have before this batch; 0 if it has no events. The group conflicts if the stream has another version.

c_, the claims that the group read:
c_scope: The scope of the claim, which says what kind of value it is.
c_key: The key of the claim: the value, or its keyed hash if it is personal.
c_owner: The stream that the group's decisions assume to own the claim; null if no stream does. The group conflicts if the claim has another owner.

w_, the claims that the group writes:
w_scope: The scope of the claim.
w_key: The key of the claim.
w_owner: The stream that owns the claim from now on. Null releases the claim.

i_, the idempotency records of the group's commands. The group conflicts if one of them exists already:
i_principal: The principal who sent the command.
i_key: The Idempotency-Key of the request.
i_hash: The HMAC-SHA-256 of the request.
i_status: The HTTP status of the answer. Null if the command was refused: then no record is written.
i_stream: The stream that the answer names.
i_version: The version of that stream after the command.
i_event: The place of the command's last event in the arrays e_, counted from 1. Null if the command wrote no event.

k_, the subject keys that the group's events need:
k_subject: The person whose key it is.
k_version: The number of the key among the keys of that person.
k_wrapped: The key, encrypted under the master key, if it is new; this call stores it, and the group conflicts if it exists already. Null if the key must exist; the group conflicts if it was destroyed or never existed.

The answer:
current: False if the batch was not the executor's next one. Then nothing was written.
late: True if valid_until had passed. Then nothing was written, but the number of the batch is used up.
head: The last position of the log before this call. The events of the groups that were written follow it without gaps.
at: The time at which the events were recorded: that of this server, but never before the event before them.
moved: The conflicts, as a JSON array. Each has the "group" that was not written and a "kind": "stream" with the "id" of the stream, "claim" with its "scope" and "key", "record" with the "record" that exists, or "subject" with the "id" of the person. Every group that is not named here was written.
$$;

comment on function resolve_batch is 'Finds out whether a batch whose answer was lost is in the log. If it is not, this call uses up its number, so that it never will be.';
comment on function register_executor is 'Adds an executor, whose first batch will have the number 1.';
comment on function expire is 'Removes the idempotency records of clients that are older than records_older_than, and the executors that have appended nothing for executors_older_than. Returns the number of records.';
comment on function destroy_subject_keys is 'Destroys all keys of a person, which erases everything that was sealed with them.';
comment on function refuse_change is 'Raises an error: the trigger of tables that may only grow.';
comment on function save_snapshot is 'Stores the state of a stream after an event of the log, unless the stored state is of a newer build or includes later events.';
comment on function shard_of is 'The number of the shard that a row with this id belongs to, among this many shards.';
comment on function instant is 'Reads an RFC 3339 time with its offset, which means the same under any settings, so that generated columns may use it.';

comment on table log_head is 'The end of the log, in one row. Every append locks this row first, so positions have no gaps, and their order is the order of commits.';
comment on column log_head.timeline is 'The timeline on which the log is now.';
comment on column log_head.position is 'The position of the last event; 0 while there is none.';
comment on column log_head.recorded_at is 'The time of the last event. The next event is never recorded at an earlier time, so that what was known at a moment is always a beginning of the log.';
comment on table events is 'The log: every event, in one order without gaps. Rows are never changed or removed.';
comment on column events.position is 'The place of the event within the log, counted from 1.';
comment on column events.version is 'The place of the event within its stream, counted from 1.';
comment on column events.aggregate is 'The name of the aggregate that the stream is, such as auction.';
comment on column events.schema_version is 'The version of the schema that the data of this type follows.';
comment on column events.data is 'JSON whose bytes are hashed and published to Kafka. The type is json because jsonb does not keep the bytes.';
comment on column events.metadata is 'Who caused the event and why. Its bytes are hashed, too.';

comment on table claims is 'Values that at most one stream may own, such as an e-mail address.';
comment on column claims.scope is 'What kind of value it is.';
comment on column claims.key is 'The value itself, or its keyed hash if it is personal.';
comment on column claims.owner_id is 'The stream that owns the value.';

comment on table idempotency_records is 'The commands that came with an Idempotency-Key, and what was answered to them, so that the same request gets the same answer again.';
comment on column idempotency_records.principal is 'The principal who sent the command, or the route if nobody was logged in.';
comment on column idempotency_records.request_hash is 'The HMAC-SHA-256 of the request. Another request with the same key is refused.';
comment on column idempotency_records.status is 'The HTTP status of the answer.';
comment on column idempotency_records.stream_id is 'The stream that the answer names.';
comment on column idempotency_records.version is 'The version of that stream after the command.';
comment on column idempotency_records.position is 'The position of the log after the command.';

comment on table subject_keys is 'The keys under which the personal data of each person is encrypted.';
comment on column subject_keys.subject is 'The person whose data the key encrypts.';
comment on column subject_keys.version is 'The number of the key among the keys of that person.';
comment on column subject_keys.wrapped is 'The key, encrypted under a master key that is kept outside the database. Null once the key is destroyed.';

comment on table executors is 'The executors that append, each with the number of its last batch. An append of batch n moves that number from n - 1 to n, so whoever makes this move knows whether batch n is in the log.';
comment on column executors.seen_at is 'The time of the last append. An executor that has appended nothing for long is removed.';

comment on table leases is 'Who may do a job that only one process may do at a time, and until when, by the clock of this server.';
comment on column leases.name is 'What the job is.';
comment on column leases.holder is 'The process that may do the job until expires_at.';
comment on column leases.epoch is 'The number of the term. Each holder begins a new term, so that writes of an earlier one can be told apart and refused.';

comment on table relay_progress is 'How far the relay has published the log to Kafka, in one row. A relay that becomes the leader learns from it where to go on.';
comment on column relay_progress.epoch is 'The term that may write here. A write of an earlier term finds another number and changes nothing.';
comment on column relay_progress.position is 'Kafka has acknowledged every event up to this position. It moves back if a topic has to be published again.';
comment on column relay_progress.drained is 'Whether the last term ended with nothing in flight, so that the next term need not wait.';
comment on table relay_topics is 'The topics that the relay has created.';
comment on column relay_topics.partitions is 'The number of partitions that the topic was created with. Another number would move keys to other partitions.';
comment on table relay_partitions is 'How far each partition holds the events that belong into it.';
comment on column relay_partitions.position is 'The position of the last event that Kafka acknowledged; 0 before the first.';
comment on column relay_partitions.next_offset is 'The offset right after the record of that event.';

comment on table snapshots is 'States of long streams, so that loading one reads its last events only. The table may be emptied at any time.';
comment on column snapshots.version is 'The version of the last event that the state includes.';
comment on column snapshots.recorded_at is 'The time at which that event was recorded.';
comment on column snapshots.state_version is 'The version of the state''s format and meaning. A build that has another version loads the events instead.';

comment on table generations is 'The generations of each read model. A generation is one build of all its rows.';
comment on column generations.serving is 'Whether queries read this generation. One generation of each read model serves.';
comment on table checkpoints is 'How far each shard of a generation has applied the log.';
comment on column checkpoints.last_removal is 'The position of the last event that removed a row; 0 if none did.';
comment on view serving is 'What a query must know about a whole read model, in the statement that reads its rows: the generation that serves, how far it has applied the log, and where the log ends.';
comment on view serving_shards is 'What a query must know about one shard of a read model, in the statement that reads its rows: the generation that serves, how far the shard has applied the log, and where the log ends.';

comment on table reactors is 'How far each reactor has handled the log.';
comment on table reactor_actions is 'The actions that reactors decided on: commands to be sent at their due times.';
comment on column reactor_actions.position is 'The position of the event that caused the action.';
comment on column reactor_actions.target is 'Tells the actions apart that one event caused.';
comment on column reactor_actions.path is 'The path of the command API to which the action is posted.';
comment on column reactor_actions.next_attempt_at is 'When the action is sent next. The process that sends it first moves this time ahead, and thereby holds a lease.';
comment on column reactor_actions.attempts is 'How often the action was leased. Only the holder of the last lease may record the outcome.';

comment on table auction_rows is 'The rows of the read model auction: every auction as it stands.';
comment on column auction_rows.position is 'The position of the event that changed the row last.';
comment on table bid_rows is 'The rows of the read model bid: every bid. A bid never changes, so its position is its place in the log, and lists are sorted by it.';
comment on table product_rows is 'The rows of the read model product: every product, drafts included.';
comment on table category_rows is 'The rows of the read model category: the nodes of the tree of categories.';
comment on table profile_rows is 'The rows of the read model profile: every user. Personal fields are sealed, so no column is generated from them.';
comment on table history_rows is 'The rows of the read model history: one for each event, by which auditors search the log.';
comment on column history_rows.position is 'The position of the event. A row never changes.';
