//! Reads what PHP's `var_export` writes: the file that `php artisan config:cache` leaves.
//!
//! Literals alone; everything else is refused with its offset, for only PHP could tell what it means. Counterpart in
//! PHP: `var_export`, and `require` of such a file.

use super::tree::Tree;

/// How deep arrays may nest.
const DEPTH: usize = 200;

/// The value that this file returns; else what was found where.
pub(super) fn returned(file: &[u8]) -> Result<Tree, String> {
    let mut reader = Reader { bytes: file, at: 0, depth: 0 };
    reader.expect("<?php")?;
    reader.expect("return")?;
    let value = reader.value()?;
    reader.expect(";")?;
    reader.space();
    match reader.at == file.len() {
        true => Ok(value),
        false => Err(reader.odd("the end of the file")),
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    fn space(&mut self) {
        self.at += self.rest().iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    }

    /// Takes the word where it is next; case does not count, as in PHP.
    fn take(&mut self, word: &str) -> bool {
        self.space();
        let rest = self.rest();
        let found = rest.len() >= word.len() && rest[..word.len()].eq_ignore_ascii_case(word.as_bytes());
        let ends = !word.as_bytes()[word.len() - 1].is_ascii_alphanumeric()
            || !rest.get(word.len()).is_some_and(|byte| is_word(*byte));
        self.at += if found && ends { word.len() } else { 0 };
        found && ends
    }

    fn expect(&mut self, word: &str) -> Result<(), String> {
        if self.take(word) { Ok(()) } else { Err(self.odd(&format!("[{word}]"))) }
    }

    /// What is there instead: a kind and never a text, which may be a secret.
    fn odd(&self, expected: &str) -> String {
        let found = match self.rest() {
            [] => "the end of the file".to_owned(),
            [b'\'' | b'"', ..] => "a text".to_owned(),
            [byte, ..] if is_word(*byte) || *byte == b'\\' => {
                let word = self.rest().iter().take_while(|byte| is_word(**byte) || **byte == b'\\').take(60);
                format!("[{}]", String::from_utf8_lossy(&word.copied().collect::<Vec<u8>>()))
            }
            [byte, ..] => format!("[{}]", byte.escape_ascii()),
        };
        format!("at offset {}: {expected} was expected, {found} found", self.at)
    }

    fn value(&mut self) -> Result<Tree, String> {
        self.space();
        let first = self.rest().first().copied();
        if self.take("array") {
            self.expect("(")?;
            return self.entries();
        }
        for (word, value) in [
            ("NULL", Tree::Null),
            ("true", Tree::Bool(true)),
            ("false", Tree::Bool(false)),
            ("INF", Tree::Float(f64::INFINITY)),
            ("-INF", Tree::Float(f64::NEG_INFINITY)),
            ("NAN", Tree::Float(f64::NAN)),
        ] {
            if self.take(word) {
                return Ok(value);
            }
        }
        match first {
            Some(b'\'' | b'"') => Ok(Tree::Text(String::from_utf8_lossy(&self.text()?).into_owned())),
            Some(b'0'..=b'9' | b'-') => self.number(),
            Some(b'(') => {
                self.expect("(")?;
                self.expect("object")?;
                self.expect(")")?;
                self.expect("array")?;
                self.expect("(")?;
                self.entries()?;
                Ok(Tree::Object("stdClass".to_owned()))
            }
            Some(b'\\') => self.object(),
            _ => Err(self.odd("a literal")),
        }
    }

    /// `\Name\Of\Enum::Case`, or `\Name\Of\Class::__set_state(array(...))`.
    fn object(&mut self) -> Result<Tree, String> {
        let start = self.at;
        let word = |byte: &u8| is_word(*byte) || *byte == b'\\';
        self.at += self.rest().iter().take_while(|byte| word(byte)).count();
        let class = String::from_utf8_lossy(&self.bytes[start + 1..self.at]).into_owned();
        self.expect("::")?;
        if self.take("__set_state") {
            self.expect("(")?;
            self.expect("array")?;
            self.expect("(")?;
            self.entries()?;
            self.expect(")")?;
        } else if self.rest().first().is_some_and(|byte| is_word(*byte)) {
            self.at += self.rest().iter().take_while(|byte| is_word(**byte)).count();
        } else {
            return Err(self.odd("a case"));
        }
        Ok(Tree::Object(class))
    }

    fn entries(&mut self) -> Result<Tree, String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(self.odd("less nesting"));
        }
        let mut entries = Vec::new();
        while !self.take(")") {
            self.space();
            let key = match self.rest().first() {
                Some(b'\'' | b'"') => String::from_utf8_lossy(&self.text()?).into_owned(),
                Some(b'0'..=b'9' | b'-') => self.number()?.text().unwrap_or_default(),
                _ => return Err(self.odd("a key")),
            };
            self.expect("=>")?;
            entries.push((key, self.value()?));
            if !self.take(",") {
                self.expect(")")?;
                break;
            }
        }
        self.depth -= 1;
        Ok(Tree::Array(entries))
    }

    /// `'a' . "\0" . 'b'`: between single quotes as it is but for `\\` and `\'`; between double ones only `\0`.
    fn text(&mut self) -> Result<Vec<u8>, String> {
        let mut text = Vec::new();
        loop {
            self.space();
            let quote = match self.rest().first() {
                Some(quote @ (b'\'' | b'"')) => *quote,
                _ => return Err(self.odd("a text")),
            };
            self.at += 1;
            loop {
                match (quote, self.rest()) {
                    (_, []) => return Err(self.odd("the text's closing quote")),
                    (_, [byte, ..]) if *byte == quote => break,
                    (b'\'', [b'\\', byte @ (b'\\' | b'\''), ..]) => (text.push(*byte), self.at += 2).1,
                    (b'"', [b'\\', b'0', ..]) => (text.push(0), self.at += 2).1,
                    (b'"', _) => return Err(self.odd("[\\0]")),
                    (_, [byte, ..]) => (text.push(*byte), self.at += 1).1,
                }
            }
            self.at += 1;
            if !self.take(".") {
                return Ok(text);
            }
        }
    }

    fn number(&mut self) -> Result<Tree, String> {
        let numeric = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
        let text: Vec<u8> = self.rest().iter().take_while(|byte| numeric(byte)).copied().collect();
        let text = String::from_utf8_lossy(&text).into_owned();
        // PHP has no literal for its smallest number.
        let value = match text.as_str() {
            "-9223372036854775807-1" => Some(Tree::Int(i64::MIN)),
            text => text.parse().map(Tree::Int).or_else(|_| text.parse().map(Tree::Float)).ok(),
        };
        let value = value.ok_or_else(|| self.odd("a number"))?;
        self.at += text.len();
        Ok(value)
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// What holds for any bytes; a fuzz target runs it too.
#[cfg(any(test, fuzzing))]
#[allow(missing_docs, unreachable_pub, reason = "public to the fuzz targets alone")]
pub mod property {
    use super::*;

    /// Never a panic; what is read, written as `var_export` would and read again, is the same.
    pub fn holds(file: &[u8]) {
        let Ok(tree) = returned(file) else { return };
        let again = returned(format!("<?php return {};\n", written(&tree)).as_bytes());
        // By their texts, for a NAN is not equal to itself.
        assert_eq!(format!("{again:?}"), format!("{:?}", Ok::<_, String>(tree)));
    }

    /// The value as `var_export` would write it, but for the insides of objects.
    pub(in crate::config) fn written(tree: &Tree) -> String {
        match tree {
            Tree::Null => "NULL".to_owned(),
            Tree::Bool(value) => value.to_string(),
            Tree::Int(i64::MIN) => "-9223372036854775807-1".to_owned(),
            Tree::Int(value) => value.to_string(),
            Tree::Float(value) if value.is_finite() => format!("{value:?}"),
            Tree::Float(value) => value.to_string().to_uppercase(),
            Tree::Text(text) => quoted(text),
            Tree::Array(entries) => {
                let entry =
                    |(key, value): &(String, Tree)| format!("  {} => {},\n", quoted(key), written(value));
                format!("array (\n{})", entries.iter().map(entry).collect::<String>())
            }
            Tree::Object(class) => format!("\\{class}::__set_state(array(\n))"),
        }
    }

    fn quoted(text: &str) -> String {
        let text = text.replace('\\', "\\\\").replace('\'', "\\'").replace('\0', "' . \"\\0\" . '");
        format!("'{text}'")
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::property::{holds, written};
    use super::*;

    fn trees() -> impl Strategy<Value = Tree> {
        let text = "[a-z'\\\\\0\"\n\u{e9}.]{0,6}";
        let leaf = prop_oneof![
            Just(Tree::Null),
            any::<bool>().prop_map(Tree::Bool),
            prop_oneof![any::<i64>(), Just(i64::MIN)].prop_map(Tree::Int),
            prop_oneof![any::<f64>(), Just(f64::INFINITY), Just(f64::NEG_INFINITY)].prop_map(Tree::Float),
            text.prop_map(Tree::Text),
            "[A-Z][a-z]{0,3}(\\\\[A-Z]){0,2}".prop_map(Tree::Object),
        ];
        leaf.prop_recursive(5, 40, 5, move |inner| vec((text, inner), 0..5).prop_map(Tree::Array))
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(tree in trees()) {
            let read = returned(format!("<?php return {};\n", written(&tree)).as_bytes()).unwrap();
            prop_assert_eq!(read, tree);
        }

        #[test]
        fn mutated_files_are_read_the_same_again_or_refused(
            tree in trees(),
            changes in vec((any::<prop::sample::Index>(), prop_oneof![any::<u8>(), prop::sample::select(&b"'\"\\(),.=>-0e:"[..])]), 1..4),
        ) {
            let mut file = format!("<?php return {};\n", written(&tree)).into_bytes();
            for (at, byte) in changes {
                let at = at.index(file.len());
                file[at] = byte;
            }
            holds(&file);
        }

        #[test]
        fn arbitrary_words_never_panic(
            bytes in vec(any::<u8>(), 0..40),
            words in vec(prop::sample::select(&["array", "(", ")", "(object)", "=>", ",", "'a'", "\"\\0\"", ".", "-", "1", "-5", "1.5E+3", "NULL",
                "true", "-INF", "NAN", "\\A\\B", "::", "__set_state", "Case", ";"][..]), 0..14),
        ) {
            holds(&bytes);
            holds(format!("<?php return {};", words.join(" ")).as_bytes());
            holds(format!("<?php return array(1 => {});", words.concat()).as_bytes());
        }
    }

    #[test]
    fn what_var_export_writes_is_read() {
        let file = br#"<?php return array (
  'a' =>
  array (
    0 => 'it\'s \\ a
line',
    -5 => 'x' . "\0" . 'y',
    1 => -9223372036854775807-1,
    2 => 1.0E+100,
    3 => -1.5,
    4 => NULL,
    5 => true,
    6 => INF,
    7 => \App\Enums\Plan::Free,
    8 =>
    \App\Values\Money::__set_state(array(
       'amount' => 1,
    )),
    9 =>
    (object) array(
      'a' => 1,
    ),
    10 => '',
    11 => "\0" . '',
  ),
);
"#;
        let tree = returned(file).unwrap();
        let a = tree.get("a").unwrap();
        assert_eq!(a.at("0"), Some(&Tree::from("it's \\ a\nline")));
        assert_eq!(a.at("-5"), Some(&Tree::from("x\0y")));
        assert_eq!(a.at("1"), Some(&Tree::Int(i64::MIN)));
        assert_eq!(a.at("2"), Some(&Tree::Float(1.0e100)));
        assert_eq!(a.at("3"), Some(&Tree::Float(-1.5)));
        assert_eq!(a.at("7"), Some(&Tree::Object("App\\Enums\\Plan".into())));
        assert_eq!(a.at("8"), Some(&Tree::Object("App\\Values\\Money".into())));
        assert_eq!((a.at("4"), a.at("5")), (Some(&Tree::Null), Some(&Tree::Bool(true))));
        assert_eq!(a.entries().len(), 13);
    }

    #[test]
    fn anything_else_is_refused_where_it_stands_and_no_text_is_shown() {
        for (file, told) in [
            ("", "at offset 0: [<?php] was expected, the end of the file found"),
            ("<?php return env('A');", "at offset 13: a literal was expected, [env] found"),
            ("<?php return array('a' => require 'b');", "[require] found"),
            ("<?php return array('a' => 'secret'", "[)] was expected, the end of the file found"),
            ("<?php return array('a' => 'secret' 'b');", "[)] was expected, a text found"),
            ("<?php return \"a$b\";", "[\\0] was expected, [a] found"),
            ("<?php return 'a'; echo 1;", "the end of the file was expected, [echo] found"),
            ("<?php return [1];", "a literal was expected, [[] found"),
            ("<?php return 'a", "closing quote was expected"),
            ("<?php return arrays();", "a literal was expected, [arrays] found"),
        ] {
            let error = returned(file.as_bytes()).unwrap_err();
            assert!(error.contains(told) && !error.contains("secret"), "{file}: {error}");
        }
        let deep = format!("<?php return {}", "array (0 => ".repeat(100_000));
        assert!(returned(deep.as_bytes()).unwrap_err().contains("less nesting"));
    }
}
