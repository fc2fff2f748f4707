//! Objects with the visibilities their class declares.
//!
//! Owns how properties are told to be protected or private. Never checks them against PHP: a property declared
//! otherwise there becomes a second one of its name. Counterpart in PHP: a class declaration.

use serde::Serialize;

use super::{Serializer, checked};
use crate::php::array::{Array, Key};
use crate::php::error::{Error, quote};
use crate::php::object::Object;
use crate::php::value::Value;

/// A PHP class, as far as its objects show it: its name, and which of its properties are not public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    name: String,
    /// Properties that are not public, with what stands between the NULs of their mangled names.
    hidden: Vec<(String, String)>,
}

/// The way to an object of that class, made of a Rust struct or map:
///
/// ```
/// use handover::php;
///
/// #[derive(serde::Serialize)]
/// struct SendWelcomeEmail {
///     user: i64,
///     token: String,
/// }
///
/// let job = SendWelcomeEmail { user: 5, token: "t".into() };
/// let object = php::object("App\\Jobs\\SendWelcomeEmail").protected(["user"]).private(["token"]).of(&job)?;
/// assert_eq!(object.get("user").and_then(php::Value::as_int), Some(5));
/// # Ok::<(), php::Error>(())
/// ```
pub fn object(class: impl Into<String>) -> Class {
    let name = class.into();
    Class { name: name.strip_prefix('\\').map_or(name.clone(), str::to_owned), hidden: Vec::new() }
}

impl Class {
    /// These properties are protected.
    pub fn protected<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Class {
        self.hide("*".to_owned(), names)
    }

    /// These properties are private to the class itself.
    pub fn private<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Class {
        let class = self.name.clone();
        self.hide(class, names)
    }

    /// These properties are private to `class`, an ancestor.
    pub fn private_to<N: Into<String>>(
        self,
        class: impl Into<String>,
        names: impl IntoIterator<Item = N>,
    ) -> Class {
        let Class { name: class, .. } = object(class);
        self.hide(class, names)
    }

    /// The object whose properties are the fields of `fields`, a struct or a map; everything inside as
    /// [`to_value`](super::to_value) makes it.
    ///
    /// Errors, beside those: a class that cannot be named so; a visibility for a field that is not there;
    /// `fields` without fields, such as a list.
    pub fn of<T: Serialize + ?Sized>(&self, fields: &T) -> Result<Value, Error> {
        fields.serialize(Serializer { depth: 0, class: Some(self), raw: false })
    }

    fn hide<N: Into<String>>(mut self, owner: String, names: impl IntoIterator<Item = N>) -> Class {
        self.hidden.extend(names.into_iter().map(|name| (name.into(), owner.clone())));
        self
    }

    /// The object of these properties, which come with plain names.
    pub(super) fn object(&self, mut properties: Array, skipped: &[&str]) -> Result<Value, Error> {
        let class = checked(&self.name)?;
        for (name, owner) in &self.hidden {
            if owner != "*" {
                checked(owner)?;
            }
            let property =
                properties.entries.iter_mut().find(|(key, _)| key.as_bytes() == Some(name.as_bytes()));
            match property {
                Some((key, _)) => *key = Key::Str(format!("\0{owner}\0{name}").as_str().into()),
                None if skipped.contains(&name.as_str()) => {}
                None => {
                    let name = quote(name.as_bytes());
                    return Err(Error::mismatch(format!(
                        "expected a field {name} to hide in {class}, found none"
                    )));
                }
            }
        }
        Ok(Object::new(class, properties).into())
    }

    pub(super) fn wants_fields(&self, found: &str) -> Error {
        Error::mismatch(format!("expected a struct or map to make an object {} of, found {found}", self.name))
    }
}
