import type { AttributeRead } from "../compile/references.ts";
import type { FactTable } from "../fact.ts";
import { CONTEXT_FACTS, PRINCIPAL_FACTS } from "../fact-tables.ts";
import { typeText } from "./fit.ts";
import { FACTS_BY_TYPE, type PlannedAttribute, type ProjectedType, type Projection } from "./projection.ts";

function argumentProblem(
  planned: readonly PlannedAttribute[] | null,
  path: readonly string[],
  presence: boolean,
): string | undefined {
  const [name, ...rest] = path;
  if (name === undefined)
    return presence ? undefined : "uses a record of arguments as a whole; name the members it needs";
  const found = planned?.find((argument) => argument.name === name);
  if (found === undefined)
    return `reads argument ${name}, which the schema does not declare under context.arguments with a type a JSON argument can have`;
  if (found.type.kind === "Record") return argumentProblem(found.type.attributes, rest, presence);
  return rest.length === 0 ? undefined : `reads members of argument ${name}, which is not a record`;
}

/** The facts of one entity type or of one action's context. */
interface Facts {
  readonly where: string;
  readonly table: FactTable;
  readonly planned: readonly PlannedAttribute[];
}

function factProblem({ where, table, planned }: Facts, [name, ...below]: readonly string[]): string | undefined {
  if (name === undefined) return undefined;
  const fact = table.get(name);
  if (fact === undefined) return `reads ${where}.${name}, which the gateway does not supply`;
  if (!fact.sourced) return `reads ${where}.${name}, which the catalog format does not carry`;
  const found = planned.find((attribute) => attribute.name === name);
  if (found === undefined) return `reads ${where}.${name}, which the schema does not declare as ${typeText(fact.type)}`;
  return memberProblem(`${where}.${name}`, found.type, below);
}

/** Why a read below a fact reaches nothing; `undefined` where it does. */
function memberProblem(where: string, type: ProjectedType, [name, ...below]: readonly string[]): string | undefined {
  if (name === undefined) return undefined;
  const found = type.kind === "Record" ? type.attributes.find((attribute) => attribute.name === name) : undefined;
  return found === undefined
    ? `reads ${where}.${name}, which the schema does not declare`
    : memberProblem(`${where}.${name}`, found.type, below);
}

/** One action, or one type, that carries the attribute is enough: under the others the read is a test, or an error that denies. */
function anyOf(problems: readonly (string | undefined)[]): string | undefined {
  return problems.includes(undefined) ? undefined : problems[0];
}

/**
 * Why a rule's reads cannot be trusted under a projection, else `undefined`. A test for an attribute that is
 * never supplied is simply false, so a forbid behind it would never fire and no engine would complain.
 */
export function readsProblem(reads: readonly AttributeRead[], projection: Projection): string | undefined {
  const principal: Facts = { where: "principal", table: PRINCIPAL_FACTS, planned: projection.principal };
  const resources = Array.from(
    projection.resources,
    ([type, planned]): Facts => ({
      where: "resource",
      table: FACTS_BY_TYPE.get(type) ?? new Map(),
      planned,
    }),
  );
  const contexts = [...projection.contexts.values()].map((context) => ({
    facts: { where: "context", table: CONTEXT_FACTS, planned: context.facts } satisfies Facts,
    arguments: context.arguments,
  }));
  const problemOf = ({ variable, path, presence }: AttributeRead): string | undefined => {
    const [first, ...rest] = path;
    if (variable === "principal") return factProblem(principal, path);
    if (variable === "resource")
      return first === undefined ? undefined : anyOf(resources.map((facts) => factProblem(facts, path)));
    if (variable !== "context")
      return first === undefined ? undefined : `reads ${variable}.${first}, which no request has`;
    if (first === undefined) return "uses the context as a whole; name the attributes it needs";
    return anyOf(
      contexts.map((context) =>
        first === "arguments" ? argumentProblem(context.arguments, rest, presence) : factProblem(context.facts, path),
      ),
    );
  };
  for (const read of reads) {
    const problem = problemOf(read);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
