//! Pictures that are being sent. Each holds an open file, or a connection to the store, until all of it was sent, which its client
//! decides: so they are bounded, and a client that takes too little of one loses it.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, BodyDataStream, Bytes};
use futures::TryStreamExt;
use tidemark_platform::Config;
use tidemark_platform::shares::{Held, Shares};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::error::Error;

/// How many pictures may be sent at a time, in all and to one address, and how slowly.
#[derive(Debug)]
pub(crate) struct Downloads {
    addresses: Shares<IpAddr>,
    per_address_max: usize,
    permits: Arc<Semaphore>,
    pace: Pace,
}

/// How slowly a client may take what it is sent.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// How many bytes it must take in a second.
    rate_min: u64,
    /// How far it may be behind that.
    patience: Duration,
}

/// The right to send a picture, which ends with its body.
#[derive(Debug)]
pub(crate) struct Download {
    pace: Pace,
    _places: (Held<IpAddr>, OwnedSemaphorePermit),
}

impl Downloads {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            addresses: Shares::default(),
            per_address_max: config.media.downloads_per_address_max,
            permits: Arc::new(Semaphore::new(config.media.downloads_max)),
            pace: Pace {
                rate_min: config.media.download_rate_min,
                patience: Duration::from_millis(config.http.write_timeout_ms),
            },
        }
    }

    /// Admits one more picture to this address.
    ///
    /// # Errors
    /// If as many are being sent as may be, to the address or in all.
    pub(crate) fn begin(&self, address: IpAddr) -> Result<Download, Error> {
        let max = self.per_address_max;
        let held = self.addresses.take(address, max);
        let held = held.ok_or(Error::TooManyDownloadsOfAddress(max))?;
        let permit = Arc::clone(&self.permits).try_acquire_owned();
        let permit = permit.map_err(|_| Error::TooManyDownloads)?;
        Ok(Download {
            pace: self.pace,
            _places: (held, permit),
        })
    }
}

impl Download {
    /// The body of the answer, which holds the places until it has ended.
    pub(crate) fn of(self, body: Body) -> Body {
        let sending = Sending {
            pieces: body.into_data_stream(),
            download: self,
            given: None,
            behind: Duration::ZERO,
        };
        // A piece is asked for when everything before is written.
        let next = |mut sending: Sending| async move {
            let piece = sending.next().await?;
            Ok::<_, BoxError>(piece.map(|piece| (piece, sending)))
        };
        Body::from_stream(futures::stream::try_unfold(sending, next))
    }
}

/// A body that breaks off when its client has taken too little of it for too long. Of one that takes nothing at all, nobody asks for
/// the next piece: its stream, or its connection, is ended by the server.
struct Sending {
    pieces: BodyDataStream,
    download: Download,
    /// When the client was given a piece, and of how many bytes, until it has taken that and asks for the next one.
    given: Option<(Instant, u64)>,
    /// By how much it is behind the pace.
    behind: Duration,
}

impl Sending {
    async fn next(&mut self) -> Result<Option<Bytes>, BoxError> {
        self.note_taken()?;
        let piece = self.pieces.try_next().await?;
        if let Some(piece) = &piece {
            self.given = Some((Instant::now(), piece.len() as u64));
        }
        Ok(piece)
    }

    /// Reckons with the piece that the client has taken. What it takes faster than it must makes up for pauses before, but not for
    /// later ones, or a client that was fast at first could hold its places for long.
    fn note_taken(&mut self) -> io::Result<()> {
        let Some((since, bytes)) = self.given.take() else {
            return Ok(());
        };
        let pace = self.download.pace;
        let earned = Duration::from_millis(bytes.saturating_mul(1_000) / pace.rate_min);
        self.behind = (self.behind + since.elapsed()).saturating_sub(earned);
        if self.behind <= pace.patience {
            return Ok(());
        }
        let text = "the client takes less than media.download_rate_min";
        Err(io::Error::new(io::ErrorKind::TimedOut, text))
    }
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt, stream};

    use super::*;

    const PIECE: usize = 1_000;

    fn downloads() -> Downloads {
        Downloads {
            addresses: Shares::default(),
            per_address_max: 1,
            permits: Arc::new(Semaphore::new(1)),
            pace: Pace {
                rate_min: 1_000,
                patience: Duration::from_secs(30),
            },
        }
    }

    /// How many pieces are sent to a client who pauses so long before each, of a hundred that the store takes so long for.
    async fn sent(
        pauses: impl Fn(usize) -> Duration,
        store_takes: Duration,
    ) -> Result<usize, usize> {
        let downloads = downloads();
        let address = IpAddr::from([192, 0, 2, 1]);
        let download = downloads.begin(address).unwrap();
        assert!(downloads.begin(address).is_err());
        let pieces = stream::repeat(()).take(100).then(move |()| async move {
            tokio::time::sleep(store_takes).await;
            Ok::<_, io::Error>(Bytes::from(vec![0; PIECE]))
        });
        let body = download.of(Body::from_stream(pieces));
        let mut body = body.into_data_stream();
        let mut taken = 0;
        let ended = loop {
            tokio::time::sleep(pauses(taken)).await;
            match body.next().await {
                None => break Ok(taken),
                Some(Ok(_)) => taken += 1,
                Some(Err(_)) => break Err(taken),
            }
        };
        drop(body);
        assert!(downloads.begin(address).is_ok());
        ended
    }

    #[tokio::test(start_paused = true)]
    async fn who_keeps_the_pace_gets_all_however_long_the_store_takes() {
        let second = Duration::from_secs(1);
        assert_eq!(sent(|_| second, Duration::from_mins(1)).await, Ok(100));
        // A pause is made up for.
        let pauses = |piece| {
            if piece % 50 == 49 {
                29 * second
            } else {
                second / 4
            }
        };
        assert_eq!(sent(pauses, Duration::ZERO).await, Ok(100));
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_too_little_for_too_long_is_sent_no_more() {
        let second = Duration::from_secs(1);
        assert_eq!(sent(|_| 3 * second, Duration::ZERO).await, Err(16));
        // What was taken fast at first makes up for nothing.
        let pauses = |piece| {
            if piece < 80 {
                Duration::ZERO
            } else {
                3 * second
            }
        };
        assert_eq!(sent(pauses, Duration::ZERO).await, Err(95));
    }
}
