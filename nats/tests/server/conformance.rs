//! The suite for all brokers, with real servers.

use std::time::Duration;

use eventful::broker::conformance::{self, BrokerBench};
use eventful_nats::async_nats::Client;
use eventful_nats::{NatsSink, NatsSource};

use crate::start::NatsServer;
use crate::steps::{SUBJECT, kept, publish, source, with_streams};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn source_conforms() {
    if NatsServer::start().await.is_some() {
        conformance::check_source(NatsBench::new).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sink_conforms() {
    if NatsServer::start().await.is_some() {
        conformance::check_sink(NatsBench::new).await;
    }
}

struct NatsBench {
    server: NatsServer,
    client: Client,
}

impl NatsBench {
    async fn new() -> Self {
        let server = NatsServer::start().await.expect("it started before");
        let client = server.connect().await;
        with_streams(&client).await;
        Self { server, client }
    }
}

impl BrokerBench for NatsBench {
    type Source = NatsSource;
    type Sink = NatsSink;

    async fn source(&mut self) -> NatsSource {
        source(&self.client).await
    }

    async fn sink(&mut self) -> NatsSink {
        NatsSink::new(self.client.clone(), SUBJECT)
    }

    async fn publish(&mut self, id: Option<&str>, payload: &[u8]) {
        publish(&self.client, id, payload).await;
    }

    async fn dead_letters(&mut self) -> Vec<(Vec<u8>, String)> {
        let letters = kept(&self.client, "DEAD").await.into_iter();
        let reason = |name| {
            move |(headers, payload): (eventful_nats::async_nats::HeaderMap, _)| {
                (payload, headers.get(name).expect("a reason").to_string())
            }
        };
        letters.map(reason("eventful-reason")).collect()
    }

    async fn pass(&mut self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    async fn set_running(&mut self, running: bool) -> bool {
        match running {
            true => self.server.restart().await,
            false => self.server.kill(),
        }
        true
    }

    fn ids_follow_from_places(&self) -> bool {
        true
    }
}
