//! Handlers that take a type of the user's in place of bytes.

use core::any::type_name;
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use serde::de::DeserializeOwned;

use super::attempt::Attempt;
use super::builder::Builder;
use super::handler::{Failure, Handler};
use crate::engine::{Event, TypePolicy};

/// Makes a handler of a function that takes payloads as a type of yours, parsed from JSON.
///
/// An event whose payload does not parse fails at its first attempt, as no other would succeed; its error says where the
/// payload is wrong. [`Builder::on_json`] adds such a handler for some types of events, and a
/// simulation checks it as any other.
///
/// ```
/// use eventful::{Attempt, Failure, handler::json};
///
/// #[derive(serde::Deserialize)]
/// struct Order {
///     total: u64,
/// }
///
/// async fn charge(order: Order, attempt: Attempt) -> Result<(), Failure> {
///     println!("{} costs {}", attempt.key(), order.total);
///     Ok(())
/// }
///
/// let handler = json(charge);
/// # fn check<H: eventful::Handler>(_: H) {}
/// # check(handler);
/// ```
pub fn json<T, F, Fut>(handle: F) -> JsonHandler<T, F>
where
    T: DeserializeOwned + 'static,
    F: Fn(T, Attempt) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Failure>> + Send,
{
    JsonHandler { handle, payload: PhantomData }
}

/// A handler made by [`json`].
pub struct JsonHandler<T, F> {
    handle: F,
    payload: PhantomData<fn() -> T>,
}

impl<T, F, Fut> Handler for JsonHandler<T, F>
where
    T: DeserializeOwned + 'static,
    F: Fn(T, Attempt) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Failure>> + Send,
{
    fn handle(&self, event: Event, attempt: Attempt) -> impl Future<Output = Result<(), Failure>> + Send {
        let call = parse(&event).map(|payload| (self.handle)(payload, attempt));
        async move { call?.await }
    }
}

impl Builder {
    /// Does what [`Builder::on`] does, with a handler that takes payloads as a type of yours: see [`json`](json()).
    #[must_use]
    pub fn on_json<T, F, Fut>(self, pattern: &str, handle: F, policy: TypePolicy) -> Self
    where
        T: DeserializeOwned + 'static,
        F: Fn(T, Attempt) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Failure>> + Send,
    {
        self.on(pattern, json(handle), policy)
    }
}

fn parse<T: DeserializeOwned>(event: &Event) -> Result<T, Failure> {
    let wanted = type_name::<T>();
    if let Some(encoding) = event.content_encoding().filter(|encoding| *encoding != "identity") {
        let wrong =
            format_args!("the payload is encoded with {encoding}, and is to be JSON for {wanted}: send it plain");
        return Err(Failure::permanent(wrong));
    }
    // Permanent: the same bytes would not parse at the next attempt either.
    serde_json::from_slice(event.payload())
        .map_err(|error| Failure::permanent(format_args!("the payload does not parse as {wanted}: {error}")))
}

impl<T, F> fmt::Debug for JsonHandler<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JsonHandler").field(&type_name::<T>()).finish()
    }
}
