import type { AttributeRead } from "../compile/references.ts";
import { CONTEXT_FACTS, PRINCIPAL_FACTS, type FactTable } from "../facts.ts";
import { SUBJECT_FACTS, type PlannedArgument, type PlannedFact, type Projection } from "./projection.ts";

function argumentProblem(
  planned: readonly PlannedArgument[] | null,
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

function factProblem(where: string, table: FactTable, planned: ReadonlySet<string>, name: string): string | undefined {
  const fact = table.get(name);
  if (fact === undefined) return `reads ${where}.${name}, which the gateway does not supply`;
  if (!fact.sourced) return `reads ${where}.${name}, which the catalog format does not carry`;
  return planned.has(name) ? undefined : `reads ${where}.${name}, which the schema does not declare as ${fact.kind}`;
}

function names(planned: readonly PlannedFact[]): ReadonlySet<string> {
  return new Set(planned.map((fact) => fact.name));
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
  const principal = names(projection.principal);
  const subjects = Array.from(projection.subjects, ([type, planned]) => ({
    table: SUBJECT_FACTS.get(type) ?? new Map(),
    planned: names(planned),
  }));
  const contexts = [...projection.contexts.values()].map((context) => ({
    facts: names(context.facts),
    arguments: context.arguments,
  }));
  const problemOf = ({ variable, path, presence }: AttributeRead): string | undefined => {
    const [first, ...rest] = path;
    if (variable === "principal")
      return first === undefined ? undefined : factProblem("principal", PRINCIPAL_FACTS, principal, first);
    if (variable === "resource")
      return first === undefined
        ? undefined
        : anyOf(subjects.map(({ table, planned }) => factProblem("resource", table, planned, first)));
    if (variable !== "context")
      return first === undefined ? undefined : `reads ${variable}.${first}, which no request has`;
    if (first === undefined) return "uses the context as a whole; name the attributes it needs";
    return anyOf(
      contexts.map((context) =>
        first === "arguments"
          ? argumentProblem(context.arguments, rest, presence)
          : factProblem("context", CONTEXT_FACTS, context.facts, first),
      ),
    );
  };
  for (const read of reads) {
    const problem = problemOf(read);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
