//! The status as a table for people.

use std::fmt::Write;

use super::{Progress, Status};

/// The widths of the columns in characters. The last column ends with the line.
const COLUMNS: [usize; 7] = [16, 5, 7, 12, 8, 38, 0];

/// The status with a line for the relay, each shard of a read model and each reactor.
pub(super) fn table(status: &Status) -> String {
    let relay = match status.relay.position {
        Some(position) => format!("at {position}, {} behind", status.relay.lag),
        None => "has never run".to_owned(),
    };
    let mut text = format!("log    head {}\nrelay  {relay}\n\n", status.head);
    line(
        &mut text,
        [
            "READ MODEL",
            "GEN",
            "SHARD",
            "POSITION",
            "LAG",
            "HELD BY",
            "STATE",
        ],
    );
    for read_model in &status.read_models {
        let rebuild = read_model.shards_configured.map(|configured| {
            format!("; {configured} shards are configured, which takes a rebuild")
        });
        let state = read_model.state.as_ref();
        let state = state.filter(|state| *state != "serving");
        let state = state.map(|state| format!("; {state}"));
        let parked = read_model.parked.filter(|parked| *parked > 0);
        let parked = parked.map(|parked| format!("; {parked} rows parked"));
        let details = state.into_iter().chain(parked).chain(rebuild);
        progress_line(&mut text, read_model, &details.collect::<String>());
    }
    text.push('\n');
    line(
        &mut text,
        ["REACTOR", "", "", "POSITION", "LAG", "HELD BY", "STATE"],
    );
    for reactor in &status.reactors {
        let next = reactor
            .next_due_at
            .map(|at| format!(", next at {}", at.to_rfc3339()));
        let actions = format!(
            "; {} actions pending, {} due, {} failing{}",
            reactor.pending,
            reactor.due,
            reactor.failing,
            next.unwrap_or_default()
        );
        progress_line(&mut text, &reactor.progress, &actions);
    }
    text.truncate(text.trim_end().len());
    text
}

/// Adds the line of a subscriber. `details` follow its state.
fn progress_line(text: &mut String, progress: &Progress, details: &str) {
    let state = match (&progress.blocked, progress.holder) {
        (Some(reason), _) => format!("blocked: {reason}"),
        (None, _) if progress.paused => "paused".to_owned(),
        (None, Some(_)) => "running".to_owned(),
        (None, None) if !progress.can_run => {
            "not running: no running projector can run it".to_owned()
        }
        (None, None) => "not running".to_owned(),
    };
    let holder = progress
        .holder
        .map_or_else(|| "-".to_owned(), |holder| holder.to_string());
    let generation = progress.generation.map(|generation| generation.to_string());
    let shard = progress.shard.zip(progress.shards);
    let shard = shard.map(|(shard, shards)| format!("{shard}/{shards}"));
    line(
        text,
        [
            &progress.name,
            &generation.unwrap_or_default(),
            &shard.unwrap_or_default(),
            &progress.position.to_string(),
            &progress.lag.to_string(),
            &holder,
            &(state + details),
        ],
    );
}

fn line(text: &mut String, cells: [&str; 7]) {
    for (cell, width) in cells.into_iter().zip(COLUMNS) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{cell:<width$}");
    }
    text.push('\n');
}
