//! What the real PHP was recorded to answer, asked anew: a recording that has rotted would prove nothing.

use serde_json::Value;

use crate::support::fixtures;
use crate::support::process::{Running, command};

fn is_still_answered(script: &str, recording: &str) {
    let mut php = command("php");
    php.arg(fixtures().join(script));
    let answered = Running::start(php).finish();
    assert_eq!(answered.code, 0, "{}{}", answered.stdout, answered.stderr);
    let json = |text: &str| serde_json::from_str::<Vec<Value>>(text).expect("a list");
    let recorded = std::fs::read_to_string(fixtures().join("golden").join(recording)).expect("a recording");
    let (answered, recorded) = (json(&answered.stdout), json(&recorded));
    assert_eq!(answered.len(), recorded.len());
    for (now, then) in answered.iter().zip(&recorded) {
        assert_eq!(now, then);
    }
}

#[test]
fn phpdotenv_answers_as_recorded() {
    is_still_answered("record-dotenv.php", "dotenv.json");
}

#[test]
fn the_redis_manager_opens_connections_as_recorded() {
    is_still_answered("record-redis.php", "redis-connections.json");
}
