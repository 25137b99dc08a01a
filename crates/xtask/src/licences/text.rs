//! Licence texts: which licence a text is, whatever its file is called.

use super::expression::PUBLIC_DOMAIN;

/// The licence that a text is, by the words that only it has. `None` for a text that is none of those allowed.
pub fn recognise(text: &str) -> Option<&'static str> {
    let words = words(text);
    let has = |phrase: &str| words.contains(phrase);
    // Apache's first: it is the only one that comes with its number.
    if has("apache license version 2.0") && has("terms and conditions for use, reproduction, and distribution") {
        return Some(if has("llvm exceptions to the apache 2.0 license") {
            "Apache-2.0 WITH LLVM-exception"
        } else {
            "Apache-2.0"
        });
    }
    if has("redistribution and use in source and binary forms") {
        let third = ["neither the name", "the names of its contributors may not be used", "may be used to endorse"];
        return Some(if third.into_iter().any(has) { "BSD-3-Clause" } else { "BSD-2-Clause" });
    }
    if has("permission is hereby granted, free of charge, to any person obtaining a copy") {
        return Some("MIT");
    }
    if has("permission is granted to anyone to use this software for any purpose") {
        return Some("Zlib");
    }
    if has("permission to use, copy, modify, and")
        && has("distribute this software for any purpose with or without fee")
    {
        return Some("ISC");
    }
    if has("unicode license v3") {
        return Some("Unicode-3.0");
    }
    let free = ["is in the public domain", "are in the public domain", "to the public domain"];
    free.into_iter().any(has).then_some(PUBLIC_DOMAIN)
}

/// The text in one line of small letters, without the marks of comments: how authors break their lines does not matter.
pub fn words(text: &str) -> String {
    let words = text.split_whitespace().filter(|word| !matches!(*word, "*" | "//" | "#" | "/*" | "*/"));
    words.collect::<Vec<_>>().join(" ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_recognised_by_their_words_and_not_by_their_lines() {
        let apache = include_str!("../../../../LICENSE");
        assert_eq!(recognise(apache), Some("Apache-2.0"));
        let llvm = format!("{apache}\n---- LLVM Exceptions to the Apache 2.0 License ----");
        assert_eq!(recognise(&llvm), Some("Apache-2.0 WITH LLVM-exception"));
        let mit = " * Permission is hereby granted, free of charge, to any\n * person obtaining a copy of this";
        assert_eq!(recognise(mit), Some("MIT"));
        let two = "Redistribution and use in source and binary\nforms, with or without modification";
        assert_eq!(recognise(two), Some("BSD-2-Clause"));
        assert_eq!(recognise(&format!("{two}\nNeither the name of")), Some("BSD-3-Clause"));
        assert_eq!(recognise("GNU GENERAL PUBLIC LICENSE Version 3"), None);
        assert_eq!(recognise("licensed under Apache License, Version 2.0"), None);
    }
}
