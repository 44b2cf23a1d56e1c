/** stdio servers in a booted image: what the spawner in there takes, how it confines them, and what a hostile one can do to the machine. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { treeArchive } from "@cmcp/spawner/tree";
import { compileStatic } from "../spawner/compile.ts";
import { selfContained } from "../spawner/self-contained.ts";
import type { GuestServer, Spawned } from "./guest/stdio.ts";
import { debugMachine, published, started, temporaryFolder } from "./image.ts";
import { writeOverlaid } from "./overlay.ts";
import { guestReport } from "./report.ts";

const SAYS = (word: string): string =>
  `process.stdout.write("${word}\\n" + (process.env.API_TOKEN ?? process.getuid()) + "\\n"); process.stdin.resume();\n`;
const archiveOf = (tree: string): Buffer => Buffer.concat([...treeArchive(tree)]);
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const text = (bytes: string): Buffer => Buffer.from(bytes, "latin1");

/** A tree with one script. */
function scriptTree(folder: string, name: string, word: string): Buffer {
  const tree = join(folder, name);
  mkdirSync(join(tree, "lib"), { recursive: true });
  writeFileSync(join(tree, "main.mjs"), SAYS(word));
  writeFileSync(join(tree, "lib/a"), "a");
  symlinkSync("lib/a", join(tree, "z"));
  return archiveOf(tree);
}

/** A tree whose script sends a word through its proxy, says what comes back, and tries another way. */
function reachingTree(folder: string): Buffer {
  const tree = join(folder, "reaching");
  mkdirSync(tree);
  writeFileSync(
    join(tree, "main.mjs"),
    `import { connect } from "node:net";
    const say = (word) => process.stdout.write(word + "\\n");
    const proxy = connect(3128, "127.0.0.1", () => proxy.write("through the proxy"));
    proxy.once("data", (bytes) => {
      say(bytes);
      connect(443, "192.0.2.1").on("error", ({ code }) => say(code)).on("connect", () => say("connected"));
    });
    process.stdin.resume();`,
  );
  return archiveOf(tree);
}

interface Sent extends Omit<GuestServer, "digest"> {
  readonly archive: Uint8Array;
  /** Of what the catalog approves, unless it is what is sent. */
  readonly digest?: string;
}

const script = { program: "node", args: ["main.mjs"] };
const BOUNDS = { tasks: 33, memoryMib: 700, scratchMib: 12 };

/** Streams that are not the approved one, or that no tree has whatever their digest is. */
function attacks(approved: Buffer, other: Buffer): Sent[] {
  const changed = Buffer.from(approved);
  changed[changed.indexOf("approved")] = 0x41;
  const pinned = { ...script, digest: sha256(approved) };
  const magic = "cmcp-tree-v1\n";
  const file = (name: string): string => `f\0\x01${name}\0\0\0\0\0\0\0\x01x`;
  return [
    { name: "another-tree", archive: other, ...pinned },
    { name: "changed-byte", archive: changed, ...pinned },
    { name: "truncated", archive: approved.subarray(0, approved.length - 4), ...pinned },
    { name: "longer", archive: Buffer.concat([approved, text(file("~"))]), ...pinned },
    { name: "empty", archive: new Uint8Array(), ...pinned },
    { name: "out-of-order", archive: text(`${magic}${file("b")}${file("a")}`), ...script },
    { name: "link-outside", archive: text(`${magic}l\0\x01l\0\x0b/etc/passwd`), ...script },
    { name: "beyond-its-size", archive: text(`${magic}f\0\x01a\0\0\0\0\0\0\0\x01xyz`), ...script },
  ];
}

async function bombs(folder: string): Promise<Sent[]> {
  const tree = join(folder, "bomb");
  mkdirSync(tree);
  await compileStatic(join(import.meta.dirname, "programs/bomb.c"), join(tree, "bomb"));
  const archive = archiveOf(tree);
  const bomb = (name: string, kind: string, bounds: Sent["bounds"]): Sent => ({
    name,
    archive,
    program: `/srv/${name}/bomb`,
    args: [kind],
    ...(bounds === undefined ? {} : { bounds }),
  });
  return [
    // No bound of its own before the machine's memory.
    bomb("memory-bomb", "memory", { memoryMib: 65_536 }),
    bomb("process-bomb", "processes", { tasks: 50 }),
  ];
}

/** Boots the published image with those servers, and what became of them. */
async function become(t: Pick<TestContext, "after" | "diagnostic">, servers: readonly Sent[]): Promise<Spawned> {
  const folder = temporaryFolder(t);
  const initramfs = join(folder, "initramfs");
  const list = servers.map(({ archive, digest = sha256(archive), ...rest }) => ({ ...rest, digest }));
  const files = {
    "/app/servers/list": Buffer.from(JSON.stringify(list)),
    ...Object.fromEntries(servers.map(({ name, archive }) => [`/app/servers/${name}`, archive])),
  };
  await writeOverlaid(published("initramfs.cpio.zst"), { scripts: { "enclave.cjs": "stdio.ts" }, files }, initramfs);
  const machine = await started(t, debugMachine("none", initramfs), folder);
  return (await guestReport(machine.dialer)) as Spawned;
}

describe("stdio servers in a machine", { timeout: 600_000 }, () => {
  let spawned: Spawned;
  test("are brought to the spawner, and run", async (t) => {
    const folder = temporaryFolder(t);
    const approved = scriptTree(folder, "approved", "approved");
    const other = scriptTree(folder, "other", "other");
    const own = selfContained(folder);
    spawned = await become(t, [
      { name: "approved", archive: approved, ...script, bounds: BOUNDS },
      ...attacks(approved, other),
      {
        name: "own-loader",
        archive: archiveOf(own.tree),
        program: `/srv/own-loader/${own.loader}`,
        args: own.args("/srv/own-loader"),
      },
      { name: "secret", archive: approved, ...script, secrets: { API_TOKEN: "a secret of this start" } },
      { name: "reaching", archive: reachingTree(folder), ...script, hasEgress: true },
      ...(await bombs(folder)),
    ]);
    assert.equal(spawned.found["approved"], "ready", JSON.stringify(spawned));
    const [word, uid] = spawned.said["approved"] ?? [];
    assert.equal(word, "approved");
    assert.ok(Number(uid) >= 2_046_820_352, "with a uid of its own");
  });

  for (const [name, status] of Object.entries({
    "another-tree": "digest-mismatch",
    "changed-byte": "digest-mismatch",
    truncated: "tree-refused",
    longer: "digest-mismatch",
    empty: "digest-mismatch",
    "out-of-order": "tree-refused",
    "link-outside": "tree-refused",
    "beyond-its-size": "tree-refused",
  }))
    test(`nothing is run of a stream that is not the approved tree: ${name}`, () => {
      const code = status === "digest-mismatch" ? "SPAWN_DIGEST_MISMATCH" : "SPAWN_TREE_REFUSED";
      assert.deepEqual([spawned.found[name], spawned.said[name]], [status, [code]]);
    });

  test("a tree with its own loader, libraries and program runs", () => {
    assert.deepEqual([spawned.found["own-loader"], spawned.said["own-loader"]?.[0]], ["ready", "self-contained"]);
  });

  test("one that is started with a secret has it, and the same files have none in another start", () => {
    assert.deepEqual(spawned.said["secret"]?.slice(0, 2), ["approved", "a secret of this start"]);
    assert.match(spawned.said["approved"]?.[1] ?? "", /^\d+$/);
  });

  test("one with a way out reaches its proxy, and no other address", () => {
    assert.deepEqual(spawned.said["reaching"]?.slice(0, 2), ["through the proxy", "ENETUNREACH"]);
  });

  test("each is in a cgroup of its bounds, and all are in one that leaves the enclave its memory", () => {
    const { "all memory.max": all, ...own } = spawned.cgroups;
    assert.deepEqual(own, {
      "memory.max": String((700 + 12 + 32) * 1024 * 1024),
      "memory.oom.group": "1",
      "pids.max": "33",
      "cpu.max": "100000 100000",
    });
    // Of a machine of 512 MB.
    assert.ok(Number(all) > 64 * 1024 * 1024 && Number(all) < 256 * 1024 * 1024, all);
  });

  test("one that allocates or forks without end is ended or stopped, and the machine serves on", () => {
    assert.deepEqual(spawned.said["memory-bomb"], ["memory", "UPSTREAM_UNAVAILABLE"]);
    const [kind, made] = spawned.said["process-bomb"] ?? [];
    assert.equal(kind, "processes");
    assert.match(made ?? "", /^4[0-9] processes$/);
    assert.equal(spawned.said["after all"]?.[0], "approved");
  });
});
