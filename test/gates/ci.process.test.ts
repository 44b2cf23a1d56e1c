/** Continuous integration leaves nothing out unless its machine says so, and says at the end what ran. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { ROOT } from "../gateway/deployment.ts";

/** Programs that are really there; whatever else the script runs is played. */
const REAL = ["bash", "cp", "dirname"];
const PLAYED = [
  "make",
  "sh",
  "apt-get",
  "cc",
  "clang-format",
  "jq",
  "openssl",
  "ssh-agent",
  "xxd",
  "strace",
  "pg_ctlcluster",
  "zsh",
  "fish",
  "systemd-analyze",
  "docker-compose",
  "python3",
  "sleep",
];

interface Run {
  readonly status: number | null;
  /** Command lines of what was run, in order. */
  readonly ran: readonly string[];
  readonly summary: string;
}

/**
 * Runs the script where every program is played: `failing` are command lines and their exit codes, a number of times
 * where one is given.
 */
function run(
  t: TestContext,
  {
    failing = {},
    missing = [],
    environment = {},
  }: {
    failing?: Record<string, number | readonly [code: number, times: number]>;
    missing?: readonly string[];
    environment?: Record<string, string>;
  } = {},
): Run {
  const folder = mkdtempSync(join(tmpdir(), "cmcp-ci-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of [".ci", "bin"]) mkdirSync(join(folder, name));
  cpSync(join(ROOT, ".ci/run"), join(folder, ".ci/run"));
  const log = join(folder, "ran");
  writeFileSync(log, "");
  const cases = Object.entries(failing).map(([line, outcome]) => {
    const [code, times] = typeof outcome === "number" ? [outcome, Number.MAX_SAFE_INTEGER] : outcome;
    return `  "${line}") [ "$(seen "$line")" -gt ${times} ] || exit ${code} ;;`;
  });
  const program = [
    "#!/bin/bash",
    'line="${0##*/} $*"',
    `echo "$line" >> ${log}`,
    `seen() { local n=0 one; while read -r one; do [ "$one" != "$1" ] || n=$((n + 1)); done < ${log}; echo $n; }`,
    'case "$line" in',
    ...cases,
    // What is installed is there afterwards.
    `  "apt-get "*" install "*) cp "$0" ${folder}/bin/"\${!#}" ;;`,
    "esac",
    "",
  ].join("\n");
  for (const name of PLAYED.filter((one) => !missing.includes(one))) {
    writeFileSync(join(folder, "bin", name), program);
    chmodSync(join(folder, "bin", name), 0o755);
  }
  for (const name of REAL) symlinkSync(`/usr/bin/${name}`, join(folder, "bin", name));
  const done = spawnSync(join(folder, "bin/bash"), [join(folder, ".ci/run")], {
    env: { PATH: join(folder, "bin"), ...environment },
    encoding: "utf8",
  });
  return {
    status: done.status,
    ran: readFileSync(log, "utf8").trim().split("\n"),
    summary: done.stdout.slice(done.stdout.indexOf("\nWhat ran:\n")).trim(),
  };
}

const TARGETS = [
  "setup",
  "commits",
  "image",
  "c-format-check",
  "test",
  "test-all",
  "demo",
  "conformance",
  "interop",
  "frameworks",
  "hostile ARGS=--minutes=4",
  "vm-test",
  "vm-e2e",
  "image-repro",
  "image-container",
  "host-image",
  "sbom",
  "analyse",
];
const targets = ({ ran }: Run): string[] =>
  ran.filter((line) => line.startsWith("make ")).map((line) => line.slice("make ".length));

test("everything runs, what is missing is installed after the package lists were read, and the summary names each suite", (t) => {
  const done = run(t, { missing: ["jq"] });
  assert.equal(done.status, 0, done.summary);
  assert.deepEqual(targets(done), TARGETS);
  for (const line of [
    "sh test/swtpm/install.sh",
    "sh test/vectors/measure/download.sh",
    "sh test/docs/libvirt.sh",
    "sh scripts/audit.sh",
  ])
    assert.ok(done.ran.includes(line), line);
  const packaging = done.ran.filter((line) => line.startsWith("apt-get"));
  assert.deepEqual(packaging, [
    "apt-get -qq update",
    "apt-get -qq install -y --no-install-recommends jq",
    "apt-get -qq install -y --no-install-recommends chromium",
    "apt-get -qq install -y --no-install-recommends buildah",
  ]);
  for (const target of TARGETS) assert.match(done.summary, new RegExp(`^ran       make ${target} \\(\\d+ s\\)$`, "m"));
  assert.match(done.summary, /^ran {7}dependency audit$/m);
  assert.doesNotMatch(done.summary, /LEFT OUT|NOT DONE|FAILED|!!!/);
});

test("a network that fails once or twice leaves nothing out", (t) => {
  const done = run(t, {
    missing: ["jq"],
    failing: { "apt-get -qq update": [100, 2], "sh test/swtpm/install.sh": [1, 1], "make image": [1, 2] },
  });
  assert.equal(done.status, 0, done.summary);
  assert.deepEqual([...new Set(targets(done))], TARGETS);
});

for (const [what, line, suite] of [
  ["Debian's packages", "make image", "make image"],
  ["a software TPM", "sh test/swtpm/install.sh", "software TPM"],
  ["golden firmware", "sh test/vectors/measure/download.sh", "golden firmware"],
  ["libvirt's schemas", "sh test/docs/libvirt.sh", "libvirt's schemas"],
  ["a browser", "apt-get -qq install -y --no-install-recommends chromium", "browser"],
  ["buildah", "apt-get -qq install -y --no-install-recommends buildah", "buildah"],
  ["a machine that boots", "make vm-test", "make vm-test"],
] as const) {
  test(`without ${what} it fails, and says where`, (t) => {
    const { status, summary } = run(t, { failing: { [line]: 7 } });
    assert.equal(status, 7);
    assert.match(summary, new RegExp(`^FAILED    ${suite} \\(exit 7\\); what would come after it was not run$`, "m"));
  });
}

test("a program that is missing where nothing can be installed is a failure that names it", (t) => {
  const { status, summary } = run(t, { missing: ["xxd", "apt-get"] });
  assert.equal(status, 1);
  assert.match(summary, /^FAILED {4}programs of the machine/m);
});

test("what the machine says it cannot run is left out, and the summary says that it is no pass", (t) => {
  const debian = run(t, { environment: { CMCP_CI_WITHOUT_DEBIAN: "1" } });
  assert.equal(debian.status, 0);
  assert.deepEqual(targets(debian), [
    "setup",
    "commits",
    "c-format-check",
    "test",
    "test-all",
    "demo",
    "conformance",
    "interop",
    "frameworks",
    "hostile ARGS=--minutes=4",
    "sbom",
    "analyse",
  ]);
  assert.match(debian.summary, /^LEFT OUT {2}software TPM, .*browser: CMCP_CI_WITHOUT_DEBIAN=1; this is no pass$/m);
  assert.match(debian.summary, /^!!! SUITES ARE MISSING/m);
  const container = run(t, { environment: { CMCP_CI_WITHOUT_CONTAINER: "1", CMCP_CI_WITHOUT_LIBVIRT: "1" } });
  assert.equal(container.status, 0);
  assert.deepEqual(
    targets(container),
    TARGETS.filter((target) => target !== "image-container" && target !== "host-image"),
  );
  assert.ok(!container.ran.includes("sh test/docs/libvirt.sh"));
  assert.match(container.summary, /^LEFT OUT {2}make image-container, make host-image: .*; this is no pass$/m);
  for (const value of ["", "0"])
    assert.deepEqual(targets(run(t, { environment: { CMCP_CI_WITHOUT_DEBIAN: value } })), TARGETS);
});

test("a registry that cannot be asked fails nothing and is said; advisories fail", (t) => {
  const silent = run(t, { failing: { "sh scripts/audit.sh": 75 } });
  assert.equal(silent.status, 0);
  assert.match(silent.summary, /^NOT DONE {2}dependency audit: the registry could not be asked; this is no pass$/m);
  assert.match(silent.summary, /^!!! SUITES ARE MISSING/m);
  assert.equal(run(t, { failing: { "sh scripts/audit.sh": 1 } }).status, 1);
});
