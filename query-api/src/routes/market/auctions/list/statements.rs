//! The statements of the list: one for each order and each way to find auctions. They read rows up to a limit, however
//! many there are.
//!
//! A walk examines rows in the order of the list, from where the page starts, and is over soon if many rows match. A
//! look-up finds all rows that match through an index of what the filter names, and sorts them, which is right if
//! they are few.

use sqlx::PgPool;
use tidemark_read_models::market::auction::Status;

use super::Filter;
use super::order::{PageEnd, Sort};
use crate::freshness::Fetched;

/// The page that a statement looks for.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) filter: &'a Filter,
    /// Where the page before ends.
    pub(super) after: PageEnd,
    /// The most auctions that are shown.
    pub(super) limit: i64,
    /// The most rows that are examined, of each status that the filter admits.
    pub(super) examined_max: i64,
}

/// A row that a walk came by.
pub(super) struct Examined {
    pub(super) document: String,
    /// Whether the filter admits it.
    pub(super) is_found: bool,
    /// Whether the walk was over with it, so that nothing is known of what comes after it.
    pub(super) is_last: bool,
}

/// What a look-up found.
pub(super) struct Found {
    /// The documents, unless they are too many.
    pub(super) documents: Vec<String>,
    /// Whether more rows than may be examined would have to be.
    pub(super) are_too_many: bool,
}

/// A statement that reads auctions by a filter. It finds the generation of the auctions as `s.generation`, and what
/// the filter asks of their column `search` as `q.query`, which is null if it asks nothing.
macro_rules! select_auctions {
    ($wanted:ident, $($items:literal)+) => {{
        let filter = $wanted.filter;
        let statuses = filter.status.as_ref().map_or(&Status::ALL[..], std::slice::from_ref);
        let statuses: Vec<_> = statuses.iter().map(|status| status.name().to_owned()).collect();
        sqlx::query!(
            r#"
            select s.timeline as "timeline!",
                   s.head as "head!",
                   least(s.position, c.position) as "position!",
                   least(s.blocked_at, c.blocked_at) as blocked_at,
                   least(s.parked_at, c.parked_at) as parked_at,
                   i.*
              from serving s
              join serving c
                on c.read_model = case when $2::uuid is null then s.read_model else 'category' end
             cross join lateral (
                   select auction_query(
                              case when cardinality($1::text[]) = 1 then $1 end,
                              case when $2::uuid is not null then array(
                                  with recursive below as (
                                      select $2 as id
                                       union
                                      select k.id
                                        from category_rows k
                                        join below b
                                          on b.id = k.parent_id
                                       where k.generation = c.generation
                                  )
                                  select id::text from below
                              ) end,
                              $3::uuid::text,
                              $4::text,
                              $5::text
                          ) as query
                   offset 0
                   ) q
             cross join lateral ("#
            + $($items +)+
            r#") i
             where s.read_model = 'auction'
            "#,
            &statuses,
            filter.category,
            filter.seller,
            filter.currency.map(|currency| currency.code()),
            filter.words(),
            filter.price_min.unwrap_or(0),
            filter.price_max.unwrap_or(i64::MAX),
            $wanted.after.value,
            $wanted.after.id,
            $wanted.limit,
            $wanted.examined_max,
        )
    }};
}

/// A walk in an order, through the index that begins with the status and `$lead`.
macro_rules! walk_in_order {
    ($pool:ident, $wanted:ident, $lead:literal, $after:literal, $order:literal) => {{
        let walked = select_auctions!(
            $wanted,
            r#"
            select coalesce(array_agg(e.doc::text order by "# $order r#"), '{}') as "documents!",
                   coalesce(array_agg(e.is_found order by "# $order r#"), '{}') as "are_found!",
                   coalesce(array_agg(e.is_last order by "# $order r#"), '{}') as "are_last!"
              from (
                   select of_status.*
                     from unnest($1) as admitted (status)
                    cross join lateral (
                          select *
                            from (
                                 select examined.*,
                                        row_number() over (order by "# $order r#") = $11::bigint as is_last,
                                        (q.query is null or examined.search @@ q.query)
                                            and examined.price between $6::bigint and $7::bigint as is_found
                                   from (
                                        select r.*
                                          from auction_rows r
                                         where r.generation = s.generation
                                           and r.status = admitted.status
                                           and "# $lead r#"
                                           and "# $after r#"
                                         order by "# $order r#"
                                         limit $11::bigint
                                   ) examined
                            ) numbered
                           where is_found or is_last
                           order by "# $order r#"
                           limit $10::bigint
                    ) of_status
                    order by "# $order r#"
                    limit $10
              ) e
            "#
        );
        let walked = walked.fetch_one($pool).await?;
        let flags = walked.are_found.into_iter().zip(walked.are_last);
        let items = walked.documents.into_iter().zip(flags);
        let items = items.map(|(document, (is_found, is_last))| Examined {
            document,
            is_found,
            is_last,
        });
        Ok(Fetched {
            timeline: walked.timeline,
            head: walked.head,
            position: walked.position,
            blocked_at: walked.blocked_at,
            parked_at: walked.parked_at,
            row_parked_at: None,
            items: items.collect(),
        })
    }};
}

/// A look-up of the rows of `$source`, sorted by an order.
macro_rules! look_up_in_order {
    ($pool:ident, $wanted:ident, $source:literal, $after:literal, $order:literal) => {{
        let found = select_auctions!(
            $wanted,
            r#"
            with examined as materialized ("# $source r#")
            select (select count(*) from examined) > $11::bigint or querytree(q.query) = 'T' as "are_too_many!",
                   array(
                       select shown.doc::text
                         from (
                              select *
                                from examined r
                               where (q.query is null or r.search @@ q.query)
                                 and r.price between $6::bigint and $7::bigint
                                 and "# $after r#"
                               order by "# $order r#"
                               limit $10::bigint
                              ) page
                        cross join lateral (
                              select doc
                                from auction_rows
                               where auction_rows.generation = s.generation
                                 and auction_rows.id = page.id
                               limit 1
                              ) shown
                        order by "# $order r#"
                   ) as "documents!"
            "#
        );
        let found = found.fetch_one($pool).await?;
        Ok(Fetched {
            timeline: found.timeline,
            head: found.head,
            position: found.position,
            blocked_at: found.blocked_at,
            parked_at: found.parked_at,
            row_parked_at: None,
            items: vec![Found {
                documents: found.documents,
                are_too_many: found.are_too_many,
            }],
        })
    }};
}

/// Calls a macro with what each order adds to a statement, after `$more`, which may differ for the order by price.
macro_rules! in_order {
    ($statement:ident, $pool:ident, $wanted:ident, $more:literal) => {
        in_order!($statement, $pool, $wanted, $more, $more)
    };
    ($statement:ident, $pool:ident, $wanted:ident, $more:literal, $more_by_price:literal) => {
        match $wanted.filter.sort {
            Sort::EndsAt => $statement!(
                $pool,
                $wanted,
                $more,
                "(r.ends_at, r.id) > (timestamptz 'epoch' + $8::bigint * interval '1 microsecond', $9::uuid)",
                "ends_at, id"
            ),
            Sort::Price => $statement!(
                $pool,
                $wanted,
                $more_by_price,
                "(r.price, r.id) > ($8::bigint, $9::uuid)",
                "price, id"
            ),
            Sort::BidCount => $statement!(
                $pool,
                $wanted,
                $more,
                "(r.bid_count, r.id) < ($8::bigint, $9::uuid)",
                "bid_count desc, id desc"
            ),
            // Ids are UUIDv7, so a later auction has a higher id.
            Sort::Newest => $statement!(
                $pool,
                $wanted,
                $more,
                "$8::bigint is not null and r.id < $9::uuid",
                "id desc nulls last"
            ),
        }
    };
}

/// Examines rows in the order of the list.
pub(super) async fn walk(pool: &PgPool, wanted: Wanted<'_>) -> sqlx::Result<Fetched<Examined>> {
    in_order!(
        walk_in_order,
        pool,
        wanted,
        "true",
        "r.currency = $4 and r.price <= $7"
    )
}

/// Finds all rows through the index of words and of categories, sellers, currencies and statuses.
pub(super) async fn look_up_terms(
    pool: &PgPool,
    wanted: Wanted<'_>,
) -> sqlx::Result<Fetched<Found>> {
    in_order!(
        look_up_in_order,
        pool,
        wanted,
        "select id, search, price, bid_count, ends_at
           from auction_rows r
          where r.generation = s.generation
            and r.search @@ q.query
            and querytree(q.query) <> 'T'
          limit $11::bigint + 1"
    )
}

/// Finds all rows through the index of prices.
pub(super) async fn look_up_prices(
    pool: &PgPool,
    wanted: Wanted<'_>,
) -> sqlx::Result<Fetched<Found>> {
    in_order!(
        look_up_in_order,
        pool,
        wanted,
        "select of_status.*
           from unnest($1) as admitted (status)
          cross join lateral (
                select id, search, price, bid_count, ends_at
                  from auction_rows r
                 where r.generation = s.generation
                   and r.status = admitted.status
                   and r.currency = $4
                   and r.price between $6 and $7
                 order by r.price, r.id
                 limit $11::bigint + 1
                ) of_status
          limit $11::bigint + 1"
    )
}
