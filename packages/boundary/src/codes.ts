/** What a reader of an error can do about it, and the HTTP status the code travels with. */
export interface CodeFacts {
  /** HTTP status; `null` for codes that only appear at start-up or in the verifier. */
  readonly http: number | null;
  /** One imperative sentence: what the reader should do now. */
  readonly action: string;
}

const fact = (http: number | null, action: string): CodeFacts => ({ http, action });

/** Every error code of the project, stable across versions. */
export const ERROR_CODES = {
  // Attestation
  ATTESTATION_REPORT_UNAVAILABLE: fact(503, "retry; if it persists, check the attestation device on the host"),
  ATTESTATION_PROVIDER_UNSUPPORTED: fact(null, "set attestation.provider to one this build supports"),
  ATTESTATION_PROVIDER_NOT_IMPLEMENTED: fact(501, "choose another attestation.provider"),
  ATTESTATION_STALE: fact(412, "refresh the attestation report, then retry"),
  // Launch
  LAUNCH_DOCUMENT_INVALID: fact(null, "correct the launch document as the message says and start again"),
  LAUNCH_DIGEST_MISMATCH: fact(null, "launch with the document whose digest the hardware was given"),
  CONFIG_INVALID: fact(null, "correct the configuration as the message says"),
  CONFIG_NOT_SUPPORTED: fact(null, "remove the key; this version does not implement it"),
  LISTEN_ADDRESS_REFUSED: fact(null, "set CMCP_BEARER_TOKEN, or listen on a loopback address"),
  LISTEN_ADDRESS_UNAVAILABLE: fact(null, "free the address, or listen on another"),
  ISOLATION_UNAVAILABLE: fact(null, "allow user namespaces on this host, or start with CMCP_DEV_MODE=1"),
  PRINCIPAL_NOT_MEASURED: fact(null, "list the principal in enclave.principals and start again, or remove its tokens"),
  PHASE_VIOLATION: fact(409, "send the message in the phase that allows it"),
  CONFORMANCE_PROFILE_UNSATISFIED: fact(null, "satisfy the profile or choose another"),
  AGENT_MANIFEST_BINDING_FAILED: fact(null, "correct agent_manifest so that it matches the loaded policy and catalog"),
  // Policy
  POLICY_BUNDLE_INVALID: fact(null, "correct the policy bundle as the message says"),
  POLICY_HASH_MISMATCH: fact(null, "deploy the bundle whose hash is pinned, or pin this one"),
  POLICY_SIGNATURE_INVALID: fact(null, "sign the bundle with the pinned key"),
  POLICY_RELOAD_PINNED_HASH: fact(null, "unpin the policy hash, or sign reloads with a pinned key"),
  POLICY_VERSION_NOT_HIGHER: fact(null, "raise the version in manifest.json and sign the bundle again"),
  // Catalog
  CATALOG_INVALID: fact(null, "correct the catalog as the message says"),
  CATALOG_HASH_MISMATCH: fact(null, "deploy the catalog whose hash is pinned, or pin this one"),
  CATALOG_TOOL_NAME_COLLISION: fact(null, "rename or remove one of the two entries"),
  CATALOG_RESTART_REQUIRED: fact(null, "restart to load a changed catalog"),
  CATALOG_DRIFT_DETECTED: fact(409, "have the tool's new definition reviewed and approved"),
  // Requests
  UNAUTHENTICATED: fact(401, "send a valid bearer token"),
  NOT_PROVISIONED: fact(503, "wait until the operator has provisioned the gateway"),
  ORIGIN_NOT_ALLOWED: fact(403, "call from an origin the configuration allows"),
  NOT_FOUND: fact(404, "check the path"),
  METHOD_NOT_ALLOWED: fact(405, "use a method this path supports"),
  NOT_SUPPORTED: fact(501, "do not use this feature; this version does not implement it"),
  MCP_PARSE_FAILURE: fact(400, "send well-formed JSON-RPC"),
  MCP_INVALID_REQUEST: fact(400, "correct the request as the message says"),
  MCP_HEADER_MISMATCH: fact(400, "send the MCP headers that repeat the request's body"),
  MCP_PAYLOAD_TOO_LARGE: fact(413, "send a smaller request"),
  MCP_SESSION_UNKNOWN: fact(404, "initialize a new session"),
  SESSION_LIMIT_REACHED: fact(429, "close sessions that are no longer used, then retry"),
  SESSION_CLOSED: fact(409, "open a new session"),
  SESSION_INCOMPLETE: fact(409, "use the export and the recovery session; an interrupted session gets no claim"),
  OPERATOR_STATEMENT_INVALID: fact(403, "sign the statement with a key of enclave.operator_keys"),
  OPERATOR_STATEMENT_MISMATCH: fact(409, "make a statement for this instance and session"),
  OPERATOR_STATEMENT_REPLAYED: fact(409, "make a new statement with a higher sequence; each counts once"),
  OPERATOR_STATEMENT_STALE: fact(409, "look at what the session did since, then sign its current chain tip"),
  WORKFLOW_NOT_ALLOWED: fact(403, "use a workflow this principal is allowed"),
  TOOL_NOT_IN_CATALOG: fact(403, "call a tool from tools/list"),
  POLICY_DENY: fact(403, "do not retry unchanged; policy does not allow this call"),
  SESSION_SENSITIVITY_POLICY_DENY: fact(403, "do not retry in this session; it has seen data too sensitive for this call"),
  SESSION_RESET_REQUIRED: fact(428, "ask an operator to reset the session"),
  REQUEST_CANCELLED: fact(499, "nothing; the caller went away"),
  OVERLOADED: fact(503, "retry later"),
  // Upstream and response
  EGRESS_NOT_ALLOWED: fact(502, "add the tool server's address to the host's egress list and restart the host"),
  UPSTREAM_UNAVAILABLE: fact(502, "check that the tool server is up, then retry"),
  UPSTREAM_TIMEOUT: fact(504, "retry; if it persists, check the tool server"),
  UPSTREAM_IDENTITY_MISMATCH: fact(502, "stop: the server's key is not the approved one; have it investigated"),
  UPSTREAM_PROTOCOL_ERROR: fact(502, "report to the tool server's owner; its answer was not valid MCP"),
  UPSTREAM_CALL_REFUSED: fact(502, "correct the call; the tool server refused it with a JSON-RPC error"),
  UPSTREAM_INPUT_REQUIRED: fact(502, "do not use this call; the tool asks for further input, which this version does not pass on"),
  RESPONSE_SIZE_EXCEEDED: fact(413, "ask the tool for less data"),
  RESPONSE_INJECTION_DETECTED: fact(403, "do not use this result; have the tool server investigated"),
  RESPONSE_SCHEMA_VIOLATION_STRICT: fact(409, "have the tool's output schema reviewed"),
  BREAK_GLASS_ACTIVE: fact(200, "note that a signed exception is in force"),
  // The gateway itself
  TEE_FAULT: fact(500, "retry once; if it persists, restart the gateway and keep the audit export"),
  ENCLAVE_UNAVAILABLE: fact(503, "retry; the gateway is restarting"),
  AUDIT_STORE_UNAVAILABLE: fact(503, "free or repair the audit store on the host, then retry"),
  AUDIT_RECORD_TOO_LARGE: fact(500, "report this as a bug; audit records are bounded below the store's limit"),
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
  WIRE_UNREACHABLE: fact(503, "check that the other side is up, then retry"),
  WIRE_CLOSED: fact(null, "open a new stream"),
  WIRE_IDLE_TIMEOUT: fact(null, "keep frames flowing or close the stream"),
  // JSON
  JSON_TOO_LARGE: fact(413, "send a smaller document"),
  JSON_INVALID_UTF8: fact(400, "encode as UTF-8"),
  JSON_SYNTAX: fact(400, "send well-formed JSON"),
  JSON_TOO_DEEP: fact(400, "nest less deeply"),
  JSON_TOO_MANY_ITEMS: fact(400, "send fewer values"),
  JSON_DUPLICATE_KEY: fact(400, "send each key once"),
  JSON_KEY_FORBIDDEN: fact(400, "do not use __proto__ as a key"),
  JSON_NUMBER_NOT_EXACT: fact(400, "send the number as a string, or within double precision"),
  JSON_NOT_CANONICALIZABLE: fact(400, "use only values JSON can carry exactly"),
  // Verifier
  UNSUPPORTED_PROVIDER: fact(null, "verify with a version that supports this platform"),
  SIGNATURE_INVALID: fact(null, "reject: the record was changed or signed by another key"),
  PUBLIC_KEY_NOT_BOUND: fact(null, "reject: the signing key is not bound by the attestation report"),
  AGENT_MANIFEST_MISMATCH: fact(null, "reject: the claim names another agent manifest"),
  CHAIN_BROKEN: fact(null, "reject: the audit chain was altered"),
  CHAIN_ROOT_NOT_BOUND: fact(null, "reject: the audit chain is not the one the report commits to"),
  CLAIM_MALFORMED: fact(null, "reject: this is not a claim this version understands"),
  EXTERNAL_EVIDENCE_VERIFICATION_FAILED: fact(null, "reject: an external receipt does not verify"),
  SOFTWARE_ONLY_NOT_ACCEPTED: fact(null, "pass --allow-software-only to accept a claim without hardware evidence"),
  BUNDLE_MALFORMED: fact(null, "reject: this is not an audit bundle this version understands"),
  RECEIPT_INVALID: fact(null, "reject: the receipt does not verify"),
  CLAIM_INCONSISTENT: fact(null, "reject: the claim's summary does not follow from its entries"),
  USAGE: fact(null, "see the command's --help"),
  INTERNAL: fact(500, "report this as a bug"),
} as const satisfies Record<string, CodeFacts>;

/** The stable code of an error. */
export type ErrorCode = keyof typeof ERROR_CODES;
