import assert from "node:assert/strict";
import { CmcpError } from "@cmcp/boundary";
import { parseConfig } from "@cmcp/launch";
import { PhaseMachine } from "../boot/phases.ts";
import { Caller } from "../access/caller.ts";
import { Operators } from "../access/operators.ts";
import type { ExportPorts } from "../http/audit-export.ts";
import { json } from "../http/json-response.ts";
import { createHandler, type Handler } from "../http/router.ts";
import { routes, type Route } from "../http/routes.ts";
import type { ClaimEndpointPorts } from "../http/claims.ts";
import { operateKillSwitch } from "../http/kill-switch.ts";
import { resetSession, type ResetPorts } from "../http/session-reset.ts";
import { Turns } from "../access/turns.ts";
import { Exports } from "../record/exports.ts";
import { SigningKey } from "../instance/signing-key.ts";
import { SessionLookup } from "../record/session-lookup.ts";
import { StoredSessions } from "../record/stored-sessions.ts";

/** What a test chooses of a gateway without sessions. */
interface Choices {
  readonly configuration?: string;
  /** Whether it has begun to stop, and takes no more requests. */
  readonly draining?: boolean;
  /** Whether every caller is one it knows. */
  readonly known?: boolean;
  /** Whether no quorum of witnesses answered last. */
  readonly quorumLost?: boolean;
}

/** What answers of sessions there are none of. */
function sessionParts(): ClaimEndpointPorts & ExportPorts {
  const none = (): undefined => undefined;
  const nothing = (): never => assert.fail("there is no session");
  const journal = { scan: () => assert.fail("the host was asked") };
  const key = new SigningKey();
  const nobody = (): number => assert.fail("nothing is proven");
  const asked = { ...journal, readPath: nothing, signedHead: nothing };
  const stored = new StoredSessions({ journal: asked, instance: "", jwk: key.jwk, believedFrom: nobody });
  const sessions = { byId: none, byHandle: none, findByLabel: none, closedById: none, isFaulted: () => false };
  return {
    lookup: new SessionLookup({ sessions, stored, x: key.jwk.x }),
    recorder: { ensureStarted: nothing },
    exports: new Exports({ own: { journal }, sign: nothing, turns: new Turns() }),
    claims: { storedPoint: nothing, claimOpen: nothing },
    closing: { close: nothing },
    key,
    buildDigest: "",
  };
}

/** What a reset works on where there is no session. */
function resetParts(): ResetPorts {
  const nothing = (): never => assert.fail("there is no session");
  return {
    instance: "",
    operators: new Operators([]),
    journal: { assertWritable: () => undefined },
    sessions: { forOperator: () => undefined, labelBeside: nothing, reset: nothing },
    recorder: { note: nothing },
    policy: { bundle: { hash: "" } },
  };
}

/** Every endpoint beside `/mcp`; the status, reports and evidence are not asked for. */
function routesOf(sessions: ReturnType<typeof sessionParts>, phases: PhaseMachine): readonly Route[] {
  const nothing = (): never => assert.fail("nobody asks for this");
  const key = new SigningKey();
  const launch = { launchDocument: new Uint8Array(), launchDigest: "" };
  const config = { attestation: { enforcement_mode: "enforcing" } } as const;
  return routes({
    status: {
      phases,
      instance: "",
      platform: "software-only",
      isolation: "none",
      development: true,
      launchDigest: "",
      freshness: { ageMs: 0, isStale: false },
      history: { state: "complete" },
      policy: nothing,
      enforcementMode: "enforcing",
      catalog: { hash: "", tools: new Map(), warnings: [] },
      sessions: { openCount: 0, evictedCount: 0 },
      limits: { max_sessions: 0, max_sessions_per_principal: 0 },
      load: nothing,
    },
    attestation: {
      commitments: { identity: null, key, catalog: { hash: "" }, config, launchDigest: "" },
      policyHash: nothing,
      collectOnDemand: nothing,
    },
    sessions: {
      ...sessions,
      ...launch,
      principals: { mayReadLaunch: () => false },
      sessionEvidence: { of: nothing },
      journal: { scan: nothing },
    },
  });
}

/** A gateway without any session, whose host fails the test when it is asked about one. */
export function emptyGateway({
  configuration = "",
  draining = false,
  known = true,
  quorumLost = false,
}: Choices = {}): Handler {
  const { config } = parseConfig(configuration, { env: { CMCP_DEV_MODE: "1" } });
  const unknown = new CmcpError("UNAUTHENTICATED", "no token", { detail: { reason: "missing" } });
  const caller = new Caller({ principalId: "alice", source: "bearer" }, null);
  const phases = new PhaseMachine();
  for (const step of ["ready", "launch", "provision"] as const) phases.step(step);
  if (draining) phases.step("drain");
  return createHandler({
    phases,
    quorumLost: () => quorumLost,
    allowedOrigins: config.enclave.allowed_origins,
    identity: config.enclave.identity,
    principals: { authenticate: () => (known ? Promise.resolve(caller) : Promise.reject(unknown)) },
    freshness: { requireFresh: () => undefined },
    mcp: async () => json({}),
    reset: async (request, id) => await resetSession(resetParts(), request, id),
    policyKeys: () => assert.fail("there is no operator"),
    killSwitch: async (request, act) =>
      await operateKillSwitch(
        {
          ...resetParts(),
          stops: {
            assertApplicable: () => assert.fail("there is no operator"),
            trip: () => assert.fail("there is no operator"),
            unblock: () => assert.fail("there is no operator"),
          },
        },
        request,
        act,
      ),
    routes: routesOf(sessionParts(), phases),
  });
}
