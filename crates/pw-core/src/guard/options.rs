//! Options that name what a program writes, or lead it to another folder.

use super::arguments::{Arguments, Known, Word};
use super::decide::Change;
use super::judge::Judge;

/// Programs of which options name what they write.
struct Writer {
    programs: &'static [&'static str],
    known: Known<'static>,
    /// Options whose value is a file.
    files: &'static [&'static str],
    /// Options whose value is a folder into which it writes.
    folders: &'static [&'static str],
}

const fn writer(
    programs: &'static [&'static str],
    short: &'static str,
    long: &'static [&'static str],
    files: &'static [&'static str],
    folders: &'static [&'static str],
) -> Writer {
    Writer { programs, known: Known { short, long }, files, folders }
}

const COMPILERS: &[&str] =
    &["as", "c++", "cc", "clang", "clang++", "g++", "gcc", "gfortran", "ld", "rustc", "strip"];

const WRITERS: &[Writer] = &[
    writer(COMPILERS, "oLIDlxRK", &["--out-dir"], &["-o"], &["--out-dir"]),
    writer(&["age", "gpg", "gpg2", "uudecode"], "oru", &["--output"], &["-o", "--output"], &[]),
    writer(&["bison", "flex", "pandoc"], "oftV", &["--output"], &["-o", "--output"], &[]),
    writer(&["csplit"], "fbn", &["--prefix", "--suffix-format", "--digits"], &[], &[]),
    writer(&["dot", "neato", "fdp", "circo"], "oTKGNE", &[], &["-o"], &[]),
    writer(&["go"], "o", &[], &["-o"], &[]),
    writer(&["iconv"], "oft", &["--output"], &["-o", "--output"], &[]),
    writer(&["npm"], "", &["--pack-destination"], &[], &["--pack-destination"]),
    writer(
        &["pip", "pip3"],
        "tdr",
        &["--target", "--dest", "--requirement"],
        &[],
        &["-t", "--target", "-d", "--dest"],
    ),
    writer(
        &["protoc"],
        "I",
        &["--python_out", "--go_out", "--js_out", "--java_out", "--cpp_out"],
        &[],
        &["--python_out", "--go_out", "--js_out", "--java_out", "--cpp_out"],
    ),
    writer(
        &["rsync"],
        "eBfMT",
        &["--log-file", "--backup-dir", "--temp-dir"],
        &["--log-file"],
        &["--backup-dir", "--temp-dir", "-T"],
    ),
    // It empties that folder first.
    writer(&["pytest", "py.test"], "ckmnopW", &["--basetemp"], &[], &["--basetemp"]),
    writer(&["shuf"], "oin", &["--output"], &["-o", "--output"], &[]),
    writer(&["sort"], "okStT", &["--output"], &["-o", "--output"], &[]),
    writer(&["ssh-keygen"], "fbtCNPm", &[], &["-f"], &[]),
    writer(&["strace", "ltrace", "time"], "oeEpPsSuf", &["--output"], &["-o", "--output"], &[]),
    writer(&["tsc"], "p", &["--outDir", "--outFile"], &["--outFile"], &["--outDir"]),
    writer(&["zstd", "lz4"], "oDT", &[], &["-o"], &[]),
];

/// Options of `curl` with a value.
const CURL: Known<'_> = Known {
    short: "oDcAHdXuebFTmKCrUwxyYzEPQt",
    long: &[
        "--output",
        "--output-dir",
        "--dump-header",
        "--cookie-jar",
        "--trace",
        "--trace-ascii",
        "--stderr",
        "--etag-save",
        "--libcurl",
        "--header",
        "--data",
        "--data-raw",
        "--data-binary",
        "--user",
        "--request",
        "--url",
        "--form",
        "--upload-file",
        "--max-time",
        "--retry",
        "--connect-timeout",
        "--user-agent",
        "--cookie",
        "--cacert",
        "--config",
        "--proxy",
        "--write-out",
        "--resolve",
    ],
};

/// Options with one dash and a name, whose value is the next word.
const NAMED: &[(&str, &[&str])] =
    &[("openssl", &["-out", "-keyout"]), ("keytool", &["-keystore"]), ("java", &["-d"])];

/// A program that an option leads to another folder, in which it writes as it likes.
struct Led {
    programs: &'static [&'static str],
    short: &'static str,
    long: &'static [&'static str],
    /// Words with which it only looks.
    looking: &'static [&'static str],
}

const fn led(
    programs: &'static [&'static str],
    short: &'static str,
    long: &'static [&'static str],
    looking: &'static [&'static str],
) -> Led {
    Led { programs, short, long, looking }
}

const LED: &[Led] = &[
    led(
        &["make", "gmake", "bmake"],
        "C",
        &["--directory"],
        &["-n", "--dry-run", "--just-print", "-q", "--question", "--version", "-v"],
    ),
    led(&["ninja"], "C", &[], &["-n", "-t", "--version"]),
    led(
        &["cmake"],
        "B",
        &["--build", "--install"],
        &["-N", "-L", "--version", "--help", "-E", "-P"],
    ),
    led(
        &["cargo"],
        "C",
        &["--manifest-path", "--target-dir", "--root"],
        &["metadata", "tree", "search", "info", "--version", "-V", "locate-project", "pkgid"],
    ),
    led(&["npm"], "C", &["--prefix"], NODE_LOOKS),
    led(&["pnpm"], "C", &["--dir", "--prefix"], NODE_LOOKS),
    led(&["yarn"], "", &["--cwd"], NODE_LOOKS),
    led(&["bun"], "", &["--cwd"], NODE_LOOKS),
    led(&["pip", "pip3"], "", &["--prefix", "--root"], PYTHON_LOOKS),
    led(&["uv"], "", &["--directory", "--project"], PYTHON_LOOKS),
    led(&["poetry"], "C", &["--directory", "--project"], PYTHON_LOOKS),
    led(&["pdm"], "p", &["--project"], PYTHON_LOOKS),
    led(&["mvn"], "f", &["--file"], &["-v", "--version", "help:help"]),
    led(&["gradle", "gradlew"], "p", &["--project-dir"], &["tasks", "projects", "--version"]),
    led(&["just"], "d", &["--working-directory"], &["-l", "--list", "-n", "--dry-run"]),
    led(&["composer"], "d", &["--working-dir"], &["show", "info", "--version"]),
];

const NODE_LOOKS: &[&str] =
    &["ls", "list", "ll", "view", "info", "show", "outdated", "why", "explain", "--version", "-v"];
const PYTHON_LOOKS: &[&str] =
    &["list", "show", "freeze", "check", "tree", "version", "--version", "env", "info"];

/// Judges what the options of a program say.
pub(super) fn judge(judge: &mut Judge<'_>, name: &str, words: &[Word]) {
    match name {
        "curl" => curl(judge, words),
        "wget" => wget(judge, words),
        "csplit" => {
            let given = Arguments::read(words, WRITERS[3].known);
            let here = Word::new(".");
            let to = given.values(&["-f", "--prefix"]).last();
            prefixed(judge, to.unwrap_or(&here));
        }
        "split" => {
            let long = ["--suffix-length", "--bytes", "--lines", "--line-bytes", "--number"];
            let given = Arguments::read(words, Known { short: "abCltn", long: &long });
            prefixed(judge, given.operands.get(1).unwrap_or(&Word::new("x")));
        }
        _ => {}
    }
    for writer in WRITERS.iter().filter(|writer| writer.programs.contains(&name)) {
        let given = Arguments::read(words, writer.known);
        given.values(writer.files).for_each(|file| written(judge, file));
        given.values(writer.folders).for_each(|folder| judge.changes(Change::Within, folder));
    }
    for (_, options) in NAMED.iter().filter(|(program, _)| *program == name) {
        let pairs = words.windows(2).filter(|pair| options.contains(&pair[0].text.as_str()));
        pairs.for_each(|pair| written(judge, &pair[1]));
    }
    for led in LED.iter().filter(|led| led.programs.contains(&name)) {
        leads(judge, led, words);
    }
}

fn written(judge: &mut Judge<'_>, file: &Word) {
    if file.text != "-" {
        judge.changes(Change::Content, file);
    }
}

/// Judges files whose names begin with a word, as `split` makes them.
pub(super) fn prefixed(judge: &mut Judge<'_>, prefix: &Word) {
    judge.changes(
        Change::Content,
        &Word::new(format!("{}{}", prefix.text, super::arguments::UNKNOWN)),
    );
}

/// Judges a program that works in a folder: what it does in the worker's own worktree is the
/// worker's; in another one it is in another session's way.
fn leads(judge: &mut Judge<'_>, led: &Led, words: &[Word]) {
    let given = Arguments::read(words, Known { short: led.short, long: led.long });
    let looks = |text: &str| led.looking.contains(&text);
    if given.options.iter().any(|(option, _)| looks(option))
        || given.operands.iter().any(|word| looks(&word.text))
    {
        return;
    }
    let short = led.short.chars().map(|letter| format!("-{letter}"));
    let named: Vec<String> = short.chain(led.long.iter().map(|name| (*name).to_owned())).collect();
    let named: Vec<&str> = named.iter().map(String::as_str).collect();
    let mut folders = given.values(&named).cloned().peekable();
    if folders.peek().is_none() {
        return judge.changes(Change::Folder, &Word::new("."));
    }
    folders.collect::<Vec<_>>().iter().for_each(|folder| judge.changes(Change::Folder, folder));
}

fn curl(judge: &mut Judge<'_>, words: &[Word]) {
    let given = Arguments::read(words, CURL);
    let folder = given.values(&["--output-dir"]).last().cloned();
    let files = [
        "-D",
        "--dump-header",
        "-c",
        "--cookie-jar",
        "--trace",
        "--trace-ascii",
        "--stderr",
        "--etag-save",
        "--libcurl",
    ];
    given.values(&files).for_each(|file| written(judge, file));
    let mut made: Vec<String> =
        given.values(&["-o", "--output"]).map(|word| word.text.clone()).collect();
    if given.has(&["-O", "--remote-name", "--remote-name-all"]) {
        made.extend(given.operands.iter().map(|url| last_name(&url.text)));
    }
    for file in made.iter().filter(|file| *file != "-") {
        written(judge, &inside(folder.as_ref(), file));
    }
}

fn wget(judge: &mut Judge<'_>, words: &[Word]) {
    let long = [
        "--output-document",
        "--output-file",
        "--append-output",
        "--directory-prefix",
        "--save-cookies",
        "--header",
        "--tries",
        "--timeout",
    ];
    let given = Arguments::read(words, Known { short: "OoaPtTUQ", long: &long });
    let files = [
        "-O",
        "--output-document",
        "-o",
        "--output-file",
        "-a",
        "--append-output",
        "--save-cookies",
    ];
    given.values(&files).for_each(|file| written(judge, file));
    let folders = ["-P", "--directory-prefix"];
    given.values(&folders).for_each(|folder| judge.changes(Change::Within, folder));
}

/// Returns what a file is called that is fetched from an address.
fn last_name(address: &str) -> String {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned()
}

fn inside(folder: Option<&Word>, file: &str) -> Word {
    match folder {
        Some(folder) if !file.starts_with('/') => Word::new(format!("{}/{file}", folder.text)),
        _ => Word::new(file),
    }
}
