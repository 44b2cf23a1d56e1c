import assert from "node:assert/strict";
import { CmcpError } from "@cmcp/boundary";
import { parseConfig } from "@cmcp/launch";
import { PhaseMachine } from "../boot/phases.ts";
import { Caller } from "../access/caller.ts";
import type { Core } from "../boot/core.ts";
import { EarlierSessions } from "../record/earlier-session.ts";
import { createHandler, type Handler } from "../http/router.ts";

/** What a test chooses of a gateway without sessions. */
interface Choices {
  readonly configuration?: string;
  /** Whether it has begun to stop, and takes no more requests. */
  readonly draining?: boolean;
  /** Whether every caller is one it knows. */
  readonly known?: boolean;
}

/** A gateway without any session, whose host fails the test when it is asked about one. */
export function emptyGateway({ configuration = "", draining = false, known = true }: Choices = {}): Handler {
  const { config } = parseConfig(configuration, { env: { CMCP_DEV_MODE: "1" } });
  const none = (): undefined => undefined;
  const unknown = new CmcpError("UNAUTHENTICATED", "no token", { detail: { reason: "missing" } });
  const journal = { scan: () => assert.fail("the host was asked") };
  const ownRecord = { journal, instance: "", jwk: { kty: "OKP", crv: "Ed25519", x: "" } } as const;
  const core = {
    config,
    callerIdentity: config.enclave.identity,
    catalog: { resources: new Map(), prompts: new Map() },
    stopping: new AbortController(),
    principals: {
      authenticate: () =>
        known ? Promise.resolve(new Caller({ principalId: "alice", source: "bearer" }, null)) : Promise.reject(unknown),
    },
    sessions: { byId: none, byHandle: none, byExistingLabel: none, closedById: none, isFaulted: () => false },
    journal,
    ownRecord,
    earlierSessions: new EarlierSessions(ownRecord),
  } as unknown as Core;
  const phases = new PhaseMachine();
  for (const step of ["ready", "launch", "provision"] as const) phases.step(step);
  if (draining) phases.step("drain");
  return createHandler(core, phases);
}
