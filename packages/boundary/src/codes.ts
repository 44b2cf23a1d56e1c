/** What an agent whose call was refused can do: try it again as it is, have a person approve it, change it, or leave it. */
export type Advice = "retry" | "wait-for-approval" | "change-arguments" | "give-up";

/** What a reader of an error can do about it, and the HTTP status the code travels with. */
export interface CodeFacts {
  /** HTTP status; `null` for codes that only appear at start-up or in the verifier. */
  readonly http: number | null;
  /** One imperative sentence: what the reader should do now. */
  readonly action: string;
  /** What an agent is told that called a tool; `give-up` unless said, as most codes are for others to act on. */
  readonly advice: Advice;
}

const fact = (http: number | null, action: string, advice: Advice = "give-up"): CodeFacts => ({ http, action, advice });

/** Every error code of the project, stable across versions. */
export const ERROR_CODES = {
  // Image
  IMAGE_INPUT_INVALID: fact(null, "restore the input as the lock file pins it"),
  IMAGE_INPUT_UNAVAILABLE: fact(
    null,
    "check the network; if the archive dropped the version, refresh the lock file with make image-lock",
  ),
  IMAGE_INPUT_MISMATCH: fact(
    null,
    "do not build from it: fetch it from another source, or refresh the lock file with make image-lock and " +
      "review the change",
  ),
  IMAGE_BUILD_FAILED: fact(null, "correct what the message names and build again"),
  IMAGE_NOT_REPRODUCIBLE: fact(null, "do not publish the image: find what made the two builds differ"),
  IMAGE_MANIFEST_INVALID: fact(null, "do not use the image: these are not the files that were published"),
  IMAGE_SIGNATURE_INVALID: fact(null, "do not use the image: ask its publisher for the key and the signature"),
  // Attestation
  ATTESTATION_REPORT_UNAVAILABLE: fact(503, "retry; if it persists, check the attestation device on the host", "retry"),
  ATTESTATION_PROVIDER_UNSUPPORTED: fact(null, "set attestation.provider to one this build supports"),
  ATTESTATION_STALE: fact(412, "refresh the attestation report, then retry"),
  // Launch
  LAUNCH_DOCUMENT_INVALID: fact(null, "correct the launch document as the message says and start again"),
  LAUNCH_DIGEST_MISMATCH: fact(null, "launch with the document whose digest the hardware was given"),
  CONFIG_INVALID: fact(400, "correct the configuration as the message says"),
  CONFIG_NOT_SUPPORTED: fact(null, "remove the key; this version does not implement it"),
  LISTEN_ADDRESS_REFUSED: fact(null, "set CMCP_BEARER_TOKEN, or listen on a loopback address"),
  LISTEN_ADDRESS_UNAVAILABLE: fact(null, "free the address, or listen on another"),
  LAUNCH_PROGRAM_MISSING: fact(null, "install what the message names"),
  LAUNCH_HARDWARE_MISSING: fact(
    null,
    "start on a host that has what the message names, or set attestation.provider and qemu.accelerator to what " +
      "this one has",
  ),
  LAUNCH_VSOCK_IN_USE: fact(null, "stop the other gateway, or give this one a guest of its own"),
  LAUNCH_MACHINE_INVALID: fact(null, "correct the machine's description as the message says"),
  ISOLATION_UNAVAILABLE: fact(null, "allow user namespaces on this host, or start with CMCP_DEV_MODE=1"),
  PROVISION_NOT_SIGNED: fact(
    null,
    "provision with cmcp provision: this enclave takes tokens and credentials in signed and sealed statements only",
  ),
  PRINCIPAL_NOT_MEASURED: fact(
    409,
    "list the principal and its workflows in enclave.principals and start again, or remove its tokens",
  ),
  TOKEN_REBOUND: fact(409, "give the principal a token of its own: a token names one principal for the life of a log"),
  PROVISION_LIMIT_REACHED: fact(
    409,
    "give principals the tokens they had, or begin another log under another origin: a log remembers every token",
  ),
  CONFIG_SECRET: fact(
    null,
    "take the secret out of the measured file and replace it where it is used: whoever reads the launch document " +
      "has seen it",
  ),
  PHASE_VIOLATION: fact(409, "send the message in the phase that allows it"),
  CONFORMANCE_PROFILE_UNSATISFIED: fact(null, "satisfy the profile or choose another"),
  RELOAD_INVALID: fact(null, "give the enclave the policy bundle or the catalog in the form of a reload message"),
  // Policy
  POLICY_BUNDLE_INVALID: fact(null, "correct the policy bundle as the message says"),
  POLICY_HASH_MISMATCH: fact(null, "deploy the bundle whose hash is pinned, or pin this one"),
  POLICY_SIGNATURE_INVALID: fact(null, "sign the bundle with the pinned key"),
  POLICY_SIGNING_KEY_REVOKED: fact(
    403,
    "sign the bundle with the policy signing key that follows, and put it into force; nothing else ends this",
  ),
  POLICY_KEY_REVOCATION_INVALID: fact(409, "correct the statement about policy signing keys as the message says"),
  POLICY_RELOAD_PINNED_HASH: fact(null, "unpin the policy hash, or sign reloads with a pinned key"),
  POLICY_VERSION_NOT_HIGHER: fact(null, "raise the version in manifest.json and sign the bundle again"),
  // Findings
  DETECTOR_DATA_REFUSED: fact(
    null,
    "build from a tree where make setup has fetched the secret rules, and do not change the detectors' data",
  ),
  // Catalog
  CATALOG_INVALID: fact(null, "correct the catalog as the message says"),
  CATALOG_HASH_MISMATCH: fact(null, "deploy the catalog whose hash is pinned, or pin this one"),
  CATALOG_TOOL_NAME_COLLISION: fact(null, "rename or remove one of the two entries"),
  CATALOG_NAME_COLLISION: fact(
    null,
    "rename or remove one of the two servers, resources or prompts that the message names",
  ),
  CATALOG_RESTART_REQUIRED: fact(null, "start with a launch document of the changed catalog"),
  CATALOG_VERSION_INVALID: fact(null, "correct the catalog's versions as the message says"),
  CATALOG_VERSION_NOT_HIGHER: fact(null, "approve the catalog as a version above the one in force"),
  CATALOG_APPROVAL_INVALID: fact(null, "take the approval out, and have its owner approve this version"),
  CATALOG_APPROVALS_MISSING: fact(null, "have further catalog keys approve the version"),
  CATALOG_DRIFT_DETECTED: fact(409, "have the tool's new definition reviewed and approved"),
  // Requests
  UNAUTHENTICATED: fact(401, "send a valid bearer token"),
  SCOPE_INSUFFICIENT: fact(403, "get a token with one of the scopes that WWW-Authenticate names"),
  ISSUER_KEYS_UNAVAILABLE: fact(503, "retry; if it persists, the operator looks at issuers in the status", "retry"),
  NOT_PROVISIONED: fact(503, "wait until the operator has provisioned the gateway", "retry"),
  ORIGIN_NOT_ALLOWED: fact(403, "call from an origin the configuration allows"),
  NOT_FOUND: fact(404, "check the path"),
  METHOD_NOT_ALLOWED: fact(405, "use a method this path supports"),
  NOT_SUPPORTED: fact(501, "do not use this feature; this version does not implement it"),
  MCP_PARSE_FAILURE: fact(400, "send well-formed JSON-RPC"),
  MCP_INVALID_REQUEST: fact(400, "correct the request as the message says", "change-arguments"),
  MCP_HEADER_MISMATCH: fact(400, "send the MCP headers that repeat the request's body"),
  MCP_PAYLOAD_TOO_LARGE: fact(413, "send a smaller request", "change-arguments"),
  MCP_SESSION_UNKNOWN: fact(404, "initialize a new session"),
  SESSION_LIMIT_REACHED: fact(429, "close sessions that are no longer used, then retry"),
  SESSION_CLOSED: fact(409, "open a new session", "retry"),
  SESSION_INCOMPLETE: fact(409, "use the export and the recovery session; an interrupted session gets no claim"),
  APPROVAL_REQUIRED: fact(
    403,
    "have a person approve the call with cmcp approvals, then repeat it unchanged",
    "wait-for-approval",
  ),
  APPROVAL_DENIED: fact(403, "do not repeat the call: a person looked at it and denied it"),
  APPROVAL_UNKNOWN: fact(
    404,
    "list what waits for you: it was used, denied, expired, changed, or is not yours to answer",
  ),
  APPROVAL_ANSWERED: fact(409, "nothing: this approver has answered already, and an answer counts once"),
  APPROVAL_NOT_PROVEN: fact(
    null,
    "do not rely on the record: a call was let through without the approvals that it names",
  ),
  APPROVAL_MALFORMED: fact(400, "make the statement with cmcp approvals, or as packages/approval/SPEC.md has it"),
  APPROVAL_ANSWER_INVALID: fact(403, "answer with the key that the launch document lists for this approver"),
  APPROVAL_PASSKEY_INVALID: fact(403, "remove the passkey from the authenticator, and register another"),
  APPROVAL_REQUEST_INVALID: fact(null, "do not answer: what was shown is not what the enclave asked; report it"),
  APPROVAL_ACCESS_INVALID: fact(403, "sign a new statement for this instance with the key of a measured approver"),
  DISCLOSURE_REQUIRED: fact(
    403,
    "have an owner permit exactly this call with cmcp approvals disclose, then repeat it unchanged",
    "wait-for-approval",
  ),
  DISCLOSURE_MISMATCH: fact(
    403,
    "make the call as the owner permitted it, or have the owner permit this one: the check says what differs",
    "change-arguments",
  ),
  DISCLOSURE_PERMISSION_INVALID: fact(
    403,
    "sign a new permission for this instance and its policy, as the owner that it names: the check says what fails",
  ),
  DISCLOSURE_PERMISSION_REPLAYED: fact(409, "sign a new permission; each counts once"),
  DISCLOSURE_NOT_PROVEN: fact(
    null,
    "do not rely on the record: a call was let through without the permission that it names",
  ),
  OPERATOR_STATEMENT_INVALID: fact(403, "sign the statement with a key of enclave.operator_keys"),
  OPERATOR_STATEMENT_MISMATCH: fact(409, "make a statement for this instance and session"),
  OPERATOR_STATEMENT_REPLAYED: fact(409, "make a new statement with a higher sequence; each counts once"),
  OPERATOR_STATEMENT_STALE: fact(409, "look at what the session did since, then sign its current chain tip"),
  PROVISION_STATEMENT_MALFORMED: fact(
    400,
    "make the statement with cmcp provision, or as packages/provision/SPEC.md has it",
  ),
  PROVISION_STATEMENT_INVALID: fact(403, "sign the statement with a key of enclave.provisioning_keys"),
  PROVISION_STATEMENT_MISMATCH: fact(409, "verify the present instance, and make a statement for it"),
  PROVISION_STATEMENT_REPLAYED: fact(409, "make a new statement with a higher sequence; each counts once"),
  PROVISION_STATEMENT_EXPIRED: fact(
    409,
    "make a new statement; if it is refused too, compare the clocks of both machines",
  ),
  STORED_SET_MISSING: fact(
    409,
    "provision the whole set: the newest provisioning of the log has no stored one, or its past is not to be relied on",
  ),
  STORED_SET_NOT_OPENED: fact(
    409,
    "use the storage key that the newest set was provisioned with, or provision the whole set",
  ),
  STORED_SET_OTHER: fact(
    409,
    "name the log's last provisioning; if you do, the host shows an older log: keep both as evidence, and provision the whole set",
  ),
  AGENT_MANIFEST_MALFORMED: fact(400, "present a manifest as packages/manifest/SPEC.md has it"),
  AGENT_MANIFEST_BINDING_FAILED: fact(
    403,
    "present the agent's own manifest (POST /manifest), issued for the policy and catalog in force, then open a session",
  ),
  AGENT_MANIFEST_REVOCATIONS_REFUSED: fact(
    403,
    "make the list with cmcp manifest revocations, under a key of agent_manifest.revocation_keys, with a higher sequence",
  ),
  LAUNCH_DOCUMENT_NOT_ALLOWED: fact(
    403,
    "ask an auditor or operator of the gateway, or pin the digest that the root entry names",
  ),
  SESSION_UNTRUSTED: fact(403, "ask a person to make this call; the session has seen text of a server without trust"),
  WORKFLOW_NOT_ALLOWED: fact(403, "use a workflow this principal is allowed"),
  WORKFLOW_REQUIRED: fact(
    403,
    "name one of this caller's workflows in params._cmcp.workflow_id or X-MCP-Workflow-ID",
    "change-arguments",
  ),
  RESOURCE_NOT_IN_CATALOG: fact(404, "read only resources that resources/list or a listed template names"),
  PROMPT_NOT_IN_CATALOG: fact(404, "get only prompts that prompts/list names"),
  TOOL_NOT_IN_CATALOG: fact(403, "call a tool from tools/list"),
  POLICY_DENY: fact(403, "do not retry unchanged; policy does not allow this call"),
  SESSION_SENSITIVITY_POLICY_DENY: fact(
    403,
    "do not retry, in no other session either: data too sensitive for this call has been seen; an operator can " +
      "reset that",
  ),
  KILL_SWITCH_TRIPPED: fact(
    403,
    "stop: the kill switch refuses every call of this principal until an operator lifts it with cmcp kill-switch unblock",
  ),
  KILL_SWITCH_DISABLED: fact(409, "set kill_switch.enabled and start again, to use the kill switch"),
  NOT_BLOCKED: fact(404, "check the principal's name; the kill switch does not block it"),
  RATE_LIMIT_EXCEEDED: fact(
    429,
    "wait until fewer calls are in the window of enclave.rate_limits, then retry",
    "retry",
  ),
  BUDGET_EXCEEDED: fact(429, "wait until fewer bytes are in the window of enclave.budgets, then retry", "retry"),
  REQUEST_CANCELLED: fact(499, "nothing; the caller went away"),
  OVERLOADED: fact(503, "retry later", "retry"),
  // Upstream and response
  EGRESS_NOT_ALLOWED: fact(502, "add the tool server's address to the host's egress list and restart the host"),
  UPSTREAM_UNAVAILABLE: fact(502, "check that the tool server is up, then retry", "retry"),
  UPSTREAM_TIMEOUT: fact(504, "retry; if it persists, check the tool server", "retry"),
  UPSTREAM_IDENTITY_MISMATCH: fact(
    502,
    "stop: the server is not the approved one; have its key or certificate investigated",
  ),
  UPSTREAM_PROTOCOL_ERROR: fact(502, "report to the tool server's owner; its answer was not valid MCP"),
  UPSTREAM_CALL_REFUSED: fact(
    502,
    "correct the call; the tool server refused it with a JSON-RPC error",
    "change-arguments",
  ),
  INPUT_NOT_REQUESTED: fact(
    400,
    "answer only what was asked, under the ids and in the form it was asked, while the question is open",
    "change-arguments",
  ),
  REQUEST_STATE_INVALID: fact(400, "send the request anew, without requestState"),
  CURSOR_INVALID: fact(400, "list from the first page again"),
  TASK_UNKNOWN: fact(400, "call the tool again; tasks end with their time, their session and the gateway's process"),
  TASK_NOT_SUPPORTED: fact(501, "call the tool in the way the message says"),
  UPSTREAM_INPUT_REQUIRED: fact(
    502,
    "do not use this call; the tool asks for further input, which this version does not pass on",
  ),
  // OAuth towards servers
  AUTHORIZATION_UNAVAILABLE: fact(503, "retry; if it persists, check the authorization server", "retry"),
  AUTHORIZATION_SERVER_NOT_ALLOWED: fact(
    403,
    "list the issuer in the server's authorization if it is to be trusted with the gateway's credential, and start again",
  ),
  AUTHORIZATION_METADATA_INVALID: fact(
    502,
    "do not send a credential: have the tool server, or its authorization server, correct what it publishes",
  ),
  AUTHORIZATION_RESPONSE_INVALID: fact(
    502,
    "begin the authorization anew; if it persists, somebody interferes with it, or the server is faulty",
  ),
  AUTHORIZATION_REFUSED: fact(
    403,
    "have the authorization server's operator, or the person who was asked, allow what the server's authorization asks for",
  ),
  CONSENT_REQUIRED: fact(
    403,
    "have the person that the agent works for open the link and consent, then repeat the call",
    "retry",
  ),
  CREDENTIAL_NOT_PROVISIONED: fact(
    503,
    "put the credential that the catalog names into enclave.credentials_file and send the gateway SIGHUP, or provision it " +
      "with cmcp provision",
  ),
  // Adding servers
  SERVER_UNAUTHORIZED: fact(null, "give the token or credential that the server asks for, as the message says"),
  PROGRAM_MISSING: fact(null, "install the program as the message says, then repeat the command"),
  PACKAGE_UNAVAILABLE: fact(
    null,
    "check the package's name and version, and that its registry can be reached, then repeat the command",
  ),
  BUNDLE_REFUSED: fact(null, "take another bundle: this one is not what the format allows, or not what it was"),
  PACKAGE_REFUSED: fact(null, "take another package or version: this one cannot be pinned or started as it is"),
  SPAWN_UNAVAILABLE: fact(
    null,
    "compile the spawner and allow it its namespaces on this machine, or start with CMCP_DEV_MODE=1",
  ),
  SPAWN_NOT_OFFERED: fact(
    null,
    "start the enclave with cmcp start or from an image that has a spawner, or put the server into the catalog as " +
      "an HTTP server (transport streamable-http)",
  ),
  SPAWN_NOT_PINNED: fact(
    null,
    "record the digest of the stdio server's files in the catalog, or set attestation.allow_unmeasured_spawn",
  ),
  SPAWN_DIGEST_MISMATCH: fact(502, "stop: the stdio server's files are not the approved ones; have it investigated"),
  SPAWN_TREE_REFUSED: fact(
    502,
    "give the stdio server a readable folder of plain files, with links that stay inside, within the documented bounds",
  ),
  SPAWN_FAILED: fact(
    502,
    "check that the stdio server's program is in its folder or an interpreter of this machine, and that the " +
      "machine allows its confinement",
  ),
  RESPONSE_SIZE_EXCEEDED: fact(413, "ask the tool for less data", "change-arguments"),
  RESPONSE_UNPROJECTABLE: fact(
    403,
    "have the rule that redacts and the tool's schema reviewed; cmcp policy lint says which rules can only withhold",
  ),
  RESULT_WITHHELD: fact(403, "do not call again; policy does not let what the server answered be delivered"),
  RESPONSE_SCHEMA_VIOLATION_STRICT: fact(409, "have the tool's output schema reviewed"),
  // The gateway itself
  TEE_FAULT: fact(500, "retry once; if it persists, restart the gateway and keep the audit export", "retry"),
  GATEWAY_ANSWER_INVALID: fact(
    null,
    "check the URL: it must be a gateway's own address; another service answers there, or a proxy or login page " +
      "in between",
  ),
  ENCLAVE_UNAVAILABLE: fact(503, "retry; the gateway is restarting", "retry"),
  AUDIT_STORE_UNAVAILABLE: fact(503, "free or repair the audit store on the host, then retry", "retry"),
  WITNESS_UNAVAILABLE: fact(
    503,
    "bring a quorum of the log's witnesses back, then retry; if they answer, look whether another instance writes the log",
    "retry",
  ),
  AUDIT_RECORD_TOO_LARGE: fact(500, "report this as a bug; audit records are bounded below the store's limit"),
  AUDIT_STORE_DAMAGED: fact(
    503,
    "check the audit store on the host (cmcp log fsck), and restore it from a back-up; without one, open the next epoch",
  ),
  AUDIT_STORE_MISMATCH: fact(500, "stop: the host's audit store does not match the chain; keep it for investigation"),
  // Wire
  WIRE_FRAME_TOO_LARGE: fact(null, "send frames within the documented limit"),
  WIRE_MALFORMED: fact(null, "send frames of the documented profile"),
  WIRE_NON_CANONICAL: fact(null, "encode with shortest lengths and sorted unique keys"),
  WIRE_INDEFINITE_LENGTH: fact(null, "encode with definite lengths"),
  WIRE_TAG_FORBIDDEN: fact(null, "send no CBOR tags"),
  WIRE_FLOAT_FORBIDDEN: fact(null, "send integers"),
  WIRE_SIMPLE_FORBIDDEN: fact(null, "send only true, false and null"),
  WIRE_DUPLICATE_KEY: fact(null, "send each key once"),
  WIRE_KEY_FORBIDDEN: fact(null, "send text keys, and not __proto__"),
  WIRE_INVALID_UTF8: fact(null, "send valid UTF-8"),
  WIRE_TOO_DEEP: fact(null, "nest less deeply"),
  WIRE_TOO_MANY_ITEMS: fact(null, "send fewer items"),
  WIRE_TRUNCATED: fact(null, "send whole items"),
  WIRE_TRAILING_BYTES: fact(null, "send exactly one item a frame"),
  WIRE_UNEXPECTED_FRAME: fact(null, "follow the exchange's frame order"),
  WIRE_EXCHANGE_TOO_LARGE: fact(null, "split the body over several exchanges"),
  WIRE_UNREACHABLE: fact(503, "check that the other side is up, then retry", "retry"),
  WIRE_CLOSED: fact(null, "open a new stream"),
  WIRE_IDLE_TIMEOUT: fact(null, "keep frames flowing or close the stream"),
  // Idempotency keys
  IDEMPOTENCY_KEY_REFUSED: fact(
    412,
    "ask for the outcome of the key's call (GET /calls); make the key of a new call with the size of the log that " +
      "GET /v1/status shows",
  ),
  IDEMPOTENCY_RUNNING: fact(409, "wait, and ask for the outcome (GET /calls): the call is not run again"),
  IDEMPOTENCY_ENDED: fact(409, "read the outcome and the receipt in cmcp.gateway/call: the call is not run again"),
  IDEMPOTENCY_CONFLICT: fact(422, "give every call a key of its own"),
  // Sealed messages
  SEAL_SUITE_UNSUPPORTED: fact(
    null,
    "run Node 24.7 or newer, or use a key of X25519 where the protection of today need not last for decades",
  ),
  SEAL_KEYS_INVALID: fact(null, "do not seal to these keys: ask the gateway's operator for its key configurations"),
  SEAL_NOT_OPENED: fact(
    400,
    "fetch the gateway's key configurations and verify them before you seal a new request; treat the outcome of a " +
      "request whose answer does not open as unknown",
  ),
  SEAL_REPLAYED: fact(409, "seal a request anew for each call; ask for the outcome of one that was sent before"),
  SEAL_REQUIRED: fact(403, "seal the request to the gateway's key configurations (GET /attestation)"),
  PROVISION_NOT_CONFIRMED: fact(
    null,
    "provision again, with a higher sequence: the host kept the statement back, or the enclave's receipt",
  ),
  INSTANCE_NOT_ACCEPTED: fact(null, "do not use the gateway, or correct what is expected of it as the message says"),
  INSTANCE_CHANGED: fact(
    null,
    "connect again, so that the present instance is verified; ask the operator why it changed",
  ),
  SEAL_OUTCOME_UNKNOWN: fact(
    null,
    "do not repeat the request: it may have been acted on; ask for its outcome, or look into the record",
  ),
  POLICY_CHANGED: fact(
    null,
    "ask the operator why policy changed; connect again, with the launch document and the bundle that may follow it",
  ),
  CATALOG_CHANGED: fact(
    null,
    "ask the operator why the catalog changed; connect again, with the launch document and the versions that follow it",
  ),
  RECEIPT_MISSING: fact(
    null,
    "do not use the answer: nothing shows that it was recorded; look into the record for the call",
  ),
  COMMITMENT_MISMATCH: fact(
    null,
    "do not use the answer, and keep the receipt as evidence: it commits to another request or answer",
  ),
  SEAL_ANSWER_LOST: fact(
    null,
    "do not repeat the call: it has ended as the message says, and the record has its receipt",
  ),
  BINARY_HTTP_INVALID: fact(400, "send a message as RFC 9292 and packages/seal/SPEC.md have it"),
  BINARY_HTTP_TOO_LARGE: fact(413, "send a smaller message", "change-arguments"),
  // JSON
  JSON_TOO_LARGE: fact(413, "send a smaller document", "change-arguments"),
  JSON_INVALID_UTF8: fact(400, "encode as UTF-8"),
  JSON_SYNTAX: fact(400, "send well-formed JSON"),
  JSON_TOO_DEEP: fact(400, "nest less deeply", "change-arguments"),
  JSON_TOO_MANY_ITEMS: fact(400, "send fewer values", "change-arguments"),
  JSON_DUPLICATE_KEY: fact(400, "send each key once"),
  JSON_KEY_FORBIDDEN: fact(400, "do not use __proto__ as a key"),
  JSON_NUMBER_NOT_EXACT: fact(400, "send the number as a string, or within double precision", "change-arguments"),
  JSON_NOT_CANONICALIZABLE: fact(400, "use only values JSON can carry exactly", "change-arguments"),
  // Verifier
  UNSUPPORTED_PROVIDER: fact(null, "verify with a version that supports this platform"),
  SIGNATURE_INVALID: fact(null, "reject: the record was changed or signed by another key"),
  PUBLIC_KEY_NOT_BOUND: fact(null, "reject: the signing key is not bound by the attestation report"),
  CHAIN_BROKEN: fact(null, "reject: the audit chain was altered"),
  CHAIN_ROOT_NOT_BOUND: fact(null, "reject: the audit chain is not the one the report commits to"),
  AGENT_MANIFEST_MISMATCH: fact(null, "do not rely on who the agent was: claim, record and manifest differ"),
  CLAIM_MALFORMED: fact(null, "reject: this is not a claim this version understands"),
  POLICY_NOT_OF_LAUNCH: fact(null, "reject: the policy in force neither is the launch document's nor may follow it"),
  POLICY_BUNDLE_MISSING: fact(null, "give the policy bundle that was in force with --policy-bundle"),
  CATALOG_NOT_OF_LAUNCH: fact(null, "reject: the catalog in force neither is the launch document's nor may follow it"),
  CATALOG_VERSION_MISSING: fact(null, "give the versions of the catalog with --catalog-versions"),
  DEVELOPMENT_NOT_ACCEPTED: fact(null, "reject, or pass --allow-software-only to accept a development instance"),
  SOFTWARE_ONLY_NOT_ACCEPTED: fact(null, "pass --allow-software-only to accept a claim without hardware evidence"),
  MODE_NOT_ACCEPTED: fact(
    null,
    "reject: policy was not enforced; to accept the mode, pass --allow-mode or name it in the appraisal policy",
  ),
  CHANNEL_NOT_ACCEPTED: fact(null, "reject: the host could read the session's requests; or do not require sealed ones"),
  SEAL_KEYS_MISMATCH: fact(
    null,
    "reject: the session's instance had other keys than those that requests were sealed to",
  ),
  PROVISIONING_NOT_ACCEPTED: fact(
    null,
    "reject: the host may have given itself a token; or do not require signed provisioning",
  ),
  HISTORY_NOT_COMPLETE: fact(null, "reject, or do not require a complete history of earlier instances"),
  BUNDLE_MALFORMED: fact(null, "reject: this is not an audit bundle this version understands"),
  RECEIPT_MALFORMED: fact(null, "get the receipt again: this is not one that this version understands"),
  RECEIPT_INVALID: fact(null, "reject: the receipt does not verify"),
  DISCLOSURE_MALFORMED: fact(null, "get the disclosed call again: this is not one that this version understands"),
  DISCLOSURE_INVALID: fact(null, "reject: the call is not in the log, cannot be opened, or is not the recorded one"),
  HAND_OVER_INVALID: fact(null, "reject: the log of the instance that answers does not have this hand-over"),
  CLAIM_INCONSISTENT: fact(null, "reject: the claim's summary does not follow from its entries"),
  // Transparency log
  NOTE_MALFORMED: fact(null, "reject: this is not a signed note or checkpoint that this version understands"),
  VERIFIER_KEY_INVALID: fact(null, "correct the key: a C2SP verifier key, name+id+key, of Ed25519"),
  LOG_KEY_INVALID: fact(
    null,
    "restore the log's key from its back-up, readable for its owner alone: witnesses know the log by this key",
  ),
  WITNESS_POLICY_INVALID: fact(null, "correct the witness policy as the message says"),
  LOG_TREE_INVALID: fact(null, "reject: these hashes are not of a tree of this size"),
  LOG_EXPORT_MALFORMED: fact(null, "export the log again: nothing can be verified from these files"),
  LOG_MISMATCH: fact(null, "reject, and keep both sides as evidence: this is not one log that only grew"),
  LOG_NOT_WITNESSED: fact(null, "reject, or ask for an export whose checkpoint the policy's witnesses cosigned"),
  // Measurement
  MEASURE_INPUT_INVALID: fact(null, "correct the file or value the message names; nothing was computed"),
  MEASURE_NOT_PREDICTABLE: fact(
    null,
    "leave out what the message names; its measurement does not follow from the bytes given",
  ),
  // Evidence
  EVIDENCE_MISSING: fact(
    null,
    "give the evidence file that travels beside the claim; a software-only claim has none, and meets nothing " +
      "that is asked of it",
  ),
  EVIDENCE_MALFORMED: fact(null, "reject: this is not evidence of the named platform"),
  EVIDENCE_SIGNATURE_INVALID: fact(null, "reject: the evidence was changed, or signed by another key"),
  EVIDENCE_CHAIN_INVALID: fact(null, "supply the certificates that lead from the evidence to the vendor's root"),
  EVIDENCE_ROOT_NOT_TRUSTED: fact(null, "reject: the chain ends in a root that is not a trust anchor"),
  EVIDENCE_EXPIRED: fact(null, "supply certificates and collateral that are valid at the time of verification"),
  EVIDENCE_REVOKED: fact(null, "reject: the vendor or the operator revoked this key or chip"),
  EVIDENCE_COLLATERAL_INVALID: fact(null, "fetch the vendor's collateral for this platform again"),
  EVIDENCE_COLLATERAL_UNAVAILABLE: fact(null, "check the network and the service, then fetch again"),
  EVIDENCE_TCB_NOT_ACCEPTED: fact(
    null,
    "update the platform's firmware, or accept this status in the appraisal policy",
  ),
  EVIDENCE_DEBUG: fact(null, "reject: the host can read and change a guest with debugging on"),
  EVIDENCE_POLICY_VIOLATION: fact(null, "reject, or accept the named property in the appraisal policy"),
  EVIDENCE_MEASUREMENT_MISMATCH: fact(null, "reject: something other than the expected image was started"),
  EVIDENCE_REPORT_DATA_MISMATCH: fact(null, "reject: the evidence was made for another purpose or nonce"),
  EVIDENCE_LAUNCH_NOT_BOUND: fact(null, "reject: the launch document is not the one the hardware carries"),
  EVIDENCE_EVENT_LOG_MISMATCH: fact(null, "reject: the event log does not lead to the signed registers"),
  APPRAISAL_POLICY_INVALID: fact(null, "correct the appraisal policy as the message says"),
  USAGE: fact(null, "see the command's --help"),
  INTERNAL: fact(500, "report this as a bug"),
} as const satisfies Record<string, CodeFacts>;

/** The stable code of an error. */
export type ErrorCode = keyof typeof ERROR_CODES;
