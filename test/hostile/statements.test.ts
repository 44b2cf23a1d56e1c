/** Where the launch document lists provisioning keys, the host passes statements on and can make none. */
import assert from "node:assert/strict";
import { createPublicKey, hash, verify } from "node:crypto";
import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { ProvisionFacts } from "@cmcp/audit";
import { canonicalBytes, examine } from "@cmcp/boundary";
import {
  readReceipt,
  receiptInput,
  signingInput,
  type ProvisionHeader,
  type SignedProvision,
  type StatementMessage,
} from "@cmcp/provision";
import { buildProvision } from "@cmcp/provision/message";
import { deployQuickstart } from "../gateway/deployment.ts";
import {
  newProvisioner,
  shownInstance,
  statementFor,
  tokensOf,
  type Provisioner,
  type ShownInstance,
} from "../gateway/provisioner.ts";
import { startObservedHost, type ObservedHost, type Reply } from "./observed-host.ts";
import { entriesIn, readStored, recordsIn, showOtherwise } from "./stored-records.ts";

const [ALICE, BOB] = ["alices-token-0123456789abcdef012345", "bobs-token-0123456789abcdef01234567"];
const LIST = { jsonrpc: "2.0", id: 1, method: "tools/list" };
const UNKNOWN = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "none" } };
const TEN = Array.from({ length: 10 }, (_, index) => index);

describe("a host between provisioners and the enclave", () => {
  const [first, second, stranger] = [newProvisioner(), newProvisioner(), newProvisioner()];
  let folder = "";
  let host: ObservedHost;
  let enclave: Awaited<ReturnType<ObservedHost["startEnclave"]>>;
  let shown: ShownInstance;
  /** A sound statement that the host has seen, and that was in force. */
  let seen: Uint8Array<ArrayBuffer>;

  const begin = async (): Promise<void> => {
    enclave = await host.startEnclave();
    shown = shownInstance((await host.request("GET", "/attestation")).body);
  };
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-statements-"));
    const config = await deployQuickstart(join(folder, "deployment"), {
      everythingPort: 1,
      recordsPort: 1,
      recordsFingerprint: `SHA256:${Buffer.alloc(32).toString("base64")}`,
    });
    const keys = [first, second].map(({ publicKey }) => publicKey).join();
    await appendFile(config, `enclave: {provisioning_keys: [${keys}], principals: [{id: alice}, {id: bob}]}\n`);
    host = await startObservedHost(config, { CMCP_DEV_MODE: "1" });
    await begin();
  });
  after(async () => {
    await host.close();
    await rm(folder, { recursive: true, force: true });
  });

  const post = async (statement: Uint8Array): Promise<Reply> => {
    const exchange = await host.pool.open({ t: "request", method: "POST", path: "/statements", headers: {} });
    await exchange.write(statement);
    await exchange.end();
    const { status, headers } = await exchange.head;
    let body = "";
    for await (const chunk of exchange.body) body += Buffer.from(examine(chunk)).toString();
    return { status, headers, body };
  };
  const codeOf = ({ status, body }: Reply): readonly [number, string] => [
    status,
    (JSON.parse(body) as { error?: { code: string } }).error?.code ?? "",
  ];
  const made = (
    message: StatementMessage,
    changes: Partial<ProvisionHeader> & Pick<ProvisionHeader, "sequence">,
    signer: Provisioner = first,
  ): Uint8Array<ArrayBuffer> => statementFor(shown, signer, message, changes);
  const asks = async (token: string, body: object = LIST): Promise<Reply> =>
    await host.request("POST", "/mcp", body, { authorization: `Bearer ${token}` });
  const errorOf = async (token: string): Promise<readonly [number, unknown]> => {
    const { status, body } = await asks(token);
    const { error } = JSON.parse(body) as { error?: { data?: { error_code?: string } } };
    return [status, error?.data?.error_code ?? null];
  };
  const provisionRecords = async () =>
    (await recordsIn(host.store, { kind: "provision" })).map((stored) => {
      const record = readStored(stored);
      assert.ok(record.kind === "provision");
      return record.body;
    });

  test("gives it no tokens of its own, and until a statement comes nobody is served", async () => {
    const exchange = await host.pool.open({ t: "provision" });
    await exchange.write(buildProvision(tokensOf(["alice", "the hosts own token, 0123456789ab"])));
    await exchange.end();
    await assert.rejects(exchange.head, { code: "PROVISION_NOT_SIGNED" });
    assert.deepEqual(await errorOf("the hosts own token, 0123456789ab"), [503, "NOT_PROVISIONED"]);
    const ready = await host.request("GET", "/readyz");
    assert.deepEqual([ready.status, JSON.parse(ready.body)], [503, { ready: false, why: "NOT_PROVISIONED" }]);
    assert.deepEqual(await provisionRecords(), []);
  });

  test("invents, changes, cuts or misdirects a statement in vain", async () => {
    const alice = tokensOf(["alice", ALICE]);
    const now = Math.floor(Date.now() / 1000);
    const sound = JSON.parse(Buffer.from(made(alice, { sequence: 1 })).toString()) as SignedProvision;
    const signedAgain = (change: object, signer: Provisioner = first): Uint8Array => {
      const statement = { ...sound.statement, ...change };
      const signature = Buffer.from(signer.sign(signingInput(statement))).toString("base64url");
      return canonicalBytes({ statement, key: signer.publicKey, signature });
    };
    const otherKey = { ...shown, recipient: { ...shown.recipient, publicKey: otherPublicKey(shown) } };
    const cases: readonly (readonly [string, Uint8Array, readonly [number, string]])[] = [
      ["signed by a stranger", made(alice, { sequence: 1 }, stranger), [403, "PROVISION_STATEMENT_INVALID"]],
      [
        "with a listed key and a stranger's signature",
        canonicalBytes({
          ...sound,
          signature: Buffer.from(stranger.sign(signingInput(sound.statement))).toString("base64url"),
        }),
        [403, "PROVISION_STATEMENT_INVALID"],
      ],
      [
        "with another sequence",
        canonicalBytes({ ...sound, statement: { ...sound.statement, sequence: 9 } }),
        [403, "PROVISION_STATEMENT_INVALID"],
      ],
      [
        "for another launch digest",
        made(alice, { sequence: 1, launch_digest: `sha256:${"0".repeat(64)}` }),
        [409, "PROVISION_STATEMENT_MISMATCH"],
      ],
      [
        "for another instance",
        made(alice, { sequence: 1, instance: "A".repeat(43) }),
        [409, "PROVISION_STATEMENT_MISMATCH"],
      ],
      ["for another purpose", signedAgain({ purpose: "session-reset" }), [409, "PROVISION_STATEMENT_MISMATCH"]],
      [
        "that is expired",
        made(alice, { sequence: 1, not_before: now - 100, expires: now - 1 }),
        [409, "PROVISION_STATEMENT_EXPIRED"],
      ],
      [
        "that is not valid yet",
        made(alice, { sequence: 1, not_before: now + 600, expires: now + 700 }),
        [409, "PROVISION_STATEMENT_EXPIRED"],
      ],
      ["sealed to another key", statementFor(otherKey, first, alice, { sequence: 1 }), [400, "SEAL_NOT_OPENED"]],
      ["whose box another provisioner signed", signedAgain({}, second), [400, "SEAL_NOT_OPENED"]],
      ["whose box is of another statement", signedAgain({ sequence: 2 }), [400, "SEAL_NOT_OPENED"]],
      [
        "of a principal that is not measured",
        made(tokensOf(["mallory", ALICE]), { sequence: 1 }),
        [409, "PRINCIPAL_NOT_MEASURED"],
      ],
      [
        "of a credential that no server is sent",
        made({ ...alice, credentials: [{ name: "x", value: "y" }] }, { sequence: 1 }),
        [400, "CONFIG_INVALID"],
      ],
    ];
    for (const [what, statement, expected] of cases) assert.deepEqual(codeOf(await post(statement)), expected, what);
    const whole = made(alice, { sequence: 1 });
    for (const part of TEN)
      assert.deepEqual(codeOf(await post(whole.subarray(0, Math.floor((whole.length * part) / 10)))), [
        400,
        "PROVISION_STATEMENT_MALFORMED",
      ]);
    assert.deepEqual(codeOf(await host.request("GET", "/statements")), [405, "METHOD_NOT_ALLOWED"]);
    assert.deepEqual(await provisionRecords(), [], "what is refused is not on record");
    assert.deepEqual(await errorOf(ALICE), [503, "NOT_PROVISIONED"]);
  });

  test("passes one on, and the enclave's receipt, which it cannot make; nothing of it is in the record but hashes", async () => {
    seen = made(tokensOf(["alice", ALICE], ["bob", BOB]), { sequence: 10 });
    const { status, body } = await post(seen);
    assert.equal(status, 200, body);
    const { receipt, signature } = readReceipt(JSON.parse(body));
    const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: shown.signing }, format: "jwk" });
    assert.ok(verify(null, receiptInput(receipt), key, Buffer.from(signature, "base64url")));
    const statement = { hash: `sha256:${hash("sha256", seen)}`, key: first.publicKey, sequence: 10 };
    assert.deepEqual([receipt.statement, receipt.instance], [statement.hash, shown.header.instance]);
    const [facts, ...others] = await provisionRecords();
    assert.deepEqual([facts?.statement, facts?.sequence, others], [statement, 1, []]);
    assert.equal(receipt.provision_hash, `sha256:${hash("sha256", canonicalBytes(facts ?? {}))}`);
    assert.deepEqual(await errorOf(ALICE), [200, null]);
    assert.equal((await host.request("GET", "/readyz")).status, 200);
    await asks(ALICE, UNKNOWN);
    const [root] = await entriesIn(host.store);
    assert.partialDeepStrictEqual(root?.detail, {
      provisioning: "signed",
      provision_statement: statement.hash,
      provision_hash: receipt.provision_hash,
    });
    const shownStatus = JSON.parse(
      (await host.request("GET", "/v1/status", undefined, { authorization: `Bearer ${ALICE}` })).body,
    ) as { provisioning: unknown };
    assert.deepEqual(shownStatus.provisioning, {
      state: "signed",
      sequence: 1,
      hash: receipt.provision_hash,
      statement,
      credentials: "none",
    });
    for (const { header, body: stored } of await recordsIn(host.store))
      for (const secret of [ALICE, hash("sha256", ALICE)])
        assert.ok(!Buffer.concat([header, stored]).toString().includes(secret));
  });

  test("replays, reorders and mixes those of several provisioners in vain; the latest set counts, and only it", async () => {
    const late = made(tokensOf(["alice", ALICE], ["bob", BOB]), { sequence: 11 }, second);
    assert.equal((await post(made(tokensOf(["alice", ALICE]), { sequence: 12 }, second))).status, 200);
    assert.deepEqual(
      [await errorOf(ALICE), await errorOf(BOB)],
      [
        [200, null],
        [401, "UNAUTHENTICATED"],
      ],
    );
    for (const old of [seen, late, made(tokensOf(["bob", BOB]), { sequence: 12 })])
      assert.deepEqual(codeOf(await post(old)), [409, "PROVISION_STATEMENT_REPLAYED"]);
    assert.deepEqual(codeOf(await post(made(tokensOf(["alice", BOB]), { sequence: 13 }))), [409, "TOKEN_REBOUND"]);
    assert.deepEqual(await errorOf(BOB), [401, "UNAUTHENTICATED"]);
    const entries = (await entriesIn(host.store)).filter(({ entry_type: type }) => type === "provision");
    assert.deepEqual(
      entries.map(({ detail }) => detail?.["provision_sequence"]),
      [2],
    );
  });

  test("restarts the enclave in vain: the next instance takes nothing of before, and no lower sequence", async () => {
    const ended = shown.header.instance;
    const kept = made(tokensOf(["bob", BOB]), { sequence: 100 });
    await enclave.stop();
    await begin();
    assert.notEqual(shown.header.instance, ended);
    assert.deepEqual(await errorOf(ALICE), [503, "NOT_PROVISIONED"]);
    for (const old of [seen, kept]) assert.deepEqual(codeOf(await post(old)), [409, "PROVISION_STATEMENT_MISMATCH"]);
    for (const sequence of [1, 12])
      assert.deepEqual(codeOf(await post(made(tokensOf(["bob", BOB]), { sequence }))), [
        409,
        "PROVISION_STATEMENT_REPLAYED",
      ]);
    assert.deepEqual(codeOf(await post(made(tokensOf(["alice", BOB]), { sequence: 13 }))), [409, "TOKEN_REBOUND"]);
    assert.equal((await post(made(tokensOf(["bob", BOB]), { sequence: 13 }))).status, 200);
    assert.deepEqual(await errorOf(BOB), [200, null]);
  });

  test("keeps the stored set, and neither reads it, changes it, nor has an older one opened", async () => {
    const storage_key = Buffer.alloc(32, 9).toString("base64url");
    let provision_hash = `sha256:${"0".repeat(64)}`;
    const onlyKey = (sequence: number, key = storage_key): Uint8Array<ArrayBuffer> =>
      made({ v: 1, storage_key: key, provision_hash }, { sequence });
    assert.deepEqual(codeOf(await post(onlyKey(200))), [409, "STORED_SET_MISSING"]);
    for (const [sequence, set] of [
      [201, tokensOf(["alice", ALICE])],
      [202, tokensOf(["bob", BOB])],
    ] as const)
      assert.equal((await post(made({ ...set, storage_key }, { sequence }))).status, 200);
    const [before, last] = (await provisionRecords()).slice(-2).map((facts) => hashOfRecord(facts));
    assert.ok(before !== undefined && last !== undefined);
    await enclave.stop();
    await begin();
    assert.deepEqual(await errorOf(BOB), [503, "NOT_PROVISIONED"]);
    const [older, newest] = (await recordsIn(host.store, { kind: "provision" })).slice(-2);
    assert.ok(older !== undefined && newest !== undefined);
    provision_hash = before;
    assert.deepEqual(codeOf(await post(onlyKey(203))), [409, "STORED_SET_OTHER"]);
    provision_hash = last;
    const lie: { shownAs?: typeof newest | null } = {};
    showOtherwise(host.store, (record) =>
      record.index === newest.index && lie.shownAs !== undefined ? lie.shownAs : record,
    );
    for (const [what, shownAs] of [
      ["an older one", { ...older, index: newest.index }],
      ["an older one's body", { ...newest, body: older.body }],
      ["a cut one", { ...newest, body: newest.body.subarray(0, -1) }],
      ["none", null],
    ] as const) {
      lie.shownAs = shownAs;
      assert.deepEqual(codeOf(await post(onlyKey(203))), [500, "AUDIT_STORE_MISMATCH"], what);
    }
    delete lie.shownAs;
    assert.deepEqual(codeOf(await post(onlyKey(203, "A".repeat(43)))), [409, "STORED_SET_NOT_OPENED"]);
    assert.deepEqual(codeOf(await post(onlyKey(202))), [409, "PROVISION_STATEMENT_REPLAYED"]);
    assert.deepEqual(await errorOf(BOB), [503, "NOT_PROVISIONED"], "what is refused changes nothing");
    assert.equal((await post(onlyKey(203))).status, 200);
    assert.deepEqual(
      [await errorOf(ALICE), await errorOf(BOB)],
      [
        [401, "UNAUTHENTICATED"],
        [200, null],
      ],
    );
    const { provisioning } = JSON.parse(
      (await host.request("GET", "/v1/status", undefined, { authorization: `Bearer ${BOB}` })).body,
    ) as { provisioning: { storage: unknown } };
    assert.equal(provisioning.storage, "operator-readable");
    await asks(BOB, UNKNOWN);
    const root = (await entriesIn(host.store)).findLast(({ entry_type: type }) => type === "session_start");
    assert.equal(root?.detail?.["storage"], "operator-readable");
    const stored = (await provisionRecords()).map((facts) => facts.stored?.ciphertext ?? null).slice(-2);
    assert.notEqual(stored[0], stored[1], "it is stored anew");
    for (const { header, body } of await recordsIn(host.store))
      for (const secret of [storage_key, BOB, hash("sha256", BOB)])
        assert.ok(!Buffer.concat([header, body]).toString().includes(secret));
  });
});

const hashOfRecord = (facts: ProvisionFacts): string => `sha256:${hash("sha256", canonicalBytes(facts))}`;

/** The public key of nobody. */
function otherPublicKey({ recipient }: ShownInstance): Uint8Array {
  const { kem } = recipient.suite;
  return kem.keyOf(new Uint8Array(32).fill(7)).publicKey;
}
