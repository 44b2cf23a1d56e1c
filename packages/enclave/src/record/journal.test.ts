/** What a journal writes, against a real host service. */
import assert from "node:assert/strict";
import { sign } from "node:crypto";
import { afterEach, beforeEach, describe, test } from "node:test";
import { decidedBy, LogState, readRecord, SessionChain, type JournalRecord, type JournalStatement } from "@cmcp/audit";
import { bytesEqual, CmcpError, fromBase64Url, untrusted } from "@cmcp/boundary";
import {
  appendLeaves,
  EMPTY_RANGE,
  isSignedBy,
  leafHash,
  parseCheckpoint,
  parseNote,
  rootFromPath,
  sha256,
} from "@cmcp/log";
import { decodeBatch, type WireBatch } from "@cmcp/wire";
import { SNAPSHOT_EVERY } from "./journal.ts";
import {
  acknowledge,
  batchOf,
  bodyOf,
  digest,
  first,
  instance,
  JournalHost,
  key,
  privateKey,
} from "../testing/journal-host.ts";

describe("journal", () => {
  let host: JournalHost;
  beforeEach(async () => {
    host = await JournalHost.open();
  });
  afterEach(() => host.close());

  test("a batch is retried at the same place until the host takes it, and its note is of the tree with it", async () => {
    const seen: { first: number; body: Uint8Array }[] = [];
    host.serve = async (exchange) => {
      assert.ok(exchange.opening.t === "append");
      seen.push({ first: exchange.opening.first, body: await bodyOf(exchange) });
      if (seen.length < 3) await exchange.fail("AUDIT_STORE_UNAVAILABLE", "not now");
      else await acknowledge(exchange);
    };
    const kept = host.journal();
    assert.equal(kept.head, null);
    await kept.append(instance, first);
    assert.equal(seen.length, 3);
    assert.ok(seen.every(({ first: at, body }) => at === 0 && bytesEqual(body, seen[0]?.body ?? new Uint8Array())));
    const { note, records } = decodeBatch(untrusted(seen[2]?.body ?? new Uint8Array()));
    const { root } = appendLeaves(
      EMPTY_RANGE,
      records.map(({ leaf }) => leafHash(leaf)),
    );
    assert.ok(isSignedBy(parseNote(note), key));
    assert.deepEqual(parseCheckpoint(parseNote(note).text), { origin: "log.example/0", size: 1, root });
    assert.deepEqual(kept.head, { size: 1, root });
    assert.deepEqual(parseCheckpoint(parseNote(kept.signedHead().note).text).root, root);
  });

  test("a head goes to the witnesses once it is stored, and a record that is to be cosigned waits for them", async () => {
    const steps: string[] = [];
    const [asked, cosigning] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    host.serve = async (exchange) => {
      await bodyOf(exchange);
      steps.push("stored");
      await acknowledge(exchange);
    };
    const kept = host.journal();
    kept.begin(
      { range: EMPTY_RANGE, state: new LogState(), snapshotAt: 0 },
      {
        stored: ({ size, text, note }) => {
          steps.push(`head ${size}`);
          assert.equal(parseNote(note).text, text);
          assert.equal(parseCheckpoint(text).size, size);
        },
        cosigned: async (index) => {
          steps.push(`cosign ${index}`);
          asked.resolve();
          await cosigning.promise;
        },
      },
    );
    await kept.append(instance, first);
    const waiting = kept.appendCosigned(instance, first).then(() => steps.push("cosigned"));
    await Promise.race([asked.promise, waiting]);
    cosigning.resolve();
    await waiting;
    await kept.cosigned();
    assert.deepEqual(steps, ["stored", "head 1", "stored", "head 2", "cosign 1", "cosigned", "cosign 1"]);
  });

  test("a record that no quorum cosigned is an error, and stays in the log", async () => {
    host.serve = async (exchange) => {
      await bodyOf(exchange);
      await acknowledge(exchange);
    };
    const kept = host.journal();
    const cosigned = (): Promise<void> => Promise.reject(new CmcpError("WITNESS_UNAVAILABLE", "none"));
    kept.begin({ range: EMPTY_RANGE, state: new LogState(), snapshotAt: 0 }, { stored: () => undefined, cosigned });
    await assert.rejects(kept.appendCosigned(instance, first), { code: "WITNESS_UNAVAILABLE" });
    assert.equal(kept.head?.size, 1);
    await kept.append(instance, first);
  });

  test("a store that holds another record at this place fences the instance, which tries no more", async () => {
    let appends = 0;
    host.serve = async (exchange) => {
      await bodyOf(exchange);
      appends += 1;
      await exchange.fail("AUDIT_STORE_MISMATCH", "another");
    };
    const kept = host.journal();
    await assert.rejects(kept.append(instance, first), { code: "AUDIT_STORE_UNAVAILABLE" });
    assert.deepEqual([appends, host.fenced.map(({ code }) => code)], [1, ["AUDIT_STORE_MISMATCH"]]);
    assert.equal(kept.head, null);
  });

  test("records that arrive during an append go together in the next one, in order and under one note", async () => {
    const appends: number[] = [];
    const stored: (JournalRecord | null)[] = [];
    let signatures = 0;
    host.serve = async (exchange) => {
      assert.ok(exchange.opening.t === "append");
      assert.equal(exchange.opening.first, stored.length);
      const { records } = await batchOf(exchange);
      appends.push(records.length);
      for (const { leaf, body } of records) stored.push(readRecord(untrusted(leaf), untrusted(body)));
      await acknowledge(exchange);
    };
    const kept = host.journal((bytes) => {
      signatures += 1;
      return sign(null, bytes, privateKey);
    });
    await Promise.all(Array.from({ length: 300 }, () => kept.append(instance, first)));
    assert.deepEqual([appends, signatures], [[1, 256, 43], 3]);
    assert.deepEqual(
      stored.map((record) => record?.seq),
      Array.from({ length: 300 }, (_, seq) => seq),
    );
  });

  test("each receipt comes with the acknowledgement of its own record, and leads to the root of its note", async () => {
    const stored: WireBatch["records"][number][] = [];
    host.serve = async (exchange) => {
      stored.push(...(await batchOf(exchange)).records);
      await acknowledge(exchange);
    };
    const kept = host.journal();
    const chain = new SessionChain("0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90");
    const started = chain.write({ entry_type: "session_start" });
    const decided = Array.from({ length: 5 }, (_, index) =>
      chain.write({
        entry_type: "tool_call",
        call_id: `call-${index}`,
        policy_decision: "allow",
        detail: { policy_hash: digest },
      }),
    );
    const receipts = await Promise.all([
      kept.append("s", { kind: "entry", body: started.written, entry: started.entry }),
      ...decided.map(({ entry, written }) =>
        kept.append("s", { kind: "entry", body: written, entry }, decidedBy(entry, "sealed")),
      ),
    ]);
    assert.deepEqual(
      receipts.map((receipt) => receipt?.call_id),
      [undefined, ...decided.map(({ entry }) => entry.call_id)],
    );
    for (const receipt of receipts.slice(1)) {
      assert.ok(receipt !== null && receipt !== undefined);
      const { log, ...said } = receipt;
      const { size, root } = parseCheckpoint(parseNote(log.note).text);
      const held = stored[log.index];
      assert.ok(held !== undefined && isSignedBy(parseNote(log.note), key));
      const record = readRecord(untrusted(held.leaf), untrusted(held.body));
      assert.deepEqual(record?.receipt, said);
      const path = log.path.map((hash) => fromBase64Url(hash) ?? new Uint8Array());
      assert.deepEqual(await rootFromPath(leafHash(held.leaf), { index: log.index, size, path }, sha256), root);
    }
  });

  test("a snapshot follows so many records, in one piece and of the log before it, and is not repeated at once", async () => {
    const kinds: string[] = [];
    const leaves: Uint8Array[] = [];
    let snapshot: JournalRecord | null = null;
    host.serve = async (exchange) => {
      for (const { kind, leaf, body } of (await batchOf(exchange)).records) {
        kinds.push(kind);
        leaves.push(leafHash(leaf));
        if (kind === "snapshot") snapshot = readRecord(untrusted(leaf), untrusted(body));
      }
      await acknowledge(exchange);
    };
    const kept = host.journal();
    await kept.append(instance, first);
    const provision = (sequence: number): JournalStatement => ({
      kind: "provision",
      body: { sequence, principals: [{ principal: "alice", tokens: ["0".repeat(64)] }], credentials: [] },
    });
    for (let from = 1; from < SNAPSHOT_EVERY + 100; from += 512)
      await Promise.all(Array.from({ length: 512 }, (_, at) => kept.append(instance, provision(from + at))));
    await kept.append(instance, provision(1_000_000));
    const at = kinds.indexOf("snapshot-part");
    assert.deepEqual(
      [at, kinds[at + 1], kinds.filter((kind) => kind === "snapshot").length],
      [SNAPSHOT_EVERY, "snapshot", 1],
    );
    const read = snapshot as JournalRecord | null;
    assert.ok(read?.kind === "snapshot");
    const { range } = appendLeaves(EMPTY_RANGE, leaves.slice(0, at));
    assert.deepEqual([read.body.at, read.body.parts], [at, 1]);
    assert.deepEqual(
      read.body.range,
      range.hashes.map((hash) => Buffer.from(hash).toString("hex")),
    );
  });

  test("while the host does not acknowledge, a caller waits for a limited time, and then new records are refused", async () => {
    host.serve = () => new Promise(() => undefined);
    const held = host.journal();
    held.assertWritable();
    const waiting = held.append(instance, first);
    held.assertCaughtUp();
    await assert.rejects(waiting, { code: "AUDIT_STORE_UNAVAILABLE" });
    for (const assertion of [() => held.assertWritable(), () => held.assertCaughtUp()])
      assert.throws(assertion, { code: "AUDIT_STORE_UNAVAILABLE" });
  });

  test("after a late acknowledgement records are accepted again", async () => {
    const late = Promise.withResolvers<void>();
    host.serve = async (exchange) => {
      await bodyOf(exchange);
      await late.promise;
      await acknowledge(exchange);
    };
    const kept = host.journal();
    await assert.rejects(kept.append(instance, first), { code: "AUDIT_STORE_UNAVAILABLE" });
    assert.ok(kept.behind);
    late.resolve();
    for (let round = 0; round < 5; round += 1)
      await Promise.all(Array.from({ length: 300 }, () => kept.append(instance, first)));
    kept.assertWritable();
    kept.assertCaughtUp();
  });
});
