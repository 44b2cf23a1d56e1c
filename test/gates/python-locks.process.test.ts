/** The Python suites install exactly what their locks pin, and say what is missing. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { ROOT } from "../gateway/deployment.ts";

const ENVIRONMENT = join(ROOT, "test/python/environment.sh");

/** Programs that are really there; Python is played. */
const REAL = ["sh", "cat", "cksum", "mkdir", "rm"];

interface Run {
  readonly status: number | null;
  readonly stderr: string;
  /** Command lines of Python and pip. */
  readonly ran: string[];
}

/** A folder where `environment.sh` finds a Python that answers the question for its version with this exit code. */
function machine(t: TestContext, versionAnswer: number): (lockText: string) => Run {
  const folder = mkdtempSync(join(tmpdir(), "cmcp-python-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const bin = join(folder, "bin");
  mkdirSync(bin);
  for (const name of REAL) symlinkSync(`/usr/bin/${name}`, join(bin, name));
  const log = join(folder, "ran");
  const lines = [
    "#!/bin/sh",
    `echo "\${0##*/} $*" >> ${log}`,
    `case "$1" in --version) echo "Python 3.9.2" ;; -c) exit ${versionAnswer} ;; esac`,
    'if [ "$1 $2" = "-m venv" ]; then mkdir -p "$3/bin"; cat "$0" > "$3/bin/python"; cat "$0" > "$3/bin/pip"; ' +
      '/usr/bin/chmod 755 "$3/bin/python" "$3/bin/pip"; fi',
    "exit 0",
  ];
  writeFileSync(join(bin, "python3"), `${lines.join("\n")}\n`);
  chmodSync(join(bin, "python3"), 0o755);
  const lock = join(folder, "lock.txt");
  return (lockText) => {
    writeFileSync(lock, lockText);
    writeFileSync(log, "");
    const args = [ENVIRONMENT, "frameworks", lock, join(folder, "environment")];
    const { status, stderr } = spawnSync("/usr/bin/sh", args, { env: { PATH: bin }, encoding: "utf8" });
    return {
      status,
      stderr,
      ran: readFileSync(log, "utf8")
        .split("\n")
        .filter((line) => line !== ""),
    };
  };
}

test("a machine without Python 3.11 is told what is missing and how to get it", (t) => {
  const { status, stderr } = machine(t, 1)("a==1\n");
  assert.equal(status, 1);
  assert.match(stderr, /^frameworks: Python 3\.11 or newer with the venv module is needed; found: Python 3\.9\.2$/m);
  assert.match(
    stderr,
    /install it \(Debian and Ubuntu: python3\.11 python3\.11-venv\) and run make frameworks again$/m,
  );
});

test("a lock is installed by hash, from built packages alone, and once; a changed one is installed anew", (t) => {
  const run = machine(t, 0);
  const first = run("a==1\n");
  assert.equal(first.status, 0, first.stderr);
  const install = first.ran.find((line) => line.startsWith("pip install"));
  for (const option of ["--require-hashes", "--only-binary :all:", "--no-deps"])
    assert.ok(install?.includes(option), option);
  assert.deepEqual(run("a==1\n").ran, []);
  assert.ok(run("a==2\n").ran.includes(install ?? ""));
});

test("every lock pins each package exactly and by hash, and has what its input names", () => {
  const inputs = globSync(["test/python/*.in", "test/*/python/*.in"], { cwd: ROOT });
  assert.equal(inputs.length, 7);
  for (const input of inputs) {
    const text = readFileSync(join(ROOT, input.replace(/\.in$/, ".txt")), "utf8");
    const pins = text
      .replaceAll("\\\n", "")
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));
    for (const pin of pins) assert.match(pin, /^[a-z0-9._-]+==[^ ]+ .*--hash=sha256:[0-9a-f]{64}/, input);
    const wanted = readFileSync(join(ROOT, input), "utf8")
      .split("\n")
      .filter((line) => /^[a-z]/.test(line));
    for (const one of wanted)
      assert.ok(
        pins.some((pin) => pin.startsWith(`${one} `)),
        `${input}: ${one}`,
      );
  }
});
