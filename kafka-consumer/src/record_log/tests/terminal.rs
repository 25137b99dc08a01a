use super::*;

#[test]
fn a_human_line_reads_well() {
    let headers: [Header<'_>; 5] = [
        (b"tenant", Some(b"a")),
        (b"note", Some(b"two words")),
        (b"none", None),
        (b"empty", Some(b"")),
        (b"bin", Some(b"\xff")),
    ];
    let mut record = record(Some(b"17"), Some(br#"{ "dev": true }"#), &headers);
    record.latency_us = Some(3400);
    assert_eq!(
        text(&human(false), &record),
        "11:15:27.123 test[0]@42 key=17 {\"dev\":true} tenant=a note=\"two words\" none empty=\"\" bin=base64:/w== 3.4 ms\n"
    );
    assert_eq!(
        text(&human(true), &super::record(None, Some(b"hello"), &headers[..1])),
        "\x1b[2m11:15:27.123\x1b[0m \x1b[36mtest[0]@42\x1b[0m hello\x1b[2m tenant=a\x1b[0m\n"
    );
}

#[test]
fn a_stamp_is_for_machines() {
    let headers: [Header<'_>; 2] = [(b"stamp", Some(STAMP)), (b"tenant", Some(b"a"))];
    let line = text(&human(false), &stamped(None, Some(b"hello"), &headers));
    assert_eq!(line, "11:15:27.123 test[0]@42 hello tenant=a\n");
    // A header of that name that is none.
    let headers: [Header<'_>; 1] = [(b"stamp", Some(b"2nd class"))];
    let line = text(&human(false), &record(None, Some(b"hello"), &headers));
    assert_eq!(line, "11:15:27.123 test[0]@42 hello stamp=\"2nd class\"\n");
}

#[test]
fn a_human_line_names_what_has_no_text() {
    let shown = |options: &Options, value| {
        let line = text(options, &record(None, value, &[]));
        line.strip_prefix("11:15:27.123 test[0]@42 ").unwrap().to_owned()
    };
    assert_eq!(shown(&human(false), None), "(tombstone)\n");
    assert_eq!(shown(&human(false), Some(b"")), "\"\"\n");
    assert_eq!(shown(&human(false), Some(b"\xff\x00")), "base64:/wA=\n");
    let off = Options { values: false, ..human(false) };
    assert_eq!(shown(&off, Some(b"secret")), "(6 bytes)\n");
    assert_eq!(shown(&off, None), "(tombstone)\n");
}

#[test]
fn nothing_in_a_record_controls_the_terminal() {
    let evil = "a\r\n\t\x1b[2J\u{7f}\u{9b}\u{202e}\u{2028}z";
    let json = format!("[\"{}\"]", "\u{9b}\u{7f}\u{202e}");
    let headers: [Header<'_>; 1] = [(evil.as_bytes(), Some(evil.as_bytes()))];
    let mut record = record(Some(evil.as_bytes()), Some(evil.as_bytes()), &headers);
    record.topic = evil;
    let line = text(&human(false), &record);
    let escaped = r"a\r\n\t\u001b[2J\u007f\u009b\u202e\u2028z";
    assert_eq!(line.matches(escaped).count(), 5, "{line}");
    assert_eq!(line.find(char::is_control), Some(line.len() - 1));

    record.value = Some(json.as_bytes());
    assert!(text(&human(false), &record).contains(r#"["\u009b\u007f\u202e"]"#));
}

#[test]
fn a_human_line_is_cut_too() {
    let (long, bytes) = ("ü\n".repeat(10_000), [0xff; 30_000]);
    for color in [false, true] {
        let options = human(color);
        let limit = options.max_line_bytes.unwrap();
        for value in [long.as_bytes(), &bytes] {
            let headers: [Header<'_>; 1] = [(b"h", Some(b"v"))];
            let line = text(&options, &record(Some(b"k"), Some(value), &headers));
            assert!((limit - 40..=limit).contains(&line.len()), "{} bytes", line.len());
            assert!(line.contains("…(30000 bytes)") && line.contains(" h=v"), "{line}");

            let headers: [Header<'_>; 2] = [(b"h", Some(b"v")), (b"long", Some(value))];
            let line = text(&options, &record(Some(value), Some(b"short"), &headers));
            assert!(line.len() <= limit);
            assert!(line.contains("…(30000 bytes) short") && line.contains(" …(2 headers)"), "{line}");
        }
    }
}

#[test]
fn raw_is_the_value_and_a_newline() {
    let raw = Options { format: Format::Raw, ..Options::default() };
    let long = vec![b'\xff'; 100_000];
    for value in [&b"{ \"a\": 1 }"[..], b"", b"two\nlines", &long] {
        assert_eq!(bytes(&raw, &of_value(value)), [value, b"\n"].concat());
    }
    assert_eq!(bytes(&raw, &record(Some(b"k"), None, &[])), b"\n");
    let off = Options { values: false, ..raw };
    assert_eq!(bytes(&off, &of_value(b"secret")), b"\n");
}

#[test]
fn times_that_no_clock_shows_do_not_panic() {
    let mut out = Vec::new();
    for format in [Format::Json, Format::Human] {
        for now_us in [i64::MIN, -1, i64::MAX] {
            out.clear();
            let options = Options { format, ..Options::default() };
            RecordLog::new(options).line(now_us, &of_value(b"v"), &mut out);
            let line = String::from_utf8(out.clone()).unwrap();
            let expected = match (format, now_us) {
                (Format::Json, -1) => "{\"v\":1,\"timestamp\":\"1969-12-31T23:59:59.999999Z\",",
                (Format::Json, _) => "{\"v\":1,\"timestamp\":null,",
                (_, -1) => "23:59:59.999 ",
                _ => "--:--:--.--- ",
            };
            assert!(line.starts_with(expected), "{line}");
        }
    }
}
