import { ERROR_CODES, type ErrorCode } from "./codes.ts";
import { isJsonObject, type JsonObject } from "./json/value.ts";

/**
 * The one error of the project: a stable code, a message without payload data, and what to do.
 * `detail` carries small public facts (a path, a limit); never secrets or payloads.
 */
export class CmcpError extends Error {
  readonly code: ErrorCode;
  readonly detail: Readonly<Record<string, string | number>>;

  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; detail?: Record<string, string | number> } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "CmcpError";
    this.code = code;
    this.detail = options.detail ?? {};
  }

  /** What the reader should do now. */
  get action(): string {
    return ERROR_CODES[this.code].action;
  }

  /** HTTP status the code travels with; 500 for codes that have none. */
  get httpStatus(): number {
    return ERROR_CODES[this.code].http ?? 500;
  }
}

/** Characters of another program's message that are kept. */
const MAX_MESSAGE = 1000;

/**
 * The error that another program of the project answered with; `null` for an answer without one. Nothing in its text moves a terminal's
 * cursor.
 */
export function receivedError(answer: JsonObject): CmcpError | null {
  const { code, message } = isJsonObject(answer["error"]) ? answer["error"] : {};
  if (typeof code !== "string" || !Object.hasOwn(ERROR_CODES, code) || typeof message !== "string") return null;
  return new CmcpError(code as ErrorCode, message.slice(0, MAX_MESSAGE).replaceAll(/\p{C}/gu, "?"));
}

/** Turns anything thrown into a {@link CmcpError}. Any other error becomes `fallback` with `message`; its own text is only in
 * `cause`. */
export function asCmcpError(thrown: unknown, fallback: ErrorCode, message: string): CmcpError {
  return thrown instanceof CmcpError ? thrown : new CmcpError(fallback, message, { cause: thrown });
}
