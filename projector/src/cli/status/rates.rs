//! How many events everything does in a second, from one look to the next.

use std::collections::HashMap;
use std::time::Instant;

use super::Status;

/// What the look before saw.
#[derive(Default)]
pub(super) struct Rates {
    looked_at: Option<Instant>,
    positions: HashMap<String, i64>,
}

impl Rates {
    /// Adds the rates since the look before to a status, and remembers it for the next one.
    pub(super) fn look(&mut self, status: &mut Status) {
        let now = Instant::now();
        let elapsed = self.looked_at.replace(now);
        let elapsed = elapsed.map(|before| now.duration_since(before).as_secs_f64());
        let mut rate = |name: String, position: i64| {
            let before = self.positions.insert(name, position)?;
            #[expect(clippy::cast_precision_loss, reason = "a measurement")]
            let done = (position - before).max(0) as f64;
            Some(done / elapsed?)
        };
        for shard in &mut status.read_models {
            let it = &mut shard.status;
            let name = format!("{} {} {}", it.name, it.generation, it.shard);
            it.rate = rate(name, it.position);
            if it.eta_s.is_some() {
                #[expect(clippy::cast_precision_loss, reason = "a measurement")]
                let left = it.lag as f64;
                it.eta_s = it.rate.filter(|rate| *rate > 0.0).map(|rate| left / rate);
            }
        }
        for reactor in &mut status.reactors {
            let it = &reactor.status;
            reactor.rate = rate(it.name.clone(), it.position);
        }
        let relay = &mut status.relay;
        relay.rate = rate(String::new(), relay.status.position.unwrap_or(0));
    }
}
