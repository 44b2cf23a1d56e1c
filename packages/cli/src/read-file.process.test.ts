import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { glob, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { CmcpError } from "@cmcp/boundary";
import { commandOf } from "./commands.ts";
import { readAtMost, readFileOf, readSmallFile } from "./read-file.ts";

const folder = await mkdtemp(join(tmpdir(), "cmcp-read-"));
after(() => rm(folder, { recursive: true }));

const refused =
  (why: RegExp) =>
  (thrown: unknown): boolean =>
    thrown instanceof CmcpError && thrown.code === "USAGE" && why.test(thrown.message);

test("a file is read whole up to its limit, and not beyond", async () => {
  const path = join(folder, "file");
  await writeFile(path, "x".repeat(200_000));
  assert.equal(Buffer.from(await readAtMost(200_000, path)).toString(), "x".repeat(200_000));
  await assert.rejects(readAtMost(199_999, path), refused(/file: the file is larger than 199999 bytes/));
});

test("what is large for its kind is refused", async () => {
  const path = join(folder, "large");
  for (const [read, max] of [
    [readFileOf, 32],
    [readSmallFile, 4],
  ] as const) {
    await writeFile(path, "");
    await truncate(path, max * 1024 * 1024 + 1);
    await assert.rejects(read(path), refused(/is larger than/));
  }
});

/** What nothing may be read from: no end, nobody writing, no file. */
function noFiles(): readonly string[] {
  const pipe = join(folder, "pipe");
  execFileSync("sh", ["-c", 'test -p "$1" || mkfifo "$1"', "sh", pipe]);
  return ["/dev/zero", pipe, folder, join(folder, "none")];
}

test("a device, a pipe, a folder and no file are refused, without waiting", { timeout: 10_000 }, async () => {
  for (const path of noFiles())
    await assert.rejects(readFileOf(path), refused(/is not a regular file|does not exist/), path);
});

/** Every option and argument that names a file to read, by command. */
const TAKES: Readonly<Record<string, readonly (readonly string[])[]>> = {
  "validate-config": [["--config", "@"]],
  start: [["--config", "@"]],
  verify: [
    ["@"],
    ...[
      "audit-bundle",
      "receipt",
      "held-claim",
      "evidence",
      "certs",
      "collateral",
      "earlier-evidence",
      "launch-document",
      "measurements",
    ].map((option) => ["FILE", `--${option}`, "@"]),
    ["FILE", "--appraisal-policy", "@"],
    ["--audit-bundle", "@"],
  ],
  "audit verify": [["@"], ["FILE", "--receipt", "@"]],
  "session reset": [["--url", "http://127.0.0.1:1", "--reason", "x", "--key", "@", "--receipt", "FILE"]],
  "policy sign": [["POLICIES", "--key", "@"]],
  "policy schema": [["POLICIES", "--catalog", "@"]],
  "policy lint": [["POLICIES", "--catalog", "@"]],
  "policy test": [
    ["POLICIES", "--catalog", "FILE", "--call", "@"],
    ["POLICIES", "--call", "CALL", "--catalog", "@"],
  ],
  "catalog hash": [["@"]],
  "catalog diff": [["@", "FILE"]],
  "catalog approve": [["@", "--from", "FILE", "--key-id", "a", "--key", "KEY"]],
  "catalog status": [["FILE", "--launch-document", "@"]],
  "catalog scan": [["@"]],
  "evidence verify": [
    ["--platform", "tdx", "--evidence", "@"],
    ...["certs", "collateral", "event-log", "earlier", "measurements"].map((option) => [
      "--platform",
      "tdx",
      "--evidence",
      "FILE",
      `--${option}`,
      "@",
    ]),
  ],
  "evidence show": [["@"]],
  "evidence fetch": [
    ["--platform", "tdx", "--out", "OUT", "--evidence", "@"],
    ["--into", "@"],
  ],
  "measure sev-snp": [["--vcpus", "1", "--vcpu-type", "EPYC-v4", "--ovmf", "@"]],
  "measure tdx": [["--ovmf", "@"]],
  "measure tpm": [
    ["--kernel", "@"],
    ["--uki", "@"],
    ["--launch-document", "@"],
  ],
  "measure stdio": [["@"]],
  "measure id-block": [["--measurement", "00".repeat(48), "--idkey", "@"]],
};

for (const [name, forms] of Object.entries(TAKES)) {
  test(`${name}: no file it is given is read without end`, { timeout: 30_000 }, async () => {
    const file = join(folder, "given");
    await writeFile(file, "[]");
    await writeFile(join(folder, "call"), '{"tool":"echo"}');
    const policies = fileURLToPath(new URL("../../../examples/quickstart/policies", import.meta.url));
    const named = commandOf(name.split(" "));
    assert.ok(named.is === "command");
    const command = await named.load();
    const terminal = { out: new PassThrough().resume(), err: new PassThrough().resume(), colour: false };
    for (const form of forms) {
      for (const path of noFiles().slice(0, 2)) {
        const args = form.map(
          (word) =>
            ({ "@": path, FILE: file, CALL: join(folder, "call"), POLICIES: policies, OUT: join(folder, "out") })[
              word
            ] ?? word,
        );
        await assert.rejects(
          command.run(args, terminal),
          (thrown) =>
            thrown instanceof CmcpError && /regular file|is not a file|missing or cannot be read/.test(thrown.message),
          args.join(" "),
        );
      }
    }
  });
}

test("no command reads a file in another way", async () => {
  const sources = fileURLToPath(new URL(".", import.meta.url));
  for await (const path of glob("**/*.ts", { cwd: sources })) {
    // That one opens what is not there yet, to write it.
    if (/\.test\.ts$|testing\/|^create-file\.ts$/.test(path)) continue;
    for (const [line] of (await readFile(join(sources, path), "utf8")).matchAll(
      /^import .* from "node:fs(?:\/promises)?";$/gm,
    ))
      assert.doesNotMatch(line, /\b(?:readFile|readFileSync|open|openSync|createReadStream)\b/, path);
  }
});
