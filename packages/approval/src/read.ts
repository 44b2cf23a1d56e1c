import {
  canonicalText,
  CmcpError,
  examine,
  parseJson,
  schemaProblem,
  type JsonLimits,
  type JsonValue,
  type Untrusted,
} from "@cmcp/boundary";
import type * as z from "zod";

/** What is read, for messages, with its bounds. */
export interface Form<T> {
  readonly what: string;
  readonly schema: z.ZodType<T>;
  readonly limits: JsonLimits;
}

/**
 * Reads a statement. Only its one canonical spelling (RFC 8785) is accepted. No signature is looked at.
 * @throws CmcpError `APPROVAL_MALFORMED`
 */
export function readCanonical<T>(input: Untrusted<Uint8Array>, form: Form<T>): T {
  let value: JsonValue;
  try {
    value = parseJson(input, form.limits);
  } catch (thrown) {
    throw malformed(form.what, "not JSON within bounds", thrown);
  }
  const read = checked(value, form);
  if (new TextDecoder().decode(examine(input)) !== canonicalText(value))
    throw malformed(form.what, "not in canonical form (RFC 8785)");
  return read;
}

/** Checks a value's form. @throws CmcpError `APPROVAL_MALFORMED` */
export function checked<T>(value: unknown, { what, schema }: Pick<Form<T>, "what" | "schema">): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw malformed(what, schemaProblem(parsed.error).text);
}

/** The error for what is not of its form. It repeats no value. */
export function malformed(what: string, why: string, cause?: unknown): CmcpError {
  return new CmcpError("APPROVAL_MALFORMED", `the ${what} is not valid: ${why}`, { cause });
}
