import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { readRecord, type ProvisionFacts } from "@cmcp/audit";
import { canonicalBytes, untrusted } from "@cmcp/boundary";
import type { Provision } from "@cmcp/provision";
import { callerOf, entryIn, HostStore, ofSession, recordRoom } from "../testing/record-room.ts";
import { provisionFacts, Provisions, tokenCommitment } from "./provisions.ts";

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");
const commit = (sha256: string): string => tokenCommitment("log.example/0", sha256);
const committed = (token: string): string =>
  createHash("sha256")
    .update("log.example/0\n")
    .update(Buffer.from(hashOf(token), "hex"))
    .digest("hex");
const message = (...tokens: readonly (readonly [string, string])[]): Provision => ({
  v: 1,
  tokens: tokens.map(([principal, token]) => ({ principal, sha256: hashOf(token) })),
});
const nothing = (): undefined => undefined;
const noneStored = { origin: "log.example/0", believedFrom: () => 0, storedSet: () => null };
const ignore = { check: nothing, bind: nothing, apply: nothing };

function provisioned(sequence = 0, statementSequence = 0) {
  const store = new HostStore();
  const room = recordRoom(store);
  const { journal, instance, sessions, recorder } = room;
  return {
    store,
    room,
    provisions: new Provisions({
      journal,
      instance,
      sequence,
      statementSequence,
      commit,
      sessions,
      recorder,
      ...noneStored,
    }),
  };
}

const recordedIn = (store: HostStore): ProvisionFacts[] =>
  store.records.flatMap(({ leaf, body }) => {
    const record = readRecord(untrusted(leaf), untrusted(body));
    return record?.kind === "provision" ? [record.body] : [];
  });

test("a record says who may call, by hashes of hashes, and names credentials without their values", () => {
  const given = message(["bob", "b"], ["alice", "a2"], ["alice", "a1"]);
  const facts = provisionFacts(
    {
      ...given,
      credentials: [
        { name: "z", value: "secret-z" },
        { name: "a", value: "secret-a" },
      ],
    },
    7,
    commit,
  );
  assert.deepEqual(facts, {
    sequence: 7,
    principals: [
      { principal: "alice", tokens: [committed("a1"), committed("a2")].toSorted() },
      { principal: "bob", tokens: [committed("b")] },
    ],
    credentials: ["a", "z"],
  });
  assert.deepEqual(
    provisionFacts(message(["alice", "a1"], ["alice", "a2"], ["bob", "b"]), 7, commit).principals,
    facts.principals,
    "in whatever order they come",
  );
  const text = JSON.stringify(facts);
  for (const secret of ["secret-z", hashOf("b")]) assert.ok(!text.includes(secret));
  assert.equal(provisionFacts({ v: 1, tokens: [], tokenless: true }, 1, commit).tokenless, true);
});

test("a provisioning is stored first, then added to every open session and named by every later root entry", async () => {
  const { store, room, provisions } = provisioned();
  const open = await room.sessions.openOrJoin(callerOf("alice"), null);
  await room.recorder.ensureStarted(open);
  let storedBefore = -1;
  await provisions.take(message(["alice", "a"]), {
    check: nothing,
    bind: nothing,
    apply: () => {
      storedBefore = recordedIn(store).length;
    },
  });
  assert.equal(storedBefore, 1);
  const [facts] = recordedIn(store);
  assert.ok(facts !== undefined);
  const hash = `sha256:${createHash("sha256").update(canonicalBytes(facts)).digest("hex")}`;
  assert.deepEqual(provisions.inForce, {
    sequence: 1,
    hash,
    statement: null,
    hasCredentials: false,
    isStored: false,
    restoredFrom: null,
  });
  const [, noted] = ofSession(store, open.session.id, "entry").map((held) => entryIn(held));
  assert.deepEqual(
    [noted?.entry_type, noted?.detail],
    ["provision", { provision_sequence: 1, provision_hash: hash, provisioning: "unsigned" }],
  );
  room.facts.provision = provisions.inForce;
  const later = await room.sessions.openOrJoin(callerOf("bob"), null);
  await room.recorder.ensureStarted(later);
  const [root] = ofSession(store, later.session.id, "entry").map((held) => entryIn(held));
  assert.partialDeepStrictEqual(root?.detail, {
    provision_sequence: 1,
    provision_hash: hash,
    provisioning: "unsigned",
  });
  const claim = await room.closing.close(open);
  assert.equal(claim.gateway.audit_chain.length, 3);
});

test("a provisioning that is refused or cannot be recorded changes nothing", async () => {
  const { store, room, provisions } = provisioned();
  const refuse = (): never => {
    throw new Error("refused");
  };
  await assert.rejects(
    provisions.take(message(), { ...ignore, check: refuse, apply: () => assert.fail("applied") }),
    /refused/,
  );
  assert.deepEqual([provisions.inForce, store.records], [null, []]);
  room.journal.behind = true;
  await assert.rejects(provisions.take(message(), { ...ignore, apply: () => assert.fail("applied") }), {
    code: "AUDIT_STORE_UNAVAILABLE",
  });
  room.journal.behind = false;
  await provisions.take(message(["alice", "a"]), ignore);
  assert.equal(provisions.inForce?.sequence, 1, "one that failed does not stop those after it");
});

test("provisionings are numbered on from those of earlier instances, and a token has another commitment in another log", async () => {
  const { store, provisions } = provisioned(4);
  await provisions.take(message(["alice", "a"]), ignore);
  assert.deepEqual(
    recordedIn(store).map(({ sequence }) => sequence),
    [5],
  );
  assert.notEqual(tokenCommitment("log.example/1", hashOf("a")), tokenCommitment("log.example/0", hashOf("a")));
});

test("of two concurrent messages the second is checked when the first is in force", async () => {
  const { provisions } = provisioned();
  const order: string[] = [];
  const steps = (name: string) => ({
    check: () => void order.push(`${name} checked`),
    bind: nothing,
    apply: () => void order.push(`${name} applied`),
  });
  await Promise.all([provisions.take(message(), steps("first")), provisions.take(message(), steps("second"))]);
  assert.deepEqual(order, ["first checked", "first applied", "second checked", "second applied"]);
});

test("a statement counts once, above every one of the log, whoever signed it; its hash is on record and in entries", async () => {
  const { store, room, provisions } = provisioned(2, 5);
  const signed = (sequence: number, key = "A") => ({
    hash: `sha256:${hashOf(`${key}${sequence}`)}`,
    key: key.repeat(43),
    sequence,
  });
  const open = await room.sessions.openOrJoin(callerOf("alice"), null);
  await room.recorder.ensureStarted(open);
  const replayed = { code: "PROVISION_STATEMENT_REPLAYED" };
  const secret = { ...message(["alice", "a"]), credentials: [{ name: "ledger", value: "secret" }] };
  for (const old of [signed(1), signed(5), signed(5, "B")])
    await assert.rejects(provisions.take(secret, { ...ignore, check: () => assert.fail("checked") }, old), replayed);
  const taken = await provisions.take(secret, ignore, signed(9));
  assert.deepEqual(taken.statement, signed(9));
  for (const old of [signed(9), signed(8, "B")]) await assert.rejects(provisions.take(secret, ignore, old), replayed);
  assert.deepEqual(
    recordedIn(store).map(({ sequence, statement }) => [sequence, statement]),
    [[3, signed(9)]],
  );
  const [, noted] = ofSession(store, open.session.id, "entry").map((held) => entryIn(held));
  assert.deepEqual(noted?.detail, {
    provision_sequence: 3,
    provision_hash: taken.hash,
    provisioning: "signed",
    provision_statement: signed(9).hash,
    credentials: "provisioned",
  });
});

test("a set with a storage key says so in every session: whoever provisions can read what is stored", async () => {
  const { store, room, provisions } = provisioned();
  const open = await room.sessions.openOrJoin(callerOf("alice"), null);
  await room.recorder.ensureStarted(open);
  const { hash, isStored } = await provisions.take({ ...message(["alice", "a"]), storage_key: "A".repeat(43) }, ignore);
  const [, noted] = ofSession(store, open.session.id, "entry").map((held) => entryIn(held));
  assert.deepEqual(
    [isStored, noted?.detail],
    [true, { provision_sequence: 1, provision_hash: hash, provisioning: "unsigned", storage: "operator-readable" }],
  );
});

test("a statement whose record is late, or that no quorum cosigned, is bound and used up, and not in force", async () => {
  const { sessions, recorder, instance, journal } = provisioned().room;
  const statement = { hash: `sha256:${hashOf("s")}`, key: "A".repeat(43), sequence: 1 };
  const late = Object.assign(journal, { appendCosigned: () => Promise.reject(new Error("not cosigned")) });
  const provisions = new Provisions({
    journal: late,
    instance,
    sequence: 0,
    statementSequence: 0,
    commit,
    sessions,
    recorder,
    ...noneStored,
  });
  let bound = 0;
  const steps = { ...ignore, bind: () => void (bound += 1), apply: () => assert.fail("applied") };
  await assert.rejects(provisions.take(message(["alice", "a"]), steps, statement), /not cosigned/);
  assert.deepEqual([bound, provisions.inForce], [1, null]);
  await assert.rejects(provisions.take(message(), steps, statement), { code: "PROVISION_STATEMENT_REPLAYED" });
});
