//! Text that a database cannot hold: the row is written in any case, and nothing of it is lost.

use handover::failed::{FailedJob, FailedJobStore, KeyedBy};
use handover::sql::Driver;

use super::suite::{KEYS, failed, store};
use super::{DRIVERS, Shop};

#[tokio::test]
async fn an_exception_with_nul_bytes_is_kept_whole() {
    for driver in DRIVERS {
        for (failer, key) in KEYS {
            let shop = Shop::new(driver, failer);
            let store = store(&shop, driver, key, "failed_jobs");
            let job = failed(r#"{"uuid":"a","x":"\u0000"}"#, "App\\Job\0private é: boom");
            store.record(&job).await.unwrap();
            let rows = shop.rows();
            assert_eq!(rows[0]["payload"], r#"{"uuid":"a","x":"\u0000"}"#);
            let nul = if driver == Driver::Postgres { "\\0" } else { "\0" };
            assert_eq!(rows[0]["exception"], format!("App\\Job{nul}private é: boom"));
            store.withdraw(&job).await.unwrap();
            assert_eq!(shop.rows().len(), 0, "{driver:?}");
        }
    }
}

#[tokio::test]
async fn bytes_that_are_not_utf8_stand_in_hexadecimal_behind_the_exception() {
    for driver in DRIVERS {
        let shop = Shop::new(driver, "database-uuids");
        let store = store(&shop, driver, KeyedBy::Uuid, "failed_jobs");
        // No payload that was reserved is like this: it is no JSON.
        let job = FailedJob {
            payload: b"{\"uuid\":\"a\xff\0\"}".to_vec().into(),
            ..failed(r#"{"uuid":"a"}"#, "boom")
        };
        store.record(&job).await.unwrap();
        store.record(&job).await.unwrap();
        let rows = shop.rows();
        assert_eq!(rows.len(), 1);
        let exception = rows[0]["exception"].as_str().unwrap();
        assert!(exception.ends_with("hexadecimal: 7b2275756964223a2261ff00227d"), "{exception}");
        store.withdraw(&job).await.unwrap();
        assert_eq!(shop.rows().len(), 0);
    }
}

#[tokio::test]
async fn a_character_set_too_small_gets_the_same_json_in_ascii() {
    let payload = r#"{"uuid":"a","x":"😀/é"}"#;
    for charset in ["latin1", "utf8mb3"] {
        let shop = Shop::new(Driver::Mysql, "database-uuids");
        shop.php(&["sql", &format!("alter table failed_jobs convert to character set {charset}")]);
        let store = store(&shop, Driver::Mysql, KeyedBy::Uuid, "failed_jobs");
        let job = failed(payload, "boom 😀");
        store.record(&job).await.unwrap();
        let row = &shop.rows()[0];
        assert_eq!(row["payload"], r#"{"uuid":"a","x":"\ud83d\ude00/\u00e9"}"#);
        assert_eq!(row["exception"], "boom \\u{1f600}");
        store.withdraw(&job).await.unwrap();
        assert_eq!(shop.rows().len(), 0);
    }
}
