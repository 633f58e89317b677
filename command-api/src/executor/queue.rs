//! Where commands wait to be decided, from their admission to their answer.

use std::collections::VecDeque;
use std::time::Instant;

use metrics::counter;
use tidemark_event_store::traces;
use tidemark_event_store::traces::{KeyValue, Span, SpanKind};
use tidemark_platform::turns::Turns;
use tokio::sync::{mpsc, oneshot};

use super::idempotency::KeyInFlight;
use super::submission::{Answer, Submission};
use crate::admission::{Permit, Share};
use crate::error::Error;

/// A submission that waits for its answer.
pub(super) struct QueuedCommand {
    /// What the client sent.
    pub(super) submission: Submission,
    /// When the command came.
    queued_at: Instant,
    /// When the command is given up, if it has not been appended by then.
    pub(super) deadline: Instant,
    /// Whether the command met a conflict.
    pub(super) is_contended: bool,
    answer: oneshot::Sender<Answer>,
    key: Option<KeyInFlight>,
    _permit: Permit,
}

impl QueuedCommand {
    /// A command for the queue, with the key that it was sent under, and the receiver of its answer.
    pub(super) fn new(
        submission: Submission,
        deadline: Instant,
        key: Option<KeyInFlight>,
        permit: Permit,
    ) -> (Self, oneshot::Receiver<Answer>) {
        let (answer, receiver) = oneshot::channel();
        let command = Self {
            submission,
            queued_at: Instant::now(),
            deadline,
            is_contended: false,
            answer,
            key,
            _permit: permit,
        };
        (command, receiver)
    }

    /// In whose turn the command is decided.
    fn share(&self) -> &Share {
        &self.submission.share
    }

    /// Answers the command.
    pub(super) fn answer(self, answer: Answer) {
        let outcome = match &answer {
            Ok(_) => "accepted",
            Err(error) => error.code().name,
        };
        let command = self.submission.command.name();
        counter!("tidemark_commands_total", "command" => command, "outcome" => outcome)
            .increment(1);
        if let Some(parent) = self.submission.traceparent() {
            let mut span = traces::span(
                SpanKind::Internal,
                command,
                parent,
                self.queued_at.elapsed(),
            );
            span.set_attribute(KeyValue::new("tidemark.outcome", outcome));
            span.end();
        }
        if let Some(key) = self.key {
            key.answer(&answer);
        }
        // The client may have disconnected. Its command was executed all the same.
        let _ = self.answer.send(answer);
    }

    /// Answers a command that was not completed by its deadline: because it met conflicts, or because it had
    /// to wait for too long.
    pub(super) fn answer_overdue(self) {
        let error = if self.is_contended {
            Error::Contended
        } else {
            Error::Overloaded
        };
        self.answer(Err(error));
    }
}

/// Answers all of `commands` with `error`.
pub(super) fn answer_all(commands: impl IntoIterator<Item = QueuedCommand>, error: &Error) {
    for command in commands {
        command.answer(Err(error.clone()));
    }
}

/// The commands to decide next. Principals take turns, so that one who sends many delays the others by no more
/// than one command; the commands of one principal keep their order.
pub(super) struct Queue {
    received: mpsc::UnboundedReceiver<QueuedCommand>,
    /// Commands to decide again, before all others: they have had their turn.
    again: VecDeque<QueuedCommand>,
    waiting: Turns<Share, QueuedCommand>,
}

impl Queue {
    /// The sender for new commands, and the queue that receives them. Their number is not bounded here:
    /// every command has a permit.
    pub(super) fn new() -> (mpsc::UnboundedSender<QueuedCommand>, Self) {
        let (sender, received) = mpsc::unbounded_channel();
        let queue = Self {
            received,
            again: VecDeque::new(),
            waiting: Turns::default(),
        };
        (sender, queue)
    }

    /// Waits until a new command is received. Returns none once no more can come: all senders are gone.
    /// Loses no command if the call is dropped.
    pub(super) async fn receive(&mut self) -> Option<()> {
        let command = self.received.recv().await?;
        self.push(command);
        Some(())
    }

    /// Whether no more commands can come: all senders are gone, and none waits.
    pub(super) fn is_closed(&self) -> bool {
        let is_empty = self.again.is_empty() && self.waiting.is_empty() && self.received.is_empty();
        is_empty && self.received.is_closed()
    }

    /// Takes the next command, if there is one.
    pub(super) fn pop(&mut self) -> Option<QueuedCommand> {
        self.push_received();
        self.again.pop_front().or_else(|| self.waiting.pop())
    }

    /// Queues commands whose states have been loaded, before those of the same principals that were not
    /// decided yet.
    pub(super) fn push_loaded(&mut self, commands: Vec<QueuedCommand>) {
        for command in commands.into_iter().rev() {
            self.waiting.push_first(command.share().clone(), command);
        }
    }

    /// Queues commands to be decided again, in their order and before all others.
    pub(super) fn push_again(&mut self, commands: impl DoubleEndedIterator<Item = QueuedCommand>) {
        for command in commands.rev() {
            self.again.push_front(command);
        }
    }

    /// Takes all commands out whose deadline has passed.
    pub(super) fn take_overdue(&mut self, now: Instant) -> VecDeque<QueuedCommand> {
        self.push_received();
        let is_overdue = |command: &QueuedCommand| command.deadline <= now;
        let mut overdue = self.waiting.take(is_overdue);
        let (mut again, rest) = self.again.drain(..).partition(is_overdue);
        self.again = rest;
        overdue.append(&mut again);
        overdue
    }

    fn push_received(&mut self) {
        while let Ok(command) = self.received.try_recv() {
            self.push(command);
        }
    }

    fn push(&mut self, command: QueuedCommand) {
        self.waiting.push(command.share().clone(), command);
    }
}

#[cfg(test)]
mod tests;
