//! Where the app's cache keeps the item of `queue:restart`, from `--restart-key`.
//!
//! Never dials and never looks at the item. Counterpart in PHP: the default store of `config/cache.php`.

use std::path::PathBuf;

use super::url::percent_decoded;
use super::{Config, Error, Low, RedisUrl, RestartKey};
use crate::control;
use crate::dialect::Dialect;
use crate::redis::{self, Redis};

impl Config {
    /// The cache item of `queue:restart`, to be read and written; nothing where nobody says where it is, or it is in a cache
    /// that only PHP reads.
    ///
    /// # Errors
    /// Where the URL of its Redis cannot be read.
    pub fn restart_key(&self) -> Result<Option<control::RestartKey>, redis::Error> {
        Ok(match (&self.restart, self.dialect.restart_item()) {
            (Some(RestartKey::Redis { url, key }), _) => {
                Some(control::RestartKey::Redis(Redis::new(url)?, key.clone()))
            }
            (Some(RestartKey::File { path }), Some(item)) => {
                Some(control::RestartKey::File { path: path.clone(), item })
            }
            _ => None,
        })
    }
}

/// What is said of a cache that only PHP reads.
pub(super) fn unheard(driver: &str) -> String {
    format!(
        "The default cache store ({driver}) is none that is read here: queue:restart does not reach this worker. Name a \
         cache on Redis or in files with --restart-key, or restart the worker by a signal."
    )
}

/// What `--restart-key` names.
pub(super) fn named(low: &Low, dialect: &Dialect) -> Result<Option<RestartKey>, Error> {
    let Some(given) = low.get("restart-key") else { return Ok(None) };
    let item = dialect.restart_item().ok_or(Error::NoRestart)?;
    if given.contains("://") {
        let (place, query) = given.split_once('?').unwrap_or((given, ""));
        let (named, rest): (Vec<&str>, Vec<&str>) =
            query.split('&').filter(|part| !part.is_empty()).partition(|part| part.starts_with("key="));
        let key = named.last().map(|part| percent_decoded(&part["key=".len()..], true));
        let url = if rest.is_empty() { place.to_owned() } else { format!("{place}?{}", rest.join("&")) };
        let key = key.unwrap_or_else(|| item.name.to_owned());
        return Ok(Some(RestartKey::Redis { url: RedisUrl(url), key }));
    }
    let path = PathBuf::from(given);
    let is_the_file = path.is_file() || path.ends_with(item.file);
    Ok(Some(RestartKey::File { path: if is_the_file { path } else { path.join(item.file) } }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Think;

    fn named(given: &str) -> RestartKey {
        let mut low = Low::default();
        low.flag("restart-key", given);
        super::named(&low, &Think::new("").into()).unwrap().unwrap()
    }

    #[test]
    fn a_cache_on_redis_is_a_url_and_its_prefix_stands_in_the_key() {
        let redis = |url: &str, key: &str| RestartKey::Redis { url: RedisUrl(url.into()), key: key.into() };
        for (given, url, key) in [
            ("redis://:p@h:1/0", "redis://:p@h:1/0", "think:queue:restart"),
            ("redis://h/0?key=shop%3Athink:queue:restart", "redis://h/0", "shop:think:queue:restart"),
            ("redis+unix:///s?db=2&key=a&pass=p", "redis+unix:///s?db=2&pass=p", "a"),
        ] {
            assert_eq!(named(given), redis(url, key));
        }
        assert!(!format!("{:?}", named("redis://:hush@h/0")).contains("hush"));
    }

    #[test]
    fn an_option_goes_before_the_app_and_a_cache_that_only_php_reads_is_not_watched() {
        let mut low = Low::default();
        for (name, value) in [("dialect", "think"), ("redis", "redis://localhost"), ("restart-key", "cache")]
        {
            low.flag(name, value);
        }
        let mut config = Config::from_low(&low).unwrap();
        let file = |config: &Config| match config.restart_key().unwrap() {
            Some(control::RestartKey::File { path, .. }) => Some(path.display().to_string()),
            other => other.map(|key| panic!("{key:?}")),
        };
        assert_eq!(file(&config).as_deref(), Some("cache/fe/767bdf35445c5d9d176a0c20c983f6.php"));
        config.restart = Some(RestartKey::Unknown("memcached".into()));
        assert_eq!(file(&config), None);
        assert!(unheard("memcached").contains("(memcached) is none that is read here"));
    }

    #[test]
    fn a_file_cache_is_its_folder_or_the_very_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = |given: &str| match named(given) {
            RestartKey::File { path } => path.display().to_string(),
            other => panic!("{other:?}"),
        };
        let hashed = "runtime/cache/fe/767bdf35445c5d9d176a0c20c983f6.php";
        assert_eq!((file("runtime/cache"), file("runtime/cache/")), (hashed.into(), hashed.into()));
        assert_eq!(file(hashed), hashed);
        let other = folder.path().join("hashed-otherwise.php");
        std::fs::write(&other, "").unwrap();
        assert_eq!(file(other.to_str().unwrap()), other.display().to_string());
    }
}
