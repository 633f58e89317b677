//! The loop in which every subscriber follows the log, and what it does after a failure.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tidemark_event_store::traces::{KeyValue, Span, SpanKind};
use tidemark_event_store::{TimedPool, traces};
use tidemark_events::Recorded;
use tidemark_platform::config::Projection;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::build_pace::BuildPace;
use super::failure::{FailureKind, SubscriberError};
use super::measurements::Measurements;
use super::page::{Page, page_limits};
use super::retries::{Retries, Step};
use super::source::{Reader, Source};
use super::subscriber::{Subscriber, SubscriberId};

/// Why a subscriber no longer applies the log.
enum Ended {
    /// It was stopped, or has reached the position that it should reach.
    Stopped,
    /// The next event needs a newer build.
    NeedsNewerBuild,
    /// The next event cannot be applied now.
    Blocked,
}

/// Lets a subscriber follow the log until `stop`, until its checkpoint has reached `until`, or until
/// only a newer build can continue. After any other failure it starts again from its checkpoint.
pub(crate) async fn follow(
    mut subscriber: Box<dyn Subscriber>,
    source: Source,
    settings: Projection,
    until: Option<i64>,
    stop: CancellationToken,
) {
    let SubscriberId {
        kind,
        name,
        generation,
        shard,
    } = subscriber.id();
    tracing::info!(kind, name, generation, shard, "following the log");
    let measurements = Measurements::new(subscriber.id(), source.blocked.clone());
    let pool = source.pages.pool().clone();
    let mut reader = source.reader(subscriber.event_types(), page_limits(&settings));
    let mut retries = Retries::new(&settings);
    let blocked_pause = Duration::from_millis(settings.blocked_retry_ms);
    let check_pause = Duration::from_millis(settings.check_ms);
    loop {
        let ended = apply_pages(
            &pool,
            &mut *subscriber,
            &mut reader,
            (&measurements, &mut retries, check_pause),
            until,
            &stop,
        )
        .await;
        let pause = match ended {
            Ok(Ended::Stopped | Ended::NeedsNewerBuild) => break,
            Ok(Ended::Blocked) => blocked_pause,
            Err(error) => {
                let (needs_help, reason) = (needs_help(&error), error.explained());
                let is_lasting = retries.failed();
                if needs_help || is_lasting {
                    show(&pool, &mut *subscriber, &measurements, &reason).await;
                } else {
                    tracing::warn!(kind, name, generation, shard, %reason, "starting again from the checkpoint");
                }
                if needs_help {
                    blocked_pause
                } else {
                    measurements.failed();
                    retries.pause()
                }
            }
        };
        if stop.run_until_cancelled(sleep(pause)).await.is_none() {
            break;
        }
    }
    tracing::info!(kind, name, generation, shard, "no longer following the log");
}

/// Whether trying again does not help. A failure of a row that comes here is of a write that could not be divided into rows
/// that can be written and rows that can be parked.
fn needs_help(error: &SubscriberError) -> bool {
    matches!(error, SubscriberError::NotInLog(_)) || error.kind() == FailureKind::ThisRow
}

/// Shows operators that the subscriber stands still, and why: in the readiness of the process, by a metric, and by what is
/// stored.
async fn show(
    pool: &TimedPool,
    subscriber: &mut dyn Subscriber,
    measurements: &Measurements,
    reason: &str,
) {
    let SubscriberId {
        kind,
        name,
        generation,
        shard,
    } = subscriber.id();
    tracing::error!(kind, name, generation, shard, %reason, "standing still");
    measurements.blocked(reason);
    if let Err(error) = pool.with_timeout(block(subscriber, reason)).await {
        tracing::warn!(kind, name, generation, shard, %error, "operators are not shown that it stands still");
    }
}

/// Stores why the subscriber cannot go on, unless it has done so already.
async fn block(subscriber: &mut dyn Subscriber, reason: &str) -> Result<(), SubscriberError> {
    match subscriber.start().await {
        Ok(at) => subscriber.block(at, reason).await,
        Err(SubscriberError::NotInLog(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Records how long it took to apply the events of a page whose requests are traced. Only the events are traced that are
/// applied as they come, and not those of a log that is read again.
fn record_spans(subscriber: &dyn Subscriber, page: &Page, began: Instant) {
    let traced = |event: &Arc<Recorded>| Some((Arc::clone(event), traces::traceparent(event)?));
    let traced: Vec<_> = page.events.iter().filter_map(traced).collect();
    if traced.is_empty() {
        return;
    }
    let SubscriberId { kind, name, .. } = subscriber.id();
    let types = subscriber.event_types();
    for (event, parent) in traced {
        if types
            .as_ref()
            .is_none_or(|types| types.contains(&event.event_type.as_str()))
        {
            let name = format!("{kind} {name}");
            let mut span = traces::span(SpanKind::Consumer, name, &parent, began.elapsed());
            span.set_attribute(KeyValue::new("tidemark.position", event.position));
            span.end();
        }
    }
}

/// Applies one page after another from the checkpoint on.
async fn apply_pages(
    pool: &TimedPool,
    subscriber: &mut dyn Subscriber,
    reader: &mut Reader,
    (measurements, retries, check_pause): (&Measurements, &mut Retries, Duration),
    until: Option<i64>,
    stop: &CancellationToken,
) -> Result<Ended, SubscriberError> {
    reader.restart();
    retries.begin(Step::Start);
    let mut point = pool.with_timeout(subscriber.start()).await?;
    if retries.succeeded() {
        measurements.goes_on();
    }
    retries.begin(Step::Apply);
    let started_at = point.position;
    let mut checkpoint = started_at;
    let building = subscriber.building();
    reader.limit(building.and_then(|it| it.events_per_second));
    let mut build = building.map(|it| BuildPace::new(it, reader.build_turns(), checkpoint));
    let mut checks = interval(check_pause);
    checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        measurements.checkpoint(checkpoint, reader.head());
        measurements.parked(subscriber.parked());
        if checkpoint > started_at {
            retries.succeeded();
            measurements.goes_on();
        }
        if until.is_some_and(|until| checkpoint >= until) {
            return Ok(Ended::Stopped);
        }
        let page = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(Ended::Stopped),
            _ = checks.tick(), if subscriber.needs_check() => {
                retries.begin(Step::Check);
                subscriber.check(point).await?;
                if retries.succeeded() {
                    pool.with_timeout(subscriber.unblock()).await?;
                    measurements.goes_on();
                }
                retries.begin(Step::Apply);
                checkpoint = point.position;
                continue;
            }
            page = reader.next(point) => page?,
        };
        let Some(mut page) = page else {
            if retries.all_done(subscriber.needs_check()) {
                pool.with_timeout(subscriber.unblock()).await?;
                measurements.goes_on();
            }
            continue;
        };
        let turn = match &build {
            Some(build) if page.has_more => {
                let beginning = build.begin(point.position, &mut page);
                let Some((turn, rest)) = stop.run_until_cancelled(beginning).await else {
                    return Ok(Ended::Stopped);
                };
                reader.put_back(rest);
                Some(turn)
            }
            _ => None,
        };
        let began = Instant::now();
        // No time is set for all of it: what is asked of Postgres has its own, and a page may need many answers.
        let applied = subscriber.apply(point, &page).await?;
        if !page.has_more && applied.checkpoint == page.to.position {
            record_spans(subscriber, &page, began);
        }
        measurements.applied(applied.point.position - point.position);
        point = applied.point;
        checkpoint = applied.checkpoint;
        if !page.has_more && point.position >= reader.head() && build.take().is_some() {
            reader.limit(None);
        }
        if let Some(build) = &build {
            let waiting = build.end(turn, point.position);
            if stop.run_until_cancelled(waiting).await.is_none() {
                return Ok(Ended::Stopped);
            }
        }
        if let Some(error) = applied.blocked_by {
            let reason = error.to_string();
            pool.with_timeout(subscriber.block(point, &reason)).await?;
            measurements.checkpoint(checkpoint, reader.head());
            measurements.blocked(&reason);
            let SubscriberId {
                kind,
                name,
                generation,
                shard,
            } = subscriber.id();
            tracing::error!(kind, name, generation, shard, after = point.position, %error, "cannot apply an event");
            return Ok(match error.kind() {
                FailureKind::NewerBuild => Ended::NeedsNewerBuild,
                FailureKind::Transient | FailureKind::ThisRow => Ended::Blocked,
            });
        }
    }
}
