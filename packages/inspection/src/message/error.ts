import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { removeLookAlikesOfError, removeLookAlikesOfText } from "../result/look-alike.ts";
import { isLarger } from "../result/size.ts";

/** Longest of a server's own words on an error that are passed on: its message in characters, its data in bytes. */
const MAX_TEXT = 2_048;
const MAX_DATA = 16_384;
/** JSON-RPC 2.0 section 5.1: internal error. */
const INTERNAL_ERROR = -32_603;

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

/** A server's JSON-RPC error as the agent is told of it: within bounds, and without what poses as the gateway's. */
export function inspectError(
  { code, message, data }: ServerError,
  { withholdText, instead }: ErrorTerms,
): { readonly code: number; readonly message: string; readonly data?: JsonObject } {
  const said =
    typeof message === "string" && message.length <= MAX_TEXT && !withholdText ? removeLookAlikesOfText(message) : "";
  const members = membersOf(data);
  const kept =
    members !== null && !isLarger(members, MAX_DATA) && !withholdText ? { data: removeLookAlikesOfError(members) } : {};
  return {
    code: typeof code === "number" && Number.isSafeInteger(code) ? code : INTERNAL_ERROR,
    message: said === "" ? instead : said,
    ...kept,
  };
}

/** Data as members that the gateway's own can stand beside; `null` where there are none. JSON-RPC 2.0 section 5.1 lets it be of any kind. */
function membersOf(data: JsonValue | undefined): JsonObject | null {
  if (data === undefined || data === null) return null;
  return isJsonObject(data) ? data : { data };
}
