//! How long a relay leads, what ends its term, and when the next one begins.

use std::time::Duration;

use tidemark_event_store::relay::{Health, Settings};
use tidemark_tests::eventually;
use tokio::time::timeout;

use super::relayed_log::RelayedLog;

/// Longer than any of these tests waits.
const NEVER: Duration = Duration::from_hours(1);

/// Lets this many renewals of the relay's lease fail.
async fn fail_renewals(relayed: &RelayedLog, count: i64) {
    let sql = format!(
        "create sequence renewals;
         create function fail_renewal() returns trigger language plpgsql security definer as $$
         begin
             if nextval('renewals') <= {count} then
                 raise exception 'on purpose';
             end if;
             return new;
         end $$;
         create trigger fail_renewal before update on leases for each row
            when (new.epoch = old.epoch and new.expires_at > old.expires_at)
            execute function fail_renewal()"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
        .execute(&relayed.database.pool)
        .await
        .unwrap();
}

/// The number of terms that have begun.
async fn terms(relayed: &RelayedLog) -> i64 {
    sqlx::query_scalar("select epoch from leases where name = 'relay'")
        .fetch_one(&relayed.database.pool)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_term_goes_on_although_a_renewal_fails() {
    let mut relayed = RelayedLog::new().await;
    fail_renewals(&relayed, 1).await;
    let mut relay = relayed.relay_with(Settings {
        lease: Duration::from_secs(9),
        ..relayed.settings.clone()
    });
    let head = relayed.append(10).await;
    relay.confirms(head).await;
    eventually("two renewals that succeed", || async {
        let asked: i64 = sqlx::query_scalar("select last_value from renewals")
            .fetch_one(&relayed.database.pool)
            .await
            .unwrap();
        (asked >= 3).then_some(())
    })
    .await;
    let head = relayed.append(10).await;
    relay.confirms(head).await;
    assert_eq!(terms(&relayed).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_term_ends_before_its_lease_if_that_cannot_be_renewed() {
    let mut relayed = RelayedLog::new().await;
    let settings = Settings {
        lease: Duration::from_secs(15),
        retry: NEVER,
        ..relayed.settings.clone()
    };
    let mut relay = relayed.relay_with(settings.clone());
    let head = relayed.append(10).await;
    relay.confirms(head).await;
    fail_renewals(&relayed, i64::MAX).await;
    let left: f64 = sqlx::query_scalar(
        "select extract(epoch from expires_at - clock_timestamp())::float8 from leases where name = 'relay'",
    )
    .fetch_one(&relayed.database.pool)
    .await
    .unwrap();
    let ended = timeout(
        Duration::from_secs_f64(left),
        relay.becomes(Health::Failing),
    )
    .await;
    ended.expect("the relay leads although its lease was not renewed");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stands_by_leads_at_once_when_the_leader_stops() {
    let mut relayed = RelayedLog::new().await;
    let settings = Settings {
        lease: Duration::from_mins(3),
        takeover_wait: NEVER,
        ..relayed.settings.clone()
    };
    let mut leader = relayed.relay_with(settings.clone());
    let head = relayed.append(10).await;
    leader.confirms(head).await;
    let mut other = relayed.relay_with(settings.clone());
    leader.stop().await;
    let head = relayed.append(10).await;
    let leads = timeout(settings.lease / 3, other.confirms(head)).await;
    leads.expect("the other relay waited until the lease had run out");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_term_that_was_fenced_off_is_followed_by_another() {
    let mut relayed = RelayedLog::new().await;
    let mut relay = relayed.relay_with(Settings {
        alarm_retry: NEVER,
        ..relayed.settings.clone()
    });
    let head = relayed.append(10).await;
    relay.confirms(head).await;
    relayed
        .tamper("update relay_progress set epoch = epoch + 1")
        .await;
    let head = relayed.append(10).await;
    relay.confirms(head).await;
    relay.becomes(Health::Healthy).await;
    assert!(terms(&relayed).await > 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_caused_an_alarm_is_repaired_and_the_relay_goes_on() {
    let mut relayed = RelayedLog::new().await;
    let head = relayed.append(10).await;
    let mut relay = relayed.relay();
    relay.confirms(head).await;
    relay.stop().await;
    relayed
        .tamper("update relay_progress set position = position + 1")
        .await;
    let mut relay = relayed.relay_with(Settings {
        retry: NEVER,
        ..relayed.settings.clone()
    });
    relay.becomes(Health::Alarm).await;
    relayed
        .tamper("update relay_progress set position = position - 1")
        .await;
    let head = relayed.append(10).await;
    relay.confirms(head).await;
    relay.becomes(Health::Healthy).await;
}
