//! Licence expressions (SPDX): which of the allowed licences a part is used under.

use anyhow::{Result, bail, ensure};

/// The allowed licences; where authors leave a choice, the first of these is taken. None of them asks for more than its text in
/// each copy.
pub const ALLOWED: [&str; 9] = [
    "Apache-2.0",
    "MIT",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "Zlib",
    "ISC",
    "Unicode-3.0",
    "Apache-2.0 WITH LLVM-exception",
    PUBLIC_DOMAIN,
];

/// Not one of SPDX: the authors gave up all rights. Their words are passed on all the same.
pub const PUBLIC_DOMAIN: &str = "public domain";

/// The licences to follow, of all that an expression names.
///
/// # Errors
/// When it leaves no way with allowed licences only, or is no expression.
pub fn choose(expression: &str) -> Result<Vec<&'static str>> {
    // An old form of Cargo's manifests.
    let words = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = words.split_whitespace().collect();
    let mut rest = words.as_slice();
    let ways = any(&mut rest, expression)?;
    ensure!(rest.is_empty(), "{expression:?} is no licence expression");
    let rank = |way: &Vec<&'static str>| {
        let ranks = way.iter().filter_map(|one| ALLOWED.iter().position(|allowed| allowed == one));
        (way.len(), ranks.sum::<usize>())
    };
    let Some(mut chosen) = ways.into_iter().min_by_key(rank) else {
        bail!("{expression:?} leaves no way with allowed licences only ({})", ALLOWED.join(", "))
    };
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen)
}

/// All ways to satisfy what `OR` connects. A way with a licence that is not allowed is none.
fn any(rest: &mut &[&str], whole: &str) -> Result<Vec<Vec<&'static str>>> {
    let mut ways = all(rest, whole)?;
    while rest.first() == Some(&"OR") {
        *rest = &rest[1..];
        ways.extend(all(rest, whole)?);
    }
    Ok(ways)
}

/// All ways to satisfy what `AND` connects.
fn all(rest: &mut &[&str], whole: &str) -> Result<Vec<Vec<&'static str>>> {
    let mut ways = one(rest, whole)?;
    while rest.first() == Some(&"AND") {
        *rest = &rest[1..];
        let others = one(rest, whole)?;
        ways = ways.iter().flat_map(|way| others.iter().map(|other| [way.as_slice(), other].concat())).collect();
    }
    Ok(ways)
}

fn one(rest: &mut &[&str], whole: &str) -> Result<Vec<Vec<&'static str>>> {
    let Some((&first, after)) = rest.split_first() else { bail!("{whole:?} ends too early") };
    *rest = after;
    match first {
        "(" => {
            let ways = any(rest, whole)?;
            ensure!(rest.first() == Some(&")"), "{whole:?} lacks a closing bracket");
            *rest = &rest[1..];
            Ok(ways)
        }
        ")" | "OR" | "AND" | "WITH" => bail!("{whole:?} is no licence expression: {first} where a licence should be"),
        licence => {
            let named = match **rest {
                ["WITH", exception, ..] => {
                    *rest = &rest[2..];
                    format!("{licence} WITH {exception}")
                }
                _ => licence.to_owned(),
            };
            Ok(ALLOWED.into_iter().filter(|allowed| *allowed == named).map(|allowed| vec![allowed]).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_with_the_fewest_texts_is_taken() {
        for (expression, chosen) in [
            ("MIT", &["MIT"][..]),
            ("MIT OR Apache-2.0", &["Apache-2.0"]),
            ("MIT/Apache-2.0", &["Apache-2.0"]),
            ("Apache-2.0 / MIT", &["Apache-2.0"]),
            ("Unlicense OR MIT", &["MIT"]),
            ("MIT AND BSD-3-Clause", &["BSD-3-Clause", "MIT"]),
            ("Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT", &["Apache-2.0"]),
            ("Apache-2.0 WITH LLVM-exception", &["Apache-2.0 WITH LLVM-exception"]),
            ("BSD-2-Clause AND (Apache-2.0 OR MIT)", &["Apache-2.0", "BSD-2-Clause"]),
            ("(GPL-3.0-only AND MIT) OR Zlib", &["Zlib"]),
        ] {
            assert_eq!(choose(expression).unwrap(), chosen, "{expression}");
        }
    }

    #[test]
    fn what_is_not_allowed_or_no_expression_is_refused() {
        for expression in ["GPL-3.0-only", "MIT AND AGPL-3.0-only", "MPL-2.0 OR GPL-2.0-only", "Apache-2.0 WITH Other"]
        {
            let told = choose(expression).unwrap_err().to_string();
            assert!(told.contains("no way with allowed licences"), "{told}");
        }
        for expression in ["", "OR MIT", "MIT OR", "(MIT", "MIT)", "MIT Apache-2.0", "MIT AND"] {
            choose(expression).unwrap_err();
        }
    }
}
