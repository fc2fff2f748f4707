//! Lossless JSON into a value.
//!
//! Owns what the tags take. Never makes a value that PHP could not have written: names, numbers and references
//! are held to what [`parse`](crate::php::parse()) takes, and so are size, depth and count. Counterpart in PHP:
//! none.

use struson::reader::ValueType;

use super::source::Source;
use crate::php::Limits;
use crate::php::array::{Array, Key};
use crate::php::error::Error;
use crate::php::object::{Case, Custom, Object, is_case_name, is_class_name};
use crate::php::parse::{is_float, is_int};
use crate::php::value::{Float, Int, Str, Value};
use crate::php::walk::Builder;

const TAGS: &str = "int, float, bytes, escaped, array, object, custom, enum, same, reference";

/// Reads the value that [`to_lossless`](super::to_lossless) wrote.
///
/// Errors, with their byte offset in the text: what is not the JSON described at [the module](super); what no
/// PHP writes (a reference that leads nowhere, a class that cannot be named so); more than the default
/// [`Limits`].
pub fn from_lossless(json: &str) -> Result<Value, Error> {
    let limits = Limits::default();
    if json.len() > limits.size {
        let problem = format!("{} bytes are more than the limit of {}", json.len(), limits.size);
        return Err(Error::Limit { offset: 0, problem });
    }
    let mut reader =
        Reader { json: Source::of(json), limits, values: 0, objects: Vec::new(), certain: usize::MAX };
    let value = reader.document()?;
    reader.json.finish()?;
    Ok(value)
}

struct Reader<'a> {
    json: Source<'a>,
    limits: Limits,
    values: usize,
    /// For every slot so far (see [`Value::Same`]): is it an object?
    objects: Vec<bool>,
    /// How many slots came up to the first `C:` object: its bytes may hold more, which are not seen.
    certain: usize,
}

/// An array or object that is half read.
struct Open {
    form: Form,
    /// Its properties stand in `["Class", ...]`.
    object: bool,
}

enum Form {
    /// The index that comes next.
    List(i64),
    Names,
    Pairs,
}

impl Reader<'_> {
    fn document(&mut self) -> Result<Value, Error> {
        let mut builder = Builder::default();
        let mut open: Vec<Open> = Vec::new();
        loop {
            let (value, container) = self.value()?;
            builder.value(value);
            match container {
                Some(container) => open.push(container),
                None => self.ended(&open)?,
            }
            loop {
                let depth = open.len();
                let Some(top) = open.last_mut() else { return Ok(builder.finish()) };
                if self.json.has_next()? {
                    // As in PHP, an empty container does not count as a level.
                    if depth > self.limits.depth {
                        return Err(self.json.beyond("Maximum depth of", self.limits.depth));
                    }
                    builder.key(self.key(&mut top.form)?);
                    break;
                }
                self.close(top)?;
                open.pop();
                builder.end();
                self.ended(&open)?;
            }
        }
    }

    /// A whole scalar; or an array or object up to its first entry, with the form of its entries.
    fn value(&mut self) -> Result<(Value, Option<Open>), Error> {
        self.values += 1;
        if self.values > self.limits.count {
            return Err(self.json.beyond("Maximum count of values of", self.limits.count));
        }
        let (value, open) = match self.json.peek()? {
            ValueType::Null => (self.json.null().map(|()| Value::Null)?, None),
            ValueType::Boolean => (Value::Bool(self.json.bool()?), None),
            ValueType::Number => (Value::Int(self.json.int()?), None),
            ValueType::String => (Value::Str(self.json.string()?.as_str().into()), None),
            ValueType::Array => {
                self.json.begin_array()?;
                (Value::Array(Array::new()), Some(Open { form: Form::List(0), object: false }))
            }
            ValueType::Object => self.tagged()?,
        };
        if !matches!(value, Value::Reference(_)) {
            self.objects.push(value.class().is_some() || matches!(value, Value::Same(_)));
        }
        if matches!(value, Value::Custom(_)) {
            self.certain = self.certain.min(self.objects.len());
        }
        Ok((value, open))
    }

    fn tagged(&mut self) -> Result<(Value, Option<Open>), Error> {
        let tag = self.json.tag()?;
        let value = match tag.as_str() {
            "array" => {
                let open = Open { form: self.entries()?, object: false };
                return Ok((Value::Array(Array::new()), Some(open)));
            }
            "object" => {
                self.json.begin_array()?;
                let class = self.class()?;
                let open = Open { form: self.entries()?, object: true };
                return Ok((Object::new(class, Array::new()).into(), Some(open)));
            }
            "float" => {
                let text = self.json.string()?;
                if !is_float(text.as_bytes()) {
                    return Err(self.json.bad("float", text.as_bytes()));
                }
                Value::Float(Float::read(text.as_bytes()))
            }
            "custom" => {
                self.json.begin_array()?;
                let custom = Custom::new(&self.class()?, &self.json.bytes()?);
                self.json.end_array()?;
                Value::Custom(Box::new(custom))
            }
            "enum" => {
                self.json.begin_array()?;
                let (class, case) = (self.class()?, self.json.bytes()?);
                if !is_case_name(&case) {
                    return Err(self.json.bad("the name of a case", &case));
                }
                self.json.end_array()?;
                Value::Enum(Box::new(Case::new(&class, &case)))
            }
            "same" => Value::Same(self.slot(true)?),
            "reference" => Value::Reference(self.slot(false)?),
            _ => match self.scalar(&tag)? {
                Key::Int(value) => Value::Int(value),
                Key::Str(value) => Value::Str(value),
            },
        };
        self.json.end_object()?;
        Ok((value, None))
    }

    /// What stands under a tag that keys may have, too.
    fn scalar(&mut self, tag: &str) -> Result<Key, Error> {
        match tag {
            "int" => {
                let text = self.json.string()?;
                if !is_int(text.as_bytes()) {
                    return Err(self.json.bad("int", text.as_bytes()));
                }
                Ok(Key::Int(Int::read(text.as_bytes())))
            }
            "bytes" => Ok(Key::Str(self.json.base64()?[..].into())),
            "escaped" => {
                let written = self.json.bytes()?;
                let Some(bytes) = unescaped(&written) else {
                    return Err(self.json.bad("two hex digits after every \\", &written));
                };
                Ok(Key::Str(Str::escaped(bytes, &written)))
            }
            _ => Err(self.json.bad(&format!("a tag (one of {TAGS})"), tag.as_bytes())),
        }
    }

    fn key(&mut self, form: &mut Form) -> Result<Key, Error> {
        match form {
            Form::List(next) => {
                *next += 1;
                Ok(Key::from(*next - 1))
            }
            Form::Names => Ok(Key::Str(self.json.name()?.as_str().into())),
            Form::Pairs => {
                self.json.begin_array()?;
                match self.json.peek()? {
                    ValueType::Number => self.json.int().map(Key::Int),
                    ValueType::Object => {
                        let tag = self.json.tag()?;
                        let key = self.scalar(&tag)?;
                        self.json.end_object()?;
                        Ok(key)
                    }
                    _ => Ok(Key::Str(self.json.string()?.as_str().into())),
                }
            }
        }
    }

    /// The opening of the entries under a tag.
    fn entries(&mut self) -> Result<Form, Error> {
        if self.json.peek()? == ValueType::Object {
            self.json.begin_object()?;
            return Ok(Form::Names);
        }
        self.json.begin_array()?;
        Ok(Form::Pairs)
    }

    /// What comes after the last entry.
    fn close(&mut self, open: &Open) -> Result<(), Error> {
        match open.form {
            Form::List(_) => return self.json.end_array(),
            Form::Names => self.json.end_object()?,
            Form::Pairs => self.json.end_array()?,
        }
        if open.object {
            self.json.end_array()?;
        }
        self.json.end_object()
    }

    /// What comes after a whole value.
    fn ended(&mut self, open: &[Open]) -> Result<(), Error> {
        match open.last() {
            Some(Open { form: Form::Pairs, .. }) => self.json.end_array(),
            _ => Ok(()),
        }
    }

    /// The slot of an earlier value.
    fn slot(&mut self, of_object: bool) -> Result<usize, Error> {
        let written = self.json.number()?;
        let index = written.parse().unwrap_or(0);
        if index == 0 || index > self.objects.len() && self.certain == usize::MAX {
            return Err(self.json.bad("the slot of an earlier value", written.as_bytes()));
        }
        let wrong = || !self.objects.get(index - 1).is_some_and(|object| *object);
        if of_object && index <= self.certain && wrong() {
            return Err(self.json.bad("the slot of an earlier object", written.as_bytes()));
        }
        Ok(index)
    }

    fn class(&mut self) -> Result<Vec<u8>, Error> {
        let class = self.json.bytes()?;
        if is_class_name(&class) { Ok(class) } else { Err(self.json.bad("the name of a class", &class)) }
    }
}

/// The bytes that `a\62c` means: `\` and two hex digits are one.
fn unescaped(written: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(written.len());
    let mut rest = written.iter().map(|byte| char::from(*byte));
    while let Some(char) = rest.next() {
        let value = match char {
            '\\' => rest.next()?.to_digit(16)? << 4 | rest.next()?.to_digit(16)?,
            plain => u32::from(plain),
        };
        bytes.push(u8::try_from(value).ok()?);
    }
    Some(bytes)
}
