/** Nothing in the enclave makes code from strings: V8 is told so on the command line, and no script of the enclave tells it otherwise. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { nodeArguments } from "../../host-proxy/src/launcher/process/node-arguments.ts";

const path = (relative: string): string => fileURLToPath(new URL(`../../${relative}`, import.meta.url));
const isAboutFiles = (flag: string): boolean => flag.startsWith("--allow-fs") || flag === "--permission";

/** Flags by which PID 1 starts the runtime, but for what it may read, which is not there. */
function imageFlags(): string[] {
  const source = readFileSync(path("enclave-image/native/init.c"), "utf8");
  const [, list = ""] = /arguments\[\] = \{([^}]*)\}/.exec(source) ?? [];
  return [...list.matchAll(/^ +"(--[^"]*)"/gm)].map(([, flag = ""]) => flag).filter((flag) => !isAboutFiles(flag));
}

const launched = nodeArguments({ entry: "/entry", readable: [], extraFlags: [], extraArguments: [] }, "/socket");
const processFlags = launched.slice(0, launched.indexOf("--eval")).filter((flag) => !isAboutFiles(flag));

/** What each way to make code from strings gives, in the main thread and then in a worker that loads the script named. */
const ATTEMPTS = `
  const attempts = [
    () => (0, eval)("1"), () => Function("1"), () => (async () => 1).constructor("1"),
    () => (function* () {}).constructor("1"), () => (async function* () {}).constructor("1"),
  ];
  const tried = attempts.map((attempt) => { try { attempt(); return "made"; } catch (error) { return error.name; } });
`;
const SCRIPT = `
  ${ATTEMPTS}
  const { Worker } = require("node:worker_threads");
  const inWorker = ${JSON.stringify(`require(process.argv[2]); ${ATTEMPTS} require("node:worker_threads").parentPort.postMessage(tried);`)};
  new Worker(inWorker, { eval: true, argv: [process.argv[1]] }).once("message", (there) => {
    process.stdout.write(JSON.stringify([...tried, ...there]));
    process.exit();
  });
`;

for (const [who, flags] of [
  ["the host gives the process", processFlags],
  ["PID 1 gives the runtime", imageFlags()],
] as const) {
  test(`under the flags that ${who}, neither the main thread nor the compile worker makes code from strings`, () => {
    const worker = path("packages/cli/dist/enclave/policy-worker.cjs");
    const { stdout, stderr } = spawnSync(process.execPath, [...flags, "--eval", SCRIPT, "--", worker], {
      encoding: "utf8",
      env: {},
      timeout: 60_000,
    });
    assert.deepEqual(JSON.parse(stdout === "" ? JSON.stringify(stderr) : stdout), Array<string>(10).fill("EvalError"));
  });
}

for (const script of ["enclave.cjs", "policy-worker.cjs"]) {
  test(`${script} sets no flag of V8`, () => {
    assert.doesNotMatch(
      readFileSync(path(`packages/cli/dist/enclave/${script}`), "utf8"),
      /setFlagsFromString|node:v8/,
    );
  });
}
