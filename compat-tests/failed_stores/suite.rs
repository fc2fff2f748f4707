//! One suite for every database and both providers, through the library alone.

use handover::failed::{DatabaseStore, FailedJob, FailedJobStore, KeyedBy};
use handover::job::Payload;
use handover::sql::{Database, Driver, Server};

use super::{DRIVERS, Shop};

pub(super) const KEYS: [(&str, KeyedBy); 2] = [("database-uuids", KeyedBy::Uuid), ("database", KeyedBy::Id)];

pub(super) fn store(shop: &Shop, driver: Driver, key: KeyedBy, table: &str) -> DatabaseStore {
    let database = Database::new(driver, vec![shop.server.clone()]);
    DatabaseStore::new(database, table, key, chrono_tz::UTC).unwrap()
}

pub(super) fn failed(payload: impl Into<Vec<u8>>, exception: &str) -> FailedJob {
    let payload = Payload::parse(payload.into()).unwrap();
    FailedJob::new("redis", "default", &payload, exception.into(), 1_700_000_000)
}

fn payload(uuid: &str, attempts: u32) -> String {
    format!(r#"{{"uuid":"{uuid}","job":"A","attempts":{attempts}}}"#)
}

/// Does the same with each kind of store.
async fn everywhere(mut test: impl AsyncFnMut(DatabaseStore)) {
    for driver in DRIVERS {
        for (failer, key) in KEYS {
            let shop = Shop::new(driver, failer);
            println!("{driver:?} {failer}");
            test(store(&shop, driver, key, "failed_jobs")).await;
        }
    }
}

#[tokio::test]
async fn a_job_recorded_twice_is_one_row_and_can_be_withdrawn() {
    everywhere(async |store| {
        store.record(&failed(payload("a", 0), "first")).await.unwrap();
        store.record(&failed(payload("b", 1), "other")).await.unwrap();
        store.record(&failed(payload("a", 1), "second")).await.unwrap();
        let expected = [failed(payload("a", 1), "second"), failed(payload("b", 1), "other")];
        assert_eq!(store.list().await.unwrap(), expected);
        store.withdraw(&failed(payload("a", 0), "first")).await.unwrap();
        assert_eq!(store.list().await.unwrap(), expected, "somebody else's by now");
        store.withdraw(&expected[0]).await.unwrap();
        assert_eq!(store.list().await.unwrap(), &expected[1..]);
    })
    .await;
}

#[tokio::test]
async fn an_operator_lists_rows_takes_one_out_and_sweeps_all_away() {
    everywhere(async |store| {
        for uuid in ["a", "b", "c"] {
            store.record(&failed(payload(uuid, 1), "boom")).await.unwrap();
        }
        let rows = store.rows().await.unwrap();
        let payloads: Vec<_> = rows.iter().map(|row| row.payload.as_ref()).collect();
        assert_eq!(
            payloads,
            ["c", "b", "a"].map(|uuid| payload(uuid, 1)).each_ref().map(|text| text.as_bytes())
        );
        assert_eq!((&*rows[1].connection, &*rows[1].queue), ("redis", "default"));
        assert_eq!(&rows[1].failed_at[..19], "2023-11-14 22:13:20");
        let id = &rows[1].id;
        assert_eq!(store.row(id).await.unwrap().as_ref(), Some(&rows[1]));
        for other in ["", "999", "1x", "' or ''='"] {
            assert_eq!(store.row(other).await.unwrap(), None, "{other}");
            assert!(!store.forget(other).await.unwrap());
        }
        assert!(store.forget(id).await.unwrap() && !store.forget(id).await.unwrap());
        assert_eq!(store.rows().await.unwrap(), [rows[0].clone(), rows[2].clone()]);
        store.flush().await.unwrap();
        assert!(store.rows().await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_job_that_only_names_another_leaves_its_row() {
    everywhere(async |store| {
        store.record(&failed(payload("inner", 1), "x")).await.unwrap();
        let wraps = format!(r#"{{"uuid":"outer","data":{},"attempts":1}}"#, payload("inner", 1));
        store.record(&failed(wraps.clone(), "x")).await.unwrap();
        store.record(&failed(payload("inner", 1), "again")).await.unwrap();
        assert_eq!(store.list().await.unwrap(), [failed(payload("inner", 1), "again"), failed(wraps, "x")]);
    })
    .await;
}

#[tokio::test]
async fn equal_payloads_without_a_uuid_are_rows_of_their_own_and_one_can_be_withdrawn() {
    everywhere(async |store| {
        let [a, b] = [r#"{"job":"A","attempts":1}"#, r#"{"job":"B","attempts":1}"#];
        let records = [a, b, a].map(|payload| failed(payload, "x"));
        for record in &records {
            store.record(record).await.unwrap();
        }
        let payloads =
            async || -> Vec<_> { store.list().await.unwrap().into_iter().map(|job| job.payload).collect() };
        assert_eq!(payloads().await, [a, b, a]);
        store.withdraw(&records[2]).await.unwrap();
        assert_eq!(payloads().await, [b, a]);
    })
    .await;
}

#[tokio::test]
async fn five_megabytes_and_every_character_come_back_as_they_went() {
    let text =
        "é 😀 \u{202e} 'single' \"double\" \\ back\\\\slash `tick` %s :name ? $1 {table} \r\n\t -- ; /* */";
    everywhere(async |store| {
        let data = serde_json::json!({"uuid": "a", "text": text, "big": "x".repeat(5 << 20)});
        let job = failed(data.to_string(), text);
        store.record(&job).await.unwrap();
        assert!(store.list().await.unwrap() == [job], "not the same");
    })
    .await;
}

#[tokio::test]
async fn a_table_whose_name_holds_anything_is_found() {
    for driver in DRIVERS {
        let odd = "'prefix' => 'my `odd\" '";
        let shop = Shop::with(driver, "database-uuids", odd, |_| {});
        let store = store(&shop, driver, KeyedBy::Uuid, "my `odd\" failed_jobs");
        store.record(&failed(payload("a", 0), "x")).await.unwrap();
        assert_eq!(shop.rows().len(), 1);
    }
}

#[tokio::test]
async fn many_records_at_once_are_as_many_rows() {
    for driver in DRIVERS {
        let shop = Shop::new(driver, "database-uuids");
        let store = store(&shop, driver, KeyedBy::Uuid, "failed_jobs");
        let records = (0..200).map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.record(&failed(payload(&format!("u{n}"), 1), "x")).await })
        });
        for record in records.collect::<Vec<_>>() {
            record.await.unwrap().unwrap();
        }
        assert_eq!(store.list().await.unwrap().len(), 200);
    }
}

#[tokio::test]
async fn columns_of_other_types_take_the_values_too() {
    let shop = Shop::new(Driver::Postgres, "database-uuids");
    for change in ["uuid type uuid using uuid::uuid", "failed_at type timestamptz", "failed_at drop default"]
    {
        shop.php(&["sql", &format!("alter table failed_jobs alter column {change}")]);
    }
    let store = store(&shop, Driver::Postgres, KeyedBy::Uuid, "failed_jobs");
    let job = failed(payload("0f0e0d0c-0b0a-4908-8706-050403020100", 0), "x");
    store.record(&job).await.unwrap();
    store.record(&job).await.unwrap();
    assert_eq!(store.list().await.unwrap(), std::slice::from_ref(&job));
    store.withdraw(&job).await.unwrap();
    assert_eq!(store.list().await.unwrap(), []);
}

#[test]
fn a_missing_sqlite_file_is_named_and_the_way_out() {
    let server = Server { database: "no/such.sqlite".into(), ..Server::default() };
    let database = Database::new(Driver::Sqlite, vec![server]);
    let error = DatabaseStore::new(database, "failed_jobs", KeyedBy::Uuid, chrono_tz::UTC).unwrap_err();
    assert!(error.to_string().contains("[no/such.sqlite] does not exist. Create it"), "{error}");
}
