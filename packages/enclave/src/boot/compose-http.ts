import { recipientOf } from "@cmcp/approval";
import type { HttpResponse } from "@cmcp/mcp";
import type { SigningPair } from "@cmcp/oauth";
import { approvals, type ApprovalEndpointPorts } from "../http/approvals.ts";
import { disclosures, type DisclosureEndpointPorts } from "../http/disclosures.ts";
import { createMcp } from "../http/mcp.ts";
import { createHandler, type Handler, type HandlerPorts } from "../http/router.ts";
import { routes, type RoutePorts } from "../http/routes.ts";
import { load } from "../http/status.ts";
import { operateKillSwitch } from "../http/kill-switch.ts";
import { changePolicyKeys } from "../http/policy-keys.ts";
import { takeRevocations, type ManifestEndpointPorts } from "../http/manifests.ts";
import { recordKeyErasure } from "../http/session-key-erasure.ts";
import { resetSession } from "../http/session-reset.ts";
import { takeStatement, type StatementPorts } from "../http/statements.ts";
import { Exports } from "../record/exports.ts";
import type { SigningKey } from "../instance/signing-key.ts";
import type { Rules } from "../call/rules.ts";
import type { ComposedParts, composeCall } from "./compose-call.ts";
import type { AcceptedLaunch } from "./launch.ts";
import type { Provisioning } from "./provisioning.ts";

/** What the HTTP handler is composed from. */
export interface HttpInputs extends ComposedParts {
  readonly phases: HandlerPorts["phases"];
  readonly key: SigningKey;
  readonly clientKey: SigningPair | null;
  readonly name: string;
  readonly buildDigest: string;
  readonly call: ReturnType<typeof composeCall>;
  readonly history: RoutePorts["status"]["history"];
  readonly provisioning: Provisioning;
  /** Aborts when the gateway stops, and ends the streams that agents listen on. */
  readonly stopping: AbortController;
}

/** Composes the handler of all HTTP requests. */
export function composeHttp(launch: AcceptedLaunch, served: HttpInputs): Handler {
  const { instance, access, record } = served;
  const { sealKeys } = instance;
  const { recorder, sessions, journal } = record;
  const { enclave } = launch.config;
  const { rules } = instance;
  const policyHash = (): string => rules.hashes.policy;
  const policy = {
    get bundle() {
      return rules.current.policy.bundle;
    },
  };
  const resets = { instance: served.name, operators: access.operators, journal, sessions, recorder, policy };
  // An operator hears of an act once a quorum has cosigned it: from then on no restart can lose it.
  const cosigned = async (acting: Promise<HttpResponse>): Promise<HttpResponse> => {
    const reply = await acting;
    await journal.cosigned();
    return reply;
  };
  const owners = disclosurePorts(launch, served, policyHash);
  return createHandler({
    phases: served.phases,
    quorumLost: () => record.witnesses?.lost ?? false,
    allowedOrigins: enclave.allowed_origins,
    identity: enclave.identity,
    consents: served.servers.consents,
    clientJwks: served.clientKey === null ? null : { keys: [{ ...served.clientKey.jwk }] },
    principals: access.principals,
    proofNonce: access.proofNonce,
    freshness: instance.freshness,
    presentReport: () => ({ ...instance.presentReport.current, seal: sealKeys.list }),
    channel: enclave.channel ?? "plain",
    seal: { keys: sealKeys, padding: enclave.pad_sealed_answers ?? true },
    mcp: mcpOf(served),
    reset: async (request, id) => await cosigned(resetSession(resets, request, id)),
    eraseKey: async (request, id) => await cosigned(recordKeyErasure(resets, request, id)),
    killSwitch: async (request, act) =>
      await cosigned(operateKillSwitch({ ...resets, stops: record.stops }, request, act)),
    policyKeys: async (request) =>
      await cosigned(changePolicyKeys({ ...resets, policyKeys: record.policyKeys }, request)),
    approvals: async (request, ingress) => await approvals(approvalPorts(launch, served), request, ingress),
    disclosures: async (request, ingress) => await disclosures(owners, request, ingress),
    statement: async (request) => await takeStatement(statementPorts(served), request),
    revocations: async (request) => await takeRevocations(manifestPorts(served), request),
    routes: routes({
      status: statusOf(launch, served),
      attestation: {
        commitments: instance.commitments,
        hashes: () => rules.hashes,
        collectOnDemand: async (reportData, principal) => await instance.reports.collectOnDemand(reportData, principal),
      },
      calls: { keyed: record.keyed, turns: access.turns },
      manifests: manifestPorts(served),
      sessions: sessionPorts(launch, served),
    }),
  });
}

function approvalPorts(
  { document }: AcceptedLaunch,
  { access, pending, instance: { rules }, record: { recorder, journal } }: HttpInputs,
): ApprovalEndpointPorts {
  const plainAllowed = document.development;
  return { approvers: access.approvers, pending, recorder, journal, hashes: () => rules.hashes, plainAllowed };
}

function disclosurePorts(
  launch: AcceptedLaunch,
  { access, disclosures: known, instance, name, record: { recorder, sessions, journal } }: HttpInputs,
  policyHash: () => string,
): DisclosureEndpointPorts {
  return {
    approvers: access.approvers,
    disclosures: known,
    recorder,
    sessions,
    journal,
    instance: name,
    policyHash,
    isRecipient: (recipient) => {
      const { tools } = instance.rules.current.catalog;
      return [...tools].some(([tool, { server }]) => recipientOf(server.identity, tool) === recipient);
    },
    now: () => instance.clock.now().getTime(),
    plainAllowed: launch.document.development,
  };
}

function sessionPorts(launch: AcceptedLaunch, served: HttpInputs): RoutePorts["sessions"] {
  const { instance, access, record } = served;
  return {
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
  };
}

function manifestPorts({ access, record }: HttpInputs): ManifestEndpointPorts {
  return { manifests: record.manifests, sessions: record.sessions, closing: record.closing, turns: access.turns };
}

function statementPorts({ name, key, access, instance, provisioning }: HttpInputs): StatementPorts {
  return {
    instance: name,
    key,
    provisioners: access.provisioners,
    sealKeys: instance.sealKeys,
    turns: access.turns,
    take: async (message, facts, assertFor) => await provisioning.takeStatement(message, facts, assertFor),
  };
}

function mcpOf(served: HttpInputs): HandlerPorts["mcp"] {
  const { access, record, servers, instance, tasks, call, stopping } = served;
  const { drift } = servers;
  const rules = (): Rules => instance.rules.current;
  return createMcp({
    rules,
    sessions: record.sessions,
    closing: record.closing,
    lists: call.lists,
    taskSupport: () => ({ catalog: rules().catalog, drift: drift.of(rules().catalog) }),
    tasks,
    calls: call.calls,
    listeners: access.listeners,
    tokenBound: access.tokenBound,
    stopping: stopping.signal,
  });
}

function statusOf(launch: AcceptedLaunch, served: HttpInputs): RoutePorts["status"] {
  const { instance, access, record, servers, tasks, notices } = served;
  const { upstreams, subscriptions, buffered } = servers;
  return {
    phases: served.phases,
    instance: served.name,
    platform: launch.platform.launch.platform,
    freshness: instance.freshness,
    isolation: launch.isolation,
    history: served.history,
    provision: () => record.provisions.inForce,
    issuerKeys: () => access.issuerKeys.states,
    serverFaults: () => servers.faults.current,
    revocations: () => record.manifests?.revocations,
    notices: () => notices?.state ?? null,
    log: () => ({ origin: launch.config.log.origin, size: record.journal.head?.size ?? 0 }),
    development: launch.document.development,
    launchDigest: launch.digest,
    rules: () => instance.rules.current,
    catalogVersion: () => instance.rules.catalogVersion,
    enforcementMode: launch.config.attestation.enforcement_mode,
    sessions: record.sessions,
    limits: launch.config.enclave,
    load: () =>
      load({ admission: access.admission, listeners: access.listeners, subscriptions, tasks, upstreams, buffered }),
  };
}
