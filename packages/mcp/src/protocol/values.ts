import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { invalidParams } from "../ingress/refusal.ts";

/** Longest name of a tool, prompt or argument, id of a task and of a question, in characters. */
export const MAX_NAME = 256;
export const MAX_URI = 2_048;
export const MAX_CURSOR = 4_096;
/** Longest state of a request that required input, in characters. */
export const MAX_STATE = 65_536;
/** Longest value of an argument that is completed or known while another is, in characters. */
export const MAX_COMPLETED = 4_096;
/** Arguments that are known while another is completed. */
export const MAX_KNOWN = 64;
/** Questions that one request answers. */
export const MAX_RESPONSES = 16;

/** A text within a bound. @param least characters it has at least */
export function text(name: string, value: JsonValue | undefined, max: number, least: 0 | 1 = 1): string {
  if (typeof value !== "string" || value.length < least || value.length > max)
    throw invalidParams(`${name} must be a string of ${least} to ${max} characters`);
  return value;
}

export function object(name: string, value: JsonValue | undefined): JsonObject {
  if (!isJsonObject(value)) throw invalidParams(`${name} must be an object`);
  return value;
}

/** An object that has these members and no other. */
export function closed(name: string, value: JsonValue | undefined, members: readonly string[]): JsonObject {
  const read = object(name, value);
  if (Object.keys(read).some((key) => !members.includes(key)))
    throw invalidParams(`${name} may have ${members.join(", ")} and nothing else`);
  return read;
}

/** Entries of an object within bounds, each value read by its own reader. */
export function entries<T>(
  name: string,
  value: JsonValue | undefined,
  max: number,
  read: (value: JsonValue) => T,
): Readonly<Record<string, T>> {
  const found = Object.entries(object(name, value));
  if (found.length > max) throw invalidParams(`${name} may have at most ${max} members`);
  return Object.fromEntries(
    found.map(([key, each]) => [text(`a name in ${name}`, key, MAX_NAME), read(each)] as const),
  );
}
