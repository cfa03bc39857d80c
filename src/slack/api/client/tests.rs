use super::*;

fn slack(api_url: &str) -> Slack {
    Slack::new(&SecretString::from("xoxb-test"), api_url).expect("a client")
}

#[test]
fn a_response_url_leads_to_slack_only_no7() {
    let slack = slack("http://127.0.0.1:9000/api/");
    for ours in [
        "https://hooks.slack.com/actions/T1/1/x",
        "https://hooks.slack-gov.com/actions/T1/1/x",
        "http://127.0.0.1:9000/respond/1",
        "http://localhost:9000/respond/1",
        "http://[::1]:9001/respond/1",
    ] {
        assert!(slack.response_url(ours).is_some(), "{ours}");
    }
    for foreign in [
        "",
        "hooks.slack.com",
        "http://hooks.slack.com/x",
        "https://hooks.slack.com:8443/x",
        "https://hooks.slack.com.evil.example/x",
        "https://evil.example/hooks.slack.com",
        "https://hooks.slack.com@evil.example/x",
        "https://user:password@hooks.slack.com/x",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/x",
        "file:///etc/passwd",
        "https://127.0.0.1/x",
    ] {
        assert!(slack.response_url(foreign).is_none(), "{foreign}");
    }
    let configured = self::slack("http://slack.internal:9000/api");
    assert!(configured.response_url("http://localhost/x").is_none());
    assert!(configured.response_url("http://slack.internal/x").is_some());
}

#[test]
fn an_address_that_is_no_http_is_refused() {
    for bad in ["", "slack.com/api", "ftp://slack.com"] {
        let client = Slack::new(&SecretString::from("xoxb-test"), bad);
        assert_eq!(client.err(), Some(BadClient::Url), "{bad}");
    }
}
