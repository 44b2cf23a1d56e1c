import assert from "node:assert/strict";
import type { ApprovalRequest } from "@cmcp/approval";
import { isJsonObject, type JsonObject } from "@cmcp/boundary";
import type { AgentRequest, Peer, RpcBody } from "@cmcp/mcp";
import type { ApprovalTerms, GovernedFacts, Verdict } from "@cmcp/policy";
import { newApprover } from "../../../approval/src/testing/statements.ts";
import { approvals as endpoint } from "../http/approvals.ts";
import { approvalsOf, LAUNCH_DIGEST, requestUnder } from "./approvals.ts";
import { callCatalog } from "./call-catalog.ts";
import { policyStub } from "./calls.ts";
import { start, type Scene } from "./pipeline-scene.ts";

/** Approvers with keys. */
export const [alice, bob, carol] = [newApprover("alice"), newApprover("bob"), newApprover("carol")];
/** One approval of anybody. */
export const TERMS: ApprovalTerms = { needed: 1, approvers: null, reason: "mail leaves" };

/** A gateway whose policy asks for approvals, with approvers who answer through the endpoint. */
export async function scene({
  terms = TERMS,
  decide,
  url = null,
  mode = "enforcing",
  decidesDelivery = false,
  answer: serverAnswer,
  permits = () => ({}),
}: {
  readonly terms?: ApprovalTerms;
  readonly decide?: (facts?: GovernedFacts) => Partial<Verdict>;
  readonly decidesDelivery?: boolean;
  readonly answer?: Scene["answer"];
  readonly permits?: () => Partial<Verdict>;
  readonly url?: string | null;
  readonly mode?: "enforcing" | "advisory";
} = {}) {
  const known = approvalsOf([alice.approver, bob.approver, carol.approver], { url });
  let rule = "ask";
  let permitted: Partial<Verdict> = {};
  const policy = policyStub(decide ?? (() => ({ decision: "step_up", rule, approval: terms })), {
    decidePermits: () => ({ ...PERMITTED, ...permitted, ...permits() }),
    decidesDelivery,
  });
  let current = policy;
  let catalog = callCatalog();
  let stopped = false;
  const started = await start({
    policy,
    policyNow: () => current,
    catalogNow: () => catalog,
    approvals: known.ports,
    mode,
    limits: { holdOf: () => (stopped ? { kind: "blocked", trigger: "operator" } : null) },
    ...(serverAnswer === undefined ? {} : { answer: serverAnswer }),
  });
  let cosigned: Promise<undefined> = Promise.resolve(undefined);
  let policyHash = policy.bundle.hash;
  const asked = async (
    path: string,
    init: { token?: string; body?: Uint8Array } = {},
    channel: "plain" | "sealed" = "sealed",
  ) => {
    const { token = "", body } = init;
    const answered = await endpoint(
      {
        approvers: known.approvers,
        pending: known.pending,
        recorder: started.room.recorder,
        journal: { assertWritable: () => undefined, cosigned: async () => await cosigned },
        hashes: () => ({ policy: policyHash, catalog: catalog.hash }),
        plainAllowed: false,
      },
      {
        method: body === undefined ? "GET" : "POST",
        url: `http://enclave.invalid${path}`,
        headers: { get: () => (token === "" ? null : `Bearer ${token}`) },
        body:
          body === undefined
            ? null
            : (async function* () {
                yield await Promise.resolve(body);
              })(),
        whole: () => null,
        signal: new AbortController().signal,
      },
      { channel, authenticated: () => undefined },
    );
    assert.ok(typeof answered.body === "string");
    return JSON.parse(answered.body) as Record<string, unknown>;
  };
  let random = 0;
  const tokenOf = async (
    who: typeof alice,
    changes: Partial<{ instance: string; launch_digest: string; issued_at: number; random: string }> = {},
  ) => {
    random += 1;
    const said = {
      instance: known.instance,
      launch_digest: LAUNCH_DIGEST,
      issued_at: Math.floor(known.clock.now / 1000),
      random: Buffer.from(String(random).padStart(16, "0")).toString("base64url"),
      ...changes,
    };
    return String((await asked("/approvals/access", { body: who.access(said) }))["token"]);
  };
  const answer = async (
    who: typeof alice,
    request: ApprovalRequest,
    changes: Parameters<typeof alice.answer>[1] = {},
  ): Promise<Record<string, unknown>> =>
    await asked(`/approvals/${request.approval_id}/answer`, {
      token: await tokenOf(who),
      body: who.answer(request, changes),
    });
  const requested = async (rest: Partial<AgentRequest> = {}, peer?: Peer): Promise<ApprovalRequest> => {
    const { approval_id: id } = approvalOf(await started.run(rest, peer));
    assert.ok(typeof id === "string");
    return requestUnder(known.pending, id);
  };
  return {
    ...known,
    ...started,
    asked,
    tokenOf,
    answer,
    requested,
    setRule: (name: string) => void (rule = name),
    setPermitted: (verdict: Partial<Verdict>) => void (permitted = verdict),
    setPolicy: (hash: string) => void (policyHash = hash),
    changeCatalog: () => void (catalog = { ...catalog, hash: `sha256:${"9".repeat(64)}` }),
    stop: (now: boolean) => void (stopped = now),
    reload: () => void (current = { ...policy, bundle: { ...policy.bundle, hash: `sha256:${"9".repeat(64)}` } }),
    holdAnswers: (until: Promise<undefined>) => void (cosigned = until),
  };
}

const PERMITTED: Verdict = {
  decision: "allow",
  rule: "p",
  cause: "policy",
  reason: null,
  redactFields: [],
  keepFields: [],
};

function dataOf(body: RpcBody): JsonObject {
  assert.ok("error" in body, JSON.stringify(body));
  return body.error.data ?? {};
}
/** What a refusal says of the approval that its call waits for. */
export function approvalOf(body: RpcBody): JsonObject {
  const { approval } = dataOf(body);
  return isJsonObject(approval) ? approval : {};
}
export const refusedWith = (code: string) => ({ code });
export const delivered = (body: RpcBody): boolean => "result" in body;
