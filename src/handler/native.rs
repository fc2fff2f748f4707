//! Rust functions as handlers: the command's properties become the argument.
//!
//! Owns the decoding of the argument; a command that does not fit the type is a throw that names the property, never
//! a lost job. Counterpart in PHP: the `handle()` method of a job class.

use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::{Context, Handler};
use crate::job::{Exception, IntoOutcome, Job, Outcome};
use crate::php;
use crate::queue::BoxFuture;

/// An async function of a decoded job and its context.
pub struct Native<F, T>(Arc<F>, PhantomData<fn(T)>);

impl<F, T> Native<F, T> {
    /// Wraps the function.
    pub fn new(function: F) -> Self {
        Native(Arc::new(function), PhantomData)
    }
}

impl<F, T, Fut> Handler for Native<F, T>
where
    F: Fn(T, Context) -> Fut + Send + Sync + 'static,
    T: DeserializeOwned + Send + 'static,
    Fut: Future + Send + 'static,
    Fut::Output: IntoOutcome,
{
    fn run(&self, ctx: Context) -> BoxFuture<'static, Outcome> {
        let function = self.0.clone();
        Box::pin(async move {
            match argument(ctx.job()) {
                Ok(argument) => function(argument, ctx).await.into_outcome(),
                Err(exception) => Outcome::Threw(exception),
            }
        })
    }
}

/// The command's properties, the arguments of a method that a message calls, or the data of a string job.
fn argument<T: DeserializeOwned>(job: &Job) -> Result<T, Exception> {
    let named = |error: String| {
        Exception::new(
            "UnexpectedValueException",
            format!("{} does not fit its handler: {error}", job.name()),
        )
    };
    match job.payload.command() {
        Some(command) => {
            let value = command.value().map_err(|error| named(error.to_string()))?;
            php::from_value(value).map_err(|error| named(error.to_string()))
        }
        None if let Some(arguments) = job.payload.arguments() => {
            php::from_value(arguments).map_err(|error| named(error.to_string()))
        }
        None => {
            let data = job.payload.data().map_or("null", |data| data.get());
            serde_json::from_str(data).map_err(|error| named(error.to_string()))
        }
    }
}
