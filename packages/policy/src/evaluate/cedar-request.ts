import type { StatefulAuthorizationCall } from "@cedar-policy/cedar-wasm/nodejs";

/** What Cedar is asked about one call: principal, action, resource, context and entities, as values of JSON. */
export type CedarRequest = Pick<
  StatefulAuthorizationCall,
  "principal" | "action" | "resource" | "context" | "entities"
>;
