import type { HttpResponse } from "@cmcp/mcp";
import { Cursors } from "../http/cursor.ts";
import { Lists } from "../http/lists.ts";
import { createMcp } from "../http/mcp.ts";
import { createHandler, type Handler, type HandlerPorts } from "../http/router.ts";
import { routes, type RoutePorts } from "../http/routes.ts";
import { load } from "../http/status.ts";
import { operateKillSwitch } from "../http/kill-switch.ts";
import { changePolicyKeys } from "../http/policy-keys.ts";
import { resetSession } from "../http/session-reset.ts";
import { Exports } from "../record/exports.ts";
import type { SigningKey } from "../instance/signing-key.ts";
import type { ComposedParts, composeCall } from "./compose-call.ts";
import type { AcceptedLaunch, LaunchContents } from "./launch.ts";

/** What the HTTP handler is composed from. */
export interface HttpInputs extends ComposedParts {
  readonly phases: HandlerPorts["phases"];
  readonly key: SigningKey;
  readonly name: string;
  readonly buildDigest: string;
  readonly call: ReturnType<typeof composeCall>;
  readonly history: RoutePorts["status"]["history"];
  /** Aborts when the gateway stops, and ends the streams that agents listen on. */
  readonly stopping: AbortController;
}

/** Composes the handler of all HTTP requests. */
export function composeHttp(launch: AcceptedLaunch, contents: LaunchContents, served: HttpInputs): Handler {
  const { instance, access, record } = served;
  const { recorder, sessions, journal } = record;
  const { enclave } = launch.config;
  const policyHash = (): string => instance.activePolicy.current.bundle.hash;
  const policy = {
    get bundle() {
      return instance.activePolicy.current.bundle;
    },
  };
  const resets = { instance: served.name, operators: access.operators, journal, sessions, recorder, policy };
  // An operator hears of an act once a quorum has cosigned it: from then on no restart can lose it.
  const cosigned = async (acting: Promise<HttpResponse>): Promise<HttpResponse> => {
    const reply = await acting;
    await journal.cosigned();
    return reply;
  };
  return createHandler({
    phases: served.phases,
    quorumLost: () => record.witnesses?.lost ?? false,
    allowedOrigins: enclave.allowed_origins,
    identity: enclave.identity,
    principals: access.principals,
    freshness: instance.freshness,
    mcp: mcpOf(contents, served),
    reset: async (request, id) => await cosigned(resetSession(resets, request, id)),
    killSwitch: async (request, act) =>
      await cosigned(operateKillSwitch({ ...resets, stops: record.stops }, request, act)),
    policyKeys: async (request) =>
      await cosigned(changePolicyKeys({ ...resets, policyKeys: record.policyKeys }, request)),
    routes: routes({
      status: statusOf(launch, contents, served),
      attestation: {
        commitments: instance.commitments,
        policyHash,
        collectOnDemand: async (reportData, principal) => await instance.reports.collectOnDemand(reportData, principal),
      },
      sessions: {
        ...record,
        principals: access.principals,
        key: served.key,
        buildDigest: served.buildDigest,
        sessionEvidence: instance.sessionEvidence,
        exports: new Exports({
          own: { journal: record.journal },
          sign: (bytes) => served.key.sign(bytes),
          turns: access.turns,
        }),
        launchDocument: launch.bytes,
        launchDigest: launch.digest,
      },
    }),
  });
}

function mcpOf({ catalog }: LaunchContents, served: HttpInputs): HandlerPorts["mcp"] {
  const { access, record, servers, instance, tasks, call, stopping } = served;
  const { drift } = servers;
  return createMcp({
    catalog,
    sessions: record.sessions,
    closing: record.closing,
    lists: new Lists({
      catalog,
      decider: call.decider,
      policy: () => instance.activePolicy.current,
      workflows: (caller) => access.principals.listedWorkflows(caller),
      cursors: new Cursors(),
      drift,
      turns: access.turns,
    }),
    taskSupport: { catalog, drift },
    tasks,
    calls: call.calls,
    listeners: access.listeners,
    tokenBound: access.tokenBound,
    stopping: stopping.signal,
  });
}

function statusOf(launch: AcceptedLaunch, { catalog }: LaunchContents, served: HttpInputs): RoutePorts["status"] {
  const { instance, access, record, servers, tasks } = served;
  const { upstreams, subscriptions, buffered } = servers;
  return {
    phases: served.phases,
    instance: served.name,
    platform: launch.platform.launch.platform,
    freshness: instance.freshness,
    isolation: launch.isolation,
    history: served.history,
    development: launch.document.development,
    launchDigest: launch.digest,
    policy: () => instance.activePolicy.current,
    enforcementMode: launch.config.attestation.enforcement_mode,
    catalog,
    sessions: record.sessions,
    limits: launch.config.enclave,
    load: () =>
      load({ admission: access.admission, listeners: access.listeners, subscriptions, tasks, upstreams, buffered }),
  };
}
