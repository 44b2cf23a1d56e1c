import type { CatalogServer } from "@cmcp/catalog";
import { always, maybe, text, texts, truth, whole, type Fact, type FactTable } from "./fact.ts";
import { LONG } from "./fact-type.ts";
import { resourceOf, type GovernedFacts } from "./facts.ts";
import { FLOW_ATTRIBUTES, FLOW_FACTS } from "./flow-facts.ts";
import { FINDING_FACTS } from "./finding-facts.ts";
import { TARGET_FACTS } from "./target-facts.ts";

/** How a server is known: `process` for one that is started beside the enclave, `none` where nothing proves who answers. */
function trustOf(server: CatalogServer): string {
  if (server.transport === "gateway") return "gateway";
  return server.transport === "stdio" ? "process" : (server.trust?.kind ?? "none");
}

/** Who signed what the server is; a server that lists other tools is not called. */
function provenanceOf(server: CatalogServer): string {
  return server.settings?.provenance?.kind ?? "none";
}

/** What the gateway shows the server. A consent that no login confirms may be anybody's. */
function grantOf(facts: GovernedFacts): string {
  const { server } = resourceOf(facts);
  const { credential = null, authorization = null } = server.settings ?? {};
  const hasSecrets = server.transport === "stdio" && server.spawn.secrets !== undefined;
  if (authorization === null) return credential === null && !hasSecrets ? "none" : "credential";
  const { grant, login } = authorization;
  const isConfirmed = login !== null && login.issuer.issuer === facts.principal.identityIssuer;
  return grant === "consent" && !isConfirmed ? "unconfirmed_consent" : grant;
}

/** Attributes of the principal entity. */
export const PRINCIPAL_FACTS: FactTable = new Map<string, Fact>([
  ["session_id", text("the session", (facts) => facts.sessionId)],
  ["workflow_id", text("the workflow", (facts) => facts.workflowId)],
  ["identity_source", text("`bearer`, `jwt` or `tokenless`", (facts) => facts.principal.identitySource)],
  ["identity_issuer", maybe("issuer of the JWT", (facts) => facts.principal.identityIssuer)],
  ["user_identity", maybe("subject of the JWT", (facts) => facts.principal.userIdentity)],
  [
    "identity_claims",
    texts(
      "claims of the JWT that the configuration projects, each as `name=value`",
      (facts) => facts.principal.identityClaims ?? [],
    ),
  ],
  [
    "host_asserted_identity",
    maybe("the peer's SPIFFE ID, by the host's word alone", (facts) => facts.principal.hostAssertedIdentity),
  ],
]);

/** What the catalog says of anything approved. */
const APPROVED: readonly (readonly [string, Fact])[] = [
  ["server_name", text("the server's name in the catalog", (facts) => resourceOf(facts).server.name)],
  [
    "server_identity",
    text(
      "the server's URL as the catalog has it, or `stdio:` and its name",
      (facts) => resourceOf(facts).server.identity,
    ),
  ],
  ["compliance_domain", text("the domain of its data", (facts) => resourceOf(facts).complianceDomain)],
  ["baa_covered", truth("whether no agreement is missing", (facts) => resourceOf(facts).baaCovered)],
  ["requires_baa", truth("whether its data needs an agreement", (facts) => resourceOf(facts).requiresBaa)],
  [
    "destination_class",
    text("`external`, and `gateway` for the gateway's own tool", (facts) => resourceOf(facts).destinationClass),
  ],
  ["sensitivity_level", text("the label that its entry gives it", (facts) => resourceOf(facts).sensitivityLevel)],
  [
    "compartments",
    texts("every compartment of its data: the entry's label and the domain's floor", (facts) => facts.dataCompartments),
  ],
  [
    "server_integrity",
    text("`trusted` where the operator vouches for its text", (facts) => resourceOf(facts).server.integrity),
  ],
  [
    "server_trust",
    text(
      "how the server is known: `pinned`, `webpki`, `private-ca`, `spiffe`, `process` (stdio), `gateway` (its own tool) or `none`",
      (facts) => trustOf(resourceOf(facts).server),
    ),
  ],
  [
    "server_provenance",
    text(
      "who signed a record of what the server is: `publisher-asserted`, `observer-attested`, or `none` where nobody did",
      (facts) => provenanceOf(resourceOf(facts).server),
    ),
  ],
];

/** Attributes of a tool's entity, as the catalog has it. */
export const TOOL_FACTS: FactTable = new Map<string, Fact>([
  ["tool_name", text("the name that agents call", (facts) => ("tool" in facts ? facts.tool.toolName : undefined))],
  [
    "consequential",
    truth("whether a call needs a trusted session", (facts) =>
      "tool" in facts ? facts.tool.consequential : undefined,
    ),
  ],
  [
    "tool_category",
    {
      ...text("no catalog entry has one", (facts) => ("tool" in facts ? facts.tool.toolCategory : undefined)),
      sourced: false,
    },
  ],
  ...APPROVED,
]);

/** Attributes of a resource's or template's entity. */
export const RESOURCE_FACTS: FactTable = new Map<string, Fact>([
  ["uri", text("the URI that is asked for", (facts) => ("resource" in facts ? facts.resource.uri : undefined))],
  [
    "uri_template",
    maybe("the template it fits", (facts) =>
      "resource" in facts ? facts.resource.resource.template?.text : undefined,
    ),
  ],
  [
    "mime_type",
    maybe("the entry's media type", (facts) =>
      "resource" in facts ? (facts.resource.resource.mimeType ?? undefined) : undefined,
    ),
  ],
  ...APPROVED,
]);

/** Attributes of a prompt's entity. */
export const PROMPT_FACTS: FactTable = new Map<string, Fact>([
  [
    "prompt_name",
    text("the name that agents ask for", (facts) => ("prompt" in facts ? facts.prompt.promptName : undefined)),
  ],
  ...APPROVED,
]);

/** Attributes of the context, `arguments` apart. `sensitivity_level` is the rank older bundles read there. */
export const CONTEXT_FACTS: FactTable = new Map<string, Fact>([
  ["session_id", text("the session", (facts) => facts.sessionId)],
  ["session_sensitivity", text("the one label of what the principal has seen", (facts) => facts.sessionSensitivity)],
  [
    "session_max_sensitivity",
    text("the highest that label has been in this session", (facts) => facts.sessionMaxSensitivity),
  ],
  ["sensitivity_level_int", whole("the rank of `session_max_sensitivity`", (facts) => facts.sensitivityLevelInt)],
  ["sensitivity_level", whole("the same", (facts) => facts.sensitivityLevelInt)],
  ["compartments", texts("every compartment that the session has seen data of", (facts) => facts.sessionCompartments)],
  [
    "integrity",
    text("`untrusted` once the session has seen text of a server without trust", (facts) => facts.sessionIntegrity),
  ],
  ["workflow_id", text("the workflow", (facts) => facts.workflowId)],
  ["workflow_allowed_tools", texts("the tools of the workflow", (facts) => facts.workflowAllowedTools)],
  ["enforcement_mode", text("`enforcing`, `advisory` or `silent`", (facts) => facts.enforcementMode)],
  ["catalog_hash", text("hash of the catalog in force", (facts) => facts.catalogHash)],
  ["attestation_platform", text("what the enclave runs on", (facts) => facts.attestationPlatform)],
  ["channel", text("how the agent reaches the enclave", (facts) => facts.channel)],
  ["isolation", text("what keeps the enclave from the network", (facts) => facts.isolation)],
  ["session_isolation", text("what tells sessions apart", (facts) => facts.sessionIsolation)],
  [
    "history",
    always(
      { kind: "Record", members: new Map(), others: LONG },
      "what the bundle's manifest declares, by name",
      (facts) => facts.history,
    ),
  ],
  ["history_complete", truth("whether each count of `history` is exact", (facts) => facts.historyComplete)],
  [
    "server_grant",
    text(
      "what the gateway shows the server: `none`, a provisioned `credential`, or a token by `client_credentials`, " +
        "`token_exchange`, `identity_assertion`, `consent`, or `unconfirmed_consent` where no login shows that the caller consented",
      grantOf,
    ),
  ],
  ["server_identity", text("as of the resource", (facts) => resourceOf(facts).server.identity)],
  ["compliance_domain", text("as of the resource", (facts) => resourceOf(facts).complianceDomain)],
  ["baa_covered", truth("as of the resource", (facts) => resourceOf(facts).baaCovered)],
  ["requires_baa", truth("as of the resource", (facts) => resourceOf(facts).requiresBaa)],
  ["destination_class", text("as of the resource", (facts) => resourceOf(facts).destinationClass)],
  [
    "argument_name",
    {
      ...text("the argument that is being completed", (facts) =>
        "completion" in facts ? facts.completion?.argumentName : undefined,
      ),
      on: ["complete"],
    },
  ],
  ...TARGET_FACTS,
  ...FINDING_FACTS,
  [
    "request_method",
    { ...text("the method of the server's question", (facts) => facts.requestMethod), on: ["ask_client"] },
  ],
  [
    "egress_host",
    { ...text("the host that the server would reach", (facts) => facts.egress?.host), on: ["server_egress"] },
  ],
  [
    "egress_port",
    { ...whole("the port that it would reach there", (facts) => facts.egress?.port), on: ["server_egress"] },
  ],
  ...FLOW_FACTS,
]);

/** Context attributes that a session's past decides; a forbid that reads one denies because of that past. */
export const SENSITIVITY_ATTRIBUTES: ReadonlySet<string> = new Set([
  "session_sensitivity",
  "session_max_sensitivity",
  "sensitivity_level_int",
  "sensitivity_level",
  "compartments",
  "integrity",
  ...FLOW_ATTRIBUTES,
]);
