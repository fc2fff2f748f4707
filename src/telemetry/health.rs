//! The health of a worker over HTTP, for load balancers, orchestrators and people: 200 where it gets on, else 503, with
//! what it waits for as JSON.
//!
//! Never decides what healthy is. Counterpart in PHP: none.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::worker::Health;

/// Answers `GET /health` on this listener until it is dropped.
pub async fn serve_health(listener: TcpListener, health: Health) {
    let router = Router::new().route("/health", get(answer)).with_state(health);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!("the health address answers no more: {error}");
    }
}

async fn answer(State(health): State<Health>) -> (StatusCode, Json<Value>) {
    let report = health.report();
    let status = if report.healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({
        "healthy": report.healthy,
        "waiting_for": report.waiting.to_string(),
        "since": report.since.as_secs(),
        "running": report.running,
        "redis_answered": report.answered.as_secs(),
    });
    (status, Json(body))
}
