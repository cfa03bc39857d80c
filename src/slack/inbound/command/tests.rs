use super::*;
use proptest::prelude::*;

fn why(text: &str) -> String {
    match parse(text) {
        Err(ParseError(why)) => why,
        Ok(read) => panic!("{text} was read as {read:?}"),
    }
}

fn asked(text: &str) -> Ask {
    match parse(text) {
        Ok(Approval::Request(form)) => form,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn every_word_reads() {
    let n = || RequestRef::Number(42);
    let said = |text: &str| Some(text.to_owned());
    for (text, expected) in [
        ("", Approval::Help),
        ("  ", Approval::Help),
        ("Help", Approval::Help),
        ("policies", Approval::Policies),
        ("inbox", Approval::Inbox(None)),
        ("inbox Release", Approval::Inbox(Some(RequestType::Release))),
        ("show 42", Approval::Show(n())),
        ("Show #42", Approval::Show(n())),
        ("cancel 42", Approval::Cancel(n())),
        ("request", Approval::Request(Ask::default())),
        ("audit", Approval::Audit(10)),
        ("audit 50", Approval::Audit(50)),
        ("stats", Approval::Stats(Span::hours(720))),
        ("stats 7d", Approval::Stats(Span::hours(168))),
        ("approve 42", Approval::Approve(n(), None)),
        (
            "approve 42 it's fine, <@U1|bob>",
            Approval::Approve(n(), said("it's fine, @bob")),
        ),
        (
            "reject #42 “not now”",
            Approval::Reject(n(), said("not now")),
        ),
        (
            "reject 42 a &amp;lt; b &lt; c",
            Approval::Reject(n(), said("a &lt; b < c")),
        ),
    ] {
        assert_eq!(parse(text), Ok(expected), "{text}");
    }
}

#[test]
fn a_request_reads_in_any_order_and_with_curly_quotes() {
    let expected = Ask {
        action: "release.deploy".to_owned(),
        project: Some("api-platform".to_owned()),
        environment: Some("production".to_owned()),
        release: Some("v1.4.2".to_owned()),
        reason: Some("hotfix for checkout".to_owned()),
        ..Ask::default()
    };
    for text in [
        r#"request release.deploy project=api-platform env=production release=v1.4.2 reason="hotfix for checkout""#,
        "request release.deploy project=api-platform environment=production release=v1.4.2 reason=“hotfix for checkout”",
        "REQUEST reason='hotfix for checkout' env=production\nrelease=v1.4.2 project=api-platform action=release.deploy",
    ] {
        assert_eq!(asked(text), expected, "{text}");
    }
    let form = asked(
        r##"request command.execute cluster=prod payload='{"command":["ls","#1"]}' reason="fixes #7, it's late""##,
    );
    assert_eq!(form.reason.as_deref(), Some("fixes #7, it's late"));
    assert_eq!(
        form.payload,
        serde_json::from_str(r##"{"command":["ls","#1"]}"##).ok()
    );
    assert_eq!(asked("request a.b reason=#7").reason.as_deref(), Some("#7"));
}

#[test]
fn slacks_own_marks_read_as_typed() {
    for (text, expected) in [
        (
            "release=<http://v1.example.com|v1.example.com>",
            "v1.example.com",
        ),
        ("release=<https://x.example/a>", "https://x.example/a"),
        (
            "release=<https://evil.example|v1.4.2>",
            "https://evil.example",
        ),
        ("release=<mailto:a@b.example|a@b.example>", "a@b.example"),
        ("release=<#C1|general>", "#general"),
        ("release=<@U1>", "@U1"),
        ("release=<!subteam^S1|@sre>", "@sre"),
        ("release=<!here>", "@here"),
        ("release=a&amp;b", "a&b"),
    ] {
        let form = asked(&format!("request release.deploy {text}"));
        assert_eq!(form.release.as_deref(), Some(expected), "{text}");
    }
}

#[test]
fn what_is_not_understood_is_no_action_sl14() {
    for (text, expected) in [
        ("aprove 42", "did you mean `approve`"),
        ("req release.deploy", "did you mean `request`"),
        ("xyzzy", "Known words: request"),
        ("approve", "Name a request"),
        ("approve all", "not a request number"),
        ("approve 42; 43", "not a request number"),
        ("approve -1", "not a request number"),
        ("show 42 43", "Unexpected text: `43`"),
        ("cancel 42 please", "`please`"),
        ("help me", "`me`"),
        ("inbox releases", "did you mean `release`"),
        ("explain", "Name an action"),
        ("explain project=a", "Name an action"),
        ("audit all", "not a number of events"),
        ("audit 0", "not a number of events"),
        ("audit 51", "not a number of events"),
        ("stats lately", "no length of time"),
        ("stats 0h", "no length of time of up to ten years"),
        ("request release.deploy porject=a", "did you mean `project`"),
        (
            "request release.deploy enviroment=a",
            "did you mean `environment`",
        ),
        ("request release.deploy Project=a", "did you mean `project`"),
        (
            "request release.deploy project=a project=b",
            "is given twice",
        ),
        (
            "request release.deploy env=a environment=b",
            "is given twice",
        ),
        ("request release.deploy action=b", "is given twice"),
        ("request release.deploy project=", "has no value"),
        ("request release.deploy production", "`production`"),
        ("request release.deploy reason=it's late", "not closed"),
        ("request release.deploy payload=x", "not valid JSON"),
        (
            r#"request release.deploy payload='{"a":1,"a":2}'"#,
            "twice in one object",
        ),
        (
            "request release.deploy requester=bob",
            "Unknown word `requester`",
        ),
    ] {
        let why = why(text);
        assert!(why.contains(expected), "{text}: {why}");
    }
}

/// A phone's keyboard, a word processor or a web page puts other spaces between words.
#[test]
fn every_space_between_words_is_a_space_and_none_between_quotes_changes_f6() {
    for space in [
        '\u{a0}', '\u{202f}', '\u{2007}', '\u{3000}', '\t', '\r', '\n',
    ] {
        let typed = "request release.deploy project=api reason=\"two\u{a0}words\" payload='{\"a\":\"b\u{a0}c\"}'";
        let other = typed.replace(' ', &space.to_string());
        assert_eq!(parse(&other), parse(typed), "{space:?}");
        let Ok(Approval::Request(form)) = parse(&other) else {
            panic!("{space:?} is no space");
        };
        assert_eq!(form.reason.as_deref(), Some("two\u{a0}words"));
        let payload = form.payload.map(|payload| payload.0["a"].clone());
        assert_eq!(
            payload,
            Some("b\u{a0}c".into()),
            "what runs is never changed"
        );
        assert_eq!(parse(&format!("approve{space}42")), parse("approve 42"));
    }
    for (typed, plain) in [
        ("explain a.b reason=it\\ 's", "explain a.b reason=it\\ 's"),
        (
            "explain a.b reason='a\\'\u{a0}env=p",
            "explain a.b reason='a\\' env=p",
        ),
        (
            "explain a.b reason=\"a\\\"\u{a0}b\"",
            "explain a.b reason=\"a\\\"\u{a0}b\"",
        ),
    ] {
        assert_eq!(parse(typed), parse(plain), "{typed}");
    }
}

#[test]
fn what_nobody_sees_is_no_value_and_no_comment_f6() {
    assert!(why("request release.deploy reason=\u{200b}").contains("has no value"));
    assert!(matches!(
        parse("reject 42 \u{2060}\u{feff}"),
        Ok(Approval::Reject(_, None))
    ));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_sl14(text in "(?s).{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn words_of_the_grammar_in_any_mix_never_panic_sl14(
        words in prop::collection::vec(prop::sample::select(vec![
            "request", "approve", "42", "#42", "project=", "project=a", "reason=\"", "“", "'", "<@U1|", ">", "<!here>",
            "&amp;lt;", "payload={}", "payload={\"a\":", "=", "==", "\\", "\u{e000}", "\u{202e}", "\n",
        ]), 0..12)
    ) {
        let _ = parse(&words.join(" "));
        let _ = parse(&words.concat());
    }

    /// Whatever stands behind an unknown first word, nothing is decided.
    #[test]
    fn only_the_exact_word_decides_sl14(word in "[a-z]{1,10}", number in 1..1000_i64) {
        let read = parse(&format!("{word} {number}"));
        let decides = matches!(read, Ok(Approval::Approve(..) | Approval::Reject(..)));
        prop_assert_eq!(decides, word == "approve" || word == "reject");
    }
}
