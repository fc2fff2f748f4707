//! The numbers that `r:` and `R:` point with.
//!
//! Owns the counting: every value takes the next slot, from 1 at the root; keys and `R:` take none; and what it
//! costs to repeat what stands in one. Never follows more than was asked for. Counterpart in PHP: `var_push` and `var_access` of `unserialize()`.

use super::value::Value;
use super::walk::Step;

/// Every slot of a root value, in order.
pub(super) struct Slots<'a> {
    values: Vec<&'a Value>,
    /// How many slots come before anything a `C:` object hides. Its bytes may hold values that took slots
    /// too, and only its class knows how many, so later numbers cannot be told.
    certain: usize,
}

/// Why a number leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    /// There is no such slot.
    Missing,
    /// A `C:` object stands before it.
    Hidden,
    /// It is reached only through itself.
    Cycle,
}

impl<'a> Slots<'a> {
    pub(super) fn of(root: &'a Value) -> Slots<'a> {
        let mut values = Vec::new();
        let mut certain = usize::MAX;
        for step in root.walk() {
            if let Step::Value(value) = step
                && !matches!(value, Value::Reference(_))
            {
                values.push(value);
                if matches!(value, Value::Custom(_)) {
                    certain = certain.min(values.len());
                }
            }
        }
        Slots { values, certain }
    }

    /// The value a reference leads to, itself no reference.
    pub(super) fn get(&self, index: usize) -> Result<&'a Value, Lost> {
        self.find(index).map(|(_, value)| value)
    }

    /// The value a reference leads to, itself no reference, and the slot it stands in.
    pub(super) fn find(&self, index: usize) -> Result<(usize, &'a Value), Lost> {
        let mut index = index;
        loop {
            if index > self.certain {
                return Err(Lost::Hidden);
            }
            match index.checked_sub(1).and_then(|at| self.values.get(at)) {
                None => return Err(Lost::Missing),
                Some(Value::Same(next) | Value::Reference(next)) if *next >= index => {
                    return Err(Lost::Cycle);
                }
                Some(Value::Same(next) | Value::Reference(next)) => index = *next,
                Some(value) => return Ok((index, value)),
            }
        }
    }
}

/// What it would cost to repeat the value of each slot, references in it left unfollowed: 64 for every value,
/// and the bytes of texts, keys and names of classes.
pub(super) fn weights(root: &Value) -> Vec<usize> {
    let mut weights = Vec::new();
    let mut total = 0;
    // For every open container: its slot, and the total before it.
    let mut open = Vec::new();
    for step in root.walk() {
        match step {
            Step::Key(key) => total += key.as_bytes().map_or(0, <[u8]>::len),
            Step::Value(value) => {
                let before = total;
                total += 64 + text(value);
                if value.entries().is_some() {
                    open.push((weights.len(), before));
                }
                if !matches!(value, Value::Reference(_)) {
                    weights.push(total - before);
                }
            }
            Step::End => {
                if let Some((slot, before)) = open.pop() {
                    weights[slot] = total - before;
                }
            }
        }
    }
    weights
}

fn text(value: &Value) -> usize {
    match value {
        Value::Str(text) => text.as_bytes().len(),
        Value::Object(object) => object.class().len(),
        Value::Custom(custom) => custom.class().len() + custom.body().len(),
        Value::Enum(case) => case.class().len() + case.name().len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::php::parse;

    fn target(bytes: &str, index: usize) -> Result<String, Lost> {
        let value = parse(bytes.as_bytes()).unwrap();
        Slots::of(&value).get(index).map(|value| String::from_utf8(value.write()).unwrap())
    }

    #[test]
    fn slots_are_counted_as_php_counts_them() {
        // serialize([$o, $o, &$x, &$x, $p, $p, 'k' => [&$x, $p]]) by PHP 8.2
        let php = "a:7:{i:0;O:1:\"P\":1:{s:1:\"a\";i:1;}i:1;r:2;i:2;i:5;i:3;R:5;i:4;O:1:\"P\":1:{s:1:\"a\";N;}i:5;r:6;\
                   s:1:\"k\";a:2:{i:0;R:5;i:1;r:6;}}";
        assert_eq!(target(php, 2).unwrap(), "O:1:\"P\":1:{s:1:\"a\";i:1;}");
        assert_eq!(target(php, 4).unwrap(), "O:1:\"P\":1:{s:1:\"a\";i:1;}", "slot 4 is the r:2 itself");
        assert_eq!(target(php, 5).unwrap(), "i:5;");
        assert_eq!(target(php, 6).unwrap(), "O:1:\"P\":1:{s:1:\"a\";N;}");
        assert_eq!(target(php, 0), Err(Lost::Missing));
        assert_eq!(target(php, 11), Err(Lost::Missing));
        let value = parse(php.as_bytes()).unwrap();
        assert_eq!(value.follow(value.get("3").unwrap()), value.get("2"));
    }

    #[test]
    fn weights_stand_beside_the_slots() {
        let value = parse(b"a:3:{i:0;s:3:\"abc\";s:2:\"kk\";O:1:\"P\":1:{s:1:\"p\";R:2;}i:1;r:3;}").unwrap();
        let object = 64 + 1 + 1 + 64;
        assert_eq!(weights(&value), [64 + 67 + 2 + object + 64, 67, object, 64]);
    }

    #[test]
    fn what_a_custom_object_hides_is_not_guessed() {
        // serialize([$o, $serializable, $l, $l]) by PHP 8.2: three slots of r:8 are inside the C: body
        let php = "a:4:{i:0;O:1:\"P\":1:{s:1:\"a\";i:1;}i:1;C:2:\"SR\":22:{a:2:{i:0;i:1;i:1;r:2;}}i:2;O:1:\"P\":1:{s:1:\"a\";N;}\
                   i:3;r:8;}";
        assert_eq!(target(php, 8), Err(Lost::Hidden));
        assert!(target(php, 4).unwrap().starts_with("C:2:"));
        assert!(target(php, 2).is_ok());
    }
}
