//! What the plugin costs every session of the user, as the client itself counts it.

use pw_testkit::real_client::RealClient;
use pw_testkit::scripted_api::{ScriptedApi, Track};

use super::{bin, release};

/// Tokens of text that every session has, also where nothing is parallel.
const ALWAYS_ON: usize = 500;
/// Tokens of one skill or agent, each time it is called.
const ON_INVOKE: usize = 1_100;

#[test]
#[ignore = "needs the real client; .ci/run runs it"]
fn real_client_counts_few_tokens() {
    let api = ScriptedApi::start([Track::when_user_says("never asked").say("")]);
    let client = RealClient::new(bin(), &api);
    client.install_from_github(&release());
    let told = client.details("parallel-workflows");
    let number = |text: &str| {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        digits.parse::<usize>().ok()
    };
    let always = told.lines().find_map(|line| line.trim().strip_prefix("Always-on:"));
    let always = always.and_then(|rest| number(rest.split("tok").next()?));
    assert!(always.is_some_and(|tokens| tokens > 100 && tokens < ALWAYS_ON), "{told}");
    let parts = told.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, always, invoked] = words[..] else { return None };
        let is_count = always.starts_with('~') && invoked.starts_with('~');
        is_count.then(|| (name, number(invoked).unwrap_or(usize::MAX)))
    });
    let parts: Vec<(&str, usize)> = parts.collect();
    assert_eq!(parts.len(), 7, "{told}");
    let dear = parts.iter().find(|(_, tokens)| *tokens > ON_INVOKE);
    assert_eq!(dear, None, "{told}");
}
