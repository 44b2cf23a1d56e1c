/** The compose file of `deployment/`, as Docker Compose itself reads it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { ROOT } from "../gateway/deployment.ts";

const FILE = readFileSync(join(ROOT, "deployment/compose.yaml"), "utf8");
/** Its second version is a plugin of `docker`, its first a program. */
const compose = [["docker", "compose"], ["docker-compose"]].find(
  ([program = "", ...words]) => spawnSync(program, [...words, "version"]).status === 0,
);
const skip =
  compose === undefined && process.env["CMCP_REQUIRE_ALL"] !== "1"
    ? "Docker Compose is missing: apt-get install docker-compose"
    : false;

function read(t: TestContext, text: string): { readonly code: number | null; readonly said: string } {
  assert.ok(compose !== undefined, "Docker Compose is missing: apt-get install docker-compose");
  const folder = mkdtempSync(join(tmpdir(), "cmcp-compose-"));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "compose.yaml"), text);
  const [program = "", ...words] = compose;
  const args = [...words, "--file", join(folder, "compose.yaml"), "config", "--quiet"];
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8" });
  return { code: status, said: stdout + stderr };
}

test("Docker Compose takes the file", { skip }, (t) => {
  assert.deepEqual(read(t, FILE), { code: 0, said: "" });
});

test("Docker Compose would have refused a wrong key", { skip }, (t) => {
  const { code, said } = read(t, FILE.replace("read_only:", "read_onyl:"));
  assert.notEqual(code, 0);
  assert.match(said, /read_onyl/);
});
