import type { SuiteVersion } from "./reference-server/server.ts";
import type { Status } from "./suite.ts";

/** How one check came out in a column; `absent` when the scenario never came to it. */
export type Outcome = Status | "absent";

/**
 * Checks of a scenario that come out otherwise through the gateway, on purpose and for good. What is only not built
 * yet has no place here.
 */
export interface Deviation {
  /** What the suite judges: a server, or with `client` the gateway's own requests to servers. */
  readonly role: "server" | "client";
  readonly version: SuiteVersion;
  readonly scenario: string;
  /** What each check is through the gateway, by its id and name. */
  readonly outcomes: Readonly<Record<string, Outcome>>;
  /** Clause of the MCP specification that allows or forces it. */
  readonly clause: string;
  readonly reason: string;
}

/** Every deviation that remains. One of which any part does not occur fails the run as a difference does. */
export const DEVIATIONS: readonly Deviation[] = [
  {
    role: "server",
    version: "2025-11-25",
    scenario: "server-sse-multiple-streams",
    outcomes: { "server-sse-streams-functional ServerSSEStreamsFunctional": "INFO" },
    clause:
      'Streamable HTTP, "Sending Messages to the Server", 5: a request is answered with an event stream or with one JSON object',
    reason: "a list is answered from the catalog at once, with nothing to say before it, so it is JSON",
  },
  {
    role: "server",
    version: "2025-11-25",
    scenario: "server-sse-polling",
    outcomes: {
      "incoming-sse-event IncomingSseEvent": "absent",
      "stream-closed StreamClosed": "absent",
      "server-sse-priming-event ServerSendsPrimingEvent": "absent",
      "server-sse-retry-field ServerSendsRetryField": "absent",
      "server-sse-disconnect-resume ServerDisconnectResume": "absent",
      "server-sse-content-type ServerSSEContentType": "INFO",
    },
    clause:
      'Streamable HTTP, "Sending Messages to the Server", 5: a request is answered with an event stream or with ' +
      "one JSON object; 6: the server SHOULD begin a stream with an event that has an id and no data, and MAY " +
      'close the connection of a stream it started; "Resumability and Redelivery": the server MAY use ' +
      "Last-Event-ID to replay",
    reason:
      "the gateway polls the server itself and keeps the agent's connection; with nothing to say before the " +
      "result, its answer is JSON, and there is no stream to close or to resume. A stream that is opened begins " +
      "without an id, because one would tell the agent that it can be resumed: what was sent is kept nowhere",
  },
  {
    role: "server",
    version: "2026-07-28",
    scenario: "http-custom-header-server-validation",
    outcomes: {
      "sep-2243-server-no-xmcp-tool HttpCustomHeaderServerNoTool": "FAILURE",
      "sep-2243-server-decode-base64 NotTestable": "FAILURE",
      "sep-2243-server-validate-param-match NotTestable": "FAILURE",
      "sep-2243-server-reject-invalid-param-chars NotTestable": "FAILURE",
      "sep-2243-server-reject-param-mismatch NotTestable": "FAILURE",
      "sep-2243-server-decode-base64 ServerAcceptsValidBase64": "absent",
      "sep-2243-server-reject-invalid-param-chars ServerRejectsInvalidBase64Padding": "absent",
      "sep-2243-server-reject-param-mismatch ServerRejectsInvalidBase64PaddingErrorCode": "absent",
      "sep-2243-server-reject-invalid-param-chars ServerRejectsInvalidBase64Chars": "absent",
      "sep-2243-server-reject-param-mismatch ServerRejectsInvalidBase64CharsErrorCode": "absent",
      "sep-2243-server-validate-param-match ServerLiteralMissingBase64Prefix": "absent",
      "sep-2243-server-validate-param-match ServerLiteralMissingBase64Suffix": "absent",
      "sep-2243-server-validate-param-match ServerRejectsMissingCustomHeader": "absent",
      "sep-2243-server-reject-param-mismatch ServerRejectsMissingCustomHeaderErrorCode": "absent",
    },
    clause:
      'Streamable HTTP, "Custom Headers from Tool Parameters": servers MAY designate parameters; the use of ' +
      "x-mcp-header is optional for servers",
    reason:
      "agents are shown no marks, so that arguments stay out of headers, which the host reads; towards servers " +
      "the gateway mirrors what the approved schema marks",
  },
  {
    role: "server",
    version: "2026-07-28",
    scenario: "input-required-result-ignore-extra-params",
    outcomes: { "sep-2322-ignore-unexpected-params IgnoreUnexpectedParams": "WARNING" },
    clause: '"Multi Round-Trip Requests": servers SHOULD ignore information they do not recognize',
    reason:
      "the suite answers in its first request, before it was asked anything; the gateway lets answers go only to " +
      "questions that were put, so the server asks first",
  },
  {
    role: "client",
    version: "2026-07-28",
    scenario: "http-custom-headers",
    outcomes: {
      "sep-2243-client-omit-null ClientCustomHeaderOmitNull": "absent",
      "sep-2243-client-omit-null NotObserved": "FAILURE",
    },
    clause: 'Tools, "Security Considerations": servers MUST validate all tool inputs',
    reason:
      "the suite sends null for an argument that the tool's schema types as a boolean; the gateway holds " +
      "arguments to the approved schema and sends no such call",
  },
];
