//! Dropping clients of librdkafka where blocking is allowed.

use std::ops::Deref;

use tokio::runtime::Handle;

/// A client whose drop blocks for a moment, because it joins threads and flushes queues. If it is
/// dropped inside the runtime, the client is dropped on a thread for blocking work.
#[derive(Debug)]
pub(crate) struct BlockingDrop<T: Send + 'static>(Option<T>);

impl<T: Send + 'static> BlockingDrop<T> {
    pub(crate) const fn new(client: T) -> Self {
        Self(Some(client))
    }
}

impl<T: Send + 'static> Deref for BlockingDrop<T> {
    type Target = T;

    fn deref(&self) -> &T {
        let Some(client) = &self.0 else {
            unreachable!("only drop takes the client")
        };
        client
    }
}

impl<T: Send + 'static> Drop for BlockingDrop<T> {
    fn drop(&mut self) {
        let client = self.0.take();
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn_blocking(move || drop(client));
        }
    }
}
