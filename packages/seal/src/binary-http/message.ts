/** A header or trailer field. The name is lowercase; a character of the value is one byte. */
export interface Field {
  readonly name: string;
  readonly value: string;
}

/** Control data and header of a request (RFC 9292 section 3.4). */
export interface RequestHead {
  readonly method: string;
  readonly scheme: string;
  /** Empty where the request has none. */
  readonly authority: string;
  readonly path: string;
  readonly fields: readonly Field[];
}

/** A status from 100 to 199 before the final one, with its header (RFC 9292 section 3.5.1). */
export interface InformationalResponse {
  readonly status: number;
  readonly fields: readonly Field[];
}

/** Control data and header of a response (RFC 9292 section 3.5). */
export interface ResponseHead {
  readonly informational: readonly InformationalResponse[];
  /** From 200 to 599. */
  readonly status: number;
  readonly fields: readonly Field[];
}

/** RFC 9292 section 3.3. */
export const FRAMING = {
  knownRequest: 0,
  knownResponse: 1,
  indeterminateRequest: 2,
  indeterminateResponse: 3,
} as const;
