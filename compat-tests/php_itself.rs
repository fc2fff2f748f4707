//! The serialize format held against PHP itself: what we write PHP reads, what PHP writes we read and write back.
//! One `php -r` takes a whole batch. Never needs a framework, or Redis.

mod made;
mod second_opinion;
mod shell;

use std::io::Write;
use std::process::{Command, Output, Stdio};

use base64::prelude::{BASE64_STANDARD, Engine};
use handover::php;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Value as Json, json};

/// What a command answers to this input.
fn fed(command: &mut Command, input: &[u8]) -> Output {
    let mut file = tempfile::tempfile().expect("a file for stdin");
    file.write_all(input).and_then(|()| std::io::Seek::rewind(&mut file)).expect("stdin");
    let output = command.stdin(file).stdout(Stdio::piped()).stderr(Stdio::piped()).output();
    output.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"))
}

/// What a PHP script prints, as JSON. It finds `$input` decoded from JSON.
fn php(script: &str, input: &Json) -> Json {
    let head =
        "error_reporting(E_ALL & ~E_DEPRECATED); $input = json_decode(stream_get_contents(STDIN), true); ";
    let flags =
        ["-n", "-d", "serialize_precision=-1", "-d", "date.timezone=UTC", "-d", "display_errors=stderr"];
    let mut command = Command::new("php");
    let output =
        fed(command.args(flags).args(["-r", &[head, script].concat()]), input.to_string().as_bytes());
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("PHP said: {text}{}", String::from_utf8_lossy(&output.stderr)))
}

fn decoded(text: &Json) -> Vec<u8> {
    BASE64_STANDARD.decode(text.as_str().expect("base64")).expect("base64")
}

#[test]
fn php_reads_what_we_write_as_the_literal_it_is() {
    const SCRIPT: &str = r#"
        $wrong = [];
        foreach ($input as [$bytes, $literal]) {
            $bytes = base64_decode($bytes);
            $ours = unserialize($bytes);
            $theirs = eval("return $literal;");
            if (serialize($ours) !== $bytes || serialize($theirs) !== $bytes || var_export($ours, true) !== var_export($theirs, true)) {
                $wrong[] = [$literal, base64_encode($bytes), base64_encode(serialize($theirs))];
            }
        }
        echo json_encode([count($input), $wrong]);
    "#;
    let mut runner = TestRunner::deterministic();
    let cases: Vec<Json> = (0..500)
        .map(|_| {
            let value = made::value().new_tree(&mut runner).expect("a value").current();
            let bytes = php::to_value(&value).expect("PHP can hold it").write();
            json!([BASE64_STANDARD.encode(bytes), value.literal()])
        })
        .collect();
    let answer = php(SCRIPT, &json!(cases));
    assert_eq!(answer[0], 500);
    let wrong = answer[1].as_array().expect("a list");
    let shown = wrong.iter().map(|wrong| {
        let [ours, theirs] = [&wrong[1], &wrong[2]].map(|bytes| decoded(bytes).escape_ascii().to_string());
        format!("{}: ours {ours}, PHP's {theirs}\n", wrong[0])
    });
    assert!(wrong.is_empty(), "{}", shown.collect::<String>());
}

/// Every kind of thing PHP can serialize by itself, under its name.
const PHPS_OWN: &str = r#"
    enum Suit: string { case Hearts = 'H'; case Spades = 'S'; }
    class Base { private $x = 1; protected $y = 2.5; public $z; private ?Base $next = null;
        function with($next) { $this->next = $next; return $this; } }
    class Child extends Base { private $x = "x\0"; protected $own = [true, null]; public readonly int $number; public Suit $suit = Suit::Spades; }
    class Carbon extends DateTimeImmutable { protected $dumpProperties = ['date']; }
    class OwnDate extends DateTimeImmutable {}
    class Concert extends DateTimeImmutable { public $title = 'x'; }
    class Sleeps { public $a = 1; private $b = 2; public $c = 3; function __sleep() { return ['a', 'b']; } }
    class Packs { public $a; function __serialize(): array { return [5 => $this->a, 'k' => [1, 'x' => 2]]; } function __unserialize(array $data): void {} }
    class Own implements Serializable { function serialize() { return "any}bytes\xff"; } function unserialize($bytes) {} }
    $shared = new stdClass; $shared->a = 1;
    $number = 5; $text = 'text';
    $round = new stdClass; $round->self = $round; $round->list = [&$round->list2]; $round->list2 = [1];
    $storage = new SplObjectStorage; $storage[$shared] = 'data'; $storage[new Child] = [$shared];
    $stack = new SplStack; $stack->push(1); $stack->push($shared);
    $heap = new SplFixedArray(2);
    $berlin = new DateTimeZone('Europe/Berlin');
    $values = [
        'scalars' => [null, true, false, 0, -1, PHP_INT_MAX, PHP_INT_MIN, 0.1, -0.0, 1e25, 5e-324, INF, -INF, NAN, '', "\xff\0", 'é'],
        'keys' => [5 => 1, -5 => 2, 'a' => 3, '05' => 4, '' => 5, "\xff" => 6],
        'cases' => [Suit::Hearts, Suit::Hearts, Suit::Spades],
        'inherited' => [new Child, (new Child)->with(new Child), (new Child)->with($shared2 = new Base)],
        'shared' => [$shared, $shared, 'k' => ['in' => $shared]],
        'references' => [&$number, &$number, &$text, [&$text, &$number]],
        'round' => $round,
        'dates' => [new DateTime('2026-11-20 10:00', $berlin), new DateTimeImmutable('2026-07-20 10:00:00.000001 +05:30'), new DateTime('2026-07-20 EDT'), new Carbon('2026-02-28 23:59:59.999999'), new OwnDate('2026-02-28'), new Concert('2026-02-28')],
        'spans' => [$berlin, new DateInterval('P1DT2H'), new DatePeriod(new DateTime('2026-01-01'), new DateInterval('P1D'), 2), (new DateTime('2026-01-01'))->diff(new DateTime('2026-03-01'))],
        'storage' => $storage,
        'array object' => [new ArrayObject(['a' => 1, 5 => $shared]), new ArrayIterator([1, 2]), $stack, $heap],
        'sleeps' => [new Sleeps, new Packs],
        'own bytes' => [new Own, 5],
        'stdClass' => (object) ['5' => 1, 'a b' => 2, '' => 3],
        'deep' => array_reduce(range(1, 500), fn ($inner) => [$inner], 1),
    ];
    echo json_encode(array_map(fn ($value) => base64_encode(serialize($value)), $values));
"#;

#[test]
fn what_php_writes_is_read_and_written_back() {
    let answer = php(PHPS_OWN, &Json::Null);
    let made = answer.as_object().expect("an object");
    assert_eq!(made.len(), 15);
    for (name, bytes) in made {
        let bytes = decoded(bytes);
        let value = php::parse(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(value.write() == bytes, "{name}");
        let lossless = php::json::to_lossless(&value);
        assert!(php::json::from_lossless(&lossless).as_ref() == Ok(&value), "{name}: {lossless}");
        value.to_json().unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let plain = |name: &str| php::parse(&decoded(&made[name])).unwrap().to_json().unwrap().to_string();
    let concert = json!({
        "$class": "Concert", "date": "2026-02-28 00:00:00.000000", "timezone_type": 3, "timezone": "UTC", "title": "x"
    });
    let dates = json!([
        "2026-11-20T10:00:00.000000+01:00",
        "2026-07-20T10:00:00.000001+05:30",
        "2026-07-20T00:00:00.000000-04:00",
        "2026-02-28T23:59:59.999999+00:00",
        "2026-02-28T00:00:00.000000+00:00",
        concert,
    ]);
    assert_eq!(plain("dates"), dates.to_string());
    assert_eq!(
        plain("shared"),
        r#"{"0":{"$class":"stdClass","a":1},"1":{"$class":"stdClass","a":1},"k":{"in":{"$class":"stdClass","a":1}}}"#
    );
    assert_eq!(plain("references"), r#"[5,5,"text",["text",5]]"#);
}

#[test]
fn objects_of_rust_structs_are_those_of_phps_classes() {
    const SCRIPT: &str = r#"
        eval('namespace App;
            enum Suit { case Hearts; }
            class Point { public $x = 1.5; public $y = -1; }
            abstract class Base { private $inner = [true]; protected $queue = null; }
            class Job extends Base { public $id = 5; protected $user; private $token = "t\xff"; public $suit = Suit::Hearts;
                public $tags = ["5" => "a", "k" => "b"]; function __construct() { $this->user = new Point; } }
        ');
        $same = fn ($bytes) => var_export(unserialize(base64_decode($bytes)), true) === var_export(new App\Job, true);
        echo json_encode([$same($input), base64_encode(serialize(new App\Job))]);
    "#;
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(rename = "App\\Suit")]
    enum Suit {
        Hearts,
    }
    #[derive(serde::Serialize)]
    #[serde(rename = "App\\Point")]
    struct Point {
        x: f64,
        y: i64,
    }
    // In the order in which PHP lists them: what is inherited first.
    #[derive(serde::Serialize)]
    struct Job {
        inner: [bool; 1],
        queue: Option<String>,
        id: i64,
        user: Point,
        #[serde(with = "serde_bytes")]
        token: Vec<u8>,
        suit: Suit,
        tags: std::collections::BTreeMap<String, char>,
    }
    let job = Job {
        inner: [true],
        queue: None,
        id: 5,
        user: Point { x: 1.5, y: -1 },
        token: b"t\xff".to_vec(),
        suit: Suit::Hearts,
        tags: [("5".to_owned(), 'a'), ("k".to_owned(), 'b')].into(),
    };
    let class = php::object("App\\Job").protected(["queue", "user"]).private(["token"]);
    let object = class.private_to("App\\Base", ["inner"]).of(&job).unwrap();
    let answer = php(SCRIPT, &json!(BASE64_STANDARD.encode(object.write())));
    assert_eq!(answer[0], true, "PHP reads another object");
    assert_eq!(php::parse(&decoded(&answer[1])).unwrap().to_json(), object.to_json());
    assert_eq!(decoded(&answer[1]).escape_ascii().to_string(), object.write().escape_ascii().to_string());
}

#[test]
fn dates_are_told_as_php_tells_them() {
    const SCRIPT: &str = r#"
        $told = [];
        foreach (['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe', '+05:30', '-00:30', 'EDT', 'GMT'] as $zone) {
            $zone = new DateTimeZone($zone);
            foreach ([
                '2026-01-01 00:00:00', '2026-03-08 01:59:59', '2026-03-08 03:00:00', '2026-03-29 03:00:00', '2026-04-05 01:45:00',
                '2026-10-25 02:00:00', '2026-10-25 02:30:00', '2026-11-01 01:30:00', '2026-11-01 02:00:00', '1975-06-01 12:00:00.5', '2037-12-31 23:59:59.999999',
            ] as $text) {
                $date = unserialize(serialize(new DateTime($text, $zone)));
                $told[] = [base64_encode(serialize($date)), $date->format('Y-m-d\TH:i:s.uP')];
            }
        }
        echo json_encode($told);
    "#;
    let told = php(SCRIPT, &Json::Null);
    let told = told.as_array().expect("a list");
    assert_eq!(told.len(), 99);
    for date in told {
        let bytes = decoded(&date[0]);
        assert_eq!(php::parse(&bytes).unwrap().to_json().unwrap(), date[1], "{}", bytes.escape_ascii());
    }
}
