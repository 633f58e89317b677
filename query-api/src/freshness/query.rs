//! Checked queries that fetch items together with what decides whether these are fresh enough.
//!
//! The first part of every such statement is the same, and is written once, here. Callers give the type of an
//! item, the read model's name, the SQL that selects the items, in one or more parts, and its arguments. That SQL is put
//! into `array(…)`, and finds the generation that serves queries as `s.generation` and the position that its
//! shards have applied as `s.position`.
//!
//! Three queries spell the first part out, because theirs differs: the list of auctions, which also reads
//! the categories, the live updates, which also read the position of their row, and the log, which also reads how far
//! it was examined.

/// Items that may be in any shard of a read model:
/// `query_all_shards!(String, "bid", "select …", argument, …)`.
macro_rules! query_all_shards {
    ($item:ty, $read_model:literal, $($items:literal)+ $(, $argument:expr)* $(,)?) => {
        $crate::freshness::query_with_freshness!(
            $item, "serving", $read_model, "s.parked_at", "null::bigint", "", "", $($items)+ $(, $argument)*
        )
    };
}

/// Items that are in one shard of a read model, which is that of the row with the id `$1`:
/// `query_shard_of_row!(String, "auction", "select …", id)`.
macro_rules! query_shard_of_row {
    ($item:ty, $read_model:literal, $($items:literal)+ $(, $argument:expr)* $(,)?) => {
        $crate::freshness::query_with_freshness!(
            $item,
            "serving_shards",
            $read_model,
            "least(p.parked_at, s.stream_parked_at)",
            "p.parked_at",
            "
             cross join lateral (
                   select (select found.position
                             from parked found
                            where found.read_model = s.read_model
                              and found.generation = s.generation
                              and found.id = $1) as parked_at
             ) as p",
            "and s.shard = shard_of($1, s.shards)",
            $($items)+
            $(, $argument)*
        )
    };
}

/// What the two above have in common.
macro_rules! query_with_freshness {
    (
        $item:ty,
        $view:literal,
        $read_model:literal,
        $parked_at:literal,
        $row_parked_at:literal,
        $joined:literal,
        $condition:literal,
        $($items:literal)+
        $(, $argument:expr)*
    ) => {
        sqlx::query_as!(
            $crate::freshness::Fetched::<$item>,
            r#"
            select s.timeline as "timeline!",
                   s.head as "head!",
                   s.position as "position!",
                   s.blocked_at,
                   "# + $parked_at + r#" as parked_at,
                   "# + $row_parked_at + r#" as row_parked_at,
                   array("# + $($items +)+ r#") as "items!"
              from "# + $view + r#" s"# + $joined + r#"
             where s.read_model = '"# + $read_model + r#"'
            "# + $condition
            $(, $argument)*
        )
    };
}

pub(crate) use query_all_shards;
pub(crate) use query_shard_of_row;
pub(crate) use query_with_freshness;
