import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { test } from "node:test";

const SECRET = "a-payload-that-an-error-quotes";
const MODULE = new URL("uncaught.ts", import.meta.url).href;

const ENDS: Readonly<Record<string, string>> = {
  "a rejection": `Promise.reject(new Error("${SECRET}", { cause: new TypeError("${SECRET}") }));`,
  "a throw in a callback": `setImmediate(() => JSON.parse('"${SECRET}'));`,
  "an error event": `new (require("node:events"))().emit("error", Object.assign(new Error("x"), { detail: "${SECRET}" }));`,
  "something that is no error": `Promise.reject("${SECRET}");`,
};

for (const [what, code] of Object.entries(ENDS))
  test(`${what} that nothing caught ends the process without a word of what it says`, () => {
    const script = `import(${JSON.stringify(MODULE)}).then(({ endOnUncaught }) => { endOnUncaught(); ${code} });setInterval(() => {}, 1000);`;
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", "--eval", script],
      { encoding: "utf8", timeout: 20_000 },
    );
    assert.equal(status, 1, stderr);
    assert.equal(stdout, "");
    assert.ok(!stderr.includes(SECRET), stderr);
    const { event, kind } = JSON.parse(stderr) as { readonly event: unknown; readonly kind: unknown };
    assert.equal(event, "fault");
    assert.equal(typeof kind, "string");
  });
