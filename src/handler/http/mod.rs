//! Jobs to an HTTP endpoint: one signed POST an attempt, and its answer is the outcome.
//!
//! Owns the client and the order of things; [`endpoint`] says where to, [`request`] what is sent, [`signature`] who
//! sent it, [`answer`] what comes of it. Never sends a request twice: an attempt is one request, and what may be
//! repeated is decided by the policy. A URL comes from configuration alone, never out of a payload.
//! Counterpart in PHP: none; Laravel's `Http` client names the exceptions.

mod answer;
mod endpoint;
mod request;
mod signature;

use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;

pub(crate) use endpoint::shown;
pub use endpoint::{Endpoint, EndpointError, Signing};
pub use signature::Secret;

use self::endpoint::Target;
use super::{Context, Handler};
use crate::clock::Clock;
use crate::job::Outcome;
use crate::queue::BoxFuture;

/// How long a request may take where neither the job nor the route says.
const WITHOUT_TIMEOUT: Duration = Duration::from_secs(60);
/// How long it may take to reach the endpoint.
const TO_CONNECT: Duration = Duration::from_secs(10);
/// Connections are dropped when idle for so long: many servers close theirs after 5 s, and a request that meets its
/// connection's end has failed for nothing.
const IDLE: Duration = Duration::from_secs(4);

/// The handler of one route.
pub(crate) struct Http {
    client: Client,
    target: Arc<Target>,
    clock: Clock,
}

/// The handlers of these routes, on one client.
///
/// # Errors
/// Where a route cannot be used; the message names it.
pub(crate) fn handlers(
    routes: Vec<(String, Endpoint)>,
    clock: &Clock,
) -> Result<Vec<(String, Http)>, EndpointError> {
    if routes.is_empty() {
        return Ok(Vec::new());
    }
    let checked = routes.into_iter().map(|(pattern, endpoint)| {
        let target = endpoint.checked(&pattern)?;
        Ok((pattern, target))
    });
    let targets = checked.collect::<Result<Vec<_>, EndpointError>>()?;
    let client = client(targets.iter().any(|(_, target)| target.url.scheme() == "https"))?;
    let handler = |target| Http { client: client.clone(), target: Arc::new(target), clock: clock.clone() };
    Ok(targets.into_iter().map(|(pattern, target)| (pattern, handler(target))).collect())
}

fn client(secure: bool) -> Result<Client, EndpointError> {
    // The client panics where no implementation of TLS was chosen.
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    let builder = Client::builder()
        .user_agent(concat!("handover/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(TO_CONNECT)
        .pool_idle_timeout(IDLE);
    // A system without root certificates is told of only where they are needed.
    let builder = if secure { builder } else { builder.tls_certs_only([]) };
    builder.build().map_err(|error| EndpointError::Client(answer::cause(&error)))
}

impl Handler for Http {
    fn run(&self, ctx: Context) -> BoxFuture<'static, Outcome> {
        let (client, target, clock) = (self.client.clone(), self.target.clone(), self.clock.clone());
        Box::pin(async move {
            let now = clock.now();
            let request = match request::of(&client, &target, &ctx, now) {
                Ok(request) => request,
                Err(exception) => return Outcome::Failed(exception),
            };
            let asked = answer::of(client.execute(request), &target, &ctx, &clock);
            // Where the job has a deadline the worker ends this attempt then.
            let most = target.timeout.or_else(|| ctx.time_left().is_none().then_some(WITHOUT_TIMEOUT));
            match most {
                Some(most) => tokio::time::timeout(most, asked).await.unwrap_or(Outcome::TimedOut),
                None => asked.await,
            }
        })
    }

    fn goes_on_when_dropped(&self) -> bool {
        true
    }
}
