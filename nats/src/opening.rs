//! The stream and the consumer of a source, checked before the first message.

use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::consumer::{AckPolicy, Consumer, pull};
use async_nats::jetstream::context::{ConsumerInfoErrorKind, GetStreamByNameErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::Stream;
use async_nats::jetstream::{self, Context, ErrorCode};

use crate::config::NatsSourceConfig;

/// The reason why a source cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceOpenError {
    /// The stream does not exist.
    #[error("no stream is named {0:?}: create it, or name another")]
    NoStream(String),
    /// No stream keeps what is published to the subject of dead letters.
    #[error("no stream keeps the subject {0:?}: create one that does, as dead letters would be lost")]
    NoLetterStream(String),
    /// The consumer would get its own dead letters.
    #[error("the consumer gets what is published to {0:?}: choose a subject for dead letters that it does not get")]
    LettersComeBack(String),
    /// The consumer exists, and cannot be used.
    #[error("the consumer {name:?} cannot be used: {problem}")]
    Consumer {
        /// Its name.
        name: String,
        /// The setting that is not possible, and the one to have instead.
        problem: &'static str,
    },
    /// The server refuses a request, or does not respond.
    #[error("the server does not give access to {what}")]
    Server {
        /// The part of the server.
        what: &'static str,
        /// The reason.
        #[source]
        error: async_nats::Error,
    },
}

/// The consumer of a source.
#[derive(Debug)]
pub(crate) struct OpenedConsumer {
    pub(crate) context: Context,
    pub(crate) consumer: Consumer<pull::Config>,
    /// The source of events whose messages have no id.
    pub(crate) source_of_places: String,
    pub(crate) ack_wait: Duration,
}

/// Finds the stream and the consumer, which is made where there is none, and checks both.
pub(crate) async fn open(client: Client, config: &NatsSourceConfig) -> Result<OpenedConsumer, SourceOpenError> {
    let context = jetstream::new(client);
    let stream = stream(&context, &config.stream).await?;
    let letters = letter_stream(&context, &config.dead_letters).await?;
    let consumer = consumer(&context, &stream, config).await?;
    let settings = &consumer.cached_info().config;
    if let Some(problem) = problem(settings) {
        return Err(SourceOpenError::Consumer { name: config.consumer.clone(), problem });
    }
    let filters = settings.filter_subjects.iter().chain(Some(&settings.filter_subject)).filter(|text| !text.is_empty());
    let mut filters = filters.peekable();
    let gets_all = filters.peek().is_none();
    if letters == config.stream && (gets_all || filters.any(|filter| covers(filter, &config.dead_letters))) {
        return Err(SourceOpenError::LettersComeBack(config.dead_letters.clone()));
    }
    let created = stream.cached_info().created.unix_timestamp_nanos() / 1_000_000;
    let ack_wait = settings.backoff.iter().copied().chain([settings.ack_wait]).min().unwrap_or(config.ack_wait);
    Ok(OpenedConsumer { context, consumer, source_of_places: format!("jetstream:{created}"), ack_wait })
}

async fn stream(context: &Context, name: &str) -> Result<Stream, SourceOpenError> {
    context.get_stream(name).await.map_err(|error| match error.kind() {
        GetStreamErrorKind::JetStream(said) if said.error_code() == ErrorCode::STREAM_NOT_FOUND => {
            SourceOpenError::NoStream(name.to_owned())
        }
        GetStreamErrorKind::EmptyName
        | GetStreamErrorKind::Request
        | GetStreamErrorKind::InvalidStreamName
        | GetStreamErrorKind::JetStream(_) => SourceOpenError::Server { what: "the stream", error: error.into() },
    })
}

async fn letter_stream(context: &Context, subject: &str) -> Result<String, SourceOpenError> {
    context.stream_by_subject(subject).await.map_err(|error| match error.kind() {
        GetStreamByNameErrorKind::NotFound => SourceOpenError::NoLetterStream(subject.to_owned()),
        GetStreamByNameErrorKind::Request
        | GetStreamByNameErrorKind::InvalidSubject
        | GetStreamByNameErrorKind::JetStream(_) => {
            SourceOpenError::Server { what: "the stream of dead letters", error: error.into() }
        }
    })
}

async fn consumer(
    context: &Context,
    stream: &Stream,
    config: &NatsSourceConfig,
) -> Result<Consumer<pull::Config>, SourceOpenError> {
    let refused = |error: async_nats::Error| SourceOpenError::Server { what: "the consumer", error };
    let info = match stream.consumer_info(&config.consumer).await {
        Ok(info) => info,
        Err(error) if error.kind() == ConsumerInfoErrorKind::NotFound => {
            let made = stream.create_consumer(new_consumer(config)).await;
            return made.map_err(|error| refused(error.into()));
        }
        Err(error) => return Err(refused(error.into())),
    };
    if info.config.deliver_subject.is_some() {
        let problem = "it pushes its messages; name a pull consumer, which has no deliver_subject";
        return Err(SourceOpenError::Consumer { name: config.consumer.clone(), problem });
    }
    Ok(Consumer::new(new_consumer(config), info, context.clone()))
}

fn new_consumer(config: &NatsSourceConfig) -> pull::Config {
    pull::Config {
        durable_name: Some(config.consumer.clone()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: config.ack_wait,
        // What the engine has no room for must come again, however often.
        max_deliver: -1,
        max_ack_pending: i64::from(config.max_ack_pending),
        filter_subjects: config.filter_subjects.clone(),
        ..pull::Config::default()
    }
}

/// Returns the setting of a consumer with which messages could be lost.
fn problem(settings: &jetstream::consumer::Config) -> Option<&'static str> {
    if settings.ack_policy != AckPolicy::Explicit {
        return Some(
            "its ack_policy is not explicit, so that the server takes messages as done that are not; set it to explicit",
        );
    }
    if settings.max_deliver > 0 {
        return Some("it gives messages up after max_deliver deliveries; set max_deliver to -1");
    }
    settings.headers_only.then_some("it delivers no payloads; set headers_only to false")
}

/// Returns whether a subject, with or without wildcards, covers another.
fn covers(filter: &str, subject: &str) -> bool {
    let mut parts = subject.split('.');
    for token in filter.split('.') {
        match (token, parts.next()) {
            (">", Some(_)) => return true,
            ("*", Some(_)) => {}
            (token, Some(part)) if token == part => {}
            (_, _) => return false,
        }
    }
    parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_cover_what_the_server_says() {
        for (filter, subject, covered) in [
            ("a.b", "a.b", true),
            ("a.*", "a.b", true),
            ("a.>", "a.b.c", true),
            (">", "a", true),
            ("a.>", "a", false),
            ("a.*", "a.b.c", false),
            ("a.b.c", "a.b", false),
            ("a.b", "a.c", false),
        ] {
            assert_eq!(covers(filter, subject), covered, "{filter} and {subject}");
        }
    }

    #[test]
    fn consumer_that_could_lose_messages_is_refused() {
        use jetstream::consumer::{Config, IntoConsumerConfig as _};
        let good = || new_consumer(&NatsSourceConfig::new("ORDERS", "eventful", "dead")).into_consumer_config();
        assert_eq!(problem(&good()), None);
        for (bad, word) in [
            (Config { ack_policy: AckPolicy::None, ..good() }, "ack_policy"),
            (Config { max_deliver: 5, ..good() }, "max_deliver"),
            (Config { headers_only: true, ..good() }, "headers_only"),
        ] {
            assert!(problem(&bad).is_some_and(|text| text.contains(word)), "{word}");
        }
    }
}
