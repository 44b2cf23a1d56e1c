import { CmcpError, isJsonObject, parseJson, untrusted, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { collect } from "./bytes.ts";

const LIMITS = { maxBytes: 64 * 1024, maxDepth: 16, maxItems: 4_096 };
/** Pauses before each question for the outcome, in milliseconds: a call whose agent is gone ends soon. */
const PAUSES_MS = [0, 250, 500, 1_000, 2_000, 4_000];
/** Longest wait for one answer of the gateway, in milliseconds. */
const ASK_MS = 10_000;
/** Errors that leave open whether the enclave acted on a request. Others are from before it was sent, or of an answer that arrived. */
const OPEN: ReadonlySet<string> = new Set(["SEAL_OUTCOME_UNKNOWN", "SEAL_NOT_OPENED", "BINARY_HTTP_INVALID"]);

/** How the enclave is asked. */
export interface AskPorts {
  /** The gateway's URL, with one slash at its end. */
  readonly root: URL;
  /**
   * Sends a request under the seal, once.
   *
   * @param signal ends the request and the reading of its answer
   * @param mayBeRepeated whether the answer may be that of an earlier call
   */
  readonly send: (request: Request, signal: AbortSignal | null, mayBeRepeated?: boolean) => Promise<Response>;
  /** Waits so many milliseconds. */
  readonly sleep: (milliseconds: number) => Promise<unknown>;
}

/** Whose question it is: the bearer token of a request, if it had one. */
export type Authorization = string | null;

/** Whether an error leaves open what became of a request. */
export function leavesOpen(thrown: unknown): boolean {
  return !(thrown instanceof CmcpError) || OPEN.has(thrown.code);
}

/** Asks a path of the gateway for JSON; `null` for any other answer than 200 and an object. */
export async function askJson(
  { root, send }: AskPorts,
  path: string,
  authorization: Authorization,
): Promise<JsonObject | null> {
  const headers: Record<string, string> = authorization === null ? {} : { authorization };
  const answer = await send(new Request(new URL(path, root), { headers }), AbortSignal.timeout(ASK_MS));
  const bytes = answer.body === null ? null : await collect(answer.body, LIMITS.maxBytes);
  if (answer.status !== 200 || bytes === null) return null;
  const said = parseJson(untrusted(bytes), LIMITS);
  return isJsonObject(said) ? said : null;
}

/**
 * The error for a call whose answer was lost, with what the record has of it. It asks again while the call runs, for some seconds.
 *
 * @returns `SEAL_ANSWER_LOST` for a call that has ended, else `SEAL_OUTCOME_UNKNOWN`
 */
export async function lostAnswer(
  ports: AskPorts,
  {
    key,
    authorization,
    cause,
  }: { readonly key: string; readonly authorization: Authorization; readonly cause: unknown },
): Promise<CmcpError> {
  const said = await outcomeOf(ports, key, authorization).catch(() => null);
  const state = said?.state;
  const known = namesIn(said, ["state", "call_id", "decision", "outcome", "error_code"]);
  const options = { cause, detail: { idempotency_key: key, ...known } };
  if (state === "ended")
    return new CmcpError(
      "SEAL_ANSWER_LOST",
      `the answer was lost; the call has ended: decision ${known["decision"] ?? "none"}, outcome ${known["outcome"] ?? "none"}`,
      options,
    );
  return new CmcpError("SEAL_OUTCOME_UNKNOWN", `the answer was lost, and ${sentenceOf(state, said)}`, options);
}

function sentenceOf(state: JsonValue | undefined, said: JsonObject | null): string {
  if (state === "running") return "the call is still running";
  if (state !== "unseen") return "whether the call ran is unknown";
  return said?.may_still_run === false ? "the call never ran, and will not" : "no call of its has begun so far";
}

async function outcomeOf(ports: AskPorts, key: string, authorization: Authorization): Promise<JsonObject | null> {
  let said: JsonObject | null = null;
  for (const pause of PAUSES_MS) {
    await ports.sleep(pause);
    said = await askJson(ports, `calls?idempotency_key=${key}`, authorization);
    if (said?.state !== "running") break;
  }
  return said;
}

/** Members that are short texts. */
function namesIn(said: JsonObject | null, members: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    members.flatMap((name) => {
      const value = said?.[name];
      return typeof value === "string" && /^[\w-]{1,64}$/.test(value) ? [[name, value] as const] : [];
    }),
  );
}
