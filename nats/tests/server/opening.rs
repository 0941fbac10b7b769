//! The checks before the first message, and the end of a consumer that is taken away.

use eventful::broker::ConsumeError;
use eventful_nats::async_nats::jetstream::{self, consumer::pull};
use eventful_nats::{NatsSource, NatsSourceConfig};

use crate::start::NatsServer;
use crate::steps::{Consuming, LETTERS, STREAM, config, engine, source, with_streams};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn source_that_could_lose_messages_is_refused() {
    let Some(server) = NatsServer::start().await else { return };
    let client = server.connect().await;
    with_streams(&client).await;
    let stream = jetstream::new(client.clone()).get_stream(STREAM).await.expect("a stream");
    let gives_up = pull::Config { durable_name: Some("old".to_owned()), max_deliver: 5, ..pull::Config::default() };
    stream.create_consumer(gives_up).await.expect("a consumer");
    let filtered = |subject: &str| {
        let mut config = NatsSourceConfig::new(STREAM, subject.replace('.', "-"), "orders.dead");
        config.filter_subjects = vec![subject.to_owned()];
        config
    };
    for (config, said) in [
        (NatsSourceConfig::new("NONE", "eventful", LETTERS), "no stream is named \"NONE\""),
        (NatsSourceConfig::new(STREAM, "eventful", "nowhere"), "no stream keeps the subject \"nowhere\""),
        (NatsSourceConfig::new(STREAM, "eventful", "orders.dead"), "gets what is published to \"orders.dead\""),
        (NatsSourceConfig::new(STREAM, "old", LETTERS), "set max_deliver to -1"),
        (filtered("orders.dead"), "gets what is published to \"orders.dead\""),
    ] {
        let error = NatsSource::open(client.clone(), config).await.expect_err("it is refused");
        assert!(error.to_string().contains(said), "{error}");
    }
    NatsSource::open(client, filtered("orders.new")).await.expect("its dead letters do not come back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consumer_that_is_deleted_ends_the_source() {
    let Some(server) = NatsServer::start().await else { return };
    let client = server.connect().await;
    with_streams(&client).await;
    let consuming = Consuming::start(&engine(), source(&client).await);
    let stream = jetstream::new(client.clone()).get_stream(STREAM).await.expect("a stream");
    stream.delete_consumer(&config().consumer).await.expect("it is there");
    let ended = consuming.ended().await;
    assert!(matches!(&ended, Err(ConsumeError::Broker(error)) if error.to_string().contains("is gone")), "{ended:?}");
}
