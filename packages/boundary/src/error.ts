import { ERROR_CODES, type ErrorCode } from "./codes.ts";

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

/** Turns anything thrown into a {@link CmcpError}. Any other error becomes `fallback` with `message`; its own text is only in
 * `cause`. */
export function asCmcpError(thrown: unknown, fallback: ErrorCode, message: string): CmcpError {
  return thrown instanceof CmcpError ? thrown : new CmcpError(fallback, message, { cause: thrown });
}
