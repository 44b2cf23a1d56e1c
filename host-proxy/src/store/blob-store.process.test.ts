import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import * as fc from "fast-check";
import { temporaryDirectory } from "../testing/temporary-directory.ts";
import { BlobStore, RECORD_BYTES } from "./blob-store.ts";
import type { RecordFilter } from "./scan-sql.ts";
import { RECORDS_OF_INSTANCE } from "./schema.ts";

const record = (body: string | Uint8Array, session = "s", kind = "k") => ({
  session,
  kind,
  body: typeof body === "string" ? bytes(body) : body,
});
const bytes = (text: string): Uint8Array => Buffer.from(text);
const read = (store: BlobStore, filter: RecordFilter = {}): string[] =>
  [...store.scan(filter)].flat().map((body) => Buffer.from(body).toString());

test("records come back filtered by any combination of fields, each instance in its own order, the one that came first before others", () => {
  const field = fc.constantFrom("a", "b", "c");
  const kind = fc.constantFrom("intent", "entry", "claim");
  const given = fc.record({ instance: field, session: field, kind, body: fc.string() });
  const filter = fc.record({ instance: field, session: field, kind }, { requiredKeys: [] });
  fc.assert(
    fc.property(fc.array(given, { maxLength: 30 }), filter, (records, wanted) => {
      const store = new BlobStore(null);
      // Numbers fall, so that an order of insertion would be seen.
      for (const [index, { instance, body, ...place }] of records.entries())
        store.append(instance, 1_000 - index, [{ ...place, body: bytes(body) }]);
      const instances = [...new Set(records.map(({ instance }) => instance))];
      const expected = instances
        .flatMap((instance) => records.filter((one) => one.instance === instance).toReversed())
        .filter((one) => Object.entries(wanted).every(([name, value]) => one[name as keyof typeof one] === value));
      assert.deepEqual(
        read(store, wanted),
        expected.map(({ body }) => Buffer.from(body).toString()),
      );
      store.close();
    }),
    { numRuns: 50 },
  );
});

test("records are kept in the file, private to this user, across opening and closing", (t) => {
  const path = join(temporaryDirectory(t), "audit.db");
  const first = new BlobStore(path);
  first.append("i", 1, [record("one")]);
  for (const file of [path, `${path}-wal`]) assert.equal(statSync(file).mode & 0o777, 0o600, file);
  first.close();
  const second = new BlobStore(path);
  second.append("i", 2, [record("two")]);
  assert.deepEqual(read(second), ["one", "two"]);
  second.close();
});

test("what was appended survives kill -9 of the process", async (t) => {
  const path = join(temporaryDirectory(t), "audit.db");
  const source = `
    const { BlobStore } = await import(${JSON.stringify(new URL("./blob-store.ts", import.meta.url).href)});
    const store = new BlobStore(${JSON.stringify(path)});
    for (let seq = 0; seq < 100; seq += 1) store.append("i", seq, [{ session: "s", kind: "k", body: Buffer.from(String(seq)) }]);
    process.stdout.write("appended");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--no-warnings", "--input-type=module", "--eval", source], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  child.kill("SIGKILL");
  await once(child, "exit");
  const store = new BlobStore(path);
  assert.deepEqual(
    read(store),
    Array.from({ length: 100 }, (_, seq) => String(seq)),
  );
  store.close();
});

test("a number is stored once an instance", () => {
  const store = new BlobStore(null);
  store.append("i", 1, [record("first")]);
  assert.throws(() => store.append("i", 1, [record("first", "other")]), { code: "AUDIT_STORE_MISMATCH" });
  assert.throws(() => store.append("i", 1, [record("first", "s", "other")]), { code: "AUDIT_STORE_MISMATCH" });
  assert.throws(() => store.append("i", 1, [record("second")]), { code: "AUDIT_STORE_MISMATCH" });
  store.append("i", 1, [record("first")]);
  store.append("j", 1, [record("third")]);
  assert.deepEqual(read(store), ["first", "third"]);
  store.append("j", RECORDS_OF_INSTANCE - 1, [record("last")]);
  assert.throws(() => store.append("i", RECORDS_OF_INSTANCE - 1, [record("last"), record("one more")]), {
    code: "AUDIT_STORE_UNAVAILABLE",
  });
  assert.deepEqual(read(store, { instance: "i" }), ["first"]);
  assert.deepEqual(read(store, { instance: "j" }), ["third", "last"]);
});

test("records that come together are stored together, or none is, and no instance for them", () => {
  const store = new BlobStore(null);
  store.append("i", 2, [record("taken")]);
  assert.throws(() => store.append("i", 1, [record("one"), record("two"), record("three")]), {
    code: "AUDIT_STORE_MISMATCH",
  });
  assert.deepEqual(read(store), ["taken"]);
  store.append("i", 1, [record("one"), record("taken"), record("three")]);
  assert.deepEqual(read(store), ["one", "taken", "three"]);
  assert.throws(() => store.append("j", 0, [record("fits"), record(new Uint8Array(RECORD_BYTES + 1))]), {
    code: "AUDIT_RECORD_TOO_LARGE",
  });
  assert.deepEqual(read(store, { instance: "j" }), []);
});

test("a record is bounded", () => {
  const store = new BlobStore(null);
  assert.throws(() => store.append("i", 1, [record(new Uint8Array(RECORD_BYTES + 1))]), {
    code: "AUDIT_RECORD_TOO_LARGE",
  });
  store.append("i", 1, [record(new Uint8Array(RECORD_BYTES))]);
  store.append("i", 2, [record(new Uint8Array(0))]);
  assert.deepEqual(
    [...store.scan({})].flat().map((body) => body.length),
    [RECORD_BYTES, 0],
  );
});

test("a scan goes in bounded batches and leaves out what is appended meanwhile", () => {
  const store = new BlobStore(null);
  for (let seq = 0; seq < 200; seq += 1) store.append("i", seq, [record(String(seq))]);
  const seen: string[] = [];
  let next = 200;
  for (const batch of store.scan({ session: "s" })) {
    assert.ok(batch.length <= 64);
    seen.push(...batch.map((body) => Buffer.from(body).toString()));
    store.append("i", next, [record("late")]);
    next += 1;
  }
  assert.deepEqual(
    seen,
    Array.from({ length: 200 }, (_, seq) => String(seq)),
  );

  const large = new BlobStore(null);
  for (let seq = 0; seq < 6; seq += 1) large.append("i", seq, [record(new Uint8Array(200_000))]);
  for (const batch of large.scan({})) assert.ok(batch.length <= 2);
});

test("a file that cannot be opened is AUDIT_STORE_UNAVAILABLE, with its path and why", (t) => {
  const folder = temporaryDirectory(t);
  mkdirSync(join(folder, "directory"));
  writeFileSync(join(folder, "file"), "");
  const refused: Readonly<Record<string, string>> = {
    [join(folder, "missing", "audit.db")]: "its folder does not exist",
    [join(folder, "directory")]: "it is a folder",
    [join(folder, "file", "audit.db")]: "a part of its path is not a folder",
  };
  for (const [path, why] of Object.entries(refused))
    assert.throws(() => new BlobStore(path), {
      code: "AUDIT_STORE_UNAVAILABLE",
      message: `${path}: the audit store cannot be opened: ${why}`,
    });
  assert.throws(() => new BlobStore("/proc/audit.db"), {
    code: "AUDIT_STORE_UNAVAILABLE",
    message: /^\/proc\/audit\.db: the audit store cannot be opened: /,
  });
});

test("a full disk refuses the append and keeps what was there", (t) => {
  if (spawnSync("unshare", ["-Urm", "true"]).status !== 0)
    return t.skip("user namespaces are forbidden here, so no small file system can be mounted");
  const source = `
    const { BlobStore } = await import(${JSON.stringify(new URL("./blob-store.ts", import.meta.url).href)});
    const { storeFailure } = await import(${JSON.stringify(new URL("./store-error.ts", import.meta.url).href)});
    const store = new BlobStore("audit.db");
    const append = (seq, size) => store.append("i", seq, [{ session: "s", kind: "k", body: new Uint8Array(size) }]);
    append(0, 1);
    try {
      for (let seq = 1; seq < 1000; seq += 1) append(seq, 4096);
    } catch (error) {
      const [first] = [...store.scan({})].flat();
      console.log(JSON.stringify({ code: error.code, message: error.message, reason: storeFailure(error), first: first.length }));
    }`;
  const mounted =
    'mount -t tmpfs -o size=512k tmpfs "$1" && cd "$1" && exec "$2" --no-warnings --input-type=module --eval "$3"';
  const { stdout } = spawnSync(
    "unshare",
    ["-Urm", "sh", "-c", mounted, "sh", temporaryDirectory(t), process.execPath, source],
    { encoding: "utf8" },
  );
  assert.deepEqual(JSON.parse(stdout), {
    code: "AUDIT_STORE_UNAVAILABLE",
    message: "the audit store failed: the disk is full",
    reason: "the disk is full",
    first: 1,
  });
});

test("another file is not taken for a store", (t) => {
  const folder = temporaryDirectory(t);
  const text = join(folder, "notes.txt");
  writeFileSync(text, "not a database, but long enough to have a header of one hundred bytes".repeat(4));
  assert.throws(() => new BlobStore(text), {
    code: "AUDIT_STORE_UNAVAILABLE",
    message: `${text}: the audit store failed: it is not a database`,
  });
  const other = join(folder, "other.db");
  const database = new DatabaseSync(other);
  database.exec("CREATE TABLE customers (name TEXT)");
  database.close();
  assert.throws(() => new BlobStore(other), {
    code: "AUDIT_STORE_UNAVAILABLE",
    message: `${other}: the file is not an audit store of this version`,
  });
  assert.equal(existsSync(`${other}-wal`), false, "nothing was written to it");
});
