//! Where the app's cache keeps the item of `queue:restart`, from `--restart-key`.
//!
//! Never dials and never looks at the item. Counterpart in PHP: the default store of `config/cache.php`.

use std::path::PathBuf;

use super::url::percent_decoded;
use super::{Error, Low, RedisUrl};
use crate::control::RestartKey;
use crate::dialect::{Dialect, RestartItem};
use crate::redis::{self, Redis};

/// The item's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restart {
    /// In a cache on Redis.
    Redis {
        /// That Redis.
        url: RedisUrl,
        /// The item's key there, the cache's prefix included.
        key: String,
    },
    /// In a file cache.
    File {
        /// The item's file.
        path: PathBuf,
        /// How it is written there.
        item: RestartItem,
    },
}

impl Restart {
    /// The same, to be read and written.
    ///
    /// # Errors
    /// Where the URL cannot be read.
    pub fn key(&self) -> Result<RestartKey, redis::Error> {
        Ok(match self {
            Restart::Redis { url, key } => RestartKey::Redis(Redis::new(url)?, key.clone()),
            Restart::File { path, item } => RestartKey::File { path: path.clone(), item: *item },
        })
    }
}

/// What `--restart-key` names.
pub(super) fn named(low: &Low, dialect: &Dialect) -> Result<Option<Restart>, Error> {
    let Some(given) = low.get("restart-key") else { return Ok(None) };
    let item = dialect.restart_item().ok_or(Error::NoRestart)?;
    if given.contains("://") {
        let (place, query) = given.split_once('?').unwrap_or((given, ""));
        let (named, rest): (Vec<&str>, Vec<&str>) =
            query.split('&').filter(|part| !part.is_empty()).partition(|part| part.starts_with("key="));
        let key = named.last().map(|part| percent_decoded(&part["key=".len()..], true));
        let url = if rest.is_empty() { place.to_owned() } else { format!("{place}?{}", rest.join("&")) };
        let key = key.unwrap_or_else(|| item.name.to_owned());
        return Ok(Some(Restart::Redis { url: RedisUrl(url), key }));
    }
    let path = PathBuf::from(given);
    let is_the_file = path.is_file() || path.ends_with(item.file);
    Ok(Some(Restart::File { path: if is_the_file { path } else { path.join(item.file) }, item }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Think;

    fn named(given: &str) -> Restart {
        let mut low = Low::default();
        low.flag("restart-key", given);
        super::named(&low, &Think::new("").into()).unwrap().unwrap()
    }

    #[test]
    fn a_cache_on_redis_is_a_url_and_its_prefix_stands_in_the_key() {
        let redis = |url: &str, key: &str| Restart::Redis { url: RedisUrl(url.into()), key: key.into() };
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
    fn a_file_cache_is_its_folder_or_the_very_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = |given: &str| match named(given) {
            Restart::File { path, .. } => path.display().to_string(),
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
