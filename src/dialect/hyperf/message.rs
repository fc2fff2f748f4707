//! The message around a job: six shapes that six lines of versions wrote, told apart by the bytes around the job.
//!
//! Reads the count of attempts and where the job stands, and writes the same bytes with another count. Never looks into
//! the job. Counterpart in PHP: `Hyperf\AsyncQueue\Message`, `Hyperf\AsyncQueue\JobMessage`, and how PHP serializes them.

/// What one line of versions writes around a job.
#[derive(Debug, PartialEq, Eq)]
struct Shape {
    head: &'static [u8],
    before_count: &'static [u8],
    /// Between the count and the same count again, where it is written twice.
    again: Option<&'static [u8]>,
    /// The number of the job among the values, as `r:` and `R:` count them.
    slot: usize,
    /// All of it stands inside a `C:` object, which tells its length.
    is_custom: bool,
}

/// Those of 1.0.4 on, 1.0.11 on, 3.0 on (as written by 3.0 itself, and where it writes an older message again), 3.1.8 and
/// 3.2 on, and 3.1.9 on.
static SHAPES: [Shape; 6] = [
    Shape {
        head: b"O:25:\"Hyperf\\AsyncQueue\\Message\":2:{s:6:\"\0*\0job\";",
        before_count: b"s:11:\"\0*\0attempts\";i:",
        again: None,
        slot: 2,
        is_custom: false,
    },
    Shape { head: b"a:2:{i:0;", before_count: b"i:1;i:", again: None, slot: 3, is_custom: true },
    Shape {
        head: b"O:28:\"Hyperf\\AsyncQueue\\JobMessage\":2:{i:0;",
        before_count: b"i:1;i:",
        again: None,
        slot: 2,
        is_custom: false,
    },
    Shape {
        head: b"O:25:\"Hyperf\\AsyncQueue\\Message\":2:{i:0;",
        before_count: b"i:1;i:",
        again: None,
        slot: 2,
        is_custom: false,
    },
    Shape {
        head: b"O:28:\"Hyperf\\AsyncQueue\\JobMessage\":2:{s:3:\"job\";",
        before_count: b"s:8:\"attempts\";i:",
        again: None,
        slot: 2,
        is_custom: false,
    },
    Shape {
        head: b"O:28:\"Hyperf\\AsyncQueue\\JobMessage\":4:{i:0;",
        before_count: b"i:1;i:",
        again: Some(b";s:3:\"job\";r:2;s:8:\"attempts\";i:"),
        slot: 2,
        is_custom: false,
    },
];

/// What follows the count.
const END: &[u8] = b";}";
/// What stands in front of the length of a message that is a `C:` object.
const CUSTOM: &[u8] = b"C:25:\"Hyperf\\AsyncQueue\\Message\":";

/// A message taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    shape: &'static Shape,
    /// The serialized job.
    pub job: &'a [u8],
    /// The attempts before this one.
    pub attempts: i64,
}

impl<'a> Message<'a> {
    /// Takes a message apart; `None` where the bytes around the job are none that Hyperf writes. What the job itself is
    /// remains to be seen.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let (inner, is_custom) = match custom(bytes) {
            Some(inner) => (inner, true),
            None => (bytes, false),
        };
        SHAPES.iter().filter(|shape| shape.is_custom == is_custom).find_map(|shape| shape.read(inner))
    }

    /// The number of the job among the message's values, by which `r:` and `R:` in it count.
    pub fn slot(&self) -> usize {
        self.shape.slot
    }

    /// The message with this count, in the shape that it has.
    pub fn counted(&self, attempts: i64) -> Vec<u8> {
        let Shape { head, before_count, again, is_custom, .. } = self.shape;
        let count = attempts.to_string();
        let again = again.map(|between| [between, count.as_bytes()].concat()).unwrap_or_default();
        let inner = [*head, self.job, before_count, count.as_bytes(), &again, END].concat();
        match is_custom {
            true => [CUSTOM, inner.len().to_string().as_bytes(), b":{", &inner, b"}"].concat(),
            false => inner,
        }
    }
}

impl Shape {
    fn read<'a>(&'static self, bytes: &'a [u8]) -> Option<Message<'a>> {
        let rest = bytes.strip_prefix(self.head)?.strip_suffix(END)?;
        let (rest, attempts) = last_number(rest)?;
        let rest = match self.again {
            None => rest,
            Some(between) => {
                let (rest, first) = last_number(rest.strip_suffix(between)?)?;
                (first == attempts).then_some(rest)?
            }
        };
        Some(Message { shape: self, job: rest.strip_suffix(self.before_count)?, attempts })
    }
}

/// What a `C:` message holds between its braces.
fn custom(bytes: &[u8]) -> Option<&[u8]> {
    let rest = bytes.strip_prefix(CUSTOM)?.strip_suffix(b"}")?;
    let colon = rest.iter().position(|byte| *byte == b':')?;
    let inner = rest[colon..].strip_prefix(b":{")?;
    (rest[..colon] == *inner.len().to_string().as_bytes()).then_some(inner)
}

/// The number at the end, written as PHP writes it, and what stands before it.
fn last_number(bytes: &[u8]) -> Option<(&[u8], i64)> {
    let is_sign_or_digit = |byte: &u8| byte.is_ascii_digit() || *byte == b'-';
    let digits = bytes.iter().rev().take_while(|byte| is_sign_or_digit(byte)).count();
    let (rest, text) = bytes.split_at(bytes.len() - digits);
    let number: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (number.to_string().as_bytes() == text).then_some((rest, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: &str = "O:16:\"App\\Job\\SendMail\":3:{s:14:\"\0*\0maxAttempts\";i:2;s:2:\"to\";s:5:\"a@b.c\";s:4:\"user\";N;}";

    /// The six shapes of one job with this count.
    pub(crate) fn shapes(job: &str, attempts: i64) -> [String; 6] {
        let inner = format!("a:2:{{i:0;{job}i:1;i:{attempts};}}");
        [
            format!(
                "O:25:\"Hyperf\\AsyncQueue\\Message\":2:{{s:6:\"\0*\0job\";{job}s:11:\"\0*\0attempts\";i:{attempts};}}"
            ),
            format!("C:25:\"Hyperf\\AsyncQueue\\Message\":{}:{{{inner}}}", inner.len()),
            format!("O:28:\"Hyperf\\AsyncQueue\\JobMessage\":2:{{i:0;{job}i:1;i:{attempts};}}"),
            format!("O:25:\"Hyperf\\AsyncQueue\\Message\":2:{{i:0;{job}i:1;i:{attempts};}}"),
            format!(
                "O:28:\"Hyperf\\AsyncQueue\\JobMessage\":2:{{s:3:\"job\";{job}s:8:\"attempts\";i:{attempts};}}"
            ),
            format!(
                "O:28:\"Hyperf\\AsyncQueue\\JobMessage\":4:{{i:0;{job}i:1;i:{attempts};s:3:\"job\";r:2;s:8:\"attempts\";i:{attempts};}}"
            ),
        ]
    }

    #[test]
    fn rows_21_to_23_each_shape_is_written_again_with_its_count_and_every_other_byte_kept() {
        for (from, to) in [(0, 1), (9, 10), (10, 9)] {
            for (before, after) in shapes(JOB, from).into_iter().zip(shapes(JOB, to)) {
                let message = Message::read(before.as_bytes()).expect("a message");
                assert_eq!((message.job, message.attempts), (JOB.as_bytes(), from));
                assert_eq!(message.counted(from), before.as_bytes());
                assert_eq!(message.counted(to), after.as_bytes());
            }
        }
        let lengths = |attempts| shapes(JOB, attempts).map(|bytes| bytes.len());
        assert_eq!(lengths(0), [161, 145, 140, 137, 157, 173]);
    }

    #[test]
    fn row_22_the_inner_length_grows_with_the_count() {
        let [_, nine, ..] = shapes(JOB, 9);
        assert!(nine.starts_with("C:25:\"Hyperf\\AsyncQueue\\Message\":106:{"));
        let ten = Message::read(nine.as_bytes()).unwrap().counted(10);
        assert!(
            ten.starts_with(b"C:25:\"Hyperf\\AsyncQueue\\Message\":107:{") && ten.ends_with(b"i:1;i:10;}}")
        );
    }

    #[test]
    fn what_no_version_writes_is_no_message() {
        let [a, b, c, _, _, e] = shapes(JOB, 3);
        for odd in [
            a.replace("i:3;}", "i:03;}"),
            a.replace("i:3;}", "i:3;};"),
            b.replace(":106:", ":105:"),
            b.replace("C:25", "C:24"),
            c.replace("JobMessage", "JobMassage"),
            e.replacen("i:1;i:3;", "i:1;i:2;", 1),
            e.replace("r:2", "r:3"),
            JOB.to_owned(),
            String::new(),
            "garbage".to_owned(),
        ] {
            assert_eq!(Message::read(odd.as_bytes()), None, "{odd:?}");
        }
    }
}
