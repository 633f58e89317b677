//! The status as a table for people.

use std::fmt::Write;

use chrono::SecondsFormat;
use tidemark_read_models::operations::Condition;
use tidemark_read_models::operations::shards::ShardStatus;
use uuid::Uuid;

use super::{Shard, Status};

/// The widths of the columns in characters. The last column ends with the line.
const COLUMNS: [usize; 9] = [16, 5, 7, 12, 8, 8, 9, 38, 0];

/// What a line shows of something that follows the log.
struct Line<'a> {
    name: &'a str,
    generation: Option<i32>,
    shard: Option<String>,
    position: i64,
    lag: i64,
    lag_s: Option<f64>,
    rate: Option<f64>,
    holder: Option<Uuid>,
    /// What it does, and what else is to be said.
    state: String,
}

/// The status with a line for the relay, each shard of a read model and each reactor.
pub(super) fn table(status: &Status) -> String {
    let (head, timeline) = (status.head, status.timeline);
    let set_back = if status.set_back {
        ", was set back: commands are refused until `timeline fork`"
    } else {
        ""
    };
    let mut text = format!("log    head {head} on timeline {timeline}{set_back}\n");
    let titles = |first| {
        [
            first, "GEN", "SHARD", "POSITION", "LAG", "LAG S", "RATE/S", "HELD BY", "STATE",
        ]
    };
    line(&mut text, titles("READ MODEL"));
    for shard in &status.read_models {
        of_shard(shard).write(&mut text);
    }
    text.push('\n');
    line(&mut text, titles("REACTOR"));
    for reactor in &status.reactors {
        let it = &reactor.status;
        let next = it.next_due_at.map(|at| {
            let at = at.to_rfc3339_opts(SecondsFormat::Millis, true);
            format!(", next at {at}")
        });
        let actions = format!(
            "; {} actions pending, {} due, {} failing{}",
            it.pending,
            it.due,
            it.failing,
            next.unwrap_or_default()
        );
        let given_up = [(it.refused, "refused"), (it.unanswered, "unanswered")];
        let given_up = given_up.into_iter().filter(|(count, _)| *count > 0);
        let given_up: Vec<_> = given_up
            .map(|(count, how)| format!(", {count} {how}"))
            .collect();
        let line = Line {
            name: &it.name,
            generation: None,
            shard: None,
            position: it.position,
            lag: it.lag,
            lag_s: it.lag_s,
            rate: reactor.rate,
            holder: it.holder,
            state: state(it.condition, it.blocked.as_deref(), it.can_run)
                + &actions
                + &given_up.concat(),
        };
        line.write(&mut text);
    }
    text.push('\n');
    line(&mut text, titles("RELAY"));
    of_relay(status).write(&mut text);
    text.truncate(text.trim_end().len());
    text
}

fn of_shard(shard: &Shard) -> Line<'_> {
    let it = &shard.status;
    let rebuild = shard
        .shards_configured
        .map(|configured| format!("; {configured} shards are configured, which takes a rebuild"));
    // What is being built says so already, unless something else is to be said first.
    let is_said =
        it.state == "serving" || (it.state == "building" && it.condition == Condition::Building);
    let generation = Some(&it.state).filter(|_| !is_said);
    let generation = generation.map(|state| format!("; {state}"));
    let parked = (it.parked > 0).then(|| format!("; {} rows parked", it.parked));
    let details = [progress(it), generation, parked, rebuild];
    let details: String = details.into_iter().flatten().collect();
    Line {
        name: &it.name,
        generation: Some(it.generation),
        shard: it.shards.map(|shards| format!("{}/{shards}", it.shard)),
        position: it.position,
        lag: it.lag,
        lag_s: it.lag_s,
        rate: it.rate,
        holder: it.holder,
        state: state(it.condition, it.blocked.as_deref(), it.can_run) + &details,
    }
}

/// How far a build is.
fn progress(shard: &ShardStatus) -> Option<String> {
    let percent = shard.percent?;
    let eta = shard.eta_s.map(|eta| format!(", {eta:.0} s left"));
    Some(format!(" {percent:.1} %{}", eta.unwrap_or_default()))
}

fn of_relay(status: &Status) -> Line<'_> {
    let it = &status.relay.status;
    let state = match it.position {
        Some(_) => state(it.condition, it.alarm.as_deref(), true),
        None => "has never run".to_owned(),
    };
    Line {
        name: "relay",
        generation: None,
        shard: None,
        position: it.position.unwrap_or(0),
        lag: it.lag,
        lag_s: it.lag_s,
        rate: status.relay.rate,
        holder: it.holder,
        state,
    }
}

pub(in super::super) fn state(
    condition: Condition,
    blocked: Option<&str>,
    can_run: bool,
) -> String {
    match condition {
        Condition::Blocked => format!("blocked: {}", blocked.unwrap_or_default()),
        Condition::Paused => "paused".to_owned(),
        Condition::NotRunning if !can_run => {
            "not running: no running projector can run it".to_owned()
        }
        Condition::NotRunning => "not running".to_owned(),
        Condition::Building => "building".to_owned(),
        Condition::Idle => "idle".to_owned(),
        Condition::Following | Condition::Parked => "following".to_owned(),
        Condition::Behind => "behind".to_owned(),
    }
}

impl Line<'_> {
    fn write(&self, text: &mut String) {
        let or_nothing = |value: Option<String>| value.unwrap_or_default();
        let holder = self.holder.map(|holder| holder.to_string());
        line(
            text,
            [
                self.name,
                &or_nothing(self.generation.map(|it| it.to_string())),
                self.shard.as_deref().unwrap_or_default(),
                &self.position.to_string(),
                &self.lag.to_string(),
                &or_nothing(self.lag_s.map(|it| format!("{it:.1}"))),
                &or_nothing(self.rate.map(|it| format!("{it:.0}"))),
                &holder.unwrap_or_else(|| "-".to_owned()),
                &self.state,
            ],
        );
    }
}

fn line(text: &mut String, cells: [&str; 9]) {
    for (cell, width) in cells.into_iter().zip(COLUMNS) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{cell:<width$}");
    }
    text.truncate(text.trim_end_matches(' ').len());
    text.push('\n');
}
