//! Says when to look again. One task a process glances at the checkpoints while anybody waits, and
//! learns from the rows' positions which auctions changed while anybody follows one. So no notification
//! is needed that could be lost; and what is said here decides nothing, the snapshot of a query does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidemark_event_store::TimedPool;
use tidemark_platform::config;
use tidemark_platform::token::Token;
use tidemark_read_models::market::auction::Auction;
use tidemark_read_models::{ReadModel, Shard};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A document as a live update sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// Which log it is.
    pub(crate) timeline: i32,
    /// Of the event that the document last changed with.
    pub(crate) position: i64,
    /// JSON text.
    pub(crate) document: String,
}

impl State {
    /// Names this state.
    pub(crate) fn token(&self) -> Token {
        Token {
            timeline: self.timeline,
            position: self.position,
        }
    }
}

/// The rows that a query reads. They are as recent as the shards that they are in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows {
    read_model: &'static str,
    id: Option<Uuid>,
}

impl Rows {
    /// Any of a read model's.
    pub(crate) const fn any<M: ReadModel>() -> Self {
        Self {
            read_model: M::NAME,
            id: None,
        }
    }

    /// One of a read model's.
    pub(crate) const fn one<M: ReadModel>(id: Uuid) -> Self {
        Self {
            read_model: M::NAME,
            id: Some(id),
        }
    }

    fn are_in(&self, serving: &Serving) -> bool {
        let is_in = |id| Shard::of(id, serving.shards).number == serving.shard;
        self.read_model == serving.read_model && self.id.is_none_or(is_in)
    }
}

/// How a shard of a read model was seen last.
#[derive(Clone, Debug)]
pub(crate) struct Serving {
    read_model: String,
    /// Which generation answers.
    pub(crate) generation: i32,
    shard: i32,
    /// How many shards the generation has.
    pub(crate) shards: i32,
    position: i64,
    blocked_at: Option<i64>,
    /// The last position of the log.
    head: i64,
    /// Which log it has applied.
    pub(crate) timeline: i32,
}

type Seen = Arc<[Serving]>;
/// Up to where the changes of each shard of the auctions have been told.
type Told = Vec<i64>;
type Followed = HashMap<Uuid, watch::Sender<Option<Arc<State>>>>;

/// What the one task and those who wait share.
#[derive(Clone)]
pub(crate) struct Watch(Arc<Shared>);

struct Shared {
    pool: TimedPool,
    busy: Duration,
    idle: Duration,
    seen: watch::Sender<Seen>,
    wanted: Notify,
    followed: Mutex<Followed>,
}

/// The glances of one who waits.
pub(crate) struct Glances(watch::Receiver<Seen>);

impl Glances {
    /// Waits until each shard of these rows has been seen there, or unable to get there.
    pub(crate) async fn reach(&mut self, rows: &[Rows], token: Token) {
        let are_there = of_each(rows, |it| it.position >= token.position);
        if !are_there(&self.0.borrow_and_update()) {
            self.next(rows, token).await;
        }
    }

    /// Waits for another glance that says so.
    pub(crate) async fn next(&mut self, rows: &[Rows], token: Token) {
        let are_decided = of_each(rows, |it| it.decides(token));
        while self.0.changed().await.is_ok() {
            if are_decided(&self.0.borrow_and_update()) {
                return;
            }
        }
        // The process is about to end: there is nothing more to wait for.
        std::future::pending::<()>().await;
    }
}

fn of_each(rows: &[Rows], is_so: impl Fn(&Serving) -> bool) -> impl Fn(&[Serving]) -> bool {
    move |seen| {
        let mut asked = seen
            .iter()
            .filter(|it| rows.iter().any(|rows| rows.are_in(it)));
        asked.all(&is_so)
    }
}

impl Serving {
    /// Whether the rows are there, or were not going to be.
    fn decides(&self, token: Token) -> bool {
        self.position >= token.position
            || self.head < token.position
            || self.timeline != token.timeline
            || self.blocked_at.is_some()
    }
}

impl Watch {
    /// A watch over this database; nothing happens until it runs.
    pub(crate) fn new(pool: TimedPool, limits: &config::Query) -> Self {
        Self(Arc::new(Shared {
            pool,
            busy: Duration::from_millis(limits.watch_ms),
            idle: Duration::from_millis(limits.watch_idle_ms),
            seen: watch::Sender::new(Arc::from([])),
            wanted: Notify::new(),
            followed: Mutex::default(),
        }))
    }

    /// The glances from now on.
    pub(crate) fn glances(&self) -> Glances {
        let glances = self.0.seen.subscribe();
        self.0.wanted.notify_one();
        Glances(glances)
    }

    /// How the shard of a row was seen last; none before the first glance.
    pub(crate) fn serving<M: ReadModel>(&self, id: Uuid) -> Option<Serving> {
        let (row, seen) = (Rows::one::<M>(id), self.0.seen.borrow());
        seen.iter().find(|it| row.are_in(it)).cloned()
    }

    /// The states of an auction that are seen from now on. Some may be skipped.
    pub(crate) fn follow(&self, id: Uuid) -> watch::Receiver<Option<Arc<State>>> {
        let states = self.0.lock().entry(id).or_default().subscribe();
        self.0.wanted.notify_one();
        states
    }

    /// Glances until `stop`.
    pub(crate) async fn run(&self, stop: CancellationToken) {
        stop.run_until_cancelled(self.0.glance_on()).await;
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Followed> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn glance_on(&self) {
        let mut told = Told::new();
        loop {
            match self.pool.with_timeout(self.glance(&told)).await {
                Ok(positions) => told = positions,
                Err(error) => tracing::warn!(%error, "cannot look at the checkpoints"),
            }
            if self.seen.receiver_count() > 0 || !self.lock().is_empty() {
                sleep(self.busy).await;
            } else {
                // Either way it is time.
                let _ = timeout(self.idle, self.wanted.notified()).await;
            }
        }
    }

    /// Publishes the checkpoints, then the auctions that changed after what was `told`. The answer is
    /// up to where changes have been told now.
    async fn glance(&self, told: &Told) -> sqlx::Result<Told> {
        let seen = self.checkpoints().await?;
        let auctions = seen.iter().filter(|it| it.read_model == Auction::NAME);
        let applied = auctions.map(|it| it.position).collect();
        self.seen.send_replace(seen);
        // Whoever begins to follow after this line reads what was applied before it.
        if self.lock().is_empty() {
            return Ok(applied);
        }
        let (moved, applied) = self.moved(told).await?;
        let followed = {
            let mut followed = self.lock();
            followed.retain(|_, states| states.receiver_count() > 0);
            let is_followed = |id: &Uuid| followed.contains_key(id);
            moved.into_iter().filter(is_followed).collect::<Vec<_>>()
        };
        if !followed.is_empty() {
            self.tell(&followed).await?;
        }
        Ok(applied)
    }

    async fn checkpoints(&self) -> sqlx::Result<Seen> {
        let seen = sqlx::query_as!(
            Serving,
            r#"
            select read_model as "read_model!",
                   generation as "generation!",
                   shard as "shard!",
                   shards as "shards!",
                   position as "position!",
                   blocked_at,
                   head as "head!",
                   timeline as "timeline!"
              from serving_shards
             order by read_model, shard
            "#
        )
        .fetch_all(&*self.pool)
        .await?;
        Ok(seen.into())
    }

    /// The auctions that changed after what was `told`, and up to where that is known of each shard.
    async fn moved(&self, told: &Told) -> sqlx::Result<(Vec<Uuid>, Told)> {
        let seen = sqlx::query!(
            r#"
            select s.position as "position!",
                   array(
                       select r.id
                         from auction_rows r
                        where s.position > coalesce(t.position, 0)
                          and r.generation = s.generation
                          and r.position > coalesce(t.position, 0)
                          and shard_of(r.id, s.shards) = s.shard
                   ) as "moved!"
              from serving_shards s
              left join unnest($1::bigint[]) with ordinality as t (position, number)
                on t.number = s.shard + 1
             where s.read_model = 'auction'
             order by s.shard
            "#,
            told,
        )
        .fetch_all(&*self.pool)
        .await?;
        let told = seen.iter().map(|shard| shard.position).collect();
        let moved = seen.into_iter().flat_map(|shard| shard.moved);
        Ok((moved.collect(), told))
    }

    /// Hands the states of these auctions to those who follow them.
    async fn tell(&self, ids: &[Uuid]) -> sqlx::Result<()> {
        let rows = sqlx::query!(
            r#"
            select r.id as "id!",
                   s.timeline as "timeline!",
                   r.position as "position!",
                   r.doc::text as "document!"
              from serving s
             cross join unnest($1::uuid[]) as moved (id)
             cross join lateral (
                   select *
                     from auction_rows
                    where auction_rows.generation = s.generation
                      and auction_rows.id = moved.id
                    limit 1
             ) as r
             where s.read_model = 'auction'
            "#,
            ids,
        )
        .fetch_all(&*self.pool)
        .await?;
        let followed = self.lock();
        for row in rows {
            if let Some(states) = followed.get(&row.id) {
                states.send_replace(Some(Arc::new(State {
                    timeline: row.timeline,
                    position: row.position,
                    document: row.document,
                })));
            }
        }
        Ok(())
    }
}
