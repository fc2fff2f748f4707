//! Parsing: bytes into a `Value`.
//!
//! Owns the grammar, and takes what `unserialize()` of PHP 8 takes, with these differences on purpose: bytes
//! after the value are an error; lengths, counts and slot numbers must be written as PHP writes them (no
//! sign, no leading zeros, no overflow). Never loads a class, so names are not looked up. Counterpart in PHP:
//! var_unserializer.re.

use super::array::Key;
use super::error::{Error, quote};
use super::object::{Case, Custom, Object, is_case_name, is_class_name};
use super::value::{Float, Int, Str, Value};
use super::walk::Builder;
use super::{Array, Limits};

/// Parses bytes that PHP's `serialize()` wrote, within the default [`Limits`].
pub fn parse(bytes: &[u8]) -> Result<Value, Error> {
    Limits::default().parse(bytes)
}

impl Limits {
    /// Parses bytes that PHP's `serialize()` wrote, within these limits.
    pub fn parse(&self, bytes: &[u8]) -> Result<Value, Error> {
        self.parse_part(bytes, 1)
    }

    /// The same for a value that stood inside another, there in this slot (see [`Value::Same`]): references in it are
    /// counted anew, as if it stood alone.
    ///
    /// Errors: also where a reference leads out of it.
    pub fn parse_part(&self, bytes: &[u8], slot: usize) -> Result<Value, Error> {
        if bytes.len() > self.size {
            let problem = format!("{} bytes are more than the limit of {}", bytes.len(), self.size);
            return Err(Error::Limit { offset: 0, problem });
        }
        let mut parser = Parser {
            bytes,
            at: 0,
            limits: self,
            values: 0,
            objects: Vec::new(),
            certain: usize::MAX,
            before: slot - 1,
        };
        let value = parser.document()?;
        if parser.at < bytes.len() {
            return Err(parser.wrong("nothing after the value"));
        }
        Ok(value)
    }
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
    limits: &'a Limits,
    values: usize,
    /// For every slot so far (see [`Value::Same`]): is it an object?
    objects: Vec<bool>,
    /// How many slots came up to the first `C:` object: its bytes may hold more, which we do not see.
    certain: usize,
    /// How many slots of another value come before this one's.
    before: usize,
}

impl<'a> Parser<'a> {
    fn document(&mut self) -> Result<Value, Error> {
        let mut builder = Builder::default();
        // For every open container: how many entries are still to come.
        let mut open: Vec<usize> = Vec::new();
        loop {
            let start = self.at;
            let (value, count) = self.value()?;
            builder.value(value);
            if let Some(count) = count {
                // As in PHP, an empty container does not count as a level.
                if count > 0 && open.len() >= self.limits.depth {
                    return Err(self.beyond(start, "Maximum depth of", self.limits.depth));
                }
                open.push(count);
            }
            loop {
                match open.last_mut() {
                    None => return Ok(builder.finish()),
                    Some(0) => {
                        self.expect(b"}")?;
                        open.pop();
                        builder.end();
                    }
                    Some(count) => {
                        *count -= 1;
                        builder.key(self.key()?);
                        break;
                    }
                }
            }
        }
    }

    /// A whole scalar; or an array or object up to its first entry, with the number of its entries.
    fn value(&mut self) -> Result<(Value, Option<usize>), Error> {
        let start = self.at;
        let kind = self.kind()?;
        let slots = self.objects.len();
        self.values += 1;
        if self.values > self.limits.count {
            return Err(self.beyond(start, "Maximum count of values of", self.limits.count));
        }
        if kind != b'R' {
            self.objects.push(matches!(kind, b'O' | b'C' | b'E' | b'r'));
        }
        let value = match kind {
            b'N' => {
                self.expect(b";")?;
                Value::Null
            }
            b'b' => {
                let value = match self.text(b';')? {
                    b"0" => false,
                    b"1" => true,
                    other => return Err(self.bad(start, "bool", other)),
                };
                Value::Bool(value)
            }
            b'i' => Value::Int(self.int(start)?),
            b'd' => {
                let text = self.text(b';')?;
                if !is_float(text) {
                    return Err(self.bad(start, "float", text));
                }
                Value::Float(Float::read(text))
            }
            b's' => Value::Str(self.string()?),
            b'S' => Value::Str(self.escaped()?),
            b'a' => {
                let count = self.count()?;
                return Ok((Value::Array(Array::new()), Some(count)));
            }
            b'O' => {
                let class = self.class()?;
                self.expect(b":")?;
                let count = self.count()?;
                return Ok((Object::new(class, Array::new()).into(), Some(count)));
            }
            b'C' => {
                let class = self.class()?;
                self.expect(b":")?;
                let length = self.number(b':')?;
                self.expect(b"{")?;
                let body = self.take(length)?;
                self.expect(b"}")?;
                self.certain = self.certain.min(self.objects.len());
                Value::Custom(Box::new(Custom::new(class, body)))
            }
            b'E' => self.case(start)?,
            b'r' | b'R' => self.reference(start, kind, slots)?,
            _ => {
                self.at = start;
                return Err(self.wrong("a type (one of N b i d s S a O C E r R)"));
            }
        };
        Ok((value, None))
    }

    fn key(&mut self) -> Result<Key, Error> {
        let start = self.at;
        match self.kind()? {
            b'i' => Ok(Key::Int(self.int(start)?)),
            b's' => Ok(Key::Str(self.string()?)),
            b'S' => Ok(Key::Str(self.escaped()?)),
            _ => {
                self.at = start;
                Err(self.wrong("a key (int or string)"))
            }
        }
    }

    /// The letter of a type and, except after `N`, its colon.
    fn kind(&mut self) -> Result<u8, Error> {
        let Some(kind) = self.bytes.get(self.at).copied() else {
            return Err(self.wrong("a value"));
        };
        self.at += 1;
        if kind != b'N' && kind.is_ascii_alphabetic() {
            self.expect(b":")?;
        }
        Ok(kind)
    }

    fn int(&mut self, start: usize) -> Result<Int, Error> {
        let text = self.text(b';')?;
        if !is_int(text) {
            return Err(self.bad(start, "int", text));
        }
        Ok(Int::read(text))
    }

    fn string(&mut self) -> Result<Str, Error> {
        let text = self.quoted()?;
        self.expect(b";")?;
        Ok(text.into())
    }

    /// The rest of `S:3:"a\62c";`: the length is that of the bytes meant, `\` and two hex digits are one
    /// byte.
    fn escaped(&mut self) -> Result<Str, Error> {
        let length = self.number(b':')?;
        self.expect(b"\"")?;
        self.available(length)?;
        let start = self.at;
        let mut bytes = Vec::new();
        while bytes.len() < length {
            match self.take(1)? {
                b"\\" => {
                    let escape = self.at;
                    let pair = self.take(2)?;
                    let [Some(high), Some(low)] =
                        [pair[0], pair[1]].map(|digit| char::from(digit).to_digit(16))
                    else {
                        return Err(self.bad(escape, "two hex digits after \\", pair));
                    };
                    bytes.push((high << 4 | low) as u8);
                }
                plain => bytes.extend_from_slice(plain),
            }
        }
        let written = &self.bytes[start..self.at];
        self.expect(b"\";")?;
        Ok(Str::escaped(bytes, written))
    }

    fn class(&mut self) -> Result<&'a [u8], Error> {
        let start = self.at;
        let class = self.quoted()?;
        if !is_class_name(class) {
            return Err(self.bad(start, "the name of a class", class));
        }
        Ok(class)
    }

    fn case(&mut self, start: usize) -> Result<Value, Error> {
        let text = self.quoted()?;
        self.expect(b";")?;
        let colon = text.iter().position(|byte| *byte == b':');
        let Some((class, name)) = colon.map(|at| (&text[..at], &text[at + 1..])) else {
            let problem = format!("Invalid enum name {} (missing colon)", quote(text));
            return Err(self.syntax(start, problem));
        };
        if !is_class_name(class) || !is_case_name(name) {
            return Err(self.bad(start, "an enum and its case", text));
        }
        Ok(Value::Enum(Box::new(Case::new(class, name))))
    }

    /// `slots`: how many were taken before this value, and so can be pointed at.
    fn reference(&mut self, start: usize, kind: u8, slots: usize) -> Result<Value, Error> {
        let number = self.number(b';')?;
        let written = &self.bytes[start..self.at];
        let index = number.saturating_sub(self.before);
        if index == 0 || index > slots && self.certain == usize::MAX {
            return Err(self.bad(start, "a reference to an earlier value", written));
        }
        if kind == b'R' {
            return Ok(Value::Reference(index));
        }
        if index <= self.certain && !self.objects[index - 1] {
            return Err(self.bad(start, "a reference to an earlier object", written));
        }
        Ok(Value::Same(index))
    }

    /// The rest of `3:"abc"`.
    fn quoted(&mut self) -> Result<&'a [u8], Error> {
        let length = self.number(b':')?;
        self.expect(b"\"")?;
        let text = self.take(length)?;
        self.expect(b"\"")?;
        Ok(text)
    }

    /// The rest of `2:{`. More entries than bytes are left cannot be: refused before anything is made for
    /// them.
    fn count(&mut self) -> Result<usize, Error> {
        let count = self.number(b':')?;
        self.expect(b"{")?;
        self.available(count)?;
        Ok(count)
    }

    /// A length, count or slot number and the byte that ends it.
    fn number(&mut self, end: u8) -> Result<usize, Error> {
        let start = self.at;
        let text = self.text(end)?;
        let canonical = matches!(text, [b'0'] | [b'1'..=b'9', ..]) && text.iter().all(u8::is_ascii_digit);
        let number =
            std::str::from_utf8(text).ok().filter(|_| canonical).and_then(|digits| digits.parse().ok());
        number.ok_or_else(|| self.bad(start, "a number", text))
    }

    /// What stands before the byte `end`, which is passed over. All that is read so is short.
    fn text(&mut self, end: u8) -> Result<&'a [u8], Error> {
        let rest = &self.bytes[self.at..];
        // A float may have many digits, but whatever is wrong should be noticed where it stands.
        let length = rest
            .iter()
            .position(|byte| !matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'A'..=b'Z' | b'e'));
        let text = &rest[..length.unwrap_or(rest.len())];
        self.at += text.len();
        self.expect(&[end])?;
        Ok(text)
    }

    fn expect(&mut self, wanted: &[u8]) -> Result<(), Error> {
        for byte in wanted {
            if self.bytes.get(self.at) != Some(byte) {
                return Err(self.wrong(&quote(&[*byte])));
            }
            self.at += 1;
        }
        Ok(())
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Error> {
        self.available(length)?;
        let taken = &self.bytes[self.at..self.at + length];
        self.at += length;
        Ok(taken)
    }

    fn available(&self, length: usize) -> Result<(), Error> {
        let left = self.bytes.len() - self.at;
        if length <= left {
            return Ok(());
        }
        Err(self.syntax(self.at, format!("Insufficient data: {length} required, {left} present")))
    }

    /// Something else than `expected` stands here.
    fn wrong(&self, expected: &str) -> Error {
        let rest = &self.bytes[self.at..];
        let found = if rest.is_empty() { "the end".into() } else { quote(&rest[..rest.len().min(12)]) };
        self.syntax(self.at, format!("expected {expected}, found {found}"))
    }

    /// `text`, read from `start`, is not a good `expected`.
    fn bad(&self, start: usize, expected: &str, text: &[u8]) -> Error {
        self.syntax(start, format!("expected {expected}, found {}", quote(text)))
    }

    fn syntax(&self, offset: usize, problem: String) -> Error {
        Error::Syntax { offset, length: self.bytes.len(), problem }
    }

    fn beyond(&self, offset: usize, what: &str, limit: usize) -> Error {
        Error::Limit { offset, problem: format!("{what} {limit} exceeded") }
    }
}

pub(super) fn is_int(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"+").or_else(|| text.strip_prefix(b"-")).unwrap_or(text);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

pub(super) fn is_float(text: &[u8]) -> bool {
    if matches!(text, b"INF" | b"-INF" | b"NAN") {
        return true;
    }
    let (mantissa, exponent) = match text.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let mantissa = mantissa.strip_prefix(b"+").or_else(|| mantissa.strip_prefix(b"-")).unwrap_or(mantissa);
    let points = mantissa.iter().filter(|byte| **byte == b'.').count();
    let digits = mantissa.iter().filter(|byte| byte.is_ascii_digit()).count();
    points <= 1 && digits >= 1 && points + digits == mantissa.len() && exponent.is_none_or(is_int)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Taken and refused by `unserialize()` of PHP 8.2, each tried with `php -r` (classes P, SR and enum Suit
    /// exist there), or our difference on purpose.
    #[test]
    fn takes_what_php_takes() {
        let plain = r#"
            N; b:0; b:1; i:5; i:+5; i:-0; i:007; i:9223372036854775808; i:-99999999999999999999; d:0.1;
            d:1.0E+25; d:1e5; d:+1.5; d:-0; d:.5; d:5.; d:1.e5; d:.5e5; d:+.5e-3; d:INF; d:-INF; d:NAN;
            d:1.5e+300000; s:0:""; s:3:"a"c"; S:3:"a\62c"; S:1:"\4a"; S:1:"\4A"; S:3:"abc"; S:1:"\22";
            a:0:{} a:1:{i:+5;N;} a:2:{i:5;i:1;s:1:"5";i:2;} a:1:{S:1:"\35";i:1;} a:1:{i:0;R:1;}
            a:1:{i:99999999999999999999;N;} O:1:"P":0:{} O:1:"P":2:{s:1:"a";i:1;s:1:"a";i:2;}
            O:8:"stdClass":1:{i:5;i:1;} O:6:"NoSuch":0:{} O:2:"1a":0:{} O:2:"é":0:{}
            O:1:"P":1:{s:1:"a";r:1;} C:2:"SR":3:{abc} C:2:"SR":1:{}} E:11:"Suit:Hearts";
            a:3:{i:0;O:1:"P":0:{}i:1;r:2;i:2;r:3;} a:4:{i:0;i:1;i:1;R:2;i:2;i:3;i:3;R:3;}
        "#;
        for text in plain.split_whitespace().chain(["O:1:\"P\":1:{s:4:\"\0*\0a\";i:1;}"]) {
            let value = parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(value.write(), text.as_bytes(), "{text}");
        }
    }

    #[test]
    fn refuses_what_php_refuses() {
        let plain = r#"
            N n; N: b:2; b:10; b:-1; b:; b:true; B:1; i:; i:+; i:--5; i:5 i:1: d:; d:.; d:-.; d:nan; d:inf;
            d:+INF; d:-NAN; d:1.5e; d:1e+; d:e5; d:0x1A; d:1_0; d:1.2.3; s:3:"abc" s:3:"abcd"; s:4:"abc";
            s:+3:"abc"; s:-3:"abc"; s:3:'abc'; s:9999999999999:" S:1:"\zz"; S:3:"a\6"; S:4:"ab";
            a:1:{i:0;i:1; a:1:{i:0;i:1;i:2;i:3;} a:2:{i:0;i:1;} a:-1:{} a:1:{d:0.5;i:1;} a:1:{b:1;i:1;}
            a:1:{N;i:1;} a:1:{a:0:{}i:1;} a:1:{r:1;i:1;} a:1:{R:1;i:1;} a:1:{i:0;a:0:{};}
            a:4294967295:{i:0;N;} r:1; R:1; a:1:{i:0;r:1;} a:2:{i:0;i:7;i:1;r:2;} a:2:{i:0;i:7;i:1;r:3;}
            a:2:{i:0;i:7;i:1;R:3;} a:2:{i:0;i:7;i:1;R:0;} a:2:{i:0;i:7;i:1;R:+2;} O:0:"":0:{}
            O:7:"\NoSuch":0:{} O:15:"class@anonymous":0:{} O:1:"P":0;{} O:1:"P":-1:{} O:1:"P":1:{d:5;i:1;}
            C:2:"SR":4:{abc} C:2:"SR":3:{abcd} C:2:"a-":0:{} E:4:"Suit"; E:5:"Suit:"; E:7:":Hearts";
            E:12:"Suit::Hearts"; E:11:"Suit:Hearts" x:1; o:1:{} U:1:"a"; } ;
        "#;
        // PHP takes these, and no PHP writes them.
        let ours = r#"
            i:1;x i:1;} a:0:{}; s:03:"abc"; S:03:"abc"; a:01:{i:0;i:1;} O:01:"P":0:{} O:1:"P":+0:{}
            C:2:"SR":+3:{abc} E:011:"Suit:Hearts"; a:2:{i:0;i:7;i:1;R:02;} s:18446744073709551619:"abc";
        "#;
        let odd = [
            "",
            "i: 5;",
            "i:5 ;",
            "s: 3:\"abc\";",
            "O:8:\"No Such!\":0:{}",
            "O:2:\"a\x7f\":0:{}",
            " i:1;",
            "\0",
        ];
        for text in plain.split_whitespace().chain(ours.split_whitespace()).chain(odd) {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn errors_name_the_byte_and_what_stands_there() {
        for (text, message) in [
            ("", "Error at offset 0 of 0 bytes: expected a value, found the end"),
            ("i:5", "Error at offset 3 of 3 bytes: expected \";\", found the end"),
            (
                "i:1;GARBAGE",
                "Error at offset 4 of 11 bytes: expected nothing after the value, found \"GARBAGE\"",
            ),
            (
                "a:1:{i:0;x:1;}",
                "Error at offset 9 of 14 bytes: expected a type (one of N b i d s S a O C E r R), found \"x:1;}\"",
            ),
            ("s:4:\"abc\";", "Error at offset 9 of 10 bytes: expected \"\\\"\", found \";\""),
            (
                "s:9999999999999:\"x",
                "Error at offset 17 of 18 bytes: Insufficient data: 9999999999999 required, 1 present",
            ),
            (
                "a:4294967295:{",
                "Error at offset 14 of 14 bytes: Insufficient data: 4294967295 required, 0 present",
            ),
            ("E:4:\"Suit\";", "Error at offset 0 of 11 bytes: Invalid enum name \"Suit\" (missing colon)"),
            (
                "a:1:{i:0;r:1;}",
                "Error at offset 9 of 14 bytes: expected a reference to an earlier object, found \"r:1;\"",
            ),
            ("d:1.2.3;", "Error at offset 0 of 8 bytes: expected float, found \"1.2.3\""),
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), format!("unserialize(): {message}"), "{text}");
        }
    }

    #[test]
    fn limits_hold() {
        let nested = |levels: usize, end: &str| {
            ["a:1:{i:0;".repeat(levels).as_str(), end, "}".repeat(levels).as_str()].concat().into_bytes()
        };
        assert!(parse(&nested(4096, "N;")).is_ok());
        assert!(parse(&nested(4096, "a:0:{}")).is_ok());
        let error = parse(&nested(4097, "N;")).unwrap_err();
        assert_eq!(error.to_string(), "unserialize(): Maximum depth of 4096 exceeded (at offset 36864)");

        let limits = Limits { count: 3, size: 20, ..Limits::default() };
        assert!(limits.parse(b"a:2:{i:0;N;i:1;R:1;}").is_ok());
        assert!(matches!(limits.parse(b"a:3:{i:0;N;i:1;N;i:2"), Err(Error::Syntax { offset: 20, .. })));
        assert!(matches!(limits.parse(b"s:13:\"0123456789012\";"), Err(Error::Limit { offset: 0, .. })));
        let limits = Limits { count: 2, ..Limits::default() };
        assert!(matches!(limits.parse(b"a:2:{i:0;N;i:1;R:1;}"), Err(Error::Limit { offset: 15, .. })));
    }

    fn quoted(kind: char, text: &[u8]) -> Vec<u8> {
        [format!("{kind}:{}:\"", text.len()).as_bytes(), text, b"\""].concat()
    }

    fn scalar() -> impl Strategy<Value = Vec<u8>> {
        let escaped = vec(any::<u8>(), 0..5).prop_map(|bytes| {
            let text: String = bytes.iter().map(|byte| format!("\\{byte:02X}")).collect();
            format!("S:{}:\"{text}\";", bytes.len()).into_bytes()
        });
        prop_oneof![
            Just(b"N;".to_vec()),
            "b:[01];".prop_map(String::into_bytes),
            "i:[+-]?[0-9]{1,22};".prop_map(String::into_bytes),
            "d:([+-]?[0-9]{1,20}(\\.[0-9]{0,20})?([eE][+-]?[0-9]{1,3})?|NAN|-?INF);"
                .prop_map(String::into_bytes),
            string(),
            escaped,
            "E:3:\"[A-Z]:[a-z]\";".prop_map(String::into_bytes),
            vec(any::<u8>(), 0..6).prop_map(|body| [
                format!("C:1:\"C\":{}:{{", body.len()).as_bytes(),
                &body,
                b"}"
            ]
            .concat()),
            Just(b"R:1;".to_vec()),
        ]
    }

    fn string() -> impl Strategy<Value = Vec<u8>> {
        let mangled = "(\0\\*\0|\0[A-Z]\0)?[a-z]{0,2}".prop_map(String::into_bytes);
        prop_oneof![vec(any::<u8>(), 0..8), mangled].prop_map(|text| [&quoted('s', &text)[..], b";"].concat())
    }

    /// What PHP could have written, as bytes. Always inside an array, so that `R:1;` leads somewhere.
    pub(in crate::php) fn serialized() -> impl Strategy<Value = Vec<u8>> {
        let value = scalar().prop_recursive(5, 60, 5, |inner| {
            let key = prop_oneof!["i:-?[0-9]{1,3};".prop_map(String::into_bytes), string()];
            let entries = vec((key, inner).prop_map(|(key, value)| [key, value].concat()), 0..5);
            (entries, proptest::option::of("[A-Za-z_\\x{e9}][A-Z\\\\a-z0-9]{0,4}")).prop_map(
                |(entries, class)| {
                    let head = match class {
                        Some(class) => [&quoted('O', class.as_bytes())[..], b":"].concat(),
                        None => b"a:".to_vec(),
                    };
                    [&head[..], format!("{}:{{", entries.len()).as_bytes(), &entries.concat(), b"}"].concat()
                },
            )
        });
        value.prop_map(|value| [b"a:1:{i:0;", &value[..], b"}"].concat())
    }

    proptest! {
        #[test]
        fn written_back_byte_for_byte(bytes in serialized()) {
            let value = parse(&bytes).unwrap();
            prop_assert_eq!(value.write(), &bytes[..]);
            prop_assert_eq!(value.clone(), value);
        }

        #[test]
        fn every_cut_is_an_error(bytes in serialized(), cut in any::<prop::sample::Index>()) {
            prop_assert!(parse(&bytes[..cut.index(bytes.len())]).is_err());
        }

        #[test]
        fn mutated_bytes_never_panic(bytes in serialized(), changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
            let mut bytes = bytes;
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if let Ok(value) = parse(&bytes) {
                prop_assert_eq!(value.write(), &bytes[..]);
                let _ = value.to_json();
                let _ = crate::php::from_value::<serde_json::Value>(&value);
                let _ = crate::php::from_value::<crate::php::Model>(&value);
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..64), tokens in "([NbidsSaOCErR]:[0-9]{1,2}[:;][\"{}]?){0,8}") {
            let _ = parse(&bytes);
            let _ = parse(tokens.as_bytes());
        }
    }
}
