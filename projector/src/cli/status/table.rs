//! The status as text for people.

use std::fmt::Write;

use super::{Following, Status};

/// Widths; the last column ends with the line.
const COLUMNS: [usize; 7] = [16, 5, 7, 12, 8, 38, 0];

/// What everything is up to, a line each.
pub(super) fn table(status: &Status) -> String {
    let relay = match status.relay.position {
        Some(position) => format!("at {position}, {} behind", status.relay.lag),
        None => "has not run".to_owned(),
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
        following(&mut text, read_model, &rebuild.unwrap_or_default());
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
        following(&mut text, &reactor.following, &actions);
    }
    text.truncate(text.trim_end().len());
    text
}

fn following(text: &mut String, following: &Following, more: &str) {
    let state = match (&following.blocked, following.holder) {
        (Some(reason), _) => format!("blocked: {reason}"),
        (None, Some(_)) => "following".to_owned(),
        (None, None) => "nobody follows".to_owned(),
    };
    let holder = following
        .holder
        .map_or_else(|| "-".to_owned(), |holder| holder.to_string());
    let generation = following
        .generation
        .map(|generation| generation.to_string());
    let shard = following.shard.zip(following.shards);
    let shard = shard.map(|(shard, shards)| format!("{shard}/{shards}"));
    line(
        text,
        [
            &following.name,
            &generation.unwrap_or_default(),
            &shard.unwrap_or_default(),
            &following.position.to_string(),
            &following.lag.to_string(),
            &holder,
            &(state + more),
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
