//! A connection under `database.redis` as PHP's client would open it: its URL, the options in their order, its prefix.
//!
//! Never dials. Counterpart in PHP: `Illuminate\Redis\RedisManager`, `Illuminate\Redis\Connectors\PhpRedisConnector` and
//! `PredisConnector`.

use std::collections::BTreeMap;

use super::super::tree::Tree;
use super::super::url;
use super::AppRedis;
use super::resolve::{int, text};

/// What PHP's stream context says of TLS.
const CONTEXT: [&str; 4] = ["cafile", "local_cert", "local_pk", "verify_peer"];

/// The parts that the clients lay over each other.
struct Parts {
    /// What the connection comes down to, prefix included.
    settings: Tree,
    cluster: Option<Vec<Tree>>,
    sentinels: Option<Vec<Tree>>,
}

/// The connection of this name; nothing where there is none.
pub(super) fn resolved(redis: &Tree, name: &str, version: (u32, u32)) -> Result<Option<AppRedis>, String> {
    let path = |what: &str| format!("database.redis.{name} {what}");
    let client = text(redis, "client")?;
    let client = client.unwrap_or_else(|| if version < (6, 0) { "predis" } else { "phpredis" }.to_owned());
    let predis = client == "predis";
    let global = redis.get("options").cloned().unwrap_or_default();
    let parts = match (redis.at(name), redis.at("clusters").and_then(|clusters| clusters.at(name))) {
        (Some(list), _) if list.at("0").is_some() => listed(list, &global).map_err(path)?,
        (Some(one), _) if *one != Tree::Null => single(one, &global, name, predis, version).map_err(path)?,
        (_, Some(nodes)) if *nodes != Tree::Null => {
            let of_clusters = redis.get("clusters.options").cloned().unwrap_or_default();
            clustered(nodes, &global.merged(&of_clusters), predis).map_err(path)?
        }
        _ => return Ok(None),
    };
    let Parts { settings, cluster, sentinels } = parts;
    let get = |key: &str| text(&settings, key).map_err(|what| path(&what));
    let (user, password) = login(&settings, predis, version).map_err(path)?;
    let scheme = get("scheme")?;
    let places = [settings.get("host"), settings.get("path")];
    let mut places = places.into_iter().flatten();
    let host = if scheme.as_deref() == Some("unix") { places.next_back() } else { places.next() };
    let host = host.map_or_else(|| Some("127.0.0.1".to_owned()), Tree::text);
    let place = |nodes: Vec<Tree>| nodes.iter().map(place).collect::<Option<Vec<String>>>();
    let no_node = || path("names a node that is neither a text nor an array");
    Ok(Some(AppRedis {
        // Without it predis spreads keys by itself.
        spreads_keys: cluster.is_some() && predis && get("cluster")?.as_deref() != Some("redis"),
        cluster: cluster.map(|nodes| place(nodes).ok_or_else(no_node)).transpose()?,
        sentinels: sentinels.map(|nodes| place(nodes).ok_or_else(no_node)).transpose()?,
        sentinel_login: (get("sentinel_username")?, get("sentinel_password")?),
        service: get("service")?.unwrap_or_default(),
        replication: get("replication")?.unwrap_or_default(),
        context: context(&settings),
        scheme,
        host: host.ok_or_else(|| path("has a host that is no text"))?,
        port: int(&settings, "port")?.map_or(Ok(6379), u16::try_from).map_err(|_| path("has an odd port"))?,
        database: int(&settings, "database")?.unwrap_or(0),
        username: user,
        password,
        prefix: get("prefix")?.filter(|prefix| prefix != "0").unwrap_or_default(),
        rewrites_values: ["serializer", "compression"]
            .into_iter()
            .filter(|option| !predis && settings.get(option).is_some_and(Tree::is_truthy))
            .map(str::to_owned)
            .collect(),
        name: name.to_owned(),
    }))
}

/// One server. phpredis lays the options over the connection, predis keeps them apart; a prefix of the connection's own
/// counts before or after the common one, by client and version.
fn single(
    one: &Tree,
    global: &Tree,
    name: &str,
    predis: bool,
    version: (u32, u32),
) -> Result<Parts, &'static str> {
    let one = with_scheme(url::parsed(one)?);
    let own = one.get("options").cloned().unwrap_or_default();
    let options = global.without("parameters").merged(&own);
    let prefix = one.get("prefix").cloned();
    let mut settings = match predis {
        true => {
            let parameters = global.get(&format!("parameters.{name}")).or_else(|| global.get("parameters"));
            let mut settings = parameters.cloned().unwrap_or_default().merged(&one.without("options"));
            settings.set("prefix", options.at("prefix").cloned().unwrap_or_default());
            settings
        }
        false => one.without("options").merged(&options),
    };
    if let Some(prefix) = prefix.filter(|_| predis || version >= (9, 12)) {
        settings.set("prefix", prefix);
    }
    Ok(Parts { settings, cluster: None, sentinels: None })
}

/// A list of servers: predis with its replication by sentinels.
fn listed(list: &Tree, global: &Tree) -> Result<Parts, &'static str> {
    let options = global.merged(&list.get("options").cloned().unwrap_or_default());
    let mut settings = options.get("parameters").cloned().unwrap_or_default();
    for key in ["prefix", "replication", "service"] {
        settings.set(key, list.at(key).or_else(|| options.at(key)).cloned().unwrap_or_default());
    }
    let servers = list.entries().iter().filter(|(key, _)| key.parse::<u32>().is_ok());
    let sentinels =
        servers.map(|(_, server)| url::parsed(server).map(with_scheme)).collect::<Result<Vec<_>, _>>()?;
    let first = sentinels.first().cloned().unwrap_or_default();
    for (key, own) in
        [("scheme", "scheme"), ("username", "sentinel_username"), ("password", "sentinel_password")]
    {
        if let Some(value) = first.get(key).filter(|_| settings.get(own).is_none()) {
            settings.set(own, value.clone());
        }
    }
    Ok(Parts { settings, cluster: None, sentinels: Some(sentinels) })
}

/// The nodes of a cluster: options alone, and the first node's way in.
fn clustered(nodes: &Tree, options: &Tree, predis: bool) -> Result<Parts, &'static str> {
    let mut settings = options.merged(&nodes.get("options").cloned().unwrap_or_default());
    let servers = nodes.entries().iter().filter(|(key, _)| !matches!(key.as_str(), "options" | "prefix"));
    let servers =
        servers.map(|(_, node)| url::parsed(node).map(with_scheme)).collect::<Result<Vec<_>, _>>()?;
    if let Some(prefix) = nodes.get("prefix").filter(|_| predis) {
        settings.set("prefix", prefix.clone());
    }
    let first = servers.first().cloned().unwrap_or_default();
    let speaks_tls = |server: &Tree| {
        server.get("host").and_then(Tree::text).is_some_and(|host| host.starts_with("tls://"))
    };
    if settings.get("scheme").is_none() && servers.iter().any(speaks_tls) {
        settings.set("scheme", Tree::Text("tls".into()));
    }
    for key in ["scheme", "password", "username"] {
        if let Some(value) = first.get(key).filter(|_| settings.get(key).is_none()) {
            settings.set(key, value.clone());
        }
    }
    Ok(Parts { settings, cluster: Some(servers), sentinels: None })
}

/// The scheme of a URL counts before the one that is written beside it.
fn with_scheme(mut settings: Tree) -> Tree {
    let driver = settings.get("driver").and_then(Tree::text).unwrap_or_default().to_ascii_lowercase();
    if matches!(driver.as_str(), "tcp" | "tls") {
        settings.set("scheme", Tree::Text(driver));
    }
    settings.without("driver")
}

/// User and password as they are sent: phpredis sends a user from 9.6 on, and only beside a password that is a text (one
/// of digits alone in a URL is a number); a pair is both.
fn login(
    settings: &Tree,
    predis: bool,
    version: (u32, u32),
) -> Result<(Option<String>, Option<String>), &'static str> {
    let user = settings.get("username").and_then(Tree::text).filter(|user| !user.is_empty());
    match settings.get("password") {
        None => Ok((user.filter(|_| predis), None)),
        Some(Tree::Array(pair)) => match pair.iter().map(|(_, part)| part.text()).collect::<Option<Vec<_>>>()
        {
            Some(pair) if pair.len() == 2 => Ok((Some(pair[0].clone()), Some(pair[1].clone()))),
            Some(pair) if pair.len() == 1 => Ok((None, Some(pair[0].clone()))),
            _ => Err("has a password that is an array, but not a user and a password"),
        },
        Some(password) => {
            let sent = predis || version >= (9, 6) && matches!(password, Tree::Text(_));
            let text = password.text().ok_or("has a password that is no text")?;
            let password = Some(text).filter(|text| predis || !matches!(text.as_str(), "" | "0"));
            Ok((user.filter(|_| sent), password))
        }
    }
}

/// The stream context of a connection, as far as TLS needs it.
pub(super) fn context(settings: &Tree) -> BTreeMap<String, String> {
    let Some(given) = settings.get("context").or_else(|| settings.get("ssl")) else {
        return BTreeMap::new();
    };
    // phpredis takes it with or without the level of the stream wrapper.
    let given = given.get("stream").or_else(|| given.get("ssl")).unwrap_or(given);
    let plain = |value: &Tree| match value {
        Tree::Bool(false) => Some("0".to_owned()),
        value => value.text(),
    };
    let known = given.entries().iter().filter(|(key, _)| CONTEXT.contains(&key.as_str()));
    known.filter_map(|(key, value)| Some((key.clone(), plain(value)?))).collect()
}

/// `host:port` of a node.
fn place(node: &Tree) -> Option<String> {
    let node = match node {
        Tree::Text(_) => url::parsed(node).ok()?,
        Tree::Array(_) => node.clone(),
        _ => return None,
    };
    let host = node.get("host").map_or_else(|| Some("127.0.0.1".to_owned()), Tree::text)?;
    let host = host.trim_start_matches("tcp://").trim_start_matches("tls://");
    Some(format!("{host}:{}", node.get("port").map_or(Some(6379), Tree::int)?))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// `php-fixtures/record-redis.php` wrote it with the real `RedisManager` of 8.83.
    const RECORDED: &str = include_str!("../../../php-fixtures/golden/redis-connections.json");

    fn jobs(redis: Value, version: (u32, u32)) -> AppRedis {
        resolved(&redis.into(), "jobs", version).unwrap().unwrap()
    }

    #[test]
    fn every_recorded_connection_is_opened_as_phpredis_opens_it() {
        let recorded: Vec<Value> = serde_json::from_str(RECORDED).unwrap();
        assert!(recorded.len() > 60);
        for case in recorded {
            let ours = resolved(&case["redis"].clone().into(), "jobs", (8, 83));
            let Some(theirs) = case.get("opened") else {
                // A connection without a host is a warning in PHP; 127.0.0.1 is what everybody means.
                assert!(ours.is_err() || case["case"] == "text h", "{case}: {ours:?}");
                continue;
            };
            let ours = ours.unwrap_or_else(|error| panic!("{case}: {error}")).unwrap();
            let scheme =
                ours.scheme.as_deref().filter(|scheme| !ours.host.starts_with(&format!("{scheme}://")));
            let host = scheme.map_or_else(|| ours.host.clone(), |scheme| format!("{scheme}://{}", ours.host));
            let password = match (&ours.username, &ours.password) {
                (Some(user), Some(password)) => json!([user, password]),
                (_, password) => json!(password),
            };
            let of_theirs = match &theirs["password"] {
                Value::Array(one) if one.len() == 1 => one[0].clone(),
                Value::Number(digits) => json!(digits.to_string()),
                Value::Bool(true) => json!("1"),
                other => other.clone(),
            };
            assert_eq!(password, of_theirs, "{case}");
            let opened = json!({
                "host": host, "port": ours.port, "password": theirs["password"], "database": ours.database,
                "prefix": ours.prefix, "rewrites_values": ours.rewrites_values,
            });
            assert_eq!(&opened, theirs, "{case}");
        }
    }

    #[test]
    fn which_prefix_counts_goes_by_client_and_version() {
        let both = |client: &str| json!({"client": client, "options": {"prefix": "all_"}, "jobs": {"host": "h", "prefix": "own_"}});
        for (client, version, prefix) in [
            ("phpredis", (8, 83), "all_"),
            ("phpredis", (9, 11), "all_"),
            ("phpredis", (9, 12), "own_"),
            ("phpredis", (13, 26), "own_"),
            ("predis", (5, 8), "own_"),
        ] {
            assert_eq!(jobs(both(client), version).prefix, prefix, "{client} {version:?}");
        }
        let nested =
            json!({"options": {"prefix": "all_"}, "jobs": {"host": "h", "options": {"prefix": "n_"}}});
        assert_eq!(jobs(nested, (13, 0)).prefix, "n_");
    }

    #[test]
    fn a_user_is_sent_where_the_client_sends_one() {
        let user = |password: Value| json!({"jobs": {"host": "h", "username": "u", "password": password}});
        assert_eq!(jobs(user(json!("p")), (9, 5)).username, None);
        assert_eq!(jobs(user(json!("p")), (9, 6)).username.as_deref(), Some("u"));
        assert_eq!(jobs(user(json!(1234)), (9, 6)).username, None);
        let mut predis = user(json!("p"));
        predis["client"] = json!("predis");
        assert_eq!(jobs(predis, (5, 8)).username.as_deref(), Some("u"));
    }

    #[test]
    fn nodes_of_a_cluster_may_be_urls_and_predis_may_spread_keys() {
        let nodes = json!(["rediss://:p@a:7000", {"host": "b", "port": "7001"}]);
        let cluster = |client: &str| json!({"client": client, "options": {"prefix": "p_"}, "clusters": {"jobs": nodes.clone()}});
        let ours = jobs(cluster("phpredis"), (13, 0));
        assert_eq!(ours.url().unwrap(), "rediss+cluster://:p@a:7000,b:7001");
        assert_eq!((ours.prefix.as_str(), ours.spreads_keys), ("p_", false));
        assert!(jobs(cluster("predis"), (13, 0)).spreads_keys);
        let tls = json!({"clusters": {"jobs": [{"host": "tls://a", "port": 7000, "password": ["u", "p"]}]}});
        assert_eq!(jobs(tls, (13, 0)).url().unwrap(), "rediss+cluster://u:p@a:7000");
    }

    #[test]
    fn sentinels_have_a_way_in_of_their_own() {
        let list = json!({"client": "predis", "jobs": ["tls://a:26379?password=s%2Fp", "tls://b", {
            "host": "c"}], "options": {"replication": "sentinel", "service": "m", "parameters": {"password": "d"}}});
        assert_eq!(
            jobs(list, (13, 0)).url().unwrap(),
            "rediss+sentinel://:d@a:26379,b:6379,c:6379/m/0?sentinel_password=s%2Fp"
        );
    }
}
