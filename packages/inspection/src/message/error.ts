import type { JsonObject, JsonValue } from "@cmcp/boundary";
import { removeLookAlikes, removeLookAlikesOfText } from "../result/look-alike.ts";
import { isLarger } from "../result/size.ts";
import { urlElicitation } from "../shape/elicitation.ts";
import { list, members, text, uri } from "../shape/members.ts";

/** Longest of a server's own words on an error that are passed on: its message in characters, its data in bytes. */
const MAX_TEXT = 2_048;
const MAX_DATA = 16_384;
const MAX_ELICITATIONS = 16;
const MAX_VERSIONS = 64;
const MAX_VERSION = 64;
/** JSON-RPC 2.0 section 5.1: internal error. */
const INTERNAL_ERROR = -32_603;

const nothing = members({});
/** What a client would have to declare (MCP 2026-07-28 "MissingRequiredClientCapabilityError"). */
const requiredCapabilities = members(
  {},
  {
    elicitation: members({}, { form: nothing, url: nothing }),
    sampling: members({}, { context: nothing, tools: nothing }),
    roots: nothing,
    extensions: members({}, { "io.modelcontextprotocol/tasks": nothing }),
  },
);

/**
 * What the protocol puts into the data of an error: a resource that is not there, URLs to which the person has to go
 * first, protocol versions, and missing capabilities. Source: MCP 2025-11-25 "Resource not found",
 * "URLElicitationRequiredError", "Unsupported protocol version".
 */
const data = members(
  {},
  {
    uri,
    elicitations: list(urlElicitation, MAX_ELICITATIONS),
    supported: list(text(MAX_VERSION), MAX_VERSIONS),
    requested: text(MAX_VERSION),
    requiredCapabilities,
  },
);

/** A JSON-RPC error as a server sent it. */
export interface ServerError {
  readonly code?: JsonValue | undefined;
  readonly message?: JsonValue | undefined;
  readonly data?: JsonValue | undefined;
}

/** How an error is to be told. */
export interface ErrorTerms {
  /** True when fields are to be removed from the call's result: message and data could repeat them, so neither passes. */
  readonly withholdText: boolean;
  /** What is said in place of a message that does not pass. */
  readonly instead: string;
}

/** A server's JSON-RPC error as the agent is told of it: rebuilt within bounds, with data only of shapes that the protocol names. */
export function inspectError(
  { code, message, data: said }: ServerError,
  { withholdText, instead }: ErrorTerms,
): { readonly code: number; readonly message: string; readonly data?: JsonObject } {
  const words =
    typeof message === "string" && message.length <= MAX_TEXT && !withholdText ? removeLookAlikesOfText(message) : "";
  const details = withholdText ? undefined : data(said, "", []);
  const tellable = details !== undefined && Object.keys(details).length > 0 && !isLarger(details, MAX_DATA);
  return {
    code: typeof code === "number" && Number.isSafeInteger(code) ? code : INTERNAL_ERROR,
    message: words === "" ? instead : words,
    ...(tellable ? { data: removeLookAlikes(details, []) } : {}),
  };
}
