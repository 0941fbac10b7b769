//! An engine in a service that has a router of its own: its routes submit events, and the routes of the engine stand
//! beside them under `/events`.
//!
//! `cargo run --example axum --features http`

use std::error::Error;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use eventful::{Attempt, Event, Eventful, Failure, SubmitError, Submitted};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

async fn ship(event: Event, attempt: Attempt) -> Result<(), Failure> {
    println!("shipping {}, attempt {}", event.key(), attempt.charged());
    Ok(())
}

/// An order of the service: its number is the id of the event, so a client may send it again.
async fn order(State(eventful): State<Eventful>, Path(number): Path<String>, goods: String) -> (StatusCode, String) {
    let event = match Event::with_id(&number, goods) {
        Ok(event) => event,
        Err(invalid) => return (StatusCode::BAD_REQUEST, invalid.to_string()),
    };
    match eventful.try_submit(event).await {
        Ok(Submitted::Accepted) => (StatusCode::ACCEPTED, "accepted".into()),
        Ok(Submitted::Duplicate(_)) => (StatusCode::OK, "ordered before".into()),
        Err(conflict @ SubmitError::Conflict(_)) => (StatusCode::CONFLICT, conflict.to_string()),
        Err(other) => (StatusCode::SERVICE_UNAVAILABLE, other.to_string()),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let eventful = Eventful::builder().start(ship)?;
    let own = Router::new()
        .route("/", get(async || "a shop"))
        .route("/orders/{number}", post(order))
        .with_state(eventful.clone());
    let app = own.nest("/events", eventful::http::router(eventful.clone(), eventful::http::Limits::default()));

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let server = axum::serve(listener, app).with_graceful_shutdown(async { drop(stopped.await) });
    let server = tokio::spawn(server.into_future());

    for goods in ["apples", "apples", "pears"] {
        println!("{}", call(&address.to_string(), "POST /orders/17", goods).await?);
    }
    eventful.wait_idle().await?;
    println!("{}", call(&address.to_string(), "GET /events/v1/events/17", "").await?);

    // First the engine, so that clients meanwhile read that it is shutting down; then the server.
    println!("{:?}", eventful.shutdown(None).await);
    drop(stop);
    server.await??;
    Ok(())
}

/// The first line and the last line of a response.
async fn call(address: &str, what: &str, body: &str) -> Result<String, Box<dyn Error>> {
    let length = body.len();
    let mut stream = TcpStream::connect(address).await?;
    let head = format!("{what} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all((head + body).as_bytes()).await?;
    let mut response = String::new();
    stream.read_to_string(&mut response).await?;
    let status = response.lines().next().unwrap_or_default();
    Ok(format!("{what}: {status}: {}", response.lines().last().unwrap_or_default()))
}
