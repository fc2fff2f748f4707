//! Objects of all three kinds: with properties (`O:`), with bytes of their own (`C:`), enum cases (`E:`).
//!
//! Owns class names, the mangling of property names and who sees which property. Never knows what a class
//! means. Counterpart in PHP: zend_object, `zend_unmangle_property_name`.

use super::array::{Array, Key};
use super::error::{Error, shown};
use super::name::Name;
use super::value::Value;
use super::walk::Step;

/// An object that lists its properties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    class: Box<[u8]>,
    pub(super) properties: Array,
}

impl Object {
    /// An object of that class. Names of properties that are not public must come mangled (see [`Key::Str`]).
    ///
    /// [`Key::Str`]: super::Key::Str
    pub fn new(class: impl AsRef<[u8]>, properties: Array) -> Object {
        Object { class: class.as_ref().into(), properties }
    }

    /// The class, as written (PHP itself ignores the case of class names).
    pub fn class(&self) -> &[u8] {
        &self.class
    }

    /// Is it an object of that class? ASCII letters compare without case, as in PHP.
    pub fn is(&self, class: &str) -> bool {
        self.class.eq_ignore_ascii_case(class.as_bytes())
    }

    /// The properties, in written order and with mangled names.
    pub fn properties(&self) -> &Array {
        &self.properties
    }

    /// The property of that name, whatever its visibility. An ancestor's private property gives way to a
    /// public, protected or own private one of the same name; of several like ones the last counts.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let wanted = Name::of(name.as_bytes());
        let mut hidden = None;
        for (key, value) in self.properties.entries.iter().rev() {
            match key.member(Some(&self.class)) {
                (name, true) if name == wanted => return Some(value),
                (name, false) if name == wanted => hidden = hidden.or(Some(value)),
                _ => {}
            }
        }
        hidden
    }

    /// The public property of that name: what PHP code outside of the class sees of it.
    pub fn public(&self, name: &str) -> Option<&Value> {
        let named = |key: &Key| key.as_bytes() == Some(name.as_bytes());
        self.properties.entries.iter().rev().find(|(key, _)| named(key)).map(|(_, value)| value)
    }

    /// Sets the property of that name where it stands, whatever its visibility; one that is not there becomes
    /// the last, and public.
    ///
    /// Errors: the object holds references whose numbers would lead elsewhere afterwards, because the new value
    /// takes more or fewer slots than the old one did.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) -> Result<(), Error> {
        let value = value.into();
        let wanted = Name::of(name.as_bytes());
        let class = self.class.clone();
        let mine = |(key, _): &(Key, Value)| key.member(Some(&class)) == (wanted, true);
        let Some(at) = self.properties.entries.iter().rposition(mine) else {
            self.properties.entries.push((Key::Str(name.into()), value));
            return Ok(());
        };
        if slots(&value) != slots(&self.properties.entries[at].1) {
            let before: usize = self.properties.entries[..=at].iter().map(|(_, value)| slots(value)).sum();
            // The object itself is the first.
            if self.properties.values().any(|value| refers_beyond(value, 1 + before)) {
                let problem = format!(
                    "references in {} lead to what stands after {name}, and would lead elsewhere once it is set: \
                     declare {name} last",
                    shown(&self.class)
                );
                return Err(Error::mismatch(problem));
            }
        }
        self.properties.entries[at].1 = value;
        Ok(())
    }
}

/// How many of the numbers that references lead by a value takes.
fn slots(value: &Value) -> usize {
    value
        .walk()
        .filter(|step| matches!(step, Step::Value(value) if !matches!(value, Value::Reference(_))))
        .count()
}

fn refers_beyond(value: &Value, slot: usize) -> bool {
    value.walk().any(
        |step| matches!(step, Step::Value(Value::Same(index) | Value::Reference(index)) if *index > slot),
    )
}

/// An object of a class that implements PHP's `Serializable`: only the class can read the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Custom {
    class: Box<[u8]>,
    body: Box<[u8]>,
}

impl Custom {
    pub(super) fn new(class: &[u8], body: &[u8]) -> Custom {
        Custom { class: class.into(), body: body.into() }
    }

    /// The class, as written.
    pub fn class(&self) -> &[u8] {
        &self.class
    }

    /// The bytes between the braces.
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

/// A case of an enum. The value of a backed enum is not in the bytes: PHP asks the class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    class: Box<[u8]>,
    name: Box<[u8]>,
}

impl Case {
    pub(super) fn new(class: &[u8], name: &[u8]) -> Case {
        Case { class: class.into(), name: name.into() }
    }

    /// The enum, as written.
    pub fn class(&self) -> &[u8] {
        &self.class
    }

    /// The name of the case, without the enum's.
    pub fn name(&self) -> &[u8] {
        &self.name
    }
}

/// Who may see a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope<'a> {
    Public,
    Protected,
    Private(&'a [u8]),
}

impl<'a> Scope<'a> {
    /// Takes `\0*\0name` and `\0Class\0name` apart. What only begins like one is a plain name, as in
    /// `__serialize` data.
    pub(super) fn demangle(name: &'a [u8]) -> (Scope<'a>, &'a [u8]) {
        // The last NUL: the name of an anonymous class holds one itself.
        let end = match name {
            [0, rest @ ..] => rest.iter().rposition(|byte| *byte == 0).filter(|end| *end > 0),
            _ => None,
        };
        match end {
            None => (Scope::Public, name),
            Some(end) if name[1..=end] == *b"*" => (Scope::Protected, &name[end + 2..]),
            Some(end) => (Scope::Private(&name[1..=end]), &name[end + 2..]),
        }
    }

    pub(super) fn visible_in(self, class: &[u8]) -> bool {
        match self {
            Scope::Public | Scope::Protected => true,
            Scope::Private(owner) => owner.eq_ignore_ascii_case(class),
        }
    }
}

/// The PHP class that a Rust type is named like: its name has a namespace, or a backslash in front.
pub(super) fn class_named(name: &str) -> Option<&str> {
    name.contains('\\').then(|| name.strip_prefix('\\').unwrap_or(name))
}

/// Can this be the name of a class, as `unserialize()` tests it? Letters, digits, `_`, `\` and all bytes from
/// 0x80.
pub(super) fn is_class_name(name: &[u8]) -> bool {
    !matches!(name, [] | [b'\\', ..]) && name.iter().all(|byte| *byte == b'\\' || is_name_byte(*byte))
}

/// Can this be the name of an enum's case?
pub(super) fn is_case_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| is_name_byte(*byte))
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::php::parse;

    #[test]
    fn a_property_is_set_where_it_stands_and_references_are_not_led_astray() {
        let set = |bytes: &str, value: Value| {
            let Value::Object(mut object) = parse(bytes.as_bytes()).unwrap() else { panic!("{bytes}") };
            object.set("x", value).map(|()| Value::from(*object).write().escape_ascii().to_string())
        };
        let list = || Value::from(Array::from_iter([1, 2]));
        for (bytes, value, expected) in [
            ("O:1:\"A\":0:{}", Value::from(5), r#"O:1:\"A\":1:{s:1:\"x\";i:5;}"#),
            ("O:1:\"A\":1:{s:4:\"\0*\0x\";N;}", Value::from(5), r#"O:1:\"A\":1:{s:4:\"\x00*\x00x\";i:5;}"#),
            (
                "O:1:\"A\":3:{s:1:\"a\";i:1;s:1:\"b\";R:2;s:1:\"x\";N;}",
                list(),
                r#"O:1:\"A\":3:{s:1:\"a\";i:1;s:1:\"b\";R:2;s:1:\"x\";a:2:{i:0;i:1;i:1;i:2;}}"#,
            ),
            (
                "O:1:\"A\":3:{s:1:\"x\";N;s:1:\"a\";i:1;s:1:\"b\";R:3;}",
                Value::from(5),
                r#"O:1:\"A\":3:{s:1:\"x\";i:5;s:1:\"a\";i:1;s:1:\"b\";R:3;}"#,
            ),
        ] {
            assert_eq!(set(bytes, value), Ok(expected.to_owned()));
        }
        let moved = set("O:1:\"A\":3:{s:1:\"x\";N;s:1:\"a\";i:1;s:1:\"b\";R:3;}", list());
        assert!(moved.unwrap_err().to_string().contains("declare x last"));
    }

    #[test]
    fn names_are_demangled() {
        for (name, scope, plain) in [
            (&b"id"[..], Scope::Public, &b"id"[..]),
            (b"\0*\0note", Scope::Protected, b"note"),
            (b"\0App\\Job\0token", Scope::Private(b"App\\Job"), b"token"),
            (b"\0*\0", Scope::Protected, b""),
            (b"\0class@anonymous\0/a.php:3$0\0x", Scope::Private(b"class@anonymous\0/a.php:3$0"), b"x"),
            (b"", Scope::Public, b""),
            (b"\0", Scope::Public, b"\0"),
            (b"\0a", Scope::Public, b"\0a"),
            (b"\0\0a", Scope::Public, b"\0\0a"),
        ] {
            assert_eq!(Scope::demangle(name), (scope, plain), "{}", name.escape_ascii());
        }
    }

    #[test]
    fn an_ancestors_private_property_gives_way() {
        let mut properties = Array::new();
        for (name, value) in
            [("\0app\\JOB\0x", 1), ("\0*\0y", 2), ("\0Base\0x", 3), ("\0Base\0z", 4), ("\0Base\0z", 5)]
        {
            properties.push(name, value);
        }
        let object = Object::new("App\\Job", properties);
        let get = |name: &str| object.get(name).and_then(Value::as_int);
        assert_eq!((get("x"), get("y"), get("z"), get("nope")), (Some(1), Some(2), Some(5), None));
        let members: Vec<_> = object.properties().members(Some(object.class()));
        let members: Vec<_> =
            members.iter().map(|(name, value)| (name.to_string(), value.as_int())).collect();
        assert_eq!(members, [("x".into(), Some(1)), ("y".into(), Some(2)), ("z".into(), Some(5))]);
    }
}
