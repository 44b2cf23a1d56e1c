/** The journal against a real host service over a real Unix socket. */
import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import {
  decidedBy,
  LogState,
  readRecord,
  SessionChain,
  type HandOver,
  type JournalRecord,
  type JournalStatement,
} from "@cmcp/audit";
import { jwkThumbprintText } from "@cmcp/attestation";
import { bytesEqual, CmcpError, examine, fromBase64Url, untrusted } from "@cmcp/boundary";
import {
  appendLeaves,
  EMPTY_RANGE,
  instanceKeyName,
  isSignedBy,
  leafHash,
  parseCheckpoint,
  parseNote,
  rootFromPath,
  sha256,
  SIGNATURE_TYPE,
  verifierKey,
} from "@cmcp/log";
import {
  decodeBatch,
  encodeScanned,
  ExchangePool,
  listenUnix,
  serveStream,
  unixDialer,
  type IncomingExchange,
  type Listener,
  type WireBatch,
} from "@cmcp/wire";
import { Journal, SNAPSHOT_EVERY } from "./journal.ts";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const jwk = { kty: "OKP", crv: "Ed25519", x: String(publicKey.export({ format: "jwk" }).x) } as const;
const instance = jwkThumbprintText(jwk);
const key = verifierKey(instanceKeyName(instance), SIGNATURE_TYPE.ed25519, fromBase64Url(jwk.x) ?? new Uint8Array());
const digest = `sha256:${"0".repeat(64)}`;
const handOver: HandOver = {
  jwk,
  gateway_version: "0",
  policy_hash: digest,
  catalog_hash: digest,
  launch_digest: digest,
  platform: "software-only",
  measurement: digest,
  boot_time: "2026-01-01T00:00:00.000Z",
  history: { state: "complete" },
  predecessor: null,
};
const first = { kind: "hand-over", body: handOver } as const;

describe("journal", () => {
  let folder: string;
  let listener: Listener;
  let pool: ExchangePool;
  let serve: (exchange: IncomingExchange) => Promise<void>;
  let fenced: CmcpError[];
  beforeEach(async () => {
    fenced = [];
    folder = await mkdtemp(join(tmpdir(), "cmcp-journal-"));
    const path = join(folder, "s.sock");
    listener = await listenUnix(path, (stream) => serveStream(stream, (exchange) => serve(exchange)));
    pool = new ExchangePool(unixDialer(path), { maxStreams: 8 });
  });
  afterEach(async () => {
    await pool.close();
    await listener.close();
    await rm(folder, { recursive: true, force: true });
  });

  const bodyOf = async (exchange: IncomingExchange): Promise<Uint8Array> => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of exchange.body) chunks.push(examine(chunk));
    return Buffer.concat(chunks);
  };
  const batchOf = async (exchange: IncomingExchange): Promise<WireBatch> =>
    decodeBatch(untrusted(await bodyOf(exchange)));
  const acknowledge = async (exchange: IncomingExchange): Promise<void> => {
    await exchange.respond({ status: 200, headers: {} });
    await exchange.end();
  };
  const answer = async (exchange: IncomingExchange, bytes: Uint8Array): Promise<void> => {
    await bodyOf(exchange);
    await exchange.respond({ status: 200, headers: {} });
    await exchange.write(bytes);
    await exchange.end();
  };
  const journal = (sign_ = (bytes: Uint8Array): Uint8Array => sign(null, bytes, privateKey)): Journal => {
    const made = new Journal(
      pool,
      { instance, origin: "log.example/0", key, sign: sign_ },
      (error) => void fenced.push(error),
    );
    made.begin({ range: EMPTY_RANGE, state: new LogState(), snapshotAt: 0 });
    return made;
  };

  test("a batch is retried at the same place until the host takes it, and its note is of the tree with it", async () => {
    const seen: { first: number; body: Uint8Array }[] = [];
    serve = async (exchange) => {
      assert.ok(exchange.opening.t === "append");
      seen.push({ first: exchange.opening.first, body: await bodyOf(exchange) });
      if (seen.length < 3) await exchange.fail("AUDIT_STORE_UNAVAILABLE", "not now");
      else await acknowledge(exchange);
    };
    const kept = journal();
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
    serve = async (exchange) => {
      await bodyOf(exchange);
      steps.push("stored");
      await acknowledge(exchange);
    };
    const kept = journal();
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
    serve = async (exchange) => {
      await bodyOf(exchange);
      await acknowledge(exchange);
    };
    const kept = journal();
    const cosigned = (): Promise<void> => Promise.reject(new CmcpError("WITNESS_UNAVAILABLE", "none"));
    kept.begin({ range: EMPTY_RANGE, state: new LogState(), snapshotAt: 0 }, { stored: () => undefined, cosigned });
    await assert.rejects(kept.appendCosigned(instance, first), { code: "WITNESS_UNAVAILABLE" });
    assert.equal(kept.head?.size, 1);
    await kept.append(instance, first);
  });

  test("a store that holds another record at this place fences the instance, which tries no more", async () => {
    let appends = 0;
    serve = async (exchange) => {
      await bodyOf(exchange);
      appends += 1;
      await exchange.fail("AUDIT_STORE_MISMATCH", "another");
    };
    const kept = journal();
    await assert.rejects(kept.append(instance, first), { code: "AUDIT_STORE_UNAVAILABLE" });
    assert.deepEqual([appends, fenced.map(({ code }) => code)], [1, ["AUDIT_STORE_MISMATCH"]]);
    assert.equal(kept.head, null);
  });

  test("records that arrive during an append go together in the next one, in order and under one note", async () => {
    const appends: number[] = [];
    const stored: (JournalRecord | null)[] = [];
    let signatures = 0;
    serve = async (exchange) => {
      assert.ok(exchange.opening.t === "append");
      assert.equal(exchange.opening.first, stored.length);
      const { records } = await batchOf(exchange);
      appends.push(records.length);
      for (const { leaf, body } of records) stored.push(readRecord(untrusted(leaf), untrusted(body)));
      await acknowledge(exchange);
    };
    const kept = journal((bytes) => {
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
    serve = async (exchange) => {
      stored.push(...(await batchOf(exchange)).records);
      await acknowledge(exchange);
    };
    const kept = journal();
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
    serve = async (exchange) => {
      for (const { kind, leaf, body } of (await batchOf(exchange)).records) {
        kinds.push(kind);
        leaves.push(leafHash(leaf));
        if (kind === "snapshot") snapshot = readRecord(untrusted(leaf), untrusted(body));
      }
      await acknowledge(exchange);
    };
    const kept = journal();
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
    serve = () => new Promise(() => undefined);
    const held = journal();
    held.assertWritable();
    const waiting = held.append(instance, first);
    held.assertCaughtUp();
    await assert.rejects(waiting, { code: "AUDIT_STORE_UNAVAILABLE" });
    for (const assertion of [() => held.assertWritable(), () => held.assertCaughtUp()])
      assert.throws(assertion, { code: "AUDIT_STORE_UNAVAILABLE" });
  });

  test("after a late acknowledgement records are accepted again", async () => {
    const late = Promise.withResolvers<void>();
    serve = async (exchange) => {
      await bodyOf(exchange);
      await late.promise;
      await acknowledge(exchange);
    };
    const kept = journal();
    await assert.rejects(kept.append(instance, first), { code: "AUDIT_STORE_UNAVAILABLE" });
    assert.ok(kept.behind);
    late.resolve();
    for (let round = 0; round < 5; round += 1)
      await Promise.all(Array.from({ length: 300 }, () => kept.append(instance, first)));
    kept.assertWritable();
    kept.assertCaughtUp();
  });

  test("records are read however the host splits them, and a cut or malformed one is a mismatch", async () => {
    const shown = ["one", "two", "x".repeat(100_000)].map((text, index) => ({
      index,
      kind: "entry",
      leaf: Buffer.from("leaf"),
      body: Buffer.from(text),
    }));
    const framed = encodeScanned(shown);
    let sent = framed;
    serve = async (exchange) => {
      await bodyOf(exchange);
      await exchange.respond({ status: 200, headers: {} });
      for (let at = 0; at < sent.length; at += 1_013) await exchange.write(sent.subarray(at, at + 1_013));
      await exchange.end();
    };
    const read = async (): Promise<string[]> => {
      const texts: string[] = [];
      for await (const { body } of journal().scan({})) texts.push(Buffer.from(examine(body)).toString());
      return texts;
    };
    assert.deepEqual(
      await read(),
      shown.map(({ body }) => String(body)),
    );
    sent = framed.subarray(0, framed.length - 1);
    await assert.rejects(read(), { code: "AUDIT_STORE_MISMATCH" });
    sent = Buffer.concat([framed.subarray(0, 12), Buffer.from([0xff, 0xff, 0, 0])]);
    await assert.rejects(read(), { code: "AUDIT_STORE_MISMATCH" }, "a length beyond the limit is not waited for");
  });

  test("a head, a range and a path are read, and what is none is a mismatch", async () => {
    let sent: Uint8Array = Buffer.from('{"size":3,"note":"n","snapshot":null}');
    serve = async (exchange) => await answer(exchange, sent);
    assert.deepEqual(await journal().readHead(), { size: 3, note: "n", snapshot: null });
    sent = Buffer.from('{"size":0,"note":"","snapshot":null}');
    assert.equal(await journal().readHead(), null);
    for (const other of ['{"size":-1,"note":"n","snapshot":null}', '{"size":1,"note":"n"}', "[]", "{"]) {
      sent = Buffer.from(other);
      await assert.rejects(journal().readHead(), { code: "AUDIT_STORE_MISMATCH" }, other.slice(0, 20));
    }
    sent = Buffer.alloc(64, 7);
    assert.deepEqual(
      (await journal().readRange(3)).map(({ length }) => length),
      [32, 32],
    );
    assert.deepEqual(
      (await journal().readPath(1, 3)).map(({ length }) => length),
      [32, 32],
    );
    sent = Buffer.alloc(65, 7);
    await assert.rejects(journal().readRange(3), { code: "AUDIT_STORE_MISMATCH" });
    serve = async (exchange) => await exchange.fail("AUDIT_STORE_UNAVAILABLE", "no");
    await assert.rejects(journal().readPath(1, 3), { code: "AUDIT_STORE_UNAVAILABLE" });
  });
});
