/** What may stand in a message: RFC 9113 sections 8.2.1 and 8.3.1, to which RFC 9292 leads, held by reader and writer. */
import { CmcpError } from "@cmcp/boundary";
import {
  MAX_AUTHORITY_BYTES,
  MAX_FIELDS,
  MAX_INFORMATIONAL,
  MAX_METHOD_BYTES,
  MAX_NAME_BYTES,
  MAX_PATH_BYTES,
  MAX_SCHEME_BYTES,
  MAX_SECTION_BYTES,
  MAX_VALUE_BYTES,
} from "./limits.ts";
import type { Field, RequestHead } from "./message.ts";

/** RFC 9110 section 5.6.2. */
const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** The same without uppercase, which RFC 9113 section 8.2.1 forbids. A pseudo-field begins with a colon and is refused. */
const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
const SCHEME = /^[a-z][a-z0-9+.-]*$/;
/** Visible ASCII without an at sign: RFC 9113 section 8.3.1 forbids user information. */
const AUTHORITY = /^[!-?A-~]*$/;
/** An absolute path, or the asterisk of OPTIONS. */
const PATH = /^(?:\/[!-"$-~]*|\*)$/;
/** RFC 9113 section 8.2.1: no NUL, LF or CR, and no space or tab at either end. */
const VALUE = /^(?![\t ])[^\0\n\r\u0100-\uffff]*(?<![\t ])$/;

/** Holds a request's control data to its rules. @throws CmcpError `BINARY_HTTP_INVALID`, `BINARY_HTTP_TOO_LARGE` */
export function checkRequestControl({ method, scheme, authority, path }: Omit<RequestHead, "fields">): void {
  check("method", method, METHOD, MAX_METHOD_BYTES);
  check("scheme", scheme, SCHEME, MAX_SCHEME_BYTES);
  check("authority", authority, AUTHORITY, MAX_AUTHORITY_BYTES);
  check("path", path, PATH, MAX_PATH_BYTES);
}

/** @throws CmcpError `BINARY_HTTP_INVALID` for a status that does not end a response */
export function checkFinalStatus(status: number): void {
  if (!(Number.isInteger(status) && status >= 200 && status <= 599))
    throw invalid(`${status} is no final status; 200 to 599 are`);
}

/** Counts informational responses. @throws CmcpError `BINARY_HTTP_TOO_LARGE` */
export function checkInformational(count: number): void {
  if (count > MAX_INFORMATIONAL) throw tooLarge(`more than ${MAX_INFORMATIONAL} informational responses`);
}

/** The fields of one section, each held to its rules when it is added. */
export class FieldSection {
  readonly #fields: Field[] = [];
  #bytes = 0;

  /** @throws CmcpError `BINARY_HTTP_INVALID`, `BINARY_HTTP_TOO_LARGE` */
  add({ name, value }: Field): void {
    check("field name", name, NAME, MAX_NAME_BYTES);
    check(`value of ${name}`, value, VALUE, MAX_VALUE_BYTES);
    this.#bytes += name.length + value.length;
    if (this.#bytes > MAX_SECTION_BYTES) throw tooLarge(`more than ${MAX_SECTION_BYTES} bytes of fields`);
    if (this.#fields.length === MAX_FIELDS) throw tooLarge(`more than ${MAX_FIELDS} fields`);
    this.#fields.push({ name, value });
  }

  get fields(): readonly Field[] {
    return this.#fields;
  }
}

/** Whether a status is one before the final one. */
export function isInformational(status: number): boolean {
  return Number.isInteger(status) && status >= 100 && status <= 199;
}

/** The message cannot be read on: it breaks a rule. */
export function invalid(why: string): CmcpError {
  return new CmcpError("BINARY_HTTP_INVALID", `Binary HTTP: ${why}`);
}

/** The message cannot be read on: it is above a bound. */
export function tooLarge(why: string): CmcpError {
  return new CmcpError("BINARY_HTTP_TOO_LARGE", `Binary HTTP: ${why}`);
}

function check(what: string, text: string, form: RegExp, maxBytes: number): void {
  if (text.length > maxBytes) throw tooLarge(`the ${what} has more than ${maxBytes} bytes`);
  if (!form.test(text)) throw invalid(`the ${what} has characters that are not allowed there, or none`);
}
