//! What is wrong between an app's configuration and its Redis, in a sentence each that says what to do.
//!
//! Asks Redis in bounded steps and changes nothing; judges purely, by what was seen. Counterpart in PHP: none.

mod rules;
mod seen;

pub use rules::Finding;

use crate::config::Config;
use crate::redis::{Error, Redis};

/// Everything found; empty for a sound app.
///
/// # Errors
/// Where Redis cannot be reached. What it refuses to tell is a finding.
pub async fn examine(config: &Config) -> Result<Vec<Finding>, Error> {
    let mut findings: Vec<Finding> = config.doubts().into_iter().map(Finding::wrong).collect();
    let told = config.app.iter().flat_map(|app| app.warnings.iter().cloned());
    findings.extend(told.map(Finding::note));
    let seen = seen::look(&Redis::new(&config.redis)?, config).await?;
    findings.extend(rules::judge(&seen));
    Ok(findings)
}
