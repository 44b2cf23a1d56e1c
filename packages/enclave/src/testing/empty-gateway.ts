import assert from "node:assert/strict";
import { CmcpError } from "@cmcp/boundary";
import { parseConfig } from "@cmcp/launch";
import { PhaseMachine } from "../boot/phases.ts";
import { Caller } from "../access/caller.ts";
import { Operators } from "../access/operators.ts";
import type { ExportPorts } from "../http/audit-export.ts";
import { json } from "../http/json-response.ts";
import { createHandler, type Handler } from "../http/router.ts";
import { takeRevocations } from "../http/manifests.ts";
import { routes, type Route } from "../http/routes.ts";
import type { ClaimEndpointPorts } from "../http/claims.ts";
import { operateKillSwitch } from "../http/kill-switch.ts";
import { resetSession, type ResetPorts } from "../http/session-reset.ts";
import { Turns } from "@cmcp/wire";
import { Exports } from "../record/exports.ts";
import type { InstanceReport } from "../instance/report.ts";
import { SigningKey } from "../instance/signing-key.ts";
import { SealKeys } from "../instance/seal-keys.ts";
import { SessionLookup } from "../record/session-lookup.ts";
import { StoredSessions } from "../record/stored-sessions.ts";

/** What a test chooses of a gateway without sessions. */
interface Choices {
  readonly configuration?: string;
  /** Whether it has begun to stop, and takes no more requests. */
  readonly draining?: boolean;
  /** Whether it has tokens. */
  readonly provisioned?: boolean;
  /** Whether every caller is one it knows. */
  readonly known?: boolean;
  /** Whether no quorum of witnesses answered last. */
  readonly quorumLost?: boolean;
  /** Whether requests with a token must be sealed. */
  readonly sealed?: boolean;
  /** Whether the report is too old, and the configuration says `fail_closed`. */
  readonly stale?: boolean;
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
    sessions: { forOperator: () => undefined, labelBeside: nothing, reset: nothing, rename: nothing },
    recorder: { note: nothing, writeKey: nothing },
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
      issuerKeys: () => [],
      serverFaults: () => [],
      history: { state: "complete" },
      provision: () => null,
      notices: () => null,
      revocations: () => undefined,
      log: () => ({ origin: "", size: 0 }),
      rules: nothing,
      catalogVersion: nothing,
      enforcementMode: "enforcing",
      sessions: { openCount: 0, evictedCount: 0 },
      limits: { max_sessions: 0, max_sessions_per_principal: 0, drift_check_seconds: 0 },
      load: nothing,
    },
    attestation: {
      commitments: {
        identity: null,
        key,
        clientCertificate: null,
        clientKey: null,
        sealKeys: { name: "" },
        config,
        launchDigest: "",
      },
      hashes: nothing,
      collectOnDemand: nothing,
    },
    calls: {
      keyed: { standingOf: () => ({ kind: "unseen", mayStillRun: false }), ended: nothing },
      turns: new Turns(),
    },
    manifests: {
      manifests: null,
      sessions: { openSessionsOf: nothing },
      closing: { close: nothing },
      turns: new Turns(),
    },
    sessions: {
      ...sessions,
      ...launch,
      principals: { mayReadLaunch: () => false },
      sessionEvidence: { of: nothing },
      journal: { scan: nothing },
      stored: { claimPlace: nothing },
    },
  });
}

/** The newest report of such a gateway. */
export const REPORT: InstanceReport = {
  binding: {
    purpose: "instance-attestation",
    nonce: "nobodys",
    keys: { signing: "A".repeat(43) },
    policy_hash: "",
    catalog_hash: "",
    enforcement_mode: "enforcing",
    launch_digest: "",
  },
  evidence: { platform: "software-only", measurement: "", firmware: "", report_data: "", generated_at: "" },
};

/** A gateway without any session, whose host fails the test when it is asked about one. */
export function emptyGateway({
  configuration = "",
  draining = false,
  provisioned = true,
  known = true,
  quorumLost = false,
  sealed = false,
  stale = false,
}: Choices = {}): Handler {
  const { config } = parseConfig(configuration, { env: { CMCP_DEV_MODE: "1" } });
  const unknown = new CmcpError("UNAUTHENTICATED", "no token", { detail: { reason: "missing" } });
  const caller = new Caller({ principalId: "alice", source: "bearer" }, null);
  const seal = { keys: new SealKeys({ sign: () => new Uint8Array(64) }), padding: true };
  const phases = new PhaseMachine();
  for (const step of ["ready", "launch"] as const) phases.step(step);
  if (provisioned) phases.step("provision");
  if (draining) phases.step("drain");
  return createHandler({
    phases,
    quorumLost: () => quorumLost,
    clientJwks: null,
    consents: { complete: async () => null },
    allowedOrigins: config.enclave.allowed_origins,
    identity: config.enclave.identity,
    principals: {
      authenticate: () => (known ? Promise.resolve(caller) : Promise.reject(unknown)),
      atEndpoint: (who, workflow) => who.at(workflow),
    },
    proofNonce: () => assert.fail("nobody proves a key"),
    freshness: {
      requireFresh: () => {
        if (stale) throw new CmcpError("ATTESTATION_STALE", "too old");
      },
    },
    presentReport: () => ({ ...REPORT, seal: seal.keys.list }),
    channel: sealed ? "sealed" : "plain",
    seal,
    mcp: async () => json({}),
    reset: async (request, id) => await resetSession(resetParts(), request, id),
    eraseKey: () => assert.fail("there is no operator"),
    policyKeys: () => assert.fail("there is no operator"),
    revocations: async (request) => await takeRevocations({ manifests: null, turns: new Turns() }, request),
    statement: () => assert.fail("nobody provisions"),
    disclosures: () => assert.fail("nobody permits"),
    approvals: () => assert.fail("nobody approves"),
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
