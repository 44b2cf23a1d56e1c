/** The spawner as the host starts it, and as an isolated enclave reaches it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Spawner } from "@cmcp/spawner";
import { startSpawner } from "@cmcp/spawner/host";
import { treeArchive } from "@cmcp/spawner/tree";
import { NODE_FILES, OWN, SPAWNER, privateFolder, processesWith, treeFolder } from "./fixture.ts";

const skip = OWN.skip;
const program = (name: string): string => fileURLToPath(new URL(`programs/${name}`, import.meta.url));
const FLAGS = ["--disable-warning=ExperimentalWarning"];
const ISOLATED = [
  "/usr/bin/unshare",
  "--user",
  "--net",
  "--",
  process.execPath,
  ...FLAGS,
  "--permission",
  "--allow-fs-read=*",
  "--disallow-code-generation-from-strings",
  "--disable-proto=delete",
];

test("an enclave without a network reaches the spawner, and its servers run confined", {
  skip: skip !== false ? skip : !existsSync("/usr/bin/unshare") && "unshare is not here",
}, async (t) => {
  const folder = privateFolder(OWN.by);
  t.after(() => folder.remove());
  const tree = treeFolder(t);
  writeFileSync(
    join(tree, "main.mjs"),
    'process.stdout.write("uid " + process.getuid() + "\\n"); process.stdin.resume();',
  );
  const socket = join(folder.path, "s");
  const running = await startSpawner({
    program: SPAWNER,
    socket,
    stage: join(folder.path, "stage"),
    runtime: NODE_FILES,
    developmentMode: false,
  });
  t.after(() => running.stop());
  assert.equal(running.confinement, "confined");
  const [command = "", ...args] = ISOLATED;
  const enclave = spawn(command, [...args, program("enclave.ts"), socket, tree], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [said] = (await once(enclave.stdout, "data")) as [Buffer];
  assert.match(said.toString(), /^confined uid (1000|20\d{8})\n$/);
  enclave.kill("SIGKILL");
  await running.ended;
});

test("the spawner ends when the host is killed", { skip }, async (t) => {
  const folder = privateFolder(OWN.by);
  t.after(() => folder.remove());
  const socket = join(folder.path, "s");
  const host = spawn(process.execPath, [...FLAGS, program("host.ts"), SPAWNER, socket, join(folder.path, "stage")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(host.stdout, "data");
  const alive = (): number => processesWith(`--socket\0${socket}`).length;
  assert.equal(alive(), 1);
  host.kill("SIGKILL");
  for (let waited = 0; waited < 10_000 && alive() > 0; waited += 20) await delay(20);
  assert.equal(alive(), 0);
});

test("stop ends it, and who still waits is told", { skip }, async (t) => {
  const folder = privateFolder(OWN.by);
  t.after(() => folder.remove());
  const socket = join(folder.path, "s");
  const running = await startSpawner({
    program: SPAWNER,
    socket,
    stage: join(folder.path, "stage"),
    runtime: [],
    developmentMode: false,
  });
  const spawner = await Spawner.open(socket, [], treeArchive);
  await running.stop();
  await spawner.lost;
  await assert.rejects(Spawner.open(socket, [], treeArchive), { code: "SPAWN_UNAVAILABLE" });
});

test("a spawner that cannot listen is no spawner", { skip }, async (t) => {
  const folder = privateFolder(OWN.by);
  t.after(() => folder.remove());
  await assert.rejects(
    startSpawner({
      program: SPAWNER,
      socket: join(folder.path, "not", "there"),
      stage: join(folder.path, "stage"),
      runtime: [],
      developmentMode: true,
    }),
    { code: "SPAWN_UNAVAILABLE" },
    "not even in development",
  );
  await assert.rejects(
    startSpawner({
      program: "/bin/false",
      socket: join(folder.path, "s"),
      stage: join(folder.path, "stage"),
      runtime: [],
      developmentMode: false,
    }),
    { code: "SPAWN_UNAVAILABLE" },
  );
});
