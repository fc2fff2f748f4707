//! Our rows beside those of PHP's own provider, and what PHP makes of ours.

use handover::sql::Driver;
use serde_json::Value;

use super::{DRIVERS, Shop};
use crate::support::differential::handover;
use crate::support::process::Running;

const MESSAGE: &str = "bäng 😀 'single' \"double\" back\\slash ? %s :x";

fn work(shop: &Shop) {
    let end = Running::start(handover(&shop.app, &["--stop-when-empty"])).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert_eq!(shop.waiting().len(), 0);
}

/// The first line without ` in file:line`, which is another program's.
fn headline(row: &Value) -> String {
    let text = row["exception"].as_str().unwrap();
    text.split("\nStack trace:").next().unwrap().rsplit_once(" in ").unwrap().0.to_owned()
}

fn seconds(row: &Value) -> i64 {
    let text = row["failed_at"].as_str().unwrap();
    assert_eq!(text.len(), 19, "{text}");
    chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap().and_utc().timestamp()
}

/// The same bytes fail at PHP's worker and at ours.
fn assert_rows_are_phps(php: &Shop, ours: &Shop) {
    php.push("a", MESSAGE, 2);
    for payload in php.waiting() {
        let () = ours.redis.query(&["RPUSH", &ours.app.key("queues:default"), &payload]);
    }
    let end = php.app.queue_work(&["--stop-when-empty"]);
    assert_eq!(end.code, 0, "{}", end.stderr);
    work(ours);
    let (php, ours) = (php.rows(), ours.rows());
    assert_eq!((php.len(), ours.len()), (2, 2));
    for (a, b) in php.iter().zip(&ours) {
        let names = |row: &Value| row.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(a), names(b));
        for column in ["id", "uuid", "connection", "queue", "payload"] {
            assert_eq!(a[column], b[column], "{column}");
        }
        assert_eq!(headline(a), format!("RuntimeException: {MESSAGE}"));
        assert_eq!(headline(a), headline(b));
        assert!((seconds(a) - seconds(b)).abs() < 300, "{} {}", a["failed_at"], b["failed_at"]);
    }
}

#[test]
fn our_rows_are_phps_on_every_database_by_both_providers() {
    for driver in DRIVERS {
        for failer in ["database-uuids", "database"] {
            println!("{driver:?} {failer}");
            assert_rows_are_phps(&Shop::new(driver, failer), &Shop::new(driver, failer));
        }
    }
}

#[test]
fn with_a_prefix_and_times_of_the_apps_own_they_still_are() {
    for driver in DRIVERS {
        println!("{driver:?}");
        // SQLite has no session that could have a time zone.
        let more = "'prefix' => 'shop_', 'timezone' => '+03:00'";
        let shop = || {
            let mut shop = Shop::with(driver, "database-uuids", more, |_| {});
            shop.app.set_env("APP_TIMEZONE", "Asia/Tokyo");
            shop
        };
        let (php, ours) = (shop(), shop());
        assert_rows_are_phps(&php, &ours);
        let ahead = seconds(&ours.rows()[0]) - crate::support::snapshot::now() as i64;
        assert!((ahead - 9 * 3600).abs() < 300, "Tokyo's time: {ahead}");
    }
}

#[test]
fn a_connection_that_speaks_another_character_set_writes_the_same_bytes() {
    for charset in ["latin1', 'collation' => 'latin1_swedish_ci", "utf8mb4"] {
        let more = format!("'charset' => '{charset}', 'strict' => false");
        let shop = || Shop::with(Driver::Mysql, "database", &more, |_| {});
        let (php, ours) = (shop(), shop());
        assert_rows_are_phps(&php, &ours);
    }
}

#[test]
fn queue_retry_puts_back_what_failed() {
    for driver in DRIVERS {
        for failer in ["database-uuids", "database"] {
            println!("{driver:?} {failer}");
            let shop = Shop::new(driver, failer);
            shop.push("é 😀", MESSAGE, 3);
            let pushed = shop.waiting();
            work(&shop);
            assert_eq!(shop.rows().len(), 3);
            let done = shop.app.artisan(&["queue:retry", "all"]);
            assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
            let decoded = |list: Vec<String>| {
                let mut list: Vec<Value> =
                    list.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
                list.sort_by_key(|payload| payload["uuid"].to_string());
                list
            };
            assert_eq!(decoded(shop.waiting()), decoded(pushed));
            assert_eq!(shop.rows().len(), 0);
        }
    }
}
