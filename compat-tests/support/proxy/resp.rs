//! The framing of Redis' protocol, versions 2 and 3, as far as a proxy needs it: where a value ends, and the words of a
//! command. Never interprets an answer.

use std::io::{self, BufRead, Read};

/// Reads the bytes of one whole value (or inline command); none at the end of the stream.
pub fn read_frame(stream: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    if stream.fill_buf()?.is_empty() {
        return Ok(None);
    }
    let mut frame = Vec::new();
    read_value(stream, &mut frame)?;
    Ok(Some(frame))
}

fn read_value(stream: &mut impl BufRead, frame: &mut Vec<u8>) -> io::Result<()> {
    let start = frame.len();
    if stream.read_until(b'\n', frame)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let line = &frame[start..];
    let count = std::str::from_utf8(&line[1..]).ok().and_then(|digits| digits.trim_end().parse::<i64>().ok());
    let count = count.and_then(|count| u64::try_from(count).ok());
    match (line[0], count) {
        (b'$' | b'=' | b'!', Some(length)) => {
            let wanted = length + 2;
            let got = stream.take(wanted).read_to_end(frame)?;
            if got as u64 == wanted { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
        }
        (b'*' | b'~' | b'>', Some(values)) => (0..values).try_for_each(|_| read_value(stream, frame)),
        (b'%', Some(pairs)) => (0..2 * pairs).try_for_each(|_| read_value(stream, frame)),
        (b'|', Some(pairs)) => (0..2 * pairs + 1).try_for_each(|_| read_value(stream, frame)),
        _ => Ok(()),
    }
}

/// The words of a command.
pub fn words(frame: &[u8]) -> Vec<Vec<u8>> {
    if frame.first() != Some(&b'*') {
        return frame
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty())
            .map(<[u8]>::to_vec)
            .collect();
    }
    let mut words = Vec::new();
    let mut rest = after_line(frame);
    while let Some(length) = rest
        .split(|&byte| byte == b'\r')
        .next()
        .and_then(|head| std::str::from_utf8(head.strip_prefix(b"$")?).ok()?.parse::<usize>().ok())
    {
        rest = after_line(rest);
        words.push(rest[..length].to_vec());
        rest = &rest[length + 2..];
    }
    words
}

fn after_line(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |at| at + 1);
    &bytes[end..]
}
