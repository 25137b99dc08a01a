//! Lists as OpenTelemetry's variables hold them: `name=value,name=value`, with `%2C` for what would separate.
//!
//! Nothing here repeats a value: the headers of a receiver are secrets.

/// Headers that say how a request is to be read. A second one, or another value, makes it something else.
const OURS: [&str; 9] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Attributes of the process.
///
/// # Errors
/// Says which entry is wrong, by its number.
pub(super) fn attributes(list: &str) -> Result<Vec<(String, String)>, String> {
    pairs(list, |name| !name.contains(char::is_whitespace))
}

/// Headers of a request.
///
/// # Errors
/// Says which entry is wrong, by its number.
pub(super) fn headers(list: &str) -> Result<Vec<(String, String)>, String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let headers = pairs(list, |name| name.bytes().all(is_token))?;
    let is_ours = |name: &str| OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours));
    if let Some(nth) = headers.iter().position(|(name, _)| is_ours(name)) {
        return Err(format!("entry {} names a header that the request has of its own", nth + 1));
    }
    let is_text = |value: &str| value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    match headers.iter().position(|(_, value)| !is_text(value)) {
        Some(nth) => Err(format!("entry {} has a character that no header may have", nth + 1)),
        None => Ok(headers),
    }
}

fn pairs(list: &str, is_name: impl Fn(&str) -> bool) -> Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::new();
    for (nth, entry) in (1..).zip(list.split(',')) {
        if entry.trim().is_empty() {
            continue;
        }
        let pair = entry.split_once('=').map(|(name, value)| (name.trim(), value.trim()));
        let Some((name, value)) = pair.filter(|(name, _)| !name.is_empty() && is_name(name)) else {
            return Err(format!("entry {nth} is not name=value"));
        };
        let value = decoded(value)
            .ok_or_else(|| format!("entry {nth} has a % that no two hexadecimal digits follow, or is not UTF-8"))?;
        pairs.push((name.to_owned(), value));
    }
    Ok(pairs)
}

/// The text with each `%41` replaced by what it stands for.
fn decoded(text: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let (digits, after) = after.split_at_checked(2)?;
            let digits = std::str::from_utf8(digits)
                .ok()
                .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn lists_are_taken_apart() {
        let list = " authorization=Bearer%20a%3Db==, tenant = a ,,x=";
        assert_eq!(headers(list), Ok(owned(&[("authorization", "Bearer a=b=="), ("tenant", "a"), ("x", "")])));
        assert_eq!(attributes("team=gr%C3%BC%C3%9Fe,a.b=1%2C2"), Ok(owned(&[("team", "grüße"), ("a.b", "1,2")])));
        assert_eq!(attributes(""), Ok(Vec::new()));
    }

    #[test]
    fn what_is_wrong_is_counted_and_not_repeated() {
        for (list, says) in [
            ("hunter2", "entry 1 is not"),
            ("a=1,hunter2", "entry 2 is not"),
            ("=hunter2", "entry 1 is not"),
            ("two words=hunter2", "entry 1 is not"),
            ("a=hunter2%", "%"),
            ("a=hunter2%2", "%"),
            ("a=hunter2%+1", "%"),
            ("a=hunter2%ff", "UTF-8"),
            ("a=1,b=hunter2%0a", "entry 2 has a character"),
            ("a=1,Content-Length=hunter2", "entry 2 names a header"),
            ("transfer-encoding=hunter2", "entry 1 names a header"),
        ] {
            let error = headers(list).err().unwrap_or_default();
            assert!(error.contains(says) && !error.contains("hunter2"), "{list}: {error}");
        }
    }
}
