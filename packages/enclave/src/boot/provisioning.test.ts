import assert from "node:assert/strict";
import { test } from "node:test";
import type { Provision, StatementMessage } from "@cmcp/provision";
import { Principals } from "../access/principals.ts";
import { Provisions, tokenCommitment, type ProvisionSteps } from "../record/provisions.ts";
import { Credentials } from "../servers/credentials.ts";
import { HostStore, ORIGIN, recordRoom } from "../testing/record-room.ts";
import { PhaseMachine } from "./phases.ts";
import { Provisioning, type ProvisioningPorts } from "./provisioning.ts";

const TOKENS: Provision = { v: 1, tokens: [{ principal: "alice", sha256: "ab".repeat(32) }] };
const CREDENTIALS: Provision = { v: 1, tokens: [], credentials: [{ name: "ledger", value: "secret" }] };
const NOTHING: Provision = { v: 1, tokens: [] };

/** Where a host's own message is taken: how often it was. */
async function takenBy(
  launch: { readonly inImage: boolean; readonly development: boolean; readonly keys?: boolean },
  message: Provision,
): Promise<number> {
  let taken = 0;
  const ports = {
    access: { provisioners: { areListed: launch.keys ?? false } },
    record: {
      provisions: {
        take: (_: Provision, steps: ProvisionSteps) => {
          assert.equal(typeof steps.check, "function");
          taken += 1;
          return Promise.resolve();
        },
      },
    },
  } as unknown as ProvisioningPorts;
  const { inImage, development } = launch;
  const provisioning = new Provisioning({ inImage, document: { development } } as never, ports);
  await provisioning.takeMessage(message);
  return taken;
}

test("a host's own message is taken in development, in a process, and where it brings nothing; never beside provisioning keys", async () => {
  const refused = { code: "PROVISION_NOT_SIGNED" };
  for (const message of [TOKENS, CREDENTIALS, NOTHING]) {
    for (const inImage of [true, false])
      for (const development of [true, false])
        await assert.rejects(takenBy({ inImage, development, keys: true }, message), refused);
    assert.equal(await takenBy({ inImage: true, development: true }, message), 1);
    assert.equal(await takenBy({ inImage: false, development: false }, message), 1);
  }
  for (const message of [TOKENS, CREDENTIALS])
    await assert.rejects(takenBy({ inImage: true, development: false }, message), refused);
  assert.equal(await takenBy({ inImage: true, development: false }, NOTHING), 1);
});

/** What takes statements in an instance of a document that names principals, over one log. */
function provisioningOf(
  store: HostStore,
  state: ReturnType<typeof recordRoom>["journal"]["state"],
  ids: readonly string[],
) {
  const room = recordRoom(store);
  room.journal.state = state;
  const { journal, instance, sessions, recorder } = room;
  const commit = (sha256: string): string => tokenCommitment(ORIGIN, sha256);
  const principals = new Principals(
    ids.map((id) => ({ id, workflows: ["default"] })),
    null,
    { commit, bound: state.tokens },
  );
  const phases = new PhaseMachine();
  phases.step("ready");
  phases.step("launch");
  const provisions = new Provisions({
    journal,
    instance,
    sessions,
    recorder,
    commit,
    origin: ORIGIN,
    sequence: state.provision,
    statementSequence: state.provisionStatement,
    believedFrom: () => 0,
    storedSet: () => state.storedSet,
  });
  const parts = {
    access: { principals },
    servers: { credentials: new Credentials({ servers: [] }) },
    record: { provisions },
    phases,
  } as unknown as ProvisioningPorts;
  const provisioning = new Provisioning({ inImage: true, document: { development: false } } as never, parts);
  const take = async (message: StatementMessage, sequence: number, assertFor = (): void => undefined) =>
    await provisioning.takeStatement(
      message,
      { hash: `sha256:${"0".repeat(64)}`, key: "A".repeat(43), sequence },
      assertFor,
    );
  return { take, phases };
}

test("a stored set is held to the document in force as any other, and to the statement's time once it is open", async () => {
  const store = new HostStore();
  const { journal, begin } = recordRoom(store);
  await begin();
  const { state } = journal;
  const storage_key = "A".repeat(43);
  const { hash } = await provisioningOf(store, state, ["alice", "bob"]).take({ ...TOKENS, storage_key }, 1);
  const onlyKey: StatementMessage = { v: 1, storage_key, provision_hash: hash };
  const gone = provisioningOf(store, state, ["bob"]);
  await assert.rejects(gone.take(onlyKey, 2), { code: "PRINCIPAL_NOT_MEASURED" });
  assert.deepEqual([gone.phases.phase, state.provision], ["Measured", 1]);
  const next = provisioningOf(store, state, ["alice"]);
  await assert.rejects(
    next.take(onlyKey, 2, () => {
      throw new Error("its time is over");
    }),
    /its time is over/,
  );
  assert.deepEqual([next.phases.phase, state.provision], ["Measured", 1]);
  await next.take(onlyKey, 2);
  assert.deepEqual([next.phases.phase, state.provision], ["Serving", 2]);
});
