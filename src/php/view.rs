//! The plain JSON view of a value: what a reader who knows no PHP wants to see.
//!
//! Owns the one mapping, and what keeps it small: references are followed only as far as they repeat little.
//! Never reads back: whoever needs the same bytes again takes `php::json`. Counterpart in PHP:
//! `json_encode()`, which sees public properties alone.

use std::collections::VecDeque;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Map, Value as Json, json};

use super::array::Array;
use super::date::rfc3339;
use super::error::Error;
use super::model::is_model;
use super::name::Name;
use super::object::Object;
use super::slots::{Slots, weights};
use super::value::Value;

/// How deep the view may nest: `serde_json::Value` is printed and dropped recursively.
const DEPTH: usize = 512;

/// How much references may repeat, as [`weights`] counts. A few bytes of references to references could
/// otherwise unfold into more than any memory holds.
const REPEATED: usize = 16 << 20;

static NULL: Value = Value::Null;
static NOTHING: Value = Value::Array(Array { entries: Vec::new() });

impl Value {
    /// The value as plain JSON, to be shown or sent; not to be read back, as parts of it are lost.
    ///
    /// | PHP | JSON |
    /// |---|---|
    /// | null, bool, int, float | the same; `INF`, `-INF` and `NAN` are strings |
    /// | string | string if it is UTF-8, else `{"$base64": "..."}` |
    /// | array | array if its keys are 0, 1, 2, ..., an empty one too; else object, in the array's order; of equal keys the last counts |
    /// | object | object: `"$class"`, then its properties by name whatever their visibility; an ancestor's private one gives way to another of its name |
    /// | model of Eloquent or Hyperf ([`Model`](super::Model)) | `{"$model": class, "id": ..., "relations": [...], "connection": ...}`, and `"collectionClass"` if there is one |
    /// | `DateTime`, `Carbon` and the like | RFC 3339 with microseconds, as `"2026-11-20T10:00:00.000000+01:00"`; an object where the zone is unknown |
    /// | enum case | `{"$enum": class, "case": name}` |
    /// | `C:` object | `{"$class": class, "$data": bytes}` |
    /// | reference, an object again | what it leads to; `{"$ref": slot}` where that would go round in a circle, cannot be told, or would make references repeat more than 16 MiB (their texts, and 64 bytes for each value) |
    ///
    /// A key or property that is not UTF-8 is named `"$base64:..."`. A property that is itself named `$class`
    /// gives way to the class.
    ///
    /// Errors: nesting beyond 512 levels.
    pub fn to_json(&self) -> Result<Json, Error> {
        let mut view = View { root: self, references: None, repeated: 0, open: Vec::new() };
        let mut value = self;
        loop {
            let mut shown = view.show(value)?;
            loop {
                let Some(inside) = view.open.last_mut() else { return Ok(shown.unwrap_or_default()) };
                if let Some(json) = shown.take() {
                    inside.put(json);
                }
                match inside.members.pop_front() {
                    Some((name, next)) => {
                        inside.key = name;
                        value = next;
                        break;
                    }
                    None => shown = view.open.pop().map(|done| done.json),
                }
            }
        }
    }
}

struct View<'a> {
    root: &'a Value,
    /// Counted when the first reference is met: most values have none.
    references: Option<(Slots<'a>, Vec<usize>)>,
    repeated: usize,
    /// The arrays and objects that are being shown at this place, outermost first.
    open: Vec<Inside<'a>>,
}

/// An array or object that is half shown.
struct Inside<'a> {
    value: &'a Value,
    members: VecDeque<(String, &'a Value)>,
    /// The name of the member that is shown next.
    key: String,
    json: Json,
}

impl Inside<'_> {
    fn put(&mut self, json: Json) {
        match &mut self.json {
            Json::Array(list) => list.push(json),
            Json::Object(map) => {
                map.entry(std::mem::take(&mut self.key)).or_insert(json);
            }
            _ => {}
        }
    }
}

impl<'a> View<'a> {
    /// The JSON of a value; `None` of an array or object, which is now open.
    fn show(&mut self, value: &'a Value) -> Result<Option<Json>, Error> {
        let shown = match value {
            Value::Null => Json::Null,
            Value::Bool(value) => json!(value),
            Value::Int(value) => json!(value.get()),
            Value::Float(value) if value.get().is_finite() => json!(value.get()),
            Value::Float(value) if value.get().is_nan() => json!("NAN"),
            Value::Float(value) => json!(if value.get() > 0.0 { "INF" } else { "-INF" }),
            Value::Str(value) => bytes(value.as_bytes()),
            Value::Custom(custom) => json!({"$class": bytes(custom.class()), "$data": bytes(custom.body())}),
            Value::Enum(case) => json!({"$enum": bytes(case.class()), "case": bytes(case.name())}),
            Value::Array(array) => {
                let members = array.members(None);
                let list = members.iter().zip(0..).all(|((name, _), index)| *name == Name::Int(index));
                let json = if list { Json::Array(Vec::new()) } else { Json::Object(Map::new()) };
                return self.enter(value, named(members), json);
            }
            Value::Object(object) => match rfc3339(object) {
                Some(date) => Json::String(date),
                None if is_model(object.class()) => {
                    return self.enter(value, model(object), Json::Object(Map::new()));
                }
                None => {
                    let members = object.properties().members(Some(object.class()));
                    return self.enter(value, named(members), json!({"$class": bytes(object.class())}));
                }
            },
            Value::Same(index) | Value::Reference(index) => match self.follow(*index) {
                Some(target) => return self.show(target),
                None => json!({"$ref": index}),
            },
        };
        Ok(Some(shown))
    }

    fn enter(
        &mut self,
        value: &'a Value,
        members: VecDeque<(String, &'a Value)>,
        json: Json,
    ) -> Result<Option<Json>, Error> {
        if self.open.len() >= DEPTH && !members.is_empty() {
            return Err(Error::mismatch(format!("Maximum depth of {DEPTH} exceeded")));
        }
        self.open.push(Inside { value, members, key: String::new(), json });
        Ok(None)
    }

    /// Where a reference leads, itself no reference, if it may be shown there once more.
    fn follow(&mut self, index: usize) -> Option<&'a Value> {
        let root = self.root;
        let (slots, weights) = self.references.get_or_insert_with(|| (Slots::of(root), weights(root)));
        let (slot, target) = slots.find(index).ok()?;
        let repeated = self.repeated.saturating_add(*weights.get(slot - 1)?);
        if repeated > REPEATED || self.open.iter().any(|inside| std::ptr::eq(inside.value, target)) {
            return None;
        }
        self.repeated = repeated;
        Some(target)
    }
}

fn named<'a>(members: Vec<(Name<'a>, &'a Value)>) -> VecDeque<(String, &'a Value)> {
    members.into_iter().map(|(name, value)| (key(name), value)).collect()
}

/// What a model is identified by, in one shape whichever Laravel or Hyperf wrote it.
fn model(object: &Object) -> VecDeque<(String, &Value)> {
    let get = |name, default| object.get(name).unwrap_or(default);
    let mut members = VecDeque::from([
        ("$model".to_owned(), get("class", &NULL)),
        (
            "id".to_owned(),
            ["id", "key", "keys"].into_iter().find_map(|name| object.get(name)).unwrap_or(&NULL),
        ),
        ("relations".to_owned(), get("relations", &NOTHING)),
        ("connection".to_owned(), get("connection", &NULL)),
    ]);
    let collection = object.get("collectionClass").filter(|class| !class.is_null());
    members.extend(collection.map(|class| ("collectionClass".to_owned(), class)));
    members
}

fn key(name: Name<'_>) -> String {
    match name {
        Name::Int(value) => value.to_string(),
        Name::Str(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => format!("$base64:{}", BASE64_STANDARD.encode(bytes)),
        },
    }
}

fn bytes(bytes: &[u8]) -> Json {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({"$base64": BASE64_STANDARD.encode(bytes)}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::php::parse;

    fn plain(bytes: &[u8]) -> String {
        let value = parse(bytes).unwrap_or_else(|error| panic!("{}: {error}", bytes.escape_ascii()));
        value.to_json().unwrap().to_string()
    }

    #[test]
    fn every_kind_of_value_has_its_plain_form() {
        for (php, json) in [
            (&b"N;"[..], "null"),
            (b"b:1;", "true"),
            (b"i:+5;", "5"),
            (b"d:0.5;", "0.5"),
            (b"d:5;", "5.0"),
            (b"d:-INF;", r#""-INF""#),
            (b"d:NAN;", r#""NAN""#),
            (b"d:1e999;", r#""INF""#),
            (b"s:3:\"a\"b\";", r#""a\"b""#),
            (b"S:1:\"\\ff\";", r#"{"$base64":"/w=="}"#),
            (b"a:0:{}", "[]"),
            (b"a:2:{i:0;N;s:1:\"1\";N;}", "[null,null]"),
            (b"a:2:{i:1;N;i:0;N;}", r#"{"1":null,"0":null}"#),
            (b"a:3:{s:1:\"a\";i:1;s:1:\"b\";i:2;s:1:\"a\";i:3;}", r#"{"a":3,"b":2}"#),
            (b"a:2:{s:1:\"\xff\";i:1;s:1:\"\xfe\";i:2;}", r#"{"$base64:/w==":1,"$base64:/g==":2}"#),
            (
                b"O:3:\"App\":2:{s:4:\"\0*\0a\";i:1;s:6:\"\0App\0b\";a:0:{}}",
                r#"{"$class":"App","a":1,"b":[]}"#,
            ),
            (b"O:1:\"A\":1:{s:6:\"$class\";i:1;}", r#"{"$class":"A"}"#),
            (b"O:1:\"\xe9\":0:{}", r#"{"$class":{"$base64":"6Q=="}}"#),
            (b"E:11:\"Suit:Hearts\";", r#"{"$enum":"Suit","case":"Hearts"}"#),
            (b"C:1:\"A\":3:{abc}", r#"{"$class":"A","$data":"abc"}"#),
        ] {
            assert_eq!(plain(php), json, "{}", php.escape_ascii());
        }
    }

    #[test]
    fn models_have_one_shape_whichever_laravel_wrote_them() {
        let head = "O:45:\"Illuminate\\Contracts\\Database\\ModelIdentifier\"";
        let class = "s:5:\"class\";s:4:\"User\";s:2:\"id\";i:5;";
        let old = format!("{head}:3:{{{class}s:10:\"connection\";s:5:\"mysql\";}}");
        let new = format!(
            "{head}:5:{{{class}s:9:\"relations\";a:1:{{i:0;s:5:\"posts\";}}s:10:\"connection\";N;s:15:\"collectionClass\";s:1:\"C\";}}"
        );
        assert_eq!(plain(old.as_bytes()), r#"{"$model":"User","id":5,"relations":[],"connection":"mysql"}"#);
        assert_eq!(
            plain(new.as_bytes()),
            r#"{"$model":"User","id":5,"relations":["posts"],"connection":null,"collectionClass":"C"}"#
        );
    }

    #[test]
    fn dates_are_text_where_their_zone_is_known() {
        let date = |zone: &str| {
            let properties =
                format!("s:13:\"timezone_type\";i:3;s:8:\"timezone\";s:{}:\"{zone}\";", zone.len());
            format!("O:8:\"DateTime\":3:{{s:4:\"date\";s:26:\"2026-07-20 10:00:00.000001\";{properties}}}")
        };
        assert_eq!(plain(date("Europe/Berlin").as_bytes()), r#""2026-07-20T10:00:00.000001+02:00""#);
        assert!(plain(date("Mars/Olympus").as_bytes()).starts_with(r#"{"$class":"DateTime","date":"#));
    }

    #[test]
    fn references_are_shown_in_full_unless_they_go_round() {
        for (php, json) in [
            (
                "a:3:{i:0;O:1:\"P\":1:{s:1:\"a\";i:1;}i:1;r:2;i:2;R:2;}",
                r#"[{"$class":"P","a":1},{"$class":"P","a":1},{"$class":"P","a":1}]"#,
            ),
            ("O:1:\"P\":1:{s:4:\"self\";r:1;}", r#"{"$class":"P","self":{"$ref":1}}"#),
            ("a:2:{i:0;C:1:\"C\":0:{}i:1;R:3;}", r#"[{"$class":"C","$data":""},{"$ref":3}]"#),
            (
                "a:2:{i:0;O:1:\"P\":1:{s:1:\"x\";a:1:{i:0;r:2;}}i:1;R:3;}",
                r#"[{"$class":"P","x":[{"$ref":2}]},[{"$class":"P","x":[{"$ref":2}]}]]"#,
            ),
        ] {
            assert_eq!(plain(php.as_bytes()), json, "{php}");
        }
    }

    #[test]
    fn a_few_bytes_of_references_do_not_unfold_without_end() {
        // 2^40 values in 40 short arrays.
        let mut doubling = "a:40:{i:0;a:0:{}".to_owned();
        for index in 1..40 {
            let slot = index + 1;
            doubling += &format!("i:{index};a:2:{{i:0;R:{slot};i:1;R:{slot};}}");
        }
        // A long text, a long key and a long class, each meant 100,000 times.
        let long = "x".repeat(100_000);
        let texts = format!(
            "a:100001:{{i:0;a:1:{{s:100000:\"{long}\";O:100000:\"{long}\":1:{{i:0;s:100000:\"{long}\";}}}}{}",
            (1..=100_000).map(|index| format!("i:{index};R:2;")).collect::<String>()
        );
        for bytes in [doubling, texts] {
            let shown = plain((bytes + "}").as_bytes());
            assert!(shown.len() < 4 * REPEATED && shown.contains("$ref"), "{}", shown.len());
        }
    }

    /// In a debug build, on the 2 MiB a thread gets.
    #[test]
    fn depth_is_an_error_before_it_is_an_overflow() {
        let nested = |levels: usize| ["a:1:{i:7;".repeat(levels), "N;".into(), "}".repeat(levels)].concat();
        let run = move || {
            assert_eq!(plain(nested(DEPTH).as_bytes()).len(), "{\"7\":}".len() * DEPTH + "null".len());
            for levels in [DEPTH + 1, 4096] {
                let error = parse(nested(levels).as_bytes()).unwrap().to_json().unwrap_err();
                assert_eq!(error.to_string(), "Maximum depth of 512 exceeded");
            }
        };
        std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap();
    }
}
