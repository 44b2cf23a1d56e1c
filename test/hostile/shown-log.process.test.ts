/**
 * A host that shows the next enclave another log than the one that was left: the enclave does not start, or holds every principal to the
 * highest label. What it cannot see is a log that ended earlier.
 */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { History } from "@cmcp/audit";
import { CmcpError } from "@cmcp/boundary";
import { formatCheckpoint, parseCheckpoint, parseNote } from "@cmcp/log";
import { deployQuickstart } from "../gateway/deployment.ts";
import { receiptOf, type RpcReply } from "../gateway/fixture.ts";
import { startRecordsServer, type RecordsServer } from "../servers/records-server.ts";
import { handOverToHost } from "./host/own-hand-over.ts";
import { signedByHost } from "./host/shown-log.ts";
import { ObservedStore, startObservedHost } from "./observed-host.ts";
import { recordsIn, showOtherwise } from "./stored-records.ts";

const ENVIRONMENT = { CMCP_DEV_MODE: "1", CMCP_BEARER_TOKEN: "shown-log-test-token-0123456789abcdef" };
type Batches = ObservedStore["batches"];

const call = (name: string, parameters: object): object => ({
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: { name, arguments: parameters },
});
const MESSAGE = call("send_message", { to: "x", text: "x" });
const RECORD = call("get_patient_record", { patient_id: "P-1001" });

describe("a host that shows another log than the one that was left", () => {
  let folder: string;
  let records: RecordsServer;
  let config: string;
  /** Two enclaves that ended in order, each with a snapshot: the first sent a message, the second read a record. */
  let left: Batches;
  /** How many batches the first enclave stored. */
  let early = 0;
  /** What two enclaves of another origin left after the same. */
  let foreign: Batches;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-shown-"));
    records = await startRecordsServer();
    config = await deployQuickstart(join(folder, "deployment"), {
      everythingPort: 1,
      recordsPort: records.port,
      recordsFingerprint: records.fingerprint,
    });
    ({ left, early } = await leftBy(config));
    const other = join(dirname(config), "other.yaml");
    await writeFile(other, `${await readFile(config, "utf8")}log: {origin: elsewhere.example/0}\n`);
    ({ left: foreign } = await leftBy(other));
  });
  after(async () => {
    await records.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function leftBy(path: string): Promise<{ readonly left: Batches; readonly early: number }> {
    const host = await startObservedHost(path, ENVIRONMENT);
    let first = 0;
    try {
      for (const body of [MESSAGE, RECORD]) {
        first = host.store.batches.length;
        const enclave = await host.startEnclave();
        assert.equal((await host.request("POST", "/mcp", body)).status, 200);
        const drain = await host.pool.open({ t: "drain" });
        await drain.end();
        await drain.head;
        for await (const _ of drain.body); // how many sessions could not be closed
        await enclave.stop();
      }
      return { left: [...host.store.batches], early: first };
    } finally {
      await host.close();
    }
  }

  interface Start {
    readonly history: History;
    /** Whether the principal may still send messages. */
    readonly sends: boolean;
    /** How many records the start was shown. */
    readonly read: number;
  }

  /** Starts an enclave over batches, shown as the test says. @throws CmcpError what the enclave refused its launch with */
  async function start(batches: Batches, doctor: (store: ObservedStore) => Promise<void> | void): Promise<Start> {
    const store = new ObservedStore(null, { durable: false });
    for (const batch of batches) await store.append(batch);
    await doctor(store);
    let read = 0;
    showOtherwise(store, (record) => {
      read += 1;
      return record;
    });
    const host = await startObservedHost(config, ENVIRONMENT, { record: store });
    try {
      await host.startEnclave();
      const shown = read;
      const { history } = JSON.parse((await host.request("GET", "/v1/status")).body) as { history: History };
      const answer = JSON.parse((await host.request("POST", "/mcp", MESSAGE)).body) as RpcReply;
      return { history, sends: receiptOf(answer).decision === "allow", read: shown };
    } finally {
      await host.close();
      await store.close();
    }
  }

  const refused = async (doctor: Parameters<typeof start>[1]): Promise<void> =>
    await assert.rejects(
      start(left, doctor),
      (thrown) => thrown instanceof CmcpError && thrown.code === "AUDIT_STORE_MISMATCH",
    );
  /** Index of each snapshot, oldest first. */
  const snapshots = async (store: ObservedStore): Promise<number[]> =>
    (await recordsIn(store, { kind: "snapshot" })).map(({ index }) => index);
  const size = (): number => left.reduce((sum, batch) => sum + batch.records.length, 0);
  const incomplete = (reason: string): object => ({
    history: { state: "incomplete", reason },
    sends: false,
  });
  const judged = ({ history, sends }: Start): object => ({ history, sends });
  const known = { history: { state: "complete" }, sends: false };

  test("the log as it was left is complete, and read from its newest snapshot on", async () => {
    const found = await start(left, () => undefined);
    assert.deepEqual(judged(found), known);
    assert.ok(found.read < size() / 2, `${found.read} of ${size()} records`);
  });

  test("a snapshot that is hidden, or an older one, makes the start read more and change nothing", async () => {
    const hidden = await start(left, (store) => {
      store.latest = () => Promise.resolve(null);
    });
    assert.deepEqual(judged(hidden), known);
    assert.equal(hidden.read, size());
    const older = await start(left, async (store) => {
      const [oldest = 0, newest = 0] = await snapshots(store);
      assert.ok(oldest < newest);
      store.latest = () => Promise.resolve(oldest);
    });
    assert.deepEqual(judged(older), known);
  });

  const otherwise: Readonly<
    Record<
      string,
      {
        readonly reason: string;
        /** Whether it needs both enclaves. */
        readonly both?: true;
        readonly show: (store: ObservedStore) => Promise<void> | void;
      }
    >
  > = {
    "a part of the snapshot is missing": {
      reason: "no-snapshot",
      show: (store) => showOtherwise(store, (record) => (record.kind === "snapshot-part" ? null : record)),
    },
    "the snapshot is missing": {
      reason: "no-snapshot",
      show: (store) => showOtherwise(store, (record) => (record.kind === "snapshot" ? null : record)),
    },
    "a part of the snapshot has another body": {
      reason: "missing-body",
      show: (store) =>
        showOtherwise(store, (record) =>
          record.kind === "snapshot-part" ? { ...record, body: Buffer.from("{}") } : record,
        ),
    },
    "another record is called the snapshot": {
      reason: "no-snapshot",
      show: (store) => {
        store.latest = () => Promise.resolve(1);
      },
    },
    "the older snapshot stands where the newer one does": {
      reason: "no-snapshot",
      both: true,
      show: async (store) => {
        const [oldest] = await recordsIn(store, { kind: "snapshot" });
        showOtherwise(store, (record) =>
          record.kind === "snapshot" && oldest !== undefined ? { ...oldest, index: record.index } : record,
        );
      },
    },
    "the snapshot, with its parts, is that of another origin": {
      reason: "no-snapshot",
      both: true,
      show: (store) => {
        const theirs = foreign.flatMap(({ records: some }) => some);
        assert.equal(theirs.length, size(), "both logs have the same kinds of records, each at its place");
        showOtherwise(store, (record) => {
          const { kind, header, body } = theirs[record.index] ?? record;
          assert.equal(kind, record.kind);
          return kind.startsWith("snapshot") ? { ...record, header, body } : record;
        });
      },
    },
    "the snapshot is said to be behind the end of the log": {
      reason: "no-snapshot",
      show: (store) => {
        store.latest = () => Promise.resolve(size() + 1);
      },
    },
    "the snapshot is of more records than the log has": {
      reason: "no-snapshot",
      show: (store) =>
        showOtherwise(store, (record) => {
          if (record.kind !== "snapshot") return record;
          const said = JSON.parse(Buffer.from(record.body).toString()) as { at: number };
          return { ...record, body: Buffer.from(JSON.stringify({ ...said, at: said.at + size() })) };
        }),
    },
    "the head's signature is another": {
      reason: "unbelieved",
      show: async (store) => {
        const head = (await store.head()) ?? { size: 0, note: "" };
        const note = head.note.replace(/.{8}\n$/, (end) => `${end.startsWith("A") ? "B" : "A"}${end.slice(1)}`);
        assert.notEqual(note, head.note);
        store.head = () => Promise.resolve({ ...head, note });
      },
    },
    "a record of the tail is hidden, with the snapshot": {
      reason: "no-snapshot",
      show: (store) => {
        store.latest = () => Promise.resolve(null);
        showOtherwise(store, (record) => (record.kind === "intent" ? null : record));
      },
    },
    "a record of the tail is changed, with the snapshot": {
      reason: "missing-body",
      show: (store) => {
        store.latest = () => Promise.resolve(null);
        showOtherwise(store, (record) => (record.kind === "intent" ? { ...record, body: Buffer.from("{}") } : record));
      },
    },
    "two records change places": {
      reason: "no-snapshot",
      show: async (store) => {
        store.latest = () => Promise.resolve(null);
        const all = await recordsIn(store);
        showOtherwise(store, (record) => {
          const other = all[record.index === 1 ? 2 : record.index === 2 ? 1 : record.index];
          return { ...(other ?? record), index: record.index };
        });
      },
    },
    "a record stands twice, and the last is left out": {
      reason: "no-snapshot",
      show: async (store) => {
        store.latest = () => Promise.resolve(null);
        const all = await recordsIn(store);
        showOtherwise(store, (record) => ({
          ...(all[record.index < 2 ? record.index : record.index - 1] ?? record),
          index: record.index,
        }));
      },
    },
    "the head is signed with the host's own key": {
      reason: "unbelieved",
      show: async (store) => {
        const head = (await store.head()) ?? { size: 0, note: "" };
        store.head = () => Promise.resolve({ ...head, note: signedByHost(head, (origin) => origin) });
      },
    },
    "the host hands the log over to a key of its own": {
      reason: "unbelieved",
      show: async (store) => await handOverToHost(store, `sha256:${"f".repeat(64)}`),
    },
  };
  for (const [what, { reason, both, show }] of Object.entries(otherwise))
    test(`${what}: every principal is held to the highest label`, async () => {
      const message = "also whoever has sent messages only";
      if (both === undefined)
        assert.deepEqual(judged(await start(left.slice(0, early), show)), incomplete(reason), message);
      assert.deepEqual(judged(await start(left, show)), incomplete(reason));
    });

  test("a log of another origin is not continued", async () => {
    await refused(async (store) => {
      const head = (await store.head()) ?? { size: 0, note: "" };
      store.head = () => Promise.resolve({ ...head, note: signedByHost(head, () => "elsewhere.example/0") });
    });
  });

  test("a head of another size, and one that neither records nor the host's hashes lead to, are refused", async () => {
    const note = async (store: ObservedStore): Promise<string> => (await store.head())?.note ?? "";
    await refused(async (store) => {
      const text = await note(store);
      store.head = () => Promise.resolve({ size: size() - 1, note: text });
    });
    await refused(async (store) => {
      const { origin } = parseCheckpoint(parseNote(await note(store)).text);
      const text = (await note(store)).replace(
        /^.*\n.*\n.*\n/,
        formatCheckpoint({ origin, size: size(), root: new Uint8Array(32) }),
      );
      store.head = () => Promise.resolve({ size: size(), note: text });
    });
  });

  test("a log that ends earlier, under the note that it had then, is as it was then", async () => {
    assert.deepEqual(judged(await start(left.slice(0, early), () => undefined)), {
      history: { state: "complete" },
      sends: true,
    });
  });
});
