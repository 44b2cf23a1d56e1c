/** No debugger attaches to the enclave of the measured image, nor to any outside of development. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { ROOT } from "../docs/deployment-folder.ts";
import { openProcessLauncher } from "../../host-proxy/src/launcher/process/launcher.ts";
import { memoryLog } from "../../host-proxy/src/testing/memory-log.ts";

/** Members of a list of texts in PID 1's source. */
function listOf(name: string): string[] {
  const source = readFileSync(join(ROOT, "enclave-image/native/init.c"), "utf8");
  const [, list = ""] = new RegExp(`${name}\\[\\] = \\{([^}]*)\\}`).exec(source) ?? [];
  return [...list.matchAll(/^ +"([^"]*)"/gm)].map(([, text = ""]) => text);
}

/** Without those whose value is made of several texts: what may be read decides nothing here. */
const flags = listOf("arguments").filter((word) => word.startsWith("--") && !word.endsWith("="));

test("PID 1 starts the runtime under the permission model, without an inspector, and no variable adds a flag", () => {
  assert.ok(flags.includes("--permission"), flags.join(" "));
  assert.ok(flags.includes("--disable-sigusr1"));
  assert.deepEqual(
    flags.filter((flag) => flag.includes("inspect")),
    [],
  );
  const variables = listOf("environment").map((text) => text.split("=", 1)[0]);
  assert.ok(variables.length > 0);
  for (const variable of variables) assert.match(variable ?? "", /^CMCP_/);
});

test("under these flags Node opens no inspector, whether a flag, a signal or the program asks for it", () => {
  const program = `
    try { require("node:inspector").open(0, "127.0.0.1"); } catch (error) { console.log(error.code); }
    process.kill(process.pid, "SIGUSR1");
    setTimeout(() => console.log("still here"), 500);
  `;
  const run = spawnSync(process.execPath, [...flags, "--inspect=127.0.0.1:0", "--eval", program], {
    encoding: "utf8",
    env: {},
  });
  assert.equal(run.stdout, "ERR_ACCESS_DENIED\nstill here\n", run.stderr);
  assert.doesNotMatch(run.stderr, /Debugger listening/);
});

test("the launcher opens none outside of development", async () => {
  const settings = { entry: "/entry.cjs", nodePath: process.execPath, developmentMode: false, inspectorPort: 0 };
  await assert.rejects(openProcessLauncher(settings, memoryLog().log), { code: "CONFIG_INVALID" });
});
