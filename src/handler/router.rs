//! Which handler takes which job.
//!
//! Owns the patterns: a class name, or one with a `*` at its end. An exact name beats a pattern, a longer pattern a
//! shorter one. Never runs a job. Counterpart in PHP: none; there the class in the payload is the handler.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::Handler;
use crate::events::HandBack;
use crate::job::Payload;

/// The routes of a worker.
#[derive(Clone, Default)]
pub struct Routes {
    exact: HashMap<String, Arc<dyn Handler>>,
    /// Prefixes of the patterns, the longest first.
    patterns: Vec<(String, Arc<dyn Handler>)>,
}

/// Where a job goes.
pub enum Route {
    /// To this handler.
    To(Arc<dyn Handler>),
    /// Back to the queue, for a PHP worker.
    Back(HandBack),
}

impl Routes {
    /// Adds a route: a class name, or a pattern such as `App\Jobs\Reports\*`.
    pub fn insert(&mut self, pattern: &str, handler: Arc<dyn Handler>) {
        let pattern = pattern.trim_start_matches('\\');
        match pattern.strip_suffix('*') {
            Some(prefix) => {
                self.patterns.retain(|(known, _)| known != prefix);
                self.patterns.push((prefix.to_owned(), handler));
                self.patterns.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
            }
            None => drop(self.exact.insert(pattern.to_owned(), handler)),
        }
    }

    /// Adds these routes; where both know a pattern, the one that was there stays.
    pub fn add(&mut self, others: Routes) {
        for (class, handler) in others.exact {
            self.exact.entry(class).or_insert(handler);
        }
        let new = others
            .patterns
            .into_iter()
            .filter(|(prefix, _)| self.patterns.iter().all(|(known, _)| known != prefix));
        let new: Vec<_> = new.collect();
        self.patterns.extend(new);
        self.patterns.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
    }

    /// True where nothing was registered.
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.patterns.is_empty()
    }

    /// Where this job goes: by its class and method where its framework resolves them, by the class of its command, then by
    /// its name (listeners, mailables and notifications travel inside a wrapper and show their own class there).
    pub fn of(&self, payload: &Payload) -> Route {
        let class = payload.class().unwrap_or_default();
        let method = payload
            .handler()
            .and_then(|handler| self.exact.get(handler).or_else(|| self.exact.get(payload.name())));
        let Some(handler) = method.or_else(|| self.find(class)).or_else(|| self.find(payload.name())) else {
            return Route::Back(HandBack::NoRoute { class: payload.name().to_owned() });
        };
        match only_php(payload) {
            Some(what) => {
                Route::Back(HandBack::OnlyPhp { class: payload.name().to_owned(), what: what.to_owned() })
            }
            None => Route::To(handler.clone()),
        }
    }

    fn find(&self, class: &str) -> Option<&Arc<dyn Handler>> {
        self.exact.get(class).or_else(|| {
            self.patterns
                .iter()
                .find(|(prefix, _)| class.starts_with(prefix.as_str()))
                .map(|(_, handler)| handler)
        })
    }
}

/// What this job asks for that no handler of ours, an endpoint included, can give: skipping it in silence would break the app's promise.
fn only_php(payload: &Payload) -> Option<&'static str> {
    if payload.is_plain() {
        return None;
    }
    if payload.max_exceptions().is_some() {
        return Some("its maxExceptions are counted in the app's cache");
    }
    let context = payload.field("illuminate:log:context").map_or("", |raw| raw.get());
    if context.contains("laravel_unique_job_key") {
        return Some("it holds a unique lock in the app's cache");
    }
    payload.command().and_then(|command| command.asks_for())
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let patterns = self.patterns.iter().map(|(prefix, _)| format!("{prefix}*"));
        f.debug_set().entries(self.exact.keys().cloned().chain(patterns)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Outcome;
    use crate::queue::BoxFuture;

    fn answering(seconds: u64) -> Arc<dyn Handler> {
        Arc::new(move |_| -> BoxFuture<'static, Outcome> {
            Box::pin(async move { Outcome::Released(std::time::Duration::from_secs(seconds)) })
        })
    }

    fn payload(class: &str, extra: &str) -> Payload {
        let json = serde_json::json!({"displayName": class, "job": "Illuminate\\Queue\\CallQueuedHandler@call",
            "data": {"commandName": class, "command": format!("O:1:\"A\":1:{{{extra}}}")}, "attempts": 0});
        Payload::parse(json.to_string()).unwrap()
    }

    fn same(route: Route, handler: &Arc<dyn Handler>) -> bool {
        matches!(route, Route::To(found) if Arc::ptr_eq(&found, handler))
    }

    #[test]
    fn an_exact_name_beats_a_pattern_and_a_longer_pattern_a_shorter_one() {
        let (a, b, c) = (answering(1), answering(2), answering(3));
        let mut routes = Routes::default();
        routes.insert("App\\*", a.clone());
        routes.insert("App\\Jobs\\*", b.clone());
        routes.insert("\\App\\Jobs\\Mail", c.clone());
        let n = "s:1:\"n\";i:1;";
        assert!(same(routes.of(&payload("App\\Legacy", n)), &a));
        assert!(same(routes.of(&payload("App\\Jobs\\Report", n)), &b));
        assert!(same(routes.of(&payload("App\\Jobs\\Mail", n)), &c));
        assert!(
            matches!(routes.of(&payload("Other", n)), Route::Back(HandBack::NoRoute { class }) if class == "Other")
        );
    }

    #[test]
    fn what_only_php_can_do_goes_back() {
        let mut routes = Routes::default();
        routes.insert("*", answering(1));
        for (extra, back) in [
            ("s:7:\"chained\";a:1:{i:0;s:0:\"\";}", true),
            ("s:7:\"chained\";a:0:{}", false),
            ("s:7:\"batchId\";s:1:\"x\";", true),
            ("s:7:\"batchId\";N;", false),
            ("s:19:\"chainCatchCallbacks\";a:1:{i:0;s:1:\"c\";}", true),
            ("s:19:\"chainCatchCallbacks\";a:0:{}", false),
            ("s:13:\"debounceOwner\";s:1:\"o\";", true),
        ] {
            assert_eq!(matches!(routes.of(&payload("A", extra)), Route::Back(_)), back, "{extra}");
        }
    }
}
