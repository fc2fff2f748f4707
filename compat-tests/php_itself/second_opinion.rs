//! The crate serde_php as a second opinion, where it is sound: typed scalars and plain arrays. (It reads no objects,
//! no mixed keys and no exponents.)

use std::collections::BTreeMap;
use std::fmt::Debug;

use handover::php;
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

fn agreed<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let ours = php::to_value(value).unwrap().write();
    let theirs = serde_php::to_vec(value).unwrap();
    assert_eq!(ours.escape_ascii().to_string(), theirs.escape_ascii().to_string());
    assert_eq!(&serde_php::from_bytes::<T>(&ours).unwrap(), value);
    assert_eq!(&php::from_bytes::<T>(&theirs).unwrap(), value);
}

proptest! {
    #[test]
    fn serde_php_agrees_on_scalars_and_plain_arrays(
        int in any::<i64>(),
        bool in any::<bool>(),
        text in ".*",
        lists in any::<Vec<Vec<Option<i32>>>>(),
        names in proptest::collection::btree_map("[a-z]{1,9}", any::<(bool, i64)>(), 0..9),
        numbers in proptest::collection::btree_map(any::<i64>(), ".{0,9}", 0..9),
    ) {
        agreed(&int);
        agreed(&bool);
        agreed(&text);
        agreed(&lists);
        agreed(&names);
        agreed(&numbers);
        agreed(&BTreeMap::from([("one".to_owned(), vec![text])]));
    }
}
