import type { JsonObject, JsonValue } from "@cmcp/boundary";
import { invalidParams } from "../ingress/refusal.ts";
import type { Dialect } from "./era.ts";

/** One parameter: what it may be, and what is read of it. */
export interface Member<T> {
  readonly name: string;
  /** Type and bound in words, for the reference. */
  readonly type: string;
  readonly required?: true;
  /** Where the parameter exists; everywhere unless said. */
  readonly dialects?: readonly Dialect[];
  /** @throws Refusal -32602 for what is not of that type or beyond its bound; `undefined` stands for a missing parameter */
  readonly read: (value: JsonValue | undefined) => Partial<T>;
}

/** The closed list of a method's parameters. */
export interface Shape<T> {
  readonly members: readonly Member<T>[];
  /** What a request without any parameter means. */
  readonly empty: T;
  /** Where the protocol demands it, parameters that are not on the list are ignored instead of refused. */
  readonly tolerant?: true;
}

function exists<T>({ dialects }: Member<T>, dialect: Dialect): boolean {
  return dialects === undefined || dialects.includes(dialect);
}

function unknownParameter(name: string, method: string): Error {
  return name === "task"
    ? invalidParams(
        `${method} takes no task: MCP 2025-11-25 has it for tools/call, MCP 2026-07-28 leaves it to the server`,
      )
    : invalidParams(`${method} has a parameter this gateway does not support`);
}

/**
 * Rebuilds parameters, member by member, from a closed shape.
 *
 * @throws Refusal -32602
 */
export function readShape<T extends object>(
  { members, empty, tolerant }: Shape<T>,
  params: JsonObject,
  method: string,
  dialect: Dialect,
): T {
  const known = members.filter((member) => exists(member, dialect));
  if (tolerant === undefined)
    for (const name of Object.keys(params))
      if (!known.some((member) => member.name === name)) throw unknownParameter(name, method);
  return known
    .filter(({ name, required }) => required === true || params[name] !== undefined)
    .reduce<T>((read, member) => ({ ...read, ...member.read(params[member.name]) }), empty);
}
