/** The spawner's readers of tables and secrets, in C, over valid and mutated ones, with the compiler's checks of memory. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { encodeStart, encodeTable, MAGIC, START_HEAD_BYTES } from "@cmcp/spawner/protocol";
import { DEFAULT_BOUNDS, type AllowedServer } from "@cmcp/spawner";
import * as fc from "fast-check";
import { RUNNERS } from "./fixture.ts";

const skip = RUNNERS.some((runner) => runner.skip === false) ? false : (RUNNERS[0]?.skip ?? false);
const native = fileURLToPath(new URL("../../packages/spawner/native", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "cmcp-tables-"));
const program = join(folder, "tables");
before(() => {
  if (skip !== false) return;
  execFileSync(process.env["CC"] ?? "cc", [
    "-std=c11",
    "-g",
    "-O1",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    `-I${native}`,
    "-o",
    program,
    fileURLToPath(new URL("programs/tables.c", import.meta.url)),
    join(native, "table.c"),
  ]);
});
after(() => rmSync(folder, { recursive: true, force: true }));

function read(tables: readonly Uint8Array[], ...args: readonly string[]): string[] {
  const input = Buffer.concat(
    tables.flatMap((table) => {
      const size = Buffer.alloc(4);
      size.writeUInt32BE(table.byteLength);
      return [size, table];
    }),
  );
  const run = spawnSync(program, args, { input, encoding: "utf8" });
  assert.equal(run.status, 0, run.stderr.slice(0, 2_000));
  return run.stdout.trimEnd().split("\n");
}

/** The table alone, as the C reader gets it. */
const bodyOf = (servers: readonly AllowedServer[]): Buffer =>
  Buffer.from(encodeTable(servers)).subarray(MAGIC.length + 4);

const part = fc.stringMatching(/^[a-zü_-]{1,12}$/);
const path = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => `/${parts.join("/")}`);
const server: fc.Arbitrary<AllowedServer> = fc.record({
  tree: path,
  digest: fc.option(fc.uint8Array({ minLength: 32, maxLength: 32 })),
  program: fc.oneof(path, part),
  args: fc.array(
    fc.string({ maxLength: 20 }).filter((text) => !text.includes("\0")),
    { maxLength: 5 },
  ),
  environment: fc.dictionary(
    fc.stringMatching(/^[A-Z_][A-Z0-9_]{0,9}$/),
    fc.string({ maxLength: 20 }).filter((text) => !text.includes("\0")),
    { maxKeys: 4 },
  ),
  bounds: fc.constant(DEFAULT_BOUNDS),
  hasEgress: fc.boolean(),
});

test("every table this package writes is read whole", { skip }, () => {
  const tables = fc.sample(fc.array(server, { maxLength: 6 }), 300);
  const expected = tables.map((servers) => {
    const texts = servers.flatMap((one) => [
      one.tree,
      one.program,
      ...one.args,
      ...Object.entries(one.environment).map(([name, value]) => `${name}=${value}`),
    ]);
    return `${servers.length} ${texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)}`;
  });
  assert.deepEqual(read(tables.map(bodyOf)), expected);
});

test("no cut, longer or changed table is read beyond its end", { skip }, () => {
  const bodies = fc.sample(fc.array(server, { minLength: 1, maxLength: 3 }), 40).map(bodyOf);
  const cut = bodies.flatMap((body) =>
    Array.from({ length: body.byteLength }, (_, length) => body.subarray(0, length)),
  );
  assert.deepEqual(new Set(read(cut)), new Set(["refused"]), "a table that is cut anywhere is none");
  assert.deepEqual(new Set(read(bodies.map((body) => Buffer.concat([body, Uint8Array.of(0)])))), new Set(["refused"]));
  const changed = fc
    .sample(
      fc.tuple(
        fc.constantFrom(...bodies),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 }),
      ),
      4_000,
    )
    .map(([body, changes]) => {
      const copy = Buffer.from(body);
      for (const [at, value] of changes) copy[at % copy.byteLength] = value;
      return copy;
    });
  assert.equal(read(changed).length, changed.length);
});

const VALID: AllowedServer = {
  tree: "/srv/one",
  digest: null,
  program: "node",
  args: [],
  environment: {},
  bounds: DEFAULT_BOUNDS,
};
const at = (body: Buffer, text: string, replaced: string): Buffer =>
  Buffer.from(body.toString("latin1").replace(text, replaced), "latin1");

test("paths in another spelling, empty programs and bounds out of range are refused", { skip }, () => {
  const body = bodyOf([VALID]);
  assert.deepEqual(read([body]), ["1 12"]);
  const spelled = ["/srv/../", "/srv/./x", "//rv/one", "srv/one/", "/srv//on", "/srv/on/"].map((path_) =>
    at(body, "/srv/one", path_),
  );
  const programs = [at(body, "node", "no/e"), at(body, "node", "/../"), at(body, "node", "n\0de")];
  const bounds = [
    { tasks: 0 },
    { tasks: 1025 },
    { memoryMib: 15 },
    { memoryMib: 65_537 },
    { scratchMib: 0 },
    { scratchMib: 4097 },
    { openFiles: 15 },
    { openFiles: 4097 },
    { cpuSeconds: 0 },
    { cpuSeconds: 86_400 * 30 + 1 },
  ].map((bound) => bodyOf([{ ...VALID, bounds: { ...DEFAULT_BOUNDS, ...bound } }]));
  const variables = [
    at(bodyOf([{ ...VALID, environment: { AB: "cd" } }]), "AB=cd", "=Bxcd"),
    at(bodyOf([{ ...VALID, environment: { AB: "cd" } }]), "AB=cd", "ABxcd"),
  ];
  const pinned = Buffer.from(body);
  pinned[2] = 2;
  const all = [...spelled, ...programs, ...bounds, ...variables, pinned];
  assert.deepEqual(
    read(all),
    all.map(() => "refused"),
  );
});

const secrets = fc.dictionary(
  fc.stringMatching(/^[A-Z_][A-Z0-9_]{0,9}$/),
  fc.string({ unit: "binary", maxLength: 30 }).filter((text) => !text.includes("\0")),
  { minKeys: 1, maxKeys: 16 },
);
/** The secrets of a start, as the C reader gets them. */
const secretsOf = (given: Readonly<Record<string, string>>): Buffer =>
  Buffer.from(encodeStart(0, given)).subarray(START_HEAD_BYTES);

test("the secrets of every start are read whole, and none beyond their end", { skip }, () => {
  const starts = fc.sample(secrets, 200);
  const expected = starts.map((given) => {
    const texts = Object.entries(given).map(([name, value]) => Buffer.byteLength(`${name}=${value}`));
    return `${texts.length} ${texts.reduce((sum, bytes) => sum + bytes, 0)}`;
  });
  assert.deepEqual(read(starts.map(secretsOf), "secrets"), expected);
  const bodies = starts.slice(0, 20).map(secretsOf);
  const cut = bodies.flatMap((body) => Array.from({ length: body.length }, (_, length) => body.subarray(0, length)));
  const longer = bodies.map((body) => Buffer.concat([body, Uint8Array.of(0)]));
  assert.deepEqual(new Set(read([...cut, ...longer], "secrets")), new Set(["refused"]));
  const changed = fc
    .sample(fc.tuple(fc.constantFrom(...bodies), fc.nat(), fc.nat(255)), 3_000)
    .map(([body, place, byte]) => Buffer.from(body).fill(byte, place % body.length, (place % body.length) + 1));
  assert.equal(read(changed, "secrets").length, changed.length);
});

test("secrets with other names, without a value, too long or too many are refused", { skip }, () => {
  const body = secretsOf({ AB: "cd" });
  assert.deepEqual(read([body, secretsOf({}), secretsOf({ AB: "x".repeat(4_096) })], "secrets"), [
    "1 5",
    "0 0",
    "1 4099",
  ]);
  const text = (content: string): Buffer =>
    Buffer.concat([Uint8Array.of(content.length >> 8, content.length & 0xff), Buffer.from(content)]);
  const wrong = [
    "ab=cd",
    "1B=cd",
    "A-=cd",
    "=",
    "ABCD",
    "",
    `${"N".repeat(129)}=c`,
    `AB=${"x".repeat(4_097)}`,
    "AB=c\0",
  ];
  const many = Buffer.concat([Uint8Array.of(0, 17), ...Array.from({ length: 17 }, () => text("A=b"))]);
  const all = [...wrong.map((content) => Buffer.concat([Uint8Array.of(0, 1), text(content)])), many];
  assert.deepEqual(
    read(all, "secrets"),
    all.map(() => "refused"),
  );
});
