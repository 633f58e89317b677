//! Very many auctions, and a fifth as many rows of other read models that have lists, without the events that would make
//! them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::future::join_all;
use sqlx::{AssertSqlSafe, PgPool};
use tidemark_event_store::LookupKey;
use uuid::Uuid;

use crate::App;

/// The address that half of all messages are for.
pub const BUSY_ADDRESS: &str = "busy@tidemark.example";

/// The number of the category above all others.
const ROOT: i64 = 1_000;

/// The functions that make documents of numbers.
const FUNCTIONS: &str = "
    create function numbered(kind text, n bigint) returns text language sql immutable
    return kind || '0000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0');
    create function one_in(n bigint, every bigint, word text) returns text language sql immutable
    return case when n % every = 0 then word else '' end";

/// A common, a rather rare and a very rare word, and one of which all auctions end late.
const MAKE_AUCTIONS: &str = "
    select 1, numbered('a', n)::uuid, json_build_object(
               'id', numbered('a', n),
               'category_id', numbered('c', n % 1000),
               'seller_id', case when n % 5003 = 1 then '{user}' else numbered('d', n % 5003) end,
               'title', 'Lot ' || one_in(n, 3, 'common ') || one_in(n, 50, 'medium ') || one_in(n, 100003, 'rare ')
                   || case when n > {rows} * 9 / 10 then 'late ' else '' end,
               'status', case n % 50 when 1 then 'open' when 2 then 'scheduled' when 3 then 'cancelled' else 'closed' end,
               'current_price', json_build_object(
                   'amount', n * 7919 % 1000000, 'currency', case n % 10007 when 1 then 'DKK' else 'EUR' end),
               'bid_count', n * 31 % 100,
               'ends_at', to_char(timestamptz '2026-01-01Z' + n * interval '1 minute', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),
               'outcome', case when n % 5003 = 2 then json_build_object('winner_id', '{user}') end
           ), n
      from generate_series(1::bigint, {rows}) n";

const MAKE_PRODUCTS: &str = "
    select 1, numbered('b', n)::uuid, json_build_object(
               'id', numbered('b', n),
               'category_id', numbered('c', n % 1000),
               'seller_id', case when n % 5003 = 1 then '{user}' else numbered('d', n % 5003) end,
               'status', case n % 50 when 1 then 'listed' when 2 then 'withdrawn' when 3 then 'sold' else 'draft' end
           ), n
      from generate_series(1::bigint, {rows}) n";

/// Half of all bids are in one auction, and half of all are the user's.
const MAKE_BIDS: &str = "
    select 1, numbered('e', n)::uuid, json_build_object(
               'id', numbered('e', n),
               'auction_id', numbered('a', case when n % 2 = 0 then 0 else n end),
               'bidder_id', case when n % 4 < 2 then '{user}' else numbered('d', n % 5003) end
           ), n
      from generate_series(1::bigint, {rows}) n";

/// In the second half nothing happens but readings.
const MAKE_HISTORY: &str = "
    select 1, numbered('f', n)::uuid, json_build_object(
               'aggregate', case when n > {rows} / 2 then 'reading' when n % 2 = 0 then 'user' else 'auction' end,
               'event_type', case when n > {rows} / 2 then 'reading.happened' when n % 2 = 0 then 'user.registered'
                                  else 'auction.closed' end,
               'actor', 'user:' || numbered('d', case when n % 2 = 0 then n else 7 end),
               'recorded_at', '2026-01-01T00:00:00Z'
           ), n
      from generate_series(1::bigint, {rows}) n";

/// A few of each 5,003 are the user's.
const MAKE_NOTIFICATIONS: &str = "
    select 1, numbered('7', n)::uuid, json_build_object(
               'id', numbered('7', n),
               'user_id', case when n % 5003 < 3 then '{user}' else numbered('d', n % 5003) end,
               'status', case n % 3 when 0 then 'unread' when 1 then 'read' else 'archived' end
           ), n
      from generate_series(1::bigint, {rows}) n";

/// Of each 5,003, one is the user's, and one address gets every second message.
const MAKE_DELIVERIES: &str = "
    select 1, numbered('6', n)::uuid, json_build_object(
               'id', numbered('6', n),
               'address_hash', case when n % 2 = 0 then '{address}' else n::text end,
               'user_id', case when n % 5003 = 1 then '{user}' else numbered('d', n % 5003) end,
               'status', case n % 5000 when 0 then 'bounced' else 'accepted' end
           ), n
      from generate_series(1::bigint, {rows}) n";

const MAKE_SUPPRESSIONS: &str = "
    select 1, numbered('5', n)::uuid, json_build_object(
               'id', numbered('5', n),
               'address_hash', case when n = 7 then '{address}' else n::text end
           ), n
      from generate_series(1::bigint, {rows}) n";

const MAKE_TASKS: &str = "
    select 1, numbered('8', n)::uuid, json_build_object(
               'id', numbered('8', n),
               'owner_id', case when n % 5003 = 1 then '{user}' else numbered('d', n % 5003) end
           ), n
      from generate_series(1::bigint, {rows}) n";

/// Half of all runs are of one task.
const MAKE_TASK_RUNS: &str = "
    select 1, numbered('9', n)::uuid, json_build_object(
               'id', numbered('9', n),
               'owner_id', case when n % 4 = 3 then numbered('d', n % 5003)::text else '{user}' end,
               'task_id', numbered('8', case when n % 2 = 0 then 1 else n end),
               'status', case n % 5000 when 0 then 'failed' else 'succeeded' end,
               'attempts', json_build_array(json_build_object(
                   'outcome', case n % 5000 when 0 then 'timed_out' else 'delivered' end)),
               'slot', '2026-01-01T00:00:00Z',
               'requested_at', '2026-01-01T00:00:00Z'
           ), n
      from generate_series(1::bigint, {rows}) n";

/// Half of all days are of one task.
const MAKE_TASK_HEALTH: &str = "
    select 1, numbered('9', n)::uuid, json_build_object(
               'id', numbered('9', n),
               'task_id', numbered('8', case when n % 2 = 0 then 1 else n end)
           ), n
      from generate_series(1::bigint, {rows}) n";

/// One user watches what no user may in truth, the others watch a little.
const MAKE_WATCHES: &str = "
    select 1, numbered('7', n)::uuid, json_build_object(
               'id', numbered('7', n),
               'user_id', case when n % 5003 = 1 then '{user}' else numbered('d', n % 5003) end
           ), n
      from generate_series(1::bigint, {rows}) n";

/// Of each 5,003, one is the user's.
const MAKE_MEDIA: &str = "
    select 1, numbered('4', n)::uuid, json_build_object(
               'id', numbered('4', n),
               'owner_id', case when n % 5003 = 1 then '{user}' else numbered('d', n % 5003) end
           ), n
      from generate_series(1::bigint, {rows}) n";

const MAKE_TEMPLATES: &str = "
    select 1, numbered('3', n)::uuid, json_build_object('id', numbered('3', n)), n
      from generate_series(1::bigint, {rows}) n";

/// Half of all events are of one stream.
const MAKE_EVENTS: &str = "
    insert into events
    select {end} - n, gen_random_uuid(), stream.id::uuid, case when n % 2 = 0 then n / 2 else 1 end, 'category',
           'category.activated', 1, json_build_object('category_id', stream.id),
           (select metadata from events limit 1), '2026-01-01Z'
      from generate_series(1::bigint, {rows}) n
     cross join lateral (select numbered('2', case when n % 2 = 0 then 0 else n end) as id) stream;
    analyze events";

const MAKE_PARKED: &str = "
    insert into parked (read_model, generation, shard, id, kind, position, reason, tried_by, parked_at)
    select 'watch', 1, 0, numbered('7', n)::uuid, 'row', n, 'on purpose', 'nobody', timestamptz '2026-01-01Z' + n * interval '1 s'
      from generate_series(1::bigint, {rows}) n;
    analyze parked";

const MAKE_CATEGORIES: &str = "
    select 1, numbered('c', n)::uuid, json_build_object(
               'id', numbered('c', n),
               'parent_id', case when n < 1000 then numbered('c', 1000) end,
               'slug', 'category-' || n,
               'sort_order', n
           ), n
      from generate_series(0::bigint, {rows}) n";

/// The id of a category. Number 1,000 is above all others.
#[must_use]
pub fn category(number: i64) -> Uuid {
    numbered('c', number)
}

/// The id of a person.
#[must_use]
pub fn person(number: i64) -> Uuid {
    numbered('d', number)
}

/// The category above all others.
#[must_use]
pub fn root() -> Uuid {
    category(ROOT)
}

/// The id of an auction. There are as many as were asked for, from number 1 on.
#[must_use]
pub fn auction(number: i64) -> Uuid {
    numbered('a', number)
}

/// The auction in which half of all bids were placed.
#[must_use]
pub fn hot_auction() -> Uuid {
    numbered('a', 0)
}

/// The task of which half of all runs and days are.
#[must_use]
pub fn busy_task() -> Uuid {
    numbered('8', 1)
}

/// The stream of which half of all events are.
#[must_use]
pub fn busy_stream() -> Uuid {
    numbered('2', 0)
}

fn numbered(kind: char, number: i64) -> Uuid {
    format!("{kind}0000000-0000-7000-8000-{number:012x}")
        .parse()
        .unwrap()
}

/// Fills the read models with so many auctions, of which `user` has a share.
///
/// # Panics
/// If the settings lack the lookup key.
pub async fn fill(app: &App, user: Uuid, auctions: i64) {
    let others = auctions / 5;
    let key = STANDARD.decode(app.settings.get("TIDEMARK_SEALING__LOOKUP_KEY"));
    let lookup_key = LookupKey::new(key.unwrap()).unwrap();
    let address_hash = lookup_key.hash_of_email(BUSY_ADDRESS).0;
    let pool = &app.database.pool;
    run(pool, FUNCTIONS.to_owned()).await;
    let tables = [
        ("auction_rows", auctions, MAKE_AUCTIONS),
        ("product_rows", others, MAKE_PRODUCTS),
        ("bid_rows", others, MAKE_BIDS),
        ("history_rows", others, MAKE_HISTORY),
        ("notification_rows", others, MAKE_NOTIFICATIONS),
        ("watch_rows", others, MAKE_WATCHES),
        ("delivery_rows", others, MAKE_DELIVERIES),
        ("suppression_rows", others, MAKE_SUPPRESSIONS),
        ("task_rows", others, MAKE_TASKS),
        ("task_run_rows", others, MAKE_TASK_RUNS),
        ("task_health_rows", others, MAKE_TASK_HEALTH),
        ("media_rows", others, MAKE_MEDIA),
        ("template_rows", others, MAKE_TEMPLATES),
        ("category_rows", ROOT, MAKE_CATEGORIES),
    ];
    join_all(tables.map(|(table, rows, made)| {
        let made = made.replace("{user}", &user.to_string());
        let made = made.replace("{address}", &address_hash);
        run(
            pool,
            filling(table, &made.replace("{rows}", &rows.to_string())),
        )
    }))
    .await;
    let reached = format!(
        "update checkpoints set position = {auctions}; update log_head set position = {auctions}"
    );
    run(pool, reached).await;
}

/// Fills the log with so many events, of which [`busy_stream`] has half, before those that were appended since [`fill`]; and
/// parks as many rows, which lists for operators and auditors show.
pub async fn fill_log(app: &App, rows: i64) {
    let pool = &app.database.pool;
    let sql = "select min(position) from events, (select position / 2 as half from log_head) head where position > half";
    let end: i64 = sqlx::query_scalar(sql).fetch_one(pool).await.unwrap();
    for made in [MAKE_EVENTS, MAKE_PARKED] {
        let made = made.replace("{end}", &end.to_string());
        run(pool, made.replace("{rows}", &rows.to_string())).await;
    }
}

/// The rows are written before their indexes are, and nothing need survive a crash.
fn filling(table: &str, rows: &str) -> String {
    format!(
        "
        set synchronous_commit = off;
        set maintenance_work_mem = '128MB';
        delete from {table};
        alter table {table}_1 set unlogged;
        create temp table made_last as
            select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as definition
              from pg_index where indrelid = '{table}'::regclass and not indisprimary;
        do $$
            declare name text;
            begin for name in select made_last.name from made_last loop execute 'drop index ' || name; end loop; end
        $$;
        insert into {table} (generation, id, doc, position) {rows};
        do $$
            declare definition text;
            begin for definition in select made_last.definition from made_last loop
                execute replace(definition, ' ONLY ', ' ');
            end loop; end
        $$;
        drop table made_last;
        analyze {table}"
    )
}

async fn run(pool: &PgPool, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(pool)
        .await
        .unwrap();
}
