//! Where commands wait to be decided, from their admission to their answer.

use std::collections::VecDeque;
use std::time::Instant;

use metrics::counter;
use tokio::sync::{mpsc, oneshot};

use super::admission::Permit;
use super::submission::{Answer, Submission};
use crate::error::Error;

/// A submission that waits for its answer.
pub(super) struct QueuedCommand {
    /// What the client sent.
    pub(super) submission: Submission,
    /// When the command is given up, if it has not been appended by then.
    pub(super) deadline: Instant,
    answer: oneshot::Sender<Answer>,
    _permit: Permit,
}

impl QueuedCommand {
    /// A command for the queue, and the receiver of its answer.
    pub(super) fn new(
        submission: Submission,
        deadline: Instant,
        permit: Permit,
    ) -> (Self, oneshot::Receiver<Answer>) {
        let (answer, receiver) = oneshot::channel();
        let command = Self {
            submission,
            deadline,
            answer,
            _permit: permit,
        };
        (command, receiver)
    }

    /// Answers the command.
    pub(super) fn answer(self, answer: Answer) {
        let outcome = match &answer {
            Ok(_) => "accepted",
            Err(error) => error.code(),
        };
        let command = self.submission.command.name();
        counter!("tidemark_commands_total", "command" => command, "outcome" => outcome)
            .increment(1);
        // The client may have disconnected. Its command was executed all the same.
        let _ = self.answer.send(answer);
    }
}

/// Answers all of `commands` with `error`.
pub(super) fn answer_all(commands: impl IntoIterator<Item = QueuedCommand>, error: &Error) {
    for command in commands {
        command.answer(Err(error.clone()));
    }
}

/// The commands to decide next, in order.
pub(super) struct Queue {
    received: mpsc::UnboundedReceiver<QueuedCommand>,
    /// Commands that go before those in `received`.
    ready: VecDeque<QueuedCommand>,
}

impl Queue {
    /// The sender for new commands, and the queue that receives them. Their number is not bounded here:
    /// every command has a permit.
    pub(super) fn new() -> (mpsc::UnboundedSender<QueuedCommand>, Self) {
        let (sender, received) = mpsc::unbounded_channel();
        let queue = Self {
            received,
            ready: VecDeque::new(),
        };
        (sender, queue)
    }

    /// Waits until a new command is received. Returns none once no more can come: all senders are gone.
    /// Loses no command if the call is dropped.
    pub(super) async fn receive(&mut self) -> Option<()> {
        let command = self.received.recv().await?;
        self.ready.push_back(command);
        Some(())
    }

    /// Takes the next command, if there is one.
    pub(super) fn pop(&mut self) -> Option<QueuedCommand> {
        let ready = self.ready.pop_front();
        ready.or_else(|| self.received.try_recv().ok())
    }

    /// Queues commands whose states have been loaded, before those that were not decided yet.
    pub(super) fn push_loaded(&mut self, commands: impl IntoIterator<Item = QueuedCommand>) {
        self.ready.extend(commands);
    }

    /// Queues commands to be decided again, in their order and before all others.
    pub(super) fn push_again(&mut self, commands: impl DoubleEndedIterator<Item = QueuedCommand>) {
        for command in commands.rev() {
            self.ready.push_front(command);
        }
    }

    /// Takes all commands out whose deadline has passed.
    pub(super) fn take_overdue(&mut self, now: Instant) -> Vec<QueuedCommand> {
        while let Ok(command) = self.received.try_recv() {
            self.ready.push_back(command);
        }
        let (overdue, rest): (Vec<_>, Vec<_>) = self
            .ready
            .drain(..)
            .partition(|command| command.deadline <= now);
        self.ready = rest.into();
        overdue
    }
}
