//! An endpoint as a user writes one: checks who sent the job and how old the request is, prints the job, answers.
//!
//!     WEBHOOK_SECRET=whsec_... cargo run --example receiver
//!     HANDOVER_HTTP_SECRET=whsec_... handover queue:work --http 'App\Jobs\*=http://127.0.0.1:8080/jobs'
//!
//! In other languages the packages `standardwebhooks` do the checking.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, Engine};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// Requests older than this are refused: somebody may have kept one to send it again.
const TOLERANCE: u64 = 5 * 60;

/// True where one of the signatures was made with this key, over these very bytes, a short while ago.
fn is_genuine(key: &[u8], headers: &HeaderMap, body: &[u8]) -> bool {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let all = header("webhook-id").zip(header("webhook-timestamp")).zip(header("webhook-signature"));
    let Some(((id, timestamp), signatures)) = all else { return false };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    if !timestamp.parse::<u64>().is_ok_and(|sent| sent.abs_diff(now) <= TOLERANCE) {
        return false;
    }
    signatures.split(' ').any(|signature| {
        let Some(Ok(signature)) = signature.strip_prefix("v1,").map(|text| BASE64_STANDARD.decode(text))
        else {
            return false;
        };
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        mac.verify_slice(&signature).is_ok()
    })
}

async fn run(State(key): State<Vec<u8>>, headers: HeaderMap, body: Bytes) -> (StatusCode, Json<Value>) {
    if !is_genuine(&key, &headers, &body) {
        return (StatusCode::UNAUTHORIZED, Json(json!({"error": "not signed by this worker, or too old"})));
    }
    let Ok(job) = serde_json::from_slice::<Value>(&body) else {
        return (StatusCode::BAD_REQUEST, Json(json!({"error": "no JSON"})));
    };
    // The same `webhook-id` may come again, after a crash or a lost answer: work that must not be done twice keeps it.
    println!("{} attempt {}: {}", job["type"], job["data"]["attempts"], job["data"]["command"]);
    match job["data"]["command"]["name"].as_str() {
        Some("later") if job["data"]["attempts"] == 1 => {
            (StatusCode::OK, Json(json!({"action": "release", "delay": 2})))
        }
        Some("never") => (StatusCode::OK, Json(json!({"action": "fail", "message": "this one never works"}))),
        _ => (StatusCode::OK, Json(json!({}))),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let secret =
        std::env::var("WEBHOOK_SECRET").map_err(|_| "WEBHOOK_SECRET is not set: whsec_ and base64")?;
    let encoded = secret.strip_prefix("whsec_").unwrap_or(&secret).trim_end_matches('=');
    let key = BASE64_STANDARD_NO_PAD.decode(encoded)?;
    let app = Router::new().route("/jobs", post(run)).with_state(key);
    let address = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let listener = tokio::net::TcpListener::bind(&address).await?;
    println!("waiting for jobs at http://{}/jobs", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}
