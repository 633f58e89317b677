//! What the parts around these promise, on a real Postgres.
