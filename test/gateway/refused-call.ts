import type { RpcReply } from "./fixture.ts";

/** The code that a refused tool call says in its result; `undefined` for any other result. */
export function refusedCode(result: object | undefined): string | undefined {
  const { _meta: meta } = (result ?? {}) as { readonly _meta?: Readonly<Record<string, unknown>> };
  const error = meta?.["cmcp.gateway/error"] as { readonly code?: string } | undefined;
  return error?.code;
}

/** The code of whatever was refused: of a JSON-RPC error, or of a refused tool call's result. */
export function errorCodeOf({ error, result }: Pick<RpcReply, "error" | "result">): string | undefined {
  return error === undefined ? refusedCode(result) : error.data?.error_code;
}
