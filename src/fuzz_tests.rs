//! Every parser that reads what others write, under inputs that nobody writes: mutated from good ones by a seeded generator.
//!
//! Each target runs for a second in `cargo test`, and for as long as `COUNTERSIGN_FUZZ_SECONDS` says. A failure names its seed and its
//! input; `COUNTERSIGN_FUZZ_SEED` runs the same inputs again.

use crate::config::file::{Source, to_yaml};
use crate::domain::digest::{Digest, Payload, canonical};
use crate::slack::inbound::command;
use crate::slack::inbound::socket::frame::{self, Frame};
use crate::slack::inbound::{self, Ack, Delivery, Inbound};
use crate::slack::ui::{read_value, text};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

/// Tried even on a machine that has no time for it.
const LEAST: u64 = 32;
/// Longer inputs find nothing that shorter ones do not, and cost more.
const LONGEST: usize = 16 * 1024;

/// What parsers trip over.
const WORDS: [&str; 40] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "null",
    "true",
    "-1",
    "1e999",
    "9007199254740993",
    "0.1",
    "\\u0000",
    "\\ud800",
    "&",
    "=",
    "%",
    "%00",
    "+",
    "payload=",
    "command=",
    "ssl_check=1",
    "\"type\":",
    "\"user\":",
    "\"team\":null",
    "\"actions\":[]",
    "\"view\":{}",
    "reason=\"",
    "env=",
    "approve",
    "<!channel>",
    "<@U1>",
    "&amp;lt;",
    "```",
    "\u{202e}",
    "\u{200b}",
    "\n- ",
    "? ",
    "&a *a",
];

/// A small generator that always gives the same for the same seed (`SplitMix64`).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).unwrap_or(1);
        usize::try_from(self.next() % bound).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

/// A good input, spoiled a few times over.
fn mutated(chance: &mut Chance, seeds: &[&str]) -> Vec<u8> {
    let mut bytes = seeds[chance.below(seeds.len())].as_bytes().to_vec();
    for _ in 0..chance.below(8) {
        let at = chance.below(bytes.len() + 1);
        match chance.below(9) {
            0 if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
            1 if at < bytes.len() => bytes[at] = chance.byte(),
            2 => bytes.insert(at, chance.byte()),
            3 => {
                let end = (at + chance.below(32)).min(bytes.len());
                bytes.drain(at.min(end)..end);
            }
            4 => {
                let end = (at + chance.below(64)).min(bytes.len());
                let again = bytes[at.min(end)..end].to_vec();
                bytes.splice(at..at, again);
            }
            5 | 6 => {
                let word = WORDS[chance.below(WORDS.len())].bytes();
                bytes.splice(at..at, word);
            }
            7 => {
                let other = seeds[chance.below(seeds.len())].as_bytes();
                let from = chance.below(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            _ => {
                let word = WORDS[chance.below(WORDS.len())].repeat(chance.below(200));
                bytes.splice(at..at, word.bytes());
            }
        }
    }
    bytes.truncate(LONGEST);
    bytes
}

fn told(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Feeds a target until its time is up. What it asserts must hold for every input.
pub(crate) fn feed(name: &str, seeds: &[&str], target: impl Fn(&[u8])) {
    let time = Duration::from_secs(told("COUNTERSIGN_FUZZ_SECONDS").unwrap_or(1));
    let seed = told("COUNTERSIGN_FUZZ_SEED").unwrap_or_else(|| {
        // always the same in a plain run, something new in a long one
        if told("COUNTERSIGN_FUZZ_SECONDS").is_some() {
            getrandom::u64().unwrap_or(1)
        } else {
            1
        }
    });
    let (mut chance, since, mut count) = (Chance(seed), Instant::now(), 0_u64);
    for good in seeds {
        target(good.as_bytes());
    }
    while count < LEAST || since.elapsed() < time {
        let input = mutated(&mut chance, seeds);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(&input))) {
            eprintln!(
                "{name}: COUNTERSIGN_FUZZ_SEED={seed}, input {count}: {:?}",
                String::from_utf8_lossy(&input)
            );
            resume_unwind(panic);
        }
        count += 1;
    }
    println!(
        "fuzz {name}: {count} inputs in {} s, seed {seed}",
        time.as_secs()
    );
}

const CLICK: &str = r#"{"type":"block_actions","api_app_id":"A1","trigger_id":"1.2.3","team":{"id":"T1","enterprise_id":"E1"},"user":{"id":"U1","name":"bob","team_id":"T1"},"container":{"type":"message","channel_id":"C1","message_ts":"1.2","is_ephemeral":false},"channel":{"id":"C1"},"response_url":"https://hooks.slack.com/actions/T1/1/x","actions":[{"type":"button","action_id":"approve","value":"req_01k8z0v3c5d7e9f1g2h3j4k5m6 sha256:00","block_id":"b"}]}"#;
const SENT: &str = r#"{"type":"view_submission","api_app_id":"A1","team":null,"enterprise":{"id":"E1"},"user":{"id":"U1","team_id":"T1"},"view":{"id":"V1","type":"modal","hash":"1.a","callback_id":"details","private_metadata":"x y","state":{"values":{"verdict":{"verdict":{"type":"radio_buttons","selected_option":{"value":"approve"}}},"comment":{"comment":{"value":"fine"}}}}}}"#;
const EVENT: &str = r#"{"type":"event_callback","api_app_id":"A1","team_id":"T1","event_id":"Ev1","event":{"type":"user_change","user":{"id":"U1","deleted":true}},"authorizations":[{"team_id":null}]}"#;
const OPENED: &str = r#"{"type":"event_callback","api_app_id":"A1","event_id":"Ev2","event":{"type":"app_home_opened","user":"U1","tab":"home"}}"#;
const VERIFY: &str = r#"{"type":"url_verification","challenge":"abc","token":"x"}"#;
const TYPED: &str = r#"{"command":"/approval","text":"request release.deploy project=a env=b","user_id":"U1","team_id":"T1","api_app_id":"A1","trigger_id":"9.9"}"#;

fn look(inbound: &Inbound, content: &[u8]) {
    let delivery = Delivery::of(inbound, content);
    assert!(
        delivery.key.starts_with("slack:") && delivery.key.len() <= 206,
        "{delivery:?}"
    );
    assert_eq!(delivery, Delivery::of(inbound, content));
    let _ = inbound.origin();
    if let Inbound::Interaction(read) = inbound {
        let _ = (read.action(), read.channel_id());
        if let Some(view) = &read.view {
            let _ = view.input("verdict", "verdict");
        }
        let value = read.action().and_then(|action| action.value.as_deref());
        let named: Option<(crate::domain::id::RequestId, Digest)> =
            read_value(value.unwrap_or_default());
        if let (Some((request, digest)), Some(value)) = (named, value) {
            assert_eq!(
                format!("{request} {digest}"),
                value,
                "a value names one request, in one way"
            );
        }
    }
}

#[test]
fn fuzz_forms() {
    let form = |pairs: &[(&str, &str)]| serde_urlencoded::to_string(pairs).expect("a form");
    let (click, sent) = (form(&[("payload", CLICK)]), form(&[("payload", SENT)]));
    let seeds = [
        click.as_str(),
        &sent,
        "command=%2Fapproval&text=approve+1&user_id=U1&team_id=T1&api_app_id=A1&trigger_id=9.9",
        "ssl_check=1&token=x",
    ];
    feed("forms", &seeds, |bytes| {
        let read = inbound::parse("application/x-www-form-urlencoded", bytes);
        if let Ok(inbound) = &read {
            look(inbound, bytes);
            let of_a_form = matches!(
                inbound,
                Inbound::Command(_)
                    | Inbound::Interaction(_)
                    | Inbound::SslCheck
                    | Inbound::Unusable { .. }
            );
            assert!(of_a_form, "{inbound:?}");
            // no body is of two kinds (SL3)
            let json = inbound::parse("application/json", bytes);
            assert!(json.is_err(), "{json:?}");
        }
    });
}

#[test]
fn fuzz_interactions() {
    feed("interactions", &[CLICK, SENT], |bytes| {
        let json = String::from_utf8_lossy(bytes);
        if let Ok(inbound) = Inbound::from_interaction(&json) {
            look(&inbound, json.as_bytes());
            assert!(json.trim_start().starts_with('{'), "{json}");
        }
    });
}

#[test]
fn fuzz_events() {
    feed("events", &[EVENT, OPENED, VERIFY], |bytes| {
        if let Ok(inbound) = inbound::parse("application/json; charset=utf-8", bytes) {
            look(&inbound, bytes);
            let of_json = matches!(
                inbound,
                Inbound::Event(_) | Inbound::UrlVerification { .. } | Inbound::Unusable { .. }
            );
            assert!(of_json, "{inbound:?}");
        }
    });
}

#[test]
fn fuzz_socket_frames() {
    let envelope = |kind: &str, payload: &str| {
        format!(
            r#"{{"type":"{kind}","envelope_id":"e1","accepts_response_payload":true,"payload":{payload}}}"#
        )
    };
    let [click, sent, typed, event] = [
        ("interactive", CLICK),
        ("interactive", SENT),
        ("slash_commands", TYPED),
        ("events_api", EVENT),
    ]
    .map(|(kind, payload)| envelope(kind, payload));
    let seeds = [
        click.as_str(),
        &sent,
        &typed,
        &event,
        r#"{"type":"hello","num_connections":1,"connection_info":{"app_id":"A1"}}"#,
        r#"{"type":"disconnect","reason":"refresh_requested","debug_info":{}}"#,
    ];
    feed("socket frames", &seeds, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        match frame::read(&text) {
            Frame::Envelope(envelope) => {
                let ack =
                    frame::acknowledge(&envelope.id, envelope.answerable, Ack::Ok).expect("an ack");
                let ack: serde_json::Value = serde_json::from_str(&ack).expect("JSON");
                assert_eq!(ack["envelope_id"], envelope.id.as_str());
                let _ = envelope.inbound.origin();
            }
            Frame::Spoiled { envelope_id, .. } => assert!(!envelope_id.is_empty()),
            Frame::Hello | Frame::Disconnect(_) => assert!(text.contains("type")),
            Frame::Other(kind) => assert!(kind.chars().count() <= 80),
        }
    });
}

#[test]
fn fuzz_slash_commands_sl14() {
    let seeds = [
        "request release.deploy project=api-platform env=production release=v1.4.2 reason=\"hotfix for checkout\"",
        "approve 42 looks right",
        "reject req_01k8z0v3c5d7e9f1g2h3j4k5m6 'no'",
        "inbox cluster",
        "explain command.execute cluster=prod-eu-1 payload='{\"command\":[\"ls\"]}'",
        "show 1",
        "cancel 7",
        "help",
    ];
    feed("slash commands", &seeds, |bytes| {
        let said = String::from_utf8_lossy(bytes);
        // what decides is said in so many words; Slack's own marks around a link are not among them
        let word = |wanted: &str| said.to_lowercase().replace(['<', '>'], "").contains(wanted);
        match command::parse(&said) {
            Ok(command::Approval::Approve(..)) => assert!(word("approve"), "{said}"),
            Ok(command::Approval::Reject(..)) => assert!(word("reject"), "{said}"),
            Ok(_) => {}
            Err(misread) => assert!(!misread.0.is_empty()),
        }
    });
}

#[test]
fn fuzz_payloads_have_one_canonical_form_b10() {
    let seeds = [
        r#"{"command":["kubectl","delete","pod","x"],"input":{"replicas":3,"ratio":0.25,"note":"é\u0000\ud83d\ude00"}}"#,
        r#"[1,-1,1.5e10,9007199254740991,"",null,true,{"a":{"a":[]}}]"#,
        r#"{"a":1,"b":{"c":2}}"#,
    ];
    feed("payloads", &seeds, |bytes| {
        let Ok(Payload(value)) = serde_json::from_slice(bytes) else {
            return;
        };
        let text = canonical(&value).expect("what was read strictly has a canonical form");
        let Payload(again) = serde_json::from_str(&text).expect("and it reads strictly");
        assert_eq!(
            canonical(&again).expect("again"),
            text,
            "the canonical form is a fixpoint"
        );
        // what a lenient reader sees is the same, so that nobody is shown anything else
        let lenient: serde_json::Value = serde_json::from_slice(bytes).expect("JSON");
        assert_eq!(canonical(&lenient).expect("canonical"), text);
    });
}

#[test]
fn fuzz_configurations() {
    let seeds = [
        include_str!("../manifests/demo.yaml"),
        include_str!("../manifests/policies/off-hours.yaml"),
        "organization: acme\npolicies: [{id: a, name: A, scope: organization, approvers: anyone}]\n",
    ];
    feed("configurations", &seeds, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        match Source::read("fuzz.yaml", &text) {
            Ok(source) => {
                let yaml = to_yaml(source.document()).expect("YAML");
                let again = Source::read("again.yaml", &yaml).expect("what we write, we read");
                assert_eq!(again.document(), source.document());
                if let Err(faults) = source.compile(0, &BTreeMap::new()) {
                    assert!(!faults.0.is_empty());
                }
            }
            Err(faults) => {
                assert!(!faults.0.is_empty());
                let said = faults.to_string();
                assert!(
                    !said.chars().any(|sign| sign.is_control() && sign != '\n'),
                    "{said:?}"
                );
            }
        }
    });
}

#[test]
fn fuzz_text_of_people_sl8() {
    let seeds = [
        "please <!channel> see <https://evil.example|this> & *that* `now`",
        "&lt;!here&gt; \u{202e}evil\u{202c} <@U012> ~no~ _yes_",
        "https://example.com www.example.com a@b.example\n> quoted",
    ];
    feed("text of people", &seeds, |bytes| {
        let said = String::from_utf8_lossy(bytes);
        let shown = text::escape(&said);
        assert!(
            !shown.contains(['<', '>', '*', '_', '~', '`', '\n']),
            "{shown:?}"
        );
        let code = text::code(&said);
        assert!(
            !code.contains(['<', '>', '\n']) && code.matches('`').count() == 2,
            "{code:?}"
        );
        for marked in [&shown, &code] {
            let entities = ["&amp;", "&lt;", "&gt;"];
            let whole =
                |(at, _): (usize, &str)| entities.iter().any(|one| marked[at..].starts_with(one));
            assert!(marked.match_indices('&').all(whole), "{marked:?}");
        }
        for most in [1, 2, 7, 80] {
            let cut = text::cut(&said, most);
            assert!(cut.chars().count() <= most, "{most}: {cut:?}");
            assert!(
                text::plain(&cut)
                    .chars()
                    .all(|sign| !sign.is_control() || sign == '\n' || sign == '\t')
            );
        }
    });
}
