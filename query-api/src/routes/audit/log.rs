//! The events of the log in order, filtered. The read model `history` finds their positions; the log
//! itself has the events.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use sqlx::PgPool;
use tidemark_events::Moment;
use tidemark_events::audit::reading::Name;
use tidemark_platform::auth::User;
use tidemark_platform::http::{Correlation, Json, Query};
use tidemark_platform::tidemark::Tidemark;
use tidemark_read_models::audit::history::History;

use super::filter::Filter;
use super::history_event::{EventPage, page};
use super::{record, require_auditor};
use crate::app::App;
use crate::error::{Error, NamedBy};
use crate::freshness::{Fetched, QueriedShards};

/// List the events of the log (for auditors)
#[utoipa::path(
    get,
    path = "/v1/audit/events",
    operation_id = "list_events",
    tag = "audit",
    params(Filter),
    security(("user" = [])),
    responses((status = 200, body = EventPage))
)]
pub(super) async fn events(
    State(app): State<App>,
    user: User,
    correlation: Correlation,
    Tidemark(token): Tidemark,
    Query(filter): Query<Filter>,
) -> Result<Response, Error> {
    require_auditor(&user)?;
    filter.check()?;
    let limit = app.limit(filter.limit)?;
    let shards = [QueriedShards::all::<History>()];
    let query = || {
        select(
            &app.pools.audit,
            &filter,
            limit,
            app.limits.examined_rows_max,
        )
    };
    let examined = app.freshness.fetch(token, shards, query).await?;
    if filter.after_position > examined.head {
        return Err(Error::FuturePosition(NamedBy::AfterPosition));
    }
    let reflected = (examined.token(), examined.mark());
    let cut = examined.items.last().filter(|last| last.is_last);
    let cut = cut.map(|last| last.position);
    let found = examined.items.iter().filter(|it| it.is_found);
    let positions: Vec<_> = found.map(|it| it.position).collect();
    let events = app.log.at(&positions).await?;
    record(&app, &correlation, &user, filter.scope()).await?;
    let mut page = page(events, limit, |last| last.position)?;
    page.next = page.next.or(cut.map(|position| position.to_string()));
    let (reflected, mark) = reflected;
    Ok((reflected, mark, Json(page)).into_response())
}

/// A position that was examined.
struct Examined {
    position: i64,
    /// Whether the filter admits the event there.
    is_found: bool,
    /// Whether so many were examined before that nothing is known of what comes after it.
    is_last: bool,
}

/// The statement of [`select`] that goes through the index of `$through`, which has positions as `$position`.
macro_rules! select_through {
    ($pool:ident, $filter:ident, $limit:ident, $examined_max:ident, $through:literal, $position:literal) => {
        sqlx::query!(
            r#"
            select s.timeline as "timeline!",
                   s.head as "head!",
                   s.position as "position!",
                   s.blocked_at,
                   s.parked_at,
                   coalesce(w.positions, '{}') as "positions!",
                   coalesce(w.are_found, '{}') as "are_found!",
                   coalesce(w.are_last, '{}') as "are_last!"
              from serving s
             cross join lateral (
                   select array_agg(e.position order by e.position) as positions,
                          array_agg(e.is_found order by e.position) as are_found,
                          array_agg(e.is_last order by e.position) as are_last
                     from (
                          select *
                            from (
                                 select examined.position,
                                        row_number() over (order by examined.position) = $9::bigint as is_last,
                                        ($2::text is null or examined.event_type = $2)
                                            and ($3::text is null or examined.aggregate = $3)
                                            and ($4::text is null or examined.actor = $4)
                                            and ($7::boolean or examined.aggregate <> 'reading') as is_found
                                   from (
                                        select "# + $position + r#" as position,
                                               r.event_type,
                                               r.aggregate,
                                               r.actor
                                          from history_rows r
                                         where r.generation = s.generation
                                           and "# + $through + r#"
                                           and "# + $position + r#" > greatest(
                                                   $1::bigint, position_before($5::timestamptz))
                                           and "#
                + $position
                + r#" <= least(
                                                   s.position,
                                                   s.parked_at - 1,
                                                   position_before($6::timestamptz))
                                         order by "# + $position + r#"
                                         limit $9
                                        ) examined
                                 ) numbered
                           where is_found or is_last
                           order by position
                           limit $8::bigint
                          ) e
                   ) w
             where s.read_model = 'history'
            "#,
            $filter.after_position,
            $filter.event_type.as_ref().map(Name::as_str),
            $filter.aggregate.as_ref().map(Name::as_str),
            $filter.actor.as_ref().map(Name::as_str),
            $filter.from.map(Moment::timestamp),
            $filter.until.map(Moment::timestamp),
            $filter.includes_readings(),
            $limit,
            $examined_max,
        )
        .fetch_one($pool)
        .await
        .map(|found| {
            let flags = found.are_found.into_iter().zip(found.are_last);
            let items = found.positions.into_iter().zip(flags);
            let items = items.map(|(position, (is_found, is_last))| Examined {
                position,
                is_found,
                is_last,
            });
            Fetched {
                timeline: found.timeline,
                head: found.head,
                position: found.position,
                blocked_at: found.blocked_at,
                parked_at: found.parked_at,
                row_parked_at: None,
                items: items.collect(),
            }
        })
    };
}

/// The positions of the events, up to the one that all shards have applied. Beyond it, a shard that is
/// behind, or a row that is parked, would leave gaps, and no later page would show what is missing.
///
/// They are examined in the order of the log, through the index of the part of the filter by which there are the
/// fewest.
async fn select(
    pool: &PgPool,
    filter: &Filter,
    limit: i64,
    examined_max: i64,
) -> sqlx::Result<Fetched<Examined>> {
    match filter {
        Filter { actor: Some(_), .. } => select_through!(
            pool,
            filter,
            limit,
            examined_max,
            "r.actor = $4",
            "r.position + 0"
        ),
        Filter {
            event_type: Some(_),
            ..
        } => select_through!(
            pool,
            filter,
            limit,
            examined_max,
            "r.event_type = $2",
            "r.position + 0"
        ),
        Filter {
            aggregate: Some(_), ..
        } => select_through!(
            pool,
            filter,
            limit,
            examined_max,
            "r.aggregate = $3",
            "r.position + 0"
        ),
        Filter { .. } if !filter.includes_readings() => select_through!(
            pool,
            filter,
            limit,
            examined_max,
            "r.aggregate <> 'reading'",
            "r.position + 0"
        ),
        Filter { .. } => select_through!(pool, filter, limit, examined_max, "true", "r.position"),
    }
}
