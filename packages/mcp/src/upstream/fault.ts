import { CmcpError, type ErrorCode } from "@cmcp/boundary";

/**
 * An upstream exchange that gave no answer. `detail.sent` is 1 when bytes of the request may have left,
 * so that what the server did is unknown, and 0 when none did.
 */
export function upstreamFault(
  code: ErrorCode,
  message: string,
  sent: boolean,
  options: { cause?: unknown; detail?: Readonly<Record<string, string | number>> } = {},
): CmcpError {
  return new CmcpError(code, message, { cause: options.cause, detail: { ...options.detail, sent: sent ? 1 : 0 } });
}

/** The same fault, saying of the exchange in hand whether bytes of it may have left. */
export function withSent(error: CmcpError, sent: boolean): CmcpError {
  if (error.detail.sent === (sent ? 1 : 0)) return error;
  return upstreamFault(error.code, error.message, sent, { cause: error, detail: error.detail });
}

/** A fault for an answer that is not what MCP or HTTP allow; the request was sent. */
export function protocolFault(
  message: string,
  detail: Readonly<Record<string, string | number>> = {},
  cause?: unknown,
): CmcpError {
  return upstreamFault("UPSTREAM_PROTOCOL_ERROR", message, true, { detail, cause });
}
