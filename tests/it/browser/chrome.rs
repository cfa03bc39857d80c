//! A headless Chromium, driven over its `DevTools` socket as a person would drive it: keys, mouse, and what is visible.

use base64::Engine as _;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// A screen: its size, and whether it prefers dark colours.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    pub width: u32,
    pub height: u32,
    pub dark: bool,
}

pub const DESKTOP: Screen = Screen {
    width: 1280,
    height: 800,
    dark: false,
};

/// One page of a browser. It records the page's console errors and the addresses that it requests.
pub struct Browser {
    child: Child,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: Option<String>,
    last: u64,
    profile: PathBuf,
    complaints: Vec<String>,
    asked_for: Vec<String>,
}

/// The browser for tests; `None` if there is none (never in CI).
fn binary() -> Option<PathBuf> {
    let named = std::env::var_os("COUNTERSIGN_TEST_BROWSER").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = ["chromium", "google-chrome"]
        .iter()
        .flat_map(|name| std::env::split_paths(&path).map(move |folder| folder.join(name)))
        .find(|candidate| candidate.is_file());
    let browser = named.or(found);
    assert!(
        browser.is_some() || std::env::var_os("CI").is_none(),
        "CI needs a Chromium: install one, or name it in COUNTERSIGN_TEST_BROWSER"
    );
    browser
}

impl Browser {
    /// Starts a browser, or prints that there is none.
    pub async fn start() -> Option<Self> {
        let Some(binary) = binary() else {
            eprintln!(
                "SKIPPED: no chromium and no google-chrome; COUNTERSIGN_TEST_BROWSER may name one"
            );
            return None;
        };
        let profile =
            std::env::temp_dir().join(format!("cs_browser_{}", uuid::Uuid::now_v7().simple()));
        let mut child = Command::new(binary)
            // root in a container cannot create sandboxes; the browser opens only our page
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
            ])
            .args([
                "--no-first-run",
                "--disable-background-networking",
                "--remote-debugging-port=0",
            ])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg("about:blank")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the browser starts");
        let mut lines = BufReader::new(child.stderr.take().expect("it was piped")).lines();
        let address = loop {
            let line = lines.next_line().await.expect("it can be read");
            let line = line.expect("the browser says where it listens before it ends");
            if let Some((_, address)) = line.split_once("DevTools listening on ") {
                break address.trim().to_owned();
            }
        };
        // a full pipe would stop the browser
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let (socket, _) = connect_async(address).await.expect("the browser answers");
        let mut browser = Self {
            child,
            socket,
            session: None,
            last: 0,
            profile,
            complaints: Vec::new(),
            asked_for: Vec::new(),
        };
        browser.attach().await;
        Some(browser)
    }

    async fn attach(&mut self) {
        let target = self
            .call("Target.createTarget", json!({"url": "about:blank"}))
            .await;
        let attached = self
            .call(
                "Target.attachToTarget",
                json!({"targetId": target["targetId"], "flatten": true}),
            )
            .await;
        self.session = attached["sessionId"].as_str().map(ToOwned::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            self.call(&format!("{domain}.enable"), json!({})).await;
        }
        self.screen(DESKTOP).await;
    }

    /// Calls a method of the `DevTools` protocol.
    pub async fn call(&mut self, method: &str, params: Value) -> Value {
        let answer = self.try_call(method, params).await;
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// The same; an error is returned.
    async fn try_call(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        self.last += 1;
        let mut message = json!({"id": self.last, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let sent = self.socket.send(Message::text(message.to_string())).await;
        sent.expect("the browser listens");
        loop {
            let Message::Text(text) = self
                .socket
                .next()
                .await
                .expect("an answer")
                .expect("a message")
            else {
                continue;
            };
            let answer: Value = serde_json::from_str(&text).expect("JSON");
            if answer["id"] == self.last {
                return match answer.get("error") {
                    Some(error) => Err(error.clone()),
                    None => Ok(answer["result"].clone()),
                };
            }
            self.note(&answer);
        }
    }

    fn note(&mut self, event: &Value) {
        let params = &event["params"];
        match event["method"].as_str() {
            Some("Network.requestWillBeSent") => {
                self.asked_for
                    .extend(params["request"]["url"].as_str().map(ToOwned::to_owned));
            }
            Some("Runtime.exceptionThrown") => self.complaints.push(params.to_string()),
            Some("Runtime.consoleAPICalled")
                if params["type"] == "error" || params["type"] == "warning" =>
            {
                self.complaints.push(params.to_string());
            }
            Some("Log.entryAdded") if params["entry"]["level"] == "error" => {
                self.complaints.push(params.to_string());
            }
            _ => {}
        }
    }

    /// The page's console errors, and the addresses outside `home` that it requested.
    pub fn complaints(&self, home: &str) -> Vec<String> {
        let outside = self.asked_for.iter().filter(|url| {
            !url.starts_with(home) && !url.starts_with("data:") && !url.starts_with("about:")
        });
        self.complaints.iter().chain(outside).cloned().collect()
    }

    /// Changes the screen.
    pub async fn screen(&mut self, screen: Screen) {
        let size = json!({"width": screen.width, "height": screen.height, "deviceScaleFactor": 1, "mobile": screen.width < 700});
        self.call("Emulation.setDeviceMetricsOverride", size).await;
        let likes = if screen.dark { "dark" } else { "light" };
        let features = json!([
            {"name": "prefers-color-scheme", "value": likes},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]);
        self.call("Emulation.setEmulatedMedia", json!({"features": features}))
            .await;
    }

    /// Opens an address.
    pub async fn navigate(&mut self, url: &str) {
        let answer = self.call("Page.navigate", json!({"url": url})).await;
        assert!(answer.get("errorText").is_none(), "{answer}");
    }

    /// Evaluates an expression and awaits a promise.
    pub async fn evaluate(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let answer = self.call("Runtime.evaluate", asked).await;
        assert!(
            answer.get("exceptionDetails").is_none(),
            "{expression}\n{answer:#}"
        );
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true on a page that may be left meanwhile. Fails after ten seconds.
    pub async fn lands(&mut self, expression: &str) {
        let asked = format!(
            "new Promise((resolve) => setTimeout(() => {{ try {{ resolve(Boolean({expression})); }} catch {{ resolve(false); }} }}, 100))"
        );
        let asked = json!({"expression": asked, "awaitPromise": true, "returnByValue": true});
        for _ in 0..100 {
            // leaving a page ends whatever is evaluated on it
            if let Ok(answer) = self.try_call("Runtime.evaluate", asked.clone()).await
                && answer["result"]["value"] == true
            {
                return;
            }
        }
        let text = self.evaluate("document.body.innerText").await;
        panic!("the page never came to: {expression}\n{text}");
    }

    /// Waits until an expression is true, and checks it at each change of the page. Fails after ten seconds.
    pub async fn until(&mut self, expression: &str) {
        let asked = format!(
            "new Promise((resolve) => {{
                const holds = () => {{ try {{ return Boolean({expression}); }} catch {{ return false; }} }};
                const watcher = new MutationObserver(() => look());
                const done = (text) => {{ watcher.disconnect(); clearInterval(timer); document.removeEventListener('focusin', look); resolve(text); }};
                const look = () => holds() && done('');
                watcher.observe(document, {{ subtree: true, childList: true, attributes: true, characterData: true }});
                document.addEventListener('focusin', look);
                // a second pane is a document of its own, which the watcher does not see
                const timer = setInterval(look, 200);
                setTimeout(() => done(document.body?.innerText || 'an empty page'), 10000);
                look();
            }})"
        );
        let seen = self.evaluate(&asked).await;
        assert_eq!(seen, "", "the page never came to: {expression}");
    }

    /// Waits until a text is visible in the open dialog, or else in the conversation.
    pub async fn reads(&mut self, text: &str) {
        let text = json!(text);
        self.until(&format!("({PLACE}).innerText.includes({text})"))
            .await;
    }

    /// Clicks the middle of the last visible link or button with this text. A message that arrives in between can move what is
    /// clicked; then it is clicked again, as a person would.
    pub async fn click(&mut self, text: &str) {
        let watch = format!(
            "window.hit = false; document.addEventListener('click', (event) => {{
                window.hit = event.target.closest('button, a, summary')?.innerText.replace(/\\s+/g, ' ').trim().startsWith({}) ?? false;
            }}, {{ capture: true, once: true }})",
            json!(text)
        );
        for _ in 0..5 {
            let at = self.middle_of(text).await;
            self.evaluate(&watch).await;
            self.mouse("mousePressed", &at).await;
            self.mouse("mouseReleased", &at).await;
            // a page that was left has seen nothing
            if self.evaluate("window.hit").await != false {
                return;
            }
        }
        panic!("{text} moves whenever it is clicked");
    }

    /// Sends `mousePressed` or `mouseReleased` at a position.
    pub async fn mouse(&mut self, kind: &str, at: &Value) {
        let event = json!({"type": kind, "x": at["left"], "y": at["top"], "button": "left", "clickCount": 1});
        self.call("Input.dispatchMouseEvent", event).await;
    }

    /// Where a link or button can be clicked; fails if something covers it.
    pub async fn middle_of(&mut self, text: &str) -> Value {
        let find = format!(
            "{CLICKABLE}.filter((node) => node.innerText.replace(/\\s+/g, ' ').trim().startsWith({})).at(-1)",
            json!(text)
        );
        self.until(&find).await;
        let at = self
            .evaluate(&format!(
                "(() => {{
                    const node = {find};
                    node.scrollIntoView({{ block: 'center', behavior: 'instant' }});
                    const {{ x, y, width, height }} = node.getBoundingClientRect();
                    const [left, top] = [x + width / 2, y + height / 2];
                    const hit = document.elementFromPoint(left, top);
                    return {{ left, top, hit: node.contains(hit) ? '' : `covered by ${{hit?.outerHTML.slice(0, 200)}}` }};
                }})()"
            ))
            .await;
        assert_eq!(at["hit"], "", "{text} cannot be clicked");
        at
    }

    /// Types text into the focused element.
    pub async fn types(&mut self, text: &str) {
        self.call("Input.insertText", json!({"text": text})).await;
    }

    /// Presses a key: `Tab`, `Shift+Tab`, `Enter`, `Escape`, `ArrowDown`, or a letter.
    pub async fn press(&mut self, key: &str) {
        let (modifiers, key) = key.strip_prefix("Shift+").map_or((0, key), |key| (8, key));
        let (code, text) = match key {
            "Tab" => (9, None),
            "Enter" => (13, Some("\r")),
            "Escape" => (27, None),
            "ArrowDown" => (40, None),
            letter => (
                i64::from(letter.to_ascii_uppercase().as_bytes()[0]),
                Some(letter),
            ),
        };
        let mut event = json!({"type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": code, "modifiers": modifiers});
        if let Some(text) = text {
            event["text"] = json!(text);
        }
        self.call("Input.dispatchKeyEvent", event.clone()).await;
        event["type"] = json!("keyUp");
        self.call("Input.dispatchKeyEvent", event).await;
    }

    /// Presses Tab until the focus is on what matches the selector, as people without a mouse do; the focus must be visible there.
    pub async fn tab_to(&mut self, selector: &str) {
        for _ in 0..60 {
            self.press("Tab").await;
            let there = format!("document.activeElement?.matches({})", json!(selector));
            if self.evaluate(&there).await == true {
                let ring = "(() => { const style = getComputedStyle(document.activeElement); return style.outlineStyle !== 'none' && style.outlineWidth !== '0px'; })()";
                assert_eq!(
                    self.evaluate(ring).await,
                    true,
                    "{selector} does not show its focus"
                );
                return;
            }
        }
        panic!("the keyboard does not reach {selector}");
    }

    /// Saves a picture for people, in the folder that `COUNTERSIGN_TEST_SCREENSHOTS` names.
    pub async fn screenshot(&mut self, name: &str) {
        let Some(folder) = std::env::var_os("COUNTERSIGN_TEST_SCREENSHOTS").map(PathBuf::from)
        else {
            return;
        };
        let shot = self.call("Page.captureScreenshot", json!({})).await;
        let picture = base64::engine::general_purpose::STANDARD
            .decode(shot["data"].as_str().unwrap_or_default())
            .expect("base64");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(format!("{name}.png")), picture).expect("a picture");
    }

    /// Saves a picture of one element for the documentation, in the folder that `COUNTERSIGN_TEST_PICTURES` names.
    pub async fn picture(&mut self, name: &str, element: &str) {
        let Some(folder) = std::env::var_os("COUNTERSIGN_TEST_PICTURES").map(PathBuf::from) else {
            return;
        };
        let clip = self
            .evaluate(&format!(
                "(() => {{ const node = {element}; node.scrollIntoView({{block: 'nearest'}}); document.activeElement?.blur(); const {{x, y, width, height}} = node.getBoundingClientRect();
                    return {{x, y, width, height: Math.min(height, innerHeight - y), scale: 1.5}}; }})()"
            ))
            .await;
        let shot = self
            .call("Page.captureScreenshot", json!({"clip": clip}))
            .await;
        let picture = base64::engine::general_purpose::STANDARD
            .decode(shot["data"].as_str().unwrap_or_default())
            .expect("base64");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(format!("{name}.png")), picture).expect("a picture");
    }

    /// What axe-core finds wrong on the page as it is now: rule, and the elements.
    pub async fn axe(&mut self) -> Vec<String> {
        if self.evaluate("Boolean(window.axe)").await == false {
            let source = include_str!("axe/axe.min.js");
            self.evaluate(&format!("{source};true")).await;
        }
        let found = self
            .evaluate(
                "axe.run(document, {resultTypes: ['violations'], iframes: false}).then((result) => result.violations.map((each) =>
                    `${each.id}: ${each.help}: ${each.nodes.map((node) => `${node.html.slice(0, 160)} ${node.failureSummary.slice(0, 300)}`).join(' | ')}`))",
            )
            .await;
        let found = found.as_array().expect("a list").iter();
        found
            .map(|each| each.as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Ends the browser and removes its profile.
    pub async fn close(mut self) {
        self.session = None;
        self.call("Browser.close", json!({})).await;
        self.child.wait().await.expect("it ends");
        let _ = std::fs::remove_dir_all(&self.profile); // it is below the temporary folder
    }
}

/// Where a person looks: at the topmost dialog, or else at the page.
const PLACE: &str =
    "[...document.querySelectorAll('dialog[open]')].at(-1) ?? document.querySelector('main')";
/// What can be clicked there.
const CLICKABLE: &str = "[...document.querySelectorAll('dialog[open] button, body:not(:has(dialog[open])) :is(button, a, summary)')]
    .filter((node) => node.checkVisibility())";
