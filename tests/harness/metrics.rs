//! What a process measures, as those see it who watch it.

use std::collections::BTreeMap;

use reqwest::Method;

use crate::client::{Answer, Client};
use crate::{Process, eventually};

impl Process {
    /// The series of a metric, by their labels as `/metrics` writes them: one without labels by an empty text.
    pub async fn measured(&self, metric: &str) -> BTreeMap<String, f64> {
        let client = Client::anonymous(&self.url, &self.url);
        let metrics = Answer::to(client.command(Method::GET, "/metrics")).await;
        let series = |line: &str| {
            let (series, value) = line.rsplit_once(' ')?;
            let labels = series.strip_prefix(metric)?;
            let is_it = labels.is_empty() || labels.starts_with('{');
            is_it.then(|| (labels.to_owned(), value.parse().unwrap()))
        };
        metrics.ok().text.lines().filter_map(series).collect()
    }

    /// Waits until it measures something that is so: the largest of those series of the metric that have these
    /// labels, written as in `/metrics`, among theirs.
    pub async fn measures(&self, metric: &str, labels: &str, is_so: impl Fn(f64) -> bool) {
        let what = format!("{metric}{{{labels}}} to be measured");
        eventually(&what, || async {
            let measured = self.measured(metric).await.into_iter();
            let values = measured.filter_map(|(of, value)| of.contains(labels).then_some(value));
            let largest = values.reduce(f64::max)?;
            is_so(largest).then_some(())
        })
        .await;
    }
}
