//! `Model`: what Laravel's `SerializesModels`, or Hyperf's queue, leaves in a job in the place of a model or
//! collection.
//!
//! Owns the shape of the identifier. Never loads the model: that is the handler's query. Counterpart in PHP:
//! `Illuminate\Contracts\Database\ModelIdentifier`, Hyperf's `ModelMeta` and `CollectionMeta`.

use std::fmt;

use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// The classes that stand for a model. Hyperf's know no more than a class and `key` or `keys`.
const CLASSES: [&str; 3] = [
    "Illuminate\\Contracts\\Database\\ModelIdentifier",
    "Hyperf\\Database\\Model\\ModelMeta",
    "Hyperf\\Database\\Model\\CollectionMeta",
];

/// Does an object of that class stand for a model?
pub(super) fn is_model(class: &[u8]) -> bool {
    CLASSES.iter().any(|known| class.eq_ignore_ascii_case(known.as_bytes()))
}

/// Which model (or models) a job was dispatched with. Reads only objects of Laravel's `ModelIdentifier` and of Hyperf's
/// `ModelMeta` and `CollectionMeta`, and becomes the first in [`to_value`](super::to_value).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "Illuminate\\Contracts\\Database\\ModelIdentifier")]
pub struct Model {
    /// The model's class, or its alias in the morph map where the app says so (Laravel 12.50 and later).
    /// `None` for an empty collection.
    pub class: Option<String>,
    /// The primary key; of a collection, a list of them.
    #[serde(alias = "key", alias = "keys")]
    pub id: ModelId,
    /// Relations that were loaded, to be loaded again. Absent before Laravel 5.6.
    #[serde(default)]
    pub relations: Vec<String>,
    /// The name of the database connection; `None` is the default one.
    #[serde(default)]
    pub connection: Option<String>,
    /// The class of the collection where it is the model's own. Absent before Laravel 9.26.
    #[serde(default, rename = "collectionClass")]
    pub collection_class: Option<String>,
}

/// The primary key of a model, or of each model of a collection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ModelId {
    /// A model that was never saved has none.
    Null,
    /// The usual auto-increment key.
    Int(i64),
    /// A UUID, ULID, slug, or an int that the database driver gave as text.
    Str(String),
    /// A key that is not UTF-8, such as a UUID in 16 bytes.
    Bytes(Vec<u8>),
    /// The keys of a collection, in its order.
    List(Vec<ModelId>),
}

impl ModelId {
    /// The key as an int; also of a string that is the decimal text of one, as PHP compares keys.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            ModelId::Int(id) => Some(*id),
            ModelId::Str(id) => super::Key::from(id.as_str()).as_int(),
            _ => None,
        }
    }

    /// The key, if it is a string.
    pub fn as_str(&self) -> Option<&str> {
        if let ModelId::Str(id) = self { Some(id) } else { None }
    }

    /// The keys of a collection; a single key stands for itself, none for nothing.
    pub fn as_slice(&self) -> &[ModelId] {
        match self {
            ModelId::Null => &[],
            ModelId::List(ids) => ids,
            one => std::slice::from_ref(one),
        }
    }

    /// Are these the keys of a collection?
    pub fn is_list(&self) -> bool {
        matches!(self, ModelId::List(_))
    }
}

impl fmt::Display for ModelId {
    /// The key as a query would show it; a list with commas.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ModelId::Null => write!(f, "null"),
            ModelId::Int(id) => write!(f, "{id}"),
            ModelId::Str(id) => write!(f, "{id}"),
            ModelId::Bytes(id) => write!(f, "{}", id.escape_ascii()),
            ModelId::List(ids) => ids.iter().enumerate().try_for_each(|(index, id)| {
                let comma = if index == 0 { "" } else { ", " };
                write!(f, "{comma}{id}")
            }),
        }
    }
}

impl<'de> Deserialize<'de> for ModelId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IdVisitor)
    }
}

impl Serialize for ModelId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            ModelId::Null => serializer.serialize_unit(),
            ModelId::Int(id) => serializer.serialize_i64(*id),
            ModelId::Str(id) => serializer.serialize_str(id),
            ModelId::Bytes(id) => serializer.serialize_bytes(id),
            ModelId::List(ids) => serializer.collect_seq(ids),
        }
    }
}

struct IdVisitor;

impl<'de> Visitor<'de> for IdVisitor {
    type Value = ModelId;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the key of a model (int, string, list or null)")
    }

    fn visit_unit<E: de::Error>(self) -> Result<ModelId, E> {
        Ok(ModelId::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<ModelId, E> {
        Ok(ModelId::Null)
    }

    fn visit_i64<E: de::Error>(self, id: i64) -> Result<ModelId, E> {
        Ok(ModelId::Int(id))
    }

    fn visit_u64<E: de::Error>(self, id: u64) -> Result<ModelId, E> {
        let id = i64::try_from(id).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(id), &self))?;
        Ok(ModelId::Int(id))
    }

    fn visit_str<E: de::Error>(self, id: &str) -> Result<ModelId, E> {
        Ok(ModelId::Str(id.to_owned()))
    }

    fn visit_bytes<E: de::Error>(self, id: &[u8]) -> Result<ModelId, E> {
        Ok(ModelId::Bytes(id.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut ids: A) -> Result<ModelId, A::Error> {
        let mut list = Vec::new();
        while let Some(id) = ids.next_element()? {
            list.push(id);
        }
        Ok(ModelId::List(list))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::php::from_bytes;

    /// As PHP 8.2 and Laravel write it; `id` is the serialized key.
    fn identifier(id: &str) -> String {
        format!(
            "O:45:\"Illuminate\\Contracts\\Database\\ModelIdentifier\":5:{{s:5:\"class\";s:15:\"App\\Models\\User\";\
             s:2:\"id\";{id}s:9:\"relations\";a:1:{{i:0;s:5:\"posts\";}}s:10:\"connection\";s:5:\"mysql\";s:15:\"collectionClass\";N;}}"
        )
    }

    #[test]
    fn a_model() {
        let model: Model = from_bytes(identifier("i:5;").as_bytes()).unwrap();
        let expected = Model {
            class: Some("App\\Models\\User".into()),
            id: ModelId::Int(5),
            relations: vec!["posts".into()],
            connection: Some("mysql".into()),
            collection_class: None,
        };
        assert_eq!(model, expected);
    }

    #[test]
    fn keys_of_every_kind() {
        for (bytes, id, shown) in [
            ("N;", ModelId::Null, "null"),
            ("s:3:\"abc\";", ModelId::Str("abc".into()), "abc"),
            (
                "a:2:{i:0;i:1;i:1;s:1:\"x\";}",
                ModelId::List(vec![ModelId::Int(1), ModelId::Str("x".into())]),
                "1, x",
            ),
            ("S:1:\"\\ff\";", ModelId::Bytes(vec![0xff]), "\\xff"),
        ] {
            let model: Model = from_bytes(identifier(bytes).as_bytes()).unwrap();
            assert_eq!(model.id.to_string(), shown);
            assert_eq!(model.id, id);
        }
        assert_eq!(ModelId::Str("17".into()).as_int(), Some(17));
        assert_eq!(ModelId::Str("017".into()).as_int(), None);
        assert_eq!(ModelId::Int(3).as_slice(), [ModelId::Int(3)]);
    }

    #[test]
    fn laravel_5_5_has_fewer_properties_and_an_empty_collection_no_class() {
        let bytes =
            b"O:45:\"Illuminate\\Contracts\\Database\\ModelIdentifier\":3:{s:5:\"class\";N;s:2:\"id\";a:0:{}\
            s:10:\"connection\";N;}";
        let model: Model = from_bytes(bytes).unwrap();
        assert_eq!((model.class, model.id, model.relations.len()), (None, ModelId::List(vec![]), 0));
    }

    #[test]
    fn row_27_a_model_of_hyperf_in_either_order_of_its_keys() {
        for (bytes, class, id) in [
            (
                "O:31:\"Hyperf\\Database\\Model\\ModelMeta\":2:{s:5:\"class\";s:14:\"App\\Model\\User\";s:3:\"key\";i:42;}",
                Some("App\\Model\\User"),
                ModelId::Int(42),
            ),
            (
                "O:31:\"Hyperf\\Database\\Model\\ModelMeta\":2:{s:3:\"key\";i:42;s:5:\"class\";s:14:\"App\\Model\\User\";}",
                Some("App\\Model\\User"),
                ModelId::Int(42),
            ),
            (
                "O:36:\"Hyperf\\Database\\Model\\CollectionMeta\":2:{s:5:\"class\";N;s:4:\"keys\";a:0:{}}",
                None,
                ModelId::List(vec![]),
            ),
        ] {
            let model: Model = from_bytes(bytes.as_bytes()).unwrap();
            assert_eq!((model.class.as_deref(), &model.id), (class, &id));
            let json = crate::php::parse(bytes.as_bytes()).unwrap().to_json().unwrap();
            let id = if id == ModelId::Int(42) { serde_json::json!(42) } else { serde_json::json!([]) };
            assert_eq!(
                json,
                serde_json::json!({"$model": class, "id": id, "relations": [], "connection": null})
            );
        }
    }

    #[test]
    fn another_object_is_no_model() {
        let error = from_bytes::<Model>(b"O:15:\"App\\Models\\User\":1:{s:2:\"id\";i:1;}").unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected object Illuminate\\Contracts\\Database\\ModelIdentifier, found object App\\Models\\User"
        );
    }
}
