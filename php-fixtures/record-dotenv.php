<?php
// record-dotenv.php            reads every file of the list below with the real phpdotenv, into the real repository of
// Laravel's env(), and prints as JSON what came of it: the variables in effect, what env() makes of each, or the error.
// The answers are never made up; `record` writes them to golden/dotenv.json, and a test compares that with a new run.

require_once 'Illuminate/autoload.php';

use Dotenv\Dotenv;
use Dotenv\Exception\InvalidFileException;
use Illuminate\Support\Env;

// What the real environment holds before the file is read.
const REAL = ['HANDOVER_REAL' => 'real', 'HANDOVER_EMPTY' => ''];

$files = [
    // plain
    'A=b', 'A=', 'A', 'A=b c', 'A= b ', ' A = b', "A=b\nA=c", "A=b\r\nB=c\rC=d", "\n\n# comment\n  # another\nA=b", "A=b\n", '',
    'A=b=c', 'A==b', '=b', 'A B=c', 'A-B=c', 'A.B=c', '1A=c', '"A"=b', "'A'=b", '""=b', 'Ä=b', 'A:b', '{A}=b', 'A=ünïcødé 日本',
    // comments
    'A=val#notcomment', 'A=val #comment', 'A=#comment', 'A= # comment', 'A="x" # comment', 'A="x"#comment', 'A="a#b"', "A='a#b'", 'A="a" #"b"',
    // quotes
    'A="b c"', "A='b c'", 'A=""', "A=''", 'A="b', "A='b", 'A=b"', "A=b'c", 'A=it\'s"fine"', 'A="x"y', "A='it''s'", 'A="a\"b"', "A='a\\'b'",
    'A="x" y', 'A=" b "', "A=' b '", 'A="b"  ', "A=\"tab\tin\"", "A=a\tb", 'A={"a":"b"}', "A='{\"a\":\"b\"}'", 'A="it\'s"',
    // escapes
    'A="l\nn\tt\"q\\\\s"', 'A="\f\r\v"', 'A="\nabc"', 'A="\x"', 'A="\a"', 'A="\\\\"', 'A="\\"', "A='\\n'", 'A=App\Jobs\Foo', 'A=a\nb', 'A="\$B"', 'A="\${HANDOVER_REAL}"',
    'A="é\né"', 'A="\ b"', 'A="\#"', "A=\"\\'\"",
    // several lines
    "A=\"a\nb\"\nB=c", "A=\"a\n\nb # c\n\"\nB=c", "A=\"a\r\nb\"", "A='a\nb'", "A=\"unterminated\nB=c", "A=\"unterminated\nB=\"c\"", "A=b\nB=\"c\nC=d", "A=\"a\n\\\"b\n\"", "A=\"a\\\\\"\nB=c", "A =\"a\nb\"", "A=\"\nb\"", "# A=\"b\nB=c\nC=\"d\"",
    // variables
    'A=pa$word', 'A=pa$$word', 'A="pa$word"', 'A="pa$$word"', "A='pa\$word'", "N=x\nA=\$N", "N=x\nA=\${N}", "N=x\nA=\"\${N} y\"", "N=x\nA='\${N}'",
    "N=x\nA=\"\$N y\"", 'A="${NOPE}x"', 'A=${NOPE}', "N=x\nA=a\${N}b\${N}", "N=\${M}\nM=y\nA=\${N}", "N=x\nA=\${N", "N=x\nA=\${ N }", "N.M=x\nA=\${N.M}", "N=\${N}x", "N='\${M}'\nM=y\nA=\"\${N}\${M}\"",
    "N=é\nA=\"é\${N}é\${N}\"", "N=\nA=x\${N}y", "N\nA=x\${N}y", "A=a\${HANDOVER_REAL}b", 'A=x$', 'A="$"', "N=1\nA=\"\\\\\${N}\"",
    // export
    'export A=yes', 'export ABC=yes', "export\tABC=yes", 'export  ABC = yes', 'exportABC=yes', 'export ABC', 'export "ABC"=yes', 'export=yes',
    // the real environment goes first
    'HANDOVER_REAL=file', "HANDOVER_REAL=file\nA=\${HANDOVER_REAL}", 'HANDOVER_EMPTY=file', 'HANDOVER_REAL', "A=\${HANDOVER_EMPTY}.",
    // env()
    'A=true', 'A=(true)', 'A=TRUE', 'A=True', 'A=false', 'A=(False)', 'A=null', 'A=(null)', 'A=NULL', 'A=empty', 'A=(empty)', 'A="true"', "A='null'", 'A=" true"', 'A="\"b\""', "A=\"'b'\"", "A=\"'b\\\"\"", "A=\"'\n'\"", 'A=0', 'A=1.0', 'A="\""', 'A="\'\'"', 'A=yes', 'A=on',
    // bytes
    "\u{FEFF}A=b", "A=b\u{a0}c", "A=\xff\xfe", "A=\"\xc3\"", "A=a\u{2028}b", "A=a\x0bb", "A=a\x00b", "A=a\x00", "A=\x0bb", "\x0cA=b",
];

$recorded = [];
foreach ($files as $file) {
    foreach (array_keys($_SERVER + $_ENV + getenv()) as $name) {
        unset($_SERVER[$name], $_ENV[$name]);
        is_string($name) && strpbrk($name, "=\0") === false && $name !== '' && putenv($name);
    }
    foreach (REAL as $name => $value) {
        $_SERVER[$name] = $_ENV[$name] = $value;
        putenv("$name=$value");
    }
    Env::enablePutenv(); // a new repository
    Env::disablePutenv();
    $path = tempnam(sys_get_temp_dir(), 'dotenv');
    file_put_contents($path, $file);
    $answer = ['file' => base64_encode($file)];
    try {
        Dotenv::create(Env::getRepository(), dirname($path), basename($path))->safeLoad();
        $answer['variables'] = array_map('base64_encode', array_diff_key($_ENV, []));
        $answer['env'] = [];
        foreach ($_ENV as $name => $_) {
            $value = Env::get((string) $name);
            $answer['env'][$name] = is_string($value) ? ['text' => base64_encode($value)] : $value;
        }
        $answer['variables'] = (object) $answer['variables'];
        $answer['env'] = (object) $answer['env'];
    } catch (InvalidFileException $e) {
        $answer['error'] = base64_encode($e->getMessage());
    }
    unlink($path);
    $recorded[] = $answer;
}

echo json_encode($recorded, JSON_PRETTY_PRINT | JSON_THROW_ON_ERROR)."\n";
