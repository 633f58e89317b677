//! A mail server that is away, or takes a connection and says nothing.

use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::time::sleep;

use super::recovery::SLOWNESS;
use super::{Fault, Injection, Outcome};
use crate::supervisor::Signal;
use crate::wait::wait_until;

pub(super) const FAULTS: &[Fault] = &[
    Fault::new(
        "kill-mail-server",
        "kill -9 of the mail server, away for 3 to 10 s",
        10,
        |i| kill(i).boxed(),
    ),
    Fault::new(
        "hang-mail-server",
        "the mail server answers nothing for 10 s",
        10,
        |i| hang(i).boxed(),
    ),
];

/// For how long the server answers nothing.
const SILENCE: Duration = Duration::from_secs(10);
/// Until a mail arrives that was asked for after the server was back. It was left alone for a time that doubled while it was
/// away, so it may stay alone for as long as it was away.
const MAILS_RESUME: Duration = Duration::from_secs(15 * SLOWNESS);

/// Mails that ended, and that were asked for after a position.
const ENDED_SINCE: &str = "
    select count(*)
      from events requested
      join events ended
        on ended.stream_id = requested.stream_id
       and ended.type = 'message.ended'
     where requested.type = 'message.requested'
       and requested.position > $1
";

async fn kill(mut injection: Injection) -> Outcome {
    let away = injection.between(Duration::from_secs(3), Duration::from_secs(10));
    let mail = &injection.stack.mail;
    mail.process.hold();
    mail.process.kill();
    sleep(away).await;
    mail.process.release();
    wait_until("the mail server is ready again", || mail.is_ready()).await;
    wait_for_mails(&injection).await
}

async fn hang(injection: Injection) -> Outcome {
    let process = &injection.stack.mail.process;
    process.signal(Signal::Stop);
    sleep(SILENCE).await;
    process.signal(Signal::Continue);
    wait_for_mails(&injection).await
}

async fn wait_for_mails(injection: &Injection) -> Outcome {
    let (stack, back_at) = (&injection.stack, Instant::now());
    let head = stack.head().await;
    wait_until("a mail is sent that was asked for now", || async {
        let ended = sqlx::query_scalar::<_, i64>(ENDED_SINCE).bind(head);
        ended.fetch_one(&stack.pool).await.unwrap() > 0
    })
    .await;
    let took = back_at.elapsed();
    assert!(
        took < MAILS_RESUME,
        "mails were sent only after {took:?}, not within {MAILS_RESUME:?}"
    );
    Outcome::Recovered(took)
}
