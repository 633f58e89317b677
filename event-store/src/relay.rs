//! Publishes the log to Kafka.
