//! Ending clients of librdkafka where blocking is allowed.

use std::ops::Deref;

use tokio::runtime::Handle;

/// A client whose end blocks for a moment (threads are joined, queues flushed): dropped inside the
/// runtime, it ends on a thread for blocking work.
#[derive(Debug)]
pub(crate) struct Offload<T: Send + 'static>(Option<T>);

impl<T: Send + 'static> Offload<T> {
    pub(crate) const fn new(client: T) -> Self {
        Self(Some(client))
    }
}

impl<T: Send + 'static> Deref for Offload<T> {
    type Target = T;

    fn deref(&self) -> &T {
        let Some(client) = &self.0 else {
            unreachable!("only drop takes the client")
        };
        client
    }
}

impl<T: Send + 'static> Drop for Offload<T> {
    fn drop(&mut self) {
        let client = self.0.take();
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn_blocking(move || drop(client));
        }
    }
}
