/** Requests of MCP 2026-07-28 through the front door: what disagrees with itself or mixes eras is refused, and nothing of it runs. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { receiptOf, type RpcReply } from "../gateway/fixture.ts";
import { startDeployment, type Agent, type Deployment } from "../gateway/principals.ts";
import { errorCodeOf } from "../gateway/refused-call.ts";
import { stateless, type StatelessChanges } from "../gateway/stateless.ts";

const MESSAGE = { to: "ops@example.org", text: "hello" };
const SEND = { name: "send_message", arguments: MESSAGE };
const VERSION = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES = "io.modelcontextprotocol/clientCapabilities";
const INFO = "io.modelcontextprotocol/clientInfo";

interface Refused {
  readonly changes: StatelessChanges;
  readonly rpc: number;
  readonly code: string;
}

const MISMATCH = { rpc: -32020, code: "MCP_HEADER_MISMATCH" };
const ENVELOPE = { rpc: -32602, code: "MCP_INVALID_REQUEST" };
const UNSUPPORTED = { rpc: -32022, code: "NOT_SUPPORTED" };

const REFUSED: Readonly<Record<string, Refused>> = {
  "a method header that names another method": { changes: { headers: { "mcp-method": "tools/list" } }, ...MISMATCH },
  "no method header": { changes: { headers: { "mcp-method": undefined } }, ...MISMATCH },
  "a name header that names another tool": { changes: { headers: { "mcp-name": "get_patient_record" } }, ...MISMATCH },
  "no name header": { changes: { headers: { "mcp-name": undefined } }, ...MISMATCH },
  "a version header that names another version": {
    changes: { headers: { "mcp-protocol-version": "2025-11-25" } },
    ...MISMATCH,
  },
  "no version header": { changes: { headers: { "mcp-protocol-version": undefined } }, ...MISMATCH },
  "no envelope": {
    changes: { meta: { [VERSION]: undefined, [CAPABILITIES]: undefined, [INFO]: undefined } },
    ...ENVELOPE,
  },
  "an envelope without its version": { changes: { meta: { [VERSION]: undefined } }, ...ENVELOPE },
  "an envelope without capabilities": { changes: { meta: { [CAPABILITIES]: undefined } }, ...ENVELOPE },
  "an unknown version": {
    changes: { meta: { [VERSION]: "2099-01-01" }, headers: { "mcp-protocol-version": "2099-01-01" } },
    ...UNSUPPORTED,
  },
  "a version of the other era in an envelope": {
    changes: { meta: { [VERSION]: "2025-11-25" }, headers: { "mcp-protocol-version": "2025-11-25" } },
    ...ENVELOPE,
  },
};

describe("stateless requests", () => {
  let deployment: Deployment;
  let alice: Agent;
  let bob: Agent;
  before(async () => {
    deployment = await startDeployment({ alice: null, bob: null }, ["workflows: [default, claims]"]);
    alice = deployment.agent(deployment.tokenOf("alice"));
    bob = deployment.agent(deployment.tokenOf("bob"));
  });
  after(() => deployment.close());

  const ask = (principal: string, method: string, params: object, changes: StatelessChanges = {}) =>
    stateless({ mcp: deployment.gateway.mcp, token: deployment.tokenOf(principal) }, method, params, changes);
  const reached = (): number => deployment.records.calls.length;
  const said = ({ body }: { body: RpcReply }): string | undefined => errorCodeOf(body);
  /** The other principal is served by the next request, and so is the one whose request was bad. */
  const stillServes = async (): Promise<void> => {
    for (const principal of ["bob", "alice"])
      assert.equal((await ask(principal, "tools/call", SEND)).body.error, undefined, principal);
  };

  test("discover, list and call need no handshake, open no session and say what they are", async () => {
    const discovered = await ask("alice", "server/discover", {});
    assert.deepEqual([discovered.status, discovered.headers.get("mcp-session-id")], [200, null]);
    const { supportedVersions, resultType, ttlMs, cacheScope } = discovered.body.result ?? {};
    assert.deepEqual(
      [supportedVersions, resultType, typeof ttlMs, cacheScope],
      [["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"], "complete", "number", "private"],
    );
    const listed = await ask("alice", "tools/list", {});
    assert.ok(
      (listed.body.result?.["tools"] as { name: string }[] | undefined)?.some(({ name }) => name === "send_message"),
    );
    assert.deepEqual(
      [listed.body.result?.["resultType"], listed.body.result?.["ttlMs"], listed.body.result?.["cacheScope"]],
      ["complete", 0, "private"],
    );
    const called = await ask("alice", "tools/call", SEND, { id: "call-1" });
    assert.deepEqual([called.status, called.body.id, called.body.result?.["resultType"]], [200, "call-1", "complete"]);
    assert.equal(receiptOf(called.body).decision, "allow");
  });

  for (const [what, { changes, rpc, code }] of Object.entries(REFUSED)) {
    test(`${what} is refused with ${rpc}`, async () => {
      const before = reached();
      const refused = await ask("alice", "tools/call", SEND, changes);
      assert.deepEqual([refused.status, refused.body.error?.code, said(refused), refused.body.id], [400, rpc, code, 1]);
      assert.ok((refused.body.error?.message.length ?? 0) > 10, "it says why");
      assert.equal(reached(), before, "nothing left");
      await stillServes();
    });
  }

  test("an unknown version is answered with those that are spoken", async () => {
    const refused = await ask(
      "alice",
      "server/discover",
      {},
      { meta: { [VERSION]: "2099-01-01" }, headers: { "mcp-protocol-version": "2099-01-01" } },
    );
    assert.deepEqual((refused.body.error?.data as Record<string, unknown> | undefined)?.["supported"], [
      "2026-07-28",
      "2025-11-25",
      "2025-06-18",
      "2025-03-26",
    ]);
  });

  test("eras do not mix, in either direction", async () => {
    const handle = await alice.open();
    const before = reached();
    const inSession = await ask("alice", "tools/call", SEND, { headers: { "mcp-session-id": handle } });
    assert.deepEqual([inSession.status, inSession.body.error?.code], [400, -32600], "a stateless request in a session");
    const legacy = { jsonrpc: "2.0", id: 1, method: "tools/call", params: SEND };
    const underHeader = await alice.post(legacy, { "mcp-session-id": handle, "mcp-protocol-version": "2026-07-28" });
    assert.equal(underHeader.status, 400, "a session's request under the stateless version");
    const initialize = {
      jsonrpc: "2.0",
      id: 1,
      method: "initialize",
      params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } },
    };
    const opening = await alice.post(initialize, { "mcp-protocol-version": "2026-07-28" });
    assert.equal(opening.status, 400, "initialize under the stateless version");
    assert.equal(reached(), before, "nothing left");
    assert.equal(
      (await alice.post({ jsonrpc: "2.0", id: 2, method: "ping" }, { "mcp-session-id": handle })).status,
      200,
      "the session goes on",
    );
    await stillServes();
  });

  test("methods of the other era, and methods nobody has, are -32601 that say so", async () => {
    for (const method of ["initialize", "ping", "logging/setLevel", "resources/subscribe", "no/such"]) {
      const refused = await ask("alice", method, {});
      assert.deepEqual(
        [refused.status, refused.body.error?.code, said(refused)],
        [404, -32601, "NOT_SUPPORTED"],
        method,
      );
      assert.match(refused.body.error?.message ?? "", /2026-07-28/);
    }
  });

  test("a workflow is in the body; a header that names another is refused, and so is one the principal does not have", async () => {
    const before = reached();
    const differing = await ask(
      "alice",
      "tools/call",
      { ...SEND, _cmcp: { workflow_id: "claims" } },
      { headers: { "x-mcp-workflow-id": "default" } },
    );
    assert.deepEqual([differing.status, said(differing)], [400, "MCP_INVALID_REQUEST"]);
    const foreign = await ask("alice", "tools/call", { ...SEND, _cmcp: { workflow_id: "admin" } });
    assert.deepEqual([foreign.status, said(foreign)], [200, "WORKFLOW_NOT_ALLOWED"]);
    assert.equal(receiptOf(foreign.body).decision, "deny");
    assert.equal(reached(), before, "nothing left");
    assert.equal(
      (
        await ask(
          "alice",
          "tools/call",
          { ...SEND, _cmcp: { workflow_id: "claims" } },
          { headers: { "x-mcp-workflow-id": "claims" } },
        )
      ).body.error,
      undefined,
    );
  });

  test("a wrong token is 401 in this era too", async () => {
    const refused = await stateless(
      { mcp: deployment.gateway.mcp, token: `${deployment.tokenOf("alice")}x` },
      "tools/call",
      SEND,
    );
    assert.deepEqual([refused.status, said(refused)], [401, "UNAUTHENTICATED"]);
  });

  test("what a principal has seen is held against it in both eras, whichever it saw it in", async () => {
    const patient = { name: "get_patient_record", arguments: { patient_id: "P-1001" } };
    assert.equal(
      (await ask("alice", "tools/call", { ...patient, _cmcp: { session_id: "stateless" } })).body.error,
      undefined,
    );
    const before = reached();
    for (const context of [{}, { _cmcp: { session_id: "another" } }])
      assert.equal(said(await ask("alice", "tools/call", { ...SEND, ...context })), "SESSION_SENSITIVITY_POLICY_DENY");
    assert.equal(
      said(await alice.call("send_message", MESSAGE, { handle: await alice.open() })),
      "SESSION_SENSITIVITY_POLICY_DENY",
    );
    assert.equal((await bob.call("send_message", MESSAGE)).status, 200, "whoever saw nothing is unaffected");
    assert.equal((await bob.call("get_patient_record", patient.arguments, { handle: await bob.open() })).status, 200);
    assert.equal(said(await ask("bob", "tools/call", SEND)), "SESSION_SENSITIVITY_POLICY_DENY");
    assert.equal(reached(), before + 2, "no refused call left");
  });
});
