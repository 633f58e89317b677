//! How the operations of a store are carried out. What hangs holds nobody for longer than it may, and not all threads of the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::Error;

/// How the operations of one store are carried out.
#[derive(Clone, Debug)]
pub(super) struct Operations {
    /// How long it may take for an answer, or for the next bytes of one.
    timeout: Duration,
    /// Where each takes a thread.
    places: Option<Arc<Places>>,
}

/// So many operations may be under way at a time. One that hangs keeps its place, as it keeps its thread, also when nobody waits for
/// it any longer: so the threads of the process suffice for all else that it does.
#[derive(Debug)]
struct Places {
    free: Arc<Semaphore>,
    /// Whether operations have all places that do not come to their end in time.
    hang: AtomicBool,
}

impl Operations {
    /// Operations that ask a server, each of which ends when nobody waits for it any longer.
    pub(super) const fn of_server(timeout: Duration) -> Self {
        Self {
            timeout,
            places: None,
        }
    }

    /// Operations on files, each of which has a thread until it comes to its end.
    pub(super) fn of_folder(timeout: Duration, at_a_time: usize) -> Self {
        let places = Places {
            free: Arc::new(Semaphore::new(at_a_time)),
            hang: AtomicBool::new(false),
        };
        Self {
            timeout,
            places: Some(Arc::new(places)),
        }
    }

    /// What the store answers, if it does so in time. A store that hangs would keep who asked it, and what they hold.
    pub(super) async fn in_time<T: Send + 'static>(
        &self,
        answer: impl Future<Output = object_store::Result<T>> + Send + 'static,
    ) -> Result<T, Error> {
        let deadline = Instant::now() + self.timeout;
        let Some(places) = &self.places else {
            let answer = timeout_at(deadline, answer).await;
            return Ok(answer.map_err(|_| Error::Slow)??);
        };
        let place = places.take(deadline).await?;
        let answer = tokio::spawn(async move {
            let _place = place;
            answer.await
        });
        let answer = timeout_at(deadline, answer).await;
        let answer = answer.map_err(|_| Error::Slow)?;
        Ok(answer.map_err(object_store::Error::from)??)
    }

    /// What the store sends, as long as each piece comes in time. While nobody asks for the next one, no place is held.
    pub(super) fn all_in_time<T: Send + 'static>(
        &self,
        pieces: BoxStream<'static, object_store::Result<T>>,
    ) -> BoxStream<'static, Result<T, Error>> {
        let next = |(operations, mut pieces): (Self, BoxStream<'static, _>)| async move {
            let next = operations.in_time(async move {
                let next = pieces.try_next().await?;
                Ok(next.map(|piece| (piece, pieces)))
            });
            let next = next.await?;
            Ok(next.map(|(piece, pieces)| (piece, (operations, pieces))))
        };
        futures::stream::try_unfold((self.clone(), pieces), next).boxed()
    }
}

impl Places {
    /// A place, if there is one in time.
    async fn take(&self, deadline: Instant) -> Result<OwnedSemaphorePermit, Error> {
        let place = timeout_at(deadline, Arc::clone(&self.free).acquire_owned()).await;
        if let Ok(Ok(place)) = place {
            self.hang.store(false, Ordering::Relaxed);
            return Ok(place);
        }
        // Each of those who wait in vain fails, and is logged as such.
        if !self.hang.swap(true, Ordering::Relaxed) {
            tracing::error!(
                "the folder of media hangs: as many operations on it as media.folder_operations_max allows have not come to \
                 their end within media.store_timeout_ms, and no others are begun"
            );
        }
        Err(Error::Slow)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_hangs_keeps_its_place_until_it_comes_back() {
        let operations = Operations::of_folder(Duration::from_secs(8), 1);
        let (come_back, hung) = oneshot::channel::<()>();
        let hanging = operations.in_time(async {
            hung.await.ok();
            Ok(())
        });
        assert!(matches!(hanging.await, Err(Error::Slow)));
        // Nobody waits for it any longer.
        let begin = Instant::now();
        let other = || operations.in_time(async { Ok(()) });
        assert!(matches!(other().await, Err(Error::Slow)));
        assert_eq!(begin.elapsed(), Duration::from_secs(8));
        come_back.send(()).unwrap();
        other().await.unwrap();
    }

    #[tokio::test]
    async fn who_does_not_ask_for_the_next_piece_holds_no_place() {
        let operations = Operations::of_folder(Duration::from_secs(8), 1);
        let pieces = || operations.all_in_time(futures::stream::iter([Ok(1), Ok(2)]).boxed());
        let (mut one, mut other) = (pieces(), pieces());
        assert_eq!(one.try_next().await.unwrap(), Some(1));
        assert_eq!(other.try_next().await.unwrap(), Some(1));
        assert_eq!(one.try_next().await.unwrap(), Some(2));
        assert_eq!(one.try_next().await.unwrap(), None);
    }
}
