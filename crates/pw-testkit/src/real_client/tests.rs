use super::*;

#[test]
fn ends_a_program_that_outstays_its_time_and_what_it_started() {
    let api = ScriptedApi::start([]);
    let client = RealClient::new("unused", &api);
    let mut command = client.command("sh");
    command.args(["-c", "sleep 60 & echo $!; wait"]);
    let finished = client.finish(command, Duration::from_millis(300));
    assert!(finished.timed_out && !finished.status.success());
    let stat = format!("/proc/{}/stat", finished.stdout.trim());
    let gone = || fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "));
    let deadline = Instant::now() + Duration::from_secs(10);
    while !gone() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(gone());
}

#[test]
fn gives_the_client_nothing_of_this_environment_but_the_way_to_programs() {
    let api = ScriptedApi::start([]);
    let client = RealClient::new("unused", &api);
    let seen = client.succeed(client.command("env"), TIME_LIMIT);
    let names: Vec<&str> =
        seen.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    assert!(
        !names.iter().any(|name| name.starts_with("CARGO_MANIFEST") || name.starts_with("RUST_")),
        "{seen}"
    );
    assert!(seen.contains(&format!("HOME={}\n", client.home().display())), "{seen}");
}

#[test]
fn publishes_the_tracked_files_as_they_are_on_disk() {
    let api = ScriptedApi::start([]);
    let client = RealClient::new("unused", &api);
    let checkout = client.project();
    for (file, text) in
        [("kept", "old"), ("gone", ""), (".gitignore", "target\nforced\n"), ("forced", "")]
    {
        fs::write(checkout.join(file), text).unwrap();
    }
    client.git(["init", "--quiet"]);
    client.git(["add", "--force", "."]);
    fs::write(checkout.join("kept"), "new").unwrap();
    fs::write(checkout.join("target"), "").unwrap();
    fs::remove_file(checkout.join("gone")).unwrap();
    let remote = client.publish(&checkout);
    let published = |args: [&str; 3]| client.git_in(Path::new(&remote), args);
    assert_eq!(published(["ls-tree", "--name-only", "HEAD"]), ".gitignore\nforced\nkept");
    assert_eq!(published(["cat-file", "blob", "HEAD:kept"]), "new");
}
